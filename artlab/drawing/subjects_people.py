"""People, each drawn on a sheet 100 wide and 100 high; `subjects.py` scales them."""

# fmt: off
# Coordinates read better in rows than one to a line.

import numpy as np
from numpy.random import Generator

from artlab.drawing.scene import Role, Shape
from artlab.drawing.shapes import Knots, box, curve, ellipse, inside, petal, polygon, stroke, volume

UP, DOWN = -np.pi / 2, np.pi / 2


def _head(x: float, y: float, r: float, rng: Generator, *, hair: Role = "dark") -> list[Shape]:
    """A small head with closed eyes: tall oval, cheek, and one of three heads of hair."""
    style = rng.integers(3)
    out: list[Shape] = []
    if style == 0:  # long hair
        out.append(Shape(curve([(x - r * 1.05, y - r * 0.4), (x, y - r * 1.45), (x + r * 1.1, y - r * 0.4),
                                (x + r * 1.35, y + r * 1.5), (x + r * 0.5, y + r * 1.7), (x - r * 0.9,
                                        y + r * 1.6), (x - r * 1.3, y + r)]), hair, 0.05, DOWN))
    if style == 1:  # a bun
        out.append(Shape(ellipse(x + r * 0.5, y - r * 1.5, r * 0.62), hair, 0.1))
    out += [Shape(box(x - r * 0.3, y + r * 0.5, x + r * 0.3, y + r * 1.7), "light", -0.22),
            Shape(ellipse(x, y, r * 0.86, r * 1.08), "light", -0.06)]
    out += [Shape(stroke([(x + s * r * 0.34 - r * 0.2, y + r * 0.08), (x + s * r * 0.34, y + r * 0.2),
                          (x + s * r * 0.34 + r * 0.2, y + r * 0.08)], r * 0.11), "dark") for s in (-1, 1)]
    out += [Shape(ellipse(x + s * r * 0.5, y + r * 0.42, r * 0.19, r * 0.14), "light", -0.22) for s in (-1, 1)]
    out.append(Shape(stroke([(x - r * 0.2, y + r * 0.6), (x, y + r * 0.68), (x + r * 0.2, y + r * 0.6)], r * 0.12), "main", -0.1))
    cap = curve([(x - r * 0.98, y + r * 0.25, 1), (x - r * 1.0, y - r * 0.6), (x, y - r * 1.3), (x + r * 1.0, y - r * 0.6),
                 (x + r * 0.98, y + r * 0.25, 1), (x + r * 0.62, y - r * 0.45), (x - r * 0.1, y - r * 0.62, 1), (x - r * 0.6,
                         y - r * 0.3)])
    return [*out, Shape(cap, hair, 0.0, DOWN)]


def figure(rng: Generator) -> list[Shape]:
    """A standing person in a long coat with buttons, scarf and boots, often with a hat."""
    w = rng.uniform(0.94, 1.1)
    out = [Shape(stroke([(50 + s * 5, 78), (50 + s * 5.5, 94)], 6), "dark", 0.2, UP) for s in (-1, 1)]
    out += [Shape(curve([(50 + s * 2, 92, 1), (50 + s * 8.5, 92, 1), (50 + s * 9, 95), (50 + s * 13, 98.5, 1),
                         (50 + s * 2, 98.5, 1)]), "dark", -0.1) for s in (-1, 1)]
    raised = rng.random() < 0.35
    arms: list[Knots] = [[(50 - 9, 34), (50 - 15 * w, 48), (50 - 14 * w, 62)], [(50 + 9, 34), (50 + 18, 28), (50 + 22, 13)]
                         if raised else [(50 + 9, 34), (50 + 15 * w, 48), (50 + 14 * w, 62)]]
    for k, arm in enumerate(arms):
        out += [Shape(ellipse(arm[-1][0], arm[-1][1] + (-2 if raised and k else 2), 3), "light", -0.1),
                Shape(stroke(arm, [8.5, 7.5, 6]), "main", -0.12 - 0.14 * k, DOWN)]
    coat = curve([(43, 29, 1), (57, 29, 1), (61, 36), (60, 52), (50 + 17 * w, 83, 1), (50, 86), (50 - 17 * w, 83, 1), (40, 52),
                  (39, 36)])
    out += [Shape(coat, "main", 0.08, DOWN), *inside(coat, polygon((51, 20), (99, 20), (99, 99), (54, 99)), "main", -0.1, DOWN),
            Shape(stroke([(50, 34), (51, 56), (52.5, 84)], 0.9), "dark", 0.15)]
    out += ([Shape(ellipse(47.4, y, 1.2), "accent") for y in (41, 48, 55)]
            + [Shape(polygon((50 + s * 6, 60), (50 + s * 12, 60), (50 + s * 12.6, 66), (50 + s * 6.4, 66)), "main", -0.3)
               for s in (-1, 1)])
    out += _head(50, 17, 9.0, rng)
    out += [Shape(stroke([(42, 29), (50, 32), (58, 29)], [5, 6.5, 5]), "second"),
            Shape(curve([(53, 30, 1), (58, 30, 1), (60, 46, 1), (54, 47, 1)]), "second", -0.15)]
    if rng.random() < 0.6:
        out += [Shape(curve([(41, 11, 1), (42, 3), (50, 0), (58, 3), (59, 11, 1)]), "second", 0.05),
                Shape(stroke([(36, 11.5), (50, 9.5), (64, 11.5)], [2, 3.4, 2]), "second",
                      -0.2), Shape(stroke([(42, 8.4), (50, 7), (58, 8.4)], 2.2), "accent")]
    return out


