"""Augmentation that is safe for style: random crops and nothing else, unless asked.

Mirroring is opt-in and refused where it would turn writing round. Colours are part of a style and stay as they are.
Views are drawn before training and their latents cached, so a view is a pure function of the picture, the settings and a seed.
"""

import math

import numpy as np
import torch
from PIL import Image
from pydantic import BaseModel, ConfigDict, Field
from scipy import ndimage
from torch import Tensor
from torchvision.transforms import InterpolationMode, v2

from artlab import files
from artlab.portfolio import buckets
from artlab.portfolio.work import Artwork


class Augment(BaseModel):
    """What may happen to a work before the model sees it. The default crops, and changes nothing else."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    crop_scale_min: float = Field(0.7, gt=0, le=1)
    """Smallest share of the area that a random crop keeps, of the largest crop with the bucket's aspect; 1 switches it off."""
    horizontal_flip: bool = False
    """Mirror half of the views, drawn at random."""
    rotation: float = Field(0.0, ge=0, le=30)
    """Turn by up to so many degrees either way; the empty corners are cut off."""
    colour_jitter: float = Field(0.0, ge=0, le=0.5)
    """Change brightness, contrast and saturation by up to this share. The hue never changes."""

    @property
    def still(self) -> bool:
        """Whether all views of a work are the same."""
        return self == STILL


STILL = Augment(crop_scale_min=1.0)
"""No augmentation: the largest central crop of the bucket's aspect. For held-out works, and for the first view of each work."""


def view(image: Image.Image, bucket: buckets.Size, augment: Augment, seed: int) -> Tensor:
    """One view of a picture: float32 (3, height, width) in [-1, 1], of the bucket's size (width, height).

    The same arguments give the same pixels in any process and order: resizing is Pillow's (integer arithmetic), and random
    numbers come from the CPU generator, seeded for this view and then put back. Not for several threads of one process.
    """
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)  # torch.manual_seed would reseed the GPU's generator too
        pixels: Tensor = pipeline(image.size, bucket, augment)(image.convert("RGB"))
    return pixels.as_subclass(Tensor)


def pipeline(size: buckets.Size, bucket: buckets.Size, augment: Augment) -> v2.Compose:
    """The transforms from a picture of `size` to a view of `bucket`, in the order turn, crop, mirror, colour, normalise."""
    steps: list[torch.nn.Module] = []
    if augment.rotation:
        share = _share_inside(size, math.radians(augment.rotation))
        inside = [max(int(side * share), 1) for side in reversed(size)]
        steps += [v2.RandomRotation(augment.rotation, InterpolationMode.BICUBIC), v2.CenterCrop(inside)]
        size = (inside[1], inside[0])
    steps += _whole(size, bucket) if augment.crop_scale_min == 1 else [_random_crop(size, bucket, augment.crop_scale_min)]
    if augment.horizontal_flip:
        steps.append(v2.RandomHorizontalFlip(0.5))
    if jitter := augment.colour_jitter:
        steps.append(v2.ColorJitter(brightness=jitter, contrast=jitter, saturation=jitter))
    return v2.Compose([*steps, v2.ToImage(), v2.ToDtype(torch.float32, scale=True), v2.Normalize([0.5] * 3, [0.5] * 3)])


def view_seed(seed: int, work_id: str, index: int) -> int:
    """The seed of a work's view number `index`: 63 bits, a hash of all three."""
    return int(files.fingerprint("view", str(seed), work_id, str(index)), 16) >> 1


