"""A style judged, on a tiny base: what the page and report.json say, and what is refused by name."""

import json
import re
import shutil
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

from artlab import drawing, files, judge, style
from artlab.evaluate import EvaluateError, evaluate, figures, material, palette, plots, report, verdict
from artlab.finetune import finetune
from artlab.metrics.errors import MissingNetwork
from artlab.portfolio import PortfolioError
from artlab.settings import Evaluate, Finetune


@pytest.fixture(scope="session")
def portfolios(tmp_path_factory):
    """Three drawn artists, small: vask is hers."""
    root = tmp_path_factory.mktemp("portfolios")
    for name, count in (("vask", 14), ("solvane", 8), ("wendel", 8)):
        slug = name if name in drawing.ARTISTS else next(one for one in drawing.ARTISTS if one not in ("vask", "solvane"))
        drawing.draw_portfolio(slug, root / slug, count=count, height=96)
    return sorted(root.iterdir(), key=lambda folder: (folder.name != "vask", folder.name))


def taught(portfolios, base, **changes):
    wanted = {"portfolio": str(portfolios[0]), "base": str(base), "resolution": 64, "max_train_steps": 6, "train_batch_size": 2, "rank": 2,
              "views": 1, "judge_steps": 3, "judge_count": 8, "device": "cpu", "mixed_precision": "fp32"}  # fmt: skip
    return finetune(Finetune(**wanted | changes), report=lambda step: None, say=lambda text: None)


def silently(settings):
    return evaluate(settings, report=lambda progress: None, say=lambda text: None)


class Page(HTMLParser):
    """Collects what a page refers to and shows; complains of tags that do not close."""

    def __init__(self, text):
        super().__init__()
        self.open, self.images, self.addresses, self.words = [], [], [], []
        self.feed(text)
        assert not self.open

    def handle_starttag(self, tag, attrs):
        found = dict(attrs)
        if tag == "img":
            self.images.append(found)
        self.addresses += [value for key, value in attrs if key in ("src", "href") and value]
        if tag not in ("img", "meta", "br", "circle", "line", "rect", "path", "polyline", "polygon"):
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        pass

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.words.append(data)


# -- the whole way ----------------------------------------------------------------------------------------------------------


def test_a_style_is_judged_on_one_page(portfolios, tiny_base_folder, tmp_path):
    made = taught(portfolios, tiny_base_folder)
    told, heard = [], []
    wanted = Evaluate(
        style="vask", portfolio=str(portfolios[0]), others=tuple(map(str, portfolios[1:])), count=8, curve_count=8, num_inference_steps=2, device="cpu"
    )  # fmt: skip
    found = evaluate(wanted, report=heard.append, say=told.append)
    numbers = json.loads((found.path.parent / "report.json").read_text())
    assert numbers == found.numbers
    assert found.path == files.home() / "evaluations" / "vask" / "index.html"
    assert [one.done for one in heard] == sorted(one.done for one in heard)
    assert len(numbers["verdict"]) == 3
    assert list(found.verdict) == told[-3:]
    assert numbers["counts"] == {"works": 14, "train": 12, "held": 2, "style": 8, "base": 8}
    assert numbers["subject"]["weights_sha256"] == made.sha256

    for row in numbers["fidelity"]:  # every figure has its network and n, and stands beside chance and the base; or says why not
        assert row["extractor"]
        if "refused" in row:
            assert "n=8" in row["refused"]
        else:
            assert {"n", "null", "z", "base", "base_z"} <= row.keys()
    assert next(row for row in numbers["fidelity"] if row["figure"] == "FD")["refused"]
    assert numbers["critic"]["classes"] == sorted(folder.name for folder in portfolios)
    assert sum(map(sum, numbers["critic"]["confusion"])) == numbers["critic"]["n"]
    assert {row["set"] for row in numbers["table"]} == {"base", "style", "held", "other"}
    assert [row["step"] for row in numbers["curve"]["steps"]] == [0, 3, 6]
    assert numbers["curve"]["chosen"] in (3, 6)

    text = found.path.read_text()
    page = Page(text)
    assert all(address.startswith("data:image/") for address in page.addresses)
    assert all(image["alt"] for image in page.images)
    assert not re.search(r"https?://|<script|\bnan\b|\binf\b", re.sub(r'src="[^"]*"', "", text), re.IGNORECASE)
    assert numbers["verdict"][0] in " ".join(" ".join(page.words).split())
    assert str(portfolios[0].parent) not in text
    assert len(text) < 3_000_000

    again = silently(wanted)  # nothing is made twice, and the same figures come out
    assert {**again.numbers, "created": ""} == {**numbers, "created": ""}
    by_content = tmp_path / files.fingerprint("works")  # as the studio names them
    shutil.copytree(portfolios[0], by_content)
    assert silently(wanted.model_copy(update={"portfolio": str(by_content)})).numbers["subject"]["portfolio"] == made.name


