"""Sun, moon, clouds, mountains, each drawn on a sheet 100 wide and 100 high; `subjects.py` scales them."""

# fmt: off
# Coordinates read better in rows than one to a line.

import numpy as np
from numpy.random import Generator

from artlab.drawing.scene import Role, Shape
from artlab.drawing.shapes import Knots, crescent, curve, ellipse, heap, inside, petal, polygon, star, stroke, within

UP, DOWN = -np.pi / 2, np.pi / 2


def sun(rng: Generator) -> list[Shape]:
    """A disc with long and short rays; sometimes it smiles."""
    n, flames = int(rng.integers(8, 13)), rng.random() < 0.5
    out = []
    for i in range(2 * n):
        angle, reach = i * np.pi / n + UP, 50.0 if i % 2 == 0 else 40.0
        role: Role = "main" if i % 2 == 0 else "second"
        if flames:
            ray = petal(50 + 26 * np.cos(angle), 50 + 26 * np.sin(angle), angle, reach - 26,
                        160 / n * (1.0 if i % 2 == 0 else 0.7), 0.35)
        else:
            side = np.pi / n * 0.42
            ray = np.array([[50 + r * np.cos(angle + a), 50 + r * np.sin(angle + a)] for r, a in ((31, -side), (reach, 0),
                    (31, side))])
        out.append(Shape(ray, role, 0.0, angle))
    out += [Shape(ellipse(50, 50, 27), "main", -0.15), Shape(ellipse(50, 50, 24.5), "accent"), Shape(ellipse(47, 47, 19),
            "accent", 0.25)]
    if rng.random() < 0.5:
        for x in (41, 59):
            out.append(Shape(stroke([(x - 4.5, 46), (x, 48.5), (x + 4.5, 46)], [1.4, 2.4, 1.4]), "dark"))
            out.append(Shape(ellipse(x + (x - 50) * 0.4, 54, 3.4, 2.4), "main", 0.2))
        out.append(Shape(stroke([(43, 57), (50, 61.5), (57, 57)], [1.2, 2.8, 1.2]), "dark"))
    return out


def moon(rng: Generator) -> list[Shape]:
    """A crescent with craters and two or three stars in its arms."""
    tilt = rng.uniform(-0.5, 0.2)
    outer = crescent(48, 50, 48, rng.uniform(0.42, 0.55), tilt)
    out = [Shape(outer, "main", -0.22), *inside(outer, ellipse(44, 46, 46), "main", 0.1)]
    for _ in range(5):
        a, d, r = tilt + np.pi + rng.uniform(-0.9, 0.9), rng.uniform(30, 40), rng.uniform(2.5, 5.5)
        out += inside(outer, ellipse(48 + d * np.cos(a), 50 + d * np.sin(a), r), "second", 0.25)
    for a, d in zip(tilt + np.array([-0.35, 0.45, 0.0])[: rng.integers(2, 4)], (30, 34, 12), strict=False):
        out.append(Shape(star(52 + d * np.cos(a), 50 + d * np.sin(a), 8.5, 3.6, 5, rng.uniform(0, 6)), "accent", 0.15))
    return out


def a_star(rng: Generator) -> list[Shape]:
    """A five-pointed star cut like a gem, each ray half in light; small sparks around it."""
    tips = star(50, 52, 47, rng.uniform(18, 22), 5, UP + rng.uniform(-0.2, 0.2))
    out = []
    for i in range(10):
        facet = np.array([(50, 52), tips[i], tips[(i + 1) % 10]])
        out.append(Shape(facet, "main" if i % 2 else "second", -0.1 if i % 2 else 0.1,
                         float(np.arctan2(*(tips[i] - (50, 52))[::-1]))))
    for i in rng.permutation(5)[:3]:
        x, y = (50, 52) + (tips[2 * i + 1] - (50, 52)) * 1.9
        out.append(Shape(star(x, y, 8, 2.2, 4), "accent"))
    return out


