"""Where a gallery lies: a folder or any fsspec address, files whole or absent, the manifest's line after the file.

On a disk a file gets a temporary name and is renamed. An object store's PUT is whole or absent by itself. Other file systems (SFTP, SMB)
get the temporary name too. Claims keep two runs on one plan from doing the same work twice; if they did, it would do no harm.
"""

import contextlib
import fcntl
import hashlib
import json
import os
import socket
import time
import uuid
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import fsspec
from fsspec.implementations.local import LocalFileSystem

from artlab import files

MANIFEST, ROWS, CLAIMS, PICTURES = "manifest.jsonl", "manifest", "claims", "pictures"
LEASE = 120.0
_WHOLE_PUT = {"s3", "s3a", "gs", "gcs", "abfs", "az", "memory"}

Row = dict[str, Any]


class StoreError(ValueError):
    """An address that cannot hold a gallery: which one, why, and the way out."""


class Store:
    """A folder of files at an address; names are relative and use `/`."""

    def __init__(self, address: str | Path) -> None:
        self.address = str(address)
        try:
            self.fs, self.root = fsspec.core.url_to_fs(
                str(Path(self.address).expanduser()) if _is_path(address) else self.address
            )
        except (ImportError, ValueError) as error:
            raise StoreError(f"The address {self.address} cannot be used: {' '.join(str(error).split())}") from error
        self.root = self.root.rstrip("/")
        self.folder = Path(self.root) if isinstance(self.fs, LocalFileSystem) else None
        protocols = {self.fs.protocol} if isinstance(self.fs.protocol, str) else set(self.fs.protocol)
        self._whole_put = bool(protocols & _WHOLE_PUT)

    def path(self, name: str) -> str:
        """The name's whole path on its file system."""
        return f"{self.root}/{name}"

    def write(self, name: str, data: bytes) -> None:
        """Write a file, whole or absent."""
        if self.folder is not None:
            files.write(self.folder / name, data)
        elif self._whole_put:
            self.fs.pipe_file(self.path(name), data)
        else:
            temporary = self.path(f".{uuid.uuid4().hex}.tmp")
            self.fs.pipe_file(temporary, data)
            self.fs.mv(temporary, self.path(name))

    def read(self, name: str) -> bytes:
        """What a file holds. Raises FileNotFoundError."""
        return self.fs.cat_file(self.path(name))

    def names(self, folder: str) -> list[str]:
        """The files in a folder, sorted, by their last names."""
        self.fs.invalidate_cache()
        try:
            return sorted(found.rsplit("/", 1)[-1] for found in self.fs.ls(self.path(folder), detail=False))
        except FileNotFoundError:
            return []

    def create(self, name: str, data: bytes) -> bool:
        """Write a file unless there is one of that name; whether it was written. This is how a claim is taken."""
        try:
            if self.folder is not None:
                (self.folder / name).parent.mkdir(parents=True, exist_ok=True)
            self.fs.pipe_file(self.path(name), data, mode="create")
        except FileExistsError:
            return False
        except OSError as error:  # an object store answers a conditional PUT with “precondition failed”
            if "precondition" in str(error).lower():
                return False
            raise
        return True

    def remove(self, name: str) -> None:
        """Delete a file, if it is there."""
        with contextlib.suppress(FileNotFoundError):
            self.fs.rm_file(self.path(name))

    # -- the manifest -------------------------------------------------------------------------------------------------------

    def append(self, row: Row) -> None:
        """Add a picture's row to the manifest; called when its file is durable."""
        if self.folder is None:
            self.write(f"{ROWS}/{row['id']}.json", _line(row))
            return
        with self._locked():
            files.append_jsonl(self.folder / MANIFEST, row)

    def rows(self) -> dict[str, Row]:
        """The rows of the manifest by item; a line cut short by a crash counts as absent, of two lines the later holds."""
        if self.folder is not None:
            found: Iterable[Row] = files.read_jsonl(self.folder / MANIFEST)
        else:
            found = (row for name in self.names(ROWS) if (row := self._row(name)))
        return {row["id"]: row for row in found if _is_row(row)}

    def compile(self, order: Iterable[str]) -> None:
        """Write the manifest anew, in the plan's order, one line an item: the same set gives the same bytes."""
        with self._locked():
            rows = self.rows()
            place = {item: number for number, item in enumerate(order)}
            kept = sorted(rows.values(), key=lambda row: (place.get(row["id"], len(place)), row["id"]))
            self.write(MANIFEST, b"".join(map(_line, kept)))

    def whole(self, row: Row) -> bool:
        """Whether the picture of a row is there with the bytes that the row says."""
        try:
            return hashlib.sha256(self.read(row["file"])).hexdigest() == row["sha256"]
        except OSError:
            return False

    def _row(self, name: str) -> Row | None:
        try:
            return json.loads(self.read(f"{ROWS}/{name}"))
        except (OSError, ValueError):
            return None

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        """One writer of the manifest at a time, on a disk; elsewhere each row is a file of its own."""
        if self.folder is None:
            yield
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        with open(self.folder / ".lock", "wb") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield


class Claims:
    """Who makes which item: a small file an item, taken by creating it, given up when the item is made or its owner is gone."""

    def __init__(self, store: Store, lease: float = LEASE) -> None:
        self.store, self.lease = store, lease
        self.owner, self.host = uuid.uuid4().hex, socket.gethostname()
        self.held: dict[str, float] = {}

    def take(self, item: str) -> bool:
        """Claim an item; False when a living run has it."""
        name = f"{CLAIMS}/{item}"
        if not self.store.create(name, self._data()):
            if self._alive(name):
                return False
            self.store.remove(name)  # its owner is gone
            if not self.store.create(name, self._data()):
                return False
        self.held[item] = time.time()
        return True

    def beat(self) -> None:
        """Renew the claims that are a third of the lease old."""
        for item, since in list(self.held.items()):
            if time.time() - since > self.lease / 3:
                self.store.write(f"{CLAIMS}/{item}", self._data())
                self.held[item] = time.time()

    def release(self, item: str) -> None:
        """Give an item up, made or not."""
        if self.held.pop(item, None) is not None:
            self.store.remove(f"{CLAIMS}/{item}")

    def release_all(self) -> None:
        """Give up everything that is held."""
        for item in list(self.held):
            self.release(item)

    def _data(self) -> bytes:
        return _line(
            {"owner": self.owner, "host": self.host, "pid": os.getpid(), "start": _started(os.getpid()), "time": time.time()}
        )

    def _alive(self, name: str) -> bool:
        try:
            claim = json.loads(self.store.read(name))
            fresh = time.time() - float(claim["time"]) < self.lease
            here = claim["host"] == self.host
            return fresh and (not here or _started(int(claim["pid"])) == claim["start"] != "")
        except FileNotFoundError:
            return False
        except (ValueError, KeyError, TypeError):  # cut off while it was written
            return False


def _started(pid: int) -> str:
    """When a process of this machine started, so that another one with its number is not taken for it; empty when there is none."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        pass
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return ""
    except OSError:
        return "running"
    return "running"


def _is_path(address: str | Path) -> bool:
    return isinstance(address, Path) or "://" not in address


def _is_row(row: Row) -> bool:
    return all(isinstance(row.get(key), str) for key in ("id", "file", "sha256"))


def _line(row: Row) -> bytes:
    return (json.dumps(row, ensure_ascii=False, allow_nan=False, sort_keys=True) + "\n").encode()
