"""Forms made from settings classes: a component per field, with a label in plain words, and back from the values to settings.

The settings class stays the only place where a setting is defined. A field without words of its own here gets its name as a
label and its docstring as help, so that a new setting shows up by itself.
"""

import ast
import inspect
import textwrap
import types
import typing
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Literal

from annotated_types import Ge, Gt, Le, Lt
from pydantic import ValidationError

from artlab.settings import Settings

if TYPE_CHECKING:
    from gradio.components import Component

CHOSEN = "chosen for you"

# Plain words for what artists meet. (The field's name is shown after them in small print: it is what tutorials call it.)
LABELS = {
    "rank": "How much it can learn",
    "lora_alpha": "Strength of what it learned",
    "lora_targets": "Which parts learn",
    "lora_dropout": "Forget at random",
    "max_train_steps": "Steps",
    "num_train_epochs": "Passes over the works",
    "train_batch_size": "Pictures at once",
    "gradient_accumulation_steps": "Rounds per step",
    "gradient_checkpointing": "Save memory, take longer",
    "mixed_precision": "Number format",
    "resolution": "Size of the works in training",
    "optimizer": "Way of learning",
    "learning_rate": "Speed of learning",
    "lr_scheduler": "Speed over time",
    "lr_warmup_steps": "Gentle start, steps",
    "adam_beta1": "Momentum",
    "adam_beta2": "Memory for the size of steps",
    "weight_decay": "Pull towards nothing",
    "max_grad_norm": "Longest step",
    "ema_decay": "Smoothing of the result",
    "snr_gamma": "Balance of coarse and fine",
    "noise_offset": "Room for very dark and bright",
    "caption_dropout": "Share of captions left out",
    "prior_preservation": "Keep the rest of the world",
    "imagined": "Things you never made, in your colours",
    "random_flip": "Mirror works",
    "crop_scale_min": "Smallest crop",
    "views": "Crops per work",
    "validation_split": "Share of works held out",
    "fold": "Which works are held out",
    "validation_steps": "Steps between checks",
    "early_stopping_patience": "Patience before stopping early",
    "validation_prompt": "What the samples show",
    "sample_steps": "Steps between samples",
    "checkpointing_steps": "Steps between saves",
    "checkpoints_total_limit": "Saves to keep",
    "seed": "Seed",
    "deterministic": "Repeat to the bit",
    "country": "Electricity of which country",
    "num_inference_steps": "Steps per picture",
    "guidance_scale": "How strictly the words are followed",
    "negative_prompt": "What to keep away from",
    "sampler": "Way of drawing",
    "width": "Width",
    "height": "Height",
    "strength": "How far from the picture",
    "method": "Way",
}


class FormError(ValueError):
    """What was filled in is no good: which field, why, and what fits."""


@dataclass(frozen=True)
class Field:
    """A setting as a form shows it. `kind` says how; `least` and `most` are bounds, `choices` the words of a Literal."""

    name: str
    label: str
    help: str
    kind: Literal["number", "whole", "text", "lines", "switch", "maybe", "choice"]
    default: Any
    choices: tuple[str, ...] = ()
    least: float | None = None
    most: float | None = None
    optional: bool = False


def fields(settings: type[Settings], names: Iterable[str]) -> list[Field]:
    """The fields of these names, in that order; a name that the class does not have is passed over."""
    said = docstrings(settings)
    return [_field(settings, name, said.get(name, "")) for name in names if name in settings.model_fields]


def _field(settings: type[Settings], name: str, help: str) -> Field:
    info = settings.model_fields[name]
    kinds = _kinds(info.annotation)
    optional = type(None) in kinds
    kinds = tuple(kind for kind in kinds if kind is not type(None))
    bounds = {type(one): one for one in info.metadata}
    least = next((getattr(bounds[kind], word) for kind, word in ((Ge, "ge"), (Gt, "gt")) if kind in bounds), None)
    most = next((getattr(bounds[kind], word) for kind, word in ((Le, "le"), (Lt, "lt")) if kind in bounds), None)
    choices = tuple(str(choice) for kind in kinds if typing.get_origin(kind) is Literal for choice in typing.get_args(kind))
    label = LABELS.get(name, name.replace("_", " ").capitalize())
    return Field(name, label, help, _kind(kinds, choices, optional), info.default, choices, least, most, optional)


def _kinds(annotation: Any) -> tuple[Any, ...]:
    if typing.get_origin(annotation) in (typing.Union, types.UnionType):
        return tuple(inner for one in typing.get_args(annotation) for inner in _kinds(one))
    return (annotation,)


