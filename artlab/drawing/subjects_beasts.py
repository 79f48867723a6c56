"""Beasts, each drawn facing left on a sheet 100 wide and 100 high; `subjects.py` scales them."""

# fmt: off
# Coordinates read better in rows than one to a line.

import numpy as np
from numpy.random import Generator

from artlab.drawing.scene import Shape
from artlab.drawing.shapes import Knots, box, curve, cut, ellipse, eye, hair, inside, petal, polygon, star, stroke, volume, within

UP, DOWN = -np.pi / 2, np.pi / 2


def cat(rng: Generator) -> list[Shape]:
    """A cat sitting, face towards us: pricked ears, whiskers, stripes, tail curled round or raised."""
    out: list[Shape] = []
    tail: Knots = [(68, 93), (88, 95), (95, 80), (88, 62), (94, 50)] if rng.random() < 0.5 else [(70, 92), (90, 94), (98, 84),
            (92, 74), (85, 78)]
    out += [Shape(stroke(tail, [8, 8.5, 8, 7, 4.5]), "main", -0.2, UP)]
    body = curve([(36, 36), (32, 56), (31, 78), (26, 93), (30, 99, 1), (74, 99, 1), (83, 90), (81, 72), (71, 54), (62, 36)])
    out += volume(body, "main", 0.0, shift=(-0.1, -0.08), size=0.6, grain=UP)
    out += [Shape(curve([(39, 44), (49, 50), (59, 44), (57, 62), (49, 73), (41, 62)]), "light", 0.0, DOWN)]
    out += [hair([(57, 72), (62, 74), (80, 78)], 0.1), hair([(62, 99), (54, 88), (60, 76), (72, 73)], 1.6, "dark", 0.1),
            hair([(44, 76), (44.5, 88), (44, 98)], 1.4, "dark", 0.1)]
    striped = rng.random() < 0.6
    for y in (58, 66, 74) if striped else ():
        out += inside(body, curve([(84, y - 2, 1), (84, y + 4, 1), (66 - (y - 58) * 0.1, y - 1, 1)]), "second", -0.35)
    head = curve([(20, 33), (23, 20), (21, 1, 1), (37, 12), (48, 11), (59, 12), (75, 1, 1), (73, 20), (76, 33), (66, 45),
                  (48, 49), (30, 45)])
    out += volume(head, "main", 0.1, shade=0.28, shift=(-0.08, -0.08), size=0.58)
    for s in (-1, 1):
        out += [Shape(polygon((48 + s * 22, 19), (48 + s * 24, 7), (48 + s * 14, 14)), "second", 0.15)]
        out += [Shape(curve([(48 + s * 7, 28, 1), (48 + s * 13, 21.5), (48 + s * 20, 26.5, 1), (48 + s * 13, 31.5)]), "accent",
                      0.15), Shape(ellipse(48 + s * 13, 26.5, 1.9, 4.2), "dark")]
        out += [hair([(48 + s * 9, 38 + d), (48 + s * 22, 37 + d * 2.2), (48 + s * 34, 36 + d * 4)], 0.9) for d in (-1, 1, 3)]
        out.append(Shape(ellipse(48 + s * 5, 39, 6.4, 4.8), "light", 0.05))
    if striped:
        out += [Shape(petal(48 + d, 11, DOWN, 9 - abs(d) * 0.3, 2.8, 0.4), "second", -0.35) for d in (-6, 0, 6)]
    return [*out, Shape(curve([(44, 34, 1), (52, 34, 1), (48, 38.5)]), "second", -0.1),
            *(hair([(48, 38), (48 + s * 2.5, 42), (48 + s * 7, 41)], 1.2) for s in (-1, 1))]


