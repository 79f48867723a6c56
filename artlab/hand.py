"""The hand of a worker: a process that does one job after the other and keeps the last base warm. `worker.work` holds its other end.

    python -m artlab.hand DEVICE            (started by a worker, never by a person)

Lines of JSON go in (`{"job": …}`, `{"ask": "save"}`, `{"beat": 1}`) and come out (`{"progress": …}`, `{"end": …}`). It is a process of
its own, so that a crash, a full memory or a hang in C code takes down one job and not the queue. When its worker falls silent it saves
and ends itself: the job may be another's by then.
"""

import base64
import contextlib
import fcntl
import importlib
import io
import json
import os
import queue
import re
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path
from types import FrameType
from typing import IO, TYPE_CHECKING, Any

from artlab import cli, database, energy, files, worker
from artlab.settings import VERBS

if TYPE_CHECKING:
    from PIL import Image

SILENCE, GRACE = 15.0, 8.0
OFTEN = 0.4
WARM = "artlab.generate"
"""Loaded while there is nothing to do, with torch behind it."""
_NAMES = {"seconds_left": "eta", "pictures": "samples"}


def _card() -> bool:
    """Whether a graphics card may be at work; asked of torch only once a verb has loaded it."""
    torch = sys.modules.get("torch")
    return torch is not None and torch.cuda.is_available()


class Stopped(BaseException):
    """The worker asked this job to stop."""


class Hand:
    """What the process knows while it works: the job, and what it was asked meanwhile."""

    def __init__(self, device: str, out: IO[str]) -> None:
        self.device, self.out = device, out
        self.tasks: queue.Queue[dict[str, Any] | None] = queue.Queue()
        self.asks: set[str] = set()
        self.heard = time.monotonic()
        self.busy = self.stopping = False
        self.told = self.began = self.cpu_began = self.look_at = 0.0
        self.country = ""
        self.state: dict[str, Any] = {}
        self.home, self.studio = Path(), database.folder()

    # -- from the worker ----------------------------------------------------------------------------------------------------------

    def listen(self, lines: IO[str]) -> None:
        """Read what the worker says, until it falls silent for good."""
        for line in lines:
            self.heard = time.monotonic()
            heard = json.loads(line)
            if "job" in heard:
                self.asks.clear()
                self.tasks.put(heard["job"])
            elif "ask" in heard:
                self.asks.add(str(heard["ask"]))
        self.tasks.put(None)
        self._orphaned()

    def watch(self) -> None:
        """End this process when the worker stands still while a job runs."""
        while True:
            time.sleep(1.0)
            if self.busy and time.monotonic() - self.heard > SILENCE:
                self._orphaned()

    def _orphaned(self) -> None:
        if self.busy:
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(GRACE)
        os._exit(0)

    def hear_signal(self, number: int, frame: FrameType | None) -> None:
        """SIGTERM ends the job under way; a training puts a handler of its own in its place, which saves first."""
        self.stopping = True
        if self.busy:
            raise Stopped

    # -- to the worker ------------------------------------------------------------------------------------------------------------

    def tell(self, **what: Any) -> None:
        """Send one line to the worker; when nobody is there to read it, that is found out elsewhere."""
        with contextlib.suppress(BrokenPipeError, ValueError):
            self.out.write(json.dumps(what, ensure_ascii=False, default=str) + "\n")
            self.out.flush()

    def report(self, event: Any) -> frozenset[str]:
        """Pass on what a verb tells, not too often; answer with what the artist asked for meanwhile (`save`, `sample`)."""
        said = {_NAMES.get(key, key): value for key, value in _plain(event, self.home).items()}
        self._look(getattr(event, "preview", None))
        notable = bool(said.keys() & {"held_out", "samples", "message", "picture", "copying"})
        losses = self.state.get("history", [])
        if said.get("held_out") is not None:
            said["history"] = [*losses, [said.get("step"), said["held_out"]]][-200:]
        if said.get("samples"):
            said["samples"] = [*self.state.get("samples", []), *said["samples"]][-48:]
        self.state |= said
        if "eta" not in said and (share := _share(said)):
            self.state["eta"] = round((time.monotonic() - self.began) * (1 - share) / share, 1)
        if notable or time.monotonic() - self.told > OFTEN or said.get("step") == said.get("total"):
            self.told = time.monotonic()
            if self.country and not _card():
                self.state["energy"] = energy.so_far(self.cpu_began, self.told - self.began, self.country)
            self.tell(progress=self.state)
        asked = frozenset(self.asks)
        self.asks -= asked
        return asked

    def _look(self, preview: Callable[[], "Image.Image"] | None) -> None:
        """Keep what is being made as it looks now, as a `data:` address; seldom enough that looking takes no more than a tenth of the time."""
        now = time.monotonic()
        if preview is None:
            self.state.pop("preview", None)  # a picture is finished, or something else begins
        elif now >= self.look_at:
            # Too little memory for a look, or nothing to see: the work goes on.
            with contextlib.suppress(RuntimeError, ValueError):
                image = preview().convert("RGB")
                image.thumbnail((512, 512))
                file = io.BytesIO()
                image.save(file, "WEBP", quality=70)
                self.state["preview"] = f"data:image/webp;base64,{base64.b64encode(file.getvalue()).decode()}"
            self.look_at = time.monotonic() + max(OFTEN, 9 * (time.monotonic() - now))

    def say(self, sentence: str) -> None:
        """Pass on a sentence."""
        self.state |= {"message": sentence}
        self.tell(progress=self.state)

    # -- the work -----------------------------------------------------------------------------------------------------------------

    def do(self, job: dict[str, Any]) -> dict[str, Any]:
        """Do one job; how it ended."""
        if self.stopping:  # asked to stop before it began
            self.stopping = False
            return {"end": "stopped", "message": ""}
        earlier = job.get("progress", {})
        self.home, self.state = Path(job["home"]), {key: earlier[key] for key in ("history", "samples") if key in earlier}
        self.began, self.cpu_began = time.monotonic(), energy.cpu_seconds()
        self.country = str(job["settings"].get("country", "DEU")) if job["verb"] == "finetune" else ""
        os.environ["ARTLAB_HOME"] = job["home"]
        self.home.mkdir(parents=True, exist_ok=True, mode=0o700)
        os.chdir(self.home)
        self.busy, self.heard = True, time.monotonic()
        try:
            given = {"device": self.device, **job["settings"]} if self._choosable(job) else job["settings"]
            result = worker.run(job["verb"], VERBS[job["verb"]].model_validate(given), self.report, self.say)
            return {"end": "done", "result": self._result(result)}
        except Stopped:
            return {"end": "stopped", "message": ""}
        except Exception as error:
            return {"end": "failed", "message": sentence_of(job["verb"], error, self.studio)}
        except BaseException as stop:
            if not hasattr(stop, "code"):
                raise
            return {"end": "stopped", "message": str(stop)}  # a training that saved first
        finally:
            self.busy = False

    def _choosable(self, job: dict[str, Any]) -> bool:
        kind = VERBS[job["verb"]]
        return self.device != "auto" and "device" in kind.model_fields and job["settings"].get("device", "auto") == "auto"

    def _result(self, result: Any) -> dict[str, Any]:
        """What came out, as the page can use it: paths within the artist's home, the name of a style, the plan of a dry run."""
        found: dict[str, Any] = {"paths": [_within(path, self.home) for path in _paths(result)]}
        card = getattr(result, "card", None)
        if card is not None and "plan" in card:
            return {"plan": card["plan"]}
        if card is not None:
            found |= {"style": result.folder.name, "name": result.name}
        return found


