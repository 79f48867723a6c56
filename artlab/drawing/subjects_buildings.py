"""Buildings, each drawn on a sheet 100 wide and 100 high; `subjects.py` scales them."""

# fmt: off
# Coordinates read better in rows than one to a line.

import numpy as np
from numpy.random import Generator

from artlab.drawing.scene import Role, Shape
from artlab.drawing.shapes import arch, box, curve, ellipse, heap, inside, polygon, stroke, volume, within

UP = -np.pi / 2


def _window(x: float, y: float, w: float, h: float, role: Role = "accent", *, frame: Role = "dark",
            bars: bool = True) -> list[Shape]:
    out = [Shape(box(x - w / 2 - 1, y - 1, x + w / 2 + 1, y + h + 1), frame), Shape(box(x - w / 2, y, x + w / 2, y + h), role,
            0.15)]
    if bars:
        out += [Shape(box(x - 0.5, y, x + 0.5, y + h), frame), Shape(box(x - w / 2, y + h / 2 - 0.5, x + w / 2, y + h / 2 + 0.5),
                frame)]
    return out


def _flag(x: float, y: float, size: float, rng: Generator, role: Role = "accent") -> list[Shape]:
    s = rng.choice([-1, 1]) * size
    cloth = curve([(x, y, 1), (x + s * 0.5, y + size * 0.05), (x + s, y + size * 0.22, 1), (x + s * 0.5, y + size * 0.45),
                   (x, y + size * 0.5, 1)])
    return [Shape(box(x - 0.6, y - 1, x + 0.6, y + size * 1.3), "dark"), Shape(cloth, role)]


def house(rng: Generator) -> list[Shape]:
    """A gabled house with chimney, door and two rows of windows; the side wall in shade."""
    n, smoke = int(rng.integers(2, 4)), rng.random() < 0.6
    out = ([Shape(ellipse(76 + d, 16 - 7 * i, 4 + 1.4 * i), "light", -0.1 + 0.05 * i) for i, d in enumerate((0, 3, 8))] if smoke
           else [])
    out += [Shape(box(71, 20, 80, 44), "second", -0.3), Shape(box(69.5, 18, 81.5, 23), "dark", 0.1)]
    out += [Shape(box(44, 48, 93, 98), "main", -0.25, UP), Shape(polygon((7, 50), (27, 22), (47, 50), (47, 98), (7, 98)), "main",
            0.12, UP)]
    out += [Shape(polygon((27, 17), (80, 17 + 8), (98, 53), (47, 53)), "second", -0.08, 1.0),
            Shape(polygon((27, 17), (31, 17.6), (52, 53), (47, 53)), "second", 0.2, 1.0), Shape(polygon((27, 15), (27, 23),
                    (6, 54), (2, 51)), "second", 0.1, 2.2)]
    out += [Shape(stroke([(33 + 5.5 * k, 25 + 9 * k), (84 + 4.6 * k, 31 + 7.6 * k)], 1.0), "second", -0.35, 0.1)
            for k in range(3)]
    out += [Shape(ellipse(27, 39, 4.6), "dark"), Shape(ellipse(27, 39, 3.4), "accent", 0.2), *_window(16, 56, 8, 11),
            *_window(37, 56, 8, 11)]
    out += [Shape(arch(20, 72, 34, 98), "light"), Shape(arch(21.5, 73.5, 32.5, 98), "dark", 0.12), Shape(ellipse(30.5, 87, 1),
            "accent")]
    for x in np.linspace(57, 84, n):
        out += [*_window(x, 60, 8, 11), Shape(box(x - 6, 72, x + 6, 74), "light")]
    return [*out,
            Shape(curve([(44, 99, 1), (46, 89), (54, 86), (62, 91), (72, 85), (84, 87), (93, 91), (97, 99, 1)]), "second", -0.35)]


