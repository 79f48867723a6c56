"""`texture`: line, grain and stroke of the style on the content, by optimising the picture's own pixels. Needs no diffusion model.

Neural style transfer (Gatys, Ecker and Bethge 2016, arXiv 1508.06576) on the taps of EfficientNet-Lite0, with the Wasserstein-2 distance
between means and covariances as style loss (see `statistics`), from coarse to fine. Departures, each for a defect of it:
- What is optimised is a Laplacian pyramid, not pixels: large areas move as one, so that fewer steps are needed and noise stays out.
  Its three finest levels have a lightness only: the eye sees no hue there, but a network does, and would sow coloured grain.
- Busy and calm places have statistics of their own, in the styles as in the content (spatial control: Gatys et al. 2017, arXiv
  1611.07865): else a sky gets the strokes that a style has in its foliage.
- The picture is shifted anew at each step. A network with strides prefers some pixels to others and would print its grid.
- Paper stays paper: where the content is plain, light and grey, the picture is held at its colour after the palette step. And colours
  averaged over 8 x 8 pixels are held everywhere, more loosely: without it hues wander in blotches.
- Of a picture too large for the memory, the statistics are gathered piece by piece and the gradients given back piece by piece: one
  large picture, not a patchwork.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as nnf

from artlab import metrics
from artlab.restyle import colour, tiles
from artlab.restyle.statistics import Gaussian, Sums, Target, barycentre

STRIDES = (2, 2, 4, 8, 16, 16)
LAYERS = (1.0, 1.0, 1.0, 1.0, 0.6, 0.4)
CONTENT = {3: 1.0, 4: 0.6}
SHIFT, FRAME, SHIFTS = 16, 4, 6
REGIONS, RARE = 2, 0.03
LEVELS, GREY = 5, 3
TILE, MARGIN = 1024, 96
COARSEST = 128
USUAL = 0.6
LARGE = 1024**2  # pixels from which on a step takes seconds

OnImage = Callable[[int, int, Tensor], None]


@dataclass(frozen=True)
class Plan:
    """How much of what: `content` against style, the steps of each scale, the learning rate, and the terms that keep it clean."""

    content: float = 1.5
    rate: float = 0.02
    steps: tuple[int, ...] = (90, 60, 40, 30, 24)
    colour: float = 24.0
    ground: float = 100.0
    variation: float = 0.4
    seed: int = 0

    @classmethod
    def of(cls, strength: float, seed: int = 0) -> "Plan":
        """The plan of a strength in (0, 1]: from the usual 0.6 on the content counts less and less, and colours and paper are let go too,
        at 1 nearly: shapes dissolve into the style's own then. Weaker ones have the usual plan, see `faded`."""
        more = USUAL / max(USUAL, strength)
        return cls(content=cls.content * more**3, colour=cls.colour * more**6, ground=cls.ground * more**6, seed=seed)


def faded(content: Tensor, made: Tensor, strength: float) -> Tensor:
    """What a strength below the usual one makes: part of the way to the usual result, for a content that outweighs all other terms
    would let hues drift."""
    return content.lerp(made, min(1.0, strength / USUAL))


def stylise(
    content: Tensor,
    styles: Sequence[tuple[Tensor, float]],
    plan: Plan | None = None,
    *,
    paper: Tensor | None = None,
    brush: float = 1.0,
    on_image: OnImage | None = None,
) -> Tensor:
    """The content (3, h, w), already in the style's colours, with the texture of the weighted style pictures.

    `paper` (1, h, w) says where plain paper is to stay (see `ground`; found in the content if left out).
    `brush` is the size of the style's strokes: 2 doubles it. `on_image(step, steps, picture)` sees the picture as it grows.
    """
    plan = plan or Plan()
    paper = ground(content) if paper is None else paper
    sizes = scales(content.shape[1], content.shape[2])
    steps = [plan.steps[min(k, len(plan.steps) - 1)] for k in range(len(sizes))]
    done, change = 0, torch.zeros(3, 1, 1)
    for size, count in zip(sizes, steps, strict=True):
        goal = colour.resize(content, size)
        # What the coarser scale changed goes on; its picture would have lost the content's fine lines.
        start = (goal + colour.resize(change, size)).clamp(0, 1)
        targets = style_targets(styles, max(size), brush)
        refined = Refinement(goal, start, colour.resize(paper, size), targets, plan)
        often = size[0] * size[1] >= LARGE
        for step in range(count):
            refined.step(step, count)
            if on_image and (often or step % 10 == 9 or step == count - 1):
                on_image(done + step + 1, sum(steps), refined.average)
        change, done = refined.average - goal, done + count
    return refined.average.clamp(0, 1)


