"""An artist's uploaded works: the files, what the intake said of them, and what she decided since.

    uploads/…            her files under the names they came with, never changed
    uploads.jsonl        a row per upload: name, hash, size, when, and whether she consented to training
    portfolio.json       what the intake (`artlab intake FOLDER`) made of them
    refused.jsonl        files that were no pictures, until she has seen them
    decisions.jsonl      a row per decision (caption, series, keep, trigger, undo); the last row of a kind holds

Both logs are only ever added to: undo is a row, a crash loses at most the row being written, two tabs cannot overwrite each other.
"""

import hashlib
import json
import os
import re
import shutil
import time
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from artlab import files, images, portfolio
from artlab.portfolio import Artwork, Portfolio, PortfolioError, captions
from artlab.portfolio.intake import clean_name, natural

UPLOADS, UPLOADED, REFUSED, DECISIONS, TRAINING = "uploads", "uploads.jsonl", "refused.jsonl", "decisions.jsonl", "training"
TEXTS = (".txt", ".caption", ".jsonl")
MOST_FILES, MOST_BYTES = 5000, 20 << 30
CONSENT = "These works are mine, or I have the right to train on them."

State = Literal["received", "duplicate", "refused"]
Kind = Literal["caption", "series", "keep", "trigger", "undo", "remove"]


class WorksError(ValueError):
    """An upload or decision that cannot be taken; the message says why, in words for the artist."""


@dataclass(frozen=True)
class Upload:
    """What became of one file as it arrived: received, a duplicate of `of`, or refused for `reason`."""

    name: str
    state: State
    reason: str = ""
    of: str = ""
    size: int = 0


def safe_path(name: str) -> Path:
    """A relative path made of the parts of a stranger's name that are safe as file names; never empty, never leading out."""
    parts = [_safe(part) for part in clean_name(name).replace("\\", "/").split("/") if part.strip(" .")]
    return Path(*parts[-4:]) if parts else Path("unnamed")


