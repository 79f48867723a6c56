"""What a style is taken from: pictures, portfolios and trained styles, each with a weight; and how a stranger's picture is opened."""

import math
import re
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from artlab import drawing, images, metrics, portfolio, style
from artlab import sources as origins
from artlab.portfolio import PortfolioError
from artlab.style import Style, StyleError

LONGEST, SHORTEST = 4096, 16


class TransferError(ValueError):
    """A picture that cannot be made as asked: why, and the way out."""


@dataclass(frozen=True)
class Source:
    """A style as it was named, without its path, its weight, the pictures that stand for it with their ids, the trained style if any."""

    name: str
    weight: float
    works: tuple[Image.Image, ...]
    ids: tuple[str, ...]
    style: Style | None = None


class Opened(NamedTuple):
    """A picture, the hash of its pixels, and the (width, height) that its file has."""

    picture: Image.Image
    id: str
    size: tuple[int, int]


def open_picture(path: Path, what: str = "picture", *, size: int | None = None) -> Opened:
    """A stranger's picture, decoded safely. `size`, if given, becomes its longer side."""
    if not path.exists():
        raise TransferError(f"There is no {what} {path}.")
    if path.is_dir():
        raise TransferError(f"{path} is a folder; name one {what}.")
    with tempfile.TemporaryDirectory() as folder:
        try:
            decoded = images.decode(path, Path(folder) / "decoded.png", longest=None)
        except images.DecodeError as error:
            raise TransferError(f"The {what} {path} {error}.") from error
        width, height = decoded.size
        if max(decoded.size) > LONGEST and size is None:
            raise TransferError(
                f"The {what} {path} is {width}x{height}; up to {LONGEST:,} pixels on the longer side can be worked on. "
                f"Make it smaller, or let artlab do it with --size {LONGEST}."
            )
        if min(decoded.size) < SHORTEST:
            raise TransferError(
                f"The {what} {path} is {width}x{height}: too small to see anything in. Give one of 64 pixels or more."
            )
        picture = images.open_image(decoded.path)
    if size is not None and size != max(picture.size):
        scale = size / max(picture.size)
        shape = (max(1, round(picture.width * scale)), max(1, round(picture.height * scale)))
        picture = picture.resize(shape, Image.Resampling.LANCZOS)
        if min(shape) < SHORTEST:
            raise TransferError(f"At --size {size} the {what} would be {shape[0]}x{shape[1]}; take a larger size.")
    return Opened(picture, decoded.id, decoded.size)


def parse(word: str) -> tuple[str, float]:
    """`wren.jpg:2` is the source `wren.jpg` at weight 2, `drawn:vask` one at weight 1. Weights are shares: positive, any size."""
    found = re.fullmatch(r"(.+):(-?\d+(?:\.\d*)?|-?\.\d+)", word)
    if found is None or Path(word).exists():
        return word, 1.0
    weight = float(found[2])
    if not math.isfinite(weight) or not 0 < weight <= 1000:
        raise TransferError(f"The weight {found[2]} of “{found[1]}” is no share of a mixture; give a positive number up to 1000.")
    return found[1], weight


def resolve(word: str, content: Image.Image, *, works: int, pictures: bool = True) -> Source:
    """The source that a word of `--style` names. With `pictures` a trained style brings the works that it was taught on."""
    name, weight = parse(word)
    path = Path(name).expanduser()
    if name.startswith(origins.DRAWN) or (path.is_dir() and not (path / style.CARD).is_file()) or path.suffix.lower() == ".zip":
        chosen, ids, called = of_portfolio(name, content, works)
        return Source(called, weight, chosen, ids)
    if path.is_file() and path.name not in (style.CARD, style.WEIGHTS):
        opened = open_picture(path, "style picture")
        return Source(path.name, weight, (opened.picture,), (opened.id,))
    trained = _trained(name)
    if not pictures:
        return Source(trained.name, weight, (), (), trained)
    taught_on = origins.DRAWN + trained.name if trained.name in drawing.ARTISTS else str(trained.card.get("portfolio", ""))
    try:
        chosen, ids, _ = of_portfolio(taught_on, content, works)
    except PortfolioError as error:
        raise TransferError(
            f"The style “{trained.name}” does not carry the works that it was taught on. "
            "Name its portfolio or a picture of it as --style, or use --method lora, which needs the trained style alone."
        ) from error
    return Source(trained.name, weight, chosen, ids, trained)


def of_portfolio(
    name: str, like: Image.Image, count: int, least: int = 1
) -> tuple[tuple[Image.Image, ...], tuple[str, ...], str]:
    """The works of a portfolio that are most like a picture, their ids, and the portfolio's name."""
    found = portfolio.gather(origins.resolve(name), to_learn=False)
    kept = found.kept
    if len(kept) < least:
        raise TransferError(
            f"The portfolio {found.name} holds {len(kept)} work{'s' if len(kept) != 1 else ''}; {least} or more are needed, "
            "for one work alone would be seen again and again."
        )
    works = [images.open_image(work.path) for work in kept]
    chosen = nearest(like, works, count)
    return tuple(works[k] for k in chosen), tuple(kept[k].id for k in chosen), found.name


def nearest(like: Image.Image, works: list[Image.Image], count: int) -> list[int]:
    """Which of the works are most like a picture, the most alike first: cosine of pooled features."""
    if len(works) <= count:
        return list(range(len(works)))
    rows = metrics.features([images.crop(picture, 224) for picture in (like, *works)])
    rows = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    return [int(k) for k in np.argsort(-(rows[1:] @ rows[0]), kind="stable")[:count]]


def _trained(name: str) -> Style:
    try:
        return style.load(name)
    except StyleError as error:
        looks_like_file = "/" in name or Path(name).suffix.lower() in images.SUFFIXES
        if looks_like_file and not Path(name).expanduser().exists():
            raise TransferError(f"There is no style picture {name}, and no style of that name.") from error
        raise
