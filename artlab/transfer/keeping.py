"""Where a made picture goes, with its recipe; and how the last good one is kept when the work is stopped half-way."""

import hashlib
import itertools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from PIL import Image

from artlab import files, recipe
from artlab.recipe import Recipe


@dataclass(frozen=True)
class Picture:
    """A finished picture and how it was made."""

    path: Path
    recipe: Recipe


@dataclass(frozen=True)
class Progress:
    """Where the work stands: `done` of `total`, a remark, and `preview()`, which makes the picture as it is now."""

    done: int
    total: int
    message: str = ""
    preview: Callable[[], Image.Image] | None = None


Report = Callable[[Progress], None]


def folder(output_dir: Path | None) -> Path:
    """Where pictures go: the given folder, or the day's own under artlab's home."""
    return output_dir or files.pictures() / f"{datetime.now():%Y-%m-%d}"


def save(image: Image.Image, made: Recipe, where: Path, stem: str) -> Picture:
    """Write the picture as `stem`-<hash of the recipe>.png, whole or absent; a name that is taken gets a number."""
    name = f"{files.slug(stem, 50)}-{hashlib.sha256(made.model_dump_json().encode()).hexdigest()[:8]}"
    path = _free(where, name)
    recipe.embed(image, made, path)
    return Picture(path, made)


def _free(where: Path, name: str) -> Path:
    """A name that nobody has."""
    numbered = (where / f"{name}{f'-{number}' if number > 1 else ''}.png" for number in itertools.count(1))
    return next(path for path in numbered if not path.exists())


class Keeper:
    """Hands progress on to the listener, remembers the newest picture and whether the listener has stopped the work."""

    def __init__(self, report: Report) -> None:
        self.report = report
        self.newest: Callable[[], Image.Image] | None = None
        self.stopped = False

    def __call__(self, progress: Progress) -> None:
        """Tell the listener, who may raise to stop."""
        if progress.preview is not None:
            self.newest = progress.preview
        try:
            self.report(progress)
        except BaseException:
            self.stopped = True
            raise


@contextmanager
def rescued(keeper: Keeper, keep: Callable[[Image.Image], Picture]) -> Iterator[None]:
    """When the block is stopped (Ctrl-C, SIGTERM, a listener that raises), the newest picture is kept, and the error says where."""
    try:
        yield
    except BaseException as stop:
        if keeper.newest is None or not (keeper.stopped or isinstance(stop, (KeyboardInterrupt, SystemExit))):
            raise
        kept = keep(keeper.newest())
        sentence = f"Stopped; the picture as far as it had come is in {kept.path}."
        if isinstance(stop, KeyboardInterrupt):
            raise KeyboardInterrupt(sentence) from stop
        stop.add_note(sentence)
        raise


def unfinished(made: Recipe) -> Recipe:
    """The recipe of a picture that was stopped half-way."""
    return made.model_copy(update={"extra": {**made.extra, "unfinished": True}})