def scales(height: int, width: int) -> list[tuple[int, int]]:
    """Sizes from about 128 pixels on the longer side to the whole, each twice the one before."""
    longest = max(height, width)
    sides = [longest / 2**k for k in range(12) if k == 0 or longest / 2**k >= COARSEST * 0.75]
    return [(max(16, round(height * s / longest)), max(16, round(width * s / longest))) for s in reversed(sides)]


@torch.no_grad()
def style_targets(styles: Sequence[tuple[Tensor, float]], longest: int, brush: float = 1.0) -> list[list[Target]]:
    """A target per tap and region (busy, calm): the average over the styles, each as large as the content is now, never enlarged by
    more than half."""
    layers: list[list[list[tuple[Gaussian, float]]]] = [[[] for _ in range(REGIONS)] for _ in STRIDES]
    for picture, weight in styles:
        side = max(picture.shape[1:])
        factor = min(longest * brush / side, max(1.0, brush) * 1.5)
        small = colour.resize(picture, (max(32, round(picture.shape[1] * factor)), max(32, round(picture.shape[2] * factor))))
        for layer, sums in zip(layers, _sums(small, regions(small, ground(small))), strict=True):
            whole = Sums(0.0, torch.zeros_like(sums[0].first), torch.zeros_like(sums[0].second))
            for one in sums:
                whole.add(one)
            for region, one in zip(layer, sums, strict=True):
                region.append(((one if one.mass > RARE * whole.mass else whole).gaussian(), weight))
    return [[Target(barycentre(region)) for region in layer] for layer in layers]


@torch.no_grad()
def _sums(picture: Tensor, masks: Tensor) -> list[list[Sums]]:
    """Statistics of all taps and regions, over pieces if need be, at two shifts."""
    total: list[list[Sums]] = []
    for shift in ((0, 0), (7, 5)):
        padded, weights = _pad(picture, shift), _pad(masks, shift, "constant")
        for tile in tiles.partition(padded.shape[1], padded.shape[2], TILE, MARGIN, SHIFT):
            _gather(total, _own(_taps(padded, tile), tile), _weights(weights, tile))
    return total


def _gather(total: list[list[Sums]], layers: Sequence[Tensor], weights: Sequence[Tensor]) -> None:
    """Add a piece to the sums per tap and region; the first piece begins them."""
    piece = [[Sums.of(layer, region) for region in masks[:REGIONS]] for layer, masks in zip(layers, weights, strict=True)]
    if not total:
        total.extend(piece)
        return
    for layer, more in zip(total, piece, strict=True):
        for one, other in zip(layer, more, strict=True):
            one.add(other)


def _pad(picture: Tensor, shift: tuple[int, int], mode: str = "reflect") -> Tensor:
    """The picture inside a frame of mirrored pixels (`constant`: of zeros), FRAME and `shift` before it and FRAME at least behind it, to
    sides that are a multiple of SHIFT. `shift` is up to SHIFT - 2 * FRAME: every pixel of a frame costs as much as one of the picture."""
    height, width = picture.shape[1:]
    above, before = FRAME + shift[0], FRAME + shift[1]
    below, after = SHIFT - above + -height % SHIFT, SHIFT - before + -width % SHIFT
    if mode == "reflect" and min(height, width) <= 3 * SHIFT:
        mode = "replicate"
    return nnf.pad(picture[None], (before, after, above, below), mode=mode)[0]


