"""`artlab generate PROMPT ... --style NAME:WEIGHT ...`: prompts x seeds in one style, several or none.

Each picture is a PNG that carries its recipe; what is there already is not made again.
"""

import gc
import math
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from PIL import Image

from artlab import files, images, recipe, style
from artlab.bases import Base, Condition, OnStep, load_base, lora
from artlab.portfolio import captions
from artlab.recipe import BaseUsed, Recipe, RecipeError, StyleUsed
from artlab.settings import Generate
from artlab.style import Style

# Beyond this many times the area that a base was made for, its pictures repeat themselves and memory runs out.
LARGEST = 16


class GenerateError(ValueError):
    """Pictures that cannot be made as asked: why, and the way out."""


@dataclass(frozen=True)
class Picture:
    """A finished picture and how it was made."""

    path: Path
    recipe: Recipe


@dataclass(frozen=True)
class Progress:
    """Where the work stands: pictures done, sampling steps done of those under way, the newest picture, or a remark; and `preview()`,
    which makes a sheet of the pictures under way as they are now.
    """

    done: int
    total: int
    step: int = 0
    steps: int = 0
    picture: Picture | None = None
    message: str = ""
    preview: Callable[[], Image.Image] | None = None


Report = Callable[[Progress], None]


def print_progress(progress: Progress) -> None:
    """Remarks and finished pictures, a line each, on stderr."""
    if progress.message:
        print(progress.message, file=sys.stderr)
    elif progress.picture:
        print(f"[{progress.done}/{progress.total}] {progress.picture.path.name}", file=sys.stderr)


def generate(settings: Generate, report: Report = print_progress) -> list[Picture]:
    """Make the pictures, in the order of prompts, then seeds. A picture that is there already is not made again.

    Raises GenerateError, StyleError, LoraError or BaseError before the first picture is begun. `report` may raise to stop.
    """
    plan = prepare(settings, report)
    try:
        lora.load_styles(plan.base, [(one.weights, weight) for one, weight in plan.styles])
        return make(
            plan.recipes,
            plan.folder,
            lambda missing, start: sampled(plan.base, missing, settings.batch_size, start, report),
            report,
        )
    finally:
        lora.detach(plan.base)  # the warm base stays the bare base


@dataclass(frozen=True)
class Plan:
    """What is going to be made: the warm base, the styles with their weights, a recipe for each picture, and where they go."""

    base: Base
    styles: list[tuple[Style, float]]
    recipes: list[Recipe]
    folder: Path


def prepare(settings: Generate, report: Report = print_progress) -> Plan:
    """Check everything that was asked for before anything is made, and say what was left out of too long a prompt."""
    if not any(prompt.strip() for prompt in settings.prompt):
        raise GenerateError(
            "There is no prompt: say what the picture shall show, and say it before --style, for example "
            'artlab generate "a fox in the snow" --style NAME.'
        )
    styles = [(style.load(name), weight) for name, weight in map(style.parse_weighted, settings.style)]
    base = warm(_base_name(settings, styles), settings.device, settings.mixed_precision)
    _check_bases(base, styles)
    size = _size(settings, base)
    readings = [
        read_prompt(prompt, [s for s, weight in styles if weight], base.facts.max_words) for prompt in _sane(settings.prompt)
    ]
    for remark in filter(None, map(_remark, readings)):
        report(Progress(0, 0, message=remark))
    common = _common(settings, base, styles, size)
    recipes = [_recipe(common, reading, seed) for reading in readings for seed in _seeds(settings)]
    return Plan(base, styles, recipes, settings.output_dir or files.pictures() / f"{datetime.now():%Y-%m-%d}")


def warm(name: str, device: str = "auto", precision: str = "auto") -> Base:
    """The base, kept from the last call if it was the same one: a worker that makes many batches loads it once."""
    key = (name, device, precision)
    if key not in _warm:
        _warm.clear()  # the old one goes first: two may not fit into memory
        gc.collect()
        _warm[key] = load_base(name, device=device, precision=precision)
    return _warm[key]


_warm: dict[tuple[str, str, str], Base] = {}


# -- what is asked for ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Reading:
    """A prompt as the base reads it: what was given, the text with triggers, the triggers added, the words left out."""

    given: str
    text: str
    added: tuple[str, ...]
    unread: tuple[str, ...]

    @property
    def told(self) -> dict[str, Any]:
        """What a recipe says of it beyond the text itself."""
        told: dict[str, Any] = {"prompt_given": self.given} if self.text != self.given else {}
        told |= {"triggers_added": list(self.added)} if self.added else {}
        return told | ({"words_not_read": " ".join(self.unread)} if self.unread else {})


