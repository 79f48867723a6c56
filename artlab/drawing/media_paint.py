"""Media of paint laid in touches: the dry brush painting and the pointillist painting."""

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from artlab.drawing import canvas, palettes
from artlab.drawing.canvas import Field, Hand, Sheet
from artlab.drawing.palettes import Palette
from artlab.drawing.scene import Scene


def dry_brush_painting(scene: Scene, palette: Palette, height_px: int, rng: Generator, hand: Hand) -> NDArray[np.uint8]:
    """Bristly strokes along the form, large ones first, broken so that the warm underpainting shows between the hairs."""
    sheet = canvas.lay_out(scene, palette, height_px, rng, hand, wobble=1.2)
    size = sheet.index.shape[::-1]
    under = palettes.mix(sheet.colours.mean(0), palettes.mix(palette["accent"], palette["dark"], 0.45), 0.5).astype(np.float32)
    image = Image.new("RGBA", size, (*(int(c * 255) for c in under), 90))
    draw = ImageDraw.Draw(image)
    directions = canvas.flow(sheet, rng)
    brushes = {sheet.length(width, 2.4): share for width, share in ((0.06, 1.0), (0.034, 0.75), (0.018, 0.5), (0.009, 0.9))}
    for width, share in brushes.items():  # in a small picture the smallest brushes are one and the same
        _brushed(draw, sheet, directions, width, share, rng)
    painted = np.array(image, np.float32) / 255
    tiny = (sheet.breadth < sheet.length(0.0125, 1.2))[sheet.index] & (sheet.index > 0)
    painted[tiny, :3] = sheet.flat[tiny] * (1 + 0.3 * (painted[tiny, 3:] - 0.6))
    painted[..., :3] += (under - painted[..., :3]) * _bare(sheet, painted[..., 3], rng)[..., None]
    lit = _raking_light(np.ascontiguousarray(painted[..., 3]), sheet.px)
    weave = 1 + 0.018 * hand.paper * canvas.tooth(sheet, rng, 0.004)
    return canvas.finished(painted[..., :3] * (lit * weave)[..., None], sheet)


def _brushed(draw: ImageDraw.ImageDraw, sheet: Sheet, directions: Field, width: float, share: float, rng: Generator) -> None:
    """One pass of a brush `width` work pixels broad over the sheet; smaller brushes go where the detail is."""
    starts = canvas.scattered(sheet, width * 0.95 / sheet.hand.density**0.5, rng)
    owner = canvas.at(sheet.index, starts)
    wide = sheet.breadth[owner]
    fits = (rng.random(len(starts)) < share) & (wide > 0.5 * width) & (wide < max(22 * width, 0.09 * sheet.index.shape[0]))
    starts, owner = starts[fits], owner[fits]
    order = np.argsort(owner + rng.normal(0, 0.4, len(owner)))
    starts, owner = starts[order], owner[order]
    lengths = np.minimum(width * rng.uniform(2.6, 6.5, len(starts)), np.maximum(4 * sheet.breadth[owner], 2 * width))
    paths = canvas.traced(directions, starts, lengths, 9)
    inside = canvas.at(sheet.index, paths) == owner[:, None]
    paths = canvas.confined(paths, inside, (rng.random(len(owner)) < 0.3).astype(int))
    lab = palettes.to_oklab(sheet.colours)[owner] + rng.normal(0, 1, (len(owner), 3)) * np.array([0.028, 0.010, 0.010])
    lab[:, 0] += 0.065 * canvas.at(sheet.light, starts)
    _bristles(draw, sheet, paths, lab, width, rng)


def _bristles(draw: ImageDraw.ImageDraw, sheet: Sheet, paths: NDArray, lab: NDArray, width: float, rng: Generator) -> None:
    """Every stroke as a bundle of hairs, each with its own load of paint: some run dry early, some lift off and set down."""
    hairs = int(np.clip(width / max(2.0, 0.0024 * sheet.index.shape[0]), 2, 26))
    n, k = paths.shape[:2]
    place = np.linspace(-0.5, 0.5, hairs) + rng.normal(0, 0.03, (n, hairs))
    lines = paths[:, None] + (canvas.across(paths)[:, None] * place[..., None, None]) * width
    load = rng.normal(0, 1, (n, hairs))
    shades = lab[:, None] + load[..., None] * np.array([0.032, 0.004, 0.006])
    rgba = np.concatenate([palettes.from_oklab(shades) * 255, 150 + 36 * load[..., None]], axis=-1).clip(0, 255).astype(int)
    wet = rng.random((n, hairs)) > 0.2
    first = 2 * rng.integers(0, 2, (n, hairs))[wet]
    last = 2 * np.where(rng.random((n, hairs)) < 0.4, rng.integers(3, k + 1, (n, hairs)), k)[wet]
    thick = max(1, round(width / hairs * 1.3))
    strokes = zip(lines[wet].reshape(-1, 2 * k).tolist(), rgba[wet].tolist(), first.tolist(), last.tolist(), strict=True)
    for line, ink, start, stop in strokes:
        draw.line(line[start:stop], fill=tuple(ink), width=thick)


