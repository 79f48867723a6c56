"""The page in the browser: it shows styles and demo pages, to this machine only, and no other file can be had from it."""

import http.client
import subprocess
import sys
import threading
from pathlib import Path

import pytest

import app
from artlab import files, style

CARD = {"name": "wren <b>", "trigger": "wrn", "base": {"name": "mini", "family": "mini", "fingerprint": "ab", "resolution": 128}}


@pytest.fixture
def ask(tmp_path, monkeypatch):
    """Ask a running page; gives status, headers and body."""
    monkeypatch.setattr(files, "shipped_styles", lambda: tmp_path / "shipped")
    server = app.serve(0)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()

    def call(path: str, method: str = "GET", **headers: str):
        line = http.client.HTTPConnection(*server.server_address, timeout=10)
        try:
            line.putrequest(method, path, skip_host="Host" in headers)
            for name, value in headers.items():
                line.putheader(name, value)
            line.endheaders()
            answer = line.getresponse()
            return answer.status, answer.headers, answer.read()
        finally:
            line.close()

    yield call
    server.shutdown()
    thread.join()
    server.server_close()


def make(name: str = "wren") -> style.Style:
    return style.save(files.styles() / name, CARD, {"lora.safetensors": b"secret weights", "preview.png": b"\x89PNG preview"})


def test_an_empty_home_says_what_to_do(ask):
    status, headers, body = ask("/")
    assert status == 200
    assert b"artlab finetune FOLDER" in body
    assert b"make demo" in body
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert headers["X-Content-Type-Options"] == "nosniff"


def test_styles_and_demo_pages_are_listed_and_served(ask):
    make()
    files.write(files.home() / "demos" / "wren-demo" / "index.html", b"<h1>demo</h1>")
    body = ask("/")[2].decode()
    assert "/previews/wren" in body
    assert "/demos/wren-demo" in body
    assert "wren &lt;b&gt;" in body
    assert "<b>" not in body
    status, headers, body = ask("/previews/wren")
    assert (status, headers["Content-Type"], body) == (200, "image/png", b"\x89PNG preview")
    status, headers, body = ask("/demos/wren-demo?x=1")
    assert (status, headers["Content-Type"], body) == (200, "text/html; charset=utf-8", b"<h1>demo</h1>")
    assert ask("/demos/wren-demo", "HEAD")[2] == b""


@pytest.mark.parametrize(
    "path",
    [
        "/etc/passwd",
        "//etc/passwd",
        "/previews/../styles/wren/lora.safetensors",
        "/previews/%2e%2e/%2e%2e/secret.txt",
        "/previews/..%2fsecret.txt",
        "/previews/wren/../../../secret.txt",
        "/previews/wren/lora.safetensors",
        "/previews/wren%00.png",
        "/previews/",
        "/demos/../styles/wren/style.json",
        "/demos/wren-demo/index.html",
        "/demos/.",
        "/demos/..",
        "/styles/wren/style.json",
        "/secret.txt",
        "/%5c..%5csecret.txt",
        "http://example.com/previews/../secret.txt",
        "file:///etc/passwd",
    ],
)
def test_no_other_file_can_be_had(ask, path):
    make()
    files.write(files.home() / "demos" / "wren-demo" / "index.html", b"<h1>demo</h1>")
    files.write(files.home() / "secret.txt", b"secret")
    status, _, body = ask(path)
    assert status in (403, 404)
    assert b"secret" not in body
    assert b"root:" not in body


def test_links_are_not_followed(ask, tmp_path):
    secret = tmp_path / "secret"
    secret.mkdir()
    (secret / "index.html").write_text("secret")
    made = make()
    made.preview.unlink()
    made.preview.symlink_to(secret / "index.html")
    demos = files.home() / "demos"
    demos.mkdir()
    (demos / "linked").symlink_to(secret)
    (demos / "inside").mkdir()
    (demos / "inside" / "index.html").symlink_to(secret / "index.html")
    for path in ("/previews/wren", "/demos/linked", "/demos/inside"):
        assert ask(path)[0] == 404


@pytest.mark.parametrize("host", ["evil.example", "evil.example:7860", "127.0.0.1.evil.example", ""])
def test_a_page_of_a_stranger_is_refused(ask, host):
    assert ask("/", Host=host)[0] == 403


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS"])
def test_nothing_can_be_written(ask, method):
    assert ask("/", method)[0] == 501


def test_only_this_machine_is_served():
    with app.serve(0) as server:
        assert server.server_address[0] == "127.0.0.1"
        with app.serve(server.server_address[1]) as other:
            assert other.server_address[1] != server.server_address[1]


def test_it_prints_its_address_and_ends_on_ctrl_c():
    process = subprocess.Popen([sys.executable, app.__file__, "7861"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert "artlab is at http://127.0.0.1:" in process.stdout.readline()
    process.send_signal(2)
    assert process.wait(20) == 0
    assert process.stderr.read() == ""
    process.stdout.close()
    process.stderr.close()


@pytest.mark.parametrize("words", [["x"], ["0"], ["70000"], ["1", "2"]])
def test_a_bad_port_is_told(words, capfd):
    assert app.main(words) == 2
    assert "usage" in capfd.readouterr().err


def test_it_needs_no_torch():
    code = "import sys, app; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], timeout=60, cwd=Path(app.__file__).parent).returncode == 0
