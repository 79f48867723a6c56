"""Processes, actors and object stores: the same pictures as in one process, whatever dies on the way."""

import os
import random
import secrets
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

from artlab import gallery, settings
from artlab.gallery import cluster, items, local, plan
from artlab.gallery.store import MANIFEST, Claims, Store

PLAN = {"sizes": [64], "num_inference_steps": 3, "prompts": ["a fox", "a wren", "a boat"], "count": 4, "batch_size": 2}


@pytest.fixture
def path(tiny_base_folder, tmp_path) -> str:
    """A plan of twelve small pictures on the tiny base."""
    place = tmp_path / "plan.yaml"
    place.write_text(
        yaml.safe_dump({key: value for key, value in PLAN.items() if key != "batch_size"} | {"base": str(tiny_base_folder)})
    )
    return str(place)


def asked(path: str, out: str | Path, **changes) -> settings.Gallery:
    given = {"scores": False, "devices": ("cpu",), "output_dir": str(out), "batch_size": 2}
    return settings.Gallery(plan=path, **(given | changes))


def make(path: str, out: str | Path, **changes) -> gallery.Made:
    return gallery.gallery(asked(path, out, **changes), lambda progress: None)


def contents(out: Path) -> dict[str, bytes]:
    return {one.name: one.read_bytes() for one in [*sorted((out / "pictures").glob("[!.]*")), out / MANIFEST]}


def command(path: str, out: Path, *more: str) -> list[str]:
    words = [sys.executable, "-m", "artlab.gallery", path, "--output-dir", str(out), "--no-scores", "--batch-size", "2"]
    return [*words, "--devices", "cpu", *more]


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_killed_twenty_times_it_gives_the_same_set_and_bytes(path, tmp_path):
    Path(path).write_text(yaml.safe_dump(yaml.safe_load(Path(path).read_text()) | {"count": 20}))
    make(path, tmp_path / "whole", workers=0)
    out, rng, killed = tmp_path / "killed", random.Random(0), 0
    while killed < 20:
        process = subprocess.Popen(command(path, out, "--workers", str(killed % 2)), stderr=subprocess.DEVNULL)
        deadline, before = time.monotonic() + 300, _written(out)
        while time.monotonic() < deadline and process.poll() is None and _written(out) == before:
            time.sleep(0.002)
        time.sleep(rng.random() * 0.05)
        assert process.poll() is None, "it was done before it could be killed"
        process.kill()
        process.wait()
        killed += 1
    assert 0 < _lines(out) < 60
    made = make(path, out, workers=0)
    assert made.made + made.there == 60
    assert contents(out) == contents(tmp_path / "whole")


def _lines(out: Path) -> int:
    return (out / MANIFEST).read_bytes().count(b"\n") if (out / MANIFEST).exists() else 0


def _written(out: Path) -> int:
    """Pictures begun or done, temporary names among them: a kill may fall between any two system calls of a write."""
    return len(list((out / "pictures").iterdir())) if (out / "pictures").exists() else 0


@pytest.mark.slow
def test_two_processes_give_the_bytes_of_one_and_a_dying_one_is_replaced(path, tmp_path):
    make(path, tmp_path / "one", workers=0)
    wanted = items.settle(plan.read(path).requests, "float32").items
    seen = []

    def batches():
        yield from items.batches(wanted, 3)

    def beat() -> None:
        if len(seen) == 1:
            seen.append("killed")
            children = subprocess.run(
                ["pgrep", "-P", str(os.getpid()), "-f", "spawn_main"], capture_output=True, text=True
            ).stdout.split()
            os.kill(int(children[0]), signal.SIGKILL)

    found = {}
    for outcome in local.processes(batches(), ["cpu", "cpu"], {}, beat):
        assert not outcome.reason
        found[outcome.item.file] = outcome.data
        seen.append(outcome.item.id)
    assert {f"pictures/{name}": data for name, data in contents(tmp_path / "one").items() if name != MANIFEST} == found


