"""The critic on rows whose makers are known: it tells them apart, counts classes alike, and never peeks at a near-duplicate."""

import numpy as np
import pytest

from artlab.metrics import critic
from artlab.metrics.errors import MetricError, TooFew


def artists(*sizes, apart=0.5, width=60, seed=0):
    """Rows of so many works for each artist a, b, c, ...; `apart` is how far their means lie apart, in deviations a column."""
    rng = np.random.default_rng(seed)
    middles = apart * rng.normal(size=(len(sizes), width))
    names = [name for name, size in zip("abcdef", sizes, strict=False) for _ in range(size)]
    return np.concatenate([m + rng.normal(size=(n, width)) for m, n in zip(middles, sizes, strict=True)]), names


def test_it_tells_makers_apart_and_says_how_well():
    trial = critic.cross_validate(*artists(24, 24, 24, apart=0.8), target="a")
    assert trial.n == 72
    assert trial.f1 > 0.9
    assert trial.f1 > trial.f1_of_yes == pytest.approx(2 * (1 / 3) / (4 / 3))
    low, high = trial.f1_interval()
    assert low <= trial.f1 <= high
    assert trial.confusion.sum() == 72
    assert np.trace(trial.confusion) == round(trial.accuracy * 72)
    assert trial.chances.sum(axis=1) == pytest.approx(1)
    assert trial.calibration_error < 0.25
    assert sum(n for _, _, n in trial.reliability()) == 72


def test_equal_makers_cannot_be_told_apart():
    rng = np.random.default_rng(1)
    trials = [critic.cross_validate(rng.normal(size=(48, 30)), ["a"] * 24 + ["b"] * 24, target="a", seed=s) for s in range(3)]
    assert np.mean([trial.accuracy for trial in trials]) == pytest.approx(0.5, abs=0.15)


def test_a_rare_artist_is_found_among_many():
    trial = critic.cross_validate(*artists(12, 90, apart=0.8), target="a")
    assert trial.recall > 0.8
    assert trial.balanced_accuracy > 0.85


def test_near_duplicates_on_two_sides_would_have_flattered_it():
    rng = np.random.default_rng(2)
    once = rng.normal(size=(20, 40))
    x = np.repeat(once, 3, axis=0) + 0.01 * rng.normal(size=(60, 40))
    names = ["a"] * 30 + ["b"] * 30  # nothing but the single work tells a from b
    leaking = critic.cross_validate(x, names, target="a")
    honest = critic.cross_validate(x, names, target="a", groups=np.repeat(np.arange(20), 3).tolist())
    assert leaking.accuracy > 0.95
    assert honest.accuracy < 0.75


def test_what_it_says_of_other_pictures():
    x, names = artists(24, 24, apart=1.0)
    asked = critic.train(x[::2], names[::2], target="a")
    assert asked.says(x[1::2])[:12].count("a") >= 11
    assert (asked.hers(x[1::2])[:12] > 0.5).mean() > 0.9
    assert asked.chances(x).shape == (48, 2)


def test_the_same_works_give_the_same_critic():
    x, names = artists(12, 12)
    first, second = (critic.cross_validate(x, names, target="a") for _ in range(2))
    assert np.array_equal(first.chances, second.chances)


@pytest.mark.parametrize(
    ("sizes", "target", "error", "words"),
    [((7, 20), "a", TooFew, "“a” has 7"), ((20,), "a", MetricError, "somebody else"), ((20, 20), "z", MetricError, "“z”")],
)
def test_what_it_refuses(sizes, target, error, words):
    with pytest.raises(error, match=words):
        critic.cross_validate(*artists(*sizes), target=target)


def test_groups_too_few_for_the_folds_are_named():
    x, names = artists(12, 12)
    with pytest.raises(TooFew, match="3 distinct works"):
        critic.cross_validate(x, names, target="a", groups=[index % 3 for index in range(12)] + list(range(100, 112)))


def test_groups_join_where_they_overlap():
    assert critic.groups_of(["a", "b", "c", "d"], [{"a", "b"}, {"b", "c"}]) == ["a", "a", "a", "d"]


def test_the_interval_of_a_share():
    assert critic.share_interval(0, 20) == pytest.approx((0, 0.1611), abs=1e-3)  # Wilson 1927
    assert critic.share_interval(10, 20) == pytest.approx((0.2993, 0.7007), abs=1e-3)
