"""The queue: nothing is done twice or lost, artists take turns and see only their own, and a zombie changes nothing."""

import multiprocessing
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from artlab import accounts, files, jobs, settings
from artlab.jobs import JobError

ANA, BEA, CLO = "a" * 16, "b" * 16, "c" * 16


def ask(artist: str = ANA, verb: str = "generate", number: int = 0, **more) -> int:
    if verb == "finetune":
        return jobs.submit(artist, verb, {"portfolio": "drawn:vask", "seed": number, **more})
    return jobs.submit(artist, verb, {"prompt": [f"a fox {number}"], **more})


def lapse(job: int) -> None:
    """Let the lease of a job be over."""
    jobs._base().execute("UPDATE job SET lease_until=1 WHERE id=?", (job,))


# -- the way of a job ---------------------------------------------------------------------------------------------------------


def test_from_queue_to_done():
    number = ask()
    assert (jobs.get(ANA, number).state, jobs.get(ANA, number).title) == ("queued", "generate: a fox 0")
    job = jobs.claim()
    assert (job.id, job.state, job.token, job.attempts) == (number, "running", 1, 1)
    assert jobs.beat(job, {"step": 3, "total": 10}) == jobs.Orders()
    assert jobs.get(ANA, number).progress == {"step": 3, "total": 10}
    assert jobs.finish(job, "done", result={"paths": ["pictures/x.png"]})
    done = jobs.get(ANA, number)
    assert (done.state, done.result, done.is_open) == ("done", {"paths": ["pictures/x.png"]}, False)
    assert jobs.claim() is None


def test_a_double_click_is_one_job():
    assert ask() == ask()
    assert ask(number=1) != ask(number=2)
    assert len(jobs.of(ANA)) == 3


def test_only_so_many_wait():
    for number in range(jobs.MOST_QUEUED):
        ask(number=number)
    with pytest.raises(JobError, match="which is the most"):
        ask(number=10_000)
    assert ask(BEA)


def test_a_dead_worker_loses_the_job_and_cannot_write_any_more():
    number = ask()
    first = jobs.claim()
    lapse(number)
    second = jobs.claim()
    assert (second.id, second.token, second.attempts) == (number, 2, 2)
    assert jobs.beat(first, {"step": 99}) is None
    assert not jobs.finish(first, "failed", message="zombie")
    assert not jobs.put_back(first)
    assert not jobs.retry(first, "zombie")
    assert jobs.get(ANA, number).state == "running"
    assert jobs.finish(second, "done")


def test_three_deaths_are_enough():
    number = ask()
    for _ in range(jobs.ATTEMPTS):
        assert jobs.claim().id == number
        lapse(number)
    assert jobs.claim() is None
    failed = jobs.get(ANA, number)
    assert failed.state == "failed"
    assert "memory" in failed.message
    jobs.control(ANA, number, "resume")
    assert jobs.claim().attempts == 1


def test_a_clock_set_back_does_not_hold_a_job_for_ever():
    number = ask()
    jobs.claim()
    jobs._base().execute("UPDATE job SET lease_until=?", (time.time() + 3600,))
    assert jobs.claim().id == number


def test_an_interruption_that_is_nobodys_fault_counts_no_attempt():
    ask()
    for _ in range(5):
        job = jobs.claim()
        assert job.attempts == 1
        assert jobs.put_back(job)


# -- wishes -------------------------------------------------------------------------------------------------------------------


def test_cancel_ends_what_waits_at_once_and_asks_what_runs():
    waits, runs = ask(number=1), ask(number=2)
    job = jobs.claim()
    assert job.id == waits
    assert jobs.cancel(ANA, runs).state == "cancelled"
    assert jobs.cancel(ANA, waits).wish == "cancel"
    assert jobs.beat(job).wish == "cancel"
    assert jobs.finish(job, "cancelled")
    assert jobs.cancel(ANA, waits).state == "cancelled"  # once more changes nothing


