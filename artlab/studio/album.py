"""What an artist thinks of her pictures: stars, boards, the trash. The pictures themselves are the folder; this is a log beside it.

`album.jsonl` in her home has a row per change; the last row of a kind holds, undo is a row too. A trashed picture stays where it is for
30 days and is only hidden; then it is deleted.
"""

import io
import json
import time
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from artlab import files, recipe
from artlab.recipe import Recipe
from artlab.studio.shelf import Shelf, ShelfError

LOG, DAYS = "album.jsonl", 30
MOST_EXPORTED = 2000
NOTE = (
    "Pictures made with artlab from a style trained on this artist's own works. Each PNG says in its metadata that a trained model made it; "
    "keep that when you pass them on. The base model's licence holds for what is made with it."
)

View = Literal["all", "starred", "trash"]
Kind = Literal["star", "board", "trash"]


@dataclass(frozen=True)
class Entry:
    """A picture with what she thinks of it; `id` is its path within her home."""

    id: str
    path: Path
    when: float
    starred: bool
    board: str
    trashed: bool


class Album:
    """The pictures on one artist's shelf, with her marks."""

    def __init__(self, shelf: Shelf) -> None:
        self.shelf = shelf
        self.log = shelf.home / LOG

    def entry(self, which: str) -> Entry:
        """One picture. Raises ShelfError."""
        path = self.shelf.picture(which)
        return self._entry(path, self._marks())

    def entries(
        self, query: str = "", *, view: View = "all", board: str = "", since: float = 0.0, until: float = 9e15
    ) -> list[Entry]:
        """The pictures that fit, the newest first."""
        marks = self._marks()
        paths, _ = self.shelf.pictures(1, query, size=1 << 40, since=since, until=until)
        found = (self._entry(path, marks) for path in paths)
        return [
            one
            for one in found
            if one.trashed == (view == "trash") and (view != "starred" or one.starred) and (not board or one.board == board)
        ]

    def boards(self) -> list[str]:
        """The names of her boards."""
        return sorted({str(value) for (kind, _), value in self._marks().items() if kind == "board" and value})

    def mark(self, kind: Kind, ids: Sequence[str], value: bool | str) -> None:
        """Star, put on a board, trash, or take that back; one row for all, so that one undo takes all back. Raises ShelfError."""
        known = [self._id(self.shelf.picture(one)) for one in ids]
        if isinstance(value, str):
            value = " ".join(value.split())[:60]
        if known:
            files.append_jsonl(self.log, {"kind": kind, "ids": known, "value": value, "when": time.time()})

    def undo(self) -> str:
        """Take back the last change that stands; its kind, or ""."""
        standing = self._standing()
        if not standing:
            return ""
        files.append_jsonl(self.log, {"kind": "undo", "when": time.time()})
        return str(standing[-1]["kind"])

    def empty_trash(self, older_than: float = DAYS * 86400.0) -> int:
        """Delete what was trashed longer ago than that; how many pictures."""
        count = 0
        when = {one: row["when"] for row in self._standing() if row["kind"] == "trash" and row["value"] for one in row["ids"]}
        for entry in self.entries(view="trash"):
            if time.time() - when.get(entry.id, time.time()) >= older_than:
                entry.path.unlink(missing_ok=True)
                count += 1
        return count

    def _standing(self) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = []
        for row in files.read_jsonl(self.log):
            rows = rows[:-1] if row.get("kind") == "undo" else [*rows, row]
        return rows

    def _marks(self) -> dict[tuple[str, str], Any]:
        return {(row["kind"], one): row["value"] for row in self._standing() for one in row["ids"]}

    def _entry(self, path: Path, marks: dict[tuple[str, str], Any]) -> Entry:
        name = self._id(path)
        return Entry(
            name, path, path.stat().st_mtime, bool(marks.get(("star", name))), str(marks.get(("board", name)) or ""),
            bool(marks.get(("trash", name))),
        )  # fmt: skip

    def _id(self, path: Path) -> str:
        return path.resolve().relative_to(self.shelf.home.resolve()).as_posix()


def made(path: Path) -> Recipe | dict[str, Any]:
    """How a picture was made; {} when it does not say."""
    try:
        return recipe.read(path)
    except recipe.RecipeError:
        return {}


def prompt_of(path: Path) -> str:
    """The words that a picture was asked for with, as she gave them."""
    found = made(path)
    if isinstance(found, Recipe):
        return str(found.extra.get("prompt_given", found.prompt)) or path.stem
    return str(found.get("prompt") or path.stem)


def tell(path: Path) -> list[tuple[str, str]]:
    """The recipe of a picture as lines to read."""
    found = made(path)
    if not isinstance(found, Recipe):
        return [(key.replace("_", " "), str(value)[:300]) for key, value in found.items() if key != "prompt"][:12]
    lines = [("Method", found.method), ("Seed", str(found.seed)), ("Size", f"{found.width} × {found.height}")]
    lines += [("Style", f"{one.name} at {one.weight:g}") for one in found.styles]
    lines += [("Base", found.base.name), ("Steps", f"{found.steps}, {found.sampler}"), ("Guidance", f"{found.guidance:g}")]
    lines += [("Not", found.negative_prompt)] * bool(found.negative_prompt)
    return lines


def export(entries: Iterable[Entry]) -> bytes:
    """A ZIP of pictures with `manifest.json` (file, prompt, recipe, when, star, board) and a note on rights."""
    stream, rows, taken = io.BytesIO(), [], set()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_STORED) as archive:
        for entry in entries:
            name = next(one for one in _names(entry.path) if one not in taken)
            taken.add(name)
            archive.writestr(name, entry.path.read_bytes())
            rows.append(_row(name, entry))
        archive.writestr("manifest.json", json.dumps({"note": NOTE, "pictures": rows}, indent=2, ensure_ascii=False))
        archive.writestr("LICENCE-NOTE.txt", NOTE + "\n")
    return stream.getvalue()


def _names(path: Path) -> Iterator[str]:
    yield path.name
    number = 2
    while True:
        yield f"{path.stem}-{number}{path.suffix}"
        number += 1


def _row(name: str, entry: Entry) -> dict[str, Any]:
    found = made(entry.path)
    told = found.model_dump(mode="json") if isinstance(found, Recipe) else found
    return {
        "file": name,
        "prompt": prompt_of(entry.path),
        "when": entry.when,
        "starred": entry.starred,
        "board": entry.board,
        "recipe": told,
    }


__all__ = ["Album", "Entry", "ShelfError", "export", "made", "prompt_of", "tell"]
