"""Does a style repeat its portfolio, or itself? Pure functions of feature rows (n, d).

Give features of the extractor `layout`: it finds copies in other states, which networks of meaning miss (docs/MEASURED.md).
No figure proves that nothing was copied (Stein et al., 2306.04675), so the nearest work belongs beside each finding: `worst_pairs`.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from artlab.metrics.errors import MetricError, Rows, pair, rows, unit
from artlab.metrics.nulls import distances

LEAST = 4
"""Works below which a nearest one says nothing: it has no neighbours to be measured by."""
USUAL, WORTH = 0.44, 20
"""What one new work in a hundred falls below over 20 portfolios, however many works are known of each (docs/MEASURED.md, Copies); and how
many works of her own that counts for."""
DUPLICATE = 0.05
EXTRACTOR = "layout"
"""Whose distances tell a copy: compressed, shrunk, toned and mirrored ones stay near, most of which a network's pooled features let pass."""
_SETS = ("generated pictures", "works")


@dataclass(frozen=True)
class Nearest:
    """The nearest work to each generated picture, measured against how near the works lie to each other.

    `ratios` (n,): distance to the nearest work over the mean distance to the next few; small means copied. `which` (n,): that work.
    `own` (m,): the same of each work among the others. `threshold`: what one new work in a hundred would fall below.
    """

    ratios: NDArray[np.float64]
    distances: NDArray[np.float64]
    which: NDArray[np.int64]
    own: NDArray[np.float64]
    threshold: float

    @property
    def flagged(self) -> NDArray[np.bool_]:
        """(n,) nearer than `threshold`."""
        return self.ratios < self.threshold

    @property
    def share(self) -> float:
        """Share of the generated pictures that are flagged; about .01 for new works of the same hand."""
        return float(self.flagged.mean())


def calibrated_nearest(gen: ArrayLike, works: ArrayLike) -> Nearest:
    """Calibrated distance to the nearest work (after Carlini et al., 2301.13188, with min(50, n/2) neighbours).

    The threshold is what one new work in a hundred falls below, by the works' own ratios. They follow a Weibull law (a nearest distance
    to the power of the dimension is exponential), here fitted by quartiles: two versions of one work in a portfolio must not teach that
    copies are ordinary. Five works say little of their own law, so theirs is held to the `USUAL` one of layouts, the more the fewer they are.
    """
    a, b = pair(gen, works, _SETS, "the nearest work", 1)
    rows(b, "works", "the nearest work", LEAST)
    a, b = unit(a), unit(b)
    matrix, own = _across(a, b), distances(b)
    np.fill_diagonal(own, np.inf)
    k = min(50, len(b) // 2)
    ratios, theirs = _ratio(matrix, k), _ratio(own, k)
    return Nearest(ratios, matrix.min(axis=1), matrix.argmin(axis=1), theirs, _threshold(theirs))


def _threshold(own: Rows) -> float:
    """The works' own threshold and the usual one, on a scale of ratios, each weighted by the works it comes from."""
    share = len(own) / (len(own) + WORTH)
    return float(_low(own, 0.01) ** share * USUAL ** (1 - share))


def _low(values: Rows, share: float) -> float:
    """The quantile `share` of a Weibull law through the quartiles of `values`."""
    first, second, third = np.log(np.maximum(np.quantile(values, [0.25, 0.5, 0.75]), 1e-6))
    low, middle, high, wanted = np.log(-np.log1p(-np.array([0.25, 0.5, 0.75, share])))
    return float(np.exp(second + (third - first) / (high - low) * (wanted - middle)))


def _ratio(matrix: Rows, k: int) -> Rows:
    near = np.partition(matrix, k, axis=1)[:, : k + 1]
    near.sort(axis=1)
    return near[:, 0] / np.maximum(near[:, 1:].mean(axis=1), 1e-12)  # the nearest is left out of its own yardstick


def _across(a: Rows, b: Rows) -> Rows:
    return distances(np.concatenate([a, b]))[: len(a), len(a) :]


def worst_pairs(gen: ArrayLike, works: ArrayLike, k: int = 10) -> list[tuple[int, int, float]]:
    """The k generated pictures nearest to a work, nearest first: (index of picture, index of work, calibrated ratio)."""
    found = calibrated_nearest(gen, works)
    order = np.argsort(found.ratios, kind="stable")[:k]
    return [(int(i), int(found.which[i]), float(found.ratios[i])) for i in order]


def auth_pct(gen: ArrayLike, works: ArrayLike) -> float:
    """Percentage of authentic pictures: farther from their nearest work than that work is from its own nearest (Alaa et al., 2102.08921).

    About 50 for new works of the same distribution, 0 for copies.
    """
    a, b = pair(gen, works, _SETS, "AuthPct", 1)
    rows(b, "works", "AuthPct", LEAST)
    matrix, own = _across(a, b), distances(b)
    np.fill_diagonal(own, np.inf)
    return float(100 * (own.min(axis=1)[matrix.argmin(axis=1)] < matrix.min(axis=1)).mean())


def duplicate_rate(gen: ArrayLike, threshold: float = DUPLICATE) -> float:
    """Share of pictures with another of their own set within `threshold` (cosine distance): how often a style repeats itself."""
    matrix = unit(rows(gen, "pictures", "the duplicate rate", 2))
    cosine = 1 - matrix @ matrix.T
    np.fill_diagonal(cosine, np.inf)
    return float((cosine.min(axis=1) <= threshold).mean())


def vendi(features: ArrayLike) -> float:
    """Vendi score (Friedman and Dieng, 2210.02410) with the cosine kernel: the effective number of different pictures, 1 to n.

    It grows with n: compare it at equal n, as a ratio to the portfolio's own.
    """
    matrix = unit(rows(features, "pictures", "the Vendi score", 2))
    return vendi_of(matrix @ matrix.T)


def vendi_of(kernel: ArrayLike) -> float:
    """Vendi score of a similarity matrix (n, n) with ones on its diagonal: exp of the entropy of the eigenvalues of K / n."""
    matrix = np.asarray(kernel, dtype=np.float64)
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1] or not np.allclose(np.diag(matrix), 1):
        raise MetricError("The Vendi score needs a square matrix of similarities with ones on its diagonal.")
    values = np.linalg.eigvalsh(matrix / len(matrix))
    values = values[values > 1e-12]
    return float(np.exp(-np.sum(values * np.log(values))))
