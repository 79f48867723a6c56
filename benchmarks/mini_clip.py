"""Make mini-clip again: tower features of captioned art, then two small heads by the contrastive loss, then its retrieval figures.

python benchmarks/mini_clip.py --art FOLDER [--drawn 4500] [--real 3600]        # features (about 12 min on one core), kept in the cache
python benchmarks/mini_clip.py --art FOLDER --scale                             # what style features are centred on
python benchmarks/mini_clip.py --art FOLDER --train [--write]                   # heads, minutes; --write into artlab/metrics/mini_clip/

FOLDER holds captions.jsonl (file_name, caption, artist, title) and its pictures. One real artist in ten and one drawn picture in ten are
never trained on. Names of artists are taken out of the captions: agreement is about what a picture shows, not who made it.
"""

import argparse
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from safetensors.torch import save_file
from torch import Tensor
from torch.nn import functional

from artlab import drawing, files
from artlab.drawing import MEDIA, PALETTES
from artlab.drawing.layouts import layouts_for
from artlab.drawing.subjects import SUBJECTS
from artlab.metrics import agreement, effnet, mini_clip
from artlab.metrics.nulls import z_score

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


# -- heads ------------------------------------------------------------------------------------------------------------------


@dataclass
class Pairs:
    """One source with its tower features: pictures (n, 1888), and for each the text features (v, 384) of its captions."""

    pictures: Tensor
    texts: list[Tensor]
    rows: list[dict[str, Any]]

    def side(self, *, held_out: bool) -> "Pairs":
        """The rows that are trained on, or those that are not."""
        keep = [i for i, row in enumerate(self.rows) if row["held_out"] == held_out]
        return Pairs(self.pictures[keep], [self.texts[i] for i in keep], [self.rows[i] for i in keep])


def pairs(place: Path) -> Pairs:
    """The features of one source, captions read by MiniLM (each different one once, kept beside them)."""
    pooled, style, rows = load(place)
    captions = sorted({caption for row in rows for caption in row["captions"]})
    stored = place.with_suffix(".captions.npy")
    if not stored.exists() or len(np.load(stored)) != len(captions):
        np.save(stored, mini_clip.text_features(captions))
    at, read = {caption: i for i, caption in enumerate(captions)}, torch.from_numpy(np.load(stored))
    pictures = torch.from_numpy(np.concatenate([pooled, mini_clip.on_scale(style)], axis=1))
    return Pairs(pictures, [read[[at[caption] for caption in row["captions"]]] for row in rows], rows)


def write_scale(style: np.ndarray) -> None:
    """Mean and deviation of style features over art at large."""
    scale = np.maximum(style.std(axis=0), 1e-3 * np.abs(style).mean())
    tensors = {"centre": torch.tensor(style.mean(axis=0)), "scale": torch.tensor(scale)}
    save_file(tensors, mini_clip.folder() / "style.safetensors")
    mini_clip.style_scale.cache_clear()


def train(sources: list[Pairs], steps: int, seed: int = 0, lr: float = 1e-3, batch: int = 384) -> mini_clip.MiniClip:
    """Heads by the symmetric contrastive loss; each batch from one source, for real and drawn are told apart too easily."""
    torch.manual_seed(seed)
    model, rng = mini_clip.MiniClip(), np.random.default_rng(seed)
    pooled = torch.cat([source.pictures[:, : mini_clip.POOLED] for source in sources])
    model.centre.copy_(pooled.mean(dim=0))
    model.scale.copy_(pooled.std(dim=0).clamp_min(1e-3))
    optimizer = torch.optim.AdamW(model.parameters(), lr=lr, weight_decay=0.1)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, lr, steps, pct_start=0.1)
    for step in range(steps):
        source = sources[step % len(sources)]
        picked = rng.choice(len(source.rows), min(batch, len(source.rows)), replace=False)
        texts = torch.stack([source.texts[i][int(rng.integers(len(source.texts[i])))] for i in picked])
        loss = contrast(model.look(source.pictures[picked]), model.read(texts), texts)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    return model.eval()


def contrast(pictures: Tensor, captions: Tensor, texts: Tensor) -> Tensor:
    """Symmetric InfoNCE. Captions that say nearly the same (MiniLM's cosine above .9) are no negatives of each other."""
    logits = pictures @ captions.T / TAU
    same = functional.normalize(texts, dim=1)
    same = (same @ same.T > 0.9).fill_diagonal_(False)
    logits = logits.masked_fill(same, -1e4)
    target = torch.arange(len(logits))
    return (functional.cross_entropy(logits, target) + functional.cross_entropy(logits.T, target)) / 2


# -- figures ----------------------------------------------------------------------------------------------------------------


def figures(model: mini_clip.MiniClip, held: Pairs, variant: int, pool: int = 100, draws: int = 50) -> dict[str, float]:
    """Retrieval among `pool` held-out pairs (mean of `draws` pools), and how often 20 pairs stand out from shuffled captions."""
    with torch.no_grad():
        looked = model.look(held.pictures).numpy()
        read = model.read(torch.stack([texts[min(variant, len(texts) - 1)] for texts in held.texts])).numpy()
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
    with torch.no_grad():
        said = model.read(torch.from_numpy(mini_clip.text_features([f"a {name}" for name in names])))
        found = (model.look(held.pictures) @ said.T).argmax(dim=1)
    return float(np.mean([names[int(k)] == row["subject"] for k, row in zip(found, held.rows, strict=True)]))


def report(model: mini_clip.MiniClip, held: dict[str, Pairs]) -> None:
    """Print the figures of the card."""
    for name, side in held.items():
        for variant, said in enumerate(("whole caption", "title" if name == "real" else "what and how", "shortest")):
            print(name, said, json.dumps(figures(model, side, variant)), flush=True)
    print("subject of a drawing, zero-shot:", round(subject_accuracy(model, held["drawn"]), 3))


def make(place: Path, steps: int, write: bool) -> None:
    """Heads and figures; the heads are written in half precision, and read back before they are measured."""
    sources = {name: pairs(place / name) for name in ("real", "drawn")}
    model = train([source.side(held_out=False) for source in sources.values()], steps)
    half = {name: value.half().contiguous() for name, value in model.state_dict().items()}
    model.load_state_dict({name: value.float() for name, value in half.items()})
    report(model, {name: source.side(held_out=True) for name, source in sources.items()})
    if write:
        save_file(half, mini_clip.folder() / "heads.safetensors")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--art", type=Path, required=True)
    parser.add_argument("--drawn", type=int, default=4500)
    parser.add_argument("--real", type=int, default=3600)
    parser.add_argument("--steps", type=int, default=3000)
    parser.add_argument("--scale", action="store_true", help="write the scale of style features, which the heads are trained on")
    parser.add_argument("--train", action="store_true")
    parser.add_argument("--write", action="store_true", help="into the package")
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    folder = files.cache() / "mini-clip"
    if chosen.scale:
        write_scale(np.concatenate([load(folder / name)[1] for name in ("real", "drawn")]))
    elif chosen.train:
        make(folder, chosen.steps, chosen.write)
    else:
        extract(chosen.art, folder, chosen.drawn, chosen.real)