def dancer(rng: Generator) -> list[Shape]:
    """A dancer on one toe, arms curved up, the skirt flung out in a wheel."""
    lift = rng.uniform(-4, 5)
    out = [Shape(stroke([(48, 56), (46, 76), (47, 97)], [6.5, 5, 2.6]), "light", -0.16, DOWN),
           Shape(stroke([(46.4, 89), (46.6, 94), (48, 99)], [4.6, 4.2, 2.6]), "second", -0.2)]
    out += [Shape(stroke([(52, 58), (68, 70), (88, 66 + lift)], [7, 5.4, 3]), "light", -0.24, 0.3),
            Shape(stroke([(83, 67 + lift * 0.8), (90, 65.6 + lift), (97, 63 + lift)], [4.6, 4, 1.6]), "second", -0.2)]
    for k, (tone, r) in enumerate(((-0.3, 34.0), (-0.05, 28.0), (0.2, 20.0))):
        hem = []
        for t in np.linspace(0, np.pi, 11):
            rr = r * (1 + 0.1 * np.cos(t * 8 + k))
            hem.append((49 + rr * np.cos(t) * 1.12, 58 + rr * np.sin(t) * 0.5 - 5 * np.cos(t)))
        out.append(Shape(curve([(55, 48, 1), (49 + r * 0.8, 48 - k), *hem, (49 - r * 0.8, 56 - k), (43, 48, 1)]), "main"
                         if k != 1 else "second", tone, DOWN))
    out += [Shape(stroke([(44, 33), (32, 26), (28, 14), (37, 5)], [4.6, 4, 3.4, 2]), "light", -0.1),
            Shape(stroke([(55, 33), (68, 27), (74, 15), (67, 4)], [4.6, 4, 3.4, 2]), "light", -0.2)]
    bodice = curve([(42, 32, 1), (46, 36), (53, 36), (57, 32, 1), (56, 42), (55, 50, 1), (43, 50, 1), (43, 42)])
    out += [Shape(bodice, "main", 0.05, DOWN), *inside(bodice, box(51, 20, 70, 60), "main", -0.2, DOWN),
            Shape(stroke([(43, 49), (49, 50.5), (55, 49)], 2.6), "accent")]
    head = _head(49.5, 20.5, 7.4, np.random.default_rng(1), hair="dark")
    return [*out, *head, Shape(ellipse(50, 9.5, 4.2), "dark", 0.08), Shape(stroke([(46, 12.6), (50, 13.6), (54, 12.6)], 1.8),
            "accent")]


