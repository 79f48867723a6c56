"""Sides of a portfolio: whole groups, every series in its share, and no work wanders without a reason."""

import random
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from artlab.portfolio import split
from artlab.portfolio.work import Artwork, Mark, PortfolioError

QUICK = settings(deadline=None, max_examples=60)


def works_of(count, series=1, first=0):
    return [work(f"w{first + index}", f"series {index % series}") for index in range(count)]


def work(name, series="", **more):
    return Artwork(id=name, name=f"{name}.png", path=Path(name), size=(64, 64), series=series, **more)


def ids(works):
    return {work.id for work in works}


@st.composite
def portfolios(draw, least=2, most=60):
    """Works in a few series, and groups of near-duplicates that may overlap and name works that are gone."""
    works = works_of(draw(st.integers(least, most)), draw(st.integers(1, 6)))
    names = st.sampled_from([*(work.id for work in works), "gone"])
    return works, draw(st.lists(st.sets(names, min_size=1, max_size=4), max_size=6))


def distinct(works, groups):
    """The number of connected groups, counted another way than the module does."""
    left, count = ids(works), 0
    while left:
        reached = {left.pop()}
        while more := {name for group in groups if reached & set(group) for name in group} - reached:
            reached |= more
        left -= reached
        count += 1
    return count


@QUICK
@given(portfolios(), st.integers(0, 5), st.sampled_from([0.1, 0.15, 0.25]), st.sampled_from([0.0, 0.1]))
def test_groups_stay_together_and_sides_part_the_works(portfolio, seed, validation, test):
    works, groups = portfolio
    if distinct(works, groups) < (3 if test else 2):
        with pytest.raises(PortfolioError, match="distinct works"):
            split.split(works, seed=seed, validation=validation, test=test, groups=groups)
        return
    made = split.split(works, seed=seed, validation=validation, test=test, groups=groups)
    sides = [ids(made.train), ids(made.validation), ids(made.test)]
    assert set().union(*sides) == ids(works)
    assert sum(map(len, sides)) == len(works)
    assert made.train
    assert made.validation
    assert bool(made.test) == bool(test)
    for group in groups:
        assert sum(bool(side & set(group)) for side in sides) <= 1


@QUICK
@given(st.integers(8, 80), st.integers(1, 6), st.integers(0, 50), st.floats(0.01, 0.49))
def test_a_held_out_side_has_two_works_and_at_most_a_quarter(count, series, seed, share):
    made = split.split(works_of(count, series), seed=seed, validation=share, groups=[])
    assert 2 <= len(made.validation) <= count / 4
    if 2 / count <= share <= 0.25:
        assert abs(len(made.validation) - share * count) <= 1


@pytest.mark.parametrize("count", [2, 3, 5, 7])
def test_very_few_works_hold_out_one(count):
    assert len(split.split(works_of(count), seed=0, groups=[]).validation) == 1


def test_groups_larger_than_a_quarter_hold_out_the_smallest():
    groups = [{"w0", "w1", "w2", "w3"}, {"w4", "w5", "w6"}]
    assert ids(split.split(works_of(7), seed=0, groups=groups).validation) == groups[1]


@QUICK
@given(portfolios(least=4), st.randoms(use_true_random=False), st.integers(0, 5))
def test_the_order_of_the_works_does_not_matter(portfolio, chance, seed):
    works, groups = portfolio
    shuffled = random.Random(chance.random()).sample(works, len(works))
    if distinct(works, groups) >= 2:
        assert split.split(works, seed=seed, groups=groups) == split.split(shuffled, seed=seed, groups=groups[::-1])
        assert split.folds(works, seed=seed, groups=groups) == split.folds(shuffled, seed=seed, groups=groups[::-1])


@QUICK
@given(st.integers(12, 80), st.integers(1, 5), st.integers(0, 20))
def test_one_more_work_moves_few_others(count, series, seed):
    works = works_of(count, series)
    before = ids(split.split(works, seed=seed, groups=[]).validation)
    after = ids(split.split([*works, work("new", "series 0")], seed=seed, groups=[]).validation) - {"new"}
    assert len(before ^ after) <= 4


