"""Blending: the file is the sum of what its parents do, pictures mix by step, layer and region, and what cannot be mixed is named.

On two tiny bases of the real classes, one shaped like mini, one like Stable Diffusion 1.5.
"""

import json

import numpy as np
import pytest
import tiny
import torch
from PIL import Image
from safetensors.torch import load_file, save_file
from safetensors.torch import save as tensors_to_bytes

from artlab import blend, easel, files, generate, images, recipe, settings, style
from artlab.bases import load_base, lora
from artlab.blend import BlendError, deltas, runtime
from artlab.blend import files as mixing
from artlab.easel import EaselError
from artlab.style import StyleError


@pytest.fixture(scope="module")
def folders(tmp_path_factory, tiny_base_folder):
    return {"mini": tiny_base_folder, "unet": tiny.stable_diffusion(tmp_path_factory.mktemp("sd") / "sd")}


@pytest.fixture(scope="module")
def loaded(folders):
    return {name: load_base(str(folder), device="cpu", precision="fp32") for name, folder in folders.items()}


@pytest.fixture(params=["mini", "unet"])
def base(request, loaded, folders, tmp_path, monkeypatch):
    monkeypatch.setattr(files, "shipped_styles", lambda: tmp_path / "shipped")
    monkeypatch.setattr(generate, "_warm", {(str(folders[request.param]), "cpu", "fp32"): loaded[request.param]})
    return loaded[request.param]


@pytest.fixture
def mini(loaded, folders, tmp_path, monkeypatch):
    monkeypatch.setattr(files, "shipped_styles", lambda: tmp_path / "shipped")
    monkeypatch.setattr(generate, "_warm", {(str(folders["mini"]), "cpu", "fp32"): loaded["mini"]})
    return loaded["mini"]


def teach(base, name, *, rank=2, alpha=2.0, targets="attention", seed=0, about=()):
    """A style with random weights that shows."""
    lora.attach(base, rank, alpha, targets, seed=seed)
    torch.manual_seed(seed + 10)
    tensors = {k: torch.randn_like(v) * 0.3 if "lora_up" in k else v for k, v in lora.state(base).items()}
    lora.detach(base)
    card = {
        "name": name,
        "trigger": name[:3] + "x",
        "base": base.describe() | dict(about),
        "data": {"captions": ["a cat"]},
        "licence_note": "Free.",
    }
    preview = mixing_png()
    return style.save(files.styles() / name, card, {"lora.safetensors": tensors_to_bytes(tensors), "preview.png": preview})


def mixing_png():
    return blend._png(Image.new("RGB", (40, 20), "white"))


def ask(base, *styles, **more):
    few = {"device": "cpu", "mixed_precision": "fp32", "num_inference_steps": 2, "width": 64, "height": 64}
    return settings.Blend(style=styles, base=base.name, **(few | more))


def run(base, *styles, **more):
    heard = []
    return blend.blend(ask(base, *styles, **more), heard.append), [one.message for one in heard if one.message]


def effect(base, *pairs):
    """What adapters add to the denoiser's output."""
    torch.manual_seed(1)
    x, condition = torch.randn(1, base.channels, 8, 8), base.condition(["a cat"])

    def output():
        with torch.no_grad():
            return base.predict(x, torch.tensor([500]), condition)

    plain = output()
    lora.load_styles(base, pairs)
    try:
        return output() - plain
    finally:
        lora.detach(base)


def far(got, wanted):
    return float((got - wanted).norm() / wanted.norm())


def pixels(path):
    return np.asarray(images.open_image(path)).astype(int)


# -- files ------------------------------------------------------------------------------------------------------------------


def test_a_merged_file_does_what_its_parents_do_together(base):
    one = teach(base, "wren", rank=2, alpha=5.0)
    other = teach(base, "ember", rank=3, alpha=1.0, targets="attention+ff", seed=4)
    made, said = run(base, "wren:0.7", "ember:-0.4", name="both")
    together = effect(base, (one.weights, 0.7), (other.weights, -0.4))
    alone = effect(base, (made.weights, 1.0))
    assert together.abs().max() > 1e-2
    assert far(alone, together) < 1e-5
    assert "Rank 5." in said[0]
    assert made.trigger == "wrex, by embx"
    assert [(p["name"], p["weight"], p["sha256"]) for p in made.card["parents"]] == [
        ("wren", 0.7, one.sha256),
        ("ember", -0.4, other.sha256),
    ]
    assert made.card["licence_note"] == "Free."
    assert images.open_image(made.preview).width > 100
    again, _ = run(base, "ember:-0.4", "wren:0.7", name="turned")
    assert far(effect(base, (again.weights, 1.0)), alone) < 1e-5


