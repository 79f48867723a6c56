"""A plan: which pictures a gallery shall have, in YAML. Read, checked and written out as one `Request` a picture.

A plan is one part, or shared settings and several `parts`. Within a part everything is combined with everything: prompts x styles x
sizes x seeds. A row that cannot be is kept with its problem, so that the rest is made.
"""

import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from artlab import files, images, sources, style
from artlab.gallery import prompts
from artlab.gallery.prompts import PromptError
from artlab.settings.shared import Sampler

MOST = 100_000
STRENGTH = {"palette": 1.0}
Mix = tuple[tuple[str, float], ...]


class PlanError(ValueError):
    """A plan that cannot be read: where, what is wrong, and the way out."""


class Part(BaseModel):
    """Settings of a plan or of one of its parts. Lists are combined with each other; single values may stand for lists of one."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)
    method: Literal["generate", "transfer", "palette", "texture", "attention"] = "generate"
    base: str | None = None
    prompts: list[Any] = [""]
    wildcards: dict[str, Any] = {}
    negative_prompt: str = ""
    styles: list[Any] = [None]
    pictures: list[str] = []
    strength: float | None = Field(None, gt=0, le=1)
    seeds: list[int] = [0]
    count: int = Field(1, ge=1, le=100_000)
    sizes: list[Any] = [None]
    num_inference_steps: int = Field(20, ge=1, le=1000)
    guidance_scale: list[float] | None = None
    sampler: Sampler = "dpm++"
    upscale: bool = True
    together: int = Field(1, ge=1, le=16)


@dataclass(frozen=True)
class Request:
    """One picture as the plan asks for it, before bases and styles are looked at. `problem` says why it cannot be."""

    prompt: str = ""
    negative_prompt: str = ""
    styles: Mix = ()
    seed: int = 0
    width: int | None = None
    height: int | None = None
    num_inference_steps: int = 20
    guidance_scale: float | None = None
    sampler: str = "dpm++"
    base: str | None = None
    method: str = "generate"
    picture: str = ""
    strength: float = 0.6
    upscale: bool = True
    together: int = 1
    problem: str = ""

    def named(self) -> str:
        """The row in a few words, for a person."""
        mix = " + ".join(f"{name} {weight:g}" for name, weight in self.styles)
        what = [f"“{self.prompt[:60]}”"] * bool(self.prompt or not self.picture) + [Path(self.picture).name] * bool(self.picture)
        return f"{' of '.join(what)}, {mix or 'no style'}, seed {self.seed}"


@dataclass(frozen=True)
class Plan:
    """A plan that was read: its name, what it is about, and a request for each picture."""

    name: str
    about: str
    requests: list[Request]
    variables: dict[str, str] = field(default_factory=dict)


def shipped() -> list[str]:
    """The plans that ship with artlab, by name."""
    return sorted(path.stem for path in _folder().glob("*.yaml"))


def _folder() -> Path:
    return files.package() / "gallery" / "plans"


def read(where: str, given: Sequence[str] = ()) -> Plan:
    """The plan in a YAML file, of a shipped name, or of a text file of kohya's prompt lines. Raises PlanError."""
    path = Path(where).expanduser()
    if not path.exists() and where in shipped():
        path = _folder() / f"{where}.yaml"
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise PlanError(f"There is no plan {where}. Give a YAML file, or one that ships: {', '.join(shipped())}.") from None
    except (OSError, UnicodeDecodeError) as error:
        raise PlanError(f"The plan {where} cannot be read ({error}).") from error
    data = {"prompts": [{"file": str(path.absolute())}]} if path.suffix.lower() == ".txt" else _yaml(text, path)
    variables = _variables(data, given, path)
    data = _filled(data, variables)
    name = str(data.pop("name", "") or path.stem)
    about = str(data.pop("about", ""))
    parts = data.pop("parts", None)
    if parts is not None and not (isinstance(parts, list) and parts and all(isinstance(part, dict) for part in parts)):
        raise PlanError(f"The plan {path}: “parts” is a list of settings.")
    found = [_part(data | part, path) for part in (parts or [{}])]
    requests = list(itertools.islice((one for part in found for one in _requests(part, path.parent)), MOST + 1))
    if len(requests) > MOST:
        raise PlanError(f"The plan {path} asks for more than {MOST:,} pictures; cut it into several.")
    return Plan(name, about, requests, variables)


