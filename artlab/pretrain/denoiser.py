"""The denoiser of the embedded base: a UNet over 16 x 16 latents, trained on cached latents and cached text states.

It learns at half size first (8 x 8 latents of pictures of 64 px, four times cheaper: composition and palette), then at full size.

Velocity prediction on a cosine schedule with zero terminal SNR (Salimans and Ho 2022; Lin et al. 2024, arXiv 2305.08891), Min-SNR
weight (Hang et al. 2023), captions left out one time in ten, two running averages. The data order, the noise and the times are
functions of seed and step: a run killed at any time goes on with the very batches it would have seen.
"""

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers import UNet2DConditionModel
from numpy.typing import NDArray
from torch import Tensor

from artlab.bases.schedule import Schedule
from artlab.pretrain import bookmarks
from artlab.pretrain.autoencoder import LATENT_CHANNELS
from artlab.pretrain.pace import set_rate
from artlab.pretrain.precision import fast

SCHEDULER: dict[str, Any] = {
    "_class_name": "DDIMScheduler",
    "num_train_timesteps": 1000,
    "beta_schedule": "squaredcos_cap_v2",
    "prediction_type": "v_prediction",
    "rescale_betas_zero_snr": True,
    "timestep_spacing": "trailing",
    "clip_sample": False,
    "set_alpha_to_one": True,
    "steps_offset": 0,
}
AVERAGES = (16.97, 6.94)
"""Exponents of the running averages, power functions of the step, that look back over 5 and 10 % of the training (Karras et al. 2024,
arXiv 2312.02696): unlike a fixed decay they differ, and fit, at any number of steps."""
SAID = (0.58, 0.1, 0.2, 0.12)
"""How often a picture is asked for by its full caption, its subject, its subject and medium, its subject and palette."""


def build(channels: int = LATENT_CHANNELS) -> UNet2DConditionModel:
    """The untrained network: 14.3 M parameters, self- and cross-attention at 16, 8 and 4.

    The caption enters twice: by cross-attention, and pooled through the time embedding (as in DeepFloyd IF), which scales and shifts
    every block's normalised features (Dhariwal and Nichol 2021): so that a small network hears it everywhere.
    """
    widths = (96, 128, 192)
    return UNet2DConditionModel(
        sample_size=16,
        in_channels=channels,
        out_channels=channels,
        down_block_types=("CrossAttnDownBlock2D",) * 3,
        up_block_types=("CrossAttnUpBlock2D",) * 3,
        block_out_channels=widths,
        layers_per_block=1,
        cross_attention_dim=384,
        attention_head_dim=(2, 2, 3),
        addition_embed_type="text",
        addition_embed_type_num_heads=64,
        resnet_time_scale_shift="scale_shift",
    )


def widened(weights: dict[str, Tensor], channels: int) -> dict[str, Tensor]:
    """The weights of a network over fewer latent channels, for one over `channels`: what it does with the first ones stays, the new ones
    it neither hears nor makes yet.
    """
    wider = {name: torch.zeros_like(value) for name, value in build(channels).state_dict().items()}
    for name, value in weights.items():
        wider[name][tuple(slice(0, size) for size in value.shape)] = value
    return wider


class Cache:
    """Latents (n, c, 16, 16), those at half size (n, c, 8, 8), text states (m, 32, 384), and for each latent the rows of its captions."""

    def __init__(self, folder: Path) -> None:
        self.latents: NDArray[np.float16] = np.load(folder / "latents.npy", mmap_mode="r")
        self.half: NDArray[np.float16] = np.load(folder / "half.npy", mmap_mode="r")
        self.states: NDArray[np.float16] = np.load(folder / "states.npy", mmap_mode="r")
        self.captions: NDArray[np.int64] = np.load(folder / "captions.npy")
        self.held_out: NDArray[np.bool_] = np.load(folder / "held_out.npy")
        self.weight: NDArray[np.float64] = np.load(folder / "weight.npy")
        self.empty = torch.from_numpy(np.load(folder / "empty.npy")).float()

    def batch(
        self, rows: NDArray[np.int64], *, half: bool = False, rng: np.random.Generator | None = None
    ) -> tuple[Tensor, Tensor]:
        """Latents, at half size if asked, and text states of some rows, float32: of the full captions, or with `rng` now and then of short ones."""
        latents = torch.from_numpy((self.half if half else self.latents)[rows]).float()
        which = np.zeros(len(rows), int) if rng is None else rng.choice(4, size=len(rows), p=SAID)
        return latents, torch.from_numpy(self.states[self.captions[rows, which]]).float()


