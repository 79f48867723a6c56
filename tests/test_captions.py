"""Words from the surroundings of a picture, cleaned, and the trigger."""

import json
import re
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from artlab.portfolio import captions


def words(name: str, texts: dict[str, str] | None = None, folder: Path | None = None, common: str = "") -> captions.Words:
    paths = {}
    for key, text in (texts or {}).items():
        path = folder / key.replace("/", "__")
        path.write_text(text, encoding="utf-8")
        paths[key] = path
    return captions.words(name, paths, captions.metadata_rows(paths), common)


def test_the_first_source_that_says_something_wins(tmp_path):
    row = json.dumps({"file_name": "rose.jpg", "title": "From the title"})
    both = {"a/rose.txt": "From the sidecar.", "a/metadata.jsonl": row}
    assert words("a/rose.jpg", both, tmp_path).caption == "From the sidecar."
    assert words("a/rose.jpg", {"a/rose.caption": "Caption file"}, tmp_path).caption == "Caption file"
    assert words("a/rose.jpg", {"a/rose.txt": " \n", "a/metadata.jsonl": row}, tmp_path).caption == "From the title"
    assert words("a/rose.jpg", {"a/metadata.jsonl": row}, tmp_path).caption == "From the title"
    assert words("rose.jpg", {"a/metadata.jsonl": row}, tmp_path).caption == "rose"
    assert words("4_hln garden/rose.jpg").caption == "garden"
    assert words("venice/rose at dawn.jpg").caption == "rose at dawn, venice"
    assert words("venice/IMG_0001.jpg").caption == "venice"
    assert words("IMG_0001.jpg").caption == ""


def test_metadata_prefers_text_over_caption_over_title(tmp_path):
    rows = [
        {"file_name": "a.jpg", "text": "T", "caption": "C", "title": "X", "genre": "ignored"},
        {"file_name": "b.jpg", "text": None, "caption": "C", "title": "X"},
        {"file_name": "c.jpg", "text": 7, "title": "X", "series": "Happy England"},
    ]
    lines = [json.dumps(row) for row in rows] + ["not json", "[1]", '{"text": "no name"}', "[" * 100_000]
    texts = {"metadata.jsonl": "\n".join(lines)}
    assert [words(f"{name}.jpg", texts, tmp_path).caption for name in "abc"] == ["T", "C", "X"]
    assert words("c.jpg", texts, tmp_path).series == "Happy England"


def test_an_accent_written_in_two_ways_is_one_name(tmp_path):
    row = json.dumps({"file_name": "cafe\u0301.jpg", "text": "A café"})
    assert words("caf\u00e9.jpg", {"metadata.jsonl": row}, tmp_path).caption == "A café"


def test_folders_are_series_but_for_the_one_that_all_share():
    assert words("Paris/Spring 2019/x.jpg").series == "Paris / Spring"
    assert words("all/venice/x.jpg", common="all").series == "venice"
    assert words("all/x.jpg", common="all").series == ""
    shared = words("img/10_hln garden/x.jpg", common="img/10_hln garden")
    assert (shared.repeats, shared.caption, shared.series) == (10, "garden", "")


@pytest.mark.parametrize(
    ("folder", "said"),
    [
        ("10_sks dog", (10, "dog")),
        ("3_garden", (3, "garden")),
        ("2_hln_old garden", (2, "old garden")),
        ("01_venice", None),
        ("2019_summer", None),
        ("venice", None),
        ("0_x", None),
    ],
)
def test_kohya_folders(folder, said):
    assert captions.kohya(folder) == said


@pytest.mark.parametrize(
    "stem",
    [
        *("IMG_1234", "DSC0001", "DSC_0001 copy", "PXL_20230101_123456789.MP", "P1010023", "IMG-20230101-WA0001"),
        *("scan 3", "Scan_0003", "page_017", "Screenshot 2024", "WhatsApp Image 2023-01-01 at 10.22.33", "untitled (3)"),
        *("9f86d081884c7d65", "550e8400-e29b-41d4-a716-446655440000", "0012", "2019-05-03 14.22.11", "", "___"),
    ],
)
def test_names_that_say_nothing(stem):
    assert captions.readable(stem) == ""