def test_one_style_at_weight_one_comes_back(base):
    one = teach(base, "wren", rank=3, alpha=7.0)
    made, _ = run(base, "wren", name="same")
    assert deltas.distance(mixing.read(one.weights), mixing.read(made.weights)) < 1e-6
    assert far(effect(base, (made.weights, 1.0)), effect(base, (one.weights, 1.0))) < 1e-5
    with_nought, _ = run(base, "wren", "same:0", name="nought")
    assert deltas.distance(mixing.read(one.weights), mixing.read(with_nought.weights)) < 1e-6
    half, _ = run(base, "wren", name="half", half=True)
    assert deltas.distance(mixing.read(one.weights), mixing.read(half.weights)) < 1e-3
    assert half.weights.stat().st_size < made.weights.stat().st_size


def test_a_blend_is_a_style_like_any_other_and_makes_the_pictures_of_the_mix(mini):
    teach(mini, "wren")
    teach(mini, "ember", seed=3)
    made, _ = run(mini, "wren:0.5", "ember:0.8", name="both")
    few = {"base": mini.name, "device": "cpu", "mixed_precision": "fp32", "width": 64, "height": 64, "num_inference_steps": 2}
    mixed, filed = (
        generate.generate(settings.Generate(prompt=("a cat",), style=names, **few), lambda _: None)[0]
        for names in (("wren:0.5", "ember:0.8"), ("both",))
    )
    assert mixed.recipe.prompt == filed.recipe.prompt == "a cat, by wrex, by embx"
    assert np.abs(pixels(mixed.path) - pixels(filed.path)).max() <= 1
    tensors = load_file(made.weights)
    assert {key.rpartition(".")[2] for key in tensors} == {"weight", "alpha"}
    assert all(key.startswith("lora_unet_") for key in tensors)
    said = lora.metadata(made.weights)
    assert said["ss_network_dim"] == "4"
    assert said["modelspec.merged_from"] == "wren, ember"
    assert said["artlab.base_fingerprint"] == mini.fingerprint


def test_a_lower_rank_says_what_it_keeps(mini):
    teach(mini, "wren", rank=3)
    teach(mini, "ember", rank=3, seed=3)
    made, said = run(mini, "wren", "ember", name="less", method="svd", rank=3)
    kept = made.card["blend"]["retained_energy"]
    assert 0.5 < kept < 1
    assert f"Retained energy {kept:.2%}" in said[0]
    whole, _ = run(mini, "wren", "ember", name="all", method="svd", rank=6)
    assert whole.card["blend"]["retained_energy"] == pytest.approx(1)
    mixed = deltas.cat([mixing.read(style.load(name).weights) for name in ("wren", "ember")], lambda *_: 1.0)
    assert deltas.distance(mixed, mixing.read(whole.weights)) < 1e-5
    assert deltas.distance(mixed, mixing.read(made.weights)) == pytest.approx((1 - kept) ** 0.5, rel=1e-3)


@pytest.mark.parametrize("method", ["slerp", "ties", "dare"])
def test_every_method_makes_a_style(mini, method):
    teach(mini, "wren")
    teach(mini, "ember", seed=3)
    made, _ = run(mini, "wren:0.5", "ember:0.5", name="new", method=method)
    assert made.card["blend"]["method"] == method
    assert effect(mini, (made.weights, 1.0)).abs().max() > 1e-3


def test_blocks_have_weights_of_their_own(mini):
    one, other = teach(mini, "wren"), teach(mini, "ember", seed=3)
    made, _ = run(mini, "wren", "ember", name="blocks", block_weight=("down:0", "ember@up:0.5"))
    mixed, a, b = (mixing.read(found.weights) for found in (made, one, other))
    assert not any(layer.startswith("down") for layer in mixed)
    up = next(layer for layer in a if layer.startswith("up"))
    torch.testing.assert_close(mixed[up].dense(), a[up].dense() + 0.5 * b[up].dense(), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("block", "words"),
    [
        ("sideways:1", "a block “sideways”; there is down_blocks_0"),
        ("up", "no block weight"),
        ("up:x", "no block weight"),
        ("up:nan", "no block weight"),
        ("owl@up:1", "“owl”"),
    ],
)
def test_strange_blocks_are_refused(mini, block, words):
    teach(mini, "wren")
    with pytest.raises(BlendError, match=words):
        run(mini, "wren", name="new", block_weight=(block,))
    assert not (files.styles() / "new").exists()


