"""The terminal: `artlab VERB ...`, and `python -m artlab.VERB ...`, which is the same door.

Exit codes: 0 done, 1 a fault of artlab (traceback in a log file), 2 something to put right (one sentence says what),
130 interrupted, 143 terminated.
"""

import contextlib
import difflib
import json
import os
import signal
import sys
import traceback
import warnings
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import Any

from pydantic import BaseModel, ValidationError

from artlab import __version__, files, flags, worker
from artlab.settings import VERBS

DONE, FAULT, TO_PUT_RIGHT, INTERRUPTED, TERMINATED = 0, 1, 2, 130, 143


def main(argv: Sequence[str] | None = None) -> int:
    """The console script: run a command line, return the exit code."""
    words = list(sys.argv[1:] if argv is None else argv)
    if not words or words[0] in ("-h", "--help", "help"):
        print(_help())
        return DONE
    if words[0] in ("--version", "-V", "version"):
        print(f"artlab {__version__}")
        return DONE
    if words[0] == "styles":
        return _guarded("styles", lambda: print(_styles_table()))
    if words[0] not in VERBS:
        near = difflib.get_close_matches(words[0], [*VERBS, "styles"], n=1)
        hint = f"Did you mean `artlab {near[0]}`?" if near else f"It can {', '.join(VERBS)} and styles; see artlab --help."
        return _complain(f"artlab cannot “{words[0]}”. {hint}")
    return run_verb(words[0], words[1:])


def run_verb(verb: str, argv: Sequence[str]) -> int:
    """Parse the flags of a verb, run it, show its result, return the exit code."""
    if {"-h", "--help"} & set(argv):
        flags.show_help(verb)
        return DONE
    return _guarded(verb, lambda: _show(worker.run(verb, flags.parse(verb, argv))))


# -- from results and errors to words ---------------------------------------------------------------------------------------


def _guarded(verb: str, work: Callable[[], None]) -> int:
    """Run the work; whatever it raises becomes one clear sentence and an exit code."""
    try:
        with quiet(), _terminable():
            work()
        sys.stdout.flush()
        return DONE
    except BrokenPipeError:  # `artlab styles | head`: nobody reads on, which is no fault
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return DONE
    except Exception as error:
        _debug()
        if (sentence := expected(error)) is not None:
            return _complain(sentence)
        return _complain(f"{_line(error)} ({type(error).__name__}). {logged(verb, error)}", FAULT)
    except KeyboardInterrupt as stop:
        return _complain(_line(stop) if str(stop) else "Interrupted.", INTERRUPTED)
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else DONE if stop.code is None else _complain(str(stop.code), FAULT)
    except BaseException as stop:
        if not hasattr(stop, "code"):  # finetune's `Interrupted` brings its own exit code
            raise
        return _complain(_line(stop), int(stop.code))


def expected(error: Exception) -> str | None:
    """The sentence for an error that the user can put right; None for a fault of artlab."""
    if isinstance(error, ValidationError):
        return " ".join(map(_invalid, error.errors(include_url=False)[:3]))
    if isinstance(error, ValueError) and type(error).__module__.partition(".")[0] == "artlab":
        return _line(error)
    if isinstance(error, FileNotFoundError):
        return f"There is no {error.filename}." if error.filename else _line(error)
    if isinstance(error, (PermissionError, IsADirectoryError, NotADirectoryError, FileExistsError)) and error.filename:
        return f"{error.filename} cannot be used: {(error.strerror or '').lower()}."
    return None


def _invalid(problem: Any) -> str:
    where, message = ".".join(map(str, problem["loc"])), str(problem["msg"]).removeprefix("Value error, ").rstrip(".")
    if problem["type"] == "value_error":
        return f"{message[:1].upper()}{message[1:]}."
    given = f", not {problem['input']!r}" if isinstance(problem["input"], (str, int, float, bool)) else ""
    return f"--{where}: {message[:1].lower()}{message[1:]}{given}."


def _complain(sentence: str, code: int = TO_PUT_RIGHT) -> int:
    print(f"artlab: {sentence}", file=sys.stderr)
    return code


