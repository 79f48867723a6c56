"""What the tabs do behind the page: works and decisions, forms, wishes, albums, words; hostile strings stay words."""

import base64
import io
import json
import math
import re
import time
import zipfile
from types import SimpleNamespace

import pytest
from PIL import Image

from artlab import accounts, files, generate, hand, intake, jobs, recipe, settings
from artlab.finetune import steps_for
from artlab.jobs import Job
from artlab.recipe import BaseUsed, Recipe, StyleUsed
from artlab.settings import VERBS, Finetune, Generate
from artlab.studio import album, chart, forms, making, markup, stage, status, theme
from artlab.studio.album import Album
from artlab.studio.bridge import heard, whole, word
from artlab.studio.forms import FormError
from artlab.studio.making import Wish
from artlab.studio.shelf import Shelf, ShelfError
from artlab.studio.tabs import gallery, portfolio, study, train
from artlab.studio.uploads import works_of
from artlab.studio.works import Works, WorksError, safe_path

XSS = '<img src=x onerror="alert(1)">'


@pytest.fixture
def shelf() -> Shelf:
    """The shelf of an artist of her own."""
    return Shelf(accounts.register("Ada", "four random words here").id)


def picture(path, colour=(200, 80, 40), size=(96, 80)):
    """A small picture with something on it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.effect_noise(size, 60).convert("RGB")
    Image.blend(image, Image.new("RGB", size, colour), 0.6).save(path)
    return path


def add(works: Works, tmp_path, name: str, data: bytes | None = None, colour=(200, 80, 40)):
    """Upload one file."""
    part = tmp_path / "part"
    part.write_bytes(data) if data is not None else picture(tmp_path / "p.png", colour).rename(part)
    return works.add(name, part, consent=True)


def made(shelf: Shelf, name: str, prompt: str = "a fox", **extra) -> str:
    """A finished picture on the shelf; its id."""
    told = Recipe(
        prompt=prompt,
        seed=7,
        width=64,
        height=64,
        steps=4,
        sampler="dpm++",
        guidance=2,
        base=BaseUsed(name="mini", fingerprint="ab"),
        **extra,
    )
    path = shelf.home / "pictures" / name
    recipe.embed(Image.new("RGB", (64, 64), "teal"), told, path)
    return f"pictures/{name}"


# -- works ----------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    ["../../etc/passwd", "/etc/passwd", "a/../../b.png", "..\\..\\x.png", "C:\\x.png", "", "....", "a\0b.png", "\u202egnp.exe", "-rf", ".hidden",
     "CON.png", "x" * 5000 + ".png", "é" * 300 + ".png", "a/b/c/d/e/f.png", XSS],
)  # fmt: skip
def test_no_name_leads_out_of_the_uploads(tmp_path, name):
    path = safe_path(name)
    assert not path.is_absolute()
    assert ".." not in path.parts
    assert path.parts
    assert all(0 < len(part.encode()) <= 120 and not part.startswith(".") for part in path.parts)
    target = tmp_path / path
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(b"")


def test_uploads_are_told_apart(tmp_path):
    works = Works(tmp_path / "portfolio")
    assert add(works, tmp_path, "rose.png").state == "received"
    again = add(works, tmp_path, "copy.png", (tmp_path / "portfolio/uploads/rose.png").read_bytes())
    assert (again.state, again.of) == ("duplicate", "rose.png")
    assert add(works, tmp_path, "rose.png", colour=(0, 0, 200)).name == "rose (2).png"
    refused = add(works, tmp_path, "page.png", b"<html>")
    assert (refused.state, "web page" in refused.reason) == ("refused", True)
    assert add(works, tmp_path, "empty.png", b"").state == "refused"
    assert [row["name"] for row in works.uploads()] == ["rose.png", "rose (2).png"]
    assert [one["name"] for one in works.refused()] == ["page.png", "empty.png"]
    works.forget_refused()
    assert works.refused() == []
    with pytest.raises(WorksError, match="tick"):
        works.add("x.png", tmp_path / "part", consent=False)


def test_decisions_hold_and_can_be_taken_back(tmp_path, shelf):
    works = works_of(shelf)
    for number in range(4):
        add(works, tmp_path, f"work {number}.png", colour=(60 * number, 80, 200 - 40 * number))
    settings_of = settings.Intake(folder=works.folder, name="Ada")
    with files.living_in(shelf.home):
        intake.intake(settings_of, lambda progress: None)
    first = works.portfolio().works[0]
    works.decide("caption", first.id, f"a rose {XSS}")
    works.decide("keep", first.id, False)
    works.decide("trigger", "", "adavu")
    seen = works.portfolio()
    assert seen.works[0].caption == "a rose"
    assert not seen.works[0].kept
    assert seen.trigger == "adavu"
    assert len(list(works.for_training().glob("*.png"))) == len(seen.kept) == 3
    assert [works.undo(), works.undo(), works.undo(), works.undo()] == ["trigger", "keep", "caption", ""]
    assert works.portfolio().works[0].kept
    for bad in ("x", "two words", "Ünïcode", "a" * 30):
        with pytest.raises(WorksError):
            works.decide("trigger", "", bad)
    with pytest.raises(WorksError, match="no such work"):
        works.decide("keep", "0" * 16, True)
    html = portfolio.portfolio_html(shelf)
    assert "<img src=x" not in html
    assert str(works.folder / "uploads") not in html


# -- forms ----------------------------------------------------------------------------------------------------------------------


def test_every_setting_of_a_training_is_on_the_page_or_filled_in_by_it():
    shown = {name for names in train.ADVANCED.values() for name in names}
    assert Finetune.model_fields.keys() >= train.ELSEWHERE
    assert not shown & train.ELSEWHERE
    rest = Finetune.model_fields.keys() - shown - train.ELSEWHERE
    assert [field.name for field in forms.fields(Finetune, rest)]  # they get a place under More by themselves


@pytest.mark.parametrize("verb", ["finetune", "generate", "transfer", "inpaint", "blend"])
def test_defaults_make_no_settings(verb):
    kind = VERBS[verb]
    form = [
        field
        for field in forms.fields(kind, kind.model_fields)
        if field.kind != "text" or isinstance(field.default, (str, type(None)))
    ]
    filled = ["" if field.default is None else field.default for field in form]
    simple = [(field, value) for field, value in zip(form, filled, strict=True) if not isinstance(value, tuple)]
    given = forms.values([field for field, _ in simple], [value for _, value in simple])
    assert {key: value for key, value in given.items() if value is not None} == {}


def test_a_form_says_what_is_wrong_in_its_own_words():
    form = forms.fields(Finetune, ["rank", "learning_rate", "random_flip", "validation_prompt", "optimizer"])
    assert forms.values(form, [8, "1e-3", "yes", "a fox\n\na house", "prodigy"]) == {
        "rank": 8, "learning_rate": 1e-3, "random_flip": True, "validation_prompt": ("a fox", "a house"), "optimizer": "prodigy",
    }  # fmt: skip
    for values, problem in (
        ([0, "", "", "", ""], "How much it can learn: 0"),
        ([8, "fast", "", "", ""], "no number"),
        ([8, "nan", "", "", ""], "fit"),
    ):
        with pytest.raises(FormError, match=problem):
            forms.values(form, values)
    with pytest.raises(FormError, match="Way of learning"):
        forms.build(Finetune, {"optimizer": "magic"})
    assert "Rank of the adapter" in forms.docstrings(Finetune)["rank"]


@pytest.mark.parametrize("preset", train.PRESETS)
@pytest.mark.parametrize("works", [10, 33, 200])
def test_the_estimate_counts_as_the_training_does(preset, works):
    trained = works - round(works * 0.15)
    assert train.steps_of(preset, works) == steps_for(Finetune(**train.PRESETS[preset]), trained)


# -- wishes ---------------------------------------------------------------------------------------------------------------------


def test_a_prompt_too_long_is_refused_with_its_lost_words(shelf):
    with pytest.raises(FormError, match=r"reads 24 words and yours are 30: “w24 w25"):
        making.settings_for(Wish(" ".join(f"w{n}" for n in range(30))), shelf)
    with pytest.raises(FormError, match="Say what"):
        making.settings_for(Wish("   "), shelf)


def test_a_wish_becomes_settings(shelf):
    verb, given = making.settings_for(
        Wish("a fox", count=4, shape="portrait", seed=3, more={"guidance_scale": 2.0, "unknown": 1}), shelf
    )
    assert verb == "generate"
    assert Generate.model_validate(given).width % 32 == 0
    assert given | {"prompt": ["a fox"], "seed": [3], "count": 4, "guidance_scale": 2.0} == given
    assert "unknown" not in given
    with pytest.raises(ShelfError):
        making.settings_for(Wish("a fox", (("../../other", 1.0),)), shelf)
    with pytest.raises(FormError, match="picture to start from"):
        making.settings_for(Wish("a fox", mode="picture"), shelf)
    with pytest.raises(FormError, match="two styles"):
        making.settings_for(Wish("a fox", mode="blend"), shelf)
    with pytest.raises(FormError, match="Choose how"):
        making.settings_for(Wish("a fox", mode="pretrain"), shelf)


def test_each_line_is_a_prompt_of_its_own(shelf):
    wish = Wish("  a fox\n\n a  lighthouse by the sea \r\na cat", count=1)
    _, given = making.settings_for(wish, shelf)
    assert given["prompt"] == ["a fox", "a lighthouse by the sea", "a cat"]
    assert given["batch_size"] == 3
    assert making.title_of(wish) == "a fox, and 2 more"
    assert making.title_of(Wish("x" * 200)) == "x" * 80
    assert len(making.title_of(Wish("x" * 200 + "\na cat"))) == 80
    with pytest.raises(FormError, match="101; 100 lines"):
        making.settings_for(Wish("\n".join(f"a fox {n}" for n in range(101))), shelf)
    with pytest.raises(FormError, match="reads 24 words and yours are 30"):
        making.settings_for(Wish("a fox\n" + " ".join(f"w{n}" for n in range(30))), shelf)
    assert making.prompts_of(Wish("a fox\nin the snow", mode="picture")) == ["a fox in the snow"]


def test_settings_come_back_from_a_picture_but_nothing_else_does(shelf):
    which = made(
        shelf, "a.png", "a fox", styles=(StyleUsed(name="of somebody", weight=1, sha256="0" * 64),), extra={"prompt_given": "fox"}
    )
    wish, told = making.from_recipe(album.made(shelf.picture(which)), shelf)
    assert (wish.prompt, wish.seed, wish.styles) == ("fox", 7, ())
    wish, _ = making.from_recipe({"prompt": "a fox,\nin the snow"}, shelf)  # another tool's, in two lines: still one picture's
    assert making.prompts_of(wish) == ["a fox, in the snow"]
    assert "of somebody" in told
    wish, _ = making.from_recipe({"prompt": XSS * 1000, "seed": float("nan"), "style": "/etc/passwd"}, shelf)
    assert len(wish.prompt) <= making.LONGEST_PROMPT
    assert wish.seed is None


@pytest.mark.parametrize("which", ["../x", "", "a/b", "/etc/passwd", "x" * 400, "..", "%2e%2e"])
def test_a_desk_holds_only_what_lies_on_it(shelf, which):
    with pytest.raises(ShelfError):
        making.desk_path(shelf, which)


# -- album ----------------------------------------------------------------------------------------------------------------------


def test_stars_boards_trash_and_undo(shelf):
    ids = [made(shelf, f"{n}.png", f"a fox {n} {XSS}") for n in range(3)]
    pictures = Album(shelf)
    pictures.mark("star", ids[:1], True)
    pictures.mark("board", ids[1:], f"spring {XSS}")
    pictures.mark("trash", ids[2:], True)
    assert [one.id for one in pictures.entries(view="starred")] == ids[:1]
    assert {one.id for one in pictures.entries()} == set(ids[:2])
    assert [one.id for one in pictures.entries(view="trash")] == ids[2:]
    assert pictures.undo() == "trash"
    assert len(pictures.entries("FOX 2")) == 1
    assert pictures.entries(since=time.time() + 60) == []
    html = gallery.gallery_html(shelf)
    assert "<img src=x" not in html
    pictures.mark("trash", ids[:1], True)
    assert pictures.empty_trash() == 0
    assert pictures.empty_trash(older_than=-1) == 1
    assert not (shelf.home / ids[0]).exists()
    for foreign in ("../../../etc/passwd", "styles/x.png", "/etc/passwd", "pictures/../album.jsonl"):
        with pytest.raises(ShelfError):
            pictures.mark("star", [foreign], True)


def test_an_export_has_a_manifest(shelf):
    made(shelf, "a/x.png", "one")
    made(shelf, "b/x.png", "two")
    with zipfile.ZipFile(io.BytesIO(album.export(Album(shelf).entries()))) as archive:
        assert sorted(archive.namelist()) == ["LICENCE-NOTE.txt", "manifest.json", "x-2.png", "x.png"]
        told = json.loads(archive.read("manifest.json"))
    assert {one["prompt"] for one in told["pictures"]} == {"one", "two"}
    assert all(one["recipe"]["seed"] == 7 for one in told["pictures"])


# -- words ----------------------------------------------------------------------------------------------------------------------


def job(**changes) -> Job:
    given = {
        "id": 1,
        "artist": "0" * 16,
        "verb": "finetune",
        "title": "",
        "settings": {"name": XSS},
        "state": "running",
        "token": 1,
        "attempts": 1,
    }
    given |= {
        "wish": "",
        "progress": {},
        "result": {},
        "message": "",
        "created": 0.0,
        "started": 0.0,
        "ended": 0.0,
        "worked": 0.0,
    }
    return Job(**(given | changes))


@pytest.mark.parametrize("state", ["running", "paused", "done", "failed", "cancelled"])
@pytest.mark.parametrize(
    "progress",
    [{}, {"step": 3, "total": 9, "eta": 60.0}, {"done": 1, "total": 0}, {"total": "many", "eta": "soon", "step": None}],
)
def test_jobs_in_words(state, progress):
    line = status.line(job(state=state, progress=progress, message=XSS))
    assert line.share is None or 0 <= line.share <= 1
    html = markup.part("jobs", jobs=[line])
    assert "<img src=x" not in html
    assert "\n" not in html


def test_the_share_of_pictures_in_the_making():
    told = {"done": 4, "total": 8, "step": 5, "steps": 10}
    assert math.isclose(status.share_of(job(verb="generate", settings={"batch_size": 4}, progress=told)), 0.75)


@pytest.mark.parametrize("text", ["", "[]", "null", "{", "[" * 100_000, '{"a":' * 50_000, "x" * 100_000, 5, None])
def test_messages_of_a_browser_are_a_strangers_input(text):
    assert heard(text) == {}


def test_words_and_numbers_of_messages():
    assert word({"id": ["x"]}, "id") == ""
    assert word({"id": "x" * 999}, "id", 5) == "xxxxx"
    assert whole({"page": "9" * 40}, "page") == 1_000_000
    assert whole({"page": None}, "page") == 1


def test_the_curve():
    rows = [{"step": n, "loss": 1 / n, **({"held_out": 0.5} if n % 10 == 0 else {})} for n in range(1, 2001)]
    drawn = chart.chart(rows, 100)
    assert len(drawn["train"].split()) <= chart.MOST + 40
    assert len(drawn["table"]) == 200
    assert chart.chart([]) == {}
    assert chart.chart([{"step": 1, "loss": 0.0}])["train"]


def test_empty_tabs_say_what_to_do(shelf):
    assert "No works yet" in portfolio.portfolio_html(shelf)
    assert "Nothing taught yet" in train.training_html(shelf)
    assert "First add works" in train.estimate_html(shelf, "balanced")
    assert "appears here" in stage.html(shelf, {})
    assert "Nothing here yet" in gallery.gallery_html(shelf)
    assert study.report_of(shelf, "../../x") is None
    with pytest.raises(WorksError):
        train.submit(shelf, "me", "quick", "mini", {})


def test_a_picture_is_seen_growing(shelf, tmp_path):
    """The hand looks at what is under way; the stage shows it until a picture is finished, and nothing else that a job may tell."""
    jobs.submit(shelf.artist, "generate", settings.Generate(prompt=("a fox",)))
    job = jobs.claim()
    told = io.StringIO()
    worker = hand.Hand("cpu", told)
    worker.report(generate.Progress(0, 1, step=1, steps=2, preview=lambda: Image.new("RGB", (900, 300), "#ff0000")))
    jobs.beat(job, worker.state)
    assert json.loads(told.getvalue())["progress"]["preview"] == worker.state["preview"]
    html = stage.html(shelf, {})
    found = re.search(r'src="data:image/webp;base64,([^"]+)"', html)
    seen = Image.open(io.BytesIO(base64.b64decode(found[1])))
    assert seen.size == (512, 171)
    assert seen.getpixel((9, 9))[0] > 240
    jobs.beat(job, {**worker.state, "preview": '"><script>'})
    assert "script" not in stage.html(shelf, {})

    def too_much():
        raise RuntimeError("out of memory")

    worker.look_at = 0.0
    worker.report(generate.Progress(0, 1, step=2, steps=2, preview=too_much))
    worker.report(generate.Progress(1, 1))
    assert "preview" not in worker.state


def test_a_training_shows_its_curve_and_its_samples(shelf, tmp_path):
    number = jobs.submit(shelf.artist, "finetune", {"portfolio": "portfolios/my-works", "name": "Ada"})
    jobs.claim()
    run = shelf.run_folder("Ada")
    for step in range(1, 9):
        files.append_jsonl(
            run / "log.jsonl",
            {"step": step, "total": 8, "loss": 0.5, "held_out": 0.4, "copying": 0.9, "pictures_per_second": 2.0},
        )
    picture(run / "samples" / "step-000004-0.png")
    jobs.beat(jobs.get(shelf.artist, number), {"step": 8, "energy": {"kwh": 0.0123, "co2_grams": 4.2, "seconds": 60}})
    html = train.training_html(shelf)
    assert "12.3 Wh" in html
    assert "electricity so far, about" in html
    assert "Copying alarm" in html
    assert "8 of 8" in html
    assert "step-000004-0.png" in html
    assert train.rate_here(shelf) == 2.0
    assert str(number) in html


# -- looks ----------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("side", [0, 1])
@pytest.mark.parametrize(("ink", "paper"), [("ink", "paper"), ("ink", "sheet"), ("soft", "paper"), ("soft", "sheet"), ("accent", "paper"),
                                            ("on-accent", "accent"), ("bad", "sheet"), ("bad", "paper"), ("warn", "sheet"), ("warn", "paper"),
                                            ("good", "sheet"), ("accent", "sheet")])  # fmt: skip
def test_every_ink_can_be_read(side, ink, paper):
    def light(name: str) -> float:
        channels = [int(theme.COLOURS[name][side][at : at + 2], 16) / 255 for at in (1, 3, 5)]
        linear = [value / 12.92 if value <= 0.03928 else ((value + 0.055) / 1.055) ** 2.4 for value in channels]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    dark, bright = sorted((light(ink), light(paper)))
    assert (bright + 0.05) / (dark + 0.05) >= 4.5


def test_nothing_is_fetched_from_elsewhere():
    text = theme.css() + theme.head() + (theme.STATIC / "studio.js").read_text()
    text += "".join(path.read_text() for path in markup.PARTS.glob("*.html"))
    assert not re.search(r"(?:https?:)?//(?!www\.w3\.org)[a-z0-9-]+\.[a-z]", text)
    for file in re.findall(r"url\(/look/([^)]+)\)", theme.css()):
        assert (theme.STATIC / file).is_file()


def test_no_piece_switches_escaping_off():
    for path in markup.PARTS.glob("*.html"):
        assert "| safe" not in path.read_text()
        assert "autoescape" not in path.read_text()


def test_a_request_under_a_proxys_path():
    assert status.root_of(SimpleNamespace(request=SimpleNamespace(scope={"root_path": "/artlab/ui"}))) == "/artlab"


def test_news_change_with_everything_that_the_page_shows_and_with_nothing_else(shelf, tmp_path):
    """The page asks Gradio to draw only when this text differs."""
    parts = [
        status.Watched(module.stamp, None, None, [], [], (None,) * (module is study))
        for module in (stage, gallery, portfolio, study, train)
    ]
    seen = [status.news(shelf, parts)]

    def differs() -> bool:
        seen.append(status.news(shelf, parts))
        return seen[-1] != seen[-2]

    other = accounts.register("Bea", "four random words here").id
    jobs.submit(other, "generate", {"prompt": ["a fox"]})
    made(Shelf(other), "theirs.png")
    assert not differs()
    number = jobs.submit(shelf.artist, "generate", {"prompt": ["a fox"]})
    assert differs()
    jobs.cancel(shelf.artist, number)
    assert differs()
    made(shelf, "hers.png")
    assert differs()
    Album(shelf).mark("star", [Album(shelf).entries()[0].id], True)
    assert differs()
    assert not differs()
