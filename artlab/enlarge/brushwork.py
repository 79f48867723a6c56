"""Brushwork from an artist's own works: detail that the small picture lacks is taken, patch by patch, from works that have it.

Example-based super-resolution (Freeman, Jones and Pasztor 2002) with a nearest-neighbour field found as in PatchMatch (Barnes et al. 2009),
from coarse to fine as in GPNN (Granot et al. 2022, arXiv 2103.15545). At each scale the works are seen twice: blurred, as the picture is,
and sharp. A patch of the picture is looked up among the blurred ones; what is laid on it is the difference to the sharp one.
Departures: a field prefers to go on in the same work next to where its neighbour is, so that whole strokes come over; a place in a work
that is used often becomes dear, so that nothing is seen twice; and after each scale the result is made to be the small picture again
when it is made small (back-projection, Irani and Peleg 1991), so that motif and colours stay.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as nnf

from artlab.restyle import colour

STRIDE, PATCH, WIDTHS = 4, 9, 14
ROUNDS = 6
STRIP = 32
CHROMA = 0.35
DEAR = 0.35
WHOLE = 0.75
CELL = 8
LONGEST = 1024

OnImage = Callable[[int, int, Tensor], None]


@dataclass(frozen=True)
class Works:
    """All works of one scale in one row of pixels: where each begins, how large it is, features (n, d), and what sharpness adds (n, 3)."""

    begin: Tensor
    height: Tensor
    width: Tensor
    features: Tensor
    detail: Tensor
    spread: Tensor
    basis: Tensor


def enlarge(
    picture: Tensor,
    works: Sequence[Tensor],
    size: tuple[int, int],
    *,
    brush: float = 1.0,
    strength: float = 1.0,
    seed: int = 0,
    on_image: OnImage | None = None,
) -> Tensor:
    """The picture (3, h, w) at `size` (height, width), with the brushwork of the works (3, h, w), whose pixels count `brush` of its own."""
    factor = max(size) / max(picture.shape[1:])
    count = max(1, math.ceil(math.log2(factor) - 0.05))
    ratio = factor ** (1 / count)
    current = picture
    for level in range(1, count + 1):
        shape = size if level == count else tuple(round(side * ratio**level) for side in picture.shape[1:])
        blurred = colour.resize(current, (shape[0], shape[1]))
        shrink = brush * ratio ** (level - count)
        examples = learn(works, shrink, ratio)
        field = match(blurred, examples, seed + level)
        current = faithful(lay_on(blurred, examples, field, strength), picture).clamp(0, 1)
        if on_image:
            on_image(level, count, current)
    return current


def learn(works: Sequence[Tensor], shrink: float, ratio: float) -> Works:
    """The works made `shrink` times as large, what they lose when they are made smaller by `ratio`, and features of what is left."""
    layers, details, shapes = [], [], []
    for work in works:
        sharp = colour.to_oklab(_scaled(_middle(work, LONGEST / shrink), shrink).clamp(0, 1))
        blurred = colour.resize(_scaled(sharp, 1 / ratio), (sharp.shape[1], sharp.shape[2]))
        layers.append(blurred)
        details.append((sharp - blurred).flatten(1).T)
        shapes.append(sharp.shape[1:])
    patches = torch.cat([_patches(layer)[:, ::7] for layer in layers], dim=1)
    basis = _basis(patches)
    sizes = torch.tensor([list(shape) for shape in shapes])
    counts = sizes.prod(dim=1)
    return Works(
        begin=counts.cumsum(0) - counts,
        height=sizes[:, 0],
        width=sizes[:, 1],
        features=torch.cat([_features(layer, basis) for layer in layers]),
        detail=torch.cat(details) * torch.tensor([1.0, CHROMA, CHROMA]),
        spread=torch.cat([_spread(layer).flatten() for layer in layers]),
        basis=basis,
    )


def _scaled(picture: Tensor, factor: float) -> Tensor:
    return colour.resize(
        picture, (max(2 * PATCH, round(picture.shape[1] * factor)), max(2 * PATCH, round(picture.shape[2] * factor)))
    )


def _middle(picture: Tensor, side: float) -> Tensor:
    """The middle of a work, at most `side` long: more texture than that only costs memory."""
    height, width = picture.shape[1:]
    tall, wide = min(height, int(side)), min(width, int(side))
    top, left = (height - tall) // 2, (width - wide) // 2
    return picture[:, top : top + tall, left : left + wide]


def _patches(lab: Tensor) -> Tensor:
    """The lightness around each pixel (PATCH^2, h * w), its mean taken off."""
    half = PATCH // 2
    flat = nnf.unfold(nnf.pad(lab[None, :1], (half,) * 4, mode="reflect"), PATCH)[0]
    return flat - flat.mean(dim=0, keepdim=True)


def _basis(patches: Tensor) -> Tensor:
    """The main shapes of patches (PATCH^2, WIDTHS)."""
    _, vectors = torch.linalg.eigh(patches @ patches.T)
    return vectors[:, -WIDTHS:]


def _features(lab: Tensor, basis: Tensor, stride: int = 1) -> Tensor:
    """(h * w, WIDTHS + 3), at every `stride`-th pixel: a patch's shape in the basis, and more faintly its lightness and hue. In strips, for 4,000 pixels."""
    rows = []
    half, height = PATCH // 2, lab.shape[1]
    padded = nnf.pad(lab[None, :1], (half,) * 4, mode="reflect")
    kernel = (basis - basis.mean(dim=0, keepdim=True)).T.reshape(WIDTHS, 1, PATCH, PATCH)
    tone = colour.box(lab, half) * PATCH * torch.tensor([0.2, 0.5, 0.5])[:, None, None]
    for top in range(0, height, 256):
        shapes = nnf.conv2d(padded[:, :, top : min(height, top + 256) + 2 * half], kernel, stride=stride)[0]
        rows.append(torch.cat([shapes, tone[:, top : top + 256 : stride, ::stride]]).flatten(1).T)
    return torch.cat(rows)


