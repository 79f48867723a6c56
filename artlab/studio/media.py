"""Pictures for the browser: `/media/own/<path in the asking artist's home>` and `/media/shipped/<style>/preview.png`.

The address of a file does not say whose it is: it is looked for in the home of whoever asks. What is sent is a PNG, JPEG or WebP by
its first bytes, never what its name claims; with `?w=320` it is reduced and re-encoded, which also drops all metadata.
"""

import io
import re
from pathlib import Path
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import FileResponse, Response

from artlab import accounts, files
from artlab.studio.shelf import MEDIA, Shelf, ShelfError

WIDTHS = range(16, 2049)
# Uploads are shown only as what the intake made of them; records, weights and databases are no pictures.
SHOWABLE = re.compile(r"^(pictures|cache|runs|styles|studies|portfolios)/.+\.(png|jpg|jpeg|webp)$", re.IGNORECASE)
HIDDEN = re.compile(r"(^|/)(uploads|originals)(/|$)")
_MAGIC = {b"\x89PNG\r\n\x1a\n": "image/png", b"\xff\xd8\xff": "image/jpeg"}
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; sandbox",
    "Cache-Control": "private, max-age=3600",
    "Vary": "Cookie",
}

router = APIRouter()


@router.get(MEDIA + "/own/{path:path}")
def own(path: str, request: Request, w: int = 0, download: int = 0) -> Response:
    """A picture of the artist who asks."""
    shelf = Shelf.of(request)
    try:
        found = shelf.path(path)
        inside = found.relative_to(shelf.home.resolve()).as_posix()
        if not SHOWABLE.match(inside) or HIDDEN.search(inside) or "/." in f"/{inside}":
            raise ShelfError("There is no such picture.")
        return picture(found, w, shelf.home / "cache" / "thumbs", download=bool(download))
    except (ShelfError, OSError):
        return Response("There is nothing here.\n", 404)


@router.get(MEDIA + "/shipped/{name}/preview.png")
def shipped(name: str, request: Request, w: int = 0) -> Response:
    """The preview of a style that ships with artlab."""
    accounts.artist_of(request)
    found = next((one / "preview.png" for one in files.shipped_styles().glob("*") if one.name == name), None)
    try:
        if found is None:
            raise ShelfError("There is no such picture.")
        return picture(found, w, files.root() / "studio" / "thumbs")
    except (ShelfError, OSError):
        return Response("There is nothing here.\n", 404)


def picture(path: Path, width: int, thumbs: Path, *, download: bool = False) -> Response:
    """The answer that carries a picture, reduced to `width` pixels if that is asked for. Raises ShelfError for what is none."""
    if not path.is_file():
        raise ShelfError("There is no such picture.")
    kind = kind_of(path)
    if not width:
        extra: dict[str, Any] = {"filename": path.name} if download else {}
        return FileResponse(path, media_type=kind, headers=_HEADERS, **extra)
    if width not in WIDTHS:
        raise ShelfError("There is no such size.")
    return FileResponse(thumbnail(path, width, thumbs), media_type="image/webp", headers=_HEADERS)


def kind_of(path: Path) -> str:
    """The media type by the first bytes. Raises ShelfError when it is none of the three."""
    with open(path, "rb") as file:
        head = file.read(12)
    if head[:4] == b"RIFF" and head[8:] == b"WEBP":
        return "image/webp"
    for magic, kind in _MAGIC.items():
        if head.startswith(magic):
            return kind
    raise ShelfError("This is no picture.")


def thumbnail(path: Path, width: int, folder: Path) -> Path:
    """A WebP of at most `width` pixels in width, made once for each state of the file."""
    from PIL import Image, ImageOps  # noqa: PLC0415 - the pages in front do without it

    width = min(size for size in (64, 128, 256, 320, 512, 768, 1024, 2048) if size >= width)
    stat = path.stat()
    made = folder / f"{files.fingerprint(str(path), str(stat.st_mtime_ns), str(stat.st_size))}-{width}.webp"
    if not made.exists():
        try:
            with Image.open(path, formats=("PNG", "JPEG", "WEBP")) as opened:
                image = ImageOps.exif_transpose(opened).convert("RGB")
        except (OSError, ValueError, Image.DecompressionBombError, SyntaxError) as error:
            raise ShelfError("This picture is damaged.") from error
        image.thumbnail((width, 4 * width), Image.Resampling.LANCZOS)
        image.info = {}
        stream = io.BytesIO()
        image.save(stream, "WEBP", quality=82, method=2)
        files.write(made, stream.getvalue())
    return made
