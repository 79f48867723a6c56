"""Layouts out of doors: one subject in a country, under a sky, in a weather. Each fills one `Stage`, from back to front."""

# fmt: off
# Coordinates read better in rows than one to a line.

from dataclasses import replace

import numpy as np

from artlab.drawing.scene import Shape
from artlab.drawing.shapes import box, curve, ellipse, lobes, petal, polygon, star, stroke
from artlab.drawing.stage import Shapes, Stage, blooms, clouds, fir, ridge, shadows, sky, standing, terrain, trees, tufts, water


def _landscape(s: Stage, x: float) -> Shapes:
    """A subject at a third of the width before a wide country with a road or a shore."""
    y = s.rng.uniform(0.48, 0.62)
    land, foot = terrain(s, y)
    hills = [ridge(s, y - 0.1, 0.05, 3, "ground", 0.55, 0.1), ridge(s, y - 0.03, 0.04, 2, "ground", 0.38, 0.15)]
    return (sky(s, y) + clouds(s, y, 3) + hills + land + standing(s, x, min(foot + 0.05, 0.93), s.rng.uniform(0.55, 0.66))
            + ([] if s.afloat else tufts(s, 0.86, 1.0, 7)))


def left(s: Stage) -> Shapes:
    """The subject on the left."""
    return _landscape(s, 0.33)


def right(s: Stage) -> Shapes:
    """The subject on the right."""
    return _landscape(s, 0.67)


def on_a_hill(s: Stage) -> Shapes:
    """The subject on top of a round hill, fields on its flanks, lower hills beyond."""
    x, top = s.rng.uniform(0.38, 0.62) * s.aspect, s.rng.uniform(0.66, 0.74)
    hill = curve([(-0.3, 1.2, 1), (-0.1, top + 0.24), (x - 0.3, top + 0.06), (x, top), (x + 0.3, top + 0.06),
                  (s.aspect + 0.1, top + 0.24), (s.aspect + 0.3, 1.2, 1)])
    out = (sky(s, 0.6) + clouds(s, 0.5, 3) + [ridge(s, 0.7, 0.05, 3, "ground", 0.5, 0.1), ridge(s, 0.78, 0.04, 2, "ground", 0.32,
            0.2), *trees(s, 0.8, 0.12, 6, 0.15, 0.25, (0.25, 0.75))])
    out.append(Shape(hill, "ground", 0.0, 0.0, 0.4))
    for k in range(1, 4):
        out.append(Shape(hill * (1, 1) + (0, 0.075 * k), "ground", (-0.14, -0.04, -0.24)[k - 1], 0.0, 0.4 + 0.1 * k))
    return out + s.main(x / s.aspect, top + 0.012, s.rng.uniform(0.52, 0.6)) + tufts(s, top + 0.12, 0.98, 8)


def by_the_sea(s: Stage) -> Shapes:
    """The subject on a strand, the sea and a far sail behind."""
    y = s.rng.uniform(0.42, 0.55)
    out = sky(s, y) + clouds(s, y, 2) + water(s, y)
    bx = s.aspect * s.rng.choice([0.12, 0.88])
    out += [Shape(polygon((bx, y - 0.07), (bx + 0.04, y + 0.003), (bx, y + 0.003)), "light", 0.0, 0.0, 0.2),
            Shape(polygon((bx - 0.005, y - 0.055), (bx - 0.03, y + 0.003), (bx - 0.005, y + 0.003)), "light", -0.15, 0.0, 0.2),
            Shape(polygon((bx - 0.035, y + 0.006), (bx + 0.045, y + 0.006), (bx + 0.03, y + 0.02), (bx - 0.022, y + 0.02)),
                  "dark", 0.1, 0.0, 0.2)]
    out += [ridge(s, 0.755, 0.016, 2, "light", 0.0, 0.5), ridge(s, 0.775, 0.016, 2, "ground", 0.42, 0.55),
            ridge(s, 0.9, 0.02, 2, "ground", 0.26, 0.65)]
    out += [Shape(ellipse(s.rng.uniform(0, s.aspect), s.rng.uniform(0.82, 0.99), 0.012, 0.007), role, 0.0, 0.0, 0.9)
            for role in ("light", "dark", "light", "dark", "light")]
    return out + standing(s, s.rng.choice([0.4, 0.5, 0.6]), 0.9, s.rng.uniform(0.56, 0.68)) + tufts(s, 0.9, 1.0, 4)