@pytest.mark.parametrize(
    ("stem", "said"),
    [
        ("rose_garden-at.dawn", "rose garden at dawn"),
        ("roseGardenGate", "rose Garden Gate"),
        ("001 The old mill (2)", "The old mill"),
        ("cottage_final_v2", "cottage"),
        ("葛飾北斎", "葛飾北斎"),
        ("Three Sisters scan 3", "Three Sisters"),
    ],
)
def test_names_that_say_something(stem, said):
    assert captions.readable(stem) == said


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("<b>A <i>rose</i></b> &amp; a gate", "A rose & a gate"),
        ("rose<script>alert(1)</script>", "rose"),
        ("&lt;img src=x onerror=alert(1)&gt;rose", "rose"),
        ("a < b and c > d", "a < b and c > d"),
        ("ro\u200bse\u202e\x00\x1b[31m", "rose[31m"),
        ("two\nlines\tand  more", "two lines and more"),
        ("=cmd()|rose", "cmd()|rose"),
        ("(rose:1.4), [gate:0.5], ((sky:1.2):1.1) <lora:evil:1>", "rose, gate, sky"),
        ("cafe\u0301", "café"),
        (None, ""),
        (17, ""),
    ],
)
def test_cleaning(text, clean):
    assert captions.clean(text) == clean


def test_a_long_caption_is_cut_between_words(tmp_path):
    assert captions.clean("word " * 20_000) == ("word " * 60).strip()
    assert len(captions.clean("x" * 100_000)) == 300
    assert words("a.jpg", {"a.txt": "<" * 100_000 + "word " * 100}, tmp_path).caption != ""


def test_sidecars_of_other_encodings(tmp_path):
    for number, encoding in enumerate(("utf-8-sig", "utf-16", "latin-1")):
        path = tmp_path / f"{number}.txt"
        path.write_bytes("Häuser".encode(encoding))
        assert captions.words("a.jpg", {"a.txt": path}, {}).caption in ("Häuser", "Huser")


@given(st.text(max_size=600) | st.from_regex(r"(<?/?[a-z&;()\[\]:.0-9]+>?){0,40}", fullmatch=True))
def test_clean_text_is_short_visible_and_stays_as_it_is(text):
    clean = captions.clean(text)
    assert len(clean) <= 300
    assert clean == captions.clean(clean)
    assert not any(unicodedata.category(letter)[0] == "C" for letter in clean)
    assert not re.search(r"<(script|img)\b[^<>]*>", clean, re.IGNORECASE)
    assert not clean.startswith(("=", "+", "-", "@", " "))


@given(st.text(max_size=80))
def test_any_name_reads_as_something_clean(stem):
    read = captions.readable(stem)
    assert read == captions.clean(read)


@given(st.text(max_size=80))
def test_any_name_has_a_trigger_of_one_plain_word(name):
    assert re.fullmatch(r"[a-z]{3,16}", captions.trigger_word(name))
    assert captions.trigger_word(name) == captions.trigger_word(name)


@pytest.mark.parametrize(
    ("name", "trigger"),
    [
        ("helen-allingham", "allinghamvu"),
        ("Gustave Doré", "dorevu"),
        ("W. Heath Robinson", "robinsonvu"),
        ("John Smith Jr.", "smithvu"),
        ("Rose", "rosevu"),
        ("J. R.", "jrvu"),
    ],
)
def test_triggers(name, trigger):
    assert captions.trigger_word(name) == trigger


def test_names_in_other_scripts_have_triggers_of_their_own():
    made = {captions.trigger_word(name) for name in ("葛飾北斎", "歌川広重", "Илья Репин", "")}
    assert len(made) == 4
    assert not any("untitled" in trigger for trigger in made)


@given(st.text(max_size=100), st.sampled_from(["allinghamvu", "dorevu"]))
def test_a_trigger_is_said_exactly_once(caption, trigger):
    said = captions.with_trigger(caption, trigger)
    assert said == captions.with_trigger(said, trigger)
    assert trigger in said.lower()


def test_the_words_around_a_trigger():
    assert captions.with_trigger("A cottage.", "xvu") == "A cottage, by xvu"
    assert captions.with_trigger("", "xvu") == "a picture by xvu"
    assert captions.with_trigger("a house by XVU at dawn", "xvu") == "a house by XVU at dawn"
    assert captions.with_trigger("xvus", "xvu") == "xvus, by xvu"
    assert captions.with_trigger("a house", "") == "a house"
