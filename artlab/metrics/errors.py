"""What a figure or a network refuses, and the check that nearly all figures begin with."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

Rows = NDArray[np.float64]


class MetricError(ValueError):
    """A figure that cannot be given, with the reason and what to do."""


class TooFew(MetricError):
    """Too few pictures for a figure to mean anything."""


class MissingNetwork(MetricError):
    """A network that is not on this machine."""


def rows(values: ArrayLike, name: str, what: str, least: int) -> Rows:
    """`values` as (n, d) float64, or TooFew naming n; MetricError when it is no finite matrix."""
    matrix = np.asarray(values, dtype=np.float64)
    if matrix.ndim != 2:
        raise MetricError(f"{what} needs feature rows (n, d) for {name}, not an array of shape {matrix.shape}.")
    if len(matrix) < least:
        raise TooFew(f"{what} of n={len(matrix)} {name} would mean nothing; it needs at least {least}. Give more pictures.")
    if not np.isfinite(matrix).all():
        raise MetricError(f"The features of {name} hold NaN or infinity, so {what} cannot be given.")
    return matrix


def pair(x: ArrayLike, y: ArrayLike, names: tuple[str, str], what: str, least: int) -> tuple[Rows, Rows]:
    """Two checked sets of rows of one width."""
    a, b = rows(x, names[0], what, least), rows(y, names[1], what, least)
    if a.shape[1] != b.shape[1]:
        raise MetricError(f"{what} compares features of one network; these have widths {a.shape[1]} and {b.shape[1]}.")
    return a, b


def unit(matrix: Rows) -> Rows:
    """Each row at length one; a row of zeros stays."""
    return matrix / np.maximum(np.linalg.norm(matrix, axis=1, keepdims=True), 1e-12)
