"""What chance gives: the nulls are exact where they promise it, and the z-scores raise no false alarms."""

import numpy as np
import pytest

from artlab.metrics import fidelity
from artlab.metrics.errors import TooFew
from artlab.metrics.nulls import Null, compare, null, permutation_null, z_score


def gauss(seed: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape)


def gap(x: np.ndarray, y: np.ndarray) -> float:
    return float(np.linalg.norm(x.mean(axis=0) - y.mean(axis=0)))


def test_split_halves_never_share_a_work():
    met = []
    null(np.arange(20.0)[:, None], 10, lambda x, y: met.append(len(np.intersect1d(x, y))) or 0.0, trials=20)
    assert met == [0] * 20


def test_a_null_is_the_same_for_the_same_seed():
    works = gauss(0, 60, 10)
    first, again, other = (null(works, 20, fidelity.FIGURES["kid"], trials=9, seed=s).values for s in (1, 1, 2))
    assert (first == again).all()
    assert (first != other).any()


def test_figures_and_functions_give_one_null():
    works = gauss(0, 60, 100)
    fast, slow = (null(works, 24, statistic, trials=5).values for statistic in (fidelity.FIGURES["fd"], fidelity.fd))
    np.testing.assert_allclose(fast, slow, rtol=1e-9)


def test_p_is_never_zero_and_halves_ties():
    flat = Null(np.array([1.0, 2.0, 2.0, 3.0]), 8)
    assert flat.p(9) == pytest.approx(0.1)
    assert flat.p(2) == pytest.approx((1 + 1.5) / 5)
    assert Null(flat.values, 8, high_is_far=False).p(0.5) == pytest.approx(0.1)
    assert flat.mean == 2


def test_z_is_the_normal_score_within_the_null_and_the_plain_one_beyond():
    skewed = Null(np.random.default_rng(0).exponential(size=999) ** 2, 30)
    for share in (0.5, 0.9, 0.95):
        assert z_score(float(np.quantile(skewed.values, share)), skewed) == pytest.approx(
            [0, 1.2816, 1.6449][[0.5, 0.9, 0.95].index(share)], abs=0.03
        )
    far = skewed.mean + 50 * skewed.sd
    assert z_score(far, skewed) == pytest.approx(50)
    low = Null(-skewed.values, 30, high_is_far=False)
    assert z_score(-far, low) == pytest.approx(50)
    assert z_score(1.0, Null(np.zeros(99), 30)) == pytest.approx(2.57, abs=0.01)  # a flat null: only its number of draws speaks


@pytest.mark.parametrize("figure", ["kid", "coverage", "style"])
@pytest.mark.parametrize("n", [20, 60])
def test_false_alarms_stay_at_five_per_cent(figure, n):
    """200 pairs of sets that do not differ, of a skewed law with clusters. Binomial: 3-7 % is +-1.3 standard deviations, so allow 2-9 %."""

    def draw(rng):
        return rng.normal(size=(n, 12)) + 2 * rng.integers(3, size=(n, 1)) + rng.exponential(size=(n, 12))

    rng = np.random.default_rng([n, len(figure)])
    scores = [compare(draw(rng), draw(rng), fidelity.FIGURES[figure], trials=99, seed=i).z for i in range(200)]
    assert 0.02 <= np.mean(np.array(scores) > 1.645) <= 0.09


@pytest.mark.parametrize("figure", sorted(fidelity.FIGURES))
def test_a_difference_is_seen(figure):
    x, y = gauss(0, 40, 30), 1.6 * gauss(1, 60, 30)
    x[:, 0] += 2
    y[:, 1] += 2
    found = compare(x, y, fidelity.FIGURES[figure])
    assert found.n == 40
    if figure == "recall":  # a wider set reaches everything: recall is blind to it, which is why precision stands beside it
        y = 0.3 * gauss(1, 60, 30)
        found = compare(x, y, fidelity.FIGURES[figure])
    assert found.z > 2
    assert found.p < 0.05


def test_a_null_needs_twice_the_works():
    with pytest.raises(TooFew, match="needs 40 works; there are 39"):
        null(gauss(0, 39, 4), 20, gap)
    assert permutation_null(gauss(0, 8, 4), gauss(1, 9, 4), gap, trials=7).values.shape == (7,)
