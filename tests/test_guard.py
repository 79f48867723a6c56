"""The guard and the wall by themselves, around an application that would let everything pass."""

import json
from urllib.parse import quote

import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse, StreamingResponse
from starlette.routing import Route
from starlette.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

from artlab import accounts
from artlab.studio import wall
from artlab.studio.guard import Guard

HERS = "/tmp/gradio/hers/fox.png"


async def anything(request):
    path = request.url.path
    if path.endswith("/queue/data"):
        event = {
            "msg": "process_completed",
            "output": {"data": [{"path": HERS, "url": "x", "meta": {"_type": "gradio.FileData"}}]},
        }
        return StreamingResponse(iter([f"data: {json.dumps(event)}\n\n"]), media_type="text/event-stream")
    if path.startswith("/ui/gradio_api/file"):
        return PlainTextResponse("bytes of a file")
    return PlainTextResponse((await request.body()).decode() or "in", headers={"Server": "secret 1.2"})


@pytest.fixture(scope="module")
def app():
    return Starlette(routes=[Route("/{path:path}", anything, methods=["GET", "POST", "PUT", "DELETE", "HEAD"])])


@pytest.fixture
def visit(app, home):
    """Browsers at one guarded studio: `visit("Ana")` is logged in, `visit()` is not."""
    guarded = Guard(app, hosts=("127.0.0.1", "localhost"))

    def make(name: str = "") -> TestClient:
        client = TestClient(guarded, base_url="http://127.0.0.1:7860", follow_redirects=False)
        if name:
            artist = accounts.register(name, "four random words")
            client.cookies.set(accounts.COOKIE, accounts.start_session(artist.id))
        return client

    return make


def test_only_the_doors_are_open_to_strangers(visit):
    stranger = visit()
    for path in ("/login", "/register", "/health", "/look/fonts/figtree.woff2"):
        assert stranger.get(path).status_code == 200
    for path in (
        "/", "/ui", "/ui/", "/ui/config", "/ui/gradio_api/queue/data", "/ui/gradio_api/cancel", "/ui/gradio_api/heartbeat/abcd", "/media/own/x.png",
        "/loginx", "/login/", "//login", "/look/studio.js", "/look/fonts", "/health/../jobs", "/jobs", "/upload", "/UI/", "/%75i/",
    ):  # fmt: skip
        for method in ("GET", "POST", "PUT", "DELETE", "HEAD"):
            assert stranger.request(method, path).status_code == 401, (method, path)


def test_a_browser_is_led_to_the_login_and_a_script_is_told(visit):
    answer = visit().get("/ui/", headers={"accept": "text/html,*/*"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/login")
    assert visit().post("/ui/", headers={"accept": "text/html"}).status_code == 401


def test_every_answer_says_what_a_browser_may_do(visit):
    for answer in (
        visit().get("/login"),
        visit().get("/ui/"),
        visit("Ana").get("/"),
        visit("Bea").post("/", headers={"host": "evil"}),
    ):
        assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
        assert "unsafe-eval" not in answer.headers["content-security-policy"]
        assert "http" not in answer.headers["content-security-policy"]
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["x-frame-options"] == "DENY"
        assert "server" not in answer.headers


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:7860", "127.0.0.1.evil.example", "", "localhost.evil", "[::1]:7860"]
)
def test_a_name_that_is_not_the_studios_is_refused(visit, host):
    assert visit("Ana").get("/", headers={"host": host}).status_code == 403


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.1:7860", "localhost:1", "LOCALHOST:7860"])
def test_its_own_names_are_fine(visit, host):
    assert visit("Ana").get("/", headers={"host": host}).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "http://evil.example"},
        {"origin": "null"},
        {"origin": ""},
        {"origin": "http://127.0.0.1:9999"},
        {"origin": "http://localhost:7860"},
        {"origin": "http://127.0.0.1:7860.evil.example"},
        {"origin": "http://127.0.0.1:7860@evil.example"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
    ],
)
def test_what_a_strangers_page_sends_changes_nothing(visit, headers):
    ana = visit("Ana")
    for method in ("POST", "PUT", "DELETE", "PATCH"):
        assert ana.request(method, "/login", headers=headers).status_code == 403
        assert ana.request(method, JOIN, headers=headers).status_code == 403


@pytest.mark.parametrize("headers", [{}, {"origin": "http://127.0.0.1:7860"}, {"sec-fetch-site": "same-origin"}])
def test_what_her_own_page_sends_passes(visit, headers):
    assert visit("Ana").post("/logout", headers=headers, content=b"x").text == "x"


def test_a_session_that_has_ended_is_nobodys(visit):
    ana = visit("Ana")
    assert ana.get("/ui/").status_code == 200
    accounts.end_session(ana.cookies[accounts.COOKIE])
    assert ana.get("/ui/").status_code == 401


def test_no_websocket_gets_in(visit):
    with pytest.raises(WebSocketDisconnect) as closed, visit("Ana").websocket_connect("ws://127.0.0.1/ui/x"):
        pass
    assert closed.value.code == 1008


# -- the wall -----------------------------------------------------------------------------------------------------------------


def event(session: str = "anas-session", **more) -> dict:
    return {"data": [], "fn_index": 0, "session_hash": session, **more}


JOIN = "/ui/gradio_api/queue/join"


