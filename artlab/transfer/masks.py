"""A mask: where in the picture the style goes. White is all of it, black nothing, grey in between; edges are feathered a little."""

from pathlib import Path

from PIL import Image
from torch import Tensor

from artlab.restyle import colour
from artlab.transfer.sources import TransferError, open_picture


def load(path: Path, wanted: tuple[int, int], size: tuple[int, int]) -> Tensor:
    """(1, h, w) in [0, 1] at `size` (width, height), from a mask that has the content's own size `wanted`. Raises TransferError."""
    picture = open_picture(path, "mask").picture
    if picture.size != wanted:
        raise TransferError(
            f"The mask {path} is {picture.width}x{picture.height}, the picture {wanted[0]}x{wanted[1]}. "
            "Make the mask on a copy of the picture, so that both have one size."
        )
    grey = colour.pixels(picture.convert("L").resize(size, Image.Resampling.LANCZOS).convert("RGB"))[:1]
    if float(grey.max()) < 0.02:
        raise TransferError(f"The mask {path} is black all over: the style would go nowhere. White is where it goes.")
    return colour.box(grey, max(1, max(size) // 300))


def blend(content: Tensor, result: Tensor, mask: Tensor) -> Tensor:
    """The result where the mask is white, the content where it is black. Outside the feathered mask the content stays to the bit."""
    return content + (result - content) * mask
