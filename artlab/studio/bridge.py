"""How the page's script talks to Gradio: a hidden text box per tab hears small JSON messages. They are a stranger's input."""

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import gradio as gr

LONGEST = 64 << 10


def bridge(name: str) -> "gr.Textbox":
    """The hidden box that `tell(name, …)` of `studio.js` writes to. Must be called within a `gr.Blocks`."""
    import gradio as gr

    return gr.Textbox("", elem_id=name, elem_classes="bridge", show_label=False, container=False, label=name)


def heard(text: Any) -> dict[str, Any]:
    """A message as a flat dictionary; {} for whatever is none."""
    if not isinstance(text, str) or len(text) > LONGEST:
        return {}
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def word(message: dict[str, Any], key: str, most: int = 300) -> str:
    """A text of a message, cut to a length."""
    value = message.get(key, "")
    return value[:most] if isinstance(value, str) else ""


def whole(message: dict[str, Any], key: str, default: int = 1) -> int:
    """A whole number of a message, whatever was sent."""
    try:
        return max(0, min(int(message.get(key, default)), 1_000_000))
    except (TypeError, ValueError, OverflowError):
        return default