def test_another_style_is_never_written_over_and_the_same_blend_is_kept(mini):
    teach(mini, "wren")
    teach(mini, "ember", seed=3)
    made, _ = run(mini, "wren", "ember", name="both")
    before = made.weights.stat().st_mtime_ns
    again, said = run(mini, "wren", "ember", name="both")
    assert again.weights.stat().st_mtime_ns == before
    assert "there already" in said[0]
    with pytest.raises(BlendError, match="another one"):
        run(mini, "wren:0.5", "ember", name="both")
    with pytest.raises(BlendError, match="another one"):
        run(mini, "wren", "ember", name="wren")


def test_without_its_base_the_preview_shows_the_parents(mini, monkeypatch):
    teach(mini, "wren", about={"name": "nobody/nothing"})
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    heard = []
    made = blend.blend(settings.Blend(style=("wren",), name="new", device="cpu"), heard.append)
    assert images.open_image(made.preview).width > 20
    assert any("shows the parents" in one.message for one in heard)


# -- traps ------------------------------------------------------------------------------------------------------------------


def test_the_linear_combination_of_peft_is_not_the_sum(mini):
    """Why artlab mixes by itself: peft's `linear` mixes A and B apart and is wrong by most of the sum."""
    one, other = (mixing.read(teach(mini, name, rank=4, seed=seed).weights) for name, seed in (("wren", 0), ("ember", 3)))
    layer = next(iter(one))
    a, b = one[layer], other[layer]
    linear = (0.5**0.5 * (a.up + b.up)) @ (0.5**0.5 * (a.down + b.down))
    exact = 0.5 * a.dense() + 0.5 * b.dense()
    assert float((linear - exact).norm() / exact.norm()) > 0.5
    ours = deltas.cat([one, other], lambda *_: 0.5)[layer].dense()
    assert float((ours - exact).norm() / exact.norm()) < 1e-12


@pytest.mark.parametrize(
    ("key", "words"), [("dora_scale", "DoRA"), ("lora_up.bias", "biases"), ("hada_w1_a", "LoHa"), ("lokr_w1", "LoKr")]
)
def test_what_is_no_plain_sum_is_refused(mini, tmp_path, key, words):
    tensors = load_file(teach(mini, "wren").weights)
    layer = next(iter(tensors)).split(".", 1)[0]
    save_file(tensors | {f"{layer}.{key}": torch.ones(2)}, tmp_path / "odd.safetensors")
    with pytest.raises(BlendError, match=words):
        mixing.read(tmp_path / "odd.safetensors")


@pytest.mark.parametrize("setting", ["use_rslora", "lora_bias", "use_dora"])
def test_scales_that_are_not_alpha_by_rank_are_refused(mini, tmp_path, setting):
    tensors = load_file(teach(mini, "wren").weights)
    save_file(tensors, tmp_path / "odd.safetensors", metadata={"lora_adapter_metadata": json.dumps({f"unet.{setting}": True})})
    with pytest.raises(BlendError, match=setting):
        mixing.read(tmp_path / "odd.safetensors")
    save_file(tensors, tmp_path / "plain.safetensors", metadata={"lora_adapter_metadata": json.dumps({f"unet.{setting}": False})})
    assert mixing.read(tmp_path / "plain.safetensors")


def test_files_without_alpha_have_the_scale_one(mini, tmp_path):
    tensors = load_file(teach(mini, "wren", rank=2, alpha=2.0).weights)
    save_file({key: value for key, value in tensors.items() if not key.endswith("alpha")}, tmp_path / "bare.safetensors")
    one, bare = mixing.read(style.load("wren").weights), mixing.read(tmp_path / "bare.safetensors")
    assert deltas.distance(one, bare) < 1e-9


# -- pictures ---------------------------------------------------------------------------------------------------------------


def test_steady_weights_give_the_pictures_of_generate(mini):
    teach(mini, "wren")
    teach(mini, "ember", seed=3)
    (mixed,), _ = run(mini, "wren:0.5", "ember:-0.3", prompt=("a cat",))
    few = {"base": mini.name, "device": "cpu", "mixed_precision": "fp32", "width": 64, "height": 64, "num_inference_steps": 2}
    (plain,) = generate.generate(settings.Generate(prompt=("a cat",), style=("wren:0.5", "ember:-0.3"), **few), lambda _: None)
    assert np.abs(pixels(mixed.path) - pixels(plain.path)).max() <= 1
    read = recipe.read(mixed.path)
    assert (read.method, [used.weight for used in read.styles]) == ("blend", [0.5, -0.3])
    assert list(mini.denoiser.state_dict()) == [name for name in mini.denoiser.state_dict() if "lora" not in name]


