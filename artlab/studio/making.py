"""From what an artist asked for in Create to the settings of a verb. No Gradio, no torch.

A mode of the page is a verb; the fields of its settings class decide what the page offers and what is sent. A verb that is not there
has no mode.
"""

import random
import types
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from artlab import files, jobs
from artlab.recipe import Recipe
from artlab.settings import VERBS, Settings
from artlab.studio import forms
from artlab.studio.forms import FormError
from artlab.studio.shelf import Shelf, ShelfError
from artlab.studio.uploads import works_of
from artlab.studio.works import WorksError
from artlab.style import Style

MODES: dict[str, tuple[str, str]] = {
    "words": ("From words", "generate"),
    "picture": ("From a picture", "transfer"),
    "blend": ("Blend styles", "blend"),
    "part": ("Paint a part anew", "inpaint"),
}
AFTER = ("vary", "enlarge")
OWN = {"picture": ("method", "strength", "palette", "brush", "works"), "part": ("strength", "feather", "resample", "invert")}
"""What a mode's own form asks for; everything else the page knows already."""
MEETINGS = {
    "mix": "Mixed all over",
    "crossfade": "From the first to the last while it is drawn",
    "k-lora": "Shape from the first, surface from the last",
    "part": "The painted part in the last one",
    "sheet": "A sheet of all weights",
}
"""How styles meet in a blend."""
PICTURE = ("picture", "content")
SHAPES = {"square": (1.0, 1.0), "portrait": (1.0, 1.25), "landscape": (1.25, 1.0)}
STYLES = 3
LONGEST_PROMPT = 4000
MOST_LINES = 100
"""Prompts in one batch."""


@dataclass(frozen=True)
class Wish:
    """What the page holds when the button is pressed. `picture` and `mask` are paths within her home, or "".

    From words, each line of `prompt` is a prompt of its own, so that a list makes a batch.
    """

    prompt: str = ""
    styles: tuple[tuple[str, float], ...] = ()
    mode: str = "words"
    count: int = 1
    shape: str = "square"
    seed: int | None = None
    picture: str = ""
    mask: str = ""
    more: Mapping[str, Any] = field(default_factory=dict)


def modes() -> list[tuple[str, str]]:
    """The modes that there are verbs for, as (words, name)."""
    return [(words, name) for name, (words, verb) in MODES.items() if can(verb)]


def can(verb: str) -> bool:
    """Whether the studio may ask for a verb."""
    return verb in VERBS and verb not in jobs.KEPT_BACK


@cache
def facts() -> Mapping[str, Mapping[str, Any]]:
    """What `cards.yaml` says of the families of bases, read without torch."""
    return types.MappingProxyType(yaml.safe_load((files.package() / "bases" / "cards.yaml").read_text()))


def base_of(styles: Sequence[Style]) -> tuple[int, int, int]:
    """Resolution, step of sides, and most words that the base of these styles reads; those of `mini` without a style."""
    first = styles[0].base if styles else {"family": "mini"}
    family = facts().get(str(first.get("family")), facts()["mini"])
    return int(first.get("resolution", family["resolution"])), int(family["bucket_step"]), int(family["max_words"])


def size(shape: str, styles: Sequence[Style]) -> tuple[int, int]:
    """Width and height of a shape at the base's own size."""
    resolution, step, _ = base_of(styles)
    wide, high = SHAPES.get(shape, SHAPES["square"])
    return round(wide * resolution / step) * step, round(high * resolution / step) * step


def settings_for(wish: Wish, shelf: Shelf) -> tuple[str, dict[str, Any]]:
    """The verb and its settings. Raises FormError or ShelfError in words for the artist."""
    if wish.mode not in MODES or not can(MODES[wish.mode][1]):
        raise FormError("Choose how to make the picture.")
    verb = MODES[wish.mode][1]
    fields = VERBS[verb].model_fields
    styles = [shelf.style(name) for name, _ in wish.styles]
    prompts = prompts_of(wish)
    _check_prompts(prompts, styles, needed=verb in ("generate", "blend"))
    given: dict[str, Any] = {key: value for key, value in wish.more.items() if key in fields}
    width, height = size(wish.shape, styles)
    seed = random.randrange(2**31) if wish.seed is None else wish.seed
    weighted = [f"{style.folder.name}:{weight:g}" for style, (_, weight) in zip(styles, wish.styles, strict=True)]
    common: dict[str, Any] = {
        "count": wish.count,
        "width": width,
        "height": height,
        "batch_size": min(4, max(1, wish.count) * max(1, len(prompts))),
        "seed": seed,
    }
    common |= {"prompt": prompts, "style": weighted}
    for name, value in common.items():
        if name in fields and name not in given and value not in ("", []):
            given[name] = _fitted(VERBS[verb], name, value)
    _add_pictures(wish, shelf, fields, given)
    if verb == "transfer" and not given.get("style"):
        given["style"] = [works_folder(shelf)]
    if verb == "blend":
        _meet(wish, shelf, given)
    forms.build(VERBS[verb], given)
    return verb, given


def _add_pictures(wish: Wish, shelf: Shelf, fields: Mapping[str, Any], given: dict[str, Any]) -> None:
    """The picture to start from, and the painted part of it."""
    if name := next((name for name in PICTURE if name in fields), None):
        if not wish.picture:
            raise FormError("First choose a picture to start from: drop it above, or send one from the gallery.")
        shelf.path(wish.picture)
        given[name] = wish.picture
    if "mask" in fields and wish.mask:
        given["mask"] = wish.mask
    if wish.mode == "part" and not wish.mask:
        raise FormError("Paint over the part that shall be made anew.")


