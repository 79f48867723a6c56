"""Ways between pictures: their ends are the pictures, noise stays noise on the way, what is there is kept, and bad ends are named."""

import json
import math

import numpy as np
import pytest
import torch
from PIL import Image

from artlab import between, easel, files, generate, images, recipe, settings
from artlab.bases import load_base
from artlab.easel import EaselError

FEW = {"device": "cpu", "mixed_precision": "fp32", "num_inference_steps": 4}


@pytest.fixture(scope="module")
def base(tiny_base_folder):
    return load_base(str(tiny_base_folder), device="cpu", precision="fp32")


@pytest.fixture(autouse=True)
def warm(base, tmp_path, monkeypatch):
    monkeypatch.setattr(files, "shipped_styles", lambda: tmp_path / "shipped")
    monkeypatch.setattr(generate, "_warm", {(base.name, "cpu", "fp32"): base})


def go(base, start, end, **more):
    few = FEW | {"width": 64, "height": 64, "frames": 3, "mp4": False, "base": base.name}
    return between.between(settings.Between(start=str(start), end=str(end), **(few | more)), lambda _: None)


def frames(film):
    return [np.asarray(images.open_image(path)).astype(int) for path in sorted(film.folder.glob("frame-*.png"))]


def make(base, prompt, seed):
    asked = settings.Generate(prompt=(prompt,), seed=(seed,), base=base.name, width=64, height=64, **FEW)
    return generate.generate(asked, lambda _: None)[0].path


def test_from_prompt_to_prompt_the_ends_are_their_pictures(base):
    film = go(base, "a cat", "a dog", seed=(3, 5))
    shown = frames(film)
    for frame, path in ((shown[0], make(base, "a cat", 3)), (shown[2], make(base, "a dog", 5))):
        assert np.abs(frame - np.asarray(images.open_image(path)).astype(int)).max() <= 1
    assert np.abs(shown[1] - shown[0]).max() > 1
    told = json.loads(film.sidecar.read_text())
    assert (told["frames"], told["start"], told["end"]) == (3, {"prompt": "a cat"}, {"prompt": "a dog"})
    middle = recipe.read(film.folder / "frame-0002.png")
    assert (middle.method, middle.extra["at"], middle.extra["frame"]) == ("between", 0.5, 2)
    with Image.open(film.folder / "film.gif") as gif:
        assert gif.n_frames == 3


def test_pictures_with_recipes_bring_prompt_and_seed(base):
    film = go(base, make(base, "a cat", 3), make(base, "a dog", 5), width=None, height=None)
    assert np.abs(frames(film)[2] - np.asarray(images.open_image(make(base, "a dog", 5))).astype(int)).max() <= 1


def test_what_is_there_is_kept_and_the_way_back_is_no_new_frame(base, monkeypatch):
    film = go(base, "a cat", "a dog", back=True)
    with Image.open(film.folder / "film.gif") as gif:
        assert gif.n_frames == 4
    monkeypatch.setattr(type(base), "sample", lambda *_, **__: pytest.fail("sampled again"))
    assert go(base, "a cat", "a dog", back=True).folder == film.folder


def test_a_stopped_way_keeps_its_frames_and_goes_on(base):
    def stop(progress):
        if progress.done == 1:
            raise KeyboardInterrupt

    asked = settings.Between(
        start="a cat", end="a dog", base=base.name, width=64, height=64, frames=3, batch_size=1, mp4=False, **FEW
    )
    with pytest.raises(KeyboardInterrupt):
        between.between(asked, stop)
    (folder,) = files.pictures().glob("*/between-*")
    assert [path.name for path in folder.iterdir()] == ["frame-0001.png"]
    assert len(frames(between.between(asked, lambda _: None))) == 3


def test_pictures_without_a_recipe_need_a_prompt_and_then_have_a_way(base, tmp_path):
    rng = np.random.default_rng(0)
    for name in ("a.png", "b.png"):
        Image.fromarray(rng.integers(0, 255, (70, 70, 3), dtype=np.uint8)).save(tmp_path / name)
    with pytest.raises(EaselError, match="say what it shows"):
        go(base, tmp_path / "a.png", tmp_path / "b.png")
    film = go(base, tmp_path / "a.png", tmp_path / "b.png", prompt=("a cat",), width=None, height=None)
    shown = frames(film)
    first = np.asarray(base.decode(easel.latents_of(base, images.open_image(tmp_path / "a.png"), (128, 128)))[0]).astype(int)
    assert np.abs(shown[0] - first).mean() < np.abs(shown[2] - first).mean()
    assert "a.png" in film.sidecar.read_text()
    assert str(tmp_path) not in film.sidecar.read_text()


def test_noise_on_the_arc_stays_noise():
    torch.manual_seed(0)
    one, other = torch.randn(2, 1, 4, 16, 16)
    for share in (0.0, 0.25, 0.5, 1.0):
        assert float(between.slerp(one, other, share).std()) == pytest.approx(1, abs=0.05)
    torch.testing.assert_close(between.slerp(one, other, 0.0), one)
    torch.testing.assert_close(between.slerp(one, other, 1.0), other)
    torch.testing.assert_close(between.slerp(one, one, 0.3), one)
    assert float((0.5 * one + 0.5 * other).std()) < 0.8, "which a mean does not"
    assert math.isfinite(float(between.slerp(one, -one, 0.5).sum()))


def test_inversion_comes_back(base):
    torch.manual_seed(0)
    latents, condition = torch.randn(1, base.channels, 8, 8) * 0.5, base.condition(["a cat"])
    noisy = between.invert(base, latents, condition, 20, 0.6)
    time = int(between.timesteps(base, 20, 0.6)[0])
    scheduler = base.schedule.sampler("ddim", 20)
    x = noisy
    for t in scheduler.timesteps[8:]:
        with torch.no_grad():
            x = scheduler.step(base.predict(x, t.expand(1), condition).float(), t, x).prev_sample
    assert int(scheduler.timesteps[8]) == time
    assert float((x - latents).norm() / latents.norm()) < 0.05


@pytest.mark.parametrize(
    ("start", "end", "words"), [("", "a dog", "start and an end"), ("a cat", "gone.png", "There is no picture")]
)
def test_bad_ends_are_named(base, start, end, words):
    with pytest.raises(EaselError, match=words):
        go(base, start, end)


def test_ends_of_two_sizes_are_refused(base):
    asked = settings.Generate(prompt=("a cat",), base=base.name, width=96, height=64, **FEW)
    wide = generate.generate(asked, lambda _: None)[0].path
    with pytest.raises(EaselError, match="64x64 and 96x64"):
        go(base, wide, make(base, "a dog", 1), width=None, height=None)
