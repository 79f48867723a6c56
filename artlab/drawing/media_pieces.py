"""Media of pieces: cut paper, mosaic, stained glass."""

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter
from scipy.spatial import cKDTree

from artlab.drawing import canvas, palettes
from artlab.drawing.canvas import Field, Hand, Sheet
from artlab.drawing.palettes import Palette
from artlab.drawing.scene import Scene


def paper_cut(scene: Scene, palette: Palette, height_px: int, rng: Generator, hand: Hand) -> NDArray[np.uint8]:
    """Sheets of coloured paper cut with scissors and laid over one another, each with its shadow and its bright cut edge."""
    sheet = canvas.lay_out(scene, palette, height_px, rng, hand, wobble=0.6)
    picture = Image.new("RGB", sheet.index.shape[::-1], _ink(sheet.colours[0]))
    fibres = _fibres(sheet, rng)
    rims = palettes.from_oklab(palettes.to_oklab(sheet.colours) * 0.55 + np.array([0.45, 0, 0]))
    for number in range(1, len(sheet.shapes)):
        if sheet.breadth[number]:
            _lay(picture, sheet, number, rims[number], rng)
    return canvas.finished(np.asarray(picture, np.float32) / 255 * fibres[..., None], sheet)


def _ink(colour: NDArray) -> tuple[int, int, int]:
    red, green, blue = (round(float(c) * 255) for c in np.clip(colour, 0, 1))
    return red, green, blue


def _lay(picture: Image.Image, sheet: Sheet, number: int, rim: NDArray, rng: Generator) -> None:
    """Lay one cut sheet on the picture: shadow, white core of the paper, then the coloured face."""
    h = sheet.index.shape[0]
    outline = _scissored(sheet.outlines[number], 0.035 * h * sheet.hand.wobble, rng)
    outline = outline + rng.normal(0, 0.0022 * h, 2) * sheet.hand.offset
    depth = 0.5 + 0.5 * sheet.shapes[number].depth
    blur, drop = 0.0075 * h * depth, np.array([0.003, 0.005]) * h * depth
    low = np.floor(np.maximum(outline.min(0) - 3 * blur, 0)).astype(int)
    high = np.ceil(np.minimum(outline.max(0) + 3 * blur + drop, picture.size)).astype(int)
    if (high <= low + 1).any():
        return
    corner = (int(low[0]), int(low[1]))
    mask = Image.new("L", (int(high[0] - low[0]), int(high[1] - low[1])), 0)
    shadow = mask.copy()
    ImageDraw.Draw(mask).polygon((outline - low).ravel().tolist(), fill=255)
    ImageDraw.Draw(shadow).polygon((outline - low + drop).ravel().tolist(), fill=175)
    shadow = shadow.filter(ImageFilter.BoxBlur(blur)).filter(ImageFilter.BoxBlur(blur))
    picture.paste((22, 16, 24), corner, shadow)
    face = sheet.colours[number]
    core = outline - np.array([0.6, 0.9]) * max(0.0016 * h, 0.5 * sheet.px)
    ImageDraw.Draw(picture).polygon(core.ravel().tolist(), fill=_ink(rim))
    picture.paste(_ink(face * (1 + rng.normal(0, 0.012))), corner, mask)


def _scissored(outline: NDArray, step: float, rng: Generator) -> NDArray:
    """The outline in short straight snips: every so many pixels a point is kept, and all sharp corners."""
    if np.ptp(outline, axis=0).max() < 5 * step or len(outline) < 5:
        return outline
    ahead, behind = np.roll(outline, -1, axis=0) - outline, outline - np.roll(outline, 1, axis=0)
    turn = np.abs(np.angle(np.exp(1j * (np.arctan2(*ahead.T[::-1]) - np.arctan2(*behind.T[::-1])))))
    along = np.cumsum(np.hypot(*behind.T))
    snip = np.floor(along / max(step, 1e-6) + rng.random()).astype(int)
    keep = (turn > 0.5) | (np.diff(snip, prepend=-1) > 0)
    return outline[keep] if keep.sum() > 3 else outline