def cottage(rng: Generator) -> list[Shape]:
    """A low cottage under a deep thatched roof, round door, roses at the wall."""
    out = [Shape(box(24, 20, 34, 45), "main", -0.3), Shape(box(22.5, 18, 35.5, 23), "dark", 0.15)]
    out += ([Shape(ellipse(30 + d, 14 - 6 * i, 3.6 + i), "light", -0.12) for i, d in enumerate((0, 3, 7))] if rng.random() < 0.5
            else [])
    out += [Shape(box(12, 56, 88, 98, 2), "light", -0.05, UP), Shape(box(66, 58, 88, 98, 2), "light", -0.2, UP)]
    roof = curve([(2, 66, 1), (10, 50), (22, 32), (36, 26), (64, 26), (78, 32), (90, 50), (98, 66, 1), (88, 68), (76, 62),
                  (66, 54), (56, 52), (46, 56), (36, 64), (22, 68), (10, 69)])
    out += volume(roof, "main", 0.08, shift=(-0.1, -0.16), size=0.6, grain=UP)
    out += inside(roof, box(0, 24, 100, 32), "second", -0.1)
    for x in np.linspace(12, 88, 11):
        out.append(Shape(stroke([(50 + (x - 50) * 0.66, 36), (50 + (x - 50) * 0.86, 46), (x, 57 - 8 * (abs(x - 56) < 18))],
                                [0.4, 1.1, 0.4]), "main", -0.45, UP))
    out += [Shape(arch(49, 66, 65, 98), "dark"), Shape(arch(51, 68, 63, 98), "second", 0.0, UP), Shape(ellipse(60.5, 84, 1.2),
            "accent"), Shape(box(56.6, 72, 57.4, 98), "second", -0.4)]
    for x in (26, 78):
        out += [*_window(x, 72, 12, 12), Shape(box(x - 8.5, 85, x + 8.5, 88), "second", -0.2)]
        out += [Shape(ellipse(x + d, 84, 1.9), "accent") for d in (-6, -2, 2, 6)]
    for x0, side in ((8, 1), (92, -1)):
        out.append(Shape(heap([(x0 + side * d, 94 - 2 * (d == 5), 6) for d in (0, 5, 11)], 99), "second", -0.3))
    return out


def castle(rng: Generator) -> list[Shape]:
    """A castle: gatehouse, keep and two towers with pointed roofs, battlements and flags."""
    tall = rng.uniform(0, 8)
    out = [*_flag(50, 2 - 0, 11, rng), *_flag(15, 15 - tall, 10, rng), *_flag(85, 17, 10, rng)]

    def tower(x: float, w: float, top: float, tone: float, roof: bool) -> list[Shape]:
        parts = [Shape(box(x - w, top, x + w, 98), "main", tone, UP), Shape(box(x + w * 0.25, top, x + w, 98), "main",
                tone - 0.2, UP)]
        if roof:
            cone = curve([(x, top - w * 2.1, 1), (x + w * 0.7, top - w * 0.6), (x + w * 1.35, top + 1, 1),
                          (x - w * 1.35, top + 1, 1), (x - w * 0.7, top - w * 0.6)])
            parts += [Shape(cone, "second", 0.1, UP), *inside(cone, box(x + w * 0.1, 0, x + 40, 100), "second", -0.2, UP)]
        else:
            parts += [Shape(box(x + k * w * 0.47 - w * 0.16, top - 4, x + k * w * 0.47 + w * 0.16, top + 1), "main",
                            tone - 0.1 * (k > 0)) for k in (-2, -0.7, 0.7, 2)]
        return parts

    out += tower(50, 14, 28, -0.12, False)
    out += [Shape(polygon((38, 24), (50, 9), (62, 24)), "second", 0.0), Shape(polygon((50, 9), (62, 24), (51, 24)), "second",
            -0.25)]
    out += [Shape(arch(x - 2.2, 36, x + 2.2, 45), "accent", 0.1) for x in (43, 50, 57)]
    out += [Shape(box(15, 60, 85, 98), "main", 0.05, 0.0)]
    for k, x in enumerate(np.linspace(18, 82, 11)):
        out += [Shape(box(x - 2, 55, x + 2, 61), "main", 0.05 - 0.03 * k)]
    out += tower(15, 11, 39 - tall, 0.16, True) + tower(85, 11, 41, 0.08, True)
    out += [Shape(arch(x - 2, y, x + 2, y + 9), "dark") for x, y in ((13, 48), (84, 50), (13, 68), (84, 68), (32, 70), (68, 70))]
    out += [Shape(arch(39, 66, 61, 98), "light", -0.15), Shape(arch(41.5, 69, 58.5, 98), "dark")]
    return (out + [Shape(box(41.5 + 3.4 * k - 0.4, 70, 41.5 + 3.4 * k + 0.4, 90), "second", -0.2) for k in range(1, 5)]
            + [Shape(box(42, y, 58, y + 0.9), "second", -0.2) for y in (77, 83, 89)])


