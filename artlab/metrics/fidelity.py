"""How near a set of pictures lies to another, as pure functions of feature rows (n, d); nothing here knows a picture.

Each is also one of `FIGURES`, the form that `nulls` reads fast. The networks' names and n belong beside every value.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from artlab.metrics.errors import Rows, TooFew, pair
from artlab.metrics.nulls import Figure, Null, compare, cosines, distances, inner, null, permutation_null, z_score

__all__ = [
    "FIGURES", "Figure", "Null", "cmmd", "compare", "density_coverage", "expected_coverage", "fd", "kid", "kid_interval", "neighbours",
    "null", "permutation_null", "precision_recall", "style_similarity", "z_score",
]  # fmt: skip

LEAST = 8  # below this no figure is given
LEAST_FD = 20  # a covariance of fewer pictures is mostly noise
_SETS = ("the first set", "the second set")


def fd(x: ArrayLike, y: ArrayLike, *, least: int = LEAST_FD) -> float:
    """Fréchet distance |mu1 - mu2|^2 + tr(S1 + S2 - 2 (S1 S2)^.5) with unbiased covariances (Heusel et al., 1706.08500).

    The trace of the root is the nuclear norm of A B^T, with A and B the centred rows over the root of n - 1: exact, and for n < d an
    n x n problem in place of a d x d one. FID is this figure of Inception features, and of no others.
    """
    a, b = pair(x, y, _SETS, "a Fréchet distance", least)
    gap = a.mean(axis=0) - b.mean(axis=0)
    a, b = _spread(a), _spread(b)
    return float(gap @ gap + np.sum(a * a) + np.sum(b * b) - 2 * np.linalg.svd(a @ b.T, compute_uv=False).sum())


def _spread(matrix: Rows) -> Rows:
    """Rows whose inner products over columns are the covariance; no more of them than there are columns."""
    centred = (matrix - matrix.mean(axis=0)) / np.sqrt(len(matrix) - 1)
    return centred if len(centred) <= centred.shape[1] else np.asarray(np.linalg.qr(centred, mode="r"))


def _fd(xx: Rows, yy: Rows, xy: Rows) -> float:
    n, m = xy.shape
    spread = np.trace(xx) / (n - 1) - xx.mean() * n / (n - 1) + np.trace(yy) / (m - 1) - yy.mean() * m / (m - 1)
    centred = xy - xy.mean(axis=0) - xy.mean(axis=1, keepdims=True) + xy.mean()
    common = np.linalg.svd(centred, compute_uv=False).sum() / np.sqrt((n - 1) * (m - 1))
    return float(xx.mean() + yy.mean() - 2 * xy.mean() + spread - 2 * common)


def kid(x: ArrayLike, y: ArrayLike) -> float:
    """Kernel distance of Bińkowski et al. (1801.01401): unbiased MMD^2 with the kernel (x.y / d + 1)^3. Near 0, and can be below it."""
    return FIGURES["kid"](x, y)


def kid_interval(x: ArrayLike, y: ArrayLike, *, level: float = 0.95, draws: int = 1000, seed: int = 0) -> tuple[float, float]:
    """Bootstrap interval of `kid`: how well the value is known, over other pictures of the same makers.

    Rows are drawn with repeats, and a row never meets its own repeat, which would pull the value up.
    """
    a, b = pair(x, y, _SETS, "a KID interval", LEAST)
    matrix = _poly(np.concatenate([a, b]))
    np.fill_diagonal(matrix, 0)
    n, m, rng = len(a), len(b), np.random.default_rng(seed)
    u, v = rng.multinomial(n, np.full(n, 1 / n), draws).astype(float), rng.multinomial(m, np.full(m, 1 / m), draws).astype(float)
    values = _within(u, matrix[:n, :n]) + _within(v, matrix[n:, n:]) - 2 * np.sum((u @ matrix[:n, n:]) * v, axis=1) / (n * m)
    low, high = np.quantile(values, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def _within(weights: Rows, matrix: Rows) -> Rows:
    return np.sum((weights @ matrix) * weights, axis=1) / (weights.sum(axis=1) ** 2 - (weights**2).sum(axis=1))


def _poly(matrix: Rows) -> Rows:
    return (inner(matrix) / matrix.shape[1] + 1) ** 3


def cmmd(x: ArrayLike, y: ArrayLike, *, biased: bool = False) -> float:
    """1000 x MMD^2 of unit rows with an RBF kernel of sigma 10 (Jayasumana et al., 2401.09603).

    Unbiased, other than in the paper: at these n its `biased` form reads .1 to 1 for equal distributions. Compare only like with like.
    """
    if not biased:
        return FIGURES["cmmd"](x, y)
    a, b = pair(x, y, _SETS, "CMMD", LEAST)
    matrix, n = _rbf(np.concatenate([a, b])), len(a)
    return 1000 * float(matrix[:n, :n].mean() + matrix[n:, n:].mean() - 2 * matrix[:n, n:].mean())


def _rbf(matrix: Rows, sigma: float = 10.0) -> Rows:
    return np.exp((cosines(matrix) - 1) / sigma**2)


def _mmd(xx: Rows, yy: Rows, xy: Rows) -> float:
    n, m = xy.shape
    within = (xx.sum() - np.trace(xx)) / (n * (n - 1)) + (yy.sum() - np.trace(yy)) / (m * (m - 1))
    return float(within - 2 * xy.mean())


def neighbours(n: int) -> int:
    """The k of `precision_recall` and `density_coverage` for n works: 3 below 50, else 5."""
    return 3 if n < 50 else 5


def precision_recall(real: ArrayLike, fake: ArrayLike, k: int = 3) -> tuple[float, float]:
    """Share of `fake` within reach of `real`, and of `real` within reach of `fake` (Kynkäänniemi et al., 1904.06991).

    Reach is the distance to the k-th nearest neighbour in the own set.
    """
    rr, ff, rf = _blocks(real, fake, k, "precision and recall")
    return _precision(rr, ff, rf, k), _precision(ff, rr, rf.T, k)


def density_coverage(real: ArrayLike, fake: ArrayLike, k: int = 5) -> tuple[float, float]:
    """How many works' reaches a fake lies in, over k; and the share of works with a fake in reach (Naeem et al., 2002.09797).

    For equal distributions density is 1 on average and coverage `expected_coverage`.
    """
    rr, ff, rf = _blocks(real, fake, k, "density and coverage")
    return _density(rr, ff, rf, k), _coverage(rr, ff, rf, k)


def expected_coverage(real: int, fake: int, k: int) -> float:
    """Coverage of equal distributions, in closed form: 1 - prod over i = 1..k of (N - i) / (N + M - i)."""
    i = np.arange(1, k + 1)
    return float(1 - np.prod((real - i) / (real + fake - i)))


def _blocks(real: ArrayLike, fake: ArrayLike, k: int, what: str) -> tuple[Rows, Rows, Rows]:
    a, b = pair(real, fake, ("works", "generated pictures"), what, LEAST)
    if k < 1 or k >= min(len(a), len(b)):
        raise TooFew(f"{what} with k={k} needs more than {k} pictures on both sides; there are n={len(a)} and n={len(b)}.")
    matrix, n = distances(np.concatenate([a, b])), len(a)
    return matrix[:n, :n], matrix[n:, n:], matrix[:n, n:]


def _reach(within: Rows, k: int) -> NDArray[np.float64]:
    return np.partition(within, k, axis=1)[:, k]  # the row itself, at distance 0, comes before the first neighbour


def _precision(rr: Rows, ff: Rows, rf: Rows, k: int = 3) -> float:
    return float((rf <= _reach(rr, k)[:, None]).any(axis=0).mean())


def _density(rr: Rows, ff: Rows, rf: Rows, k: int = 5) -> float:
    return float((rf < _reach(rr, k)[:, None]).sum(axis=0).mean() / k)


def _coverage(rr: Rows, ff: Rows, rf: Rows, k: int = 5) -> float:
    return float((rf.min(axis=1) < _reach(rr, k)).mean())


def style_similarity(a: ArrayLike, b: ArrayLike) -> float:
    """Median over the rows of `a` of their mean closeness to the rows of `b`: 1 the same hand, 0 no more alike than any two works.

    Closeness is 1 - |x - y|^2 / 2d, not below -1, for d columns centred and scaled by art at large, such as the extractor `style` gives.
    A cosine would call noise, which lies far out in no direction, nearer than an unlike artist (docs/MEASURED.md, Ranking). The mean over
    all of `b`, not its nearest row, so that copying one work gains nothing.
    """
    return FIGURES["style"](a, b)


def _closeness(matrix: Rows) -> Rows:
    return np.maximum(1 - distances(matrix) ** 2 / (2 * matrix.shape[1]), -1)


FIGURES = {
    "fd": Figure("a Fréchet distance", inner, _fd, LEAST_FD),
    "kid": Figure("KID", _poly, _mmd, LEAST),
    "cmmd": Figure("CMMD", _rbf, lambda xx, yy, xy: 1000 * _mmd(xx, yy, xy), LEAST),
    "precision": Figure("precision", distances, _precision, LEAST, high_is_far=False),
    "recall": Figure("recall", distances, lambda rr, ff, rf: _precision(ff, rr, rf.T), LEAST, high_is_far=False),
    "density": Figure("density", distances, _density, LEAST, high_is_far=False),
    "coverage": Figure("coverage", distances, _coverage, LEAST, high_is_far=False),
    "style": Figure(
        "style similarity", _closeness, lambda xx, yy, xy: float(np.median(xy.mean(axis=1))), LEAST, high_is_far=False
    ),
}
