"""What comes in from the browser besides Gradio's own events.

A file is one request whose body is the file: the page can show a bar for each, repeat the failed one alone, and a broken
connection costs one file. Nothing here is decoded in this process; pictures for the desk go through the decoder's child.
"""

import os
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import JSONResponse
from starlette.concurrency import run_in_threadpool

from artlab import images, recipe
from artlab.studio.shelf import Shelf
from artlab.studio.works import Works, WorksError

LARGEST_WORK, LARGEST_ON_DESK = images.MAX_BYTES, 40 << 20
ZIP_LARGEST = 2 << 30

router = APIRouter()


def works_of(shelf: Shelf) -> Works:
    """An artist's works."""
    return Works(shelf.portfolio_folder())


def desk_of(shelf: Shelf) -> Path:
    """Where pictures lie that she starts from: dropped ones and painted masks."""
    return shelf.home / "cache" / "desk"


@router.post("/upload")
async def upload(request: Request) -> JSONResponse:
    """Take one work, text or ZIP; headers `X-Name` (percent-encoded relative path), `X-Consent: yes`, `X-Batch`."""
    shelf = Shelf.of(request)
    name = unquote(request.headers.get("x-name", ""))[:1000] or "unnamed"
    most = ZIP_LARGEST if name.lower().endswith(".zip") else LARGEST_WORK
    works = works_of(shelf)
    consent, batch = request.headers.get("x-consent") == "yes", request.headers.get("x-batch", "")
    if not consent:
        raise HTTPException(403, "Tick the line about your rights first.")
    with _parts(works.folder) as part:
        await _pour(request.stream(), part, most)
        try:
            told = await run_in_threadpool(works.add, name, part, consent=consent, batch=batch)
        except WorksError as error:
            raise HTTPException(409, str(error)) from None
    return JSONResponse(told.__dict__)


@router.post("/desk")
async def put_on_desk(request: Request) -> JSONResponse:
    """Take a picture to start from, or a mask: decoded in a child process, kept as a fresh PNG; with the recipe it carried."""
    shelf = Shelf.of(request)
    with _parts(desk_of(shelf)) as part:
        await _pour(request.stream(), part, LARGEST_ON_DESK)
        try:
            return JSONResponse(await run_in_threadpool(_desk, shelf, part))
        except images.DecodeError as error:
            raise HTTPException(415, f"This file {error}.") from None


def _desk(shelf: Shelf, part: Path) -> dict[str, Any]:
    folder = desk_of(shelf)
    result = next(iter(images.decode_all([(part, folder / f"{part.stem}.png")], longest=2048)))
    if isinstance(result, images.DecodeError):
        raise result
    target = folder / f"{result.id[:16]}.png"
    os.replace(result.path, target)
    made: dict[str, Any] | None = None
    try:
        found = recipe.read(part)
        made = found if isinstance(found, dict) else found.model_dump(mode="json")
    except recipe.RecipeError:
        pass
    return {"id": target.stem, "width": result.size[0], "height": result.size[1], "recipe": made}


@contextmanager
def _parts(folder: Path) -> Iterator[Path]:
    """A temporary file beside where the upload will be; whatever is left of it goes away."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    handle, name = tempfile.mkstemp(dir=folder, prefix="part-", suffix=".upload")
    os.close(handle)
    try:
        yield Path(name)
    finally:
        Path(name).unlink(missing_ok=True)


async def _pour(stream: AsyncIterator[bytes], part: Path, most: int) -> None:
    size = 0
    with open(part, "wb") as file:
        async for helping in stream:
            size += len(helping)
            if size > most:
                raise HTTPException(413, f"This file has more than {most >> 20} MB; save a smaller copy.")
            await run_in_threadpool(file.write, helping)
