"""Six invented artists: each a medium, a hand outside the ordinary, palettes of her own and one mannerism seen at once.

None of them exists. Their palettes are not in `palettes.PALETTES` and their hands lie outside `Hand.ordinary`, so a base
model trained on the ordinary world has never seen their work, and a style learned from it can be measured.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from scipy.spatial import ConvexHull

from artlab.drawing import canvas
from artlab.drawing.canvas import Hand
from artlab.drawing.palettes import Palette
from artlab.drawing.scene import Role, Scene, Shape

Picture = NDArray[np.uint8]


def as_composed(scene: Scene, rng: Generator) -> Scene:
    """The scene as it is."""
    return scene


def as_rendered(picture: Picture, palette: Palette, rng: Generator) -> Picture:
    """The picture as it is."""
    return picture


@dataclass(frozen=True)
class Artist:
    """An invented artist: who she says she is, what she works with, and what she does to every scene and every picture."""

    name: str
    slug: str
    statement: str
    medium: str
    hand: Hand
    palettes: tuple[Palette, ...]
    subjects: tuple[str, ...]
    layouts: tuple[str, ...]
    aspects: tuple[float, ...]
    rework: Callable[[Scene, Generator], Scene] = as_composed
    finish: Callable[[Picture, Palette, Generator], Picture] = as_rendered


def leaning(scene: Scene, rng: Generator) -> Scene:
    """Everything leans to the right as if in a strong wind; what reaches the border still reaches it."""

    def lean(shape: Shape) -> Shape:
        points = shape.outline.copy()
        points[:, 0] += 0.7 * ((points[:, 0] >= scene.aspect).astype(float) - (points[:, 0] <= 0))
        points[:, 0] += 0.3 * (0.62 - points[:, 1])
        return replace(shape, outline=points, grain=shape.grain - 0.25)

    return replace(scene, shapes=(scene.shapes[0], *map(lean, scene.shapes[1:])))


def haloed(scene: Scene, rng: Generator) -> Scene:
    """Rings of sky, light and deep by turns, spread behind everything from one point, as behind a saint's head."""
    x, y = scene.aspect * rng.uniform(0.35, 0.65), rng.uniform(0.3, 0.45)
    turn = np.linspace(0, 2 * np.pi, 72, endpoint=False)
    circle = np.stack([np.cos(turn), np.sin(turn)], axis=1)
    reach = np.hypot(scene.aspect, 1.0)
    rings = [
        Shape(circle * radius + (x, y), "sky", (0.45, -0.2)[i % 2], depth=0.0)
        for i, radius in enumerate(np.arange(reach, 0.1, -0.115))
    ]
    behind = next((i for i, s in enumerate(scene.shapes) if s.role != "sky"), 1)
    return replace(scene, shapes=(*scene.shapes[:behind], *rings, *scene.shapes[behind:]))


def echoed(scene: Scene, rng: Generator) -> Scene:
    """Every figure lies on a larger sheet of its own outline in a second colour: a double contour in paper."""
    figures = [i for i, s in enumerate(scene.shapes) if s.depth > 0.5 and s.role not in ("sky", "ground")]
    figures = [i for i in figures if 0.12 < np.ptp(scene.shapes[i].outline, axis=0).max() < 0.9 * max(1, scene.aspect)]
    if not figures:
        return scene
    first = figures[0]
    backs: list[Shape] = []
    roles: tuple[Role, Role] = ("accent", "light")
    for width, role in zip((0.042, 0.021), roles, strict=True):
        for i in figures:
            backs.append(replace(scene.shapes[i], outline=_swollen(scene.shapes[i].outline, width), role=role, tone=0.0))
    return replace(scene, shapes=(*scene.shapes[:first], *backs, *scene.shapes[first:]))


