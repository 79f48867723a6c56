"""Things on a table or in a room, each drawn on a sheet 100 wide and 100 high; `subjects.py` scales them."""

# fmt: off
# Coordinates read better in rows than one to a line.

import numpy as np
from numpy.random import Generator

from artlab.drawing.scene import Role, Shape
from artlab.drawing.shapes import box, curve, cut, ellipse, inside, petal, polygon, star, stroke, volume

UP, DOWN = -np.pi / 2, np.pi / 2


def umbrella(rng: Generator) -> list[Shape]:
    """An open umbrella of six panels with a crook handle."""
    n, foot = 6, 52.0
    xs = np.linspace(3, 97, n + 1)
    out = [Shape(stroke([(50, 10), (50, 86), (52, 95), (60, 97), (65, 90)], [2.4, 2.6, 3.4, 3.6, 3.2]), "dark"),
           Shape(polygon((48.6, 12), (50, 2), (51.4, 12)), "dark")]
    for i in range(n):
        a, b = xs[i], xs[i + 1]
        panel = curve([(50, 9, 1), (50 + (a - 50) * 0.72, 20), (a, foot, 1), ((a + b) / 2, foot - 6.5), (b, foot, 1),
                       (50 + (b - 50) * 0.72, 20)])
        out.append(Shape(panel, "main" if i % 2 == 0 else "second", 0.12 - 0.09 * i, float(np.arctan2(43, (a + b) / 2 - 50))))
    return (out + [Shape(ellipse(x, foot + 0.5, 1.3), "accent") for x in xs]
            + ([Shape(petal(x, y, DOWN + 0.15, 7, 3, 0.7, tip=False), "light", -0.1) for x, y in ((14, 64), (28, 74), (76, 66),
                    (86, 78), (36, 60))] if rng.random() < 0.4 else []))


def lamp(rng: Generator) -> list[Shape]:
    """A table lamp: pleated shade, turned foot, a glow below the shade."""
    w, s = rng.uniform(14, 20), rng.uniform(34, 40)
    shade = polygon((50 - w, 6), (50 + w, 6), (50 + s, 50), (50 - s, 50))
    out = [Shape(stroke([(64, 46), (64, 62)], 1), "dark"), Shape(ellipse(64, 64, 2), "accent")]
    base = curve([(47, 50, 1), (53, 50, 1), (54, 58), (62, 68), (63, 78), (54, 89), (66, 93), (70, 98, 1), (30, 98, 1), (34, 93),
                  (46, 89), (37, 78), (38, 68), (46, 58)])
    out += [*volume(base, "second", 0.05, shift=(-0.14, 0.0), size=0.55), *inside(base, box(0, 71, 100, 75), "light", 0.0),
            *inside(base, box(0, 88, 100, 90.5), "dark", 0.1)]
    out += [Shape(shade, "main", 0.1, UP), *inside(shade, polygon((50 + w * 0.35, 6), (99, 6), (99, 50), (50 + s * 0.35, 50)),
                                                   "main", -0.18, UP)]
    out += [Shape(stroke([(50 + w * k, 8), (50 + s * k, 48)], 0.9), "main", -0.35, UP) for k in np.linspace(-0.8, 0.8, 7)]
    return [*out, Shape(box(50 - s - 1, 47, 50 + s + 1, 51.5, 1.5), "accent"), Shape(box(50 - w - 1, 4.5, 50 + w + 1, 8, 1.5),
            "accent", -0.1), Shape(polygon((50 - s + 6, 51.5), (50 + s - 6, 51.5), (50 + s - 14, 55), (50 - s + 14, 55)),
                                   "accent", 0.45)]