def dog(rng: Generator) -> list[Shape]:
    """A dog sitting in profile: long muzzle, hanging ear, collar, wagging tail, often a patch."""
    wag = rng.uniform(-8, 8)
    out = [Shape(stroke([(80, 92), (93, 88), (99, 72 + wag)], [8, 7, 3.4]), "main", -0.15)]
    body = curve([(43, 32), (37, 48), (36, 62), (40, 80), (39, 92), (31, 96), (31, 99.5, 1), (82, 99.5, 1), (89, 90), (86, 72),
                  (74, 52), (64, 30)])
    out += volume(body, "main", 0.0, shift=(-0.1, -0.1), size=0.6, grain=1.0)
    out += inside(body, curve([(32, 42), (44, 50), (50, 66), (42, 80), (30, 66)]), "light", 0.0, DOWN)
    if rng.random() < 0.6:
        out += inside(body, ellipse(78, 62, 15, 12, 0.8), "second", -0.05)
    out += [Shape(curve([(53, 99.5, 1), (50, 86), (52, 74), (56, 88), (59, 99.5, 1)]), "dark", 0.2),
            hair([(57, 94), (56, 82), (66, 72), (78, 74)], 1.6, "dark", 0.15)]
    out += [Shape(ellipse(62, 97, 9, 3.2), "main", 0.12), Shape(ellipse(38, 97, 8, 3), "main", 0.15)]
    head = curve([(64, 26), (62, 14), (52, 6), (40, 7), (34, 16), (22, 19), (12, 22), (9, 28), (13, 35), (26, 37), (36, 42),
                  (48, 44), (60, 40)])
    out += volume(head, "main", 0.12, shade=0.25, shift=(-0.1, -0.1), size=0.6)
    out += inside(head, ellipse(16, 34, 16, 8, -0.1), "light", 0.0)
    out.append(Shape(stroke([(40, 45), (50, 48), (64, 40)], [4, 5, 4]), "accent"))
    out += [Shape(curve([(48, 9, 1), (60, 10), (69, 24), (68, 40), (59, 44), (51, 34), (50, 20)]), "second", -0.1, DOWN),
            Shape(ellipse(11.5, 23, 4.2, 3.6), "dark")]
    return [*out, hair([(12, 31), (22, 32.5), (31, 29)], 1.4), Shape(ellipse(35, 20, 2.6, 2.8), "dark"),
            Shape(ellipse(34, 19, 0.9, n=10), "light"), Shape(ellipse(50, 51, 2.8), "accent", 0.25)]


def fox(rng: Generator) -> list[Shape]:
    """A fox sitting: sharp ears, white cheeks, black stockings, a great brush with a white tip."""
    brush = curve([(58, 97), (80, 99), (98, 84), (99, 62), (88, 44, 1), (86, 60), (76, 70),
                   (60, 82)]) if rng.random() < 0.5 else \
        curve([(58, 97), (78, 99), (95, 94), (101, 78), (92, 62, 1), (86, 74), (74, 78), (60, 84)])
    tip = cut(brush, (92, brush[:, 1].min() + 17), (0.25, -1))
    out = [Shape(brush, "main", -0.18, UP), Shape(tip, "light", 0.0, UP)]
    body = curve([(36, 38), (29, 58), (30, 78), (31, 99, 1), (60, 99, 1), (70, 92), (71, 76), (65, 58), (58, 38)])
    out += volume(body, "main", 0.02, shift=(-0.1, -0.08), size=0.6, grain=UP)
    out += [Shape(curve([(34, 48, 1), (47, 44), (60, 48, 1), (57, 58), (53, 58, 1), (47, 76, 1), (41, 58, 1), (37, 58)]),
                  "light", -0.04, DOWN)]
    out += [Shape(curve([(31, 80, 1), (42, 80, 1), (42.5, 99, 1), (29, 99, 1), (28, 95)]), "dark", 0.05),
            Shape(curve([(44.5, 80, 1), (55, 82, 1), (54, 94), (56, 99, 1), (44.5, 99, 1)]), "dark", 0.12)]
    head = curve([(13, 33, 1), (22, 25), (21, 0, 1), (38, 13), (47, 12), (56, 13), (73, 0, 1), (72, 25), (81, 33, 1), (64, 43),
                  (47, 57, 1), (30, 43)])
    out += [Shape(head, "main", 0.14), *inside(head, box(47, 0, 100, 60), "main", -0.04)]
    for s in (-1, 1):
        out += [Shape(curve([(47 + s * 33, 33.4, 1), (47 + s * 20, 31), (47 + s * 9, 36), (47, 55, 1), (47 + s * 17, 43)]),
                      "light", 0.05 if s < 0 else -0.1)]
        out += [Shape(polygon((47 + s * 22, 19), (47 + s * 24, 7), (47 + s * 14, 15)), "dark", 0.1)]
        out += [Shape(curve([(47 + s * 7, 31, 1), (47 + s * 12, 26), (47 + s * 18, 26.5, 1), (47 + s * 13, 31)]), "dark")]
    return [*out, Shape(curve([(42, 50, 1), (47, 48), (52, 50, 1), (47, 58)]), "dark")]


