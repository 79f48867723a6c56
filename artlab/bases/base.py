"""What every base model offers, whatever its family: four methods and a few facts. One family is one file."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch import Tensor, nn

Condition = dict[str, Tensor]
OnStep = Callable[[int, Tensor], None]


class BaseError(ValueError):
    """A base model that cannot be used: which one, what is wrong with it, and the way out."""


@dataclass(frozen=True)
class Facts:
    """What is known of a family, from `cards.yaml`: data, not code."""

    family: str
    resolution: int
    bucket_step: int
    learning_rate: float
    guidance_scale: float
    max_words: int
    ss_base_model_version: str
    architecture: str
    licence: str
    about: str
    motifs: str = ""
    """Things that a small base was taught to draw, by the names of `drawing`; the large ones know everything."""


class Base(ABC):
    """A pretrained text-to-image model, frozen, with everything that differs between families behind four methods.

    `name` is what was asked for (`mini`, a hub id, a folder), `fingerprint` a hash of its weights: a style belongs to one fingerprint.
    `denoiser` is the network that adapters are attached to. Latents are (n, channels, height / factor, width / factor).
    """

    name: str
    fingerprint: str
    facts: Facts
    factor: int
    channels: int
    device: torch.device
    dtype: torch.dtype
    denoiser: nn.Module
    upscale_factor: int = 1

    @abstractmethod
    def encode(self, images: Tensor) -> Tensor:
        """Pictures (n, 3, h, w) in [-1, 1], sides a multiple of `factor`, to latents of about unit variance, float32."""

    @abstractmethod
    def condition(self, captions: Sequence[str]) -> Condition:
        """Captions to what the denoiser reads: tensors with one row a caption. The empty caption is the unconditional one."""

    @abstractmethod
    def loss(
        self,
        latents: Tensor,
        condition: Condition,
        *,
        noise: Tensor | None = None,
        times: Tensor | None = None,
        snr_gamma: float | None = None,
    ) -> Tensor:
        """One number per picture (n,): how badly the noise is undone.

        `times` (n,) run from 0 (clean) to 1 (all noise) and are drawn uniformly when left out, as is `noise`, shaped like the latents.
        """

    @abstractmethod
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
        """One picture per seed, `condition` having one row each. The noise of a picture depends on its seed alone.

        `size` is (width, height) in pixels. `start` gives latents and a strength in (0, 1] to begin from (image to image, Meng et al.
        2022, arXiv 2108.01073). `on_step(index, latents)` sees each step's estimate of the clean latents and may raise to stop.
        """

    def upscale(self, pictures: Sequence[Image.Image]) -> list[Image.Image]:
        """The pictures `upscale_factor` times as large, for a base that has an upscaler of its own; others leave them as they are."""
        return list(pictures)

    def preview(self, latents: Tensor) -> list[Image.Image]:
        """What latents under way would look like, roughly and quickly; a base that cannot tell gives none."""
        return []

    def describe(self) -> dict[str, Any]:
        """What a style's card keeps of its base."""
        return {
            "name": self.name.replace(str(Path.home()), "~"),
            "family": self.facts.family,
            "fingerprint": self.fingerprint,
            "resolution": self.facts.resolution,
        }


def seed_noise(seeds: Sequence[int], shape: tuple[int, ...]) -> Tensor:
    """Standard normal noise (len(seeds), *shape), each row from its own CPU generator: batch, device and order don't matter."""
    return torch.stack([torch.randn(shape, generator=torch.Generator("cpu").manual_seed(seed)) for seed in seeds])