def train(
    cache: Cache,
    folder: Path,
    *,
    steps: int,
    half_steps: int = 0,
    batch_size: int = 32,
    learning_rate: float = 4e-4,
    seed: int = 0,
    save_every: int = 250,
    check_every: int = 500,
    report: Callable[[dict[str, float]], None] = print,
    initial: dict[str, Tensor] | None = None,
) -> dict[str, Tensor]:
    """Train for `steps`, going on from the newest checkpoint in `folder`; returns the longer average's weights.

    Without a checkpoint it begins with `initial`, weights of an earlier base, perhaps over fewer latent channels, or anew.
    The first `half_steps` see pictures at half size, twice as many at once.
    The rate warms up over 150 steps and falls over the last quarter (a trapezoid: a run can be lengthened without starting anew).
    """
    torch.manual_seed(seed)
    channels = cache.latents.shape[1]
    model = build(channels).to(memory_format=torch.channels_last)
    if initial is not None:
        model.load_state_dict(widened(initial, channels))
    averages = [{k: v.clone() for k, v in model.state_dict().items()} for _ in AVERAGES]
    optimizer = torch.optim.AdamW(model.parameters(), lr=learning_rate, betas=(0.9, 0.99), weight_decay=0.01)
    weights = {"model": model.state_dict(), **{f"average{index}": average for index, average in enumerate(averages)}}
    start = bookmarks.resume(folder, weights, optimizer)
    schedule = Schedule(SCHEDULER)
    seen = np.flatnonzero(~cache.held_out)
    chance = cache.weight[seen] / cache.weight[seen].sum()
    for step in range(start, steps):
        began = time.perf_counter()
        rng = np.random.default_rng([seed, step])
        half = step < half_steps
        count = 2 * batch_size if half else batch_size
        latents, states = cache.batch(np.sort(rng.choice(seen, size=count, p=chance)), half=half, rng=rng)
        states[torch.from_numpy(rng.random(count) < 0.1)] = cache.empty
        generator = torch.Generator().manual_seed(seed * 1_000_003 + step)
        noise = torch.randn(latents.shape, generator=generator)
        times = (torch.rand(count, generator=generator) + torch.arange(count)) / count
        set_rate(optimizer, learning_rate, step, steps, warm=150, fall=0.25)
        losses = errors(model, schedule, latents, states, noise, times)
        losses.mean().backward()
        norm = torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        if not torch.isfinite(norm):
            raise FloatingPointError(
                f"The denoiser's gradient is not finite at step {step}; resume from the last checkpoint in {folder}."
            )
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        _follow(averages, model, step)
        if (step + 1) % 50 == 0:
            rate = count / (time.perf_counter() - began)
            report({"step": step + 1, "loss": float(losses.detach().mean()), "norm": float(norm), "pictures_per_second": rate})
        if (step + 1) % check_every == 0:
            report({"step": step + 1, "held_out": stable_loss(averages[0], cache, half=half)})
        if (step + 1) % save_every == 0 or step + 1 == steps:
            bookmarks.save(folder, step + 1, weights, optimizer)
    return averages[-1]


def errors(model: torch.nn.Module, schedule: Schedule, latents: Tensor, states: Tensor, noise: Tensor, times: Tensor) -> Tensor:
    """Weighted squared velocity error per picture (n,)."""
    steps = schedule.steps(times)
    x = schedule.noised(latents, noise, steps).contiguous(memory_format=torch.channels_last)
    with fast():
        output = model(x, steps, encoder_hidden_states=states).sample
    return (output.float() - schedule.target(latents, noise, steps)).square().mean(dim=(1, 2, 3)) * schedule.weight(steps, 5.0)


@torch.inference_mode()
def stable_loss(weights: dict[str, Tensor], cache: Cache, *, half: bool = False, pictures: int = 128, batch: int = 32) -> float:
    """The loss on held-out pictures at fixed noise and stratified times, so that two numbers differ by the model alone."""
    model = build(cache.latents.shape[1])
    model.load_state_dict(weights)
    model.eval()
    schedule, rows = Schedule(SCHEDULER), np.flatnonzero(cache.held_out)[:pictures]
    generator, total = torch.Generator().manual_seed(0), 0.0
    for at in range(0, len(rows), batch):
        latents, states = cache.batch(rows[at : at + batch], half=half)
        times = (torch.arange(len(latents)) + 0.5) / len(latents)
        noise = torch.randn(latents.shape, generator=generator)
        total += float(errors(model, schedule, latents, states, noise, times).sum())
    return total / max(1, len(rows))


def better(state: dict[str, Tensor], cache: Cache) -> tuple[dict[str, Tensor], float]:
    """Of a checkpoint's running averages the one with the lower stable loss, and that loss."""
    averages = [bookmarks.under(state, f"average{index}.") for index in range(len(AVERAGES))]
    losses = [stable_loss(average, cache) for average in averages]
    return averages[losses.index(min(losses))], min(losses)


def _follow(averages: Sequence[dict[str, Tensor]], model: torch.nn.Module, step: int) -> None:
    with torch.no_grad():
        now = list(model.state_dict().values())
        for power, average in zip(AVERAGES, averages, strict=True):
            torch._foreach_lerp_(list(average.values()), now, 1 - (1 - 1 / (step + 1)) ** (power + 1))
