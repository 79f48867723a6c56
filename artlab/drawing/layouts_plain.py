"""Layouts without a landscape of their own: close-up, row, pair, table, room, pattern, border. Each fills one `Stage`."""

# fmt: off
# Coordinates read better in rows than one to a line.

import numpy as np

from artlab.drawing.scene import Role, Shape
from artlab.drawing.shapes import box, curve, ellipse, extent, petal, polygon, rotated, star, stroke, toned
from artlab.drawing.stage import Shapes, Stage, backdrop, several, standing
from artlab.drawing.subjects import SKY, SUBJECTS


def close_up(s: Stage) -> Shapes:
    """One large subject on a plain ground of two tones with a disc behind it."""
    out = [Shape(s.sheet, "sky", 0.12, 0.0, 0.0)]
    high = s.subject in SKY or s.subject in {"leaf"}
    if high or s.rng.random() < 0.5:
        out.append(Shape(ellipse(s.aspect / 2, 0.5, min(0.45, 0.46 * s.aspect), n=64), "sky", 0.5, 0.0, 0.1))
    if not high:
        out += [Shape(box(-0.05, s.rng.uniform(0.66, 0.76), s.aspect + 0.05, 1.05), "ground", 0.1, 0.0, 0.2)]
        return out + (s.main(0.5, 0.88, 0.74) if s.afloat else standing(s, 0.5, 0.9, 0.75))
    _, y0, _, y1 = extent(shapes := s.main(0.5, 0.88, 0.74))
    return out + [shape.moved(1, 0, 0.5 - (y0 + y1) / 2) for shape in shapes]


def in_a_row(s: Stage) -> Shapes:
    """Three to five side by side, as many as the canvas leaves room for."""
    x0, y0, x1, y1 = extent(SUBJECTS[s.subject](np.random.default_rng(0)))
    room = s.aspect / ((x1 - x0) / (y1 - y0))
    count = 3 if s.second or room < 1.3 else int(s.rng.integers(3, 5 if room < 2 else 6))
    back, foot = backdrop(s)
    names = [s.second if s.second and i % 2 else s.subject for i in range(count)]
    s.words["count"] = str(names.count(s.subject))
    return back + several(s, names, foot, 0.6, 0.98)


def pair(s: Stage) -> Shapes:
    """Two side by side."""
    back, foot = backdrop(s)
    s.words["count"] = "1" if s.second else "2"
    return back + several(s, [s.subject, s.second or s.subject], foot + 0.06, 0.62, 0.98)


def on_a_table(s: Stage) -> Shapes:
    """A still life: papered wall, table with a cloth, fruit beside the subject."""
    y = s.rng.uniform(0.6, 0.68)
    out = [Shape(s.sheet, "sky", 0.15, -1.57, 0.0)]
    step = 0.12
    for i, x in enumerate(np.arange(-0.02, s.aspect + 0.1, step)):
        out.append(Shape(box(x, -0.05, x + step / 2, y), "sky", 0.32, -1.57, 0.05))
        out += [Shape(star(x + step * 0.75, yy, 0.014, 0.006, 4), "sky", -0.18, 0.0, 0.06)
                for yy in np.arange(0.05 + 0.06 * (i % 2), y - 0.03, 0.12)]
    out += [Shape(box(-0.05, y, s.aspect + 0.05, 1.05), "ground", 0.05, 0.0, 0.3),
            Shape(box(-0.05, y, s.aspect + 0.05, y + 0.014), "ground", 0.35, 0.0, 0.3), Shape(box(-0.05, 0.955, s.aspect + 0.05,
                    1.05), "ground", -0.35, 0.0, 0.4)]
    m = s.aspect / 2
    out.append(Shape(polygon((m - 0.3 * s.aspect, y + 0.07), (m + 0.3 * s.aspect, y + 0.07), (m + 0.4 * s.aspect, 0.955),
                             (m - 0.4 * s.aspect, 0.955)), "light", 0.0, 0.0, 0.4))
    out += [Shape(polygon((m + k * 0.6 * s.aspect - 0.007, y + 0.07), (m + k * 0.6 * s.aspect + 0.007, y + 0.07),
                          (m + k * 0.8 * s.aspect + 0.01, 0.955), (m + k * 0.8 * s.aspect - 0.01,
                                  0.955)), "sky", -0.05, 1.3, 0.41) for k in np.linspace(-0.42, 0.42, 6)]
    out += standing(s, 0.5, y + s.rng.uniform(0.2, 0.23), s.rng.uniform(0.58, 0.68))
    if s.second is None:
        x = s.rng.choice([0.13, 0.87]) * s.aspect
        out += [Shape(ellipse(x + 0.01, 0.925, 0.075, 0.014), "ground", -0.45, 0.0, 0.7), Shape(ellipse(x, 0.87, 0.058),
                "accent", -0.22, 0.0, 0.9), Shape(ellipse(x - 0.01, 0.862, 0.046), "accent", 0.0, 0.0,
                                                  0.9), Shape(ellipse(x - 0.022, 0.848, 0.012, 0.017, 0.5), "light", 0.0, 0.0,
                                                          0.9), Shape(stroke([(x, 0.82), (x + 0.008, 0.795)], 0.008), "dark",
                                                                  0.1, 0.0, 0.9)]
    return out


