"""Marks are found where a fault was put, and not where there is none; copies are left out, nothing else is."""

import io
from dataclasses import replace
from pathlib import Path

import bad_files
import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFilter, ImageFont, ImageOps
from scipy import ndimage

from artlab.portfolio import Artwork, Mark, Portfolio, PortfolioError, curate
from artlab.portfolio.curate import (
    blurred,
    corners,
    framed,
    grey,
    mostly_text,
    near_duplicate_groups,
    nearly_empty,
    sharpness,
    too_small,
    watermarked,
)


def scene(seed: int, size: tuple[int, int] = (320, 256)) -> Image.Image:
    """A landscape of hills, trees and birds: areas, edges and detail, and another one for each seed."""
    rng = np.random.default_rng(seed)
    width, height = 2 * size[0], 2 * size[1]
    image = Image.new("RGB", (width, height), tuple(int(c) for c in rng.integers(150, 235, 3)))
    draw = ImageDraw.Draw(image)
    for level in range(4):
        steps = np.cumsum(rng.normal(0, height / 30, 12)) + height * (0.3 + 0.18 * level)
        line = list(zip(np.linspace(0, width, 12), steps, strict=True))
        draw.polygon([*line, (width, height), (0, height)], fill=tuple(int(c) for c in rng.integers(30, 190, 3)))
    for _ in range(60):
        x, y, size_of = rng.uniform(0, width), rng.uniform(height * 0.2, height), rng.uniform(6, 60)
        colour = tuple(int(c) for c in rng.integers(0, 255, 3))
        draw.ellipse((x, y, x + size_of, y + size_of * rng.uniform(0.4, 1.6)), fill=colour, outline="black")
        draw.line((x, y, x + rng.normal(0, 80), y + rng.normal(0, 80)), fill=colour, width=4)
    image = image.resize(size, Image.Resampling.LANCZOS)
    grain = rng.normal(0, 3, (size[1], size[0], 3))
    return Image.fromarray(np.clip(np.asarray(image) + grain, 0, 255).astype(np.uint8))


def engraving(seed: int) -> Image.Image:
    """A scene in hatched lines, as an engraver gives it."""
    tones = np.asarray(scene(seed, (512, 400)).convert("L"), np.float32) / 255
    rows, columns = np.mgrid[: tones.shape[0], : tones.shape[1]]
    waves = np.sin((rows + 6 * np.sin(columns / 40)) * 1.3) * 0.5 + 0.5
    return Image.fromarray(((waves < tones) * 225 + 15).astype(np.uint8)).convert("RGB")


def page(size: int = 15, lines: int = 24) -> Image.Image:
    """A page of a book."""
    image = Image.new("RGB", (380, 512), (240, 234, 220))
    draw = ImageDraw.Draw(image)
    for line in range(lines):
        text = "the quick brown fox and a lazy dog walked over to England"[line % 20 :]
        draw.text((30, 30 + line * size * 1.4), text, fill=(30, 25, 20), font=ImageFont.load_default(size))
    return image


def washes(seed: int) -> Image.Image:
    """A soft watercolour, wet in wet."""
    return scene(seed).filter(ImageFilter.GaussianBlur(3))


def jpeg(image: Image.Image, quality: int) -> Image.Image:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=quality)
    return Image.open(buffer).convert("RGB")


def portfolio_of(folder: Path, **pictures: Image.Image) -> Portfolio:
    folder.mkdir(exist_ok=True)
    works = []
    for name, image in pictures.items():
        path = folder / f"{name}.png"
        image.save(path)
        works.append(Artwork(f"id-{name}", f"{name}.png", path, image.size))
    return Portfolio("test", folder, "testvu", tuple(works))


def kinds(portfolio: Portfolio) -> dict[str, set[str]]:
    return {Path(work.name).stem: {mark.kind for mark in work.marks} for work in portfolio.works}


def scenes(count: int) -> dict[str, Image.Image]:
    return {f"s{number}": scene(number) for number in range(count)}


# -- copies -----------------------------------------------------------------------------------------------------------------

