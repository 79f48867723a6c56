"""What the denoiser trains on, made once: latents of all pictures, text states of all captions."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from diffusers import AutoencoderDC

from artlab import files
from artlab.bases import mini
from artlab.drawing.captions import short_captions
from artlab.pretrain.autoencoder import to_tensor
from artlab.pretrain.data import Source
from artlab.pretrain.denoiser import Cache
from artlab.pretrain.precision import fast


def build(drawn: Source, art: Sequence[Source], autoencoder: AutoencoderDC, folder: Path, *, real_share: float) -> Cache:
    """Encode everything drawn and the colour pictures of real art, whose draws make up `real_share` of a batch; done once a folder."""
    if (folder / "done.json").exists():
        return Cache(folder)
    folder.mkdir(parents=True, exist_ok=True)
    picked = [(drawn, np.arange(len(drawn.rows)))]
    picked += [(source, np.array([i for i, row in enumerate(source.rows) if not row.get("monochrome")])) for source in art]
    reals = sum(len(indices) for _, indices in picked[1:])
    shares = [1.0] + [real_share / (1 - real_share) * len(picked[0][1]) / max(1, reals)] * len(art)
    rows = [
        rows[i] for source, indices in picked for rows in [source.rows] for i in indices
    ]  # `rows` reads a file: once a source
    said = [_captions(row) for row in rows]
    captions = {text: at for at, text in enumerate(dict.fromkeys(text for texts in said for text in texts))}
    arrays = {
        "latents": np.concatenate([_latents(source, indices, autoencoder) for source, indices in picked]),
        "half": np.concatenate([_latents(source, indices, autoencoder, shrink=2) for source, indices in picked]),
        "states": _states(list(captions)),
        "captions": np.array([[captions[text] for text in texts] for texts in said]),
        "held_out": np.array([row["held_out"] for row in rows]),
        "weight": np.concatenate([np.full(len(indices), share) for (_, indices), share in zip(picked, shares, strict=True)]),
        "empty": mini.text_states([""])[0].numpy(),
    }
    for name, array in arrays.items():
        np.save(folder / f"{name}.npy", array)
    files.write_json(folder / "done.json", {"pictures": len(rows), "captions": len(captions)})
    return Cache(folder)


def _captions(row: dict[str, Any]) -> tuple[str, ...]:
    """Four ways to ask for a picture, its full caption first; real art has only that."""
    return (row["caption"], *(short_captions(row) if row["origin"] == "drawn" else (row["caption"],) * 3))


@torch.inference_mode()
def _latents(source: Source, indices: np.ndarray, autoencoder: AutoencoderDC, *, shrink: int = 1, batch: int = 32) -> np.ndarray:
    """Latents of some pictures, shrunk before if asked: by areas, as every good resizing does at whole factors."""
    made, pictures = [], source.pictures
    for at in range(0, len(indices), batch):
        with fast():
            latents = autoencoder.encode(F.avg_pool2d(to_tensor(pictures[indices[at : at + batch]]), shrink)).latent
        made.append(latents.float().numpy().astype(np.float16))
    return np.concatenate(made)


def _states(captions: Sequence[str], batch: int = 64) -> np.ndarray:
    return np.concatenate(
        [mini.text_states(captions[at : at + batch]).numpy().astype(np.float16) for at in range(0, len(captions), batch)]
    )