def vase(rng: Generator) -> list[Shape]:
    """A patterned vase with a bunch of flowers."""
    out: list[Shape] = []
    for i, a in enumerate(np.linspace(-0.75, 0.75, 5)):
        x, y = 50 + 36 * np.sin(a) + rng.uniform(-2, 2), 54 - 36 * np.cos(a) + (4 if i % 2 else 0)
        out += [Shape(stroke([(50, 58), (50 + (x - 50) * 0.5, 44), (x, y)], 1.8), "dark", 0.2, UP),
                Shape(petal(50 + (x - 50) * 0.6, 43, UP + a * 1.8, 17, 7, 0.5), "second", -0.25)]
        role: Role = ("main", "accent", "second", "accent", "main")[i]
        n = int(rng.integers(6, 9))
        out += [Shape(petal(x, y, k * 2 * np.pi / n, 11.5, 60 / n, 0.65, tip=False), role, 0.15 * (k % 2), k * 2 * np.pi / n)
                for k in range(n)]
        out.append(Shape(ellipse(x, y, 3.4), "dark" if role != "second" else "light", 0.1))
    b = rng.uniform(20, 26)
    body = curve([(40, 54, 1), (60, 54, 1), (59, 60), (50 + b, 72), (50 + b * 0.9, 86), (61, 99, 1), (39, 99, 1),
                  (50 - b * 0.9, 86), (50 - b, 72), (41, 60)])
    out += volume(body, "main", 0.05, shift=(-0.14, -0.06), size=0.57, grain=UP)
    out += inside(body, box(0, 68, 100, 71), "light", -0.05) + inside(body, box(0, 84, 100, 87), "light", -0.05)
    for k in np.linspace(-1.2, 1.2, 9):
        out += inside(body, polygon((50 + k * b, 73), (53 + k * b, 77.5), (50 + k * b, 82), (47 + k * b, 77.5)), "accent")
    return [*out, Shape(box(38, 52.5, 62, 56, 1.6), "main", -0.3)]


def cup(rng: Generator) -> list[Shape]:
    """A cup of something hot on a saucer, with wisps of steam."""
    out = [Shape(stroke([(x, 34), (x - 4, 26), (x + 4, 17), (x, 7)], [1, 3, 3, 1]), "light", -0.12, UP) for x in (36, 48, 60)]
    out += [Shape(stroke([(74, 50), (90, 48), (93, 60), (84, 72), (70, 76)], [5, 6, 6, 6, 5]), "main", -0.2)]
    out += [Shape(ellipse(48, 93, 44, 6), "second", -0.15), Shape(ellipse(48, 91, 44, 5.4), "second", 0.15),
            Shape(ellipse(48, 90.5, 24, 3), "second", -0.3)]
    body = curve([(14, 42, 1), (15, 62), (24, 80), (34, 90, 1), (62, 90, 1), (72, 80), (81, 62), (82, 42, 1)])
    out += [*volume(body, "main", 0.05, shift=(-0.14, -0.1), size=0.57)]
    kind = rng.integers(3)
    if kind == 0:
        out += inside(body, box(0, 56, 100, 61), "light") + inside(body, box(0, 65, 100, 68), "accent")
    elif kind == 1:
        out += [s for x in (22, 35, 48, 61, 74) for s in inside(body, ellipse(x, 62 + 5 * (x % 2), 4.4), "accent", 0.1)]
    else:
        out += ([Shape(petal(48, 66, a, 11, 6.5, 0.6), "light", 0.0, a) for a in np.arange(7) * 2 * np.pi / 7]
                + [Shape(ellipse(48, 66, 3.6), "accent")])
    return [*out, Shape(ellipse(48, 42, 34.5, 7), "light", -0.05), Shape(ellipse(48, 43, 31, 5.4), "dark", 0.15),
            Shape(ellipse(42, 42.4, 14, 2), "dark", 0.35)]


