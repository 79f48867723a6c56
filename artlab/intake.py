"""`artlab intake FOLDER`: from the files in FOLDER/uploads to FOLDER/portfolio.json, what artlab thinks of each work.

The uploads are only read. ZIPs among them are opened as if they were folders. A second run decodes only what is new.
"""

import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from artlab import portfolio
from artlab.portfolio import Artwork, Portfolio, PortfolioError, Refusal
from artlab.settings import Intake

UPLOADS = "uploads"


@dataclass(frozen=True)
class Progress:
    """Where the intake stands: a sentence."""

    message: str


def intake(settings: Intake, report: Callable[[Progress], object] | None = None) -> Portfolio:
    """The portfolio, gathered, curated and saved. Raises PortfolioError where there is nothing to learn from."""
    say = report or (lambda progress: print(progress.message, file=sys.stderr))
    uploads = settings.folder / UPLOADS
    zips = sorted(path for path in uploads.rglob("*") if path.is_file() and not path.is_symlink() and _is_zip(path))
    if not uploads.is_dir():
        raise PortfolioError(f"Nothing was uploaded to {settings.folder.name} yet. Add works first.")
    say(Progress("Opening the works"))
    gathered = portfolio.gather([uploads, *zips] if zips else uploads, name=settings.name, say=lambda text: say(Progress(text)))
    say(Progress(f"Looking at {len(gathered.works)} works: copies, blur, lettering, borders"))
    seen = portfolio.curate(gathered)
    opened = {f"{UPLOADS}/{path.relative_to(uploads).as_posix()}" for path in zips}
    refused = tuple(Refusal(_inside(one.name), one.reason) for one in seen.refused if one.name not in opened)
    whole = replace(seen, folder=settings.folder, works=tuple(map(_named, seen.works)), refused=refused)
    portfolio.save(whole)
    say(Progress(f"{len(whole.kept)} of {len(whole.works)} works are ready to learn from"))
    return whole


def _inside(name: str) -> str:
    return name.removeprefix(f"{UPLOADS}/")


def _named(work: Artwork) -> Artwork:
    """Without the folder that all uploads share, which says nothing."""
    series = "" if work.series == UPLOADS else work.series.removeprefix(f"{UPLOADS} / ")
    return replace(work, name=_inside(work.name), series=series)


def _is_zip(path: Path) -> bool:
    with open(path, "rb") as file:
        return file.read(4) in (b"PK\x03\x04", b"PK\x05\x06")