def test_a_folder_of_pictures_is_judged_against_works(portfolios, tmp_path):
    made = tmp_path / "made"
    made.mkdir()
    for index in range(10):
        drawing.draw_work("vask", 50 + index, height=64).picture.save(made / f"{index}.png")
    found = silently(
        Evaluate(pictures=made, portfolio=str(portfolios[0]), control=portfolios[1], others=tuple(map(str, portfolios[1:])))
    )
    numbers = found.numbers
    assert numbers["counts"]["style"] == 10
    assert numbers["counts"]["base"] == 8
    assert "10 of 10 pictures tell no prompt" in numbers["prompts"]["refused"]
    assert "refused" in numbers["agreement"][0]
    assert numbers["critic"]["says"]["style"]["hers"] > numbers["critic"]["says"]["base"]["hers"]
    near = numbers["nearness"]
    assert near["style"]["median"] > near["base"]["median"]
    assert "curve" not in numbers
    assert "cannot be said" in numbers["verdict"][2]
    Page(found.path.read_text())


def test_five_works_tell_copies_and_nothing_of_the_hand(portfolios, tmp_path):
    few = tmp_path / "few"
    drawing.draw_portfolio("vask", few, count=5, height=96)
    found = silently(Evaluate(pictures=portfolios[1], portfolio=str(few)))
    assert "cannot be said" in found.verdict[0] or "without pictures to compare with" in found.verdict[0]
    assert found.verdict[1].startswith("It copied nothing")
    numbers = found.numbers
    assert all("refused" in row for row in numbers["fidelity"])
    assert "refused" in numbers["critic"]
    assert numbers["copying"]["sets"]["style"]["flagged"] == 0
    assert any(remark.startswith("5 works tell") for remark in numbers["remarks"])
    assert Page(found.path.read_text(encoding="utf-8")).images


def test_pictures_come_from_a_drawn_artist_or_a_zip_too_and_tiny_ones_are_told(portfolios, tmp_path):
    drawn, remarks = material.pictures(Path("drawn:vask"), print)
    assert len(drawn.paths) == 24
    assert remarks == []
    folder = tmp_path / "tiny"
    folder.mkdir()
    for index in range(9):
        Image.new("RGB", (20 + index, 20), (index * 20, 90, 120)).save(folder / f"{index}.png")
    packed = Path(shutil.make_archive(str(folder), "zip", folder))
    tiny, remarks = material.pictures(packed, print)
    assert len(tiny.paths) == 9
    assert "9 of 9 pictures are smaller than 64 px" in remarks[-1]
    with pytest.raises(PortfolioError, match="no drawn artist “vaks”"):
        material.pictures(Path("drawn:vaks"), print)


def test_the_judge_ends_a_training_and_chooses(portfolios, tiny_base_folder, monkeypatch):
    monkeypatch.setattr(judge, "enough", lambda scores, base, patience: len(scores) >= 2)
    made = taught(portfolios, tiny_base_folder, judge=True, max_train_steps=12)
    rows = list(files.read_jsonl(files.runs() / "vask" / "judge.jsonl"))
    assert [row["step"] for row in rows] == [0, 3, 6]
    assert made.card["chosen_step"] in (3, 6)
    assert [row[0] for row in made.card["scores"]["judge"]] == [0, 3, 6]
    assert str(made.card["chosen_step"]) in made.card["reason"]
    kept = style.load("vask").weights.read_bytes()
    assert len(kept) == pytest.approx(
        (files.runs() / "vask" / "adapters" / f"step-{made.card['chosen_step']:08d}.safetensors").stat().st_size, rel=0.2
    )


# -- what is refused --------------------------------------------------------------------------------------------------------


