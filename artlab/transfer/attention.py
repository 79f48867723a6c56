"""`attention`: a diffusion base paints the content anew while it looks at the style. No training, on any UNet base.

StyleID (Chung, Hyun and Heo 2024, arXiv 2312.09008): content and style are inverted by DDIM; the new picture starts from the content's
noise with the style's channel statistics (AdaIN), and in the decoder's self-attention its queries, mixed with the content's, meet keys
and values of the style, sharpened by a temperature. The content's share of the query falls over steps and layers ("Scheduled style
injection", 2026, arXiv 2605.26538). Departures: the three pictures run side by side in one batch, so that no features are stored; several
styles are looked at at once, the logarithm of a style's weight added to its logits; large pictures in windows.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as nnf

from artlab.bases.unet import UNetBase
from artlab.restyle import tiles
from artlab.transfer import windows

TEMPERATURE = 1.5
OnLatents = Callable[[int, int, Tensor], None]


@dataclass
class Look:
    """What the layers are told: whether to inject, the content's share of the query, and the styles' shares."""

    weights: Sequence[float]
    strength: float
    progress: float = 0.0
    on: bool = False
    layers: list["Injection"] = field(default_factory=list)

    def share(self, layer: int) -> float:
        """The content's share of the query, from about 0.9 at the first step down a quarter cosine, lower in later layers."""
        first, last = 1 - 0.25 * self.strength, 1 - 0.9 * self.strength
        fall = math.cos(self.progress * math.pi / 2)
        return (last + (first - last) * fall) * (1 - 0.2 * layer / max(1, len(self.layers) - 1))


class Injection:
    """A self-attention layer's processor: rows are content, styles, the new picture, of which only the last is changed."""

    def __init__(self, look: Look, index: int) -> None:
        self.look, self.index = look, index
        look.layers.append(self)

    def __call__(self, attn: Any, hidden_states: Tensor, *args: object, **kwargs: object) -> Tensor:
        """Attention over (rows, tokens, channels)."""
        query, key, value = attn.to_q(hidden_states), attn.to_k(hidden_states), attn.to_v(hidden_states)
        heads = int(attn.heads)

        def split(x: Tensor) -> Tensor:
            return x.unflatten(-1, (heads, -1)).transpose(1, 2)

        scale = float(attn.scale)
        if not self.look.on:
            out = nnf.scaled_dot_product_attention(split(query), split(key), split(value), scale=scale)
        else:
            plain = nnf.scaled_dot_product_attention(split(query[:-1]), split(key[:-1]), split(value[:-1]), scale=scale)
            share = self.look.share(self.index)
            mixed = share * query[:1] + (1 - share) * query[-1:]
            keys, values = key[1:-1].flatten(0, 1)[None], value[1:-1].flatten(0, 1)[None]
            total = sum(self.look.weights)
            bias = torch.tensor([math.log(w / total) for w in self.look.weights]).repeat_interleave(key.shape[1])
            changed = nnf.scaled_dot_product_attention(
                split(mixed), split(keys), split(values), attn_mask=bias.to(query)[None, None, None], scale=scale * TEMPERATURE
            )
            out = torch.cat([plain, changed])
        out = out.transpose(1, 2).flatten(2)
        return attn.to_out[1](attn.to_out[0](out)) / attn.rescale_output_factor


@contextmanager
def injected(base: UNetBase, look: Look) -> Iterator[None]:
    """Within this block the decoder's self-attention layers look at the styles; afterwards they are what they were."""
    before = dict(base.denoiser.attn_processors)
    own = [name for name in before if name.startswith("up_blocks") and ".attn1." in name]
    base.denoiser.set_attn_processor(
        {name: Injection(look, own.index(name)) if name in own else old for name, old in before.items()}
    )
    try:
        yield
    finally:
        base.denoiser.set_attn_processor(before)


