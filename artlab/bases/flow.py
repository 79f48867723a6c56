"""Rectified flow in latents (Liu et al. 2022; Esser et al. 2024, arXiv 2403.03206): what Stable Diffusion 3 and FLUX share.

x_t = (1 - sigma) x_0 + sigma noise, and the network is asked for the velocity noise - x_0. Times run from 0 (clean) to 1 (all noise).
"""

from abc import abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from diffusers import FlowMatchEulerDiscreteScheduler
from PIL import Image
from torch import Tensor

from artlab import files
from artlab.bases.base import Condition, Facts, OnStep, seed_noise
from artlab.bases.latent import LatentBase, fingerprint, load_part, need, place, weights_file


class FlowBase(LatentBase):
    """A transformer over latents that predicts a velocity. A family gives its class, its text encoders and `velocity`."""

    transformer: Any
    denoiser: Any

    def __init__(self, name: str, folder: Path, facts: Facts, *, device: torch.device, dtype: torch.dtype) -> None:
        self.name, self.folder, self.facts, self.device, self.dtype = name, folder, facts, device, dtype
        self.fingerprint = fingerprint(weights_file(folder / "transformer"))
        self.config = files.read_json(need(folder / "scheduler" / "scheduler_config.json"))
        self.denoiser = place(load_part(self.transformer, folder / "transformer"), device, dtype)
        self.load_autoencoder(folder)
        self.load_text(folder)

    @abstractmethod
    def load_text(self, folder: Path) -> None:
        """Load tokenizers and text encoders."""

    @abstractmethod
    def velocity(self, x_t: Tensor, sigmas: Tensor, condition: Condition, guidance: float = 1.0) -> Tensor:
        """The denoiser's raw output for latents (n, c, h, w) with noise `sigmas` (n,). `guidance` is for networks that were told it."""

    def sigmas_of(self, times: Tensor) -> Tensor:
        """Even times to shares of noise that lie densely in the middle: quantiles of the logit-normal, shifted as the model's own.

        Esser et al. draw them so at random; as quantiles, strata of times stay strata of noise.
        """
        logits = torch.erfinv((2 * times.double() - 1).clamp(-0.9999, 0.9999)) * 2**0.5
        sigmas = logits.sigmoid().float()
        shift = 1.0 if self.config.get("use_dynamic_shifting") else float(self.config.get("shift", 1.0))
        return shift * sigmas / (1 + (shift - 1) * sigmas)

    def loss(
        self,
        latents: Tensor,
        condition: Condition,
        *,
        noise: Tensor | None = None,
        times: Tensor | None = None,
        snr_gamma: float | None = None,
    ) -> Tensor:
        """Mean squared error of the velocity. Min-SNR is made for diffusion; here the density of the times does its work."""
        latents = latents.to(self.device, torch.float32)
        noise = torch.randn_like(latents) if noise is None else noise.to(latents)
        sigmas = self.sigmas_of(torch.rand(len(latents)) if times is None else times).to(latents)
        share = sigmas.view(-1, 1, 1, 1)
        output = self.velocity((1 - share) * latents + share * noise, sigmas, condition)
        return (output.float() - (noise - latents)).square().mean(dim=(1, 2, 3))

    @torch.no_grad()
    def sample(
        self,
        condition: Condition,
        seeds: Sequence[int],
        *,
        steps: int,
        guidance: float,
        negative: Condition | None = None,
        size: tuple[int, int] | None = None,
        sampler: str = "dpm++",
        start: tuple[Tensor, float] | None = None,
        on_step: OnStep | None = None,
    ) -> list[Image.Image]:
        """Euler's method along the flow, whatever the sampler's name: the paths are nearly straight, and DDIM is the same thing here."""
        width, height = size or (self.facts.resolution,) * 2
        shape = (self.channels, height // self.factor, width // self.factor)
        scheduler = self.scheduler(steps, shape[1] * shape[2])
        timesteps = scheduler.timesteps
        x = seed_noise(seeds, shape)
        if start is not None:
            latents, strength = start
            timesteps = timesteps[len(timesteps) - max(1, round(len(timesteps) * strength)) :]
            scheduler.set_begin_index(len(scheduler.timesteps) - len(timesteps))
            share = timesteps[0] / 1000
            x = share * x + (1 - share) * latents.float().cpu()
        x = x.to(self.device)
        unconditional = negative or self.condition([""] * len(seeds))
        for index, t in enumerate(timesteps):
            sigmas = (t / 1000).to(self.device).expand(len(x))
            output = self.guided(x, sigmas, condition, unconditional, guidance)
            if on_step is not None:
                on_step(index, x - sigmas.view(-1, 1, 1, 1) * output)
            x = scheduler.step(output, t, x).prev_sample
        return self.decode(x)

    def guided(self, x: Tensor, sigmas: Tensor, condition: Condition, unconditional: Condition, guidance: float) -> Tensor:
        """The velocity, led away from the unconditional one (Ho and Salimans 2022); a network with guidance built in overrides this."""
        if guidance == 1:
            return self.velocity(x, sigmas, condition).float()
        both = {key: torch.cat([unconditional[key].to(value), value]) for key, value in condition.items()}
        away, toward = self.velocity(torch.cat([x, x]), torch.cat([sigmas, sigmas]), both).float().chunk(2)
        return away + guidance * (toward - away)

    def scheduler(self, steps: int, positions: int) -> FlowMatchEulerDiscreteScheduler:
        """The model's scheduler set to `steps`; where the shift depends on the size, latents of `positions` places in all."""
        scheduler = FlowMatchEulerDiscreteScheduler.from_config(self.config)
        sigmas = torch.linspace(1, 1 / steps, steps).tolist()
        if not self.config.get("use_dynamic_shifting"):
            scheduler.set_timesteps(sigmas=sigmas)
            return scheduler
        patch = getattr(self.denoiser.config, "patch_size", 1)
        tokens = positions / (4 if patch == 1 else patch**2)  # FLUX packs 2 x 2 latents into a token and calls its patch size 1
        low, high = self.config.get("base_image_seq_len", 256), self.config.get("max_image_seq_len", 4096)
        least, most = self.config.get("base_shift", 0.5), self.config.get("max_shift", 1.15)
        scheduler.set_timesteps(sigmas=sigmas, mu=least + (most - least) * (tokens - low) / (high - low))
        return scheduler
