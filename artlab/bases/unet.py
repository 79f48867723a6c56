"""Latent diffusion with a UNet: Stable Diffusion 1.x and whatever has its shape, from a folder in diffusers' layout."""

from collections.abc import Sequence
from pathlib import Path

import torch
from diffusers import UNet2DConditionModel
from PIL import Image
from torch import Tensor
from transformers import CLIPTextModel, CLIPTokenizer

from artlab import files
from artlab.bases.base import Condition, Facts, OnStep, seed_noise
from artlab.bases.latent import LatentBase, fingerprint, load_part, need, place, weights_file
from artlab.bases.schedule import Schedule
from artlab.bases.steering import Steering


class UNetBase(LatentBase):
    """A UNet over the latents of an autoencoder, guided by the states of a frozen text encoder."""

    def __init__(self, name: str, folder: Path, facts: Facts, *, device: torch.device, dtype: torch.dtype) -> None:
        self.name, self.folder, self.facts, self.device, self.dtype = name, folder, facts, device, dtype
        self.fingerprint = fingerprint(weights_file(folder / "unet"))
        self.schedule = Schedule(files.read_json(need(folder / "scheduler" / "scheduler_config.json")))
        self.denoiser: UNet2DConditionModel = place(load_part(UNet2DConditionModel, folder / "unet"), device, dtype)
        self.load_autoencoder(folder)
        self.load_text(folder)
        self.guidance_interval = (0.0, 1.0)

    def load_text(self, folder: Path) -> None:
        """Load tokenizer and text encoder; a family with other ones overrides this and `condition`."""
        self.tokenizer = CLIPTokenizer.from_pretrained(need(folder / "tokenizer"))
        self.text_encoder = place(load_part(CLIPTextModel, folder / "text_encoder"), self.device, self.dtype)

    @torch.no_grad()
    def condition(self, captions: Sequence[str]) -> Condition:
        """States of the text encoder's last layer: `states` (n, 77, d) for CLIP."""
        ids = self.tokenizer(list(captions), padding="max_length", truncation=True, return_tensors="pt").input_ids
        return {"states": self.text_encoder(ids.to(self.device))[0]}

    def loss(
        self,
        latents: Tensor,
        condition: Condition,
        *,
        noise: Tensor | None = None,
        times: Tensor | None = None,
        snr_gamma: float | None = None,
    ) -> Tensor:
        """Mean squared error of the predicted noise or velocity, Min-SNR weighted if `snr_gamma` is given."""
        latents = latents.to(self.device, torch.float32)
        noise = torch.randn_like(latents) if noise is None else noise.to(latents)
        steps = self.schedule.steps(torch.rand(len(latents)) if times is None else times)
        output = self.predict(self.schedule.noised(latents, noise, steps), steps, condition)
        errors = (output.float() - self.schedule.target(latents, noise, steps)).square().mean(dim=(1, 2, 3))
        return errors * self.schedule.weight(steps, snr_gamma).to(errors)

    def predict(self, x_t: Tensor, steps: Tensor, condition: Condition) -> Tensor:
        """The denoiser's raw output for noisy latents at integer timesteps (n,)."""
        x = x_t.to(self.dtype).contiguous(memory_format=torch.channels_last)
        with self.autocast():
            return self.denoiser(
                x, steps.to(self.device), encoder_hidden_states=condition["states"].to(self.device, self.dtype)
            ).sample

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
        steering: Steering | None = None,
    ) -> list[Image.Image]:
        """Classifier-free guided sampling (Ho and Salimans 2022), guided in the middle interval of noise (Kynkäänniemi et al. 2024)."""
        width, height = size or (self.facts.resolution,) * 2
        shape = (self.channels, height // self.factor, width // self.factor)
        scheduler = self.schedule.sampler(sampler, steps)
        timesteps = scheduler.timesteps
        steering = steering or Steering()
        noise = seed_noise(seeds, shape) if steering.noise is None else steering.noise.float().cpu()
        if start is None:
            x = noise * scheduler.init_noise_sigma
        else:
            latents, strength = start
            timesteps = timesteps[len(timesteps) - max(1, round(len(timesteps) * strength)) :]
            if hasattr(scheduler, "set_begin_index"):  # DDIM counts nothing
                scheduler.set_begin_index(len(scheduler.timesteps) - len(timesteps))
            x = scheduler.add_noise(latents.float().cpu(), noise, timesteps[:1].repeat(len(noise)))
        x = x.to(self.device)
        unconditional = negative or self.condition([""] * len(seeds))
        for index, t in enumerate(timesteps):
            steering.before(index, len(timesteps))
            inputs = scheduler.scale_model_input(x, t)

            def guess(wanted: Condition, inputs: Tensor = inputs, t: Tensor = t) -> Tensor:
                return self.guided(inputs, t, wanted, unconditional, guidance)

            output = steering.output(guess) if steering.output else guess(condition)
            if on_step is not None:
                on_step(index, self.schedule.clean(x, output, t.long().expand(len(x))))
            x = scheduler.step(output, t, x).prev_sample
        return self.decode(x)

    def guided(self, x: Tensor, t: Tensor, condition: Condition, unconditional: Condition, guidance: float) -> Tensor:
        """The output for noisy latents at the timestep `t`, led away from the unconditional one; one pass where guidance is off."""
        low, high = self.guidance_interval
        steps = t.long().expand(len(x))
        if guidance == 1 or not low <= float(t) / len(self.schedule.alpha) <= high:
            return self.predict(x, steps, condition).float()
        both = {key: torch.cat([unconditional[key].to(value), value]) for key, value in condition.items()}
        away, toward = self.predict(torch.cat([x, x]), torch.cat([steps, steps]), both).float().chunk(2)
        return away + guidance * (toward - away)
