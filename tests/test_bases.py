"""Base families: the real classes, tiny, behind four methods; and every unusable base named with the way out."""

import json

import numpy as np
import pytest
import tiny
import torch
from diffusers import DDIMScheduler

from artlab import bases
from artlab.bases import BaseError, latent, load_base, mini
from artlab.bases.schedule import Schedule


@pytest.fixture(scope="module")
def sd(tmp_path_factory):
    return tiny.stable_diffusion(tmp_path_factory.mktemp("base") / "sd")


@pytest.fixture(scope="module", params=["sd", "tiny mini"])
def base(request, sd, tiny_base_folder):
    return load_base(str(sd if request.param == "sd" else tiny_base_folder), device="cpu", precision="fp32")


def pictures(base, seeds, **more):
    given = {"steps": 3, "guidance": 3.0, "size": (64, 64)} | more
    return [np.asarray(picture).astype(int) for picture in base.sample(base.condition(["a cat"] * len(seeds)), seeds, **given)]


def test_latents_have_the_shape_that_is_promised(base):
    latents = base.encode(torch.rand(2, 3, 64, 96) * 2 - 1)
    assert latents.shape == (2, base.channels, 64 // base.factor, 96 // base.factor)
    assert latents.dtype == torch.float32
    assert not latents.requires_grad


def test_loss_is_one_number_a_picture_and_depends_on_its_own_row(base):
    torch.manual_seed(0)
    latents, noise = torch.randn(3, base.channels, 8, 8), torch.randn(3, base.channels, 8, 8)
    condition, times = base.condition(["cat", "a cat", ""]), torch.tensor([0.1, 0.5, 0.9])
    whole = base.loss(latents, condition, noise=noise, times=times, snr_gamma=5.0)
    assert whole.shape == (3,)
    alone = base.loss(latents[1:2], {k: v[1:2] for k, v in condition.items()}, noise=noise[1:2], times=times[1:2], snr_gamma=5.0)
    torch.testing.assert_close(alone[0], whole[1], rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("sampler", ["dpm++", "ddim", "euler"])
def test_a_picture_depends_on_its_seed_and_not_on_its_neighbours(base, sampler):
    together = pictures(base, [3, 7, 11], sampler=sampler)
    alone = pictures(base, [7], sampler=sampler)[0]
    assert np.abs(together[1] - alone).max() <= 1  # the last bit of a float may differ between batch sizes
    assert np.abs(together[0] - together[1]).max() > 1
    assert alone.shape == (64, 64, 3)


def test_guidance_one_needs_no_second_pass_and_ignores_the_negative(base):
    plain = pictures(base, [1], guidance=1.0)[0]
    assert np.abs(plain - pictures(base, [1], guidance=1.0, negative=base.condition(["cat"]))[0]).max() == 0
    assert np.abs(plain - pictures(base, [1], guidance=8.0)[0]).max() > 0


def test_starting_from_a_picture_stays_near_it_at_low_strength(base):
    start = base.encode(torch.ones(1, 3, 64, 64) * 0.5)
    light, heavy = (pictures(base, [1], start=(start, strength), steps=10)[0] for strength in (0.1, 1.0))
    kept = np.asarray(base.decode(start)[0]).astype(int)
    assert np.abs(light - kept).mean() < np.abs(heavy - kept).mean()


def test_on_step_sees_every_step_and_may_stop(base):
    seen = []
    pictures(base, [1], on_step=lambda index, latents: seen.append((index, tuple(latents.shape))))
    assert [index for index, _ in seen] == [0, 1, 2]
    assert seen[0][1] == (1, base.channels, 64 // base.factor, 64 // base.factor)

    def stop(index, latents):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        pictures(base, [1], on_step=stop)


def test_captions_are_read_alone(base):
    together, alone = base.condition(["cat", "a much longer caption about a cat and a ca"]), base.condition(["cat"])
    for key, value in alone.items():
        torch.testing.assert_close(together[key][:1], value, rtol=1e-4, atol=1e-5)


def test_the_shipped_base_draws(tmp_path):
    """The embedded base loads from the package, without a network, and makes a picture that is not flat."""
    base = load_base("mini", device="cpu")
    (picture,) = base.sample(base.condition(["a watercolour of a boat by the sea, sea colours"]), [1], steps=4, guidance=3.0)
    assert picture.size == (128, 128)
    assert base.upscale([picture])[0].size == (512, 512)
    assert np.asarray(picture).std() > 10
    parts = ("unet", "vae")
    assert sum(latent.weights_file(mini.folder() / part).stat().st_size for part in parts) < 60e6


def test_the_shipped_base_loads_with_plain_diffusers():
    from diffusers import AutoencoderDC, UNet2DConditionModel  # noqa: PLC0415

    assert UNet2DConditionModel.from_pretrained(mini.folder() / "unet").config.cross_attention_dim == mini.WIDTH
    assert AutoencoderDC.from_pretrained(mini.folder() / "vae").config.latent_channels == 16


# -- schedules --------------------------------------------------------------------------------------------------------------


def test_min_snr_weights_are_the_papers():
    config = {"num_train_timesteps": 1000, "beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear"}
    steps = torch.tensor([0, 300, 900])
    cumulative = DDIMScheduler(**config).alphas_cumprod[steps]
    snr = cumulative / (1 - cumulative)
    epsilon = Schedule(config | {"prediction_type": "epsilon"}).weight(steps, 5.0)
    velocity = Schedule(config | {"prediction_type": "v_prediction"}).weight(steps, 5.0)
    torch.testing.assert_close(epsilon, snr.clamp(max=5) / snr, rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(velocity, snr.clamp(max=5) / (snr + 1), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("prediction", ["epsilon", "v_prediction"])
def test_target_and_clean_undo_each_other(prediction):
    schedule = Schedule({"num_train_timesteps": 1000, "prediction_type": prediction})
    torch.manual_seed(0)
    clean, noise, steps = torch.randn(4, 2, 3, 3), torch.randn(4, 2, 3, 3), torch.tensor([1, 200, 500, 900])
    noised = schedule.noised(clean, noise, steps)
    torch.testing.assert_close(schedule.clean(noised, schedule.target(clean, noise, steps), steps), clean, rtol=1e-3, atol=1e-3)


def test_times_cover_all_steps():
    schedule = Schedule({"num_train_timesteps": 1000})
    assert schedule.steps(torch.tensor([0.0, 0.5, 0.9999, 1.0])).tolist() == [0, 500, 999, 999]


# -- bases that cannot be used -----------------------------------------------------------------------------------------------


def test_an_unknown_name_says_what_a_base_may_be():
    with pytest.raises(BaseError, match=r"no base “/no/such”.*neither"):
        load_base("/no/such")


def test_a_hub_id_without_a_network_says_so(monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(BaseError, match="not on this machine"):
        load_base("somebody/some-model")


def test_a_folder_without_an_index_is_no_base(tmp_path):
    with pytest.raises(BaseError, match=r"no model_index\.json"):
        load_base(str(tmp_path))


def test_a_single_file_is_refused(tmp_path):
    (tmp_path / "model.ckpt").write_bytes(b"x")
    with pytest.raises(BaseError, match="is a file"):
        load_base(str(tmp_path / "model.ckpt"))


def test_another_family_is_named(tmp_path):
    (tmp_path / "model_index.json").write_text(json.dumps({"_class_name": "WanPipeline"}))
    with pytest.raises(BaseError, match="WanPipeline"):
        load_base(str(tmp_path))


@pytest.mark.parametrize(
    ("part", "words"),
    [
        ("scheduler/scheduler_config.json", "scheduler_config"),
        ("unet/diffusion_pytorch_model.safetensors", "no .safetensors weights"),
        ("tokenizer", "tokenizer is missing"),
        ("vae", "vae is missing"),
    ],
)
def test_an_incomplete_folder_names_what_is_missing(tmp_path, part, words):
    folder = tiny.stable_diffusion(tmp_path / "sd")
    path = folder / part
    if path.is_dir():
        for file in path.iterdir():
            file.unlink()
        path.rmdir()
    else:
        path.unlink()
    with pytest.raises(BaseError) as caught:
        load_base(str(folder), device="cpu", precision="fp32")
    assert words in str(caught.value)


def test_damaged_weights_are_named(tmp_path):
    folder = tiny.stable_diffusion(tmp_path / "sd")
    path = folder / "unet" / "diffusion_pytorch_model.safetensors"
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(BaseError, match=r"unet in .* cannot be read"):
        load_base(str(folder), device="cpu", precision="fp32")


def test_pickled_weights_are_refused(tmp_path):
    folder = tiny.stable_diffusion(tmp_path / "sd")
    path = folder / "unet" / "diffusion_pytorch_model.safetensors"
    path.rename(path.with_suffix(".bin"))
    with pytest.raises(BaseError, match="Pickled weights"):
        load_base(str(folder), device="cpu", precision="fp32")


def test_a_device_that_is_not_there_is_named():
    with pytest.raises(BaseError, match="cuda:99"):
        bases.choose_device("cuda:99")


def test_other_weights_have_another_fingerprint(tmp_path, sd):
    other = tiny.stable_diffusion(tmp_path / "sd", seed=1)
    prints = {load_base(str(folder), device="cpu", precision="fp32").fingerprint for folder in (sd, other, sd)}
    assert len(prints) == 2
