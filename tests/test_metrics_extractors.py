"""The networks by name: always there, from a folder, or missed by name; features kept by content."""

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import tiny
import torch
from PIL import Image, ImageEnhance, ImageOps
from transformers import (
    BitImageProcessor,
    CLIPConfig,
    CLIPImageProcessor,
    CLIPModel,
    CLIPProcessor,
    CLIPTokenizer,
    Dinov2Config,
    Dinov2Model,
)

from artlab import drawing, files, metrics
from artlab.metrics import copying, effnet, extractors
from artlab.metrics.errors import MetricError, MissingNetwork


def pictures(count: int, side: int = 40) -> list[Image.Image]:
    rng = np.random.default_rng(0)
    return [Image.fromarray(rng.integers(256, size=(side, side + i, 3), dtype=np.uint8)) for i in range(count)]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ARTLAB_HOME", str(tmp_path / "home"))
    extractors.get.cache_clear()
    return tmp_path


@pytest.fixture(scope="module")
def clip_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("clip") / "tiny-clip"
    folder.with_name("text").mkdir()
    tiny._text(folder.with_name("text"))
    tokenizer = CLIPTokenizer.from_pretrained(folder.with_name("text") / "tokenizer")
    torch.manual_seed(0)
    part = {"hidden_size": 32, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2}
    config = CLIPConfig(
        text_config=part | {"vocab_size": len(tokenizer), "bos_token_id": 0, "eos_token_id": 1, "pad_token_id": 1},
        vision_config=part | {"image_size": 32, "patch_size": 8},
        projection_dim=16,
    )
    CLIPModel(config).save_pretrained(folder)
    CLIPProcessor(CLIPImageProcessor(size={"shortest_edge": 32}, crop_size=32), tokenizer).save_pretrained(folder)
    return folder


def test_embedded_networks_are_there():
    for name, width in (("effnet-lite0", 1280), ("style", 608), ("layout", 192), ("mini-clip", 192)):
        extractor = extractors.get(name)
        found = extractor.features(pictures(3))
        assert (extractor.name, found.shape, found.dtype) == (name, (3, width), np.float32)
        assert extractor.features([]).shape == (0, width)
    assert extractors.get("style").features(pictures(3)).max() <= 5


def test_layout_finds_copies_in_other_states_and_no_new_works():
    works = [drawing.draw_work("vask", i, height=96).picture for i in range(16)]
    new = [drawing.draw_work("vask", i, seed=5, height=96).picture for i in range(16)]
    states = [lambda p: p.resize((48, 48)), ImageOps.mirror, lambda p: ImageEnhance.Brightness(p).enhance(0.8)]
    look = extractors.get("layout").features
    for state in states:
        assert copying.calibrated_nearest(look([state(work) for work in works[:6]]), look(works)).flagged.all()
    assert copying.calibrated_nearest(look(new), look(works)).share <= 1 / 16


def test_the_folded_network_is_the_network(monkeypatch):
    torch.manual_seed(0)
    pixels = torch.rand(2, 3, 96, 64) * 2 - 1
    folded = effnet.taps(pixels)
    monkeypatch.setattr(effnet, "network", effnet.pretrained)
    for one, other in zip(folded, effnet.taps(pixels), strict=True):
        assert torch.linalg.vector_norm(one - other) < 1e-4 * torch.linalg.vector_norm(other)


def test_the_network_knows_gradients_whoever_asks_first():
    effnet.network.cache_clear()
    with torch.inference_mode():
        effnet.network()
    pixels = torch.zeros(1, 3, 64, 64, requires_grad=True)
    effnet.taps(pixels)[-1].sum().backward()
    assert pixels.grad is not None
    assert pixels.grad.abs().sum() > 0


@pytest.mark.parametrize(("photograph", "number"), [("lion.jpg", 291), ("cheetah.jpg", 293)])
def test_the_network_knows_what_it_was_taught(photograph, number):
    """With another activation than the one that its weights were learned with it calls a lion a fire screen."""
    found = find_spec("gradio")
    path = Path(found.origin).parent / "media_assets" / "images" / photograph
    if not path.is_file():
        pytest.skip(f"this Gradio has no {photograph}")
    photo = ImageOps.fit(Image.open(path).convert("RGB"), (224, 224))
    with torch.inference_mode():
        scores = effnet.network()(((effnet._pixels([photo], 224) + 1) / 2 - effnet._MEAN) / effnet._STD)
    assert scores.argmax() == number
    pooled, _ = effnet.both([photo])
    assert pooled.min() >= 0
    assert pooled.max() <= 6


def test_one_pass_gives_both_features():
    pooled, style = effnet.both(pictures(3))
    np.testing.assert_allclose(pooled, metrics.features(pictures(3)), atol=1e-5)
    np.testing.assert_allclose(style, metrics.style_features(pictures(3)), atol=1e-5)
    assert [part.shape for part in effnet.both([])] == [(0, 1280), (0, 608)]


