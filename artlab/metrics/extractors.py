"""The networks that look at pictures, by name; a figure always carries the name of its network.

effnet-lite0        EfficientNet-Lite0's pooled features, always there
style               mean and deviation over its taps, centred on art at large: hand and palette, always there
mini-clip           pictures and captions in one space, always there; not CLIP, see its card
clip:ID             a CLIP model of the hub, or its folder
dinov2:ID           a DINOv2 model of the hub, or its folder
inception           the network of FID, when torch-fidelity and its weights are on this machine
"""

import io
import tempfile
from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from artlab import files, images
from artlab.metrics import effnet, mini_clip
from artlab.metrics.errors import MetricError, MissingNetwork

Features = NDArray[np.float32]
NAMES = ("effnet-lite0", "style", "layout", "mini-clip", "clip:ID", "dinov2:ID", "inception")
BATCH = 16
INCEPTION = "weights-inception-2015-12-05-6726825d.pth"


class Extractor(Protocol):
    """A network under a name. `key` changes whenever the same picture would give other features."""

    name: str
    key: str

    def features(self, pictures: Sequence[Image.Image]) -> Features:
        """(n, d) float32, a row a picture."""
        ...


@runtime_checkable
class WithTexts(Protocol):
    """An extractor that reads captions too."""

    def texts(self, captions: Sequence[str]) -> Features:
        """(n, d) float32, in the space of the pictures."""
        ...


@lru_cache(maxsize=4)
def get(name: str) -> Extractor:
    """The extractor of that name. Raises MissingNetwork when it is not on this machine, MetricError when nothing has that name."""
    kind, _, where = name.partition(":")
    if where and kind == "clip":
        return Clip(where)
    if where and kind == "dinov2":
        return Dinov2(where)
    plain: dict[str, Callable[[], Extractor]] = {
        "effnet-lite0": EffNet,
        "style": Style,
        "layout": Layout,
        "mini-clip": MiniClip,
        "inception": Inception,
    }
    if name not in plain:
        raise MetricError(f"No extractor is called {name!r}; there are {', '.join(NAMES)} (ID: a hub id or a folder).")
    return plain[name]()


def cached(extractor: Extractor, paths: Sequence[Path]) -> Features:
    """(n, d) features of picture files, each computed once for its content: copies and renamed files cost nothing.

    PNGs are opened plainly, other formats through the safe decoder. Raises MetricError naming a file that is no picture.
    """
    folder = files.cache() / "features" / files.slug(extractor.name, 40) / files.fingerprint(extractor.key)
    places = [folder / f"{files.fingerprint(Path(path).read_bytes())}.npy" for path in paths]
    found = {place: row for place in set(places) if (row := _stored(place)) is not None}
    todo = {place: Path(path) for place, path in zip(places, paths, strict=True) if place not in found}
    for at in range(0, len(todo), BATCH):
        part = list(todo.items())[at : at + BATCH]
        for (place, _), row in zip(part, extractor.features([_open(path) for _, path in part]), strict=True):
            found[place] = row
            data = io.BytesIO()
            np.save(data, row)
            files.write(place, data.getvalue())
    return np.stack([found[place] for place in places]) if places else extractor.features([])


def _stored(place: Path) -> Features | None:
    try:
        return np.load(place, allow_pickle=False)
    except (OSError, ValueError, EOFError):  # absent, or damaged: computed again
        return None


def _open(path: Path) -> Image.Image:
    try:
        if images.kind_of(path) == "PNG":
            return images.open_image(path)
        with tempfile.TemporaryDirectory() as folder:
            return images.open_image(images.decode(path, Path(folder) / "decoded.png").path)
    except (images.DecodeError, OSError, SyntaxError) as error:
        reason = str(error) if isinstance(error, images.DecodeError) else "cannot be read as a picture"
        raise MetricError(f"{path} {reason}.") from error


class EffNet:
    """EfficientNet-Lite0's pooled features: (n, 1280)."""

    name = effnet.EXTRACTOR
    key = "effnet-lite0 2"

    def features(self, pictures: Sequence[Image.Image]) -> Features:
        """(n, 1280)."""
        return effnet.features(pictures)


class Style:
    """What hand and palette leave: (n, 608), each column centred and scaled by what art at large has there."""

    name = "style"

    def __init__(self) -> None:
        self.key = mini_clip.style_scale()[2]

    def features(self, pictures: Sequence[Image.Image]) -> Features:
        """(n, 608), about zero mean and unit variance over art at large, cut at 5."""
        return mini_clip.on_scale(effnet.style_features(pictures))


class Layout:
    """The whole picture at 8 x 8, at one contrast; half of it even and half odd under mirroring, the odd part without its sign.

    Copies that were compressed, shrunk, toned or mirrored stay where they were, which networks' features do not: EfficientNet's
    pooled features let most of them pass (docs/MEASURED.md). Two works that share a composition are near each other too, so look at the pair.
    """

    name = "layout"
    key = "layout 8"
    side = 8

    def features(self, pictures: Sequence[Image.Image]) -> Features:
        """(n, 192)."""
        size = (self.side, self.side)
        small = [np.asarray(p.convert("RGB").resize(size, Image.Resampling.BICUBIC), np.float32) for p in pictures]
        x = np.array(small, np.float32).reshape(len(small), *size, 3)
        x = x - x.mean(axis=(1, 2), keepdims=True)
        x /= np.maximum(x.std(axis=(1, 2, 3), keepdims=True), 1e-3)
        turned, half = x[:, :, ::-1], self.side // 2
        parts = [(x + turned)[:, :, :half], np.abs(x - turned)[:, :, :half]]
        rows = np.concatenate([part.reshape(len(x), half * self.side * 3) for part in parts], axis=1)
        return (rows / 2).astype(np.float32)


