"""What all media share: the hand that holds the tool, a scene laid out in pixels, noise, paper, strokes.

Media work on a sheet larger than the picture (`Sheet.px` work pixels for one pixel) and shrink it at the end, which
smooths every edge. Lengths are shares of the canvas height, so that a picture looks the same at 128 and at 1024 px.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from scipy import ndimage

from artlab.drawing import palettes
from artlab.drawing.palettes import Palette
from artlab.drawing.scene import Scene, Shape

Field = NDArray[np.floating]  # in memory mostly float32


@dataclass(frozen=True)
class Hand:
    """What makes one person's use of a medium her own; 1 (or 0 for tilt, offset, swirl) is the plain way of doing it."""

    mark_size: float = 1.0
    wobble: float = 1.0
    density: float = 1.0
    contrast: float = 1.0
    outline: float = 1.0
    tilt: float = 0.0  # radians added to the direction of every mark
    offset: float = 1.0  # misregistration of blocks, washes and sheets
    paper: float = 1.0  # strength of the paper's texture
    saturation: float = 1.0
    swirl: float = 0.0  # how far a flow field bends the marks

    @classmethod
    def ordinary(cls, rng: Generator) -> "Hand":
        """Anybody's hand: the moderate range that the base model's pictures are drawn with."""
        low_high = {
            "mark_size": (0.85, 1.2), "wobble": (0.6, 1.4), "density": (0.85, 1.15), "contrast": (0.92, 1.08),
            "outline": (0.7, 1.3), "tilt": (-0.15, 0.15), "offset": (0.5, 1.3), "paper": (0.7, 1.2),
            "saturation": (0.9, 1.1), "swirl": (0.0, 0.25),
        }  # fmt: skip
        return cls(**{name: float(rng.uniform(*ends)) for name, ends in low_high.items()})


@dataclass(frozen=True)
class Sheet:
    """A scene in work pixels: who owns which pixel, in what colour, along which grain, and how the light falls."""

    shapes: tuple[Shape, ...]
    outlines: list[NDArray]  # (n, 2) as x, y
    colours: Field  # (shapes, 3) sRGB 0..1
    index: NDArray[np.int32]  # (h, w): the topmost shape
    grain: Field  # (shapes,) radians
    breadth: Field  # (shapes,) work pixels, of what can be seen: the radius of a disc, the width of a strip
    light: Field  # (h, w): -1 in the shade to 1 in the light, across each shape from lower right to upper left
    size: tuple[int, int]  # width and height of the finished picture
    px: float
    hand: Hand

    def length(self, share: float, least: float = 1.0) -> float:
        """A mark's length in work pixels: a share of the height, but at least so many pixels of the picture."""
        return max(share * self.index.shape[0] * self.hand.mark_size, least * self.px)

    @property
    def flat(self) -> Field:
        """(h, w, 3): every pixel in the colour of its shape."""
        return self.colours[self.index]

    @property
    def joined(self) -> NDArray[np.int32]:
        """The index with the bands of the far sky joined into one: a change of tone there is no contour."""
        return np.where([far_sky(s) for s in self.shapes], 0, np.arange(len(self.shapes)))[self.index].astype(np.int32)

    @property
    def lightness(self) -> Field:
        """(shapes,): OKLab lightness of the colours."""
        return palettes.to_oklab(self.colours)[:, 0].astype(np.float32)


def far_sky(shape: Shape) -> bool:
    """Whether the shape is a part of the sky that has no outline of its own."""
    return shape.role == "sky" and shape.depth < 0.15


def lay_out(scene: Scene, palette: Palette, height: int, rng: Generator, hand: Hand, wobble: float = 1.0) -> Sheet:
    """Draw the scene's outlines, as unsteady as the hand, on a fresh sheet for a picture `height` pixels high."""
    size = max(1, round(height * scene.aspect)), height
    px = 2.0 if height <= 640 else 1.5
    w, h = round(size[0] * px), round(size[1] * px)
    steady = [np.asarray(s.outline, float) for s in scene.shapes]
    outlines = [outline * h for outline in unsteady(steady, scene.aspect, rng, 0.004 * hand.wobble * wobble)]
    index = _painted(outlines, (w, h))
    tinted = _tinted(palettes.colours(palette, scene.shapes), hand)
    grain = np.array([s.grain for s in scene.shapes], np.float32) + np.float32(hand.tilt)
    breadth = _breadths(index, len(outlines))
    return Sheet(scene.shapes, outlines, tinted, index, grain, breadth, _light(outlines, index), size, px, hand)