def _spread(lab: Tensor) -> Tensor:
    """How much the lightness varies around each pixel (h, w)."""
    lightness = lab[:1]
    return (colour.box(lightness.square(), PATCH // 2) - colour.box(lightness, PATCH // 2) ** 2).clamp_min(0).sqrt()[0]


# -- matching ---------------------------------------------------------------------------------------------------------------


@dataclass
class Field:
    """For each node of a grid over the picture (rows, columns): which work, and where in it; and what that costs."""

    work: Tensor
    y: Tensor
    x: Tensor
    cost: Tensor


def match(blurred: Tensor, works: Works, seed: int = 0) -> Field:
    """The nearest-neighbour field from the picture (3, h, w) to the works."""
    draw = torch.Generator().manual_seed(seed)
    across = len(range(0, blurred.shape[2], STRIDE))
    wanted = _features(colour.to_oklab(blurred), works.basis, STRIDE).unflatten(0, (-1, across))
    shape = wanted.shape[:2]
    share = (works.height * works.width).double()
    which = torch.multinomial(share, shape[0] * shape[1], replacement=True, generator=draw).view(shape)
    field = Field(which, _within(works.height[which], draw), _within(works.width[which], draw), torch.empty(shape))
    price, usual = torch.zeros(len(works.features)), 0.0
    field.cost = _cost(wanted, works, price, field.work, field.y, field.x)
    for turn in range(ROUNDS):
        reach = max(works.height.max(), works.width.max()).item()
        for dy, dx in ((0, 1), (1, 0), (0, -1), (-1, 0)) * 2:
            _propagate(field, wanted, works, price, dy, dx)
        while reach > STRIDE:
            _wander(field, wanted, works, price, int(reach), draw)
            reach /= 3
        _anywhere(field, wanted, works, price, draw)
        if turn < ROUNDS - 1:
            usual = usual or float(field.cost.median())
            price = (price + DEAR * usual * _used(field, works)) / 2  # halfway: else all leave a place at once, and come back
            field.cost = _cost(wanted, works, price, field.work, field.y, field.x)
    return field


def _within(length: Tensor, draw: torch.Generator) -> Tensor:
    return (torch.rand(length.shape, generator=draw) * length).long().clamp_max(length - 1)


def _cost(wanted: Tensor, works: Works, price: Tensor, work: Tensor, y: Tensor, x: Tensor) -> Tensor:
    at = works.begin[work] + y * works.width[work] + x
    return (works.features[at] - wanted).square().sum(dim=-1) + price[at]


def _take(field: Field, better: Tensor, work: Tensor, y: Tensor, x: Tensor, cost: Tensor) -> None:
    field.work = torch.where(better, work, field.work)
    field.y, field.x = torch.where(better, y, field.y), torch.where(better, x, field.x)
    field.cost = torch.where(better, cost, field.cost)


def _propagate(field: Field, wanted: Tensor, works: Works, price: Tensor, dy: int, dx: int) -> None:
    """What lies beside the place that the neighbour has found, in the same work. Going on is worth a little: strokes stay whole."""

    def from_neighbour(values: Tensor) -> Tensor:
        return torch.roll(values, (dy, dx), dims=(0, 1))

    work = from_neighbour(field.work)
    y, x = from_neighbour(field.y) + dy * STRIDE, from_neighbour(field.x) + dx * STRIDE
    valid = (y >= 0) & (x >= 0) & (y < works.height[work]) & (x < works.width[work])
    y, x = torch.where(valid, y, 0), torch.where(valid, x, 0)
    cost = WHOLE * _cost(wanted, works, price, work, y, x)
    _take(field, valid & (cost < field.cost), work, y, x, cost)


def _wander(field: Field, wanted: Tensor, works: Works, price: Tensor, reach: int, draw: torch.Generator) -> None:
    """A random place around the one found, in the same work."""
    shape = field.y.shape
    y = field.y + torch.randint(-reach, reach + 1, shape, generator=draw)
    x = field.x + torch.randint(-reach, reach + 1, shape, generator=draw)
    y = y.clamp_min(0).minimum(works.height[field.work] - 1)
    x = x.clamp_min(0).minimum(works.width[field.work] - 1)
    cost = _cost(wanted, works, price, field.work, y, x)
    _take(field, cost < field.cost, field.work, y, x, cost)


def _anywhere(field: Field, wanted: Tensor, works: Works, price: Tensor, draw: torch.Generator) -> None:
    """A random place in a random work."""
    work = torch.randint(0, len(works.begin), field.work.shape, generator=draw)
    y, x = _within(works.height[work], draw), _within(works.width[work], draw)
    cost = _cost(wanted, works, price, work, y, x)
    _take(field, cost < field.cost, work, y, x, cost)


def _used(field: Field, works: Works) -> Tensor:
    """How often each pixel of the works is used again after the first time, counted in cells of CELL pixels."""
    across = (works.width + CELL - 1) // CELL
    cells = across * ((works.height + CELL - 1) // CELL)
    begin = cells.cumsum(0) - cells
    used = begin[field.work] + field.y // CELL * across[field.work] + field.x // CELL
    count = torch.bincount(used.flatten(), minlength=int(cells.sum())).float()
    once = (CELL / STRIDE) ** 2
    again = (count / once - 1).clamp_min(0)
    pixels = []
    for k in range(len(begin)):
        grid = again[begin[k] : begin[k] + cells[k]].view(-1, int(across[k]))
        whole = grid.repeat_interleave(CELL, 0).repeat_interleave(CELL, 1)
        pixels.append(whole[: int(works.height[k]), : int(works.width[k])].flatten())
    return torch.cat(pixels)


# -- laying on --------------------------------------------------------------------------------------------------------------


def lay_on(blurred: Tensor, works: Works, field: Field, strength: float = 1.0) -> Tensor:
    """The picture with the works' detail at the places found, patches cross-faded, as strong as the picture's own edges ask for."""
    lab = colour.to_oklab(blurred)
    height, width = lab.shape[1:]
    own = _spread(lab)[::STRIDE, ::STRIDE]
    at = works.begin[field.work] + field.y * works.width[field.work] + field.x
    gain = ((own + 0.01) / (works.spread[at] + 0.01)).clamp(0.1, 1.4) * strength
    half = PATCH // 2
    line = torch.exp(-(((torch.arange(PATCH) - half) / (0.7 * STRIDE)) ** 2) / 2)
    weights = (line[:, None] * line[None]).flatten()
    total = torch.zeros(3, height + 2 * half, width + 2 * half)
    mass = torch.zeros(height + 2 * half, width + 2 * half)
    reach = torch.arange(-half, half + 1)
    for top in range(0, field.y.shape[0], STRIP):
        rows = slice(top, top + STRIP)
        tall, wide, work = works.height[field.work[rows]], works.width[field.work[rows]], field.work[rows]
        y = (field.y[rows, :, None] + reach).clamp_min(0).minimum(tall[..., None] - 1)
        x = (field.x[rows, :, None] + reach).clamp_min(0).minimum(wide[..., None] - 1)
        place = works.begin[work][..., None, None] + y[..., :, None] * wide[..., None, None] + x[..., None, :]
        patches = works.detail[place.flatten(2)] * (weights * gain[rows, :, None])[..., None]
        count, across = patches.shape[:2]
        size = ((count - 1) * STRIDE + PATCH, (across - 1) * STRIDE + PATCH)
        columns = patches.permute(3, 2, 0, 1).reshape(1, 3 * PATCH**2, -1)
        spread = nnf.fold(columns, size, PATCH, stride=STRIDE)[0]
        ones = nnf.fold(weights[None, :, None].expand(1, -1, count * across), size, PATCH, stride=STRIDE)[0, 0]
        down = min(size[0], total.shape[1] - top * STRIDE)
        right = min(size[1], total.shape[2])
        total[:, top * STRIDE : top * STRIDE + down, :right] += spread[:, :down, :right]
        mass[top * STRIDE : top * STRIDE + down, :right] += ones[:down, :right]
    detail = (total / mass.clamp_min(1e-6))[:, half : half + height, half : half + width]
    return colour.from_oklab(lab + detail)


def faithful(large: Tensor, small: Tensor, rounds: int = 2) -> Tensor:
    """The large picture, changed so that it becomes the small one again when made small."""
    for _ in range(rounds):
        lost = small - colour.resize(large, (small.shape[1], small.shape[2]))
        large = large + colour.resize(lost, (large.shape[1], large.shape[2]))
    return large
