"""The decoder alone learns on, while the encoder stands still: latents, and whatever learned over them, stay valid.

What the encoder did not keep cannot be put back in its place, but as grain of the right kind: an adversary looks at EfficientNet's frozen
feature maps and tells decoded pictures from real ones (Projected GAN, Sauer et al. 2021, arXiv 2111.01007; hinge loss, spectral norm), as
autoencoders of latent diffusion are taught (Rombach et al. 2022). It pulls at the pixels with a fixed share of the force of the other terms. The
latents get some noise, as a denoiser leaves some.
"""

import copy
import math
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from diffusers import AutoencoderDC
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from artlab.pretrain import bookmarks
from artlab.pretrain.autoencoder import Report, crops, follow, pixel_terms, relative
from artlab.pretrain.data import Source
from artlab.pretrain.pace import set_rate
from artlab.pretrain.precision import fast

NOISE = 0.15
PULL = 0.22
"""Force of the adversary at the pixels, as a share of all other terms'."""


class Adversary(nn.Module):
    """One small convolutional head on each feature map; positive where a place looks real."""

    def __init__(self, channels: Sequence[int]) -> None:
        super().__init__()
        self.heads = nn.ModuleList(
            nn.Sequential(
                spectral_norm(nn.Conv2d(width, 64, 3, padding=1)),
                nn.LeakyReLU(0.2),
                spectral_norm(nn.Conv2d(64, 64, 3, stride=2, padding=1)),
                nn.LeakyReLU(0.2),
                spectral_norm(nn.Conv2d(64, 1, 3, padding=1)),
            )
            for width in channels
        )

    def forward(self, maps: Sequence[Tensor]) -> list[Tensor]:
        """Scores (n, 1, h, w) for each map, each map at unit mean square first."""
        unit = [x / x.detach().square().mean(dim=(1, 2, 3), keepdim=True).add(1e-6).sqrt() for x in maps]
        return [head(x) for head, x in zip(self.heads, unit, strict=True)]


def train(
    given: AutoencoderDC,
    sources: Sequence[Source],
    folder: Path,
    *,
    steps: int,
    features: Callable[[Tensor], list[Tensor]],
    batch_size: int = 16,
    crop: int = 64,
    learning_rate: float = 3e-4,
    seed: int = 0,
    save_every: int = 200,
    report: Report = print,
) -> AutoencoderDC:
    """Train the decoder of `given` for `steps`, going on from the newest checkpoint in `folder`; returns the network with its average.

    `features` maps pictures in [-1, 1] to a list of feature maps. The data order is a function of seed and step.
    """
    torch.manual_seed(seed)
    model = given.to(memory_format=torch.channels_last)
    model.encoder.requires_grad_(False)
    average = copy.deepcopy(model.decoder).requires_grad_(False)
    adversary = Adversary([x.shape[1] for x in features(torch.zeros(1, 3, crop, crop))])
    optimizer = torch.optim.AdamW([*model.decoder.parameters(), *adversary.parameters()], lr=learning_rate, betas=(0.5, 0.99))
    weights = {"decoder": model.decoder.state_dict(), "average": average.state_dict(), "adversary": adversary.state_dict()}
    start = bookmarks.resume(folder, weights, optimizer)
    pools, arrays = [source.indices(held_out=False) for source in sources], [source.pictures for source in sources]
    for step in range(start, steps):
        began = time.perf_counter()
        pixels = crops(arrays, pools, np.random.default_rng([seed, step]), batch_size, crop)
        set_rate(optimizer, learning_rate, step, steps, warm=100, fall=0.3)
        torch.manual_seed(seed * 1_000_003 + step)
        told = _learn(model, adversary, pixels, features, PULL * min(1.0, step / 200))
        torch.nn.utils.clip_grad_norm_(model.decoder.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        follow(average, model.decoder, min(0.998, (step + 1) / (step + 20)))
        if not math.isfinite(sum(told.values())):
            raise FloatingPointError(f"The decoder's loss is {told} at step {step}; resume from the last checkpoint in {folder}.")
        if (step + 1) % 50 == 0:
            report({"step": step + 1, "pictures_per_second": batch_size / (time.perf_counter() - began), **told})
        if (step + 1) % save_every == 0 or step + 1 == steps:
            bookmarks.save(folder, step + 1, weights, optimizer)
    model.decoder.load_state_dict(average.state_dict())
    return model


def _learn(
    model: AutoencoderDC, adversary: Adversary, pixels: Tensor, features: Callable[[Tensor], list[Tensor]], pull: float
) -> dict[str, float]:
    """One batch's gradients, left at the decoder's and the adversary's parameters; the terms as numbers."""
    with torch.no_grad(), fast():
        latents = model.encode(pixels).latent.float()
        wanted = features(pixels)
    latents = latents + NOISE * torch.rand(len(latents), 1, 1, 1) * torch.randn_like(latents)
    with fast():
        decoded = model.decode(latents).sample.float()
    made = decoded.detach().requires_grad_()
    maps = features(made)
    terms = pixel_terms(made, pixels)
    pairs, nothing = list(zip(maps, wanted, strict=True)), torch.zeros(())
    terms["features"] = sum((0.6 * relative(a, b) for a, b in pairs), nothing)
    terms["grain"] = sum((0.6 * relative(a.std(dim=(2, 3)), b.std(dim=(2, 3))) for a, b in pairs), nothing)
    adversary.requires_grad_(False)
    fooled = sum((-score.mean() for score in adversary(maps)), nothing)
    (likeness,) = torch.autograd.grad(sum(terms.values(), nothing), made, retain_graph=True)
    (deceit,) = torch.autograd.grad(fooled, made)
    adversary.requires_grad_(True)
    decoded.backward(likeness + pull * likeness.norm() / deceit.norm().clamp_min(1e-12) * deceit)
    caught = hinge(adversary(wanted), adversary([x.detach() for x in maps]))
    caught.backward()
    return {name: float(value.detach()) for name, value in {**terms, "adversary": caught}.items()}


def hinge(real: Sequence[Tensor], made: Sequence[Tensor]) -> Tensor:
    """The adversary's loss: 1 or more above zero for what is real, 1 or more below for what is made; 2 means that it cannot tell."""
    return torch.stack([F.relu(1 - a).mean() + F.relu(1 + b).mean() for a, b in zip(real, made, strict=True)]).mean()
