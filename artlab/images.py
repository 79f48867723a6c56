"""Pictures in and out: strangers' files decoded safely, our own opened plainly, cut to size, laid out on a contact sheet.

A stranger's file is looked at by its first bytes only, then handed to a child process (`decoder.py`) with limits on memory,
processor time, pixels and wall time. What comes back is a fresh PNG: upright, sRGB, 8 bits, no metadata.
"""

import contextlib
import functools
import itertools
import json
import os
import queue
import statistics
import subprocess
import sys
import threading
import unicodedata
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont, ImageOps

MAX_BYTES = 300 << 20
PATIENCE = 30.0
FILES_PER_CHILD = 64

_DECODER = Path(__file__).with_name("decoder.py")

# First bytes -> the only reader that Pillow may then use for the file.
_READ = (
    (b"\xff\xd8\xff", "JPEG"),
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"GIF87a", "GIF"),
    (b"GIF89a", "GIF"),
    (b"II*\0", "TIFF"),
    (b"MM\0*", "TIFF"),
    (b"II+\0", "TIFF"),
    (b"MM\0+", "TIFF"),
)
_NOT_READ = (
    (b"%PDF", "a PDF document"),
    (b"%!PS", "a PostScript file"),
    (b"\xc5\xd0\xd3\xc6", "a PostScript file"),
    (b"8BPS", "a Photoshop file"),
    (b"8BPB", "a Photoshop file"),
    (b"BM", "a BMP picture"),
    (b"PK\x03\x04", "a ZIP archive inside what was uploaded"),
    (b"Rar!", "a RAR archive"),
    (b"7z\xbc\xaf", "a 7-Zip archive"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"SIMPLE", "a FITS file"),
    (b"\0\0\0\x0cjP  ", "a JPEG 2000 picture"),
    (b"\xff\x4f\xff\x51", "a JPEG 2000 picture"),
    (b"\0\0\0\x0cJXL ", "a JPEG XL picture"),
    (b"\xff\x0a", "a JPEG XL picture"),
    (b"\0\0\1\0", "an icon file"),
    (b"gimp xcf", "a GIMP file"),
    (b"<svg", "an SVG drawing"),
    (b"<?xml", "an SVG or XML file"),
    (b"<!doctype", "a web page"),
    (b"<html", "a web page"),
)
_HEIF_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1", b"mif2"}
_AVIF_BRANDS = {b"avif", b"avis"}
SUFFIXES = {".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff", ".heic", ".heif", ".avif", ".gif"}
"""How the names of pictures end: enough to guess what was meant; what a file is, its first bytes say."""
# Camera raw files are TIFF inside, and a TIFF reader would return the thumbnail as if it were the work.
_RAW_SUFFIXES = {".nef", ".cr2", ".dng", ".arw", ".orf", ".pef", ".srw", ".nrw", ".rw2", ".3fr", ".iiq"}


class DecodeError(ValueError):
    """A file is no picture that artlab reads. The message finishes the sentence "this file ..."."""


@dataclass(frozen=True)
class Decoded:
    """A fresh PNG: `id` is the content hash of its pixels, `size` its width and height."""

    id: str
    path: Path
    size: tuple[int, int]


def open_image(path: Path) -> Image.Image:
    """One of artlab's own PNGs as RGB, loaded, the file closed. Strangers' files go through `decode`."""
    with Image.open(path, formats=["PNG"]) as image:
        return image.convert("RGB")


# -- strangers' files -------------------------------------------------------------------------------------------------------


def kind_of(path: Path) -> str:
    """The picture format that the first bytes show, by Pillow's name. Raises DecodeError for everything else."""
    try:
        if not path.is_file():
            raise DecodeError("is no regular file")
        size = path.stat().st_size
        with open(path, "rb") as file:
            head = file.read(64)
    except (OSError, ValueError) as error:
        raise DecodeError(f"cannot be read ({getattr(error, 'strerror', None) or error})") from error
    if not size:
        raise DecodeError("is empty")
    if size > MAX_BYTES:
        raise DecodeError(f"has {size >> 20} MB, more than {MAX_BYTES >> 20}; save a smaller copy")
    return _kind(head, path.suffix.lower())