def _taps(padded: Tensor, tile: tiles.Tile) -> list[Tensor]:
    top, bottom, left, right = tile.outer
    piece = padded[None, :, top:bottom, left:right].contiguous(memory_format=torch.channels_last)
    return [layer[0] for layer in metrics.taps(piece * 2 - 1)]


def _own(layers: Sequence[Tensor], tile: tiles.Tile) -> list[Tensor]:
    """The parts of feature maps that belong to the tile itself, not to its surroundings."""
    own = []
    for layer, stride in zip(layers, STRIDES, strict=True):
        top, left = (tile.top - tile.outer[0]) // stride, (tile.left - tile.outer[2]) // stride
        tall, wide = (tile.bottom - tile.top) // stride, (tile.right - tile.left) // stride
        own.append(layer[:, top : top + tall, left : left + wide])
    return own


def _weights(padded: Tensor, tile: tiles.Tile) -> list[Tensor]:
    """How much each place of each tap counts for each region, and whether it is in the picture (regions + 1, h, w). The frame of
    mirrored pixels counts nothing: it would pull twice at what it mirrors."""
    piece = padded[None, :, tile.top : tile.bottom, tile.left : tile.right]
    return [nnf.avg_pool2d(piece, stride)[0] for stride in STRIDES]


class Refinement:
    """One scale of the optimisation: a pyramid that Adam moves, and the running average of the pictures that it stands for."""

    def __init__(self, goal: Tensor, start: Tensor, paper: Tensor, targets: Sequence[Sequence[Target]], plan: Plan) -> None:
        self.goal, self.targets, self.plan, self.paper = goal, targets, plan, paper
        self.pyramid = decompose(start, LEVELS)
        self.moves = [torch.zeros_like(level[: 1 if k < GREY else 3]).requires_grad_() for k, level in enumerate(self.pyramid)]
        free = (1 - paper).clamp(0, 1)
        self.free = [nnf.adaptive_avg_pool2d(free[None], (level.shape[1], level.shape[2]))[0] for level in self.pyramid]
        self.adam = [Adam(torch.zeros_like(move), torch.zeros_like(move)) for move in self.moves]
        shifts = torch.randint(0, SHIFT - 2 * FRAME + 1, (SHIFTS, 2), generator=torch.Generator().manual_seed(plan.seed)).tolist()
        self.shifts: list[tuple[int, int]] = [(int(down), int(right)) for down, right in shifts]
        self.average = start
        self.masks = regions(goal, paper)
        # A drawing in ink must not catch a hue: hues move as far as there are hues after the palette step.
        self.hue = min(1.0, float(colour.to_oklab(goal)[1:].norm(dim=0).mean()) / 0.06)
        self.coarse = nnf.avg_pool2d(goal[None], 8, ceil_mode=True, count_include_pad=False)
        self.known: dict[int, tuple[list[Tensor], list[Tensor]]] = {}
        self.size: dict[int, float] = {}
        self.loss = 0.0

    def step(self, index: int, count: int) -> None:
        """One step; the rate falls to a fifth along a half cosine."""
        rate = self.plan.rate * (0.6 + 0.4 * math.cos(math.pi * index / max(1, count - 1)))
        picture = self.compose()
        self.loss, gradient = self._features(picture.detach().clamp(0, 1), index % SHIFTS)
        total = (picture * gradient).sum() + self._plainness(picture)
        with torch.no_grad():
            for move, adam, slope in zip(self.moves, self.adam, torch.autograd.grad(total, self.moves), strict=True):
                move -= rate * adam.direction(slope, index + 1)
            now = self.compose().clamp(0, 1)
            decay = min(0.9, index / (index + 10))
            self.average = self.average * decay + now * (1 - decay)

    def compose(self) -> Tensor:
        """The picture as it is now."""
        moved = []
        for level, move, free in zip(self.pyramid, self.moves, self.free, strict=True):
            grey = move.mean(dim=0, keepdim=True)
            moved.append(level + (grey + (move - grey) * self.hue) * free)
        return compose(moved)

    def _plainness(self, picture: Tensor) -> Tensor:
        """The terms on pixels: paper, coarse colour, total variation."""
        plan, difference = self.plan, picture - self.goal
        coarse = nnf.avg_pool2d(picture[None], 8, ceil_mode=True, count_include_pad=False)
        variation = (picture[:, 1:] - picture[:, :-1]).square().mean() + (picture[:, :, 1:] - picture[:, :, :-1]).square().mean()
        return (
            plan.ground * (self.paper * difference.square()).mean()
            + plan.colour * (coarse - self.coarse).square().mean()
            + plan.variation * variation
        )

    def _features(self, picture: Tensor, turn: int) -> tuple[float, Tensor]:
        """The loss on features, and its gradient with respect to the picture."""
        shift = self.shifts[turn]
        leaf = picture.requires_grad_()
        padded = _pad(leaf, shift)
        pieces = list(tiles.partition(padded.shape[1], padded.shape[2], TILE, MARGIN, SHIFT))
        total: list[list[Sums]] = []
        if len(pieces) == 1:
            layers = _taps(padded, pieces[0])
            wanted, weights = self._known(turn, pieces[0])
            with torch.no_grad():
                _gather(total, layers, weights)
            loss, pulls = self._style(total)
            self._pull(layers, weights, pulls, wanted)
        else:
            with torch.no_grad():
                masks = _pad(self.masks, shift, "constant")
                for tile in pieces:
                    _gather(total, _own(_taps(padded, tile), tile), _weights(masks, tile))
            loss, pulls = self._style(total)
            for tile in pieces:
                wanted, weights = self._known(turn, tile, keep=False)
                self._pull(_own(_taps(_pad(leaf, shift), tile), tile), weights, pulls, wanted)
        assert leaf.grad is not None
        return loss, leaf.grad

    def _style(self, sums: Sequence[Sequence[Sums]]) -> tuple[float, list[list[tuple[Tensor, Tensor, Tensor, float]]]]:
        """The style loss, and per tap and region the mean, the pulls on mean and covariance, and the mass that they are shared by."""
        loss, pulls = 0.0, list[list[tuple[Tensor, Tensor, Tensor, float]]]()
        for targets, layer, weight in zip(self.targets, sums, LAYERS, strict=True):
            mass = max(sum(one.mass for one in layer), 1e-9)
            pulls.append([])
            for target, one in zip(targets, layer, strict=True):
                now = one.gaussian()
                distance, to_mean, to_covariance = target.distance(now)
                loss += weight * distance * one.mass / mass
                pulls[-1].append((now.mean, weight * to_mean, weight * to_covariance, mass))
        return loss, pulls

    def _pull(
        self,
        layers: Sequence[Tensor],
        weights: Sequence[Tensor],
        pulls: Sequence[Sequence[tuple[Tensor, Tensor, Tensor, float]]],
        wanted: Sequence[Tensor],
    ) -> None:
        """Send back to the picture what style and content ask of each feature."""
        gradients = []
        with torch.no_grad():
            for layer, masks, regions_ in zip(layers, weights, pulls, strict=True):
                flat, pull = layer.flatten(1), torch.zeros_like(layer).flatten(1)
                for mask, (mean, to_mean, to_covariance, mass) in zip(masks[:REGIONS], regions_, strict=True):
                    pull += (to_mean[:, None] + 2 * to_covariance @ (flat - mean[:, None])) * (mask.flatten() / mass)
                gradients.append(pull.view(layer.shape))
            for (at, weight), feature in zip(CONTENT.items(), wanted, strict=True):
                scale = self.plan.content * weight / (self.size[at] * pulls[at][0][3])
                gradients[at] = gradients[at] + 2 * scale * (layers[at] - feature) * weights[at][REGIONS]
        torch.autograd.backward(list(layers), gradients)

    @torch.no_grad()
    def _known(self, turn: int, tile: tiles.Tile, keep: bool = True) -> tuple[list[Tensor], list[Tensor]]:
        """The content's features and the weights of the regions on a tile at a shift."""
        if turn in self.known:
            return self.known[turn]
        shift = self.shifts[turn]
        layers = _own(_taps(_pad(self.goal, shift), tile), tile)
        found = [layers[at].clone() for at in CONTENT], _weights(_pad(self.masks, shift, "constant"), tile)
        if not self.size:
            whole = layers if keep else _taps(_pad(self.goal, shift), tile)
            self.size = {at: float(whole[at].square().sum(dim=0).mean()) for at in CONTENT}
        if keep:
            self.known[turn] = found
        return found


