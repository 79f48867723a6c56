"""The base's own pictures beside the works: what they show, whose colours they have, and that they are kept."""

import numpy as np
import pytest
import torch
from PIL import Image

from artlab import drawing
from artlab.bases import load_base
from artlab.drawing.subjects import noun, plural
from artlab.finetune import finetune, own_pictures
from artlab.portfolio import captions, gather
from artlab.portfolio.dataset import LatentCache
from artlab.restyle import palette
from artlab.settings import Finetune


@pytest.fixture(scope="module")
def mini():
    return load_base("mini")


@pytest.fixture(scope="module")
def works(tmp_path_factory):
    folder = tmp_path_factory.mktemp("works") / "solvane"
    drawing.draw_portfolio("solvane", folder, count=8, height=96)
    return folder


def test_motifs_are_what_the_base_knows_and_the_same_each_time(mini):
    texts = own_pictures.motifs(mini, 72, 0)
    assert texts == own_pictures.motifs(mini, 72, 0)
    for text, motif in zip(texts, mini.facts.motifs.split() * 2, strict=True):
        assert noun(motif) in text or plural(motif) in text
    assert len(set(texts)) > 50


def test_a_small_base_imagines_more_the_longer_it_learns_and_others_nothing(mini, works):
    def asked(**changes):
        return Finetune(portfolio=str(works), **changes)

    assert [own_pictures.imagined_count(asked(), mini, steps) for steps in (2, 12, 300, 2000)] == [0, 2, 48, 48]
    assert own_pictures.imagined_count(asked(imagined=0), mini, 300) == 0
    assert own_pictures.imagined_count(asked(imagined=7), mini, 2) == 7


def test_they_are_in_the_colours_of_the_work(mini, works, tmp_path):
    """A work of one red: what is imagined after it has lost the base's own colours."""
    reds = [min(255, v) for v in range(256)] + [v // 5 for v in range(256)] * 2
    for name, strength in (("red.png", 30), ("redder.png", 60)):
        Image.effect_noise((96, 96), strength).convert("RGB").point(reds).save(tmp_path / name)
    work = gather(tmp_path, say=lambda text: None).kept[0]
    settings = Finetune(portfolio=str(tmp_path))
    latents = own_pictures._in_her_colours(settings, mini, "a tree", 3, work)
    made = np.asarray(mini.decode(latents[None])[0]).astype(float).mean(axis=(0, 1))
    plain = np.asarray(own_pictures._drawn(settings, mini, "a tree", 3)).astype(float).mean(axis=(0, 1))
    assert made[0] - made[2] > 40
    assert made[0] - made[2] > plain[0] - plain[2] + 20


def test_they_are_asked_for_with_the_trigger_and_made_once(mini, works, tmp_path, monkeypatch):
    portfolio = gather(works, say=lambda text: None)
    settings, cache, said = Finetune(portfolio=str(works), imagined=3), LatentCache(tmp_path / "cache"), []
    first = own_pictures.of(settings, mini, portfolio, portfolio.kept, 300, cache, said.append)
    assert len(first) == 3
    assert "1 of 3" in said[0]
    states = mini.condition([captions.with_trigger(own_pictures.motifs(mini, 1, 0)[0], portfolio.trigger)])["states"][0]
    assert torch.equal(first[0].condition["states"], states)
    monkeypatch.setattr(palette, "transport", lambda *a, **k: pytest.fail("it was made already"))
    again = own_pictures.of(settings, mini, portfolio, portfolio.kept, 300, cache, said.append)
    assert all(torch.equal(one.latents, two.latents) for one, two in zip(first, again, strict=True))


def test_a_style_learns_from_them(tiny_base_folder, works):
    def taught(count):
        settings = Finetune(
            portfolio=str(works), base=str(tiny_base_folder), name=f"with {count}", imagined=count, resolution=64, max_train_steps=2,
            validation_steps=2, sample_steps=2, checkpointing_steps=2, rank=2, views=1, device="cpu",
        )  # fmt: skip
        return finetune(settings, report=lambda step: None, say=lambda text: None)

    without, with_two = taught(0), taught(2)
    assert with_two.sha256 != without.sha256
    assert (without.card["data"]["imagined"], with_two.card["data"]["imagined"]) == (0, 2)
