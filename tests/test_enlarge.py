"""Enlarging: as large as asked, still the small picture when made small, detail from the works, nothing seen twice; bad input refused."""

import numpy as np
import pytest
import torch
from PIL import Image

from artlab import images, recipe, settings
from artlab.enlarge import EnlargeError, brushwork, enlarge, plain
from artlab.restyle import colour
from artlab.transfer import TransferError


def grainy(seed, size=96):
    """A work: soft shapes under a strong grain."""
    draw = np.random.default_rng(seed)
    coarse = Image.fromarray(draw.integers(40, 216, (5, 5, 3), dtype=np.uint8)).resize((size, size), Image.Resampling.BICUBIC)
    return np.clip(np.asarray(coarse) + draw.normal(0, 12, (size, size, 1)), 0, 255).astype(np.uint8)


@pytest.fixture
def works(tmp_path):
    folder = tmp_path / "works"
    folder.mkdir()
    for k in range(3):
        Image.fromarray(grainy(k)).save(folder / f"{k}.png")
    return folder


@pytest.fixture
def make(tmp_path, works):
    small = tmp_path / "small.png"
    Image.fromarray(grainy(9)).resize((48, 32), Image.Resampling.BOX).save(small)

    def call(**changes):
        call.heard = []
        given = {"picture": small, "portfolio": str(works), "size": 144, "output_dir": tmp_path / "out"}
        return enlarge(settings.Enlarge(**(given | changes)), call.heard.append)

    call.small, call.out = small, tmp_path / "out"
    return call


def test_it_is_as_large_as_asked_and_carries_its_recipe(make):
    made = make()
    assert images.open_image(made.path).size == (144, 96)
    assert recipe.read(made.path) == made.recipe
    assert made.recipe.method == "enlarge: brushwork"
    assert len(made.recipe.extra["sources"][0]["works"]) == 3
    assert [one.done for one in make.heard] == [1, 2]


def test_made_small_it_is_the_small_picture(make):
    small = np.asarray(images.open_image(make.small), float)
    back = images.open_image(make().path).resize((48, 32), Image.Resampling.BICUBIC)
    assert np.abs(np.asarray(back, float) - small).mean() < 4


def test_it_has_the_works_grain_where_plain_has_none(make):
    def grain(path):
        lab = colour.to_oklab(colour.pixels(images.open_image(path)))
        return float((lab[0] - colour.box(lab[:1], 1)[0]).std())

    assert grain(make().path) > 1.5 * grain(make(method="plain").path)


def test_strength_zero_adds_nothing(make):
    picture = colour.pixels(images.open_image(make.small))
    work = [torch.from_numpy(grainy(k)).permute(2, 0, 1).float() / 255 for k in range(2)]
    without = brushwork.enlarge(picture, work, (64, 96), strength=0.0)
    bicubic = brushwork.faithful(colour.resize(picture, (64, 96)), picture).clamp(0, 1)
    assert (without - bicubic).abs().mean() < 0.01


def test_a_picture_finds_itself():
    """The field between a work and itself is the identity nearly everywhere."""
    work = torch.from_numpy(grainy(3)).permute(2, 0, 1).float() / 255
    examples = brushwork.learn([work], 1.0, 2.0)
    blurred = colour.resize(colour.resize(work, (48, 48)), (96, 96))
    field = brushwork.match(blurred, examples)
    rows, columns = torch.meshgrid(torch.arange(24) * 4, torch.arange(24) * 4, indexing="ij")
    near = ((field.y - rows).abs() <= 2) & ((field.x - columns).abs() <= 2)
    assert near.float().mean() > 0.6


def test_no_place_is_used_again_and_again():
    flat = torch.full((3, 192, 192), 0.5)
    work = torch.from_numpy(grainy(4, 128)).permute(2, 0, 1).float() / 255
    examples = brushwork.learn([work], 1.0, 2.0)
    field = brushwork.match(flat, examples)
    _, counts = torch.stack([field.y // 8, field.x // 8]).flatten(1).unique(dim=1, return_counts=True)
    fair = field.y.numel() / 16**2
    assert counts.max() < 12 * fair


def test_strips_of_patches_join(monkeypatch):
    work = torch.from_numpy(grainy(5)).permute(2, 0, 1).float() / 255
    examples = brushwork.learn([work], 1.0, 2.0)
    field = brushwork.match(work, examples)
    whole = brushwork.lay_on(work, examples, field)
    monkeypatch.setattr(brushwork, "STRIP", 7)
    assert torch.allclose(brushwork.lay_on(work, examples, field), whole, atol=1e-5)


def test_the_same_seed_gives_the_same_picture(make):
    assert make().path.read_bytes() == make().path.read_bytes()
    assert images.open_image(make(seed=1).path).tobytes() != images.open_image(make().path).tobytes()


def test_plain_needs_no_works(make):
    assert images.open_image(make(method="plain", portfolio="").path).size == (144, 96)
    assert plain(Image.new("RGB", (10, 10), "red"), (30, 30)).getpixel((15, 15)) == (255, 0, 0)


def test_a_stop_keeps_the_newest_scale(make, tmp_path, works):
    def stop(progress):
        raise KeyboardInterrupt

    asked = settings.Enlarge(picture=make.small, portfolio=str(works), size=144, output_dir=tmp_path / "out")
    with pytest.raises(KeyboardInterrupt, match="unfinished"):
        enlarge(asked, stop)
    (kept,) = (tmp_path / "out").iterdir()
    assert images.open_image(kept).size == (144, 96)


def test_bad_input_is_refused(make, tmp_path):
    def refused(match, kind=ValueError, **changes):
        with pytest.raises(kind, match=match) as caught:
            make(**changes)
        assert type(caught.value).__module__.startswith("artlab")
        assert not make.out.exists()

    alone = tmp_path / "alone"
    alone.mkdir()
    Image.fromarray(grainy(1)).save(alone / "one.png")
    Image.new("RGB", (1, 1)).save(tmp_path / "dot.png")
    Image.new("1", (20_000, 3)).save(tmp_path / "long.png")
    refused("only one work|1 work;", portfolio=str(alone))
    refused("Whose brushwork", EnlargeError, portfolio="")
    refused("1x1", TransferError, picture=tmp_path / "dot.png")
    refused("20000x3", TransferError, picture=tmp_path / "long.png")
    refused("already", EnlargeError, size=64, picture=tmp_path / "works" / "0.png")
    refused("more than 32 times", EnlargeError, size=4000)
    refused("no folder|no portfolio", portfolio=str(tmp_path / "gone"))
