"""Colour alone: what of a picture is left when every shape is taken out of it. Pure functions of pictures and rows."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

SIDE, LIGHTS, HUES = 48, 6, 6


def palette(pictures: Sequence[Image.Image]) -> NDArray[np.float64]:
    """(n, 216): the root of each picture's histogram over lightness, green-red and blue-yellow (CIE Lab), each bin a little blurred.

    The distance of two rows is the Hellinger distance of two palettes, from 0 to the root of 2.
    """
    return np.stack([_histogram(picture) for picture in pictures]) if pictures else np.zeros((0, LIGHTS * HUES * HUES))


def _histogram(picture: Image.Image) -> NDArray[np.float64]:
    small = np.asarray(picture.convert("RGB").resize((SIDE, SIDE), Image.Resampling.BOX), dtype=np.float64) / 255
    lab = _lab(small.reshape(-1, 3))
    places = lab / (100, 160, 160) + (0, 0.5, 0.5)
    edges = [np.linspace(0, 1, n + 1) for n in (LIGHTS, HUES, HUES)]
    table, _ = np.histogramdd(np.clip(places, 0, 1 - 1e-9), bins=edges)
    for axis in range(3):  # a colour on the border of two bins belongs to both
        table = np.apply_along_axis(lambda row: np.convolve(row, (0.25, 0.5, 0.25), mode="same"), axis, table)
    return np.sqrt(table / table.sum()).ravel()


def _lab(rgb: NDArray[np.float64]) -> NDArray[np.float64]:
    """CIE L*a*b* under D65 of (n, 3) sRGB values from 0 to 1 (IEC 61966-2-1, CIE 15)."""
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    matrix = np.array([[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]])
    scaled = linear @ matrix.T / (0.95047, 1.0, 1.08883)
    f = np.where(scaled > (6 / 29) ** 3, np.cbrt(scaled), scaled / (3 * (6 / 29) ** 2) + 4 / 29)
    return np.stack([116 * f[:, 1] - 16, 500 * (f[:, 0] - f[:, 1]), 200 * (f[:, 1] - f[:, 2])], axis=1)
