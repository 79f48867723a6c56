"""The drawings: the same arguments give the same bytes, and media, palettes and artists can be told apart."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage

from artlab import drawing
from artlab.drawing import layouts, palettes, subjects
from artlab.drawing.artists import ARTISTS
from artlab.drawing.canvas import Hand
from artlab.drawing.media import MEDIA
from artlab.drawing.palettes import PALETTES
from artlab.drawing.scene import ROLES, Scene, Shape


def scene(aspect: float = 1.0) -> Scene:
    """A sun, a hill and a house with a window a pixel or two wide."""
    turn = np.linspace(0, 2 * np.pi, 30, endpoint=False)
    disc = np.stack([np.cos(turn), np.sin(turn)], axis=1)

    def box(left: float, top: float, right: float, bottom: float) -> NDArray:
        return np.array([[left, top], [right, top], [right, bottom], [left, bottom]]) * [aspect, 1]

    shapes = (
        Shape(box(0, 0, 1, 1), "sky", depth=0.0),
        Shape(disc * 0.1 + [0.7 * aspect, 0.25], "accent", depth=0.1),
        Shape(box(0, 0.6, 1, 1), "ground", 0.2, 0.2, 0.5),
        Shape(box(0.3, 0.4, 0.6, 0.8), "main", -0.3, 1.5),
        Shape(box(0.4, 0.5, 0.42, 0.52), "light"),
    )
    return Scene(shapes, aspect, {"subject": "house", "layout": "hill"})


def render(medium: str, palette: str = "sea", height: int = 128, aspect: float = 1.0) -> NDArray[np.uint8]:
    return MEDIA[medium](scene(aspect), PALETTES[palette], height, np.random.default_rng(5), Hand())


@pytest.mark.parametrize("medium", MEDIA)
@pytest.mark.parametrize("palette", ["night", "lemon"])
@pytest.mark.parametrize(("height", "aspect"), [(128, 1.0), (97, 160 / 97)])
def test_every_medium_fills_the_sheet(medium: str, palette: str, height: int, aspect: float) -> None:
    picture = render(medium, palette, height, aspect)
    assert picture.shape == (height, round(height * aspect), 3)
    assert picture.dtype == np.uint8
    assert 10 < picture.mean() < 250
    assert picture.std() > 5


@pytest.mark.parametrize("medium", MEDIA)
def test_the_same_seed_gives_the_same_picture(medium: str) -> None:
    assert np.array_equal(render(medium, height=64), render(medium, height=64))


@pytest.mark.parametrize("medium", MEDIA)
def test_a_large_picture_looks_like_a_small_one(medium: str) -> None:
    small, large = (ndimage.zoom(render(medium, height=h).astype(float), (16 / h, 16 / h, 1), order=1) for h in (96, 288))
    assert np.abs(small.mean((0, 1)) - large.mean((0, 1))).max() < 16


def texture(medium: str) -> NDArray:
    """How much detail a medium adds to flat shapes at three scales, along x, along y, and in colour."""
    lab = palettes.to_oklab(np.mean([render(medium, name) / 255 for name in ("sea",)], axis=0))
    bands = [ndimage.gaussian_filter(lab, (s, s, 0)) - ndimage.gaussian_filter(lab, (2 * s, 2 * s, 0)) for s in (0.6, 1.2, 2.4)]
    return np.concatenate([[b[..., 0].std(), b[..., 1:].std() * 2, np.abs(b[..., 0]).mean()] for b in bands])


def test_no_two_media_have_the_same_texture() -> None:
    found = {medium: texture(medium) for medium in MEDIA}
    names = list(found)
    distances = {(a, b): np.abs(found[a] - found[b]).sum() for i, a in enumerate(names) for b in names[:i]}
    closest = min(distances, key=distances.__getitem__)
    assert distances[closest] > 0.01, (closest, distances[closest])


def test_no_two_palettes_look_the_same() -> None:
    colours = {name: palettes.to_oklab(np.array(p.colours)) for name, p in PALETTES.items()}
    names = list(colours)
    distances = {(a, b): np.linalg.norm(colours[a] - colours[b], axis=1).mean() for i, a in enumerate(names) for b in names[:i]}
    closest = min(distances, key=distances.__getitem__)
    assert distances[closest] > 0.08, (closest, distances[closest])


def test_tone_darkens_and_lightens_and_distance_pales() -> None:
    outline = np.zeros((3, 2))
    lightness = [palettes.to_oklab(palettes.colour(PALETTES["sea"], Shape(outline, "main", t)))[0] for t in (-1, 0, 1)]
    assert lightness == sorted(lightness)
    assert lightness[0] < lightness[1] < lightness[2]
    near, far = (palettes.colour(PALETTES["sea"], Shape(outline, "main", depth=d)) for d in (1.0, 0.0))
    sky = PALETTES["sea"]["sky"]
    assert np.linalg.norm(far - sky) < np.linalg.norm(near - sky)


def test_oklab_there_and_back() -> None:
    colours = np.random.default_rng(0).random((50, 3))
    assert np.allclose(palettes.from_oklab(palettes.to_oklab(colours)), colours, atol=1e-6)


def test_a_palette_needs_a_colour_for_every_role() -> None:
    with pytest.raises(ValueError, match="7 roles"):
        palettes.Palette.of("short", "ffffff 000000")
    assert all(len(p.colours) == len(ROLES) for p in PALETTES.values())


def test_draw_gives_picture_caption_and_words() -> None:
    subject, layout = next(iter(subjects.SUBJECTS)), next(iter(layouts.LAYOUTS))
    first, again, other = (drawing.draw(subject, layout, "dusk", "woodcut", seed=s, height=64, aspect=1.5) for s in (3, 3, 4))
    assert first.picture.size == (96, 64)
    assert first.picture.mode == "RGB"
    assert first.caption
    assert first.caption == again.caption
    assert first.picture.tobytes() == again.picture.tobytes() != other.picture.tobytes()
    assert first.words["palette"] == "dusk"
    assert first.words["medium"] == "woodcut"
    assert first.words["title"]


@pytest.mark.parametrize("slug", ARTISTS)
def test_an_artist_stays_outside_the_ordinary_world(slug: str) -> None:
    artist = ARTISTS[slug]
    assert set(artist.subjects) <= set(subjects.SUBJECTS)
    assert set(artist.layouts) <= set(layouts.LAYOUTS)
    assert len(artist.subjects) == len(set(artist.subjects)) >= 8
    ordinary = [Hand.ordinary(np.random.default_rng(i)) for i in range(50)]
    values = {name: [getattr(hand, name) for hand in ordinary] for name in Hand.__dataclass_fields__}
    outside = [n for n, found in values.items() if not min(found) <= getattr(artist.hand, n) <= max(found)]
    assert len(outside) >= 2
    assert not {p.colours for p in artist.palettes} & {p.colours for p in PALETTES.values()}


@pytest.mark.parametrize("slug", ARTISTS)
def test_a_portfolio_is_the_same_every_time(slug: str, tmp_path: Path) -> None:
    first, again = (drawing.draw_portfolio(slug, tmp_path / name, count=3, height=64) for name in "ab")
    assert [p.name for p in first] == [p.name for p in again]
    assert len(set(first)) == 3
    for one, two in zip(first, again, strict=True):
        assert one.read_bytes() == two.read_bytes()
        assert one.with_suffix(".txt").read_text().strip() == two.with_suffix(".txt").read_text().strip() != ""


def test_an_artist_repeats_no_subject_before_all_have_come() -> None:
    slug = next(iter(ARTISTS))
    count = len(ARTISTS[slug].subjects)
    shown = [drawing.draw_work(slug, i, height=32).words["subject"] for i in range(count)]
    assert len(set(shown)) == count
    assert len({drawing.draw_work(slug, i, height=32).picture.size for i in range(count)}) >= 2
