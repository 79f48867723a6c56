"""Birds, each drawn facing left on a sheet 100 wide and 100 high; `subjects.py` scales them."""

# fmt: off
# Coordinates read better in rows than one to a line.

import numpy as np
from numpy.random import Generator

from artlab.drawing.scene import Points, Shape
from artlab.drawing.shapes import Knots, curve, ellipse, eye, hair, inside, petal, polygon, stroke, volume, within

UP, DOWN = -np.pi / 2, np.pi / 2


def bird(rng: Generator) -> list[Shape]:
    """A songbird in profile with folded wing and cocked tail, on two thin legs or a twig."""
    tail = rng.uniform(-6, 10)
    twig = rng.random() < 0.55
    out = [Shape(curve([(74, 56, 1), (99, 56 + tail, 1), (97, 66 + tail, 1), (72, 70)]), "main", -0.35, 0.2),
           Shape(stroke([(72, 63), (97, 61 + tail)], [2.5, 1]), "second", 0.0, 0.2)]
    for x in (44, 54):
        out += [hair([(x + 4, 76), (x + 1, 86), (x, 96)], 2.4), hair([(x - 7, 97), (x, 95.5), (x + 6, 97)], 2.2)]
    body = curve([(15, 30), (24, 19), (38, 20), (47, 34), (64, 46), (79, 57), (74, 71), (56, 80), (36, 77), (22, 64), (17, 48)])
    out += volume(body, "main", 0.05, shift=(-0.05, -0.16), size=0.6)
    out += inside(body, ellipse(26, 66, 20, 25, 0.5), "light", -0.05, 1.0)
    wing = curve([(38, 46, 1), (56, 42), (72, 52), (88, 66, 1), (70, 71), (50, 69), (39, 60)])
    out.append(Shape(wing, "second", 0.0, 0.5))
    for k in range(4):
        out += inside(wing, _feather(46 + 9 * k, 49 + 3.5 * k, 16), "second", -0.32 + 0.04 * k, 0.5)
    out += [Shape(polygon((17, 29), (2, 35), (17, 38)), "accent"), Shape(polygon((17, 34), (3, 35.2), (16.5, 38)), "accent",
            -0.3)]
    out += [Shape(ellipse(28, 30, 4.2), "light", 0.1), *eye(28, 30, 2.8)]
    if twig:
        out += [Shape(stroke([(10, 101), (45, 98), (95, 100)], [3, 4.5, 2]), "dark", 0.15),
                Shape(petal(84, 99, -0.9, 15, 8, 0.5), "second"), Shape(petal(18, 99, -2.3, 13, 7, 0.5), "second", -0.2)]
    return out


def _feather(x: float, y: float, length: float) -> Points:
    """A narrow feather line as a convex sliver running down and back."""
    return polygon((x, y), (x + length, y + length * 0.75), (x + length - 2, y + length * 0.9), (x - 1, y + 2.5))


def swallow(rng: Generator) -> list[Shape]:
    """A swallow in flight: two sickle wings, forked tail, pale belly."""
    lift = rng.uniform(-8, 6)
    far = curve([(42, 44, 1), (58, 24), (84, 4 + lift, 1), (74, 32), (56, 54)])
    tail = curve([(62, 58, 1), (98, 70, 1), (80, 70, 1), (90, 92, 1), (58, 68)])
    body = curve([(8, 42, 1), (18, 33), (32, 34), (50, 46), (68, 62), (72, 70, 1), (58, 68), (36, 60), (18, 52)])
    near = curve([(30, 50, 1), (48, 42), (60, 54), (48, 70), (22, 98 - lift, 1), (28, 70)])
    out = [Shape(far, "main", -0.3, -0.9), Shape(tail, "main", -0.2, 0.5), Shape(body, "main", 0.1, 0.5)]
    out += inside(body, curve([(12, 48), (30, 53), (66, 70), (46, 76), (16, 66)]), "light", 0.0, 0.5)
    out += inside(body, ellipse(18, 49, 7, 4, 0.5), "accent")
    out += [Shape(near, "main", -0.02, 2.0), Shape(stroke([(34, 54), (44, 60), (42, 72), (27, 92 - lift)], [1, 3, 1]), "second",
                                                   0.1), *eye(21, 40, 2.2)]
    return [*out, Shape(polygon((10, 39), (0, 43), (10, 45)), "accent", -0.1)]


