"""Texture: distances of Gaussians in closed form, their gradients and averages; the optimisation goes down, keeps paper, fits in pieces."""

import pytest
import torch

from artlab.restyle import colour, texture, tiles
from artlab.restyle.statistics import Gaussian, Sums, Target, barycentre


def gaussian(seed, size=5):
    draw = torch.Generator().manual_seed(seed)
    mix = torch.randn(size, size, generator=draw)
    return Gaussian(torch.randn(size, generator=draw), mix @ mix.T / size + 0.1 * torch.eye(size))


def noise(seed=0, size=64):
    draw = torch.Generator().manual_seed(seed)
    coarse = torch.rand(3, size // 8, size // 8, generator=draw)
    return colour.resize(coarse, (size, size)).clamp(0, 1)


# -- statistics -------------------------------------------------------------------------------------------------------------


def test_distance_to_itself_is_zero():
    one = gaussian(0)
    loss, to_mean, to_covariance = Target(one).distance(one)
    assert loss == pytest.approx(0, abs=1e-4)
    assert to_mean.abs().max() == 0
    assert to_covariance.abs().max() < 1e-2


def test_distance_of_lines_is_the_known_one():
    """In one dimension W2^2 is (m1 - m2)^2 + (s1 - s2)^2."""
    a, b = (Gaussian(torch.tensor([m]), torch.tensor([[s * s]])) for m, s in ((1.0, 2.0), (4.0, 0.5)))
    target = Target(b)
    assert target.distance(a)[0] * target.size == pytest.approx(9 + 2.25, rel=1e-4)


def test_gradients_are_those_of_the_distance():
    now, target = gaussian(1), Target(gaussian(2))
    _, to_mean, to_covariance = target.distance(now)
    draw = torch.Generator().manual_seed(3)
    step = torch.randn(5, generator=draw)
    turn = torch.randn(5, 5, generator=draw)
    turn = turn + turn.T
    tiny = 1e-3

    def moved(sign):
        return target.distance(Gaussian(now.mean + sign * tiny * step, now.covariance + sign * tiny * turn))[0]

    slope = (moved(1) - moved(-1)) / (2 * tiny)
    assert slope == pytest.approx(float((to_mean * step).sum() + (to_covariance * turn).sum()), rel=0.02)


def test_barycentre_of_equals_and_order():
    a, b = gaussian(4), gaussian(5)
    same = barycentre([(a, 0.3), (a, 0.7)])
    assert torch.allclose(same.covariance, a.covariance, atol=1e-3)
    one, other = barycentre([(a, 1.0), (b, 2.0)]), barycentre([(b, 2.0), (a, 1.0)])
    assert torch.allclose(one.covariance, other.covariance, atol=1e-4)
    assert torch.allclose(one.mean, (a.mean + 2 * b.mean) / 3)
    assert barycentre([(a, 1.0), (b, 0.0)]) is a


def test_barycentre_of_lines_averages_deviations():
    a, b = (Gaussian(torch.zeros(1), torch.tensor([[s * s]])) for s in (1.0, 3.0))
    assert float(barycentre([(a, 1.0), (b, 1.0)]).covariance) == pytest.approx(4.0, rel=1e-3)


def test_sums_of_pieces_are_those_of_the_whole():
    features, weights = torch.rand(4, 10, 12), torch.rand(10, 12)
    whole = Sums.of(features, weights)
    parts = Sums.of(features[:, :4], weights[:4])
    parts.add(Sums.of(features[:, 4:], weights[4:]))
    assert torch.allclose(parts.gaussian().covariance, whole.gaussian().covariance, atol=1e-6)


# -- pieces -----------------------------------------------------------------------------------------------------------------


def test_tiles_cover_each_pixel_once():
    seen = torch.zeros(100, 71)
    for tile in tiles.partition(100, 71, 32, 8, 16):
        seen[tile.top : tile.bottom, tile.left : tile.right] += 1
        assert tile.outer[0] <= tile.top
        assert tile.bottom <= tile.outer[1] <= 100
    assert bool((seen == 1).all())


@pytest.mark.parametrize("size", [(40, 40), (64, 100), (33, 97)])
def test_windows_of_the_identity_are_the_picture(size):
    picture = torch.rand(1, 2, *size)
    made = tiles.windows(*size, (32, 32), 10, lambda rows, columns: picture[..., rows, columns])
    assert torch.allclose(made, picture, atol=1e-6)


def test_windows_fade_where_they_disagree():
    count = iter(range(100))
    made = tiles.windows(16, 60, (16, 24), 8, lambda rows, columns: torch.full((1, 16, 24), float(next(count))))
    assert (made[0, 0, 1:] - made[0, 0, :-1]).abs().max() < 0.5


# -- the picture ------------------------------------------------------------------------------------------------------------


def test_a_pyramid_gives_the_picture_back():
    picture = torch.rand(3, 45, 61)
    assert torch.allclose(texture.compose(texture.decompose(picture, 4)), picture, atol=1e-5)


def test_scales_end_at_the_whole():
    sizes = texture.scales(300, 400)
    assert sizes[-1] == (300, 400)
    assert 90 <= max(sizes[0]) <= 192
    assert texture.scales(40, 40) == [(40, 40)]


def refinement(goal, style, **changes):
    plan = texture.Plan(**changes)
    return texture.Refinement(goal, goal, texture.ground(goal), texture.style_targets([(style, 1.0)], max(goal.shape)), plan)


def test_the_loss_goes_down():
    one = refinement(noise(0), noise(1) * 0.5, colour=1.0)  # no palette step has brought the colours over
    losses = []
    for step in range(12):
        one.step(step, 12)
        losses.append(one.loss)
    assert losses[-1] < 0.7 * losses[0]


def test_paper_stays_to_the_bit():
    goal = torch.full((3, 96, 96), 0.97)
    goal[:, :, :30] = noise(2, 96)[:, :, :30]
    made = texture.stylise(goal, [(noise(3, 96), 1.0)], texture.Plan(steps=(8,)))
    assert (made - goal)[:, :, 60:].abs().max() < 1e-3
    assert (made - goal)[:, :, :24].abs().mean() > 0.003


def test_pieces_give_the_gradient_of_the_whole(monkeypatch):
    goal, style = noise(4, 160), noise(5, 96)
    one = refinement(goal, style)
    loss, slope = one._features(goal.clone(), 0)
    monkeypatch.setattr(texture, "TILE", 96)
    other = refinement(goal, style)
    other.targets = one.targets
    pieces_loss, pieces_slope = other._features(goal.clone(), 0)
    assert pieces_loss == pytest.approx(loss, rel=0.02)
    cosine = torch.nn.functional.cosine_similarity(slope.flatten(), pieces_slope.flatten(), dim=0)
    assert cosine > 0.97


def test_progress_and_stop():
    seen = []
    texture.stylise(noise(0), [(noise(1), 1.0)], texture.Plan(steps=(10,)), on_image=lambda *now: seen.append(now[:2]))
    assert seen == [(10, 10)]


def test_the_same_twice():
    make = [texture.stylise(noise(0, 48), [(noise(1, 48), 1.0)], texture.Plan(steps=(3,))) for _ in range(2)]
    assert torch.equal(*make)
