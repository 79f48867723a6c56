"""The canvas being filled, and the pieces of country it is filled with: sky, hills, trees, water, a place to stand."""

# fmt: off
# Coordinates read better in rows than one to a line.

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.random import Generator

from artlab.drawing.scene import Points, Role, Shape
from artlab.drawing.shapes import box, curve, ellipse, extent, heap, lobes, petal, stroke
from artlab.drawing.subjects import INDOOR, SKY, SUBJECTS, WATER

Shapes = list[Shape]


@dataclass
class Stage:
    """The canvas, the subjects to place and the words noted on the way."""

    rng: Generator
    aspect: float
    subject: str
    second: str | None = None
    words: dict[str, str] = field(default_factory=dict)

    @property
    def sheet(self) -> Points:
        """A little more than the canvas."""
        return box(-0.05, -0.05, self.aspect + 0.05, 1.05)

    @property
    def afloat(self) -> bool:
        """Whether the subject wants water under it instead of land."""
        return self.subject in WATER

    def drawn(self, name: str, x: float, foot: float, height: float, width: float = 9.0, depth: float = 0.8) -> Shapes:
        """A subject standing at (x, foot), as high as `height` unless that makes it wider than `width`."""
        shapes = SUBJECTS[name](self.rng)
        x0, y0, x1, y1 = extent(shapes)
        scale = min(height / (y1 - y0), width / (x1 - x0))
        return [replace(s.moved(scale, x - (x0 + x1) / 2 * scale, foot - y1 * scale), depth=depth) for s in shapes]

    def main(self, x: float, foot: float, height: float) -> Shapes:
        """The subject at x (a share of the width), and the second one, smaller, where there is room for it."""
        out: Shapes = []
        room = 0.92 * self.aspect
        if self.second:
            self.words["second"] = self.second
            side = -1 if x > 0.5 or (x == 0.5 and self.rng.random() < 0.5) else 1
            x = x - side * 0.16 if abs(x - 0.5) < 0.13 else x
            room = 0.58 * self.aspect
            foot2 = foot - (0.34 if self.second in SKY else 0.05)
            out = self.drawn(self.second, float(np.clip(x + side * 0.5, 0.18, 0.82)) * self.aspect, foot2, height * 0.56,
                             0.36 * self.aspect, 0.6)
        span = 1.8 * min(x, 1 - x) * self.aspect
        shapes = self.drawn(self.subject, x * self.aspect, foot, height, min(max(span, 0.5 * self.aspect), room))
        x0, _, x1, _ = extent(shapes)
        margin = 0.03 * self.aspect
        shift = max(0.0, margin - x0) - max(0.0, x1 - (self.aspect - margin))
        return out + [shape.moved(1, shift, 0) for shape in shapes]



def ridge(s: Stage, y: float, swing: float, peaks: int = 3, role: Role = "ground", tone: float = 0.0,
          depth: float = 0.3) -> Shape:
    """A rolling plane that fills everything below it."""
    xs = np.linspace(-0.1, s.aspect + 0.1, 2 * peaks + 1)
    ys = y + swing * np.where(np.arange(len(xs)) % 2 == s.rng.integers(2), 1, -1) * s.rng.uniform(0.4, 1, len(xs))
    top = [(float(a), float(b)) for a, b in zip(xs, ys, strict=True)]
    return Shape(curve([(-0.1, 1.1, 1), (*top[0], 1), *top[1:-1], (*top[-1], 1), (s.aspect + 0.1, 1.1, 1)]), role, tone, 0.0,
                 depth)


def sky(s: Stage, horizon: float, tone: float = 0.0, bands: int = 3) -> Shapes:
    """The sheet in the sky's colour, paler towards the horizon in gently waved bands."""
    out = [Shape(s.sheet, "sky", tone, 0.0, 0.0)]
    for i in range(1, bands):
        out.append(ridge(s, horizon * i / bands, 0.02, 2, "sky", tone + 0.16 * i, 0.02 * i))
    return out


def clouds(s: Stage, horizon: float, count: int, tone: float = 0.0) -> Shapes:
    out: Shapes = []
    for _ in range(count):
        x, y, r = s.rng.uniform(0, s.aspect), s.rng.uniform(0.1, max(0.14, horizon * 0.6)), s.rng.uniform(0.03, 0.055)
        out.append(Shape(heap([(x - 1.5 * r, y, 0.7 * r), (x - 0.4 * r, y - 0.3 * r, r), (x + 0.8 * r, y - 0.1 * r, 0.85 * r),
                               (x + 1.8 * r, y, 0.6 * r)], y + 0.35 * r), "light", tone, 0.0, 0.1))
    return out