def test_weights_can_change_over_the_steps(mini):
    pair = [(teach(mini, "wren"), 1.0), (teach(mini, "ember", seed=3), 0.5)]
    over = runtime.over_steps(("wren:1,0.5,0",), pair)
    assert [over(share) for share in (0.0, 0.25, 1.0)] == [[1.0, 0.5], [0.75, 0.5], [0.0, 0.5]]
    fade = runtime.over_steps(("crossfade",), pair)
    assert [fade(share) for share in (0.0, 0.5, 1.0)] == [[1.0, 0.0], [0.5, 0.25], [0.0, 0.5]]
    (steady,), _ = run(mini, "wren", "ember:0.5", prompt=("a cat",))
    (faded,), _ = run(mini, "wren", "ember:0.5", prompt=("a cat",), schedule=("crossfade",))
    assert faded.recipe.extra["schedule"] == ["crossfade"]
    assert np.abs(pixels(steady.path) - pixels(faded.path)).max() > 1


def test_a_schedule_is_heard_at_each_step(mini, monkeypatch):
    teach(mini, "wren")
    teach(mini, "ember", seed=3)
    seen, real = [], lora.weigh
    monkeypatch.setattr(lora, "weigh", lambda base, weights: seen.append(weights) or real(base, weights))
    run(mini, "wren", "ember", prompt=("a cat",), schedule=("wren:1,0", "ember:0,2"), num_inference_steps=3)
    assert seen == [[1.0, 0.0], [0.5, 1.0], [0.0, 2.0]]


def test_k_lora_takes_one_style_per_layer_and_turns_to_the_second(mini):
    one, other = (mixing.read(teach(mini, name, seed=seed).weights) for name, seed in (("wren", 0), ("ember", 3)))
    chosen = runtime.k_lora([one, other], [1.0, 0.5])
    early, late = chosen(0.0), chosen(1.0)
    assert all(pair in ([1.0, 0.0], [0.0, 0.5]) for pair in [*early.values(), *late.values()])
    assert sum(pair[0] > 0 for pair in early.values()) > sum(pair[0] > 0 for pair in late.values())
    assert set(early) == set(one) | set(other)
    (made,), _ = run(mini, "wren", "ember", prompt=("a cat",), schedule=("k-lora",))
    assert made.recipe.extra["schedule"] == ["k-lora"]


@pytest.mark.parametrize(
    ("schedule", "words"),
    [(("owl:1,0",), "no schedule"), (("sometimes",), "no schedule"), (("wren:1,x",), "no list of numbers"), (("wren:9",), "no list of numbers"),
     (("wren:nan",), "no list of numbers"), (("k-lora",), "between two styles"), (("crossfade",), "two styles at least")],
)  # fmt: skip
def test_strange_schedules_are_refused(mini, schedule, words):
    teach(mini, "wren")
    with pytest.raises(BlendError, match=words):
        run(mini, "wren", prompt=("a cat",), schedule=schedule)


def test_regions_have_prompts_and_styles_of_their_own(mini):
    teach(mini, "wren")
    teach(mini, "ember", seed=3)
    (plain,), _ = run(mini, "wren", prompt=("a cat",), num_inference_steps=4, width=128)
    (made,), _ = run(
        mini, "wren", prompt=("a cat",), num_inference_steps=4, width=128, region=("right:0.25 | a dog | ember:0.9",), feather=0.0
    )
    difference = np.abs(pixels(made.path) - pixels(plain.path)).mean(axis=(0, 2))
    assert difference[96:].mean() > 2 * difference[:64].mean()
    assert [used.name for used in made.recipe.styles] == ["wren", "ember"]
    (told,) = made.recipe.extra["regions"]
    assert (told["where"], told["prompt"], told["styles"][0]["weight"]) == ("right:0.25", "a dog, by embx", 0.9)
    (whole,), _ = run(mini, "wren", prompt=("a cat",), num_inference_steps=4, width=128, region=("left:0.5 | a cat | wren",))
    assert np.abs(pixels(whole.path) - pixels(plain.path)).max() <= 2, "the same everywhere is no region"