def read_prompt(prompt: str, styles: Sequence[Style], most_words: int) -> Reading:
    """Add the triggers that the prompt lacks, in the words of training; too long a prompt is cut, so that they are read."""

    def called(text: str) -> str:
        for one in styles:
            text = captions.with_trigger(text, one.trigger)
        return text

    text = called(prompt)
    added = tuple(
        one.trigger for one in styles if one.trigger and not re.search(rf"(?<!\w){re.escape(one.trigger)}(?!\w)", prompt, re.I)
    )
    over = len(text.split()) - most_words
    if over <= 0:
        return Reading(prompt, text, added, ())
    words = prompt.split()
    kept = max(1, len(words) - over)
    return Reading(prompt, called(" ".join(words[:kept])) if added else prompt, added, tuple(words[kept:]))


def _remark(reading: Reading) -> str:
    if not reading.unread:
        return ""
    shown = " ".join(reading.unread[:12]) + (" …" if len(reading.unread) > 12 else "")
    return f"The prompt “{reading.given[:40]}…” is longer than this base reads; not read: {shown}"


def _sane(prompts: Sequence[str]) -> list[str]:
    return list(dict.fromkeys(prompt.strip().replace("\0", " ") for prompt in prompts if prompt.strip()))


def _seeds(settings: Generate) -> list[int]:
    seeds = dict.fromkeys(seed + i for seed in settings.seed for i in range(settings.count))
    if bad := [seed for seed in seeds if not 0 <= seed < 2**63]:
        raise GenerateError(f"The seed {bad[0]} is out of range; take one from 0 to 2^63 - 1.")
    return list(seeds)


def _base_name(settings: Generate, styles: list[tuple[Style, float]]) -> str:
    first = styles[0][0] if styles else None
    for other, _ in styles:
        if first and other.base["fingerprint"] != first.base["fingerprint"]:
            raise GenerateError(
                f"The styles “{first.name}” and “{other.name}” cannot be mixed: they were taught on different bases "
                f"({_named(first.base)} and {_named(other.base)}). Use one of them, or teach both on one base."
            )
    return settings.base or (str(first.base["name"]) if first else "mini")


def _check_bases(base: Base, styles: list[tuple[Style, float]]) -> None:
    for one, _ in styles:
        if one.base["fingerprint"] != base.fingerprint:
            raise GenerateError(
                f"The style “{one.name}” was taught on another base: {_named(one.base)}, not {_named(base.describe())}. Use it "
                f"with its own (--base {one.base['name']}), or teach it anew: artlab finetune PORTFOLIO --base {base.name}."
            )


def _named(base: dict) -> str:
    return f"“{base['name']}” with weights {base['fingerprint'][:8]}"


