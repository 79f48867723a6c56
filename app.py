"""A page in the browser that shows the finished styles and demo pages. It reads only, serves only this machine, and runs nothing.

python app.py [PORT]        (the same as `make app`)
"""

import sys
from collections.abc import Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit

import jinja2

from artlab import files, style

HOST, PORT = "127.0.0.1", 7860
# What a file may be is decided by its name; everything else is not there.
PREVIEWS, PAGES = "previews", "demos"
_SECURITY = {
    "Content-Security-Policy": "default-src 'none'; img-src 'self' data:; style-src 'unsafe-inline'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-cache",
}


def found(path: str) -> Path | None:
    """The file behind `/previews/<style>` or `/demos/<name>`; None for every other path.

    Names are looked up among the ones that are there, never joined to a folder, so no path can lead out; links are not followed.
    """
    kind, _, name = unquote(path).lstrip("/").partition("/")
    if kind == PREVIEWS:
        return next((one.preview for one in style.list_styles() if one.folder.name == name and _plain(one.preview)), None)
    if kind == PAGES:
        return next((page for page in demo_pages() if page.parent.name == name), None)
    return None


def demo_pages() -> list[Path]:
    """The finished demo pages, the newest first."""
    pages = [page for page in (files.home() / "demos").glob("*/index.html") if _plain(page) and not page.parent.is_symlink()]
    return sorted(pages, key=lambda page: page.stat().st_mtime, reverse=True)


def overview() -> str:
    """The page that lists everything."""
    loader = jinja2.FileSystemLoader(files.package() / "templates")
    environment = jinja2.Environment(loader=loader, autoescape=True, undefined=jinja2.StrictUndefined)
    styles = [
        {"name": one.name, "folder": one.folder.name, "trigger": one.trigger, "base": one.base["name"]}
        | {"shown": _plain(one.preview)}
        for one in style.list_styles()
    ]
    return environment.get_template("app.html").render(styles=styles, demos=[page.parent.name for page in demo_pages()])


def _plain(path: Path) -> bool:
    return path.is_file() and not path.is_symlink()


class Handler(BaseHTTPRequestHandler):
    """Answers GET and HEAD for the overview, previews and demo pages; to a browser of this machine only."""

    server_version = "artlab"
    sys_version = ""
    timeout = 20

    def do_GET(self) -> None:
        """Send the page or file that the path names."""
        if not self._is_local():
            return self._send(403, "text/plain; charset=utf-8", b"This page is for this machine only.\n")
        path = urlsplit(self.path).path
        if path == "/":
            return self._send(200, "text/html; charset=utf-8", overview().encode())
        file = found(path)
        if file is None:
            return self._send(404, "text/plain; charset=utf-8", b"There is nothing here.\n")
        kind = "image/png" if file.suffix == ".png" else "text/html; charset=utf-8"
        return self._send(200, kind, file.read_bytes())

    do_HEAD = do_GET

    def _is_local(self) -> bool:
        # A stranger's site can make its own name point to 127.0.0.1 (DNS rebinding): the browser then says that name here.
        host = self.headers.get("Host", "").rsplit(":", 1)[0]
        return host in ("127.0.0.1", "localhost")

    def _send(self, code: int, kind: str, body: bytes) -> None:
        self.send_response(code)
        for name, value in {"Content-Type": kind, "Content-Length": str(len(body)), **_SECURITY}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing: who looks at what is nobody's business."""


def serve(port: int = PORT) -> ThreadingHTTPServer:
    """The server, bound to this machine; another free port if this one is taken."""
    try:
        return ThreadingHTTPServer((HOST, port), Handler)
    except OSError:
        return ThreadingHTTPServer((HOST, 0), Handler)


def main(argv: Sequence[str] | None = None) -> int:
    """Serve until Ctrl-C."""
    words = list(sys.argv[1:] if argv is None else argv)
    if len(words) > 1 or (words and not (words[0].isdecimal() and 0 < int(words[0]) < 65536)):
        print("usage: python app.py [PORT]", file=sys.stderr)
        return 2
    with serve(int(words[0]) if words else PORT) as server:
        try:
            print(f"artlab is at http://{HOST}:{server.server_address[1]}/ (Ctrl-C ends it)", flush=True)
            server.serve_forever()
        except KeyboardInterrupt:
            print()
    return 0


if __name__ == "__main__":
    sys.exit(main())
