"""Mixing in the space of updates: identity, order, signs, ranks, scales, lengths; and what a lower rank keeps."""

import pytest
import torch

from artlab.blend import deltas
from artlab.blend.deltas import BlendError, Delta


def adapter(seed, ranks, out=12, inn=9):
    torch.manual_seed(seed)
    return {
        name: Delta(torch.randn(out, r, dtype=torch.float64), torch.randn(r, inn, dtype=torch.float64))
        for name, r in ranks.items()
    }


A = adapter(1, {"down": 3, "up": 2})
B = adapter(2, {"up": 4, "mid": 1})


def fixed(*weights):
    return lambda index, _: weights[index]


def close(one, other, by=1e-12):
    assert one.keys() == other.keys()
    for layer in one:
        torch.testing.assert_close(one[layer].dense(), other[layer].dense(), rtol=by, atol=by)


def test_one_style_at_weight_one_comes_back():
    close(deltas.cat([A], fixed(1.0)), A)
    close(deltas.cat([A, B], fixed(1.0, 0.0)), A)


def test_the_sum_is_exact_and_its_order_does_not_matter():
    mixed = deltas.cat([A, B], fixed(0.7, -0.4))
    torch.testing.assert_close(mixed["up"].dense(), 0.7 * A["up"].dense() - 0.4 * B["up"].dense())
    torch.testing.assert_close(mixed["mid"].dense(), -0.4 * B["mid"].dense())
    assert {layer: delta.rank for layer, delta in mixed.items()} == {"down": 3, "mid": 1, "up": 6}
    close(deltas.cat([B, A], fixed(-0.4, 0.7)), mixed)


def test_opposite_weights_of_one_style_cancel():
    assert max(delta.norm() for delta in deltas.cat([A, A], fixed(0.5, -0.5)).values()) < 1e-6


def test_nothing_is_no_style():
    with pytest.raises(BlendError, match="All weights are 0"):
        deltas.cat([A, B], fixed(0.0, 0.0))
    with pytest.raises(BlendError, match="All weights are 0"):
        deltas.ties([A, B], fixed(0.0, 0.0), 0.5, 4)


def test_inner_products_come_from_the_factors():
    a, b = A["up"], B["up"]
    assert a.dot(b) == pytest.approx(float((a.dense() * b.dense()).sum()))
    assert a.norm() == pytest.approx(float(a.dense().norm()))


def test_full_rank_loses_nothing_and_less_says_how_much():
    mixed = deltas.cat([A, B], fixed(0.7, 0.4))
    whole, kept = deltas.truncate(mixed, 12)
    close(whole, mixed, 1e-10)
    assert kept.energy == pytest.approx(1)
    cut, kept = deltas.truncate(mixed, 2)
    assert max(delta.rank for delta in cut.values()) == 2
    lost = sum(float((mixed[layer].dense() - cut[layer].dense()).square().sum()) for layer in mixed)
    whole_energy = sum(mixed[layer].norm() ** 2 for layer in mixed)
    assert kept.energy == pytest.approx(1 - lost / whole_energy)
    assert kept.least < kept.energy < 1
    assert kept.layer in mixed
    singular = torch.linalg.svdvals(mixed["up"].dense())
    torch.testing.assert_close(torch.linalg.svdvals(cut["up"].dense())[:2], singular[:2])


def test_slerp_keeps_the_length_that_a_mean_loses():
    one, other = adapter(3, {"x": 4}, 40, 40), adapter(4, {"x": 4}, 40, 40)
    half = deltas.slerp(one, other, 0.5)["x"].norm()
    assert half == pytest.approx((one["x"].norm() + other["x"].norm()) / 2, rel=1e-9)
    assert deltas.cat([one, other], fixed(0.5, 0.5))["x"].norm() < 0.8 * half


def test_slerp_begins_and_ends_at_the_styles_and_is_the_same_from_both_sides():
    close(deltas.slerp(A, B, 0.0), A)
    close(deltas.slerp(A, B, 1.0), B)
    close(deltas.slerp(A, B, 0.3), deltas.slerp(B, A, 0.7), 1e-10)
    close(deltas.slerp(A, A, 0.5), A, 1e-7)


def test_slerp_has_no_way_between_opposites():
    with pytest.raises(BlendError, match="opposite"):
        deltas.slerp(A, {layer: delta.times(-1) for layer, delta in A.items()}, 0.5)


def test_ties_averages_what_agrees():
    row = torch.tensor([[4.0, -3.0, 2.0, 0.1]], dtype=torch.float64)
    other = torch.tensor([[2.0, 3.5, 2.0, 0.2]], dtype=torch.float64)
    one = torch.ones(1, 1, dtype=torch.float64)
    mixed, kept = deltas.ties([{"x": Delta(one, row)}, {"x": Delta(one, other)}], fixed(1.0, 1.0), 0.75, 1)
    torch.testing.assert_close(mixed["x"].dense(), torch.tensor([[3.0, 3.5, 2.0, 0.0]], dtype=torch.float64))
    assert kept.energy == pytest.approx(1)


def test_experimental_ways_give_one_whole_style_back():
    for way in (deltas.ties, deltas.dare):
        alone, _ = way([A], fixed(1.0), 1.0, 9)
        close(alone, A, 1e-9)


def test_dare_keeps_the_mean_and_is_the_same_each_time():
    mixed, _ = deltas.dare([A, B], fixed(0.5, 0.5), 0.5, 9)
    again, _ = deltas.dare([A, B], fixed(0.5, 0.5), 0.5, 9)
    close(mixed, again)
    means = torch.stack([deltas.dare([A], fixed(1.0), 0.5, 9, seed)[0]["down"].dense() for seed in range(60)]).mean(0)
    assert float((means - A["down"].dense()).norm() / A["down"].norm()) < 0.3


def test_wide_layers_are_cut_by_a_random_sketch():
    torch.manual_seed(0)
    low = torch.randn(70, 3, dtype=torch.float64) @ torch.randn(3, 80, dtype=torch.float64)
    cut, energy = deltas._cut(low, 4)
    torch.testing.assert_close(cut.dense(), low, rtol=1e-8, atol=1e-8)
    assert energy == pytest.approx(float(low.square().sum()))


def test_distances_and_angles():
    assert deltas.distance(A, A) < 1e-7
    assert deltas.cosine(A, A) == pytest.approx(1)
    assert deltas.cosine(A, {layer: delta.times(-2) for layer, delta in A.items()}) == pytest.approx(-1)
