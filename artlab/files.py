"""Where things live, and how a file is written so that it is either whole or absent.

Everything made at run time lies under `home()`, which one environment variable moves (`ARTLAB_HOME`, read at call time).
"""

import errno
import hashlib
import json
import os
import re
import tempfile
import time
import unicodedata
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any

_moved: ContextVar[Path | None] = ContextVar("home", default=None)


def home() -> Path:
    """The folder of everything made at run time: `$ARTLAB_HOME`, else `outputs/` beside the package if there is one, else `~/.artlab`.

    Within `living_in(folder)` it is that folder: the studio looks at one artist's home after the other.
    """
    return _moved.get() or root()


def root() -> Path:
    """The home that the process was started with, whoever is looked after at the moment."""
    if moved := os.environ.get("ARTLAB_HOME"):
        return Path(moved).expanduser()
    outputs = package().parent / "outputs"
    return outputs if outputs.is_dir() else Path.home() / ".artlab"


@contextmanager
def living_in(folder: Path) -> Iterator[None]:
    """Make `folder` the home for this thread (and the tasks it awaits) as long as the block lasts."""
    before = _moved.set(folder)
    try:
        yield
    finally:
        _moved.reset(before)


def package() -> Path:
    """The folder of the installed package, with the files it ships."""
    return Path(__file__).parent


def runs() -> Path:
    """Trainings under way or done, a folder each."""
    return home() / "runs"


def cache() -> Path:
    """What can be thrown away and made again: decoded works, latents, text states, features."""
    return home() / "cache"


def pictures() -> Path:
    """Where `generate` puts its pictures unless told otherwise."""
    return home() / "pictures"


def styles() -> Path:
    """Finished styles made here. The ones that ship with artlab are in `shipped_styles()`."""
    return home() / "styles"


def shipped_styles() -> Path:
    """The styles that ship with artlab, in the checkout's `styles/`."""
    return package().parent / "styles"


def slug(text: str, length: int = 60) -> str:
    """A file name from any text: lower-case ASCII letters, digits and single hyphens, never empty."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    return re.sub(r"[^a-z0-9]+", "-", plain.lower())[:length].strip("-") or "untitled"


def fingerprint(*parts: bytes | str) -> str:
    """A short content hash (SHA-256, 16 hex digits) of the parts in their order."""
    digest = hashlib.sha256()
    for part in parts:
        data = part.encode() if isinstance(part, str) else part
        digest.update(len(data).to_bytes(8, "big") + data)
    return digest.hexdigest()[:16]


def is_fingerprint(name: str) -> bool:
    """Whether a name is one that `fingerprint` makes: of a thing named by its content, which says nothing to a reader."""
    return re.fullmatch(r"[0-9a-f]{16}", name) is not None


def write(path: Path, data: bytes) -> None:
    """Write a file so that it is whole or absent: temporary name, fsync, rename, fsync of the folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name[:40]}-", suffix=".tmp")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(name, 0o666 & ~_umask())
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def write_json(path: Path, value: Any) -> None:
    """Write `value` as indented JSON, whole or absent. NaN and infinity are refused: other readers choke on them."""
    write(path, (json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n").encode())


def read_json(path: Path) -> Any:
    """What a JSON file holds. Raises FileNotFoundError, or ValueError naming the file when it is no JSON."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is not readable as JSON ({error}).") from error


def append_jsonl(path: Path, row: dict[str, Any]) -> None:
    """Add one row to a JSONL file with a single write, so that rows of two processes never mix."""
    path.parent.mkdir(parents=True, exist_ok=True)
    line = json.dumps(row, ensure_ascii=False, allow_nan=False) + "\n"
    with open(path, "ab", buffering=0) as file:
        file.write(line.encode())


def read_jsonl(path: Path) -> Iterator[dict[str, Any]]:
    """The rows of a JSONL file; a last line cut short by a crash is left out."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return
    for line in content.splitlines():
        try:
            row = json.loads(line)
        except ValueError:
            continue
        if isinstance(row, dict):
            yield row


def sync_folder(folder: Path) -> None:
    """Make renames inside `folder` durable (POSIX: the directory itself must be synced)."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError as error:  # some network file systems cannot sync a folder; the rename has happened all the same
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise
    finally:
        os.close(handle)


def wait_for_space(
    write_it: Callable[[], None], say: Callable[[str], None], *, patience: float = 3600.0, pause: float = 10.0
) -> None:
    """Run `write_it`; while the disk is full, say so and try again, for `patience` seconds in all. Other errors pass through."""
    deadline = time.monotonic() + patience
    while True:
        try:
            return write_it()
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EDQUOT) or time.monotonic() >= deadline:
                raise
            say(
                f"The disk is full ({error.filename or 'no space left'}). Paused: free some space and the work goes on by itself."
            )
            time.sleep(pause)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
