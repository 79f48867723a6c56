"""mini-clip as it ships: small, and able to tell pictures' own captions from each other's."""

import numpy as np
import pytest
from PIL import Image

from artlab import drawing
from artlab.metrics import agreement, extractors, mini_clip
from artlab.metrics.nulls import z_score

SUBJECTS = "castle cat ship tree face owl balloon fish house horse mountain lighthouse".split()  # noqa: SIM905
PALETTES, MEDIA = ("ember", "ice", "meadow", "night"), ("ink drawing", "mosaic", "watercolour", "woodcut", "paper cut")


@pytest.fixture(scope="module")
def drawn() -> list[drawing.Drawing]:
    """Pictures of seeds that mini-clip never saw."""
    kinds = [(subject, PALETTES[i % 4], MEDIA[i % 5]) for i, subject in enumerate(SUBJECTS)]
    return [drawing.draw(s, "close-up", palette, medium, seed=991 + i, height=96) for i, (s, palette, medium) in enumerate(kinds)]


def test_it_is_small_and_has_a_card():
    folder = mini_clip.folder()
    assert sum(path.stat().st_size for path in folder.glob("*.safetensors")) < 1_500_000
    assert "It is not CLIP" in (folder / "README.md").read_text()


def test_own_captions_agree_more_than_shuffled_ones(drawn):
    network = extractors.get("mini-clip")
    assert isinstance(network, extractors.WithTexts)
    looked = network.features([work.picture for work in drawn])
    said = network.texts([work.caption for work in drawn])
    np.testing.assert_allclose(np.linalg.norm(looked, axis=1), 1, atol=1e-5)
    chance = agreement.shuffle_null(looked, said, trials=199)
    assert z_score(agreement.clip_score(looked, said), chance) > 3
    assert min(agreement.recall_at(looked, said, 3)) > 0.6  # of 12; by chance a quarter


def test_a_row_depends_on_its_own_picture_and_caption_only(drawn):
    network = extractors.get("mini-clip")
    pictures = [work.picture for work in drawn[:3]]
    np.testing.assert_allclose(network.features(pictures)[1:2], network.features(pictures[1:2]), atol=1e-4)
    both, alone = network.texts(["a cat", "a very long caption about a ship under the moon"]), network.texts(["a cat"])
    np.testing.assert_allclose(both[:1], alone, atol=1e-4)
    flat = network.features([Image.new("RGB", (64, 64), "white")])
    assert np.isfinite(flat).all()
