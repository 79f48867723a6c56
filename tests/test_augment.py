"""Views of a work: the same pixels every time, and nothing done to the style unless asked."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw, ImageFont
from pydantic import ValidationError

from artlab.portfolio import augment
from artlab.portfolio.augment import STILL, Augment, view
from artlab.portfolio.work import Artwork, Mark

BUCKET = (96, 160)


def painting(size=(300, 420)):
    """Smooth colours in which each place differs: red rises to the right, green falls downwards."""
    across, down = np.meshgrid(np.linspace(0, 1, size[0]), np.linspace(0, 1, size[1]))
    return Image.fromarray((np.stack([across, 1 - down, 0.3 + 0.2 * across * down], 2) * 255).astype(np.uint8))


def red_rises(pixels):
    """Whether the picture is the right way round."""
    return bool(pixels[0, :, -1].mean() > pixels[0, :, 0].mean())


def seeds(count):
    return [augment.view_seed(0, "work", index) for index in range(count)]


@pytest.mark.parametrize("change", [Augment(), STILL, Augment(horizontal_flip=True, rotation=5, colour_jitter=0.2)])
@pytest.mark.parametrize("size", [(300, 420), (420, 300), (50, 60), (900, 100)])
def test_a_view_has_the_buckets_size_and_range(change, size):
    pixels = view(painting(size), BUCKET, change, 1)
    assert pixels.shape == (3, 160, 96)
    assert pixels.dtype == torch.float32
    assert type(pixels) is torch.Tensor
    assert -1 <= pixels.min() < 0 < pixels.max() <= 1


def test_black_is_minus_one_and_white_is_one():
    for grey, value in ((0, -1.0), (255, 1.0)):
        assert (view(Image.new("RGB", (200, 200), (grey,) * 3), (128, 128), Augment(), 5) == value).all()


def test_the_same_arguments_give_the_same_pixels_in_any_order():
    change = Augment(horizontal_flip=True, rotation=4, colour_jitter=0.1)
    forwards = [view(painting(), BUCKET, change, seed) for seed in seeds(6)]
    torch.rand(17)
    backwards = [view(painting(), BUCKET, change, seed) for seed in reversed(seeds(6))]
    assert all(torch.equal(one, other) for one, other in zip(forwards, reversed(backwards), strict=True))
    assert len({pixels.numpy().tobytes() for pixels in forwards}) == 6


def test_another_process_gives_the_same_crops():
    """Measured once in another process. If these change with a library, cached latents are stale: raise `dataset.CODE`."""
    means = [view(painting(), BUCKET, Augment(), seed).mean((1, 2)).tolist() for seed in seeds(3)]
    assert means[0] == pytest.approx([-0.121, 0.018, -0.318], abs=2e-3)
    assert means[1] == pytest.approx([0.156, -0.035, -0.284], abs=2e-3)
    assert means[2] == pytest.approx([-0.021, 0.022, -0.308], abs=2e-3)


def test_the_callers_random_numbers_are_left_alone():
    torch.manual_seed(3)
    expected = torch.rand(4)
    torch.manual_seed(3)
    view(painting(), BUCKET, Augment(), 9)
    assert torch.equal(torch.rand(4), expected)


def test_the_default_never_mirrors_and_leaves_colours_as_they_are():
    flat = Image.new("RGB", (300, 420), (180, 90, 40))
    expected = torch.tensor([180, 90, 40]) / 127.5 - 1
    for seed in seeds(30):
        assert red_rises(view(painting(), BUCKET, Augment(), seed))
        assert torch.allclose(view(flat, BUCKET, Augment(), seed).mean((1, 2)), expected, atol=1e-5)


def test_the_default_crops_to_seventy_percent_at_least_and_not_always_alike():
    """The bucket is narrower than the picture: the largest crop shows 252 of 300 columns and all rows."""
    heights = torch.tensor([float(spread(view(painting(), BUCKET, Augment(), seed)[1])) for seed in seeds(60)])
    assert heights.min() > 0.7**0.5 - 0.03
    assert heights.max() > 0.95
    assert heights.std() > 0.02


def spread(channel):
    """The share of the picture's height that a view shows, read off its falling green."""
    return (channel[0].mean() - channel[-1].mean()) / 2 * 160 / 159


