"""Where a portfolio comes from: a path, or `drawn:NAME`, an invented artist whose works artlab draws by itself."""

import difflib
from pathlib import Path

from artlab import drawing, files
from artlab.portfolio import PortfolioError

DRAWN = "drawn:"
WORKS = 24


def resolve(source: str, *, count: int = WORKS, seed: int = 0) -> Path:
    """The folder or ZIP that a source names; a drawn portfolio is drawn into the cache the first time. Raises PortfolioError."""
    if not source:
        raise PortfolioError(f"No portfolio was given. Name a folder or ZIP of works, or {DRAWN}NAME with one of: {_artists()}.")
    if source.startswith(DRAWN):
        return _drawn(source.removeprefix(DRAWN), count, seed)
    path = Path(source).expanduser()
    if not path.exists():
        if source in drawing.ARTISTS:
            raise PortfolioError(f"There is no folder {source}. Did you mean the drawn artist {DRAWN}{source}?")
        raise PortfolioError(
            f"There is no portfolio at {source}. Give a folder or a ZIP of works, or {DRAWN}NAME with one of: {_artists()}."
        )
    return path


def _drawn(name: str, count: int, seed: int) -> Path:
    if name not in drawing.ARTISTS:
        near = difflib.get_close_matches(name, drawing.ARTISTS, n=1)
        hint = f" Did you mean {near[0]}?" if near else ""
        raise PortfolioError(f"There is no drawn artist “{name}”.{hint} There are: {_artists()}.")
    folder = files.cache() / "drawn" / f"{seed}-{count}" / name
    done = folder.parent / f".{name}.done"
    if not done.exists():
        drawing.draw_portfolio(name, folder, count=count, seed=seed)
        files.write(done, b"")
    return folder


def _artists() -> str:
    return ", ".join(drawing.ARTISTS)
