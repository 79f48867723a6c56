"""What is written twice agrees: commands, settings, files and names in the documents are those of the code."""

import ast
import re
import shlex
from pathlib import Path

import pytest
import yaml
from test_layers import LAYERS

from artlab import cli, flags, settings, style
from artlab.recipe import Recipe

ROOT = Path(__file__).parents[1]
DOCUMENTS = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md"))]
README = (ROOT / "README.md").read_text(encoding="utf-8")
DESIGN = (ROOT / "docs" / "DESIGN.md").read_text(encoding="utf-8")
FORMATS = (ROOT / "docs" / "FORMATS.md").read_text(encoding="utf-8")
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
WITHOUT_SETTINGS = {"styles", "--help", "--version"}
MADE_LATER = {"docs/demo.png", "docs/MEASURED.md", "docs/sheet-vask.webp"}

FENCE = re.compile(r"^```.*?\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def names(text: str) -> list[str]:
    """What stands between backquotes, outside of code blocks."""
    return [" ".join(name.split()) for name in re.findall(r"`([^`]+)`", FENCE.sub("", text))]


def commands(text: str) -> list[list[str]]:
    """The command lines of all code blocks, as words, without comments."""
    lines = "\n".join(FENCE.findall(text)).replace("\\\n", " ").splitlines()
    return [shlex.split(line, comments=True) for line in lines if re.match(r"(make|artlab|accelerate) ", line)]


def rows(text: str, about: str) -> list[dict[str, str]]:
    """The rows of all tables whose first column is headed so, a row as column -> cell."""
    found = []
    for table in re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE):
        head, _, *body = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()]
        if head[0].lower() == about:
            found += [dict(zip([column.lower() for column in head], cells, strict=True)) for cells in body]
    return found


def is_target(name: str) -> bool:
    return bool(re.search(rf"^{re.escape(name)}:", MAKEFILE, re.MULTILINE))


# -- commands ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("words", commands(README), ids=" ".join)
def test_every_command_of_the_readme_is_understood(words):
    if words[0] == "accelerate":
        at = words.index("-m")
        words = ["artlab", words[at + 1].removeprefix("artlab."), *words[at + 2 :]]
    if words[0] == "make":
        assert is_target(words[1])
        assert all(f"$({word.partition('=')[0]})" in MAKEFILE for word in words[2:])
        return
    if words[1] in WITHOUT_SETTINGS:
        return
    assert words[1] in settings.VERBS
    if "--config" in words:  # the file is the reader's own
        at = words.index("--config")
        words = words[:at] + words[at + 2 :]
    assert isinstance(flags.parse(words[1], words[2:]), settings.VERBS[words[1]])


def test_the_readme_shows_the_commands():
    first = [words[:2] for words in commands(README)]
    for words in (["make", "demo"], ["make", "test"], ["artlab", "finetune"], ["artlab", "generate"], ["artlab", "recipe"]):
        assert words in first


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_commands_in_running_text_exist(document):
    for words in (code.split() for code in names(document.read_text(encoding="utf-8"))):
        if words[0] == "artlab" and len(words) > 1:
            assert words[1] in {*settings.VERBS, *WITHOUT_SETTINGS}, " ".join(words)
        if words[0] == "make" and len(words) > 1:
            assert is_target(words[1]), " ".join(words)


# -- settings ---------------------------------------------------------------------------------------------------------------


def verb_of(field: str) -> type[settings.Settings]:
    return settings.Finetune if field in settings.Finetune.model_fields else settings.Generate


@pytest.mark.parametrize("row", rows(README, "setting"), ids=lambda row: row["setting"])
def test_the_settings_table_tells_the_truth(row):
    (name,) = names(row["setting"])
    field = name.removeprefix("--").replace("-", "_")
    kind = verb_of(field)
    aliases = {of.replace("-", "_") for of, meant in flags.spellings(kind).items() if meant == field} - {field}
    assert {alias.removeprefix("--") for alias in names(row["alias"])} == aliases
    if re.fullmatch(r"[\d.]+", row["default"]):
        assert float(row["default"]) == kind.model_fields[field].default