def rabbit(rng: Generator) -> list[Shape]:
    """A rabbit sitting in profile, one or both ears up, cotton tail."""
    flop = rng.uniform(-0.1, 0.35)
    far, near = UP - 0.12, UP + 0.22 + flop
    out = [Shape(ellipse(91, 80, 8.5), "light", 0.05), Shape(petal(37, 40, far, 40, 14, 0.6, tip=False), "main", -0.3, far)]
    body = curve([(38, 54), (56, 48), (76, 54), (90, 72), (88, 92), (76, 98.5), (44, 98), (33, 84), (30, 66)])
    out += volume(body, "main", 0.0, shift=(-0.06, -0.12), size=0.6)
    out += inside(body, ellipse(34, 78, 10, 20, -0.2), "light", -0.05)
    out += [Shape(ellipse(72, 80, 18, 17), "main", -0.06), Shape(ellipse(70.5, 79, 16, 15), "main", 0.12)]
    out += [Shape(curve([(50, 98), (56, 92), (72, 92), (79, 96), (76, 99.5), (52, 99.5)]), "main", 0.2),
            Shape(stroke([(40, 78), (36, 92), (31, 96.5)], [10, 7, 6]), "main", 0.16, UP)]
    out += [Shape(petal(42, 40, near, 42, 15, 0.6, tip=False), "main", 0.04, near), Shape(petal(43, 37, near, 34, 8, 0.6),
            "second", 0.15, near)]
    head = curve([(15, 50), (21, 40), (33, 33), (45, 36), (51, 48), (46, 60), (32, 65), (20, 61)])
    out += volume(head, "main", 0.12, shade=0.25, shift=(-0.08, -0.1), size=0.6)
    out += [Shape(ellipse(22, 57, 7, 5, 0.3), "light", 0.05), Shape(ellipse(15.5, 51, 3, 2.4), "second", -0.1), *eye(32, 46, 3.2)]
    return (out + [hair([(22, 57), (15, 58 + d), (8, 57 + d * 2.5)], 0.7, "dark", 0.2) for d in (0, 2)]
            + [hair([(16, 54), (19, 57), (23, 57)], 1.0)])