def tower(rng: Generator) -> list[Shape]:
    """A round stone tower with a conical roof, stair of windows and a flag."""
    w = rng.uniform(15, 19)
    wall = curve([(50 - w, 32, 1), (50 - w * 0.94, 70), (50 - w * 1.3, 98, 1), (50 + w * 1.3, 98, 1), (50 + w * 0.94, 70),
                  (50 + w, 32, 1)])
    out = [*_flag(50, 1, 12, rng), Shape(wall, "main", 0.1, UP), *inside(wall, box(50 + w * 0.25, 0, 99, 100), "main", -0.2, UP)]
    for _ in range(16):
        x, y = 50 + rng.uniform(-0.9, 0.7) * w, rng.uniform(42, 94)
        out += inside(wall, box(x, y, x + 5.5, y + 2.6, 0.8), "main", rng.choice([-0.35, 0.3]))
    out += [Shape(box(50 - w * 1.16, 30, 50 + w * 1.16, 37, 1), "main", -0.1),
            *[Shape(arch(50 + k * w * 0.42 - 1.8, 33, 50 + k * w * 0.42 + 1.8, 37), "dark", 0.1) for k in (-2, -1, 0, 1, 2)]]
    roof = curve([(50, 8, 1), (50 + w * 0.8, 22), (50 + w * 1.4, 31, 1), (50 - w * 1.4, 31, 1), (50 - w * 0.8, 22)])
    out += [Shape(roof, "second", 0.05, UP), *inside(roof, box(52, 0, 99, 100), "second", -0.2, UP)]
    for x, y in ((-0.35, 44), (0.2, 57), (-0.2, 69)):
        out += [Shape(arch(50 + x * w - 3.4, y - 1.5, 50 + x * w + 3.4, y + 9), "dark", 0.05),
                Shape(arch(50 + x * w - 2.2, y, 50 + x * w + 2.2, y + 9), "accent", 0.1)]
    return [*out, Shape(arch(42.5, 80, 57.5, 98), "light", -0.15), Shape(arch(44.5, 82, 55.5, 98), "dark"),
            Shape(ellipse(53, 91, 1), "accent")]


def church(rng: Generator) -> list[Shape]:
    """A church with a steeple, cross, rose window and pointed windows along the nave."""
    out = [Shape(box(34, 58, 95, 98), "main", -0.15, UP), Shape(polygon((34, 60), (38, 40), (88, 40), (98, 60)), "second", -0.2,
            0.0)]
    n = int(rng.integers(3, 5))
    for x in np.linspace(50, 87, n):
        out += [Shape(arch(x - 4, 66, x + 4, 88, True), "light", 0.1), Shape(arch(x - 2.8, 68, x + 2.8, 87, True), "accent"
                if rng.random() < 0.6 else "second", 0.0)]
    out += [Shape(box(11, 36, 41, 98), "main", 0.15, UP), Shape(box(32, 36, 41, 98), "main", -0.05, UP),
            Shape(box(9, 34, 43, 38), "light", -0.05)]
    out += [Shape(polygon((26, 7), (43, 35), (9, 35)), "second", 0.1, UP), Shape(polygon((26, 7), (43, 35), (30, 35)), "second",
            -0.15, UP)]
    out += [Shape(box(25, -4, 27, 9), "dark"), Shape(box(21.5, -0.5, 30.5, 1.5), "dark")]
    out += [Shape(arch(21, 41, 31, 54), "dark"), Shape(curve([(22.5, 53, 1), (24, 46), (28, 46), (29.5, 53, 1)]), "accent")]
    out += [Shape(ellipse(26, 65, 7.5), "light", 0.1), Shape(ellipse(26, 65, 6), "dark")]
    out += [Shape(ellipse(26 + 3.5 * np.cos(a), 65 + 3.5 * np.sin(a), 1.7), "accent") for a in np.arange(6) * np.pi / 3]
    return [*out, Shape(arch(18, 77, 34, 98, True), "light", 0.1), Shape(arch(20, 80, 32, 98, True), "dark"),
            Shape(box(25.6, 82, 26.4, 98), "second", -0.1), Shape(box(7, 96, 98, 99), "dark", 0.2)]


