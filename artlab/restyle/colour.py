"""Pictures as tensors (3, h, w) in [0, 1] sRGB, and OKLab, the colour space in which equal steps look equal.

OKLab: Björn Ottosson 2020, "A perceptual color space for image processing". Axes are lightness, green-red, blue-yellow.
"""

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional as nnf

_TO_LMS = torch.tensor(
    [
        [0.4122214708, 0.5363325363, 0.0514459929],
        [0.2119034982, 0.6806995451, 0.1073969566],
        [0.0883024619, 0.2817188376, 0.6299787005],
    ]
)
_TO_LAB = torch.tensor(
    [
        [0.2104542553, 0.7936177850, -0.0040720468],
        [1.9779984951, -2.4285922050, 0.4505937099],
        [0.0259040371, 0.7827717662, -0.8086757660],
    ]
)
_FROM_LMS, _FROM_LAB = torch.linalg.inv(_TO_LMS), torch.linalg.inv(_TO_LAB)


def pixels(picture: Image.Image) -> Tensor:
    """(3, h, w) float32 in [0, 1]."""
    return torch.from_numpy(np.array(picture.convert("RGB"))).permute(2, 0, 1).float().div(255).contiguous()


def picture(tensor: Tensor) -> Image.Image:
    """The 8-bit picture of a tensor (3, h, w) in [0, 1]; what lies outside is cut."""
    array = tensor.detach().clamp(0, 1).mul(255).round().byte().permute(1, 2, 0).cpu().numpy()
    return Image.fromarray(np.ascontiguousarray(array))


def to_oklab(rgb: Tensor) -> Tensor:
    """sRGB (3, ...) in [0, 1] to OKLab (3, ...)."""
    linear = torch.where(rgb <= 0.04045, rgb / 12.92, ((rgb.clamp_min(0) + 0.055) / 1.055) ** 2.4)
    lms = torch.tensordot(_TO_LMS.to(rgb), linear, 1)
    return torch.tensordot(_TO_LAB.to(rgb), lms.clamp_min(0) ** (1 / 3), 1)


def from_oklab(lab: Tensor) -> Tensor:
    """OKLab (3, ...) to sRGB; colours that a screen cannot show keep lightness and hue and lose chroma (six halvings)."""
    grey = lab * torch.tensor([1.0, 0.0, 0.0]).to(lab).view(-1, *[1] * (lab.dim() - 1))
    low, high = torch.zeros_like(lab[:1]), torch.ones_like(lab[:1])
    fits = _shown(_raw_rgb(lab))
    if bool(fits.all()):
        return _raw_rgb(lab).clamp(0, 1)
    low = torch.where(fits, high, low)
    for _ in range(6):
        middle = (low + high) / 2
        inside = _shown(_raw_rgb(grey + (lab - grey) * middle))
        low, high = torch.where(inside, middle, low), torch.where(inside, high, middle)
    return _raw_rgb(grey + (lab - grey) * torch.where(fits, torch.ones_like(low), low)).clamp(0, 1)


def _raw_rgb(lab: Tensor) -> Tensor:
    linear = torch.tensordot(_FROM_LMS.to(lab), torch.tensordot(_FROM_LAB.to(lab), lab, 1) ** 3, 1)
    return torch.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear.clamp_min(1e-8) ** (1 / 2.4) - 0.055)


def _shown(rgb: Tensor) -> Tensor:
    return ((rgb > -0.002) & (rgb < 1.002)).all(dim=0, keepdim=True)


def resize(tensor: Tensor, size: tuple[int, int]) -> Tensor:
    """(c, h, w) to (c, *size), bicubic, antialiased when made smaller."""
    if tuple(tensor.shape[-2:]) == tuple(size):
        return tensor
    return nnf.interpolate(tensor[None], size=size, mode="bicubic", antialias=True, align_corners=False)[0]


def box(tensor: Tensor, radius: int) -> Tensor:
    """Mean over squares of side 2 radius + 1 of (c, h, w), edges mirrored."""
    radius = min(radius, min(tensor.shape[-2:]) - 1)
    if radius < 1:
        return tensor
    padded = nnf.pad(tensor[None], (radius, radius, radius, radius), mode="reflect")
    across = nnf.avg_pool2d(padded, (1, 2 * radius + 1), stride=1)
    return nnf.avg_pool2d(across, (2 * radius + 1, 1), stride=1)[0]


def smooth(lab: Tensor, radius: int = 2, epsilon: float = 2e-4) -> Tensor:
    """The picture without its grain, edges kept: a guided filter with the lightness as guide (He et al. 2013)."""
    guide = lab[:1]
    mean_guide, mean = box(guide, radius), box(lab, radius)
    variance = (box(guide * guide, radius) - mean_guide**2).clamp_min(0)
    slope = (box(guide * lab, radius) - mean_guide * mean) / (variance + epsilon)
    offset = mean - slope * mean_guide
    return box(slope, radius) * guide + box(offset, radius)