def _kind(kinds: tuple[Any, ...], choices: tuple[str, ...], optional: bool) -> Any:
    if choices:
        return "choice"
    if bool in kinds:
        return "maybe" if optional else "switch"
    if int in kinds:
        return "whole"
    if float in kinds:
        return "number"
    return "lines" if any(typing.get_origin(kind) is tuple for kind in kinds) else "text"


@cache
def docstrings(settings: type[Settings]) -> dict[str, str]:
    """What the source says under each field."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(settings))).body[0]
    assert isinstance(tree, ast.ClassDef)
    return {
        field.target.id: " ".join(inspect.cleandoc(text.value.value).replace("`", "").split())
        for field, text in zip(tree.body, tree.body[1:], strict=False)
        if isinstance(field, ast.AnnAssign)
        and isinstance(field.target, ast.Name)
        and isinstance(text, ast.Expr)
        and isinstance(text.value, ast.Constant)
        and isinstance(text.value.value, str)
    }


def component(field: Field, prefix: str = "") -> "Component":
    """The Gradio component of a field, with the id `set-<prefix><name>`. Must be called within a `gr.Blocks`."""
    import gradio as gr

    said: dict[str, Any] = {"label": field.label, "info": _info(field), "elem_id": f"set-{prefix}{field.name}"}
    if field.kind == "choice":
        empty = [(CHOSEN, "")] if field.optional else []
        return gr.Dropdown([*empty, *((choice, choice) for choice in field.choices)], value=field.default or "", **said)
    if field.kind == "switch":
        return gr.Checkbox(value=bool(field.default), **said)
    if field.kind == "maybe":
        return gr.Dropdown([(CHOSEN, ""), ("yes", "yes"), ("no", "no")], value="", **said)
    if field.kind in ("number", "whole"):
        if field.optional:  # an empty Number comes back as 0, and 0 is an answer
            return gr.Textbox("" if field.default is None else f"{field.default:g}", placeholder=CHOSEN, max_lines=1, **said)
        return gr.Number(field.default, precision=0 if field.kind == "whole" else None, **said)
    shown = "\n".join(field.default) if field.kind == "lines" else (field.default or "")
    return gr.Textbox(shown, lines=2 if field.kind == "lines" else 1, placeholder=CHOSEN if not shown else None, **said)


def _info(field: Field) -> str:
    small = field.name if field.label.lower() != field.name.replace("_", " ") else ""
    return " ".join(filter(None, [field.help, f"({small})" if small else ""]))


def values(form: Sequence[Field], filled: Sequence[Any]) -> dict[str, Any]:
    """What was filled in, as settings: only what differs from the defaults. Raises FormError, naming the field by its label."""
    given: dict[str, Any] = {}
    for field, raw in zip(form, filled, strict=True):
        value = _value(field, raw)
        if value != field.default:
            given[field.name] = value
    return given


def _value(field: Field, raw: Any) -> Any:
    if field.kind in ("choice", "text") and isinstance(raw, str):
        return raw.strip() or (None if field.optional else field.default)
    if field.kind == "lines":
        return tuple(line.strip() for line in str(raw or "").splitlines() if line.strip())
    if field.kind == "maybe":
        return {"yes": True, "no": False}.get(str(raw))
    if raw is None or not str(raw).strip():
        return None if field.optional else field.default
    if field.kind == "switch":
        return bool(raw)
    return _number(field, raw)


def _number(field: Field, raw: Any) -> float | int:
    try:
        number = int(raw) if field.kind == "whole" else float(raw)
    except (TypeError, ValueError, OverflowError):
        raise FormError(f"{field.label}: “{str(raw)[:20]}” is no number.") from None
    if not ((field.least is None or number >= field.least) and (field.most is None or number <= field.most)):
        upto = f" to {field.most:g}" if field.most is not None else " or more"
        raise FormError(f"{field.label}: {number:g} does not fit; take {field.least or 0:g}{upto}.")
    return number


def build(settings: type[Settings], given: Mapping[str, Any]) -> Settings:
    """Settings from plain values. Raises FormError in the words of the form."""
    try:
        return settings.model_validate(dict(given))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = str(first["loc"][0]) if first["loc"] else ""
        label = LABELS.get(where, where.replace("_", " ").capitalize())
        problem = first["msg"].removeprefix("Value error, ")
        raise FormError(f"{label}: {problem}." if label else f"{problem[:1].upper()}{problem[1:]}.") from None
