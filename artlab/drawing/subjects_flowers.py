"""Flowers and a mushroom, each drawn on a sheet 100 wide and 100 high; `subjects.py` scales them."""

# fmt: off
# Coordinates read better in rows than one to a line.

import numpy as np
from numpy.random import Generator

from artlab.drawing.scene import Role, Shape
from artlab.drawing.shapes import Knots, box, curve, ellipse, inside, petal, polygon, stroke, volume

UP, DOWN = -np.pi / 2, np.pi / 2


def _stem(x: float, top: float, foot: float, rng: Generator, width: float = 3.0) -> list[Shape]:
    bend = rng.uniform(-5, 5)
    out = [Shape(stroke([(x, top), (x + bend, (top + foot) / 2), (x, foot)], [width * 0.8, width]), "second", -0.25, UP)]
    for side, y in ((-1, foot - 10), (1, foot - 17)):
        leaf = petal(x + bend * 0.4, y, UP + side * rng.uniform(0.7, 1.0), 26, 10, 0.5)
        out += [Shape(leaf, "second", -0.1, UP + side * 0.8)]
        out += [Shape(petal(x + bend * 0.4, y, UP + side * 0.85, 20, 2, 0.4), "second", 0.2)]
    return out


def flower(rng: Generator) -> list[Shape]:
    """A daisy with two whorls of petals, on a stem with two leaves."""
    n = int(rng.integers(8, 13))
    out = _stem(50, 40, 99, rng)
    for ring, tone, reach in ((0.5, -0.25, 29.0), (0.0, 0.05, 27.0)):
        for i in range(n):
            a = (i + ring) * 2 * np.pi / n
            out.append(Shape(petal(50, 31, a, reach, 150 / n, 0.68, tip=False), "main", tone + 0.12 * (i % 2), a))
    out += [Shape(ellipse(50, 31, 9.5), "accent", -0.25), Shape(ellipse(49, 30, 7.5), "accent", 0.1)]
    return out + [Shape(ellipse(50 + 4.5 * np.cos(k), 31 + 4.5 * np.sin(k), 1), "dark") for k in range(6)]


def tulip(rng: Generator) -> list[Shape]:
    """A cup of pointed petals over long sword leaves."""
    w = rng.uniform(0.9, 1.1)
    out = [Shape(stroke([(50, 44), (52, 72), (50, 99)], 3.4), "second", -0.25, UP)]
    out += [Shape(curve([(50, 99, 1), (36, 86), (26, 48, 1), (44, 74)]), "second", -0.05, UP),
            Shape(curve([(50, 99, 1), (66, 84), (75, 55, 1), (55, 76)]), "second", -0.2, UP)]
    side = curve([(50, 48), (50 + 23 * w, 38), (50 + 22 * w, 6, 1), (54, 18), (50, 30)])
    out += [Shape(curve([(38, 10, 1), (50, 4), (62, 10, 1), (58, 40), (42, 40)]), "main", -0.35, UP)]
    out += [Shape(side, "main", -0.15, UP), Shape(side * (-1, 1) + (100, 0), "main", 0.0, UP)]
    out += [Shape(curve([(50, 8, 1), (50 + 14 * w, 26), (56, 46), (50, 49), (44, 46), (50 - 14 * w, 26)]), "main", 0.18, UP)]
    return [*out, Shape(petal(50, 46, UP, 28, 3.5, 0.4), "accent", 0.1, UP)]


