"""The nine media: how a hand puts a scene on paper. `MEDIA` maps the name used in captions to a function."""

from typing import Protocol

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from artlab.drawing.canvas import Hand
from artlab.drawing.media_line import ink_drawing, woodcut
from artlab.drawing.media_paint import dry_brush_painting, pointillist_painting
from artlab.drawing.media_pieces import mosaic, paper_cut, stained_glass
from artlab.drawing.media_wash import pastel_drawing, watercolour
from artlab.drawing.palettes import Palette
from artlab.drawing.scene import Scene

__all__ = ["MEDIA", "Hand", "Medium"]


class Medium(Protocol):
    """A way to render a scene: `height_px` rows, `height_px * scene.aspect` columns of 8-bit sRGB, the same for one rng state."""

    def __call__(self, scene: Scene, palette: Palette, height_px: int, rng: Generator, hand: Hand) -> NDArray[np.uint8]:
        """Render."""
        ...


MEDIA: dict[str, Medium] = {
    "ink drawing": ink_drawing,
    "paper cut": paper_cut,
    "woodcut": woodcut,
    "mosaic": mosaic,
    "dry brush painting": dry_brush_painting,
    "watercolour": watercolour,
    "stained glass": stained_glass,
    "pointillist painting": pointillist_painting,
    "pastel drawing": pastel_drawing,
}
