"""A style: the finished artefact of a training, a folder with `lora.safetensors`, `preview.png` and, written last, `style.json`.

The card in `style.json` tells everything about the style: base, settings, data, scores, energy, and the SHA-256 of the weights,
so that a changed or half-copied file is refused by name.
"""

import difflib
import hashlib
import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from artlab import __version__, files

SCHEMA = 1
CARD, WEIGHTS, PREVIEW = "style.json", "lora.safetensors", "preview.png"
HEAVIEST = 2.0
LONGEST_CARD = 4 << 20
AGAIN = "Copy the whole folder again, or teach the style anew."


class StyleError(ValueError):
    """A style that cannot be found or used: which one, why, and the way out."""


class BaseOf(BaseModel):
    """What a style's card must say about its base."""

    model_config = ConfigDict(extra="allow")
    name: str
    family: str
    fingerprint: str
    resolution: int = Field(ge=8, le=1 << 16)


class Card(BaseModel):
    """The part of `style.json` that a style cannot do without; the rest is for the reader (see `save`)."""

    model_config = ConfigDict(extra="allow", allow_inf_nan=False)
    schema_: int = Field(alias="schema", ge=1, le=SCHEMA)
    name: str = Field(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]+$")
    trigger: str = Field(max_length=100, pattern=r"^[^\x00-\x1f\x7f]*$")
    base: BaseOf
    weights_sha256: str = Field(pattern="^[0-9a-f]{64}$")


@dataclass(frozen=True)
class Style:
    """A finished style: its name, its folder, the word that calls it, the base it belongs to, its weights and its whole card."""

    name: str
    folder: Path
    trigger: str
    base: dict[str, Any]
    weights: Path
    card: dict[str, Any]

    @property
    def sha256(self) -> str:
        """The SHA-256 of the weights, as the card has it."""
        return str(self.card["weights_sha256"])

    @property
    def preview(self) -> Path:
        """The picture that shows the style."""
        return self.folder / PREVIEW


def save(folder: Path, card: dict[str, Any], contents: dict[str, bytes]) -> Style:
    """Write a finished style: the files of `contents` (`lora.safetensors` must be among them), then the card.

    `card` has name, trigger, base, settings, data {works, kept, fingerprint, series, captions}, steps, chosen_step, reason,
    scores, energy and licence_note. Schema, version, date and the hash of the weights are added here.
    """
    if WEIGHTS not in contents:
        raise StyleError(f"A style needs its weights: {WEIGHTS} is missing from what was to be saved in {folder}.")
    if strange := [name for name in contents if name == CARD or Path(name).name != name]:
        raise StyleError(f"“{strange[0]}” is no file name for a style's folder.")
    whole = {
        "schema": SCHEMA,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "artlab": __version__,
        **card,
        "weights_sha256": hashlib.sha256(contents[WEIGHTS]).hexdigest(),
    }
    _check(whole, folder)
    # The old card goes first: new weights under an old card would be a damaged style, no card is only an absent one.
    (folder / CARD).unlink(missing_ok=True)
    for name, data in contents.items():
        files.write(folder / name, data)
    files.write_json(folder / CARD, whole)
    return load(folder)


def load(name_or_folder: str | Path) -> Style:
    """A style by name, from the styles made here or the ones that ship with artlab, or by its folder. Raises StyleError."""
    folder = _locate(name_or_folder)
    found = _read(folder)
    if not found.weights.is_file():
        raise StyleError(f"The style “{found.name}” has lost its weights: {found.weights} is missing. {AGAIN}")
    if tensors_sha256(found.weights, skip_header=False) != found.sha256:
        raise StyleError(
            f"{found.weights} is not the file that the card of the style “{found.name}” was written for: "
            f"it has been changed or cut short. {AGAIN}"
        )
    return found


def list_styles() -> list[Style]:
    """All whole styles, the ones made here first; weights are not read. A damaged one is left out (see `damaged`)."""
    return [found for found in _all() if isinstance(found, Style)]


def damaged() -> list[StyleError]:
    """What is wrong with the folders in `styles/` that hold an unusable card."""
    return [found for found in _all() if isinstance(found, StyleError)]


