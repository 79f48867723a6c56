"""Artists and their sessions: who may come in, and who is asking.

Passwords are kept as argon2id, session tokens as their SHA-256, so that a stolen database opens no door. A name gets 5 wrong
passwords in 15 minutes, an address 30. Every handler of the studio asks `artist_of(request)`; nothing that the browser can
choose (a name, a session hash of Gradio) is an identity.

Each artist has a home of her own, `artists/<id>` under artlab's home, laid out like any home of artlab: her styles, runs and
pictures are found there and nowhere else.
"""

import hashlib
import re
import secrets
import sqlite3
import time
import unicodedata
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from artlab import database, files

COOKIE = "artlab_session"
LIFE = 30 * 86400.0
WINDOW, PER_NAME, PER_ADDRESS = 15 * 60.0, 5, 30
SHORTEST, LONGEST = 10, 256

_SCHEMA = """
CREATE TABLE IF NOT EXISTS artist(
  id TEXT PRIMARY KEY, name TEXT NOT NULL, folded TEXT NOT NULL UNIQUE, password TEXT NOT NULL, keeper INTEGER NOT NULL, created REAL NOT NULL);
CREATE TABLE IF NOT EXISTS session(
  token TEXT PRIMARY KEY, artist TEXT NOT NULL REFERENCES artist(id) ON DELETE CASCADE, until REAL NOT NULL);
CREATE TABLE IF NOT EXISTS attempt(who TEXT NOT NULL, at REAL NOT NULL);
CREATE INDEX IF NOT EXISTS attempts ON attempt(who, at);
"""


class AccountError(ValueError):
    """An account that cannot be made or used: why, and what to do."""


class NobodyError(AccountError):
    """The request comes from nobody who is logged in."""


class TooManyTriesError(AccountError):
    """Too many wrong passwords."""


@dataclass(frozen=True)
class Artist:
    """An artist: a random id that names her folder, the name that she chose, and whether she keeps this studio."""

    id: str
    name: str
    keeper: bool = False

    @property
    def home(self) -> Path:
        """Her home, in which artlab finds her styles, runs and pictures."""
        return home_of(self.id)


def home_of(artist_id: str) -> Path:
    """The home of an artist. Raises AccountError for what is no id, so that no path can be smuggled in."""
    if not re.fullmatch(r"[0-9a-f]{16}", artist_id):
        raise AccountError("This is no artist's id.")
    return files.root() / "artists" / artist_id


def register(name: str, password: str, *, only_first: bool = False) -> Artist:
    """Make an account; the first one keeps the studio. Raises AccountError for a name taken or a password too short."""
    name = " ".join(unicodedata.normalize("NFC", name).split())
    if not 1 <= len(name) <= 60 or any(unicodedata.category(letter)[0] == "C" for letter in name):
        raise AccountError("A name has 1 to 60 letters.")
    if not SHORTEST <= len(password) <= LONGEST:
        raise AccountError(f"A password has {SHORTEST} to {LONGEST} letters; four random words do well.")
    if name.casefold() in password.casefold() and len(password) < len(name) + SHORTEST:
        raise AccountError("The password is little more than the name; four random words do well.")
    hashed = _hasher().hash(password)
    with database.writing(_base()) as base:
        first = base.execute("SELECT count(*) FROM artist").fetchone()[0] == 0
        if only_first and not first:
            raise AccountError("This studio takes no new artists by itself; ask the one who keeps it.")
        artist = Artist(secrets.token_hex(8), name, first)
        try:
            base.execute(
                "INSERT INTO artist VALUES(?,?,?,?,?,?)", (artist.id, name, _folded(name), hashed, int(first), time.time())
            )
        except sqlite3.IntegrityError:
            raise AccountError(f"There is an artist named “{name}” already; choose another name.") from None
    artist.home.mkdir(parents=True, exist_ok=True, mode=0o700)
    return artist


