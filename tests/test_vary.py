"""Variations: near ones are near, far ones far, each carries where it came from, and none is made twice."""

import numpy as np
import pytest
from PIL import Image

from artlab import files, generate, images, recipe, settings, vary
from artlab.bases import load_base
from artlab.easel import EaselError

FEW = {"device": "cpu", "mixed_precision": "fp32", "num_inference_steps": 10}


@pytest.fixture(scope="module")
def base(tiny_base_folder):
    return load_base(str(tiny_base_folder), device="cpu", precision="fp32")


@pytest.fixture(autouse=True)
def warm(base, tmp_path, monkeypatch):
    monkeypatch.setattr(files, "shipped_styles", lambda: tmp_path / "shipped")
    monkeypatch.setattr(generate, "_warm", {(base.name, "cpu", "fp32"): base})


@pytest.fixture
def picture(base):
    asked = settings.Generate(prompt=("a cat",), seed=(3,), base=base.name, width=64, height=64, **FEW)
    return generate.generate(asked, lambda _: None)[0].path


def run(base, path, **more):
    few = FEW | {"base": base.name, "count": 2, "strength": (0.1, 0.9)}
    return vary.vary(settings.Vary(picture=path, **(few | more)), lambda _: None)


def apart(one, other):
    return np.abs(np.asarray(images.open_image(one)).astype(int) - np.asarray(images.open_image(other)).astype(int)).mean()


def test_noise_is_turned_by_as_much_as_is_asked(base, picture):
    *made, sheet = run(base, picture)
    near, far = ([apart(one.path, picture) for one in made[at : at + 2]] for at in (0, 2))
    assert 0 < max(near) < min(far)
    assert made[0].recipe.method == "variation"
    assert made[0].recipe.extra["varied"] | {"id": ""} == {
        "of": picture.name,
        "id": "",
        "way": "noise",
        "strength": 0.1,
        "toward": 1,
    }
    assert (made[0].recipe.seed, made[0].recipe.prompt) == (3, "a cat")
    assert recipe.read(sheet.path).extra["strengths"] == [0.1, 0.9]
    before = [one.path.stat().st_mtime_ns for one in made]
    assert [one.path.stat().st_mtime_ns for one in run(base, picture)[:-1]] == before


def test_any_picture_can_be_painted_anew(base, tmp_path):
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (90, 140, 3), dtype=np.uint8)).save(tmp_path / "photo.jpg")
    made = run(base, tmp_path / "photo.jpg", sheet=False, num_inference_steps=4)
    assert len(made) == 4
    one = made[0].recipe
    assert (one.width, one.height) == (160, 96)
    assert (one.extra["varied"]["way"], one.seed, made[1].recipe.seed) == ("picture", 1, 2)
    assert len({images.open_image(each.path).tobytes() for each in made}) == 4


def test_what_cannot_be_varied_is_named(base, picture, tmp_path):
    Image.new("RGB", (64, 64)).save(tmp_path / "plain.png")
    with pytest.raises(EaselError, match="no recipe"):
        run(base, tmp_path / "plain.png", way="noise")
    with pytest.raises(EaselError, match="There is no picture"):
        run(base, tmp_path / "gone.png")
    Image.new("RGB", (1, 1)).save(tmp_path / "dot.png")
    with pytest.raises(EaselError, match="1x1"):
        run(base, tmp_path / "dot.png")
    (tmp_path / "text.png").write_text("no picture")
    with pytest.raises(EaselError, match="is no picture"):
        run(base, tmp_path / "text.png")
    with pytest.raises(ValueError, match="strength"):
        settings.Vary(picture=picture, strength=(1.5,))
    assert not files.pictures().exists() or not list(files.pictures().glob("**/*sheet*"))
