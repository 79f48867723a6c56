"""A checkpoint is whole or absent, whatever moment the process dies at."""

import itertools
import os

import pytest

from artlab import checkpoints, files


def contents(step: int) -> dict[str, bytes]:
    return {"a.bin": bytes([step]) * 100, "b.bin": b"b" * step}


def test_saves_loads_and_keeps_the_newest(tmp_path):
    for step in (1, 2, 3):
        checkpoints.save(tmp_path, step, contents(step), keep=2)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["step-00000002", "step-00000003"]
    newest = checkpoints.latest(tmp_path)
    assert checkpoints.step_of(newest) == 3
    assert (newest / "a.bin").read_bytes() == contents(3)["a.bin"]


@pytest.mark.parametrize("harm", ["cut", "changed", "file gone", "manifest gone", "manifest cut"])
def test_a_damaged_checkpoint_is_passed_over(tmp_path, harm):
    checkpoints.save(tmp_path, 1, contents(1))
    newest = checkpoints.save(tmp_path, 2, contents(2))
    data, manifest = newest / "a.bin", newest / checkpoints.MANIFEST
    match harm:
        case "cut":
            data.write_bytes(data.read_bytes()[:-1])
        case "changed":
            data.write_bytes(b"\xff" + data.read_bytes()[1:])
        case "file gone":
            data.unlink()
        case "manifest gone":
            manifest.unlink()
        case "manifest cut":
            manifest.write_bytes(manifest.read_bytes()[:20])
    assert checkpoints.step_of(checkpoints.latest(tmp_path)) == 1
    checkpoints.save(tmp_path, 2, contents(2))  # and the damaged one is replaced
    assert checkpoints.step_of(checkpoints.latest(tmp_path)) == 2


class Died(BaseException):
    """The process ends here; nothing after it runs."""


def test_death_at_every_system_call_leaves_a_valid_checkpoint(tmp_path, monkeypatch):
    """Number the calls that change the disk and die at number k, for all k: the older or the newer checkpoint loads, whole."""
    names = [(os, "fsync"), (os, "rename"), (os, "replace"), (os, "mkdir"), (os, "rmdir"), (os, "unlink")]
    real = {name: getattr(module, name) for module, name in names}
    deaths = 0
    for fatal in itertools.count():
        root = tmp_path / str(fatal)
        checkpoints.save(root, 1, contents(1), keep=1)
        count = itertools.count()

        def dying(name, count=count, fatal=fatal):
            def call(*args, **kwargs):
                if next(count) >= fatal:
                    raise Died(name)
                return real[name](*args, **kwargs)

            return call

        with monkeypatch.context() as patch:
            for module, name in names:
                patch.setattr(module, name, dying(name))
            try:
                checkpoints.save(root, 2, contents(2), keep=1)
                survived = True
            except Died:
                survived = False
        newest = checkpoints.latest(root)
        assert newest is not None
        step = checkpoints.step_of(newest)
        assert {p.name: p.read_bytes() for p in newest.iterdir() if p.suffix == ".bin"} == contents(step)
        if survived:
            break
        deaths += 1
    assert step == 2
    assert deaths > 8


def test_write_leaves_no_temporary_file_when_it_fails(tmp_path, monkeypatch):
    files.write(tmp_path / "x.json", b"old")
    monkeypatch.setattr(os, "replace", lambda *a: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    with pytest.raises(OSError, match="No space left"):
        files.write(tmp_path / "x.json", b"new")
    assert {p.name: p.read_bytes() for p in tmp_path.iterdir()} == {"x.json": b"old"}


def test_a_full_disk_pauses_and_goes_on():
    tries, said = iter([OSError(28, "full"), OSError(28, "full"), None]), []

    def write():
        if (error := next(tries)) is not None:
            raise error

    files.wait_for_space(write, said.append, pause=0)
    assert len(said) == 2
    assert "disk is full" in said[0]


def test_other_errors_are_not_waited_for():
    with pytest.raises(PermissionError):
        files.wait_for_space(lambda: (_ for _ in ()).throw(PermissionError("no")), print, pause=0)
