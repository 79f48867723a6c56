"""Things that travel, each drawn on a sheet 100 wide and 100 high; `subjects.py` scales them."""

# fmt: off
# Coordinates read better in rows than one to a line.

import numpy as np
from numpy.random import Generator

from artlab.drawing.scene import Role, Shape
from artlab.drawing.shapes import Knots, arch, box, curve, ellipse, inside, petal, polygon, stroke, within

UP, DOWN = -np.pi / 2, np.pi / 2


def _waves(y: float, x0: float, x1: float) -> list[Shape]:
    """Crests in front of a hull."""
    n = 7
    knots: Knots = [(x0, y + 7, 1)]
    for i in range(n):
        a, b = x0 + (x1 - x0) * i / n, x0 + (x1 - x0) * (i + 1) / n
        knots = [*knots, (a, y, 1), ((a + b) / 2, y + 3.2), (b, y, 1)]
    return [Shape(curve([*knots, (x1, y + 7, 1)]), "sky", -0.3),
            Shape(stroke([(x0 + 8, y + 5.4), (50, y + 6), (x1 - 12, y + 5.4)], [0.4, 1.3, 0.4]), "light", -0.05)]


def boat(rng: Generator) -> list[Shape]:
    """A small sailing boat: mainsail and jib, painted hull, pennant, waves."""
    lean = rng.uniform(-2, 4)
    main = curve([(51, 8, 1), (58, 30), (84 + lean, 70, 1), (68, 74), (51, 73, 1)])
    jib = curve([(47, 14, 1), (47, 72, 1), (30, 74), (16 - lean, 70, 1), (36, 46)])
    out = [Shape(box(48, 4, 50.4, 82), "dark"), Shape(main, "main", 0.05, UP),
           *inside(main, polygon((60, 0), (99, 0), (99, 99), (72, 99)), "main", -0.2, UP), *inside(main, box(40, 46, 99, 53),
                   "accent", 0.0)]
    out += [Shape(jib, "light", 0.0, UP), *inside(jib, polygon((0, 58), (60, 66), (60, 80), (0, 80)), "second", 0.1),
            Shape(curve([(50, 3, 1), (60, 5), (66, 8, 1), (58, 9), (50, 10, 1)]), "accent", -0.1)]
    hull = curve([(8, 78, 1), (50, 82), (93, 77, 1), (88, 88), (80, 96, 1), (24, 96, 1), (14, 90)])
    out += [Shape(hull, "second", 0.0, 0.0), *inside(hull, polygon((0, 88), (100, 88), (100, 99), (0, 99)), "second", -0.3),
            Shape(stroke([(9, 79.5), (50, 83.5), (92, 78.5)], 2.4), "light", -0.05)]
    return [*out, *_waves(92, -2, 102)]


def ship(rng: Generator) -> list[Shape]:
    """A three-masted sailing ship with billowing square sails, bowsprit and stern castle."""
    out = [Shape(stroke([(78, 72), (100, 58)], [2.4, 1.2]), "dark"),
           Shape(curve([(97, 59, 1), (84, 48), (72, 34, 1), (76, 56), (78, 68, 1)]), "light", -0.08, 0.6)]
    for x, top, w in ((24, 24, 10), (66, 18, 11), (45, 8, 13)):
        out += [Shape(box(x - 0.9, top, x + 0.9, 76), "dark"),
                Shape(curve([(x, top - 1, 1), (x - 8, top + 1), (x - 13, top + 4, 1), (x, top + 5, 1)]), "accent", -0.05)]
        rows = 3 if w == 13 else 2
        step = (66 - top - 7) / rows
        for r in range(rows):
            y, half = top + 7 + r * step, w * (0.68 + 0.16 * r + (0.16 if rows == 2 else 0))
            sail = curve([(x - half, y, 1), (x + half, y, 1), (x + half + 5, y + step * 0.5), (x + half + 1, y + step - 2, 1),
                          (x + 2, y + step - 5), (x - half + 1, y + step - 2, 1), (x - half + 4.5, y + step * 0.5)])
            out += [Shape(sail, "main" if (r + int(x)) % 2 else "light", -0.05, UP),
                    *inside(sail, polygon((x + half * 0.5, 0), (99, 0), (99, 99), (x + half * 0.5, 99)), "main"
                            if (r + int(x)) % 2 else "light", -0.25, UP)]
            out.append(Shape(box(x - half - 1.5, y - 1, x + half + 1.5, y + 0.8), "dark"))
    hull = curve([(4, 62, 1), (20, 64), (22, 73, 1), (50, 77), (84, 69, 1), (80, 84), (70, 96, 1), (20, 96, 1), (8, 82)])
    out += [Shape(hull, "second", -0.05, 0.0), *inside(hull, polygon((0, 86), (100, 86), (100, 99), (0, 99)), "second", -0.35),
            Shape(stroke([(7, 72), (24, 79), (52, 82), (81, 76)], 2.6), "accent")]
    return [*out, *[Shape(box(x - 1.8, y, x + 1.8, y + 3.4), "dark") for x, y in ((28, 84), (39, 85.5), (50, 86), (61, 85))],
            Shape(box(8, 66, 12, 70), "accent", 0.2), Shape(box(15, 66.6, 19, 70.6), "accent", 0.2), *_waves(92, -2, 102)]


