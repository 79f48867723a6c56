"""From a folder, a ZIP or files to a portfolio of decoded works. What cannot be used is named, with the reason.

Sources are only read. The decoded works lie in the cache, in a folder that belongs to the paths of the sources, so that a
second run finds what it decoded before: a file is known again by the hash of its bytes.
"""

import errno
import hashlib
import io
import itertools
import os
import re
import stat
import unicodedata
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import IO

from artlab import files, images
from artlab.portfolio import captions
from artlab.portfolio.work import Artwork, Mark, Portfolio, PortfolioError, Refusal

LONGEST = 2048
MAX_FILES = 10_000
ZIP_TOTAL = 8 << 30
ZIP_RATIO = 300
ZIP_RATIO_FROM = 16 << 20
ZIP_DIRECTORY = 8 << 20

TEXTS = ("metadata.jsonl", captions.CHOICES)
_READABLE = "JPEG, PNG, WebP, TIFF, HEIC, AVIF or GIF"
_CLUTTER = {"thumbs.db", "desktop.ini", "__macosx", "ehthumbs.db", "icon\r"}
_RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)


@dataclass(frozen=True)
class _Found:
    """A file that may be a picture: its cleaned name within the upload and where its bytes are."""

    name: str
    path: Path


@dataclass
class _Listing:
    """What the sources hold: pictures (perhaps), texts about them by name, and what was refused already."""

    pictures: list[_Found] = field(default_factory=list)
    texts: dict[str, Path] = field(default_factory=dict)
    refused: list[Refusal] = field(default_factory=list)

    def add(self, name: str, path: Path) -> None:
        clean = clean_name(name)
        if PurePosixPath(clean).suffix.lower() in (".txt", ".caption") or PurePosixPath(clean).name in TEXTS:
            self.texts[clean] = path
        else:
            self.pictures.append(_Found(clean, path))
        if len(self.pictures) + len(self.texts) > MAX_FILES:
            raise PortfolioError(
                f"This is more than {MAX_FILES} files. Choose the works that show the style best; a few hundred do."
            )

    def refuse(self, name: str, reason: str) -> None:
        self.refused.append(Refusal(clean_name(name), reason))


def gather(
    source: Path | Sequence[Path],
    *,
    name: str | None = None,
    trigger: str | None = None,
    say: Callable[[str], object] = print,
    to_learn: bool = True,
) -> Portfolio:
    """The portfolio in a folder (with its sub-folders), a ZIP, or several files; works in the order of their names.

    Works larger than 2048 px on a side are kept reduced to 2048, which is more than training uses. Of works with equal
    pixels the first is kept and the others are marked. The originals of a folder stay where they are; those of a ZIP are
    put into a folder that only this user can read. What `artlab.toml` beside the works
    says (`flips`, `trigger`) is heard. Raises PortfolioError where nothing can be trained on: a source that is
    not there, no pictures, one work only. One work will do when it is only looked at (`to_learn` false).
    """
    sources = [source] if isinstance(source, Path) else list(source)
    if not sources:
        raise PortfolioError("No folder, ZIP or picture was given. Name one.")
    if len(sources) == 1 and not sources[0].exists():
        raise PortfolioError(
            f"There is nothing at {_shown(sources[0])}. Check the spelling, or give a folder, a ZIP or pictures."
        )
    folder = _private(files.cache() / "portfolios" / files.fingerprint(*(os.fsencode(path.resolve()) for path in sources)))
    listing = _look(sources, folder)
    own = captions.choices(listing.texts)
    decoded, refused = _decode(listing.pictures, folder, say)
    refused = sorted([*listing.refused, *refused], key=lambda refusal: natural(refusal.name))
    for refusal in refused:
        say(f"Left out {refusal.name}: it {refusal.reason}.")
    what = _shown(sources[0]) if len(sources) == 1 else "what you chose"
    works = tuple(_mark_copies(_works(decoded, listing)))
    _check(what, works, refused)
    if to_learn:
        _check_several(what, works)
    name = name or (clean_name(sources[0].resolve().stem) if len(sources) == 1 else "portfolio")
    called = trigger or str(own.get("trigger") or captions.trigger_word(name))
    return Portfolio(name, folder, called, works, tuple(refused), flips=bool(own.get("flips", False)))


