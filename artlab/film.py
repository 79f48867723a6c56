"""Frames as a GIF and an MP4, with a JSON sidecar that says how they were made.

A GIF needs nothing more. An MP4 is written by OpenCV (the `video` extra) as VP9, which browsers play, or as MPEG-4 where its build lacks
VP9; both are free of licence fees. The frames, as PNG with their recipes, are the film's true copy.
"""

import importlib.util
import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from artlab import files

CODECS = ("vp09", "mp4v")


class FilmError(ValueError):
    """A film that cannot be written: why, and the way out."""


@dataclass(frozen=True)
class Film:
    """A finished film: its folder, what was written there, and the sidecar."""

    folder: Path
    files: tuple[Path, ...]
    sidecar: Path

    def __str__(self) -> str:
        return "\n".join(map(str, [*self.files, self.sidecar]))


def check(mp4: bool) -> None:
    """Raise FilmError, before any frame is made, when an MP4 is wanted and cannot be written."""
    if mp4 and importlib.util.find_spec("cv2") is None:
        raise FilmError(
            'An MP4 needs OpenCV, which is not installed: pip install "artlab[video]". Without it: --no-mp4, for a GIF alone.'
        )


def write(folder: Path, frames: Sequence[Image.Image], *, fps: float, gif: bool, mp4: bool, told: dict[str, Any]) -> Film:
    """Write `film.gif`, `film.mp4` and, last, `film.json`, each whole or absent."""
    if len({frame.size for frame in frames}) != 1:
        raise FilmError(f"The frames in {folder} have different sizes; empty the folder and make them again.")
    (folder / "film.json").unlink(missing_ok=True)
    made = []
    for wanted, name, writer in ((gif, "film.gif", write_gif), (mp4, "film.mp4", write_mp4)):
        if wanted:
            writer(folder / name, frames, fps)
            made.append(folder / name)
    sidecar = {"frames": len(frames), "fps": fps, "size": list(frames[0].size), "files": [path.name for path in made], **told}
    files.write_json(folder / "film.json", sidecar)
    return Film(folder, tuple(made), folder / "film.json")


def write_gif(path: Path, frames: Sequence[Image.Image], fps: float) -> None:
    """A GIF that runs without end, its colours chosen for each frame."""
    few = [frame.convert("RGB").quantize(256, method=Image.Quantize.MEDIANCUT) for frame in frames]

    def save(target: Path) -> None:
        # GIF counts hundredths of a second, and readers slow down what is faster than two of them.
        few[0].save(target, "GIF", save_all=True, append_images=few[1:], duration=max(20, round(100 / fps) * 10), loop=0)

    _whole(path, save)


def write_mp4(path: Path, frames: Sequence[Image.Image], fps: float) -> None:
    """An MP4 in the first codec that this OpenCV has. Sides are made even, as video wants them."""
    check(True)
    import cv2  # noqa: PLC0415 - an extra

    size = (frames[0].width // 2 * 2, frames[0].height // 2 * 2)

    def save(target: Path) -> None:
        for codec in CODECS:
            video = cv2.VideoWriter(str(target), cv2.VideoWriter.fourcc(*codec), fps, size)
            if video.isOpened():
                break
        else:
            raise FilmError("This build of OpenCV writes neither VP9 nor MPEG-4; take --no-mp4, for a GIF alone.")
        for frame in frames:
            video.write(np.ascontiguousarray(np.asarray(frame.convert("RGB").crop((0, 0, *size)))[:, :, ::-1]))
        video.release()
        if target.stat().st_size == 0:
            raise FilmError(f"OpenCV wrote nothing to {path}; is the disk full? The frames are there.")

    _whole(path, save)


def _whole(path: Path, save: Any) -> None:
    """Let a library write beside the file, then put it in its place: whole or absent."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.stem}-", suffix=path.suffix)
    os.close(handle)
    try:
        save(Path(name))
        os.chmod(name, 0o644)
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
