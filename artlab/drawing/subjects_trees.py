"""Trees, each drawn on a sheet 100 wide and 100 high; `subjects.py` scales them."""

# fmt: off
# Coordinates read better in rows than one to a line.

import numpy as np
from numpy.random import Generator

from artlab.drawing.scene import Role, Shape
from artlab.drawing.shapes import Knots, box, curve, cut, ellipse, inside, lobes, petal, polygon, star, stroke, within

UP, DOWN = -np.pi / 2, np.pi / 2


def _trunk(x: float, top: float, foot: float, w: float) -> Shape:
    return Shape(curve([(x - w * 0.32, top, 1), (x - w * 0.42, (top + foot) / 2), (x - w * 0.9, foot, 1), (x + w * 0.9, foot, 1),
                        (x + w * 0.42, (top + foot) / 2), (x + w * 0.32, top, 1)]), "dark", 0.15, UP)


def tree(rng: Generator) -> list[Shape]:
    """A broad crown in three tones over a forked trunk, often with fruit."""
    w = rng.uniform(0.9, 1.08)
    out = [_trunk(50, 48, 99, 9), Shape(stroke([(50, 76), (40, 62), (34, 50)], [4, 2]), "dark", 0.15),
           Shape(stroke([(50, 70), (62, 58), (66, 50)], [4, 2]), "dark", 0.15)]
    out.append(Shape(lobes(50, 38, 37 * w, 33, 9, 0.06, rng.uniform(0, 3)), "main", -0.2))
    for x, y, r, tone in ((32, 44, 16, 0.0), (64, 46, 17, -0.05), (48, 28, 21, 0.08), (36, 30, 11, 0.25), (60, 24, 9, 0.2)):
        out.append(Shape(lobes(50 + (x - 50) * w + rng.uniform(-2, 2), y + rng.uniform(-2, 2), r, r * 0.86, 7, 0.07), "main",
                         tone, rng.uniform(0, 3)))
    if rng.random() < 0.6:
        for _ in range(9):
            a, d = rng.uniform(0, 2 * np.pi), 0.85 * rng.random() ** 0.5
            out.append(Shape(ellipse(50 + 32 * d * np.cos(a), 38 + 28 * d * np.sin(a), 3), "accent"))
    return out


def pine(rng: Generator) -> list[Shape]:
    """Three to five tiers of boughs, the right half in shade."""
    n, out = int(rng.integers(3, 6)), [Shape(box(46, 86, 54, 99), "dark", 0.1, UP)]
    for i in range(n):
        foot, half = 90 - i * 74 / n, 34 - i * 24 / n
        top = max(3.0, foot - 74 / n - 20)
        hem = [(50 + half * k, foot + (2.5 if j % 2 else -2.5)) for j, k in enumerate(np.linspace(0.66, -0.66, 5))]
        tier = curve([(50, top, 1), (50 + half * 0.35, (top + foot) / 2), (50 + half, foot - 1, 1), *hem,
                      (50 - half, foot - 1, 1), (50 - half * 0.35, (top + foot) / 2)])
        out += [Shape(tier, "main", 0.06 * i, UP), *inside(tier, box(51 + half * 0.1, 0, 99, 100), "main", -0.28 + 0.04 * i, UP)]
    return out