def fir(x: float, foot: float, h: float, tone: float, depth: float, role: Role = "ground") -> Shapes:
    out = [Shape(box(x - h * 0.03, foot - h * 0.16, x + h * 0.03, foot), "dark", 0.1, 1.57, depth)]
    for k in range(3):
        base, half = foot - h * (0.1 + 0.25 * k), h * (0.25 - 0.055 * k)
        out.append(Shape(curve([(x, base - h * 0.42, 1), (x + half * 0.4, base - h * 0.16), (x + half, base, 1),
                                (x, base + h * 0.03), (x - half, base, 1), (x - half * 0.4,
                                        base - h * 0.16)]), role, tone + 0.07 * k, 1.57, depth))
    return out


def bush(x: float, foot: float, h: float, tone: float, depth: float, role: Role = "ground") -> Shapes:
    return [Shape(box(x - h * 0.035, foot - h * 0.5, x + h * 0.035, foot), "dark", 0.1, 1.57, depth),
            Shape(lobes(x, foot - h * 0.62, h * 0.32, h * 0.38, 7, 0.06), role, tone, 0.5, depth),
            Shape(lobes(x - h * 0.06, foot - h * 0.7, h * 0.2, h * 0.22, 6, 0.06), role, tone + 0.16, 0.5, depth)]


def trees(s: Stage, foot: float, h: float, count: int, tone: float, depth: float, gap: tuple[float, float] = (2.0,
        2.0)) -> Shapes:
    """A few firs or round trees, none of them inside the gap (shares of the width)."""
    out: Shapes = []
    kind = fir if s.rng.random() < 0.5 else bush
    for x in np.linspace(0.03, 0.97, count) + s.rng.uniform(-0.03, 0.03, count):
        if not gap[0] < x < gap[1]:
            out += kind(x * s.aspect, foot + s.rng.uniform(-0.01, 0.01), h * s.rng.uniform(0.75, 1.1), tone, depth)
    return out


def tufts(s: Stage, y0: float, y1: float, count: int, role: Role = "ground", tone: float = -0.35) -> Shapes:
    out: Shapes = []
    for _ in range(count):
        x, y = s.rng.uniform(0, s.aspect), s.rng.uniform(y0, y1)
        out += [Shape(petal(x, y, -1.57 + a, 0.045 * s.rng.uniform(0.7, 1.2), 0.011, 0.4), role, tone, -1.57 + a, 0.95)
                for a in (-0.45, 0.0, 0.45)]
    return out


def blooms(s: Stage, y0: float, y1: float, count: int, size: float = 0.05, role: Role = "accent") -> Shapes:
    out: Shapes = []
    for y in np.sort(s.rng.uniform(y0, y1, count)):
        x, r = s.rng.uniform(0.01, 0.99) * s.aspect, size * s.rng.uniform(0.7, 1.15)
        out += [Shape(stroke([(x, y), (x + 0.01, y - r), (x, y - 2 * r)], r * 0.16), "ground", -0.5, -1.57, 0.95),
                Shape(petal(x, y - r * 0.2, -0.7, r, r * 0.4), "ground", -0.4, -0.7, 0.95)]
        out += [Shape(petal(x, y - 2 * r, k * 1.2566 + 0.3, r * 0.75, r * 0.6, 0.65, tip=False), role if s.rng.random() < 0.75
                      else "light", 0.08 * (k % 2), k * 1.26, 0.95) for k in range(5)]
        out.append(Shape(ellipse(x, y - 2 * r, r * 0.22), "dark", 0.1, 0.0, 0.95))
    return out


def water(s: Stage, y: float, tone: float = -0.35) -> Shapes:
    """Water from y down, in widening bands, with crests."""
    out = [Shape(box(-0.05, y, s.aspect + 0.05, 1.05), "sky", tone, 0.0, 0.2)]
    top, step = y, 0.05
    for i in range(4):
        top, step = top + step, step * 1.45
        out.append(ridge(s, top, 0.007, 4, "sky", tone - 0.07 * (i + 1), 0.3 + 0.12 * i))
    return out + crests(s, y + 0.03, 1.0, 12)


def crests(s: Stage, y0: float, y1: float, count: int, role: Role = "light", tone: float = -0.1) -> Shapes:
    out: Shapes = []
    for _ in range(count):
        y = s.rng.uniform(y0, y1)
        x, w = s.rng.uniform(0, s.aspect), 0.03 + 0.13 * (y - y0) / max(y1 - y0, 0.01)
        out.append(Shape(stroke([(x - w, y), (x, y + 0.006), (x + w, y)], [0.001, 0.003 + 0.05 * w, 0.001]), role, tone, 0.0,
                         0.6))
    return out


def reflection(shapes: Iterable[Shape], foot: float, squash: float = 0.42) -> Shapes:
    """The reflection of shapes in water that begins at `foot`: squashed, darker, swaying with depth."""
    out: Shapes = []
    for shape in shapes:
        down = (foot - shape.outline[:, 1]) * squash
        sway = 0.006 * np.sin(down * 95) * (down > 0.01)
        out.append(replace(shape, outline=np.stack([shape.outline[:, 0] + sway, foot + down], axis=1),
                           tone=max(-1.0, shape.tone * 0.6 - 0.28), depth=0.7, grain=0.0))
    return out