def _fibres(sheet: Sheet, rng: Generator) -> Field:
    """Light and shade (h, w) about 1 of pressed fibres, different on every sheet of paper."""
    h, w = sheet.index.shape
    felt = 0.024 * canvas.tooth(sheet, rng, 0.0045) + 0.02 * canvas.noise((h, w), 0.06 * h, rng, 2)
    image = Image.new("L", (w, h), 128)
    starts = canvas.scattered(sheet, 0.022 * h, rng)
    bend = canvas.noise((h, w), 0.03 * h, rng) * 1.2
    turned = bend + rng.uniform(0, np.pi, len(sheet.shapes)).astype(np.float32)[sheet.index]
    draw = ImageDraw.Draw(image)
    for path, grey in zip(canvas.traced(turned, starts, 0.03 * h, 7), rng.integers(105, 150, len(starts)).tolist(), strict=True):
        draw.line(path.ravel().tolist(), fill=grey, width=max(1, round(0.0012 * h)))
    lift = canvas.noise((h, w), 0.5 * h, rng) * 0.012 + 0.02 * sheet.light
    return 1 + sheet.hand.paper * (felt + (np.asarray(image, np.float32) - 128) / 128 * 0.36) + lift


def mosaic(scene: Scene, palette: Palette, height_px: int, rng: Generator, hand: Hand) -> NDArray[np.uint8]:
    """Small cut stones set in rows: rows along the outline of every shape first, then along its grain inside."""
    sheet = canvas.lay_out(scene, palette, height_px, rng, hand, wobble=0.5)
    size = sheet.length(0.0215, 3.6)
    places, angles = _set_stones(sheet, size, rng)
    owner = canvas.at(sheet.index, places)
    stones, relief = _stones(sheet, places, angles, owner, size, rng)
    tiny = (sheet.breadth < 0.6 * size)[sheet.index] & (sheet.index > 0)  # one stone cut to the shape of an eye or a stalk
    stones, relief = np.where(tiny[..., None], sheet.flat, stones), np.where(tiny, np.float32(0.85), relief)
    grout = palettes.mix(palette["dark"], np.array(palette.paper), 0.42).astype(np.float32)
    bed = grout + 0.03 * canvas.tooth(sheet, rng, 0.004)[..., None]
    cover = np.minimum(relief * 4, 1)[..., None]
    lit = _bevelled(relief, sheet.px) * (1 + 0.035 * canvas.tooth(sheet, rng, 0.007))
    return canvas.finished(bed * (1 - 0.25 * cover) * (1 - cover) + stones * lit[..., None] * cover, sheet)


_ROWS = (0.5, -0.5, 1.5)  # rows of stones along an outline, in stones inwards, the most important first


def _set_stones(sheet: Sheet, size: float, rng: Generator) -> tuple[NDArray, NDArray]:
    """Where the stones go (n, 2), and how each is turned (n,): the field of every shape, then its contour rows."""
    h, w = sheet.index.shape
    fields, borders = [], []
    away = canvas.edge_distance(sheet.index, sheet.px)
    for number, outline in enumerate(sheet.outlines):
        lattice = _lattice((outline.min(0), outline.max(0)), size, float(sheet.grain[number]), rng)
        inside = (lattice > -size).all(1) & (lattice[:, 0] < w + size) & (lattice[:, 1] < h + size)
        lattice = lattice[inside]
        lattice = lattice[(canvas.at(sheet.index, lattice) == number) & (canvas.at(away, lattice) > 0.2 * size)]
        fields.append(np.column_stack([lattice, np.full(len(lattice), sheet.grain[number])]))
        for row in _ROWS[: int(sheet.breadth[number] / (0.6 * size))] if number else ():
            ring = _ring(outline, size, row * size)
            seen = canvas.at(sheet.index, ring[:, :2])
            free = (seen < number) & (canvas.at(away, ring[:, :2]) > 0.3 * size)
            borders.append(ring[free if row < 0 else seen == number])
    stones = np.concatenate([*fields, *borders])
    stones = stones[(stones[:, 0] > -size) & (stones[:, 1] > -size) & (stones[:, 0] < w + size) & (stones[:, 1] < h + size)]
    return stones[:, :2], stones[:, 2] + sheet.hand.wobble * rng.normal(0, 0.06, len(stones))


def _lattice(box: tuple[NDArray, NDArray], size: float, grain: float, rng: Generator) -> NDArray:
    """Points in brick-like rows along the grain that cover the box (n, 2)."""
    middle, reach = (box[0] + box[1]) / 2, np.hypot(*(box[1] - box[0])) / 2 + size
    u, v = np.meshgrid(np.arange(-reach, reach, size * 1.08), np.arange(-reach, reach, size))
    u = u + (rng.random((len(u), 1)) + rng.normal(0, 0.05, u.shape)) * size
    cos, sin = np.cos(grain), np.sin(grain)
    return np.stack([u * cos - v * sin, u * sin + v * cos], axis=-1).reshape(-1, 2) + middle