def test_the_wish_for_an_end_holds_when_the_worker_dies():
    number = ask()
    jobs.claim()
    jobs.cancel(ANA, number)
    lapse(number)
    assert jobs.claim() is None
    assert jobs.get(ANA, number).state == "cancelled"


def test_pause_and_resume():
    number = ask(verb="finetune")
    assert jobs.control(ANA, number, "pause").state == "paused"
    assert jobs.claim() is None
    jobs.control(ANA, number, "resume")
    job = jobs.claim()
    jobs.control(ANA, number, "pause")
    assert jobs.beat(job).wish == "pause"
    jobs.control(ANA, number, "resume")  # changed her mind before it stopped
    assert jobs.beat(job).wish == ""
    jobs.control(ANA, number, "pause")
    assert jobs.put_back(job)
    assert jobs.get(ANA, number).state == "paused"


def test_save_and_sample_are_heard_once():
    number = ask(verb="finetune")
    with pytest.raises(JobError, match="it cannot save now"):
        jobs.control(ANA, number, "save")
    job = jobs.claim()
    for what in ("save", "sample", "save"):
        jobs.control(ANA, number, what)
    assert jobs.beat(job).asks == ("save", "sample")
    assert jobs.beat(job).asks == ()


@pytest.mark.parametrize("what", ["explode", "", "cancel; DROP TABLE job"])
def test_an_unknown_wish_is_refused(what):
    with pytest.raises(JobError):
        jobs.control(ANA, ask(), what)


# -- whose it is --------------------------------------------------------------------------------------------------------------


def test_nobody_sees_or_touches_the_jobs_of_another():
    number = ask()
    assert jobs.of(BEA) == []
    assert jobs.place(BEA, number) is None
    for touch in (jobs.get, jobs.cancel, lambda a, n: jobs.control(a, n, "pause"), lambda a, n: jobs.control(a, n, "resume")):
        with pytest.raises(JobError, match="You have no job"):
            touch(BEA, number)
    jobs.forget(BEA, number)
    assert jobs.get(ANA, number).state == "queued"


@pytest.mark.parametrize("number", ["x", None, -1, 2**70, 1e400, "1 OR 1=1", [1], {}])
def test_what_is_no_number_is_refused(number):
    ask()
    with pytest.raises(JobError):
        jobs.get(ANA, number)
    with pytest.raises(JobError):
        jobs.cancel(ANA, number)


@pytest.mark.parametrize(
    ("verb", "given"),
    [
        ("finetune", {"portfolio": "/etc"}),
        ("finetune", {"portfolio": "../" + "b" * 16 + "/portfolio"}),
        ("finetune", {"portfolio": "portfolio/../../x"}),
        ("finetune", {"portfolio": "~/x"}),
        ("finetune", {"portfolio": "..\\x"}),
        ("finetune", {"portfolio": "ok", "output_dir": "/tmp/x"}),
        ("finetune", {"portfolio": "ok", "output_dir": "../x"}),
        ("finetune", {"portfolio": "ok", "base": "/etc"}),
        ("finetune", {"portfolio": "ok", "base": "../../x/y"}),
        ("finetune", {"portfolio": "a\0b"}),
        ("generate", {"prompt": ["x"], "style": ["../../../" + "b" * 16 + "/styles/hers"]}),
        ("generate", {"prompt": ["x"], "style": ["wren", "/etc/style:0.5"]}),
        ("generate", {"prompt": ["x"], "output_dir": "/etc"}),
        ("generate", {"prompt": ["x"], "nonsense": 1}),
        ("generate", {"prompt": ["x" * 5000]}),
        ("generate", {"prompt": ["x"], "count": 10**9}),
        ("generate", {"prompt": ["x"], "guidance_scale": float("nan")}),
        ("studio", {}),
        ("pretrain", {}),
        ("__import__", {}),
    ],
)
def test_settings_that_lead_out_or_are_no_good_are_refused(verb, given):
    with pytest.raises(JobError):
        jobs.submit(ANA, verb, given)
    assert jobs.of(ANA) == []