def test_too_few_works_or_pictures_are_named(portfolios, tmp_path):
    few, fewest = tmp_path / "few", tmp_path / "fewest"
    drawing.draw_portfolio("vask", few, count=5, height=96)
    drawing.draw_portfolio("vask", fewest, count=3, height=96)
    with pytest.raises(EvaluateError, match="fewest has 3 usable works; copies are told from 4 on"):
        silently(Evaluate(pictures=portfolios[1], portfolio=str(fewest)))
    with pytest.raises(EvaluateError, match="5 different pictures"):
        silently(Evaluate(pictures=few, portfolio=str(portfolios[0])))
    with pytest.raises(EvaluateError, match="few has 5 usable works; the critic"):
        silently(Evaluate(pictures=portfolios[1], portfolio=str(portfolios[0]), others=(str(few),)))


def test_a_missing_network_is_named_before_anything_is_made(portfolios):
    with pytest.raises(MissingNetwork, match="Inception"):
        silently(Evaluate(pictures=portfolios[1], portfolio=str(portfolios[0]), extractor=("inception",)))
    assert not (files.home() / "evaluations").exists()


def test_works_are_asked_for_where_nobody_knows_them(tmp_path):
    with pytest.raises(style.StyleError, match="nobody"):
        silently(Evaluate(style="nobody"))
    unknown = style.Style("mine", tmp_path, "minevu", {}, tmp_path, {})
    with pytest.raises(EvaluateError, match="--portfolio FOLDER"):
        material.works(Evaluate(style="mine"), unknown, print)