def palm(rng: Generator) -> list[Shape]:
    """A leaning ringed trunk under a fountain of fronds, with nuts."""
    lean = rng.uniform(8, 20)
    foot = 50 - lean
    path: Knots = [(foot, 99), (foot + 3, 76), (46, 54), (52, 34)]
    trunk = stroke(path, [9, 6.5, 5.5, 5])
    out = [Shape(trunk, "second", -0.1, UP)]
    for t in np.linspace(0.06, 0.92, 9):
        y = 99 - 65 * t
        band = within(trunk, box(0, y, 100, y + 1.8))
        out += [Shape(band, "dark", 0.15)] if len(band) > 2 else []
    for angle, length, tone in ((3.0, 42, -0.3), (0.15, 42, -0.3), (-2.4, 40, -0.1), (-0.75, 40, -0.1), (2.3, 34, 0.05),
                                (0.85, 34, 0.05)):
        a = angle + rng.uniform(-0.12, 0.12)
        mx, my = 52 + length * 0.6 * np.cos(a), 33 + length * 0.6 * np.sin(a) - 9
        ex, ey = 52 + length * np.cos(a), 33 + length * np.sin(a) + 8
        out.append(Shape(curve([(52, 31, 1), (mx, my - 4), (ex, ey, 1), (mx + (52 - mx) * 0.1, my + 6.5), (52, 37, 1)]), "main",
                         tone, a))
        out.append(Shape(stroke([(52, 33), (mx, my), (ex, ey)], [1.6, 0.6]), "main", tone + 0.3, a))
    out += [Shape(petal(52, 34, UP + d, 30, 6, 0.4), "main", 0.12, UP) for d in (-0.16, 0.14)]
    return out + [Shape(ellipse(x, y, 4), "accent", t) for x, y, t in ((48, 38, -0.2), (56, 39, -0.1), (52, 41, 0.1))]


def birch(rng: Generator) -> list[Shape]:
    """Two or three pale stems with black marks and hanging leaves."""
    stems, out = [(48, 0.0, 6.5), (62, 7.0, 5.0), (38, -8.0, 4.5)][: rng.integers(2, 4)], []
    for x, lean, w in reversed(stems):
        top = 10 if w > 6 else 22
        for k in range(6):
            y, side = top + 8 + k * 7, 1 if k % 2 else -1
            out.append(Shape(stroke([(x + lean * (99 - y) / 89, y + 10), (x + lean + side * 9, y), (x + lean + side * (18 - k),
                    y - 7)], [1.8, 0.7]), "dark"))
    for x, lean, w in reversed(stems):
        trunk = stroke([(x, 99), (x + lean * 0.4, 60), (x + lean, 10 if w > 6 else 22)], [w * 1.25, w, w * 0.45])
        out += [Shape(trunk, "light", -0.05, UP), *inside(cut(trunk, (x + w * 0.2, 99), (89, lean)), box(0, 0, 100, 100),
                                                          "light", -0.25, UP)]
        for y in np.arange(24, 96, 8) + rng.uniform(0, 4):
            mx = x + lean * (99 - y) / 89
            side = rng.choice([-1, 1])
            out += inside(trunk, polygon((mx + side * w, y - 1.8), (mx - side * w * 0.15, y), (mx + side * w, y + 2.2)), "dark")
    for _ in range(84):
        a, d = rng.uniform(0, 2 * np.pi), rng.uniform(0.25, 1) ** 0.6
        x, y = 52 + 38 * d * np.cos(a), 30 + 28 * d * np.sin(a)
        out.append(Shape(petal(x, y, DOWN + rng.uniform(-0.5, 0.5), 9, 6.5, 0.45), _autumn(rng), rng.uniform(-0.2, 0.25), DOWN))
    return out


def _autumn(rng: Generator) -> Role:
    """Leaf colours of autumn: mostly the main one."""
    return "main" if rng.random() < 0.68 else "accent" if rng.random() < 0.5 else "second"


