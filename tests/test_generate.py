"""Pictures: each carries its recipe, depends on its own seed alone, and is made once. Run on a tiny base of the real classes."""

import dataclasses
from pathlib import Path

import pytest
import torch
from PIL import Image
from safetensors.torch import save as tensors_to_bytes

from artlab import files, generate, images, recipe, settings, style
from artlab.bases import load_base, lora
from artlab.bases.base import BaseError
from artlab.generate import GenerateError, Progress
from artlab.style import StyleError


@pytest.fixture(scope="module")
def base(tiny_base_folder):
    return load_base(str(tiny_base_folder), device="cpu", precision="fp32")


@pytest.fixture(autouse=True)
def warm(base, tiny_base_folder, tmp_path, monkeypatch):
    """The tiny base stands in the warm cache, so that no test loads it again."""
    monkeypatch.setattr(files, "shipped_styles", lambda: tmp_path / "shipped")
    monkeypatch.setattr(generate, "_warm", {(str(tiny_base_folder), "cpu", "fp32"): base})


@pytest.fixture
def make(tiny_base_folder):
    """Make pictures with few steps; returns them and leaves what was reported in `make.heard`."""

    def call(*prompts: str, **changes):
        given = {"base": str(tiny_base_folder), "device": "cpu", "mixed_precision": "fp32", "width": 64, "height": 64}
        call.heard = []
        asked = settings.Generate(prompt=prompts, num_inference_steps=2, **(given | changes))
        return generate.generate(asked, call.heard.append)

    return call


def teach(base, name="wren", trigger="wrn", **about) -> style.Style:
    """A style with random weights that shows."""
    lora.attach(base, 2, 2.0, "attention")
    tensors = {key: torch.full_like(value, 0.5) if "up" in key else value for key, value in lora.state(base).items()}
    lora.detach(base)
    card = {"name": name, "trigger": trigger, "base": base.describe() | about}
    return style.save(files.styles() / name, card, {"lora.safetensors": tensors_to_bytes(tensors)})


def pixels(picture: generate.Picture) -> bytes:
    return images.open_image(picture.path).tobytes()


def test_prompts_times_seeds_in_their_order(make):
    made = make("a fox", "a wren", seed=(5, 1), count=2)
    assert [(one.recipe.prompt, one.recipe.seed) for one in made] == [(p, s) for p in ("a fox", "a wren") for s in (5, 6, 1, 2)]
    assert len({one.path for one in made}) == len({pixels(one) for one in made}) == 8
    assert all(one.path.parent.parent == files.pictures() for one in made)
    assert made[0].path.name.startswith("a-fox-5-")


def test_each_picture_carries_its_recipe(make, base):
    (one,) = make("a fox", negative_prompt="blur", seed=(7,), guidance_scale=3.5, sampler="ddim")
    read = recipe.read(one.path)
    assert read == one.recipe
    assert (read.prompt, read.negative_prompt, read.seed, read.steps, read.guidance, read.sampler) == (
        "a fox",
        "blur",
        7,
        2,
        3.5,
        "ddim",
    )
    assert (read.width, read.height) == images.open_image(one.path).size == (64, 64)
    assert read.base.fingerprint == base.fingerprint
    assert read.extra["device"] == "cpu"
    assert read.extra["precision"] == "float32"


def test_the_path_of_the_base_stays_private(make, tiny_base_folder):
    (one,) = make("a fox")
    assert one.recipe.base.name == tiny_base_folder.name
    assert str(tiny_base_folder).encode() not in one.path.read_bytes()


def test_a_seed_gives_the_same_picture_whatever_is_made_with_it(make, tmp_path):
    (alone,) = make("a fox", seed=(3,), output_dir=tmp_path / "a")
    together = make("a wren", "a fox", seed=(1, 2, 3), batch_size=4, output_dir=tmp_path / "b")
    difference = torch.tensor(list(pixels(alone))).float() - torch.tensor(list(pixels(together[-1]))).float()
    assert difference.abs().max() <= 1  # batches round differently in the last bit


def test_nothing_is_made_twice(make, base, monkeypatch):
    before = [(one.path, one.path.stat().st_mtime_ns) for one in make("a fox", count=2)]
    monkeypatch.setattr(type(base), "sample", lambda *_, **__: pytest.fail("sampled again"))
    again = make("a fox", "a fox ", count=2, batch_size=1)
    assert [(one.path, one.path.stat().st_mtime_ns) for one in again] == before
    assert [one.done for one in make.heard] == [1, 2]


