"""The base's upscaler: plain bicubic until taught, the same in tiles as in one piece, better than bicubic after a short lesson."""

import shutil

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image

from artlab import checkpoints, images
from artlab.bases import load_base, upscaler
from artlab.generate import generate
from artlab.pretrain import autoencoder
from artlab.pretrain import upscaler as lesson
from artlab.settings import Generate


def quiet(row):
    pass


@pytest.fixture(scope="module")
def taught(tmp_path_factory):
    """A few drawn pictures, a lesson of sixty steps on them, and the file of the network."""
    folder = tmp_path_factory.mktemp("upscaler")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = autoencoder.build().eval()
    data = lesson.prepare(None, model, folder / "data", drawn=4)
    assert lesson.prepare(None, model, folder / "data", drawn=99) == data, "done is done"
    assert np.load(data / "small.npy").shape == (4, 3, 96, 96, 3)
    # An untaught autoencoder hands over noise; the lesson here is from honest small pictures.
    large = np.load(data / "large.npy")
    small = np.stack([np.asarray(Image.fromarray(one).resize((96, 96), Image.Resampling.BOX)) for one in large])
    np.save(data / "small.npy", np.stack([small] * 3, axis=1))
    np.save(data / "held_out.npy", np.array([False, False, False, True]))
    network = lesson.train(data, folder / "run", steps=60, batch_size=4, crop=16, learning_rate=2e-3, report=quiet)
    lesson.save(network, folder / "upscaler.safetensors")
    return data, network.eval(), folder


def test_untaught_it_is_bicubic():
    pixels = torch.rand(1, 3, 12, 20) * 2 - 1
    plain = F.interpolate(pixels, scale_factor=4, mode="bicubic", align_corners=False)
    torch.testing.assert_close(upscaler.Upscaler()(pixels), plain)


def test_a_lesson_beats_bicubic_on_a_picture_never_seen(taught):
    data, network, _ = taught
    ours, bicubic = lesson.psnr(network, data)
    assert ours > bicubic


def test_the_file_keeps_the_network_and_tiles_leave_no_seam(taught, monkeypatch):
    _, network, folder = taught
    kept = upscaler.load(folder / "upscaler.safetensors")
    for ours, theirs in zip(network.parameters(), kept.parameters(), strict=True):
        torch.testing.assert_close(ours, theirs, atol=1e-3, rtol=1e-3)
    picture = Image.fromarray(np.random.default_rng(0).integers(0, 255, (70, 90, 3), np.uint8))
    (whole,) = upscaler.enlarge(kept, [picture])
    monkeypatch.setattr(upscaler, "TILE", 32)
    (tiled,) = upscaler.enlarge(kept, [picture])
    assert whole.size == (360, 280)
    difference = np.abs(np.asarray(whole).astype(int) - np.asarray(tiled))
    assert difference.max() <= 1


def test_a_killed_lesson_goes_on_exactly(taught, tmp_path, monkeypatch):
    data, _, _ = taught
    given = {"batch_size": 1, "crop": 8, "report": quiet, "save_every": 1}
    whole = lesson.train(data, tmp_path / "whole", steps=2, **given)
    save = checkpoints.save

    def die(*args, **kwargs):
        save(*args, **kwargs)
        raise KeyboardInterrupt

    monkeypatch.setattr(checkpoints, "save", die)
    with pytest.raises(KeyboardInterrupt):
        lesson.train(data, tmp_path / "parts", steps=2, **given)
    monkeypatch.setattr(checkpoints, "save", save)
    parts = lesson.train(data, tmp_path / "parts", steps=2, **given)
    for ours, theirs in zip(whole.parameters(), parts.parameters(), strict=True):
        assert torch.equal(ours, theirs)


def test_generate_hands_over_four_times_the_size(taught, tiny_base_folder, tmp_path):
    folder = shutil.copytree(tiny_base_folder, tmp_path / "base")
    (folder / "upscaler").mkdir()
    shutil.copy(taught[2] / "upscaler.safetensors", folder / "upscaler")
    assert load_base(str(folder)).upscale_factor == 4
    asked = Generate(prompt=("a fox",), base=str(folder), num_inference_steps=2, device="cpu", output_dir=tmp_path / "out")
    (large,) = generate(asked)
    (small,) = generate(asked.model_copy(update={"upscale": False}))
    assert images.open_image(large.path).size == (512, 512)
    assert images.open_image(small.path).size == (128, 128)
    assert large.path != small.path
    assert large.recipe.extra["upscale"] == 4
