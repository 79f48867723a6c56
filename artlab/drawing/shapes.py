"""Outlines a pair of scissors could follow: smooth closed curves, and the few ways to cut, turn and shade them.

Every function returns an (n, 2) array of points (x right, y down) in whatever unit its arguments have.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np
from numpy.random import Generator
from numpy.typing import ArrayLike

from artlab.drawing.scene import Points, Role, Shape

Knots = Sequence[tuple[float, ...]]  # (x, y) is passed smoothly, (x, y, 1) is a corner


def _spline(knots: Knots, closed: bool, steps: int) -> Points:
    """A centripetal Catmull-Rom spline (Yuksel et al. 2011) through the knots, all spans at once."""
    points = np.array([knot[:2] for knot in knots], dtype=float)
    n = len(points)
    corner = np.array([len(knot) > 2 for knot in knots])
    if not closed:
        corner[[0, -1]] = True
    i = np.arange(n if closed else n - 1)
    j = (i + 1) % n
    a, b = points[i], points[j]
    before = np.where(corner[i, None], 2 * a - b, points[i - 1])
    after = np.where(corner[j, None], 2 * b - a, points[(j + 1) % n])
    p = np.stack([before, a, b, after])[:, :, None]
    gaps = np.maximum(np.linalg.norm(np.diff(p, axis=0), axis=-1, keepdims=True), 1e-9) ** 0.5
    k = np.concatenate([np.zeros_like(gaps[:1]), np.cumsum(gaps, axis=0)])
    u = k[1] + np.linspace(0, 1, steps, endpoint=False)[None, :, None] * gaps[1]

    def mix(x: Points, y: Points, start: int, end: int) -> Points:
        return (x * (k[end] - u) + y * (u - k[start])) / (k[end] - k[start])

    c, d, e = (mix(p[m], p[m + 1], m, m + 1) for m in range(3))
    spans = mix(mix(c, d, 0, 2), mix(d, e, 1, 3), 1, 2)
    kept = np.ones((len(i), steps), dtype=bool)
    if closed:
        kept[corner[i] & corner[j], 1:] = False  # a straight side needs no points between
    path = spans[kept]
    return path if closed else np.concatenate([path, points[-1:]])


def curve(knots: Knots, steps: int = 8) -> Points:
    """A closed outline through the knots: smooth at (x, y), pointed at (x, y, 1), straight between two corners."""
    return _spline(knots, True, steps)


def line(knots: Knots, steps: int = 8) -> Points:
    """A smooth open line through the knots."""
    return _spline(knots, False, steps)


def polygon(*corners: tuple[float, float]) -> Points:
    """Straight sides between the given corners."""
    return np.array(corners, dtype=float)


def ellipse(x: float, y: float, rx: float, ry: float | None = None, angle: float = 0.0, n: int = 40) -> Points:
    """A circle (one radius) or an ellipse turned by `angle`."""
    t = np.linspace(0, 2 * np.pi, n, endpoint=False)
    return turned(np.stack([rx * np.cos(t), (rx if ry is None else ry) * np.sin(t)], axis=1), angle) + np.array([x, y])


def box(x0: float, y0: float, x1: float, y1: float, r: float = 0.0) -> Points:
    """An upright rectangle, its corners rounded by `r`."""
    if r <= 0:
        return polygon((x0, y0), (x1, y0), (x1, y1), (x0, y1))
    t = np.linspace(0, np.pi / 2, 6)
    quarter = np.stack([np.cos(t), np.sin(t)], axis=1) * r
    middles = ((x1 - r, y1 - r), (x0 + r, y1 - r), (x0 + r, y0 + r), (x1 - r, y0 + r))
    return np.concatenate([turned(quarter, i * np.pi / 2) + middle for i, middle in enumerate(middles)])


def arch(x0: float, y0: float, x1: float, y1: float, pointed: bool = False) -> Points:
    """A door or window: upright sides under a round (or pointed) head."""
    w = x1 - x0
    spring = min(y0 + w * (0.8 if pointed else 0.5), y1)
    if pointed:
        m = (x0 + x1) / 2
        return curve([(x0, spring, 1), (x0 + w * 0.16, y0 + (spring - y0) * 0.42), (m, y0, 1),
                      (x1 - w * 0.16, y0 + (spring - y0) * 0.42), (x1, spring, 1), (x1, y1, 1), (x0, y1, 1)])  # fmt: skip
    t = np.linspace(np.pi, 2 * np.pi, 16)
    head = np.stack([(x0 + x1) / 2 + np.cos(t) * w / 2, spring + np.sin(t) * (spring - y0)], axis=1)
    return np.concatenate([head, [[x1, y1], [x0, y1]]])


def star(x: float, y: float, outer: float, inner: float, n: int = 5, angle: float = -np.pi / 2) -> Points:
    """A star with `n` points, the first one in direction `angle`."""
    t = angle + np.arange(2 * n) * np.pi / n
    r = np.where(np.arange(2 * n) % 2 == 0, outer, inner)
    return np.stack([x + r * np.cos(t), y + r * np.sin(t)], axis=1)


def petal(x: float, y: float, angle: float, length: float, width: float, widest: float = 0.6, tip: bool = True) -> Points:
    """A leaf or petal growing from (x, y) in direction `angle`, pointed unless `tip` is false."""
    end: tuple[float, ...] = (length, 0, 1) if tip else (length, 0)
    w = width / 2
    side = [(length * widest * 0.45, w * 0.72), (length * widest, w), (length * (0.55 + widest * 0.45), w * 0.62)]
    knots: Knots = [(0, 0, 1), *side, end, *((a, -b) for a, b in reversed(side))]
    return turned(curve(knots, 6), angle) + np.array([x, y])


def stroke(knots: Knots, widths: float | Sequence[float], steps: int = 8) -> Points:
    """The outline of a brush stroke along a smooth line: its width runs through `widths`, its ends are round."""
    path = line(knots, steps)
    full = np.atleast_1d(np.asarray(widths, dtype=float))
    half = np.interp(np.linspace(0, 1, len(path)), np.linspace(0, 1, len(full)), full)[:, None] / 2
    along = np.gradient(path, axis=0)
    along /= np.maximum(np.linalg.norm(along, axis=1, keepdims=True), 1e-9)
    normal = along[:, ::-1] * (-1, 1)
    t = np.linspace(np.pi / 2, -np.pi / 2, 7)[1:-1, None]
    end = path[-1] + half[-1] * (np.cos(t) * along[-1] + np.sin(t) * normal[-1])
    start = path[0] + half[0] * (-np.cos(t) * along[0] - np.sin(t) * normal[0])
    return np.concatenate([path + half * normal, end, (path - half * normal)[::-1], start])


def blob(rng: Generator, x: float, y: float, rx: float, ry: float, wobble: float = 0.08, knots: int = 9) -> Points:
    """An uneven round form, as cut by hand."""
    t = np.arange(knots) * 2 * np.pi / knots + rng.uniform(0, 6)
    r = 1 + rng.uniform(-wobble, wobble, knots)
    return curve(list(zip(x + rx * r * np.cos(t), y + ry * r * np.sin(t), strict=True)))


def lobes(x: float, y: float, rx: float, ry: float, n: int, depth: float = 0.1, turn: float = 0.0) -> Points:
    """A crown of `n` round scallops, like foliage, a cauliflower or a cloud."""
    t = np.linspace(0, 2 * np.pi, 14 * n, endpoint=False)
    r = 1 - depth + depth * 2 * np.abs(np.sin(n * t / 2 + turn)) ** 0.8
    return np.stack([x + rx * r * np.cos(t), y + ry * r * np.sin(t)], axis=1)


def heap(circles: Iterable[tuple[float, float, float]], floor: float) -> Points:
    """The upper edge of overlapping circles (x, y, r) above a level floor: a cloud, a hedge, smoke on the horizon."""
    c = np.array(list(circles), dtype=float)
    x = np.linspace((c[:, 0] - c[:, 2]).min(), (c[:, 0] + c[:, 2]).max(), 140)
    reach = c[:, 2, None] ** 2 - (x[None] - c[:, 0, None]) ** 2
    top = np.where(reach > 0, c[:, 1, None] - np.sqrt(np.maximum(reach, 0)), floor).min(axis=0)
    top = np.minimum(top, floor)
    return np.concatenate([np.stack([x, top], axis=1), [[x[-1], floor], [x[0], floor]]])


def crescent(x: float, y: float, r: float, bite: float = 0.45, angle: float = 0.0) -> Points:
    """A waxing moon: a disc less a second disc shifted by `bite` radii to the side `angle` points to."""
    a = np.arccos(bite / 2)
    t = np.linspace(a, 2 * np.pi - a, 48)
    outer = np.stack([np.cos(t), np.sin(t)], axis=1)
    s = np.linspace(np.pi + a, np.pi - a, 40)[1:-1]
    inner = np.stack([bite + np.cos(s), np.sin(s)], axis=1)
    return turned(np.concatenate([outer, inner]) * r, angle) + np.array([x, y])


def turned(outline: Points, angle: float, about: tuple[float, float] = (0.0, 0.0)) -> Points:
    """The outline turned clockwise (y runs down) by `angle` radians."""
    c, s = np.cos(angle), np.sin(angle)
    return (outline - about) @ np.array([[c, s], [-s, c]]) + about


def _clipped(outline: Points, point: ArrayLike, normal: ArrayLike) -> Points:
    """One pass of Sutherland and Hodgman (1974): the outline on the side of a line that `normal` points to."""
    d = (outline - np.asarray(point, dtype=float)) @ np.asarray(normal, dtype=float)
    kept = d >= 0
    if kept.all():
        return outline
    after = [*range(1, len(d)), 0]
    ahead, e = outline[after], d[after]
    crosses = kept != kept[after]
    t = np.divide(d, d - e, out=np.zeros_like(d), where=crosses)[:, None]
    both = np.stack([outline, outline + t * (ahead - outline)], axis=1).reshape(-1, 2)
    return both[np.stack([kept, crosses], axis=1).ravel()]


def _without_spurs(outline: Points) -> Points:
    """The outline less the hair-thin spikes that clipping leaves, where it runs out and back along one line."""
    while len(outline) > 2:
        ring = np.concatenate([outline[-1:], outline, outline[:1]])
        step = ring[1:] - ring[:-1]
        out, back = step[:-1], step[1:]
        reach = np.sqrt((out**2).sum(axis=1) * (back**2).sum(axis=1))
        turn = out[:, 0] * back[:, 1] - out[:, 1] * back[:, 0]
        spike = (np.abs(turn) <= 1e-9 * np.maximum(reach, 1e-12)) & ((out * back).sum(axis=1) <= 0)
        if not spike.any():
            break
        outline = np.delete(outline, np.flatnonzero(spike)[0], axis=0)
    return outline


def cut(outline: Points, point: ArrayLike, normal: ArrayLike) -> Points:
    """The part of an outline on the side of a straight line that `normal` points to."""
    return _without_spurs(_clipped(outline, point, normal))


def within(outline: Points, convex: Points) -> Points:
    """The part of any outline inside a convex one; empty when they do not meet."""
    middle = convex.mean(axis=0)
    for a, b in zip(convex, [*convex[1:], convex[0]], strict=True):
        normal = np.array([a[1] - b[1], b[0] - a[0]])
        outline = _clipped(outline, a, normal if (middle - a) @ normal > 0 else -normal)
        if len(outline) < 3:
            return np.empty((0, 2))
    return _without_spurs(outline)


def inside(outline: Points, convex: Points, role: Role, tone: float = 0.0, grain: float = 0.0) -> list[Shape]:
    """A mark in another colour that stays inside a form: no shape at all if it misses the form."""
    part = within(outline, convex)
    return [Shape(part, role, tone, grain)] if len(part) > 2 else []


def volume(outline: Points, role: Role, tone: float = 0.0, *, shade: float = 0.3, shift: tuple[float, float] = (-0.16, -0.1),
           size: float = 0.56, grain: float = 0.0) -> list[Shape]:  # fmt: skip
    """A rounded form: the outline in shadow, and over it the part that the light from `shift` reaches."""
    low, high = outline.min(axis=0), outline.max(axis=0)
    x, y = (low + high) / 2 + np.array(shift) * (high - low)
    rx, ry = (high - low) * size
    lit = inside(outline, ellipse(x, y, rx, ry, n=28), role, tone, grain)
    return [Shape(outline, role, tone - shade, grain), *lit]


def hair(knots: Knots, width: float, role: Role = "dark", tone: float = 0.0) -> Shape:
    """A thin line that swells in the middle: a whisker, a leg, a mouth."""
    return Shape(stroke(knots, [width * 0.6, width, width * 0.3]), role, tone)


def eye(x: float, y: float, r: float = 2.4, role: Role = "dark") -> list[Shape]:
    """A round eye with a glint."""
    return [Shape(ellipse(x, y, r, r * 1.1), role), Shape(ellipse(x - r * 0.3, y - r * 0.35, r * 0.34, n=10), "light", 0.2)]


def extent(shapes: Iterable[Shape]) -> tuple[float, float, float, float]:
    """Left, top, right and bottom of a group of shapes."""
    points = np.concatenate([shape.outline for shape in shapes])
    (x0, y0), (x1, y1) = points.min(axis=0), points.max(axis=0)
    return float(x0), float(y0), float(x1), float(y1)


def mirrored(shapes: Iterable[Shape], about: float = 0.5) -> tuple[Shape, ...]:
    """The shapes facing the other way."""
    return tuple(replace(s, outline=s.outline * (-1, 1) + (2 * about, 0), grain=-s.grain) for s in shapes)


def rotated(shapes: Iterable[Shape], angle: float, about: tuple[float, float]) -> tuple[Shape, ...]:
    """The shapes turned together."""
    return tuple(replace(s, outline=turned(s.outline, angle, about), grain=s.grain + angle) for s in shapes)


def toned(shapes: Iterable[Shape], tone: float) -> tuple[Shape, ...]:
    """The shapes all darkened or lightened by `tone`."""
    return tuple(replace(s, tone=float(np.clip(s.tone + tone, -1, 1))) for s in shapes)


def boxed(shapes: Iterable[Shape], standing: bool = True) -> tuple[Shape, ...]:
    """The shapes scaled into the unit box, centred at x = 0.5 and standing on y = 1 (or centred in it)."""
    shapes = tuple(shapes)
    x0, y0, x1, y1 = extent(shapes)
    scale = 1 / max(x1 - x0, y1 - y0)
    dy = 1 - y1 * scale if standing else 0.5 - (y0 + y1) / 2 * scale
    return tuple(shape.moved(scale, 0.5 - (x0 + x1) / 2 * scale, dy) for shape in shapes)