def _bare(sheet: Sheet, load: Field, rng: Generator) -> Field:
    """How far the underpainting shows (h, w): where a hair had little paint and skipped over the weave, in short streaks."""
    u, v = canvas.along_grain(sheet, rng)
    h = sheet.index.shape[0]
    table = rng.standard_normal((256, 256), np.float32)
    fine, long = max(0.0026 * h, sheet.px), 0.05 * h
    row = (v / fine).astype(np.int32)
    streak = table[row & 255, (u / long + 9 * table[row & 255, 0]).astype(np.int32) & 255]
    patch = canvas.noise((h, sheet.index.shape[1]), 0.14 * h, rng, 2)
    dry = 0.55 * streak + 0.5 * patch + 0.35 * canvas.tooth(sheet, rng, 0.003) - 4.0 * (load - 0.6) - 1.0
    narrow = np.clip(sheet.breadth / (0.03 * h), 0, 1)[sheet.index]
    return np.clip(dry * 1.2, 0, 0.75) * narrow * np.float32(min(1.0, 1.1 / sheet.hand.density**3))


def _raking_light(relief: Field, px: float) -> Field:
    """Light (h, w) about 1 that grazes the ridges of paint from the upper left."""
    soft = canvas.smooth(relief, 0.45 * px)
    slope = np.zeros_like(soft)
    slope[1:-1, 1:-1] = soft[2:, 2:] - soft[:-2, :-2]
    return 1 + np.clip(slope * 0.3, -0.09, 0.09)


def pointillist_painting(scene: Scene, palette: Palette, height_px: int, rng: Generator, hand: Hand) -> NDArray[np.uint8]:
    """Dots of divided colour: warmer in the light, cooler in the shade, with sparks of the complement, on a primed ground."""
    sheet = canvas.lay_out(scene, palette, height_px, rng, hand)
    primed = sheet.flat.mean((0, 1)) * 0.8 + np.array(palette.paper) * 0.12
    image = Image.fromarray((np.clip(canvas.paper(sheet, primed, rng), 0, 1) * 255).astype(np.uint8))
    draw = ImageDraw.Draw(image)
    size = sheet.length(0.0135, 2.5)
    for scale, step in ((1.25, 1.0), (0.95, 0.85)):
        _dotted(draw, sheet, size * scale, size * step / sheet.hand.density**0.5, rng)
    _dotted(draw, sheet, max(0.5 * size, 1.3 * sheet.px), max(0.36 * size, sheet.px), rng, small=sheet.breadth < 1.3 * size)
    picture = np.asarray(image, np.float32) / 255
    return canvas.finished(picture * (1 + 0.02 * canvas.tooth(sheet, rng))[..., None], sheet)


def _dotted(
    draw: ImageDraw.ImageDraw, sheet: Sheet, size: float, step: float, rng: Generator, small: NDArray | None = None
) -> None:
    """One layer of dots over the whole sheet, or only over shapes too small for the others."""
    places = canvas.scattered(sheet, step, rng)
    if small is not None:
        places = places[small[canvas.at(sheet.index, places)]]
    inks = (palettes.from_oklab(_divided(sheet, places, rng)) * 255).astype(int).tolist()
    radii = size / 2 * rng.uniform(0.72, 1.12, len(places))
    boxes = np.column_stack([places - radii[:, None], places + radii[:, None] * rng.uniform(0.85, 1.1, (len(places), 1))])
    for box, ink in zip(boxes.tolist(), inks, strict=True):
        draw.ellipse(box, fill=tuple(ink))


def _divided(sheet: Sheet, places: NDArray, rng: Generator) -> NDArray:
    """The dots' colours (n, 3) in OKLab: the local colour turned to either side in hue, some dots of its complement."""
    n = len(places)
    lab = palettes.to_oklab(sheet.colours)[canvas.at(sheet.index, places)]
    light = canvas.at(sheet.light, places)
    hue = np.arctan2(lab[:, 2], lab[:, 1]) + rng.normal(0, 0.36, n)
    strength = np.hypot(lab[:, 1], lab[:, 2]) * rng.uniform(0.85, 1.45, n)
    chroma = np.stack([np.cos(hue), np.sin(hue)], axis=1) * strength[:, None]
    spark = rng.random(n) < 0.07 + 0.07 * np.maximum(-light, 0)
    chroma[spark] *= -0.55
    chroma += light[:, None] * np.array([0.008, 0.026])  # sunlight is yellow, shade is blue
    tone = lab[:, 0] + 0.085 * light + rng.normal(0, 0.05, n) + 0.05 * spark
    return np.column_stack([tone, chroma])
