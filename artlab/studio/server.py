"""The studio's application: pages in front, pictures, uploads, and Gradio's page at `/ui`, all behind one guard.

A tab is a module in `studio/tabs` with `TITLE`, `build(context)`, which is called inside its `gr.Tab`, and, if it needs routes of its
own, a `router`. Rules that keep artists apart, for whoever writes one:

- who asks is `accounts.artist_of(request)` in every handler, route and timer; a name, an id or a `gr.State` from the browser is not;
- a handler takes `request: gr.Request` and does its work through `Shelf.of(request)` and `jobs.…(artist, …)`;
- a handler never returns a path that came from the browser; pictures are shown by `Shelf.media_url`, not through Gradio's cache;
- text goes through `html.escape` before it comes near a `gr.HTML`.
"""

import contextlib
import importlib
import importlib.util
import os
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from fastapi import FastAPI, Form, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.staticfiles import StaticFiles

from artlab import __version__, accounts, database, jobs
from artlab.settings import Studio
from artlab.studio import media, pages, status, uploads
from artlab.studio.guard import LOOPBACK, Guard
from artlab.studio.shelf import Shelf
from artlab.studio.wall import Wall

if TYPE_CHECKING:
    import gradio as gr

TABS = ("portfolio", "train", "create", "gallery", "study")
STATIC = Path(__file__).with_name("static")


@dataclass
class Context:
    """What a tab gets to build itself with: the settings of the studio, the page, its tabs, and a place to leave components for others."""

    settings: Studio
    demo: "gr.Blocks"
    tabs: "gr.Tabs"
    shared: dict[str, Any] = field(default_factory=dict)


def application(settings: Studio, *, code: str = "", tabs: Sequence[ModuleType] | None = None) -> Guard:
    """The whole studio as one ASGI application. `code`, if given, is asked of whoever makes the first account."""
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    app.state.settings, app.state.code, app.state.run = settings, code, secrets.token_hex(8)
    _add_front(app)
    app.mount("/look", StaticFiles(directory=STATIC), name="look")
    app.include_router(media.router)
    app.include_router(uploads.router)
    found = tab_modules() if tabs is None else tabs
    for module in found:
        if hasattr(module, "router"):
            app.include_router(module.router)
    app.state.demo, app.state.watched = mount(app, settings, found)
    local = settings.host in ("127.0.0.1", "localhost", "::1")
    hosts = {*LOOPBACK, *settings.hostname} | ({settings.host} if settings.host not in ("0.0.0.0", "::") else set())
    app.state.wall = Wall(pending=app.state.demo._queue.pending_event_ids_session)
    known = hosts if local or settings.hostname else {*hosts, *_own_names()}
    return Guard(app, hosts=known, root_path=settings.root_path, wall=app.state.wall)


def tab_modules() -> list[ModuleType]:
    """The tabs there are, in the order in which the page shows them."""
    names = [f"artlab.studio.tabs.{name}" for name in TABS]
    return [importlib.import_module(name) for name in names if importlib.util.find_spec(name)]


# -- Gradio -------------------------------------------------------------------------------------------------------------------


def mount(app: FastAPI, settings: Studio, tabs: Sequence[ModuleType]) -> tuple["gr.Blocks", list[status.Watched]]:
    """Build the page and mount it at `/ui`; the page, and what of it changes by itself."""
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    # Outside of the working folder: Gradio refuses a whole upload when a dotfile is in it otherwise.
    os.environ["GRADIO_TEMP_DIR"] = str(database.folder().resolve() / "uploads")
    import gradio as gr

    from artlab.studio import theme  # noqa: PLC0415

    with gr.Blocks(title="artlab", analytics_enabled=False, delete_cache=(600, 3600)) as demo:
        places = theme.banner()
        with gr.Tabs() as row:
            context = Context(settings, demo, row)
            for module in tabs:
                with gr.Tab(module.TITLE, id=module.__name__.rpartition(".")[2]):
                    module.build(context)
            if not tabs:
                with gr.Tab("artlab"):
                    gr.Markdown("This studio has no rooms.")
        watched = context.shared.get("watch", [])
        status.watch(watched, *places)
    demo.queue(default_concurrency_limit=8, max_size=400)
    gr.mount_gradio_app(
        app,
        demo,
        "/ui",
        auth_dependency=_username,
        run_history=False,
        footer_links=[],
        max_file_size="60mb",
        show_error=False,
        root_path=f"{settings.root_path}/ui" if settings.root_path else None,
        ssr_mode=False,
        enable_monitoring=False,
        theme=theme.theme(),
        css=theme.css(),
        head=theme.head(),
    )
    # A mounted app never counts as launched, and Gradio then copies any file that a payload names: it must count.
    demo.has_launched = True
    return demo, watched


def _username(request: Request) -> str | None:
    """Gradio's idea of who is logged in: the artist's id."""
    found = accounts.by_token(request.cookies.get(accounts.COOKIE, ""))
    return found.id if found else None


# -- pages in front -----------------------------------------------------------------------------------------------------------


def _add_front(app: FastAPI) -> None:
    app.add_exception_handler(accounts.NobodyError, _nobody)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_api_route("/", home, methods=["GET"])
    app.add_api_route("/health", health, methods=["GET"])
    app.add_api_route("/favicon.ico", favicon, methods=["GET"])
    app.add_api_route("/login", show_login, methods=["GET"])
    app.add_api_route("/login", login, methods=["POST"])
    app.add_api_route("/register", show_register, methods=["GET"])
    app.add_api_route("/register", register, methods=["POST"])
    app.add_api_route("/logout", logout, methods=["POST"])
    app.add_api_route("/jobs", my_jobs, methods=["GET"])
    app.add_api_route("/news", news, methods=["GET"])