def in_a_room(s: Stage) -> Shapes:
    """A room: wall with a window and a framed picture, boards and a rug."""
    y = s.rng.uniform(0.64, 0.7)
    out = [Shape(s.sheet, "sky", 0.3, 0.0, 0.0), Shape(box(-0.05, y - 0.2, s.aspect + 0.05, y), "sky", 0.12, 0.0, 0.05),
           Shape(box(-0.05, y - 0.21, s.aspect + 0.05, y - 0.2), "sky", -0.2, 0.0, 0.05)]
    w = min(0.17, 0.2 * s.aspect)
    wx = s.rng.choice([0.2, 0.8]) * s.aspect
    out += [Shape(box(wx - w - 0.015, 0.1, wx + w + 0.015, 0.47), "light", 0.0, 0.0, 0.1),
            Shape(box(wx - w, 0.115, wx + w, 0.455), "sky", -0.25, 0.0, 0.1), Shape(curve([(wx - w, 0.455, 1), (wx - w, 0.36, 1),
                    (wx - w * 0.3, 0.32), (wx + w * 0.4, 0.36), (wx + w, 0.33, 1), (wx + w, 0.455, 1)]), "ground", 0.2, 0.0, 0.1)]
    out += [Shape(box(wx - 0.007, 0.115, wx + 0.007, 0.455), "light", 0.0, 0.0, 0.12), Shape(box(wx - w, 0.27, wx + w, 0.283),
            "light", 0.0, 0.0, 0.12), Shape(box(wx - w - 0.03, 0.465, wx + w + 0.03, 0.485), "light", -0.15, 0.0, 0.12)]
    for d in (-1, 1):
        out.append(Shape(curve([(wx + d * (w + 0.045), 0.085, 1), (wx + d * w * 0.45, 0.085, 1), (wx + d * w * 0.7, 0.3),
                                (wx + d * (w + 0.0), 0.5, 1), (wx + d * (w + 0.05), 0.5, 1)]), "second", 0.12 * -d, -1.57, 0.15))
    out.append(Shape(box(-0.05, y, s.aspect + 0.05, 1.05), "ground", 0.0, 0.0, 0.3))
    out += [Shape(box(-0.05, yy, s.aspect + 0.05, yy + 0.006), "ground", -0.25, 0.0, 0.3) for yy in (y, y + 0.05, y + 0.12,
            y + 0.21)]
    out += [Shape(ellipse(s.aspect / 2, 0.9, 0.42 * s.aspect, 0.07, n=56), "ground", 0.45, 0.0, 0.4),
            Shape(ellipse(s.aspect / 2, 0.9, 0.36 * s.aspect, 0.052, n=56), "ground", 0.2, 0.0, 0.4)]
    return out + standing(s, s.rng.choice([0.46, 0.54]), 0.915, s.rng.uniform(0.58, 0.68))