class MiniClip:
    """artlab's own pair of towers; `mini_clip/README.md` says what it is not."""

    name = "mini-clip"

    def __init__(self) -> None:
        self.model, self.key = mini_clip.load()

    def features(self, pictures: Sequence[Image.Image]) -> Features:
        """(n, 192) unit rows."""
        return self.model.look(mini_clip.picture_features(pictures))

    def texts(self, captions: Sequence[str]) -> Features:
        """(n, 192) unit rows."""
        return self.model.read(mini_clip.text_features(captions))


class _Hub:
    """A model of transformers with its processor, from a folder or the hub; safetensors only."""

    kind = ""

    def __init__(self, where: str) -> None:
        self.name = f"{self.kind}:{Path(where).name if Path(where).is_dir() else where}"
        self.model, self.processor = self._load(where)
        self.key = f"{self.name} {getattr(self.model.config, '_commit_hash', None) or _weights_of(where)}"

    def _load(self, where: str) -> tuple[Any, Any]:
        from transformers import AutoImageProcessor, AutoModel, CLIPModel, CLIPProcessor  # noqa: PLC0415 - slow to import

        model, processor = (CLIPModel, CLIPProcessor) if self.kind == "clip" else (AutoModel, AutoImageProcessor)
        try:
            loaded = model.from_pretrained(where, use_safetensors=True).eval().requires_grad_(False)
            return loaded, processor.from_pretrained(where)
        except (OSError, ValueError) as error:
            reason = str(error).splitlines()[0][:160]
            raise MissingNetwork(
                f"{self.kind}:{where} cannot be loaded ({reason}). Give a folder with its safetensors and processor files, or a hub id "
                "that is on this machine or can be fetched."
            ) from error

    def features(self, pictures: Sequence[Image.Image]) -> Features:
        """(n, d), as the model gives them."""
        found = []
        with torch.inference_mode():
            for at in range(0, len(pictures), BATCH):
                batch = [picture.convert("RGB") for picture in pictures[at : at + BATCH]]
                found.append(self._look(self.processor(images=batch, return_tensors="pt").pixel_values).float().numpy())
        return np.concatenate(found) if found else np.zeros((0, self._width()), np.float32)

    def _look(self, pixels: torch.Tensor) -> torch.Tensor:
        raise TypeError(self.kind)

    def _width(self) -> int:
        return int(self.model.config.hidden_size)


class Clip(_Hub):
    """CLIP: projected picture and text features."""

    kind = "clip"

    def _look(self, pixels: torch.Tensor) -> torch.Tensor:
        return _pooled(self.model.get_image_features(pixel_values=pixels))

    def _width(self) -> int:
        return int(self.model.config.projection_dim)

    def texts(self, captions: Sequence[str]) -> Features:
        """(n, d); captions are cut at the model's length."""
        with torch.inference_mode():
            tokens = self.processor(text=list(captions), padding=True, truncation=True, return_tensors="pt")
            found = self.model.get_text_features(input_ids=tokens.input_ids, attention_mask=tokens.attention_mask)
        return _pooled(found).float().numpy()


class Dinov2(_Hub):
    """DINOv2: the class token after the last norm, what dgm-eval takes for FD_DINOv2 (Stein et al., 2306.04675)."""

    kind = "dinov2"

    def _look(self, pixels: torch.Tensor) -> torch.Tensor:
        return self.model(pixel_values=pixels).pooler_output


def _pooled(output: Any) -> torch.Tensor:
    return output if isinstance(output, torch.Tensor) else output.pooler_output


def _weights_of(where: str) -> str:
    parts = sorted(Path(where).glob("*.safetensors"))
    return files.fingerprint(*[f"{part.name} {part.stat().st_size} {part.stat().st_mtime_ns}" for part in parts])


class Inception:
    """The 2048 pooled features of the TensorFlow Inception that FID is defined by, through torch-fidelity."""

    name = "inception"
    key = "inception-v3-compat 2048"

    def __init__(self) -> None:
        places = [Path(torch.hub.get_dir()) / "checkpoints" / INCEPTION, files.home() / "models" / INCEPTION]
        weights = next((place for place in places if place.is_file()), None)
        if weights is None:
            raise MissingNetwork(
                f"FID needs the Inception weights {INCEPTION}, which are not on this machine. Put the file into {places[1].parent}, or use "
                "effnet-lite0, whose distance is then called FD and not FID."
            )
        try:
            from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3  # noqa: PLC0415 - optional
        except ImportError as error:
            raise MissingNetwork("FID needs the package torch-fidelity: pip install torch-fidelity") from error
        try:
            torch.load(
                weights, weights_only=True, mmap=True
            )  # torch-fidelity unpickles anything, so what can run code is refused first
        except Exception as error:
            raise MissingNetwork(
                f"{weights} holds more than weights, or is damaged; fetch it again from torch-fidelity's releases."
            ) from error
        self.model = FeatureExtractorInceptionV3("inception", ["2048"], feature_extractor_weights_path=str(weights))

    def features(self, pictures: Sequence[Image.Image]) -> Features:
        """(n, 2048); pictures of different sizes go through the network one by one, which resizes them as FID prescribes."""
        found = []
        with torch.inference_mode():
            for picture in pictures:
                pixels = torch.from_numpy(np.array(picture.convert("RGB"))).permute(2, 0, 1)[None]
                found.append(self.model(pixels)[0].float().numpy())
        return np.concatenate(found) if found else np.zeros((0, 2048), np.float32)