def _ring(outline: NDArray, size: float, inward: float) -> NDArray:
    """Points every `size` along the outline, moved inwards: (n, 3) as x, y, direction."""
    closed = np.vstack([outline, outline[:1]])
    along = np.concatenate([[0], np.cumsum(np.hypot(*np.diff(closed, axis=0).T))])
    t = np.linspace(0, along[-1], max(3, round(along[-1] / (size * 1.04))), endpoint=False)
    points = np.stack([np.interp(t, along, closed[:, 0]), np.interp(t, along, closed[:, 1])], axis=1)
    tangent = np.roll(points, -1, axis=0) - np.roll(points, 1, axis=0)
    tangent /= np.sqrt((tangent**2).sum(1, keepdims=True)) + 1e-9
    x, y = closed.T
    turn = np.sign(np.sum(x[:-1] * y[1:] - x[1:] * y[:-1])) or 1.0
    normal = np.stack([-tangent[:, 1], tangent[:, 0]], axis=1) * turn
    return np.column_stack([points + normal * inward, np.arctan2(tangent[:, 1], tangent[:, 0])])


def _stones(sheet: Sheet, places: NDArray, angles: NDArray, owner: NDArray, size: float, rng: Generator) -> tuple[Field, Field]:
    """The stones' colours (h, w, 3) and heights (h, w), 0 on the grout: later stones cut into earlier ones."""
    n = len(places)
    corners = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * 0.5 * size
    quads = corners * rng.normal((0.92, 0.86), 0.05, (n, 1, 2)) + rng.normal(0, 0.05 * size * sheet.hand.wobble, (n, 4, 2))
    cos, sin = np.cos(angles)[:, None], np.sin(angles)[:, None]
    quads = np.stack([quads[..., 0] * cos - quads[..., 1] * sin, quads[..., 0] * sin + quads[..., 1] * cos], axis=-1)
    lab = palettes.to_oklab(sheet.colours)[owner]
    lab = lab + rng.normal(0, 1, (n, 3)) * np.array([0.042, 0.012, 0.014])
    lab[:, 0] += 0.05 * canvas.at(sheet.light, places)
    rgba = np.column_stack([palettes.from_oklab(lab) * 255, rng.uniform(150, 255, n)]).astype(int)
    image = Image.new("RGBA", sheet.index.shape[::-1], (0, 0, 0, 0))
    draw = ImageDraw.Draw(image)
    for place, quad, ink in zip(places, quads, map(tuple, rgba.tolist()), strict=True):
        draw.polygon((place + quad * 1.2).ravel().tolist(), fill=(0, 0, 0, 0))
        draw.polygon((place + quad).ravel().tolist(), fill=ink)
    drawn = np.asarray(image, np.float32) / 255
    return drawn[..., :3], np.ascontiguousarray(drawn[..., 3])


def _bevelled(relief: Field, px: float) -> Field:
    """Light (h, w) about 1 on stones lit from the upper left: bright upper edges, dark lower ones, tilted faces."""
    soft = canvas.smooth(relief, 0.9 * px)
    slope = np.zeros_like(soft)
    slope[1:-1, 1:-1] = soft[2:, 2:] - soft[:-2, :-2]
    return 1 + np.clip(slope * 0.42, -0.22, 0.22) + 0.16 * (relief - 0.8)


def stained_glass(scene: Scene, palette: Palette, height_px: int, rng: Generator, hand: Hand) -> NDArray[np.uint8]:
    """Panes of coloured glass in lead: every shape broken into pieces, each in its own shade and brightest in its middle."""
    sheet = canvas.lay_out(scene, palette, height_px, rng, hand, wobble=0.5)
    h = sheet.index.shape[0]
    panes, seeds = _panes(sheet, rng)
    painted = (sheet.breadth < 0.022 * h)[sheet.index]  # too small for a pane of its own: painted on the glass
    away = canvas.edge_distance(panes, sheet.px, painted)
    glass = _glass(sheet, panes, away, seeds, rng)
    glow = np.stack([canvas.smooth(np.ascontiguousarray(glass[..., c]), 0.03 * h) for c in range(3)], axis=-1)
    lead, shine = _lead(sheet, away, painted, rng)
    glass = glass * (1 - 0.75 * _brushed_lines(sheet, painted))[..., None]
    lit = glass + 0.3 * np.maximum(glow - 0.35, 0) * (1 - glass)
    metal = np.array([0.09, 0.085, 0.095], np.float32) + 0.2 * shine[..., None] + 0.07 * glow
    return canvas.finished(lit + (metal - lit) * lead[..., None], sheet)