def _share(said: Mapping[str, Any]) -> float:
    """How much of the work is done, as far as an event tells: pictures done, and the sampling steps of those under way."""
    total = said.get("total") or 0
    if not isinstance(total, (int, float)) or total <= 0 or "done" not in said:
        return 0.0
    return min(1.0, (said["done"] + said.get("step", 0) / max(1, said.get("steps", 0) or 1)) / total)


def _plain(event: Any, home: Path) -> dict[str, Any]:
    """An event as JSON: empty fields left out, paths as seen from the artist's home."""
    if is_dataclass(event):
        rows = {field.name: getattr(event, field.name) for field in fields(event)}
    else:
        rows = dict(event) if isinstance(event, Mapping) else {"message": str(event)}
    return {key: _json(value, home) for key, value in rows.items() if key != "preview" and value not in (None, "", ())}


def _json(value: Any, home: Path) -> Any:
    if isinstance(value, Path):
        return _within(value, home)
    if hasattr(value, "path"):
        return _within(Path(value.path), home)
    if isinstance(value, (list, tuple)):
        return [_json(one, home) for one in value]
    if isinstance(value, float):
        return value if abs(value) < 1e300 else None  # NaN and infinity are no JSON
    return value if isinstance(value, (str, int, bool, dict)) or value is None else str(value)


def _paths(result: Any) -> Iterator[Path]:
    if isinstance(result, Path):
        yield result
    elif isinstance(result, (list, tuple)):
        for one in result:
            yield from _paths(one)
    elif isinstance(found := getattr(result, "path", None) or getattr(result, "folder", None), Path):
        yield found


def _within(path: Path, home: Path) -> str:
    path = path.resolve()
    home = home.resolve()
    return path.relative_to(home).as_posix() if path.is_relative_to(home) else path.name


def sentence_of(verb: str, error: Exception, studio: Path) -> str:
    """An error in words for the artist: what to put right, or the number under which the details are in the studio's `logs/`."""
    if (sentence := cli.expected(error)) is not None:
        return sentence
    if isinstance(error, MemoryError) or "out of memory" in str(error).lower():
        return "There was not enough memory. Try smaller pictures, a smaller batch, or a lower rank, then press Resume."
    with files.living_in(studio):
        told = cli.logged(verb, error)
    number = re.sub(r".*/([^/]+)\.log.*", r"\1", told, flags=re.DOTALL)
    return f"Something went wrong inside artlab ({type(error).__name__}). It is written down as {number}; try again, or tell who keeps the studio."


@contextlib.contextmanager
def only_one(path: Path) -> Iterator[None]:
    """Hold a lock file for as long as the block lasts; the kernel lets go of it when the process ends, however it ends."""
    with open(path, "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def main(device: str) -> None:
    """Work until the worker goes away."""
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # whatever a library prints must not get between the lines
    hand = Hand(device, out)
    signal.signal(signal.SIGTERM, hand.hear_signal)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for work in (lambda: hand.listen(sys.stdin), hand.watch):
        threading.Thread(target=work, daemon=True).start()
    lock = hand.studio / f"device-{files.slug(device)}.lock"
    with only_one(lock), cli.quiet():
        if WARM and hand.tasks.empty():
            importlib.import_module(WARM)
        while (job := hand.tasks.get()) is not None:
            try:
                ended = hand.do(job)
            except Stopped:  # it came between the work and its end
                ended = {"end": "stopped", "message": ""}
            hand.tell(**ended)


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "auto")