def test_every_series_is_held_out_in_its_share():
    works = works_of(20, first=0) + [work(f"b{index}", "b") for index in range(40)]
    held = split.split(works, seed=3, validation=0.2, groups=[]).validation
    assert sum(work.series == "b" for work in held) == 8
    assert len(held) == 12


def test_seeds_hold_out_other_works_and_a_test_side_keeps_still():
    works = works_of(40)
    assert len({split.split(works, seed=seed, groups=[]).validation for seed in range(5)}) == 5
    tested = {split.split(works, seed=0, validation=share, test=0.1, groups=[]).test for share in (0.1, 0.2, 0.25)}
    assert len(tested) == 1


def test_no_validation_leaves_the_side_empty():
    made = split.split(works_of(20), seed=0, validation=0, groups=[])
    assert (len(made.train), made.validation, made.test) == (20, (), ())


def test_a_duplicate_mark_joins_works_without_a_group():
    works = [work("a"), work("b", marks=(Mark("duplicate", "looks the same", "a"),)), work("c")]
    for seed in range(10):
        made = split.split(works, seed=seed, groups=[])
        assert made.side_of("a") == made.side_of("b") != made.side_of("c")


@QUICK
@given(portfolios(most=11), st.integers(2, 6), st.integers(0, 5))
def test_folds_hold_out_each_work_once(portfolio, k, seed):
    works, groups = portfolio
    if (units := distinct(works, groups)) < 2:
        with pytest.raises(PortfolioError):
            split.folds(works, k, seed=seed, groups=groups)
        return
    made = split.folds(works, k, seed=seed, groups=groups)
    assert len(made) == min(k, units)
    assert sorted(work.id for fold in made for work in fold.validation) == sorted(ids(works))
    for fold in made:
        assert fold.train
        assert ids(fold.train) == ids(works) - ids(fold.validation)
        for group in groups:
            assert not (ids(fold.train) & set(group) and ids(fold.validation) & set(group))


def test_folds_are_even_in_size_and_series():
    made = split.folds(works_of(10, series=2), 5, seed=1, groups=[])
    assert [{work.series for work in fold.validation} for fold in made] == [{"series 0", "series 1"}] * 5


def test_few_works_take_a_fold_and_many_a_split():
    few, many = works_of(split.FEW - 1), works_of(split.FEW)
    assert split.sides(few, seed=0, fold=3, groups=[]) == split.folds(few, seed=0, groups=[])[3]
    assert split.sides(many, seed=0, fold=3, groups=[]) == split.split(many, seed=0, groups=[])
    with pytest.raises(PortfolioError, match="5 folds, numbered 0 to 4"):
        split.sides(few, seed=0, fold=5, groups=[])


@pytest.mark.parametrize("share", [{"validation": 0.5}, {"validation": -0.1}, {"test": 0.6}])
def test_shares_that_cannot_be_are_refused(share):
    with pytest.raises(ValueError, match=r"\[0, 0.5\)"):
        split.split(works_of(20), seed=0, groups=[], **share)


def test_the_side_of_a_stranger_is_an_error():
    with pytest.raises(KeyError):
        split.split(works_of(4), seed=0, groups=[]).side_of("stranger")


def test_weights_balance_series_by_the_square_root_and_repeats():
    works = [*works_of(16), *(work(f"x{index}", "small", repeats=1 + 2 * (index == 2)) for index in range(1, 5))]
    weights = split.weights(works)
    assert sum(weights.values()) / len(works) == pytest.approx(1)
    assert weights["x2"] == pytest.approx(3 * weights["x1"])
    assert 4 * weights["x1"] / (16 * weights["w0"]) == pytest.approx(4**0.5 / 16**0.5)


def test_weights_of_one_series_are_one():
    assert list(split.weights(works_of(7)).values()) == pytest.approx([1.0] * 7)


def test_weights_refuse_repeats_below_one_and_no_works():
    with pytest.raises(PortfolioError, match="repeats 0"):
        split.weights([work("a"), work("zero", repeats=0)])
    with pytest.raises(PortfolioError, match="no works"):
        split.weights([])


def test_splitting_needs_no_torch():
    code = "import sys, artlab.portfolio.split, artlab.portfolio.buckets; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