def _size(settings: Generate, base: Base) -> tuple[int, int]:
    own, step = base.facts.resolution, base.facts.bucket_step
    size = (settings.width or own, settings.height or own)
    for name, side in zip(("width", "height"), size, strict=True):
        if side % step:
            near = [value for value in (side // step * step, (side // step + 1) * step) if value >= 64]
            raise GenerateError(f"A {name} of {side} does not fit the base “{base.name}”; take {' or '.join(map(str, near))}.")
    if size[0] * size[1] > LARGEST * own * own:
        raise GenerateError(
            f"{size[0]}x{size[1]} is too large for the base “{base.name}”, made for {own}x{own}; stay below {4 * own}x{4 * own}."
        )
    return size


def _common(settings: Generate, base: Base, styles: list[tuple[Style, float]], size: tuple[int, int]) -> Recipe:
    """What the recipes of all the pictures share."""
    used = (StyleUsed(name=s.name, weight=w, sha256=s.sha256, tensors_sha256=style.tensors_sha256(s.weights)) for s, w in styles)
    return Recipe(
        prompt="",
        negative_prompt=settings.negative_prompt.replace("\0", " "),
        seed=0,
        width=size[0],
        height=size[1],
        steps=settings.num_inference_steps,
        sampler=settings.sampler,
        guidance=base.facts.guidance_scale if settings.guidance_scale is None else settings.guidance_scale,
        # A folder's path would tell everybody who gets the picture where the artist keeps her files: its last name is enough.
        base=BaseUsed(name=Path(base.name).name if Path(base.name).is_dir() else base.name, fingerprint=base.fingerprint),
        styles=tuple(used),
        extra={"device": base.device.type, "precision": str(base.dtype).removeprefix("torch.")}
        | ({"upscale": base.upscale_factor} if settings.upscale and base.upscale_factor > 1 else {}),
    )


def _recipe(common: Recipe, reading: Reading, seed: int) -> Recipe:
    return common.model_copy(update={"prompt": reading.text, "seed": seed, "extra": common.extra | reading.told})


# -- making them ------------------------------------------------------------------------------------------------------------


How = Callable[[list[Recipe]], dict[str, Any]]


def _plainly(batch: list[Recipe]) -> dict[str, Any]:
    return {}


Sampled = Callable[[list[Recipe], Progress], Iterator[Image.Image]]


def make(
    recipes: list[Recipe], folder: Path, sample: Sampled, report: Report, *, name: Callable[[Recipe], str] | None = None
) -> list[Picture]:
    """A picture for each recipe, in their order; `sample` is asked for those that are not there yet, and each is kept at once."""
    places = [_place(folder / (name or _name)(made), made) for made in recipes]
    pictures = [Picture(path, made) for (path, _), made in zip(places, recipes, strict=True)]
    there = [picture for picture, (_, found) in zip(pictures, places, strict=True) if found]
    missing = [picture for picture, (_, found) in zip(pictures, places, strict=True) if not found]
    start = Progress(len(there), len(pictures))
    for number, picture in enumerate(there, 1):
        report(replace(start, done=number, picture=picture))
    made = sample([picture.recipe for picture in missing], start)
    for number, (picture, image) in enumerate(zip(missing, made, strict=True), 1 + len(there)):
        _save(image, picture, lambda message: report(replace(start, message=message)))
        report(replace(start, done=number, picture=picture))
    return pictures


def _name(made: Recipe) -> str:
    """A name that derives from the whole recipe: the same one gives the same name, on every machine."""
    given = str(made.extra.get("prompt_given", made.prompt))
    return f"{files.slug(given, 40)}-{made.seed}-{files.fingerprint(made.model_dump_json())[:8]}.png"


def _save(image: Image.Image, picture: Picture, say: Callable[[str], None]) -> None:
    def write() -> None:
        recipe.embed(image, picture.recipe, picture.path)

    files.wait_for_space(write, say)


def _place(path: Path, made: Recipe) -> tuple[Path, bool]:
    """Where the picture goes, and whether it is there already. Another picture of that name stays; a cut-off file does not."""
    stem, number = path.stem, 1
    while path.exists():
        try:
            images.open_image(path)
            if recipe.read(path) == made:
                return path, True
        except RecipeError:
            pass
        except (OSError, SyntaxError, ValueError):
            return path, False
        number += 1
        path = path.with_name(f"{stem}-{number}.png")
    return path, False


def sampled(
    base: Base, recipes: list[Recipe], batch_size: int, start: Progress, report: Report, how: How = _plainly
) -> Iterator[Image.Image]:
    """One picture per recipe, in order, sampled in batches; when memory runs out, in half as large ones.

    `how` may give `base.sample` further arguments for a batch.
    """
    encoded = lru_cache(maxsize=2 * batch_size)(lambda text: base.condition([text]))
    at = 0
    while at < len(recipes):
        batch = recipes[at : at + batch_size]
        now = replace(start, done=start.done + at, steps=batch[0].steps)
        made = _sample(base, batch, encoded, told(base, now, report), how)
        if made:
            yield from base.upscale(made) if "upscale" in batch[0].extra else made
            at += len(batch)
            continue
        if len(batch) == 1:
            raise GenerateError(
                f"One picture of {batch[0].width}x{batch[0].height} fills the memory of {base.device}; make it smaller."
            )
        batch_size = len(batch) // 2
        _free_memory()
        report(replace(now, message=f"Memory ran out with {len(batch)} pictures at once; going on with {batch_size}."))


def told(base: Base, now: Progress, report: Report) -> OnStep:
    """What `base.sample` calls after each step, so that `report` hears of it and can ask for a preview."""

    def on_step(index: int, latents: torch.Tensor) -> None:
        columns = math.ceil(math.sqrt(len(latents)))
        report(replace(now, step=index + 1, preview=lambda: images.contact_sheet(base.preview(latents), columns, width=512)))

    return on_step


def _sample(base: Base, batch: list[Recipe], encoded: Callable[[str], Condition], on_step: OnStep, how: How) -> list[Image.Image]:
    """The pictures of one batch; none when memory ran out."""
    first, rows, away = batch[0], [encoded(made.prompt) for made in batch], encoded(batch[0].negative_prompt)
    try:
        given: dict[str, Any] = {
            "condition": {key: torch.cat([row[key] for row in rows]) for key in rows[0]},
            "seeds": [made.seed for made in batch],
            "steps": first.steps,
            "guidance": first.guidance,
            "negative": {key: torch.cat([value] * len(batch)) for key, value in away.items()},
            "size": (first.width, first.height),
            "sampler": first.sampler,
            "on_step": on_step,
        }
        return base.sample(**(given | how(batch)))
    except RuntimeError as error:
        if not out_of_memory(error):
            raise
        return []  # the error, which holds on to the tensors that filled the memory, ends here


def out_of_memory(error: BaseException) -> bool:
    """Whether an error of torch says that memory ran out, on a GPU or on the CPU."""
    return isinstance(error, torch.OutOfMemoryError) or bool(re.search("out of memory|can't allocate memory", str(error)))


def _free_memory() -> None:
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


if __name__ == "__main__":
    from artlab import cli

    sys.exit(cli.run_verb("generate", sys.argv[1:]))
