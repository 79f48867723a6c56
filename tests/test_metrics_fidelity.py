"""Distances between sets: published test vectors, closed forms, and what is refused."""

import numpy as np
import pytest
import torch

from artlab.metrics import fidelity
from artlab.metrics.errors import MetricError, TooFew
from artlab.metrics.nulls import distances

SETS = ((30, 200, 30), (200, 20, 150), (25, 25, 40))


def gauss(seed: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape)


def test_fd_of_two_means_with_one_covariance_is_the_squared_gap():
    rows = gauss(0, 24, 2048)
    assert fidelity.fd(rows, rows + 1) == pytest.approx(2048, rel=1e-12)  # pytorch-fid's test: mu 0 against 1, d = 2048


def test_fd_reads_the_mean_and_covariance_of_three_greys():
    greys, d = np.repeat([[0.0], [0.5], [1.0]], 64, axis=1), 64  # pytorch-fid's test: mean .5, every covariance .25
    assert fidelity.fd(greys, np.zeros((3, d)), least=3) == pytest.approx(d * 0.25 + d * 0.25)
    assert fidelity.fd(greys, 2 * greys, least=3) == pytest.approx(
        d * 0.25 + d * (1 - 0.5) ** 2
    )  # roots .5 and 1, all in one direction


@pytest.mark.parametrize(("n", "d", "m"), SETS)
def test_fd_equals_its_definition(n, d, m):
    x, y = gauss(1, n, d), 1.3 * gauss(2, m, d) + 0.2
    gap, s1, s2 = x.mean(0) - y.mean(0), np.cov(x, rowvar=False), np.cov(y, rowvar=False)
    root = np.sqrt(np.linalg.eigvals(s1 @ s2).astype(complex)).real.sum()
    expected = gap @ gap + np.trace(s1) + np.trace(s2) - 2 * root
    assert fidelity.fd(x, y) == pytest.approx(expected, rel=1e-5)  # eigvals of a product of low rank is good to no more
    assert fidelity.FIGURES["fd"](x, y) == pytest.approx(fidelity.fd(x, y), rel=1e-9)


def test_fd_is_biased_as_known():
    """Two sets of 50 from one law in 64 dimensions read 44 (METRICS, measured): the reason for all nulls here."""
    values = [fidelity.fd(gauss(2 * i, 50, 64), gauss(2 * i + 1, 50, 64)) for i in range(5)]
    assert np.mean(values) == pytest.approx(44, rel=0.05)


@pytest.mark.parametrize("figure", ["kid", "cmmd"])
def test_unbiased_distances_are_about_zero_for_one_law_and_fall_below_it(figure):
    measure = getattr(fidelity, figure)
    values = np.array([measure(gauss(2 * i, 60, 128), gauss(2 * i + 1, 60, 128)) for i in range(40)])
    assert abs(values.mean()) < 3 * values.std() / np.sqrt(40)
    assert values.min() < 0 < values.max()


def test_kid_of_one_law_at_200_is_within_a_thousandth():
    assert abs(np.mean([fidelity.kid(gauss(2 * i, 200, 768), gauss(2 * i + 1, 200, 768)) for i in range(8)])) < 1e-3


def test_kid_is_its_definition_at_unequal_n():
    x, y = gauss(3, 9, 5), gauss(4, 12, 5) + 1

    def k(a, b):
        return (a @ b / 5 + 1) ** 3

    within = [np.mean([k(s[i], s[j]) for i in range(len(s)) for j in range(len(s)) if i != j]) for s in (x, y)]
    assert fidelity.kid(x, y) == pytest.approx(sum(within) - 2 * np.mean([k(a, b) for a in x for b in y]))


def test_kid_interval_covers_the_truth():
    """The population's value lies in the 95 % interval about as often as promised."""
    shift = 0.35
    truth = np.mean([fidelity.kid(gauss(i, 1500, 24), gauss(i + 50, 1500, 24) + shift) for i in range(3)])
    hits = 0
    for i in range(60):
        x, y = gauss(100 + i, 50, 24), gauss(300 + i, 60, 24) + shift
        low, high = fidelity.kid_interval(x, y, draws=300)
        assert low < fidelity.kid(x, y) < high
        hits += low < truth < high
    assert hits >= 50


def test_cmmd_biased_is_the_published_one_and_reads_high_at_small_n():
    for n, expected in ((20, 1.02), (50, 0.385), (200, 0.095)):
        values = [fidelity.cmmd(gauss(2 * i, n, 768), gauss(2 * i + 1, n, 768), biased=True) for i in range(4)]
        assert np.mean(values) == pytest.approx(expected, rel=0.1)
    x, y = gauss(0, 10, 4), gauss(1, 12, 4)
    a, b = x / np.linalg.norm(x, axis=1, keepdims=True), y / np.linalg.norm(y, axis=1, keepdims=True)

    def k(s, t):
        return np.mean([np.exp(-np.sum((p - q) ** 2) / 200) for p in s for q in t])

    assert fidelity.cmmd(x, y, biased=True) == pytest.approx(1000 * (k(a, a) + k(b, b) - 2 * k(a, b)), rel=1e-6)


