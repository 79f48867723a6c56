"""Every route and every event of the studio, asked by nobody, by another artist and by the owner; a new one without a row fails here.

The artist Ana has works, a style, a training, a picture, a report and jobs, and her secrets are in all of them. Whatever Bea sends, she
learns none of them and changes nothing that is Ana's.
"""

import gc
import hashlib
import json
import random
import re
import uuid

import pytest
from fastapi.routing import APIRoute
from starlette.routing import Mount, Route
from starlette.testclient import TestClient

from artlab import accounts, files, jobs, recipe, style
from artlab.settings import Studio
from artlab.studio import server
from artlab.studio.shelf import Shelf

# Gradio and pandas warn about each other; what they warn of is not artlab's.
pytestmark = pytest.mark.filterwarnings("ignore")

SECRET = "ultramarinesecret"
PICTURE = "pictures/2026-01-01/secret-fox.png"
# What a stranger, another artist and the owner get. A stranger is stopped by the guard, whatever the route.
OPEN, OWN, FORM = (200, 200, 200), (401, 404, 200), (422, 422, 422)
ROUTES = {
    ("GET", "/"): (401, 200, 200),
    ("GET", "/health"): OPEN,
    ("GET", "/favicon.ico"): OPEN,
    ("GET", "/login"): OPEN,
    ("POST", "/login"): FORM,
    ("GET", "/register"): OPEN,
    ("POST", "/register"): FORM,
    ("POST", "/logout"): (401, 303, 303),
    ("GET", "/jobs"): (401, 200, 200),
    ("GET", "/news"): (401, 200, 200),
    ("GET", "/look/{path}"): (401, 200, 200),
    ("GET", "/media/own/{path}"): OWN,
    ("GET", "/media/shipped/{name}/preview.png"): (401, 404, 404),
    ("POST", "/upload"): (401, 403, 403),  # without consent
    ("POST", "/desk"): (401, 415, 415),  # without a picture
    ("GET", "/export/{name}.zip"): OWN,
    ("GET", "/study/{name}"): OWN,
}
FILLED = {
    "/look/{path}": "/look/studio.css",
    "/media/own/{path}": f"/media/own/{PICTURE}",
    "/media/shipped/{name}/preview.png": "/media/shipped/nothing/preview.png",
    "/export/{name}.zip": "/export/00000000000000aa.zip",
    "/study/{name}": "/study/ultramarine",
}


@pytest.fixture(scope="module")
def studio(tmp_path_factory):
    """The whole studio, with the real tabs; its home is each test's own."""
    patch = pytest.MonkeyPatch()
    patch.setenv("ARTLAB_HOME", str(tmp_path_factory.mktemp("built")))
    patch.setenv("GRADIO_TEMP_DIR", "")
    patch.setenv("GRADIO_ANALYTICS_ENABLED", "False")
    guarded = server.application(Studio())
    with TestClient(guarded.app):
        yield guarded
    patch.undo()
    gc.collect()  # Gradio leaves event loops unclosed; here their warnings are still among those that are ignored