def horse(rng: Generator) -> list[Shape]:
    """A horse in profile, near legs standing, far legs stepping, mane and tail flowing."""
    far_front: Knots = [(38, 58), (31, 72), (26, 82), (30, 95)] if rng.random() < 0.6 else [(40, 58), (41, 76), (44, 97)]
    out = [Shape(stroke(far_front, [10, 6, 4.2, 4.4]), "main", -0.38, DOWN),
           Shape(stroke([(80, 56), (73, 70), (77, 83), (72, 97)], [15, 9, 5, 4.6]), "main", -0.38, DOWN)]
    wind = rng.uniform(-4, 5)
    out.append(Shape(curve([(86, 38, 1), (95, 36), (102 + wind, 50), (99 + wind, 70), (103 + wind, 86, 1), (92 + wind, 78),
                            (89, 60), (87, 48)]), "second", -0.1, DOWN))
    body = curve([(7, 31), (9, 25), (17, 16), (22, 9), (24, 0, 1), (28.5, 7), (38, 13), (47, 26), (56, 35), (68, 37), (79, 34),
                  (89, 40), (92, 52), (88, 64), (87, 74), (90, 86), (89, 96),
                  (90, 99, 1), (81, 99, 1), (83, 88), (80, 76), (74, 66), (66, 63), (54, 65), (47, 63), (47, 76), (46, 88), (48,
                          99, 1), (39, 99, 1), (41, 88), (39, 76), (36, 62), (31, 52),
                  (29, 40), (25, 32), (17, 36), (10, 37)])
    out.append(Shape(body, "main", -0.18, 0.0))
    out += inside(body, ellipse(36, 36, 58, 27, 0.12), "main", 0.08, 0.0)
    out += inside(body, ellipse(82, 48, 12, 17, 0.2), "main", 0.08, 1.0)
    out += [Shape(within(body, box(30, 94.5, 60, 100)), "dark"), Shape(within(body, box(70, 94.5, 99, 100)), "dark"),
            Shape(within(body, box(36, 84, 50, 94)), "light", -0.05), Shape(within(body, box(78, 84, 95, 94)), "light", -0.2)]
    mane = curve([(23, 4, 1), (31, 4), (41, 12), (50, 24), (56, 36, 1), (50, 36, 1), (50, 42, 1), (44, 36, 1), (43, 42, 1),
                  (38, 32, 1), (36, 37, 1), (33, 26, 1), (30, 29, 1), (29, 18, 1), (25, 18, 1)])
    out += [Shape(mane, "second", 0.05, 1.0), Shape(curve([(25, 5, 1), (17, 10), (15, 20, 1), (21, 15)]), "second", -0.1)]
    out += [Shape(ellipse(20, 20, 1.9), "dark"), Shape(ellipse(10, 29, 1.5, 1.1, 0.6), "dark"),
            hair([(8, 33.5), (12, 33), (15, 31)], 1.0)]
    if rng.random() < 0.4:
        out += [hair([(17, 17), (16, 27), (19, 35)], 1.8, "accent"), hair([(12, 24), (16, 27), (22, 27)], 1.8, "accent"),
                hair([(17, 29), (32, 40), (48, 34)], 1.4, "accent")]
    return out


def deer(rng: Generator) -> list[Shape]:
    """A stag in profile: branching antlers, long neck, dappled back, slim legs."""
    out: list[Shape] = []
    for dx, tone in ((5, 0.25), (0, 0.05)):
        beam: Knots = [(27 + dx, 22), (33 + dx, 14), (34 + dx, 6), (30 + dx, -4)]
        out.append(Shape(stroke(beam, [3, 2.6, 2, 1]), "dark", tone))
        out += [Shape(stroke(k, [2.4, 0.8]), "dark", tone) for k in ([(30 + dx, 18), (22 + dx, 12), (20 + dx, 5)],
                [(34 + dx, 11), (27 + dx, 5), (24 + dx, -2)], [(34 + dx, 9), (41 + dx, 4), (42 + dx, -4)])]
    out += [Shape(stroke([(44, 66), (38, 80), (40, 98)], [8, 4, 3]), "main", -0.4, DOWN),
            Shape(stroke([(78, 62), (72, 76), (77, 86), (74, 98)], [13, 6, 3.4, 3]), "main", -0.4, DOWN)]
    body = curve([(10, 33), (13, 27), (21, 22), (28, 20), (34, 25), (39, 38), (48, 46), (64, 47), (80, 46), (90, 53), (88, 64),
                  (85, 74), (88, 86), (86, 95), (87, 99, 1), (81, 99, 1), (82, 88),
                  (79, 77), (73, 69), (60, 70), (50, 71), (50, 84), (48, 93), (49, 99, 1), (43, 99, 1), (44, 86), (42, 72), (35,
                          62), (30, 48), (27, 37), (19, 37), (12, 37)])
    out += [Shape(petal(35, 24, -0.25, 14, 7, 0.5), "main", -0.25), Shape(body, "main", -0.18)]
    out += [*inside(body, ellipse(42, 45, 50, 19, 0.22), "main", 0.1), *inside(body, ellipse(80, 55, 10, 13), "main", 0.06),
            *inside(body, ellipse(58, 71, 18, 4), "light", -0.1)]
    out += [*inside(body, ellipse(31, 46, 5, 13, -0.35), "light", -0.05),
            Shape(curve([(86, 49, 1), (94, 48), (96, 58, 1), (89, 60)]), "light", 0.05)]
    for x, y in ((58, 52), (66, 50), (74, 52), (62, 58), (70, 57), (78, 60), (53, 57)):
        out.append(Shape(ellipse(x + rng.uniform(-1, 1), y + rng.uniform(-1, 1), 1.8), "accent", 0.2))
    out += [Shape(within(body, box(36, 94.5, 60, 100)), "dark"), Shape(within(body, box(70, 94.5, 99, 100)), "dark"),
            Shape(ellipse(11, 33, 2.4), "dark"), *eye(23, 27, 2.0)]
    return out