def parse_weighted(text: str) -> tuple[str, float]:
    """`wren:0.8` is the style `wren` at weight 0.8, `wren` alone at 1. Folders may hold colons (`C:\\styles\\wren:0.5`)."""
    name, colon, weight = text.rpartition(":")
    if not colon or Path(text).is_dir():
        return text, 1.0
    if any(letter in weight for letter in "/\\"):
        return text, 1.0
    if not name:
        raise StyleError(f"“{text}” names no style before the colon; write NAME:WEIGHT, for example wren:0.8.")
    try:
        value = float(weight)
    except ValueError:
        raise StyleError(f"The weight “{weight}” of the style “{name}” is no number; write for example {name}:0.8.") from None
    if not math.isfinite(value) or abs(value) > HEAVIEST:
        raise StyleError(f"The weight {weight} of the style “{name}” is outside -2 to 2; 1 is the style as it was taught.")
    return name, value


def tensors_sha256(path: Path, *, skip_header: bool = True) -> str:
    """The SHA-256 of a safetensors file: of its tensors alone, which A1111 and Civitai call a LoRA's hash, or of all of it."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        if skip_header:
            file.seek(8 + min(int.from_bytes(file.read(8), "little"), path.stat().st_size))
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


# -- finding and reading ----------------------------------------------------------------------------------------------------


def _locate(wanted: str | Path) -> Path:
    text = str(wanted)
    if not text.strip():
        raise StyleError("A style needs a name; `artlab styles` lists them.")
    if isinstance(wanted, str) and not any(letter in text for letter in "/\\"):
        for root in (files.styles(), files.shipped_styles()):
            if (root / files.slug(text) / CARD).is_file():
                return root / files.slug(text)
        if named := next((found.folder for found in list_styles() if found.name.casefold() == text.casefold()), None):
            return named
    folder = Path(text).expanduser()
    if folder.name in (CARD, WEIGHTS):
        folder = folder.parent
    if (folder / CARD).is_file():
        return folder
    if folder.is_dir():
        raise StyleError(f"{folder} is no finished style: it has no {CARD}, which is written last.")
    raise StyleError(f"There is no style “{text}”. {_others(text)}")


def _others(text: str) -> str:
    names = [found.name for found in list_styles()]
    if not names:
        return "There are none yet; `artlab finetune FOLDER` teaches one."
    near = difflib.get_close_matches(text.casefold(), [name.casefold() for name in names], n=3, cutoff=0.5)
    if near:
        return "Did you mean " + " or ".join(f"“{name}”" for name in names if name.casefold() in near) + "?"
    return f"There is {', '.join(names[:8])}{' and more' if len(names) > 8 else ''}; `artlab styles` lists them."


def _all() -> Iterator[Style | StyleError]:
    seen = set()
    for root in (files.styles(), files.shipped_styles()):
        for card in sorted(root.glob(f"*/{CARD}")):
            if card.parent.name in seen or card.parent.name.startswith("."):
                continue
            seen.add(card.parent.name)
            try:
                yield _read(card.parent)
            except StyleError as error:
                yield error


def _read(folder: Path) -> Style:
    path = folder / CARD
    try:
        if path.stat().st_size > LONGEST_CARD:
            raise StyleError(f"{path} is no style's card: it has {path.stat().st_size >> 20} MB.")
        card = files.read_json(path)
    except StyleError:
        raise
    except (OSError, ValueError, RecursionError) as error:
        raise StyleError(f"The card of the style in {folder} cannot be read ({error}). {AGAIN}") from error
    _check(card, folder)
    return Style(card["name"], folder, card["trigger"], card["base"], folder / WEIGHTS, card)


def _check(card: Any, folder: Path) -> None:
    if isinstance(card, dict) and isinstance(card.get("schema"), int) and card["schema"] > SCHEMA:
        raise StyleError(f"The style in {folder} was made by a newer artlab (schema {card['schema']}); update artlab.")
    try:
        Card.model_validate(card)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(map(str, first["loc"])) or "the whole"
        raise StyleError(f"The card of the style in {folder} is damaged: {where}: {first['msg']}. {AGAIN}") from error