def unsteady(outlines: list[NDArray], aspect: float, rng: Generator, amount: float) -> list[NDArray]:
    """The outlines with more points, moved by smooth waves; points on the border of the canvas are pushed beyond it."""
    dense = [_denser(outline) for outline in outlines]
    counts = [len(outline) for outline in dense]
    points = np.concatenate(dense)
    past = np.stack([points[:, 0] >= aspect, points[:, 1] >= 1], axis=1).astype(float) - (points <= 0)
    waves = rng.normal(0, 1, (5, 2)) * np.array([9, 14, 23, 40, 70])[:, None]
    phase = np.einsum("nx,wx->nw", points, waves) + np.repeat(rng.uniform(0, 6.28, (len(dense), 5)), counts, axis=0)
    gains = np.array([1, 0.9, 0.6, 0.35, 0.2]) * amount
    points = points + np.stack([(np.sin(phase) * gains).sum(1), (np.cos(phase) * gains).sum(1)], axis=1) + 0.05 * past
    return np.split(points, np.cumsum(counts)[:-1])


def _denser(outline: NDArray, step: float = 0.02) -> NDArray:
    """The outline with points added wherever two lie further apart than `step`."""
    ahead = np.roll(outline, -1, axis=0) - outline
    pieces = np.maximum(np.hypot(ahead[:, 0], ahead[:, 1]) / step, 1).astype(int)
    if pieces.max() == 1:
        return outline
    first = np.repeat(np.arange(len(outline)), pieces)
    part = np.arange(len(first)) - np.repeat(np.cumsum(pieces) - pieces, pieces)
    return outline[first] + ahead[first] * (part / pieces[first])[:, None]


def _breadths(index: NDArray[np.int32], shapes: int) -> Field:
    """Twice the visible area of each shape over its visible border."""
    down, right = index[1:] != index[:-1], index[:, 1:] != index[:, :-1]
    sides = [index[1:][down], index[:-1][down], index[:, 1:][right], index[:, :-1][right]]
    border = sum(np.bincount(side, minlength=shapes) for side in sides) * 0.8
    return (2 * np.bincount(index.ravel(), minlength=shapes) / np.maximum(border, 1)).astype(np.float32)


def _painted(outlines: list[NDArray], size: tuple[int, int]) -> NDArray[np.int32]:
    image = Image.new("I", size, 0)
    draw = ImageDraw.Draw(image)
    for number, outline in enumerate(outlines[1:], start=1):
        draw.polygon(outline.ravel().tolist(), fill=number)
    return np.array(image, np.int32)


def _tinted(colours: NDArray, hand: Hand) -> Field:
    lab = palettes.to_oklab(colours)
    lab[:, 0] = 0.6 + (lab[:, 0] - 0.6) * hand.contrast
    lab[:, 1:] *= hand.saturation
    return palettes.from_oklab(lab).astype(np.float32)


def _light(outlines: list[NDArray], index: NDArray[np.int32]) -> Field:
    h, w = index.shape
    middle = np.array([(o.min(0) + o.max(0)) / 2 for o in outlines], np.float32)
    half = np.array([np.maximum((o.max(0) - o.min(0)) / 2, 1) for o in outlines], np.float32)
    x = (np.arange(w, dtype=np.float32) - middle[index, 0]) / half[index, 0]
    y = (np.arange(h, dtype=np.float32)[:, None] - middle[index, 1]) / half[index, 1]
    return np.clip(-0.55 * x - 0.6 * y, -1, 1)


def finished(picture: Field, sheet: Sheet) -> NDArray[np.uint8]:
    """The sheet (h, w, 3) in 0..1 as the picture: shrunk to size, 8 bits."""
    image = Image.fromarray((np.clip(picture, 0, 1) * 255 + 0.5).astype(np.uint8))
    return np.array(image.resize(sheet.size, Image.Resampling.BOX if sheet.px == 2 else Image.Resampling.HAMMING))


