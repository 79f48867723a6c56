"""Marks that say “made by a model”: an invisible watermark in the pixels, and a signed C2PA manifest.

The third mark, IPTC's digital source type, is part of what `recipe` writes. Metadata is lost in the first upload; the watermark is what
is left then. It is a spread-spectrum mark (Cox et al. 1997) on the low frequencies of the whole picture's brightness, which JPEG and
resizing keep; the picture's own share in each of its directions is taken out (Malvar and Florencio 2003), so that a picture does not
drown its mark. It says who made a picture, it does not guard it: whoever wants it gone can blur it away, and cropping loses it.
"""

import hashlib
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.fft import dctn, idctn

BAND = (28, 90)
"""The mark's frequencies, in half waves over the picture: what is left when a picture of 512 pixels is shown at 128."""
FALL = 1.0
"""The spectrum of pictures falls about like one over frequency; evened out, each coefficient is worth the same."""
STRENGTH = 7.0
"""How far the mark stands out, in standard deviations of what the picture itself has in its direction: busy pictures hide more."""
FAINTEST = 0.02
"""The least spread, in grey levels: a flat picture, which has none, is marked all the same."""
FOUND = 4.0
"""The mark is there when it stands out by this much; one in thirty thousand unmarked pictures does by chance."""
SMALLEST = 96
_KEY = b"artlab watermark 1"
Array = NDArray[np.float64]


@dataclass(frozen=True)
class Mark:
    """What was read from a picture: whether the mark is there, and how clearly, in standard deviations."""

    found: bool
    z: float


def watermark(image: Image.Image) -> Image.Image:
    """The picture with the mark. Below 96 pixels a side there is no room for it, and the picture is returned as it is."""
    if min(image.size) < SMALLEST:
        return image
    pixels = np.asarray(image.convert("RGB"), dtype=np.float64)
    brightness = _brightness(pixels)
    spectrum = dctn(brightness, norm="ortho")
    at, even, direction = _direction(BAND)
    inside = (at[0] < brightness.shape[0]) & (at[1] < brightness.shape[1])
    at, even, direction = (at[0][inside], at[1][inside]), even[inside], direction[inside]
    values = spectrum[at] * even
    wanted = STRENGTH * max(_spread(values), FAINTEST * np.sqrt(brightness.size))
    spectrum[at] += (wanted - direction @ values) * direction / even
    change = idctn(spectrum, norm="ortho") - brightness
    return Image.fromarray(np.clip(np.rint(pixels + change[:, :, None]), 0, 255).astype(np.uint8))


def read(image: Image.Image) -> Mark:
    """The mark of a picture of any size, if it has one."""
    brightness = _brightness(np.asarray(image.convert("RGB"), dtype=np.float64))
    at, even, direction = _direction(BAND)
    spectrum = np.zeros((BAND[1], BAND[1]))  # a picture made smaller than the band has nothing up there
    whole = dctn(brightness, norm="ortho")[: BAND[1], : BAND[1]]
    spectrum[: whole.shape[0], : whole.shape[1]] = whole
    values = spectrum[at] * even
    z = float(direction @ values) / (_spread(values) or 1.0)
    return Mark(z >= FOUND, z)


def _spread(values: Array) -> float:
    """What a direction that knows nothing of the picture reads from it, as a standard deviation."""
    return float(np.linalg.norm(values)) / float(np.sqrt(values.size))


def _brightness(pixels: Array) -> Array:
    return pixels @ np.array([0.299, 0.587, 0.114])


@lru_cache(maxsize=4)
def _direction(band: tuple[int, int]) -> tuple[tuple[NDArray[np.int64], NDArray[np.int64]], Array, Array]:
    """Where the mark lies in the spectrum, what evens it out there, and its direction, a unit vector from a fixed key."""
    rows, columns = np.indices((band[1], band[1]))
    radius = np.hypot(rows, columns)
    at = np.nonzero((radius >= band[0]) & (radius < band[1]))
    seed = int.from_bytes(hashlib.sha256(_KEY).digest()[:8], "big")
    drawn = np.random.Generator(np.random.PCG64(seed)).standard_normal(at[0].size)
    return (at[0], at[1]), (radius[at] / band[0]) ** FALL, drawn / np.linalg.norm(drawn)
