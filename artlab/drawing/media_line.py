"""Media of line: the ink drawing and the woodcut."""

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from artlab.drawing import canvas, palettes
from artlab.drawing.canvas import Field, Hand, Sheet
from artlab.drawing.media_wash import washed
from artlab.drawing.palettes import Palette
from artlab.drawing.scene import Scene


def ink_drawing(scene: Scene, palette: Palette, height_px: int, rng: Generator, hand: Hand) -> NDArray[np.uint8]:
    """Pen lines that hatch each form along its grain, closer where it is darker, over a thin wash of colour."""
    sheet = canvas.lay_out(scene, palette, height_px, rng, hand)
    white = canvas.paper(sheet, np.array(palette.paper), rng)
    tinted = washed(sheet, white, rng, 0.5, gap=0.002)
    tinted = canvas.shifted(tinted, rng.normal(0, 0.004, 2) * hand.offset * sheet.index.shape[0])
    lines = np.asarray(_pen(sheet, rng), np.float32)[..., None] / 255
    flow_of_ink = (0.9 + 0.06 * canvas.noise(sheet.index.shape, 0.03 * sheet.index.shape[0], rng))[..., None]
    ink = palettes.mix(palette["dark"], np.array([0.05, 0.05, 0.08]), 0.5).astype(np.float32)
    return canvas.finished(tinted + (ink - tinted) * (1 - lines) * flow_of_ink, sheet)


def _pen(sheet: Sheet, rng: Generator) -> Image.Image:
    """The pen's work alone, dark on white: outlines back to front, each shape hiding what it covers, then hatching."""
    image = Image.new("L", sheet.index.shape[::-1], 255)
    draw, lightness = ImageDraw.Draw(image), sheet.lightness
    for number, (shape, outline) in enumerate(zip(sheet.shapes, sheet.outlines, strict=True)):
        if number == 0 or not sheet.breadth[number]:
            continue
        if canvas.far_sky(shape):
            draw.polygon(outline.ravel().tolist(), fill=255)
            continue
        weight = sheet.length(0.0036 * sheet.hand.outline, 0.7) * (0.55 + 0.45 * shape.depth)
        solid = sheet.breadth[number] < 2.5 * weight and lightness[number] < 0.5
        draw.polygon(outline.ravel().tolist(), fill=30 if solid else 255)
        weight = max(min(weight, 0.4 * sheet.breadth[number]), 0.5 * sheet.px)
        for _ in range(1 + (rng.random() < 0.35 * sheet.hand.wobble)):
            _contour(draw, outline, weight, sheet.index.shape[0], rng)
    _hatch(draw, sheet, rng)
    return image


