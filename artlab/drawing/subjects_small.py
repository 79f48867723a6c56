"""Fish, whale, butterfly, snail and turtle, drawn facing left on a sheet 100 wide and 100 high; `subjects.py` scales them."""

# fmt: off
# Coordinates read better in rows than one to a line.

import numpy as np
from numpy.random import Generator

from artlab.drawing.scene import Points, Role, Shape
from artlab.drawing.shapes import Knots, box, curve, cut, ellipse, eye, hair, inside, polygon, star, stroke, volume, within


def fish(rng: Generator) -> list[Shape]:
    """A fish in profile: fan tail, scales in rows, long fins, bubbles."""
    deep = rng.uniform(0.9, 1.15)

    def y(v: float) -> float:
        return 50 + (v - 50) * deep

    out = [Shape(curve([(70, y(50), 1), (84, y(32)), (100, y(22), 1), (93, y(50)), (100, y(78), 1), (84, y(68))]), "second",
                 -0.05, 0.0)]
    out += [Shape(stroke([(76, 50), (94, y(50 + d))], [0.8, 1.6]), "second", -0.35) for d in (-20, -8, 8, 20)]
    out += [Shape(curve([(26, y(31), 1), (36, y(16)), (52, y(10)), (70, y(14), 1), (65, y(24)), (68, y(40), 1)]), "second", 0.0,
                  -0.6), Shape(curve([(40, y(73), 1), (48, y(84)), (62, y(88), 1), (60, y(79)), (66, y(64), 1)]), "second", -0.2,
                               0.6)]
    body = curve([(4, y(52), 1), (16, y(36)), (36, y(25)), (58, y(32)), (78, y(48), 1), (78, y(53), 1), (58, y(68)), (36, y(75)),
                  (16, y(67))])
    out += [Shape(body, "main", -0.22), *inside(body, ellipse(38, y(42), 46, 23 * deep), "main", 0.02)]
    if rng.random() < 0.6:
        for i, x in enumerate(np.arange(36, 74, 7.5)):
            for k in range(-3, 4):
                cy = 50 + (k + 0.5 * (i % 2)) * 8.5
                out += inside(body, np.concatenate([ellipse(x, cy, 5.2, 4.4, n=24)[:7], ellipse(x, cy, 5.2, 4.4, n=24)[-6:]]),
                              "second", 0.25 - 0.1 * abs(k) + 0.04 * i)
    else:
        for x in (38, 50, 62):
            out += inside(body, curve([(x, 15), (x + 5, 50), (x, 90), (x + 5, 90), (x + 10, 50), (x + 5, 15)]), "light"
                          if x != 50 else "accent", 0.0)
    head = cut(body, (26, 50), (-1, 0.04))
    out += [Shape(cut(body, (29, 50), (-1, 0.04)), "accent", -0.05), Shape(head, "main", 0.12), Shape(ellipse(17, y(46), 4.8),
            "light", 0.1), *eye(17, y(46), 3.0), hair([(5, y(56)), (10, y(57)), (13, y(55))], 1.4)]
    out.append(Shape(curve([(34, y(54), 1), (46, y(52)), (52, y(60), 1), (43, y(64))]), "second", 0.15))
    return out + [Shape(ellipse(2 + dx, y(34) - dy, r), "light", 0.1) for dx, dy, r in ((2, 0, 2.8), (-1, 9, 2.0), (4, 16, 1.5))]


def whale(rng: Generator) -> list[Shape]:
    """A whale in profile: great head, grooved pale belly, raised flukes, a spout."""
    spout = rng.uniform(0.9, 1.1)
    out = [Shape(stroke([(30, 40), (29, 28), (22, 22 - 4 * spout), (14, 26)], [2, 3.4, 3.4, 1.5]), "second", 0.35),
           Shape(stroke([(30, 40), (31, 28), (38, 22 - 4 * spout), (46, 26)], [2, 3.4, 3.4, 1.5]), "second", 0.2)]
    out += [Shape(ellipse(x, y, 1.7), "second", 0.3) for x, y in ((12, 32), (48, 32), (30, 17))]
    body = curve([(2, 62), (8, 48), (26, 40), (48, 43), (66, 56), (80, 58), (87, 44), (74, 34), (70, 22, 1), (84, 24),
                  (90, 34, 1), (94, 22), (104, 14, 1), (103, 28), (96, 42), (95, 60), (86, 76), (64, 86),
                  (36, 88), (12, 80)])
    out += [Shape(body, "main", -0.2), *inside(body, ellipse(40, 58, 50, 21, 0.08), "main", 0.05, 0.2),
            *inside(body, ellipse(93, 40, 8, 30, 0.2), "main", 0.0)]
    belly = within(body, curve([(-2, 66), (20, 69), (44, 68), (70, 79), (60, 98), (20, 98)]))
    out.append(Shape(belly, "light", -0.03))
    for k in range(4):
        out += [Shape(stroke([(4 + 3 * k, 70 + 3.4 * k), (26, 73 + 3.2 * k), (48 - 1.5 * k, 74.5 + 2.8 * k)], [0.8, 1.3, 0.5]),
                      "second", -0.1)]
    out += [Shape(curve([(38, 72, 1), (48, 70), (58, 84), (54, 96, 1), (42, 86)]), "second", -0.15), *eye(21, 62, 2.6),
            hair([(2, 64), (12, 69), (22, 68)], 1.6)]
    return out