def cloud(rng: Generator) -> list[Shape]:
    """A heaped cloud on a flat base, its underside shaded, with a few drops or a peeping sun."""
    mid = rng.uniform(40, 58)
    circles = [(14, 66, 13), (mid - 18, 54, 18), (mid, 44, 22), (mid + 20, 53, 18), (86, 66, 13)]
    whole = heap(circles, 78)
    out = []
    if rng.random() < 0.6:
        x = mid + rng.choice([-22, 22])
        out += [Shape(ellipse(x, 34, 17), "accent", -0.1), Shape(ellipse(x, 34, 13), "accent", 0.2)]
    out += [Shape(whole, "main", -0.1)]
    out += [Shape(heap([(x - 1, y + 5, r - 5) for x, y, r in circles[1:4]], 71), "main", 0.3)]
    out += [Shape(heap([(18, 77, 7), (34, 77, 10), (52, 78, 8), (66, 77, 10), (82, 77, 7)], 78), "light", -0.12)]
    for x in np.linspace(22, 78, 5) if rng.random() < 0.5 else ():
        out.append(Shape(petal(x, 82, DOWN + 0.2, 9 + rng.uniform(0, 4), 4, 0.75, tip=False), "light"))
    return out


def _peak(x: float, top: float, foot: float, half: float, lean: float, rng: Generator) -> list[Shape]:
    left, right, apex = (x - half, foot, 1.0), (x + half, foot, 1.0), (x, top, 1.0)
    h = foot - top
    whole = curve([left, (x - half * 0.5, foot - h * 0.44, 1), apex, (x + half * 0.42, foot - h * 0.5, 1), right])
    ridge: Knots = [apex, (x + lean, top + h * 0.3, 1), (x - lean * 0.6, top + h * 0.6, 1), (x + lean * 1.4, foot, 1)]
    shadow = curve([*ridge, right, (x + half * 0.42, foot - h * 0.5, 1)])
    snow_y = top + h * 0.34
    edge = polygon((x - half, top - 1), (x + half, top - 1), (x + half, snow_y), (x - half, snow_y))
    zig = [(x + half * k, snow_y + h * (0.09 if i % 2 else -0.05) + rng.uniform(-1, 1)) for i,
           k in enumerate(np.linspace(0.45, -0.45, 7))]
    cap = within(whole, edge)
    cap = np.array([(x, top), *[p for p in zig if abs(p[0] - x) < half * (p[1] - top) / h * 0.92]])
    out = [Shape(whole, "main", 0.05, 1.0), Shape(shadow, "main", -0.3, -1.0), Shape(cap, "light", 0.0, 1.0)]
    dark_cap = within(cap, polygon((x, top - 2), (x + half, top - 2), (x + half, foot), (x + lean, snow_y + h * 0.1)))
    return out + ([Shape(dark_cap, "light", -0.22, -1.0)] if len(dark_cap) > 2 else [])


def mountain(rng: Generator) -> list[Shape]:
    """Two lower peaks and a high one, snow on top, one flank in shade, foothills with firs in front."""
    x = rng.uniform(44, 56)
    out = _peak(x - 24, rng.uniform(36, 44), 92, 28, 3, rng) + _peak(x + 26, rng.uniform(40, 50), 92, 26, 3, rng)
    out += _peak(x, 8, 92, 38, rng.uniform(3, 6), rng)
    out.append(Shape(curve([(0, 96, 1), (4, 86), (25, 80), (52, 88), (78, 81), (97, 87), (100, 96, 1)]), "second", -0.1))
    for fx in rng.permutation(np.linspace(10, 90, 9))[:5]:
        out.append(Shape(polygon((fx - 3.4, 92), (fx, 76), (fx + 3.4, 92)), "dark", 0.1, UP))
    return out


def volcano(rng: Generator) -> list[Shape]:
    """A cone with a burning mouth, streams of lava and a plume of smoke."""
    cone = curve([(4, 98, 1), (26, 76), (40, 46, 1), (60, 46, 1), (75, 76), (96, 98, 1)])
    plume = [(50, 36, 8), (44, 26, 10), (57, 22, 11), (48, 13, 12), (64, 10, 9)]
    out = [Shape(ellipse(x + rng.uniform(-2, 2), y, r), "second", 0.1 + 0.06 * i) for i, (x, y, r) in enumerate(plume)]
    out += [Shape(cone, "main"), Shape(curve([(60, 46, 1), (75, 76), (96, 98, 1), (58, 98, 1), (66, 78), (54, 60)]), "main",
                                       -0.3)]
    out += [Shape(curve([(40, 46, 1), (60, 46, 1), (63, 60), (57, 56), (54, 74), (49, 58), (44, 66), (40, 55)]), "accent"),
            Shape(ellipse(50, 46, 10, 2.4), "light", 0.2)]
    return out
