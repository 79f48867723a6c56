"""A base's small pictures at four times the size: a residual network that works at the small size and shuffles its channels out.

After SRResNet and ESPCN (Ledig et al. 2017, Shi et al. 2016, arXiv 1609.05158). It is taught on pictures as the base's own autoencoder
hands them over, so that it takes away that autoencoder's grid as well. What it adds is edge and grain, not content.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from safetensors.torch import load as load_tensors
from torch import Tensor, nn

FACTOR = 4
WIDTH, BLOCKS = 64, 6
MARGIN = 16  # pixels around a tile, more than the network sees to each side
TILE = 256


class Upscaler(nn.Module):
    """Pictures (n, 3, h, w) in [-1, 1] to (n, 3, 4 h, 4 w): bicubic enlargement plus what was learned. 0.5 M parameters."""

    def __init__(self, width: int = WIDTH, blocks: int = BLOCKS) -> None:
        super().__init__()
        self.head = nn.Conv2d(3, width, 3, padding=1)
        self.body = nn.ModuleList(
            nn.Sequential(nn.Conv2d(width, width, 3, padding=1), nn.SiLU(), nn.Conv2d(width, width, 3, padding=1))
            for _ in range(blocks)
        )
        self.tail = nn.Conv2d(width, 3 * FACTOR**2, 3, padding=1)
        for part in self.tail.parameters():  # so that the first output is the bicubic one, with no checkerboard to unlearn
            nn.init.zeros_(part)

    def forward(self, pixels: Tensor) -> Tensor:
        x = self.head(pixels)
        for block in self.body:
            x = x + block(F.silu(x))
        plain = F.interpolate(pixels, scale_factor=FACTOR, mode="bicubic", align_corners=False)
        return plain + F.pixel_shuffle(self.tail(F.silu(x)), FACTOR)


def load(file: Path) -> Upscaler:
    """The network from its safetensors file, frozen, in float32."""
    network = Upscaler()
    network.load_state_dict({key: value.float() for key, value in load_tensors(file.read_bytes()).items()})
    return network.eval().requires_grad_(False).to(memory_format=torch.channels_last)


@torch.no_grad()
def enlarge(network: Upscaler, pictures: Sequence[Image.Image]) -> list[Image.Image]:
    """Each picture at four times its size, one by one and in tiles, so that memory and rounding don't depend on their number."""
    return [Image.fromarray(_whole(network, np.asarray(picture.convert("RGB")))) for picture in pictures]


def _whole(network: Upscaler, pixels: np.ndarray) -> np.ndarray:
    height, width, _ = pixels.shape
    large = np.empty((FACTOR * height, FACTOR * width, 3), np.uint8)
    for top in range(0, height, TILE):
        for left in range(0, width, TILE):
            bottom, right = min(top + TILE, height), min(left + TILE, width)
            above, before = min(top, MARGIN), min(left, MARGIN)
            tile = pixels[top - above : bottom + MARGIN, left - before : right + MARGIN]
            made = _tile(network, tile)[
                FACTOR * above : FACTOR * (above + bottom - top), FACTOR * before : FACTOR * (before + right - left)
            ]
            large[FACTOR * top : FACTOR * bottom, FACTOR * left : FACTOR * right] = made
    return large


def _tile(network: Upscaler, pixels: np.ndarray) -> np.ndarray:
    device = next(network.parameters()).device
    x = torch.from_numpy(np.array(pixels)).to(device).permute(2, 0, 1)[None].float().div(127.5).sub(1)
    made = network(x.contiguous(memory_format=torch.channels_last))[0]
    return made.clamp(-1, 1).add(1).mul(127.5).round().byte().permute(1, 2, 0).cpu().numpy()
