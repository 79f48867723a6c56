"""Recipes: what goes into a picture comes out of it, other tools' recipes are read, and hostile ones do no harm."""

import json
import time

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from artlab import recipe, settings
from artlab.recipe import BaseUsed, Recipe, RecipeError, StyleUsed

BASE = BaseUsed(name="mini", fingerprint="6ce0161689b38537")
PLAIN = Recipe(prompt="a fox", seed=7, width=128, height=96, steps=20, sampler="dpm++", guidance=4.0, base=BASE, artlab="0.1.0")

texts = st.text(max_size=200) | st.sampled_from(
    [
        "a fox\nSteps: 3, Sampler: x, Seed: 1, Size: 1x1",
        'a "quoted", comma: colon',
        "Negative prompt: x",
        "ünï 狐 🦊 \u202e\r\n\t\x00",
        "<lora:evil:1>",
        "back\\slash",
    ]
)
recipes = st.builds(
    Recipe,
    prompt=texts,
    negative_prompt=texts,
    seed=st.integers(0, 2**64 - 1),
    width=st.integers(1, 4096),
    height=st.integers(1, 4096),
    steps=st.integers(1, 1000),
    sampler=st.sampled_from(["dpm++", "ddim", "euler"]),
    guidance=st.floats(0, 50),
    base=st.just(BASE),
    styles=st.lists(
        st.builds(StyleUsed, name=st.text(max_size=20), weight=st.floats(-2, 2), sha256=st.just("ab" * 32)), max_size=3
    ).map(tuple),
    artlab=st.just("0.1.0"),
    method=st.just("text to image"),
    extra=st.dictionaries(st.text(max_size=5), st.integers() | st.text(max_size=20) | st.booleans(), max_size=3),
)
quick = hypothesis_settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def png(path, **texts):
    info = PngInfo()
    for key, value in texts.items():
        info.add_text(key, value)
    Image.new("RGB", (4, 4)).save(path, pnginfo=info)
    return path


@quick
@given(made=recipes)
def test_what_goes_in_comes_out(tmp_path, made):
    assert recipe.read(recipe.embed(Image.new("RGB", (2, 2)), made, tmp_path / "p.png")) == made


def simple(text: str) -> bool:
    """Whether A1111's text, which has no escapes in a prompt, can carry it."""
    return text == text.strip() and "\0" not in text and "<lora:" not in text and "Negative prompt:" not in text


@quick
@given(made=recipes.filter(lambda made: simple(made.prompt) and simple(made.negative_prompt)))
def test_other_tools_read_the_same_from_our_text(made):
    found = recipe.parse_infotext(recipe.infotext(made))
    assert found["prompt"] == made.prompt
    assert found["negative_prompt"] == made.negative_prompt
    assert (found["seed"], found["width"], found["height"], found["steps"]) == (made.seed, made.width, made.height, made.steps)
    assert found["guidance"] == pytest.approx(made.guidance, rel=1e-5)
    assert [one["weight"] for one in found["styles"]] == [pytest.approx(one.weight, abs=1e-4) for one in made.styles]


def test_the_text_is_a1111s_to_the_letter():
    made = PLAIN.model_copy(
        update={
            "negative_prompt": "blur",
            "styles": (StyleUsed(name="Wren Cuts", weight=0.8, tensors_sha256="0123456789abcdef" * 4),),
        }
    )
    assert recipe.infotext(made) == (
        "a fox <lora:wren-cuts:0.8>\n"
        "Negative prompt: blur\n"
        "Steps: 20, Sampler: DPM++ 2M, Schedule type: Simple, CFG scale: 4, Seed: 7, Size: 128x96, "
        "Model hash: 6ce0161689, Model: mini, "
        'Lora hashes: "wren-cuts: 0123456789ab", Version: artlab 0.1.0'
    )


def test_values_with_commas_or_colons_are_quoted_as_json():
    made = PLAIN.model_copy(update={"base": BaseUsed(name='a, "b": c', fingerprint="")})
    assert r'Model: "a, \"b\": c"' in recipe.infotext(made)
    assert recipe.parse_infotext(recipe.infotext(made))["model"] == 'a, "b": c'


def test_the_picture_says_that_a_model_made_it_and_nothing_of_its_past(tmp_path):
    image = Image.new("RGBA", (2, 2), (9, 8, 7, 255))
    image.info = {"Author": "someone", "exif": b"Exif\0\0secret", "icc_profile": b"x"}
    path = recipe.embed(image, PLAIN, tmp_path / "p.png")
    with Image.open(path) as again:
        assert "digitalsourcetype/trainedAlgorithmicMedia" in again.info["XML:com.adobe.xmp"]
        assert set(again.info) <= {"parameters", "artlab", "XML:com.adobe.xmp", "xmp"}
        assert again.convert("RGB").getpixel((0, 0)) == (9, 8, 7)
    assert b"secret" not in path.read_bytes()


def test_a_picture_that_no_model_made_does_not_say_that_one_did(tmp_path):
    path = recipe.embed(Image.new("RGB", (2, 2)), PLAIN.model_copy(update={"base": recipe.NO_BASE}), tmp_path / "p.png")
    assert b"digitalsourcetype/algorithmicallyEnhanced" in path.read_bytes()
    assert b"trainedAlgorithmicMedia" not in path.read_bytes()