def sunflower(rng: Generator) -> list[Shape]:
    """A dark seed disc in a dense ring of pointed petals, heavy leaves below."""
    n, out = int(rng.integers(14, 19)), [Shape(stroke([(50, 40), (52, 70), (50, 99)], [4, 4.6]), "second", -0.25, UP)]
    for side, y in ((-1, 74), (1, 82)):
        leaf = curve([(51, y + 6, 1), (50 + side * 14, y + 5), (50 + side * 30, y - 9, 1), (50 + side * 15, y - 11)])
        out += [Shape(leaf, "second", -0.08 * side), Shape(stroke([(51, y + 5), (50 + side * 24, y - 6)], [1.4, 0.5]), "second",
                                                           -0.4)]
    rings: tuple[tuple[float, Role, float, float], ...] = ((0.5, "main", -0.1, 35.0), (0.0, "accent", 0.0, 32.0))
    for ring, role, tone, reach in rings:
        for i, a in enumerate((np.arange(n) + ring) * 2 * np.pi / n):
            out.append(Shape(petal(50, 35, a, reach, 180 / n, 0.62), role, tone + 0.1 * (i % 2), a))
    out += [Shape(ellipse(50, 35, 16.5), "dark", 0.05), Shape(ellipse(50, 35, 9), "dark", 0.22)]
    for i in range(34):  # Vogel's spiral, as the seeds stand
        a, r = i * 2.39996, 2.55 * i**0.5
        out.append(Shape(ellipse(50 + r * np.cos(a), 35 + r * np.sin(a), 0.95, n=8), "accent", -0.2))
    return out


def rose(rng: Generator) -> list[Shape]:
    """A rose from the front: overlapping petals wound into a spiral, thorny stem, toothed leaves."""
    out = [*_stem(50, 50, 99, rng, 3.2), *(Shape(polygon((x, y), (x + s * 5, y - 2.5), (x, y + 4)), "second", -0.35) for x, y,
                                           s in ((51, 66, 1), (49, 74, -1)))]
    turn = rng.uniform(0, 6)
    for r, n, tone in ((28, 5, -0.28), (23, 5, -0.12), (17, 4, 0.02), (11.5, 3, 0.14)):
        turn += 0.6
        for i in range(n):
            a = turn + i * 2 * np.pi / n
            x, y = 50 + r * 0.52 * np.cos(a), 32 + r * 0.52 * np.sin(a)
            out.append(Shape(ellipse(x, y, r * 0.52, r * 0.66, a), "main", tone - 0.16, a + DOWN))
            out.append(Shape(ellipse(x - np.cos(a) * 1.6, y - np.sin(a) * 1.6, r * 0.5, r * 0.6, a), "main",
                             tone + 0.05 * (i % 2), a + DOWN))
    spiral: Knots = [(50 + (1 + 0.95 * k) * np.cos(turn + k), 32 + (1 + 0.95 * k) * np.sin(turn + k)) for k in np.arange(0, 7.5,
            0.7)]
    return [*out, Shape(ellipse(50, 32, 6.5), "main", 0.2), Shape(stroke(spiral, [1.2, 1.8, 0.6]), "main", -0.5)]


def mushroom(rng: Generator) -> list[Shape]:
    """A spotted cap on a pale stem with a skirt; a small one beside it."""
    out: list[Shape] = []
    for x, foot, s in ((50, 96, 1.0), (50 + rng.choice([-30, 30]), 99, 0.46))[: 1 + int(rng.random() < 0.75)]:
        def at(dx: float, dy: float, x: float = x, foot: float = foot, s: float = s) -> tuple[float, float]:
            return x + dx * s, foot + dy * s

        stem = curve([(*at(-9, -46), 1), at(-9, -20), (*at(-14, 0), 1), at(0, 2), (*at(14, 0), 1), at(9, -20), (*at(9, -46), 1)])
        out += [Shape(stem, "light", -0.05, UP), *inside(stem, box(*at(3, -60), *at(40, 10)), "light", -0.25, UP)]
        out.append(Shape(curve([(*at(-10, -37), 1), (*at(10, -37), 1), at(15, -26), at(7, -29), at(0, -25), at(-7, -29),
                                at(-15, -26)]), "light", 0.1))
        out.append(Shape(ellipse(*at(0, -44), 37 * s, 7 * s), "second", -0.2))
        cap = curve([(*at(-41, -43), 1), at(-35, -70), at(0, -92), at(35, -70), (*at(41, -43), 1), at(22, -48), at(0, -50),
                     at(-22, -48)])
        out += volume(cap, "main", 0.05, size=0.6)
        for dx, dy, r in ((-20, -62, 6.5), (2, -76, 7.5), (22, -64, 6), (2, -57, 5), (-6, -87, 4), (-33, -54, 4), (34, -53, 3.6)):
            out += inside(cap, ellipse(*at(dx + rng.uniform(-2, 2), dy), r * s, r * 0.8 * s), "light", 0.1)
    return out
