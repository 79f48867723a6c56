"""One artist's shelf: her portfolios, styles, pictures and trainings, and nothing of anybody else.

A `Shelf` is made from the artist who is asking (`Shelf.of(request)`), so a handler cannot reach another's files by a name that a
browser sent: every name is looked up inside `artists/<id>`, and a path that leads out of it is refused. What the browser shall show
goes through `media_url`, which names a file by its path within that home; the server resolves it for whoever is logged in.

    home/portfolios/<slug>/      a `studio.works.Works` folder each: uploads, decisions, portfolio.json
    home/styles/<slug>/          finished styles (`style.py`)
    home/pictures/…              what was made, each PNG with its recipe
    home/runs/<slug>/            trainings: log.jsonl, samples/
    home/cache/                  can be thrown away
"""

import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from artlab import accounts, files, style
from artlab.style import Style

SHOWN = {".png": "image/png", ".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".webp": "image/webp"}
MEDIA = "/media"


class ShelfError(ValueError):
    """Something that is not on this artist's shelf."""


@dataclass(frozen=True)
class Shelf:
    """Everything that one artist has."""

    artist: str

    @classmethod
    def of(cls, request: Any) -> "Shelf":
        """The shelf of whoever sent the request. Raises accounts.NobodyError."""
        return cls(accounts.artist_of(request).id)

    @property
    def home(self) -> Path:
        """Her home."""
        return accounts.home_of(self.artist)

    def path(self, relative: str | Path) -> Path:
        """A file or folder of hers by its path within her home. Raises ShelfError for what leads out of it, also by a link."""
        text = str(relative)
        if "\0" in text or len(text) > 1000:
            raise ShelfError("There is no such file.")
        home = self.home.resolve()
        found = (home / text).resolve()
        if not found.is_relative_to(home):
            raise ShelfError("There is no such file.")
        return found

    # -- portfolios -------------------------------------------------------------------------------------------------------------

    def portfolio_folder(self, name: str = "My works") -> Path:
        """The folder of the portfolio of that name, made if needed."""
        folder = self.home / "portfolios" / files.slug(name)
        if not folder.exists():
            folder.mkdir(parents=True, mode=0o700)
            files.write_json(folder / "name.json", {"name": " ".join(name.split())[:80]})
        return folder

    def portfolios(self) -> list[str]:
        """The names of her portfolios, the one used last first."""
        found = sorted((self.home / "portfolios").glob("*/name.json"), key=lambda path: -path.parent.stat().st_mtime)
        return [str(files.read_json(path)["name"]) for path in found]

    # -- styles and trainings ---------------------------------------------------------------------------------------------------

    def styles(self) -> list[Style]:
        """Her styles, the newest first, then the ones that ship with artlab."""
        with files.living_in(self.home):
            found = style.list_styles()
        hers = [one for one in found if one.folder.is_relative_to(self.home)]
        hers.sort(key=lambda one: str(one.card.get("created", "")), reverse=True)
        return hers + [one for one in found if not one.folder.is_relative_to(self.home)]

    def style(self, name: str) -> Style:
        """One of her styles or the shipped ones, by folder name or name. Raises ShelfError."""
        for one in self.styles():
            if name in (one.folder.name, one.name):
                return one
        raise ShelfError(f"You have no style “{name[:60]}”.")

    def run_folder(self, name: str) -> Path:
        """The folder of a training."""
        return self.home / "runs" / files.slug(name)

    def training_log(self, name: str, most: int = 500) -> list[dict[str, Any]]:
        """The rows of a training's log, thinned to at most about `most`; rows with a held-out loss or a remark are all kept."""
        rows = list(files.read_jsonl(self.run_folder(name) / "log.jsonl"))
        every = max(1, len(rows) // most)
        return [
            row for at, row in enumerate(rows) if at % every == 0 or at == len(rows) - 1 or row.keys() & {"held_out", "message"}
        ]

    # -- pictures ---------------------------------------------------------------------------------------------------------------

    def pictures(
        self, page: int = 1, query: str = "", *, size: int = 60, since: float = 0.0, until: float = float("inf")
    ) -> tuple[list[Path], int]:
        """A page of her pictures, the newest first, and how many there are in all. The words of `query` are sought in the recipes."""
        found = [(path, when) for path, when in self._dated() if since <= when <= until]
        words = query.casefold().split()
        if words:
            found = [(path, when) for path, when in found if all(word in self._words(path) for word in words)]
        at = (max(1, page) - 1) * size
        return [path for path, _ in found[at : at + size]], len(found)

    def picture(self, relative: str) -> Path:
        """One of her pictures by its path within her home. Raises ShelfError."""
        path = self.path(relative)
        if not path.is_relative_to(self.home.resolve() / "pictures") or not path.is_file():
            raise ShelfError("There is no such picture.")
        return path

    def _dated(self) -> list[tuple[Path, float]]:
        found = [path for path in (self.home / "pictures").rglob("*.png") if not path.is_symlink()]
        dated = [(path, path.stat().st_mtime) for path in found if not path.name.startswith(".")]
        return sorted(dated, key=lambda one: (-one[1], one[0].name))

    def _words(self, path: Path) -> str:
        return f"{path.stem} {_prompt(path, path.stat().st_mtime_ns)}".casefold()

    # -- addresses --------------------------------------------------------------------------------------------------------------

    def media_url(self, path: Path, width: int = 0, *, download: bool = False) -> str:
        """The address under which the artist's browser finds a picture: the file itself, or reduced to `width` pixels as WebP.

        Shipped styles' previews have one too. Other people who try the address find their own home, and nothing there.
        """
        asked = "&".join([f"w={width}"] * bool(width) + ["download=1"] * download + ([f"t={path.stat().st_mtime_ns // 10**6:x}"]))
        shipped = files.shipped_styles().resolve()
        resolved = path.resolve()
        if resolved.is_relative_to(shipped):
            return f"{MEDIA}/shipped/{quote(str(resolved.relative_to(shipped)))}?{asked}"
        home = self.home.resolve()
        if not resolved.is_relative_to(home):
            raise ShelfError("There is no such file.")
        return f"{MEDIA}/own/{quote(str(resolved.relative_to(home)))}?{asked}"

    # -- drafts -----------------------------------------------------------------------------------------------------------------

    def draft(self, tab: str) -> dict[str, Any]:
        """What she had typed in a tab, so that a reload loses nothing."""
        path = self.home / "drafts" / f"{files.slug(tab)}.json"
        try:
            found = files.read_json(path)
        except (OSError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}

    def keep_draft(self, tab: str, draft: dict[str, Any]) -> None:
        """Keep what she has typed; at most 64 KB of it."""
        if len(json.dumps(draft)) <= 64 << 10:
            files.write_json(self.home / "drafts" / f"{files.slug(tab)}.json", {**draft, "when": time.time()})


_PROMPTS: dict[tuple[Path, int], str] = {}


def _prompt(path: Path, when: int) -> str:
    """The prompt in a picture's recipe, remembered: a search reads each picture once."""
    from artlab import recipe  # noqa: PLC0415 - Pillow, which most pages do without

    if (path, when) not in _PROMPTS:
        if len(_PROMPTS) > 20_000:
            _PROMPTS.clear()
        try:
            _PROMPTS[path, when] = str(getattr(recipe.read(path), "prompt", ""))
        except (ValueError, OSError):
            _PROMPTS[path, when] = ""
    return _PROMPTS[path, when]
