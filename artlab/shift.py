"""A worker's shift: take jobs from the queue, have a hand do them, and see that each of them ends.

    python -m artlab.shift DEVICE            (started by the studio; by hand on a machine that shares the studio's home: add --stay)

The worker holds the lease of a job and watches the process that does it (`artlab.hand`), which can hang or die without taking the
worker with it. A job that shall end gets SIGTERM, and after 20 seconds its whole process group SIGKILL. `kill -9` of the worker
loses nothing: its lease lapses, its hand ends itself, and the next worker resumes the job from its last checkpoint.
"""

import contextlib
import fcntl
import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

from artlab import accounts, database, files, jobs
from artlab.jobs import Job

HAND = (sys.executable, "-m", "artlab.hand")
PATIENCE = 20.0
TURN = 60.0
"""Seconds that a long job works at least before it rests for a short one."""
WARM_UP = 3.0
IDLE = 120.0
"""Seconds after which a worker with nothing to do and no studio around ends."""


class Worker:
    """One worker of one device, with at most one hand."""

    def __init__(self, device: str = "auto", *, stay: bool = True) -> None:
        self.device, self.stay = device, stay
        self.ending = False
        self.hand: Hand | None = None

    def work(self) -> None:
        """Take jobs until told to end, or until nobody is there to give any."""
        quiet_since = time.monotonic()
        try:
            while not self.ending:
                job = jobs.claim()
                if job is not None:
                    self.tend(job)
                    quiet_since = time.monotonic()
                elif not self.stay and time.monotonic() - quiet_since > IDLE and not studio_is_there():
                    return
                else:
                    if self.hand is None and time.monotonic() - quiet_since > WARM_UP:
                        self.hand = Hand(
                            self.device
                        )  # it loads its libraries now, so that the first picture need not wait for them
                    time.sleep(0.25)
        finally:
            self.drop_hand()

    def end(self, *_: object) -> None:
        """End after the job under way has been stopped and put back."""
        self.ending = True

    def tend(self, job: Job) -> None:
        """See one job through to some end. It is over, waiting or another's when this returns."""
        if self.hand is None or not self.hand.alive:
            self.hand = Hand(self.device)
        watch = Watch(job, self.hand, lambda: self.ending)
        if watch.through() != "done":
            self.drop_hand()  # what was cut off in the middle may have left anything behind

    def drop_hand(self) -> None:
        """End the hand, if there is one."""
        if self.hand is not None:
            self.hand.kill()
        self.hand = None