def _swollen(outline: NDArray, width: float) -> NDArray:
    """The convex outline of a shape, moved outwards by `width`."""
    turn = np.linspace(0, 2 * np.pi, 24, endpoint=False)
    spread = (outline[:, None] + width * np.stack([np.cos(turn), np.sin(turn)], axis=1)).reshape(-1, 2)
    return spread[ConvexHull(spread).vertices]


def sun_lined(picture: Picture, palette: Palette, rng: Generator) -> Picture:
    """One thin line of red light drawn right across the picture, dry and a little unsteady."""
    h, w = picture.shape[:2]
    x = np.arange(w)
    level = h * rng.uniform(0.54, 0.62) + 0.004 * h * canvas.noise((1, w), (1, 0.35 * h), rng, 2)[0]
    half = np.maximum(0.0045 * h * (1 + 0.3 * canvas.noise((1, w), (1, 0.06 * h), rng)[0]), 0.6)
    cover = np.clip(half - np.abs(np.arange(h)[:, None] - level) + 0.5, 0, 1)
    dry = np.clip(0.95 - 0.5 * np.maximum(canvas.noise((h, w), (max(0.0015 * h, 1), 0.02 * h), rng) - 0.7, 0), 0, 1)
    taper = np.clip(np.minimum(x, w - x) / (0.03 * h), 0, 1)
    share = (cover * dry * taper)[..., None]
    return _blended(picture, palette["accent"], share)


def deckled(picture: Picture, palette: Palette, rng: Generator) -> Picture:
    """The picture stops short of the sheet: a wide border of bare paper, with the ragged rim of the wash all round."""
    h, w = picture.shape[:2]
    y, x = np.arange(h)[:, None], np.arange(w)
    inside = np.minimum(np.minimum(x, w - 1 - x), np.minimum(y, h - 1 - y)) / h
    ragged = 0.075 + 0.009 * canvas.noise((h, w), 0.05 * h, rng, 4) + 0.012 * canvas.noise((h, w), 0.3 * h, rng)
    bare = np.clip((ragged - inside) * h / 1.2 + 0.5, 0, 1)
    grain = 0.010 * canvas.noise((h, w), max(0.004 * h, 1.2), rng, 2)[..., None]
    rim = np.exp(-np.abs(inside - ragged) * 160) * (bare < 0.5) * 0.22
    darker = _blended(picture, palette["dark"], rim[..., None])
    return _blended(darker, np.clip(np.array(palette.paper) + grain, 0, 1), bare[..., None])


def _blended(picture: Picture, colour: NDArray, share: NDArray) -> Picture:
    mixed = picture * (1 - share) + np.asarray(colour) * 255 * share
    return (np.clip(mixed, 0, 255) + 0.5).astype(np.uint8)


def _own(slug: str, *codes: str) -> tuple[Palette, ...]:
    return tuple(Palette.of(f"{slug}-{number}", code) for number, code in enumerate(codes, start=1))


