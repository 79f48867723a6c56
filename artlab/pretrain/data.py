"""The pictures that the embedded base learns from, as arrays on disk: real art from a folder, and works that artlab draws.

A `Source` is a folder with `pictures.npy` (n, size, size, 3) uint8, `rows.jsonl` (caption and origin of each) and `done.json`, written
last. Pictures whose content hash falls into the held-out share are never trained on, whatever the run.
"""

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from artlab import drawing, files
from artlab.bases import card
from artlab.drawing.layouts import calm_layouts
from artlab.drawing.media import MEDIA
from artlab.drawing.palettes import PALETTES

Pictures = NDArray[np.uint8]
HELD_OUT = 0.03
# The world of the base is narrow on purpose: the fewer things a small model has to know, the better it draws them.
WORLD = card("mini").motifs.split()


@dataclass(frozen=True)
class Source:
    """One prepared set of square pictures with a caption each; `pictures` is memory-mapped."""

    folder: Path

    @property
    def pictures(self) -> Pictures:
        """(n, size, size, 3) uint8, read from disk as needed."""
        return np.load(self.folder / "pictures.npy", mmap_mode="r")

    @property
    def rows(self) -> list[dict[str, Any]]:
        """One row a picture: `caption`, `held_out`, and where it is from."""
        return list(files.read_jsonl(self.folder / "rows.jsonl"))

    def indices(self, *, held_out: bool) -> NDArray[np.int64]:
        """The pictures that training may see, or those it may not."""
        return np.array([i for i, row in enumerate(self.rows) if row["held_out"] == held_out], dtype=np.int64)


def real(art: Path, folder: Path, *, size: int = 128, exclude: Sequence[str] = ()) -> Source:
    """Square crops of captioned real art: `art/captions.jsonl` with `file_name`, `caption`, `artist`, and the files beside it.

    A work longer than 1.3 times its width gives two crops, one from each end. Artists named in `exclude` are left out, so that a
    portfolio kept for testing is unknown to the base.
    """
    rows = [row for row in files.read_jsonl(art / "captions.jsonl") if row.get("artist") not in set(exclude)]
    if not rows:
        raise ValueError(
            f"{art} holds no captions.jsonl with rows; a captioned corpus is a folder with that file and its pictures."
        )
    return _store(folder, _crops(art, rows, size), size)


def drawn(folder: Path, *, count: int, seed: int, size: int = 128, workers: int = 2) -> Source:
    """`count` pictures drawn by artlab: subject, layout, palette, medium and wording chosen at random from `seed`."""
    with ProcessPoolExecutor(workers) as pool:
        made = pool.map(_drawn_one, ((seed, index, size) for index in range(count)), chunksize=16)
        return _store(folder, made, size)


def _drawn_one(job: tuple[int, int, int]) -> tuple[Pictures, dict[str, Any]]:
    seed, index, size = job
    rng = np.random.default_rng([seed, index])
    subject = str(rng.choice(WORLD))
    layout = str(rng.choice(calm_layouts(subject)))
    palette, medium = str(rng.choice(sorted(PALETTES))), str(rng.choice(sorted(MEDIA)))
    work = drawing.draw(subject, layout, palette, medium, seed=int(rng.integers(2**31)), height=size)
    row = {"caption": work.caption, "subject": subject, "layout": layout, "palette": palette, "medium": medium, "origin": "drawn"}
    return np.asarray(work.picture), row


def _crops(art: Path, rows: Iterable[dict[str, Any]], size: int) -> Iterator[tuple[Pictures, dict[str, Any]]]:
    for row in rows:
        with Image.open(art / row["file_name"]) as file:
            picture = file.convert("RGB")
        width, height = picture.size
        short = min(width, height)
        ends = [0.15, 0.85] if max(width, height) > 1.3 * short else [0.5]
        for end in ends:
            left, top = round((width - short) * end), round((height - short) * end)
            crop = picture.resize(
                (size, size), Image.Resampling.LANCZOS, box=(left, top, left + short, top + short), reducing_gap=3.0
            )
            keep = {key: row.get(key) for key in ("caption", "artist", "monochrome", "title", "medium")}
            yield np.asarray(crop), {**keep, "origin": "real", "file_name": row["file_name"]}


def _store(folder: Path, made: Iterable[tuple[Pictures, dict[str, Any]]], size: int) -> Source:
    source = Source(folder)
    if (folder / "done.json").exists():
        return source
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "rows.jsonl").unlink(missing_ok=True)
    pictures, rows = [], []
    for picture, row in made:
        pictures.append(picture)
        name = str(row.get("file_name") or files.fingerprint(picture.tobytes()))
        rows.append({**row, "held_out": int(files.fingerprint(name), 16) % 10_000 < HELD_OUT * 10_000})
    with open(folder / "pictures.npy", "wb") as file:
        np.save(file, np.stack(pictures).reshape(-1, size, size, 3))
    for row in rows:
        files.append_jsonl(folder / "rows.jsonl", row)
    files.write_json(folder / "done.json", {"pictures": len(rows)})
    return source
