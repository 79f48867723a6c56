"""The terminal: exit codes, one clear sentence for what went wrong, and a quick start."""

import json
import signal
import subprocess
import sys
import tomllib
import warnings
from pathlib import Path

import pytest
from PIL import Image

import artlab
from artlab import cli, files, recipe, style, worker

ROOT = Path(__file__).parent.parent
CARD = {"name": "wren", "trigger": "wrn", "base": {"name": "mini", "family": "mini", "fingerprint": "ab", "resolution": 128}}


@pytest.fixture(autouse=True)
def no_shipped_styles(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "shipped_styles", lambda: tmp_path / "shipped")


def said(capfd) -> str:
    """What was said on stderr, which must be one line of our own and nothing else."""
    out, err = capfd.readouterr()
    assert out == ""
    assert err.startswith("artlab: ")
    assert err.count("\n") == 1
    assert "Traceback" not in err
    return err.removeprefix("artlab: ").strip()


def raising(error):
    def run(verb, settings):
        raise error

    return run


@pytest.mark.parametrize("words", [[], ["--help"], ["-h"], ["help"]])
def test_help_lists_every_verb(words, capfd):
    assert cli.main(words) == 0
    text = capfd.readouterr().out
    assert all(f"\n  {verb} " in text for verb in [*worker.VERBS, "styles"])


@pytest.mark.parametrize("verb", worker.VERBS)
def test_each_verb_has_help(verb, capfd):
    assert cli.main([verb, "--help"]) == 0
    assert f"usage: artlab {verb}" in capfd.readouterr().out


def test_version(capfd):
    assert cli.main(["--version"]) == 0
    assert capfd.readouterr().out == f"artlab {artlab.__version__}\n"


def test_help_starts_in_a_second_and_without_torch():
    code = (
        "import sys, time; start = time.process_time()\n"
        "from artlab import cli; cli.main(['--help'])\n"
        "heavy = {'torch', 'numpy', 'PIL', 'transformers', 'yaml', 'rich'} & set(sys.modules)\n"
        "print(time.process_time() - start, heavy or '', file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    seconds, _, heavy = done.stderr.strip().partition(" ")
    assert heavy == ""
    assert float(seconds) < 1


def test_the_console_script_is_main():
    assert tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"] == {"artlab": "artlab.cli:main"}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["finetun", "x"], "artlab cannot “finetun”. Did you mean `artlab finetune`?"),
        (["zzz"], "It can finetune, generate"),
        (["finetune", "x", "--netwrok_dim", "8"], "Did you mean --network_dim"),
        (["finetune", "x", "--rank", "0"], "--rank: input should be greater than or equal to 1, not 0."),
        (["finetune", "x", "--rank", "many"], "--network-dim/--rank: 'many' is no whole number. See artlab finetune --help."),
        (
            ["finetune", "x", "--max_train_steps", "3", "--num_train_epochs", "3"],
            "Give max_train_steps or num_train_epochs, not both.",
        ),
        (["recipe", "none.png"], "There is no picture none.png."),
        (["recipe"], "See artlab recipe --help."),
        (["finetune", "x", "--config", "none.yaml"], "There is no config file none.yaml."),
        (["finetune", "x", "--country", "Germany"], "--country: "),
    ],
)
def test_what_can_be_put_right_is_told_in_one_sentence_with_code_2(words, message, capfd):
    assert cli.main(words) == 2
    assert message in said(capfd)


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (style.StyleError("There is no style “x”."), "There is no style “x”."),
        (FileNotFoundError(2, "No such file or directory", "works"), "There is no works."),
        (PermissionError(13, "Permission denied", "/x"), "/x cannot be used: permission denied."),
    ],
)
def test_expected_errors_of_a_verb(monkeypatch, capfd, error, message):
    monkeypatch.setattr(worker, "run", raising(error))
    assert cli.main(["generate", "x"]) == 2
    assert said(capfd) == message


@pytest.mark.parametrize("error", [ZeroDivisionError("by zero"), ValueError("of nobody's"), RuntimeError()])
def test_a_fault_is_one_line_and_a_log_with_the_traceback(monkeypatch, capfd, error):
    monkeypatch.setattr(worker, "run", raising(error))
    assert cli.main(["generate", "x"]) == 1
    text = said(capfd)
    (log,) = (files.home() / "logs").glob("*-generate-*.log")
    assert str(log) in text
    assert type(error).__name__ in text
    assert "Traceback" in log.read_text()
    assert "in raising" in log.read_text() or "in run" in log.read_text()


