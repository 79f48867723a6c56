"""Pictures of any size in pieces: tiles that cover a picture, and windows whose results are laid over each other without a seam."""

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Tile:
    """A piece: the rows and columns that are its own, and `outer` (top, bottom, left, right), which has its surroundings too."""

    top: int
    bottom: int
    left: int
    right: int
    outer: tuple[int, int, int, int]


def partition(height: int, width: int, side: int, margin: int, step: int = 1) -> Iterator[Tile]:
    """Tiles that cover each pixel once, about `side` long, cut at multiples of `step`, with up to `margin` pixels around."""
    for top, bottom in _spans(height, side, step):
        for left, right in _spans(width, side, step):
            outer = (max(0, top - margin), min(height, bottom + margin), max(0, left - margin), min(width, right + margin))
            yield Tile(top, bottom, left, right, outer)


def _spans(length: int, side: int, step: int) -> list[tuple[int, int]]:
    count = max(1, -(-length // side))
    edges = [round(length * k / count / step) * step for k in range(count)] + [length]
    return [(a, b) for a, b in itertools.pairwise(edges) if b > a]


def starts(length: int, side: int, overlap: int) -> list[int]:
    """Where windows of `side` begin that cover `length` with at least `overlap` between neighbours, evenly spread."""
    if length <= side:
        return [0]
    count = -(-(length - overlap) // (side - overlap))
    return [round((length - side) * k / (count - 1)) for k in range(count)]


def windows(
    height: int, width: int, side: tuple[int, int], overlap: int, work: Callable[[slice, slice], Tensor], factor: int = 1
) -> Tensor:
    """What `work(rows, columns)` makes of each window (..., h * factor, w * factor), cross-faded where windows overlap."""
    total: Tensor | None = None
    mass = torch.zeros(1)
    for top in starts(height, side[0], overlap):
        for left in starts(width, side[1], overlap):
            bottom, right = min(height, top + side[0]), min(width, left + side[1])
            piece = work(slice(top, bottom), slice(left, right))
            inner = (top == 0, bottom == height, left == 0, right == width)
            weights = fade(bottom - top, right - left, overlap, inner, factor).to(piece)
            if total is None:
                total = piece.new_zeros(*piece.shape[:-2], height * factor, width * factor)
                mass = piece.new_zeros(height * factor, width * factor)
            rows, columns = slice(top * factor, bottom * factor), slice(left * factor, right * factor)
            total[..., rows, columns] += piece * weights
            mass[rows, columns] += weights
    assert total is not None
    return total / mass


def fade(height: int, width: int, overlap: int, edges: tuple[bool, bool, bool, bool], factor: int = 1) -> Tensor:
    """Weights that rise over `overlap` from each side (top, bottom, left, right), but for the sides that are the picture's own."""

    def line(length: int, first: bool, last: bool) -> Tensor:
        reach = min(overlap * factor, length // 2)
        rise = torch.sin((torch.arange(reach) + 0.5) / max(reach, 1) * torch.pi / 2) ** 2
        weights = torch.ones(length)
        if not first:
            weights[:reach] = rise
        if not last:
            weights[length - reach :] *= rise.flip(0)
        return weights

    return line(height * factor, *edges[:2])[:, None] * line(width * factor, *edges[2:])[None]
