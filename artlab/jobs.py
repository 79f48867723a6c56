"""The queue: what artists asked for, who works at it, how far it is. One SQLite file; no torch.

A job is `queued`, then `running` under a lease that its worker renews; a worker that dies lets the lease lapse, and another one takes
the job up again with the next `token`. Every write of a worker names its token, so that one that was thought dead and comes back
changes nothing. `paused` jobs wait for the artist, and `done`, `failed` and `cancelled` ones are over.

For the page: `submit`, `of`, `get`, `cancel`, `control`, each for one artist and blind to the jobs of others. For the worker: `claim`,
`beat`, `finish`, `put_back`.
"""

import json
import sqlite3
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import ValidationError

from artlab import accounts, database
from artlab.settings import VERBS, Settings

LEASE, ATTEMPTS, MOST_QUEUED, TWICE = 30.0, 3, 50, 3.0
LONG = frozenset({"finetune", "search", "evaluate", "gallery"})
"""Verbs that may take hours. Short ones go before them."""
RESTING = frozenset({"finetune", "gallery"})
"""Long verbs that lose nothing when they are interrupted: a worker lets them rest for a short one."""
KEPT_BACK = frozenset({"studio", "pretrain", "demo", "recipe", "portfolio"})
"""Verbs that no page can submit."""

State = Literal["queued", "running", "paused", "done", "failed", "cancelled"]
Control = Literal["pause", "resume", "save", "sample"]
OPEN: tuple[State, ...] = ("queued", "running", "paused")

_SCHEMA = """
CREATE TABLE IF NOT EXISTS job(
  id INTEGER PRIMARY KEY AUTOINCREMENT, artist TEXT NOT NULL, verb TEXT NOT NULL, settings TEXT NOT NULL, title TEXT NOT NULL,
  state TEXT NOT NULL DEFAULT 'queued' CHECK(state IN ('queued','running','paused','done','failed','cancelled')),
  token INTEGER NOT NULL DEFAULT 0, attempts INTEGER NOT NULL DEFAULT 0, lease_until REAL NOT NULL DEFAULT 0,
  wish TEXT NOT NULL DEFAULT '', asks TEXT NOT NULL DEFAULT '', progress TEXT NOT NULL DEFAULT '{}', result TEXT NOT NULL DEFAULT '{}',
  message TEXT NOT NULL DEFAULT '', long INTEGER NOT NULL, created REAL NOT NULL, started REAL NOT NULL DEFAULT 0,
  ended REAL NOT NULL DEFAULT 0, worked REAL NOT NULL DEFAULT 0);
CREATE INDEX IF NOT EXISTS jobs_of ON job(artist, id);
CREATE INDEX IF NOT EXISTS jobs_open ON job(state, id);
"""


class JobError(ValueError):
    """A job that cannot be taken, found or changed: why, and what to do."""


@dataclass(frozen=True)
class Job:
    """A row of the queue.

    `progress` is what the verb last told: {step, total, loss, held_out, copying, samples, eta, message, …}, as far as it tells.
    `result` is what came out: {"style": name} and {"paths": […]}, paths as seen from the artist's home. `wish` is what the artist
    asked of a running job and has not got yet: `pause` or `cancel`. `message` says in a sentence why it failed or was paused.
    """

    id: int
    artist: str
    verb: str
    title: str
    settings: dict[str, Any]
    state: State
    token: int
    attempts: int
    wish: str
    progress: dict[str, Any]
    result: dict[str, Any]
    message: str
    created: float
    started: float
    ended: float
    worked: float

    @property
    def is_open(self) -> bool:
        """Whether something will still happen with it."""
        return self.state in OPEN


@dataclass(frozen=True)
class Place:
    """Where a queued job stands: 1 is the next one; `seconds` until it begins, None while nothing is known about its like."""

    number: int
    seconds: float | None


@dataclass(frozen=True)
class Orders:
    """What a worker hears when it renews its lease: what to stop for (`wish`), and what to do at the next step (`asks`)."""

    wish: str = ""
    asks: tuple[str, ...] = ()


# -- for the page -------------------------------------------------------------------------------------------------------------


