"""How a picture was made, inside the picture itself.

A PNG of artlab carries its recipe twice: as A1111's `parameters` text, which other tools and sites read, and as artlab's own JSON
(`artlab`), which loses nothing. An XMP note says that the picture was made by a trained model (IPTC digitalSourceType).
What is read back is a stranger's input: capped at 64 KB, ranges checked, unknown keys dropped, no path in it ever followed.
"""

import io
import json
import re
import warnings
from pathlib import Path
from typing import Any
from xml.sax.saxutils import quoteattr

from PIL import Image
from PIL.PngImagePlugin import PngInfo
from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError

from artlab import __version__, files, settings

LONGEST = 64 << 10
A1111_SAMPLERS = {"dpm++": ("DPM++ 2M", "Simple"), "euler": ("Euler", "Simple"), "ddim": ("DDIM", "Automatic")}

_XMP_KEY = "XML:com.adobe.xmp"
_XMP = """<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
<rdf:Description rdf:about="" xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/" xmlns:xmp="http://ns.adobe.com/xap/1.0/"
 xmp:CreatorTool={tool}
 Iptc4xmpExt:DigitalSourceType="http://cv.iptc.org/newscodes/digitalsourcetype/{kind}"/>
</rdf:RDF></x:xmpmeta>
<?xpacket end="w"?>"""
# A1111's own pattern (modules/infotext_utils.py) but for the bounds, without which 64 KB of one letter take minutes.
_PARAMETER = re.compile(r'\s{0,9}(\w[\w \-/]{1,60}):\s{0,9}("(?:\\.|[^\\"])+"|[^,]*)(?:,|$)')
_LORA = re.compile(r"\s?<lora:([^<>:]{1,200}):(-?[0-9.]{1,12})>")
# Keys of `parameters` that are read back: name in the result, type, least, most.
_FOREIGN: dict[str, tuple[str, type, float, float]] = {
    "Steps": ("steps", int, 1, 10_000),
    "CFG scale": ("guidance", float, 0, 1000),
    "Seed": ("seed", int, 0, 2**64 - 1),
    "Clip skip": ("clip_skip", int, 1, 12),
    "Denoising strength": ("strength", float, 0, 1),
}
_FOREIGN_TEXT = {
    "Sampler": "sampler",
    "Schedule type": "schedule_type",
    "Model": "model",
    "Model hash": "model_hash",
    "Version": "version",
}


class RecipeError(ValueError):
    """A file from which no recipe can be read; the message says why."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)


class BaseUsed(_Part):
    """The base model: its name (never a path) and the hash of its weights."""

    name: str = Field(max_length=300)
    fingerprint: str = Field(max_length=64, pattern="^[0-9a-f]*$")


NO_BASE = BaseUsed(name="none", fingerprint="")
"""Of a picture that no model made: colours moved, brushwork laid on."""


class StyleUsed(_Part):
    """A style with its weight, the SHA-256 of its file and, for other tools, the hash of its tensors."""

    name: str = Field(max_length=300)
    weight: float = Field(ge=-2, le=2)
    sha256: str = Field("", pattern="^([0-9a-f]{64})?$")
    tensors_sha256: str = Field("", pattern="^([0-9a-f]{64})?$")


class Recipe(_Part):
    """All that is needed to make a picture again. The prompt is as the base read it; `extra` says what was added to it."""

    prompt: str = Field(max_length=20_000)
    negative_prompt: str = Field("", max_length=20_000)
    seed: int = Field(ge=0, lt=2**64)
    width: int = Field(ge=1, le=1 << 16)
    height: int = Field(ge=1, le=1 << 16)
    steps: int = Field(ge=1, le=10_000)
    sampler: str = Field(max_length=60)
    guidance: float = Field(ge=0, le=1000)
    base: BaseUsed
    styles: tuple[StyleUsed, ...] = Field((), max_length=64)
    artlab: str = Field(__version__, max_length=40)
    method: str = Field("text to image", max_length=60)
    extra: dict[str, JsonValue] = Field(default_factory=dict)


# -- writing ----------------------------------------------------------------------------------------------------------------


def embed(image: Image.Image, recipe: Recipe, path: Path) -> Path:
    """Write the picture as a PNG with its recipe, whole or absent. The same picture and recipe give the same bytes."""
    stream = io.BytesIO()
    save(image, recipe, stream)
    files.write(path, stream.getvalue())
    return path


def save(image: Image.Image, recipe: Recipe, stream: io.BytesIO) -> None:
    """The picture as a PNG with its recipe, into memory."""
    info = PngInfo()
    info.add_text("parameters", infotext(recipe))
    info.add_itxt("artlab", _json(recipe))
    kind = "algorithmicallyEnhanced" if recipe.base == NO_BASE else "trainedAlgorithmicMedia"
    info.add_itxt(_XMP_KEY, _XMP.format(tool=quoteattr(f"artlab {recipe.artlab}"), kind=kind))
    clean = image.convert("RGB")
    clean.info = {}  # nothing that an earlier file said about itself goes into the new one
    clean.save(stream, "PNG", pnginfo=info)


def infotext(recipe: Recipe) -> str:
    """The recipe as A1111 writes it: prompt, negative prompt, one line of parameters."""
    sampler, schedule = A1111_SAMPLERS.get(recipe.sampler, (recipe.sampler, "Automatic"))
    pairs = {
        "Steps": recipe.steps,
        "Sampler": sampler,
        "Schedule type": schedule,
        "CFG scale": f"{recipe.guidance:g}",
        "Seed": recipe.seed,
        "Size": f"{recipe.width}x{recipe.height}",
        "Model hash": recipe.base.fingerprint[:10] or None,
        "Model": recipe.base.name,
        "Lora hashes": ", ".join(f"{files.slug(s.name)}: {(s.tensors_sha256 or s.sha256)[:12]}" for s in recipe.styles) or None,
        "Version": f"artlab {recipe.artlab}",
    }
    tags = "".join(f" <lora:{files.slug(s.name)}:{round(s.weight, 4):g}>" for s in recipe.styles)
    lines = [_visible(recipe.prompt) + tags]
    if recipe.negative_prompt:
        lines.append(f"Negative prompt: {_visible(recipe.negative_prompt)}")
    lines.append(", ".join(f"{key}: {_quote(value)}" for key, value in pairs.items() if value is not None))
    return "\n".join(lines)


def _quote(value: object) -> str:
    text = str(value)
    return json.dumps(text, ensure_ascii=False) if any(letter in text for letter in ",\n:") else text


def _visible(text: str) -> str:
    return text.replace("\0", " ")  # a NUL ends a PNG text for many readers


def _json(recipe: Recipe) -> str:
    text = json.dumps(recipe.model_dump(mode="json"), ensure_ascii=False, allow_nan=False)
    if len(text.encode()) > LONGEST:
        raise RecipeError(f"The recipe has more than the {LONGEST:,} bytes that a picture carries; shorten the prompt.")
    return text


# -- reading ----------------------------------------------------------------------------------------------------------------


def recipe(settings: settings.Recipe) -> Recipe | dict[str, Any]:
    """The verb: how the picture was made."""
    return read(settings.picture)


def read(path: Path) -> Recipe | dict[str, Any]:
    """The recipe of a picture: a Recipe if artlab made it, else what A1111's `parameters` say, by name. Raises RecipeError."""
    texts = _texts(path)
    for key in ("artlab", "parameters"):
        if len(texts.get(key, "").encode()) > LONGEST:
            raise RecipeError(f"{path} carries a recipe of more than {LONGEST >> 10} KB, which no tool writes; it is not read.")
    own, problem = texts.get("artlab"), ""
    if own is not None:
        try:
            return Recipe.model_validate(json.loads(own))
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            problem = f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
        except (ValueError, RecursionError) as error:
            problem = str(error)
    foreign = parse_infotext(texts.get("parameters", ""))
    if foreign:
        return foreign
    if problem:
        raise RecipeError(f"The recipe in {path} is damaged ({problem}).")
    raise RecipeError(
        f"{path} carries no recipe: it was made by a tool that writes none, or the recipe was stripped on its way here."
    )


