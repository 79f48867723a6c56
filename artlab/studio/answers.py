"""Gradio's stream of answers to a page, kept open while the page is busy.

Gradio's server ends the stream with the last answer, and its client opens another when it asks again. What is asked for while the end is
on its way is lost (gradio 6.31): the client takes the stream for open, or lets the new stream go with the old one. The artist sees a
button that stays busy, or a star that does not light up. So the end is held back: if something is asked for meanwhile, the next stream is
joined to this one, and only a page at rest sees it end.
"""

import asyncio
from collections import defaultdict
from collections.abc import Collection, Coroutine, Mapping
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

PATH = "/ui/gradio_api/queue/data"
_END = b'data: {"msg":"close_stream"'
REST = 3.0  # longer than the page waits between two questions for news, which follow one another while a job goes on


class Answers:
    """The streams of all pages, by Gradio's session hash. `pending` are the events that Gradio has not yet answered."""

    def __init__(self, pending: Mapping[str, Collection[str]], rest: float = REST) -> None:
        self.pending, self.rest = pending, rest
        self._asked: dict[str, asyncio.Event] = {}
        self._listening: dict[str, int] = defaultdict(int)

    def unheard(self) -> list[tuple[str, str]]:
        """The sessions, and the events in them, for whose answers nobody listens: they come by the session's next stream."""
        quiet = [session for session in list(self.pending) if session not in self._listening]
        waiting = [(session, tuple(self.pending.get(session, ()))) for session in quiet]  # copies: Gradio changes them meanwhile
        return [(session, event) for session, events in waiting for event in sorted(events)]

    def ask(self, session: str) -> None:
        """Something was asked for in a session."""
        if session in self._asked:
            self._asked[session].set()

    async def give(self, app: ASGIApp, scope: Scope, receive: Receive, send: Send, session: str) -> None:
        """Answer a page that asks for its stream: with Gradio's, one after another, until it asks for nothing in `rest` seconds."""
        stream = _Joined(send)
        self._listening[session] += 1
        try:
            await app(dict(scope), receive, stream.send)
            while stream.end is not None and await self._asks_again(session, receive):
                await app(dict(scope), receive, stream.send)  # a copy: a mounted application changes the path in it
            await stream.finish()
        finally:
            self._listening[session] -= 1
            if not self._listening[session]:
                del self._listening[session]
                self._asked.pop(session, None)

    async def _asks_again(self, session: str, receive: Receive) -> bool:
        asked = self._asked.setdefault(session, asyncio.Event())
        asked.clear()
        if not self.pending.get(session):
            await _first(self.rest, asked.wait(), _gone(receive))
        return bool(self.pending.get(session))


class _Joined:
    """Several answers of Gradio's sent as one. `end` is the message with which the last of them ended, None if it broke off."""

    def __init__(self, send: Send) -> None:
        self._send, self._begun = send, False
        self.end: Message | None = None

    async def send(self, message: Message) -> None:
        """Pass on what is neither a beginning nor an end."""
        if message["type"] == "http.response.start":
            self.end = None
            if self._begun:
                return
            self._begun = True
        elif message.get("body", b"").startswith(_END):
            self.end = message
            return
        elif not message.get("more_body"):
            message = {**message, "more_body": True}
        await self._send(message)

    async def finish(self) -> None:
        """Send the end."""
        if self.end is not None:
            await self._send({**self.end, "more_body": True})
        await self._send({"type": "http.response.body", "body": b"", "more_body": False})


async def _first(seconds: float, *waits: Coroutine[Any, Any, Any]) -> None:
    """Wait for whichever comes first."""
    tasks = [asyncio.ensure_future(one) for one in waits]
    await asyncio.wait(tasks, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
