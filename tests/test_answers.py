"""Gradio's streams of answers, joined: one stream for a page while it asks, and an end when it rests."""

import asyncio

from artlab.studio.answers import PATH, Answers

CLOSE = b'data: {"msg":"close_stream","event_id":null}\n\n'


class Page:
    """A page at its stream, Gradio behind it with a list of answers for every time that it is asked."""

    def __init__(self, *streams: list[bytes], rest: float = 0.2) -> None:
        self.streams, self.got, self.gone = list(streams), [], asyncio.Event()
        self.pending: dict[str, set[str]] = {"s": set()}
        self.answers = Answers(self.pending, rest=rest)

    async def gradio(self, scope, receive, send) -> None:
        assert scope["path"] == PATH
        scope["path"] = "/changed"
        await send({"type": "http.response.start", "status": 200, "headers": []})
        self.pending["s"].clear()
        assert self.answers.unheard() == []
        for body in self.streams.pop(0):
            if body == b"breaks":
                raise ConnectionError
            await send({"type": "http.response.body", "body": body, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def receive(self):
        await self.gone.wait()
        return {"type": "http.disconnect"}

    async def send(self, message) -> None:
        self.got.append(message)

    async def listen(self) -> list[bytes]:
        scope = {"type": "http", "method": "GET", "path": PATH}
        await self.answers.give(self.gradio, scope, self.receive, self.send, "s")
        assert [one["type"] for one in self.got].count("http.response.start") == 1
        assert [one.get("more_body", True) for one in self.got].count(False) == 1
        assert self.got[-1]["more_body"] is False
        return [one["body"] for one in self.got if one.get("body")]

    def ask(self, event: str) -> None:
        self.pending["s"].add(event)
        self.answers.ask("s")


def test_a_page_at_rest_sees_the_end():
    page = Page([b"one", CLOSE])
    assert asyncio.run(page.listen()) == [b"one", CLOSE]
    assert not page.answers._listening
    assert not page.answers._asked


def test_what_is_asked_for_while_the_stream_ends_comes_by_the_same_stream():
    async def story() -> list[bytes]:
        page = Page([b"one", CLOSE], [b"two", CLOSE], [b"three", CLOSE])
        listening = asyncio.create_task(page.listen())
        for event in "ab":
            await asyncio.sleep(0.05)
            page.ask(event)
        return await listening

    assert asyncio.run(story()) == [b"one", b"two", b"three", CLOSE]


def test_what_was_asked_for_before_the_end_was_seen_is_not_forgotten():
    page = Page([b"one", CLOSE], [b"two", CLOSE])

    async def story() -> list[bytes]:
        first = page.gradio

        async def gradio(scope, receive, send) -> None:
            await first(scope, receive, send)
            if page.streams:
                page.ask("a")  # between Gradio's last look and its end

        page.gradio = gradio
        return await page.listen()

    assert asyncio.run(story()) == [b"one", b"two", CLOSE]


def test_a_page_that_goes_is_not_waited_for():
    async def story() -> None:
        page = Page([b"one", CLOSE], rest=600)
        listening = asyncio.create_task(page.listen())
        await asyncio.sleep(0.05)
        page.gone.set()
        await asyncio.wait_for(listening, 20)

    asyncio.run(story())


def test_a_stream_that_gradio_breaks_off_is_not_joined():
    page = Page([b"one"])
    assert asyncio.run(page.listen()) == [b"one"]


def test_what_nobody_listens_to_is_told_also_when_a_stream_broke():
    page = Page([b"one", b"breaks"])
    page.ask("b")
    page.ask("a")
    assert page.answers.unheard() == [("s", "a"), ("s", "b")]
    try:
        asyncio.run(page.listen())
    except ConnectionError:
        page.ask("c")
    assert page.answers.unheard() == [("s", "c")]