def owl(rng: Generator) -> list[Shape]:
    """An owl from the front: big ringed eyes, ear tufts, scalloped breast, on a branch."""
    w = rng.uniform(0.94, 1.08)
    body = curve([(25, 4, 1), (37, 11), (50, 12), (63, 11), (75, 4, 1), (78, 26), (80, 58), (68, 86), (50, 93), (32, 86),
                  (20, 58), (22, 26)])
    body = (body - (50, 50)) * (w, 1) + (50, 50)
    out = [Shape(curve([(40, 86, 1), (60, 86, 1), (58, 101), (50, 103), (42, 101)]), "main", -0.4, UP),
           Shape(stroke([(8, 97), (50, 95), (93, 98)], [5, 6, 3.5]), "dark", 0.15),
           *volume(body, "main", 0.0, shift=(-0.1, -0.1), size=0.58)]
    belly = ellipse(50, 66, 20 * w, 25)
    out.append(Shape(belly, "light", -0.05))
    for row in range(5):
        for k in range(-2, 3):
            x, y = 50 + (k + 0.5 * (row % 2)) * 9.5, 52 + row * 8.5
            out += inside(belly, curve([(x - 4.4, y - 2, 1), (x + 4.4, y - 2, 1), (x + 3, y + 3), (x, y + 5.4), (x - 3, y + 3)]),
                          "second", 0.12 * (row % 2), UP)
    for s in (-1, 1):
        wing = curve([(50 + s * 25 * w, 40, 1), (50 + s * 33 * w, 54), (50 + s * 30 * w, 76), (50 + s * 17 * w, 92, 1),
                      (50 + s * 17 * w, 66)])
        out += [Shape(wing, "second", -0.25 if s > 0 else -0.05, UP)]
        out += [Shape(stroke([(50 + s * (27 - d) * w, 52 + d * 1.5), (50 + s * (24 - d) * w, 74), (50 + s * (19 - d * 0.3) * w,
                86)], [0.6, 1.4, 0.5]), "dark", 0.2) for d in (0, 5)]
        out += [Shape(ellipse(50 + s * 13.5, 30, 15), "light", -0.1), Shape(ellipse(50 + s * 12.5, 30, 11.5), "accent"),
                Shape(ellipse(50 + s * 11.5, 30, 7), "dark")]
        out.append(Shape(ellipse(48 + s * 11.5, 27, 2.2), "light", 0.2))
        out += [Shape(petal(50 + s * 9 + d, 88, DOWN, 11, 5, 0.6, tip=False), "accent", -0.15) for d in (-4, 0, 4)]
    out.append(Shape(curve([(50, 30, 1), (56, 38), (50, 47, 1), (44, 38)]), "second", -0.1))
    return [*out, Shape(petal(86, 96, -0.8, 14, 7, 0.5), "second"), Shape(petal(14, 96, -2.4, 13, 7, 0.5), "second", -0.2)]


