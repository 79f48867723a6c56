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
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
WITHOUT_SETTINGS = {"styles", "--help", "--version"}
MADE_LATER = {"docs/demo.png", "docs/MEASURED.md"}


def blocks(text: str, kind: str) -> list[str]:
    """The code blocks of a kind."""
    return re.findall(rf"^```{kind}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


def commands(text: str) -> list[list[str]]:
    """The command lines of all shell blocks, as words, without comments."""
    lines = "\n".join(blocks(text, "sh")).replace("\\\n", " ").splitlines()
    return [words for line in lines if (words := shlex.split(line, comments=True))]


def rows(text: str, heading: str) -> list[list[str]]:
    """The cells of the first table after a heading, its head left out."""
    after = re.split(rf"^#+ {re.escape(heading)}$", text, maxsplit=1, flags=re.MULTILINE)[1]
    table = re.search(r"^\|.*?(?=^(?!\|)|\Z)", after, re.MULTILINE | re.DOTALL)[0]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()[2:]]


def names(text: str) -> list[str]:
    """What stands between backquotes, outside of code blocks."""
    prose = re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
    return [" ".join(name.split()) for name in re.findall(r"`([^`]+)`", prose)]


# -- commands ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("words", commands(README), ids=" ".join)
def test_every_command_of_the_readme_is_understood(words):
    if words[0] == "accelerate":
        at = words.index("-m")
        words = ["artlab", words[at + 1].removeprefix("artlab."), *words[at + 2 :]]
    if words[0] == "make":
        assert re.search(rf"^{re.escape(words[1])}:", MAKEFILE, re.MULTILINE), f"make {words[1]} is no target"
        for variable in words[2:]:
            assert f"$({variable.partition('=')[0]})" in MAKEFILE
        return
    assert words[0] == "artlab"
    if words[1] in WITHOUT_SETTINGS:
        return
    assert words[1] in settings.VERBS
    if "--config" in words:  # the file is the reader's own
        at = words.index("--config")
        words = words[:at] + words[at + 2 :]
    assert isinstance(flags.parse(words[1], words[2:]), settings.VERBS[words[1]])


def test_the_readme_has_commands():
    assert {"make", "artlab"} <= {words[0] for words in commands(README)}
    assert ["make", "demo"] in commands(README)
    assert ["make", "test"] in commands(README)


def test_commands_in_running_text_name_real_verbs():
    for document in DOCUMENTS:
        for words in (code.split() for code in names(document.read_text(encoding="utf-8"))):
            if words[0] == "artlab" and len(words) > 1:
                assert words[1] in {*settings.VERBS, *WITHOUT_SETTINGS}, f"{document.name}: {' '.join(words)}"
            if words[0] == "make" and len(words) > 1:
                assert re.search(rf"^{re.escape(words[1])}:", MAKEFILE, re.MULTILINE), f"{document.name}: {' '.join(words)}"


# -- settings ---------------------------------------------------------------------------------------------------------------

TABLES = {"`artlab finetune`": settings.Finetune, "`artlab generate`": settings.Generate}


@pytest.mark.parametrize("heading", TABLES)
def test_the_settings_table_names_every_setting_in_order(heading):
    assert [names(row[0])[0] for row in rows(README, heading)] == list(TABLES[heading].model_fields)


@pytest.mark.parametrize("heading", TABLES)
def test_the_settings_table_names_every_alias(heading):
    every = flags.spellings(TABLES[heading])
    for row in rows(README, heading):
        (field,) = names(row[0])
        said = {name.removeprefix("--").replace("_", "-") for name in names(row[2])}
        assert said == {name for name, of in every.items() if of == field} - {field.replace("_", "-")}, field


@pytest.mark.parametrize("heading", TABLES)
def test_the_settings_table_tells_the_defaults(heading):
    for row in rows(README, heading):
        (field,) = names(row[0])
        default = TABLES[heading].model_fields[field].default
        if isinstance(default, tuple) and len(default) == 1:
            (default,) = default
        if default in (None, (), ""):
            assert row[1] in ("", "auto"), field
        else:
            assert names(row[1]) == [str(default)], field


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_flag_in_the_text_exists(document):
    known = {name for kind in settings.VERBS.values() for name in flags.spellings(kind)}
    known |= {*flags.CONFIGS, "help", "version", "NAME"}
    for code in names(document.read_text(encoding="utf-8")):
        for flag in re.findall(r"--([\w-]+)", code):
            assert flag.removeprefix("no-").replace("_", "-") in known, f"--{flag}"