def on_the_water(s: Stage) -> Shapes:
    """The subject afloat with its reflection, hills on the far shore."""
    y = s.rng.uniform(0.38, 0.5)
    out = (sky(s, y) + clouds(s, y, 3) + [ridge(s, y - 0.06, 0.05, 3, "ground", 0.45, 0.1), ridge(s, y - 0.01, 0.025, 3,
            "ground", 0.2, 0.15), *water(s, y)])
    out += standing(s, s.rng.choice([0.42, 0.5, 0.58]), s.rng.uniform(0.74, 0.8), s.rng.uniform(0.54, 0.64))
    for x in (s.aspect * 0.04, s.aspect * 0.95):
        out += [Shape(stroke([(x + d, 1.03), (x + d * 1.3, 0.93), (x + d * 2.4, 0.84 - k * 0.012)], [0.012, 0.009, 0.004]),
                      "ground", -0.3, -1.57, 1.0) for k, d in enumerate((-0.02, 0.0, 0.02))]
    return out


def under_the_water(s: Stage) -> Shapes:
    """Below the surface: light falling in bands, weeds, stones and bubbles."""
    out = ([Shape(s.sheet, "sky", 0.25, 0.0, 0.0)] + [ridge(s, y, 0.03, 2, "sky", tone, depth) for y, tone,
                                                      depth in ((0.12, 0.05, 0.05), (0.34, -0.12, 0.1), (0.58, -0.28, 0.15))])
    out += [Shape(polygon((x, -0.05), (x + 0.09, -0.05), (x - 0.06, 0.85), (x - 0.26, 0.85)), "sky", 0.12, 1.9, 0.12)
            for x in (0.35 * s.aspect, 0.8 * s.aspect)]
    out += [ridge(s, 0.88, 0.03, 2, "ground", 0.1, 0.3), ridge(s, 0.94, 0.02, 2, "ground", -0.15, 0.7)]
    weeds: Shapes = []
    for x in [*s.rng.uniform(0.0, 0.22, 4), *s.rng.uniform(0.8, 1.0, 4)]:
        h, px, sway = s.rng.uniform(0.2, 0.5), x * s.aspect, s.rng.uniform(0.015, 0.035)
        weeds.append(Shape(stroke([(px, 1.0), (px + sway, 1 - h * 0.35), (px - sway, 1 - h * 0.7), (px + sway, 1 - h)],
                                  [0.03, 0.028, 0.02, 0.004]),
                           "ground" if s.rng.random() < 0.7 else "second", s.rng.uniform(-0.35, 0.1), -1.57, 0.5))
    out += weeds + s.main(0.5, s.rng.uniform(0.72, 0.78), 0.56)
    out += [Shape(ellipse(s.rng.uniform(0.1, 0.9) * s.aspect, s.rng.uniform(0.08, 0.7), s.rng.uniform(0.006, 0.014)), "light",
                  0.0, 0.0, 0.9) for _ in range(9)]
    return out + [Shape(ellipse(x * s.aspect, 0.985, 0.07, 0.04), "dark", 0.25, 0.0, 1.0) for x in s.rng.uniform(0.05, 0.95, 3)]


def in_the_sky(s: Stage) -> Shapes:
    """The subject high over a low line of hills, clouds around it."""
    out = sky(s, 0.9, -0.05, 4)
    out += [*clouds(s, 0.9, 5), ridge(s, 0.88, 0.03, 3, "ground", 0.3, 0.2), *trees(s, 0.92, 0.07, 9, 0.05, 0.3),
            ridge(s, 0.94, 0.015, 2, "ground", -0.05, 0.4)]
    return out + s.main(s.rng.choice([0.44, 0.5, 0.56]), 0.79, s.rng.uniform(0.56, 0.68))