class Hand:
    """The worker's end of the pipe to `artlab.hand`."""

    def __init__(self, device: str) -> None:
        self.process = subprocess.Popen(
            [*HAND, device],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            start_new_session=True,  # its whole group can be killed, and Ctrl-C in a terminal does not reach it
        )
        self.lines: queue.Queue[dict[str, Any] | None] = queue.Queue()
        assert self.process.stdout is not None
        threading.Thread(target=self._read, args=(self.process.stdout,), daemon=True).start()

    @property
    def alive(self) -> bool:
        """Whether the process runs."""
        return self.process.poll() is None

    def tell(self, **what: Any) -> None:
        """Send a line; one that has died is noticed by its silence."""
        assert self.process.stdin is not None
        with contextlib.suppress(BrokenPipeError, ValueError):
            self.process.stdin.write(json.dumps(what, ensure_ascii=False) + "\n")
            self.process.stdin.flush()

    def hear(self, wait: float) -> dict[str, Any] | None:
        """The next line, None after `wait` seconds without one. Raises EOFError when the process has ended."""
        try:
            line = self.lines.get(timeout=wait)
        except queue.Empty:
            return None
        if line is None:
            raise EOFError
        return line

    def ask_to_stop(self) -> None:
        """SIGTERM: a training saves its state and ends."""
        with contextlib.suppress(ProcessLookupError):
            self.process.terminate()

    def kill(self) -> int:
        """SIGKILL to the whole group; the exit code."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, signal.SIGKILL)
        code = self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            with contextlib.suppress(OSError, ValueError):
                pipe.close()  # type: ignore[union-attr]
        return code

    def _read(self, stream: IO[str]) -> None:
        with contextlib.suppress(ValueError, OSError):
            for line in stream:
                self.lines.put(json.loads(line))
        self.lines.put(None)


class Watch:
    """The worker's eyes on one job: it passes on progress, renews the lease, and stops what shall stop."""

    def __init__(self, job: Job, hand: Hand, ending: Callable[[], bool]) -> None:
        self.job, self.hand, self.ending = job, hand, ending
        self.progress: dict[str, Any] = dict(job.progress)
        self.began = time.monotonic()
        self.reason = ""  # why it was asked to stop: pause, cancel, end, rest
        self.deadline = float("inf")
        self.next_beat = 0.0
        self.news = False

    def through(self) -> str:
        """Follow the job to its end and note it: `done`, `failed`, `stopped`, `died`, or `lost` to another worker."""
        what = {"id": self.job.id, "verb": self.job.verb, "settings": self.job.settings, "progress": self.job.progress}
        self.hand.tell(job=what | {"home": str(accounts.home_of(self.job.artist).resolve())})
        while True:
            try:
                heard = self.hand.hear(0.5)
            except EOFError:
                return self._died(self.hand.kill())
            if heard is not None and "progress" in heard:
                self.progress, self.news = heard["progress"], True
            elif heard is not None and "end" in heard:
                return self._ended(heard)
            if not self._beat():
                return "lost"
            if time.monotonic() > self.deadline:
                return self._died(self.hand.kill())

    def _beat(self) -> bool:
        """Renew the lease when it is time; False when the job is no longer this worker's."""
        now = time.monotonic()
        if now < self.next_beat and not self.ending():
            return True
        self.next_beat = now + 0.7
        self.hand.tell(beat=1)
        orders = jobs.beat(self.job, self.progress if self.news else None)
        self.news = False
        if orders is None:
            return False
        for ask in orders.asks:
            self.hand.tell(ask=ask)
        if reason := self._why_stop(orders.wish):
            self._stop(reason)
        return True

    def _why_stop(self, wish: str) -> str:
        if wish or self.ending():
            return wish or "end"
        rested = time.monotonic() - self.began > TURN
        return "rest" if rested and self.job.verb in jobs.RESTING and jobs.short_one_waits() else ""

    def _stop(self, reason: str) -> None:
        if not self.reason:
            self.hand.ask_to_stop()
            self.deadline = time.monotonic() + PATIENCE
        self.reason = reason if self.reason != "cancel" else "cancel"

    def _ended(self, heard: dict[str, Any]) -> str:
        if self.news:
            jobs.beat(self.job, self.progress)
        if heard["end"] == "done":
            jobs.finish(self.job, "done", result=heard["result"])
        elif heard["end"] == "failed" and self.reason != "cancel":
            jobs.finish(self.job, "failed", message=heard["message"])
        else:
            self._let_go(heard.get("message", ""))
        return str(heard["end"])

    def _died(self, code: int) -> str:
        if self.reason:
            self._let_go("")
        else:
            how = f"signal {-code}" if code < 0 else f"code {code}"
            why = "The process that worked at it ended without a word"
            jobs.retry(self.job, f"{why} ({how}{', as when memory runs out' if code == -signal.SIGKILL else ''}).")
        return "died"

    def _let_go(self, message: str) -> None:
        """Leave a job that was stopped in the state that the reason asks for."""
        if self.reason == "cancel":
            jobs.finish(self.job, "cancelled", message=message)
        elif self.reason == "pause":
            jobs.finish(self.job, "paused", message=message)
        else:
            jobs.put_back(self.job, "It rests while something short is made." if self.reason == "rest" else "")


# -- one worker for a device, and a studio around --------------------------------------------------------------------------------


def work(device: str = "auto", *, stay: bool = False) -> bool:
    """Be the worker of a device until SIGTERM, or until no studio needs one. False if the device has a worker already."""
    with open(lock_of(device), "a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        worker = Worker(device, stay=stay)
        signal.signal(signal.SIGTERM, worker.end)
        signal.signal(signal.SIGINT, worker.end)
        worker.work()
    return True


def lock_of(device: str) -> Path:
    """The file that the worker of a device holds locked, with its process id in it."""
    return database.folder() / f"worker-{files.slug(device)}.lock"


def end(device: str, patience: float = 30.0) -> bool:
    """Ask the worker of a device to save, put its job back and end; True when none is left after at most `patience` seconds.

    Its process is known by the lock that it holds, so that a number which the system has given to another is not taken for it.
    """
    deadline = time.monotonic() + patience
    asked = False
    while True:
        with open(lock_of(device), "a+") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return True
            except BlockingIOError:
                lock.seek(0)
                owner = lock.read().strip()
        if not asked and owner.isdecimal():
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(int(owner), signal.SIGTERM)
                asked = True
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)


@contextlib.contextmanager
def studio_open() -> Iterator[None]:
    """Let workers know, as long as the block lasts, that a studio of this home is open."""
    with open(database.folder() / "page.lock", "a") as lock:
        fcntl.flock(lock, fcntl.LOCK_SH)
        yield


def studio_is_there() -> bool:
    """Whether a studio of this home is open: it holds a lock that nobody else can have meanwhile."""
    with open(database.folder() / "page.lock", "a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        return False


if __name__ == "__main__":
    work(*[word for word in sys.argv[1:] if not word.startswith("--")][:1], stay="--stay" in sys.argv)