def test_the_exit_codes_are_the_clis():
    assert {int(row[0]) for row in rows(README, "Exit codes")} == {
        cli.DONE,
        cli.FAULT,
        cli.TO_PUT_RIGHT,
        cli.INTERRUPTED,
        cli.TERMINATED,
    }


# -- files ------------------------------------------------------------------------------------------------------------------


def tree() -> list[str]:
    """The paths of the file tree."""
    (block,) = blocks(README, "text")
    folders, paths = [], []
    for line in block.splitlines():
        depth, name = (len(line) - len(line.lstrip())) // 2, line.split()[0]
        folders[depth:] = [name]
        paths.append("".join(folders))
    return paths


@pytest.mark.parametrize("path", tree())
def test_every_file_of_the_tree_exists(path):
    assert (ROOT / path).is_dir() if path.endswith("/") else (ROOT / path).is_file()


def test_the_tree_leaves_out_no_module_of_ours():
    package = ROOT / "artlab"
    folders = (package, package / "portfolio", package / "bases")
    there = {path.relative_to(ROOT).as_posix() for folder in folders for path in folder.glob("*.py")}
    assert {path for path in there if not path.endswith("/__init__.py")} <= set(tree())


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_lead_somewhere(document):
    text = document.read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", text):
        if re.match(r"[a-z]+:", target):
            continue
        path = (document.parent / target).resolve()
        assert path.is_relative_to(ROOT), f"{target} leads out of the repository"
        assert path.exists() or path.relative_to(ROOT).as_posix() in MADE_LATER, f"{document.name} links to {target}"


def test_the_hooks_need_no_network():
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]
    assert [repo["repo"] for repo in hooks] == ["local"]
    assert all(hook["language"] == "system" and hook["entry"].startswith(".venv/bin/") for hook in hooks[0]["hooks"])


def test_the_licence_is_the_one_that_the_package_names():
    assert 'license = "Apache-2.0"' in (ROOT / "pyproject.toml").read_text()
    assert (ROOT / "LICENSE").read_text().split()[:4] == ["Apache", "License", "Version", "2.0,"]


# -- design and formats -----------------------------------------------------------------------------------------------------

DESIGN = (ROOT / "docs" / "DESIGN.md").read_text(encoding="utf-8")
FORMATS = (ROOT / "docs" / "FORMATS.md").read_text(encoding="utf-8")


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
    named = {name.removesuffix("()") for name in names(DESIGN) if re.fullmatch(r"\w+\.\w+\(\)", name)}
    assert len(named) > 20
    assert named <= functions()


def test_the_layers_of_the_design_are_the_tested_ones():
    (block,) = blocks(DESIGN, "layers")
    assert [re.split(r"\s{2,}", line)[0] for line in block.splitlines()] == LAYERS


def test_the_verbs_of_the_design_are_the_real_ones():
    assert [names(row[0])[0] for row in rows(DESIGN, "One idea")] == list(settings.VERBS)


def test_the_fields_of_a_card():
    needed = {names(row[0])[0] for row in rows(FORMATS, "A style: `style.json`") if row[1] == "needed"}
    assert needed == {info.alias or name for name, info in style.Card.model_fields.items()}


def test_the_fields_of_a_recipe():
    assert [names(row[0])[0] for row in rows(FORMATS, "A picture: the recipe in the PNG")] == list(Recipe.model_fields)


def test_the_metadata_of_an_adapter():
    pattern = r"ss_\w+|modelspec\.\w+|artlab\.base_fingerprint"
    source = (ROOT / "artlab" / "finetune.py").read_text(encoding="utf-8")
    written = set(re.findall(rf'"({pattern})":', source))
    assert {name for name in names(FORMATS) if re.fullmatch(pattern, name)} == written
