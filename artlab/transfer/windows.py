"""A latent-diffusion base on pictures larger than it was made for: its network sees windows of its own size.

Each step's predictions are cross-faded between overlapping windows (MultiDiffusion: Bar-Tal et al. 2023, arXiv 2302.08113), so that there
is one large picture at every step; the autoencoder works window by window too, and memory does not grow with the picture.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from PIL import Image
from torch import Tensor

from artlab.bases import Base, Condition
from artlab.bases.unet import UNetBase
from artlab.transfer import colour, tiles
from artlab.transfer.sources import TransferError

ROOM = 1.5


def shape(base: Base, width: int, height: int) -> tuple[int, int]:
    """The (width, height) that a base can work on, nearest to the given one: multiples of its step."""
    step = base.facts.bucket_step
    return max(step, round(width / step) * step), max(step, round(height / step) * step)


def side(base: Base, height: int, width: int) -> tuple[int, int]:
    """The window (height, width) in latents for a latent picture: all of it up to ROOM times the base's own side."""
    own = base.facts.resolution // base.factor
    return (height if height <= ROOM * own else own), (width if width <= ROOM * own else own)


def overlap(base: Base) -> int:
    """A third of the base's own side, in latents."""
    return max(1, base.facts.resolution // base.factor // 3)


def encode(base: Base, pixels: Tensor) -> Tensor:
    """Latents (1, c, h, w) of a picture (3, h, w) in [0, 1]."""
    height, width, f = pixels.shape[1] // base.factor, pixels.shape[2] // base.factor, base.factor
    window = side(base, height, width)

    def work(rows: slice, columns: slice) -> Tensor:
        piece = pixels[:, rows.start * f : rows.stop * f, columns.start * f : columns.stop * f]
        return base.encode(piece[None] * 2 - 1)

    return tiles.windows(height, width, window, overlap(base), work)


@torch.no_grad()
def decode(base: UNetBase, latents: Tensor) -> Image.Image:
    """The picture of latents (1, c, h, w)."""
    height, width = latents.shape[2:]
    window = side(base, height, width)

    def work(rows: slice, columns: slice) -> Tensor:
        with base.autocast():
            return base.to_pixels(latents[..., rows, columns].to(base.device)).float().cpu()

    return colour.picture((tiles.windows(height, width, window, overlap(base), work, base.factor)[0] + 1) / 2)


def unet(base: Base, method: str) -> UNetBase:
    """The base, if it is one that this works on."""
    if not isinstance(base, UNetBase):
        raise TransferError(
            f"--method {method} works inside a UNet; the base “{base.name}” has none. Take another base, or --method texture."
        )
    return base


@contextmanager
def over(base: Base) -> Iterator[None]:
    """Within this block the base's own `sample` works on latents of any size, window by window."""
    if not isinstance(base, UNetBase):
        yield
        return
    predict: Callable[[Tensor, Tensor, Condition], Tensor] = base.predict

    def windowed(x_t: Tensor, steps: Tensor, condition: Condition) -> Tensor:
        height, width = x_t.shape[2:]
        window = side(base, height, width)
        return tiles.windows(
            height, width, window, overlap(base), lambda rows, columns: predict(x_t[..., rows, columns], steps, condition)
        )

    def decoded(latents: Tensor) -> list[Image.Image]:
        return [decode(base, row) for row in latents.split(1)]

    vars(base).update(predict=windowed, decode=decoded)
    try:
        yield
    finally:
        del base.predict, base.decode
