"""artlab's own pictures, drawn by code: subject x layout x palette x medium, with a caption made from the same words.

`draw` makes one picture of the ordinary world, which the small base model learns from. `draw_work` and `draw_portfolio`
make the works of the invented artists in `artists.ARTISTS`, which artlab's own styles are learned from.
The same arguments always give the same bytes.

Layers, lowest first: scene < shapes < subjects_* < subjects < layouts; scene < palettes < canvas < media_* < media < artists;
captions; this file.
"""

import re
from dataclasses import dataclass
from pathlib import Path
from zlib import crc32

import numpy as np
from numpy.random import Generator
from PIL import Image

from artlab.drawing.artists import ARTISTS, Artist
from artlab.drawing.canvas import Hand
from artlab.drawing.captions import caption, layout_phrase, subject_phrase
from artlab.drawing.layouts import compose
from artlab.drawing.media import MEDIA
from artlab.drawing.palettes import PALETTES, Palette
from artlab.drawing.scene import Scene

__all__ = ["ARTISTS", "MEDIA", "PALETTES", "Drawing", "draw", "draw_portfolio", "draw_work"]


@dataclass(frozen=True)
class Drawing:
    """A picture (RGB), its caption, and the words that it was composed from, with `title`, `palette` and `medium`."""

    picture: Image.Image
    caption: str
    words: dict[str, str]


def draw(
    subject: str,
    layout: str,
    palette: str,
    medium: str,
    *,
    seed: int,
    height: int = 512,
    aspect: float = 1.0,
    second: str | None = None,
) -> Drawing:
    """A picture of the ordinary world, `height` pixels high and `height * aspect` wide. Unknown names raise a KeyError."""
    render, colours = MEDIA[medium], PALETTES[palette]
    composing, handling, marking, wording = (np.random.default_rng([seed, part]) for part in range(4))
    scene = compose(subject, layout, composing, aspect=aspect, second=second)
    pixels = render(scene, colours, height, marking, Hand.ordinary(handling))
    words = scene.words | {"title": subject_phrase(scene), "palette": palette, "medium": medium}
    return Drawing(Image.fromarray(pixels), caption(scene, palette, medium, wording), words)


def draw_work(artist_slug: str, index: int, *, seed: int = 0, height: int = 768) -> Drawing:
    """The artist's work number `index`; `height` is that of a square, other formats keep its area.

    Subjects, layouts and formats come in an order shuffled by the seed, and none comes again before all have come.
    The caption says what the picture shows, never how: that is what a style has to learn by itself.
    """
    artist = ARTISTS[artist_slug]
    key = [seed, crc32(artist_slug.encode())]
    order = np.random.default_rng(key)
    subject = artist.subjects[_turn(index, len(artist.subjects), order)]
    layout = artist.layouts[_turn(index, len(artist.layouts), order)]
    aspect = artist.aspects[_turn(index, len(artist.aspects), order)]
    composing, marking = (np.random.default_rng([*key, index, part]) for part in (0, 1))
    palette = artist.palettes[int(composing.integers(len(artist.palettes)))]
    scene = artist.rework(compose(subject, layout, composing, aspect=aspect), composing)
    pixels = _by(artist, scene, palette, max(16, round(height / aspect**0.5)), marking)
    words = scene.words | {"title": subject_phrase(scene), "palette": palette.name, "medium": artist.medium}
    return Drawing(Image.fromarray(pixels), f"{subject_phrase(scene)} {layout_phrase(scene)}".strip(), words)


def _by(artist: Artist, scene: Scene, palette: Palette, height: int, rng: Generator) -> np.ndarray:
    return artist.finish(MEDIA[artist.medium](scene, palette, height, rng, artist.hand), palette, rng)


def _turn(index: int, count: int, rng: Generator) -> int:
    """Whose turn it is: every one of `count` once in a shuffled round, then all again in another order."""
    rounds = rng.spawn(index // count + 1)
    return int(rounds[-1].permutation(count)[index % count])


def draw_portfolio(artist_slug: str, folder: Path, *, count: int = 24, seed: int = 0, height: int = 768) -> list[Path]:
    """Write the artist's first `count` works as `NNN-<title>.png`, each with its caption in a `.txt` of the same name."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for index in range(count):
        work = draw_work(artist_slug, index, seed=seed, height=height)
        path = folder / f"{index + 1:03d}-{re.sub(r'[^a-z0-9]+', '-', work.words['title'].lower()).strip('-')}.png"
        work.picture.save(path)
        path.with_suffix(".txt").write_text(work.caption + "\n", encoding="utf-8")
        paths.append(path)
    return paths
