"""From the words of a command line to the settings of a verb: spellings, switches, lists, config files; tyro does the types.

A flag is a field or one of its aliases, with `_` or `-`. What diffusers and kohya call the folder of works is the portfolio.
A config file gives defaults that flags override. Unknown settings are refused, with the nearest name.
"""

import contextlib
import difflib
import io
import json
import re
import tomllib
import types
import typing
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic.fields import FieldInfo

from artlab.settings import VERBS, Settings

FOLDERS = ("train-data-dir", "instance-data-dir")
CONFIGS = ("config", "config-file")
_TRUE, _FALSE = {"true", "yes", "on", "1"}, {"false", "no", "off", "0"}


class CommandError(ValueError):
    """A command line or config file that cannot be understood: what, and the way out."""


def show_help(verb: str) -> None:
    """Print the settings of a verb."""
    _tyro(VERBS[verb], ["--help"], verb, None)


def parse(verb: str, argv: Sequence[str]) -> Settings:
    """The settings that the words of a command line mean. Raises CommandError or pydantic's ValidationError."""
    settings = VERBS[verb]
    flags, config = _sorted_words(settings, argv)
    default = settings.model_validate(config) if config else None
    return _tyro(settings, flags, verb, default)


def read_config(path: Path, settings: type[Settings]) -> dict[str, Any]:
    """The settings in a JSON, YAML or TOML file, by their fields' names; aliases and sections are understood."""
    try:
        text = path.read_text(encoding="utf-8")
        if path.suffix.lower() == ".toml":
            data = tomllib.loads(text)
        elif path.suffix.lower() == ".json":
            data = json.loads(text)
        else:
            import yaml  # noqa: PLC0415 - not needed for most commands

            data = yaml.safe_load(text)
    except IsADirectoryError:
        raise CommandError(f"The config {path} is a folder; name a .json, .yaml or .toml file.") from None
    except FileNotFoundError:
        raise CommandError(f"There is no config file {path}.") from None
    except Exception as error:  # three parsers, each with errors of its own
        raise CommandError(f"The config {path} cannot be read: {' '.join(str(error).split())}.") from error
    if not isinstance(data, dict):
        raise CommandError(f"The config {path} holds no settings: write lines like “rank: 8”.")
    names = spellings(settings)
    found: dict[str, Any] = {}
    for key, value in _flat(data):
        field = names.get(_kebab(key))
        if field is None:
            raise CommandError(f"The config {path} has an unknown setting “{key}”. {_nearest(key, settings)}")
        if field in found:
            raise CommandError(f"The config {path} sets {field} twice, once as “{key}”.")
        found[field] = _as_flag_value(field, value) if isinstance(value, str) else value
    return found