def parse_infotext(text: str) -> dict[str, Any]:
    """What A1111's text says, by artlab's names; empty if its last line holds fewer than three parameters, as A1111 has it."""
    *lines, last = text.strip().split("\n")
    found = dict(_PARAMETER.findall(last))
    if len(found) < 3:
        return {}
    prompt, negative = _prompts(lines)
    styles = [{"name": name, "weight": float(weight)} for name, weight in _LORA.findall(prompt) if _is_number(weight)]
    result: dict[str, Any] = {"prompt": _LORA.sub("", prompt), "negative_prompt": negative, "styles": styles}
    for key, (name, kind, least, most) in _FOREIGN.items():
        if (value := _number(found.get(key, ""), kind)) is not None and least <= value <= most:
            result[name] = value
    if size := re.fullmatch(r"(\d{1,5})x(\d{1,5})", found.get("Size", "")):
        result |= {"width": int(size[1]), "height": int(size[2])}
    for key, name in _FOREIGN_TEXT.items():
        if said := _unquote(found.get(key, "")):
            result[name] = said[:300]
    return result


def _prompts(lines: list[str]) -> tuple[str, str]:
    at = next((i for i, line in enumerate(lines) if line.startswith("Negative prompt:")), len(lines))
    return "\n".join(lines[:at]), "\n".join(lines[at:]).removeprefix("Negative prompt:").removeprefix(" ")


def _unquote(text: str) -> str:
    if not text.startswith('"'):
        return text.strip()
    try:
        return str(json.loads(text))
    except ValueError:
        return text


def _number(text: str, kind: type) -> float | int | None:
    try:
        return kind(text.strip()[:40])
    except ValueError:
        return None


def _is_number(text: str) -> bool:
    return _number(text, float) is not None


def _texts(path: Path) -> dict[str, str]:
    """The texts that a picture file carries, without decoding its pixels."""
    if path.is_dir():
        raise RecipeError(f"{path} is a folder; name one picture in it.")
    if not path.exists():
        raise RecipeError(f"There is no picture {path}.")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a header that claims huge sizes: only the texts are read, never the pixels
            with Image.open(path, formats=["PNG", "JPEG", "WEBP"]) as image:
                texts = {key: value for key, value in image.info.items() if isinstance(key, str) and isinstance(value, str)}
                comment = b"" if image.format == "PNG" else image.getexif().get_ifd(0x8769).get(0x9286, b"")
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise RecipeError(f"{path} is no picture that carries a recipe (PNG, JPEG or WebP), or it is damaged.") from error
    if isinstance(comment, bytes) and comment[:8] == b"UNICODE\0":
        texts.setdefault("parameters", comment[8 : 8 + 2 * LONGEST].decode("utf-16-be", "replace"))
    return texts