def _yaml(text: str, path: Path) -> dict[str, Any]:
    try:
        data = yaml.safe_load(text)
    except (yaml.YAMLError, RecursionError) as error:
        raise PlanError(f"The plan {path} is no YAML: {' '.join(str(error).split())[:300]}") from error
    if not isinstance(data, dict):
        raise PlanError(f"The plan {path} holds no settings; begin with “prompts:” and a list.")
    return data


# -- variables --------------------------------------------------------------------------------------------------------------


def _variables(data: dict[str, Any], given: Sequence[str], path: Path) -> dict[str, str]:
    own = data.pop("variables", None) or {}
    if not isinstance(own, dict):
        raise PlanError(f"The plan {path}: “variables” is a list of names with values, for example “style: wren”.")
    values = {str(name): str(value) for name, value in own.items()}
    for word in given:
        name, equals, value = word.partition("=")
        if not equals or name not in values:
            known = ", ".join(values) or "none"
            raise PlanError(f"“{word}” sets no variable of the plan {path.name} (it has {known}); write NAME=VALUE.")
        values[name] = value
    return values


def _filled(value: Any, variables: Mapping[str, str]) -> Any:
    """The plan with `${name}` replaced; a text that is nothing but a variable becomes what YAML reads in its value."""
    if isinstance(value, dict):
        return {_filled(key, variables): _filled(inner, variables) for key, inner in value.items()}
    if isinstance(value, list):
        return [_filled(inner, variables) for inner in value]
    if not isinstance(value, str) or "${" not in value:
        return value
    if (whole := re.fullmatch(r"\$\{(\w+)\}", value)) and whole[1] in variables:
        return yaml.safe_load(variables[whole[1]])
    return re.sub(r"\$\{(\w+)\}", lambda found: _value(found[1], variables), value)


def _value(name: str, variables: Mapping[str, str]) -> str:
    if name not in variables:
        raise PlanError(f"The plan uses ${{{name}}}, which its variables do not have.")
    return variables[name]


# -- parts ------------------------------------------------------------------------------------------------------------------


def _part(data: dict[str, Any], path: Path) -> Part:
    plural = {
        "prompt": "prompts",
        "style": "styles",
        "seed": "seeds",
        "size": "sizes",
        "picture": "pictures",
        "steps": "num_inference_steps",
    }
    data = {plural.get(str(key), str(key)): value for key, value in data.items()}
    for key in ("prompts", "styles", "pictures", "seeds", "sizes", "guidance_scale"):
        if key in data and not isinstance(data[key], list):
            data[key] = [data[key]]
    try:
        return Part.model_validate(data)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(map(str, first["loc"]))
        what = "there is no such setting" if first["type"] == "extra_forbidden" else str(first["msg"]).lower()
        raise PlanError(f"The plan {path}: {where}: {what}. It may have {', '.join(Part.model_fields)}.") from None


def _requests(part: Part, folder: Path) -> Iterator[Request]:
    """Every combination, in the order prompts, pictures, styles, sizes, guidance, seeds."""
    common = Request(
        negative_prompt=part.negative_prompt,
        num_inference_steps=part.num_inference_steps,
        sampler=part.sampler,
        base=part.base,
        method=part.method,
        strength=part.strength or STRENGTH.get(part.method, 0.6),
        upscale=part.upscale,
        together=part.together,
    )
    asked = list(_prompts(part, folder, common))
    mixes = [(_beside(folder, mix), trouble) for entry in part.styles for mix, trouble in _mixes(entry)]
    sizes = [_size(entry) for entry in part.sizes]
    seeds = list(dict.fromkeys(seed + number for seed in part.seeds for number in range(part.count)))
    pictures = [path for one in part.pictures for path in _pictures(one, folder)] or [""]
    guidance: list[float | None] = [None] if not part.guidance_scale else [*part.guidance_scale]
    for (one, own), picture, (mix, trouble), (size, bad), scale in itertools.product(asked, pictures, mixes, sizes, guidance):
        changed: dict[str, Any] = {"styles": mix, "picture": picture, "problem": one.problem or trouble or bad}
        if size and "width" not in own:
            changed |= {"width": size[0], "height": size[1]}
        if scale is not None and "guidance_scale" not in own:
            changed["guidance_scale"] = scale
        for seed in [one.seed] if "seed" in own else seeds:
            yield replace(one, **(changed | {"seed": seed}))


