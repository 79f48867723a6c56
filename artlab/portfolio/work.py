"""An artwork, what curation says of it, and the portfolio that holds them."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from artlab import files

MarkKind = Literal["duplicate", "small", "blurred", "empty", "text", "watermark", "border"]


class PortfolioError(ValueError):
    """A portfolio that cannot be used as asked; the message says why, in words for the artist."""


@dataclass(frozen=True)
class Mark:
    """Something to look at before training: what it is, the reason, and for a duplicate the id of the work it repeats."""

    kind: MarkKind
    reason: str
    of: str | None = None


@dataclass(frozen=True)
class Artwork:
    """One work: upright sRGB pixels without metadata in `path`, the untouched upload in `original` (private, may be gone).

    `id` is the content hash of the decoded pixels. `name` is where it came from, relative to what was uploaded.
    `series` groups works that belong together (a sub-folder, a series column); `repeats` is a weight the artist gave it.
    """

    id: str
    name: str
    path: Path
    size: tuple[int, int]
    caption: str = ""
    series: str = ""
    repeats: int = 1
    marks: tuple[Mark, ...] = ()
    kept: bool = True
    original: Path | None = None


@dataclass(frozen=True)
class Refusal:
    """A file that is no work: its name and the reason in words."""

    name: str
    reason: str


@dataclass(frozen=True)
class Portfolio:
    """One artist's works, in the order of their names, and the files that were refused.

    `trigger` is the word that calls the style in a prompt. `flips` says whether mirroring is allowed in training.
    """

    name: str
    folder: Path
    trigger: str
    works: tuple[Artwork, ...] = ()
    refused: tuple[Refusal, ...] = field(default=())
    flips: bool = False

    @property
    def kept(self) -> tuple[Artwork, ...]:
        """The works that training uses."""
        return tuple(work for work in self.works if work.kept)

    @property
    def fingerprint(self) -> str:
        """A hash of what training sees: pixels, captions, weights, trigger. Equal portfolios train equal styles."""
        mirrored = ["mirrored"] if self.flips else []
        return files.fingerprint(self.trigger, *mirrored, *(f"{w.id}|{w.caption}|{w.series}|{w.repeats}" for w in self.kept))
