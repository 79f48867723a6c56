"""Latent diffusion with a UNet: Stable Diffusion 1.x and whatever has its shape, from a folder in diffusers' layout."""

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from PIL import Image
from torch import Tensor
from transformers import CLIPTextModel, CLIPTokenizer

from artlab import files
from artlab.bases.base import Base, BaseError, Condition, Facts, OnStep, seed_noise
from artlab.bases.schedule import Schedule
from artlab.bases.steering import Steering


class UNetBase(Base):
    """A UNet over the latents of an autoencoder, guided by the states of a frozen text encoder."""

    def __init__(self, name: str, folder: Path, facts: Facts, *, device: torch.device, dtype: torch.dtype) -> None:
        self.name, self.folder, self.facts, self.device, self.dtype = name, folder, facts, device, dtype
        self.fingerprint = fingerprint(weights_file(folder / "unet"))
        self.schedule = Schedule(files.read_json(need(folder / "scheduler" / "scheduler_config.json")))
        self.denoiser: UNet2DConditionModel = place(load_part(UNet2DConditionModel, folder / "unet"), device, dtype)
        self.load_autoencoder(folder)
        self.load_text(folder)
        self.guidance_interval = (0.0, 1.0)

    def load_autoencoder(self, folder: Path) -> None:
        """Load the autoencoder; a family with another kind overrides this, `to_latents` and `to_pixels`."""
        self.vae = place(load_part(AutoencoderKL, folder / "vae"), self.device, self.dtype)
        self.factor = 2 ** (len(self.vae.config.block_out_channels) - 1)
        self.channels = self.vae.config.latent_channels

    def to_latents(self, pixels: Tensor) -> Tensor:
        """The mean of the pictures' latents, scaled to about unit variance."""
        config = self.vae.config
        return (self.vae.encode(pixels).latent_dist.mode().float() - (config.shift_factor or 0.0)) * config.scaling_factor

    def to_pixels(self, latents: Tensor) -> Tensor:
        """Latents back to pictures in about [-1, 1]."""
        config = self.vae.config
        return self.vae.decode((latents / config.scaling_factor + (config.shift_factor or 0.0)).to(self.dtype)).sample

    def load_text(self, folder: Path) -> None:
        """Load tokenizer and text encoder; a family with other ones overrides this and `condition`."""
        self.tokenizer = CLIPTokenizer.from_pretrained(need(folder / "tokenizer"))
        self.text_encoder = place(load_part(CLIPTextModel, folder / "text_encoder"), self.device, self.dtype)

    @torch.no_grad()
    def condition(self, captions: Sequence[str]) -> Condition:
        """States of the text encoder's last layer: `states` (n, 77, d) for CLIP."""
        ids = self.tokenizer(list(captions), padding="max_length", truncation=True, return_tensors="pt").input_ids
        return {"states": self.text_encoder(ids.to(self.device))[0]}

    @torch.no_grad()
    def encode(self, images: Tensor) -> Tensor:
        """Pictures to latents, without chance."""
        with self.autocast():
            return self.to_latents(images.to(self.device, self.dtype)).float()

    @torch.no_grad()
    def decode(self, latents: Tensor) -> list[Image.Image]:
        """Latents (n, c, h, w) to 8-bit pictures, one by one, so that memory and rounding don't depend on the batch."""
        pictures = []
        for row in latents.split(1):
            with self.autocast():
                pixels = self.to_pixels(row)
            array = pixels[0].float().clamp(-1, 1).add(1).mul(127.5).round().byte().permute(1, 2, 0).cpu().numpy()
            pictures.append(Image.fromarray(array))
        return pictures

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

    def autocast(self) -> AbstractContextManager:
        """Mixed precision for the denoiser: adapters stay in float32 while the products are taken in `dtype`."""
        if self.dtype == torch.float32:
            return nullcontext()
        return torch.autocast(self.device.type, self.dtype)


def need(path: Path) -> Path:
    """The path, if it is there; else an error that says what a base folder must hold."""
    if not path.exists():
        raise BaseError(
            f"The base in {path.parents[0] if path.suffix else path.parent} is incomplete: {path.name} is missing. "
            "A base is a folder in diffusers' layout (unet/, vae/, scheduler/, text_encoder/, tokenizer/); download it again."
        )
    return path


def weights_file(part: Path) -> Path:
    """The safetensors weights of one part of a base. Pickled weights are refused: loading them can run code."""
    found = sorted(need(part).glob("*.safetensors"))
    if not found:
        raise BaseError(
            f"{part} holds no .safetensors weights. Pickled weights (.bin, .ckpt) can run code and are not loaded; convert the base."
        )
    return found[0]


def fingerprint(weights: Path, blocks: int = 64, block: int = 4096) -> str:
    """A hash of a weights file that takes milliseconds: its size, header and evenly spaced blocks."""
    size = weights.stat().st_size
    with open(weights, "rb") as file:
        head = file.read(8 + min(int.from_bytes(file.read(8), "little"), 10_000_000))
        parts = []
        for k in range(blocks):
            file.seek(size * k // blocks)
            parts.append(file.read(block))
    return files.fingerprint(str(size), head, *parts)


def load_part(kind: Any, folder: Path) -> Any:
    """One network of a base in float32, from safetensors only; a damaged or foreign file is named."""
    weights_file(folder)
    try:
        return kind.from_pretrained(folder, use_safetensors=True, local_files_only=True)
    except Exception as error:  # diffusers and transformers raise many kinds for a damaged folder
        raise BaseError(
            f"The base's {folder.name} in {folder} cannot be read ({type(error).__name__}: {str(error)[:160]}). Download it again."
        ) from error


def place(model: Any, device: torch.device, dtype: torch.dtype) -> Any:
    """The network frozen, in eval mode, on its device, channels last where it has convolutions."""
    model = model.to(device=device, dtype=dtype).eval().requires_grad_(False)
    return model.to(memory_format=torch.channels_last) if any(p.dim() == 4 for p in model.parameters()) else model