def _wheel(x: float, y: float, r: float, spokes: int = 8) -> list[Shape]:
    out = [Shape(ellipse(x, y, r), "dark"), Shape(ellipse(x, y, r * 0.68), "light", -0.1)]
    out += [Shape(stroke([(x, y), (x + r * 0.66 * np.cos(a), y + r * 0.66 * np.sin(a))], r * 0.1), "dark")
            for a in np.arange(spokes) * 2 * np.pi / spokes]
    return [*out, Shape(ellipse(x, y, r * 0.24), "accent")]


def car(rng: Generator) -> list[Shape]:
    """A round little car in profile, two-tone, sometimes with luggage on the roof."""
    out: list[Shape] = []
    if rng.random() < 0.6:
        out += [Shape(box(36, 30, 58, 42, 2), "second", -0.1), Shape(box(60, 34, 72, 42, 1.5), "accent", -0.15),
                Shape(box(42, 30, 44, 42), "dark", 0.1), Shape(box(51, 30, 53, 42), "dark", 0.1), Shape(box(32, 41.5, 76, 43.5),
                        "dark")]
    body = curve([(3, 80), (5, 67), (18, 62), (26, 58), (34, 47), (46, 43), (64, 43), (78, 50), (86, 62), (97, 68), (98, 80),
                  (96, 88, 1), (4, 88, 1)])
    out += [Shape(body, "main", 0.08, 0.0), *inside(body, box(0, 76, 100, 100), "main", -0.2),
            *inside(body, box(0, 72.5, 100, 75.5), "light", -0.05)]
    out += [Shape(curve([(31, 61, 1), (37, 51), (51, 47.5, 1), (51, 61, 1)]), "sky", 0.3),
            Shape(curve([(55, 47.5, 1), (66, 48), (76, 54), (80, 61, 1), (55, 61, 1)]), "sky", 0.3)]
    out += [Shape(polygon((40, 61), (45, 49), (48, 48.4), (44, 61)), "light", 0.1),
            Shape(polygon((60, 61), (63, 47.6), (66, 48), (64, 61)), "light", 0.1), Shape(box(56, 66, 62, 67.8, 0.9),
                    "dark"), Shape(box(52.6, 61, 53.4, 86), "main", -0.4)]
    out += [Shape(ellipse(7, 70, 4, 4.6), "accent", 0.2), Shape(box(94, 68, 98, 74, 1.5), "second"),
            Shape(box(-1, 82, 14, 87, 2), "light", -0.2), Shape(box(88, 82, 101, 87, 2), "light", -0.2)]
    for x in (24, 77):
        out += [Shape(ellipse(x, 87, 13.5), "main", -0.45), *_wheel(x, 88, 11, 6)]
    return out