def in_a_field(s: Stage) -> Shapes:
    """Furrows running to a far point, the subject between them."""
    y, out = s.rng.uniform(0.46, 0.58), []
    vx = s.rng.uniform(0.3, 0.7) * s.aspect
    out += (sky(s, y) + clouds(s, y, 3) + [ridge(s, y - 0.04, 0.04, 3, "ground", 0.5, 0.1), *trees(s, y + 0.01, 0.09, 9, 0.15,
            0.15)])
    out.append(Shape(box(-0.05, y, s.aspect + 0.05, 1.05), "ground", 0.22, 0.0, 0.3))
    n = 9
    for k in range(-n, n + 1):
        x = s.aspect / 2 + k * 0.24
        out.append(Shape(polygon((vx + k * 0.012, y), (vx + k * 0.012 + 0.006, y), (x + 0.12, 1.05), (x, 1.05)), "ground", -0.08
                         if k % 2 else -0.22, float(np.arctan2(1.05 - y, x - vx)), 0.5))
        for t in (0.45, 0.72, 0.95):
            px, py = vx + (x + 0.06 - vx) * t, y + (1.05 - y) * t
            out += [Shape(petal(px, py, -1.57 + a, 0.05 * t, 0.018 * t, 0.5), "accent" if k % 2 else "ground", -0.1, -1.57, 0.6)
                    for a in (-0.5, 0, 0.5)]
    return out + standing(s, s.rng.choice([0.4, 0.5, 0.6]), s.rng.uniform(0.86, 0.91), s.rng.uniform(0.54, 0.66))


def in_the_mountains(s: Stage) -> Shapes:
    """Peaks in two planes with snow, a valley floor in front."""
    out = sky(s, 0.55)
    for plane, (y, tone) in enumerate(((0.2, 0.35), (0.34, 0.1))):
        for x in np.linspace(0.0, 1.0, 3 + plane) + s.rng.uniform(-0.06, 0.06, 3 + plane):
            top, half, px = y + s.rng.uniform(-0.07, 0.07), s.rng.uniform(0.26, 0.34), x * s.aspect
            h = 0.75 - top
            out += [Shape(polygon((px - half, 0.75), (px, top), (px + half, 0.75)), "sky", tone - 0.45, -1.1, 0.1 + 0.1 * plane),
                    Shape(polygon((px, top), (px + half, 0.75), (px + 0.05, 0.75), (px + 0.02, top + h * 0.5),
                                  (px + 0.05, top + h * 0.25)), "sky", tone - 0.62, 1.1, 0.1 + 0.1 * plane)]
            k = half * 0.3
            out.append(Shape(polygon((px, top), (px + k, top + h * 0.3), (px + k * 0.5, top + h * 0.23),
                                     (px + 0.01, top + h * 0.33), (px - k * 0.5, top + h * 0.24), (px - k,
                                             top + h * 0.3)), "light", 0.0 - 0.05 * (1 - plane), 1.1, 0.1 + 0.1 * plane))
    land, _ = terrain(s, 0.64)
    return out + land + standing(s, s.rng.choice([0.42, 0.5, 0.58]), 0.9, s.rng.uniform(0.5, 0.6)) + tufts(s, 0.9, 1.0, 5)


def under_the_moon(s: Stage) -> Shapes:
    """Night: a great moon behind the subject, stars, dark land or water."""
    s.words["time"] = "night"
    y, x = s.rng.uniform(0.58, 0.66), s.rng.choice([0.42, 0.5, 0.58])
    out = [replace(shape, tone=shape.tone * 0.5 - 0.62) for shape in sky(s, y, 0.0, 4)]
    mx, my, r = np.clip(x + s.rng.choice([-0.16, 0.16]), 0.25, 0.75) * s.aspect, s.rng.uniform(0.2, 0.27), min(0.19,
            0.24 * s.aspect)
    out += [Shape(ellipse(mx, my, r * 1.28, n=56), "sky", -0.3, 0.0, 0.05), Shape(ellipse(mx, my, r, n=56), "light", 0.0, 0.0,
            0.06)]
    out += [Shape(ellipse(mx + dx * r, my + dy * r, k * r), "light", -0.14, 0.0, 0.06) for dx, dy, k in ((-0.4, -0.25, 0.2),
            (0.3, 0.35, 0.26), (0.35, -0.4, 0.13), (-0.25, 0.5, 0.12))]
    for _ in range(14):
        px, py = s.rng.uniform(0, s.aspect), s.rng.uniform(0.02, y - 0.08)
        if np.hypot(px - mx, py - my) > r * 1.4:
            out.append(Shape(star(px, py, s.rng.uniform(0.009, 0.018), 0.004, 4), "light", 0.0, 0.0, 0.05))
    land, foot = terrain(s, y, -0.3)
    out += [replace(shape, tone=max(-0.95, shape.tone - 0.25)) if shape.role in ("sky", "ground") else shape for shape in land]
    if s.afloat:
        out += [Shape(stroke([(mx - w, yy), (mx + w, yy)], 0.008), "light", -0.1, 0.0, 0.5) for yy,
                w in zip(np.linspace(y + 0.02, 0.97, 8), s.rng.uniform(0.03, 0.11, 8), strict=True)]
    return out + standing(s, x, min(foot + 0.04, 0.92), s.rng.uniform(0.54, 0.64))


