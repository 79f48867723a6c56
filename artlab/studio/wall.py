"""The wall between artists inside Gradio, which knows sessions but no owners.

Gradio lets whoever is logged in use a session hash that the browser of another has chosen, and fetch a cached file whose path she
knows. So the wall remembers, for every artist,

- the session hashes that her browsers use: the first to use one keeps it,
- the files that Gradio named in its answers to her: results, the page's own. Only those can be fetched or sent back.

What Gradio forgets with the process, the wall forgets with it. It also closes the doors that the studio does not use.
"""

import json
import re
from collections import OrderedDict
from collections.abc import Collection, Iterator, Mapping
from typing import Any
from urllib.parse import parse_qs, unquote

from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from artlab.studio import answers
from artlab.studio.answers import Answers

LARGEST_EVENT = 32 << 20
MOST_SESSIONS, MOST_FILES = 20_000, 50_000
_HASH = re.compile(r"[A-Za-z0-9_-]{4,64}")
_FILE = re.compile(r"^/ui/gradio_api/file[=/](.*)$", re.DOTALL)
# Gradio's own accounts, uploads (no quota), histories and shares, its streams, other hosts: nothing of it is used, so nothing of it
# is reachable. Works come in by `uploads.py`.
_CLOSED = re.compile(
    r"^/ui/(logout|login|login_check|monitoring|runs|gradio_api/(login_check|token|user|app_id|proxy=|stream/|run-history|deep_link|runs|"
    r"process_recording|vibe|undo-vibe|dev/|info|openapi|startup-events|custom_component|upload)|\w+/monitoring)"
)
_EVENTS = re.compile(r"^/ui/gradio_api/(queue/join|run/|api/|call/|cancel|reset|component_server|queue/push)")


class Wall:
    """Whose session hash and whose file is whose. `pending` are the events that Gradio has not yet answered, by session."""

    def __init__(self, pending: Mapping[str, Collection[str]] | None = None) -> None:
        self._sessions: OrderedDict[str, str] = OrderedDict()
        self._files: OrderedDict[tuple[str, str], None] = OrderedDict()
        self._answers = Answers({} if pending is None else pending)

    async def pass_through(self, app: ASGIApp, scope: Scope, receive: Receive, send: Send, artist: str, path: str) -> None:
        """Let one artist's request to Gradio pass if nothing in it is another's; note what the answer gives her."""
        if _CLOSED.match(path):
            return await PlainTextResponse("There is nothing here.\n", 404)(scope, receive, send)
        if match := _FILE.match(path):
            if not self.owns(artist, unquote(match[1])):
                return await PlainTextResponse("There is nothing here.\n", 404)(scope, receive, send)
            return await app(scope, receive, send)
        named = parse_qs(scope["query_string"].decode("latin-1")).get("session_hash", [])
        if path.startswith("/ui/gradio_api/heartbeat/"):
            named.append(path.rsplit("/", 1)[-1])
        if not all(self.takes_session(artist, one) for one in named):
            return await _refuse(scope, receive, send)
        if scope["method"] == "POST" and _EVENTS.match(path):
            body = await _whole(receive)
            if body is None:
                return await PlainTextResponse("This is too much at once.\n", 413)(scope, receive, send)
            if not self._may_send(artist, body):
                return await _refuse(scope, receive, send)
            receive = _again(body, receive)
            named += [one for key, one in _pairs(json.loads(body)) if key == "session_hash" and isinstance(one, str)]
        noting = self._noting(send, artist)
        if path == answers.PATH and len(named) == 1:
            return await self._answers.give(app, scope, receive, noting, named[0])
        await app(scope, receive, noting)
        for session in named:
            self._answers.ask(session)

    def owns(self, artist: str, file: str) -> bool:
        """Whether Gradio named this file in an answer to her."""
        return (artist, file) in self._files

    def takes_session(self, artist: str, session: Any) -> bool:
        """Whether a session hash is hers; one that nobody uses becomes hers."""
        if not isinstance(session, str) or not _HASH.fullmatch(session):
            return False
        if self._sessions.setdefault(session, artist) != artist:
            return False
        self._sessions.move_to_end(session)
        while len(self._sessions) > MOST_SESSIONS:
            self._sessions.popitem(last=False)
        return True

    def owed(self, artist: str) -> list[str]:
        """The events of the artist's pages whose answers wait, because the page does not listen: it asked as its stream ended."""
        return [event for session, event in self._answers.unheard() if self._sessions.get(session) == artist]

    def _may_send(self, artist: str, body: bytes) -> bool:
        try:
            event = json.loads(body)
        except (ValueError, RecursionError):
            return False
        try:
            for key, value in _pairs(event):
                if key == "session_hash" and value is not None and not self.takes_session(artist, value):
                    return False
                if key == "path" and isinstance(value, str) and not self.owns(artist, value):
                    return False
                if key == "url" and isinstance(value, str) and not _own_address(value):
                    return False
        except RecursionError:
            return False
        return True

    def _noting(self, send: Send, artist: str) -> Send:
        async def noting(message: Message) -> None:
            if message["type"] == "http.response.start":
                kind = dict(message["headers"]).get(b"content-type", b"")
                noting.reads = kind.startswith((b"application/json", b"text/event-stream", b"text/html"))  # type: ignore[attr-defined]
            elif getattr(noting, "reads", False):
                self._note(artist, message.get("body", b""))
            await send(message)

        return noting

    def _note(self, artist: str, body: bytes) -> None:
        for found in re.findall(rb'"path":\s?("(?:[^"\\]|\\.)+")', body):
            self._add(artist, found)

    def _add(self, artist: str, quoted: bytes) -> None:
        try:
            path = str(json.loads(quoted))
        except ValueError:
            return
        self._files[artist, path] = None
        self._files.move_to_end((artist, path))
        while len(self._files) > MOST_FILES:
            self._files.popitem(last=False)


def _pairs(value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield key, inner
            yield from _pairs(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _pairs(inner)


def _own_address(url: str) -> bool:
    """Whether an address that a browser sent back leads to Gradio's own files here; it is never fetched either way."""
    return url == "" or "/gradio_api/file=" in url or url.startswith(("data:image/", "blob:", "/media/"))


async def _whole(receive: Receive) -> bytes | None:
    parts, size = list[bytes](), 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return b"".join(parts)
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if size > LARGEST_EVENT:
            return None
        if not message.get("more_body", False):
            return b"".join(parts)


def _again(body: bytes, receive: Receive) -> Receive:
    given = False

    async def again() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return again


async def _refuse(scope: Scope, receive: Receive, send: Send) -> None:
    await PlainTextResponse("This is not yours.\n", 403)(scope, receive, send)