def teapot(rng: Generator) -> list[Shape]:
    """A round teapot with spout, handle and lid, a painted flower on its side."""
    out = [Shape(stroke([(76, 46), (92, 42), (98, 56), (92, 70), (76, 76)], [5, 6, 6, 6, 5]), "second", -0.15)]
    out += [Shape(curve([(28, 60, 1), (18, 56), (12, 44), (8, 38), (1, 37, 1), (0, 33, 1), (12, 32), (20, 38), (26, 46),
                         (32, 48, 1), (36, 78, 1)]), "main", -0.22)]
    body = curve([(32, 36), (52, 32), (72, 36), (85, 54), (82, 78), (68, 93), (36, 93), (22, 78), (19, 54)])
    out += volume(body, "main", 0.06, shift=(-0.12, -0.12), size=0.57)
    out += [Shape(box(36, 91, 68, 97, 2), "main", -0.4),
            Shape(curve([(33, 36, 1), (38, 27), (52, 23), (66, 27), (71, 36, 1), (52, 39)]), "second",
                  0.05), Shape(ellipse(52, 19, 4.6), "accent"), *inside(body, box(0, 42, 100, 45), "light", -0.05)]
    n = int(rng.integers(5, 8))
    out += ([Shape(petal(51, 65, a, 14, 90 / n, 0.65, tip=False), "light", 0.0, a) for a in np.arange(n) * 2 * np.pi / n + UP]
            + [Shape(ellipse(51, 65, 4.4), "accent")])
    return [*out, *(Shape(petal(51 + s * 14, 72, 0.5 if s > 0 else 2.6, 14, 6, 0.5), "second", 0.1) for s in (-1, 1))]


def chair(rng: Generator) -> list[Shape]:
    """A wooden chair seen a little from the side, slatted back, cushion."""
    n = int(rng.integers(2, 5))
    out = [Shape(stroke([(70, 62), (73, 92)], [4.4, 3.4]), "main", -0.4, UP), Shape(stroke([(38, 60), (37, 90)], [4.4, 3.4]),
            "main", -0.4, UP), Shape(stroke([(30, 80), (72, 82)], 2), "main", -0.4)]
    out += [Shape(stroke([(26, 4), (29, 34), (30, 62), (26, 98)], [4.6, 5, 5.4, 4.4]), "main", 0.1, UP),
            Shape(stroke([(62, 4), (62, 34), (62, 62)], [4.6, 5, 5]), "main", -0.15, UP)]
    if n == 2:
        out += [Shape(curve([(27, 8, 1), (44, 2), (62, 8, 1), (62, 24, 1), (44, 20), (28, 24, 1)]), "main", 0.0),
                Shape(curve([(29, 34, 1), (44, 31), (62, 34, 1), (62, 41, 1), (44, 38), (29, 41, 1)]), "main", -0.05)]
    else:
        out += [Shape(stroke([(27, 9), (44, 5), (62, 9)], [7, 9, 7]), "main", 0.05),
                *[Shape(stroke([(x, 10), (x + 0.8, 56)], 3), "main", -0.05, UP) for x in np.linspace(29, 62, n + 2)[1:-1]]]
    out += [Shape(polygon((25, 60), (66, 58), (82, 67), (34, 70)), "main", 0.2),
            Shape(polygon((34, 70), (82, 67), (82, 72), (34, 75)), "main", -0.25), Shape(polygon((25, 60), (34, 70), (34, 75),
                    (25, 65)), "main", -0.1)]
    out += [Shape(curve([(28, 59), (46, 54), (66, 55), (78, 64), (60, 67), (36, 67)]), "second", 0.08),
            Shape(curve([(36, 67), (60, 67), (78, 64), (79, 66), (60, 70), (36, 70)]), "second",
                  -0.25), *[Shape(ellipse(x, y, 1.7, 1.1), "accent") for x, y in ((42, 60), (54, 59.5), (64, 62), (50, 64))]]
    return [*out, Shape(stroke([(38, 73), (36, 98)], [5, 4.4]), "main", 0.1, UP), Shape(stroke([(78, 70), (81, 98)], [5, 4.4]),
            "main", -0.05, UP)]


