"""The sentence that says exactly what was drawn: `caption`, made from the words the scene was composed from."""

import re
from collections.abc import Mapping

from numpy.random import Generator

from artlab.drawing.scene import Scene
from artlab.drawing.subjects import article, counted, noun, plural

_PHRASES = {"close-up": "in close-up", "left": "on the left", "right": "on the right", "pair": "side by side",
            "pattern": "in a pattern"}  # fmt: skip
_MEDIA = {"stained glass": "stained glass window"}

# Each is true of every scene; those without {layout} say less, never something else.
_TEMPLATES = (
    "{a_medium} of {subject} {layout}, {palette} colours",
    "{subject} {layout}, {medium} in {palette} colours",
    "a picture of {subject} {layout}, {medium}, {palette} palette",
    "{a_medium} in {palette} colours: {subject} {layout}",
    "{a_medium} showing {subject} {layout}, {palette} colours",
    "{a_medium} of {subject}, {palette} colours",
    "{subject} in {palette} colours, {medium}",
    "{tags}, {medium}, {palette} colours",
    "{medium}, {palette} colours, {subject} {layout}",
)


def subject_phrase(scene: Scene) -> str:
    """Who is in the picture, with article or number: "a fox", "three foxes", "two foxes and a cat", "foxes" in a pattern."""
    subject, layout, second = scene.words["subject"], scene.words.get("layout"), scene.words.get("second")
    if layout == "pattern":
        return plural(subject) + (f" and {plural(second)}" if second else "")
    count = int(scene.words.get("count", "1"))
    if not second or layout == "with a border":
        return counted(subject, count)
    if layout in ("left", "right"):  # the layout phrase says where the second one is
        return counted(subject)
    # In a row they alternate and the subject has both ends.
    return f"{counted(subject, count)} and {counted(second, count - 1 if layout == 'in a row' else 1)}"


def layout_phrase(scene: Scene) -> str:
    """Where they are: "in the snow", "on the left"; empty if the scene does not say."""
    layout = scene.words.get("layout", "")
    second = scene.words.get("second")
    if layout == "with a border" and second:
        return f"with a border of {plural(second)}"
    if layout in ("left", "right") and second:
        return f"on the {layout} and {counted(second)} on the {'right' if layout == 'left' else 'left'}"
    return _PHRASES.get(layout, layout)


def _tags(scene: Scene) -> str:
    """The same as a list of words: "fox, house, snow"."""
    words, layout, place = scene.words, scene.words.get("layout", ""), layout_phrase(scene)
    names = [noun(words["subject"])]
    if words.get("count", "1") != "1" or layout == "pattern":
        names = [subject_phrase(scene)]
    elif words.get("second") and layout not in ("with a border", "left", "right"):
        names.append(noun(words["second"]))
    if layout not in ("left", "right", "in a row"):
        place = re.sub(r"^(in|under|on|by) ((the|a) )?", "", place)
    return ", ".join(filter(None, [*names, place]))


def caption(scene: Scene, palette: str, medium: str, rng: Generator | None = None) -> str:
    """What the picture shows, in which medium and colours: the canonical sentence, or one of nine ways to say it."""
    template = _TEMPLATES[0 if rng is None else int(rng.integers(len(_TEMPLATES)))]
    name = _MEDIA.get(medium, medium)
    words = {
        "a_medium": article(name), "medium": name, "palette": palette, "subject": subject_phrase(scene),
        "layout": layout_phrase(scene), "tags": _tags(scene),
    }  # fmt: skip
    return " ".join(template.format(**words).split()).replace(" ,", ",")


def short_captions(row: Mapping[str, str]) -> tuple[str, str, str]:
    """Three ways to say less, as people do: the thing; the thing in its medium; the thing and its colours. `row` holds the words of a work."""
    several = row["layout"] in ("pair", "in a row", "pattern")
    thing = plural(row["subject"]) if several else counted(row["subject"])
    medium = article(_MEDIA.get(row["medium"], row["medium"]))
    return thing, f"{medium} of {thing}", f"{thing} in {row['palette']} colours"
