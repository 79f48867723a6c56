"""The judge's rules, on scores whose truth is known."""

import numpy as np
import pytest

from artlab import judge


def score(step, style=0.0, agreement=0.2, copied=0, n=12, seed=0):
    rng = np.random.default_rng(seed)
    noise = rng.normal(size=(2, n))
    noise -= noise.mean(axis=1, keepdims=True)
    wobble = np.random.default_rng(step + 1).normal(size=n) * 0.01
    return judge.Score(
        step,
        tuple(style + 0.05 * noise[0] + wobble),
        tuple(agreement + 0.05 * noise[1]),
        tuple(index < copied for index in range(n)),
    )


BASE = score(0)


def test_the_nearest_step_is_kept_while_it_grows():
    chosen = judge.choose([score(100, 0.2), score(200, 0.4), score(300, 0.6)], BASE)
    assert chosen.step == 300
    assert "the last" in chosen.reason
    assert chosen.forgets_from is None


def test_of_equal_steps_the_earliest_is_kept():
    chosen = judge.choose([score(100, 0.2), score(200, 0.6), score(300, 0.601)], BASE)
    assert chosen.step == 200
    assert "200" in chosen.reason


def test_steps_that_forget_the_prompts_are_passed_over():
    scores = [score(100, 0.3), score(200, 0.5), score(300, 0.7, agreement=0.02), score(400, 0.9, agreement=0.0)]
    chosen = judge.choose(scores, BASE)
    assert (chosen.step, chosen.forgets_from) == (200, 300)
    assert "From step 300 on it forgets the prompts" in chosen.reason


def test_steps_that_repeat_works_are_passed_over():
    chosen = judge.choose([score(100, 0.3), score(200, 0.9, copied=6)], BASE)
    assert (chosen.step, chosen.copies_from) == (100, 200)


def test_what_the_base_makes_as_like_a_work_is_no_copy():
    """At the same prompt and seed, that is: the base never saw the works."""
    assert judge.repeats(score(100, copied=4), BASE)
    assert not judge.repeats(score(100, copied=4), score(0, copied=3))
    assert judge.repeats(score(100, copied=8), score(0, copied=3))
    assert not judge.repeats(score(100, copied=12), score(0, copied=12))


def test_when_all_are_bad_the_first_is_kept_and_said():
    chosen = judge.choose([score(100, 0.9, copied=9), score(200, 0.9, copied=9)], BASE)
    assert chosen.step == 100
    assert "All steps repeat works" in chosen.reason


def test_a_base_that_follows_no_prompt_cannot_be_forgotten():
    assert not judge.forgets(score(1, agreement=0.0), score(0, agreement=0.0))


def test_it_stops_when_nothing_comes_nearer_or_something_goes_wrong():
    growing = [score(step, step / 100) for step in (10, 20, 30)]
    assert not judge.enough(growing, BASE, 2)
    assert judge.enough([*growing, score(40, 0.3), score(50, 0.299)], BASE, 2)
    assert not judge.enough([*growing, score(40, 0.3), score(50, 0.299)], BASE, 0)
    assert judge.enough([*growing, score(40, 0.4, copied=6)], BASE, 0)
    assert judge.enough([*growing, score(40, 0.4, agreement=0.0)], BASE, 0)


@pytest.mark.parametrize(("hits", "n", "surely"), [(0, 12, False), (1, 12, False), (2, 12, False), (4, 12, True), (1, 1, False)])
def test_a_few_near_pictures_are_chance(hits, n, surely):
    assert judge.surely_more(hits, n, judge.COPIES) is surely


def test_nearness_does_not_count_a_work_itself():
    rows = np.eye(3)
    assert judge.nearness(rows, rows) == pytest.approx(1 / 3)
    assert judge.nearness(rows, rows, itself=True) == pytest.approx(0)


def test_gaps_are_the_lead_of_the_own_prompt():
    texts = np.array([[1.0, 0], [0, 1.0], [0, 1.0]])  # two of the prompts are the same
    assert judge.gaps(texts, texts) == pytest.approx([1, 1, 1])
    assert judge.gaps(np.ones((3, 2)), texts) == pytest.approx(0)
    assert judge.gaps(texts[1:], texts[1:]) == pytest.approx(0)


def test_a_score_survives_json():
    assert judge.Score.of(BASE.row()) == BASE