def _flat(data: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """Keys and values, those of sections (kohya's TOML has them) as if they stood outside."""
    for key, value in data.items():
        if isinstance(value, dict):
            yield from _flat(value)
        else:
            yield str(key), value


def _sorted_words(settings: type[Settings], argv: Sequence[str]) -> tuple[list[str], dict[str, Any]]:
    """Positional words first, then flags by their fields' names, each once; and what the config file says."""
    names = spellings(settings)
    words, positional = list(argv), list[str]()
    flags: dict[str, list[list[str]]] = {}
    config: dict[str, Any] = {}
    while words:
        word = words.pop(0)
        if word == "--":
            positional += words
            break
        if not word.startswith("--"):
            positional.append(word)
            continue
        name, equals, value = word[2:].partition("=")
        name = _kebab(name)
        if name in CONFIGS:
            config |= read_config(Path(value if equals else _next(words, word)).expanduser(), settings)
            continue
        field = names.get(name) or names.get(name.removeprefix("no-"))
        if field is None:
            raise CommandError(f"There is no setting --{name}. {_nearest(name, settings)}")
        given = [value] if equals else _values(settings.model_fields[field], words)
        if name not in names:
            given = _opposite(field, name, given)
        if is_positional(settings.model_fields[field]):
            positional += given
        else:
            flags.setdefault(field, []).append([_as_flag_value(field, one) for one in given])
    return [*positional, *_flag_words(settings, flags)], config


def _flag_words(settings: type[Settings], flags: dict[str, list[list[str]]]) -> Iterator[str]:
    """Each field's flag once, as tyro wants it: lists joined, of other settings the last, switches without a value."""
    for field, given in flags.items():
        info = settings.model_fields[field]
        flag = f"--{_kebab(field)}"
        if _is_list(info):
            yield from (flag, *(value for values in given for value in values))
        elif bool in _kinds(info):
            truth = _truth(field, given[-1])
            yield from ((flag, str(truth)) if type(None) in _kinds(info) else (flag if truth else f"--no-{_kebab(field)}",))
        else:
            yield from (flag, *given[-1])


def _values(info: FieldInfo, words: list[str]) -> list[str]:
    """Take from `words` the values that follow a flag."""
    if _is_list(info):
        end = next((at for at, word in enumerate(words) if word.startswith("--")), len(words))
        taken, words[:] = words[:end], words[end:]
        return taken
    if not words or words[0].startswith("--"):
        return []
    if bool in _kinds(info) and not _is_answer(words[0]):
        return []
    return [words.pop(0)]


def _is_answer(word: str) -> bool:
    # diffusers' --resume_from_checkpoint takes "latest" or "checkpoint-500"; a folder after a switch is the portfolio.
    return word.lower() in _TRUE | _FALSE | {"none", "null", "latest"} or word.lower().rpartition("/")[2].startswith(
        "checkpoint-"
    )


def _as_flag_value(field: str, value: str) -> str:
    if field == "resume":  # diffusers names a checkpoint here; artlab finds its own by the settings
        if value.lower() == "latest":
            return "true"
        if value.lower() not in _TRUE | _FALSE | {"none", "null"}:
            raise CommandError(
                f"artlab resumes a run from its newest checkpoint: write --resume_from_checkpoint latest, not {value}."
            )
    return "None" if value.lower() in ("none", "null") else value


def _truth(field: str, given: list[str]) -> bool | None:
    word = given[0].lower() if given else "true"
    if word == "none":
        return None if field != "resume" else False
    if word not in _TRUE | _FALSE:
        raise CommandError(f"--{field} is a switch: write --{field}, --no-{field} or --{field} true, not “{given[0]}”.")
    return word in _TRUE


def _opposite(field: str, name: str, given: list[str]) -> list[str]:
    if given:
        raise CommandError(f"--{name} takes no value.")
    return ["false"]


def _next(words: list[str], flag: str) -> str:
    if not words:
        raise CommandError(f"{flag} needs a file: {flag} settings.yaml.")
    return words.pop(0)


def spellings(settings: type[Settings]) -> dict[str, str]:
    """All spellings of the settings, with hyphens, and the field that each means."""
    names = {_kebab(field): field for field in settings.model_fields}
    for field, info in settings.model_fields.items():
        for note in info.metadata:
            names |= {alias.removeprefix("--"): field for alias in getattr(note, "aliases", None) or ()}
    if "portfolio" in settings.model_fields:
        names |= dict.fromkeys(FOLDERS, "portfolio")
    return names


def _nearest(name: str, settings: type[Settings]) -> str:
    near = difflib.get_close_matches(_kebab(name), spellings(settings), n=2, cutoff=0.5)
    if not near:
        return f"artlab {_verb_of(settings)} --help lists them."
    return f"Did you mean {' or '.join('--' + one.replace('-', '_') for one in near)}?"


def _verb_of(settings: type[Settings]) -> str:
    return next(verb for verb, kind in VERBS.items() if kind is settings)


def _kebab(name: str) -> str:
    return name.strip().replace("_", "-").lower()


def _kinds(info: FieldInfo) -> tuple[Any, ...]:
    """The types that a field's annotation is a union of."""
    union = typing.get_origin(info.annotation) in (typing.Union, types.UnionType)
    return typing.get_args(info.annotation) if union else (info.annotation,)


def _is_list(info: FieldInfo) -> bool:
    return typing.get_origin(info.annotation) is tuple


def is_positional(info: FieldInfo) -> bool:
    return any("positional" in repr(note).lower() for note in info.metadata)


def _tyro(settings: type[Settings], words: list[str], verb: str, default: Settings | None) -> Settings:
    """Let tyro make the settings, or show their help. Its boxes become one sentence."""
    import tyro  # noqa: PLC0415 - `artlab --help` does without it

    given = {} if default is None else {"default": default}
    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said):
            return tyro.cli(settings, args=words, prog=f"artlab {verb}", **given)  # type: ignore[call-overload]
    except SystemExit as stop:
        if not stop.code:
            return None  # type: ignore[return-value]  # help was shown
        wrong = _cause(stop, ValidationError)
        if wrong is not None:
            raise wrong from None
        raise CommandError(_unboxed(said.getvalue(), verb)) from None


def _cause(error: BaseException | None, kind: type[BaseException]) -> BaseException | None:
    while error is not None and not isinstance(error, kind):
        error = error.__context__
    return error


def _unboxed(box: str, verb: str) -> str:
    """The message in tyro's box, without frame, help text and examples."""
    lines = [re.sub(r"^[│╭╰\s]+|[│╮╯\s]+$", "", line) for line in box.splitlines()]
    end = next((at for at, line in enumerate(lines) if at > 1 and line.startswith("──")), len(lines))
    text = " ".join(line for line in lines[1:end] if line and not set(line) <= {"─"}).removeprefix("Error parsing ")
    text = re.sub(r"invalid literal for int\(\) with base 10: ('.*')", r"\1 is no whole number", text)
    text = re.sub(r"could not convert string to float: ('.*')", r"\1 is no number", text)
    return f"{text.rstrip('.')}. See artlab {verb} --help."
