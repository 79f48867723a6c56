"""Stable Diffusion XL (Podell et al. 2023, arXiv 2307.01952): a UNet that reads two text encoders and the size of the picture."""

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor
from transformers import CLIPTextModel, CLIPTextModelWithProjection, CLIPTokenizer

from artlab import files
from artlab.bases.base import Condition
from artlab.bases.latent import load_part, need, place
from artlab.bases.unet import UNetBase


class SDXLBase(UNetBase):
    """`UNetBase` with the penultimate states of CLIP and OpenCLIP side by side, OpenCLIP's pooled state and the picture's size."""

    def load_autoencoder(self, folder: Path) -> None:
        """As ever, but in float32 where the device would run it in float16, in which its values overflow."""
        super().load_autoencoder(folder)
        if self.dtype == torch.float16:
            self.vae.float()

    def to_latents(self, pixels: Tensor) -> Tensor:
        """Latents of the pictures, in the autoencoder's own precision."""
        with torch.autocast(self.device.type, enabled=self.vae.dtype == self.dtype != torch.float32, dtype=self.vae.dtype):
            return super().to_latents(pixels.to(self.vae.dtype))

    def to_pixels(self, latents: Tensor) -> Tensor:
        """Latents back to pictures, in the autoencoder's own precision."""
        with torch.autocast(self.device.type, enabled=self.vae.dtype == self.dtype != torch.float32, dtype=self.vae.dtype):
            return super().to_pixels(latents)

    def load_text(self, folder: Path) -> None:
        """Both tokenizers and both encoders."""
        kinds = (("", CLIPTextModel), ("_2", CLIPTextModelWithProjection))
        self.tokenizers = [CLIPTokenizer.from_pretrained(need(folder / f"tokenizer{suffix}")) for suffix, _ in kinds]
        self.encoders = [
            place(load_part(kind, folder / f"text_encoder{suffix}"), self.device, self.dtype) for suffix, kind in kinds
        ]
        index = folder / "model_index.json"
        self.zeros_for_nothing = bool(index.exists() and files.read_json(index).get("force_zeros_for_empty_prompt", True))

    @torch.no_grad()
    def condition(self, captions: Sequence[str]) -> Condition:
        """`states` (n, 77, d1 + d2) and `pooled` (n, d2); zeros for the empty caption where the model was trained so."""
        states = []
        for tokenizer, encoder in zip(self.tokenizers, self.encoders, strict=True):
            ids = tokenizer(list(captions), padding="max_length", truncation=True, return_tensors="pt").input_ids
            read = encoder(ids.to(self.device), output_hidden_states=True)
            states.append(read.hidden_states[-2])
        made = {"states": torch.cat(states, dim=-1), "pooled": read.text_embeds}
        if self.zeros_for_nothing:
            empty = torch.tensor([not caption for caption in captions], device=self.device)
            made = {key: torch.where(empty.view(-1, *[1] * (value.dim() - 1)), 0.0, value) for key, value in made.items()}
        return made

    def predict(self, x_t: Tensor, steps: Tensor, condition: Condition) -> Tensor:
        """The denoiser's raw output; it is told that the picture was never larger and never cropped."""
        height, width = (side * self.factor for side in x_t.shape[-2:])
        size = torch.tensor([[height, width, 0, 0, height, width]], device=self.device).expand(len(x_t), -1)
        x = x_t.to(self.dtype).contiguous(memory_format=torch.channels_last)
        more = {"text_embeds": condition["pooled"].to(self.device, self.dtype), "time_ids": size}
        states = condition["states"].to(self.device, self.dtype)
        with self.autocast():
            return self.denoiser(x, steps.to(self.device), encoder_hidden_states=states, added_cond_kwargs=more).sample
