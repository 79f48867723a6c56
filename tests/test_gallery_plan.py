"""Plans: what they mean, written out; and what is wrong with them, told so that it can be put right."""

import pytest
import yaml

from artlab.gallery import plan, prompts
from artlab.gallery.plan import PlanError
from artlab.gallery.prompts import PromptError


@pytest.fixture
def read(tmp_path):
    def call(given="", variables=(), name="plan.yaml", **keys):
        path = tmp_path / name
        path.write_text(given or yaml.safe_dump(keys, sort_keys=False), encoding="utf-8")
        return plan.read(str(path), variables)

    return call


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("a fox", ["a fox"]),
        ("a {red|blue} boat", ["a red boat", "a blue boat"]),
        ("{a|b} {c|d}", ["a c", "a d", "b c", "b d"]),
        ("{a|{b|c}}", ["a", "b", "c"]),
        ("a __beast__ at night", ["a fox at night", "a wren at night"]),
        ("{one|two __beast__}", ["one", "two fox", "two wren"]),
        ("__old_house__", ["a ruin"]),
        ("{a|a}", ["a"]),
        ("{|big }fox", ["fox", "bigfox"]),
        ("snake_case __init__ {x}", None),
    ],
)
def test_templates(text, wanted):
    known = {"beast": ["fox", "wren"], "old_house": ["a ruin"]}
    if wanted is None:
        with pytest.raises(PromptError, match=r"no wildcard __init__ .there is beast, old_house"):
            prompts.expand(text, known)
    else:
        assert prompts.expand(text, known) == wanted


def test_wildcards_that_lead_back_to_themselves_are_refused():
    with pytest.raises(PromptError, match="back to themselves"):
        prompts.expand("__a__", {"a": ["x __a__"]})


def test_kohyas_lines(tmp_path):
    text = "# remarks\n\na fox, snow --n blur, text --w 512 --h 384 --d 7 --l 7.5 --s 28\na wren\na cat --q 3\na dog --s many\n"
    full, plain, unknown, bad = prompts.kohya_lines(text)
    assert full == {
        "prompt": "a fox, snow", "negative_prompt": "blur, text", "width": 512, "height": 384, "seed": 7,
        "guidance_scale": 7.5, "num_inference_steps": 28,
    }  # fmt: skip
    assert plain == {"prompt": "a wren"}
    assert "--q" in unknown["problem"]
    assert "no number" in bad["problem"]


def test_a_file_of_kohyas_lines_is_a_plan(read):
    found = read("a fox --d 7 --s 5\na wren --w 96 --h 64\na cat --q 1\n", name="lines.txt")
    fox, wren, cat = found.requests
    assert (found.name, fox.seed, fox.num_inference_steps, wren.width, wren.height) == ("lines", 7, 5, 96, 64)
    assert "--q" in cat.problem


def test_everything_is_combined_in_order(read):
    made = read(
        prompts=["a", "b"], styles=["none", "wren:0.5"], seeds=[3, 9], count=2, sizes=[64, "96x64"], guidance_scale=[1, 4]
    )
    assert len(made.requests) == 2 * 2 * 2 * 2 * 4
    first, *_, last = made.requests
    assert (first.prompt, first.styles, first.seed, first.width, first.height, first.guidance_scale) == ("a", (), 3, 64, 64, 1)
    assert (last.prompt, last.styles, last.seed, last.width, last.height) == ("b", (("wren", 0.5),), 10, 96, 64)


def test_a_prompt_may_bring_its_own_settings(read):
    one, two = read(
        prompts=[{"prompt": "a {x|y}", "seed": 5, "width": 96, "height": 64, "guidance_scale": 2}], seeds=[1, 2], sizes=[64]
    ).requests
    assert [(row.prompt, row.seed, row.width, row.guidance_scale) for row in (one, two)] == [("a x", 5, 96, 2), ("a y", 5, 96, 2)]