def _meet(wish: Wish, shelf: Shelf, given: dict[str, Any]) -> None:
    """How the styles of a blend meet: alike everywhere, over the steps, in a painted part, or on a sheet."""
    meeting = wish.more.get("meeting", "mix")
    styles = given.get("style", [])
    if len(styles) < 2:
        raise FormError("A blend needs two styles or more; choose another one.")
    if meeting in ("crossfade", "k-lora"):
        given["schedule"] = [meeting]
    elif meeting == "sheet":
        given |= {"sheet": True, "count": 1}
    elif meeting == "part":
        if not wish.mask:
            raise FormError("Paint the part that the last style shall fill.")
        words = " ".join(str(wish.more.get("part_prompt") or wish.prompt).replace("|", " ").split())
        given |= {"region": [f"{wish.mask} | {words} | {styles[-1]}"], "style": styles[:-1]}


def after(verb: str, picture: str, shelf: Shelf) -> dict[str, Any]:
    """The settings of what can be done with a finished picture at one press."""
    given: dict[str, Any] = {"picture": picture}
    if verb == "enlarge":
        try:
            given["portfolio"] = works_folder(shelf)
        except WorksError:
            given["method"] = "plain"  # without works of hers there is no brushwork to take
    return given


def works_folder(shelf: Shelf) -> str:
    """Her kept works as a folder that verbs read, by its path in her home. Raises WorksError."""
    return str(works_of(shelf).for_training().relative_to(shelf.home))


def _fitted(settings: type[Settings], name: str, value: Any) -> Any:
    """One value or a list of it, whichever the field takes."""
    many = "tuple" in str(settings.model_fields[name].annotation) or "list" in str(settings.model_fields[name].annotation)
    if many:
        return value if isinstance(value, list) else [value]
    return value[0] if isinstance(value, list) else value


def prompts_of(wish: Wish) -> list[str]:
    """The prompts that a wish asks for: a line each from words, all lines together in every other mode."""
    lines = [words for line in wish.prompt.splitlines() if (words := _one_line(line))]
    return lines if wish.mode == "words" or not lines else [" ".join(lines)]


def title_of(wish: Wish) -> str:
    """What the line of jobs calls it."""
    prompts = [one for one in prompts_of(wish) if one]
    more = f", and {len(prompts) - 1} more" if len(prompts) > 1 else ""
    return prompts[0][: 80 - len(more)] + more if prompts else MODES[wish.mode][0]


def _check_prompts(prompts: Sequence[str], styles: Sequence[Style], *, needed: bool) -> None:
    if needed and not any(prompts):
        raise FormError("Say what the picture shall show.")
    if len(prompts) > MOST_LINES:
        raise FormError(f"Each line makes pictures of its own, and these are {len(prompts)}; {MOST_LINES} lines are the most.")
    for prompt in prompts:
        _check_prompt(prompt, styles)


def _check_prompt(prompt: str, styles: Sequence[Style]) -> None:
    words = prompt.split()
    if len(prompt) > LONGEST_PROMPT:
        raise FormError(f"The prompt has {len(prompt):,} letters; {LONGEST_PROMPT:,} are the most.")
    most = base_of(styles)[2] - sum(2 for one in styles if one.trigger.lower() not in prompt.lower())
    if len(words) > most:
        lost = " ".join(words[most:][:8])
        raise FormError(f"This base reads {most} words and yours are {len(words)}: “{lost}…” would be lost. Say it shorter.")


def from_recipe(found: Recipe | Mapping[str, Any], shelf: Shelf) -> tuple[Wish, str]:
    """The wish that a picture's recipe stands for, and what of it could not be taken over. A recipe is a stranger's input."""
    if not isinstance(found, Recipe):
        prompt = str(found.get("prompt", ""))[:LONGEST_PROMPT]
        seed = found.get("seed")
        told = "This picture was made elsewhere: its words and seed were taken over."
        return Wish(prompt=_one_line(prompt), seed=seed if isinstance(seed, int) and 0 <= seed < 2**63 else None), told
    hers = {one.sha256: one for one in shelf.styles()}
    known = [(hers[used.sha256].folder.name, used.weight) for used in found.styles if used.sha256 in hers][:STYLES]
    lost = [used.name for used in found.styles if used.sha256 not in hers]
    given = found.extra.get("prompt_given", found.prompt)
    more: dict[str, Any] = {"num_inference_steps": min(found.steps, 1000), "guidance_scale": min(found.guidance, 50.0)}
    more |= {"sampler": found.sampler} if found.sampler in ("dpm++", "ddim", "euler") else {}
    more |= {"negative_prompt": found.negative_prompt} if found.negative_prompt else {}
    shape = "square" if found.width == found.height else "portrait" if found.width < found.height else "landscape"
    told = f"You do not have the style {', '.join(lost)}; the rest was taken over." if lost else "Its settings were taken over."
    wish = Wish(
        _one_line(str(given)[:LONGEST_PROMPT]),
        tuple(known),
        "words",
        1,
        shape,
        found.seed if found.seed < 2**63 else None,
        more=more,
    )
    return wish, told


def _one_line(prompt: str) -> str:
    """A picture's prompt as one line: another tool's may have several, and on the page each line is a prompt of its own."""
    return " ".join(prompt.split())


def desk_path(shelf: Shelf, which: str) -> str:
    """A picture on her desk by its id, as a path within her home. Raises ShelfError."""
    if not which.isalnum() or not (shelf.home / "cache" / "desk" / f"{which}.png").is_file():
        raise ShelfError("That picture is not there any more; drop it again.")
    return str(Path("cache") / "desk" / f"{which}.png")
