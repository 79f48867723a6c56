"""Media of water and chalk: watercolour, and the pastel drawing."""

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from artlab.drawing import canvas, palettes
from artlab.drawing.canvas import Field, Hand, Sheet
from artlab.drawing.palettes import Palette
from artlab.drawing.scene import Scene


def washed(sheet: Sheet, ground: Field, rng: Generator, strength: float = 1.0, gap: float = 0.003) -> Field:
    """Transparent washes of the sheet's colours over the ground (h, w, 3).

    Light passes the pigment twice, so colours multiply: ground * exp(-absorbance * amount). The amount is larger at the
    rim of each wash, where water dries last, and along backruns; it is zero in the gaps left white between washes.
    """
    h, w = sheet.index.shape
    index, contours = _soaked(sheet, rng)
    away = canvas.edge_distance(contours, sheet.px)
    cloud = canvas.noise((h, w), 0.2 * h, rng, 3)
    amount = 0.86 + 0.2 * cloud - 0.16 * sheet.light
    amount += 0.55 * np.exp(-away / sheet.length(0.0045, 0.7)) * (1 + 0.4 * cloud)
    amount += 0.35 * _backruns((h, w), rng)
    amount += 0.085 * sheet.hand.paper * canvas.tooth(sheet, rng, 0.005)
    dry = np.float32(gap * h * sheet.hand.outline) * (canvas.noise((h, w), 0.16 * h, rng, 2) - 0.1)
    dry = np.minimum(dry, 0.2 * sheet.breadth[index])
    cover = np.clip((away - dry) / sheet.px + 0.5, 0, 1)
    absorbance = _bled(-np.log(np.clip(sheet.colours, 0.03, 0.985))[index], rng, sheet.hand.wobble)
    return ground * np.exp(-absorbance * (np.maximum(amount, 0.25) * cover * np.float32(strength))[..., None])


def _soaked(sheet: Sheet, rng: Generator) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """The index, as it is and with the sky joined, with borders that wander as wet paint does."""
    h, w = sheet.index.shape
    reach = np.minimum(0.0032 * h * sheet.hand.wobble, 0.12 * sheet.breadth)[sheet.index]
    dy, dx = (reach * canvas.noise((h, w), 0.045 * h, rng, 3) for _ in range(2))
    x, y = np.arange(w) + dx, np.arange(h)[:, None] + dy
    places = np.stack([x, y], axis=-1)
    return canvas.at(sheet.index, places), canvas.at(sheet.joined, places)


def _backruns(shape: tuple[int, int], rng: Generator) -> Field:
    """Cauliflower rims: sharp outside, fading inside, around a few drops that fell into the wet wash."""
    h = shape[0]
    field = canvas.noise(shape, 0.3 * h, rng) + 0.22 * canvas.noise(shape, 0.045 * h, rng, 2)
    rise = field - 1.15
    inner = np.exp(-np.maximum(rise, 0) / 0.10) - 0.6 * np.clip(rise * 2, 0, 1)
    return np.where(rise > 0, inner, np.exp(np.minimum(rise, 0) / 0.015)).astype(np.float32)


def _bled(absorbance: Field, rng: Generator, reach: float) -> Field:
    """Pigment that ran into its neighbours in a few wet places."""
    h, w = absorbance.shape[:2]
    spread = np.stack([canvas.smooth(absorbance[..., c], 0.03 * h) for c in range(3)], axis=-1)
    wet = np.clip(canvas.noise((h, w), 0.16 * h, rng, 2) - 0.75, 0, 0.8) * np.float32(reach)
    return absorbance + (spread - absorbance) * np.minimum(wet, 1)[..., None]


def watercolour(scene: Scene, palette: Palette, height_px: int, rng: Generator, hand: Hand) -> NDArray[np.uint8]:
    """Wet washes with dark rims, granulation, backruns, and the white of the paper left between them."""
    sheet = canvas.lay_out(scene, palette, height_px, rng, hand, wobble=1.4)
    white = canvas.paper(sheet, np.array(palette.paper) * 0.5 + 0.49, rng, 0.012)
    first = washed(sheet, white, rng, 0.92 * hand.density)
    return canvas.finished(_spattered(first, sheet, rng), sheet)


def _spattered(picture: Field, sheet: Sheet, rng: Generator) -> Field:
    """A second glaze, darker, in pools on the shaded side: wet over dry, with a hard edge of its own."""
    h, w = sheet.index.shape
    pool = canvas.noise((h, w), 0.11 * h, rng, 2) - 1.1 * sheet.light - 0.75
    near = np.array([s.depth for s in sheet.shapes], np.float32)[sheet.index]
    inside = np.clip(pool * 0.02 * h / sheet.px, 0, 1) * (0.35 + 0.65 * near)
    rim = np.exp(-np.abs(pool) * 22)
    glaze = (0.26 * inside + 0.12 * rim * near)[..., None]
    tint = -np.log(np.clip(sheet.colours, 0.05, 0.97))[sheet.index] + np.float32(0.08)
    return picture * np.exp(-glaze * tint)


