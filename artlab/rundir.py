"""The folder of one training: what it is a training of, where it stands, and whether it may go on."""

import contextlib
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from artlab import checkpoints, files
from artlab.settings import Finetune

IDENTITY, FINISHED = "run.json", "finished.json"
INDIFFERENT = {
    "portfolio",
    "output_dir",
    "resume",
    "force",
    "dry_run",
    "device",
    "country",
    "checkpointing_steps",
    "checkpoints_total_limit",
    "keep_adapters",
}


class ResumeError(ValueError):
    """A run that must not go on as asked: what differs, and the ways out."""


@dataclass(frozen=True)
class Run:
    """A run folder under `files.runs()`."""

    folder: Path

    @property
    def checkpoints(self) -> Path:
        """Where its checkpoints are."""
        return self.folder / "checkpoints"

    @property
    def samples(self) -> Path:
        """Where its sample strip is."""
        return self.folder / "samples"

    def finished(self) -> dict[str, Any] | None:
        """What was written when the training ended, if it has."""
        path = self.folder / FINISHED
        return files.read_json(path) if path.exists() else None

    def finish(self, style_folder: Path) -> None:
        """Note that the style is whole; the run is then never resumed."""
        files.write_json(self.folder / FINISHED, {"style": str(style_folder)})

    def save(self, step: int, contents: dict[str, bytes], *, keep: int, say: Callable[[str], None]) -> None:
        """Write a checkpoint; on a full disk pause, say so, and go on when there is room."""
        files.wait_for_space(lambda: _ignore(checkpoints.save(self.checkpoints, step, contents, keep=keep)), say)

    def load(self, say: Callable[[str], None]) -> tuple[int, dict[str, bytes]]:
        """The newest valid checkpoint as (step, name -> bytes); step 0 and nothing when there is none. Damaged ones are named."""
        everything = sorted(self.checkpoints.glob("step-*"))
        newest = checkpoints.latest(self.checkpoints) if everything else None
        if everything and newest != everything[-1]:
            say(
                f"The checkpoint {everything[-1].name} is damaged; {'going on from ' + newest.name if newest else 'starting anew'}."
            )
        if newest is None:
            return 0, {}
        return checkpoints.step_of(newest), {
            path.name: path.read_bytes() for path in newest.iterdir() if path.name != checkpoints.MANIFEST
        }

    def add_sitting(self, energy: dict[str, Any]) -> None:
        """Note what one sitting took; a sitting that was killed leaves no row."""
        files.append_jsonl(self.folder / "sittings.jsonl", energy)

    def sittings(self) -> list[dict[str, Any]]:
        """What each sitting took."""
        return list(files.read_jsonl(self.folder / "sittings.jsonl"))


def open_run(name: str, settings: Finetune, *, data: str, base: str) -> Run:
    """The run folder of a style, fresh or to be gone on with. Raises ResumeError when settings, works or base have changed.

    A finished run of the same identity is returned as it is; any other finished run makes room for a new one.
    """
    run = Run(files.runs() / files.slug(name))
    identity = {"settings": identity_of(settings), "data": data, "base": base}
    path = run.folder / IDENTITY
    if path.exists():
        changed = _changed(files.read_json(path), identity)
        if (run.finished() is not None and changed) or not settings.resume:
            shutil.rmtree(run.folder)
        elif changed and not settings.force:
            raise ResumeError(
                f"The training of “{name}” was interrupted and cannot go on as asked: {'; '.join(changed)}. "
                "Give the same settings to go on, --no-resume to start anew, or --force to go on all the same."
            )
    with contextlib.suppress(FileExistsError):
        run.folder.mkdir(parents=True)
    files.write_json(path, identity)
    return run


def identity_of(settings: Finetune) -> dict[str, Any]:
    """The settings that change what is learned."""
    return {key: value for key, value in settings.model_dump(mode="json").items() if key not in INDIFFERENT}


def _changed(before: dict[str, Any], now: dict[str, Any]) -> list[str]:
    changed = [
        f"{key} was {before['settings'].get(key)}, now {value}"
        for key, value in now["settings"].items()
        if before["settings"].get(key) != value
    ]
    if before["data"] != now["data"]:
        changed.append("the works or their captions have changed")
    if before["base"] != now["base"]:
        changed.append(f"the base has changed ({before['base']}, now {now['base']})")
    return changed


def _ignore(_: object) -> None:
    return None
