"""What training draws: the plan, the cache, and an order of batches that needs no memory."""

import errno
import os
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageColor

from artlab import files
from artlab import settings as verbs
from artlab.portfolio import augment, dataset, preview
from artlab.portfolio.augment import STILL, Augment
from artlab.portfolio.dataset import Item, LatentCache, Order
from artlab.portfolio.work import Artwork, Mark, Portfolio, PortfolioError

QUICK = settings(deadline=None, max_examples=40)

BUCKETS = [(128, 128), (96, 160), (160, 96)]


@pytest.fixture
def portfolio(tmp_path):
    """Four works of two shapes, one marked for its lettering."""
    chance, works = np.random.default_rng(0), []
    for index, size in enumerate([(120, 120), (90, 150), (90, 150), (120, 120)]):
        path = tmp_path / f"{index}.png"
        small = Image.fromarray(chance.integers(0, 256, (4, 4, 3)).astype(np.uint8))
        small.resize(size, Image.Resampling.BICUBIC).save(path)
        marks = (Mark("text", "letters"),) if index == 3 else ()
        works.append(Artwork(f"id{index}", path.name, path, size, f"picture {index % 3}", "ab"[index // 3], marks=marks))
    return Portfolio("test", tmp_path, "zorbel", tuple(works))


def planned(portfolio, works=None, **more):
    given = {"resolution": 128, "step": 32, "augment": Augment(), "seed": 1, "views": 3}
    return dataset.plan(portfolio, portfolio.works if works is None else works, **{**given, **more})


# -- plan -------------------------------------------------------------------------------------------------------------------


def test_a_plan_has_views_captions_buckets_and_weights(portfolio):
    items = planned(portfolio)
    assert [(item.work, item.view) for item in items] == [(f"id{work}", view) for work in range(4) for view in range(3)]
    assert all("zorbel" in item.caption and item.caption.startswith("picture") for item in items)
    assert {item.work: item.bucket for item in items} == {
        "id0": (128, 128), "id1": (96, 160), "id2": (96, 160), "id3": (128, 128)
    }  # fmt: skip
    weights = {item.work: item.weight for item in items}
    assert weights["id3"] == pytest.approx(3**0.5 * weights["id0"])
    assert np.mean([item.weight for item in items]) == pytest.approx(1)


def test_a_plan_does_not_depend_on_the_order_of_works(portfolio):
    assert planned(portfolio) == planned(portfolio, portfolio.works[::-1])


def test_the_first_view_is_still_and_the_others_differ(portfolio):
    first, second, third = planned(portfolio)[:3]
    assert torch.equal(first.pixels(), augment.view(Image.open(first.path), first.bucket, STILL, 0))
    assert not torch.equal(second.pixels(), third.pixels())
    assert torch.equal(second.pixels(), second.pixels())


def test_a_held_out_side_has_one_view_under_every_seed(portfolio):
    items = planned(portfolio, augment=STILL)
    assert len(items) == 4
    assert [item.key for item in items] == [item.key for item in planned(portfolio, augment=STILL, seed=2)]
    assert [item.key for item in planned(portfolio)][1] != [item.key for item in planned(portfolio, seed=2)][1]


def test_works_with_writing_are_not_mirrored(portfolio):
    items = planned(portfolio, augment=Augment(horizontal_flip=True))
    assert {item.work for item in items if item.augment.horizontal_flip} == {"id0", "id1", "id2"}
    assert dataset.flip_refusals(portfolio.works).keys() == {"id3"}
    assert not any(item.augment.horizontal_flip for item in planned(portfolio))


def test_a_plan_of_nothing_is_refused(portfolio):
    with pytest.raises(PortfolioError):
        planned(portfolio, [])
    with pytest.raises(ValueError, match="at least one view"):
        planned(portfolio, views=0)


def test_keys_tell_apart_all_that_changes_pixels(portfolio):
    ways = [{}, {"seed": 2}, {"resolution": 256}, {"augment": Augment(crop_scale_min=0.5)}, {"augment": Augment(rotation=1)}]
    keys = {planned(portfolio, **way)[1].key for way in ways}
    assert len(keys) == len(ways)


def test_the_preview_has_a_card_for_each_work_in_the_colour_of_its_side(portfolio):
    works = (*portfolio.works[:3], replace(portfolio.works[3], kept=False))
    sheet = preview.preview(replace(portfolio, works=works), verbs.Portfolio(action="preview", random_flip=True))
    middles = [preview.HEAD + index * (preview.CARD_HEIGHT + preview.GAP) + preview.CARD_HEIGHT // 2 for index in range(4)]
    colours = [sheet.getpixel((preview.EDGE + 2, middle)) for middle in middles]
    sides = {ImageColor.getrgb(colour): side for side, colour in preview.SIDES.items()}
    assert sorted(sides[colour] for colour in colours[:3]) == ["train", "train", "validation"]
    assert sides[colours[3]] == "left out"
    assert sheet.height == preview.HEAD + 4 * (preview.CARD_HEIGHT + preview.GAP) + preview.EDGE


# -- cache ------------------------------------------------------------------------------------------------------------------


class Maker:
    """Makes tensors from positions and remembers what it was asked for."""

    def __init__(self, value=1.0):
        self.asked, self.value = [], value

    def __call__(self, positions):
        self.asked.append(list(positions))
        return [{"x": torch.full((2, 2), self.value + position), "mask": torch.tensor([True])} for position in positions]


def test_what_was_made_is_found_again(tmp_path):
    maker, keys = Maker(), ["a1", "b2", "a1", "c3"]
    made = LatentCache(tmp_path).get_or_make(keys, maker, batch=2)
    assert maker.asked == [[0, 1], [3]]
    found = LatentCache(tmp_path).get_or_make(keys, maker, batch=2)
    assert maker.asked == [[0, 1], [3]]
    assert [float(row["x"][0, 0]) for row in found] == [1, 2, 1, 4]
    assert all(torch.equal(one[name], other[name]) for one, other in zip(made, found, strict=True) for name in one)


@pytest.mark.parametrize("damage", ["cut", "empty", "bit", "other file", "huge header"])
def test_a_damaged_file_is_made_anew(tmp_path, damage):
    cache = LatentCache(tmp_path)
    cache.get_or_make(["aa", "bb"], Maker())
    path = cache.path("aa")
    data = path.read_bytes()
    harmed = {
        "cut": data[:-3],
        "empty": b"",
        "bit": data[:-1] + bytes([data[-1] ^ 1]),
        "other file": b"\x89PNG" * 40,
        "huge header": b"\xff" * 8 + data[8:],
    }
    path.write_bytes(harmed[damage])
    maker = Maker()
    assert float(cache.get_or_make(["aa", "bb"], maker)[0]["x"][0, 0]) == 1
    assert maker.asked == [[0]]
    assert path.read_bytes() == data


def test_half_precision_survives(tmp_path):
    tensor = torch.randn(3, 4).to(torch.bfloat16)
    cache = LatentCache(tmp_path)
    for _ in range(2):
        (row,) = cache.get_or_make(["k1"], lambda _: [{"latents": tensor}])
        assert row["latents"].dtype == torch.bfloat16
        assert torch.equal(row["latents"], tensor)


def test_nan_is_never_kept(tmp_path):
    cache = LatentCache(tmp_path)
    with pytest.raises(ValueError, match="NaN or infinity"):
        cache.get_or_make(["aa"], Maker(float("nan")))
    assert not cache.path("aa").exists()


def test_the_folder_stays_within_its_limit_and_keeps_what_was_used_last(tmp_path):
    cache = LatentCache(tmp_path)
    cache.get_or_make(["aa", "bb", "cc"], Maker())
    for age, key in enumerate(["cc", "bb", "aa"]):
        os.utime(cache.path(key), (1e9 - age, 1e9 - age))
    cache.get_or_make(["aa"], Maker())
    size = cache.path("aa").stat().st_size
    small = LatentCache(tmp_path, limit=2 * size)
    assert small.tidy() == 1
    assert [small.path(key).exists() for key in ("aa", "bb", "cc")] == [True, False, True]
    small.get_or_make(["dd"], Maker())
    assert len(list(tmp_path.rglob("*.safetensors"))) == 2


def test_a_full_disk_costs_only_the_cache(tmp_path, monkeypatch):
    def full(path, data):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(files, "write", full)
    (row,) = LatentCache(tmp_path).get_or_make(["aa"], Maker())
    assert float(row["x"][0, 0]) == 1
    assert not list(tmp_path.iterdir())


def test_latents_are_encoded_by_bucket_and_found_again(portfolio, tmp_path):
    items, shapes = planned(portfolio), []

    def encode(pixels):
        shapes.append(tuple(pixels.shape))
        return pixels.mean(1, keepdim=True)[:, :, ::32, ::32]

    cache = LatentCache(tmp_path / "cache")
    made = dataset.latents(items, encode, cache=cache, base="one", batch=4)
    assert sorted(shapes) == [(2, 3, 128, 128), (2, 3, 160, 96), (4, 3, 128, 128), (4, 3, 160, 96)]
    for item, latent in zip(items, made, strict=True):
        assert torch.equal(latent, encode(item.pixels()[None])[0])
    shapes.clear()
    again = dataset.latents(items[::-1], encode, cache=cache, base="one")
    assert not shapes
    assert all(torch.equal(one, other) for one, other in zip(made, again[::-1], strict=True))
    dataset.latents(items[:1], encode, cache=cache, base="two")
    assert len(shapes) == 1


def test_text_states_are_made_once_per_caption(tmp_path):
    asked = []

    def condition(texts):
        asked.append(list(texts))
        return {"states": torch.tensor([[[len(text)]] for text in texts], dtype=torch.float32), "mask": torch.ones(len(texts), 7)}

    cache = LatentCache(tmp_path)
    made = dataset.text_states(["rose", "", "rose"], condition, cache=cache, base="b")
    assert asked == [["rose", ""]]
    assert {text: float(state["states"]) for text, state in made.items()} == {"rose": 4, "": 0}
    assert made[""]["mask"].shape == (7,)
    dataset.text_states(["", "rose", "oak"], condition, cache=cache, base="b")
    assert asked[1:] == [["oak"]]


# -- order ------------------------------------------------------------------------------------------------------------------


def item(index, bucket=BUCKETS[0], weight=1.0):
    return Item(f"w{index}", 0, "", bucket, weight, Path(), STILL, 0)


@st.composite
def item_lists(draw):
    buckets, weights = st.sampled_from(BUCKETS), st.sampled_from([0.25, 0.5, 1.0, 1.7, 3.0])
    return [item(index, draw(buckets), draw(weights)) for index in range(draw(st.integers(1, 40)))]


@QUICK
@given(item_lists(), st.integers(1, 6), st.integers(0, 4))
def test_a_batch_is_a_function_of_seed_and_step(items, batch, seed):
    order = Order(items, batch, seed)
    forwards = [order.batch(step) for step in range(25)]
    resumed = Order(items, batch, seed)
    assert [resumed.batch(step) for step in reversed(range(25))] == forwards[::-1]
    assert list(order.batches(7, 12)) == forwards[7:12]
    assert all(len(drawn) == batch for drawn in forwards)


@QUICK
@given(item_lists(), st.integers(1, 6), st.integers(0, 4))
def test_a_batch_has_one_bucket(items, batch, seed):
    order = Order(items, batch, seed)
    assert all(len({items[index].bucket for index in order.batch(step)}) == 1 for step in range(25))


@QUICK
@given(item_lists(), st.integers(1, 3), st.sampled_from([2, 4]), st.integers(0, 4))
def test_many_processes_see_what_one_would(items, batch, world, seed):
    one = Order(items, batch * world, seed)
    ranks = [Order(items, batch, seed, rank=rank, world_size=world) for rank in range(world)]
    for step in range(20):
        assert [index for rank in ranks for index in rank.batch(step)] == one.batch(step)


@settings(QUICK, max_examples=15)
@given(item_lists(), st.integers(1, 6), st.integers(0, 3))
def test_items_are_drawn_by_their_weights(items, batch, seed):
    """Over many epochs the count of each item is near weight x epochs, within what whole passes and whole batches allow."""
    order = Order(items, batch, seed)
    total = sum(item.weight for item in items)
    steps = max(round(40 * total / batch), order.batches_per_epoch)
    drawn = Counter(index for step in range(steps) for index in order.batch(step))
    for index, entry in enumerate(items):
        expected = steps * batch * entry.weight / total
        assert abs(drawn[index] - expected) <= 0.05 * expected + 16 + 2 * batch


def test_an_epoch_of_equal_weights_shows_everything_once():
    items = [item(index, BUCKETS[index % 2]) for index in range(32)]
    order = Order(items, 4, 0)
    assert order.batches_per_epoch == 8
    for epoch in range(3):
        drawn = [index for step in range(8 * epoch, 8 * epoch + 8) for index in order.batch(step)]
        assert sorted(drawn) == list(range(32))
    assert order.batch(0) != order.batch(8)


def test_weights_show_within_an_epoch():
    items = [item(0, weight=3.0), item(1, weight=0.5), *(item(index) for index in range(2, 10))]
    order = Order(items, 1, 0)
    drawn = Counter(index for step in range(order.batches_per_epoch * 40) for index in order.batch(step))
    assert abs(drawn[0] / 40 - 3.0) < 0.3
    assert 0.3 < drawn[1] / 40 < 0.7


def test_a_rare_bucket_comes_at_even_intervals():
    items = [*(item(index) for index in range(62)), *(item(index, BUCKETS[1]) for index in (62, 63))]
    order = Order(items, 8, 0)
    steps = [step for step in range(800) if order.batch(step)[0] >= 62]
    assert abs(len(steps) - 25) <= 1
    assert max(np.diff(steps)) < 6 * order.batches_per_epoch


def test_seeds_draw_different_orders():
    items = [item(index) for index in range(20)]
    assert len({tuple(Order(items, 5, seed).batch(0)) for seed in range(5)}) == 5


def test_an_item_of_weight_zero_is_never_drawn():
    order = Order([item(0), item(1, weight=0.0), item(2, BUCKETS[1], 0.0)], 2, 0)
    assert {index for step in range(10) for index in order.batch(step)} == {0}


def test_an_order_of_nothing_is_refused():
    for items in ([], [item(0, weight=0.0)]):
        with pytest.raises(PortfolioError, match="nothing to train on"):
            Order(items, 2, 0)
    for wrong in ({"batch_size": 0}, {"batch_size": 2, "rank": 2, "world_size": 2}):
        with pytest.raises(ValueError, match="do not go together"):
            Order([item(0)], seed=0, **wrong)


def test_captions_are_dropped_in_their_share_and_always_alike():
    made = [[dataset.caption_dropout(step, index, 7, 0.1) for index in range(20)] for step in range(100)]
    assert made == [[dataset.caption_dropout(step, index, 7, 0.1) for index in range(20)] for step in range(100)]
    assert 150 < sum(map(sum, made)) < 250
    assert not any(dataset.caption_dropout(step, 0, 7, 0.0) for step in range(50))
    assert all(dataset.caption_dropout(step, 0, 7, 1.0) for step in range(50))