def forest(rng: Generator) -> list[Shape]:
    """Five trees of two kinds in two planes on a strip of ground."""
    out: list[Shape] = []
    for i, x in enumerate((24, 76, 8, 50, 92)):
        h, back = rng.uniform(56, 76) if i < 2 else rng.uniform(70, 96), i < 2
        w, tone = h * 0.2, -0.3 if back else 0.0
        role: Role = "second" if i % 2 else "main"
        foot = 92.0 if back else 97.0
        out.append(Shape(box(x - 1.8, foot - h * 0.3, x + 1.8, foot), "dark", 0.1, UP))
        if rng.random() < 0.5 or i == 3:
            shape = curve([(x, foot - h, 1), (x + w * 0.55, foot - h * 0.55), (x + w, foot - h * 0.14), (x, foot - h * 0.1),
                           (x - w, foot - h * 0.14), (x - w * 0.55, foot - h * 0.55)])
        else:
            shape = ellipse(x, foot - h * 0.6, w, h * 0.38)
        out += [Shape(shape, role, tone, UP), *inside(shape, box(x, 0, x + 60, 100), role, tone - 0.22, UP)]
        for k in range(3):
            y = foot - h * (0.28 + 0.16 * k)
            out += inside(shape, _bough(x, y, w * (0.55 - 0.1 * k)), "light" if not back else role, 0.0 if not back else 0.15)
    return [*out, Shape(curve([(-6, 99, 1), (10, 95), (50, 93), (90, 95), (106, 99, 1)]), "dark", 0.25)]


def _bough(x: float, y: float, half: float) -> np.ndarray:
    """A chevron of one bough: a flat convex triangle."""
    return polygon((x - half, y + 2.2), (x, y - 0.8), (x + half, y + 2.2), (x, y + 1.0))[[0, 1, 2]]


def leaf(rng: Generator) -> list[Shape]:
    """One big leaf with midrib and side veins, half in shade."""
    w = rng.uniform(26, 36)
    whole = curve([(50, 84, 1), (50 + w * 0.7, 74), (50 + w, 50), (50 + w * 0.5, 20), (50, 2, 1), (50 - w * 0.5, 20),
                   (50 - w, 50), (50 - w * 0.7, 74)])
    out = [Shape(whole, "main", 0.1, UP), *inside(whole, box(50, 0, 100, 100), "main", -0.18, UP)]
    for y in np.linspace(26, 76, 6):
        reach = w * np.sin(np.pi * (y - 14) / 90) ** 0.8 * 0.8
        for side in (-1, 1):
            out.append(Shape(stroke([(50, y), (50 + side * reach * 0.6, y - 6), (50 + side * reach, y - 13)], [2.2, 0.6]),
                             "second", 0.15 * -side, UP + side))
    return [*out, Shape(stroke([(50, 6), (50, 60), (49, 84), (44, 99)], [0.8, 2.4, 3.4, 2.6]), "dark", 0.1, UP)]


def cactus(rng: Generator) -> list[Shape]:
    """A ribbed column with two raised arms and a flower, in a pot or on a stone."""
    out, left, right = [], rng.uniform(48, 60), rng.uniform(40, 54)
    for side, y in ((-1, left), (1, right)):
        arm: Knots = [(50, y), (50 + side * 22, y), (50 + side * 27, y - 8), (50 + side * 27, y - 22)]
        out += [Shape(stroke(arm, 13), "main", -0.05 * side - 0.1, UP), Shape(stroke(arm[1:], [1, 1.6]), "main", 0.3, UP)]
        out.append(Shape(star(50 + side * 27, y - 30, 5, 2.4, 6), "accent"))
    body = box(38, 10, 62, 86, 12)
    out += [Shape(body, "main", 0.06, UP), *inside(body, box(53, 0, 70, 100), "main", -0.25, UP)]
    out += [Shape(stroke([(x, 17), (x, 80)], [0.8, 1.5, 0.8]), "light", -0.1, UP) for x in (44, 50, 56)]
    out += [Shape(petal(50, 13, UP + a, 12, 7, 0.6), "accent", 0.15 * (i % 2)) for i,
            a in enumerate((-1.0, 1.0, -0.45, 0.45, 0.0))]
    pot = polygon((30, 78), (70, 78), (65, 99), (35, 99))
    return [*out, Shape(pot, "second", -0.05), *inside(pot, box(54, 70, 80, 100), "second", -0.3), Shape(box(27, 73, 73, 80, 2),
            "second", 0.12)]