def views_per_work(n_works: int) -> int:
    """How many views to draw of each work: about 512 in all, at least 4, at most 16. Few works need more of them."""
    return min(max(512 // max(n_works, 1), 4), 16)


def flip_refusal(work: Artwork, image: Image.Image) -> str:
    """Why a work is not to be mirrored, in words; empty if it may be."""
    for mark in work.marks:
        if mark.kind in ("text", "watermark"):
            return f"it carries writing, which would read backwards ({mark.reason})"
    return "it seems to be signed in a lower corner, and a signature would read backwards" if signature_likely(image) else ""


def signature_likely(image: Image.Image) -> bool:
    """Whether a lower corner seems to hold a signature: one short line of thin strokes that stands alone.

    A heuristic without a model. In each lower corner (40 % of the width, 20 % of the height) pixels that differ clearly from
    their surroundings are ink; ink is joined along the line; a joined piece counts when it lies wholly inside the corner, is
    wide and low like a signature, is made of several thin strokes, and has quiet ground around it. It misses signatures in
    hatching, foliage or other texture, single monograms, faint colour and names that run up the side; it is fooled by tufts of
    grass, twigs, small distant figures and captions. Being fooled costs little: the work is not mirrored. A miss mirrors a
    signature in half of the views, so an artist who signs her works should not allow mirroring at all.
    """
    grey = image.convert("L")
    grey.thumbnail((768, 768), Image.Resampling.LANCZOS)
    width, height = grey.size
    if min(height, width) < 64:
        return False
    strip = np.asarray(grey)[round(height * 0.8) :]
    ink = np.abs(strip.astype(np.int16) - ndimage.median_filter(strip, size=15, mode="nearest")) > 24
    reach = round(width * 0.4)
    return any(_signature_in(part, max(height, width)) for part in (ink[:, :reach], ink[:, width - reach :]))


def _signature_in(ink: np.ndarray, side: int) -> bool:
    """Whether a corner's ink (bool, height x width) holds a signature; `side` is the picture's longer side in pixels."""
    joined = ndimage.binary_dilation(ink, np.ones((3, 2 * round(side * 0.01) + 1), bool))
    labels, _ = ndimage.label(joined)
    return any(_is_line(ink, box, side) for box in ndimage.find_objects(labels))


def _is_line(ink: np.ndarray, box: tuple[slice, slice], side: int) -> bool:
    """Whether the piece in `box` looks like a line of writing: place, shape, amount of ink, thin strokes, quiet around."""
    rows, columns = box
    tall, wide = rows.stop - rows.start, columns.stop - columns.start
    inside = rows.start > 0 and rows.stop < ink.shape[0] and columns.start > 0 and columns.stop < ink.shape[1]
    if not (inside and 0.015 * side <= tall <= 0.09 * side and 0.05 * side <= wide <= 0.32 * side and wide >= 1.7 * tall):
        return False
    piece = ink[box]
    strokes = (np.diff(piece.astype(np.int8), axis=1) == 1).sum(1)  # strokes that begin in each row
    thick = ndimage.binary_opening(piece, np.ones((5, 5), bool)).sum() / max(piece.sum(), 1)
    margin = max(round(side * 0.012), 2)
    around = ink[max(rows.start - margin, 0) : rows.stop + margin, max(columns.start - margin, 0) : columns.stop + margin]
    ring = (around.sum() - piece.sum()) / max(around.size - piece.size, 1)
    busy = float(np.sort(strokes)[tall // 2 :].mean())
    return bool(0.08 <= piece.mean() <= 0.5 and busy >= 4 and thick < 0.25 and ring < 0.015)


def _random_crop(size: buckets.Size, bucket: buckets.Size, least: float) -> v2.RandomResizedCrop:
    """A crop of the bucket's aspect that keeps `least` to all of what such a crop can keep of a picture of `size`."""
    most = buckets.covered(size, bucket)
    ratio = buckets.aspect(bucket)
    return v2.RandomResizedCrop(
        list(reversed(bucket)), scale=(least * most, most), ratio=(ratio, ratio), interpolation=InterpolationMode.LANCZOS
    )


def _whole(size: buckets.Size, bucket: buckets.Size) -> list[torch.nn.Module]:
    """Resize a picture of `size` to cover the bucket, and cut off what stands out on both sides alike."""
    scale = max(bucket[0] / size[0], bucket[1] / size[1])
    cover = [max(round(side * scale), least) for side, least in zip(reversed(size), reversed(bucket), strict=True)]
    return [v2.Resize(cover, InterpolationMode.LANCZOS), v2.CenterCrop(list(reversed(bucket)))]


def _share_inside(size: buckets.Size, angle: float) -> float:
    """The share of each side that a central rectangle keeps, to lie inside the picture turned by any angle up to `angle`."""
    longer, shorter = max(size), min(size)
    return 1 / (math.cos(angle) + longer / shorter * math.sin(angle))