def _safe(part: str) -> str:
    plain = re.sub(r'[<>:"|?*\x00-\x1f]', "_", unicodedata.normalize("NFC", part)).strip().lstrip(".").rstrip(". ") or "unnamed"
    if re.fullmatch(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", plain, re.IGNORECASE):
        plain = f"_{plain}"
    stem, suffix = Path(plain).stem, Path(plain).suffix[:12]
    while len(f"{stem}{suffix}".encode()) > 120:
        stem = stem[:-1]
    return f"{stem}{suffix}"


class Works:
    """The works in one artist's folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    # -- files ----------------------------------------------------------------------------------------------------------------

    def add(self, name: str, part: Path, *, consent: bool, batch: str = "") -> Upload:
        """Take over the finished temporary file `part` under (nearly) the name it came with. Raises WorksError.

        Nothing is decoded here: the first bytes and the hash are enough to name duplicates and what is no picture.
        """
        if not consent:
            raise WorksError(f"Nothing was taken: tick “{CONSENT}” first.")
        where = safe_path(name)
        shown, size = where.as_posix(), part.stat().st_size
        rows = list(self.uploads())
        if len(rows) >= MOST_FILES or sum(row["size"] for row in rows) + size > MOST_BYTES:
            raise WorksError(f"This portfolio is full ({MOST_FILES:,} files or {MOST_BYTES >> 30} GB). Remove some works first.")
        with open(part, "rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        text = where.suffix.lower() in TEXTS  # two works may have equal captions, but one caption is not two
        if twin := next((row["name"] for row in rows if row["sha256"] == digest and (not text or row["name"] == shown)), None):
            return Upload(shown, "duplicate", of=twin, size=size)
        if not text and not _is_zip(part):
            try:
                images.kind_of(part)
            except images.DecodeError as error:
                files.append_jsonl(self.folder / REFUSED, {"name": shown, "reason": str(error), "when": time.time()})
                return Upload(shown, "refused", reason=f"it {error}", size=size)
        target = self._free(where)
        target.parent.mkdir(parents=True, exist_ok=True)
        os.chmod(part, 0o600)
        os.replace(part, target)
        row = {"name": target.relative_to(self.folder / UPLOADS).as_posix(), "sha256": digest, "size": size}
        files.append_jsonl(self.folder / UPLOADED, row | {"when": time.time(), "consent": CONSENT, "batch": batch[:40]})
        return Upload(str(row["name"]), "received", size=size)

    def uploads(self) -> Iterator[dict[str, Any]]:
        """The rows of the files that are still there."""
        for row in files.read_jsonl(self.folder / UPLOADED):
            if (self.folder / UPLOADS / row["name"]).is_file():
                yield row

    def refused(self) -> list[dict[str, Any]]:
        """The files that were refused as they arrived, with the reasons, until she has seen them."""
        return list({row["name"]: row for row in files.read_jsonl(self.folder / REFUSED)}.values())

    def forget_refused(self) -> None:
        """She has seen them."""
        (self.folder / REFUSED).unlink(missing_ok=True)

    def _free(self, where: Path) -> Path:
        target, number = self.folder / UPLOADS / where, 1
        while target.exists():
            number += 1
            target = self.folder / UPLOADS / where.with_name(f"{where.stem} ({number}){where.suffix}")
        return target

    # -- what is there ----------------------------------------------------------------------------------------------------------

    def waiting(self) -> int:
        """How many uploaded pictures the intake has not looked at yet."""
        taken = self.folder / "portfolio.json"
        since = taken.stat().st_mtime if taken.exists() else 0.0
        return sum(row["when"] > since for row in self.uploads() if Path(row["name"]).suffix.lower() not in TEXTS)

    def portfolio(self) -> Portfolio | None:
        """What the intake saw, with every decision applied; None before the first intake."""
        try:
            seen = portfolio.load(self.folder)
        except PortfolioError:
            return None
        decided = self.decisions()
        works = tuple(_decided(work, decided) for work in seen.works if ("remove", work.id) not in decided)
        return replace(seen, works=works, trigger=str(decided.get(("trigger", ""), seen.trigger)))

    def work(self, which: str) -> Artwork:
        """One work by its id. Raises WorksError."""
        seen = self.portfolio()
        found = next((one for one in seen.works if one.id == which), None) if seen else None
        if found is None:
            raise WorksError("There is no such work in your portfolio any more; reload the page.")
        return found

    # -- decisions --------------------------------------------------------------------------------------------------------------

    def decide(self, kind: Kind, which: str, value: str | bool) -> None:
        """Note a decision about a work (or, for the trigger, about all). Raises WorksError."""
        if kind in ("caption", "series"):
            if len(str(value)) > 2000:
                raise WorksError(f"That {kind} has {len(str(value)):,} characters; a base reads some 60 words. Make it shorter.")
            value = captions.clean(str(value))
        if kind == "trigger":
            which, value = "", str(value).strip().lower()
            if not re.fullmatch(r"[a-z][a-z0-9]{2,23}", str(value)):
                raise WorksError("The trigger word needs 3 to 24 letters or digits without spaces, for example “helenvu”.")
        elif kind != "undo":
            self.work(which)
        files.append_jsonl(self.folder / DECISIONS, {"kind": kind, "work": which, "value": value, "when": time.time()})

    def undo(self) -> str:
        """Take back the last decision that stands; says what it was, or "" when there is none."""
        standing = self._standing()
        if not standing:
            return ""
        last = standing[-1]
        files.append_jsonl(self.folder / DECISIONS, {"kind": "undo", "work": "", "value": "", "when": time.time()})
        return str(last["kind"])

    def _standing(self) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = []
        for row in files.read_jsonl(self.folder / DECISIONS):
            if row.get("kind") == "undo":
                rows = rows[:-1]
            else:
                rows.append(row)
        return rows

    def decisions(self) -> dict[tuple[str, str], Any]:
        """The decisions that stand, by kind and work."""
        return {(row["kind"], row["work"]): row["value"] for row in self._standing()}

    # -- training ---------------------------------------------------------------------------------------------------------------

    def for_training(self) -> Path:
        """A folder of the kept works with her captions, as `finetune` reads it; the same works give the same folder.

        The decoded works are linked, not copied: fresh PNGs without metadata, so that no original ever leaves `uploads/`.
        """
        seen = self.portfolio()
        if seen is None or len(seen.kept) < 2:
            raise WorksError("A style needs at least two kept works, ten or more to be any good. Add some in Portfolio.")
        rows = [(_numbered(number, work), work) for number, work in enumerate(seen.kept, 1)]
        table = "".join(
            json.dumps({"file_name": name, "text": work.caption, "series": work.series}, ensure_ascii=False) + "\n"
            for name, work in rows
        )
        folder = self.folder / TRAINING / files.fingerprint(table, *(work.id for _, work in rows))
        if not (folder / "metadata.jsonl").exists():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True, mode=0o700)
            for name, work in rows:
                _link(work.path, folder / name)
            files.write(folder / "metadata.jsonl", table.encode())  # last: its existence means that the folder is complete
        return folder


def _numbered(number: int, work: Artwork) -> str:
    return f"{number:04d}-{files.slug(Path(work.name).stem, 40)}.png"


def _link(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except OSError:  # another file system
        shutil.copyfile(source, target)


def _decided(work: Artwork, decided: dict[tuple[str, str], Any]) -> Artwork:
    changes = {
        field: decided[kind, work.id]
        for kind, field in (("caption", "caption"), ("series", "series"))
        if (kind, work.id) in decided
    }
    copy = any(mark.kind == "duplicate" and mark.of == work.id for mark in work.marks)  # its pixels are in the portfolio already
    if ("keep", work.id) in decided and not copy:
        changes["kept"] = bool(decided["keep", work.id])
    return replace(work, **changes)


def _is_zip(path: Path) -> bool:
    with open(path, "rb") as file:
        return file.read(4) in (b"PK\x03\x04", b"PK\x05\x06")


def in_order(works: Iterable[Artwork]) -> list[Artwork]:
    """Works in the order of their names, "plate 2" before "plate 10"."""
    return sorted(works, key=lambda work: natural(work.name))
