"""Pieces of the page as HTML: Jinja templates in `parts/`, every value escaped. No string of a person reaches the page another way."""

import time
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jinja2

if TYPE_CHECKING:
    import gradio as gr

PARTS = Path(__file__).with_name("parts")


def part(piece: str, /, **values: Any) -> str:
    """A piece of the page from `parts/<piece>.html`."""
    return " ".join(_environment().get_template(f"{piece}.html").render(**values).split("\n"))


def place(html: str = "", **how: Any) -> "gr.Markdown":
    """A place on the page for a piece. Must be called within a `gr.Blocks`.

    Not a `gr.HTML`: that one evaluates its template as JavaScript, which the studio's Content-Security-Policy forbids. Markdown
    leaves HTML alone that begins with a block element and has no empty line, which is what `part` makes.
    """
    import gradio as gr

    how.setdefault("elem_classes", "piece")
    return gr.Markdown(html, sanitize_html=False, latex_delimiters=[], container=False, **how)


@cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(PARTS),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"span": span, "ago": ago, "number": lambda value: f"{value:.4g}"}
    return environment


def span(seconds: float | None) -> str:
    """A duration in words: "40 s", "3 min", "2.5 h"."""
    if seconds is None:
        return "some time"
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def ago(when: float) -> str:
    """When something happened: "just now", "12 min ago", "14 November"."""
    past = time.time() - when
    if past < 60:
        return "just now"
    if past < 3600:
        return f"{past / 60:.0f} min ago"
    if past < 86400:
        return f"{past / 3600:.0f} h ago"
    day = datetime.fromtimestamp(when)
    return f"{day.day} {day:%B}" + (f" {day.year}" if day.year != datetime.now().year else "")


def trouble(error: BaseException | str) -> str:
    """An error as the page says it: one sentence, shown where it happened and read out to who cannot see it."""
    return part("trouble", said=str(error))