def swan(rng: Generator) -> list[Shape]:
    """A swan on the water: S-shaped neck, raised wing of three rows of feathers."""
    neck: Knots = [(40, 78), (27, 66), (24, 52), (33, 38), (36, 26), (30, 16), (21, 16)]
    body = curve([(22, 70), (34, 64), (52, 62), (78, 60), (98, 44, 1), (95, 68), (82, 84), (56, 90), (34, 88), (23, 80)])
    out = [Shape(stroke(neck, [18, 14, 11, 9.5, 9, 9.5, 10]), "main", 0.05, UP), *volume(body, "main", 0.05, shift=(-0.02, -0.2),
            size=0.62)]
    out += [Shape(ellipse(24, 17, 9, 6.6, -0.2), "main", 0.1)]
    for k, (tone, lift) in enumerate(((-0.2, 0.0), (0.0, 6.0), (0.22, 12.0))):
        y = 76 - lift * 0.3
        out.append(Shape(curve([(38 + 2 * k, y - 4, 1), (46 + k, 50 + lift * 0.8), (64 - k, 38 + lift),
                                (92 - 9 * k, 26 + 1.3 * lift, 1), (88 - 8 * k, 44 + lift * 0.6, 1),
                                (93 - 10 * k, 54 + lift * 0.3, 1), (80 - 8 * k, 66), (60 - 3 * k,
                                        y + 3)]), "light" if k == 1 else "main", tone, -0.4))
    out += [Shape(curve([(18, 13, 1), (4, 22, 1), (17, 22, 1)]), "accent"),
            Shape(curve([(23, 12), (17, 12, 1), (12, 17), (18, 20), (22, 17)]), "dark"), *eye(24.5, 14.5, 1.7)]
    for y, x0, x1 in ((89, 6, 97), (95, 20, 84)):
        out.append(Shape(stroke([(x0, y), ((x0 + x1) / 2, y + rng.uniform(0, 2)), (x1, y)], [0.8, 3.2, 0.8]), "second", 0.1))
    return out


def duck(rng: Generator) -> list[Shape]:
    """A duck in profile: round head with a collar, broad bill, curled tail, folded wing."""
    body = curve([(26, 50), (34, 58), (54, 54), (78, 54), (97, 40, 1), (95, 62), (82, 80), (56, 88), (32, 82), (20, 66),
                  (22, 54)])
    out = [Shape(stroke([(46, 80), (45, 96)], 3.4), "accent", -0.2), Shape(stroke([(60, 80), (60, 96)], 3.4), "accent", -0.2)]
    out += [Shape(curve([(x + 3, 93, 1), (x + 3, 98), (x - 11, 98.5, 1), (x - 6, 95)]), "accent", -0.1) for x in (45, 60)]
    out += volume(body, "main", 0.05, shift=(-0.05, -0.14), size=0.6)
    out.append(Shape(stroke([(28, 38), (29, 50), (34, 62)], [17, 17, 22]), "main", 0.05))
    out.append(Shape(curve([(14, 28), (18, 16), (30, 12), (41, 18), (42, 32), (38, 46), (20, 47), (18, 38)]), "second", -0.05))
    out.append(Shape(stroke([(19.5, 47), (28, 49.5), (38, 46)], 4.2), "light"))
    out.append(Shape(curve([(17, 26, 1), (6, 31), (-2, 33), (0, 38), (10, 38), (19, 37, 1)]), "accent"))
    out.append(Shape(stroke([(0, 35.4), (9, 35.5), (18, 33)], [0.8, 1.4, 0.8]), "dark", 0.2))
    wing = curve([(42, 60, 1), (58, 56), (78, 60), (93, 62, 1), (80, 72), (62, 77), (46, 72)])
    out += [Shape(wing, "second", 0.1), Shape(within(wing, ellipse(52, 62, 26, 11)), "light", -0.1),
            *inside(wing, polygon((70, 58), (79, 60), (72, 77), (63, 77)), "accent", -0.1)]
    if rng.random() < 0.5:
        out.append(Shape(stroke([(94, 50), (101, 42), (98, 36), (93, 39)], [3, 2.4, 1.4]), "main", -0.3))
    return [*out, *eye(25, 25, 2.6)]