def windmill(rng: Generator) -> list[Shape]:
    """A tower mill with four lattice sails."""
    turn = rng.uniform(0.2, 1.3)
    wall = polygon((36, 40), (60, 40), (70, 98), (26, 98))
    out = [Shape(wall, "main", 0.1, UP), *inside(wall, polygon((52, 30), (99, 30), (99, 99), (55, 99)), "main", -0.18, UP),
           *inside(wall, box(0, 72, 100, 76), "light", -0.1)]
    out += [Shape(curve([(33, 42, 1), (36, 28), (48, 21), (60, 28), (63, 42, 1)]), "second", -0.05),
            Shape(curve([(48, 21, 1), (60, 28), (63, 42, 1), (52, 42, 1)]), "second", -0.3)]
    out += [Shape(arch(42, 79, 54, 98), "dark"), *_window(48, 57, 6, 8), Shape(ellipse(48, 48, 2.4), "dark")]
    for k in range(4):
        a = turn + k * np.pi / 2
        u, v = np.array([np.cos(a), np.sin(a)]), np.array([-np.sin(a), np.cos(a)])
        c = np.array([48.0, 34.0])
        out += [Shape(np.array([c + 9 * u, c + 9 * u + 10 * v, c + 43 * u + 10 * v, c + 43 * u]), "light", 0.0, a)]
        out += [Shape(np.array([c + r * u - 0.6 * u, c + r * u + 10 * v - 0.6 * u, c + r * u + 10 * v + 0.6 * u, c + r * u
                                + 0.6 * u]), "accent", -0.2, a) for r in (15, 22, 29, 36)]
        out += [Shape(np.array([c + 9 * u + d * v - 0.5 * v, c + 43 * u + d * v - 0.5 * v, c + 43 * u + d * v + 0.5 * v,
                                c + 9 * u + d * v + 0.5 * v]), "accent", -0.2, a) for d in (5, 10)]
        out.append(Shape(np.array([c - 1.4 * v, c + 45 * u - 0.9 * v, c + 45 * u + 0.9 * v, c + 1.4 * v]), "dark", 0.0, a))
    return [*out, Shape(ellipse(48, 34, 3.4), "dark"), Shape(ellipse(48, 34, 1.6), "accent")]