def noise(shape: tuple[int, int], cell: float | tuple[float, float], rng: Generator, octaves: int = 1) -> Field:
    """Smooth noise of about mean 0 and deviation 1, one bump per cell (pixels, or height and width of a cell)."""
    cells = np.maximum(np.broadcast_to(np.array(cell, float), 2), 1.0)
    total, weight = np.zeros(shape, np.float32), 0.0
    for octave in range(octaves):
        step = np.maximum(cells / 2**octave, 1.0)
        rows, columns = int(shape[0] / step[0]) + 3, int(shape[1] / step[1]) + 3
        grid = Image.fromarray(rng.standard_normal((rows, columns), np.float32))
        box = (0.5, 0.5, 0.5 + shape[1] / step[1], 0.5 + shape[0] / step[0])
        total += 0.5**octave * np.asarray(grid.resize(shape[::-1], Image.Resampling.BICUBIC, box=box))
        weight += 0.25**octave
    return total / np.float32(0.72 * weight**0.5)


def smooth(field: Field, sigma: float) -> Field:
    """The field blurred with a Gaussian; wide blurs are made on a smaller copy, several times faster."""
    step = max(1, int(sigma / 2.5))
    if step == 1:
        return ndimage.gaussian_filter(field, sigma, truncate=2.5)
    h, w = field.shape
    small = Image.fromarray(field).resize((max(2, w // step), max(2, h // step)), Image.Resampling.BOX)
    blurred = ndimage.gaussian_filter(np.asarray(small), sigma / step, truncate=2.5)
    return np.asarray(Image.fromarray(blurred).resize((w, h), Image.Resampling.BICUBIC))


def edge_distance(index: NDArray[np.int32], px: float, quiet: NDArray[np.bool_] | None = None) -> Field:
    """For each pixel, the way in work pixels to the nearest border between two shapes (measured on a coarser copy).

    A border with a pixel that is `quiet` (h, w) does not count.
    """
    step = max(1, int(px))
    coarse = index[::step, ::step]
    border = np.zeros(coarse.shape, bool)
    border[:, 1:] |= coarse[:, 1:] != coarse[:, :-1]
    border[1:] |= coarse[1:] != coarse[:-1]
    if quiet is not None:
        hushed = quiet[::step, ::step]
        border &= ~hushed & ~np.roll(hushed, 1, axis=0) & ~np.roll(hushed, 1, axis=1)
    if not border.any():
        return np.full(index.shape, max(index.shape), np.float32)
    away = ndimage.distance_transform_edt(~border).astype(np.float32) * step
    return np.asarray(Image.fromarray(away).resize(index.shape[::-1], Image.Resampling.BILINEAR))


def tooth(sheet: Sheet, rng: Generator, size: float = 0.006) -> Field:
    """The relief of laid paper, about -2..2: round grain with a few coarser clouds."""
    shape, cell = sheet.index.shape, max(size * sheet.index.shape[0], 1.6 * sheet.px)
    return 0.8 * noise(shape, cell, rng) + 0.45 * noise(shape, cell / 2, rng) + 0.25 * noise(shape, cell * 6, rng)


def paper(sheet: Sheet, colour: NDArray, rng: Generator, strength: float = 0.018) -> Field:
    """A sheet of paper (h, w, 3): its colour, its grain, and a little warmth that comes and goes."""
    relief = tooth(sheet, rng)[..., None] * np.float32(strength * sheet.hand.paper)
    cloud = noise(sheet.index.shape, 0.25 * sheet.index.shape[0], rng)[..., None] * np.array([0.004, 0.005, 0.009], np.float32)
    return np.asarray(colour, np.float32) + relief + cloud


def flow(sheet: Sheet, rng: Generator, cell: float = 0.34) -> Field:
    """The direction (h, w) in radians in which a mark runs: the grain of the shape, bent by the hand's swirl."""
    bend = noise(sheet.index.shape, cell * sheet.index.shape[0], rng)
    return sheet.grain[sheet.index] + np.float32(0.1 + 0.9 * sheet.hand.swirl) * bend


def along_grain(sheet: Sheet, rng: Generator) -> tuple[Field, Field]:
    """Coordinates (h, w) in work pixels along and across the grain of each shape, bent by a hand's wobble and swirl."""
    h, w = sheet.index.shape
    bend = np.float32(h * (0.006 * sheet.hand.wobble + 0.08 * sheet.hand.swirl))
    x = np.arange(w, dtype=np.float32) + bend * noise((h, w), 0.22 * h, rng, 2)
    y = np.arange(h, dtype=np.float32)[:, None] + bend * noise((h, w), 0.22 * h, rng, 2)
    cos, sin = np.cos(sheet.grain)[sheet.index], np.sin(sheet.grain)[sheet.index]
    return x * cos + y * sin, y * cos - x * sin


def scattered(sheet: Sheet, step: float, rng: Generator) -> NDArray:
    """Points (n, 2) in random order, one in each cell of a grid of `step` work pixels over the whole sheet."""
    h, w = sheet.index.shape
    grid = np.stack(np.meshgrid(np.arange(0, w, step), np.arange(0, h, step)), axis=-1).reshape(-1, 2)
    return rng.permutation(grid + rng.uniform(0, step, grid.shape))


def shifted(field: NDArray, shift: NDArray) -> NDArray:
    """The field moved down and right by whole pixels, its border stretched."""
    rows, columns = (np.clip(np.arange(n) - round(float(s)), 0, n - 1) for n, s in zip(field.shape, shift, strict=False))
    return field[rows][:, columns]


def at(field: NDArray, points: NDArray) -> NDArray:
    """The field's values at points (..., 2), those outside taken from the border."""
    x = np.clip(points[..., 0].astype(np.int32), 0, field.shape[1] - 1)
    y = np.clip(points[..., 1].astype(np.int32), 0, field.shape[0] - 1)
    return field[y, x]


def traced(directions: Field, starts: NDArray, lengths: NDArray | float, steps: int) -> NDArray:
    """Paths (n, steps, 2) through the starts, their middles, that follow the field of directions."""
    stride = np.broadcast_to(np.asarray(lengths, float), len(starts)) / (steps - 1)
    halves = []
    for sign in (-1, 1):
        points, path = starts, []
        for _ in range(steps // 2):
            angle = at(directions, points)
            points = points + sign * stride[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1)
            path.append(points)
        halves.append(path)
    return np.stack([*halves[0][::-1], starts, *halves[1]], axis=1)


def confined(paths: NDArray, inside: NDArray, slack: NDArray | int = 0) -> NDArray:
    """The paths (n, k, 2), each only as far from its middle as it stays inside (n, k), and `slack` points further."""
    k = paths.shape[1]
    middle = k // 2
    last = middle + np.cumprod(inside[:, middle + 1 :], axis=1).sum(1) + slack
    first = middle - np.cumprod(inside[:, :middle][:, ::-1], axis=1).sum(1) - slack
    kept = np.clip(np.arange(k), np.maximum(first, 0)[:, None], np.minimum(last, k - 1)[:, None])
    return np.take_along_axis(paths, kept[..., None], axis=1)


def across(paths: NDArray) -> NDArray:
    """Unit vectors (n, k, 2) at right angles to paths (n, k, 2)."""
    along = np.empty_like(paths)
    along[:, 1:-1] = paths[:, 2:] - paths[:, :-2]
    along[:, 0], along[:, -1] = paths[:, 1] - paths[:, 0], paths[:, -1] - paths[:, -2]
    along /= np.sqrt((along**2).sum(-1, keepdims=True)) + 1e-9
    return np.stack([-along[..., 1], along[..., 0]], axis=-1)


def ribbons(paths: NDArray, widths: NDArray) -> NDArray:
    """Closed polygons (n, 2k, 2) around paths (n, k, 2) of the given widths (n, k)."""
    side = across(paths) * (widths / 2)[..., None]
    return np.concatenate([paths + side, (paths - side)[:, ::-1]], axis=1)


def fill(draw: ImageDraw.ImageDraw, polygons: Iterable[NDArray], inks: Iterable[int | tuple[int, ...]]) -> None:
    """Fill each polygon with its ink, one over the other."""
    for polygon, ink in zip(polygons, inks, strict=True):
        draw.polygon(polygon.ravel().tolist(), fill=ink)
