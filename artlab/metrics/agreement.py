"""How well pictures agree with their captions: pure functions of picture and text features of one network, a row each."""

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from artlab.metrics.errors import MetricError, pair, unit
from artlab.metrics.nulls import Null

Convention = Literal["published", "torchmetrics"]
PREFIX = "A photo depicts "  # before each caption, for the published score
LEAST = 8


def cosines(image_feats: ArrayLike, text_feats: ArrayLike) -> NDArray[np.float64]:
    """(n,) cosine of each picture with its own caption."""
    a, b = _rows(image_feats, text_feats, 1)
    return np.sum(a * b, axis=1)


def clip_score(image_feats: ArrayLike, text_feats: ArrayLike, convention: Convention = "published") -> float:
    """Agreement of n pictures with their captions; CLIP score only if both features are CLIP's.

    `published` is mean(2.5 max(cos, 0)) (Hessel et al., 2104.08718, with `PREFIX` before each caption); `torchmetrics` is
    max(mean(100 cos), 0), clamped after the mean, no prefix.
    """
    return _score(cosines(image_feats, text_feats), convention)


def _score(cos: NDArray[np.float64], convention: Convention) -> float:
    if convention == "torchmetrics":
        return max(float(100 * cos.mean()), 0.0)
    return float(2.5 * np.maximum(cos, 0).mean())


def interval(
    image_feats: ArrayLike,
    text_feats: ArrayLike,
    convention: Convention = "published",
    *,
    level: float = 0.95,
    draws: int = 1000,
    seed: int = 0,
) -> tuple[float, float]:
    """Bootstrap interval of `clip_score` over the pictures."""
    cos = np.sum(np.multiply(*_rows(image_feats, text_feats, LEAST)), axis=1)
    picks = np.random.default_rng(seed).integers(len(cos), size=(draws, len(cos)))
    low, high = np.quantile([_score(cos[pick], convention) for pick in picks], [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def shuffle_null(
    image_feats: ArrayLike, text_feats: ArrayLike, convention: Convention = "published", *, trials: int = 1000, seed: int = 0
) -> Null:
    """`clip_score` with the captions dealt out anew: what pictures of this kind get for captions of this kind.

    A z-score beside it is positive when the pictures agree with their own captions better than with each other's. Needs 8 pictures and
    two different captions.
    """
    a, b = _rows(image_feats, text_feats, LEAST)
    if np.allclose(b, b[0]):
        raise MetricError("All captions are the same, so shuffling them says nothing; give pictures of different prompts.")
    matrix, rng = a @ b.T, np.random.default_rng(seed)
    index = np.arange(len(a))
    return Null(np.array([_score(matrix[index, rng.permutation(len(a))], convention) for _ in range(trials)]), len(a))


def recall_at(image_feats: ArrayLike, text_feats: ArrayLike, k: int = 1) -> tuple[float, float]:
    """Share of captions whose picture is among the k nearest, and of pictures whose caption is. Row i belongs to row i."""
    a, b = _rows(image_feats, text_feats, 2)
    matrix = a @ b.T
    own = np.diag(matrix)
    return float(((matrix > own).sum(axis=0) < k).mean()), float(((matrix > own[:, None]).sum(axis=1) < k).mean())


def _rows(image_feats: ArrayLike, text_feats: ArrayLike, least: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    a, b = pair(image_feats, text_feats, ("pictures", "captions"), "agreement", least)
    if len(a) != len(b):
        raise MetricError(f"Agreement needs a caption for each picture; there are {len(a)} pictures and {len(b)} captions.")
    return unit(a), unit(b)
