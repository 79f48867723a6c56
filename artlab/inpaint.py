"""`artlab inpaint PICTURE`: a part of a picture painted anew, or the picture continued beyond its edges, on any UNet base.

At each step what lies outside the mask is put back, noised as much as the step wants (Blended Latent Diffusion, Avrahami et al. 2023, arXiv
2206.02779), and each step is taken back and done again some times, so that the new part comes to fit the old (RePaint, Lugmayr et al. 2022,
arXiv 2201.09865). The base needs no training for it. Outside the mask the picture keeps every bit.
"""

import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from PIL import Image, ImageDraw
from scipy import ndimage
from torch import Tensor

from artlab import easel, generate
from artlab.bases import OnStep, seed_noise
from artlab.bases.unet import UNetBase
from artlab.easel import EaselError, Given
from artlab.generate import Picture, Progress, Report, print_progress
from artlab.recipe import Recipe
from artlab.settings import Inpaint

SAMPLER = "ddim"
LARGEST = 8192
ROOMY = 1.5
"""A picture of more than this many times the base's own side is painted in a window around the mask."""


@dataclass(frozen=True)
class Scene:
    """What is painted: the picture on its (perhaps larger) canvas, and the mask in 0 to 1, 1 where all is new, (h, w)."""

    canvas: Image.Image
    mask: np.ndarray
    told: dict[str, Any]


@dataclass(frozen=True)
class Window:
    """The part of the canvas that the base sees, and the size it sees it in."""

    box: tuple[int, int, int, int]
    size: tuple[int, int]


def inpaint(settings: Inpaint, report: Report = print_progress) -> list[Picture]:
    """Paint the part anew, once per seed. A picture that is there already is not made again.

    Raises EaselError, GenerateError, StyleError or BaseError before the first one is begun. `report` may raise to stop.
    """
    given = easel.take(settings.picture)
    scene = _scene(settings, given)
    made = given.recipe
    changes: dict[str, Any] = {"prompt": (settings.prompt or (made.prompt if made else "") or "a picture",), "sampler": SAMPLER}
    if made and not settings.style:
        changes["style"] = tuple(easel.styles_of(made, given.path))
    plan = easel.plan_for(settings, report, upscale=False, **changes)
    base = easel.steerable(plan.base, "inpainting")
    window = _window(scene, base)
    told = scene.told | {"of": given.path.name, "id": given.id, "strength": settings.strength, "resample": settings.resample}
    told |= {"feather": settings.feather, "window": list(window.box), "seen_at": list(window.size)}
    shape = {"width": scene.canvas.width, "height": scene.canvas.height}
    recipes = [easel.with_extra(one, "inpainting", inpaint=told).model_copy(update=shape) for one in plan.recipes]
    with easel.styled(base, plan.styles):
        return generate.make(
            recipes, plan.folder, lambda missing, start: _painted(base, settings, scene, window, missing, start, report), report
        )


# -- what is painted --------------------------------------------------------------------------------------------------------


def _scene(settings: Inpaint, given: Given) -> Scene:
    wishes = [settings.mask is not None, bool(settings.box), bool(settings.extend)]
    if not any(wishes):
        raise EaselError(
            "Say what is to be painted: --mask FILE, --box LEFT TOP RIGHT BOTTOM, or --extend LEFT TOP RIGHT BOTTOM."
        )
    if sum(wishes[:2]) > 1:
        raise EaselError("Give a mask or a box, not both.")
    image, told = given.image, dict[str, Any]()
    mask = Image.new("L", image.size, 0)
    if settings.mask is not None:
        mask = easel.take_mask(settings.mask, image.size, "the picture")
        told["mask"] = settings.mask.name
    if settings.box:
        left, top, right, bottom = settings.box
        if not (0 <= left < right <= image.width and 0 <= top < bottom <= image.height):
            raise EaselError(f"The box {settings.box} does not lie in the picture of {image.width}x{image.height} pixels.")
        ImageDraw.Draw(mask).rectangle((left, top, right - 1, bottom - 1), 255)
        told["box"] = list(settings.box)
    if settings.invert:
        mask = mask.point(lambda value: 255 - value)
        told["invert"] = True
    part = np.asarray(mask, dtype=np.float32) / 255
    if settings.extend:
        image, part = _extended(image, part, settings.extend)
        told["extend"] = list(settings.extend)
    if not part.any():
        raise EaselError(
            "The mask is black all over, so there is nothing to paint; white is what is painted anew (--invert turns it)."
        )
    return Scene(image, part, told)


