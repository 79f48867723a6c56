"""Styles: saved whole, found by name, and refused by name when anything about them is wrong."""

import json
from pathlib import Path

import pytest

from artlab import files, style
from artlab.style import StyleError

CARD = {
    "name": "Wren Cuts",
    "trigger": "wrn",
    "base": {"name": "mini", "family": "mini", "fingerprint": "ab12", "resolution": 128},
    "settings": {"rank": 4},
    "reason": "lowest held-out loss",
}
TENSORS = b"\x08\0\0\0\0\0\0\0{}      tensors"


@pytest.fixture(autouse=True)
def no_shipped_styles(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "shipped_styles", lambda: tmp_path / "shipped")


def make(folder: Path, **changes) -> style.Style:
    return style.save(folder, CARD | changes, {"lora.safetensors": TENSORS, "preview.png": b"png"})


def test_what_is_saved_is_loaded():
    made = make(files.styles() / "wren-cuts")
    again = style.load("wren-cuts")
    assert again == made
    assert (again.name, again.trigger, again.base["fingerprint"]) == ("Wren Cuts", "wrn", "ab12")
    assert again.card["settings"] == {"rank": 4}
    assert again.weights.read_bytes() == TENSORS
    assert again.preview.read_bytes() == b"png"
    assert again.card["schema"] == 1
    assert again.card["artlab"]
    assert again.card["created"].endswith("+00:00")


@pytest.mark.parametrize("name", ["Wren Cuts", "wren cuts", "WREN-CUTS"])
def test_a_style_is_found_by_its_name_or_slug(name):
    folder = files.styles() / "wren-cuts"
    make(folder)
    assert style.load(name).folder == folder


def test_a_style_in_an_oddly_named_folder_is_found_by_its_name():
    make(files.styles() / "k27")
    assert style.load("wren cuts").folder.name == "k27"


def test_a_style_is_found_by_folder_or_file(tmp_path):
    folder = make(tmp_path / "elsewhere").folder
    for given in (folder, str(folder), folder / "style.json", str(folder / "lora.safetensors")):
        assert style.load(given).name == "Wren Cuts"


def test_a_path_is_never_taken_for_a_name(tmp_path, monkeypatch):
    make(files.styles() / "wren")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(StyleError, match="no style"):
        style.load("./wren")


def test_own_styles_come_before_shipped_ones():
    make(files.shipped_styles() / "wren", trigger="theirs")
    assert style.load("wren").trigger == "theirs"
    make(files.styles() / "wren", trigger="mine")
    assert style.load("wren").trigger == "mine"
    assert [found.trigger for found in style.list_styles()] == ["mine"]


def test_an_unknown_name_gets_the_nearest_ones():
    make(files.styles() / "wren", name="wren")
    make(files.styles() / "ember", name="ember")
    with pytest.raises(StyleError, match=r"no style “wern”\. Did you mean “wren”\?"):
        style.load("wern")
    with pytest.raises(StyleError, match="ember, wren"):
        style.load("zzzzzz")


def test_with_no_styles_the_way_to_one_is_told():
    with pytest.raises(StyleError, match="artlab finetune FOLDER"):
        style.load("wren")


@pytest.mark.parametrize("name", ["", "  "])
def test_an_empty_name_is_refused(name):
    with pytest.raises(StyleError, match="needs a name"):
        style.load(name)


def test_changed_weights_are_refused_by_name():
    made = make(files.styles() / "wren")
    made.weights.write_bytes(TENSORS[:-1])
    with pytest.raises(StyleError, match=r"lora\.safetensors.*Wren Cuts.*changed"):
        style.load("wren")


def test_missing_weights_are_told():
    make(files.styles() / "wren").weights.unlink()
    with pytest.raises(StyleError, match="lost its weights"):
        style.load("wren")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"trigger": None}, "trigger"),
        ({"base": {"name": "mini"}}, "base.family"),
        ({"weights_sha256": "../../etc/passwd"}, "weights_sha256"),
        ({"name": "a\nb"}, "name"),
        ({"schema": 99}, "newer artlab"),
    ],
)
def test_a_damaged_card_is_refused_and_listed_as_damaged(change, message):
    path = make(files.styles() / "wren").folder / "style.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(StyleError, match=message):
        style.load("wren")
    assert style.list_styles() == []
    assert message in str(style.damaged()[0])


@pytest.mark.parametrize("text", ["", "{", "[]", "[" * 100_000, "\x00"])
def test_a_card_that_is_no_json_object_is_refused(text):
    path = make(files.styles() / "wren").folder / "style.json"
    path.write_text(text)
    with pytest.raises(StyleError, match="card of the style"):
        style.load("wren")


def test_an_unfinished_folder_is_no_style():
    made = make(files.styles() / "wren")
    (made.folder / "style.json").unlink()
    with pytest.raises(StyleError, match="no finished style"):
        style.load(made.folder)


def test_a_save_that_dies_leaves_no_style_rather_than_a_mixture(monkeypatch):
    make(files.styles() / "wren")
    monkeypatch.setattr(files, "write_json", lambda *_: (_ for _ in ()).throw(OSError("power cut")))
    with pytest.raises(OSError, match="power cut"):
        style.save(files.styles() / "wren", CARD, {"lora.safetensors": b"other"})
    assert style.list_styles() == []
    assert style.damaged() == []


@pytest.mark.parametrize("contents", [{}, {"lora.safetensors": b"", "../x": b""}, {"lora.safetensors": b"", "style.json": b""}])
def test_odd_contents_are_refused_before_anything_is_written(contents):
    with pytest.raises(StyleError):
        style.save(files.styles() / "wren", CARD, contents)
    assert not (files.styles() / "wren").exists()


def test_a_bad_card_is_refused_before_anything_is_written():
    with pytest.raises(StyleError, match="trigger"):
        make(files.styles() / "wren", trigger="\n")
    assert not (files.styles() / "wren").exists()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("wren", ("wren", 1.0)),
        ("wren:0.8", ("wren", 0.8)),
        ("wren:-2", ("wren", -2.0)),
        ("wren:0", ("wren", 0.0)),
        ("a:b:0.5", ("a:b", 0.5)),
        ("C:\\styles\\wren", ("C:\\styles\\wren", 1.0)),
        ("C:\\styles\\wren:0.5", ("C:\\styles\\wren", 0.5)),
        ("/mnt/a:b/wren", ("/mnt/a:b/wren", 1.0)),
    ],
)
def test_weights(text, expected):
    assert style.parse_weighted(text) == expected


@pytest.mark.parametrize("text", ["wren:2.01", "wren:-3", "wren:nan", "wren:inf", "wren:", "wren:much", "wren:0,8", ":0.5"])
def test_bad_weights_are_refused_with_an_example(text):
    with pytest.raises(StyleError, match=r"wren|NAME:WEIGHT"):
        style.parse_weighted(text)


def test_a_folder_that_ends_like_a_weight_is_a_folder(tmp_path):
    folder = tmp_path / "wren:2"
    folder.mkdir()
    assert style.parse_weighted(str(folder)) == (str(folder), 1.0)


def test_the_hash_of_the_tensors_leaves_the_header_out(tmp_path):
    one, two = tmp_path / "1", tmp_path / "2"
    one.write_bytes(b"\x02\0\0\0\0\0\0\0{}abc")
    two.write_bytes(b"\x03\0\0\0\0\0\0\0{ }abc")
    assert style.tensors_sha256(one) == style.tensors_sha256(two)
    assert style.tensors_sha256(one, skip_header=False) != style.tensors_sha256(two, skip_header=False)