@dataclass
class Adam:
    """Adam (Kingma and Ba 2015) whose steps are small where slopes are small: half of what they are divided by is the whole level's.

    Plain Adam divides by each pixel's own slope. Where there is nothing to do it takes noise for a slope and sows grain.
    """

    first: Tensor
    second: Tensor

    def direction(self, slope: Tensor, count: int, beta1: float = 0.9, beta2: float = 0.97) -> Tensor:
        """Where to go, of about unit size, after `count` calls."""
        self.first.mul_(beta1).add_(slope, alpha=1 - beta1)
        self.second.mul_(beta2).addcmul_(slope, slope, value=1 - beta2)
        size = (self.second / 2 + self.second.mean() / 2) / (1 - beta2**count)
        return self.first / (1 - beta1**count) / (size.sqrt() + 1e-12)


def decompose(picture: Tensor, levels: int) -> list[Tensor]:
    """A Laplacian pyramid (Burt and Adelson 1983), finest first; `compose` gives the picture back."""
    pyramid = []
    for _ in range(levels - 1):
        if min(picture.shape[1:]) < 8:
            break
        small = colour.resize(picture, (-(-picture.shape[1] // 2), -(-picture.shape[2] // 2)))
        pyramid.append((picture - _enlarge(small, picture)).detach().clone())
        picture = small
    return [*pyramid, picture.detach().clone()]


def compose(pyramid: Sequence[Tensor]) -> Tensor:
    """The picture of a pyramid."""
    picture = pyramid[-1]
    for level in reversed(pyramid[:-1]):
        picture = level + _enlarge(picture, level)
    return picture


def _enlarge(small: Tensor, like: Tensor) -> Tensor:
    return nnf.interpolate(small[None], size=like.shape[1:], mode="bilinear", align_corners=False)[0]


@torch.no_grad()
def ground(picture: Tensor) -> Tensor:
    """(1, h, w), 1 where the picture is plain paper (no edge within some pixels, light, nearly grey), 0 where something is drawn."""
    lab = colour.to_oklab(picture)
    radius = max(1, round(max(picture.shape[1:]) / 160))
    spread = (colour.box(lab.square(), 2) - colour.box(lab, 2) ** 2).clamp_min(0).sum(dim=0, keepdim=True).sqrt()
    busy = nnf.max_pool2d(spread[None], 2 * radius + 1, stride=1, padding=radius)[0]
    light = ((lab[:1] - 0.78) / 0.1).clamp(0, 1)
    grey = ((0.09 - lab[1:].norm(dim=0, keepdim=True)) / 0.03).clamp(0, 1)
    return colour.box((1.5 - busy / 0.02).clamp(0, 1) * light * grey, 1)


@torch.no_grad()
def regions(picture: Tensor, paper: Tensor) -> Tensor:
    """(3, h, w): how busy and how calm each place is, plain paper being neither and counting nothing; and 1 all over."""
    lightness = colour.to_oklab(picture)[:1]
    radius = max(2, round(max(picture.shape[1:]) / 48))
    spread = (colour.box(lightness.square(), radius) - colour.box(lightness, radius) ** 2).clamp_min(0).sqrt()
    busy = ((colour.box(spread, radius) - 0.02) / 0.06).clamp(0, 1)
    return torch.cat([torch.cat([busy, 1 - busy]) * (1 - paper).clamp_min(0.005), torch.ones_like(busy)])
