"""A training that only counts, for tests of the queue: the real worker and the real hand do it, with `finetune`'s settings.

    python tests/fake_verb.py shift DEVICE          a worker whose hand does this verb
    python tests/fake_verb.py hand DEVICE           the hand

The portfolio's name says what happens: `count` saves and stops on SIGTERM as a training does, `deaf` hears no signal, `die` kills
its own process, `fault` raises an error nobody expects, `wrong` one that the artist can put right.
"""

import os
import signal
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from artlab import files, hand, shift, worker
from artlab.settings import Finetune


@dataclass(frozen=True)
class Step:
    step: int
    total: int
    loss: float
    seconds_left: float
    message: str = ""


class WrongError(ValueError):
    pass


WrongError.__module__ = "artlab.fake"


class SavedAndStopped(BaseException):
    code = 143


def finetune(settings: Finetune, report) -> Path:
    place = files.runs() / (settings.name or "fake")
    place.mkdir(parents=True, exist_ok=True)
    asked = []
    if settings.portfolio == "deaf":
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
    else:
        before = signal.signal(signal.SIGTERM, lambda *_: asked.append("stop"))
    total = settings.max_train_steps or 10
    at = int((place / "checkpoint").read_text()) if (place / "checkpoint").exists() else 0
    while at < total:
        time.sleep(0.02)
        if settings.portfolio == "die" and at == 3:
            os.kill(os.getpid(), signal.SIGKILL)
        if settings.portfolio == "fault" and at == 3:
            raise RuntimeError("a fault with /etc/secret in it")
        if settings.portfolio == "wrong":
            raise WrongError("Two works are needed.")
        at += 1
        files.append_jsonl(place / "steps.jsonl", {"step": at, "pid": os.getpid()})
        heard = report(Step(at, total, 1 / at, (total - at) * 0.02)) or ()
        for what in heard:
            files.append_jsonl(place / "heard.jsonl", {"what": what, "step": at})
        if at % 5 == 0 or asked:
            files.write(place / "checkpoint", str(at).encode())
        if asked:
            raise SavedAndStopped(f"Stopped at step {at}.")
    if settings.portfolio != "deaf":
        signal.signal(signal.SIGTERM, before)
    files.write(place / "end", b"whole")
    return place


if __name__ == "__main__":
    what, device = sys.argv[1:3]
    if what == "hand":
        worker.VERBS["finetune"] = "__main__:finetune"
        hand.WARM = ""
        hand.main(device)
    else:
        shift.HAND = (sys.executable, __file__, "hand")
        shift.WARM_UP = 3600.0
        shift.TURN = float(os.environ.get("TURN", "60"))
        shift.PATIENCE = 1.0
        jobs_lease = float(os.environ.get("LEASE", "30"))
        shift.jobs.LEASE = jobs_lease
        shift.work(device, stay=True)
