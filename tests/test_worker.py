"""The one door: every verb has a function and settings, and nothing else gets through."""

import ast
import subprocess
import sys

import pytest
from PIL import Image

from artlab import files, recipe, settings, worker
from artlab.worker import VerbError


def test_every_verb_of_the_settings_has_a_function():
    assert list(worker.VERBS) == list(settings.VERBS)


@pytest.mark.parametrize("verb", worker.VERBS)
def test_the_table_points_at_functions_that_are_there(verb):
    module, _, name = worker.VERBS[verb].partition(":")
    path = files.package().parent / (module.replace(".", "/") + ".py")
    path = path if path.exists() else path.with_suffix("") / "__init__.py"
    tree = ast.parse(path.read_text(encoding="utf-8"))
    defined = {one.name for one in tree.body if isinstance(one, ast.FunctionDef)}
    defined |= {alias.name for one in tree.body if isinstance(one, ast.ImportFrom) for alias in one.names}
    assert name in defined


def test_a_verb_is_run_with_its_settings(tmp_path):
    made = recipe.Recipe(
        prompt="x",
        seed=1,
        width=8,
        height=8,
        steps=1,
        sampler="ddim",
        guidance=1,
        base=recipe.BaseUsed(name="mini", fingerprint=""),
    )
    recipe.embed(Image.new("RGB", (8, 8)), made, tmp_path / "p.png")
    assert worker.run("recipe", settings.Recipe(picture=tmp_path / "p.png")) == made


def test_a_report_is_handed_on(monkeypatch):
    heard = []
    monkeypatch.setattr(worker, "load", lambda verb: lambda settings, report: report(settings.seed))
    worker.run("generate", settings.Generate(seed=(3,)), heard.append)
    assert heard == [(3,)]


def test_strange_verbs_and_settings_are_refused():
    with pytest.raises(VerbError, match="cannot “paint”"):
        worker.run("paint", settings.Generate())
    with pytest.raises(VerbError, match="takes Finetune settings, not Generate"):
        worker.run("finetune", settings.Generate())


def test_the_recipe_verb_needs_no_torch():
    code = "import sys; from artlab import worker; worker.load('recipe'); sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], timeout=60).returncode == 0
