"""The studio: an artist does everything in the browser. `artlab studio`, `python app.py` and `make app` are one door.

    server    the application; what a tab is, and the rules that keep artists apart
    guard     who may ask, from where; security headers
    wall      whose session and whose file is whose inside Gradio
    answers   Gradio's stream of answers, kept open while a page is busy
    pages     log in, make an account
    media     pictures for the browser
    shelf     everything that one artist has
    tabs/     a module per tab

The studio imports no verb and no torch. It does no work of its own: it queues jobs, and workers in processes of their own do them.
"""

import contextlib
import os
import secrets
import socket
import subprocess
import sys
import threading
import time
import webbrowser
from collections.abc import Callable
from pathlib import Path

from artlab import accounts, database, files, shift
from artlab.settings import Studio

GRACE = 5.0


class StudioError(ValueError):
    """A studio that cannot be opened: why, and what to do."""


def studio(settings: Studio, say: Callable[[str], None] = lambda text: print(text, flush=True)) -> None:
    """Serve the studio until Ctrl-C, with a worker for each device."""
    os.environ["ARTLAB_HOME"] = str(files.home().resolve())  # the working folder is about to change
    listening = listen(settings.host, settings.port)
    code = _first_code(settings)
    address = address_of(settings, listening)
    workers = [start_worker(device) for device in settings.devices]
    try:
        with shift.studio_open():
            _serve(settings, listening, code, lambda: _welcome(settings, address, code, say))
    finally:
        listening.close()
        if not shift.studio_is_there():  # another page of the same home may need them
            for device in settings.devices:
                shift.end(device)
        for worker in workers:
            with contextlib.suppress(subprocess.TimeoutExpired):
                worker.wait(0.5)


def listen(host: str, port: int) -> socket.socket:
    """A listening socket on the port, or on a free one if it is taken. Raises StudioError when the address is not this machine's."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    for wanted in (port, 0):
        made = socket.socket(family, socket.SOCK_STREAM)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            made.bind((host, wanted))
            made.listen(256)
            return made
        except OSError as error:
            made.close()
            trouble = error
    raise StudioError(
        f"The studio cannot listen on {host} ({trouble.strerror}). Use --host 127.0.0.1, or an address of this machine."
    )


def address_of(settings: Studio, listening: socket.socket) -> str:
    """The address to open in a browser."""
    host, port = listening.getsockname()[:2]
    shown = {"0.0.0.0": socket.gethostname(), "::": socket.gethostname()}.get(host, host)
    return f"http://{f'[{shown}]' if ':' in shown else shown}:{port}{settings.root_path}/"


def start_worker(device: str = "auto") -> subprocess.Popen[bytes]:
    """A worker in a session of its own, so that the end of the page is not the end of a training. It ends itself if one is there."""
    log = database.folder() / "worker.log"
    with open(log, "ab") as out:
        return subprocess.Popen(
            [sys.executable, "-m", "artlab.shift", device],
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            start_new_session=True,
            cwd=_empty_folder(),
        )


def _serve(settings: Studio, listening: socket.socket, code: str, ready: Callable[[], None]) -> None:
    import uvicorn  # noqa: PLC0415 - only the studio needs it

    from artlab.studio.server import application  # noqa: PLC0415 - with Gradio behind it

    here = Path.cwd()
    os.chdir(_empty_folder())  # Gradio serves what lies in its working folder: let nothing lie there
    try:
        app = application(settings, code=code)
        server = uvicorn.Server(
            uvicorn.Config(
                app,
                log_level="warning",
                access_log=False,
                server_header=False,
                root_path="",
                timeout_graceful_shutdown=int(GRACE),
                proxy_headers=bool(settings.hostname),
                forwarded_allow_ips="127.0.0.1",
            )
        )
        threading.Thread(target=_when_started, args=(server, ready), daemon=True).start()
        server.run(sockets=[listening])
    finally:
        os.chdir(here)


def _when_started(server: "object", ready: Callable[[], None]) -> None:
    while not getattr(server, "started", False):
        time.sleep(0.02)
    ready()


def _welcome(settings: Studio, address: str, code: str, say: Callable[[str], None]) -> None:
    first = f"{address}register?code={code}" if code else address
    say(f"artlab is at {first} (Ctrl-C ends it)")
    if not accounts.count():
        say("This studio is new: open the address and make the first account.")
    if settings.open_browser:
        webbrowser.open(first)


def _first_code(settings: Studio) -> str:
    """On a studio that the network can see, the first account belongs to whoever can read the terminal."""
    local = settings.host in ("127.0.0.1", "localhost", "::1")
    return "" if local or accounts.count() else secrets.token_urlsafe(9)


def _empty_folder() -> Path:
    folder = database.folder() / "empty"
    folder.mkdir(exist_ok=True, mode=0o700)
    return folder