def submit(artist: str, verb: str, settings: Mapping[str, Any] | Settings, *, title: str = "") -> int:
    """Queue a job and return its id. The same thing asked for twice within three seconds is a double click: one job.

    Raises JobError for a verb that is not an artist's, settings that are no good, or a file that is not hers.
    """
    if verb in KEPT_BACK or verb not in VERBS:
        raise JobError(f"The studio cannot “{verb[:40]}”.")
    valid = _checked(artist, verb, settings)
    text = json.dumps(valid, ensure_ascii=False, allow_nan=False, sort_keys=True)
    now = time.time()
    with database.writing(_base()) as base:
        twin = base.execute(
            "SELECT id FROM job WHERE artist=? AND verb=? AND settings=? AND state IN ('queued','running') AND created > ?",
            (artist, verb, text, now - TWICE),
        ).fetchone()
        if twin:
            return int(twin["id"])
        waiting = base.execute("SELECT count(*) FROM job WHERE artist=? AND state='queued'", (artist,)).fetchone()[0]
        if waiting >= MOST_QUEUED:
            raise JobError(f"You have {waiting} jobs waiting, which is the most. Cancel some, or wait until some are done.")
        row = base.execute(
            "INSERT INTO job(artist, verb, settings, title, long, created) VALUES(?,?,?,?,?,?) RETURNING id",
            (artist, verb, text, (title or _title(verb, valid))[:200], int(verb in LONG and not valid.get("dry_run")), now),
        ).fetchone()
    return int(row["id"])


def get(artist: str, job: int) -> Job:
    """A job of this artist. Raises JobError, the same for another's job as for none."""
    row = _base().execute("SELECT * FROM job WHERE id=? AND artist=?", (_number(job), artist)).fetchone()
    if row is None:
        raise JobError(f"You have no job {job!s:.20}.")
    return _job(row)


def of(artist: str, *, verb: str | None = None, only_open: bool = False, limit: int = 50) -> list[Job]:
    """The artist's jobs, the newest first."""
    wanted = OPEN if only_open else ("queued", "running", "paused", "done", "failed", "cancelled")
    marks = ",".join("?" * len(wanted))
    rows = _base().execute(
        f"SELECT * FROM job WHERE artist=? AND (? IS NULL OR verb=?) AND state IN ({marks}) ORDER BY id DESC LIMIT ?",
        (artist, verb, verb, *wanted, limit),
    )
    return [_job(row) for row in rows]


def cancel(artist: str, job: int) -> Job:
    """End a job, whatever it is doing. What is running ends within seconds; what it saved stays."""
    now = time.time()
    _base().execute(
        "UPDATE job SET wish=CASE state WHEN 'running' THEN 'cancel' ELSE '' END, ended=CASE state WHEN 'running' THEN ended ELSE ? END, "
        "state=CASE state WHEN 'running' THEN state ELSE 'cancelled' END WHERE id=? AND artist=? AND state IN ('queued','running','paused')",
        (now, _number(job), artist),
    )
    return get(artist, job)


def control(artist: str, job: int, what: Control) -> Job:
    """Pause or resume a job, or have a training save or sample at its next step. Raises JobError when it is not in a state for that."""
    number = _number(job)
    mine = (number, artist)
    if what == "pause":
        done = _base().execute(
            "UPDATE job SET state=CASE state WHEN 'queued' THEN 'paused' ELSE state END, wish=CASE state WHEN 'running' THEN 'pause' ELSE '' END "
            "WHERE id=? AND artist=? AND state IN ('queued','running') AND wish != 'cancel'",
            mine,
        )
    elif what == "resume":  # a failed job may be tried again: it goes on from what it saved
        done = _base().execute(
            "UPDATE job SET state='queued', wish='', message='', attempts=0, ended=0 WHERE id=? AND artist=? AND state IN ('paused','failed')",
            mine,
        )
        if not done.rowcount:  # not paused yet, only asked to
            done = _base().execute("UPDATE job SET wish='' WHERE id=? AND artist=? AND state='running' AND wish='pause'", mine)
    elif what in ("save", "sample"):
        done = _base().execute(
            "UPDATE job SET asks=CASE WHEN instr(asks, ?) THEN asks ELSE asks || ? END WHERE id=? AND artist=? AND state='running'",
            (f"{what} ", f"{what} ", *mine),
        )
    else:
        raise JobError(f"A job cannot be told to “{what!s:.20}”.")
    if not done.rowcount:
        raise JobError(f"This job is {get(artist, number).state}; it cannot {what} now.")
    return get(artist, number)


def forget(artist: str, job: int) -> None:
    """Take a job that is over off the list; what it made stays."""
    _base().execute("DELETE FROM job WHERE id=? AND artist=? AND state IN ('done','failed','cancelled')", (_number(job), artist))


def place(artist: str, job: int, workers: int = 1) -> Place | None:
    """Where a queued job stands among those of all artists; None when it is not queued."""
    return places(artist, workers).get(_number(job))


def places(artist: str, workers: int = 1) -> dict[int, Place]:
    """Where the artist's queued jobs stand among those of all artists."""
    base = _base()
    waiting = list(_in_order(base, time.time()))
    if not any(row["artist"] == artist for row in waiting):
        return {}
    running = [_job(row) for row in base.execute("SELECT * FROM job WHERE state='running'")]
    verbs = {row["verb"] for row in waiting} | {job.verb for job in running}
    typical = {verb: _typical(base, verb) for verb in verbs}
    ahead: float | None = 0.0
    for job in running:
        ahead = _sum(ahead, job.progress.get("eta", typical[job.verb]))
    found = {}
    for number, row in enumerate(waiting, 1):
        if row["artist"] == artist:
            found[int(row["id"])] = Place(number, None if ahead is None else ahead / max(1, workers))
        ahead = _sum(ahead, typical[row["verb"]])
    return found


