"""Inpainting: new inside the mask, every bit kept outside, seams soft, and wishes that make no sense named."""

import dataclasses

import numpy as np
import pytest
import tiny
import torch
from PIL import Image

from artlab import files, generate, images, inpaint, recipe, settings
from artlab.bases import load_base
from artlab.easel import EaselError
from artlab.recipe import BaseUsed, Recipe

FEW = {"device": "cpu", "mixed_precision": "fp32", "num_inference_steps": 3, "resample": 2}


@pytest.fixture(scope="module", params=["mini", "unet"])
def base(request, tmp_path_factory, tiny_base_folder):
    folder = tiny_base_folder if request.param == "mini" else tiny.stable_diffusion(tmp_path_factory.mktemp("sd") / "sd")
    made = load_base(str(folder), device="cpu", precision="fp32")
    # An SD 1.5-shaped base is made for 512 px; the tiny one need not be.
    made.facts = dataclasses.replace(made.facts, resolution=128, bucket_step=32)
    return made


@pytest.fixture(autouse=True)
def warm(base, tmp_path, monkeypatch):
    monkeypatch.setattr(files, "shipped_styles", lambda: tmp_path / "shipped")
    monkeypatch.setattr(generate, "_warm", {(base.name, "cpu", "fp32"): base})


@pytest.fixture
def picture(tmp_path):
    rng = np.random.default_rng(0)
    path = tmp_path / "work.png"
    Image.fromarray(rng.integers(0, 255, (12, 16, 3), dtype=np.uint8)).resize((128, 96), Image.Resampling.BICUBIC).save(path)
    return path


def run(base, path, **more):
    return inpaint.inpaint(
        settings.Inpaint(picture=path, **(FEW | {"base": base.name, "prompt": "a cat"} | more)), lambda _: None
    )


def pixels(path):
    return np.asarray(images.open_image(path)).astype(int)


def test_outside_of_the_mask_every_bit_is_kept(base, picture, tmp_path):
    mask = np.zeros((96, 128), np.uint8)
    mask[20:70, 30:90] = 255
    Image.fromarray(mask).save(tmp_path / "mask.png")
    (made,) = run(base, picture, mask=tmp_path / "mask.png")
    old, new = pixels(picture), pixels(made.path)
    assert np.array_equal(old[mask == 0], new[mask == 0])
    assert np.abs(old - new)[35:55, 50:70].mean() > 2
    assert np.abs(old - new)[20, 30:90].mean() < np.abs(old - new)[45, 50:70].mean(), "the seam is soft"
    read = recipe.read(made.path)
    assert (read.method, read.width, read.height) == ("inpainting", 128, 96)
    assert read.extra["inpaint"]["mask"] == "mask.png"
    inside_out = run(base, picture, mask=tmp_path / "mask.png", invert=True)[0]
    assert np.array_equal(old[mask == 255], pixels(inside_out.path)[mask == 255])


def test_beyond_the_edges_the_picture_goes_on(base, picture):
    (made,) = run(base, picture, extend=(0, 0, 40, 16), num_inference_steps=2)
    new = pixels(made.path)
    assert new.shape == (112, 168, 3)
    assert np.array_equal(new[:96, :128], pixels(picture))
    assert recipe.read(made.path).extra["inpaint"]["extend"] == [0, 0, 40, 16]


def test_seeds_differ_and_nothing_is_made_twice(base, picture, monkeypatch):
    made = run(base, picture, box=(30, 20, 90, 80), seed=(1, 2), num_inference_steps=2)
    assert np.abs(pixels(made[0].path) - pixels(made[1].path)).max() > 0
    monkeypatch.setattr(inpaint, "repaint", lambda *_: pytest.fail("painted again"))
    assert [one.path for one in run(base, picture, box=(30, 20, 90, 80), seed=(1, 2), num_inference_steps=2)] == [
        one.path for one in made
    ]


