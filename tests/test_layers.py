"""The layers of artlab, kept: a module imports only from the rows above its own."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

LAYERS = [
    "settings files energy",
    "checkpoints images decoder database provenance",
    "drawing portfolio bases style metrics recipe optimizers accounts",
    "sources rundir jobs judge restyle",
    "trainer monitors shift",
    "finetune generate pretrain look intake",
    "transfer easel film",
    "blend between vary inpaint evaluate",
    "demo studio enlarge gallery",
    "worker",
    "flags",
    "cli",
    "hand",
]
LEVEL = {name: level for level, row in enumerate(LAYERS) for name in row.split()}
PACKAGE = Path(__file__).parents[1] / "artlab"
MODULES = sorted(PACKAGE.rglob("*.py"))


def imported(tree: ast.Module):
    """The artlab modules that a file names, however it spells the import; the block that makes it a command is left out."""
    body = [node for node in tree.body if not (isinstance(node, ast.If) and "__main__" in ast.unparse(node.test))]
    for node in (inner for outer in body for inner in ast.walk(outer)):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"a relative import: {ast.unparse(node)}"
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        yield from (name.split(".")[1] for name in names if name.startswith("artlab.") and name.split(".")[1] != "__version__")


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_only_lower_layers(path):
    here = path.relative_to(PACKAGE).with_suffix("").parts[0]
    for there in set(imported(ast.parse(path.read_text()))) - {here}:
        assert LEVEL[there] < LEVEL.get(here, 99), f"{here} may not import {there}"


def test_every_module_has_a_layer():
    assert {path.relative_to(PACKAGE).with_suffix("").parts[0] for path in MODULES} - {"__init__", "__main__"} == set(LEVEL)


@pytest.mark.parametrize(
    "name", ["settings", "files", "energy", "images", "style", "recipe", "checkpoints", "drawing", "flags", "cli"]
)
def test_starts_without_torch(name):
    code = f"import artlab.{name}, sys; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=PACKAGE.parent)