@pytest.fixture
def visit(studio, home, monkeypatch, tmp_path):
    """Browsers: `visit("Ana")` is logged in, `visit()` is not."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(accounts, "_hasher", lambda: accounts.PasswordHasher(time_cost=1, memory_cost=64, parallelism=1))

    def make(name: str = "") -> TestClient:
        client = TestClient(studio, base_url="http://127.0.0.1:7860", follow_redirects=False)
        if name:
            artist = accounts.register(name, "four random words")
            client.artist = artist
            client.cookies.set(accounts.COOKIE, accounts.start_session(artist.id))
        return client

    return make


def furnish(artist: accounts.Artist) -> None:
    """Give Ana one of everything."""
    home = artist.home
    made = recipe.Recipe(
        prompt=f"a fox {SECRET}", seed=1, width=8, height=8, steps=1, sampler="ddim", guidance=1,
        base=recipe.BaseUsed(name="mini", fingerprint=""),
    )  # fmt: skip
    from PIL import Image  # noqa: PLC0415

    plain = Image.new("RGB", (8, 8), (18, 10, 143))
    recipe.embed(plain, made, home / PICTURE)
    recipe.embed(plain, made, home / "desk" / "00000000000000aa.png")
    files.write(home / "cache" / "exports" / "00000000000000aa.zip", SECRET.encode())
    card = {
        "name": "ultramarine",
        "trigger": SECRET,
        "base": {"name": "mini", "family": "mini", "fingerprint": "ab", "resolution": 128},
    }
    style.save(
        home / "styles" / "ultramarine", card, {"lora.safetensors": SECRET.encode(), "preview.png": (home / PICTURE).read_bytes()}
    )
    for name in ("studies", "reports", "evaluations", "runs"):
        files.write(home / name / "ultramarine" / "report.html", f"<p>{SECRET}".encode())
        files.write(home / name / "ultramarine" / "index.html", f"<p>{SECRET}".encode())
    files.append_jsonl(home / "runs" / "ultramarine" / "log.jsonl", {"step": 1, "loss": 1.0, "message": SECRET})
    files.write_json(home / "drafts" / "create.json", {"prompt": SECRET})
    jobs.submit(artist.id, "generate", {"prompt": [SECRET]})
    jobs.control(artist.id, jobs.submit(artist.id, "finetune", {"portfolio": "drawn:vask", "name": SECRET}), "pause")


def listed(routes, prefix: str = "") -> set[tuple[str, str]]:
    """Every method and path of the application, Gradio's own aside: those are the wall's matter."""
    found = set()
    for route in routes:
        if isinstance(route, Mount):
            found |= {("GET", f"{prefix}{route.path}/{{path}}")} if route.path != "/ui" else set()
        elif isinstance(route, (APIRoute, Route)):
            path = re.sub(r":path\}", "}", prefix + route.path)
            found |= {(method, path) for method in route.methods - {"HEAD"}}
        else:
            found |= listed(route.original_router.routes, prefix)
    return found


def test_every_route_has_a_row(studio):
    assert listed(studio.app.routes) == set(ROUTES)


@pytest.mark.parametrize(("method", "path"), ROUTES, ids=lambda value: value)
def test_every_route_for_everybody(visit, method, path):
    stranger, ana, bea = visit(), visit("Ana"), visit("Bea")
    furnish(ana.artist)
    wanted = ROUTES[method, path]
    address = FILLED.get(path, path)
    for who, code in zip((stranger, bea, ana), wanted, strict=True):
        answer = who.request(method, address, headers={"accept": "*/*"}, follow_redirects=path == "/" and who is not stranger)
        assert answer.status_code == code, (who is ana, answer.text[:300])
        if who is not ana:
            assert SECRET not in answer.text
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["content-security-policy"]


def test_an_owner_gets_her_own(visit):
    ana = visit("Ana")
    furnish(ana.artist)
    shelf = Shelf(ana.artist.id)
    (path,), number = shelf.pictures(query=SECRET)
    assert number == 1
    answer = ana.get(shelf.media_url(path))
    assert (answer.headers["content-type"], answer.content[:4]) == ("image/png", b"\x89PNG")
    small = ana.get(shelf.media_url(path, 64))
    assert (small.headers["content-type"], small.content[8:12]) == ("image/webp", b"WEBP")
    assert SECRET.encode() not in small.content
    assert "attachment" in ana.get(shelf.media_url(path, download=True)).headers["content-disposition"]
    assert "sandbox" in answer.headers["content-security-policy"]
    assert SECRET in ana.get("/jobs").text


@pytest.mark.parametrize(
    "path",
    [
        "../../studio/accounts.db", "..%2f..%2fstudio%2faccounts.db", "%2e%2e/%2e%2e/studio/jobs.db", "styles/ultramarine/lora.safetensors",
        "styles/ultramarine/style.json", "drafts/create.json", "runs/ultramarine/log.jsonl", "pictures/../album.jsonl", "pictures", "", "/etc/passwd",
        "pictures/2026-01-01/secret-fox.png%00.txt", "pictures/page.png", "pictures/drawing.svg", "pictures/.hidden.png", "portfolios/x/uploads/a.png",
        "portfolio/uploads/a.png", "pictures/link.png", "cache/thumbs/..", "pictures/2026-01-01/secret-fox.png/x",
    ],
)  # fmt: skip
def test_nothing_but_pictures_can_be_had(visit, path):
    ana = visit("Ana")
    furnish(ana.artist)
    home = ana.artist.home
    files.write(home / "pictures" / "page.png", b"<script>alert(1)</script>")
    files.write(home / "pictures" / "drawing.svg", b"<svg onload=alert(1)>")
    for place in ("pictures/.hidden.png", "portfolios/x/uploads/a.png", "portfolio/uploads/a.png"):
        files.write(home / place, (home / PICTURE).read_bytes())
    (home / "pictures" / "link.png").symlink_to(files.root() / "studio" / "accounts.db")
    answer = ana.get(f"/media/own/{path}")
    assert answer.status_code == 404, answer.content[:80]
    assert SECRET not in answer.text


@pytest.mark.parametrize("width", ["-1", "1", "99999999", "x", "1e9", "9" * 50])
def test_no_picture_of_a_foolish_size(visit, width):
    ana = visit("Ana")
    furnish(ana.artist)
    assert ana.get(f"/media/own/{PICTURE}?w={width}").status_code in (404, 422)


# -- log in, make an account --------------------------------------------------------------------------------------------------


def test_the_first_account_and_the_way_in_and_out(visit):
    ana = visit()
    assert ana.get("/login", headers={"accept": "text/html"}).headers["location"] == "/register"
    assert "you keep the studio" in ana.get("/register").text
    made = ana.post("/register", data={"name": "Ana", "password": "four random words"})
    assert (made.status_code, made.headers["location"]) == (303, "/ui/")
    cookie = made.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie
    assert ana.get("/ui/").status_code == 200
    assert ana.post("/logout").headers["location"] == "/login"
    ana.cookies.clear()
    assert ana.post("/login", data={"name": "Ana", "password": "wrong words here"}).status_code == 401
    again = ana.post("/login", data={"name": "ANA", "password": "four random words"})
    assert again.status_code == 303
    for number in range(accounts.PER_NAME + 1):
        last = visit().post("/login", data={"name": "Ana", "password": f"wrong words {number}"})
    assert last.status_code == 429


def test_an_old_cookie_opens_nothing_after_logging_out(visit):
    ana = visit("Ana")
    token = ana.cookies[accounts.COOKIE]
    ana.post("/logout")
    again = visit()
    again.cookies.set(accounts.COOKIE, token)
    assert again.get("/ui/").status_code == 401


@pytest.mark.parametrize("name", ['"><img src=x onerror=alert(1)>', "<script>alert(1)</script>", "{{7*7}}", "{0.__class__}"])
def test_names_are_words_on_every_page(visit, name):
    stranger = visit()
    for path in ("/login", "/register"):
        text = stranger.post(path, data={"name": name, "password": "x"}).text
        assert name not in text or "<" not in name
        assert "<img" not in text
        assert "<script" not in text
        assert "49" not in re.findall(r'value="([^"]*)"', text)


def test_huge_fields_are_refused(visit):
    stranger = visit()
    assert stranger.post("/login", data={"name": "x" * 100_000, "password": "y"}).status_code == 422
    assert stranger.post("/register", data={"name": "x", "password": "y" * 100_000}).status_code == 422


def test_a_studio_on_the_network_gives_its_first_account_to_who_reads_the_terminal(studio, visit, monkeypatch):
    monkeypatch.setattr(studio.app.state, "code", "the-code")
    form = {"name": "Eve", "password": "four random words"}
    assert visit().post("/register", data=form).status_code == 400
    assert visit().post("/register", data=form | {"code": "guess"}).status_code == 400
    assert accounts.count() == 0
    assert visit().post("/register", data=form | {"code": "the-code"}).status_code == 303


def test_accounts_can_be_closed(studio, visit, monkeypatch):
    visit("Ana")
    monkeypatch.setattr(studio.app.state, "settings", Studio(open_accounts=False))
    assert visit().get("/register").status_code == 403
    assert visit().post("/register", data={"name": "Eve", "password": "four random words"}).status_code == 400
    assert accounts.count() == 1


# -- every event --------------------------------------------------------------------------------------------------------------


def events(studio) -> list[int]:
    return [number for number, one in studio.app.state.demo.fns.items() if one.fn is not None]


def fire(client: TestClient, number: int, data: list, session: str = "") -> str:
    """Send one event by hand, as no page would; everything that comes back."""
    session = session or uuid.uuid4().hex
    joined = client.post(
        "/ui/gradio_api/queue/join", json={"data": data, "fn_index": number, "session_hash": session, "trigger_id": None}
    )
    if joined.status_code != 200:
        return f"{joined.status_code} {joined.text}"
    told = []
    with client.stream("GET", f"/ui/gradio_api/queue/data?session_hash={session}") as stream:
        for line in stream.iter_lines():
            told.append(line)
            if "process_completed" in line or "close_stream" in line or "unexpected_error" in line:
                break
    return "\n".join(told)


def hostile(component, ana: accounts.Artist, chance: random.Random):
    """What an attacker would put into this input."""
    first = next(iter(jobs.of(ana.id)), None)
    texts = [
        f"../{ana.id}/styles/ultramarine", str(ana.home / PICTURE), PICTURE, "ultramarine", str(first.id) if first else "1", "../../studio/accounts.db",
        json.dumps({"act": "cancel", "job": first.id if first else 1, "id": PICTURE, "work": "00000000000000aa", "name": "ultramarine"}),
        json.dumps({"what": "resume", "job": 2, "pick": str(ana.home)}), "<img src=x onerror=alert(1)>", "x" * 50_000, "\x00", "{", "[]",
        json.dumps({"act": "delete", "ids": [PICTURE], "job": "2"}),
    ]  # fmt: skip
    kind = type(component).__name__
    if kind in ("Number", "Slider"):
        return chance.choice([1, 2, -1, 10**12, None])
    if kind == "Checkbox":
        return chance.random() < 0.5
    return chance.choice(texts)


def snapshot(artist: accounts.Artist) -> str:
    """Everything that is Ana's, as one hash; thumbnails aside."""
    parts = [f"{job.id} {job.state} {job.wish} {job.settings}" for job in jobs.of(artist.id)]
    for path in sorted(artist.home.rglob("*")):
        if path.is_file() and "thumbs" not in path.parts:
            parts.append(f"{path} {hashlib.sha256(path.read_bytes()).hexdigest()}")
    return "\n".join(parts)