def test_of_a_large_picture_only_the_part_around_the_mask_is_seen(base, tmp_path):
    Image.new("RGB", (600, 500), "teal").save(tmp_path / "large.png")
    (made,) = run(base, tmp_path / "large.png", box=(400, 300, 460, 340), num_inference_steps=2)
    told = recipe.read(made.path).extra["inpaint"]
    left, top, right, bottom = told["window"]
    assert (right - left, bottom - top) == (128, 128)
    assert left <= 400
    assert right >= 460
    assert top <= 300
    assert bottom >= 340
    changed = np.argwhere(np.abs(pixels(made.path) - pixels(tmp_path / "large.png")).sum(-1))
    assert changed.min(0)[0] >= 300
    assert changed.max(0)[1] < 460


def test_latents_outside_are_the_known_ones(base):
    torch.manual_seed(0)
    known = torch.randn(1, base.channels, 8, 8)
    hole = torch.zeros(1, 1, 8, 8)
    hole[..., 2:5, 3:6] = 1
    made = Recipe(
        prompt="a cat",
        seed=3,
        width=64,
        height=64,
        steps=3,
        sampler="ddim",
        guidance=2.0,
        base=BaseUsed(name="x", fingerprint="ab"),
    )
    seen = []
    new = inpaint.repaint(base, known, hole, made, 1.0, 3, lambda index, clean: seen.append((index, clean)))
    outside = hole.expand_as(known) == 0
    torch.testing.assert_close(new[outside], known[outside])
    assert float((new - known)[~outside].abs().max()) > 0.1
    assert [index for index, _ in seen] == [0, 1, 2]
    assert seen[-1][1].shape == new.shape, "what a preview is made from"
    torch.testing.assert_close(inpaint.repaint(base, known, hole, made, 1.0, 3, lambda index, clean: None), new)


def test_seams_are_soft_inside_only():
    mask = np.zeros((60, 60), np.float32)
    mask[10:50, 10:50] = 1
    share = inpaint.soft(mask, 0.1)
    assert share[mask == 0].max() == 0
    assert 0 < share[10, 30] < share[12, 30] < share[30, 30] == 1
    assert np.array_equal(inpaint.soft(mask, 0), mask)
    thin = np.zeros((60, 60), np.float32)
    thin[30] = 1
    assert inpaint.soft(thin, 0.5).max() == 1


def test_a_colour_shift_of_the_autoencoder_is_taken_off():
    old = Image.new("RGB", (64, 64), (120, 100, 80))
    new = Image.new("RGB", (64, 64), (130, 95, 80))
    mask = np.zeros((64, 64), np.float32)
    mask[20:44, 20:44] = 1
    made = np.asarray(inpaint.joined(old, new, mask, 0.05)).astype(int)
    assert np.abs(made - [120, 100, 80]).max() <= 1


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({}, "what is to be painted"),
        ({"box": (0, 0, 500, 20)}, "does not lie in the picture of 128x96"),
        ({"box": (10, 10, 10, 20)}, "does not lie"),
        ({"extend": (0, 0, 0, 0)}, "one at least above 0"),
        ({"extend": (-5, 0, 0, 0)}, "from 0 up"),
        ({"extend": (9000, 0, 0, 0)}, "8,192"),
    ],
)
def test_wishes_that_make_no_sense_are_named(base, picture, more, words):
    with pytest.raises(EaselError, match=words):
        run(base, picture, **more)
    assert not files.pictures().exists()


def test_masks_that_do_not_fit_are_named(base, picture, tmp_path):
    Image.new("L", (64, 64), 255).save(tmp_path / "small.png")
    Image.new("L", (128, 96), 0).save(tmp_path / "black.png")
    (tmp_path / "text.png").write_text("no picture")
    for name, words in (
        ("small", "64x64 pixels, the picture has 128x96"),
        ("black", "black all over"),
        ("text", "is no picture"),
        ("gone", "no mask"),
    ):
        with pytest.raises(EaselError, match=words):
            run(base, picture, mask=tmp_path / f"{name}.png")
    with pytest.raises(EaselError, match="not both"):
        run(base, picture, mask=tmp_path / "black.png", box=(0, 0, 10, 10))
    assert not files.pictures().exists()
