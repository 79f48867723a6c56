"""Films: GIF and MP4 from frames, whole or absent, with a sidecar; without OpenCV the way to it is told."""

import json

import numpy as np
import pytest
from PIL import Image

from artlab import film
from artlab.film import FilmError

FRAMES = [Image.fromarray(np.full((47, 64, 3), 40 * k, np.uint8)) for k in range(5)]


def test_a_gif_has_all_frames_at_their_pace(tmp_path):
    film.write(tmp_path, FRAMES, fps=10, gif=True, mp4=False, told={"start": "a"})
    with Image.open(tmp_path / "film.gif") as gif:
        assert (gif.n_frames, gif.info["duration"], gif.info["loop"]) == (5, 100, 0)
        gif.seek(4)
        assert abs(int(np.asarray(gif.convert("RGB")).mean()) - 160) < 4
    told = json.loads((tmp_path / "film.json").read_text())
    assert told == {"frames": 5, "fps": 10, "size": [64, 47], "files": ["film.gif"], "start": "a"}


def test_an_mp4_can_be_played_back(tmp_path):
    cv2 = pytest.importorskip("cv2")
    made = film.write(tmp_path, FRAMES, fps=12, gif=False, mp4=True, told={})
    assert [path.name for path in made.files] == ["film.mp4"]
    video, means = cv2.VideoCapture(str(tmp_path / "film.mp4")), []
    while (read := video.read())[0]:
        assert read[1].shape[:2] == (46, 64), "even sides"
        means.append(int(read[1].mean()))
    assert np.abs(np.array(means) - [0, 40, 80, 120, 160]).max() < 8
    assert video.get(cv2.CAP_PROP_FPS) == pytest.approx(12)


def test_without_opencv_the_extra_is_named(monkeypatch, tmp_path):
    monkeypatch.setattr(film.importlib.util, "find_spec", lambda _: None)
    with pytest.raises(FilmError, match=r"pip install .artlab\[video\].*--no-mp4"):
        film.write(tmp_path, FRAMES, fps=12, gif=False, mp4=True, told={})
    film.check(False)


def test_a_failed_write_leaves_nothing_half(tmp_path, monkeypatch):
    def fail(*_):
        raise OSError(28, "no space")

    monkeypatch.setattr(film.os, "replace", fail)
    with pytest.raises(OSError, match="no space"):
        film.write(tmp_path, FRAMES, fps=12, gif=True, mp4=False, told={})
    assert list(tmp_path.iterdir()) == []


def test_frames_of_two_sizes_are_no_film(tmp_path):
    with pytest.raises(FilmError, match="different sizes"):
        film.write(tmp_path, [FRAMES[0], Image.new("RGB", (5, 5))], fps=12, gif=True, mp4=False, told={})
