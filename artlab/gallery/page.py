"""The gallery as one HTML file beside its pictures: filters, compare, recipe on a click. It opens from a disk and asks no network.

What plans and styles say is a stranger's text: it reaches the page as JSON whose `<` are escaped, and as text nodes, never as HTML.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jinja2

from artlab import __version__, files, recipe
from artlab.gallery import scores
from artlab.gallery.items import Item, Problem
from artlab.gallery.plan import Plan
from artlab.gallery.scores import Scores
from artlab.gallery.store import Row

NAME = "index.html"
FIGURES = {
    "agreement": "agreement with the prompt (artlab's mini-clip)",
    "style": "nearness to the style (effnet-lite0)",
    "copy": "distance to the nearest work (below 1: look)",
}


def render(plan: Plan, there: Sequence[tuple[Item, Row]], figures: Scores, problems: Sequence[Problem]) -> str:
    """The page as HTML."""
    loader = jinja2.FileSystemLoader(files.package() / "templates")
    environment = jinja2.Environment(
        loader=loader, autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    items = [item for item, _ in there]
    known = [name for name in FIGURES if any(name in figures.get(item.id, {}) for item in items)]
    bests = {name: set(scores.best(items, figures, name).values()) for name in known if name != "copy"}
    data = {
        "items": [_shown(item, row, figures.get(item.id, {}), bests) for item, row in there],
        "figures": {name: FIGURES[name] for name in known},
    }
    return environment.get_template("gallery.html").render(
        name=plan.name,
        about=plan.about,
        count=len(items),
        prompts=len({item.shown for item in items}),
        mixes=len({item.styled for item in items}),
        bases=sorted({item.recipe.base.name for item in items}),
        problems=[str(problem) for problem in problems],
        data=json.dumps(data, ensure_ascii=True, allow_nan=False).replace("<", "\\u003c").replace("&", "\\u0026"),
        version=__version__,
    )


def _shown(item: Item, row: Row, figures: dict[str, float], bests: dict[str, set[str]]) -> dict[str, Any]:
    made = item.recipe
    return {
        "id": item.id,
        "file": row["file"],
        "name": Path(row["file"]).name,
        "prompt": item.shown,
        "style": item.styled,
        "seed": str(made.seed),  # JavaScript's numbers end at 2^53
        "size": [made.width * _times(item), made.height * _times(item)],
        "figures": figures,
        "best": [name for name, chosen in bests.items() if item.id in chosen],
        "recipe": {
            "prompt": made.prompt,
            "negative prompt": made.negative_prompt,
            "styles": item.styled,
            "seed": str(made.seed),
            "steps": made.steps,
            "sampler": made.sampler,
            "guidance": f"{made.guidance:g}",
            "size": f"{made.width}x{made.height}" + (f", enlarged {_times(item)} times" if _times(item) > 1 else ""),
            "base": f"{made.base.name} ({made.base.fingerprint[:8]})" if made.base.fingerprint else made.base.name,
            "method": made.method,
            "words not read": str(made.extra.get("words_not_read", "")),
        },
        "infotext": recipe.infotext(made),
    }


def _times(item: Item) -> int:
    return int(str(item.recipe.extra.get("upscale", 1)))