_EVERYONE = (
    Artist(
        "Ilse Varnholt", "varnholt", "The wind was here before the hills; I only write down where it went.",
        "ink drawing", Hand(1.05, 1.3, 2.0, 1.0, 1.5, 0.0, 0.6, 1.1, 0.9, 1.3),
        #                 sky    ground main   second accent dark   light  paper
        _own("varnholt", "b9c4b5 8f9a7c 6f7f86 b08d57 c23b22 1d2430 efe8d2 f0e6cc",
             "a8bdc9 7f93a0 4d6a80 b7a27a c23b22 182231 e9e6d8 efe7d3"),
        ("tree", "pine", "birch", "horse", "deer", "fox", "rabbit", "windmill", "house", "cottage", "church", "tower", "owl"),
        ("on a hill", "in a field", "in the mountains", "under the sun"), (1.0, 1.4, 0.75),
    ),
    Artist(
        "Odile Ferrant", "ferrant", "I cut first and ask afterwards; every body needs a second skin of light.",
        "paper cut", Hand(1.0, 2.2, 1.0, 1.05, 1.0, 0.0, 2.4, 1.6, 1.15),
        _own("ferrant", "1e7f8c e2541b f2b705 d92b6a fff4dc 2b1440 fde9c4 f6ead2",
             "f2b9a0 3b2a6b e4371b 0e8c7f fbe45c 24123d fff3e0 f8ecd8"),
        ("cat", "bird", "dancer", "person", "face", "tulip", "vase", "fish", "butterfly", "rooster", "guitar", "leaf", "pear"),
        ("close-up", "in a garden", "left", "right"), (1.0, 0.72, 1.35), echoed,
    ),
    Artist(
        "Teodor Vask", "vask", "Nothing in my town stands straight, least of all me.",
        "woodcut", Hand(1.5, 1.7, 0.9, 1.25, 2.2, -0.1, 2.6, 1.5, 0.85),
        _own("vask", "e8dcc0 c9b48a b5301f d98b5f b5301f 120d0b f3e9d2 ecdfc3",
             "d9d3bf 9fa895 38566b c4552f c4552f 0f1113 efe7d2 e9dec5"),
        ("house", "church", "tower", "castle", "bridge", "train", "city", "lighthouse", "cat", "dog", "person", "rooster"),
        ("on a hill", "under the moon", "in the rain", "in the snow", "left"), (0.75, 1.0, 1.3), leaning,
    ),
    Artist(
        "Marit Solvane", "solvane", "Gold is the only honest sky: it shows you your own lamp.",
        "mosaic", Hand(1.55, 1.5, 1.0, 1.1, 1.0, 0.0, 1.0, 1.4, 1.15),
        _own("solvane", "d9a520 1f4e5f 7a1f3d 2e7f78 f0ead6 14202e f7e3a1 c9b58b",
             "cf9a2b 5b2333 1d3f72 8fb3a3 f4ecd8 161a2b f6dd93 c4ad80"),
        ("angel", "owl", "deer", "rose", "tree", "bird", "horse", "person", "castle", "church", "duck", "bear", "swan"),
        ("close-up", "in a field", "on a hill", "right"), (0.75, 1.0, 0.68), haloed,
    ),
    Artist(
        "Henrike Dool", "dool", "A field, a dry brush, and the one red line the sun leaves when it goes.",
        "dry brush painting", Hand(1.6, 1.2, 0.8, 0.95, 1.0, 0.2, 1.0, 2.2, 0.75, 0.4),
        _own("dool", "c9bfa8 6d6a4e 4f5b50 a58a5b d6281e 2a2a24 e9dfc6 d8c9a8",
             "aab4b0 57605a 6e5f4c 8f8a6a d6281e 24282a e0ddce cfc6b0"),
        ("windmill", "cottage", "tree", "church", "horse", "lighthouse", "birch", "pine", "deer", "tent", "house", "tower"),
        ("in a field", "by the sea", "in the snow", "in the mountains", "on a hill"), (1.5, 1.78, 1.25), as_composed, sun_lined,
    ),
    Artist(
        "Junia Aldermoor", "aldermoor", "I leave the edges to the paper; it knows better than I do when to stop.",
        "watercolour", Hand(1.0, 2.0, 0.9, 1.0, 1.8, 0.0, 1.6, 1.9, 1.25),
        _own("aldermoor", "bfe0cf 86b39a 3f5fa8 e48f9c e8b23a 263a6b fbf3ee fbf7ee",
             "f3cfc6 a9b6d8 7a4fa0 5aa79d e36a4b 3a2a5c fdf5ef fcf6ec"),
        ("flower", "tulip", "rose", "sunflower", "pear", "apple", "teapot", "cup", "bottle", "vase", "mushroom", "leaf"),
        ("close-up", "on a table", "in a garden", "left", "right"), (0.8, 1.0, 1.25), as_composed, deckled,
    ),
)  # fmt: skip
ARTISTS: dict[str, Artist] = {artist.slug: artist for artist in _EVERYONE}
