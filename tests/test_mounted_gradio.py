"""What a mounted Gradio does by itself when a payload names a file of the server: it must refuse, whatever the wall in front does.

A mounted app is not "launched", and Gradio then copies any file that it may read into its cache; `demo.has_launched = True` makes it
check. This must fail closed on each new version of Gradio.
"""

import gc
import importlib.metadata
import json
import uuid

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

# Gradio and pandas warn about each other; what they warn of is not artlab's.
pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture
def mounted(monkeypatch, tmp_path):
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("GRADIO_ANALYTICS_ENABLED", "False")
    import gradio as gr

    with gr.Blocks(analytics_enabled=False) as demo:
        one, other, button = gr.File(), gr.File(), gr.Button()
        button.click(lambda file: file, one, other)
    yield gr.mount_gradio_app(FastAPI(), demo, "/", auth_dependency=lambda request: "ana"), demo
    gc.collect()  # Gradio leaves event loops unclosed; here their warnings are still among those that are ignored


def tried(app: FastAPI, path: str) -> bool:
    """Whether the event gave the file back."""
    session = uuid.uuid4().hex
    with TestClient(app) as client:
        event = {"data": [{"path": path, "meta": {"_type": "gradio.FileData"}}], "fn_index": 0, "session_hash": session}
        assert client.post("/gradio_api/queue/join", json=event).status_code == 200
        with client.stream("GET", f"/gradio_api/queue/data?session_hash={session}") as stream:
            for line in stream.iter_lines():
                if "process_completed" in line:
                    return bool(json.loads(line.removeprefix("data: "))["success"])
    return False


def test_a_mounted_app_that_counts_as_launched_reads_no_file(mounted):
    app, demo = mounted
    demo.has_launched = True
    assert not tried(app, "/etc/hostname")


def test_the_studio_counts_as_launched():
    from artlab.settings import Studio  # noqa: PLC0415
    from artlab.studio import server  # noqa: PLC0415

    assert server.application(Studio(), tabs=()).app.state.demo.has_launched
    gc.collect()


@pytest.mark.parametrize(
    ("package", "floor"),
    [("gradio", (6, 31)), ("starlette", (0, 47)), ("python-multipart", (0, 0, 27)), ("pillow", (12, 3)), ("fastapi", (0, 109))],
)
def test_versions_with_known_holes_are_refused(package, floor):
    assert tuple(int(part) for part in importlib.metadata.version(package).split(".")[: len(floor)]) >= floor