def terrain(s: Stage, y: float, tone: float = 0.0) -> tuple[Shapes, float]:
    """Land or, for things that swim and sail, water: the shapes, and where the subject's foot goes."""
    if s.afloat:
        return water(s, y), y + s.rng.uniform(0.16, 0.22)
    foot = y + s.rng.uniform(0.2, 0.26)
    near = ridge(s, y + 0.12, 0.02, 2, "ground", tone - 0.1, 0.5)
    return [ridge(s, y, 0.03, 3, "ground", tone + 0.22, 0.2), *trees(s, y + 0.03, 0.1, 7, tone - 0.05, 0.25, (0.3, 0.7)), near,
            ridge(s, y + 0.27, 0.015, 2, "ground", tone - 0.25, 0.6)], foot


def shadows(shapes: Shapes, foot: float, role: Role = "ground", tone: float = -0.5) -> Shapes:
    """A flat shadow under each of the subjects that `Stage.main` placed (they differ in depth), but for those in the air."""
    out: Shapes = []
    for depth in sorted({shape.depth for shape in shapes}):
        x0, _, x1, y1 = extent(shape for shape in shapes if shape.depth == depth)
        if y1 > foot - 0.1:
            out.append(Shape(ellipse((x0 + x1) / 2, y1 - 0.004, (x1 - x0) * 0.54, 0.02), role, tone, 0.0, 0.5))
    return out


def standing(s: Stage, x: float, foot: float, height: float) -> Shapes:
    """The subject with what holds it to the ground: a shadow on land, a reflection on water."""
    shapes = s.main(x, foot, height)
    if s.afloat:
        ripples = [replace(crest, depth=0.9) for crest in crests(s, foot - 0.005, foot + 0.15, 7, "sky", -0.1)]
        return [*reflection(shapes, foot - 0.012), *shapes, *ripples]
    return [*shadows(shapes, foot), *shapes]


def several(s: Stage, names: list[str], foot: float, height: float, overlap: float = 0.94) -> Shapes:
    n, out = len(names), []
    if s.second:
        s.words["second"] = s.second
    for i, name in enumerate(names):
        x = s.aspect * (0.5 + (i - (n - 1) / 2) * 0.94 / n)
        one = s.drawn(name, x, foot, height * s.rng.uniform(0.93, 1.0), s.aspect * overlap / n)
        x0, _, x1, y1 = extent(one)
        if not (s.afloat or name in SKY):
            out.append(Shape(ellipse((x0 + x1) / 2, y1 - 0.003, (x1 - x0) * 0.52, 0.014), "ground", -0.45, 0.0, 0.7))
        out += reflection(one, foot - 0.008) if s.afloat else []
        out += one
    return out


def backdrop(s: Stage) -> tuple[Shapes, float]:
    """A quiet place for several subjects: sky, water, or meadows; and the line they stand on."""
    if s.subject in SKY:
        return sky(s, 0.9, 0.0, 4) + clouds(s, 0.95, 4) + [ridge(s, 0.92, 0.02, 3, "ground", 0.15, 0.2)], 0.72
    if s.afloat:
        y = s.rng.uniform(0.36, 0.46)
        return sky(s, y) + clouds(s, y, 3) + [ridge(s, y - 0.03, 0.03, 3, "ground", 0.3, 0.1), *water(s, y)], 0.7
    if s.subject in INDOOR:
        out = ([Shape(s.sheet, "sky", 0.2, 0.0, 0.0)] + [Shape(box(x, -0.05, x + 0.06, 0.7), "sky", 0.34, -1.57, 0.05)
                                                         for x in np.arange(0.0, s.aspect, 0.12)])
        return [*out, Shape(box(-0.05, 0.62, s.aspect + 0.05, 1.05), "ground", 0.05, 0.0, 0.3),
                Shape(box(-0.05, 0.62, s.aspect + 0.05, 0.635), "ground", 0.35, 0.0, 0.3),
                Shape(box(-0.05, 0.9, s.aspect + 0.05, 1.05), "ground", -0.3, 0.0, 0.4)], 0.78
    y = s.rng.uniform(0.48, 0.58)
    out = (sky(s, y) + clouds(s, y, 3) + [ridge(s, y - 0.06, 0.05, 3, "ground", 0.45, 0.1), ridge(s, y, 0.025, 3, "ground", 0.3,
            0.2), *trees(s, y + 0.03, 0.1, 9, 0.05, 0.25)])
    return [*out, ridge(s, y + 0.1, 0.015, 2, "ground", 0.1, 0.35), ridge(s, y + 0.27, 0.012, 2, "ground", -0.1, 0.4)], y + 0.2
