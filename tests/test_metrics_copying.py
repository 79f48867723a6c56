"""Copying and variety: published vectors, and sets where the truth is known."""

import numpy as np
import pytest
from PIL import ImageFilter

from artlab import drawing
from artlab.metrics import copying, extractors
from artlab.metrics.errors import MetricError, TooFew


def works(n: int, seed: int = 0) -> np.ndarray:
    """Rows like pooled features: a common direction, a few that vary much, many that vary little."""
    rng = np.random.default_rng(seed)
    return 4 + rng.normal(size=(n, 64)) * np.geomspace(2, 0.1, 64)


@pytest.mark.parametrize("n", [20, 50, 200])
def test_new_works_of_one_hand_are_seldom_flagged(n):
    shares = [copying.calibrated_nearest(works(100, 2 * i), works(n, 2 * i + 1)).share for i in range(20)]
    assert np.mean(shares) < 0.05


@pytest.mark.parametrize("n", [20, 50, 200])
def test_copies_are_flagged_and_found(n):
    own = works(n)
    copies = own[:15] + 0.03 * np.random.default_rng(9).normal(size=(15, 64))
    found = copying.calibrated_nearest(np.concatenate([copies, works(30, 5)]), own)
    assert found.flagged[:15].all()
    assert (found.which[:15] == np.arange(15)).all()
    pairs = copying.worst_pairs(np.concatenate([works(30, 5), copies]), own, 10)
    assert all(picture - 30 == work for picture, work, _ in pairs)
    assert [ratio for *_, ratio in pairs] == sorted(ratio for *_, ratio in pairs)


@pytest.mark.parametrize("n", [5, 8])
def test_few_works_are_enough_to_tell_a_copy(n):
    """Drawn artists, where the truth is known: five works have no percentile of their own, so theirs is held to the usual one."""
    look, new, copies = extractors.get(copying.EXTRACTOR).features, [], []
    for artist in drawing.ARTISTS:
        pictures = [drawing.draw_work(artist, index, height=96).picture for index in range(n + 12)]
        own = look(pictures[:n])
        new.append(copying.calibrated_nearest(look(pictures[n:]), own).share)
        soft = [p.resize((p.width // 3, p.height // 3)).filter(ImageFilter.GaussianBlur(0.7)) for p in pictures[:n]]
        copies.append(copying.calibrated_nearest(look(soft), own).share)
    assert np.mean(new) <= 0.05
    assert np.mean(copies) >= 0.9


def test_two_versions_of_a_work_do_not_make_copies_ordinary():
    own = works(30)
    own[1], own[3], own[5] = own[0], own[2] + 0.01, own[4] + 0.02
    assert copying.calibrated_nearest(own[10:20] + 0.02, own).flagged.all()


def test_auth_pct_is_its_definition():
    own, made = works(20), works(30, 1)
    authentic = 0
    for row in made:
        gaps = np.linalg.norm(own - row, axis=1)
        nearest = gaps.argmin()
        others = np.delete(own, nearest, axis=0)
        authentic += np.linalg.norm(others - own[nearest], axis=1).min() < gaps.min()
    assert copying.auth_pct(made, own) == pytest.approx(100 * authentic / 30)
    assert copying.auth_pct(own, own) == 0


def test_duplicate_rate_counts_both_of_a_pair():
    one = works(20)
    assert copying.duplicate_rate(np.concatenate([one, one[:5]]), 1e-6) == pytest.approx(10 / 25)


def test_vendi_vectors():
    assert copying.vendi_of([[1, 0.9, 0], [0.9, 1, 0], [0, 0, 1]]) == pytest.approx(2.1573, abs=1e-4)
    points = np.array([0, 0, 10, 10, 20, 20])
    assert copying.vendi_of(np.exp(-np.abs(points[:, None] - points))) == pytest.approx(2.9999, abs=1e-4)
    assert copying.vendi(np.ones((12, 5))) == pytest.approx(1)
    assert copying.vendi(np.eye(12)) == pytest.approx(12)


def test_refused():
    with pytest.raises(TooFew, match="n=3 works"):
        copying.calibrated_nearest(works(3), works(3))
    with pytest.raises(TooFew, match="n=3 works"):
        copying.auth_pct(works(3), works(3))
    with pytest.raises(MetricError, match="ones on its diagonal"):
        copying.vendi_of(np.zeros((3, 3)))