def test_there_are_events(studio):
    assert len(events(studio)) > 0


def test_no_event_for_strangers(studio, visit):
    stranger = visit()
    visit("Ana")
    for number in events(studio):
        assert fire(stranger, number, []).startswith("401")


@pytest.mark.parametrize("tries", [1, pytest.param(12, marks=pytest.mark.slow)])
def test_every_event_keeps_artists_apart(studio, visit, tries):
    ana, bea = visit("Ana"), visit("Bea")
    furnish(ana.artist)
    before = snapshot(ana.artist)
    chance = random.Random(tries)
    for number in events(studio):
        inputs = studio.app.state.demo.fns[number].inputs
        for _ in range(tries):
            told = fire(
                bea, number, [None if type(one).__name__ == "State" else hostile(one, ana.artist, chance) for one in inputs]
            )
            assert SECRET not in told, f"event {number} ({studio.app.state.demo.fns[number].name}) tells Bea what is Ana's"
            assert "Traceback" not in told
    assert snapshot(ana.artist) == before
    assert (files.root() / "artists").is_dir()
    assert {path.name for path in (files.root() / "artists").iterdir()} == {ana.artist.id, bea.artist.id}


def test_an_ended_session_is_nobodys_in_every_event(studio, visit):
    ana = visit("Ana")
    furnish(ana.artist)
    accounts.end_sessions(ana.artist.id)
    for number in events(studio)[:5]:
        assert fire(ana, number, []).startswith("401")


def test_no_file_of_the_server_can_be_read_by_any_event(studio, visit, home):
    ana = visit("Ana")
    secret = files.write(home / "secret.txt", b"outermost secret") or home / "secret.txt"
    payloads = [
        str(secret),
        "/etc/passwd",
        "file:///etc/passwd",
        str(home / "studio" / "accounts.db"),
        "/proc/self/environ",
        "../../secret.txt",
    ]
    for number in events(studio)[:12]:
        inputs = studio.app.state.demo.fns[number].inputs
        for payload in payloads:
            told = fire(ana, number, [{"path": payload, "meta": {"_type": "gradio.FileData"}}] * max(1, len(inputs)))
            assert told.startswith("403"), told[:200]
    for payload in payloads:
        assert ana.get(f"/ui/gradio_api/file={payload}").status_code == 404
