"""Checkpoints that are whole or absent.

A checkpoint is a folder `step-00000120` with its files and, written last, `MANIFEST.json` with the size and SHA-256 of each.
It is made under a temporary name and renamed; older ones go only after the new one is durable. So a process may die between
any two system calls and the newest valid checkpoint still loads.
"""

import hashlib
import os
import shutil
from pathlib import Path

from artlab import files

MANIFEST = "MANIFEST.json"


def save(root: Path, step: int, contents: dict[str, bytes], *, keep: int = 2) -> Path:
    """Write `contents` (name -> bytes) as the checkpoint of `step`; keep the newest `keep` and delete older ones afterwards."""
    final = root / f"step-{step:08d}"
    if valid(final):
        return final
    temporary = root / f".tmp-{os.getpid()}-{step}"
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True)
    try:
        manifest = {}
        for name, data in contents.items():
            _write_synced(temporary / name, data)
            manifest[name] = [len(data), hashlib.sha256(data).hexdigest()]
        files.write_json(temporary / MANIFEST, {"step": step, "files": manifest})
        files.sync_folder(temporary)
        if final.exists():  # only reached when the one there is damaged
            shutil.rmtree(final)
        os.rename(temporary, final)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise
    files.sync_folder(root)
    for old in sorted(root.glob("step-*"))[:-keep]:
        shutil.rmtree(old, ignore_errors=True)
    return final


def valid(folder: Path) -> bool:
    """Whether every file that the manifest names is there with its size and hash."""
    try:
        listed = files.read_json(folder / MANIFEST)["files"]
        return all(_matches((folder / name).read_bytes(), size, digest) for name, (size, digest) in listed.items())
    except (OSError, ValueError, KeyError, TypeError):
        return False


def latest(root: Path) -> Path | None:
    """The newest valid checkpoint under `root`, damaged ones passed over; None when there is none."""
    return next((folder for folder in sorted(root.glob("step-*"), reverse=True) if valid(folder)), None)


def step_of(folder: Path) -> int:
    """The step that a checkpoint folder was taken at."""
    return int(folder.name.removeprefix("step-"))


def _matches(data: bytes, size: int, digest: str) -> bool:
    return len(data) == size and hashlib.sha256(data).hexdigest() == digest


def _write_synced(path: Path, data: bytes) -> None:
    with open(path, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