def natural(name: str) -> list[tuple[int, int, str]]:
    """A sort key that puts "plate 2" before "plate 10"."""
    parts = re.findall(r"[0-9]{1,18}|[^0-9]+|[0-9]", name.casefold())
    return [(0, int(part), part) if part.isdecimal() else (1, 0, part) for part in parts] or [(0, 0, "")]


def clean_name(name: str) -> str:
    """A name safe to show, log and compare: NFC, valid Unicode, no control, invisible or direction-changing characters."""
    text = name.encode("utf-8", "surrogatepass").decode("utf-8", "replace")  # bytes that are no UTF-8 arrive as surrogates
    text = unicodedata.normalize("NFC", text)
    return "".join("_" if unicodedata.category(letter)[0] == "C" else letter for letter in text) or "_"


def _shown(path: Path) -> str:
    return clean_name(str(path))


def _private(folder: Path) -> Path:
    """The folder, made if needed, for this user's eyes only."""
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)
    return folder


# -- looking ----------------------------------------------------------------------------------------------------------------


def _look(sources: Sequence[Path], folder: Path) -> _Listing:
    listing = _Listing()
    for path in sources:
        prefix = f"{path.stem}/" if len(sources) > 1 else ""
        if path.is_dir():
            _look_in_folder(path, prefix, listing)
        elif _is_zip(path):
            _look_in_zip(path, prefix, _private(folder / "originals"), listing)
        elif not path.exists():
            listing.refuse(path.name, "is not there any more")
        elif not _clutter(path.name):
            listing.add(path.name, path)
    listing.pictures = _told_apart(sorted(listing.pictures, key=lambda found: (natural(found.name), found.name)))
    return listing


def _told_apart(found: Iterable[_Found]) -> list[_Found]:
    """Files whose cleaned names are equal (a composed and a decomposed accent, say) get a number."""
    seen: set[str] = set()
    told = []
    for one in found:
        path = PurePosixPath(one.name)
        numbered = (str(path.with_name(f"{path.stem} ({number}){path.suffix}")) for number in itertools.count(2))
        name = one.name if one.name not in seen else next(name for name in numbered if name not in seen)
        seen.add(name)
        told.append(replace(one, name=name))
    return told


def _clutter(name: str) -> bool:
    """What operating systems leave lying about."""
    return any(part.startswith(".") or part.lower() in _CLUTTER for part in name.split("/"))


def _look_in_folder(top: Path, prefix: str, listing: _Listing) -> None:
    """Regular files of the folder and its sub-folders. Links are refused: they may lead to anything."""
    for here, folders, names in os.walk(top, onerror=lambda error: listing.refuse(str(error.filename), "cannot be opened")):
        inside = [entry for entry in (*folders, *names) if not _clutter(entry)]
        folders[:] = sorted(entry for entry in folders if entry in inside)
        for entry in inside:
            path = Path(here, entry)
            name = prefix + path.relative_to(top).as_posix()
            if path.is_symlink():
                listing.refuse(name, "is a link; put a copy of the file itself in its place")
            elif path.is_file():
                listing.add(name, path)
            elif not path.is_dir():
                listing.refuse(name, "is no regular file")


def _is_zip(path: Path) -> bool:
    """By its first bytes: a picture with an archive hidden in its tail is a picture."""
    if not path.is_file():
        return False
    try:
        with open(path, "rb") as file:
            return file.read(4) in (b"PK\x03\x04", b"PK\x05\x06")
    except OSError:
        return False


class _Sips(io.BufferedReader):
    """A file read in sips. `zipfile` reads an archive's directory in one gulp, of the size that the archive claims."""

    def read(self, size: int | None = -1, /) -> bytes:
        if size is not None and size > ZIP_DIRECTORY:
            raise zipfile.BadZipFile(f"its list of files is larger than {ZIP_DIRECTORY >> 20} MB")
        return super().read(size if size is not None and size >= 0 else ZIP_DIRECTORY)