def test_clip_from_a_folder(clip_folder):
    extractor = extractors.get(f"clip:{clip_folder}")
    assert extractor.name == "clip:tiny-clip"
    assert extractor.features(pictures(3)).shape == (3, 16)
    assert extractor.features([]).shape == (0, 16)
    assert isinstance(extractor, extractors.WithTexts)
    said = extractor.texts(["cat", "a cat, " * 90])
    assert said.shape == (2, 16)
    np.testing.assert_allclose(said[0], extractor.texts(["cat"])[0], atol=1e-5)  # padding does not matter


def test_dinov2_from_a_folder(tmp_path):
    config = Dinov2Config(hidden_size=32, num_hidden_layers=1, num_attention_heads=2, image_size=28, patch_size=14)
    Dinov2Model(config).save_pretrained(tmp_path / "dino")
    BitImageProcessor(size={"shortest_edge": 28}, crop_size={"height": 28, "width": 28}).save_pretrained(tmp_path / "dino")
    extractor = extractors.get(f"dinov2:{tmp_path / 'dino'}")
    assert extractor.features(pictures(3)).shape == (3, 32)
    assert not isinstance(extractor, extractors.WithTexts)


def test_missing_networks_are_named(home):
    with pytest.raises(MissingNetwork, match="Inception weights"):
        extractors.get("inception")
    with pytest.raises(MissingNetwork, match="clip:"):
        extractors.get(f"clip:{home}")
    with pytest.raises(MetricError, match="'vgg'"):
        extractors.get("vgg")
    with pytest.raises(MetricError, match="'clip:'"):
        extractors.get("clip:")


def test_inception_weights_that_could_run_code_are_refused(home, monkeypatch):
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(home / "hub"))
    place = files.home() / "models" / extractors.INCEPTION
    place.parent.mkdir(parents=True)
    torch.save({"harm": Path}, place)
    with pytest.raises(MissingNetwork, match="more than weights"):
        extractors.get("inception")


@pytest.mark.slow
def test_inception_with_weights(home, monkeypatch):
    """torch-fidelity's network with random weights: the plumbing, not the figures."""
    from torch_fidelity import feature_extractor_inceptionv3 as theirs  # noqa: PLC0415 - slow

    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(home / "hub"))
    place = files.home() / "models" / extractors.INCEPTION
    place.parent.mkdir(parents=True)
    states: dict[str, torch.Tensor] = {}
    monkeypatch.setattr(theirs, "load_state_dict_from_url", lambda *a, **k: states)
    monkeypatch.setattr(theirs.FeatureExtractorInceptionV3, "load_state_dict", lambda self, s: states.update(self.state_dict()))
    theirs.FeatureExtractorInceptionV3("random", ["2048"])
    monkeypatch.undo()
    monkeypatch.setenv("ARTLAB_HOME", str(home / "home"))
    torch.save(states, place)
    assert extractors.get("inception").features(pictures(2, 64)).shape == (2, 2048)


class Counting:
    """An extractor that counts what it looks at."""

    name, key = "counting", "1"

    def __init__(self) -> None:
        self.seen = 0

    def features(self, pictures):
        self.seen += len(pictures)
        return np.array([np.asarray(p).mean(axis=(0, 1)) for p in pictures], np.float32).reshape(-1, 3)


def test_features_are_kept_by_content(home):
    paths = [home / f"{i}.png" for i in range(20)]
    for path, picture in zip(paths, pictures(20), strict=True):
        picture.save(path)
    counting = Counting()
    first = extractors.cached(counting, paths)
    assert counting.seen == 20
    renamed = paths[3].rename(home / "other.png")
    again = extractors.cached(counting, [renamed, *paths[:3], renamed])
    assert counting.seen == 20
    np.testing.assert_array_equal(again, first[[3, 0, 1, 2, 3]])
    counting.key = "2"  # other weights, other features
    extractors.cached(counting, paths[:2])
    assert counting.seen == 22
    assert extractors.cached(counting, []).shape == (0, 3)


def test_damaged_cache_is_made_again(home):
    pictures(1)[0].save(home / "one.png")
    counting = Counting()
    first = extractors.cached(counting, [home / "one.png"])
    for place in (files.cache() / "features").rglob("*.npy"):
        place.write_bytes(place.read_bytes()[:70])
    np.testing.assert_array_equal(extractors.cached(counting, [home / "one.png"]), first)
    assert counting.seen == 2


def test_other_formats_are_decoded_and_no_pictures_named(home):
    pictures(1)[0].save(home / "one.jpg")
    assert extractors.cached(Counting(), [home / "one.jpg"]).shape == (1, 3)
    for name, content in (("text.png", b"hello"), ("cut.png", b"\x89PNG\r\n\x1a\n" + bytes(30)), ("empty.jpg", b"")):
        (home / name).write_bytes(content)
        with pytest.raises(MetricError, match=name):
            extractors.cached(Counting(), [home / name])
    with pytest.raises(FileNotFoundError):
        extractors.cached(Counting(), [home / "none.png"])
