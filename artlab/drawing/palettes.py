"""Palettes: one colour for each role of a scene, under an everyday name that predicts the look.

Colours are mixed in OKLab (Ottosson 2020), where a straight line between two colours stays clean.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from artlab.drawing.scene import ROLES, Role, Shape

Colour = NDArray[np.float64]

_TO_LMS = np.array([[0.4122214708, 0.5363325363, 0.0514459929], [0.2119034982, 0.6806995451, 0.1073969566],
                    [0.0883024619, 0.2817188376, 0.6299787005]])  # fmt: skip
_TO_LAB = np.array([[0.2104542553, 0.7936177850, -0.0040720468], [1.9779984951, -2.4285922050, 0.4505937099],
                    [0.0259040371, 0.7827717662, -0.8086757660]])  # fmt: skip
_FROM_LMS = np.linalg.inv(_TO_LMS)
_FROM_LAB = np.linalg.inv(_TO_LAB)


def _times(colours: NDArray, matrix: NDArray) -> NDArray:
    return np.einsum("...c,dc->...d", colours, matrix)  # not @, which wakes all the threads of the BLAS for three numbers


def to_oklab(rgb: NDArray) -> NDArray:
    """sRGB (..., 3) in 0..1 to OKLab: lightness, green-red, blue-yellow."""
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((np.maximum(rgb, 0) + 0.055) / 1.055) ** 2.4)
    return _times(np.cbrt(_times(linear, _TO_LMS)), _TO_LAB)


def from_oklab(lab: NDArray) -> NDArray:
    """OKLab (..., 3) to sRGB, clipped to 0..1."""
    linear = np.clip(_times(_times(lab, _FROM_LAB) ** 3, _FROM_LMS), 0, 1)
    return np.where(linear <= 0.0031308, linear * 12.92, 1.055 * linear ** (1 / 2.4) - 0.055)


def mix(first: NDArray, second: NDArray, share: float) -> NDArray:
    """The colour `share` of the way from first to second."""
    return from_oklab(to_oklab(first) * (1 - share) + to_oklab(second) * share)


def _rgb(code: str) -> tuple[float, float, float]:
    red, green, blue = (int(code[i : i + 2], 16) / 255 for i in (0, 2, 4))
    return red, green, blue


@dataclass(frozen=True)
class Palette:
    """A name, one sRGB colour (0..1) per role in the order of `ROLES`, and the colour of the paper."""

    name: str
    colours: tuple[tuple[float, float, float], ...]
    paper: tuple[float, float, float]

    def __getitem__(self, role: Role) -> Colour:
        return np.array(self.colours[ROLES.index(role)])

    @classmethod
    def of(cls, name: str, codes: str) -> "Palette":
        """A palette from eight hex colours: the seven roles in order, then the paper."""
        *roles, paper = (_rgb(code) for code in codes.split())
        if len(roles) != len(ROLES):
            raise ValueError(f"{name}: {len(ROLES)} roles and a paper are needed, not {len(roles) + 1} colours")
        return cls(name, tuple(roles), paper)


#                     sky    ground main   second accent dark   light  paper
_TABLE = {
    "ember":         "3d1518 6e211b d9461c f08a24 ffcf4a 1c0a0d ffe3a8 f3dfc4",
    "sea":           "a5d2dc 1f7391 0f4c75 3fa7a3 ff8c61 0b2540 e8f5f2 f3f4ec",
    "meadow":        "cfeaa8 7cb342 3f8f3f f2cf3d e8643c 1f4d2b fbf6cf faf6e3",
    "dusk":          "7d61b0 46356f e5789b b35aa6 ffb56b 241a42 f9d5d8 f4ebee",
    "sand":          "efdcbc d6ae7c b07f4f cda06a 4f8a8b 57402f fbf1dd f8f0e0",
    "forest":        "9db89e 2f5a3c 1f4030 6d8b4a cf9436 0f2219 e3ead2 f0eede",
    "rose":          "f7cdd0 e59aa5 d2486a f4b6a6 7a9b76 6b2138 fff0ec fdf3ef",
    "ice":           "dceef6 b4d6e6 74aecb a2c0de 3566a3 2a4a66 ffffff f7fafc",
    "autumn":        "e9c684 a2582a c4461f e39a2d 6b7a2f 4a1f16 f8e6bd f7edd8",
    "night":         "15244a 0c2a44 3d62a6 6f80c4 ffd868 070d1f d8e2ff e6e8ee",
    "lemon":         "fff27f f2d21c cf9400 a9c53a ea5f35 5a4d0e fffde0 fffdf0",
    "plum":          "c8a2c6 7d3a78 5c2058 a4528f dcb548 2d0f2f f3e0ee f6eef3",
    "mono":          "d6d6d4 9a9a98 4a4a4a 777776 1e1e1e 121212 f6f6f4 f7f7f4",
    "poppy":         "f5e8cf 5f8d6a e3221b f4714f 22356b 17171c fffaf0 faf5ea",
}  # fmt: skip
PALETTES: dict[str, Palette] = {name: Palette.of(name, codes) for name, codes in _TABLE.items()}


def colour(palette: Palette, shape: Shape) -> Colour:
    """The sRGB colour of one shape: its role, mixed by tone towards light or dark, and by distance towards the sky."""
    return colours(palette, [shape])[0]


def colours(palette: Palette, shapes: Sequence[Shape]) -> Colour:
    """The sRGB colours (n, 3) of many shapes at once."""
    roles = to_oklab(np.array([*palette.colours, (palette["light"] + palette.paper) / 2]))
    number = np.array([ROLES.index(s.role) for s in shapes])
    tone, depth = np.array([[s.tone, s.depth] for s in shapes]).clip(-1, 1).T[..., None]
    lab = roles[number]
    pole = np.where(tone < 0, roles[ROLES.index("dark")], roles[-1])
    lab = lab + (pole - lab) * 0.7 * np.abs(tone)
    solid = np.isin(number, [ROLES.index(role) for role in ("sky", "accent", "light")])[:, None]
    air = np.where(solid, 0.0, 0.3 * (1 - depth.clip(0)) ** 1.5)
    return from_oklab(lab + (roles[ROLES.index("sky")] - lab) * air)
