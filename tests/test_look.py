"""Looking at a portfolio: what artlab sees in it, before anything is taught."""

import pytest
from PIL import Image

from artlab import files, look, settings, sources
from artlab.portfolio import PortfolioError


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    """Six small works of a drawn artist, one of them twice."""
    drawing = look.drawing

    folder = tmp_path_factory.mktemp("works") / "ember"
    paths = drawing.draw_portfolio(next(iter(drawing.ARTISTS)), folder, count=6, height=128)
    (folder / "copy.png").write_bytes(paths[0].read_bytes())
    (folder / "notes.png").write_text("not a picture")
    return folder


def test_check_tells_works_captions_marks_and_refusals(drawn):
    text = look.look(settings.Portfolio(source=str(drawn)))
    assert isinstance(text, str)
    caption = next(drawn.glob("001-*.txt")).read_text().strip()
    assert caption in text
    assert "duplicate" in text
    assert "notes.png" in text
    *_, summary = text.splitlines()
    assert summary.startswith("ember: 6 works to learn from")
    assert "1 left out" in summary
    assert "1 files refused" in summary


def test_preview_makes_a_contact_sheet(drawn, tmp_path):
    path = look.look(settings.Portfolio(action="preview", source=str(drawn)))
    assert path == files.home() / "previews" / "ember.png"
    with Image.open(path) as sheet:
        assert sheet.width > 1000
    assert look.look(settings.Portfolio(action="preview", source=str(drawn), output=tmp_path / "s.png")) == tmp_path / "s.png"


@pytest.mark.parametrize("prefix", ["", "drawn:"])
def test_draw_draws_a_portfolio(tmp_path, prefix, monkeypatch):
    asked = []
    monkeypatch.setattr(look.drawing, "draw_portfolio", lambda name, folder, **how: asked.append((name, folder, how)))
    name = next(iter(look.drawing.ARTISTS))
    wanted = settings.Portfolio(action="draw", source=prefix + name, output=tmp_path / "out", count=3, seed=5)
    assert look.look(wanted) == tmp_path / "out"
    assert asked == [(name, tmp_path / "out", {"count": 3, "seed": 5})]
    where = look.look(wanted.model_copy(update={"output": None}))
    assert where == sources.resolve(f"drawn:{name}", count=3, seed=5)


@pytest.mark.parametrize(("source", "message"), [("nobody", "no drawn artist “nobody”"), ("", "Name the artist")])
def test_an_unknown_artist_gets_the_ones_there_are(source, message):
    with pytest.raises(PortfolioError, match=message) as caught:
        look.look(settings.Portfolio(action="draw", source=source))
    assert all(name in str(caught.value) for name in look.drawing.ARTISTS)