def _kind(head: bytes, suffix: str) -> str:
    kind = next((kind for magic, kind in _READ if head.startswith(magic)), None)
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        kind = "WEBP"
    if head[4:8] == b"ftyp":
        brands = {head[at : at + 4] for at in (8, *range(16, min(len(head), int.from_bytes(head[:4], "big")), 4))}
        kind = "AVIF" if brands & _AVIF_BRANDS else "HEIF" if brands & _HEIF_BRANDS else None
    if kind == "TIFF" and suffix in _RAW_SUFFIXES:
        raise DecodeError("is a camera raw file; export it as JPEG or TIFF")
    if kind is None:
        start = head.lstrip(b"\xef\xbb\xbf \r\n\t").lower()
        other = next((name for magic, name in _NOT_READ if start.startswith(magic.lower())), None)
        if other is None:
            raise DecodeError("is no picture (JPEG, PNG, WebP, TIFF, HEIC, AVIF or GIF)")
        raise DecodeError(f"is {other}; {'unpack it first' if 'archive' in other else 'save it as PNG or JPEG'}")
    return kind


def decode(source: Path, target: Path, *, longest: int | None = None) -> Decoded:
    """Decode one file in a child process into the PNG `target`. Raises DecodeError. For many files, `decode_all` is faster."""
    with contextlib.closing(_Child()) as child:
        return child.decode(source, target, longest)


def decode_all(
    jobs: Sequence[tuple[Path, Path]], *, longest: int | None = None, workers: int | None = None
) -> Iterator[Decoded | DecodeError]:
    """Decode each (source, target), in order, in a few child processes that are used again; a bad file yields its error."""
    workers = workers or min(4, os.cpu_count() or 1, max(1, len(jobs)))
    children: queue.SimpleQueue[_Child] = queue.SimpleQueue()
    everyone = [_Child() for _ in range(workers)]
    for child in everyone:
        children.put(child)

    def one(job: tuple[Path, Path]) -> Decoded | DecodeError:
        child = children.get()
        try:
            return child.decode(*job, longest)
        except DecodeError as error:
            return error
        finally:
            children.put(child)

    pool = ThreadPoolExecutor(workers)
    try:
        yield from pool.map(one, jobs)
    finally:
        pool.shutdown(cancel_futures=True)
        for child in everyone:
            child.close()