def test_a_cut_off_picture_is_made_anew(make):
    (one,) = make("a fox")
    whole = one.path.read_bytes()
    one.path.write_bytes(whole[: len(whole) // 2])
    assert make("a fox") == [one]
    assert one.path.read_bytes() == whole


@pytest.mark.parametrize("kind", ["without a recipe", "with another recipe"])
def test_another_picture_of_that_name_is_never_overwritten(make, kind):
    (one,) = make("a fox")
    theirs = Image.new("RGB", (5, 5), "red")
    if kind == "without a recipe":
        theirs.save(one.path)
    else:
        recipe.embed(theirs, one.recipe.model_copy(update={"seed": 99}), one.path)
    before = one.path.read_bytes()
    (other,) = make("a fox")
    assert other.path == one.path.with_name(one.path.stem + "-2.png")
    assert one.path.read_bytes() == before
    assert make("a fox") == [other]


def test_a_style_changes_the_picture_and_is_named_in_the_recipe(make, base):
    taught = teach(base)
    (plain,) = make("a fox by wrn")
    (styled,) = make("a fox by wrn", style=("wren:0.5",))
    (off,) = make("a fox by wrn", style=("wren:0",))
    assert pixels(styled) != pixels(plain) == pixels(off)
    (used,) = styled.recipe.styles
    assert (used.name, used.weight, used.sha256) == ("wren", 0.5, taught.sha256)
    assert used.tensors_sha256 == style.tensors_sha256(taught.weights)


def test_the_warm_base_is_bare_again_afterwards_even_after_a_failure(make, base, monkeypatch):
    teach(base)
    before = list(base.denoiser.state_dict())
    make("a fox", style=("wren",))
    assert list(base.denoiser.state_dict()) == before
    limited(base, monkeypatch, 0, RuntimeError("shapes differ"))
    with pytest.raises(RuntimeError, match="shapes differ"):
        make("a dog", style=("wren",))
    assert list(base.denoiser.state_dict()) == before


def test_the_trigger_is_added_when_the_prompt_lacks_it(make, base):
    teach(base)
    (one,) = make("a fox", style=("wren",))
    assert one.recipe.prompt == "a fox, by wrn"
    assert one.recipe.extra["prompt_given"] == "a fox"
    assert one.recipe.extra["triggers_added"] == ["wrn"]
    (has_it,) = make("a fox by WRN", style=("wren",))
    assert has_it.recipe.prompt == "a fox by WRN"
    assert "triggers_added" not in has_it.recipe.extra
    (unused,) = make("a fox", style=("wren:0",))
    assert unused.recipe.prompt == "a fox"


def test_a_long_prompt_is_cut_before_the_trigger_and_the_rest_is_named(make, base):
    teach(base)
    words = " ".join(f"w{i}" for i in range(40))
    (one,) = make(words, style=("wren",))
    assert one.recipe.prompt == " ".join(f"w{i}" for i in range(22)) + ", by wrn"
    assert one.recipe.extra["words_not_read"].split()[0] == "w22"
    assert any("not read: w22 w23" in heard.message for heard in make.heard)
    (plain,) = make(words)
    assert plain.recipe.prompt == words
    assert plain.recipe.extra["words_not_read"].split()[0] == "w24"


def test_a_style_of_another_base_is_refused_with_the_way_out(make, base):
    teach(base, name="old", fingerprint="0123456789abcdef")
    with pytest.raises(GenerateError, match=r"“old” was taught on another base.*01234567.*artlab finetune PORTFOLIO --base"):
        make("a fox", style=("old",))


def test_styles_of_two_bases_cannot_be_mixed(make, base):
    teach(base)
    teach(base, name="old", fingerprint="0123456789abcdef")
    with pytest.raises(GenerateError, match="“wren” and “old” cannot be mixed"):
        make("a fox", style=("wren", "old"))


@pytest.mark.parametrize("prompts", [(), ("",), (" ", "")])
def test_without_a_prompt_the_way_to_one_is_told(make, prompts):
    with pytest.raises(GenerateError, match=r"no prompt.*before --style"):
        make(*prompts, style=("a fox",))


def test_unknown_styles_and_bases_are_refused(make):
    with pytest.raises(StyleError, match="no style “wern”"):
        make("a fox", style=("wern",))
    with pytest.raises(BaseError, match="no base “nosuch”"):
        make("a fox", base="nosuch")


@pytest.mark.parametrize(("width", "ways"), [(100, "96 or 112"), (65, "64 or 80"), (1000, "992 or 1008")])
def test_a_size_that_does_not_fit_gets_the_two_nearest(make, width, ways):
    with pytest.raises(GenerateError, match=f"width of {width}.*{ways}"):
        make("a fox", width=width)


def test_sizes_are_the_bases_own_when_left_out_and_bounded(make):
    (one,) = make("a fox", width=None, height=96)
    assert images.open_image(one.path).size == (128, 96)
    with pytest.raises(GenerateError, match=r"too large.*512x512"):
        make("a fox", width=4096, height=4096)


def test_seeds_out_of_range_are_refused(make):
    with pytest.raises(GenerateError, match="seed -1"):
        make("a fox", seed=(-1,))


def limited(base, monkeypatch, most, error):
    """Let the base run out of memory with more than `most` pictures at once."""
    real, sizes = type(base).sample, []

    def sample(self, condition, seeds, **rest):
        sizes.append(len(seeds))
        if len(seeds) > most:
            raise error
        return real(self, condition, seeds, **rest)

    monkeypatch.setattr(type(base), "sample", sample)
    return sizes


@pytest.mark.parametrize(
    "error", [torch.OutOfMemoryError("CUDA out of memory"), RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried")]
)
def test_when_memory_runs_out_the_batch_is_halved(make, base, monkeypatch, error):
    sizes = limited(base, monkeypatch, 2, error)
    made = make("a fox", count=5, batch_size=5)
    assert sizes == [5, 2, 2, 1]
    assert [one.recipe.seed for one in made] == [0, 1, 2, 3, 4]
    assert any("going on with 2" in heard.message for heard in make.heard)


def test_when_one_picture_is_too_much_it_is_told(make, base, monkeypatch):
    limited(base, monkeypatch, 0, torch.OutOfMemoryError("CUDA out of memory"))
    with pytest.raises(GenerateError, match="64x64 fills the memory of cpu"):
        make("a fox", count=2)


def test_other_errors_of_torch_pass(make, base, monkeypatch):
    limited(base, monkeypatch, 0, RuntimeError("shapes differ"))
    with pytest.raises(RuntimeError, match="shapes differ"):
        make("a fox")


def test_a_prompt_is_encoded_once(make, base, monkeypatch):
    real, asked = type(base).condition, []

    def condition(self, texts):
        asked.extend(texts)
        return real(self, texts)

    monkeypatch.setattr(type(base), "condition", condition)
    make("a fox", "a wren", count=3, batch_size=2)
    assert sorted(asked) == ["", "a fox", "a wren"]


def test_progress_is_told_step_by_step_and_a_listener_can_stop(make):
    make("a fox", count=3, batch_size=2)
    assert [(one.done, one.step) for one in make.heard] == [(0, 1), (0, 2), (1, 0), (2, 0), (2, 1), (2, 2), (3, 0)]
    assert all(one.total == 3 for one in make.heard)

    def stop(progress: Progress) -> None:
        if progress.picture:
            raise KeyboardInterrupt

    asked = settings.Generate(
        prompt=("a dog",), count=3, base=_base_of(make), device="cpu", mixed_precision="fp32", num_inference_steps=1
    )
    with pytest.raises(KeyboardInterrupt):
        generate.generate(asked, stop)
    (first,) = files.pictures().glob("*/a-dog-*.png")
    assert isinstance(recipe.read(first), recipe.Recipe)


def _base_of(make) -> str:
    return next(iter(generate._warm))[0]


def test_what_is_under_way_can_be_looked_at_and_stays_what_it_was(make):
    (plain,) = make("a fox", seed=(3,))
    looks = [told.preview for told in make.heard if told.preview]
    assert len(looks) == 2, "one a step, made only when somebody looks"
    sheets = [look().tobytes() for look in looks]
    assert sheets[0] != sheets[1]
    assert looks[0]().width == 512
    (again,) = make("a fox", seed=(3,), output_dir=plain.path.parent / "again")
    assert pixels(again) == pixels(plain)


def test_large_latents_are_looked_at_reduced(base):
    (picture,) = base.preview(torch.randn(1, base.channels, 100, 50))
    assert picture.size == (16 * base.factor, 32 * base.factor)


def test_a_failed_write_leaves_no_half_picture(make, monkeypatch, tmp_path):
    monkeypatch.setattr(files.os, "replace", lambda *_: (_ for _ in ()).throw(OSError(5, "I/O error")))
    with pytest.raises(OSError, match="I/O error"):
        make("a fox", output_dir=tmp_path / "out")
    assert list((tmp_path / "out").iterdir()) == []


def test_the_warm_base_is_kept_and_makes_room_for_another(base, tiny_base_folder, monkeypatch):
    loaded = []
    monkeypatch.setattr(generate, "load_base", lambda name, **how: loaded.append((name, how)) or object())
    assert generate.warm(str(tiny_base_folder), "cpu", "fp32") is base
    other = generate.warm("other")
    assert generate.warm("other") is other
    assert loaded == [("other", {"device": "auto", "precision": "auto"})]
    assert len(generate._warm) == 1


def test_the_terminal_hears_of_remarks_and_pictures(make, capfd):
    (one,) = make("a fox")
    generate.print_progress(dataclasses.replace(Progress(1, 2), picture=one))
    generate.print_progress(Progress(0, 2, message="beware"))
    generate.print_progress(Progress(0, 2, step=3, steps=9))
    assert capfd.readouterr().err == f"[1/2] {one.path.name}\nbeware\n"
    assert Path(one.path).is_file()
