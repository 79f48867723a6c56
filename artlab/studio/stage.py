"""The stage of Create: what is being made, what was made last, and the wells and easels that pictures are brought to."""

from typing import Any

from artlab.jobs import Job
from artlab.studio import album, making, markup, status
from artlab.studio.album import Album
from artlab.studio.shelf import Shelf, ShelfError

SHOWN = 24
MAKING = tuple(verb for _, verb in making.MODES.values()) + making.AFTER


def stamp(shelf: Shelf) -> str:
    """Something that changes whenever the stage would."""
    job = status.latest(shelf.artist, *MAKING)
    log = shelf.home / album.LOG
    told = f"{job.id} {job.state} {job.wish} {job.progress.get('done')} {job.progress.get('step')}" if job else ""
    return f"{told} {log.stat().st_size if log.exists() else 0}"


def styles_stamp(shelf: Shelf) -> str:
    """Something that changes when there is a new style."""
    folder = shelf.home / "styles"
    return "styles " + " ".join(sorted(f"{card.parent.name} {card.stat().st_mtime_ns}" for card in folder.glob("*/style.json")))


def html(shelf: Shelf, hold: dict[str, Any]) -> str:
    """What was made last, large; the others of its batch below."""
    job = status.latest(shelf.artist, *MAKING)
    entries = _entries(shelf, job)
    chosen = next((one for one in entries if one.id == hold.get("show")), entries[0] if entries else None)
    beside = next((one for one in entries if chosen and one.id == hold.get("beside") and one.id != chosen.id), None)
    line = status.line(job) if job and job.is_open else None
    growing = str(job.progress.get("preview", "")) if job and line and job.state == "running" and not hold.get("show") else ""
    return markup.part(
        "stage",
        job={"id": line.id, "open": line.open, "what": line.what, "how": line.how, "share": line.share or 0.0} if line else None,
        growing=growing if growing.startswith("data:image/webp;base64,") else "",
        pictures=[_shown(shelf, one) for one in entries],
        chosen=_shown(shelf, chosen) if chosen else None,
        beside=_shown(shelf, beside) if beside else None,
        can={"regions": making.can("inpaint"), "vary": making.can("vary"), "enlarge": making.can("enlarge")},
    )


def _entries(shelf: Shelf, job: Job | None) -> list[album.Entry]:
    """The pictures of a job as far as they are there, else the newest ones of all."""
    pictures = Album(shelf)
    if job is None:
        return pictures.entries()[:SHOWN]
    found = []
    for path in job.result.get("paths", []):
        try:
            entry = pictures.entry(str(path))
        except ShelfError:
            continue
        found += [] if entry.trashed else [entry]
    if not found and job.started:
        found = sorted(pictures.entries(since=job.started - 1), key=lambda one: one.when) if job.state == "running" else []
    return found[:SHOWN] or pictures.entries()[:1] * (not job.is_open)


def neighbour(shelf: Shelf, which: str) -> str:
    """The id of a picture to compare another one with, "" if there is none."""
    ids = [one.id for one in _entries(shelf, status.latest(shelf.artist, *MAKING))]
    others = [one for one in ids if one != which] or [one.id for one in Album(shelf).entries()[:2] if one.id != which]
    return others[0] if others else ""


def _shown(shelf: Shelf, one: album.Entry) -> dict[str, Any]:
    words, found = album.prompt_of(one.path), album.made(one.path)
    return {
        "id": one.id, "alt": words, "words": words, "seed": getattr(found, "seed", None), "starred": one.starred,
        "small": shelf.media_url(one.path, 240), "large": shelf.media_url(one.path), "download": shelf.media_url(one.path, download=True),
    }  # fmt: skip


def well(shelf: Shelf, hold: dict[str, Any]) -> str:
    """Where a picture to start from is dropped."""
    return markup.part(
        "well", act="picture", tell="create-act", id="picture-well", picture=_url(shelf, hold.get("picture")),
        say="Another picture" if hold.get("picture") else "The picture to start from", note="Drop it here, paste it, or send one from the gallery.",
    )  # fmt: skip


def easel(shelf: Shelf, hold: dict[str, Any]) -> str:
    """The canvas for the part to paint anew."""
    url = _url(shelf, hold.get("picture"))
    width, height = _size(shelf, hold.get("picture"))
    return markup.part("easel", picture=url, width=width, height=height, region=0)


def _url(shelf: Shelf, path: Any) -> str:
    if not path:
        return ""
    try:
        return shelf.media_url(shelf.path(str(path)), 768)
    except (ShelfError, OSError):
        return ""


def _size(shelf: Shelf, path: Any) -> tuple[int, int]:
    from PIL import Image  # noqa: PLC0415 - one of artlab's own PNGs, of which only the header is read

    try:
        with Image.open(shelf.path(str(path)), formats=["PNG"]) as image:
            return image.size
    except (ShelfError, OSError, ValueError, SyntaxError):
        return 512, 512
