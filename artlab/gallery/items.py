"""What each picture of a gallery is: its whole recipe, and the id that is the hash of it.

Two runs, two machines or two plans that ask for the same picture mean the same id, and so the same file name and the same bytes.
Nothing here loads a model: a base is known by the hash of its weights and the facts about its family.
"""

import hashlib
import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from artlab import bases, files, style
from artlab.bases import Facts, latent, upscaler
from artlab.gallery import carried
from artlab.gallery.plan import Request
from artlab.gallery.store import PICTURES, Store
from artlab.generate import LARGEST, Reading, read_prompt
from artlab.recipe import BaseUsed, Recipe, StyleUsed
from artlab.style import Style

NO_PICTURE = "a transfer needs a picture: list some under “pictures”"


class ItemError(ValueError):
    """A row of a plan that cannot be made: why, and the way out."""


@dataclass(frozen=True)
class Item:
    """One picture to make: id, recipe, and what a worker needs: the base's name, adapter files with weights, the picture to work on.

    `sources` are the words for the styles of a picture that is carried over without a trained style.
    """

    id: str
    recipe: Recipe
    base: str
    weights: tuple[tuple[str, float], ...] = ()
    works: tuple[str, ...] = ()
    picture: str = ""
    sources: tuple[str, ...] = ()
    watermark: bool = True

    @property
    def file(self) -> str:
        """Its name in the gallery."""
        return f"{PICTURES}/{files.slug(self.shown.removesuffix(Path(self.picture).suffix), 40)}-{self.recipe.seed}-{self.id[:8]}.png"

    @property
    def shown(self) -> str:
        """What it is called in a list: its prompt as it was given, else the name of the picture that it began from."""
        return str(self.recipe.extra.get("prompt_given", self.recipe.prompt)) or Path(self.picture).name

    @property
    def mix(self) -> list[tuple[str, float]]:
        """The names and weights of its styles, trained ones or what stands for one."""
        return [(used.name, used.weight) for used in self.recipe.styles] or carried.sources_of(self.recipe)

    @property
    def styled(self) -> str:
        """Its styles with their weights, the bare base by its own words."""
        return " + ".join(f"{name} {weight:g}" for name, weight in self.mix) or "no style"

    @property
    def group(self) -> tuple[Any, ...]:
        """What pictures must share to be sampled together: base, adapters with weights, size, steps, guidance, negative prompt."""
        made = self.recipe
        same = (made.width, made.height, made.steps, made.sampler, made.guidance, made.negative_prompt, made.method)
        return (self.base, self.weights, self.sources, *same, str(made.extra.get("upscale", "")), self.together)

    @property
    def together(self) -> int:
        """How many pictures go through the network at once on a CPU; fewer are filled up, as their bytes depend on the number."""
        return int(str(self.recipe.extra.get("together", 1)))


@dataclass(frozen=True)
class Problem:
    """A row of the plan that was not made: its number, the row in words, and the reason."""

    row: int
    what: str
    reason: str

    def __str__(self) -> str:
        return f"Row {self.row}: {self.what}: {self.reason.rstrip('.')}"


@dataclass(frozen=True)
class Settled:
    """A plan's rows as items, each once, in the plan's order, and those that cannot be."""

    items: list[Item]
    problems: list[Problem] = field(default_factory=list)


def settle(requests: Sequence[Request], precision: str, *, watermark: bool = True) -> Settled:
    """Look at bases, styles and sizes, and make an item of each request that can be."""
    found, problems = dict[str, Item](), []
    known = _Known()
    for row, request in enumerate(requests, 1):
        try:
            item = _item(request, known, precision, watermark)
            found.setdefault(item.id, item)
        except (ValueError, OSError) as error:
            problems.append(Problem(row, request.named(), _reason(error)))
    return Settled(list(found.values()), problems)


