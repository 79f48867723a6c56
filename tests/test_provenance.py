"""The marks of a picture: found again after what happens to pictures, absent where nobody put them, read by other people's tools."""

import io
import json

import numpy as np
import pytest
from PIL import Image, ImageFilter

from artlab import drawing, provenance, recipe
from artlab.recipe import BaseUsed, Recipe


@pytest.fixture(scope="module")
def pictures() -> list[Image.Image]:
    return [drawing.draw_work("vask", index, height=384).picture for index in range(4)]


@pytest.fixture(scope="module")
def marked(pictures) -> list[Image.Image]:
    return [provenance.watermark(picture) for picture in pictures]


def jpeg(image: Image.Image, quality: int) -> Image.Image:
    stream = io.BytesIO()
    image.save(stream, "JPEG", quality=quality)
    return Image.open(stream).convert("RGB")


def scaled(image: Image.Image, by: float) -> Image.Image:
    return image.resize((round(image.width * by), round(image.height * by)), Image.Resampling.LANCZOS)


@pytest.mark.parametrize(
    "change",
    [
        lambda image: image,
        lambda image: jpeg(image, 75),
        lambda image: jpeg(image, 50),
        lambda image: scaled(image, 0.5),
        lambda image: scaled(image, 1.5),
        lambda image: jpeg(scaled(image, 0.5), 75),
    ],
    ids=["as it is", "JPEG 75", "JPEG 50", "half", "larger", "half, JPEG 75"],
)
def test_the_watermark_outlives(marked, change):
    assert all(provenance.read(change(image)).found for image in marked)


def test_unmarked_pictures_carry_none(pictures):
    rng = np.random.default_rng(0)
    noise = [Image.fromarray(rng.integers(0, 256, (128, 160, 3), dtype=np.uint8)) for _ in range(20)]
    plain = [Image.new("RGB", (128, 128), colour) for colour in ("white", "black", "red")]
    assert not any(provenance.read(image).found for image in [*pictures, *noise, *plain])


def test_the_watermark_cannot_be_seen(pictures, marked):
    for before, after in zip(pictures, marked, strict=True):
        error = np.mean((np.asarray(before, float) - np.asarray(after, float)) ** 2)
        assert 10 * np.log10(255**2 / error) > 34
        assert before.size == after.size


def test_a_flat_picture_is_marked_too_and_a_tiny_one_is_left():
    assert provenance.read(provenance.watermark(Image.new("RGB", (256, 256), "#808080"))).found
    tiny = Image.new("RGB", (64, 64))
    assert provenance.watermark(tiny) is tiny
    assert not provenance.read(tiny).found


def test_the_mark_says_by_its_figure_when_it_is_gone(marked):
    gone = provenance.read(marked[0].filter(ImageFilter.GaussianBlur(16)))
    assert not gone.found
    assert gone.z < provenance.FOUND


@pytest.fixture
def png(tmp_path) -> bytes:
    made = Recipe(prompt="a fox, snow", negative_prompt="blur", seed=7, width=128, height=96, steps=20, sampler="dpm++", guidance=4,
                  base=BaseUsed(name="mini", fingerprint="0123456789abcdef"))  # fmt: skip
    return recipe.embed(Image.linear_gradient("L").convert("RGB"), made, tmp_path / "fox.png").read_bytes()


def test_a_reader_of_c2pa_finds_a_valid_manifest(png):
    c2pa = pytest.importorskip("c2pa")
    signed = provenance.sign(png, title="fox.png", software="0.1.0")
    said = json.loads(c2pa.Reader("image/png", io.BytesIO(signed)).json())
    assert said["validation_state"] == "Valid"
    assert [status["code"] for status in said["validation_status"]] == ["signingCredential.untrusted"]
    (action,) = said["manifests"][said["active_manifest"]]["assertions"][0]["data"]["actions"]
    assert action["digitalSourceType"] == provenance.TRAINED
    assert b"trainedAlgorithmicMedia" in png
    before, after = Image.open(io.BytesIO(png)), Image.open(io.BytesIO(signed))
    assert (before.tobytes(), before.info["artlab"]) == (after.tobytes(), after.info["artlab"])
    changed = bytearray(signed)
    changed[-40] ^= 1
    try:
        state = json.loads(c2pa.Reader("image/png", io.BytesIO(bytes(changed))).json())["validation_state"]
    except c2pa.C2paError:
        return
    assert state != "Valid"


def test_the_key_is_for_its_owner_alone_and_is_kept(home):
    pytest.importorskip("cryptography")
    assert provenance.certificate() == provenance.certificate()
    assert (home / "provenance" / "key.pem").stat().st_mode & 0o77 == 0


def test_sd_parsers_reads_the_recipe(png):
    sd_parsers = pytest.importorskip("sd_parsers")
    info = sd_parsers.ParserManager().parse(Image.open(io.BytesIO(png)))
    assert [prompt.value for prompt in info.prompts] == ["a fox, snow"]
    assert [prompt.value for prompt in info.negative_prompts] == ["blur"]
    (sampler,) = info.samplers
    assert sampler.parameters["seed"] in (7, "7")
    assert [model.name for model in info.models] == ["mini"]
