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
from artlab.restyle import colour, tiles
from artlab.transfer.sources import TransferError

ROOM = 1.5
WINDOW = 512


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


def handed_over(base: Base, picture: Image.Image) -> Image.Image:
    """The picture as the base hands pictures over, at its size: latents that no encoder made leave the autoencoder's weave in it, which a
    comb and the upscaler that learned with the autoencoder take away. A base without an upscaler of its own has none."""
    if base.upscale_factor == 1:
        return picture
    pixels = _combed(colour.pixels(picture), base.factor)
    height, width = pixels.shape[1:]

    def work(rows: slice, columns: slice) -> Tensor:
        (large,) = base.upscale([colour.picture(pixels[:, rows, columns])])
        return colour.resize(colour.pixels(large), (rows.stop - rows.start, columns.stop - columns.start))[None]

    window = min(height, WINDOW), min(width, WINDOW)
    return colour.picture(tiles.windows(height, width, window, WINDOW // 16, work)[0])


def _combed(pixels: Tensor, period: int) -> Tensor:
    """The picture (3, h, w) without what repeats in every latent's square of `period` pixels over five by five of them.

    The mean over 25 squares is shrunk by what chance alone would leave of it (James and Stein), so that strokes stay as they are.
    """
    channels, height, width = pixels.shape
    tall, wide = height // period, width // period
    whole = pixels[:, : tall * period, : wide * period]
    fine = (whole - colour.box(whole, period)).reshape(channels, tall, period, wide, period).permute(0, 2, 4, 1, 3)
    repeated, square = (colour.box(part.flatten(0, 2), 2).view_as(fine) for part in (fine, fine.square()))
    repeated = repeated - repeated.mean(dim=(1, 2), keepdim=True)
    chance = (square - repeated.square()).clamp_min(0) / 25
    repeated = repeated * (1 - 3 * chance / (repeated.square() + 1e-9)).clamp_min(0)
    combed = pixels.clone()
    combed[:, : tall * period, : wide * period] -= repeated.permute(0, 3, 1, 4, 2).reshape(whole.shape)
    return combed.clamp(0, 1)


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