def test_a_fault_on_a_full_disk_is_still_told(monkeypatch, capfd):
    monkeypatch.setattr(worker, "run", raising(ZeroDivisionError()))
    monkeypatch.setattr(files, "write", lambda *_: (_ for _ in ()).throw(OSError("disk full")))
    assert cli.main(["generate", "x"]) == 1
    assert "disk full" in said(capfd)


def test_debug_shows_the_traceback(monkeypatch, capfd):
    monkeypatch.setenv("ARTLAB_DEBUG", "1")
    assert cli.main(["recipe", "none.png"]) == 2
    assert "Traceback" in capfd.readouterr().err


def test_interrupts_have_their_own_codes(monkeypatch, capfd):
    class Interrupted(BaseException):
        code = 143

    for error, code in [(KeyboardInterrupt(), 130), (Interrupted("saved"), 143), (SystemExit(5), 5), (SystemExit(None), 0)]:
        monkeypatch.setattr(worker, "run", raising(error))
        assert cli.main(["generate", "x"]) == code
    assert "saved" in capfd.readouterr().err


def test_sigterm_ends_a_command_with_143(tmp_path):
    code = (
        "import sys, time\nfrom artlab import cli, worker\n"
        "def run(verb, settings):\n    print('running', flush=True); time.sleep(60)\n"
        "worker.run = run\nsys.exit(cli.main(['generate', 'x']))"
    )
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "running\n"
    process.send_signal(signal.SIGTERM)
    assert process.wait(30) == 143
    process.stdout.close()


def test_the_signal_handler_is_given_back(monkeypatch):
    monkeypatch.setattr(worker, "run", lambda *_: None)
    before = signal.getsignal(signal.SIGTERM)
    cli.main(["generate", "x"])
    assert signal.getsignal(signal.SIGTERM) is before


def test_libraries_warnings_are_not_shown(monkeypatch, capfd):
    monkeypatch.setattr(worker, "run", lambda *_: warnings.warn("noise", stacklevel=1))
    assert cli.main(["generate", "x"]) == 0 or sys.warnoptions
    assert "noise" not in capfd.readouterr().err


def test_a_recipe_is_printed_as_json(tmp_path, capfd):
    made = recipe.Recipe(
        prompt="ünï",
        seed=1,
        width=8,
        height=8,
        steps=1,
        sampler="ddim",
        guidance=1,
        base=recipe.BaseUsed(name="mini", fingerprint=""),
    )
    path = recipe.embed(Image.new("RGB", (8, 8)), made, tmp_path / "p.png")
    assert cli.main(["recipe", str(path)]) == 0
    assert json.loads(capfd.readouterr().out)["prompt"] == "ünï"


def test_styles_are_listed_and_damaged_ones_named(capfd):
    assert cli.main(["styles"]) == 0
    assert "artlab finetune FOLDER" in capfd.readouterr().out
    style.save(
        files.styles() / "wren", CARD | {"data": {"works": 24, "kept": 22}, "chosen_step": 400}, {"lora.safetensors": b"x"}
    )
    files.write(files.styles() / "broken" / "style.json", b"{")
    assert cli.main(["styles"]) == 0
    out, err = capfd.readouterr()
    head, row = out.splitlines()
    assert head.split() == ["name", "trigger", "base", "works", "steps", "folder"]
    assert row.split() == ["wren", "wrn", "mini", "22", "400", str(files.styles() / "wren")]
    assert "broken" in err


def test_a_reader_that_goes_away_is_no_fault():
    code = (
        "import sys\nfrom artlab import cli, worker\n"
        "worker.run = lambda *_: ['x' * 100] * 5000\nsys.exit(cli.main(['generate', 'x']))"
    )
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    process.stdout.readline()
    process.stdout.close()
    assert process.wait(30) == 0
    assert process.stderr.read() == b""
    process.stderr.close()


@pytest.mark.parametrize("verb", ["finetune", "generate"])
def test_python_dash_m_is_the_same_door(verb):
    module, package = files.package() / f"{verb}.py", files.package() / verb / "__main__.py"
    text = (package if package.exists() else module).read_text(encoding="utf-8")
    assert text.rstrip().endswith(f'sys.exit(cli.run_verb("{verb}", sys.argv[1:]))')


@pytest.mark.slow
def test_python_dash_m_starts(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "artlab.generate", "--stepz", "3"], capture_output=True, text=True, timeout=200, cwd=ROOT
    )
    assert done.returncode == 2
    assert "Did you mean --steps" in done.stderr
