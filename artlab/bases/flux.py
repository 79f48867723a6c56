"""FLUX.1 (Black Forest Labs 2024): a flow transformer over packed latents that reads T5, with guidance built in (dev) or left out (schnell)."""

from collections.abc import Sequence
from pathlib import Path

import torch
from diffusers import FluxTransformer2DModel
from torch import Tensor
from transformers import AutoTokenizer, CLIPTextModel, CLIPTokenizer, T5EncoderModel

from artlab.bases.base import Condition
from artlab.bases.flow import FlowBase
from artlab.bases.latent import load_part, need, place


class FluxBase(FlowBase):
    """`FlowBase` whose tokens are 2 x 2 latents. The guidance is told to the network, so that each step is one pass."""

    transformer = FluxTransformer2DModel

    def load_text(self, folder: Path) -> None:
        """CLIP for the pooled state, T5 for the words."""
        self.clip_tokenizer = CLIPTokenizer.from_pretrained(need(folder / "tokenizer"))
        self.clip = place(load_part(CLIPTextModel, folder / "text_encoder"), self.device, self.dtype)
        self.t5_tokenizer = AutoTokenizer.from_pretrained(need(folder / "tokenizer_2"))
        self.t5 = place(load_part(T5EncoderModel, folder / "text_encoder_2"), self.device, self.dtype)
        self.tokens = 512 if self.denoiser.config.guidance_embeds else 256

    @torch.no_grad()
    def condition(self, captions: Sequence[str]) -> Condition:
        """`states` (n, 512 or 256, d) of T5 and `pooled` (n, d) of CLIP."""
        ids = self.clip_tokenizer(list(captions), padding="max_length", truncation=True, return_tensors="pt").input_ids
        told = self.t5_tokenizer(
            list(captions), padding="max_length", max_length=self.tokens, truncation=True, return_tensors="pt"
        )
        pooled = self.clip(ids.to(self.device)).pooler_output
        return {"states": self.t5(told.input_ids.to(self.device))[0], "pooled": pooled}

    def velocity(self, x_t: Tensor, sigmas: Tensor, condition: Condition, guidance: float = 1.0) -> Tensor:
        """The transformer's output, unpacked to latents. Trained at guidance 1, as diffusers' own scripts do."""
        count, channels, height, width = x_t.shape
        packed = x_t.view(count, channels, height // 2, 2, width // 2, 2).permute(0, 2, 4, 1, 3, 5)
        states, pooled = (condition[key].to(self.device, self.dtype) for key in ("states", "pooled"))
        places = torch.zeros(height // 2, width // 2, 3)
        places[..., 1], places[..., 2] = torch.arange(height // 2)[:, None], torch.arange(width // 2)[None, :]
        told = torch.full((count,), guidance, device=self.device) if self.denoiser.config.guidance_embeds else None
        with self.autocast():
            output = self.denoiser(
                packed.reshape(count, height * width // 4, channels * 4).to(self.dtype), timestep=sigmas.to(self.device),
                guidance=told, encoder_hidden_states=states, pooled_projections=pooled,
                img_ids=places.view(-1, 3).to(self.device), txt_ids=torch.zeros(states.shape[1], 3, device=self.device),
            ).sample  # fmt: skip
        unpacked = output.view(count, height // 2, width // 2, channels, 2, 2).permute(0, 3, 1, 4, 2, 5)
        return unpacked.reshape(count, channels, height, width)

    def guided(self, x: Tensor, sigmas: Tensor, condition: Condition, unconditional: Condition, guidance: float) -> Tensor:
        """One pass: the network knows guidance, or needs none. A negative prompt has no place here."""
        return self.velocity(x, sigmas, condition, guidance).float()