def _extended(image: Image.Image, part: np.ndarray, by: tuple[int, ...]) -> tuple[Image.Image, np.ndarray]:
    """The picture on a larger canvas that its mirror image fills for a start; the added part is in the mask."""
    left, top, right, bottom = by
    if min(by) < 0 or not any(by):
        raise EaselError(f"--extend takes four numbers of pixels from 0 up, one at least above 0; it was {by}.")
    if max(image.width + left + right, image.height + top + bottom) > LARGEST:
        raise EaselError(f"The picture would grow beyond {LARGEST:,} pixels; extend it by less.")
    array = np.pad(np.asarray(image), ((top, bottom), (left, right), (0, 0)), mode="symmetric")
    return Image.fromarray(array), np.pad(part, ((top, bottom), (left, right)), constant_values=1.0)


def _window(scene: Scene, base: UNetBase) -> Window:
    """The whole canvas, or of a large one the masked part with what is around it."""
    width, height = scene.canvas.size
    box = (0, 0, width, height)
    own = base.facts.resolution * base.upscale_factor
    if max(width, height) > ROOMY * own:
        rows, columns = np.flatnonzero(scene.mask.any(1)), np.flatnonzero(scene.mask.any(0))
        box = _grown((int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1), own, (width, height))
    return Window(box, easel.size_near((box[2] - box[0], box[3] - box[1]), base))