def train(rng: Generator) -> list[Shape]:
    """A steam engine in profile: boiler, funnel with smoke, cab, driving wheels, cow-catcher."""
    n = 4
    out = [Shape(ellipse(21 + 9 * i + rng.uniform(-1, 1), 22 - 4.2 * i, 5.5 + 1.8 * i), "light", -0.06 - 0.05 * i)
           for i in range(n)]
    out += [Shape(polygon((2, 92), (16, 74), (18, 92)), "second", -0.2), Shape(box(10, 72, 97, 80), "dark", 0.1)]
    boiler = box(14, 46, 66, 73, 8)
    out += [Shape(boiler, "main", -0.2, 0.0), *inside(boiler, box(0, 40, 100, 66), "main", 0.05, 0.0),
            *inside(boiler, box(0, 49, 100, 53), "main", 0.3, 0.0), *[Shape(box(x, 46, x + 2, 73), "accent", -0.1)
                    for x in (28, 42, 55)]]
    out += [Shape(polygon((16, 30), (30, 30), (26, 47), (20, 47)), "dark", 0.05), Shape(box(14, 27, 32, 31.5, 1.5), "accent",
            -0.1), Shape(arch(37, 38, 46, 48), "accent", 0.0), Shape(box(50, 41, 54, 47), "dark")]
    out += [Shape(box(62, 28, 93, 76, 1.5), "second", 0.0, UP), Shape(box(84, 28, 93, 76, 1.5), "second", -0.25, UP),
            Shape(curve([(58, 29, 1), (62, 24), (78, 21), (93, 24), (98, 29, 1)]), "dark"), Shape(box(67, 35, 79, 50, 2), "sky",
                    0.35), Shape(box(83, 35, 89, 50, 2), "sky", 0.2)]
    out += [Shape(ellipse(14, 59, 4.2, 6), "dark"), Shape(ellipse(10, 50, 3.4), "accent", 0.25), Shape(box(66, 56, 90, 58.5),
            "accent")]
    for x, r in ((24, 8), (42, 8), (62, 13), (84, 13)):
        out += _wheel(x, 98 - r, r)
    return [*out, Shape(stroke([(42, 90), (62, 87), (84, 87)], 2.6), "accent", -0.25)]


def balloon(rng: Generator) -> list[Shape]:
    """A hot-air balloon: gored envelope with a band, ropes, wicker basket."""
    whole = curve([(50, 1), (74, 8), (86, 30), (78, 52), (62, 70, 1), (38, 70, 1), (22, 52), (14, 30), (26, 8)])
    out = [Shape(whole, "main", -0.1, UP)]
    gores: tuple[tuple[Role, float], ...] = (("main", 1.0), ("second", 0.72), ("light", 0.36))
    for i, (role, k) in enumerate(gores):
        out.append(Shape((whole - (50, 0)) * (k, 1) + (50, 0), role, -0.05 + 0.02 * i, UP))
    zig: Knots = [(float(x), 36.0 + (4 if i % 2 else -4), 1.0) for i, x in enumerate(np.linspace(8, 92, 15))]
    band = within(whole, box(0, 32, 100, 44))
    out.append(Shape(band, "accent", 0.05))
    for i in range(0, 14, 2):
        out += inside(whole, polygon((zig[i][0], 44), (zig[i + 1][0], 32), (zig[i + 2][0], 44)), "main", -0.25)
    right = within(whole, box(66, 0, 100, 100))
    out += inside(right, box(0, 44.2, 100, 100), "main", -0.28) + inside(right, box(0, 0, 100, 31.8), "main", -0.28)
    out += [Shape(box(38, 69, 62, 73, 1), "dark", 0.15), *[Shape(stroke([(a, 72), (b, 87)], 0.9), "dark") for a,
                                                           b in ((39, 43), (61, 57), (46.5, 47.5), (53.5, 52.5))]]
    basket = curve([(41, 86, 1), (59, 86, 1), (57, 98), (54, 100), (46, 100), (43, 98)])
    return [*out, Shape(basket, "second", -0.25), *inside(basket, box(0, 91, 100, 93), "accent", -0.1),
            Shape(box(40, 85, 60, 88, 1.4), "dark", 0.1), *[Shape(petal(x, 94, DOWN, 6, 4, 0.6, tip=False), "light", -0.1)
                                                            for x in (39.5, 60.5)]]