def lighthouse(rng: Generator) -> list[Shape]:
    """A striped tower with a lit lantern and two beams, on a rock with a hut."""
    n = int(rng.integers(2, 4))
    out = [Shape(polygon((50, 17), (2, 7), (2, 25)), "accent", 0.35), Shape(polygon((50, 17), (98, 7), (98, 25)), "accent", 0.35)]
    wall = polygon((42, 28), (58, 28), (66, 90), (34, 90))
    out.append(Shape(wall, "light", -0.03, UP))
    for k in range(n):
        y = 28 + 62 * (2 * k + 1) / (2 * n + 1)
        out += inside(wall, box(0, y, 100, y + 62 / (2 * n + 1)), "main", 0.0, 0.0)
    for k in range(2 * n + 1):
        y = 28 + 62 * k / (2 * n + 1)
        band = within(wall, box(0, y, 100, y + 62 / (2 * n + 1)))
        side = within(band, polygon((53, 20), (90, 20), (90, 95), (55, 95)))
        out.append(Shape(side, "main" if k % 2 else "light", -0.22, UP))
    out += [Shape(box(38, 25, 62, 29, 1), "dark"), Shape(box(44, 12, 56, 25), "accent", 0.2),
            *[Shape(box(x, 12, x + 1, 25), "dark") for x in (44, 49.5, 55)]]
    out += [Shape(curve([(40, 13, 1), (43, 6), (50, 2), (57, 6), (60, 13, 1)]), "main", -0.1), Shape(ellipse(50, 2, 1.8),
            "dark"), Shape(box(36, 20, 37, 26), "dark"), Shape(box(63, 20, 64, 26), "dark"), Shape(box(36, 20, 64, 21), "dark")]
    out += [Shape(arch(46, 76, 54, 90), "dark"), *[Shape(arch(48, y, 52, y + 6), "dark", 0.05) for y in (42, 58)]]
    out += [Shape(box(66, 74, 86, 90), "light", -0.15), Shape(polygon((63, 75), (70, 65), (83, 65), (89, 75)), "second"),
            *_window(76, 78, 5, 6)]
    return [*out, Shape(curve([(6, 99, 1), (12, 91), (26, 87), (50, 89), (78, 87), (92, 92), (98, 99, 1)]), "dark", 0.25),
            Shape(curve([(10, 96, 1), (14, 91), (26, 87), (46, 89), (36, 92)]), "dark", 0.42)]


def bridge(rng: Generator) -> list[Shape]:
    """A stone bridge of two or three arches, humped, with a balustrade; water under it."""
    n = int(rng.integers(2, 4))
    hump = rng.uniform(6, 12)

    def deck(x: float) -> float:
        return float(50 - hump * np.sin(np.pi * x / 100))

    top = [(float(x), deck(x)) for x in np.linspace(0, 100, 30)]
    under: list[tuple[float, float]] = [(100.0, 92.0)]
    step, holes = 100 / n, []
    for k in reversed(range(n)):
        c, half = step * (k + 0.5), step * 0.39
        rise = min(half * 1.02, 90 - deck(c) - 8)
        t = np.linspace(0, np.pi, 20)
        holes.append([(c + half * np.cos(a), 90 - rise * np.sin(a)) for a in t])
        under += [(c + half, 92.0), *holes[-1], (c - half, 92.0)]
    out = [Shape(box(0, 84, 100, 99), "sky", -0.3)]
    for hole in holes:
        out.append(Shape(np.array([(x, y) for x, y in hole]) * (1, 1), "dark", 0.12))
        out.append(Shape(np.array([(x + 4.5, y + 3 * (y < 89)) for x, y in hole]), "sky", 0.1))
    out += [Shape(np.array([*top, *under, (0.0, 92.0)]), "main", 0.0, 0.0)]
    for hole in holes:
        h = np.array(hole)
        hub = np.array([h[:, 0].mean(), 90.0])
        for i in range(1, 19, 2):
            a, b = h[i], h[i + 1] if i < 18 else h[i]
            out.append(Shape(np.array([a, b, hub + (b - hub) * 1.16, hub + (a - hub) * 1.16]), "main", 0.25, 0.0))
    for _ in range(14):
        x = rng.uniform(4, 92)
        y = deck(x) + rng.uniform(5, 9)
        out.append(Shape(box(x, y, x + 5, y + 2, 0.6), "main", rng.choice([-0.25, 0.2])))
    rail = stroke([(x, y - 8) for x, y in top[::5]] + [(100, 42)], 2.6)
    out += [Shape(box(x - 0.9, deck(x) - 8, x + 0.9, deck(x)), "second", -0.1) for x in np.linspace(3, 97, 17)]
    out += [Shape(rail, "second", 0.1), Shape(stroke([(x, y) for x, y in top[::5]] + [(100, 50)], 3), "second", -0.1)]
    for x in (np.linspace(0, 100, n + 1)[1:-1] if n == 3 else (50,)):
        y = deck(x) - 22
        out += [Shape(box(x - 0.9, y + 4, x + 0.9, y + 16), "dark"), Shape(ellipse(x, y + 2, 3.4, 4), "accent", 0.2),
                Shape(polygon((x - 4, y), (x, y - 4), (x + 4, y)), "dark")]
    return (out + [Shape(stroke([(x, y), (x + 9, y + 0.6), (x + 18, y)], [0.5, 1.6, 0.5]), "light", -0.1) for x,
                   y in ((4, 95), (40, 96.5), (76, 94.5), (22, 91), (60, 92))])