CHANGES = {
    "saved at quality 50 and half the size": lambda image: jpeg(image.resize((160, 128)), 50),
    "mirrored": ImageOps.mirror,
    "in black and white": lambda image: image.convert("L").convert("RGB"),
    "in sepia": lambda image: ImageOps.colorize(image.convert("L"), (60, 40, 25), (250, 235, 205)),
    "cropped by a tenth": lambda image: image.crop((20, 10, 310, 246)),
    "cropped on one side": lambda image: image.crop((0, 0, 285, 256)),
    "darker": lambda image: image.point(lambda value: int(255 * (value / 255) ** 1.6 * 0.8 + 30)),
    "with a margin of paper": lambda image: ImageOps.expand(image, (40, 50), (240, 236, 225)),
    "turned a little": lambda image: image.rotate(1.2, fillcolor=(230, 225, 215)),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_copy_is_found(tmp_path, change):
    made = portfolio_of(tmp_path / "a", **scenes(4), copy=CHANGES[change](scene(2)))
    assert near_duplicate_groups(made.works) == [{"id-s2", "id-copy"}]


def test_different_works_of_one_hand_are_no_copies(tmp_path):
    made = portfolio_of(tmp_path / "a", **scenes(12), **{f"e{n}": engraving(n + 50) for n in range(6)})
    assert near_duplicate_groups(made.works) == []


def test_different_works_in_one_oval_frame_are_no_copies(tmp_path):
    oval = Image.new("L", (320, 256))
    ImageDraw.Draw(oval).ellipse((10, 10, 309, 245), fill=255)
    framed_in = {f"o{seed}": Image.composite(scene(seed), Image.new("RGB", (320, 256), "white"), oval) for seed in range(8)}
    assert near_duplicate_groups(portfolio_of(tmp_path / "a", **framed_in).works) == []


def test_a_chain_of_copies_is_one_group_whatever_the_order(tmp_path):
    first = scene(3)
    made = portfolio_of(tmp_path / "a", **scenes(3), a=first, b=ImageOps.mirror(first), c=jpeg(ImageOps.mirror(first), 40))
    assert near_duplicate_groups(made.works) == near_duplicate_groups(made.works[::-1]) == [{"id-a", "id-b", "id-c"}]


def test_the_best_copy_is_kept_and_the_others_say_why_not(tmp_path):
    large = scene(2, (480, 384))
    made = curate(
        portfolio_of(
            tmp_path / "a", **scenes(2), grey=large.convert("L").convert("RGB"), tiny=large.resize((200, 160)), large=large
        )
    )
    by_name = {work.name: work for work in made.works}
    assert {name for name, work in by_name.items() if not work.kept} == {"grey.png", "tiny.png"}
    assert by_name["grey.png"].marks[-1] == Mark("duplicate", "a copy in other colours of large.png", "id-large")
    assert by_name["tiny.png"].marks[-1] == Mark("duplicate", "a copy of large.png", "id-large")
    mirrored = curate(portfolio_of(tmp_path / "b", **scenes(3), m=ImageOps.mirror(scene(1)).resize((300, 240))))
    assert mirrored.works[-1].marks[-1] == Mark("duplicate", "a mirrored copy of s1.png", "id-s1")


def test_works_of_equal_pixels_are_copies_even_where_there_is_nothing_to_see(tmp_path):
    made = portfolio_of(tmp_path / "a", **scenes(2), black=Image.new("RGB", (300, 300)), night=Image.new("RGB", (300, 300)))
    works = tuple(replace(work, id="id-black") if work.name == "night.png" else work for work in made.works)
    curated = curate(replace(made, works=works))
    assert [work.kept for work in curated.works] == [True, True, True, False]
    assert "the same pixels as those of black.png" in curated.works[-1].marks[-1].reason


def test_one_work_a_hundred_times_is_said(tmp_path):
    again = {f"c{quality}": jpeg(scene(0), quality) for quality in range(30, 90, 10)}
    with pytest.raises(PortfolioError, match=r"Only one work is left in test \(6 in all, 5 copies\)\. A style needs ten"):
        curate(portfolio_of(tmp_path / "a", **again))


def test_no_works_at_all_is_said(tmp_path):
    with pytest.raises(PortfolioError, match="test has no works"):
        curate(Portfolio("test", tmp_path, "testvu"))


# -- marks ------------------------------------------------------------------------------------------------------------------


def test_each_fault_is_marked_and_nothing_but_copies_and_specks_is_left_out(tmp_path):
    faults = {
        "out_of_focus": scene(20).filter(ImageFilter.GaussianBlur(4)),
        "blank": Image.new("RGB", (300, 300), (238, 234, 225)),
        "page": page(),
        "speck": scene(21, (90, 50)),
        "small": scene(22, (200, 240)),
        "mat": ImageOps.expand(scene(23), 30, (252, 250, 245)),
    }
    made = curate(portfolio_of(tmp_path / "a", **scenes(7), **faults))
    found = kinds(made)
    assert {name: found[name] for name in faults} == {
        "out_of_focus": {"blurred"},
        "blank": {"empty"},
        "page": {"text"},
        "speck": {"small"},
        "small": {"small"},
        "mat": {"border"},
    }
    assert {name for name in found if name not in faults and found[name]} == set()
    assert [work.name for work in made.works if not work.kept] == ["speck.png"]
    assert all(mark.reason for work in made.works for mark in work.marks)
    assert curate(made) == made


def test_a_painter_of_soft_washes_has_no_blurred_work(tmp_path):
    made = curate(portfolio_of(tmp_path / "a", **{f"w{number}": washes(number) for number in range(8)}))
    assert all("blurred" not in found for found in kinds(made).values())


def test_blur_is_judged_against_the_others_and_the_grain_does_not_hide_it():
    rng = np.random.default_rng(0)
    values = [sharpness(grey(scene(number))) for number in range(10)]
    soft = ndimage.gaussian_filter(grey(scene(11)), 2.5) + rng.normal(0, 0.004, (256, 320)).astype(np.float32)
    assert blurred([*values, sharpness(soft)]) == [10]
    assert blurred(values) == []
    assert blurred([sharpness(soft)]) == []


def test_sharpness_does_not_depend_on_contrast():
    pixels = grey(scene(1))
    assert abs(sharpness(pixels) - sharpness(pixels * 0.3 + 0.5)) < 0.05


@pytest.mark.parametrize("size", [9, 12, 16, 26])
def test_pages_of_lettering_are_text(size):
    assert mostly_text(grey(page(size, lines=int(440 / (size * 1.4)))))
    assert mostly_text(1 - grey(page(size, lines=int(440 / (size * 1.4)))))


def test_pictures_are_no_text():
    assert not any(mostly_text(grey(make(seed))) for make in (scene, engraving, washes) for seed in range(8))
    with_title = scene(3, (512, 400))
    ImageDraw.Draw(with_title).text((150, 370), "The Old Mill at Dawn", fill="black", font=ImageFont.load_default(16))
    assert not mostly_text(grey(with_title))


def test_empty_and_nearly_empty():
    paper = np.random.default_rng(0).normal(0.93, 0.008, (400, 300)).astype(np.float32)
    assert nearly_empty(paper)
    assert nearly_empty(np.zeros((400, 300), np.float32))
    gradient = np.tile(np.linspace(0.85, 0.95, 300, dtype=np.float32), (400, 1))
    assert nearly_empty(gradient)
    sketch = Image.new("RGB", (300, 400), "white")
    for number in range(6):
        ImageDraw.Draw(sketch).arc((60, 60 + number * 9, 220, 300), 20, 200, fill=(90, 90, 90), width=2)
    assert not nearly_empty(grey(sketch))
    assert not any(nearly_empty(grey(washes(seed))) for seed in range(6))


@pytest.mark.parametrize("tone", [(255, 255, 255), (20, 20, 24), (200, 180, 150)])
def test_a_frame_on_four_sides_is_a_border(tone):
    assert "four sides" in framed(grey(ImageOps.expand(scene(5), 24, tone)))


def test_the_black_edge_of_a_scan_is_a_border():
    assert "on the left" in framed(grey(ImageOps.expand(scene(6), (20, 0, 0, 0), "black")))
    assert framed(grey(ImageOps.expand(scene(6), (20, 0, 0, 0), "white"))) == ""


def test_paper_around_a_vignette_and_a_plain_picture_are_no_border():
    vignette = Image.new("RGB", (320, 300), "white")
    oval = Image.new("L", (240, 200))
    ImageDraw.Draw(oval).ellipse((0, 0, 239, 199), fill=255)
    vignette.paste(scene(7, (240, 200)), (40, 50), oval)
    assert framed(grey(vignette)) == ""
    assert not any(framed(grey(scene(seed))) for seed in range(8))


def test_sizes():
    assert "too few" in too_small((63, 900))
    assert "soft" in too_small((255, 900))
    assert too_small((256, 256)) == ""


def stamped(image: Image.Image, opacity: float = 0.4) -> Image.Image:
    layer = Image.new("L", image.size)
    place = (image.width - 130, image.height - 36)
    ImageDraw.Draw(layer).text(place, "artstock.com", fill=int(255 * opacity), font=ImageFont.load_default(18))
    return Image.composite(Image.new("RGB", image.size, "white"), image, layer)


def test_the_same_overlay_on_most_works_is_a_watermark(tmp_path):
    made = curate(portfolio_of(tmp_path / "a", **{f"s{number}": stamped(scene(number)) for number in range(10)}))
    assert sum("watermark" in found for found in kinds(made).values()) >= 8
    assert all(work.kept for work in made.works)


def test_pictures_without_overlay_and_few_pictures_have_no_watermark():
    assert watermarked([corners(grey(scene(seed))) for seed in range(20)]) == []
    assert watermarked([corners(grey(stamped(scene(seed)))) for seed in range(5)]) == []
    assert watermarked([None] * 20) == []


@pytest.mark.parametrize("size", [(1, 1), (1, 400), (400, 1), (3, 3), (64, 64), (512, 20)])
def test_no_size_breaks_curation(tmp_path, size):
    made = curate(portfolio_of(tmp_path / "a", **scenes(2), odd=bad_files.painting(size)))
    assert made.works[-1].kept == (min(size) >= 64)