def bottle(rng: Generator) -> list[Shape]:
    """A wine bottle with a label and a cork, a filled glass beside it."""
    out: list[Shape] = []
    slim = rng.uniform(12, 15)
    body = curve([(34, 8, 1), (42, 8, 1), (42, 30), (38 + slim, 44), (38 + slim, 60), (38 + slim, 95), (36 + slim, 98.5, 1),
                  (40 - slim, 98.5, 1), (38 - slim, 95), (38 - slim, 60), (38 - slim, 44), (34, 30)])
    out += [Shape(body, "main", -0.12, UP), *inside(body, box(0, 0, 38 + slim * 0.35, 100), "main", 0.08, UP),
            *inside(body, box(38 - slim + 2.5, 44, 38 - slim + 5, 92, 1.2), "light", -0.1, UP)]
    out += [Shape(box(34.5, 2, 41.5, 10, 1), "second", -0.2), Shape(box(33, 8, 43, 13, 1), "accent", -0.1)]
    out += [*inside(body, box(0, 58, 100, 86), "light", -0.05), Shape(star(38, 70, 6.5, 3.2, 6), "second"),
            *inside(body, box(38 - slim + 3, 80, 38 + slim - 3, 81.6), "dark", 0.1), *inside(body, box(0, 58, 100, 59.5),
                    "accent"), *inside(body, box(0, 84.5, 100, 86), "accent")]
    bowl = curve([(60, 48, 1), (61, 66), (72, 76), (83, 66), (84, 48, 1)])
    out += [Shape(box(71, 74, 73, 96), "light", -0.2), Shape(ellipse(72, 97, 10, 2), "light", -0.2), Shape(bowl, "light", 0.05),
            *inside(bowl, box(0, 57, 100, 100), "second", 0.05), *inside(bowl, box(76, 57, 100, 100), "second",
                    -0.2), Shape(ellipse(72, 57, 11.3, 1.6), "second", 0.25)]
    return out


def apple(rng: Generator) -> list[Shape]:
    """An apple with a stalk and a leaf, lit from the left."""
    w = rng.uniform(0.94, 1.06)
    body = curve([(50, 30), (62, 23), (80, 26), (91, 44), (87, 70), (73, 93), (60, 97), (50, 93), (40, 97), (27, 93), (13, 70),
                  (9, 44), (20, 26), (38, 23)])
    body = (body - (50, 0)) * (w, 1) + (50, 0)
    out = [*volume(body, "main", -0.04, shift=(-0.12, -0.08), size=0.54), *inside(body, ellipse(36, 50, 22, 26), "main", 0.15),
           *inside(body, ellipse(27, 43, 5, 9, 0.4), "light", 0.0)]
    out += [Shape(ellipse(50, 30, 10, 3.6), "main", -0.45), Shape(stroke([(50, 31), (51, 20), (56, 8)], [2.4, 2.6, 4]), "dark",
            0.1)]
    a = -0.35 + rng.uniform(-0.25, 0.2)
    out += [Shape(petal(52, 19, a, 34, 17, 0.5), "second", 0.05, a), Shape(cut(petal(52, 19, a, 34, 17, 0.5), (52, 19),
            (-np.sin(a), np.cos(a))), "second", -0.25, a)]
    return (out + [Shape(ellipse(64 + dx, 62 + dy, 1.1), "accent", 0.1) for dx, dy in ((0, 0), (8, -9), (10, 8), (-6, 14),
            (16, -2), (-2, -14))])


def pear(rng: Generator) -> list[Shape]:
    """A pear, leaning a little, with stalk and leaf."""
    lean = rng.uniform(-5, 5)
    body = curve([(50 + lean, 14), (60 + lean, 20), (63 + lean * 0.6, 38), (76, 56), (83, 76), (72, 95), (50, 98), (28, 95),
                  (17, 76), (24, 56), (37 + lean * 0.6, 38), (40 + lean, 20)])
    out = [*volume(body, "main", -0.02, shift=(-0.12, -0.02), size=0.54, grain=UP), *inside(body, ellipse(40, 66, 19, 27, 0.2),
            "main", 0.16, UP), *inside(body, ellipse(32, 68, 4.4, 10, 0.3), "light"), *inside(body, ellipse(80, 80, 10, 20),
                    "main", -0.36)]
    a = -0.3 + rng.uniform(-0.2, 0.2)
    out += [Shape(stroke([(50 + lean, 17), (51 + lean, 8), (56 + lean, 0)], [2.2, 2.4, 3.6]), "dark", 0.1),
            Shape(petal(51 + lean, 11, a, 30, 14, 0.5), "second", 0.1, a), Shape(cut(petal(51 + lean, 11, a, 30, 14, 0.5),
                    (51 + lean, 11), (-np.sin(a), np.cos(a))), "second", -0.2, a)]
    return (out + [Shape(ellipse(50 + dx, 76 + dy, 1.0), "dark", 0.25) for dx, dy in ((0, 0), (8, 8), (14, -6), (4, 14),
            (-6, 10), (10, -16), (18, 6))])


