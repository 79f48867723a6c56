"""A real training behind the queue: what the artist asks for meanwhile happens, and `kill -9` changes nothing of the result."""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from artlab import accounts, drawing, files, jobs, style
from artlab.settings import Finetune

ARTIST = "a" * 16


def settings(works: Path, base: str, **changes) -> dict:
    return {
        "portfolio": str(works), "base": base, "resolution": 64, "max_train_steps": 12, "train_batch_size": 2, "rank": 2, "views": 2,
        "validation_steps": 50, "sample_steps": 50, "checkpointing_steps": 50, "device": "cpu", "mixed_precision": "fp32",
    } | changes  # fmt: skip


def test_a_training_saves_and_samples_when_its_listener_asks(tiny_base_folder, tmp_path):
    from artlab.finetune import finetune  # noqa: PLC0415 - torch, which the rest of this file does without

    drawing.draw_portfolio("vask", tmp_path / "works", count=6, height=96)
    seen = {}

    def report(step):
        if step.step == 4:
            assert (files.runs() / "works" / "checkpoints" / "step-00000002").is_dir()
        seen[step.step] = len(step.pictures)
        return {2: {"save", "sample"}}.get(step.step)

    finetune(
        Finetune(**settings(tmp_path / "works", str(tiny_base_folder), max_train_steps=5)), report=report, say=lambda text: None
    )
    assert [at for at, pictures in seen.items() if pictures] == [3, 5]


def start(home: Path) -> subprocess.Popen:
    code = (
        "from artlab import hand, jobs, shift; jobs.LEASE = 5; shift.WARM_UP = 3600; "
        "shift.HAND = (shift.sys.executable, '-c', 'import sys; from artlab import hand; hand.WARM = \"\"; hand.main(sys.argv[1])'); "
        "shift.work('cpu', stay=True)"
    )
    return subprocess.Popen([sys.executable, "-c", code], env=os.environ | {"ARTLAB_HOME": str(home)}, start_new_session=True)


def until(number: int, wanted) -> jobs.Job:
    for _ in range(30_000):
        job = jobs.get(ARTIST, number)
        if wanted(job):
            return job
        time.sleep(0.05)
    raise AssertionError(f"still {job}")


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_kill_9_of_the_worker_changes_nothing_of_the_style(tiny_base_folder, home):
    own = accounts.home_of(ARTIST)
    drawing.draw_portfolio("vask", own / "works", count=8, height=96)
    shutil.copytree(tiny_base_folder, own / "bases" / "tiny")
    common = settings(
        own / "works", "bases/tiny", max_train_steps=60, checkpointing_steps=10, validation_steps=15, trigger="vskx"
    )
    whole, killed = (jobs.submit(ARTIST, "finetune", common | {"name": name}) for name in ("whole", "killed"))
    worker = start(home)
    try:
        assert until(whole, lambda job: not job.is_open).message == ""
        until(killed, lambda job: job.progress.get("step", 0) > 20)
        worker.kill()
        worker.wait()
        worker = start(home)
        assert until(killed, lambda job: not job.is_open).message == ""
    finally:
        worker.terminate()
        worker.wait(60)
    with files.living_in(own):
        one, other = style.load("whole"), style.load("killed")
    assert one.weights.read_bytes()[-4096:] == other.weights.read_bytes()[-4096:]
    assert one.card["scores"] == other.card["scores"]
    assert jobs.get(ARTIST, killed).token == 2
