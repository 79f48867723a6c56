"""What a figure reads when there is nothing to find, and how far a value lies from that.

Distances between small sets are far from zero even for equal distributions (a Fréchet distance of 20 and 20 works reads in the
hundreds), so a value means something only beside the same figure, at the same n, of sets that do not differ.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtri

from artlab.metrics.errors import Rows, TooFew, pair, rows, unit


@dataclass(frozen=True)
class Figure:
    """A figure of two sets that depends on them through one number for each pair of rows only.

    `pairs` turns (n, d) rows into that (n, n) matrix, `value` reads the figure from its blocks xx, yy and xy. A null then computes
    the matrix once and only picks blocks. `least` is the fewest rows it is given for; `high_is_far` says which end means "differs".
    """

    name: str
    pairs: Callable[[Rows], Rows]
    value: Callable[[Rows, Rows, Rows], float]
    least: int
    high_is_far: bool = True

    def __call__(self, x: ArrayLike, y: ArrayLike) -> float:
        """The figure of the sets x and y, rows (n, d) and (m, d)."""
        a, b = pair(x, y, ("the first set", "the second set"), self.name, self.least)
        return self.at(self.pairs(np.concatenate([a, b])), np.arange(len(a)), np.arange(len(a), len(a) + len(b)))

    def at(self, matrix: Rows, i: NDArray[Any], j: NDArray[Any]) -> float:
        """The figure of the rows i against the rows j of a matrix that `pairs` made."""
        return float(self.value(matrix[np.ix_(i, i)], matrix[np.ix_(j, j)], matrix[np.ix_(i, j)]))


Statistic = Figure | Callable[[Rows, Rows], float]


@dataclass(frozen=True)
class Null:
    """`values` of one figure, at n rows against n rows, where nothing differs."""

    values: NDArray[np.float64]
    n: int
    high_is_far: bool = True

    @property
    def mean(self) -> float:
        """What to expect of chance."""
        return float(self.values.mean())

    @property
    def sd(self) -> float:
        """How much chance varies."""
        return float(self.values.std(ddof=1))

    def p(self, value: float) -> float:
        """Chance of a value this far or farther (one-sided), ties counted by half, never zero."""
        far = self.values > value if self.high_is_far else self.values < value
        ties = np.isclose(self.values, value, rtol=1e-9, atol=1e-12)
        return float((np.sum(far & ~ties) + (np.sum(ties) + 1) / 2) / (len(self.values) + 1))


def z_score(value: float, null: Null) -> float:
    """How far `value` lies from chance, in standard deviations; positive means "differs".

    Within the null's range it is the normal score of the one-sided p, because nulls of distances are skewed and the plain
    (value - mean) / sd would raise false alarms. Beyond the range, where p can say no more, the plain one takes over.
    """
    p = null.p(value)
    score = float(-ndtri(p))
    if null.sd > 0 and p <= 0.5 / (len(null.values) + 1):
        plain = (value - null.mean) / null.sd
        return max(score, plain if null.high_is_far else -plain)
    return score


def null(x: ArrayLike, n: int, statistic: Statistic, *, trials: int = 200, seed: int = 0) -> Null:
    """The portfolio against itself: the figure of two disjoint draws of n rows of x each, `trials` times. Needs 2n rows."""
    all_rows = rows(x, "works", "a null", 2)
    if n < 2 or len(all_rows) < 2 * n:
        raise TooFew(
            f"A null at n={n} draws two sets without a common work, so it needs {2 * n} works; there are {len(all_rows)}."
        )
    return _draws(all_rows, n, n, statistic, trials, seed)


def permutation_null(x: ArrayLike, y: ArrayLike, statistic: Statistic, *, trials: int = 200, seed: int = 0) -> Null:
    """The figure with the rows of x and y dealt out anew, at their own sizes: what it reads if both were drawn from one hat.

    Exact at every n for figures of exchangeable rows, and needs no more works than the figure itself.
    """
    a, b = pair(x, y, ("the first set", "the second set"), "a null", 2)
    return _draws(np.concatenate([a, b]), len(a), len(b), statistic, trials, seed)


def _draws(pool: Rows, n: int, m: int, statistic: Statistic, trials: int, seed: int) -> Null:
    rng = np.random.default_rng(seed)
    orders = [rng.permutation(len(pool))[: n + m] for _ in range(trials)]
    if isinstance(statistic, Figure):
        matrix = statistic.pairs(pool)
        values = [statistic.at(matrix, order[:n], order[n:]) for order in orders]
        return Null(np.array(values), n, statistic.high_is_far)
    return Null(np.array([statistic(pool[order[:n]], pool[order[n:]]) for order in orders]), n)


@dataclass(frozen=True)
class Compared:
    """A figure with all that it has to be read beside."""

    value: float
    n: int
    null: Null
    z: float
    p: float


def compare(x: ArrayLike, y: ArrayLike, statistic: Statistic, *, trials: int = 200, seed: int = 0) -> Compared:
    """The figure of x and y at equal n (the larger set is thinned at random), beside its permutation null."""
    a, b = pair(x, y, ("the first set", "the second set"), "a comparison", 2)
    n, rng = min(len(a), len(b)), np.random.default_rng([seed, 1])
    a, b = (s if len(s) == n else s[np.sort(rng.choice(len(s), n, replace=False))] for s in (a, b))
    value, chance = float(statistic(a, b)), permutation_null(a, b, statistic, trials=trials, seed=seed)
    return Compared(value, n, chance, z_score(value, chance), chance.p(value))


def inner(matrix: Rows) -> Rows:
    """(n, n) inner products."""
    return matrix @ matrix.T


def cosines(matrix: Rows) -> Rows:
    """(n, n) cosines."""
    return inner(unit(matrix))


def distances(matrix: Rows) -> Rows:
    """(n, n) Euclidean distances; exactly zero where two rows are equal."""
    squares = np.einsum("ij,ij->i", matrix, matrix)
    gaps = squares[:, None] + squares[None] - 2 * inner(matrix)
    small = gaps < 1e-9 * (squares[:, None] + squares[None])  # cancellation has eaten the digits: take these few directly
    i, j = np.nonzero(small)
    gaps[i, j] = ((matrix[i] - matrix[j]) ** 2).sum(axis=1)
    return np.sqrt(gaps)
