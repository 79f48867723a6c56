"""The demo page: one file, no network, no script, everything on it true and escaped."""

import base64
import io
import re
from html.parser import HTMLParser

import pytest
from PIL import Image

from artlab import demo, drawing, files, recipe, settings, style
from artlab.generate import Picture
from artlab.portfolio import curate, gather

EVIL = '<img src=x onerror=alert(1)>"&'
VOID = {"meta", "img", "br", "link"}


@pytest.fixture(scope="module")
def portfolio(tmp_path_factory):
    """Four small works, one with a hostile caption, gathered once."""
    folder = tmp_path_factory.mktemp("works") / "vask"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ARTLAB_HOME", str(tmp_path_factory.mktemp("home")))
        paths = drawing.draw_portfolio("vask", folder, count=4, height=96)
        (folder / "copy.png").write_bytes(paths[0].read_bytes())
        return curate(gather(folder, say=lambda _: None))


@pytest.fixture
def taught():
    card = {
        "name": f"vask {EVIL}",
        "trigger": "vsk",
        "base": {"name": "mini", "family": "mini", "fingerprint": "ab", "resolution": 128},
        "settings": settings.Finetune(rank=8, max_train_steps=40, seed=3).model_dump(mode="json", exclude={"portfolio"}),
        "data": {"works": 5, "kept": 4},
        "steps": 40,
        "chosen_step": 30,
        "reason": f"It was best {EVIL}.",
        "scores": {"held_out_loss": 0.1234},
        "energy": {"seconds": 400, "kwh": 0.002, "co2_grams": 0.7, "country": "DEU", "how": "measured by RAPL"},
    }
    return style.save(files.styles() / "vask", card, {"lora.safetensors": b"x" * 100_000})


@pytest.fixture
def page(portfolio, taught, tmp_path) -> str:
    run = tmp_path / "run"
    for step in range(1, 41):
        row = {"step": step, "loss": 1 / step} | ({"held_out": 0.5 - step / 100} if step % 10 == 0 else {})
        files.append_jsonl(run / "log.jsonl", row)
    for step in (0, 20, 40):
        for index in range(2):
            (run / "samples").mkdir(exist_ok=True)
            Image.new("RGB", (8, 8)).save(run / "samples" / f"step-{step:06d}-{index}.png")
    return demo.render(f"/secret/{EVIL}/vask", portfolio, taught, run, [comparison(portfolio, tmp_path)])


def comparison(portfolio, folder) -> demo.Comparison:
    def picture(name: str, **changes) -> Picture:
        made = recipe.Recipe(
            prompt=EVIL,
            seed=7,
            width=8,
            height=8,
            steps=20,
            sampler="dpm++",
            guidance=4,
            base=recipe.BaseUsed(name="mini", fingerprint=""),
            **changes,
        )
        return Picture(recipe.embed(Image.new("RGB", (8, 8)), made, folder / name), made)

    styled = picture("b.png", extra={"prompt_given": "a fox; rm -rf ~"})
    return demo.Comparison(picture("a.png"), styled, portfolio.kept[0], 0.25)


