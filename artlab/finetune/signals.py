"""Signals that ask a training to save its state and stop."""

import contextlib
import signal
import threading
from collections.abc import Iterator
from dataclasses import dataclass


@dataclass
class Stop:
    """Whether a stop was asked for, and the exit code that tells how."""

    asked: bool = False
    code: int = 143


@contextlib.contextmanager
def signals() -> Iterator[Stop]:
    """SIGTERM and the first Ctrl+C ask the loop to save and stop; a second Ctrl+C interrupts at once."""
    stop = Stop()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return

    def hear(number: int, frame: object) -> None:
        if stop.asked and number == signal.SIGINT:
            raise KeyboardInterrupt
        stop.asked, stop.code = True, 128 + number

    before = {number: signal.signal(number, hear) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