def test_a_session_hash_belongs_to_who_used_it_first(visit):
    ana, bea = visit("Ana"), visit("Bea")
    assert ana.post(JOIN, json=event()).status_code == 200
    assert ana.post(JOIN, json=event()).status_code == 200
    assert bea.post(JOIN, json=event()).status_code == 403
    assert bea.get("/ui/gradio_api/queue/data?session_hash=anas-session").status_code == 403
    assert bea.get("/ui/gradio_api/queue/data?session_hash=beas&session_hash=anas-session").status_code == 403
    assert bea.get("/ui/gradio_api/heartbeat/anas-session").status_code == 403
    for path in ("cancel", "reset", "run/predict", "api/predict", "call/x", "component_server"):
        assert bea.post(f"/ui/gradio_api/{path}", json=event()).status_code == 403
        assert bea.post(f"/ui/gradio_api/{path}", json={"deep": [{"session_hash": "anas-session"}]}).status_code == 403
    assert bea.post(JOIN, json=event("beas")).status_code == 200


@pytest.mark.parametrize("session", ["", "x", "../../x", "a" * 65, "a b c d", "ä" * 8, 7, ["abcd"], {"a": 1}])
def test_what_is_no_session_hash_is_refused(visit, session):
    assert visit("Ana").post(JOIN, json=event(session)).status_code == 403


def test_a_file_belongs_to_whom_it_was_named_to(visit):
    ana, bea = visit("Ana"), visit("Bea")
    path = f"/ui/gradio_api/file={HERS}"
    assert ana.get(path).status_code == 404  # nobody was told of it yet
    ana.get("/ui/gradio_api/queue/data?session_hash=anas-session")
    assert ana.get(path).text == "bytes of a file"
    assert bea.get(path).status_code == 404
    assert ana.post(JOIN, json=event(data=[{"path": HERS}])).status_code == 200
    assert bea.post(JOIN, json=event("beas", data=[{"path": HERS}])).status_code == 403


@pytest.mark.parametrize(
    "path",
    [
        "/etc/passwd",
        "../../x",
        "file:///etc/passwd",
        "\\\\host\\share",
        "/proc/self/environ",
        "C:\\x",
        "//etc/passwd",
        "http://127.0.0.1/",
        "~",
    ],
)
def test_no_path_that_the_studio_did_not_name(visit, path):
    ana = visit("Ana")
    assert ana.post(JOIN, json=event(data=[{"path": path, "meta": {"_type": "gradio.FileData"}}])).status_code == 403
    assert ana.get(f"/ui/gradio_api/file={quote(path, safe='')}").status_code == 404
    assert ana.get(f"/ui/gradio_api/file/{quote(path, safe='')}").status_code == 404


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:22/", "https://evil.example/x.png", "file:///etc/passwd", "gopher://x", "//evil.example/x"]
)
def test_no_address_of_another_host(visit, url):
    assert visit("Ana").post(JOIN, json=event(data=[{"path": None, "url": url}])).status_code == 403


@pytest.mark.parametrize("body", [b"", b"{", b"\xff\xfe", b"[" * 100_000, b'{"session_hash": "abcd"', b"NaN{"])
def test_what_is_no_json_is_refused(visit, body):
    assert visit("Ana").post(JOIN, content=body).status_code == 403


def test_too_much_at_once_is_refused(visit, monkeypatch):
    monkeypatch.setattr(wall, "LARGEST_EVENT", 1000)
    assert visit("Ana").post(JOIN, json=event(data=["x" * 2000])).status_code == 413


@pytest.mark.parametrize(
    "path",
    ["logout", "monitoring", "login", "runs", "gradio_api/token", "gradio_api/user", "gradio_api/proxy=http://x", "gradio_api/info", "gradio_api/openapi.json",
     "gradio_api/stream/x", "gradio_api/vibe-edit", "gradio_api/process_recording", "gradio_api/run-history/records", "gradio_api/startup-events",
     "gradio_api/custom_component/x/y/z/__init__.py", "gradio_api/dev/reload", "gradio_api/deep_link", "gradio_api/upload", "gradio_api/upload_progress"],
)  # fmt: skip
def test_doors_that_the_studio_does_not_use_are_shut(visit, path):
    assert visit("Ana").get(f"/ui/{path}").status_code == 404


def test_what_it_remembers_has_a_bound(visit, monkeypatch):
    monkeypatch.setattr(wall, "MOST_FILES", 10)
    monkeypatch.setattr(wall, "MOST_SESSIONS", 10)
    mine = wall.Wall()
    for number in range(50):
        mine._add("a", json.dumps(f"/x/{number}").encode())
        assert mine.takes_session("a", f"session-{number}")
    assert len(mine._files) == len(mine._sessions) == 10
    assert mine.owns("a", "/x/49")
    assert not mine.owns("b", "/x/49")


def test_an_answer_is_owed_to_whoever_asked_and_to_nobody_else():
    mine = wall.Wall(pending={"session-1": {"b", "a"}, "session-2": {"c"}, "session-3": set()})
    assert mine.takes_session("ana", "session-1")
    assert mine.takes_session("bea", "session-2")
    assert [mine.owed(name) for name in ("ana", "bea", "cleo")] == [["a", "b"], ["c"], []]