def test_still_is_the_central_crop():
    square = painting((200, 200))
    assert torch.equal(view(square, (128, 128), STILL, 1), view(square, (128, 128), STILL, 2))
    wide = view(painting((400, 200)), (128, 128), STILL, 0)
    assert abs(float(wide[0].mean())) < 0.02
    assert float(wide[0].max()) == pytest.approx(0.5, abs=0.03)


def test_what_is_asked_for_happens():
    mirrored = [not red_rises(view(painting(), BUCKET, Augment(horizontal_flip=True), seed)) for seed in seeds(40)]
    assert 8 < sum(mirrored) < 32
    flat = Image.new("RGB", (300, 420), (180, 90, 40))
    assert len({float(view(flat, BUCKET, Augment(colour_jitter=0.3), seed).mean()) for seed in seeds(5)}) == 5


@pytest.mark.parametrize("size", [(300, 300), (200, 500), (500, 200)])
def test_turning_shows_no_empty_corner(size):
    white = Image.new("RGB", size, "white")
    for seed in seeds(12):
        assert view(white, BUCKET, Augment(rotation=15, crop_scale_min=1), seed).min() == 1


@pytest.mark.parametrize("wrong", [{"crop_scale_min": 0}, {"rotation": 90}, {"colour_jitter": -1}, {"hue": 0.1}])
def test_wrong_settings_are_refused(wrong):
    with pytest.raises(ValidationError):
        Augment(**wrong)


def test_view_seeds_differ_and_fit_a_generator():
    found = {augment.view_seed(seed, work, index) for seed in (0, 1) for work in "ab" for index in range(3)}
    assert len(found) == 12
    assert all(0 <= seed < 2**63 for seed in found)


def test_few_works_get_more_views():
    counts = [augment.views_per_work(count) for count in (1, 10, 32, 50, 100, 1000)]
    assert counts == sorted(counts, reverse=True)
    assert (counts[0], counts[-1]) == (16, 4)


# -- mirroring and writing --------------------------------------------------------------------------------------------------


def signed(corner, size=(600, 800)):
    image = Image.new("RGB", size, (236, 228, 210))
    draw = ImageDraw.Draw(image)
    draw.ellipse((150, 100, 450, 400), (150, 60, 50))
    left = 30 if corner == "left" else size[0] - 150
    draw.text((left, size[1] - 70), "A. Rackham", (40, 30, 30), ImageFont.load_default(22))
    return image


@pytest.mark.parametrize("corner", ["left", "right"])
def test_a_name_in_a_lower_corner_is_a_signature(corner):
    assert augment.signature_likely(signed(corner))


def test_what_is_no_signature():
    texture = np.random.default_rng(0).integers(0, 256, (400, 300, 3)).astype(np.uint8)
    disc = Image.new("RGB", (600, 800), "white")
    ImageDraw.Draw(disc).ellipse((40, 700, 120, 770), "black")
    for image in (painting(), Image.fromarray(texture), disc, Image.new("RGB", (40, 40)), Image.new("L", (300, 300))):
        assert not augment.signature_likely(image)


@pytest.mark.parametrize("kind", ["text", "watermark"])
def test_marked_or_signed_works_are_not_mirrored(kind):
    work = Artwork("a", "a.png", Path("a.png"), (300, 420))
    assert augment.flip_refusal(work, painting()) == ""
    assert "signature" in augment.flip_refusal(work, signed("left"))
    marked = Artwork("a", "a.png", Path("a.png"), (300, 420), marks=(Mark(kind, "letters along the edge"),))
    assert "letters along the edge" in augment.flip_refusal(marked, painting())
