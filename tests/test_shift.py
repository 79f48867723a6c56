"""The worker's shift, with real processes and a training that only counts: every job ends, and no death loses one."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from artlab import accounts, database, files, jobs, shift

ARTIST = "a" * 16
FAKE = str(Path(__file__).with_name("fake_verb.py"))


@pytest.fixture
def workers(home):
    """Start workers; all of them, and their hands, are gone afterwards."""
    started: list[subprocess.Popen] = []

    def start(device: str = "auto", **environment: str) -> subprocess.Popen:
        process = subprocess.Popen(
            [sys.executable, FAKE, "shift", device],
            env=os.environ | {"ARTLAB_HOME": str(home)} | environment,
            start_new_session=True,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.terminate()
    for process in started:
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def submit(what: str = "count", steps: int = 10, **more) -> int:
    return jobs.submit(ARTIST, "finetune", {"portfolio": what, "name": what, "max_train_steps": steps, **more})


def until(number: int, wanted, seconds: float = 90.0) -> jobs.Job:
    """Wait until a job is in a state, or until `wanted(job)` holds."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        job = jobs.get(ARTIST, number)
        if (job.state == wanted) if isinstance(wanted, str) else wanted(job):
            return job
        time.sleep(0.05)
    raise AssertionError(f"still {jobs.get(ARTIST, number)}")


def step_of(at: int):
    return lambda job: job.progress.get("step", 0) >= at


def steps(name: str = "count") -> list[int]:
    return [row["step"] for row in files.read_jsonl(accounts.home_of(ARTIST) / "runs" / name / "steps.jsonl")]


def test_jobs_are_done_in_one_warm_process_in_the_artists_home(workers):
    first, second = submit(), submit("count", name="again")
    workers()
    assert until(first, "done").result == {"paths": ["runs/count"]}
    assert until(second, "done").progress["step"] == 10
    pids = {
        row["pid"]
        for name in ("count", "again")
        for row in files.read_jsonl(accounts.home_of(ARTIST) / "runs" / name / "steps.jsonl")
    }
    assert len(pids) == 1
    assert not (files.home() / "runs").exists()


def test_pause_saves_and_resume_goes_on(workers):
    number = submit(steps=300)
    workers()
    until(number, step_of(3))
    jobs.control(ARTIST, number, "save")
    heard = accounts.home_of(ARTIST) / "runs" / "count" / "heard.jsonl"
    until(number, lambda _: heard.exists())  # a pause saves too: one that comes at once takes the wish's place
    jobs.control(ARTIST, number, "pause")
    paused = until(number, "paused")
    assert "Stopped at step" in paused.message
    at = steps()[-1]
    jobs.control(ARTIST, number, "resume")
    until(number, "done")
    assert steps() == list(range(1, 301))
    assert at < 300
    assert [row["what"] for row in files.read_jsonl(heard)] == ["save"]


def test_kill_9_of_the_worker_loses_nothing(workers):
    number = submit(steps=80)
    first = workers(LEASE="2")
    until(number, step_of(12))
    first.kill()
    first.wait()
    workers(LEASE="2")
    done = until(number, "done")
    assert done.token == 2
    made = steps()
    assert sorted(set(made)) == list(range(1, 81))
    assert made == sorted(made)  # the hand of the dead worker saved and ended; nothing was done twice, nor beside each other


def test_kill_9_of_the_hand_goes_on_from_the_checkpoint(workers):
    number = submit(steps=60)
    workers()
    until(number, step_of(12))
    pid = next(iter(files.read_jsonl(accounts.home_of(ARTIST) / "runs" / "count" / "steps.jsonl")))["pid"]
    os.kill(pid, signal.SIGKILL)
    until(number, "done")
    made = steps()
    assert sorted(set(made)) == list(range(1, 61))
    assert len(made) - 60 < 10  # from the last checkpoint, not from the start


def test_a_job_that_always_dies_is_given_up_with_a_reason(workers):
    number = submit("die")
    workers()
    failed = until(number, "failed")
    assert "signal 9" in failed.message
    assert failed.attempts == jobs.ATTEMPTS


def test_cancel_always_ends(workers):
    number, after = submit("deaf", steps=100_000), submit()
    workers()
    until(number, step_of(2))
    began = time.monotonic()
    jobs.cancel(ARTIST, number)
    until(number, "cancelled", 15)
    assert time.monotonic() - began < 10
    until(after, "done")


def test_faults_are_told_in_words_and_written_down(workers):
    fault, wrong = submit("fault"), submit("wrong")
    workers()
    told = until(fault, "failed").message
    assert "Something went wrong inside artlab (RuntimeError)" in told
    assert "/etc/secret" not in told
    assert len(list((database.folder() / "logs").glob("*-finetune-*.log"))) == 1
    assert until(wrong, "failed").message == "Two works are needed."


def test_a_long_job_rests_for_a_short_one(workers):
    long = submit(steps=200)
    workers(TURN="0.2")
    until(long, step_of(3))
    short = submit("count", name="short", dry_run=True)
    until(short, "done", 15)
    resting = jobs.get(ARTIST, long)
    assert resting.state in ("queued", "running")
    assert resting.attempts <= 1
    jobs.cancel(ARTIST, long)
    until(long, "cancelled")


def test_sigterm_of_the_worker_puts_the_job_back(workers):
    number = submit(steps=200)
    worker = workers()
    until(number, step_of(3))
    worker.terminate()
    assert worker.wait(10) == 0
    back = jobs.get(ARTIST, number)
    assert (back.state, back.attempts) == ("queued", 0)


def test_a_device_has_one_worker_and_its_end_is_waited_for(workers):
    worker = workers()
    until_locked = time.monotonic() + 10
    while not shift.lock_of("auto").exists() or not shift.lock_of("auto").read_text():
        assert time.monotonic() < until_locked
        time.sleep(0.05)
    assert workers().wait(20) == 0  # the second one sees the first and goes
    assert worker.poll() is None
    assert shift.end("auto", 10)
    assert worker.wait(5) == 0
    assert shift.end("auto", 1)  # nobody there is fine


def test_two_devices_work_beside_each_other(workers):
    one, two = submit(steps=40), submit("count", steps=40, name="two")
    workers("cpu"), workers("cuda:7")
    until(one, lambda job: job.state in ("running", "done"))
    until(two, lambda job: job.state in ("running", "done"))
    until(one, "done"), until(two, "done")


def test_a_worker_that_froze_past_its_lease_changes_nothing(workers):
    number = submit(steps=150)
    frozen = workers("cpu", LEASE="1.5")
    until(number, step_of(3))
    os.kill(frozen.pid, signal.SIGSTOP)
    try:
        jobs._base().execute("UPDATE job SET lease_until=1 WHERE id=?", (number,))
        workers("cuda:7", LEASE="1.5")
        until(number, lambda job: job.token == 2 and job.progress.get("step", 0) > 3)
    finally:
        os.kill(frozen.pid, signal.SIGCONT)
    assert until(number, "done").token == 2


def test_a_worker_knows_whether_a_studio_is_open():
    assert not shift.studio_is_there()
    code = "import sys\nfrom artlab import shift\nwith shift.studio_open():\n print('open', flush=True); sys.stdin.read()"
    page = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert page.stdout.readline() == b"open\n"
    assert shift.studio_is_there()
    page.kill()
    page.wait()
    for pipe in (page.stdin, page.stdout):
        with contextlib.suppress(OSError):
            pipe.close()
    assert not shift.studio_is_there()