@pytest.mark.parametrize(
    ("entry", "mixes"),
    [
        (None, [()]),
        ("wren", [(("wren", 1.0),)]),
        ({"wren": 0.6, "ember": 0.4}, [(("wren", 0.6), ("ember", 0.4))]),
        ({"style": "wren", "weights": [0, 0.5]}, [(("wren", 0.0),), (("wren", 0.5),)]),
        ({"style": "wren", "weights": {"from": 0, "to": 1, "steps": 3}}, [(("wren", 0.0),), (("wren", 0.5),), (("wren", 1.0),)]),
        ({"from": "a", "to": "b", "steps": 3}, [(("a", 1.0),), (("a", 0.5), ("b", 0.5)), (("b", 1.0),)]),
    ],
    ids=str,
)
def test_styles_blends_sweeps_and_journeys(read, entry, mixes):
    assert [row.styles for row in read(prompts=["x"], styles=[entry]).requests] == mixes


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({"styles": ["wren:9"]}, "outside -2 to 2"),
        ({"styles": [{"style": "wren", "weights": "much"}]}, "no number from -2 to 2"),
        ({"styles": [{"from": "a", "to": "b", "steps": 1}]}, "2 to 1000 steps"),
        ({"styles": [[]]}, "is no style"),
        ({"sizes": ["large"]}, "is no size"),
        ({"prompts": ["__nosuch__"]}, "no wildcard __nosuch__"),
        ({"prompts": [{"file": "nosuch.txt"}]}, "cannot be read"),
        ({"prompts": [{"prompt": "x", "colour": "red"}]}, "no setting of a prompt"),
        ({"prompts": [{"prompt": "x", "num_inference_steps": 0}]}, "steps go from 1"),
        ({"prompts": [7]}, "a prompt is a text"),
        ({"prompts": ["__f__"], "wildcards": {"f": "nosuch.txt"}}, "Its file cannot be read"),
    ],
    ids=str,
)
def test_an_impossible_row_keeps_its_reason(read, given, reason):
    (row,) = read(**({"prompts": ["x"]} | given)).requests
    assert reason in row.problem


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("prompts: [", "no YAML"),
        ("- a fox", "holds no settings"),
        ("prompt: x\ncolour: red", "no such setting. It may have method"),
        ("prompt: x\ncount: 0", "count: input should be greater"),
        ("prompt: x\nparts: 3", "“parts” is a list"),
        ("prompt: a ${b}", "which its variables do not have"),
        (
            "prompt: x\ncount: 60000\nseeds: [1, 100000]",
            "more than 100,000",
        ),
    ],
)
def test_a_plan_that_cannot_be_read_says_why(read, text, reason):
    with pytest.raises(PlanError, match=reason):
        read(text)


def test_a_missing_plan_names_those_that_ship():
    with pytest.raises(PlanError, match="grid, journey, portfolio"):
        plan.read("nosuch.yaml")


def test_parts_share_settings(read):
    one, two = read(sizes=[64], seeds=[4], parts=[{"prompt": "a"}, {"prompt": "b", "style": "wren"}]).requests
    assert (one.prompt, one.width, one.seed, one.styles) == ("a", 64, 4, ())
    assert (two.prompt, two.width, two.styles) == ("b", 64, (("wren", 1.0),))


def test_variables(read):
    text = "variables: {style: wren, n: 2}\nname: of ${style}\nprompt: a ${style} fox\nstyle: ${style}\ncount: ${n}"
    assert (read(text).name, len(read(text).requests)) == ("of wren", 2)
    changed = read(text, ("style=ember", "n=3"))
    assert (changed.name, len(changed.requests), changed.requests[0].styles) == ("of ember", 3, (("ember", 1.0),))
    with pytest.raises(PlanError, match=r"sets no variable .*it has style, n"):
        read(text, ("colour=red",))


@pytest.mark.parametrize(("name", "count"), [("portfolio", 24), ("grid", 44), ("journey", 18)])
def test_the_plans_that_ship(name, count):
    made = plan.read(name)
    assert len(made.requests) == count
    assert not any(row.problem for row in made.requests)
    assert made.about


def test_pictures_are_named_one_by_one_as_a_folder_or_by_a_pattern(read, tmp_path):
    (tmp_path / "scans").mkdir()
    for name in ("b.JPG", "a.png", "notes.txt", ".hidden.png", "1901.tif", "1902.tif"):
        (tmp_path / "scans" / name).write_bytes(b"x")

    def found(*pictures: str) -> list[str]:
        asked = read(method="texture", styles=["drawn:vask"], pictures=list(pictures)).requests
        return [one.picture.removeprefix(f"{tmp_path}/") for one in asked]

    assert found("one.png", "scans") == ["one.png", "scans/1901.tif", "scans/1902.tif", "scans/a.png", "scans/b.JPG"]
    assert found("scans/19*.tif") == ["scans/1901.tif", "scans/1902.tif"]
    assert found("scans/20*.tif") == ["scans/20*.tif"]
    (tmp_path / "empty").mkdir()
    assert found("empty") == ["empty"]
    assert found("s3://bucket/a.png") == ["s3://bucket/a.png"]


def test_what_stands_for_a_style_is_found_beside_the_plan(read, tmp_path):
    (tmp_path / "works").mkdir()
    asked = read(
        method="texture", pictures=["a.png"], styles=["works:0.5", "drawn:vask:0.5", "drawn:vask", {"works": 1, "wren": 2}]
    )
    mixes = [one.styles for one in asked.requests]
    works = str(tmp_path / "works")
    assert mixes == [((works, 0.5),), (("drawn:vask", 0.5),), (("drawn:vask", 1.0),), ((works, 1.0), ("wren", 2.0))]