def _prompts(part: Part, folder: Path, common: Request) -> Iterator[tuple[Request, set[str]]]:
    """The prompts of a part, each with the settings that it brought itself."""
    known, trouble = _wildcards(part.wildcards, folder)
    for entry in part.prompts:
        own = {"prompt": entry} if isinstance(entry, str) else entry
        if not isinstance(own, dict):
            yield replace(common, prompt=str(own), problem="a prompt is a text, or settings with “prompt” or “file”"), set()
        elif "file" in own:
            yield from _from_file(str(own["file"]), folder, common)
        else:
            yield from _written_out(own, known, trouble, common)


def _written_out(
    own: dict[str, Any], known: Mapping[str, list[str]], trouble: str, common: Request
) -> Iterator[tuple[Request, set[str]]]:
    one, given = _with(common, own)
    try:
        texts = prompts.expand(one.prompt, known)
    except PromptError as error:
        yield replace(one, problem=f"{error} {trouble}".strip()), given
        return
    for text in texts:
        yield replace(one, prompt=text), given


def _from_file(name: str, folder: Path, common: Request) -> Iterator[tuple[Request, set[str]]]:
    try:
        lines = list(prompts.kohya_lines((folder / Path(name).expanduser()).read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError) as error:
        yield replace(common, prompt=name, problem=f"the prompt file cannot be read ({error})"), set()
        return
    for line in lines:
        yield _with(common, line)


def _with(common: Request, own: dict[str, Any]) -> tuple[Request, set[str]]:
    """A request with the settings that a prompt brings along, checked."""
    allowed = {"prompt": str, "negative_prompt": str, "seed": int, "width": int, "height": int}
    allowed |= {"num_inference_steps": int, "guidance_scale": float, "problem": str}
    for key, value in own.items():
        kinds = (int, float) if allowed.get(key) is float else allowed.get(key)
        if kinds is None or not isinstance(value, kinds) or isinstance(value, bool):
            what = f"“{key}: {value}” is no setting of a prompt; it may have {', '.join(list(allowed)[:-1])}"
            return replace(common, prompt=str(own.get("prompt", "")), problem=what), set()
    one = replace(common, **own)
    if not 1 <= one.num_inference_steps <= 1000 or not 0 <= (one.guidance_scale or 0) <= 50:
        return replace(one, problem="steps go from 1 to 1000, guidance from 0 to 50"), set()
    return one, set(own)


def _wildcards(given: Mapping[str, Any], folder: Path) -> tuple[dict[str, list[str]], str]:
    """Wildcards as lists, from the plan or from text files with a line each; and what went wrong with a file."""
    found, trouble = {}, ""
    for name, value in given.items():
        if isinstance(value, list):
            found[name] = [str(one) for one in value]
            continue
        try:
            lines = (folder / Path(str(value)).expanduser()).read_text(encoding="utf-8").splitlines()
            found[name] = [line.strip() for line in lines if line.strip() and not line.startswith("#")]
        except (OSError, UnicodeDecodeError) as error:
            trouble = f"Its file cannot be read ({error})."
    return found, trouble


def _size(entry: Any) -> tuple[tuple[int, int] | None, str]:
    """`128`, `128x96` or `[128, 96]`, and what is wrong with it."""
    if entry is None:
        return None, ""
    numbers = entry if isinstance(entry, list) else str(entry).lower().split("x")
    try:
        sides = [int(number) for number in numbers]
    except (ValueError, TypeError):
        sides = []
    if len(sides) not in (1, 2) or min(sides) < 1:
        return None, f"“{entry}” is no size; write 512, 512x384 or [512, 384]"
    return (sides[0], sides[-1]), ""


def _pictures(named: str, folder: Path) -> list[str]:
    """The paths of a picture, of the pictures in a folder, or of those that fit a pattern (`sketches/*.jpg`), in the order of their names."""
    path = folder / Path(named).expanduser()
    if path.is_dir():
        found = [one for one in path.iterdir() if one.suffix.lower() in images.SUFFIXES and not one.name.startswith(".")]
    else:
        found = list(path.parent.glob(path.name)) if "*" in path.name and not path.exists() else []
    return sorted(str(one) for one in found) or [named if "://" in named else str(path)]


def _beside(folder: Path, mix: Mix) -> Mix:
    """The mix, its pictures and portfolios found beside the plan where they lie there."""
    return tuple((str(folder / name) if (folder / name).exists() else name, weight) for name, weight in mix)


# -- styles -----------------------------------------------------------------------------------------------------------------


def _mixes(entry: Any) -> Iterator[tuple[Mix, str]]:
    """What one entry of `styles` means: `none`, `wren:0.8`, `{wren: 0.6, ember: 0.4}`, a sweep or a journey."""
    try:
        yield from ((mix, "") for mix in _mixed(entry))
    except (PlanError, style.StyleError) as error:
        yield (), str(error)


def _mixed(entry: Any) -> Iterator[Mix]:
    if entry is None or entry == "none":
        yield ()
    elif isinstance(entry, str):
        drawn = sources.DRAWN if entry.startswith(sources.DRAWN) else ""
        name, weight = style.parse_weighted(entry.removeprefix(drawn))
        yield ((drawn + name, weight),)
    elif isinstance(entry, dict) and {"from", "to"} <= set(entry):
        yield from _journey(entry)
    elif isinstance(entry, dict) and "style" in entry:
        weights = entry.get("weights", entry.get("weight", 1.0))
        for weight in weights if isinstance(weights, list) else _sweep(weights):
            yield ((str(entry["style"]), _weight(weight)),)
    elif isinstance(entry, dict) and entry:
        yield tuple((str(name), _weight(weight)) for name, weight in entry.items())
    else:
        raise PlanError(f"“{entry}” is no style; write a name, name:0.8, a blend like {{wren: 0.6, ember: 0.4}}, or none.")


def _journey(entry: dict[str, Any]) -> Iterator[Mix]:
    """From one style to another in equal steps, both ends included."""
    steps = entry.get("steps", 5)
    if unknown := set(entry) - {"from", "to", "steps", "weight"}:
        raise PlanError(f"A journey has from, to, steps and weight, not “{', '.join(sorted(unknown))}”.")
    if not isinstance(steps, int) or not 2 <= steps <= 1000:
        raise PlanError(f"A journey takes 2 to 1000 steps, not {steps}.")
    whole = _weight(entry.get("weight", 1.0))
    for number in range(steps):
        share = number / (steps - 1)
        ends = ((str(entry["from"]), round(whole * (1 - share), 4)), (str(entry["to"]), round(whole * share, 4)))
        yield tuple((name, weight) for name, weight in ends if weight)


def _sweep(weight: Any) -> list[float]:
    """A weight, or a sweep `{from: 0, to: 1, steps: 5}`."""
    if not isinstance(weight, dict):
        return [_weight(weight)]
    if set(weight) != {"from", "to", "steps"} or not isinstance(weight["steps"], int) or not 2 <= weight["steps"] <= 1000:
        raise PlanError(f"A sweep of weights is {{from: 0, to: 1, steps: 5}}, not {weight}.")
    first, last, steps = _weight(weight["from"]), _weight(weight["to"]), weight["steps"]
    return [round(first + (last - first) * number / (steps - 1), 4) for number in range(steps)]


def _weight(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or abs(value) > style.HEAVIEST:
        raise PlanError(f"The weight {value} is no number from -2 to 2; 1 is the style as it was taught.")
    return float(value)