def penguin(rng: Generator) -> list[Shape]:
    """A penguin from the front: dark coat, white shirt, orange feet."""
    lift = rng.uniform(2, 16)
    out = [Shape(curve([(50 + s * 4, 94, 1), (50 + s * 10, 90), (50 + s * 26, 97), (50 + s * 16, 100), (50 + s * 5, 100)]),
                 "accent") for s in (-1, 1)]
    for s in (-1, 1):
        out.append(Shape(curve([(50 + s * 22, 40, 1), (50 + s * 34, 54), (50 + s * (36 + lift * 0.7), 78 - lift, 1),
                                (50 + s * 26, 66)]), "main", -0.3, UP))
    body = curve([(50, 4), (64, 10), (68, 26), (74, 46), (77, 70), (68, 92), (50, 96), (32, 92), (23, 70), (26, 46), (32, 26),
                  (36, 10)])
    out += volume(body, "main", 0.0, shift=(-0.12, -0.1), size=0.57)
    out.append(Shape(curve([(50, 36), (62, 42), (69, 66), (62, 89), (50, 92), (38, 89), (31, 66), (38, 42)]), "light", 0.0, UP))
    out.append(Shape(curve([(60, 42), (69, 66), (62, 89), (52, 92), (60, 76), (62, 58)]), "light", -0.2, UP))
    out.append(Shape(curve([(50, 19, 1), (58, 15), (63, 22), (60, 32), (50, 37, 1), (40, 32), (37, 22), (42, 15)]), "light",
                     0.05))
    out += [*eye(43.5, 23, 2.7), *eye(56.5, 23, 2.7), Shape(curve([(44, 28, 1), (50, 25), (56, 28, 1), (50, 36, 1)]), "accent",
                                                            -0.05)]
    return [*out, Shape(stroke([(34, 40), (50, 45), (66, 40)], [4, 6, 4]), "second"),
            Shape(curve([(58, 42, 1), (66, 43, 1), (68, 60, 1), (60, 61, 1)]), "second", -0.2)]


def rooster(rng: Generator) -> list[Shape]:
    """A cock: comb, wattle, a fan of sickle feathers, layered wing."""
    h = rng.uniform(0.92, 1.08)
    out = ([hair([(x, 78), (x + 1, 90), (x, 98)], 3.0, "accent", -0.2) for x in (46, 58)]
           + [hair([(x - 8, 98.5), (x, 96), (x + 7, 98.5)], 2.6, "accent", -0.2) for x in (46, 58)])
    for i, (x, y, a) in enumerate(((99, 58, 0), (101, 44, 0), (98, 30, 0), (90, 18, 0), (80, 14, 0))):
        tx, ty = 70 + (x - 70) * h, 60 + (y - 60) * h
        out.append(Shape(curve([(62, 64, 1), (70 - i, 52 - 4 * i * h), (tx - 5, ty - 3), (tx + 1, ty + 7 + a, 1),
                                (tx - 9, ty + 9), (78, 66, 1)]), "second" if i % 2 else "main", -0.25 + 0.06 * i, -0.8))
    body = curve([(24, 26), (30, 16), (38, 20), (42, 38), (52, 50), (74, 50), (84, 58), (78, 74), (58, 84), (36, 80), (24, 66),
                  (20, 46)])
    out += volume(body, "main", 0.08, shift=(-0.08, -0.12), size=0.6)
    out.append(Shape(curve([(22, 22, 1), (20, 10), (26, 14, 1), (28, 4), (33, 12, 1), (38, 5), (38, 15, 1), (44, 14),
                            (39, 24, 1)]), "accent", -0.1))
    out += [Shape(ellipse(23, 37, 3.6, 6), "accent", -0.2), Shape(polygon((23, 23), (11, 29), (23, 32)), "accent", 0.15)]
    wing = curve([(40, 56, 1), (58, 52), (78, 62, 1), (70, 66, 1), (73, 71, 1), (64, 72, 1), (64, 77, 1), (50, 76), (40, 68)])
    out += [Shape(wing, "second", 0.0, 0.3), *inside(wing, ellipse(47, 59, 15, 9), "second", 0.25)]
    for k in range(4):
        out.append(Shape(petal(28 + 4 * k, 44 + 3 * k, DOWN + 0.2, 11, 5, 0.5), "light", -0.1 * k, DOWN))
    return [*out, *eye(29, 25, 2.5)]