def test_unreadable_files_are_named_and_the_rest_goes_on(portfolios, tmp_path):
    for number, path in enumerate(sorted(portfolios[0].glob("*.png"))):
        (tmp_path / f"{number}.png").write_bytes(path.read_bytes())
    (tmp_path / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\nnothing")
    hers = material.works(Evaluate(pictures=tmp_path, portfolio=str(tmp_path)), None, lambda text: None)
    assert any("broken.png was left out" in remark for remark in hers.remarks)
    assert any("have no caption" in remark for remark in hers.remarks)
    with pytest.raises(PortfolioError, match="nowhere"):
        material.works(Evaluate(pictures=tmp_path, portfolio=str(tmp_path / "nowhere")), None, print)


@pytest.mark.parametrize(
    "given", [{}, {"style": "a", "pictures": "b", "portfolio": "c"}, {"pictures": "b"}, {"style": "a", "control": "b"}]
)
def test_settings_that_make_no_sense_together(given):
    with pytest.raises(EvaluateError, match=r"one of the two|with --portfolio|goes with --pictures"):
        silently(Evaluate(**given))


# -- figures ----------------------------------------------------------------------------------------------------------------


def rows(seed, shift=0.0, n=24):
    rng = np.random.default_rng(seed)
    return {name: rng.normal(size=(n, width)) + shift for name, width in (("style", 200), ("palette", 40), ("effnet-lite0", 60))}


def test_the_way_is_none_for_the_base_and_all_for_her_own():
    works, base = rows(0, 0.0), rows(1, 1.0)
    for made, expected in ((rows(2, 0.0), 1.0), (rows(3, 1.0), 0.0)):
        for way in figures.ways(works, made, base):
            assert way["value"] == pytest.approx(expected, abs=0.2)
            assert way["interval"][0] <= way["value"] <= way["interval"][1]
    half = figures.ways(works, rows(4, 0.5), base)[0]
    assert 0.5 < half["value"] < 0.9


def test_where_the_base_paints_like_her_there_is_no_way_to_go():
    assert all("no way to go" in way["refused"] for way in figures.ways(rows(0), rows(1), rows(2)))
    assert all("n=5" in way["refused"] for way in figures.ways(rows(0), rows(1, n=5), rows(2, 1.0)))


def test_copies_are_found_and_new_works_are_not():
    rng = np.random.default_rng(0)
    works, fresh = rng.normal(size=(30, 64)), rng.normal(size=(30, 64))
    found = figures.copying_figures(works, {"style": works[:12] + 0.05 * rng.normal(size=(12, 64)), "held": fresh})
    assert found["sets"]["style"]["flagged"] == 12
    assert found["sets"]["style"]["surely"]
    assert not found["sets"]["held"]["surely"]
    both = {"style": works[:12] + 0.05 * rng.normal(size=(12, 64)), "base": works[:12] + 0.05 * rng.normal(size=(12, 64))}
    found = figures.copying_figures(works, both)
    assert found["sets"]["style"]["flagged"] == 12
    assert not found["sets"]["style"]["surely"]  # the base never saw the works, and its pictures are as like them


def test_a_palette_knows_colours_and_no_shapes():
    red, blue = (200, 40, 30), (30, 60, 190)
    halves = Image.new("RGB", (64, 64), red)
    halves.paste(blue, (0, 0, 32, 64))
    turned, other = halves.rotate(90), Image.new("RGB", (64, 64), (240, 230, 120))
    a, b, c = palette.palette([halves, turned, other])
    assert np.linalg.norm(a - b) == pytest.approx(0, abs=1e-6)
    assert np.linalg.norm(a - c) == pytest.approx(2**0.5, abs=0.1)


def test_plots_are_well_formed_and_escaped():
    drawn = [
        plots.strips([plots.Strip("a <b>", [0.1, 0.1, 0.5], "style"), plots.Strip("none", [], "base")], said='say "so"', axis="x & y", mark=(0.2, "here")),
        plots.strips([plots.Strip("flat", [0.3, 0.3], "style")], said="flat", axis="x"),
        plots.ways([{"aspect": "form", "value": -3.0, "interval": [-9, 2]}], {"form": "form"}, said="w"),
        plots.calibration([(0.1, 0.0, 20), (0.9, 1.0, 4)], said="c"),
        plots.curve([{"step": s, "style": [0.1, 0.01], "agreement": [0.0, 0.0], "copied": [0, 8]} for s in (0, 5)], 5, said="s"),
    ]  # fmt: skip
    for text in drawn:
        ElementTree.fromstring(text)
        assert "nan" not in text


@pytest.mark.parametrize(
    ("value", "text"), [(None, "–"), (0.0, "0"), (-0.1234, "−0.123"), (1234.5, "1234"), (0.00012, "1.2e−04"), (0.5, "0.5")]
)
def test_numbers_in_words(value, text):
    assert report.number(value) == text


# -- the verdict ------------------------------------------------------------------------------------------------------------


def numbers(palette=0.8, brush=0.6, flagged=0, surely=False, kept=(0.9, 0.7, 1.1), curve=None):
    ways = [
        {"aspect": "palette", "value": palette, "interval": [palette - 0.1, palette + 0.1]},
        {"aspect": "brushwork", "value": brush, "interval": [brush - 0.1, brush + 0.1]},
    ]
    return {
        "subject": {"kind": "style"},
        "ways": ways,
        "critic": {"says": {"style": {"hers": 30, "n": 40}, "base": {"hers": 1, "n": 40}}},
        "copying": {"sets": {"style": {"flagged": flagged, "n": 40, "surely": surely}}},
        "prompts": {"value": kept[0], "interval": list(kept[1:])},
        "curve": curve,
        "fidelity": [],
    }


def test_a_good_style_is_praised_in_three_sentences():
    learned, copied, follows = verdict.verdict(numbers())
    assert learned.startswith("It learned your palette and your brushwork (80 % and 60 % of the way")
    assert learned.endswith("takes 30 of its 40 pictures for yours, and 1 of the base's 40.")
    assert copied.startswith("It copied nothing that we can see: none of the 40")
    assert "follows your prompts nearly as the bare base does (90 % is kept)" in follows


def test_a_bad_one_is_told_plainly():
    curve = {"chosen": 200, "forgets_from": 400, "copies_from": None}
    learned, copied, follows = verdict.verdict(numbers(0.02, 0.0, flagged=11, surely=True, kept=(0.2, 0.1, 0.3), curve=curve))
    assert learned.startswith("It has not learned your voice")
    assert copied.startswith("Careful, it copies: 11 of 40")
    assert follows.startswith("It has forgotten the prompts: of what the bare base painted as asked, 20 % is left;")
    assert follows.endswith("from step 400 on it forgets them, so step 200 is the one to keep.")


def test_what_cannot_be_said_is_not_said():
    found = numbers(0.3, 0.05) | {
        "copying": {"refused": "too few."},
        "prompts": {"refused": "no prompts."},
        "critic": {"refused": "x"},
    }
    learned, copied, follows = verdict.verdict(found)
    assert learned == "It has begun to learn your palette (30 % of the way from the bare base to your works), and no more yet."
    assert copied == "Whether it copies cannot be said: too few."
    assert follows == "Whether it follows your prompts cannot be said: no prompts."