class Reader(HTMLParser):
    """Elements and attributes of a page; notices tags that are not closed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict]] = []
        self.open: list[str] = []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))
        if tag not in VOID and not self.get_starttag_text().endswith("/>"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        if self.get_starttag_text() and tag in self.open:
            assert self.open.pop() == tag


def test_the_page_stands_alone(page):
    reader = Reader(page)
    for tag, attributes in reader.elements:
        assert tag not in ("script", "link", "iframe", "object", "form", "base")
        assert not any(name.startswith("on") for name in attributes)
        for name in ("src", "href", "srcset", "action"):
            assert str(attributes.get(name, "data:")).startswith("data:")
    plain = re.sub(r"data:image[^\"]+", "", page)
    assert "http:" not in plain
    assert "https:" not in plain
    assert "url(" not in plain
    assert "default-src 'none'" in page


def test_everything_is_escaped(page):
    assert "<img src=x" not in page
    assert page.count("&lt;img src=x onerror=alert(1)&gt;") >= 4


def test_every_picture_is_whole_and_has_an_alt_text(page):
    pictures = [attributes for tag, attributes in Reader(page).elements if tag == "img"]
    assert len(pictures) == 3 + 6 + 5 + 1  # side by side, strip, works, contact sheet
    for attributes in pictures:
        assert attributes["alt"].strip()
        Image.open(io.BytesIO(base64.b64decode(attributes["src"].partition(",")[2]))).load()


def test_paths_are_not_told(page, tmp_path):
    assert str(tmp_path) not in page
    assert str(files.home()) not in page


def test_marks_numbers_and_reason_are_shown(page, portfolio):
    assert "4 of 5 works were learned from" in page
    assert "duplicate: " in page
    assert "30 of 40" in page
    assert "7 min" in page
    assert "2 Wh" in page
    assert "measured by RAPL" in page
    assert "It was best" in page
    assert "step 30 chosen" in page


def test_the_commands_can_be_pasted(page, taught):
    assert "artlab generate &#39;a fox; rm -rf ~&#39; --seed 7 --style vask" in page
    assert demo.teaching("drawn:vask", taught) == "artlab finetune drawn:vask --rank 8 --max_train_steps 40 --seed 3"


def test_the_curve_lies_within_its_frame():
    rows = [{"step": step, "loss": 1 / step, "held_out": 0.3} for step in range(1, 5000)] + [{"step": 5000, "loss": -1.0}]
    drawn = demo.chart(rows, 4000)
    left, right, top, bottom = drawn["frame"]
    points = [tuple(map(float, pair.split(","))) for pair in drawn["train"].split()]
    assert 100 < len(points) <= 320
    assert all(left <= x <= right and top <= y <= bottom for x, y in [*points, *drawn["held"]])
    assert [x for x, _ in points] == sorted(x for x, _ in points)
    assert left < drawn["chosen"] < right
    assert drawn["anchor"] == "end"
    assert points[0][1] < points[-1][1]  # the loss falls, and y grows downwards


@pytest.mark.parametrize("rows", [[], [{"step": 1, "loss": -1.0}]])
def test_without_losses_there_is_no_curve(rows):
    assert demo.chart(rows, 0) == {}


def test_one_step_or_a_flat_loss_draws_all_the_same():
    drawn = demo.chart([{"step": 1, "loss": 0.5}], 1)
    assert "nan" not in str(drawn)


def test_the_mean_of_a_smoothed_curve_is_kept():
    points = [(step, float(step % 2)) for step in range(400)]
    middle = [value for _, value in demo.smoothed(points)][20:-20]
    assert all(value == pytest.approx(0.5, abs=0.05) for value in middle)


def test_the_strip_marks_the_samples_nearest_to_the_chosen_step(tmp_path):
    for step in (0, 50, 100):
        Image.new("RGB", (4, 4)).save(tmp_path / f"step-{step:06d}-0.png")
    assert [(one["step"], one["chosen"]) for one in demo.strip(tmp_path, 80)] == [(0, False), (50, False), (100, True)]
    assert demo.strip(tmp_path / "none", 80) == []


def test_prompts_are_hers_and_everyones(portfolio):
    chosen = demo.prompts(portfolio)
    captions = {work.caption for work in portfolio.kept}
    assert len(chosen) == 4
    assert set(chosen[:2]) <= captions
    assert chosen[2:] == demo.MOTIFS


@pytest.mark.slow
def test_the_whole_way(tiny_base_folder, tmp_path):
    folder = tmp_path / "vask"
    drawing.draw_portfolio("vask", folder, count=8, height=128)
    wanted = settings.Demo(portfolio=str(folder), base=str(tiny_base_folder), max_train_steps=12, device="cpu")
    heard = []
    path = demo.demo(wanted, heard.append)
    assert path == files.home() / "demos" / "vask-demo" / "index.html"
    Reader(path.read_text())
    assert len(list((path.parent / "pictures").glob("*.png"))) == 8
    assert {"Step", "Progress"} == {type(one).__name__ for one in heard}
    assert demo.demo(wanted.model_copy(update={"max_train_steps": 14}), heard.append) == path
