"""What the verbs share that make pictures out of styles and pictures in other ways than from words alone."""

import hashlib
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from artlab import generate, images, recipe, style
from artlab.bases import Base, lora
from artlab.bases.unet import UNetBase
from artlab.generate import Picture, Plan, Report
from artlab.images import DecodeError
from artlab.recipe import Recipe, RecipeError, StyleUsed
from artlab.settings import Generate, Settings
from artlab.style import Style

SMALLEST = 16


class EaselError(ValueError):
    """A picture or a wish that cannot be used: which, why, and the way out."""


@dataclass(frozen=True)
class Given:
    """A picture that was given: its pixels (RGB), its file, a short hash of them, and its recipe where artlab made it from words."""

    image: Image.Image
    path: Path
    id: str
    recipe: Recipe | None


def take(path: Path) -> Given:
    """A stranger's picture, decoded safely, with its recipe if it carries one of artlab's. Raises EaselError."""
    if not path.exists():
        raise EaselError(f"There is no picture {path}.")
    with tempfile.TemporaryDirectory() as folder:
        try:
            decoded = images.decode(path, Path(folder) / "picture.png")
        except DecodeError as error:
            raise EaselError(f"{path} {error}.") from error
        image = images.open_image(decoded.path)
    if min(image.size) < SMALLEST:
        raise EaselError(f"{path} has {image.width}x{image.height} pixels; a picture needs {SMALLEST} at least on each side.")
    try:
        found = recipe.read(path)
    except RecipeError:
        found = None
    digest = hashlib.sha256(f"{image.size}".encode() + image.tobytes()).hexdigest()[:16]
    return Given(image, path, digest, found if isinstance(found, Recipe) else None)


def take_mask(path: Path, size: tuple[int, int] | None, of: str) -> Image.Image:
    """A mask as 8-bit grey; of exactly `size`, if that is given. Raises EaselError."""
    if not path.exists():
        raise EaselError(f"There is no mask {path}.")
    with tempfile.TemporaryDirectory() as folder:
        try:
            mask = images.open_image(images.decode(path, Path(folder) / "mask.png").path).convert("L")
        except DecodeError as error:
            raise EaselError(f"The mask {path} {error}.") from error
    if size is not None and mask.size != size:
        raise EaselError(
            f"The mask {path.name} has {mask.width}x{mask.height} pixels, {of} has {size[0]}x{size[1]}. "
            "Save the mask in the size of the picture, so that it lies where you mean it."
        )
    return mask


def plan_for(settings: Settings, report: Report, **changes: Any) -> Plan:
    """The plan of `generate` for settings that share names with its own; `changes` go before them."""
    shared = {key: getattr(settings, key) for key in type(settings).model_fields if key in Generate.model_fields}
    return generate.prepare(Generate(**(shared | changes)), report)


def steerable(base: Base, wish: str) -> UNetBase:
    """The base, if its sampling can be taken hold of; else an EaselError."""
    if not isinstance(base, UNetBase):
        raise EaselError(
            f"The base “{base.name}” is no UNet, and {wish} works on UNet bases only (mini, Stable Diffusion, SDXL); "
            "take one of those with a style taught on it."
        )
    return base


@contextmanager
def styled(base: Base, styles: Sequence[tuple[Style, float]]) -> Iterator[None]:
    """The base with these styles on it, and bare again afterwards."""
    try:
        lora.load_styles(base, [(one.weights, weight) for one, weight in styles])
        yield
    finally:
        lora.detach(base)


def paint(
    plan: Plan, settings: Any, report: Report, how: generate.How, *, name: Callable[[Recipe], str] | None = None
) -> list[Picture]:
    """A picture for each of the plan's recipes, sampled in `how`'s way, in the plan's styles; what is there is kept."""
    with styled(plan.base, plan.styles):
        return generate.make(
            plan.recipes,
            plan.folder,
            lambda missing, start: generate.sampled(plan.base, missing, settings.batch_size, start, report, how),
            report,
            name=name,
        )


def size_near(size: tuple[int, int], base: Base) -> tuple[int, int]:
    """The size of a base's own area that has nearly the shape of `size`, sides in its steps."""
    step, area = base.facts.bucket_step, base.facts.resolution**2
    shape = min(4.0, max(0.25, size[0] / size[1]))
    width = max(step, round((area * shape) ** 0.5 / step) * step)
    return width, max(step, round(width / shape / step) * step)


def latents_of(base: Base, image: Image.Image, size: tuple[int, int]) -> Tensor:
    """The latents (1, c, h, w) of a picture, cut to `size`; without chance."""
    cut = images.crop(image, size)
    pixels = torch.from_numpy(np.asarray(cut, dtype=np.float32).copy()).permute(2, 0, 1)[None] / 127.5 - 1
    return base.encode(pixels).float().cpu()


def styles_of(made: Recipe, where: Path) -> list[str]:
    """The styles of a recipe as NAME:WEIGHT, each the very one that was used. Raises EaselError when one has changed since."""
    return [f"{own.folder}:{used.weight}" for used in made.styles if (own := _same(used, where)) is not None]


def _same(used: StyleUsed, where: Path) -> Style | None:
    if not used.weight:
        return None
    own = style.load(used.name)
    if used.sha256 and own.sha256 != used.sha256:
        raise EaselError(
            f"{where} was made with another version of the style “{used.name}” than the one here; give the styles yourself: --style "
            f"{used.name}:{used.weight:g}."
        )
    return own


def with_extra(made: Recipe, method: str, **extra: Any) -> Recipe:
    """The recipe with another method and further remarks."""
    return made.model_copy(update={"method": method, "extra": made.extra | extra})


def shown(plan: Plan, recipes: list[Recipe]) -> Plan:
    """The plan with other recipes."""
    return replace(plan, recipes=recipes)
