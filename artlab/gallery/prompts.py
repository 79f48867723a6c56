"""From a few lines to many prompts: `{red|blue} boat`, `__animal__ at night`, and kohya's prompt lines.

Everything is enumerated, nothing drawn by chance, so that a plan means the same prompts on every machine.
"""

import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

MOST = 100_000
_CHOICE = re.compile(r"\{([^{}]*\|[^{}]*)\}")
_WILDCARD = re.compile(r"__([A-Za-z0-9][A-Za-z0-9 -]*(?:_[A-Za-z0-9-]+)*)__")
# kohya's options in a prompt line: name in artlab, type.
_KOHYA: dict[str, tuple[str, type]] = {
    "n": ("negative_prompt", str),
    "w": ("width", int),
    "h": ("height", int),
    "d": ("seed", int),
    "l": ("guidance_scale", float),
    "s": ("num_inference_steps", int),
}


class PromptError(ValueError):
    """A prompt that cannot be written out: which one, and why."""


def expand(text: str, wildcards: Mapping[str, Sequence[str]]) -> list[str]:
    """All prompts that a template means, the last choice changing fastest, equal ones once."""
    return list(dict.fromkeys(itertools.islice(_expanded(text, wildcards, 0), MOST)))


def _expanded(text: str, wildcards: Mapping[str, Sequence[str]], depth: int) -> Iterator[str]:
    if depth > 20:
        raise PromptError(f"The wildcards in “{text[:60]}” lead back to themselves.")
    found = min(filter(None, (_CHOICE.search(text), _WILDCARD.search(text))), key=lambda match: match.start(), default=None)
    if found is None:
        yield text
        return
    for choice in _choices(found, wildcards):
        yield from _expanded(text[: found.start()] + choice + text[found.end() :], wildcards, depth + 1)


def _choices(found: re.Match[str], wildcards: Mapping[str, Sequence[str]]) -> Sequence[str]:
    if found.re is _CHOICE:
        return [choice.strip() for choice in found[1].split("|")]
    if found[1] not in wildcards:
        known = ", ".join(wildcards) or "none"
        raise PromptError(f"There is no wildcard __{found[1]}__ (there is {known}); add it to the plan's wildcards.")
    return wildcards[found[1]]


def kohya_lines(text: str) -> Iterator[dict[str, Any]]:
    """The prompts of a kohya file, a line each with `--n --w --h --d --l --s`; blank lines and `#` remarks are passed over.

    A line with an unknown or unreadable option yields its trouble under `problem`.
    """
    for line in text.splitlines():
        line = line.strip()
        if line and not line.startswith("#"):
            yield kohya_line(line)


def kohya_line(line: str) -> dict[str, Any]:
    """One prompt with kohya's options."""
    prompt, *options = re.split(r"\s--(?=[a-z]{1,3}\s)", line)
    found: dict[str, Any] = {"prompt": prompt.strip()}
    for option in options:
        key, _, value = option.partition(" ")
        if key not in _KOHYA:
            return {"prompt": prompt.strip(), "problem": f"“--{key}” is none of the options --{', --'.join(_KOHYA)}"}
        name, kind = _KOHYA[key]
        try:
            found[name] = kind(value.strip())
        except ValueError:
            return {"prompt": prompt.strip(), "problem": f"“--{key} {value.strip()}” is no number"}
    return found
