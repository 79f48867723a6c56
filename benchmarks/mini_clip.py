"""Make mini-clip again: tower features of captioned art, then two small heads by the contrastive loss, then its retrieval figures.

python benchmarks/mini_clip.py --art FOLDER [--drawn 4500] [--real 3600]        # features (about 12 min on one core), kept in the cache
python benchmarks/mini_clip.py --art FOLDER --train                             # heads, minutes; writes artlab/metrics/mini_clip/

FOLDER holds captions.jsonl (file_name, caption, artist, title) and its pictures. One real artist in ten and one drawn picture in ten are
never trained on. Names of artists are taken out of the captions: agreement is about what a picture shows, not who made it.
"""

import argparse
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from safetensors.torch import save_file

from artlab import drawing, files
from artlab.drawing import MEDIA, PALETTES
from artlab.drawing.layouts import layouts_for
from artlab.drawing.subjects import SUBJECTS
from artlab.metrics import effnet, mini_clip

CHUNK = 64
TAU = 0.05


# -- features ---------------------------------------------------------------------------------------------------------------


def real_rows(art: Path, count: int) -> list[dict[str, Any]]:
    """`count` rows of the corpus, spread over it, with captions at three lengths and without the artist's name."""
    rows = list(files.read_jsonl(art / "captions.jsonl"))
    picked = np.random.default_rng(0).permutation(len(rows))[:count]
    return [
        {
            "file": str(art / row["file_name"]),
            "captions": _captions(row),
            "artist": row["artist"],
            "held_out": int(files.fingerprint(row["artist"]), 16) % 10 == 0,
        }
        for row in (rows[i] for i in sorted(picked))
    ]


def _captions(row: dict[str, Any]) -> list[str]:
    whole = re.sub(rf" by {re.escape(row['artist'])}", "", row["caption"])
    plain = re.sub(r"^(an?|the) ", "", whole.partition(":")[0])
    return list(dict.fromkeys([whole, row.get("title") or whole, plain]))


def drawn_row(index: int) -> tuple[Image.Image, dict[str, Any]]:
    """Picture number `index` of the drawn world, any subject, and its captions: whole, and only what it shows."""
    rng = np.random.default_rng([77, index])
    subject = str(rng.choice(sorted(SUBJECTS)))
    layout = str(rng.choice([name for name in layouts_for(subject) if name != "pattern"]))
    palette, medium = str(rng.choice(sorted(PALETTES))), str(rng.choice(sorted(MEDIA)))
    work = drawing.draw(subject, layout, palette, medium, seed=int(rng.integers(2**31)), height=int(rng.choice([112, 128, 160])))
    shown = work.words["title"]
    captions = [work.caption, f"{shown}, {medium}", shown]
    words = {"subject": subject, "medium": medium, "palette": palette, "layout": layout}
    return work.picture, {"captions": captions, **words, "artist": "drawn", "held_out": index % 10 == 0}


def extract(art: Path, place: Path, drawn: int, real: int) -> None:
    """Write `real.npz` and `drawn.npz` with their rows: pooled and style features, chunk by chunk so that it can be stopped."""
    _extract(place / "real", [lambda row=row: (Image.open(row["file"]).convert("RGB"), row) for row in real_rows(art, real)])
    _extract(place / "drawn", [lambda index=index: drawn_row(index) for index in range(drawn)])


def _extract(place: Path, makers: list[Any]) -> None:
    place.mkdir(parents=True, exist_ok=True)
    for at in range(0, len(makers), CHUNK):
        target = place / f"{at:06d}.npz"
        if target.exists():
            continue
        made = [make() for make in makers[at : at + CHUNK]]
        pooled, style = effnet.both([picture for picture, _ in made])
        rows = json.dumps([row for _, row in made])
        partial = target.with_suffix(".part")
        with open(partial, "wb") as file:
            np.savez(file, pooled=pooled, style=style, rows=np.array(rows))
        partial.rename(target)


def load(place: Path) -> tuple[np.ndarray, np.ndarray, list[dict[str, Any]]]:
    """Pooled features, style features and rows of one source."""
    parts = [np.load(path) for path in sorted(place.glob("*.npz"))]
    rows = [row for part in parts for row in json.loads(str(part["rows"]))]
    return np.concatenate([p["pooled"] for p in parts]), np.concatenate([p["style"] for p in parts]), rows


def write_scale(style: np.ndarray) -> None:
    """Mean and deviation of style features over art at large."""
    scale = np.maximum(style.std(axis=0), 1e-3 * np.abs(style).mean())
    tensors = {"centre": torch.tensor(style.mean(axis=0)), "scale": torch.tensor(scale)}
    save_file(tensors, mini_clip.folder() / "style.safetensors")
    mini_clip.style_scale.cache_clear()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--art", type=Path, required=True)
    parser.add_argument("--drawn", type=int, default=4500)
    parser.add_argument("--real", type=int, default=3600)
    parser.add_argument("--train", action="store_true")
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    extract(chosen.art, files.cache() / "mini-clip", chosen.drawn, chosen.real)
