"""Pictures carried over into a style by the methods of `artlab transfer` that need no trained style: as items of a plan, and made.

The content and the pictures that stand for the style are known by the hashes of their files, so an item is the same wherever they lie.
"""

import hashlib
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

from artlab import images, sources, style
from artlab.files import fingerprint
from artlab.recipe import NO_BASE, BaseUsed, Recipe
from artlab.settings import Transfer
from artlab.transfer import Progress, transfer
from artlab.transfer.sources import LONGEST, TransferError, open_picture

METHODS = ("palette", "texture", "attention")
PREFIX = "transfer: "
SEEN = 64


@dataclass(frozen=True)
class Content:
    """The picture to work on: its name, the hash of its file, its (width, height) in pixels."""

    name: str
    sha256: str
    size: tuple[int, int]


def content(path: str) -> Content:
    """Look at a picture. Raises TransferError."""
    opened = open_picture(Path(path), size=SEEN)
    return Content(Path(path).name, hashlib.sha256(Path(path).read_bytes()).hexdigest(), opened.size)


def source(name: str) -> tuple[str, str]:
    """What a style's name is shown as, and the hash of what it stands for. Raises StyleError or PortfolioError where there is nothing."""
    path = Path(name).expanduser()
    if name.startswith(sources.DRAWN):
        sources.resolve(name)
        return name, fingerprint(name)
    if path.is_dir() and not (path / style.CARD).is_file():
        found = sorted(one for one in path.rglob("*") if one.is_file())
        return path.name, fingerprint(*(one.read_bytes() for one in found))
    if path.is_file():
        return path.name, fingerprint(path.read_bytes())
    found_style = style.load(name)
    return found_style.name, found_style.sha256


def recipe_of(
    method: str,
    looked: Content,
    styles: list[tuple[str, str, float]],
    base: BaseUsed | None,
    *,
    prompt: str = "",
    seed: int = 0,
    longest: int | None = None,
    steps: int = 20,
    strength: float = 0.6,
    precision: str = "float32",
) -> Recipe:
    """The recipe of a picture; `styles` are (name, hash, weight), `longest` is its longer side, the content's own if left out.

    Raises TransferError for one that is too large.
    """
    width, height = looked.size
    if max(longest or 0, 0 if longest else max(looked.size)) > LONGEST:
        raise TransferError(
            f"{looked.name} would be {longest or max(looked.size)} pixels long; up to {LONGEST:,} can be made: say so under “sizes”"
        )
    scale = longest / max(width, height) if longest else 1.0
    return Recipe(
        prompt=prompt,
        seed=seed,
        width=max(1, round(width * scale)),
        height=max(1, round(height * scale)),
        steps=steps if method == "attention" else 1,
        sampler="ddim" if method == "attention" else "none",
        guidance=0.0,
        base=base or NO_BASE,
        method=PREFIX + method,
        extra={
            "precision": precision,
            "content": {"name": looked.name[:200], "sha256": looked.sha256},
            "sources": [{"name": name[:200], "sha256": sha256, "weight": weight} for name, sha256, weight in styles],
            "strength": strength,
        },
    )


def is_carried(made: Recipe) -> bool:
    """Whether a recipe is of these methods."""
    return made.method.removeprefix(PREFIX) in METHODS


def sources_of(made: Recipe) -> list[tuple[str, float]]:
    """The names and weights of the styles of such a picture."""
    told: Any = made.extra.get("sources", [])
    return [(str(one["name"]), float(one["weight"])) for one in told]


def paint(
    made: Recipe, picture: str, styles: tuple[str, ...], *, base: str, device: str, precision: str, on_step: Callable[[int], None]
) -> Image.Image:
    """Make the picture of a recipe from the file of its content and the words for its styles, as `artlab transfer` does."""
    told: Any = made.extra["content"]
    if hashlib.sha256(Path(picture).read_bytes()).hexdigest() != told["sha256"]:
        raise TransferError(f"The picture {picture} is not the one that the plan was settled with; start again.")
    with tempfile.TemporaryDirectory() as folder:
        asked = Transfer(
            content=Path(picture),
            style=styles,
            method=made.method.removeprefix(PREFIX),
            strength=float(str(made.extra["strength"])),
            size=max(made.width, made.height),
            prompt=made.prompt,
            base=base or None,
            num_inference_steps=made.steps,
            seed=made.seed,
            mixed_precision=precision,
            device=device,
            output_dir=Path(folder),
        )

        def heard(progress: Progress) -> None:
            on_step(progress.done)

        return images.open_image(transfer(asked, heard).path)