@pytest.mark.slow
def test_two_runs_at_once_share_the_work(path, tmp_path):
    make(path, tmp_path / "one", workers=0)
    out = tmp_path / "both"
    both = [subprocess.Popen(command(path, out, "--workers", "0"), stderr=subprocess.PIPE, text=True) for _ in range(2)]
    said = [process.communicate(timeout=900)[1] for process in both]
    assert [process.returncode for process in both] == [0, 0], said
    assert contents(out) == contents(tmp_path / "one")
    assert sum(line.startswith("[") for text in said for line in text.splitlines()) == 12, "a picture was made twice"


@pytest.mark.slow
def test_ray_gives_the_bytes_of_one_process(path, tmp_path):
    pytest.importorskip("ray")
    make(path, tmp_path / "one", workers=0)
    code = (
        "import sys; from artlab import gallery, settings; "
        "gallery.gallery(settings.Gallery(plan=sys.argv[1], output_dir=sys.argv[2], engine='ray', workers=2, scores=False, "
        "devices=('cpu',), batch_size=2))"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code, path, str(tmp_path / "ray")], capture_output=True, text=True, timeout=1500
    )
    assert ended.returncode == 0, ended.stderr
    assert contents(tmp_path / "ray") == contents(tmp_path / "one")


def test_a_cluster_started_here_is_closed_to_the_network():
    said = cluster.options(2)
    assert said["_node_ip_address"] == said["dashboard_host"] == "127.0.0.1"
    assert said["num_cpus"] == 2


def test_a_cluster_asks_for_a_token(monkeypatch):
    environment: dict[str, str] = {}
    monkeypatch.setattr(cluster.os, "environ", environment)
    cluster._closed()
    assert environment["RAY_AUTH_MODE"] == "token"
    assert len(environment["RAY_AUTH_TOKEN"]) == 64
    assert environment["RAY_USAGE_STATS_ENABLED"] == "0"


@pytest.fixture
def bucket(monkeypatch):
    """A bucket of a test server of S3 on this machine."""
    server = pytest.importorskip("moto.server")
    fs = pytest.importorskip("s3fs")
    for name, value in {"AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x", "AWS_DEFAULT_REGION": "us-east-1"}.items():
        monkeypatch.setenv(name, value)
    running = server.ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    running.start()
    host, port = running.get_host_and_port()
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
    fs.S3FileSystem.clear_instance_cache()
    name = f"artlab-{secrets.token_hex(4)}"  # the server's buckets outlive it, within one process
    fs.S3FileSystem().mkdir(name)
    yield f"s3://{name}"
    fs.S3FileSystem.clear_instance_cache()
    running.stop()


@pytest.mark.filterwarnings("ignore")
def test_an_object_store_keeps_files_rows_and_claims(bucket):
    store = Store(f"{bucket}/gallery")
    store.write("pictures/a.png", b"picture")
    row = {"id": "a", "file": "pictures/a.png", "sha256": "0"}
    store.append(row)
    assert store.rows() == {"a": row}
    assert store.read("pictures/a.png") == b"picture"
    assert not store.whole(row)
    mine, theirs = Claims(store), Claims(store)
    assert mine.take("a")
    assert not theirs.take("a")
    mine.release("a")
    assert theirs.take("a")
    store.compile(["a"])
    assert store.read(MANIFEST).count(b"\n") == 1


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_a_gallery_on_an_object_store_holds_what_the_disk_holds(bucket, path, tmp_path):
    make(path, tmp_path / "one", workers=0)
    make(path, f"{bucket}/gallery", workers=0)
    store = Store(f"{bucket}/gallery")
    for name, data in contents(tmp_path / "one").items():
        assert store.read(name if name == MANIFEST else f"pictures/{name}") == data
    assert make(path, f"{bucket}/gallery", workers=0).made == 0
