"""The studio as a process: it answers within seconds, is seen by this machine alone, starts one worker and takes it along."""

import fcntl
import http.client
import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from artlab import accounts, database, files, flags, shift, studio
from artlab.settings import Studio
from artlab.studio import StudioError

APP = Path(__file__).parents[1] / "app.py"


def start(*flags: str) -> tuple[subprocess.Popen, str]:
    """The running page and the line that tells its address."""
    process = subprocess.Popen(
        [sys.executable, str(APP), "--port", "0", *flags], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    return process, process.stdout.readline()


def stop(process: subprocess.Popen, number: int = signal.SIGINT) -> tuple[int, str]:
    process.send_signal(number)
    try:
        _, said = process.communicate(timeout=120)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        raise
    return process.returncode, said


def working(worker: int) -> bool:
    """Whether a process holds the lock of the worker: one that has ended may still have a number until somebody notes its end."""
    with open(shift.lock_of("cpu")) as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return int(lock.read()) == worker
    return False


def get(port: int, path: str) -> tuple[int, str]:
    line = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        line.request("GET", path)
        answer = line.getresponse()
        return answer.status, answer.read().decode()
    finally:
        line.close()


def test_it_opens_with_a_worker_and_ends_with_it():
    process, said = start("--devices", "cpu")
    try:
        port = int(re.fullmatch(r"artlab is at http://127\.0\.0\.1:(\d+)/ \(Ctrl-C ends it\)\n", said)[1])
        assert get(port, "/health")[0] == 200
        assert "you keep the studio" in get(port, "/register")[1]
        assert get(port, "/ui/")[0] == 401
        lock = shift.lock_of("cpu")
        for _ in range(600):
            if lock.exists() and lock.read_text():
                break
            time.sleep(0.1)
        worker = int(lock.read_text())
        assert os.getpgid(worker) != os.getpgid(process.pid)
    finally:
        code, complaints = stop(process)
    assert (code, complaints) in ((0, ""), (130, "artlab: Interrupted.\n"))
    assert not working(worker)


def test_kill_9_of_the_page_leaves_the_worker_and_the_next_page_finds_it():
    process, _ = start("--devices", "cpu")
    lock = shift.lock_of("cpu")
    for _ in range(600):
        if lock.exists() and lock.read_text():
            break
        time.sleep(0.1)
    worker = int(lock.read_text())
    stop(process, signal.SIGKILL)
    assert working(worker)
    process, _ = start("--devices", "cpu")
    assert int(lock.read_text()) == worker
    stop(process)
    assert not working(worker)


def test_a_port_that_is_taken_gives_way():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with studio.listen("127.0.0.1", port) as made:
            assert made.getsockname()[0] == "127.0.0.1"
            assert made.getsockname()[1] != port


def test_an_address_of_another_machine_is_told():
    with pytest.raises(StudioError, match=r"192\.0\.2\.1"):
        studio.listen("192.0.2.1", 0)


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_the_address_can_be_opened(host):
    try:
        made = studio.listen(host, 0)
    except StudioError:
        pytest.skip(f"this machine has no {host}")
    with made:
        address = studio.address_of(Studio(host=host, root_path="/artlab"), made)
    assert re.fullmatch(r"http://(127\.0\.0\.1|\[::1\]):\d+/artlab/", address)


def test_a_studio_on_the_network_asks_for_a_code_once():
    assert studio._first_code(Studio()) == ""
    assert len(studio._first_code(Studio(host="0.0.0.0"))) >= 12
    accounts.register("Ana", "four random words")
    assert studio._first_code(Studio(host="0.0.0.0")) == ""


def test_the_flags_of_the_studio():
    made = flags.parse("studio", ["--port", "8000", "--devices", "cuda:0", "cuda:1"])
    assert (made.port, made.devices, made.host) == (8000, ("cuda:0", "cuda:1"), "127.0.0.1")
    assert flags.parse("studio", ["--devices"]).devices == ()
    for wrong in (["--port", "70000"], ["--root_path", "no/slash"], ["--root_path", "/x/../y z"]):
        with pytest.raises(ValueError, match=r"."):
            flags.parse("studio", wrong)


def test_the_page_runs_in_an_empty_folder():
    assert list(studio._empty_folder().iterdir()) == []
    assert studio._empty_folder().parent == database.folder() == files.home() / "studio"


def test_the_studio_needs_no_torch():
    code = (
        "import sys\nfrom artlab.settings import Studio\nfrom artlab.studio import server\n"
        "server.application(Studio())\nsys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], timeout=200, cwd=APP.parent).returncode == 0