def test_the_same_picture_and_recipe_give_the_same_bytes(tmp_path):
    one = recipe.embed(Image.new("RGB", (9, 9)), PLAIN, tmp_path / "1.png").read_bytes()
    assert one == recipe.embed(Image.new("RGB", (9, 9)), PLAIN, tmp_path / "2.png").read_bytes()
    assert {path.name for path in tmp_path.glob("*")} - {"home"} == {"1.png", "2.png"}


FOREIGN = (
    "a (fox:1.2), <lora:inkline:0.7>\nsecond line\nNegative prompt: bad\nworse\n"
    "Steps: 30, Sampler: DPM++ 2M, Schedule type: Karras, CFG scale: 7, Seed: 123, Size: 512x768, "
    "Model hash: 6ce0161689, Model: v1-5, "
    'Lora hashes: "inkline: 0123456789ab", Secret path: /etc/passwd, Version: v1.10.1'
)


def test_a_picture_of_a1111_is_read(tmp_path):
    found = recipe.read(png(tmp_path / "p.png", parameters=FOREIGN))
    assert found == {
        "prompt": "a (fox:1.2),\nsecond line",
        "negative_prompt": "bad\nworse",
        "styles": [{"name": "inkline", "weight": 0.7}],
        "steps": 30,
        "guidance": 7.0,
        "seed": 123,
        "width": 512,
        "height": 768,
        "sampler": "DPM++ 2M",
        "schedule_type": "Karras",
        "model": "v1-5",
        "model_hash": "6ce0161689",
        "version": "v1.10.1",
    }


@pytest.mark.parametrize("kind", ["jpg", "webp"])
def test_the_text_in_a_jpegs_exif_is_read(tmp_path, kind):
    exif = Image.Exif()
    exif.get_ifd(0x8769)[0x9286] = b"UNICODE\0" + FOREIGN.encode("utf-16-be")
    Image.new("RGB", (4, 4)).save(tmp_path / f"p.{kind}", exif=exif)
    assert recipe.read(tmp_path / f"p.{kind}")["seed"] == 123


@pytest.mark.parametrize("text", ["", "a fox", "a fox\nSteps: 3, Sampler: x", "Steps: 3"])
def test_fewer_than_three_parameters_are_no_recipe(tmp_path, text):
    with pytest.raises(RecipeError, match="carries no recipe"):
        recipe.read(png(tmp_path / "p.png", parameters=text))


@pytest.mark.parametrize(
    "line", ["Steps: 0, Seed: -5, CFG scale: nan, Size: 999999x1", "Steps: 1e9, Seed: x, CFG scale: inf, Size: axb"]
)
def test_foreign_values_out_of_range_are_dropped(line):
    assert set(recipe.parse_infotext("p\n" + line)) == {"prompt", "negative_prompt", "styles"}


@pytest.mark.parametrize(
    "text", ["a" * 60_000, "a " * 30_000, " " * 60_000 + "x", 'aa: "' * 12_000, 'aa: "\\' * 10_000, "<lora:" * 10_000]
)
def test_hostile_text_is_read_quickly(text):
    start = time.process_time()
    recipe.parse_infotext(f"{text}\n{text}")
    assert time.process_time() - start < 2


@pytest.mark.parametrize(
    "change",
    [
        {"steps": 10**9},
        {"seed": -1},
        {"guidance": float("nan")},
        {"width": 0},
        {"styles": [{"name": "x", "weight": 3}]},
        {"base": {"name": "mini", "fingerprint": "../../etc"}},
        {"prompt": 7},
        {"extra": {"x": float("inf")}},
    ],
)
def test_damaged_or_hostile_json_is_refused(tmp_path, change):
    text = json.dumps(PLAIN.model_dump(mode="json") | change)
    with pytest.raises(RecipeError, match="damaged"):
        recipe.read(png(tmp_path / "p.png", artlab=text))


def test_unknown_keys_are_dropped(tmp_path):
    text = json.dumps(PLAIN.model_dump(mode="json") | {"__class__": "os.system", "output_dir": "/etc"})
    assert recipe.read(png(tmp_path / "p.png", artlab=text)) == PLAIN


def test_deep_json_falls_back_on_the_parameters(tmp_path):
    assert recipe.read(png(tmp_path / "p.png", artlab="[" * 50_000, parameters=FOREIGN))["seed"] == 123


def test_too_long_a_recipe_is_neither_read_nor_written(tmp_path):
    with pytest.raises(RecipeError, match="64 KB"):
        recipe.read(png(tmp_path / "p.png", artlab='"' + "x" * (64 << 10) + '"'))
    with pytest.raises(RecipeError, match="65,536 bytes"):
        recipe.embed(Image.new("RGB", (2, 2)), PLAIN.model_copy(update={"extra": {"x": "y" * (64 << 10)}}), tmp_path / "q.png")
    assert not (tmp_path / "q.png").exists()


def test_what_is_no_picture_is_told(tmp_path):
    text = tmp_path / "notes.png"
    text.write_text("hello")
    broken = recipe.embed(Image.new("RGB", (64, 64)), PLAIN, tmp_path / "broken.png")
    broken.write_bytes(broken.read_bytes()[:20])
    for path, message in [
        (text, "no picture"),
        (broken, "no picture"),
        (tmp_path, "folder"),
        (tmp_path / "none.png", "There is no picture"),
    ]:
        with pytest.raises(RecipeError, match=message):
            recipe.read(path)


def test_the_verb_reads_the_picture(tmp_path):
    recipe.embed(Image.new("RGB", (2, 2)), PLAIN, tmp_path / "p.png")
    assert recipe.recipe(settings.Recipe(picture=tmp_path / "p.png")) == PLAIN