def bear(rng: Generator) -> list[Shape]:
    """A bear sitting, from the front: round ears, pale muzzle and belly."""
    out = [Shape(ellipse(50 + s * 23, 90, 14, 9.5), "main", -0.22) for s in (-1, 1)]
    body = curve([(36, 44), (64, 44), (76, 64), (74, 88), (58, 98), (42, 98), (26, 88), (24, 64)])
    out += [*volume(body, "main", -0.05, shift=(-0.12, -0.08), size=0.58), Shape(ellipse(50, 74, 16, 18), "second", 0.2)]
    wave = rng.random() < 0.4
    for s in (-1, 1):
        arm: Knots = [(50 + s * 22, 54), (50 + s * 34, 48), (50 + s * 37, 34)] if wave and s > 0 else [(50 + s * 23, 54),
                (50 + s * 29, 68), (50 + s * 21, 78)]
        out.append(Shape(stroke(arm, [13, 12, 11]), "main", 0.08 if s < 0 else -0.16))
        out += [Shape(ellipse(50 + s * 26, 91, 8, 7), "second", 0.15), *[Shape(ellipse(50 + s * 26 + d, 87 - (d == 0), 1.5),
                "dark", 0.15) for d in (-4, 0, 4)]]
        out += [Shape(ellipse(50 + s * 20, 11, 9.5), "main", -0.15), Shape(ellipse(50 + s * 20, 12, 5.4), "second", 0.1)]
    head = curve([(50, 5), (68, 10), (77, 28), (70, 44), (50, 51), (30, 44), (23, 28), (32, 10)])
    out += [*volume(head, "main", 0.08, shift=(-0.1, -0.1), size=0.58), Shape(ellipse(50, 36, 12.5, 10), "second", 0.28)]
    out += [Shape(curve([(44.5, 30, 1), (50, 28), (55.5, 30, 1), (50, 36)]), "dark"), Shape(box(49.5, 35, 50.5, 41), "dark")]
    out += [hair([(44.5, 39), (50, 41.5), (55.5, 39)], 1.7), *eye(39, 24, 2.8), *eye(61, 24, 2.8)]
    return (out if rng.random() < 0.5
            else [*out, Shape(curve([(50, 52, 1), (38, 46), (36, 56), (50, 53, 1), (64, 56), (62, 46)]), "accent"),
                  Shape(ellipse(50, 52, 3), "accent", -0.25)])