def pastel_drawing(scene: Scene, palette: Palette, height_px: int, rng: Generator, hand: Hand) -> NDArray[np.uint8]:
    """Soft sticks on toned paper: the side of the stick first, then strokes along the form, light and shade, a chalk contour."""
    sheet = canvas.lay_out(scene, palette, height_px, rng, hand)
    h, w = sheet.index.shape
    sort = palettes.mix(palette["dark"], np.array(palette.paper), rng.choice([0.3, 0.6, 0.9]))
    tone = palettes.mix(sort, sheet.flat.mean((0, 1)), 0.5)  # she picks a paper near her subject
    picture = canvas.paper(sheet, tone, rng, 0.02)
    relief = _laid_grain(sheet, rng)
    press = 0.84 + 0.12 * canvas.noise((h, w), 0.16 * h, rng, 2)
    picture = _rubbed(picture, _smudged(sheet.flat, rng), np.clip(press - 0.17 * relief, 0.3, 0.97))
    for width, share, lift in ((0.036, 0.5, 0.5), (0.017, 0.4, 1.0)):
        colours, laid = _sticks(sheet, rng, width, share * hand.density, lift)
        catch = np.clip((1.7 * laid - 0.85 - 0.45 * relief) * 1.3, 0, 0.92) * (laid > 0)
        picture = _rubbed(picture, colours, catch)
    tiny = (sheet.breadth < sheet.length(0.009, 1.2))[sheet.index]
    picture = _rubbed(picture, sheet.flat, tiny * np.clip(0.95 - 0.15 * relief, 0, 1))
    line = _chalk_line(sheet, rng)
    ink = palettes.mix(palette["dark"], palette["main"], 0.15).astype(np.float32)
    return canvas.finished(_rubbed(picture, ink, 0.85 * line * np.clip(1.1 - 0.6 * relief, 0, 1)), sheet)


def _rubbed(picture: Field, colours: Field, share: Field) -> Field:
    return picture + (colours - picture) * share[..., None]


def _laid_grain(sheet: Sheet, rng: Generator) -> Field:
    """The paper's tooth (h, w): fine round grain along faint laid lines, of about mean 0 and deviation 1."""
    shape = sheet.index.shape
    cell = max(0.0024 * shape[0], 1.15 * sheet.px)
    grain = 0.6 * canvas.noise(shape, cell, rng) + 0.4 * canvas.noise(shape, (cell, cell * 3), rng)
    grain += 0.45 * canvas.noise(shape, cell * 2.2, rng)
    return sheet.hand.paper * grain


def _smudged(picture: Field, rng: Generator) -> Field:
    """The picture rubbed with a finger, in some places more."""
    h, w = picture.shape[:2]
    soft = np.stack([canvas.smooth(np.ascontiguousarray(picture[..., c]), 0.009 * h) for c in range(3)], axis=-1)
    return _rubbed(picture, soft, np.clip(0.45 + 0.4 * canvas.noise((h, w), 0.18 * h, rng, 2), 0.1, 0.9))


def _chalk_line(sheet: Sheet, rng: Generator) -> Field:
    """A soft contour (h, w) that comes and goes, heavier on near shapes and in the shade."""
    h, w = sheet.index.shape
    away = canvas.edge_distance(sheet.joined, sheet.px)
    most = np.maximum(0.35 * sheet.breadth, 0.3 * sheet.px)[sheet.index]
    weight = np.minimum(sheet.length(0.0036 * sheet.hand.outline, 0.6), most)
    near = np.array([s.depth for s in sheet.shapes], np.float32)[sheet.index]
    comes = np.clip(0.45 + 0.45 * canvas.noise((h, w), 0.09 * h, rng, 2) - 0.25 * sheet.light, 0, 1)
    return np.clip((weight - away) / sheet.px + 0.7, 0, 1) * comes * (0.25 + 0.75 * near)


def _sticks(sheet: Sheet, rng: Generator, width: float, share: float, lift: float) -> tuple[Field, Field]:
    """One layer of strokes: their colour (h, w, 3) and how much chalk lies where (h, w), both soft at the sides.

    With `lift` the strokes lie where the light is or the shade, lighter and warmer or darker and cooler than the form.
    """
    h = sheet.index.shape[0]
    broad = sheet.length(width, 1.6)
    starts = canvas.scattered(sheet, broad * 1.4, rng)
    light = canvas.at(sheet.light, starts) + rng.normal(0, 0.15, len(starts))
    chance = share * (1 - lift + lift * np.minimum(np.abs(light) * 2, 1))
    owner = canvas.at(sheet.index, starts)
    keep = (rng.random(len(starts)) < chance) & (sheet.breadth[owner] > 0.8 * broad)
    starts, owner, light = starts[keep], owner[keep], light[keep]
    lengths = np.minimum(broad * rng.uniform(3, 7, len(starts)), 2.2 * sheet.breadth[owner])
    paths = canvas.traced(canvas.flow(sheet, rng), starts, lengths, 5)
    paths = canvas.confined(paths, canvas.at(sheet.index, paths) == owner[:, None], (rng.random(len(owner)) < 0.25).astype(int))
    lab = palettes.to_oklab(sheet.colours)[owner] + rng.normal(0, 1, (len(owner), 3)) * np.array([0.04, 0.02, 0.02])
    lab += lift * light[:, None] * np.array([0.15, 0.004, 0.025])
    widths = broad * rng.uniform(0.6, 1.2, len(starts))
    return _drawn(sheet, paths, widths, palettes.from_oklab(lab), h, rng)


def _drawn(sheet: Sheet, paths: NDArray, widths: NDArray, inks: NDArray, height: int, rng: Generator) -> tuple[Field, Field]:
    image = Image.new("RGBA", sheet.index.shape[::-1], (0, 0, 0, 0))
    profile = np.array([0.7, 1, 1, 1, 0.6])
    rgba = np.concatenate([inks * 255, rng.uniform(150, 255, (len(inks), 1))], axis=1).astype(int)
    canvas.fill(ImageDraw.Draw(image), canvas.ribbons(paths, widths[:, None] * profile), map(tuple, rgba.tolist()))
    drawn = np.asarray(image, np.float32) / 255
    laid = drawn[..., 3]
    return drawn[..., :3], canvas.smooth(np.ascontiguousarray(laid), max(0.003 * height, 0.5)) * (laid > 0)