def city(rng: Generator) -> list[Shape]:
    """A skyline of towers in two planes with lit windows, spires and stepped tops."""
    out: list[Shape] = []
    for x in np.linspace(2, 88, 7):
        h = rng.uniform(36, 62)
        out.append(Shape(box(x, 98 - h, x + rng.uniform(11, 15), 98), "second", -0.05 + rng.uniform(-0.12, 0.12), UP))
    x = 0.0
    heights = rng.permutation([46, 62, 88, 70, 54, 78])
    for i, h in enumerate(heights):
        w = 100 / 6 - 0.6
        top, tone, kind = 98.0 - h, rng.uniform(-0.12, 0.15), i % 3 if h != 88 else 1
        if kind == 1:
            out += [Shape(box(x + w * 0.25, top - 6, x + w * 0.75, top + 2), "main", tone - 0.05),
                    Shape(polygon((x + w / 2 - 1, top - 5), (x + w / 2, top - 18 if h > 80 else top - 14),
                                  (x + w / 2 + 1, top - 5)), "dark")]
        elif kind == 2:
            out.append(Shape(polygon((x, top + 0.2), (x + w, top + 0.2), (x + w, top - 9)), "main", tone))
        out += [Shape(box(x, top, x + w, 98), "main", tone, UP), Shape(box(x + w * 0.72, top, x + w, 98), "main", tone - 0.2, UP)]
        for wy in np.arange(top + 4, 92, 7.5):
            for wx in (0.14, 0.42):
                out.append(Shape(box(x + w * wx, wy, x + w * (wx + 0.19), wy + 4), "accent" if rng.random() < 0.62 else "dark",
                                 0.15))
        x += 100 / 6
    return [*out, Shape(box(-2, 97, 102, 100), "dark")]


def tent(rng: Generator) -> list[Shape]:
    """A striped tent with an open flap and a pennant."""
    n, out = 6, [*_flag(50, 4, 14, rng)]
    top = (50.0, 16.0)
    eaves = np.linspace(12, 88, n + 1)
    for i in range(n):
        role: Role = "main" if i % 2 == 0 else "light"
        out.append(Shape(polygon((eaves[i], 50), (eaves[i + 1], 50), (eaves[i + 1] + (eaves[i + 1] - 50) * 0.06, 98),
                                 (eaves[i] + (eaves[i] - 50) * 0.06, 98)), role, -0.2 - 0.06 * (i > 3), UP))
        m0, m1 = 50 + (eaves[i] - 50) * 0.42, 50 + (eaves[i + 1] - 50) * 0.42
        out.append(Shape(curve([(*top, 1), (m0, 36), (eaves[i] + (eaves[i] - 50) * 0.12, 52, 1),
                                (eaves[i + 1] + (eaves[i + 1] - 50) * 0.12, 52, 1), (m1, 36)]), role, 0.08 - 0.06 * i, UP))
    for i in range(n):
        a, b = (50 + (e - 50) * 1.12 for e in (eaves[i], eaves[i + 1]))
        out.append(Shape(curve([(a, 51, 1), (b, 51, 1), (b - 1, 56), ((a + b) / 2, 60), (a + 1, 56)]), "second" if i % 2 == 0
                         else "accent", 0.0))
    out += [Shape(curve([(50, 60, 1), (58, 78), (66, 98, 1), (34, 98, 1), (42, 78)]), "dark"),
            Shape(curve([(50, 60, 1), (44, 80), (30, 92), (27, 98, 1), (34, 98, 1), (42, 78)]), "second", 0.1),
            Shape(curve([(50, 60, 1), (56, 80), (70, 92), (73, 98, 1), (66, 98, 1), (58, 78)]), "second", -0.15)]
    return [*out, Shape(ellipse(50, 16, 2.4), "accent")]