def test_shares_of_regions_add_up_and_the_later_lies_on_top():
    white = Image.new("L", (64, 64), 255)
    left = runtime.Region("left:0.5", "x", ()).mask((64, 64), 0.25)
    parts = runtime.shares([left, white], (8, 8))
    torch.testing.assert_close(parts.sum(0), torch.ones(8, 8))
    assert float(parts[2].min()) == 1
    soft = runtime.shares([left], (8, 8))[1]
    assert float(soft[0, 0]) > 0.99
    assert float(soft[0, 7]) < 0.01
    assert 0.2 < float(soft[0, 3]) < 0.98
    assert all(runtime.Region(f"{word}:0.3", "x", ()).mask((64, 48), 0).getbbox() for word in runtime.WORDS)


def test_masks_from_files_have_the_shape_of_the_picture(mini, tmp_path):
    teach(mini, "wren")
    Image.new("L", (32, 32), 255).save(tmp_path / "mask.png")
    (made,), _ = run(mini, "wren", prompt=("a cat",), region=(f"{tmp_path / 'mask.png'} | a dog",))
    (told,) = made.recipe.extra["regions"]
    assert told["where"] == "mask.png"
    assert len(told["mask_sha256"]) == 64
    Image.new("L", (64, 32), 255).save(tmp_path / "wide.png")
    with pytest.raises(BlendError, match=r"64x32.*64x64"):
        run(mini, "wren", prompt=("a dog",), region=(f"{tmp_path / 'wide.png'} | a dog",))
    (tmp_path / "text.png").write_text("no picture")
    with pytest.raises(EaselError, match="is no picture"):
        run(mini, "wren", prompt=("a dog",), region=(f"{tmp_path / 'text.png'} | a dog",))


@pytest.mark.parametrize("region", ["left", "left |", "| a fox", "left:2 | a fox", "nowhere.png | a fox", "left | a | b | c"])
def test_strange_regions_are_refused(mini, region):
    teach(mini, "wren")
    with pytest.raises((BlendError, StyleError)):
        run(mini, "wren", prompt=("a cat",), region=(region,))


def test_a_sheet_sets_two_styles_against_each_other(mini):
    teach(mini, "wren")
    teach(mini, "ember", seed=3)
    made, _ = run(mini, "wren", "ember", prompt=("a cat",), sheet=True, sheet_weights=(0.0, 1.0), num_inference_steps=1)
    *cells, laid = made
    assert [[used.weight for used in cell.recipe.styles] for cell in cells] == [[0, 0], [1, 0], [0, 1], [1, 1]]
    assert len({pixels(cell.path).tobytes() for cell in cells}) == 4
    assert recipe.read(laid.path).extra["sheet_weights"] == [0.0, 1.0]
    before = [cell.path.stat().st_mtime_ns for cell in cells]
    again, _ = run(mini, "wren", "ember", prompt=("a cat",), sheet=True, sheet_weights=(0.0, 1.0), num_inference_steps=1)
    assert [cell.path.stat().st_mtime_ns for cell in again[:-1]] == before


# -- what cannot be asked ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"name": "new", "schedule": ("crossfade",)}, "a schedule cannot go into"),
        ({"name": "new", "region": ("left | a fox",)}, "regions cannot go into"),
        ({"name": "new", "method": "svd"}, "needs the rank"),
        ({"name": "new", "method": "slerp"}, "give two"),
        ({}, "Give the new style a name"),
        ({"prompt": ("a cat",), "method": "ties"}, "those of a file"),
        ({"prompt": ("a cat",), "sheet": True}, "two styles"),
    ],
)
def test_wishes_that_do_not_go_together(mini, more, words):
    teach(mini, "wren")
    with pytest.raises(BlendError, match=words):
        run(mini, "wren", **more)
    assert not (files.styles() / "new").exists()


def test_styles_of_two_bases_and_unknown_ones_are_refused(mini):
    teach(mini, "wren")
    teach(mini, "old", about={"fingerprint": "0123456789abcdef"})
    with pytest.raises(BlendError, match=r"“wren” and “old” cannot be mixed.*01234567"):
        run(mini, "wren", "old", name="new")
    with pytest.raises(BlendError, match="no style to mix"):
        run(mini, name="new")
    with pytest.raises(StyleError, match="no number"):
        run(mini, "wren:much", name="new")
    with pytest.raises(StyleError, match="no style “wern”"):
        run(mini, "wern", name="new")


def test_a_base_that_is_no_unet_is_named(mini):
    class Other:
        name = "a-flow"

    with pytest.raises(EaselError, match="“a-flow” is no UNet"):
        easel.steerable(Other(), "a blend sheet")
