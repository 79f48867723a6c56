"""The verb: what is named becomes a style, each method makes a picture with its recipe, bad input gets one sentence and no file."""

import time

import numpy as np
import pytest
import tiny
import torch
from PIL import Image

from artlab import drawing, files, generate, images, recipe, settings, style
from artlab.bases import load_base, lora
from artlab.restyle import colour, texture
from artlab.transfer import Progress, Terminal, TransferError, attention, sources, transfer, windows


@pytest.fixture(scope="module")
def base(tiny_base_folder):
    return load_base(str(tiny_base_folder), device="cpu", precision="fp32")


@pytest.fixture(scope="module")
def diffusion(tmp_path_factory):
    """An SD 1.5-shaped base, which predicts noise."""
    return load_base(str(tiny.stable_diffusion(tmp_path_factory.mktemp("sd") / "sd")), device="cpu", precision="fp32")


@pytest.fixture(autouse=True)
def warm(base, tiny_base_folder, monkeypatch):
    monkeypatch.setattr(generate, "_warm", {(str(tiny_base_folder), "cpu", "fp32"): base})
    monkeypatch.setattr(texture.Plan, "steps", (3,))


def painting(path, seed=0, size=(72, 56)):
    coarse = np.random.default_rng(seed).integers(0, 256, (7, 9, 3), dtype=np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(coarse).resize(size, Image.Resampling.BICUBIC).save(path)
    return path


@pytest.fixture
def make(tmp_path, tiny_base_folder):
    """Transfer a small picture; what was reported is in `make.heard`."""
    content, brush = painting(tmp_path / "content.png"), painting(tmp_path / "brush.png", 1, (60, 60))

    def call(*words, report=None, **changes):
        call.heard = []
        given = {"content": content, "style": words or (str(brush),), "output_dir": tmp_path / "out"}
        given |= {"base": str(tiny_base_folder), "device": "cpu", "mixed_precision": "fp32", "num_inference_steps": 2}
        return transfer(settings.Transfer(**(given | changes)), report or call.heard.append)

    call.content, call.brush, call.out = content, brush, tmp_path / "out"
    return call


def teach(base, name="wren", **about):
    lora.attach(base, 2, 2.0, "attention")
    tensors = {key: torch.full_like(value, 0.5) if "up" in key else value for key, value in lora.state(base).items()}
    lora.detach(base)
    path = files.home() / "adapter.safetensors"
    lora.save(path, tensors, {})
    card = {"name": name, "trigger": "wrn", "base": base.describe() | about}
    return style.save(files.styles() / name, card, {"lora.safetensors": path.read_bytes()})


# -- the methods ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["palette", "texture", "attention"])
def test_each_method_makes_a_picture_with_its_recipe(make, method):
    made = make(method=method)
    picture = images.open_image(made.path)
    assert picture.size == (72, 56)
    assert picture.tobytes() != images.open_image(make.content).tobytes()
    read = recipe.read(made.path)
    assert read == made.recipe
    assert (read.method, read.width, read.height) == (f"transfer: {method}", 72, 56)
    assert read.extra["sources"][0]["name"] == "brush.png"
    assert str(make.out) not in read.model_dump_json()
    assert make.heard[-1].done == make.heard[-1].total
    assert make.heard[-1].preview().width > 0


def test_lora_paints_with_a_trained_style(make, base):
    teach(base)
    made = make("wren", method="lora", prompt="a hill")
    assert images.open_image(made.path).size == (72, 56)
    assert made.recipe.styles[0].name == "wren"
    assert made.recipe.base.fingerprint == base.fingerprint
    assert not lora._layers(base.denoiser)
    assert "predict" not in vars(base)


def test_a_weak_texture_is_nearly_the_palette_and_a_strong_one_lets_go(make):
    plain, weak, usual = (
        np.asarray(images.open_image(make(**given).path), float)
        for given in ({"method": "palette"}, {"method": "texture", "strength": 0.01}, {"method": "texture"})
    )
    assert np.abs(weak - plain).max() <= 2
    assert np.abs(usual - plain).mean() > 10 * np.abs(weak - plain).mean()
    weak, usual, strong = (texture.Plan.of(strength) for strength in (0.2, 0.6, 1.0))
    assert weak == usual == texture.Plan()
    assert strong.content < 0.3 * usual.content
    assert max(strong.colour / usual.colour, strong.ground / usual.ground) < 0.1


def test_lora_without_a_prompt_takes_the_pictures_own_or_asks_for_one(make, base):
    teach(base)
    first = make("wren", method="lora", prompt="a hill")
    assert make("wren", content=first.path, method="lora").recipe.prompt == "a hill"
    assert "the picture's own" in make.heard[0].message
    assert make("wren", method="lora").recipe.prompt == ""
    assert "--prompt" in make.heard[0].message


def test_names_never_collide(make):
    first, second = make(method="palette"), make(method="palette")
    assert first.path != second.path
    assert first.path.read_bytes() == second.path.read_bytes()


def test_several_styles_with_weights(make, tmp_path):
    other = painting(tmp_path / "other.png", 5)
    mixed = make(f"{make.brush}:3", f"{other}:1", method="palette")
    assert [one["weight"] for one in mixed.recipe.extra["sources"]] == [3.0, 1.0]
    assert images.open_image(mixed.path).tobytes() != images.open_image(make(method="palette").path).tobytes()


def test_a_portfolio_gives_its_most_alike_works(make, tmp_path):
    for k in range(4):
        painting(tmp_path / "works" / f"{k}.png", k)
    made = make(str(tmp_path / "works"), method="palette", works=2)
    assert len(made.recipe.extra["sources"][0]["works"]) == 2
    like = images.open_image(make.content)
    works = [images.open_image(tmp_path / "works" / f"{k}.png") for k in range(4)]
    assert sources.nearest(like, works, 1) == [0]


def test_size_is_the_longer_side(make):
    assert images.open_image(make(method="palette", size=36).path).size == (36, 28)


def test_strength_goes_from_little_to_much(make):
    def change(strength):
        made = images.open_image(make(method="palette", strength=strength).path)
        return np.abs(np.asarray(made, float) - np.asarray(images.open_image(make.content), float)).mean()

    assert change(0.1) < change(0.5) < change(1.0)


# -- the mask ---------------------------------------------------------------------------------------------------------------


def test_outside_the_mask_the_content_stays_to_the_bit(make, tmp_path):
    mask = np.zeros((56, 72), np.uint8)
    mask[:, :30] = 255
    Image.fromarray(mask).save(tmp_path / "mask.png")
    made = np.asarray(images.open_image(make(method="palette", mask=tmp_path / "mask.png").path))
    content = np.asarray(images.open_image(make.content))
    assert np.array_equal(made[:, 34:], content[:, 34:])
    assert not np.array_equal(made[:, :28], content[:, :28])


def test_a_mask_of_another_size_is_refused(make, tmp_path):
    mask = painting(tmp_path / "mask.png", 0, (50, 50))
    with pytest.raises(TransferError, match=r"mask.*50x50.*72x56"):
        make(mask=mask)
    assert not make.out.exists()


def test_a_black_mask_is_refused(make, tmp_path):
    Image.new("L", (72, 56)).save(tmp_path / "mask.png")
    with pytest.raises(TransferError, match="black all over"):
        make(mask=tmp_path / "mask.png")


# -- stopping ---------------------------------------------------------------------------------------------------------------


class Cancelled(BaseException):
    pass


@pytest.mark.parametrize("kind", [KeyboardInterrupt, Cancelled, ValueError])
@pytest.mark.parametrize("method", ["texture", "attention"])
def test_a_stop_keeps_the_newest_picture(make, kind, method):
    def stop(progress: Progress):
        if progress.preview:
            raise kind

    with pytest.raises(kind) as caught:
        make(method=method, report=stop)
    (kept,) = make.out.iterdir()
    assert "unfinished" in kept.name
    assert recipe.read(kept).extra["unfinished"] is True
    assert images.open_image(kept).size == (72, 56)
    said = str(caught.value) + " ".join(getattr(caught.value, "__notes__", ()))
    assert kept.name in said


def test_an_error_of_the_method_leaves_nothing(make, monkeypatch):
    def broken(*args, **kwargs):
        raise RuntimeError("broken")

    monkeypatch.setattr(texture, "stylise", broken)
    with pytest.raises(RuntimeError, match="broken"):
        make()
    assert not make.out.exists()


# -- bad input --------------------------------------------------------------------------------------------------------------


def refused(make, match, *words, **changes):
    with pytest.raises(ValueError, match=match) as caught:
        make(*words, **changes)
    assert type(caught.value).__module__.startswith("artlab")
    assert not make.out.exists()


def test_bad_pictures_are_refused(make, tmp_path):
    Image.new("RGB", (1, 1)).save(tmp_path / "dot.png")
    Image.new("1", (20_000, 3)).save(tmp_path / "long.png")
    (tmp_path / "text.png").write_text("hello")
    refused(make, "1x1: too small", content=tmp_path / "dot.png")
    refused(make, r"20000x3.*--size 4096", content=tmp_path / "long.png")
    refused(make, "is no picture", content=tmp_path / "text.png")
    refused(make, "There is no picture", content=tmp_path / "gone.png")
    refused(make, "is a folder", content=tmp_path)
    refused(make, "1x1: too small", str(tmp_path / "dot.png"))


def test_bad_styles_are_refused(make, base, tmp_path):
    refused(make, "There is no style", style=())
    refused(make, "no style picture", "gone.png")
    refused(make, "no share", f"{make.brush}:-1")
    refused(make, "no drawn artist", "drawn:nobody")
    refused(make, "needs trained styles", method="lora")
    teach(base, "stranger", fingerprint="0" * 16)
    refused(make, "taught on another base", "stranger", method="lora")
    refused(make, "does not carry the works", "stranger", method="texture")


def test_words_and_weights():
    assert sources.parse("drawn:vask") == ("drawn:vask", 1.0)
    assert sources.parse("drawn:vask:0.5") == ("drawn:vask", 0.5)
    assert sources.parse("C:\\works\\a.jpg:2") == ("C:\\works\\a.jpg", 2.0)
    assert sources.parse("wren") == ("wren", 1.0)


# -- attention --------------------------------------------------------------------------------------------------------------


def latents(base, seed=0, size=4):
    return torch.randn(1, base.channels, size, size, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("which", ["base", "diffusion"])
def test_inversion_is_undone_for_velocity_and_noise(which, request):
    """A network that sees the truth inverts exactly: then only the algebra is tested."""
    base = request.getfixturevalue(which)
    clean = latents(base)
    noise = latents(base, 1)

    def truth(x, step):
        alpha, sigma = float(base.schedule.alpha[step]), float(base.schedule.sigma[step])
        return noise if base.schedule.prediction == "epsilon" else alpha * noise - sigma * clean

    trail = attention.invert(base, clean, 10, truth, lambda k: None)
    alpha, sigma = attention.level(base, 7, 10)
    if which == "diffusion":
        assert torch.allclose(
            attention.split(base, alpha * clean + sigma * noise, noise, attention.timestep(base, 7, 10))[0], clean, atol=1e-3
        )
    assert torch.allclose(trail[7], alpha * clean + sigma * noise, atol=0.1)


@pytest.mark.parametrize("which", ["base", "diffusion"])
def test_attention_looks_at_the_style_and_leaves_no_trace(which, request):
    base = request.getfixturevalue(which)
    before = dict(base.denoiser.attn_processors)
    content, one, other = (latents(base, k, 8) for k in range(3))
    made = attention.repaint(base, content, [(one, 1.0)], steps=3)
    assert made.shape == content.shape
    assert bool(torch.isfinite(made).all())
    assert not torch.allclose(made, attention.repaint(base, content, [(other, 1.0)], steps=3))
    assert base.denoiser.attn_processors == before


def test_two_equal_styles_are_one(base):
    content, one = latents(base, 0, 8), latents(base, 1, 8)
    alone = attention.repaint(base, content, [(one, 1.0)], steps=2)
    twice = attention.repaint(base, content, [(one, 0.3), (one, 0.7)], steps=2)
    assert torch.allclose(alone, twice, atol=1e-3)


def test_a_plain_pass_is_the_base_s_own(base):
    x = latents(base, 0, 8)
    condition = base.condition([""])
    with torch.no_grad():
        plain = base.predict(x, torch.tensor([500]), condition)
        with attention.injected(base, attention.Look([1.0], 0.6)):
            assert torch.allclose(base.predict(x, torch.tensor([500]), condition), plain, atol=1e-5)


def test_the_content_s_share_falls():
    look = attention.Look([1.0], 0.6)
    for index in range(3):
        attention.Injection(look, index)
    early = [look.share(k) for k in range(3)]
    look.progress = 0.9
    late = [look.share(k) for k in range(3)]
    assert early == sorted(early, reverse=True)
    assert all(a > b for a, b in zip(early, late, strict=True))


def test_adain_gives_the_style_s_statistics():
    content, one = torch.randn(1, 4, 8, 8), 3 + 2 * torch.randn(1, 4, 8, 8)
    made = attention.adain(content, one, [1.0])
    assert torch.allclose(made.mean(dim=(2, 3)), one.mean(dim=(2, 3)), atol=1e-4)
    assert torch.allclose(made.std(dim=(2, 3)), one.std(dim=(2, 3)), atol=1e-4)


def test_windows_work_on_large_latents(base):
    big = torch.rand(3, 32, 320)
    encoded = windows.encode(base, big)
    assert encoded.shape[2:] == (32 // base.factor, 320 // base.factor)
    assert windows.side(base, *encoded.shape[2:])[1] == base.facts.resolution // base.factor
    assert windows.decode(base, encoded).size == (320, 32)
    with windows.over(base):
        made = base.predict(encoded, torch.tensor([10]), base.condition([""]))
    assert made.shape == encoded.shape


def test_the_weave_of_the_autoencoder_is_combed_out_and_a_picture_is_left_alone():
    picture = colour.pixels(images.fit(drawing.draw_work("vask", 3, height=256).picture, 256))
    weave = (
        0.1
        * torch.rand(3, 8, 8, generator=torch.Generator().manual_seed(0)).repeat(1, 40, 40)[
            :, : picture.shape[1], : picture.shape[2]
        ]
    )

    def apart(one, other):
        return float((one - other).square().mean().sqrt())

    smooth = torch.linspace(0.2, 0.7, 250).expand(3, 90, 250)
    woven = smooth + weave[:, :90, :250] - weave.mean()
    assert apart(windows._combed(woven, 8)[:, 16:72, 16:232], smooth[:, 16:72, 16:232]) < 0.2 * apart(woven, smooth)
    assert apart(windows._combed(picture, 8), picture) < 0.04


def test_what_a_base_hands_over_keeps_its_size(base):
    class Large:
        factor, upscale_factor = 8, 4

        def upscale(self, pictures):
            return [one.resize((4 * one.width, 4 * one.height)) for one in pictures]

    picture = images.fit(drawing.draw_work("vask", 3, height=700).picture, 700)
    assert windows.handed_over(base, picture) is picture  # no upscaler, no weave
    made = windows.handed_over(Large(), picture)
    assert made.size == picture.size
    assert np.abs(np.asarray(made, float) - np.asarray(picture, float)).mean() < 12


def test_the_terminal_says_how_far_it_is_whatever_the_steps(capsys, monkeypatch):
    now = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    say = Terminal()
    for done in range(10, 101, 10):
        now[0] += 2
        say(Progress(done, 100))
    say(Progress(0, 0, "a remark"))
    assert capsys.readouterr().err.splitlines() == ["[30/100]", "[60/100]", "[90/100]", "[100/100]", "a remark"]
