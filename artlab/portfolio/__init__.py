"""A portfolio: an artist's works, decoded and captioned, with what curation says of each.

`gather` opens what the artist has, `curate` marks what she should look at, `save` and `load` keep the result. Nothing here
changes or deletes an original.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from artlab import files
from artlab.portfolio.curate import curate
from artlab.portfolio.intake import gather
from artlab.portfolio.work import Artwork, Mark, Portfolio, PortfolioError, Refusal

__all__ = ["Artwork", "Mark", "Portfolio", "PortfolioError", "Refusal", "curate", "gather", "load", "save"]


def save(portfolio: Portfolio) -> Path:
    """Write `portfolio.json` into the portfolio's folder, whole or not at all; its path."""
    path = portfolio.folder / "portfolio.json"
    # ASCII on purpose: the path of an original may hold bytes that are no Unicode, which only an escape can carry.
    files.write(
        path, (json.dumps(asdict(portfolio) | {"folder": ""}, indent=2, default=_relative_to(portfolio.folder)) + "\n").encode()
    )
    return path


def load(folder: Path) -> Portfolio:
    """The portfolio saved in `folder`, which may have been moved since. Raises PortfolioError where there is none."""
    try:
        data = files.read_json(folder / "portfolio.json")
        works = tuple(_work(row, folder) for row in data["works"])
        refused = tuple(Refusal(**row) for row in data["refused"])
        return Portfolio(**(data | {"folder": folder, "works": works, "refused": refused}))
    except FileNotFoundError as error:
        raise PortfolioError(f"There is no portfolio in {folder}. Gather one first.") from error
    except (ValueError, TypeError, KeyError) as error:
        raise PortfolioError(
            f"{folder / 'portfolio.json'} is not a portfolio of this version ({error}). Gather it again."
        ) from error


def _work(row: Mapping[str, Any], folder: Path) -> Artwork:
    marks = tuple(Mark(**mark) for mark in row["marks"])
    original = folder / row["original"] if row["original"] else None
    return Artwork(**{**row, "path": folder / row["path"], "original": original, "size": tuple(row["size"]), "marks": marks})


def _relative_to(folder: Path) -> Callable[[Path], str]:
    """How a path is written down: within the portfolio's folder, so that the folder can be moved, or else in full."""
    return lambda path: str(path.relative_to(folder) if path.is_relative_to(folder) else path.absolute())
