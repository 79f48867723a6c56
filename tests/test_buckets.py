"""Aspect-ratio buckets: kohya's sizes, and the nearest of them."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from artlab.portfolio.buckets import Buckets, aspect, bucket_of, covered

SIZES = st.tuples(st.integers(16, 4096), st.integers(16, 4096))
KINDS = st.sampled_from([Buckets(128, 32), Buckets(256, 32), Buckets(512, 64), Buckets(1024, 64)])


def test_the_small_base_has_these_sizes():
    assert set(Buckets(128, 32).sizes) == {
        (128, 128), (160, 96), (96, 160), (192, 64), (64, 192), (224, 64), (64, 224), (256, 64), (64, 256)
    }  # fmt: skip


def test_stable_diffusion_has_kohyas_sizes():
    """As sd-scripts' `make_bucket_resolutions((512, 512))` lists them, from its documentation's limits 256 and 1024."""
    narrow = {(256, 1024), (256, 960), (256, 896), (256, 832), (256, 768), (256, 704), (256, 640), (320, 768), (320, 704)}
    sizes = set(Buckets(512, 64).sizes)
    assert {(512, 512), (448, 576), (384, 640), (320, 768), (256, 1024)} <= sizes
    assert {size for size in sizes if size[0] < 384} <= narrow
    assert sizes == {(height, width) for width, height in sizes}


@given(KINDS)
def test_sizes_are_steps_within_limits_and_area(buckets):
    low, high = buckets.limits
    for width, height in buckets.sizes:
        assert width % buckets.step == height % buckets.step == 0
        assert low <= min(width, height)
        assert max(width, height) <= high
        assert 0.7 * buckets.resolution**2 <= width * height <= buckets.resolution**2
    assert (buckets.resolution, buckets.resolution) in buckets.sizes


@given(KINDS, SIZES)
def test_no_other_bucket_is_nearer(buckets, size):
    chosen = bucket_of(size, buckets)
    distance = abs(math.log(aspect(chosen) / aspect(size)))
    assert chosen in buckets.sizes
    assert all(distance <= abs(math.log(aspect(other) / aspect(size))) + 1e-6 for other in buckets.sizes)


@pytest.mark.parametrize(
    ("size", "bucket"),
    [
        ((500, 500), (128, 128)),
        ((300, 500), (96, 160)),
        ((500, 300), (160, 96)),
        ((2000, 100), (256, 64)),
        ((100, 2000), (64, 256)),
    ],
)
def test_pictures_find_their_bucket(size, bucket):
    assert bucket_of(size, Buckets(128, 32)) == bucket


def test_square_only():
    assert Buckets(512, 64, minimum=512, maximum=512).sizes == ((512, 512),)


@given(SIZES)
def test_no_upscale_never_enlarges(size):
    buckets = Buckets(512, 64, no_upscale=True)
    width, height = bucket_of(size, buckets)
    assert width % 64 == height % 64 == 0
    assert width * height <= 512**2
    assert max(width, height) <= buckets.limits[1]
    assert width <= max(size[0], 64)
    assert height <= max(size[1], 64)


def test_no_upscale_keeps_large_pictures_in_their_bucket():
    assert bucket_of((3000, 2000), Buckets(512, 64, no_upscale=True)) == bucket_of((3000, 2000), Buckets(512, 64))
    assert bucket_of((300, 200), Buckets(512, 64, no_upscale=True)) == (256, 192)


def test_covered_is_the_share_that_the_crop_keeps():
    assert covered((300, 300), (128, 128)) == 1
    assert covered((400, 200), (128, 128)) == covered((200, 400), (128, 128)) == 0.5


@pytest.mark.parametrize("numbers", [(128, 0), (32, 64), (512, 64, 640), (512, 64, 256, 448)])
def test_numbers_that_leave_no_size_are_refused(numbers):
    with pytest.raises(ValueError, match="Buckets need"):
        Buckets(*numbers)


def test_the_embedded_base_keeps_most_of_a_work():
    """Sides in steps of 16: printed pages and paintings of usual shapes keep nine tenths of their area, where steps of 32 kept five sixths."""
    sizes = [(512, 768), (800, 600), (700, 1000), (1000, 1300), (768, 512), (900, 900), (1414, 1000)]
    kept = [covered(size, bucket_of(size, Buckets(128, load_facts().bucket_step))) for size in sizes]
    assert sum(kept) / len(kept) > 0.9


def load_facts():
    from artlab.bases import card  # noqa: PLC0415 - torch

    return card("mini")
