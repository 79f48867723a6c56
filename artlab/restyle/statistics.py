"""Mean and covariance of feature maps, the distance between two of them, and their average.

A Gaussian stands for what a layer sees all over a picture: N(m, C). The distance is Wasserstein-2 in closed form, |m1 - m2|^2 +
tr(C1 + C2 - 2 (C2^1/2 C1 C2^1/2)^1/2), as a style loss first in K. Crowson's style-transfer-pytorch (2021); its average is the
barycentre of Agueh and Carlier (2011) by the fixed point of Álvarez-Esteban et al. (2016). Departures: the gradient is taken in closed
form too (I - T, T the optimal map between the Gaussians), so that no gradient runs through a matrix root, and a picture can be worked on
in pieces.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass
class Sums:
    """Mass, sum (c,) and sum of outer products (c, c), to which pieces of a picture are added one after the other."""

    mass: float
    first: Tensor
    second: Tensor

    @classmethod
    def of(cls, features: Tensor, weights: Tensor) -> "Sums":
        """Of a feature map (c, h, w), each place counted by its weight (h, w)."""
        flat, share = features.flatten(1), weights.flatten()
        weighted = flat * share
        return cls(float(share.sum()), weighted.sum(dim=1), weighted @ flat.T)

    def add(self, other: "Sums") -> None:
        """Take another piece in."""
        self.mass += other.mass
        self.first = self.first + other.first
        self.second = self.second + other.second

    def gaussian(self) -> "Gaussian":
        """Mean and covariance of all pieces."""
        mean = self.first / max(self.mass, 1e-9)
        return Gaussian(mean, self.second / max(self.mass, 1e-9) - torch.outer(mean, mean))


@dataclass(frozen=True)
class Gaussian:
    """Mean (c,) and covariance (c, c)."""

    mean: Tensor
    covariance: Tensor


class Target:
    """The Gaussian that a layer's statistics shall have, with what its distances need worked out once."""

    def __init__(self, wanted: Gaussian) -> None:
        self.wanted = wanted
        self.root = root(wanted.covariance)
        self.size = float(wanted.mean.square().sum() + wanted.covariance.trace())
        # Directions in which nearly nothing varies are left alone: their gradient would be the noise of rounding.
        self.epsilon = 2e-3 * float(wanted.covariance.trace()) / len(wanted.mean) + 1e-12

    def distance(self, now: Gaussian) -> tuple[float, Tensor, Tensor]:
        """Squared W2 over the target's own size, and its gradients with respect to the mean (c,) and the covariance (c, c)."""
        shift = now.mean - self.wanted.mean
        middle = self.root @ now.covariance @ self.root
        values, vectors = (part.to(middle) for part in torch.linalg.eigh(middle.double()))
        roots = values.clamp_min(0).sqrt()
        trace = now.covariance.trace() + self.wanted.covariance.trace() - 2 * roots.sum()
        inverse = vectors * (1 / (values.clamp_min(0) + self.epsilon**2).sqrt()) @ vectors.T
        to_target = self.root @ inverse @ self.root
        identity = torch.eye(len(shift)).to(shift)
        loss = float(shift.square().sum() + trace.clamp_min(0)) / self.size
        return loss, 2 * shift / self.size, (identity - to_target) / self.size


def root(matrix: Tensor) -> Tensor:
    """The symmetric square root of a covariance."""
    values, vectors = torch.linalg.eigh(matrix)
    return vectors * values.clamp_min(0).sqrt() @ vectors.T


def barycentre(gaussians: Sequence[tuple[Gaussian, float]], rounds: int = 8) -> Gaussian:
    """The weighted W2 average; weights need not sum to 1. The average of equals is each of them, the order does not matter."""
    total = sum(weight for _, weight in gaussians)
    shares = [(one, weight / total) for one, weight in gaussians if weight > 0]
    if len(shares) == 1:
        return shares[0][0]
    mean = sum((one.mean * share for one, share in shares), torch.zeros_like(shares[0][0].mean))
    covariance = sum((one.covariance * share for one, share in shares), torch.zeros_like(shares[0][0].covariance))
    ridge = 1e-6 * covariance.trace() / len(mean) * torch.eye(len(mean)).to(mean)
    for _ in range(rounds):
        half = root(covariance + ridge)
        inverse = torch.linalg.inv(half)
        middle = sum((root(half @ one.covariance @ half) * share for one, share in shares), torch.zeros_like(covariance))
        covariance = inverse @ middle @ middle @ inverse
        covariance = (covariance + covariance.T) / 2
    return Gaussian(mean, covariance)
