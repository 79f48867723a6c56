"""Where things stand: an environment in depth planes around a subject, and `compose`, which makes the whole scene.

A layout is a function of one `Stage`; it returns shapes from back to front and notes in `stage.words` what a caption may say.
"""

from collections.abc import Callable

from numpy.random import Generator

from artlab.drawing import layouts_land as land
from artlab.drawing import layouts_plain as plain
from artlab.drawing.scene import Scene
from artlab.drawing.stage import Shapes, Stage
from artlab.drawing.subjects import GROUND, INDOOR, SKY, SUBJECTS, WATER

LAYOUTS: dict[str, Callable[[Stage], Shapes]] = {
    "close-up": plain.close_up,
    "left": land.left,
    "right": land.right,
    "on a hill": land.on_a_hill,
    "by the sea": land.by_the_sea,
    "on the water": land.on_the_water,
    "under the water": land.under_the_water,
    "in the sky": land.in_the_sky,
    "in a field": land.in_a_field,
    "in the mountains": land.in_the_mountains,
    "under the moon": land.under_the_moon,
    "under the sun": land.under_the_sun,
    "in a row": plain.in_a_row,
    "pair": plain.pair,
    "in a garden": land.in_a_garden,
    "in the snow": land.in_the_snow,
    "in the rain": land.in_the_rain,
    "on a table": plain.on_a_table,
    "in a room": plain.in_a_room,
    "pattern": plain.pattern,
    "with a border": plain.with_a_border,
    "in a forest": land.in_a_forest,
}

_ANYWHERE = ("close-up", "pattern", "with a border", "in a row", "pair")
_OUTDOORS = (
    "left",
    "right",
    "on a hill",
    "by the sea",
    "in a field",
    "in the mountains",
    "under the moon",
    "under the sun",
    "in a garden",
    "in the snow",
    "in the rain",
    "in a forest",
)
_AFLOAT = ("on the water", "left", "right", "under the moon", "under the sun", "in the rain", "in the mountains")
_VAST = ("left", "right", "by the sea", "under the moon", "under the sun", "in the snow", "in the rain")
_ONLY: dict[str, tuple[str, ...]] = {
    "mountain": _VAST,
    "volcano": _VAST,
    "forest": (*_VAST, "on a hill", "in the mountains"),
    "city": (*_VAST, "on a hill"),
    "bridge": ("left", "right", "in the mountains", "under the moon", "under the sun", "in the rain"),
    "lighthouse": ("left", "right", "on a hill", "by the sea", "under the moon", "under the sun", "in the rain", "in the snow"),
    "fish": ("under the water",),
    "whale": ("on the water", "left", "right", "under the moon", "under the sun"),
    "face": (),
    "leaf": (),
    "umbrella": ("by the sea", "in the rain"),
    "angel": ("in the sky", "in the snow"),
    "penguin": ("by the sea", "in the snow", "left", "right", "under the moon"),
    "chair": ("in a room", "in a garden"),
    "lamp": ("on a table", "in a room"),
    "guitar": ("in a room",),
    "vase": ("on a table", "in a room"),
    "candle": ("on a table",),
}
_NEVER: dict[str, set[str]] = {
    "cactus": {"in the snow", "by the sea", "in a forest", "in the rain"},
    "palm": {"in the snow", "in the mountains", "in a forest"},
    "elephant": {"in the snow", "in a forest", "in the mountains"},
    "train": {"in a garden", "in a forest", "by the sea"},
    "castle": {"in a garden"},
    "church": {"in a garden"},
    "windmill": {"in a garden", "in a forest"},
    "car": {"in a garden", "in a field"},
    "tree": {"in a forest"},
    "pine": {"in a forest"},
    "birch": {"in a forest"},
    "snail": {"in the snow", "in the mountains"},
    "duck": {"in the mountains", "in a forest"},
}
_BUSY = {"pattern", "in the rain", "in a forest"}


def layouts_for(subject: str) -> tuple[str, ...]:
    """The layouts in which a subject makes sense."""
    if subject not in SUBJECTS:
        raise KeyError(f"unknown subject {subject!r}; known: {', '.join(SUBJECTS)}")
    if subject in _ONLY:
        places = _ONLY[subject]
    elif subject in WATER:
        places = _AFLOAT
    elif subject in SKY:
        places = ("in the sky",)
    elif subject in INDOOR:
        places = ("on a table",)
    else:
        places = _OUTDOORS if subject in GROUND else ()
    if subject in ("cat", "dog", "person", "cactus"):
        places = (*places, "in a room")
    return tuple(p for p in (*_ANYWHERE, *places) if p not in _NEVER.get(subject, ()))


def calm_layouts(subject: str) -> tuple[str, ...]:
    """Those of them that a small picture can hold."""
    return tuple(layout for layout in layouts_for(subject) if layout not in _BUSY)


def compose(subject: str, layout: str, rng: Generator, *, aspect: float = 1.0, second: str | None = None) -> Scene:
    """The whole scene: a subject (and perhaps a second one) in a layout, on a canvas of the given width / height."""
    if layout not in LAYOUTS:
        raise KeyError(f"unknown layout {layout!r}; known: {', '.join(LAYOUTS)}")
    if unknown := {subject, second or subject} - set(SUBJECTS):
        raise KeyError(f"unknown subject {unknown.pop()!r}; known: {', '.join(SUBJECTS)}")
    stage = Stage(rng, aspect, subject, second if second != subject else None, {"subject": subject, "layout": layout})
    shapes = [shape for shape in LAYOUTS[layout](stage) if len(shape.outline) > 2]
    return Scene(tuple(shapes), aspect, stage.words)
