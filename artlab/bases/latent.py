"""What all latent models share: an autoencoder between pictures and latents, mixed precision, and reading the parts of a folder."""

from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from diffusers import AutoencoderKL
from PIL import Image
from torch import Tensor

from artlab import files
from artlab.bases.attention import mixed
from artlab.bases.base import Base, BaseError

PREVIEW = 32


class LatentBase(Base):
    """A base that works in the latents of an autoencoder."""

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
        return self.vae.decode((latents / config.scaling_factor + (config.shift_factor or 0.0)).to(self.vae.dtype)).sample

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

    @torch.no_grad()
    def preview(self, latents: Tensor) -> list[Image.Image]:
        """Latents decoded at no more than 32 a side: 256 px where the factor is 8, whatever the size of the picture."""
        height, width = latents.shape[2:]
        share = min(1.0, PREVIEW / max(height, width))
        size = (max(1, round(height * share)), max(1, round(width * share)))
        return self.decode(latents if share == 1 else F.adaptive_avg_pool2d(latents, size))

    def autocast(self) -> AbstractContextManager:
        """Mixed precision for the denoiser: adapters stay in float32 while the products are taken in `dtype`."""
        return mixed(self.device, self.dtype)


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
    half = [file for file in found if ".fp16." in file.name]
    return (half if variant(part) else [file for file in found if file not in half])[0]


def variant(part: Path) -> str | None:
    """Which of diffusers' variants of the weights is read: `fp16` where nothing else is there or the base's `artlab.json` says so."""
    halves = [".fp16." in file.name for file in part.glob("*.safetensors")]
    meant = part.parent / "artlab.json"
    said = files.read_json(meant).get("variant") if meant.exists() else None
    return "fp16" if any(halves) and (all(halves) or said == "fp16") else None


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
        return kind.from_pretrained(folder, variant=variant(folder), use_safetensors=True, local_files_only=True)
    except Exception as error:  # diffusers and transformers raise many kinds for a damaged folder
        raise BaseError(
            f"The base's {folder.name} in {folder} cannot be read ({type(error).__name__}: {str(error)[:160]}). Download it again."
        ) from error


def place(model: Any, device: torch.device, dtype: torch.dtype) -> Any:
    """The network frozen, in eval mode, on its device, channels last where it has convolutions."""
    model = model.to(device=device, dtype=dtype).eval().requires_grad_(False)
    return model.to(memory_format=torch.channels_last) if any(p.dim() == 4 for p in model.parameters()) else model
