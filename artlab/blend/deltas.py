"""Updates of layers and how they are mixed, exactly: everything happens in the space of the updates, never in that of their factors.

A layer's update is `up @ down` with its scale in it. Sums of updates are kept as longer factors; norms, angles and singular values come
from the factors by small products, without the update itself ever being formed. Float64 throughout.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

Adapter = Mapping[str, "Delta"]
Weights = Callable[[int, str], float]
"""The weight of the adapter with this index in the layer of this name."""


class BlendError(ValueError):
    """Styles that cannot be mixed as asked: which, why, and the way out."""


@dataclass(frozen=True)
class Delta:
    """The update `up @ down` of one layer: `up` (out, rank), `down` (rank, in), float64."""

    up: Tensor
    down: Tensor

    @property
    def rank(self) -> int:
        """The number of columns, which is the rank at most."""
        return self.down.shape[0]

    def dense(self) -> Tensor:
        """The update itself (out, in)."""
        return self.up @ self.down

    def times(self, weight: float) -> "Delta":
        """The update times a number."""
        return Delta(self.up * weight, self.down)

    def dot(self, other: "Delta") -> float:
        """The inner product of two updates (Frobenius), from products of the factors."""
        return float(((self.up.T @ other.up) * (self.down @ other.down.T)).sum())

    def norm(self) -> float:
        """The length of the update (Frobenius)."""
        return max(0.0, self.dot(self)) ** 0.5


def joined(parts: Sequence[Delta]) -> Delta:
    """The exact sum of updates: the factors side by side."""
    return Delta(torch.cat([part.up for part in parts], 1), torch.cat([part.down for part in parts]))


def cat(adapters: Sequence[Adapter], weights: Weights) -> dict[str, Delta]:
    """The exact weighted sum; the rank of a layer is the sum of the ranks that it has with a weight other than 0."""
    mixed = {}
    for layer in layers(adapters):
        parts = [
            adapter[layer].times(weights(index, layer))
            for index, adapter in enumerate(adapters)
            if layer in adapter and weights(index, layer)
        ]
        if parts:
            mixed[layer] = joined(parts)
    if not mixed:
        raise BlendError("All weights are 0, so nothing would be left of the styles; give at least one another weight.")
    return mixed


def slerp(first: Adapter, second: Adapter, share: float) -> dict[str, Delta]:
    """Spherical interpolation layer by layer (Shoemake 1985): the direction turns, the length goes straight from one to the other.

    A plain mean of two unlike updates is shorter than either (0.71 of it at a right angle), which weakens the style; here the length
    is kept. A layer that only one of them has is weighed plainly.
    """
    mixed = {}
    for layer in layers([first, second]):
        a, b = first.get(layer), second.get(layer)
        if a is None or b is None or not a.norm() or not b.norm():
            one, weight = (a, 1 - share) if a is not None and (b is None or a.norm()) else (b, share)
            if one is not None and weight:
                mixed[layer] = one.times(weight)
            continue
        long_a, long_b = a.norm(), b.norm()
        cosine = max(-1.0, min(1.0, a.dot(b) / (long_a * long_b)))
        if cosine < -0.9999:
            raise BlendError(
                "These two styles are each other's opposite, so no way leads from one to the other; mix them with cat."
            )
        angle = torch.acos(torch.tensor(cosine, dtype=torch.float64))
        length = (1 - share) * long_a + share * long_b
        if float(angle) < 1e-6:
            left, right = 1 - share, share
        else:
            left, right = (float(torch.sin(part * angle) / torch.sin(angle)) for part in (1 - share, share))
        parts = [one.times(by * length / long) for one, by, long in ((a, left, long_a), (b, right, long_b)) if by]
        mixed[layer] = joined(parts)
    return mixed


@dataclass(frozen=True)
class Kept:
    """What a lower rank kept of the updates' squared length: of all layers together, and of the layer that lost most."""

    energy: float
    least: float
    layer: str


def truncate(adapter: Adapter, rank: int) -> tuple[dict[str, Delta], Kept]:
    """Each layer's nearest update of that rank (Eckart and Young 1936), by a small SVD between the orthogonal parts of the factors."""
    small, whole, kept = {}, 0.0, 0.0
    least, worst = 1.0, ""
    for layer, delta in adapter.items():
        q_up, r_up = torch.linalg.qr(delta.up)
        q_down, r_down = torch.linalg.qr(delta.down.T)
        u, s, vh = torch.linalg.svd(r_up @ r_down.T, full_matrices=False)
        small[layer] = _balanced(q_up @ u[:, :rank], s[:rank], vh[:rank] @ q_down.T)
        energy, stays = float(s.square().sum()), float(s[:rank].square().sum())
        whole, kept = whole + energy, kept + stays
        if energy and stays / energy < least:
            least, worst = stays / energy, layer
    return small, Kept(kept / whole if whole else 1.0, least, worst)