def _panes(sheet: Sheet, rng: Generator) -> tuple[NDArray[np.int32], NDArray]:
    """Which pane each pixel belongs to (h, w), and the pane's shape (n,): nearest seed of the same shape."""
    h, w = sheet.index.shape
    shape_of = sheet.index[:: max(1, int(sheet.px)), :: max(1, int(sheet.px))]
    seeds = canvas.scattered(sheet, 0.15 * h * sheet.hand.mark_size, rng)
    visible = np.flatnonzero(np.bincount(shape_of.ravel(), minlength=len(sheet.shapes)))
    own = np.array([sheet.outlines[n].mean(0) for n in visible])
    seeds, owner = np.concatenate([seeds, own]), np.concatenate([canvas.at(sheet.index, seeds), visible])
    far = 10.0 * h
    tree = cKDTree(np.column_stack([seeds, owner * far]))
    y, x = np.mgrid[0 : shape_of.shape[0], 0 : shape_of.shape[1]] * float(max(1, int(sheet.px)))
    sway = 0.008 * h * sheet.hand.wobble
    bent = [axis + sway * canvas.noise(shape_of.shape, 0.12 * shape_of.shape[0], rng) for axis in (x, y)]
    _, nearest = tree.query(np.stack([*bent, shape_of * far], axis=-1).reshape(-1, 3))
    coarse = Image.fromarray(nearest.reshape(shape_of.shape).astype(np.int32))
    return np.asarray(coarse.resize((w, h), Image.Resampling.NEAREST)), owner


def _glass(sheet: Sheet, panes: NDArray[np.int32], away: Field, owner: NDArray, rng: Generator) -> Field:
    h, w = sheet.index.shape
    lab = palettes.to_oklab(sheet.colours)[owner]
    lab[:, 0] = 0.16 + 0.84 * lab[:, 0]
    lab[:, 1:] *= 1.25
    lab += rng.normal(0, 1, lab.shape) * np.array([0.045, 0.02, 0.02])
    bent = canvas.noise((h, w), (0.03 * h, 0.16 * h), rng, 3)
    light = 0.80 + 0.11 * bent + 0.24 * np.minimum(away / (0.045 * h), 1)
    sky = 1.08 - 0.2 * np.arange(h, dtype=np.float32)[:, None] / h
    seedy = np.clip(canvas.noise((h, w), max(0.006 * h, 2 * sheet.px), rng) - 2.1, 0, 1)
    return palettes.from_oklab(lab).astype(np.float32)[panes] * (light * sky + 0.25 * seedy)[..., None]


def _brushed_lines(sheet: Sheet, painted: NDArray[np.bool_]) -> Field:
    """Thin lines of dark paint (h, w) round what is painted on the glass."""
    index = np.where(painted, sheet.index, -1)
    line = max(0.0015 * index.shape[0], 0.3 * sheet.px)
    return np.clip((line - canvas.edge_distance(index, sheet.px)) / sheet.px + 0.5, 0, 1)


def _lead(sheet: Sheet, away: Field, painted: NDArray[np.bool_], rng: Generator) -> tuple[Field, Field]:
    """How much lead lies on each pixel (h, w), and where its round back catches the light; thicker between two shapes."""
    h, w = sheet.index.shape
    outer = canvas.edge_distance(sheet.joined, sheet.px, painted)
    most = np.maximum(0.24 * sheet.breadth, 0.3 * sheet.px)[sheet.index]
    thin = np.minimum(sheet.length(0.0042 * sheet.hand.outline, 0.55), most) * (1 + 0.12 * canvas.noise((h, w), 0.06 * h, rng))
    reach = np.maximum(thin - away, 1.55 * thin - outer)
    lead = np.clip(canvas.smooth(reach, 0.5 * sheet.px) / sheet.px + 0.5, 0, 1)
    back = np.clip(reach / thin, 0, 1) ** 2 * np.clip(0.4 + 0.5 * canvas.noise((h, w), 0.05 * h, rng), 0, 1)
    return lead, back.astype(np.float32)
