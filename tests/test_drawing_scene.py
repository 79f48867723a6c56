"""Every subject is drawn, every layout composes, and captions name what is in the picture."""

import numpy as np
import pytest

from artlab.drawing import captions, layouts, scene, stage, subjects
from artlab.drawing.shapes import extent

PAIRS = [(subject, layout) for subject in subjects.SUBJECTS for layout in layouts.layouts_for(subject)]


def _covered(shapes: tuple[scene.Shape, ...], size: int = 24) -> float:
    """The share of the unit box under any of the shapes, by the crossing rule on a grid."""
    grid = (np.stack(np.meshgrid(np.arange(size), np.arange(size)), axis=-1).reshape(-1, 2) + 0.5) / size
    inside = np.zeros(len(grid), dtype=bool)
    for shape in shapes:
        a, b = shape.outline, np.roll(shape.outline, -1, axis=0)
        spans = (a[:, 1] > grid[:, None, 1]) != (b[:, 1] > grid[:, None, 1])
        rise = np.where(b[:, 1] == a[:, 1], 1.0, b[:, 1] - a[:, 1])
        x = a[:, 0] + (grid[:, None, 1] - a[:, 1]) * (b[:, 0] - a[:, 0]) / rise
        inside |= (spans & (grid[:, None, 0] < x)).sum(axis=1) % 2 == 1
    return float(inside.mean())


@pytest.mark.parametrize("name", subjects.SUBJECTS)
def test_a_subject_fills_the_unit_box_in_two_roles(name: str) -> None:
    for seed in range(4):
        shapes = subjects.SUBJECTS[name](np.random.default_rng(seed))
        assert all(np.isfinite(s.outline).all() and len(s.outline) > 2 for s in shapes)
        assert all(s.role in scene.ROLES and -1 <= s.tone <= 1 and np.isfinite(s.grain) for s in shapes)
        x0, y0, x1, y1 = extent(shapes)
        assert min(x0, y0) > -0.05
        assert max(x1, y1) < 1.05
        assert max(x1 - x0, y1 - y0) > 0.95
        assert len({s.role for s in shapes}) >= 2
    assert _covered(shapes) > 0.12


@pytest.mark.parametrize("name", subjects.SUBJECTS)
def test_a_seed_fixes_the_drawing_and_another_changes_it(name: str) -> None:
    first, again, other = (subjects.SUBJECTS[name](np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert all(np.array_equal(a.outline, b.outline) and a.role == b.role for a, b in zip(first, again, strict=True))
    assert len(first) != len(other) or any(not np.array_equal(a.outline, b.outline) for a, b in zip(first, other, strict=True))


@pytest.mark.parametrize(("subject", "layout"), PAIRS)
def test_a_subject_composes_in_each_of_its_layouts(subject: str, layout: str) -> None:
    aspect = float(np.random.default_rng([len(subject), len(layout)]).choice([0.6, 1.0, 1.7]))
    made = layouts.compose(subject, layout, np.random.default_rng(0), aspect=aspect)
    x0, y0, x1, y1 = extent(made.shapes[:1])
    assert x0 <= 0
    assert y0 <= 0
    assert x1 >= aspect
    assert y1 >= 1
    assert all(
        np.isfinite(s.outline).all() and s.role in scene.ROLES and 0 <= s.depth <= 1 and -1 <= s.tone <= 1 for s in made.shapes
    )
    assert made.words["subject"] == subject
    assert made.words["layout"] == layout
    assert subjects.noun(subject) in captions.caption(made, "sea", "woodcut") or int(made.words.get("count", "2")) > 1


@pytest.mark.parametrize("aspect", [0.6, 1.0, 1.7])
def test_a_single_subject_takes_a_good_part_of_the_canvas_and_stays_on_it(aspect: float) -> None:
    for name in list(subjects.SUBJECTS)[::3]:
        for x in (0.33, 0.5, 0.67):
            x0, y0, x1, y1 = extent(stage.Stage(np.random.default_rng(3), aspect, name).main(x, 0.9, 0.6))
            assert min(x0, y0) >= 0
            assert x1 <= aspect
            assert y1 - y0 > 0.35 or x1 - x0 > 0.45 * aspect, name


def test_composing_is_deterministic() -> None:
    for subject, layout in PAIRS[::29]:
        a, b = (layouts.compose(subject, layout, np.random.default_rng(5), aspect=1.3, second="star") for _ in range(2))
        assert a.words == b.words
        assert all(np.array_equal(x.outline, y.outline) for x, y in zip(a.shapes, b.shapes, strict=True))


def test_every_layout_is_used_and_unknown_names_are_refused() -> None:
    assert {layout for _, layout in PAIRS} == set(layouts.LAYOUTS)
    with pytest.raises(KeyError, match="unknown layout"):
        layouts.compose("fox", "nowhere", np.random.default_rng(0))
    with pytest.raises(KeyError, match="unknown subject"):
        layouts.compose("unicorn", "pair", np.random.default_rng(0))


@pytest.mark.parametrize(
    ("subject", "layout", "second", "said"),
    [
        ("fox", "in the snow", None, "a woodcut of a fox in the snow, ember colours"),
        ("owl", "close-up", None, "a woodcut of an owl in close-up, ember colours"),
        ("fox", "pattern", None, "a woodcut of foxes in a pattern, ember colours"),
        ("person", "pair", None, "a woodcut of two people side by side, ember colours"),
        ("cat", "pair", "owl", "a woodcut of a cat and an owl side by side, ember colours"),
        ("house", "with a border", "star", "a woodcut of a house with a border of stars, ember colours"),
        ("balloon", "in the sky", None, "a woodcut of a hot-air balloon in the sky, ember colours"),
        ("castle", "left", "balloon", "a woodcut of a castle on the left and a hot-air balloon on the right, ember colours"),
        ("cat", "on a hill", "house", "a woodcut of a cat and a house on a hill, ember colours"),
    ],
)
def test_the_canonical_caption(subject: str, layout: str, second: str | None, said: str) -> None:
    made = layouts.compose(subject, layout, np.random.default_rng(0), second=second)
    assert captions.caption(made, "ember", "woodcut") == said


def test_a_row_is_counted() -> None:
    for seed in range(6):
        made = layouts.compose("fox", "in a row", np.random.default_rng(seed), second="cat")
        count = int(made.words["count"])
        assert captions.subject_phrase(made) == f"{subjects.counted('fox', count)} and {subjects.counted('cat', count - 1)}"


@pytest.mark.parametrize("medium", ["ink drawing", "stained glass", "watercolour", "paper cut"])
def test_every_paraphrase_names_subject_palette_and_medium(medium: str) -> None:
    made = layouts.compose("owl", "in the rain", np.random.default_rng(0))
    said = {captions.caption(made, "meadow", medium, np.random.default_rng(seed)) for seed in range(60)}
    assert len(said) >= 7
    assert all("owl" in s and "meadow" in s and medium in s and "  " not in s for s in said)
    assert captions.caption(made, "meadow", "ink drawing").startswith("an ink drawing of an owl")


def test_short_captions_say_less_and_nothing_else() -> None:
    one = {"subject": "owl", "layout": "in the snow", "palette": "ember", "medium": "stained glass"}
    assert captions.short_captions(one) == ("an owl", "a stained glass window of an owl", "an owl in ember colours")
    several = {"subject": "fox", "layout": "pair", "palette": "sea", "medium": "ink drawing"}
    assert captions.short_captions(several) == ("foxes", "an ink drawing of foxes", "foxes in sea colours")
