"""Making the base from scratch, in two steps of each stage: everything runs, resumes exactly, and what comes out is a base."""

import json
from functools import partial

import numpy as np
import pytest
import torch
from diffusers import AutoencoderDC, UNet2DConditionModel
from PIL import Image

from artlab import checkpoints
from artlab.bases import load_base
from artlab.pretrain import PretrainError, autoencoder, cache, data, decoder, denoiser, export, figures, pretrain, recogniser
from artlab.settings import Pretrain


@pytest.fixture(scope="module")
def sources(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pretrain")
    art = folder / "art"
    art.mkdir()
    rng = np.random.default_rng(0)
    rows = []
    for index, size in enumerate([(200, 90), (120, 130), (90, 200)]):
        Image.fromarray(rng.integers(0, 255, (size[1], size[0], 3), np.uint8)).save(art / f"{index}.jpg")
        rows.append(
            {"file_name": f"{index}.jpg", "caption": f"a painting {index}", "artist": "A" if index else "B", "monochrome": False}
        )
    (art / "captions.jsonl").write_text("\n".join(json.dumps(row) for row in rows))
    return data.drawn(folder / "drawn", count=6, seed=0, workers=1), data.real(art, folder / "real", exclude=["B"]), art


def test_data_are_drawn_once_and_by_the_seed(sources, tmp_path):
    drawn = sources[0]
    assert drawn.pictures.shape == (6, 128, 128, 3)
    again = data.drawn(tmp_path / "again", count=6, seed=0, workers=1)
    assert np.array_equal(drawn.pictures, again.pictures)
    assert [row["caption"] for row in drawn.rows] == [row["caption"] for row in again.rows]
    assert {row["subject"] for row in drawn.rows} <= set(data.WORLD)
    assert np.array_equal(data.drawn(drawn.folder, count=99, seed=5, workers=1).pictures, drawn.pictures), "done is done"


def test_real_art_gives_two_crops_of_long_works_and_leaves_artists_out(sources):
    real = sources[1]
    assert [row["file_name"] for row in real.rows] == ["1.jpg", "2.jpg", "2.jpg"]
    assert len({row["held_out"] for row in real.rows if row["file_name"] == "2.jpg"}) == 1, "crops of one work stay together"


def test_a_folder_without_captions_is_named(tmp_path):
    with pytest.raises(ValueError, match=r"captions\.jsonl"):
        data.real(tmp_path, tmp_path / "out")


def quiet(row):
    pass


def test_the_whole_way_to_a_base(sources, tmp_path):
    model = autoencoder.train(sources[:2], tmp_path / "ae", steps=2, batch_size=2, save_every=1, report=quiet).eval()
    assert checkpoints.step_of(checkpoints.latest(tmp_path / "ae")) == 2
    pixels = autoencoder.to_tensor(sources[0].pictures)
    with torch.no_grad():
        latents = model.encode(pixels).latent
        before = model.decode(latents).sample
        autoencoder.standardise(model, latents - latents.mean(dim=(0, 2, 3), keepdim=True))  # scale alone: an exact identity
        torch.testing.assert_close(model.decode(model.encode(pixels).latent).sample, before, atol=1e-3, rtol=0)
        autoencoder.standardise(model, model.encode(pixels).latent)
        standard = model.encode(pixels).latent
    torch.testing.assert_close(standard.mean(dim=(0, 2, 3)), torch.zeros(autoencoder.LATENT_CHANNELS), atol=1e-3, rtol=0)
    torch.testing.assert_close(standard.std(dim=(0, 2, 3)), torch.ones(autoencoder.LATENT_CHANNELS), atol=1e-3, rtol=0)
    assert autoencoder.psnr(model, sources[0].pictures) > 0

    cached = cache.build(sources[0], [sources[1]], model, tmp_path / "cache", real_share=0.25)
    assert cached.latents.shape == (9, autoencoder.LATENT_CHANNELS, 16, 16)
    reals = cached.weight[6:].sum()
    assert reals / cached.weight.sum() == pytest.approx(0.25)
    latents, states = cached.batch(np.array([0, 8]))
    assert (latents.shape, states.shape) == ((2, autoencoder.LATENT_CHANNELS, 16, 16), (2, 32, 384))
    assert cached.batch(np.array([0, 8]), half=True)[0].shape == (2, autoencoder.LATENT_CHANNELS, 8, 8)

    weights = denoiser.train(
        cached, tmp_path / "unet", steps=2, half_steps=1, batch_size=2, save_every=1, check_every=1, report=quiet
    )
    unet = denoiser.build()
    unet.load_state_dict(weights)
    folder = export.export(model, unet, tmp_path / "mini", {"denoiser_steps": 2})
    base = load_base(str(folder), device="cpu", precision="fp32")
    (picture,) = base.sample(base.condition(["a fox"]), [0], steps=2, guidance=2.0)
    assert picture.size == (128, 128)


def test_an_autoencoder_is_widened_and_its_denoiser_with_it(sources, tmp_path):
    """More latent channels: both networks begin where the narrower ones were."""
    torch.manual_seed(3)
    narrow, unet = autoencoder.build(4).eval(), denoiser.build(4).eval()
    wide, wider = autoencoder.widened(narrow, 6).eval(), denoiser.build(6).eval()
    wider.load_state_dict(denoiser.widened(unet.state_dict(), 6))
    pixels, states = autoencoder.to_tensor(sources[0].pictures[:1]), torch.randn(1, 32, 384)
    with torch.no_grad():
        latents = wide.encode(pixels).latent
        torch.testing.assert_close(latents[:, :4], narrow.encode(pixels).latent)
        small = unet(latents[:, :4], 500, states).sample
        made = wider(latents, 500, states).sample
    torch.testing.assert_close(made[:, :4], small)
    assert not made[:, 4:].any()


def test_going_on_with_more_channels(sources, tmp_path):
    """`artlab pretrain autoencoder --start BASE` with more --latent_channels, then the denoiser, then export: a base that draws."""
    start = export.export(autoencoder.build(), denoiser.build(), tmp_path / "start", {})
    root = tmp_path / "root"
    root.mkdir()
    (root / "drawn").symlink_to(sources[0].folder)
    asked = {
        "start": start,
        "output_dir": root,
        "latent_channels": autoencoder.LATENT_CHANNELS + 2,
        "autoencoder_steps": 1,
        "denoiser_steps": 1,
        "half_steps": 0,
    }
    for stage in ("autoencoder", "denoiser", "export"):
        made = pretrain(Pretrain(stage=stage, batch_size=2, **asked))
    base = load_base(str(made), device="cpu", precision="fp32")
    assert base.vae.config.latent_channels == base.denoiser.config.in_channels == autoencoder.LATENT_CHANNELS + 2
    assert base.sample(base.condition(["a fox"]), [0], steps=2, guidance=2.0)[0].size == (128, 128)


def test_the_judge_learns_and_goes_on_where_it_was(sources, tmp_path):
    """After some steps on six pictures it knows these; its answers are words, its shares count them."""
    rows = [dict(row, held_out=False) for row in sources[0].rows]
    folder = tmp_path / "drawn"
    folder.mkdir()
    (folder / "pictures.npy").symlink_to(sources[0].folder / "pictures.npy")
    (folder / "rows.jsonl").write_text("\n".join(json.dumps(row) for row in rows))
    told = []
    drawn, given = data.Source(folder), {"batch_size": 6, "learning_rate": 3e-3, "report": told.append}
    recogniser.train(drawn, tmp_path / "judge", steps=10, save_every=10, **given)
    assert checkpoints.step_of(checkpoints.latest(tmp_path / "judge")) == 10
    judge = recogniser.train(drawn, tmp_path / "judge", steps=50, **given)
    assert told[-1]["subject"] >= 0.5, "chance is one in six"
    pictures = [Image.fromarray(picture) for picture in drawn.pictures]
    shares = recogniser.shares(judge.answers(pictures), rows)
    assert set(shares) == set(recogniser.QUESTIONS)
    assert recogniser.shares(judge.answers(pictures), [dict(row, palette="nothing") for row in rows])["palette"] == 0


def test_figures_of_a_base(sources, tmp_path, monkeypatch):
    """Every figure with what stands beside it, from pictures that the base made."""
    base = load_base("mini", device="cpu", precision="fp32")
    monkeypatch.setattr(figures, "sample", partial(figures.sample, steps=2, batch=20))
    rows = [dict(row, held_out=index >= 8) for index, row in enumerate(sources[0].rows * 8)]
    folder = tmp_path / "drawn"
    folder.mkdir()
    np.save(folder / "pictures.npy", np.concatenate([sources[0].pictures] * 8))
    (folder / "rows.jsonl").write_text("\n".join(json.dumps(row) for row in rows))
    judge = recogniser.Recogniser({what: sorted({row[what] for row in rows}) for what in recogniser.QUESTIONS}).eval()
    found = figures.figures(base, judge, data.Source(folder), None, count=20, taught=8)
    assert set(found["obedience"]) == set(recogniser.QUESTIONS)
    assert all(0 <= value <= 1 for figure in found["obedience"].values() for value in figure.values())
    assert found["to_drawn"]["n"] == 20
    assert found["to_drawn"]["fd"] > 0


def test_a_killed_denoiser_goes_on_exactly(sources, tmp_path, monkeypatch):
    cached = cache.build(sources[0], [], autoencoder.build().eval(), tmp_path / "cache", real_share=0.0)
    given = {"steps": 2, "half_steps": 1, "batch_size": 1, "save_every": 1, "check_every": 99, "report": quiet}
    whole = denoiser.train(cached, tmp_path / "whole", **given)
    save = checkpoints.save

    def die(*args, **kwargs):
        save(*args, **kwargs)
        raise KeyboardInterrupt

    monkeypatch.setattr(checkpoints, "save", die)
    with pytest.raises(KeyboardInterrupt):
        denoiser.train(cached, tmp_path / "parts", **given)
    monkeypatch.setattr(checkpoints, "save", save)
    assert checkpoints.step_of(checkpoints.latest(tmp_path / "parts")) == 1
    parts = denoiser.train(cached, tmp_path / "parts", **given)
    assert all(torch.equal(whole[key], parts[key]) for key in whole)


def test_the_running_averages_look_back_a_share_of_the_training():
    """Two powers of the step give two averages at any length; weights that rise by one a step show how far each looks back."""
    model = torch.nn.Linear(1, 1, bias=False)
    averages = [{"weight": torch.zeros(1, 1)} for _ in denoiser.AVERAGES]
    for step in range(1000):
        model.weight.data.fill_(step)
        denoiser._follow(averages, model, step)
    back = [1 - float(average["weight"]) / 999 for average in averages]
    assert back == pytest.approx([1 / (power + 2) for power in denoiser.AVERAGES], rel=0.05)


def test_the_better_average_is_exported(sources, tmp_path):
    cached = cache.build(sources[0], [], autoencoder.build().eval(), tmp_path / "cache", real_share=0.0)
    cached.held_out[:2] = True
    torch.manual_seed(0)
    good = denoiser.build().state_dict()
    bad = {**good, "conv_out.weight": good["conv_out.weight"] * 30}
    for first, second in ((good, bad), (bad, good)):
        state = {f"average{at}.{name}": value for at, one in enumerate((first, second)) for name, value in one.items()}
        weights, loss = denoiser.better(state, cached)
        assert torch.equal(weights["conv_out.weight"], good["conv_out.weight"])
        assert loss == denoiser.stable_loss(good, cached)


def test_a_wider_denoiser_needs_a_wider_autoencoder_first(sources, tmp_path):
    start = export.export(autoencoder.build(), denoiser.build(), tmp_path / "start", {})
    root = tmp_path / "root"
    root.mkdir()
    (root / "drawn").symlink_to(sources[0].folder)
    with pytest.raises(PretrainError, match="widen it first"):
        pretrain(Pretrain(stage="denoiser", start=start, output_dir=root, latent_channels=autoencoder.LATENT_CHANNELS + 2))
    assert not (root / "vae").exists()


def test_the_verb_goes_on_from_a_base_that_is_there(sources, tmp_path):
    """`artlab pretrain` with --start: the autoencoder is taken over, the denoiser begins with the base's weights."""
    torch.manual_seed(1)
    model, unet = autoencoder.build(), denoiser.build()
    start = export.export(model, unet, tmp_path / "start", {})
    root = tmp_path / "root"
    root.mkdir()
    (root / "drawn").symlink_to(sources[0].folder)
    settings = Pretrain(stage="denoiser", start=start, output_dir=root, denoiser_steps=1, batch_size=1, learning_rate=1e-12)
    pretrain(settings)
    made = UNet2DConditionModel.from_pretrained(pretrain(settings.model_copy(update={"stage": "export"})) / "unet")
    for ours, theirs in zip(made.parameters(), unet.parameters(), strict=True):
        torch.testing.assert_close(ours.float(), theirs.float(), atol=1e-3, rtol=1e-2)
    with pytest.raises(PretrainError, match="denoiser"):
        pretrain(Pretrain(stage="export", output_dir=tmp_path / "nothing"))


def test_a_decoder_that_learns_on_leaves_every_latent_as_it_was(sources, tmp_path):
    """`artlab pretrain decoder`: the encoder stands still, so that a denoiser over its latents stays valid; a killed run goes on."""
    torch.manual_seed(2)
    before = autoencoder.build().eval()
    start = export.export(before, denoiser.build(), tmp_path / "start", {})
    root = tmp_path / "root"
    root.mkdir()
    (root / "drawn").symlink_to(sources[0].folder)
    settings = Pretrain(stage="decoder", start=start, output_dir=root, decoder_steps=2)
    after = AutoencoderDC.from_pretrained(pretrain(settings)).float().eval()
    assert checkpoints.step_of(checkpoints.latest(root / "decoder")) == 2
    pixels = autoencoder.to_tensor(sources[0].pictures[:2])
    given = AutoencoderDC.from_pretrained(start / "vae").float().eval()
    with torch.no_grad():
        latents = after.encode(pixels).latent
        assert torch.equal(latents, given.encode(pixels).latent)
        assert not torch.equal(after.decode(latents).sample, given.decode(latents).sample)
    again = AutoencoderDC.from_pretrained(pretrain(settings)).float()
    assert all(torch.equal(ours, theirs) for ours, theirs in zip(again.parameters(), after.parameters(), strict=True))
    assert (
        str(tmp_path) not in (export.export(after, denoiser.build(), tmp_path / "base", {}) / "vae" / "config.json").read_text()
    )


def test_the_adversary_learns_to_tell_what_is_made():
    torch.manual_seed(0)
    adversary = decoder.Adversary([4, 8])
    optimizer = torch.optim.Adam(adversary.parameters(), 2e-3)
    for _ in range(60):
        real = [torch.randn(4, 4, 8, 8).cumsum(3), torch.randn(4, 8, 8, 8).cumsum(3)]
        made = [torch.randn(4, 4, 8, 8), torch.randn(4, 8, 8, 8)]
        caught = decoder.hinge(adversary(real), adversary(made))
        optimizer.zero_grad()
        caught.backward()
        optimizer.step()
    assert caught < 1.2 < decoder.hinge([torch.zeros(1)], [torch.zeros(1)]) == 2
