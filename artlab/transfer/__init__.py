"""`artlab transfer CONTENT --style ...`: a picture in the style of pictures, portfolios or trained styles.

Four methods, each a function of a `Task` that returns the picture: `palette`, `texture`, `attention`, `lora`; each says in its module where
it comes from. The verb opens what is named, brings the colours over, runs the method, lays the mask on and keeps the picture with its
recipe.
"""

import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image
from torch import Tensor

from artlab import images, recipe
from artlab.bases import Base
from artlab.generate import read_prompt, warm
from artlab.recipe import NO_BASE, BaseUsed, Recipe, StyleUsed
from artlab.restyle import colour, palette, texture
from artlab.settings import Transfer
from artlab.transfer import attention, by_style, keeping, masks, windows
from artlab.transfer.keeping import Keeper, Picture, Progress, Report
from artlab.transfer.sources import Source, TransferError, open_picture, resolve

__all__ = ["METHODS", "Picture", "Progress", "Task", "TransferError", "transfer"]

STRENGTH = {"palette": 1.0, "texture": texture.USUAL, "attention": 0.6, "lora": 0.6}


@dataclass(frozen=True)
class Task:
    """What a method gets: the content in the style's colours (or its own), the content as it was, the sources, and a listener."""

    settings: Transfer
    content: Tensor
    original: Tensor
    sources: tuple[Source, ...]
    strength: float
    tell: Keeper
    base: Base | None = None

    @property
    def works(self) -> list[tuple[Tensor, float]]:
        """The style pictures with their shares; the works of one source share its weight."""
        return _works(self.sources)


class Terminal:
    """Remarks, how far it is every few seconds, and the end, on stderr. Steps differ by a thousand times: time decides what is said."""

    EVERY = 5.0

    def __init__(self) -> None:
        self.said = time.monotonic()

    def __call__(self, progress: Progress) -> None:
        """Say it, if it is time to."""
        if progress.message:
            print(progress.message, file=sys.stderr)
        elif progress.total and (progress.done == progress.total or time.monotonic() - self.said >= self.EVERY):
            print(f"[{progress.done}/{progress.total}]", file=sys.stderr, flush=True)
            self.said = time.monotonic()


def transfer(settings: Transfer, report: Report | None = None) -> Picture:
    """Make the picture. Stopped half-way, it keeps the newest one. Raises TransferError, StyleError, PortfolioError or BaseError.

    `report` may raise to stop; on a terminal it says how far it is if left out.
    """
    report = report or Terminal()
    if not settings.style:
        raise TransferError("There is no style: name pictures, a portfolio or a trained style, for example --style drawn:vask.")
    settings = _worded(settings, report)
    content, digest, own = open_picture(settings.content, size=settings.size)
    mask = masks.load(settings.mask, own, content.size) if settings.mask else None
    sources = tuple(resolve(word, content, works=settings.works, pictures=settings.method != "lora") for word in settings.style)
    _check(settings, sources)
    base = _base(settings, sources) if settings.method in ("attention", "lora") else None
    keeper, original = Keeper(report), colour.pixels(content)
    task = _task(settings, original, sources, base, keeper)
    made = _recipe(task, content, digest)
    where, stem = keeping.folder(settings.output_dir), f"{settings.content.stem}-{settings.method}"

    def finish(picture: Image.Image) -> Image.Image:
        result = colour.resize(colour.pixels(picture), (content.height, content.width))
        return colour.picture(result if mask is None else masks.blend(original, result, mask))

    def rescue(picture: Image.Image) -> Picture:
        return keeping.save(finish(picture), keeping.unfinished(made), where, f"{stem}-unfinished")

    with keeping.rescued(keeper, rescue):
        result = finish(METHODS[settings.method](task))
    return keeping.save(result, made, where, stem)


# -- the methods ------------------------------------------------------------------------------------------------------------


def _palette(task: Task) -> Image.Image:
    """The colours alone, as the pre-step has brought them; see `palette`."""
    result = colour.picture(task.content)
    task.tell(Progress(1, 1, preview=lambda: result))
    return result


def _texture(task: Task) -> Image.Image:
    """See `texture`."""
    plan = texture.Plan.of(task.strength, task.settings.seed)

    def shown(picture: Tensor) -> Image.Image:
        return colour.picture(
            texture.faded(colour.resize(task.content, (picture.shape[1], picture.shape[2])), picture, task.strength)
        )

    def seen(done: int, total: int, picture: Tensor) -> None:
        task.tell(Progress(done, total, preview=lambda: shown(picture)))

    return shown(
        texture.stylise(
            task.content, task.works, plan, paper=texture.ground(task.original), brush=task.settings.brush, on_image=seen
        )
    )


def _attention(task: Task) -> Image.Image:
    """See `attention`. Styles are cut to one window of the base."""
    assert task.base is not None
    base = windows.unet(task.base, "attention")
    content = _fitted(task)
    latents = windows.encode(base, content)
    tall, wide = windows.side(base, *latents.shape[2:])
    shape = (wide * base.factor, tall * base.factor)
    styles = [
        (base.encode(colour.pixels(images.crop(colour.picture(work), shape))[None] * 2 - 1), weight)
        for work, weight in task.works
    ]
    result = attention.repaint(
        base,
        latents,
        styles,
        prompt=task.settings.prompt,
        steps=task.settings.num_inference_steps,
        strength=task.strength,
        on_latents=_seen(task, lambda x: windows.decode(base, x)),
    )
    return windows.handed_over(base, windows.decode(base, result))


