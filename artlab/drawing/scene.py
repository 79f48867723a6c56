"""A scene is a stack of shapes with colour roles; it knows nothing of palette, medium or pixels.

`subjects.py` says what a thing looks like, `layouts.py` where things stand, `palettes.py` which colours the roles get,
`media.py` how a hand puts them on paper. The caption is made from the same words, so it is exact.
"""

from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.float64]
Role = Literal["sky", "ground", "main", "second", "accent", "dark", "light"]
ROLES: tuple[Role, ...] = ("sky", "ground", "main", "second", "accent", "dark", "light")


@dataclass(frozen=True)
class Shape:
    """One closed outline, painted over whatever lies behind it.

    `outline` is (n, 2) in canvas units: y runs down from 0 to 1, x runs right from 0 to the canvas' aspect ratio (width / height).
    `tone` darkens (-1) or lightens (+1) the colour of the role. `grain` is the angle in radians along which a brush, a burin or
    a row of tesserae would follow the form; `depth` runs from 0 (far away) to 1 (nearest), for air and for line weight.
    """

    outline: Points
    role: Role
    tone: float = 0.0
    grain: float = 0.0
    depth: float = 1.0

    def moved(self, scale: float, dx: float, dy: float) -> "Shape":
        """The same shape, scaled about the origin and then shifted."""
        return replace(self, outline=self.outline * scale + np.array([dx, dy]))


@dataclass(frozen=True)
class Scene:
    """Shapes from back to front, and the words they were composed from.

    The background always comes first and covers the canvas. `words` holds what a caption may say:
    `subject`, `layout`, and any of `second` (another subject), `count`, `colour`, `time`, `weather`.
    """

    shapes: tuple[Shape, ...]
    aspect: float = 1.0
    words: dict[str, str] = field(default_factory=dict)