def batches(items: Sequence[Item], size: int) -> Iterator[list[Item]]:
    """The items cut into batches of one group each, sorted so that a base and its adapters are needed once, one after the other."""
    order = sorted(items, key=lambda item: (item.base, repr(item.weights), repr(item.group)))
    for _, group in itertools.groupby(order, key=lambda item: item.group):
        rows = list(group)
        whole = max(size // rows[0].together, 1) * rows[0].together
        yield from (rows[at : at + whole] for at in range(0, len(rows), whole))


def _reason(error: Exception) -> str:
    if isinstance(error, ValidationError):
        first = error.errors(include_url=False)[0]
        return f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
    return " ".join(str(error).split()) or type(error).__name__


@dataclass(frozen=True)
class _BaseFacts:
    name: str
    fingerprint: str
    facts: Facts
    upscale: int


class _Known:
    """Bases and styles that were looked at, each once, whatever came of it."""

    def __init__(self) -> None:
        self.base: Callable[[str], _BaseFacts] = _remembered(_base_facts)
        self.style: Callable[[str], tuple[Style, StyleUsed]] = _remembered(_style_used)
        self.picture: Callable[[str], str] = _remembered(_picture_hash)
        self.content: Callable[[str], carried.Content] = _remembered(carried.content)
        self.source: Callable[[str], tuple[str, str]] = _remembered(carried.source)


def _remembered(function: Callable[[str], Any]) -> Callable[[str], Any]:
    """The function, asked once for each argument; an error is remembered too."""

    @cache
    def asked(argument: str) -> tuple[Any, Exception | None]:
        try:
            return function(argument), None
        except (ValueError, OSError) as error:
            return None, error

    def call(argument: str) -> Any:
        value, error = asked(argument)
        if error is not None:
            raise error
        return value

    return call


def _base_facts(name: str) -> _BaseFacts:
    folder = bases.locate(name)
    family = bases.detect(folder)
    enlarges = family == "mini" and (folder / "upscaler" / "upscaler.safetensors").exists()
    denoiser = next((folder / part for part in ("unet", "transformer") if (folder / part).is_dir()), folder / "unet")
    prints = latent.fingerprint(latent.weights_file(denoiser))
    return _BaseFacts(name, prints, bases.card(family), upscaler.FACTOR if enlarges else 1)


def _style_used(name: str) -> tuple[Style, StyleUsed]:
    found = style.load(_fetched(name) if "://" in name else name)
    tensors = style.tensors_sha256(found.weights)
    return found, StyleUsed(name=found.name, weight=1, sha256=found.sha256, tensors_sha256=tensors)


def _fetched(address: str) -> Path:
    """A style at an fsspec address, copied into the cache, the card last."""
    store, folder = Store(address), files.cache() / "styles" / files.fingerprint(address)
    for name in (style.WEIGHTS, style.CARD):
        try:
            files.write(folder / name, store.read(name))
        except OSError as error:
            raise ItemError(f"There is no style at {address}: {name} cannot be read ({error}).") from error
    return folder


def _picture_hash(path: str) -> str:
    if not path:
        raise ItemError(NO_PICTURE)
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()


def _item(request: Request, known: _Known, precision: str, watermark: bool) -> Item:
    if request.problem:
        raise ItemError(request.problem)
    if request.method in carried.METHODS:
        return _carried(request, known, precision, watermark)
    mix = [(*known.style(name), weight) for name, weight in request.styles]
    if len({found.sha256 for found, _, _ in mix}) < len(mix):
        raise ItemError("a blend names the same style twice; add up its weights")
    wanted = request.base or (mix[0][0].base["name"] if mix else "mini")
    base = known.base(str(wanted))
    for found, _, _ in mix:
        if found.base["fingerprint"] != base.fingerprint:
            raise ItemError(
                f"the style “{found.name}” was taught on “{found.base['name']}” with weights {found.base['fingerprint'][:8]}, "
                f"not on “{base.name}” with weights {base.fingerprint[:8]}; use it with its own base"
            )
    reading = read_prompt(_prompt(request), [found for found, _, weight in mix if weight], base.facts.max_words)
    recipe = _recipe(request, reading, base, [used.model_copy(update={"weight": weight}) for _, used, weight in mix], precision)
    if request.method == "transfer":
        recipe = recipe.model_copy(
            update={
                "method": "transfer",
                "extra": recipe.extra | {"picture": known.picture(request.picture), "strength": request.strength},
            }
        )
    return Item(
        id=files.fingerprint(recipe.model_dump_json(), str(watermark)),
        recipe=recipe,
        base=base.name,
        weights=tuple((str(found.weights), weight) for found, _, weight in mix if weight),
        works=tuple(str(found.folder) for found, _, weight in mix if weight),
        picture=request.picture,
        watermark=watermark,
    )


def _carried(request: Request, known: _Known, precision: str, watermark: bool) -> Item:
    """An item of one of the methods that need no trained style."""
    if not request.picture:
        raise ItemError(NO_PICTURE)
    if not request.styles:
        raise ItemError("there is no style: name pictures, a portfolio or drawn:NAME under “styles”")
    if any(weight <= 0 for _, weight in request.styles):
        raise ItemError(f"the weights of {request.method} are shares, above 0")
    base = None
    if request.method == "attention":
        facts = known.base(request.base or "mini")
        base = BaseUsed(name=_shown(facts.name), fingerprint=facts.fingerprint)
    made = carried.recipe_of(
        request.method,
        known.content(request.picture),
        [(*known.source(name), weight) for name, weight in request.styles],
        base,
        prompt=_prompt(request),
        seed=request.seed,
        longest=max(request.width, request.height or 0) if request.width else None,
        steps=request.num_inference_steps,
        strength=request.strength,
        precision=precision,
    )
    return Item(
        id=files.fingerprint(made.model_dump_json(), str(watermark)),
        recipe=made,
        base=(request.base or "mini") if base else "",
        picture=request.picture,
        sources=tuple(f"{name}:{weight:g}" for name, weight in request.styles),
        watermark=watermark,
    )


def _shown(base: str) -> str:
    """A base's name without its path."""
    return Path(base).name if Path(base).is_dir() else base


def _prompt(request: Request) -> str:
    prompt = request.prompt.strip().replace("\0", " ")
    if not prompt and request.method == "generate":
        raise ItemError("there is no prompt")
    if len(prompt) > 4000:
        raise ItemError("the prompt has more than 4,000 characters; a base reads 20-60 words")
    return prompt


def _recipe(request: Request, reading: Reading, base: _BaseFacts, used: list[StyleUsed], precision: str) -> Recipe:
    """The recipe as `artlab generate` writes it, but for the device: an item is the same on every machine."""
    width, height = _size(request, base)
    extra: dict[str, Any] = {"precision": precision}
    if request.upscale and base.upscale > 1:
        extra["upscale"] = base.upscale
    if request.together > 1:
        extra["together"] = request.together
    return Recipe(
        prompt=reading.text,
        negative_prompt=request.negative_prompt.replace("\0", " "),
        seed=request.seed,
        width=width,
        height=height,
        steps=request.num_inference_steps,
        sampler=request.sampler,
        guidance=base.facts.guidance_scale if request.guidance_scale is None else request.guidance_scale,
        base=BaseUsed(name=_shown(base.name), fingerprint=base.fingerprint),
        styles=tuple(used),
        extra=extra | reading.told,
    )


def _size(request: Request, base: _BaseFacts) -> tuple[int, int]:
    own, step = base.facts.resolution, base.facts.bucket_step
    size = (request.width or own, request.height or own)
    if any(side % step for side in size):
        near = sorted({max(step, side // step * step) for side in size} | {(side // step + 1) * step for side in size})
        raise ItemError(
            f"{size[0]}x{size[1]} does not fit the base “{base.name}”; sides go in steps of {step}: {', '.join(map(str, near))}"
        )
    if size[0] * size[1] > LARGEST * own * own:
        raise ItemError(f"{size[0]}x{size[1]} is too large for the base “{base.name}”; stay below {4 * own}x{4 * own}")
    return size


def numbered(problems: Sequence[Problem], requests: Sequence[Request]) -> list[Problem]:
    """The problems, those of one reason drawn together: a missing style is told once, with the number of its rows."""
    told: dict[str, list[Problem]] = {}
    for problem in problems:
        told.setdefault(problem.reason, []).append(problem)
    return [
        replace(rows[0], what=rows[0].what + (f" and {len(rows) - 1} more rows of {len(requests)}" if rows[1:] else ""))
        for rows in told.values()
    ]
