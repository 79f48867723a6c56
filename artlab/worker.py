"""The table of verbs: the one door. Terminal, queue and page all call `run(verb, settings)`.

A verb's module is imported when it is run, so that `artlab recipe` needs no torch.
"""

import importlib
import inspect
from collections.abc import Callable
from typing import Any

from artlab.settings import VERBS as SETTINGS
from artlab.settings import Settings

VERBS: dict[str, str] = {
    "finetune": "artlab.finetune:finetune",
    "generate": "artlab.generate:generate",
    "transfer": "artlab.transfer:transfer",
    "enlarge": "artlab.enlarge:enlarge",
    "blend": "artlab.blend:blend",
    "between": "artlab.between:between",
    "vary": "artlab.vary:vary",
    "inpaint": "artlab.inpaint:inpaint",
    "evaluate": "artlab.evaluate:evaluate",
    "gallery": "artlab.gallery:gallery",
    "portfolio": "artlab.look:look",
    "recipe": "artlab.recipe:recipe",
    "demo": "artlab.demo:demo",
    "intake": "artlab.intake:intake",
    "pretrain": "artlab.pretrain:pretrain",
    "studio": "artlab.studio:studio",
}


class VerbError(ValueError):
    """A verb that artlab does not have, or settings that are not the verb's."""


def run(verb: str, settings: Settings, report: Callable[..., Any] | None = None, say: Callable[[str], None] | None = None) -> Any:
    """Run a verb and return its result.

    `report`, if given and if the verb tells, gets its progress in place of the terminal; so does `say` with its sentences.
    """
    if verb not in VERBS:
        raise VerbError(f"artlab cannot “{verb}”; it can {', '.join(VERBS)}.")
    if not isinstance(settings, SETTINGS[verb]):
        raise VerbError(f"“{verb}” takes {SETTINGS[verb].__name__} settings, not {type(settings).__name__}.")
    function = load(verb)
    heard = inspect.signature(function).parameters
    told = {name: listener for name, listener in (("report", report), ("say", say)) if listener is not None and name in heard}
    return function(settings, **told)


def load(verb: str) -> Callable[..., Any]:
    """The function behind a verb."""
    module, _, name = VERBS[verb].partition(":")
    return getattr(importlib.import_module(module), name)