def face(rng: Generator) -> list[Shape]:
    """A face from the front: parted or bobbed hair, one cheek in shade, earrings, collar."""
    bob = rng.random() < 0.5
    out = [Shape(curve([(50, 1), (76, 8), (86, 32), (82 if bob else 90, 62), (78 if bob else 92, 92), (60, 88), (40, 88),
                        (22 if bob else 8, 92), (18 if bob else 10, 62), (14, 32), (24, 8)]), "dark", 0.08, DOWN)]
    out += [Shape(curve([(6, 99.5, 1), (12, 88), (34, 82), (66, 82), (88, 88), (94, 99.5, 1)]), "main", -0.05),
            Shape(curve([(40, 70, 1), (60, 70, 1), (61, 82), (66, 85, 1), (50, 96), (34, 85, 1), (39, 82)]), "light", -0.25)]
    out += ([Shape(curve([(34, 82, 1), (50, 95), (66, 82, 1), (72, 87, 1), (50, 103, 1), (28, 87, 1)]), "second", 0.0)]
            if rng.random() < 0.6 else [])
    oval = curve([(50, 12), (70, 20), (76, 42), (71, 62), (58, 77), (50, 79), (42, 77), (29, 62), (24, 42), (30, 20)])
    out += [Shape(oval, "light", 0.0), *inside(oval, curve([(51, 8), (80, 8), (80, 82), (51, 82), (54, 62), (51, 40)]), "light",
                                               -0.14)[:1]]
    for s in (-1, 1):
        out += [Shape(ellipse(50 + s * 16, 57, 6, 4.4), "light", -0.2),
                Shape(stroke([(50 + s * 7, 37), (50 + s * 13, 33.5), (50 + s * 20, 37)], [1.4, 2.6, 1.0]), "dark")]
        out += [Shape(curve([(50 + s * 7, 45, 1), (50 + s * 13, 40.5), (50 + s * 20, 45, 1), (50 + s * 13, 48.5)]), "light",
                      0.3), Shape(ellipse(50 + s * 13, 44.4, 3.7), "second", -0.2), Shape(ellipse(50 + s * 13, 44.4, 1.9),
                              "dark"), Shape(stroke([(50 + s * 6.5, 45), (50 + s * 13, 40.4), (50 + s * 21, 44.6)],
                                                    [0.9, 1.9, 1.2]), "dark"), Shape(ellipse(50 + s * 13 - 1.2, 43, 0.9, n=10),
                                                            "light", 0.4)]
        out += [Shape(ellipse(50 + s * 25.5, 67, 3), "accent")]
    out += [Shape(stroke([(53, 40), (54.5, 52), (55.5, 57), (50, 59.5)], [0.7, 1.3, 1.8, 1]), "dark", 0.35),
            Shape(curve([(42, 67, 1), (47, 64.6), (50, 65.6), (53, 64.6), (58, 67, 1), (50, 68)]), "main",
                  -0.12), Shape(curve([(42, 67, 1), (50, 68), (58, 67, 1), (50, 72.4)]), "main", 0.12)]
    if bob:
        out.append(Shape(curve([(24, 44, 1), (22, 22), (36, 8), (64, 8), (78, 22), (76, 44, 1), (72, 30), (62, 29), (50, 31),
                                (38, 29), (28, 30)]), "dark", 0.0, DOWN))
    else:
        out += [Shape(curve([(46, 10, 1), (30, 12), (20, 28), (22, 52, 1), (28, 38), (38, 26)]), "dark", 0.0, DOWN),
                Shape(curve([(44, 10, 1), (66, 9), (80, 26), (78, 54, 1), (72, 36), (60, 24)]), "dark", -0.1, DOWN)]
    if rng.random() < 0.45:
        out += ([Shape(petal(77, 24, a, 8.5, 6.5, 0.6, tip=False), "accent", 0.1, a) for a in np.arange(6) * np.pi / 3]
                + [Shape(ellipse(77, 24, 2.8), "main")])
    return out


def angel(rng: Generator) -> list[Shape]:
    """An angel from the front: bell of a robe, feathered wings, folded hands, halo."""
    up = rng.uniform(-8, 8)
    out: list[Shape] = []
    for s in (-1, 1):
        wing = curve([(50 + s * 8, 36, 1), (50 + s * 22, 24 - up * 0.5), (50 + s * 38, 18 - up), (50 + s * 47, 28 - up, 1),
                      (50 + s * 45, 48), (50 + s * 36, 66), (50 + s * 24, 74, 1), (50 + s * 12, 58)])
        out += [Shape(wing, "light", -0.02 if s < 0 else -0.16, s * 0.9)]
        for k in range(4):
            ex, ey = 50 + s * (45 - 5.5 * k), 36 - up * 0.7 + 10.5 * k
            out.append(Shape(stroke([(50 + s * (18 - k), 36 + 5 * k), (50 + s * (31 - 3 * k), 33 + 8 * k - up * 0.4),
                                     (ex - s * 2, ey)], [0.6, 1.6, 0.8]), "second", 0.15, s * 0.9))
    robe = curve([(42, 32, 1), (58, 32, 1), (62, 48), (69, 74), (79, 96, 1), (64, 99), (50, 97), (36, 99), (21, 96, 1), (31, 74),
                  (38, 48)])
    out += [Shape(ellipse(44, 98, 5, 2.4), "light", -0.2), Shape(ellipse(56, 98, 5, 2.4), "light", -0.25),
            *volume(robe, "main", 0.05, shift=(-0.12, -0.04), size=0.57, grain=DOWN)]
    out += [Shape(stroke([(50 + dx * 0.3, 58), (50 + dx * 0.7, 78), (50 + dx, 95)], [0.5, 1.6, 1]), "main", -0.4, DOWN)
            for dx in (-16, -6, 6, 16)]
    hem = polygon((10, 89), (90, 89), (90, 93), (10, 93))
    out += inside(robe, hem, "accent")
    for s in (-1, 1):
        out.append(Shape(curve([(50 + s * 8, 34, 1), (50 + s * 16, 42), (50 + s * 18, 58, 1), (50 + s * 8, 58),
                                (50 + s * 2, 50, 1), (50 + s * 7, 46)]), "main", 0.22 if s < 0 else -0.08, DOWN))
    out += [Shape(curve([(50, 41, 1), (53.4, 47), (53, 54), (47, 54), (46.6, 47)]), "light", -0.08), Shape(ellipse(50, 17, 15.5),
            "accent", 0.1), Shape(ellipse(50, 17, 12.6), "accent", 0.42)]
    return [*out, *_head(50, 19, 9.0, rng), Shape(stroke([(43, 32), (50, 35), (57, 32)], 2.6), "second")]
