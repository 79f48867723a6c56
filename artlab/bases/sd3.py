"""Stable Diffusion 3 and 3.5 (Esser et al. 2024, arXiv 2403.03206): a flow transformer that reads two CLIPs and, if there, T5."""

from collections.abc import Sequence
from pathlib import Path

import torch
from diffusers import SD3Transformer2DModel
from torch import Tensor
from torch.nn import functional
from transformers import AutoTokenizer, CLIPTextModelWithProjection, CLIPTokenizer, T5EncoderModel

from artlab.bases.base import Condition
from artlab.bases.flow import FlowBase
from artlab.bases.latent import load_part, need, place

T5_TOKENS = 256


class SD3Base(FlowBase):
    """`FlowBase` with the states of CLIP and OpenCLIP side by side, T5's after them, and both pooled states."""

    transformer = SD3Transformer2DModel

    def load_text(self, folder: Path) -> None:
        """Both CLIPs, and T5 where the folder has it: the model was trained to do without."""
        self.clips = [
            (CLIPTokenizer.from_pretrained(need(folder / f"tokenizer{suffix}")), self._encoder(folder, suffix))
            for suffix in ("", "_2")
        ]
        self.t5 = None
        if (folder / "text_encoder_3").exists():
            encoder = place(load_part(T5EncoderModel, folder / "text_encoder_3"), self.device, self.dtype)
            self.t5 = (AutoTokenizer.from_pretrained(need(folder / "tokenizer_3")), encoder)

    def _encoder(self, folder: Path, suffix: str) -> CLIPTextModelWithProjection:
        return place(load_part(CLIPTextModelWithProjection, folder / f"text_encoder{suffix}"), self.device, self.dtype)

    @torch.no_grad()
    def condition(self, captions: Sequence[str]) -> Condition:
        """`states` (n, 77 + 256, d) and `pooled` (n, d1 + d2)."""
        states, pooled = [], []
        for tokenizer, encoder in self.clips:
            ids = tokenizer(list(captions), padding="max_length", truncation=True, return_tensors="pt").input_ids
            read = encoder(ids.to(self.device), output_hidden_states=True)
            states.append(read.hidden_states[-2])
            pooled.append(read.text_embeds)
        width = self.denoiser.config.joint_attention_dim
        clip = torch.cat(states, dim=-1)
        clip = functional.pad(clip, (0, width - clip.shape[-1]))
        if self.t5 is None:
            t5 = clip.new_zeros(len(captions), T5_TOKENS, width)
        else:
            tokenizer, encoder = self.t5
            told = tokenizer(list(captions), padding="max_length", max_length=T5_TOKENS, truncation=True, return_tensors="pt")
            t5 = encoder(told.input_ids.to(self.device))[0]
        return {"states": torch.cat([clip, t5.to(clip)], dim=1), "pooled": torch.cat(pooled, dim=-1)}

    def velocity(self, x_t: Tensor, sigmas: Tensor, condition: Condition, guidance: float = 1.0) -> Tensor:
        """The transformer's output; guidance is not built in."""
        states, pooled = (condition[key].to(self.device, self.dtype) for key in ("states", "pooled"))
        with self.autocast():
            return self.denoiser(
                x_t.to(self.dtype),
                timestep=sigmas.to(self.device) * 1000,
                encoder_hidden_states=states,
                pooled_projections=pooled,
            ).sample
