"""The guard in front of everything the studio serves: who may ask, from where, and what every answer says to the browser.

A plain ASGI middleware, because Starlette's `BaseHTTPMiddleware` holds back streams. It refuses

- a Host that is not the studio's (DNS rebinding makes a stranger's name point here),
- what a stranger's page sends (Origin, Sec-Fetch-Site): no request that changes something comes from elsewhere,
- every path that is not open to all, without a session: also the ones that Gradio leaves open (`/cancel`, `/reset`, `/heartbeat`).

It then lets `wall.Wall` see what goes to and from Gradio, and adds the security headers.
"""

from collections.abc import Iterable
from urllib.parse import urlsplit

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from artlab import accounts
from artlab.studio.wall import Wall

OPEN = ("/login", "/register", "/health", "/favicon.ico", "/look/fonts/")
LOOPBACK = ("127.0.0.1", "localhost", "[::1]")
SAFE = ("GET", "HEAD")
CSP = (
    "default-src 'self'; img-src 'self' data: blob:; style-src 'self' 'unsafe-inline'; script-src 'self' 'unsafe-inline'; "
    "font-src 'self' data:; connect-src 'self'; media-src 'self' blob:; worker-src 'self' blob:; object-src 'none'; base-uri 'self'; "
    "form-action 'self'; frame-ancestors 'none'"
)
HEADERS = {
    "content-security-policy": CSP,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), microphone=(), geolocation=(), payment=(), usb=()",
}


class Guard:
    """The outermost layer of the studio."""

    def __init__(self, app: ASGIApp, *, hosts: Iterable[str] = LOOPBACK, root_path: str = "", wall: Wall | None = None) -> None:
        self.app, self.root = app, root_path
        self.hosts = {host.lower() for host in hosts}
        self.wall = wall or Wall()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through, or answer it here."""
        if scope["type"] == "lifespan":
            return await self.app(scope, receive, send)
        if scope["type"] != "http":  # nothing here speaks WebSocket
            return await send({"type": "websocket.close", "code": 1008})
        headed = _with_headers(send)
        request = Request(scope)
        path = self._path(scope)
        if (refusal := self._stranger(request)) is not None:
            return await refusal(scope, receive, headed)
        artist = await run_in_threadpool(accounts.by_token, request.cookies.get(accounts.COOKIE, ""))
        scope["artist"] = artist
        if artist is None and not _is_open(path):
            return await self._to_login(request)(scope, receive, headed)
        if artist is not None and path.startswith("/ui"):
            return await self.wall.pass_through(self.app, scope, receive, headed, artist.id, path)
        await self.app(scope, receive, headed)

    def _path(self, scope: Scope) -> str:
        path = str(scope["path"])
        return path.removeprefix(self.root) if self.root and path.startswith(f"{self.root}/") else path

    def _stranger(self, request: Request) -> Response | None:
        host = request.headers.get("host", "").lower()
        name = host.rpartition(":")[0] if host.rpartition(":")[2].isdecimal() and not host.endswith("]") else host
        if "*" not in self.hosts and name not in self.hosts:
            return PlainTextResponse("This studio does not go by that name.\n", 403)
        if request.method in SAFE:
            return None
        origin, site = request.headers.get("origin"), request.headers.get("sec-fetch-site")
        if origin is not None and urlsplit(origin).netloc.lower() != host:
            return PlainTextResponse("This came from another site.\n", 403)
        if site not in (None, "same-origin", "none"):
            return PlainTextResponse("This came from another site.\n", 403)
        return None

    def _to_login(self, request: Request) -> Response:
        if request.method == "GET" and "text/html" in request.headers.get("accept", ""):
            return RedirectResponse(f"{self.root}/login", 303)
        return PlainTextResponse("Log in first.\n", 401)


def _is_open(path: str) -> bool:
    return any(path == one or (one.endswith("/") and path.startswith(one)) for one in OPEN)


def _with_headers(send: Send) -> Send:
    async def headed(message: Message) -> None:
        if message["type"] == "http.response.start":
            kept = [(name, value) for name, value in message["headers"] if name.lower() not in (b"server", b"x-powered-by")]
            have = {name.lower() for name, _ in kept}
            kept += [(name.encode(), value.encode()) for name, value in HEADERS.items() if name.encode() not in have]
            message["headers"] = kept
        await send(message)

    return headed