def _grown(inner: tuple[int, int, int, int], own: int, size: tuple[int, int]) -> tuple[int, int, int, int]:
    """The box with half its size around it, at least as large as the base's pictures, inside the canvas."""
    sides = []
    for low, high, whole in ((inner[0], inner[2], size[0]), (inner[1], inner[3], size[1])):
        length = min(whole, max(own, 2 * (high - low)))
        start = int(min(max(0, (low + high - length) // 2), whole - length))
        sides.append((start, start + length))
    (left, right), (top, bottom) = sides
    return int(left), int(top), int(right), int(bottom)


# -- painting it ------------------------------------------------------------------------------------------------------------


def _painted(
    base: UNetBase, settings: Inpaint, scene: Scene, window: Window, recipes: list[Recipe], start: Progress, report: Report
) -> Iterator[Image.Image]:
    """The finished pictures, one after the other."""
    seen = scene.canvas.crop(window.box)
    known = easel.latents_of(base, seen.resize(window.size, Image.Resampling.LANCZOS), window.size).to(base.device)
    left, top, right, bottom = window.box
    small = Image.fromarray((scene.mask[top:bottom, left:right] * 255).astype(np.uint8))
    hole = latent_mask(small, (known.shape[-1], known.shape[-2])).to(base.device)
    for number, one in enumerate(recipes):
        now = replace(start, done=start.done + number, steps=one.steps)
        latents = repaint(base, known, hole, one, settings.strength, settings.resample, generate.told(base, now, report))
        (new,) = base.upscale(base.decode(latents)) if max(seen.size) > base.facts.resolution else base.decode(latents)
        whole = scene.canvas.copy()
        whole.paste(new.resize(seen.size, Image.Resampling.LANCZOS), window.box[:2])
        yield joined(scene.canvas, whole, scene.mask, settings.feather)


def latent_mask(mask: Image.Image, shape: tuple[int, int]) -> Tensor:
    """The latents that are painted anew (1, 1, h, w): each that the mask touches, as a latent cannot be split. Pixels are joined finely."""
    touched = np.asarray(mask.resize(shape, Image.Resampling.BOX)) > 0
    return torch.from_numpy(touched.astype(np.float32))[None, None]


@torch.no_grad()
def repaint(base: UNetBase, known: Tensor, hole: Tensor, made: Recipe, strength: float, resample: int, on_step: OnStep) -> Tensor:
    """Latents that are `known` outside of `hole` (1 inside) and new inside: DDIM with each step taken `resample` times."""
    schedule = base.schedule
    times = schedule.sampler(SAMPLER, made.steps).timesteps.long()
    times = times[len(times) - max(1, round(len(times) * strength)) :].tolist()
    condition, away = base.condition([made.prompt]), base.condition([made.negative_prompt])
    # One draw for the start, one for what is known, one for each time that a step is taken back: all from the picture's seed.
    draws = iter(seed_noise([made.seed], (2 + len(times) * resample, *known.shape[1:]))[0][:, None].to(known))
    noise = next(draws)
    x = schedule.noised(known, next(draws), torch.tensor(times[:1]))
    for index, (time, later) in enumerate(zip(times, [*times[1:], None], strict=True)):
        step = torch.tensor([time])
        alpha, sigma = (float(values[time]) for values in (schedule.alpha, schedule.sigma))
        alpha_next, sigma_next = (1.0, 0.0) if later is None else (float(schedule.alpha[later]), float(schedule.sigma[later]))
        for again in range(resample):
            output = base.guided(x, step[0], condition, away, made.guidance)
            clean = schedule.clean(x, output, step)
            guess = (x - alpha * clean) / max(sigma, 1e-6)
            inside = alpha_next * clean + sigma_next * guess
            outside = alpha_next * known + sigma_next * noise
            x_next = hole * inside + (1 - hole) * outside
            if again < resample - 1 and later is not None:  # back to this step's noise, and once more
                ratio = alpha / alpha_next
                x = ratio * x_next + (1 - ratio**2) ** 0.5 * next(draws)
            elif later is None:
                break
        x = x_next
        on_step(index, clean)
    return x


def joined(old: Image.Image, new: Image.Image, mask: np.ndarray, feather: float) -> Image.Image:
    """The new where the mask is white, the old to the bit where it is black, and between them a seam that is soft inside the mask.

    An autoencoder shifts colours a little. What it shifted outside the mask is known, and is taken off inside as well, smoothly.
    """
    a, b = (np.asarray(image, dtype=np.float32) for image in (old, new))
    outside = (mask == 0).astype(np.float32)
    if outside.any():
        wide = max(2.0, 0.12 * min(mask.shape))
        weight = ndimage.gaussian_filter(outside, wide)
        shift = np.stack([ndimage.gaussian_filter((a - b)[..., k] * outside, wide) for k in range(3)], -1)
        b = b + shift / np.maximum(weight, 1e-3)[..., None] * np.minimum(1, weight / 0.1)[..., None]
    share = soft(mask, feather)[..., None]
    mixed = np.clip(np.rint(a + share * (b - a)), 0, 255).astype(np.uint8)
    return Image.fromarray(np.where(mask[..., None] == 0, np.asarray(old), mixed))


def soft(mask: np.ndarray, feather: float) -> np.ndarray:
    """The mask with an edge that rises from 0 inside it over `feather` of the shorter side; a thin mask rises as fast as it can."""
    if feather == 0 or (mask > 0).all():
        return mask
    depth = ndimage.distance_transform_edt(mask > 0)
    width = max(1.0, min(feather * min(mask.shape), float(depth.max()) / 2))
    ramp = np.clip(depth / width, 0, 1)
    return mask * ramp * ramp * (3 - 2 * ramp)


if __name__ == "__main__":
    from artlab import cli

    sys.exit(cli.run_verb("inpaint", sys.argv[1:]))