def login(name: str, password: str, address: str = "") -> str:
    """A fresh session token for the right name and password. Raises AccountError, which never says which of them was wrong."""
    name = " ".join(unicodedata.normalize("NFC", name[:LONGEST]).split())
    tried = {f"name {_folded(name)}": PER_NAME, f"address {address}": PER_ADDRESS}
    # The try is counted before the slow hash, so that a hundred at once do not all slip through.
    with database.writing(_base()) as base:
        now = time.time()
        base.execute("DELETE FROM attempt WHERE at < ? OR at > ?", (now - WINDOW, now + WINDOW))
        counted = {who: base.execute("SELECT count(*) FROM attempt WHERE who=?", (who,)).fetchone()[0] for who in tried}
        if any(counted[who] >= most for who, most in tried.items()):
            raise TooManyTriesError("Too many tries; wait 15 minutes.")
        base.executemany("INSERT INTO attempt VALUES(?,?)", [(who, now) for who in tried])
    row = _base().execute("SELECT id, password FROM artist WHERE folded=?", (_folded(name),)).fetchone()
    if not _verified(row["password"] if row else _dummy(), password[: LONGEST + 1]) or row is None:
        raise AccountError("The name or the password is wrong.")
    if _hasher().check_needs_rehash(row["password"]):
        _base().execute("UPDATE artist SET password=? WHERE id=?", (_hasher().hash(password), row["id"]))
    with database.writing(_base()) as base:
        for who in tried:  # the right password takes back its own try, and a name's wrong ones
            base.execute("DELETE FROM attempt WHERE who=? AND (who LIKE 'name %' OR at=?)", (who, now))
    return start_session(row["id"])


def start_session(artist_id: str) -> str:
    """A new session; the token goes into the cookie, only its hash is kept."""
    token = secrets.token_urlsafe(32)
    now = time.time()
    _base().execute("DELETE FROM session WHERE until < ?", (now,))
    _base().execute("INSERT INTO session VALUES(?,?,?)", (_hash(token), artist_id, now + LIFE))
    return token


def end_session(token: str) -> None:
    """Log out: the token is worth nothing from now on."""
    _base().execute("DELETE FROM session WHERE token=?", (_hash(token),))


def end_sessions(artist_id: str) -> None:
    """Log out everywhere."""
    _base().execute("DELETE FROM session WHERE artist=?", (artist_id,))


def change_password(artist: Artist, old: str, new: str) -> None:
    """Change a password; all sessions end."""
    row = _base().execute("SELECT password FROM artist WHERE id=?", (artist.id,)).fetchone()
    if row is None or not _verified(row["password"], old):
        raise AccountError("The old password is wrong.")
    if not SHORTEST <= len(new) <= LONGEST:
        raise AccountError(f"A password has {SHORTEST} to {LONGEST} letters; four random words do well.")
    _base().execute("UPDATE artist SET password=? WHERE id=?", (_hasher().hash(new), artist.id))
    end_sessions(artist.id)


def artist_of(request: Any) -> Artist:
    """Who is asking, by the session cookie of a request (Gradio's or Starlette's). Raises NobodyError."""
    found = by_token((getattr(request, "cookies", None) or {}).get(COOKIE, ""))
    if found is None:
        raise NobodyError("You are not logged in any more. Reload the page and log in.")
    return found


def by_token(token: str) -> Artist | None:
    """The artist whose session this is, or None."""
    if not 20 <= len(token) <= 100:
        return None
    row = (
        _base()
        .execute(
            "SELECT artist.id, name, keeper FROM session JOIN artist ON artist.id=session.artist WHERE token=? AND until>?",
            (_hash(token), time.time()),
        )
        .fetchone()
    )
    return Artist(row["id"], row["name"], bool(row["keeper"])) if row else None


def count() -> int:
    """How many artists there are."""
    return int(_base().execute("SELECT count(*) FROM artist").fetchone()[0])


def _base() -> sqlite3.Connection:
    return database.connect(database.folder() / "accounts.db", _SCHEMA)


def _folded(name: str) -> str:
    return unicodedata.normalize("NFKC", name).casefold()


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


@cache
def _hasher() -> PasswordHasher:
    # OWASP's floor for argon2id (19 MiB, two passes, one lane): 30 logins a minute must not starve a training of memory.
    return PasswordHasher(time_cost=2, memory_cost=19456, parallelism=1)


@cache
def _dummy() -> str:
    """Checked when there is no such name, so that the answer takes as long as for one that there is."""
    return _hasher().hash(secrets.token_hex(8))


def _verified(hashed: str, password: str) -> bool:
    try:
        return _hasher().verify(hashed, password.encode("utf-8", "surrogatepass"))
    except (VerificationError, InvalidHashError):
        return False