def elephant(rng: Generator) -> list[Shape]:
    """An elephant in profile: trunk swung down or raised, big ear, tusk, a cloth on its back."""
    if rng.random() < 0.5:
        trunk: Knots = [(24, 34), (12, 48), (9, 66), (11, 80), (4, 88)]
    else:
        trunk = [(24, 36), (10, 46), (3, 36), (7, 22), (2, 12)]
    out = [Shape(box(47, 60, 59, 97, 3), "main", -0.42, UP), Shape(box(72, 60, 84, 97, 3), "main", -0.42, UP),
           hair([(94, 42), (99, 56), (97, 68)], 2.4, "main", -0.4)]
    body = curve([(36, 22), (56, 14), (80, 16), (94, 34), (97, 60), (97, 99, 1), (82, 99, 1), (81, 74), (70, 70), (56, 74),
                  (53, 84), (53, 99, 1), (37, 99, 1), (36, 74), (30, 56)])
    out += [Shape(body, "main", -0.2), *inside(body, ellipse(58, 40, 40, 32), "main", 0.0), *inside(body, box(38, 66, 47, 100),
            "main", 0.0), *inside(body, box(83, 56, 91, 100), "main", -0.06)]
    out += [Shape(stroke(trunk, [24, 17, 11, 8, 6]), "main", -0.08, UP),
            Shape(curve([(14, 36), (18, 20), (34, 12), (48, 20), (50, 40), (38, 52), (22, 50)]), "main", 0.1)]
    if rng.random() < 0.6:
        cloth = within(body, polygon((58, 5), (84, 5), (86, 52), (58, 52)))
        out += [Shape(cloth, "accent"), Shape(within(cloth, box(0, 45, 100, 53)), "second", -0.1),
                *[Shape(star(72, y, 4.5, 2.2, 8), "second") for y in (26, 38)]]
    out += [Shape(curve([(40, 20, 1), (54, 16), (64, 28), (62, 48), (50, 58), (42, 46), (38, 32)]), "second", -0.12, DOWN),
            Shape(curve([(43, 24, 1), (54, 21), (60, 30), (57, 46), (50, 51), (44, 42)]), "second", 0.12, DOWN)]
    out += [Shape(curve([(23, 50, 1), (18, 58), (7, 59, 1), (18, 64), (29, 54, 1)]), "light"), *eye(27, 31, 2.2)]
    return out + [Shape(ellipse(x, 97, 2.2, 2.6), "light", -0.1) for x in (39.5, 44.5, 50, 85, 90)]


def hedgehog(rng: Generator) -> list[Shape]:
    """A hedgehog in profile: a fan of spines, pointed nose, sometimes an apple on its back."""
    out: list[Shape] = []
    for ring, (reach, tone) in enumerate(((1.0, -0.35), (0.88, -0.15), (0.75, 0.02), (0.62, 0.14), (0.48, 0.24))):
        for a in np.linspace(-2.75, 0.3, 21 - 3 * ring) + 0.05 * ring:
            x, y = 60 + 42 * reach * np.cos(a), 80 + 50 * reach * np.sin(a)
            base = np.array([60 + 24 * reach * np.cos(a), 82 + 28 * reach * np.sin(a)])
            across = 3.4 * np.array([-np.sin(a), np.cos(a)])
            out.append(Shape(np.array([base + across, (x, y), base - across]), "main", tone, a))
        if ring == 0:
            out += ([Shape(ellipse(x, 97, 5, 3), "dark", 0.1) for x in (40, 52, 74, 84)]
                    + [Shape(cut(ellipse(60, 78, 34, 34), (0, 90), (0, -1)), "main", -0.15)])
    out.append(Shape(curve([(24, 74), (34, 62), (50, 68), (66, 76), (92, 84), (90, 95), (66, 97), (40, 97), (26, 93)]), "second",
                     0.05))
    out.append(Shape(curve([(2, 86), (14, 76), (26, 66), (40, 66), (45, 80), (38, 94), (20, 95), (6, 91)]), "second", 0.28))
    out += [Shape(ellipse(3, 87, 3.6), "dark"), *eye(22, 80, 2.6), Shape(ellipse(38, 72, 5, 6), "second", -0.15),
            hair([(9, 91), (15, 92), (20, 89)], 1.2)]
    if rng.random() < 0.5:
        out += [*volume(ellipse(66, 32, 10, 9), "accent"), hair([(66, 24), (67, 20), (69, 17)], 1.8),
                Shape(petal(67, 21, -0.3, 9, 5, 0.5), "light", -0.1)]
    return out