def test_there_is_a_settings_table():
    assert rows(README, "setting")


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_flag_in_the_text_exists(document):
    known = {name for kind in settings.VERBS.values() for name in flags.spellings(kind)} | {*flags.CONFIGS, "help", "version"}
    for code in names(document.read_text(encoding="utf-8")):
        if code.startswith(("--", "artlab ")):  # other programs have flags of their own
            for flag in re.findall(r"--([\w-]+)", code):
                assert flag.removeprefix("no-").replace("_", "-") in known, f"--{flag}"


def test_the_exit_codes_are_the_clis():
    codes = [cli.DONE, cli.FAULT, cli.TO_PUT_RIGHT, cli.INTERRUPTED, cli.TERMINATED]
    assert [int(row["exit code"]) for row in rows(README, "exit code")] == codes


# -- files ------------------------------------------------------------------------------------------------------------------


def tree() -> list[str]:
    """The paths of the README's file tree; an indented name lies in the folder above it."""
    (block,) = [block for block in FENCE.findall(README) if re.search(r"^artlab/", block, re.MULTILINE)]
    folders, paths = [], []
    for line in block.splitlines():
        folders[(len(line) - len(line.lstrip())) // 2 :] = [line.split()[0]]
        paths.append("".join(folders))
    return paths


@pytest.mark.parametrize("path", tree())
def test_every_file_of_the_tree_exists(path):
    assert (ROOT / path).is_dir() if path.endswith("/") else (ROOT / path).is_file()


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_lead_somewhere(document):
    for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", document.read_text(encoding="utf-8")):
        if re.match(r"[a-z]+:", target):
            continue
        path = (document.parent / target).resolve()
        assert path.is_relative_to(ROOT), f"{target} leads out of the repository"
        assert path.exists() or path.relative_to(ROOT).as_posix() in MADE_LATER, target


def test_the_hooks_need_no_network():
    (repository,) = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]
    assert repository["repo"] == "local"
    assert all(hook["language"] == "system" and hook["entry"].startswith(".venv/bin/") for hook in repository["hooks"])


def test_the_licence_is_the_one_that_the_package_names():
    assert 'license = "Apache-2.0"' in (ROOT / "pyproject.toml").read_text()
    assert (ROOT / "LICENSE").read_text().split()[:4] == ["Apache", "License", "Version", "2.0,"]


# -- design and formats -----------------------------------------------------------------------------------------------------


def functions() -> set[str]:
    """Every function of the package as `module.function`, every method as `Class.method`."""
    found = set()
    for path in (ROOT / "artlab").rglob("*.py"):
        module = path.parent.name if path.stem == "__init__" else path.stem
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.FunctionDef):
                found.add(f"{module}.{node.name}")
            elif isinstance(node, ast.ClassDef):
                found |= {f"{node.name}.{inner.name}" for inner in node.body if isinstance(inner, ast.FunctionDef)}
    return found


def test_the_functions_that_the_design_names_exist():
    assert {name.removesuffix("()") for name in names(DESIGN) if re.fullmatch(r"\w+\.\w+\(\)", name)} <= functions()


def test_the_layers_of_the_design_are_the_tested_ones():
    (block,) = [block for block in FENCE.findall(DESIGN) if block.startswith("settings files energy")]
    shown = " ".join(re.split(r"\s{2,}", line)[0] for line in block.splitlines())
    assert shown.replace(",", "").split() == " ".join(LAYERS).split()


def fields(section: str) -> list[dict[str, str]]:
    """The rows of the table under a heading of FORMATS.md that begins so."""
    return rows(re.split(r"^## ", FORMATS.split(f"## {section}", 1)[1], maxsplit=1, flags=re.MULTILINE)[0], "field")


def test_the_fields_of_a_card():
    needed = {names(row["field"])[0] for row in fields("A style") if row[""] == "needed"}
    assert needed == {info.alias or name for name, info in style.Card.model_fields.items()}


def test_the_fields_of_a_recipe():
    assert [names(row["field"])[0] for row in fields("A picture")] == list(Recipe.model_fields)


def test_the_metadata_of_an_adapter():
    pattern = r"ss_\w+|modelspec\.\w+|artlab\.base_fingerprint"
    written = set(re.findall(rf'"({pattern})":', (ROOT / "artlab" / "finetune" / "card.py").read_text(encoding="utf-8")))
    assert {name for name in names(FORMATS) if re.fullmatch(pattern, name)} == written
