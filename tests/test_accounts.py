"""Artists and sessions: what is kept opens no door, wrong passwords run out, and a request tells who is asking."""

import time
import unicodedata
from types import SimpleNamespace

import pytest

from artlab import accounts, database
from artlab.accounts import AccountError, NobodyError, TooManyTriesError

WORDS = "four random words"


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """A cheaper hash: the tests make many."""
    hasher = accounts.PasswordHasher(time_cost=1, memory_cost=64, parallelism=1)
    monkeypatch.setattr(accounts, "_hasher", lambda: hasher)


def asks(token: str) -> SimpleNamespace:
    return SimpleNamespace(cookies={accounts.COOKIE: token})


def test_the_first_artist_keeps_the_studio():
    ana, bea = accounts.register("Ana", WORDS), accounts.register("Bea", WORDS)
    assert (ana.keeper, bea.keeper) == (True, False)
    assert ana.home.is_dir()
    assert ana.home.stat().st_mode & 0o077 == 0
    assert accounts.count() == 2
    with pytest.raises(AccountError, match="takes no new artists"):
        accounts.register("Clo", WORDS, only_first=True)


def test_a_session_tells_who_asks_until_it_ends():
    ana = accounts.register("Ana", WORDS)
    token = accounts.login("ana ", WORDS, "127.0.0.1")
    assert accounts.artist_of(asks(token)) == ana
    accounts.end_session(token)
    with pytest.raises(NobodyError, match="log in"):
        accounts.artist_of(asks(token))


def test_all_sessions_end_together():
    ana = accounts.register("Ana", WORDS)
    tokens = [accounts.start_session(ana.id) for _ in range(3)]
    accounts.change_password(ana, WORDS, "four other words")
    assert [accounts.by_token(token) for token in tokens] == [None] * 3
    assert accounts.login("Ana", "four other words")
    with pytest.raises(AccountError):
        accounts.change_password(ana, "wrong", WORDS)


def test_a_session_grows_old(monkeypatch):
    ana = accounts.register("Ana", WORDS)
    token = accounts.start_session(ana.id)
    monkeypatch.setattr(accounts.time, "time", lambda now=time.time: now() + accounts.LIFE + 1)
    assert accounts.by_token(token) is None


@pytest.mark.parametrize("token", ["", "x", "x" * 43, "x" * 5000, "' OR 1=1 --aaaaaaaaaaaaaaaa", "\ud800" * 30])
def test_a_made_up_token_is_nobody(token):
    accounts.start_session(accounts.register("Ana", WORDS).id)
    assert accounts.by_token(token) is None
    with pytest.raises(NobodyError):
        accounts.artist_of(asks(token))


def test_a_request_without_cookies_is_nobody():
    for request in (SimpleNamespace(), SimpleNamespace(cookies=None), None):
        with pytest.raises(NobodyError):
            accounts.artist_of(request)


def test_what_is_kept_opens_no_door():
    token = accounts.start_session(accounts.register("Ana", WORDS).id)
    accounts._base().execute("PRAGMA wal_checkpoint(TRUNCATE)")
    kept = (database.folder() / "accounts.db").read_bytes()
    assert WORDS.encode() not in kept
    assert token.encode() not in kept
    assert b"$argon2id$" in kept
    assert (database.folder() / "accounts.db").stat().st_mode & 0o077 == 0
    stored = accounts._base().execute("SELECT token FROM session").fetchone()[0]
    assert accounts.by_token(stored) is None


def test_a_wrong_name_and_a_wrong_password_sound_the_same():
    accounts.register("Ana", WORDS)
    with pytest.raises(AccountError) as one:
        accounts.login("Ana", "wrong words here")
    with pytest.raises(AccountError) as other:
        accounts.login("Nobody", WORDS)
    assert str(one.value) == str(other.value)


def test_a_name_gets_five_tries_and_time_heals():
    accounts.register("Ana", WORDS)
    for number in range(accounts.PER_NAME):
        with pytest.raises(AccountError, match="wrong"):
            accounts.login("Ana", f"wrong words {number}", f"10.0.0.{number}")
    with pytest.raises(TooManyTriesError):
        accounts.login("ANA", WORDS, "10.0.0.99")
    accounts._base().execute("UPDATE attempt SET at=at-?", (accounts.WINDOW + 1,))
    assert accounts.login("Ana", WORDS, "10.0.0.99")


def test_an_address_gets_thirty_tries():
    for number in range(accounts.PER_ADDRESS):
        with pytest.raises(AccountError):
            accounts.login(f"name {number}", "wrong words here", "10.0.0.1")
    accounts.register("Ana", WORDS)
    with pytest.raises(TooManyTriesError):
        accounts.login("Ana", WORDS, "10.0.0.1")
    assert accounts.login("Ana", WORDS, "10.0.0.2")


def test_the_right_password_costs_no_try():
    accounts.register("Ana", WORDS)
    for _ in range(2 * accounts.PER_ADDRESS):
        accounts.login("Ana", WORDS, "10.0.0.1")


@pytest.mark.parametrize("name", ["", "  ", "x" * 61, "a\0b", "a\u202eb", "a\u200bb"])
def test_a_bad_name_is_told(name):
    with pytest.raises(AccountError, match="name"):
        accounts.register(name, WORDS)


@pytest.mark.parametrize("password", ["", "short", "x" * 257, "Aname12345"])
def test_a_bad_password_is_told(password):
    with pytest.raises(AccountError, match="password"):
        accounts.register("Aname", password)


@pytest.mark.parametrize("twin", ["ANA MÖLLER", " ana  möller ", unicodedata.normalize("NFD", "Ana Möller"), "Ａna Möller"])
def test_one_name_one_artist(twin):
    accounts.register("Ana Möller", WORDS)
    with pytest.raises(AccountError, match="already"):
        accounts.register(twin, WORDS)
    assert accounts.login(twin, WORDS)


@pytest.mark.parametrize("made_up", ["", "..", "../x", "A" * 16, "a" * 15, "a" * 16 + "/..", "a" * 16 + "\n"])
def test_a_home_is_named_by_an_id_alone(made_up):
    with pytest.raises(AccountError):
        accounts.home_of(made_up)


def test_a_weaker_hash_is_made_anew(monkeypatch):
    accounts.register("Ana", WORDS)
    before = accounts._base().execute("SELECT password FROM artist").fetchone()[0]
    stronger = accounts.PasswordHasher(time_cost=2, memory_cost=128, parallelism=1)
    monkeypatch.setattr(accounts, "_hasher", lambda: stronger)
    accounts.login("Ana", WORDS)
    assert accounts._base().execute("SELECT password FROM artist").fetchone()[0] != before
    assert accounts.login("Ana", WORDS)