def pattern(s: Stage) -> Shapes:
    """The subject tossed all over, turned and in several sizes, sprigs between."""
    out = [Shape(s.sheet, "sky", s.rng.choice([0.35, 0.1, -0.6]), 0.0, 0.0)]
    cols = max(2, round(3 * s.aspect**0.5))
    rows = max(3, round(cols / s.aspect))
    cw, ch, spots = s.aspect / cols, 1 / rows, []
    if s.second:
        s.words["second"] = s.second
    for j in range(rows):
        for i in range(cols):
            name = s.second if s.second and (i + j) % 2 else s.subject
            x, y = cw * (i + 0.5 + (0.22 if j % 2 else -0.22)), ch * (j + 0.5)
            size = min(cw, ch) * s.rng.uniform(0.78, 0.95)
            one = s.drawn(name, x, y, size, size)
            _, y0, _, y1 = extent(one)
            one = [shape.moved(1, 0, (y1 - y0) / 2) for shape in one]
            out += rotated(one, s.rng.uniform(-0.5, 0.5), (x, y))
            spots.append((x + cw / 2, y + ch / 2))
    for x, y in spots:
        r = min(cw, ch) * 0.07
        out.insert(1, Shape(ellipse(x, y, r * 0.45), "accent", 0.1, 0.0, 0.3))
        for k in range(5):
            out.insert(1, Shape(petal(x, y, k * 1.2566, r * 1.5, r, 0.6, tip=False), "ground", 0.1, k * 1.26, 0.3))
    return out


def with_a_border(s: Stage) -> Shapes:
    """The subject in a panel, framed by bands of small motifs."""
    b = min(0.11, 0.13 * s.aspect)
    out = [Shape(s.sheet, "second", -0.35, 0.0, 0.0), Shape(box(0.018, 0.018, s.aspect - 0.018, 0.982), "accent", 0.1, 0.0, 0.1),
           Shape(box(0.03, 0.03, s.aspect - 0.03, 0.97), "second", -0.35, 0.0, 0.1)]
    inner = box(b, b, s.aspect - b, 1 - b)
    panel = [Shape(box(b - 0.012, b - 0.012, s.aspect - b + 0.012, 1 - b + 0.012), "accent", 0.1, 0.0, 0.2),
             Shape(inner, "sky", 0.25, 0.0, 0.2)]
    if s.subject not in SKY and s.subject != "leaf":
        top = s.rng.uniform(0.66, 0.72)
        role: Role = "sky" if s.afloat else "ground"
        panel += [Shape(curve([(b, top, 1), (s.aspect * 0.35, top - 0.03), (s.aspect * 0.7, top + 0.01),
                               (s.aspect - b, top - 0.02, 1), (s.aspect - b, 1 - b, 1), (b, 1 - b,
                                       1)]), role, -0.35 if s.afloat else 0.15, 0.0, 0.3)]
        panel += [Shape(box(b, 0.8, s.aspect - b, 1 - b), role, -0.5 if s.afloat else -0.05, 0.0, 0.35)]
    kind, at = int(s.rng.integers(3)), (b - 0.012 + 0.03) / 2
    nx, ny = max(4, round((s.aspect - 2 * at) / 0.1)), round((1 - 2 * at) / 0.1)
    ring = [(at + (s.aspect - 2 * at) * i / nx, y) for i in range(nx + 1) for y in (at, 1 - at)] + [(x,
            at + (1 - 2 * at) * i / ny) for i in range(1, ny) for x in (at, s.aspect - at)]
    r = (b - 0.042) * 0.42
    for k, (x, y) in enumerate(ring):
        if s.second:
            s.words["second"] = s.second
            small = s.drawn(s.second, x, y + r * 1.1, 2.2 * r, 2.2 * r, 0.5)
            out += toned(small, 0.1)
        elif kind == 0:
            out += [Shape(petal(x, y, t, r * 1.1, r * 0.8), "light" if k % 2 else "accent", 0.0, t, 0.4)
                    for t in np.arange(4) * np.pi / 2 + 0.785]
        elif kind == 1:
            out += [Shape(star(x, y, r, r * 0.45, 8), "accent", 0.2, 0.0, 0.4), Shape(ellipse(x, y, r * 0.25), "dark", 0.0, 0.0,
                    0.4)]
        else:
            out += [Shape(polygon((x - r, y), (x, y - r), (x + r, y), (x, y + r)), "light", 0.0, 0.0, 0.4),
                    Shape(ellipse(x, y, r * 0.4), "second", -0.35, 0.0, 0.4)]
    out += panel
    shapes = s.drawn(s.subject, s.aspect / 2, 0.84, 0.64, s.aspect - 2 * b - 0.03)
    if s.subject in SKY or s.subject == "leaf":
        _, y0, _, y1 = extent(shapes)
        shapes = [shape.moved(1, 0, 0.5 - (y0 + y1) / 2) for shape in shapes]
    return out + shapes