def _look_in_zip(path: Path, prefix: str, originals: Path, listing: _Listing) -> None:
    """Unpack what is harmless into `originals`, under names that are hashes; refuse the rest by name."""
    budget = ZIP_TOTAL
    try:
        with _Sips(io.FileIO(path)) as file, zipfile.ZipFile(file) as archive:
            entries = [entry for entry in archive.infolist() if not entry.is_dir()]
            if len(entries) > MAX_FILES:
                raise PortfolioError(f"{_shown(path)} holds {len(entries)} files, more than {MAX_FILES}. Choose the best works.")
            for entry, wrong in _judged(entries):
                name = entry.filename.replace("\\", "/")
                if wrong:
                    listing.refuse(prefix + name, wrong)
                elif not _clutter(name):
                    budget = _unpack(archive, entry, prefix + name, originals, listing, budget)
    except (zipfile.BadZipFile, OSError, NotImplementedError, ValueError) as error:
        if isinstance(error, PortfolioError):
            raise
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise PortfolioError(
                f"The disk is full: there is no room to unpack {_shown(path)}. Make room and start again."
            ) from error
        raise PortfolioError(
            f"{_shown(path)} cannot be opened as a ZIP ({error}). Pack it anew, or give the folder itself."
        ) from error


def _judged(entries: Sequence[zipfile.ZipInfo]) -> Iterator[tuple[zipfile.ZipInfo, str]]:
    """Each entry with what is wrong with it, or ""."""
    overlapping = {
        id(later)
        for one, later in itertools.pairwise(sorted(entries, key=lambda entry: entry.header_offset))
        if one.header_offset + one.compress_size > later.header_offset
    }
    seen: set[str] = set()
    for entry in entries:
        name = entry.filename.replace("\\", "/")
        kind = stat.S_IFMT(entry.external_attr >> 16)
        wrong = ""
        if name.startswith("/") or re.match(r"[A-Za-z]:", name) or ".." in name.split("/"):
            wrong = "has a path that leads out of the ZIP"
        elif "\0" in entry.orig_filename:
            wrong = "has a name with a zero byte in it"
        elif kind not in (0, stat.S_IFREG):
            wrong = "is a link or a device, not a file"
        elif any(_RESERVED.fullmatch(part) for part in name.split("/")):
            wrong = "has a name that Windows reserves for a device; rename it"
        elif name in seen:
            wrong = "is in the ZIP twice under this name; the first was taken"
        elif entry.flag_bits & 1:
            wrong = "is locked with a password; pack the ZIP without one"
        elif id(entry) in overlapping:
            wrong = "shares its bytes with another file of the ZIP, as ZIP bombs do"
        seen.add(name)
        yield entry, wrong


def _unpack(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, name: str, originals: Path, listing: _Listing, budget: int) -> int:
    """Write one entry to a file named by its hash and list it; what is left of the budget of bytes."""
    part = originals / "unpacking.part"
    try:
        with archive.open(entry) as packed, open(part, "wb") as plain:
            size, digest = _pour(packed, plain, entry.compress_size, budget)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, _TooLargeError) as error:
        part.unlink(missing_ok=True)
        listing.refuse(name, str(error) if isinstance(error, _TooLargeError) else "is damaged inside the ZIP; pack it anew")
        return budget
    suffix = re.sub(r"[^.a-z0-9]", "", PurePosixPath(name).suffix.lower())[:8]
    target = originals / f"{digest}{suffix}"
    os.replace(part, target)
    listing.add(name, target)
    return budget - size


class _TooLargeError(Exception):
    pass


def _pour(packed: IO[bytes], plain: IO[bytes], compressed: int, budget: int) -> tuple[int, str]:
    """Copy, counting what really comes out, not what the ZIP says would; the size and the hash."""
    digest, size = hashlib.sha256(), 0
    while helping := packed.read(1 << 20):
        size += len(helping)
        if size > budget:
            raise PortfolioError(f"The ZIP unpacks to more than {ZIP_TOTAL >> 30} GB. Give a folder, or a ZIP of fewer works.")
        if size > images.MAX_BYTES:
            raise _TooLargeError(f"unpacks to more than {images.MAX_BYTES >> 20} MB; save a smaller copy")
        if size > ZIP_RATIO_FROM and size > ZIP_RATIO * compressed:
            raise _TooLargeError(f"unpacks to more than {ZIP_RATIO} times its size, as ZIP bombs do")
        digest.update(helping)
        plain.write(helping)
    return size, digest.hexdigest()[:32]


# -- decoding ---------------------------------------------------------------------------------------------------------------