def candle(rng: Generator) -> list[Shape]:
    """A lit candle in a holder with a ring handle, rays round the flame."""
    top = rng.uniform(40, 46)
    out = [Shape(ellipse(48, top - 18, 25), "accent", 0.5)] if rng.random() < 0.5 else []
    out += ([Shape(stroke([(48 + 17 * np.cos(a), top - 18 + 19 * np.sin(a)), (48 + 25 * np.cos(a), top - 18 + 26 * np.sin(a))],
                          [2, 0.8]), "accent", 0.1) for a in np.linspace(-np.pi, 0, 7)] if not out else [])
    out += [Shape(stroke([(64, 90), (80, 80), (88, 88), (78, 96), (66, 94)], 4), "second", -0.2)]
    body = box(37, top, 59, 90, 2)
    out += [Shape(body, "main", 0.05, UP), *inside(body, box(50, 0, 99, 100), "main", -0.2, UP),
            Shape(curve([(36, top, 1), (60, top, 1), (60.5, top + 13), (56.5, top + 14), (55, top + 7), (50, top + 6),
                         (48, top + 20), (43.5, top + 20), (42, top + 8), (38, top + 10)]), "light", 0.0, UP)]
    out += [Shape(stroke([(48, top + 1), (48, top - 8)], 1.6), "dark"),
            Shape(curve([(48, top - 36, 1), (56, top - 20), (57, top - 9), (48, top - 3), (39, top - 9), (40, top - 20)]),
                  "second", 0.1), Shape(curve([(48, top - 28, 1), (53, top - 16), (53, top - 9), (48, top - 5), (43, top - 9),
                                               (43, top - 16)]), "accent", 0.15), Shape(ellipse(48, top - 9, 2.6, 4), "light",
                                                       0.2)]
    return [*out, Shape(curve([(20, 86, 1), (76, 86, 1), (70, 95), (60, 99, 1), (36, 99, 1), (26, 95)]), "second", -0.05),
            Shape(box(18, 84, 78, 88, 2), "second", 0.2), Shape(box(34, 80, 62, 86, 2), "second", -0.25)]


def guitar(rng: Generator) -> list[Shape]:
    """A guitar standing upright: waisted body, rosette, long neck and pegs."""
    body = curve([(50, 46), (63, 47), (69, 56), (63, 67), (72, 79), (70, 93), (50, 99), (30, 93), (28, 79), (37, 67), (31, 56),
                  (37, 47)])
    out = [Shape((body - (50, 70)) * 1.05 + (50, 70), "dark", 0.1), *volume(body, "main", 0.08, shift=(-0.12, -0.06), size=0.57,
            grain=UP)]
    out += [Shape(ellipse(50, 69, 9.6), "accent"), Shape(ellipse(50, 69, 7.6), "dark"), Shape(box(46.6, 14, 53.4, 64), "second",
            -0.25, UP), *[Shape(box(46.6, y, 53.4, y + 0.8), "light", -0.1) for y in (22, 29, 36, 43, 50, 57)]]
    out += [Shape(curve([(46, 15, 1), (44, 6), (45, 1, 1), (55, 1, 1), (56, 6), (54, 15, 1)]), "dark", 0.05),
            *[Shape(ellipse(50 + s * 8, y, 2.2, 1.6), "accent") for s in (-1, 1) for y in (4, 8, 12)], Shape(box(42, 86, 58,
                    89.5, 1), "dark")]
    out += [Shape(box(x - 0.25, 5, x + 0.25, 87), "light", 0.1, UP) for x in (48, 49.4, 50.6, 52)]
    return out if rng.random() < 0.6 else [*out, Shape(curve([(58, 70, 1), (66, 76), (67, 86), (60, 84)]), "second", -0.3)]