def test_what_leads_home_or_is_only_words_is_taken():
    home = accounts.home_of(ANA)
    assert jobs.submit(ANA, "finetune", {"portfolio": str(home / "portfolio" / "training")})
    assert jobs.submit(
        ANA, "generate", {"prompt": ["either/or, ../ and ~/ are words here"], "style": ["styles/wren:0.8", "ember:0.5"]}
    )
    assert jobs.submit(ANA, "generate", {"prompt": ["x"], "base": "stable-diffusion-v1-5/stable-diffusion-v1-5"})
    assert jobs.submit(ANA, "finetune", settings.Finetune(portfolio="drawn:vask"))


def test_a_link_that_leads_out_is_refused(tmp_path):
    home = accounts.home_of(ANA)
    home.mkdir(parents=True)
    (home / "way").symlink_to(tmp_path)
    with pytest.raises(JobError, match="not among your own files"):
        jobs.submit(ANA, "finetune", {"portfolio": "way/out"})


# -- fairness and waiting -----------------------------------------------------------------------------------------------------


def test_artists_take_turns():
    for number in range(3):
        ask(ANA, number=number)
    ask(BEA), ask(CLO)
    order = []
    while (job := jobs.claim()) is not None:
        order.append(job.artist[0])
        jobs.finish(job, "done")
    assert order == ["a", "b", "c", "a", "a"]


def test_who_was_served_last_waits():
    ask(ANA)
    jobs.finish(jobs.claim(), "done")
    ask(ANA, number=1), ask(BEA)
    assert jobs.claim().artist == BEA


def test_short_ones_go_first_and_a_trial_is_short():
    ask(ANA, "finetune")
    assert not jobs.short_one_waits()
    ask(BEA, "finetune", dry_run=True)
    assert jobs.short_one_waits()
    assert jobs.claim().artist == BEA


def test_place_and_time():
    first, second, third = ask(ANA), ask(ANA, number=1), ask(BEA)
    assert [jobs.place(a, n).number for a, n in ((ANA, first), (ANA, second), (BEA, third))] == [1, 3, 2]
    assert jobs.place(ANA, second).seconds is None  # nothing of its like was ever done
    job = jobs.claim()
    jobs.finish(job, "done")
    jobs._base().execute("UPDATE job SET worked=10 WHERE id=?", (job.id,))
    assert jobs.place(ANA, second).seconds == pytest.approx(10)
    running = jobs.claim()
    jobs.beat(running, {"eta": 4.0})
    assert jobs.place(ANA, second).seconds == pytest.approx(4)
    assert jobs.place(ANA, second, workers=2).seconds == pytest.approx(2)
    assert jobs.place(BEA, running.id) is None


def _claim_all(_: int) -> list[tuple[int, int]]:
    taken = []
    while (job := jobs.claim()) is not None:
        taken.append((job.id, os.getpid()))
        jobs.finish(job, "done")
    return taken


def test_eight_processes_never_take_the_same_job():
    for number in range(120):
        ask(f"{number % 16:016x}", number=number)
    with multiprocessing.get_context("spawn").Pool(4) as pool:
        taken = [one for part in pool.map(_claim_all, range(8)) for one in part]
    assert sorted(number for number, _ in taken) == list(range(1, 121))


def test_threads_share_the_file():
    with ThreadPoolExecutor(8) as pool:
        numbers = list(pool.map(lambda n: ask(number=n), range(40)))
    assert len(set(numbers)) == 40


def test_the_file_is_for_nobody_elses_eyes():
    ask()
    assert jobs.path().stat().st_mode & 0o077 == 0
    assert jobs.path().parent.stat().st_mode & 0o077 == 0


def test_the_queue_is_the_same_wherever_one_is_living():
    number = ask()
    with files.living_in(accounts.home_of(ANA)):
        assert jobs.get(ANA, number).id == number
        assert files.home() == accounts.home_of(ANA)


def test_it_needs_no_torch():
    code = "import artlab.jobs, artlab.accounts, artlab.shift, sys; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], timeout=60).returncode == 0