def test_precision_and_recall_of_a_tight_cluster_in_a_wide_one():
    wide, tight = gauss(0, 200, 8), 0.2 * gauss(1, 200, 8)
    precision, recall = fidelity.precision_recall(wide, tight)
    assert precision > 0.8
    assert recall < 0.3
    assert fidelity.precision_recall(tight, wide) == (recall, precision)


@pytest.mark.parametrize(("n", "k", "expected"), [(50, 3, 0.8825), (50, 5, 0.9733), (100, 5, 0.9711)])
def test_coverage_and_density_of_one_law_are_their_closed_forms(n, k, expected):
    assert fidelity.expected_coverage(n, n, k) == pytest.approx(expected, abs=2e-3)
    found = np.array([fidelity.density_coverage(gauss(2 * i, n, 6), gauss(2 * i + 1, n, 6), k) for i in range(60)])
    assert found.mean(axis=0) == pytest.approx([1, fidelity.expected_coverage(n, n, k)], abs=0.04)


@pytest.mark.slow
def test_prdc_of_ten_thousand_is_what_its_readme_says():
    """Blocks in float32: the matrices of 20,000 rows in float64 would fill a laptop."""
    torch.manual_seed(0)
    real, fake = torch.randn(10_000, 1000), torch.randn(10_000, 1000)
    rr, ff, rf = (torch.cdist(a, b).numpy() for a, b in ((real, real), (fake, fake), (real, fake)))
    for block in (rr, ff):
        np.fill_diagonal(block, 0)
    found = [fidelity._precision(rr, ff, rf, 5), fidelity._precision(ff, rr, rf.T, 5)]
    found += [fidelity._density(rr, ff, rf, 5), fidelity._coverage(rr, ff, rf, 5)]
    assert found == pytest.approx([0.4772, 0.4705, 1.0555, 0.9735], abs=0.03)


def test_style_similarity_is_one_for_one_hand_and_nothing_for_strangers():
    hand = np.r_[3.0, np.zeros(63)]
    assert fidelity.style_similarity(gauss(0, 20, 64) * 0.01 + hand, gauss(1, 20, 64) * 0.01 + hand) == pytest.approx(1, abs=1e-2)
    assert abs(fidelity.style_similarity(gauss(0, 20, 64), gauss(1, 20, 64))) < 0.05


def test_a_copied_work_gains_no_style():
    """A set that repeats one work is not nearer to the portfolio than that work is."""
    works = gauss(0, 30, 64) + 0.3
    assert fidelity.style_similarity(np.repeat(works[:1], 20, axis=0), works) < 0.3


def test_noise_is_no_nearer_than_an_unlike_artist():
    """A cosine says the opposite: noise lies far out, but across."""
    hand = np.r_[1.0, np.zeros(63)]
    works, unlike, noise = gauss(0, 20, 64) / 2 + hand, gauss(1, 20, 64) / 2 - hand, 4 * gauss(2, 20, 64)
    assert fidelity.style_similarity(noise, works) < fidelity.style_similarity(unlike, works) < 1


def test_equal_rows_are_at_distance_nought():
    rows = 1e3 + gauss(0, 12, 40)
    rows[5] = rows[3]
    gaps = distances(rows)
    assert gaps[5, 3] == gaps[3, 5] == 0
    assert gaps[0, 1] == pytest.approx(np.linalg.norm(rows[0] - rows[1]), rel=1e-6)


@pytest.mark.parametrize("figure", sorted(fidelity.FIGURES))
def test_too_few_are_refused_by_number(figure):
    with pytest.raises(TooFew, match="n=7"):
        fidelity.FIGURES[figure](gauss(0, 7, 5), gauss(1, 30, 5))


def test_other_bad_input_is_refused():
    with pytest.raises(TooFew, match="n=19"):
        fidelity.fd(gauss(0, 30, 5), gauss(1, 19, 5))
    with pytest.raises(TooFew, match="k=9"):
        fidelity.precision_recall(gauss(0, 9, 5), gauss(1, 30, 5), 9)
    with pytest.raises(MetricError, match="widths 5 and 6"):
        fidelity.kid(gauss(0, 9, 5), gauss(1, 9, 6))
    with pytest.raises(MetricError, match="shape"):
        fidelity.kid(gauss(0, 9), gauss(1, 9, 6))
    broken = gauss(0, 9, 5)
    broken[2, 2] = np.nan
    with pytest.raises(MetricError, match="NaN"):
        fidelity.kid(broken, gauss(1, 9, 5))