class _Child:
    """A decoder process, started when first needed, and again after a crash, a time-out or `FILES_PER_CHILD` files."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[str] | None = None
        self._answered = 0

    def decode(self, source: Path, target: Path, longest: int | None) -> Decoded:
        job = {"source": str(source), "target": str(target), "kind": kind_of(source), "longest": longest}
        target.parent.mkdir(parents=True, exist_ok=True)
        answer = self._ask(json.dumps(job))
        if "error" in answer:
            raise DecodeError(answer["error"])
        width, height = answer["size"]
        return Decoded(str(answer["id"]), target, (int(width), int(height)))

    def _ask(self, job: str) -> dict:
        process = self._running()
        assert process.stdin is not None
        assert process.stdout is not None
        late = threading.Event()

        def too_late() -> None:
            late.set()
            process.kill()

        alarm = threading.Timer(PATIENCE, too_late)
        alarm.start()
        try:
            process.stdin.write(job + "\n")
            process.stdin.flush()
            line = process.stdout.readline(1 << 16)
        except BrokenPipeError:
            line = ""
        finally:
            alarm.cancel()
        if line.endswith("\n"):
            self._answered += 1
            return json.loads(line)
        code = self.close()
        Path(json.loads(job)["target"] + ".part").unlink(missing_ok=True)
        if late.is_set():
            raise DecodeError(f"takes longer than {PATIENCE:.0f} s to open; save it anew or smaller")
        raise DecodeError(f"makes its decoder crash (code {code}); it is damaged or harmful")

    def _running(self) -> subprocess.Popen[str]:
        if self._process and self._answered >= FILES_PER_CHILD:
            self.close()
        if self._process is None:
            self._answered = 0
            self._process = subprocess.Popen(
                [sys.executable, "-I", str(_DECODER)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
                env={"PATH": os.defpath, "LC_ALL": "C.UTF-8"},
                start_new_session=True,  # Ctrl-C must reach artlab, not make a good file look like a crash
            )
        return self._process

    def close(self) -> int:
        """End the process and return its exit code (negative: the signal that ended it)."""
        process, self._process = self._process, None
        if process is None:
            return 0
        assert process.stdin is not None
        assert process.stdout is not None
        with contextlib.suppress(BrokenPipeError):
            process.stdin.close()
        try:
            code = process.wait(2)
        except subprocess.TimeoutExpired:
            process.kill()
            code = process.wait()
        process.stdout.close()
        return code


# -- layout -----------------------------------------------------------------------------------------------------------------


def fit(image: Image.Image, size: int | tuple[int, int]) -> Image.Image:
    """The whole picture, made as large as `size` (a side, or width and height) allows; never enlarged."""
    width, height = (size, size) if isinstance(size, int) else size
    scale = min(width / image.width, height / image.height)
    if scale >= 1:
        return image.copy()
    return image.resize((max(1, round(image.width * scale)), max(1, round(image.height * scale))), Image.Resampling.LANCZOS)


def crop(image: Image.Image, size: int | tuple[int, int], *, centre: tuple[float, float] = (0.5, 0.5)) -> Image.Image:
    """As much of the picture as covers exactly `size`, scaled, cut around `centre` (shares of width and height)."""
    return ImageOps.fit(image, (size, size) if isinstance(size, int) else size, Image.Resampling.LANCZOS, centering=centre)


PAPER, INK, GREY = (255, 255, 255), (24, 24, 26), (110, 110, 116)


@functools.cache
def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)


def contact_sheet(
    pictures: Sequence[Image.Image], columns: int = 4, *, captions: Sequence[str] = (), title: str = "", width: int = 1600
) -> Image.Image:
    """The pictures on one white sheet `width` pixels wide: `columns` to a row, one height within a row, captions underneath."""
    if not pictures:
        raise ValueError("A contact sheet needs at least one picture.")
    if captions and len(captions) != len(pictures):
        raise ValueError(f"{len(captions)} captions for {len(pictures)} pictures: give one for each, or none.")
    margin, gap = width // 28, width // 80
    label = width // 90 if captions else 0
    rows = list(_rows(pictures, columns, width - 2 * margin, gap))
    head = (width // 40 + 2 * gap) if title else 0
    heights = [row[0].height + (3 * label if captions else 0) + gap for row in rows]
    sheet = Image.new("RGB", (width, 2 * margin + head + sum(heights) - gap), PAPER)
    draw = ImageDraw.Draw(sheet)
    if title:
        draw.text((margin, margin), shorten(title, width - 2 * margin, width // 40), INK, _font(width // 40))
    texts = iter(captions)
    top = margin + head
    for row, height in zip(rows, heights, strict=True):
        left = margin
        for picture in row:
            sheet.paste(picture, (left, top))
            if captions:
                text = shorten(next(texts), picture.width, label)
                draw.text((left, top + picture.height + label // 2), text, GREY, _font(label))
            left += picture.width + gap
        top += height
    return sheet


def _rows(pictures: Sequence[Image.Image], columns: int, width: int, gap: int) -> Iterator[list[Image.Image]]:
    """Rows of equal height that fill `width`; the last, shorter one is as high as the others usually are."""
    # Beyond 4:1 a picture would squeeze its neighbours to stamps: it is shown smaller instead.
    shapes = [min(4.0, max(0.25, picture.width / picture.height)) for picture in pictures]
    starts = range(0, len(pictures), columns)
    room = width - gap * (columns - 1)
    whole = [room / sum(shapes[at : at + columns]) for at in starts if at + columns <= len(pictures)]
    usual = statistics.median(whole) if whole else room / columns
    for at in starts:
        shown = shapes[at : at + columns]
        spare = width - gap * (len(shown) - 1)
        height = spare / sum(shown) if len(shown) == columns else min(usual, spare / sum(shown))
        height = max(1.0, min(height, width * 0.8))
        # Rounding the edges, not the widths, keeps the right margin straight.
        edges = [round(height * edge) for edge in itertools.accumulate(shown, initial=0.0)]
        yield [
            _on_paper(picture, (max(1, right - left), int(height)))
            for picture, (left, right) in zip(pictures[at : at + columns], itertools.pairwise(edges), strict=True)
        ]


def _on_paper(picture: Image.Image, size: tuple[int, int]) -> Image.Image:
    """The picture scaled to `size`; one of another shape is centred on paper."""
    if abs(picture.width / picture.height * size[1] - size[0]) <= 5:
        return picture.convert("RGB").resize(size, Image.Resampling.LANCZOS)
    return ImageOps.pad(picture.convert("RGB"), size, Image.Resampling.LANCZOS, color=PAPER)


def shorten(text: str, width: int, size: int) -> str:
    """One line of `text`, cut with an ellipsis where it would be wider than `width` pixels at this font size."""
    text = "".join(_drawable(letter) for letter in " ".join(text.split()))
    font = _font(size)
    if font.getlength(text) <= width:
        return text
    while text and font.getlength(text.rstrip() + "…") > width:
        text = text[:-1]
    return text.rstrip() + "…" if text else ""


@functools.cache
def _drawable(letter: str) -> str:
    """The letter, or without its accent where Pillow's own font (the one that is always there) would draw an empty box."""
    font = _font(16)
    if bytes(font.getmask(letter)) != bytes(font.getmask("\uffff")):
        return letter
    plain = {"–": "-", "—": "-", "‘": "'", "’": "'", "“": '"', "”": '"'}.get(letter, letter)
    return unicodedata.normalize("NFKD", plain).encode("ascii", "ignore").decode()