def under_the_sun(s: Stage) -> Shapes:
    """A great sun with rays in a banded sky behind the subject."""
    s.words["time"] = "day"
    y, x = s.rng.uniform(0.56, 0.64), s.rng.choice([0.42, 0.5, 0.58])
    mx, my = np.clip(x + s.rng.choice([-0.2, 0.2]), 0.22, 0.78) * s.aspect, s.rng.uniform(0.19, 0.25)
    r = min(0.15, 0.2 * s.aspect)
    out = sky(s, y)
    out += [Shape(np.array([(mx, my), (mx + 2 * np.cos(a - 0.07), my + 2 * np.sin(a - 0.07)), (mx + 2 * np.cos(a + 0.07),
            my + 2 * np.sin(a + 0.07))]), "sky", 0.42, a, 0.04) for a in np.arange(14) * 2 * np.pi / 14]
    out += [Shape(ellipse(mx, my, r * 1.3, n=56), "sky", 0.62, 0.0, 0.05), Shape(ellipse(mx, my, r, n=56), "accent", 0.05, 0.0,
            0.06), Shape(ellipse(mx - r * 0.1, my - r * 0.1, r * 0.72, n=48), "accent", 0.3, 0.0, 0.06)]
    land, foot = terrain(s, y)
    return (out + [ridge(s, y - 0.04, 0.03, 3, "ground", 0.45, 0.1)] * (not s.afloat) + land
            + standing(s, x, min(foot + 0.04, 0.92), s.rng.uniform(0.54, 0.64)) + tufts(s, 0.9, 1.0, 6) * (not s.afloat))


def in_a_garden(s: Stage) -> Shapes:
    """A fence and round trees behind, a bed of flowers before and beside the subject."""
    y = s.rng.uniform(0.5, 0.58)
    out = (sky(s, y) + clouds(s, y, 2) + trees(s, y + 0.06, 0.24, 5, 0.12, 0.2)
           + [Shape(box(-0.05, y + 0.04, s.aspect + 0.05, 1.05), "ground", 0.2, 0.0, 0.3)])
    for x in np.arange(0.02, s.aspect, 0.075):
        out.append(Shape(curve([(x - 0.014, y + 0.1, 1), (x - 0.014, y - 0.02, 1), (x, y - 0.04, 1), (x + 0.014, y - 0.02, 1),
                                (x + 0.014, y + 0.1, 1)]), "light", 0.0, -1.57, 0.35))
    out += [Shape(box(-0.05, y + d, s.aspect + 0.05, y + d + 0.014), "light", -0.12, 0.0, 0.35) for d in (0.005, 0.06)]
    out += [*blooms(s, y + 0.16, y + 0.24, 12, 0.036), ridge(s, 0.86, 0.015, 2, "ground", 0.0, 0.5)]
    return out + standing(s, 0.5, 0.9, s.rng.uniform(0.56, 0.66)) + blooms(s, 0.95, 1.03, 11, 0.045)


