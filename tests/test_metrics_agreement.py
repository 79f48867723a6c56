"""Agreement of pictures with captions: both conventions, the shuffled null, retrieval."""

import numpy as np
import pytest

from artlab.metrics import agreement
from artlab.metrics.errors import MetricError, TooFew
from artlab.metrics.nulls import z_score


def paired(n: int = 40, noise: float = 1.0, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    meaning = rng.normal(size=(n, 16))
    return meaning + noise * rng.normal(size=(n, 16)), meaning + noise * rng.normal(size=(n, 16))


def test_clip_score_is_the_published_one():
    pictures, captions = np.array([[1.0, 0], [0, 2]]), np.array([[3.0, 0], [1, -1]])  # cosines 1 and -.7071
    assert agreement.clip_score(pictures, captions) == pytest.approx(2.5 * (1 + 0) / 2)  # each clamped, then the mean
    assert agreement.clip_score(pictures, captions, "torchmetrics") == pytest.approx(
        100 * (1 - 0.70710678) / 2
    )  # the mean, then clamped
    assert agreement.clip_score(pictures, -captions[::-1], "torchmetrics") >= 0


def test_length_of_features_is_of_no_matter():
    pictures, captions = paired()
    assert agreement.clip_score(7 * pictures, captions) == pytest.approx(agreement.clip_score(pictures, captions))


def test_matched_captions_stand_out_from_shuffled_ones():
    pictures, captions = paired()
    chance = agreement.shuffle_null(pictures, captions, trials=200)
    assert z_score(agreement.clip_score(pictures, captions), chance) > 5
    low, high = agreement.interval(pictures, captions)
    assert chance.mean < low < agreement.clip_score(pictures, captions) < high


def test_unrelated_captions_raise_few_alarms():
    alarms = 0
    for seed in range(200):
        pictures, _ = paired(20, seed=seed)
        _, captions = paired(20, seed=seed + 1000)
        alarms += z_score(agreement.clip_score(pictures, captions), agreement.shuffle_null(pictures, captions, trials=99)) > 1.645
    assert 4 <= alarms <= 18


def test_retrieval():
    pictures, captions = paired(noise=0.01)
    assert agreement.recall_at(pictures, captions) == (1, 1)
    turned = np.roll(captions, 1, axis=0)
    assert agreement.recall_at(pictures, turned) == (0, 0)
    assert agreement.recall_at(pictures, turned, k=40) == (1, 1)


def test_refused():
    pictures, captions = paired()
    with pytest.raises(MetricError, match="40 pictures and 39 captions"):
        agreement.clip_score(pictures, captions[:39])
    with pytest.raises(TooFew, match="n=5"):
        agreement.shuffle_null(pictures[:5], captions[:5])
    with pytest.raises(MetricError, match="All captions are the same"):
        agreement.shuffle_null(pictures, np.repeat(captions[:1], 40, axis=0))