def _line(error: BaseException) -> str:
    return " ".join(str(error).split()) or type(error).__name__


def _debug() -> None:
    if os.environ.get("ARTLAB_DEBUG") == "1":
        traceback.print_exc()


def logged(verb: str, error: BaseException) -> str:
    """Write the traceback down; the sentence that says where."""
    path = files.home() / "logs" / f"{datetime.now():%Y-%m-%d-%H%M%S}-{verb}-{os.getpid()}.log"
    try:
        files.write(path, f"artlab {__version__} {verb}\n{''.join(traceback.format_exception(error))}".encode())
    except OSError as problem:
        return f"The traceback could not be written ({problem}); ARTLAB_DEBUG=1 shows it."
    return f"This is a fault of artlab; the traceback is in {path}."


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Keep the libraries' own warnings and progress bars off the terminal; `python -W` and ARTLAB_DEBUG=1 bring warnings back."""
    for name, value in {
        "TOKENIZERS_PARALLELISM": "false",
        "HF_HUB_DISABLE_PROGRESS_BARS": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "TRANSFORMERS_VERBOSITY": "error",
        "DIFFUSERS_VERBOSITY": "error",
        "TRANSFORMERS_NO_ADVISORY_WARNINGS": "1",
        "TQDM_DISABLE": "1",
        "TF_CPP_MIN_LOG_LEVEL": "3",
    }.items():
        os.environ.setdefault(name, value)
    with warnings.catch_warnings():
        if not sys.warnoptions and os.environ.get("ARTLAB_DEBUG") != "1":
            warnings.simplefilter("ignore")
        yield


@contextlib.contextmanager
def _terminable() -> Iterator[None]:
    """SIGTERM ends the work like Ctrl-C does, so that temporary files go. A training puts its own handler in its place."""

    def stop(*_: object) -> None:
        raise SystemExit(TERMINATED)

    try:
        before = signal.signal(signal.SIGTERM, stop)
    except ValueError:  # not in the main thread, where signals are nobody's
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _show(result: Any) -> None:
    """Print what a verb returned: a path a line, JSON for a recipe, words for a style."""
    if isinstance(result, (list, tuple)):
        for one in result:
            _show(one)
    elif isinstance(result, BaseModel):
        print(result.model_dump_json(indent=2))
    elif isinstance(result, dict):
        print(json.dumps(result, indent=2, ensure_ascii=False))
    elif hasattr(result, "trigger") and hasattr(result, "weights"):
        if not result.weights.is_file():  # a dry run, which has said what it had to say
            return
        print(f"The style “{result.name}” is in {result.folder}")
        print(f'Make a picture with it: artlab generate "a fox in the snow" --style {result.folder.name}')
    elif hasattr(result, "path"):
        print(result.path)
    elif result is not None:
        print(result)


def _styles_table() -> str:
    from artlab import style  # noqa: PLC0415 - `artlab --help` does without it

    rows = [("name", "trigger", "base", "works", "steps", "folder")]
    for one in style.list_styles():
        data = one.card.get("data")
        works = data.get("kept", data.get("works", "")) if isinstance(data, dict) else ""
        rows.append(
            (one.name, one.trigger, str(one.base["name"]), str(works), str(one.card.get("chosen_step", "")), str(one.folder))
        )
    for error in style.damaged():
        print(f"artlab: {_line(error)}", file=sys.stderr)
    if len(rows) == 1:
        return "There are no styles yet. Teach one: artlab finetune FOLDER"
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]) - 1)]
    return "\n".join("  ".join([*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[-1]]) for row in rows)


def _help() -> str:
    lines = [
        "usage: artlab VERB ...",
        "",
        "A studio for one artist's own voice: a portfolio becomes a style, and the style makes pictures.",
        "",
    ]
    lines += [f"  {verb:<11} {(settings.__doc__ or '').strip().splitlines()[0]}" for verb, settings in VERBS.items()]
    lines += [f"  {'styles':<11} List the styles made here and the ones that ship with artlab.", ""]
    lines += [
        "artlab VERB --help lists a verb's settings; --config FILE (JSON, YAML, TOML) reads them from a file.",
        "artlab --version",
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