def _lora(task: Task) -> Image.Image:
    """See `by_style`. Triggers are added to the prompt."""
    assert task.base is not None
    base, content = task.base, _fitted(task)
    styles = [(source.style, source.weight) for source in task.sources if source.style is not None]
    decode = getattr(base, "to_pixels", None) and (lambda x: windows.decode(windows.unet(base, "lora"), x))
    result = by_style.repaint(
        base,
        content,
        styles,
        prompt=read_prompt(task.settings.prompt, [one for one, _ in styles], base.facts.max_words).text,
        seed=task.settings.seed,
        steps=task.settings.num_inference_steps,
        strength=task.strength,
        guidance=task.settings.guidance_scale,
        on_latents=_seen(task, decode),
    )
    return windows.handed_over(base, result)


METHODS: dict[str, Callable[[Task], Image.Image]] = {
    "palette": _palette,
    "texture": _texture,
    "attention": _attention,
    "lora": _lora,
}


def _seen(task: Task, decode: Callable[[Tensor], Image.Image] | None) -> Callable[[int, int, Tensor], None]:
    def seen(done: int, total: int, latents: Tensor) -> None:
        task.tell(Progress(done, total, preview=(lambda: decode(latents[:1])) if decode else None))

    return seen


def _fitted(task: Task) -> Tensor:
    """The content at the nearest size that the base can work on."""
    assert task.base is not None
    wide, tall = windows.shape(task.base, task.content.shape[2], task.content.shape[1])
    return colour.resize(task.content, (tall, wide)).clamp(0, 1)


# -- what is asked for ------------------------------------------------------------------------------------------------------


def _worded(settings: Transfer, report: Report) -> Transfer:
    """`lora` without a prompt gets the words that the content was made from, if the picture tells them; left to itself a base forgets it."""
    if settings.method != "lora" or settings.prompt:
        return settings
    words = _words(settings.content)
    said = (
        f"Without --prompt the picture's own is taken: “{words[:80]}”."
        if words
        else "Without --prompt the base does not know what the picture shows, and hardly brings the style: say it, for example --prompt "
        "“a house by the sea”."
    )
    report(Progress(0, 0, said))
    return settings.model_copy(update={"prompt": words})


def _words(content: Path) -> str:
    try:
        told = recipe.read(content)
    except (recipe.RecipeError, OSError):
        return ""
    if isinstance(told, dict):
        return str(told.get("prompt", ""))
    return str(told.extra.get("prompt_given", told.prompt))


def _task(settings: Transfer, original: Tensor, sources: tuple[Source, ...], base: Base | None, keeper: Keeper) -> Task:
    strength = settings.strength or STRENGTH[settings.method]
    works, content = _works(sources), original
    if works and (settings.palette or settings.method == "palette"):
        amount = strength if settings.method == "palette" else 1.0
        content = palette.transport(original, works, amount=amount, seed=settings.seed)
    return Task(settings, content, original, sources, strength, keeper, base)


def _works(sources: Sequence[Source]) -> list[tuple[Tensor, float]]:
    return [(colour.pixels(work), source.weight / len(source.works)) for source in sources for work in source.works]


def _check(settings: Transfer, sources: Sequence[Source]) -> None:
    if settings.method == "lora" and (untaught := [source.name for source in sources if source.style is None]):
        raise TransferError(
            f"--method lora needs trained styles, and “{untaught[0]}” is none. Teach one (artlab finetune PORTFOLIO), or take "
            "another method: texture needs pictures only."
        )


def _base(settings: Transfer, sources: Sequence[Source]) -> Base:
    taught = [source.style for source in sources if source.style is not None]
    base = warm(settings.base or (str(taught[0].base["name"]) if taught else "mini"), settings.device, settings.mixed_precision)
    if settings.method == "lora":
        by_style.check(base, taught)
    else:
        windows.unet(base, "attention")
    return base


def _recipe(task: Task, content: Image.Image, digest: str) -> Recipe:
    settings, base = task.settings, task.base
    named = [{"name": s.name[:200], "weight": s.weight, "works": list(s.ids)} for s in task.sources]
    taught = [(s.style, s.weight) for s in task.sources if s.style is not None and settings.method == "lora"]
    diffusion = base is not None
    extra: dict[str, Any] = {
        "content": {"name": settings.content.name[:200], "id": digest},
        "sources": named,
        "strength": task.strength,
        "palette_first": settings.palette,
        "brush": settings.brush,
        "masked": settings.mask is not None,
    }
    used = tuple(StyleUsed(name=one.name, weight=max(-2.0, min(2.0, weight)), sha256=one.sha256) for one, weight in taught)
    guidance = 0.0 if base is None else base.facts.guidance_scale if settings.guidance_scale is None else settings.guidance_scale
    return Recipe(
        prompt=settings.prompt,
        seed=settings.seed,
        width=content.width,
        height=content.height,
        steps=settings.num_inference_steps if diffusion else 1,
        sampler={"attention": "ddim", "lora": "dpm++"}.get(settings.method, "none"),
        guidance=guidance if settings.method == "lora" else 0.0,
        base=NO_BASE if base is None else BaseUsed(name=base.name.rpartition("/")[2], fingerprint=base.fingerprint),
        styles=used,
        method=f"transfer: {settings.method}",
        extra=extra,
    )
