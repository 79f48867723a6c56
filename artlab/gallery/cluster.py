"""The same makers as Ray actors, on a cluster that is there or on a small one started here: `pip install 'artlab[cluster]'`.

An actor loads its base once. One that dies with its node is started again by Ray and its batch tried once more. Pictures come back
through Ray to this process, which alone writes the gallery, so that the manifest is the same as with `engine: local`.

Ray's own address must never be open to a network: whoever reaches it runs code (CVE-2023-48022). A cluster started here listens on this
machine alone, its dashboard too, and asks for a token.
"""

import logging
import os
import secrets
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from artlab.gallery.items import Item
from artlab.gallery.local import TRIES, Outcome, attempt, cores
from artlab.gallery.maker import Maker
from artlab.settings import Gallery

LOOPBACK = "127.0.0.1"


class ClusterError(ValueError):
    """A cluster that cannot be used: why, and the way out."""


class Actor:
    """A worker in a process of Ray's: `Maker` with its outcomes in one list."""

    def __init__(self, device: str, adapters: Mapping[str, Sequence[str]]) -> None:
        import torch  # noqa: PLC0415 - in the actor's process

        if device == "cpu":
            torch.set_num_threads(1)
        self.maker = Maker(device, adapters)

    def make(self, batch: list[Item]) -> list[Outcome]:
        """The outcomes of a batch."""
        return list(attempt(self.maker, batch, lambda index: None))


def options(workers: int) -> dict[str, Any]:
    """How a cluster is started on this machine: nothing of it can be reached from another one."""
    return {
        "num_cpus": workers,
        "_node_ip_address": LOOPBACK,
        "include_dashboard": False,
        "dashboard_host": LOOPBACK,
        "log_to_driver": False,
        "logging_level": logging.ERROR,
        "ignore_reinit_error": True,
    }


def start(settings: Gallery) -> Any:
    """Ray, connected to the cluster at `settings.address` or to one started here. Raises ClusterError."""
    if "ray" not in sys.modules and not settings.address:
        _closed()
    try:
        import ray
    except ImportError:
        raise ClusterError("The engine `ray` needs the extra: pip install 'artlab[cluster]'. Or take --engine local.") from None
    if not ray.is_initialized():
        try:
            if settings.address:
                ray.init(address=settings.address, log_to_driver=False, logging_level=logging.ERROR)
            else:
                ray.init(**options(settings.workers or cores()))
        except Exception as error:  # a slow start is a bare Exception of Ray's
            raise ClusterError(f"Ray cannot be used ({' '.join(str(error).split())[:300]}).") from error
    return ray


def _closed() -> None:
    """Have a cluster started here ask for a fresh token, and tell nobody that it runs. Ray reads this when it is first imported."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    if os.environ.setdefault("RAY_AUTH_MODE", "token") == "token":
        os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))


def actors(
    batches: Iterable[list[Item]], settings: Gallery, adapters: Mapping[str, Sequence[str]], beat: Callable[[], None]
) -> Iterator[Outcome]:
    """The outcomes of all batches, as they come."""
    ours = "ray" not in sys.modules or not sys.modules["ray"].is_initialized()
    ray = start(settings)
    try:
        yield from _run(ray, iter(batches), settings, adapters, beat)
    finally:
        if ours:
            ray.shutdown()


def _run(
    ray: Any, source: Iterator[list[Item]], settings: Gallery, adapters: Mapping[str, Sequence[str]], beat: Callable[[], None]
) -> Iterator[Outcome]:
    pool = _pool(ray, settings, adapters)
    waiting: list[tuple[list[Item], int]] = []
    busy: dict[Any, tuple[Any, list[Item], int]] = {}
    idle = list(pool)
    while True:
        while idle:
            batch, tries = waiting.pop(0) if waiting else (next(source, []), 1)
            if not batch:
                break
            actor = idle.pop()
            busy[actor.make.remote(batch)] = (actor, batch, tries)
        if not busy:
            return
        ready, _ = ray.wait(list(busy), num_returns=1, timeout=1.0)
        beat()
        for task in ready:
            actor, batch, tries = busy.pop(task)
            idle.append(actor)
            try:
                yield from ray.get(task)
            except ray.exceptions.RayError as error:
                if tries < TRIES:
                    waiting += [([item], tries + 1) for item in batch]
                else:
                    yield from (Outcome(item, reason=f"its actor died twice ({type(error).__name__})") for item in batch)


def _pool(ray: Any, settings: Gallery, adapters: Mapping[str, Sequence[str]]) -> list[Any]:
    """An actor for each worker: one a GPU of the cluster, or one a core."""
    have = ray.cluster_resources()
    cards = int(have.get("GPU", 0)) if settings.devices == ("auto",) or any("cuda" in one for one in settings.devices) else 0
    device, needs = ("cuda", {"num_gpus": 1}) if cards else ("cpu", {"num_cpus": 1})
    count = settings.workers or cards or int(have.get("CPU", 1))
    remote = ray.remote(max_restarts=TRIES, max_task_retries=TRIES - 1, **needs)(Actor)
    return [remote.remote(device, dict(adapters)) for _ in range(min(count, cards or int(have.get("CPU", 1)) or 1))]
