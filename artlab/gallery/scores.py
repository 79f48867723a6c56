"""Figures about each picture of a gallery, and which is best by which of them.

agreement   cosine of picture and prompt (artlab's own pair of towers, which is not CLIP)
style       nearness to the mean of the style's works in what hand and palette leave
copy        how near the picture lies to the nearest of those works, over what one new work in a hundred falls below; below 1 it is worth a look

They are read off networks that ship with artlab; what cannot be measured is left out, never guessed.
"""

import json
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from artlab import images, metrics, sources, style
from artlab.gallery.items import Item
from artlab.gallery.store import Row, Store
from artlab.metrics import copying, extractors
from artlab.metrics.errors import MetricError
from artlab.portfolio import gather

NAME = "scores.json"
MOST_WORKS = 64
Scores = dict[str, dict[str, float]]


class ScoreError(ValueError):
    """Figures that cannot be taken as asked: why, and the way out."""


def measure(store: Store, there: Sequence[tuple[Item, Row]], works: Sequence[str] = ()) -> Scores:
    """The figures by item id, and kept in `scores.json`; those of unchanged pictures are not measured again.

    `works` says where a style's works are, each as `STYLE=PORTFOLIO`. Raises ScoreError for one that is nothing of the kind.
    """
    told = dict(_told(word) for word in works)
    known = {} if told else _known(store)
    found = {item.id: known[row["sha256"]] for item, row in there if row["sha256"] in known}
    todo = [(item, row) for item, row in there if item.id not in found]
    if todo:
        found |= _measured(store, todo, told)
        kept = {row["sha256"]: found[item.id] for item, row in there}
        store.write(NAME, json.dumps(kept, sort_keys=True, indent=1).encode())
    return found


def _known(store: Store) -> Scores:
    try:
        return dict(json.loads(store.read(NAME)))
    except (OSError, ValueError):
        return {}


def _measured(store: Store, todo: Sequence[tuple[Item, Row]], told: Mapping[str, str]) -> Scores:
    with tempfile.TemporaryDirectory() as folder:
        paths = []
        for item, row in todo:
            paths.append(Path(folder) / f"{item.id}.png")
            paths[-1].write_bytes(store.read(row["file"]))
        pictures = [images.open_image(path) for path in paths]
    figures: Scores = {item.id: {} for item, _ in todo}
    _agreement(pictures, [item for item, _ in todo], figures)
    _style(pictures, [item for item, _ in todo], figures, told)
    return figures


def _agreement(pictures: Sequence[Any], items: Sequence[Item], figures: Scores) -> None:
    try:
        network = extractors.get("mini-clip")
    except (MetricError, OSError):
        return
    if not isinstance(network, extractors.WithTexts):
        return
    prompts = list(dict.fromkeys(item.recipe.prompt for item in items))
    matrix = network.features(pictures) @ network.texts(prompts).T
    for row, item in zip(matrix, items, strict=True):
        if not item.recipe.prompt:
            continue
        figures[item.id]["agreement"] = round(float(row[prompts.index(item.recipe.prompt)]), 4)


def _style(pictures: Sequence[Any], items: Sequence[Item], figures: Scores, told: Mapping[str, str]) -> None:
    """Against the works of each picture's first style, where that style still has them."""
    features: NDArray[np.float32] | None = None
    for folder in dict.fromkeys(item.works[0] for item in items if item.works):
        works = _works(Path(folder), told)
        if len(works) < 4:
            continue
        originals = [images.open_image(path) for path in works]
        of_works = metrics.style_features(originals)
        features = metrics.style_features(list(pictures)) if features is None else features
        mine = [number for number, item in enumerate(items) if item.works[:1] == (folder,)]
        middle = of_works.mean(axis=0, keepdims=True)
        near, _ = metrics.nearest(features[mine], middle)
        for number, apart in zip(mine, near, strict=True):
            figures[items[number].id]["style"] = round(1 - float(apart), 4)
        if len(originals) >= copying.LEAST:
            layout = extractors.get(copying.EXTRACTOR)
            copied = copying.calibrated_nearest(
                layout.features([pictures[number] for number in mine]), layout.features(originals)
            )
            for number, ratio in zip(mine, copied.ratios / copied.threshold, strict=True):
                figures[items[number].id]["copy"] = round(float(ratio), 3)


def _told(word: str) -> tuple[str, str]:
    name, equals, source = word.partition("=")
    if not equals or not source:
        raise ScoreError(f"“{word}” does not say where a style's works are; write STYLE=PORTFOLIO, for example wren=my-works.")
    return name, source


def _works(folder: Path, told: Mapping[str, str]) -> list[Path]:
    """The works that a style was taught on, where they still lie on this machine; none otherwise. A place that was told must hold some."""
    found = style.load(folder)
    source = told.get(found.name) or told.get(folder.name)
    if source is None:
        settings = found.card.get("settings")
        source = str(settings.get("portfolio") or "") if isinstance(settings, dict) else ""
        if not source or not (source.startswith(sources.DRAWN) or Path(source).expanduser().exists()):
            return []
    works = gather(sources.resolve(source), say=lambda message: None)
    return [work.path for work in works.kept][:MOST_WORKS]


def best(items: Sequence[Item], figures: Scores, by: str) -> dict[str, str]:
    """The best picture of each prompt by one figure, as prompt -> item id; copies (below 1) are passed over when that is known."""
    chosen: dict[str, str] = {}
    for item in items:
        mine = figures.get(item.id, {})
        if by not in mine or mine.get("copy", 1.0) < 1.0:
            continue
        held = chosen.get(item.recipe.prompt)
        if held is None or mine[by] > figures[held][by]:
            chosen[item.recipe.prompt] = item.id
    return chosen