def _decode(
    found: Sequence[_Found], folder: Path, say: Callable[[str], object]
) -> tuple[list[tuple[_Found, images.Decoded]], list[Refusal]]:
    """Each file with its decoded PNG, from an earlier run where its bytes are unchanged; and those that are no pictures."""
    sources: dict[_Found, str | images.DecodeError] = {one: _source_hash(one.path) for one in found}
    results: dict[str, images.Decoded | images.DecodeError] = dict(_remembered(folder))
    todo = {source: one.path for one, source in sources.items() if isinstance(source, str) and source not in results}
    jobs = [(path, folder / "works" / f"{source}.png") for source, path in todo.items()]
    for count, (digest, result) in enumerate(zip(todo, images.decode_all(jobs, longest=LONGEST), strict=True), 1):
        results[digest] = result
        if isinstance(result, images.Decoded):
            files.append_jsonl(folder / "decoded.jsonl", {"source": digest, "id": result.id, "size": result.size})
        if count % 100 == 0:
            say(f"Opened {count} of {len(todo)} pictures.")
    decoded, refused = [], []
    for one, source in sources.items():
        outcome: images.Decoded | images.DecodeError = results[source] if isinstance(source, str) else source
        if isinstance(outcome, images.Decoded):
            decoded.append((one, outcome))
        else:
            refused.append(Refusal(one.name, str(outcome)))
    return decoded, refused


def _source_hash(path: Path) -> str | images.DecodeError:
    try:
        images.kind_of(path)  # before the hash: what is no picture need not be read to its end
        with open(path, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()[:32]
    except OSError as error:
        return images.DecodeError(f"cannot be read ({error.strerror})")
    except images.DecodeError as error:
        return error


def _remembered(folder: Path) -> Iterator[tuple[str, images.Decoded]]:
    """What earlier runs decoded, by the hash of the source, as far as it is still there."""
    for row in files.read_jsonl(folder / "decoded.jsonl"):
        source, work, size = row.get("source"), row.get("id"), row.get("size")
        if isinstance(source, str) and isinstance(work, str) and isinstance(size, list) and len(size) == 2:
            path = folder / "works" / f"{source}.png"
            if path.is_file():
                yield source, images.Decoded(work, path, (int(size[0]), int(size[1])))


def _works(decoded: Sequence[tuple[_Found, images.Decoded]], listing: _Listing) -> Iterator[Artwork]:
    """The works with the words that surround them."""
    rows = captions.metadata_rows(listing.texts)
    parents = [str(PurePosixPath(found.name).parent) for found, _ in decoded]
    common = os.path.commonpath(parents) if parents else ""
    for found, picture in decoded:
        words = captions.words(found.name, listing.texts, rows, common)
        yield Artwork(
            id=picture.id,
            name=found.name,
            path=picture.path,
            size=picture.size,
            caption=words.caption,
            series=words.series,
            repeats=words.repeats,
            original=found.path,
        )


def _mark_copies(works: Iterable[Artwork]) -> Iterator[Artwork]:
    """Works whose pixels came before are marked and not kept: ids of kept works are unique."""
    first: dict[str, str] = {}
    for work in works:
        if work.id in first:
            yield replace(work, marks=(Mark("duplicate", f"the same pixels as {first[work.id]}", work.id),), kept=False)
        else:
            first[work.id] = work.name
            yield work


def _check(what: str, works: Sequence[Artwork], refused: Sequence[Refusal]) -> None:
    if not works and not refused:
        raise PortfolioError(f"There are no pictures in {what}. Put works into it ({_READABLE}), ten or more.")
    if not works:
        example = f"{refused[0].name} {refused[0].reason}"
        count = f"the {len(refused)} files" if len(refused) > 1 else "the one file"
        raise PortfolioError(f"None of {count} in {what} can be used ({example}). Give works as {_READABLE}.")


def _check_several(what: str, works: Sequence[Artwork]) -> None:
    distinct = {work.id for work in works}
    if len(distinct) == 1 and len(works) > 1:
        raise PortfolioError(f"All {len(works)} pictures in {what} are copies of one work. A style needs ten works or more.")
    if len(distinct) == 1:
        raise PortfolioError(f"There is only one work in {what}, {works[0].name}. A style needs ten works or more; add some.")