def _contour(draw: ImageDraw.ImageDraw, outline: NDArray, weight: float, height: int, rng: Generator) -> None:
    """A closed outline in a few strokes, each pressed harder in its middle; the last does not quite meet the first."""
    points = np.roll(outline, -int(rng.integers(len(outline))), axis=0) + rng.normal(0, 0.0012 * height, 2)
    strokes = max(1, min(6, len(points) // 12))
    swell = 0.5 + np.abs(np.sin(np.linspace(0.2, np.pi * strokes - 0.2, len(points)))) * rng.uniform(0.6, 1.0)
    draw.polygon(canvas.ribbons(points[None], (weight * swell)[None]).ravel().tolist(), fill=0)


def _hatch(draw: ImageDraw.ImageDraw, sheet: Sheet, rng: Generator) -> None:
    """Strokes along the flow; dark shapes get closer lines, and the darkest a second set across the first."""
    dark = np.clip(1.02 - sheet.lightness, 0.0, 1.0)
    flow = canvas.flow(sheet, rng)
    for turn, least in ((0.0, 0.14), (0.9, 0.5)):
        chance = np.clip((dark - least) * 1.7 * sheet.hand.density, 0, 0.95)
        starts = _rows(sheet, np.flatnonzero(chance), turn, sheet.length(0.0105 / sheet.hand.density, 2.3), rng)
        owner = canvas.at(sheet.index, starts)
        keep = rng.random(len(starts)) < chance[owner] * (1 - 0.7 * canvas.at(sheet.light, starts))
        starts, owner = starts[keep], owner[keep]
        paths = canvas.traced(flow + np.float32(turn), starts, sheet.length(0.066) * rng.uniform(0.6, 1.4, len(starts)), 9)
        paths = canvas.confined(paths, canvas.at(sheet.index, paths) == owner[:, None])
        widths = sheet.length(0.0026, 0.62) * rng.uniform(0.7, 1.2, (len(starts), 1)) * (1.3 * np.sin(np.linspace(0.5, 2.85, 9)))
        canvas.fill(draw, canvas.ribbons(paths, widths), [20] * len(paths))


def _rows(sheet: Sheet, owners: NDArray, turn: float, gap: float, rng: Generator) -> NDArray:
    """Starting points (n, 2) in even rows along the grain of each shape."""
    found, (h, w) = [np.zeros((0, 2))], sheet.index.shape
    reach, step = np.hypot(h, w) / 2, sheet.length(0.05, 7)
    for grain in np.unique(np.round(sheet.grain[owners], 2)):
        same = np.isin(np.round(sheet.grain, 2), grain) & np.isin(np.arange(len(sheet.grain)), owners)
        u, v = np.meshgrid(np.arange(-reach, reach, step), np.arange(-reach, reach, gap))
        u = u + rng.uniform(0, step, u.shape)
        v = v + rng.normal(0, 0.16 * gap, v.shape)
        cos, sin = np.cos(grain + turn), np.sin(grain + turn)
        points = np.stack([u * cos - v * sin + w / 2, u * sin + v * cos + h / 2], axis=-1).reshape(-1, 2)
        points = points[(points > 0).all(1) & (points[:, 0] < w) & (points[:, 1] < h)]
        found.append(points[same[canvas.at(sheet.index, points)]])
    return np.concatenate(found)


def woodcut(scene: Scene, palette: Palette, height_px: int, rng: Generator, hand: Hand) -> NDArray[np.uint8]:
    """Two colour blocks a little out of register, and a dark key block with gouged lights that follow the grain."""
    sheet = canvas.lay_out(scene, palette, height_px, rng, hand, wobble=0.7)
    picture = canvas.paper(sheet, np.array(palette.paper), rng)
    role_is_back = np.array([s.role in ("sky", "ground") for s in sheet.shapes])
    for block in (role_is_back, ~role_is_back):
        picture = _printed_colour(picture, sheet, block[sheet.index], rng)
    key = _key_block(sheet, rng)
    inked = np.clip(0.95 - 0.12 * np.clip(_plank(sheet, rng) - 0.6, 0, 2) - 0.05 * canvas.tooth(sheet, rng, 0.004), 0, 1)
    ink = palettes.mix(palette["dark"], np.array([0.04, 0.04, 0.05]), 0.35).astype(np.float32)
    return canvas.finished(picture + (ink - picture) * (key * inked)[..., None], sheet)


def _printed_colour(picture: Field, sheet: Sheet, where: NDArray[np.bool_], rng: Generator) -> Field:
    """One colour block over the picture, shifted, with the plank's grain in its flats."""
    shift = rng.normal(0, 0.0035, 2) * sheet.hand.offset * sheet.index.shape[0]
    lab = palettes.to_oklab(sheet.colours)
    lab[:, 0] = 0.3 + 0.72 * lab[:, 0]  # the key block brings the darks
    inks = palettes.from_oklab(lab).astype(np.float32)[canvas.shifted(sheet.index, shift)]
    cover = canvas.shifted(where, shift) * (0.92 - 0.11 * _plank(sheet, rng) - 0.035 * canvas.tooth(sheet, rng))
    return picture + (inks - picture) * np.clip(cover, 0, 1)[..., None]


def _plank(sheet: Sheet, rng: Generator) -> Field:
    """The grain of a flat-sawn board: long veins, closer and wider by turns, that bend round a knot or two."""
    h, w = sheet.index.shape
    rise = 5 * canvas.noise((h, w), (0.5 * h, 1.2 * h), rng) + np.arange(h, dtype=np.float32)[:, None] * 22 / h
    veins = np.sin(2 * np.pi * (rise + 0.25 * canvas.noise((h, w), (0.03 * h, 0.5 * h), rng)))
    fibre = canvas.noise((h, w), (max(0.003 * h, sheet.px), 0.08 * h), rng)
    return (0.6 * veins + 0.5 * fibre).astype(np.float32)


def _key_block(sheet: Sheet, rng: Generator) -> Field:
    """Where the key block prints (h, w), 0..1: contours and all the wood that the gouge left standing."""
    u, v = canvas.along_grain(sheet, rng)
    pitch = sheet.length(0.0155 / sheet.hand.density, 2.6)
    dark = np.clip((0.93 - sheet.lightness) * 1.25 * sheet.hand.contrast, 0, 1)[sheet.index]
    dark = dark - (0.1 + 0.22 * (dark > 0.2)) * sheet.light + 0.06 * canvas.noise(u.shape, 0.08 * u.shape[0], rng)
    narrow = (sheet.breadth < 1.6 * pitch)[sheet.index]  # too small to hatch: left standing or cleared
    dark = np.where(narrow, np.where(dark > 0.5, 2.0, -0.4), dark)
    cut = gouged(u / pitch, v / pitch, dark, 9.0, rng)
    standing = np.clip(0.5 - cut * pitch / sheet.px, 0, 1)
    away = canvas.edge_distance(sheet.joined, sheet.px)
    weight = sheet.length(0.004 * sheet.hand.outline, 0.55) * (1 + 0.35 * canvas.noise(u.shape, 0.05 * u.shape[0], rng))
    weight = np.minimum(weight, np.maximum(0.3 * sheet.breadth, 0.3 * sheet.px)[sheet.index])
    contour = np.clip((weight - away) / sheet.px + 0.5, 0, 1)
    white_line = np.clip((2.4 * weight - away) / sheet.px + 0.5, 0, 1) * (dark > 0.62)
    return np.maximum(standing * (1 - white_line), contour * np.where(dark > 0.62, 0.0, 1.0) * (dark > -0.3))


def gouged(along: Field, across: Field, dark: Field, length: float, rng: Generator) -> Field:
    """How deep inside a gouge mark each pixel lies, in rows: positive within, negative on the wood between two marks.

    The coordinates count rows across; a mark is `length` rows long, blunt where the tool enters and
    thin where it leaves, and the narrower the darker the place. In light places all is cut away but a few thin ridges.
    """
    table = rng.random((64, 64), np.float32)
    row = np.floor(across).astype(np.int32)
    shifted = along / np.float32(length) + 7 * table[row & 63, 0]
    mark = np.floor(shifted).astype(np.int32)
    chance = table[row & 63, mark & 63]
    q = shifted - mark
    taper = np.minimum(np.sqrt(q * 12), 1) * np.clip((1 - q) * (2.2 + 3 * chance), 0, 1)
    cut = 0.5 * (1.5 - 1.3 * dark + 0.3 * (chance - 0.5)) * taper - np.abs(across - row - 0.5)
    ridge = np.rint(across).astype(np.int32)
    shifted = along / np.float32(1.3 * length) + 7 * table[0, ridge & 63]
    mark = np.floor(shifted).astype(np.int32)
    chance = table[mark & 63, ridge & 63]
    height = (0.12 + 0.9 * dark) * np.sin(np.pi * (shifted - mark)) * (0.6 + chance)
    left = np.abs(across - ridge) - 0.5 * np.where(chance < 2.4 * dark - 0.12, height, -0.7)
    return np.where(dark < 0.42, left, cut).astype(np.float32)