def butterfly(rng: Generator) -> list[Shape]:
    """A butterfly from above, four patterned wings, feathered body, curled feelers."""
    w, eyes = rng.uniform(0.94, 1.06), rng.random() < 0.5
    out: list[Shape] = []
    for s in (-1, 1):
        def p(x: float, y: float, s: int = s) -> tuple[float, float]:
            return 50 + s * x * w, y

        upper = curve([(*p(1, 44), 1), p(12, 22), p(30, 9), p(46, 10), p(49, 22), p(42, 42), p(26, 52), p(10, 53)])
        lower = curve([(*p(1, 50), 1), p(14, 52), p(32, 56), p(38, 68), p(32, 84), p(25, 95), p(17, 88), p(8, 70)])
        wings: tuple[tuple[Points, int, int, Role], ...] = ((lower, 20, 70, "second"), (upper, 26, 30, "main"))
        for wing, cx, cy, role in wings:
            middle = np.array(p(cx, cy))
            out += [Shape(wing, "dark", 0.05), Shape((wing - middle) * 0.86 + middle, role, 0.0 if s < 0 else -0.1, s * 0.8),
                    Shape((wing - p(cx - 8, cy + 2)) * 0.52 + p(cx - 8, cy + 2), role, 0.25 if s < 0 else 0.15)]
        spots = ((35, 20, 5.5), (21, 80, 4.2)) if eyes else ((40, 17, 3), (40, 27, 2.8), (34, 36, 2.4), (30, 66, 3),
                (24, 80, 3.2))
        for x, y, r in spots:
            out.append(Shape(ellipse(*p(x, y), r), "accent", 0.1))
            out += [Shape(ellipse(*p(x, y), r * 0.45), "dark")] if eyes else []
        out += [hair([p(1, 30), p(5, 16), p(12, 7)], 1.5), Shape(ellipse(*p(12.5, 7), 1.9), "dark")]
    return [*out, Shape(stroke([(50, 32), (50, 50), (50, 80)], [6.5, 6, 2.4]), "dark", -0.1), Shape(ellipse(50, 30, 4.2),
            "dark"), Shape(stroke([(50, 38), (50, 72)], [1.6, 0.6]), "accent")]


def snail(rng: Generator) -> list[Shape]:
    """A snail: one big spiral shell on a gliding foot, two stalked eyes."""
    out = [hair(k, 2.6, "second", -0.15) for k in ([(17, 58), (12, 48), (10, 38)], [(22, 57), (22, 46), (25, 37)])]
    out += [Shape(ellipse(x, y, 2.9), "dark") for x, y in ((10, 37), (25, 36))]
    out += [Shape(curve([(10, 66), (16, 56), (26, 58), (30, 70), (36, 80), (60, 84), (84, 88), (102, 98, 1), (60, 98), (30, 98),
                         (14, 94), (9, 80)]), "second", 0.05)]
    out.append(Shape(curve([(13, 88), (40, 91), (70, 91), (102, 98, 1), (60, 98), (30, 98), (16, 96)]), "second", -0.22))
    cx, cy, turns = 60.0, 55.0, rng.uniform(2.4, 3.0)
    out += volume(ellipse(cx, cy, 34, 33), "main", 0.06, shade=0.32)
    t = np.linspace(0, turns * 2 * np.pi, 60)
    r = 33 * (1 - t / t[-1]) ** 0.85
    wind: Knots = list(zip(cx + 4 * t / t[-1] + (r - 1) * np.cos(t + 1.9), cy + 3 * t / t[-1] + (r - 1) * np.sin(t + 1.9),
                           strict=True))
    out.append(Shape(stroke(wind, [4.5, 4.0, 3.4, 2.2], steps=3), "dark", 0.12))
    for k in np.arange(3, 34, 3 if turns > 2.7 else 2):
        a = t[k]
        rr = r[k] - 6.2
        out.append(Shape(ellipse(cx + rr * np.cos(a + 1.9), cy + rr * np.sin(a + 1.9), 1.9 * (1 - k / 60)), "accent", 0.1))
    return [*out, hair([(11, 74), (15, 76), (19, 74)], 1.3)]


def turtle(rng: Generator) -> list[Shape]:
    """A tortoise in profile: domed shell with plates, bent neck, stumpy legs."""
    out = [Shape(stroke([(28, 78), (17, 70), (14, 58)], [14, 10, 11]), "second", 0.0), Shape(ellipse(12, 54, 11, 8.6, -0.15),
            "second", 0.12)]
    out += [Shape(curve([(x - 6, 74, 1), (x + 6, 74, 1), (x + 6, 94), (x + 2, 98), (x - 8, 98, 1), (x - 8, 94)]), "second", tone)
            for x, tone in ((38, -0.3), (72, -0.3), (28, 0.0), (82, -0.05))]
    out.append(Shape(polygon((90, 76), (103, 86), (88, 85)), "second", -0.15))
    shell = curve([(18, 80, 1), (22, 58), (36, 38), (56, 31), (76, 38), (92, 60), (96, 80, 1)])
    out += volume(shell, "main", 0.0, shift=(-0.1, -0.16), size=0.64)
    for cx, cy, r in ((57, 52, 14.5), (33, 62, 11.5), (81, 62, 11.5)):
        plate = star(cx, cy, r, r * 0.93, 3, rng.uniform(-0.05, 0.05))
        out += inside(shell, plate, "accent", -0.1)
        out += inside(shell, (plate - (cx, cy)) * 0.62 + (cx, cy), "main", 0.25)
    for a, b in (((57, 34), (57, 38)), ((44, 46), (37, 40)), ((70, 46), (78, 40)), ((50, 66), (46, 78)), ((64, 66), (68, 78)),
                 ((24, 70), (20, 76)), ((90, 70), (94, 76))):
        out += [Shape(stroke([a, b], 1.6), "dark", 0.25)]
    return [*out, Shape(box(15, 77, 98, 84, 3.5), "dark", 0.15), *eye(9, 52, 2.0), hair([(2, 57.5), (7, 59), (12, 57)], 1.2)]