def _sum(ahead: float | None, more: Any) -> float | None:
    return None if ahead is None or more is None else ahead + float(more)


# -- for the worker -----------------------------------------------------------------------------------------------------------


def claim(lease: float | None = None) -> Job | None:
    """Take the next job under a lease, or None. Short ones first, then whoever has fewest running, then whoever waited longest."""
    now, base = time.time(), _base()
    with database.writing(base):
        _give_up(base, now)
        chosen = next(_in_order(base, now), None)
        if chosen is None:
            return None
        row = base.execute(
            "UPDATE job SET state='running', token=token+1, attempts=attempts+1, lease_until=?, asks='', message='', "
            "started=? WHERE id=? RETURNING *",
            (now + (lease or LEASE), now, chosen["id"]),
        ).fetchone()
    return _job(row)


def beat(job: Job, progress: Mapping[str, Any] | None = None, lease: float | None = None) -> Orders | None:
    """Renew the lease and tell the progress. None means that the job is lost to another worker: stop at once."""
    text = json.dumps(progress, ensure_ascii=False, default=str) if progress is not None else None
    base = _base()
    with database.writing(base):
        row = base.execute(f"SELECT wish, asks FROM job WHERE {_MINE}", (job.id, job.token)).fetchone()
        if row is None:
            return None
        base.execute(
            f"UPDATE job SET lease_until=?, asks='', progress=coalesce(?, progress) WHERE {_MINE}",
            (time.time() + (lease or LEASE), text, job.id, job.token),
        )
    return Orders(row["wish"], tuple(row["asks"].split()))


def finish(job: Job, state: State, *, message: str = "", result: Mapping[str, Any] | None = None) -> bool:
    """End a job, or let it wait (`paused`). False when it was lost to another worker and nothing was written.

    A job that was asked to end while it was finishing is done; one that failed because it was asked to end is cancelled.
    """
    now = time.time()
    done = _base().execute(
        f"UPDATE job SET state=?, wish='', asks='', message=?, result=?, lease_until=0, ended=?, worked=worked+?-started WHERE {_MINE}",
        (state, message[:2000], json.dumps(result or {}, ensure_ascii=False, default=str), now, now, job.id, job.token),
    )
    return done.rowcount == 1


def put_back(job: Job, message: str = "") -> bool:
    """Queue a job again that was interrupted through no fault of its own: the attempt does not count."""
    now = time.time()
    done = _base().execute(
        "UPDATE job SET state=CASE wish WHEN 'pause' THEN 'paused' WHEN 'cancel' THEN 'cancelled' ELSE 'queued' END, wish='', asks='', "
        f"attempts=max(0, attempts-1), lease_until=0, message=?, worked=worked+?-started WHERE {_MINE}",
        (message, now, job.id, job.token),
    )
    return done.rowcount == 1


def retry(job: Job, message: str) -> bool:
    """A job whose process died: queue it again, or give it up when that was the last attempt."""
    gone = job.attempts >= ATTEMPTS
    done = _base().execute(
        "UPDATE job SET state=CASE wish WHEN 'pause' THEN 'paused' WHEN 'cancel' THEN 'cancelled' ELSE ? END, wish='', asks='', lease_until=0, "
        f"message=?, ended=?, worked=worked+?-started WHERE {_MINE}",
        ("failed" if gone else "queued", message, time.time() if gone else 0.0, time.time(), job.id, job.token),
    )
    return done.rowcount == 1


def short_one_waits() -> bool:
    """Whether a short job is queued: reason enough for a long one to rest."""
    return _base().execute("SELECT 1 FROM job WHERE state='queued' AND long=0 LIMIT 1").fetchone() is not None


def path() -> Path:
    """The file of the queue."""
    return database.folder() / "jobs.db"


_MINE = "id=? AND token=? AND state='running'"
# A lease that ends absurdly late was given before the clock was set back: it counts as lapsed.
_LAPSED = "(state='running' AND (lease_until < :now OR lease_until > :now + 600))"


def _base() -> sqlite3.Connection:
    return database.connect(path(), _SCHEMA)