@torch.no_grad()
def repaint(
    base: UNetBase,
    content: Tensor,
    styles: Sequence[tuple[Tensor, float]],
    *,
    prompt: str = "",
    steps: int = 20,
    strength: float = 0.6,
    on_latents: OnLatents | None = None,
) -> Tensor:
    """Latents (1, c, h, w) of the content's latents painted like the styles' latents, which have the size of one window.

    `on_latents(done, of, latents)` sees each step's estimate of the clean latents, and while inverting the content's own.
    """
    window = windows.side(base, *content.shape[2:])
    condition = base.condition([prompt])
    look = Look([weight for _, weight in styles], strength)
    count = 3 * steps

    def tell(done: int, latents: Tensor) -> None:
        if on_latents:
            on_latents(done, count, latents)

    def predict(x: Tensor, step: int) -> Tensor:
        rows = {key: value.expand(len(x), *value.shape[1:]) for key, value in condition.items()}
        return base.predict(x, torch.full((len(x),), step), rows).float()

    def wide(x: Tensor, step: int) -> Tensor:
        return tiles.windows(x.shape[2], x.shape[3], window, windows.overlap(base), lambda r, c: predict(x[..., r, c], step))

    with injected(base, look):
        trail_content = invert(base, content, steps, wide, lambda k: tell(k, content))
        trail_style = invert(base, torch.cat([x for x, _ in styles]), steps, predict, lambda k: tell(steps + k, content))
        x = adain(trail_content[-1], trail_style[-1], look.weights)
        look.on = True
        for index in range(steps, 0, -1):
            step = timestep(base, index, steps)
            look.progress = 1 - index / steps
            now, beside = x, (trail_content[index], trail_style[index])

            def paint(rows: slice, columns: slice, step: int = step, now: Tensor = now, beside: tuple = beside) -> Tensor:
                batch = torch.cat([beside[0][..., rows, columns], beside[1], now[..., rows, columns]])
                return predict(batch, step)[-1:]

            output = tiles.windows(x.shape[2], x.shape[3], window, windows.overlap(base), paint)
            clean, noise = split(base, x, output, step)
            alpha, sigma = level(base, index - 1, steps)
            x = alpha * clean + sigma * noise
            tell(2 * steps + steps - index + 1, clean)
    return x


def timestep(base: UNetBase, index: int, steps: int) -> int:
    """The model's own step for level `index` of `steps`; the last level is the model's noisiest."""
    return max(0, round(len(base.schedule.alpha) * index / steps) - 1)


def level(base: UNetBase, index: int, steps: int) -> tuple[float, float]:
    """Shares of picture and noise at a level; level 0 is clean."""
    if index == 0:
        return 1.0, 0.0
    step = timestep(base, index, steps)
    return float(base.schedule.alpha[step]), float(base.schedule.sigma[step])


def split(base: UNetBase, x: Tensor, output: Tensor, step: int) -> tuple[Tensor, Tensor]:
    """The clean latents and the noise that the network sees in x, for networks that predict noise and for those that predict velocity."""
    alpha, sigma = float(base.schedule.alpha[step]), float(base.schedule.sigma[step])
    if base.schedule.prediction == "epsilon":
        return (x - sigma * output) / max(alpha, 1e-4), output
    return alpha * x - sigma * output, sigma * x + alpha * output


def invert(
    base: UNetBase, latents: Tensor, steps: int, predict: Callable[[Tensor, int], Tensor], tell: Callable[[int], None]
) -> list[Tensor]:
    """DDIM backwards (Song et al. 2021, arXiv 2010.02502): the latents at each level from 0 to `steps`."""
    x = latents.to(base.device, torch.float32)
    trail = [x]
    for index in range(steps):
        step = timestep(base, index, steps)
        clean, noise = split(base, x, predict(x, step), step)
        alpha, sigma = level(base, index + 1, steps)
        x = alpha * clean + sigma * noise
        trail.append(x)
        tell(index + 1)
    return trail


def adain(content: Tensor, styles: Tensor, weights: Sequence[float]) -> Tensor:
    """The content's noise with mean and deviation of the styles', channel by channel (Huang and Belongie 2017, arXiv 1703.06868)."""
    shares = torch.tensor(weights).to(styles) / sum(weights)
    mean = (styles.mean(dim=(2, 3)) * shares[:, None]).sum(dim=0)[None, :, None, None]
    deviation = (styles.std(dim=(2, 3)) * shares[:, None]).sum(dim=0)[None, :, None, None]
    own_mean, own_deviation = content.mean(dim=(2, 3), keepdim=True), content.std(dim=(2, 3), keepdim=True)
    return (content - own_mean) / own_deviation.clamp_min(1e-6) * deviation + mean