def home(request: Request) -> Response:
    """The way in."""
    return RedirectResponse(f"{_root(request)}/ui/", 303)


def favicon() -> Response:
    """The mark in the browser's tab; Gradio's page asks for it by this name, whatever the page's head says."""
    from artlab.studio import theme  # noqa: PLC0415 - it takes Gradio along

    return Response(theme.icon(), media_type="image/svg+xml", headers={"Cache-Control": "max-age=86400"})


def health() -> Response:
    """Whether the studio answers and its databases do."""
    accounts.count()
    jobs.path()
    return JSONResponse({"artlab": __version__, "ok": True}, headers={"Cache-Control": "no-store"})


def my_jobs(request: Request) -> Response:
    """The asking artist's jobs, as JSON, for scripts and for pages that poll."""
    artist = accounts.artist_of(request)
    rows, places = [], jobs.places(artist.id, _workers(request))
    for job in jobs.of(artist.id, limit=30):
        place = places.get(job.id)
        rows.append(
            {
                "id": job.id, "verb": job.verb, "title": job.title, "state": job.state, "wish": job.wish, "progress": job.progress,
                "message": job.message, "place": place and place.number, "seconds": place and place.seconds,
            }
        )  # fmt: skip
    return JSONResponse(rows, headers={"Cache-Control": "no-store"})


def news(request: Request) -> Response:
    """A short text that differs whenever the asking artist's page would; a header names this run of the server, for whose pages it is.

    An answer that Gradio owes her is news too: the page asks Gradio to draw then, and the stream of that brings what was owed.
    """
    shelf, state = Shelf.of(request), request.app.state
    told = " ".join([status.news(shelf, state.watched), *state.wall.owed(shelf.artist)])
    return PlainTextResponse(told, headers={"Cache-Control": "no-store", "X-Run": request.app.state.run})


def show_login(request: Request) -> Response:
    """The form; on a new studio the one that makes the first account."""
    if not accounts.count():
        return RedirectResponse(f"{_root(request)}/register", 303)
    return HTMLResponse(pages.login_page(_root(request), may_register=_may_register(request)))


def login(request: Request, name: str = Form(max_length=256), password: str = Form(max_length=1024)) -> Response:
    """Log in. A plain function: argon2 takes its time, which must not hold up the others."""
    try:
        token = accounts.login(name, password, _address(request))
    except accounts.AccountError as error:
        code = 429 if isinstance(error, accounts.TooManyTriesError) else 401
        page = pages.login_page(_root(request), problem=str(error), name=name, may_register=_may_register(request))
        return HTMLResponse(page, code)
    return _in(request, token)


def show_register(request: Request, code: str = "") -> Response:
    """The form that makes an account."""
    if not _may_register(request):
        return HTMLResponse(pages.message_page(_root(request), "No new accounts", "Ask the one who keeps this studio."), 403)
    return HTMLResponse(pages.register_page(_root(request), first=not accounts.count(), code=code[:100]))


def register(
    request: Request,
    name: str = Form(max_length=256),
    password: str = Form(max_length=1024),
    code: str = Form("", max_length=100),
) -> Response:
    """Make an account and log in."""
    first = not accounts.count()
    try:
        if first and request.app.state.code and code != request.app.state.code:
            raise accounts.AccountError("The first account is made with the address that the terminal shows; open that one.")
        artist = accounts.register(name, password, only_first=not _may_register(request) or first)
    except accounts.AccountError as error:
        page = pages.register_page(_root(request), problem=str(error), name=name, first=first, code=code)
        return HTMLResponse(page, 400)
    return _in(request, accounts.start_session(artist.id))


def logout(request: Request) -> Response:
    """End this session."""
    accounts.end_session(request.cookies.get(accounts.COOKIE, ""))
    answer = RedirectResponse(f"{_root(request)}/login", 303)
    answer.delete_cookie(accounts.COOKIE, path=_root(request) or "/")
    return answer


def _in(request: Request, token: str) -> Response:
    answer = RedirectResponse(f"{_root(request)}/ui/", 303)
    answer.set_cookie(
        accounts.COOKIE,
        token,
        max_age=int(accounts.LIFE),
        path=_root(request) or "/",
        httponly=True,
        samesite="lax",
        secure=request.url.scheme == "https",
    )
    return answer


def _may_register(request: Request) -> bool:
    settings: Studio = request.app.state.settings
    if settings.open_accounts is not None:
        return settings.open_accounts or not accounts.count()
    return settings.host in ("127.0.0.1", "localhost", "::1") or not accounts.count()


def _workers(request: Request) -> int:
    settings: Studio = request.app.state.settings
    return max(1, len(settings.devices))


def _root(request: Request) -> str:
    settings: Studio = request.app.state.settings
    return settings.root_path


def _address(request: Request) -> str:
    return request.client.host if request.client else ""


def _own_names() -> set[str]:
    """The names of this machine, for a studio that is open to the network."""
    import socket  # noqa: PLC0415

    name = socket.gethostname().lower()
    found = {name, f"{name}.local"}
    with contextlib.suppress(OSError):
        found |= {str(entry[4][0]) for entry in socket.getaddrinfo(name, None)}
    return found


async def _nobody(_: Request, error: Exception) -> Response:
    return PlainTextResponse(f"{error}\n", 401)


async def _invalid(_: Request, error: Exception) -> Response:
    return PlainTextResponse("This request is not understood.\n", 422)