def ties(adapters: Sequence[Adapter], weights: Weights, density: float, rank: int) -> tuple[dict[str, Delta], Kept]:
    """TIES (Yadav et al. 2023, arXiv 2306.01708), experimental: trim each update to its largest entries, elect a sign by sum, average
    those that agree. The result is no longer of low rank: it is cut to `rank` by SVD."""

    def merge(parts: list[Tensor], _: str) -> Tensor:
        trimmed = torch.stack([_largest(part, density) for part in parts])
        sign = torch.sign(trimmed.sum(0))
        agree = (torch.sign(trimmed) == sign) & (trimmed != 0)
        return (trimmed * agree).sum(0) / agree.sum(0).clamp_min(1)

    return _dense(adapters, weights, merge, rank)


def dare(
    adapters: Sequence[Adapter], weights: Weights, density: float, rank: int, seed: int = 0
) -> tuple[dict[str, Delta], Kept]:
    """DARE (Yu et al. 2023, arXiv 2311.03099), experimental: drop entries at random, enlarge the rest by as much, add; then cut to `rank`.

    The choice is a function of the seed and the layer's name.
    """

    def merge(parts: list[Tensor], layer: str) -> Tensor:
        generator = torch.Generator().manual_seed(hash_of(f"{seed} {layer}"))
        kept = [part * (torch.rand(part.shape, generator=generator, dtype=torch.float64) < density) / density for part in parts]
        return torch.stack(kept).sum(0)

    return _dense(adapters, weights, merge, rank)


def hash_of(text: str) -> int:
    """A number from a text, the same on every machine."""
    value = 0
    for byte in text.encode():
        value = (value * 1_000_003 + byte) % (2**61 - 1)
    return value


def layers(adapters: Sequence[Adapter]) -> list[str]:
    """The layers that any of the adapters has."""
    return sorted({layer for adapter in adapters for layer in adapter})


def distance(one: Adapter, other: Adapter) -> float:
    """The length of the difference of two adapters as a share of the first one's length."""
    difference = cat([one, other], lambda index, _: (1.0, -1.0)[index])
    return length(difference) / max(length(one), 1e-300)


def cosine(one: Adapter, other: Adapter) -> float:
    """The cosine of the angle between two adapters, all layers taken as one vector."""
    dot = sum(one[layer].dot(other[layer]) for layer in one if layer in other)
    return dot / max(length(one) * length(other), 1e-300)


def length(adapter: Adapter) -> float:
    """The length of all layers taken as one vector."""
    return sum(delta.norm() ** 2 for delta in adapter.values()) ** 0.5


def _largest(part: Tensor, density: float) -> Tensor:
    count = max(1, round(density * part.numel()))
    if count == part.numel():
        return part
    # kthvalue, not a threshold by quantile, which refuses more than 2^24 entries
    edge = part.abs().flatten().kthvalue(part.numel() - count + 1).values
    return part * (part.abs() >= edge)


def _dense(
    adapters: Sequence[Adapter], weights: Weights, merge: Callable[[list[Tensor], str], Tensor], rank: int
) -> tuple[dict[str, Delta], Kept]:
    small, whole, kept = {}, 0.0, 0.0
    least, worst = 1.0, ""
    for layer in layers(adapters):
        parts = [
            weights(index, layer) * adapter[layer].dense()
            for index, adapter in enumerate(adapters)
            if layer in adapter and weights(index, layer)
        ]
        if not parts:
            continue
        merged = merge(parts, layer)
        small[layer], stays = _cut(merged, rank)
        energy = float(merged.square().sum())
        whole, kept = whole + energy, kept + stays
        if energy and stays / energy < least:
            least, worst = stays / energy, layer
    if not small:
        raise BlendError("All weights are 0, so nothing would be left of the styles; give at least one another weight.")
    return small, Kept(min(1.0, kept / whole) if whole else 1.0, least, worst)


def _cut(matrix: Tensor, rank: int) -> tuple[Delta, float]:
    if min(matrix.shape) > 8 * rank:  # a whole SVD of a wide layer takes half a minute (Halko et al. 2011, arXiv 0909.4061)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            u, s, v = torch.svd_lowrank(matrix, q=rank + 16, niter=4)
        vh = v.T
    else:
        u, s, vh = torch.linalg.svd(matrix, full_matrices=False)
    return _balanced(u[:, :rank], s[:rank], vh[:rank]), float(s[:rank].square().sum())


def _balanced(u: Tensor, s: Tensor, vh: Tensor) -> Delta:
    """Both factors equally long, so that neither overflows in 16 bits."""
    root = s.sqrt()
    return Delta(u * root, root[:, None] * vh)
