"""SQLite as artlab uses it: write-ahead log, one connection per thread and file, writers that wait for each other.

The files lie on the disk of the machine that serves the studio: a write-ahead log does not work across a network file system.
"""

import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from artlab import files

WAIT = 30.0
_mine = threading.local()


class _Connection(sqlite3.Connection):
    """Closes itself when its thread has ended, which sqlite3 leaves undone."""

    def __del__(self) -> None:
        self.close()


def folder() -> Path:
    """Where the studio keeps its databases: a folder for the eyes of this user only."""
    place = files.root() / "studio"
    place.mkdir(parents=True, exist_ok=True, mode=0o700)
    return place


def connect(path: Path, schema: str) -> sqlite3.Connection:
    """This thread's connection to the file; the first one makes the file and its tables."""
    kept: dict[tuple[Path, int], sqlite3.Connection] = _mine.__dict__.setdefault("connections", {})
    key = (path, os.getpid())  # a connection must not be carried over a fork
    if key not in kept or not path.exists():
        kept.clear() if len(kept) > 4 else None
        kept[key] = _open(path, schema)
    return kept[key]


def _open(path: Path, schema: str) -> sqlite3.Connection:
    if not path.exists():
        path.touch(mode=0o600)
    connection = sqlite3.connect(path, timeout=WAIT, isolation_level=None, check_same_thread=False, factory=_Connection)
    connection.row_factory = sqlite3.Row
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=NORMAL")
    connection.execute("PRAGMA foreign_keys=ON")
    connection.executescript(schema)
    return connection


@contextmanager
def writing(connection: sqlite3.Connection) -> Iterator[sqlite3.Connection]:
    """A transaction that holds the write lock from its start, so that what it read is still true when it writes."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield connection
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")
