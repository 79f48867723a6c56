"""Workers on this machine: a process a device, each with its own `Maker`, fed one batch at a time.

A worker that dies is started again and its batch tried once more, picture by picture, so that one bad item takes down nothing but
itself. When the process that feeds them dies, the workers end at the next step.
"""

import contextlib
import multiprocessing
import os
import signal
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from typing import Any

import torch

from artlab.gallery.items import Item
from artlab.gallery.maker import Maker

Adapters = Mapping[str, Sequence[str]]
TRIES = 2


@dataclass(frozen=True)
class Outcome:
    """What became of an item: its PNG file, or why there is none."""

    item: Item
    data: bytes = b""
    reason: str = ""


def devices(wanted: Sequence[str], workers: int | None) -> list[str]:
    """A device a worker: all GPUs, or the CPU once a core, unless it is said otherwise; `workers` gives their number."""
    found = list(wanted)
    if found == ["auto"]:
        cards = torch.cuda.device_count() if torch.cuda.is_available() else 0
        found = [f"cuda:{number}" for number in range(cards)] or (["mps"] if torch.backends.mps.is_available() else ["cpu"])
    if workers is None:
        workers = max(len(found), cores() if found == ["cpu"] else 0)
    return [found[number % len(found)] for number in range(max(1, workers))]


def cores() -> int:
    """Processor cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def inline(batches: Iterable[list[Item]], device: str, adapters: Adapters, beat: Callable[[], None]) -> Iterator[Outcome]:
    """Everything in this process."""
    threads = torch.get_num_threads()
    try:
        if device == "cpu":
            torch.set_num_threads(1)
        maker = Maker(device, adapters)
        for batch in batches:
            yield from attempt(maker, batch, lambda _: beat())
    finally:
        torch.set_num_threads(threads)


def attempt(maker: Maker, batch: Sequence[Item], on_step: Callable[[int], None]) -> Iterator[Outcome]:
    """The outcomes of a batch; an error becomes the reason of each item that was not made before it."""
    left = list(batch)
    try:
        for item, data in maker.make(batch, on_step):
            left.remove(item)
            yield Outcome(item, data)
    except Exception as error:  # whatever it is, it is this batch's and not the night's
        maker.base = None  # its adapters may be half attached
        reason = f"{' '.join(str(error).split())[:300]} ({type(error).__name__})"
        yield from (Outcome(item, reason=reason) for item in left)


def processes(
    batches: Iterable[list[Item]], where: Sequence[str], adapters: Adapters, beat: Callable[[], None]
) -> Iterator[Outcome]:
    """The outcomes of all batches, as they come, made by a process for each device in `where`. `beat` is called every second."""
    waiting, source = deque[tuple[list[Item], int]](), iter(batches)
    workers = [_Worker(device, adapters) for device in where]
    try:
        for worker in workers:
            worker.feed(_next(waiting, source))
        while busy := [worker for worker in workers if worker.busy]:
            heard = wait([worker.connection for worker in busy], timeout=1.0)
            beat()
            for worker in busy:
                if worker.connection in heard:
                    yield from _listened(worker, waiting)
                if not worker.busy:
                    worker.feed(_next(waiting, source))
    finally:
        for worker in workers:
            worker.stop()


def _next(waiting: deque[tuple[list[Item], int]], source: Iterator[list[Item]]) -> tuple[list[Item], int]:
    return waiting.popleft() if waiting else (next(source, []), 1)


def _listened(worker: "_Worker", waiting: deque[tuple[list[Item], int]]) -> Iterator[Outcome]:
    """One message of a worker: an outcome, or the end of its batch; a dead worker's items wait for another try."""
    try:
        said = worker.connection.recv()
    except (EOFError, OSError):
        left, tries = worker.left, worker.tries
        worker.restart()
        if tries < TRIES:
            waiting.extend(([item], tries + 1) for item in left)
        else:
            yield from (Outcome(item, reason="its worker died twice, perhaps for lack of memory") for item in left)
        return
    if said is None:
        worker.busy = False
    else:
        worker.left = [item for item in worker.left if item.id != said.item.id]
        yield said


class _Worker:
    """This process's end of a worker."""

    def __init__(self, device: str, adapters: Adapters) -> None:
        self.device, self.adapters = device, adapters
        self.left: list[Item] = []
        self.busy, self.tries = False, 1
        self._start()

    def _start(self) -> None:
        context = multiprocessing.get_context("spawn")  # a fork would inherit torch's threads and locks
        self.connection, theirs = context.Pipe()
        self.process: Any = context.Process(target=_work, args=(theirs, self.device, self.adapters, os.getpid()), daemon=True)
        self.process.start()
        theirs.close()

    def feed(self, given: tuple[list[Item], int]) -> None:
        """Give the worker its next batch; an empty one is none."""
        self.left, self.tries = list(given[0]), given[1]
        self.busy = bool(self.left)
        if self.busy:
            with contextlib.suppress(OSError):  # it died while it had nothing to do: found when listened to
                self.connection.send(self.left)

    def restart(self) -> None:
        """A new process in place of a dead one."""
        self.stop()
        self.left, self.busy = [], False
        self._start()

    def stop(self) -> None:
        """End the process."""
        self.connection.close()
        self.process.terminate()
        self.process.join(5)
        if self.process.is_alive():
            self.process.kill()
            self.process.join()


def _work(connection: Connection, device: str, adapters: Adapters, parent: int) -> None:
    """A worker's life: batches in, outcomes out, None at the end of each."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the process that feeds it
    signal.signal(signal.SIGTERM, signal.SIG_DFL)

    def watch(index: int) -> None:
        if os.getppid() != parent:
            os._exit(1)

    if device == "cpu":
        torch.set_num_threads(1)
    maker = Maker(device, adapters)
    with contextlib.suppress(EOFError, BrokenPipeError, ConnectionResetError):
        while True:
            for outcome in attempt(maker, connection.recv(), watch):
                connection.send(outcome)
            connection.send(None)