def in_the_snow(s: Stage) -> Shapes:
    """White ground in soft drifts, snowy firs, flakes all over."""
    s.words["weather"] = "snow"
    y = s.rng.uniform(0.52, 0.62)
    out = [*sky(s, y, -0.22), ridge(s, y - 0.05, 0.04, 3, "sky", -0.3, 0.1), ridge(s, y, 0.03, 3, "light", -0.16, 0.2)]
    for x in (0.06, 0.17, 0.84, 0.95):
        h, px = s.rng.uniform(0.2, 0.3), x * s.aspect
        out += fir(px, y + 0.06, h, -0.2, 0.3)
        out += [Shape(polygon((px, y + 0.06 - h), (px + h * 0.07, y + 0.06 - h * 0.83), (px, y + 0.06 - h * 0.87),
                              (px - h * 0.07, y + 0.06 - h * 0.83)), "light", 0.0, 0.0, 0.3)]
    out += [ridge(s, y + 0.08, 0.025, 2, "light", -0.04, 0.4), ridge(s, y + 0.2, 0.02, 2, "light", 0.06, 0.5)]
    subject = s.main(s.rng.choice([0.44, 0.5, 0.56]), 0.9, s.rng.uniform(0.56, 0.66))
    out += [*shadows(subject, 0.9, "sky", -0.2), *subject,
            ridge(s, 0.955, 0.012, 3, "light", -0.1, 0.95)]
    return (out + [Shape(ellipse(s.rng.uniform(0, s.aspect), s.rng.uniform(0, 0.93), s.rng.uniform(0.004, 0.0105), n=12),
                         "light", 0.1, 0.0, 1.0) for _ in range(46)])


def in_the_rain(s: Stage) -> Shapes:
    """A heavy cloud overhead, slanting rain, puddles."""
    s.words["weather"] = "rain"
    y = s.rng.uniform(0.54, 0.64)
    out = sky(s, y, -0.28)
    cloud = [(float(x), 0.04 + 0.05 * s.rng.random(), s.rng.uniform(0.08, 0.12)) for x in np.arange(-0.05, s.aspect + 0.15, 0.13)]
    out += [Shape(np.concatenate([[(-0.1, -0.05)], [(x + r * np.cos(t), yy + r * np.sin(t)) for x, yy, r in cloud
                                                    for t in np.linspace(2.6, 0.5,
                                                            7)], [(s.aspect + 0.1, -0.05)]]), "sky", -0.62, 0.0, 0.1)]
    land, _ = terrain(s, y, -0.12)
    out += (land + [Shape(ellipse(x * s.aspect, yy, 0.13, 0.018), "sky", -0.1, 0.0, 0.65) for x,
                    yy in ((0.2, 0.95), (0.82, 0.93))] * (not s.afloat))
    out += standing(s, s.rng.choice([0.44, 0.5, 0.56]), 0.9 if not s.afloat else 0.82, s.rng.uniform(0.54, 0.64))
    for _ in range(42):
        x, yy, n = s.rng.uniform(-0.02, s.aspect + 0.08), s.rng.uniform(0.1, 0.96), s.rng.uniform(0.035, 0.065)
        out.append(Shape(stroke([(x, yy), (x - n * 0.35, yy + n)], [0.0025, 0.0055]), "light", 0.05, 1.9, 1.0))
    return out


def in_a_forest(s: Stage) -> Shapes:
    """Trunks and firs in three planes round a clearing."""
    out = sky(s, 0.6, 0.1)
    for depth, (h, foot, n, tone) in enumerate(((0.5, 0.66, 9, 0.4), (0.6, 0.72, 7, 0.12))):
        out += [shape for x in np.linspace(-0.02, 1.02, n) for shape in fir((x + s.rng.uniform(-0.03, 0.03)) * s.aspect, foot,
                h * s.rng.uniform(0.8, 1.1), tone, 0.1 + 0.1 * depth)]
        out.append(ridge(s, foot - 0.06, 0.008, 3, "ground", tone - 0.05, 0.15 + 0.1 * depth))
    out.append(ridge(s, 0.78, 0.015, 2, "ground", 0.02, 0.4))
    for x in (0.02, 0.98):
        px, w = x * s.aspect, s.rng.uniform(0.035, 0.05)
        out += [Shape(polygon((px - w * 0.7, -0.05), (px + w * 0.7, -0.05), (px + w * 1.3, 0.93), (px - w * 1.3, 0.93)), "dark",
                      0.08, -1.57, 0.6)]
        out += [Shape(lobes(px, 0.03, 0.2 * s.aspect, 0.11, 9, 0.08), "ground", -0.38, 0.0, 0.6)]
    return out + standing(s, s.rng.choice([0.45, 0.5, 0.55]), 0.9, s.rng.uniform(0.54, 0.64)) + tufts(s, 0.92, 1.02, 9)