def _give_up(base: sqlite3.Connection, now: float) -> None:
    """Settle jobs whose worker died: as the artist wished, or as failed when they killed it too often."""
    base.execute(
        f"UPDATE job SET state=CASE wish WHEN 'cancel' THEN 'cancelled' ELSE 'paused' END, wish='', ended=:now WHERE {_LAPSED} AND wish != ''",
        {"now": now},
    )
    base.execute(
        f"UPDATE job SET state='failed', ended=:now, message=:why WHERE {_LAPSED} AND attempts >= :most",
        {
            "now": now,
            "most": ATTEMPTS,
            "why": f"It ended {ATTEMPTS} times without a word, as happens when memory runs out. Try it smaller, then press Resume.",
        },
    )


def _in_order(base: sqlite3.Connection, now: float) -> Iterator[sqlite3.Row]:
    """Jobs that can be claimed, in the order in which they will be: artists take turns."""
    # The n-th job of one artist comes after the (n-1)-th of all others; how many she has running counts too.
    yield from base.execute(
        f"""SELECT job.*, row_number() OVER (PARTITION BY artist, long ORDER BY id)
               + (SELECT count(*) FROM job r WHERE r.artist=job.artist AND r.state='running' AND r.long=job.long AND r.lease_until>=:now) AS turn,
               (SELECT coalesce(max(started), 0) FROM job s WHERE s.artist=job.artist AND s.long=job.long) AS served
            FROM job WHERE wish='' AND (state='queued' OR {_LAPSED}) ORDER BY long, turn, served, id""",
        {"now": now},
    ).fetchall()


def _typical(base: sqlite3.Connection, verb: str) -> float | None:
    """The mean duration of the last finished jobs of a verb."""
    row = base.execute(
        "SELECT avg(worked) FROM (SELECT worked FROM job WHERE verb=? AND state='done' ORDER BY id DESC LIMIT 10)", (verb,)
    ).fetchone()
    return None if row[0] is None else float(row[0])


def _job(row: sqlite3.Row) -> Job:
    return Job(
        row["id"], row["artist"], row["verb"], row["title"], json.loads(row["settings"]), row["state"], row["token"], row["attempts"],
        row["wish"], json.loads(row["progress"]), json.loads(row["result"]), row["message"], row["created"], row["started"],
        row["ended"], row["worked"],
    )  # fmt: skip


def _number(job: int) -> int:
    """The id, from whatever a browser sent. Raises JobError."""
    try:
        number = int(job)
    except (TypeError, ValueError, OverflowError):
        raise JobError("This is no job's number.") from None
    if not 0 <= number < 2**63:
        raise JobError("This is no job's number.")
    return number


# -- settings that come from a browser ------------------------------------------------------------------------------------------


def _checked(artist: str, verb: str, settings: Mapping[str, Any] | Settings) -> dict[str, Any]:
    """The settings as JSON, valid, and naming no file but the artist's own."""
    given = settings.model_dump(mode="json", exclude_unset=True) if isinstance(settings, Settings) else dict(settings)
    try:
        valid = VERBS[verb].model_validate(given)
    except ValidationError as error:
        problem = error.errors(include_url=False)[0]
        where = ".".join(map(str, problem["loc"]))
        raise JobError(f"{where or verb}: {problem['msg'].removeprefix('Value error, ')}.") from None
    data = valid.model_dump(mode="json", exclude_unset=True)
    for name in data:
        for value in _texts(getattr(valid, name)):
            _check_path(artist, name, value)
    return data


def _texts(value: Any) -> Iterator[str | Path]:
    if isinstance(value, (str, Path)):
        yield value
    elif isinstance(value, Mapping):
        yield from (text for one in value.values() for text in _texts(one))
    elif isinstance(value, Sequence):
        yield from (text for one in value for text in _texts(one))


def _check_path(artist: str, name: str, value: str | Path) -> None:
    """Refuse what leads out of the artist's home. Prompts and captions are words; every other text might be a path."""
    text = str(value)
    if "\0" in text:
        raise JobError(f"{name} has a zero byte in it.")
    if isinstance(value, str) and (any(word in name for word in ("prompt", "caption", "title")) or not _like_path(name, text)):
        return
    home = accounts.home_of(artist).resolve()
    inside = (home / text).resolve()
    if not inside.is_relative_to(home) or text.startswith("~") or "\\" in text:
        raise JobError(f"{name}: “{text[:60]}” is not among your own files.")


def _like_path(name: str, text: str) -> bool:
    if name == "base":  # a hub's id has one slash and is no path
        return text.count("/") != 1 or text.startswith((".", "/", "~")) or "\\" in text if "/" in text or "\\" in text else False
    return any(letter in text for letter in "/\\") or text.startswith(("~", "."))


def _title(verb: str, settings: Mapping[str, Any]) -> str:
    """A few words for the list of jobs."""
    for key in ("name", "prompt", "style", "portfolio", "source"):
        if value := settings.get(key):
            text = str(value[0] if isinstance(value, (list, tuple)) else value)
            return f"{verb}: {Path(text).name if '/' in text and key != 'prompt' else text}"
    return verb
