"""`artlab gallery PLAN`: hundreds of pictures from a plan, resumable and reproducible, on one machine or a cluster.

    store                   where a gallery lies: files whole or absent, the manifest, claims
    prompts  plan           what is asked for, written out
    items                   each picture's whole recipe and its id, the hash of it
    carried                 pictures carried over into a style that nobody taught
    maker                   a base loaded once, adapters switched, pictures as PNG
    local  cluster          the same maker in processes here, or in Ray's actors
    scores  sheets  page    what came of it: figures, contact sheets, the page, the ZIP

The manifest is the truth: a picture is there when a line says so and its bytes have the line's hash. Everything else can be made again.
"""

import contextlib
import hashlib
import math
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from artlab import files
from artlab.bases import choose_device, choose_dtype
from artlab.gallery import carried, local, page, plan, scores, sheets
from artlab.gallery import items as rows
from artlab.gallery.items import Item, Problem
from artlab.gallery.local import Outcome
from artlab.gallery.plan import Plan
from artlab.gallery.store import Claims, Row, Store
from artlab.generate import Picture, Progress, Report, print_progress
from artlab.settings import Gallery

if TYPE_CHECKING:
    from artlab.gallery.maker import Maker

TOGETHER = 8
POLL = 1.0
# Bytes of a PNG per pixel: what pictures of `mini` take, and somewhat less than photographs.
PNG_BYTES = 1.3


class GalleryError(ValueError):
    """A gallery that is not whole: what is missing, why, and where the rest is."""


@dataclass(frozen=True)
class Made:
    """A finished gallery: its page, its address, how many pictures were made now and how many were there, and what could not be."""

    path: str
    address: str
    made: int = 0
    there: int = 0
    seconds: float = 0.0
    problems: list[Problem] = field(default_factory=list)


def gallery(settings: Gallery, report: Report = print_progress) -> Made:
    """Make what is missing of a plan's pictures, then the page about them. Running it again makes only what is missing or damaged.

    Raises PlanError or StoreError before anything is begun, GalleryError at the end if rows could not be made; all others then are.
    """
    wanted = plan.read(settings.plan, settings.variables)
    dtype = str(
        choose_dtype(settings.mixed_precision, choose_device(settings.devices[0] if settings.devices else "auto"))
    ).removeprefix("torch.")
    settled = rows.settle(wanted.requests, dtype, watermark=settings.watermark)
    problems = rows.numbered(settled.problems, wanted.requests)
    for problem in problems:
        report(Progress(0, 0, message=f"{problem}."))
    if not settled.items:
        raise GalleryError(f"The plan “{wanted.name}” has no row that can be made. {problems[0] if problems else 'It is empty'}.")
    store = Store(settings.output_dir or files.home() / "galleries" / files.slug(wanted.name))
    work = _Work(settings, store, settled.items, report)
    if settings.dry_run:
        return _foretold(work, wanted, problems)
    began = time.monotonic()
    work.run()
    problems += work.problems
    place = finish(settings, wanted, store, settled.items, problems, report)
    if problems:
        told = "; ".join(str(problem) for problem in problems[:5]) + (" …" if len(problems) > 5 else "")
        raise GalleryError(f"{told}. The other {work.there + work.made} pictures are there: {place}.")
    return Made(place, store.address, work.made, work.there, time.monotonic() - began)


class _Work:
    """The making itself: what is there, what is missing, and the loop until nothing is."""

    def __init__(self, settings: Gallery, store: Store, items: Sequence[Item], report: Report) -> None:
        self.settings, self.store, self.items, self.report = settings, store, items, report
        self.claims = Claims(store)
        self.problems: list[Problem] = []
        self.made = 0
        missing = self._missing(items)
        self.there = len(items) - len(missing)
        self.todo = missing[: settings.limit]
        self.total = self.there + len(self.todo)

    def _missing(self, items: Sequence[Item]) -> list[Item]:
        """The items that have no line in the manifest, or whose picture is not what the line says."""
        known = self.store.rows()
        return [item for item in items if item.id not in known or not self.store.whole(known[item.id])]

    def run(self) -> None:
        """Make what is to do. What another run on the same plan is making is waited for, and made here if that run ends without it."""
        left = list(self.todo)
        try:
            while left:
                before = self.made + len(self.problems)
                self._round(left)
                failed = {problem.row for problem in self.problems}
                left = [item for number, item in enumerate(self._missing(left)) if self._row(item) not in failed]
                if left and self.made + len(self.problems) == before:
                    time.sleep(POLL)
        finally:
            self.claims.release_all()

    def _round(self, left: Sequence[Item]) -> None:
        batches = self._claimed(rows.batches(left, self.settings.batch_size or TOGETHER))
        with contextlib.closing(self._outcomes(batches)) as outcomes:
            for outcome in outcomes:
                if outcome.reason:
                    self._failed(outcome)
                else:
                    self._keep(outcome)
                self.claims.release(outcome.item.id)

    def _claimed(self, batches: Iterable[list[Item]]) -> Iterator[list[Item]]:
        """The batches without what another run has in hand, or has made since this one began."""
        for batch in batches:
            if mine := [item for item in batch if self.claims.take(item.id)]:
                known = self.store.rows()
                there = [item for item in mine if item.id in known and self.store.whole(known[item.id])]
                for item in there:
                    self.claims.release(item.id)
                if fresh := [item for item in mine if item not in there]:
                    yield fresh

    def _outcomes(self, batches: Iterator[list[Item]]) -> Any:
        adapters: dict[str, list[str]] = {}
        for item in self.todo:
            known = adapters.setdefault(item.base, [])
            known.extend(path for path, _ in item.weights if path not in known)
        if self.settings.engine == "ray":
            from artlab.gallery import cluster  # noqa: PLC0415 - needs the extra

            return cluster.actors(batches, self.settings, adapters, self.claims.beat)
        where = local.devices(self.settings.devices, self.settings.workers)
        if self.settings.workers == 0:
            return local.inline(batches, where[0], adapters, self.claims.beat)
        return local.processes(batches, where[: max(1, len(self.todo))], adapters, self.claims.beat)

    def _keep(self, outcome: Outcome) -> None:
        """The picture first, then its line: a line without its picture would be a promise broken."""
        item, data = outcome.item, outcome.data

        def write() -> None:
            self.store.write(item.file, data)
            self.store.append(row_of(item, data))

        def say(message: str) -> None:
            self.report(Progress(self.there + self.made, self.total, message=message))

        files.wait_for_space(write, say, patience=self.settings.patience, pause=min(10.0, self.settings.patience / 10))
        self.made += 1
        self.report(Progress(self.there + self.made, self.total, picture=Picture(Path(self.store.path(item.file)), item.recipe)))

    def _failed(self, outcome: Outcome) -> None:
        item = outcome.item
        self.problems.append(Problem(self._row(item), f"“{item.recipe.prompt[:60]}”, seed {item.recipe.seed}", outcome.reason))
        self.report(Progress(self.there + self.made, self.total, message=f"{self.problems[-1]}."))

    def _row(self, item: Item) -> int:
        return self.items.index(item) + 1


def row_of(item: Item, data: bytes) -> Row:
    """The manifest's line about a picture. Nothing in it depends on when or where the picture was made."""
    return {
        "id": item.id,
        "file": item.file,
        "sha256": hashlib.sha256(data).hexdigest(),
        "bytes": len(data),
        "watermark": item.watermark,
        "recipe": item.recipe.model_dump(mode="json"),
    }


def finish(
    settings: Gallery, wanted: Plan, store: Store, items: Sequence[Item], problems: Sequence[Problem], report: Report
) -> str:
    """What is made of the pictures that are there: the ordered manifest, scores, sheets, the page, the ZIP. Returns the page's place."""
    store.compile(item.id for item in items)
    known = store.rows()
    there = [(item, known[item.id]) for item in items if item.id in known]
    measured = scores.measure(store, there, settings.works) if settings.scores and there else {}
    sheets.write(store, wanted.name, there)
    signed = sheets.sign(store, there) if settings.c2pa else []
    store.write(page.NAME, page.render(wanted, there, measured, problems).encode())
    if settings.archive:
        store.write("gallery.zip", sheets.archive(store, there, signed))
    report(Progress(len(there), len(items), message=f"{len(there)} of {len(items)} pictures are there."))
    return store.path(page.NAME)


# -- before it begins -------------------------------------------------------------------------------------------------------


def _foretold(work: _Work, wanted: Plan, problems: Sequence[Problem]) -> Made:
    """Count, time and space, in place of a page's address; time from a picture of a few steps made now."""
    todo, settings = work.todo, work.settings
    told = [f"“{wanted.name}”: {len(work.items)} pictures; {work.there} are there, {len(todo)} would be made."]
    if todo:
        seconds = sum(timed(todo, settings.devices[0]).values())
        workers = max(1, settings.workers or len(local.devices(settings.devices, settings.workers)))
        space = sum(_pixels(item) * PNG_BYTES for item in todo)
        told.append(
            f"That takes about {_span(seconds / min(workers, len(todo)))} with {workers} worker{'s' if workers > 1 else ''} like this "
            f"machine's, measured just now, and about {space / 1e6:.3g} MB."
        )
    told += [f"Not to be made: {problem}." for problem in problems]
    return Made("\n".join(told), work.store.address, 0, work.there, 0.0, list(problems))


def timed(todo: Sequence[Item], device: str) -> dict[str, float]:
    """Seconds that the items take, by id, from pictures made now; those of a method are scaled by pixels and steps."""
    from artlab.gallery.maker import Maker  # noqa: PLC0415

    maker, found = Maker(str(choose_device(device)), {}), dict[str, float]()
    for method in dict.fromkeys(item.recipe.method for item in todo):
        rows = [item for item in todo if item.recipe.method == method]
        found |= (_timed_whole if carried.is_carried(rows[0].recipe) else _timed_short)(rows, maker)
    return found


def _timed_short(rows: Sequence[Item], maker: "Maker") -> dict[str, float]:
    """From two short pictures."""
    first, spans = rows[0], []
    for steps in (1, 1, 3):  # the first one warms up
        short = replace(first, recipe=first.recipe.model_copy(update={"steps": steps}))
        began = time.monotonic()
        list(maker.make([short] * first.together))
        spans.append((time.monotonic() - began) / first.together)
    step = max(1e-4, (spans[2] - spans[1]) / 2)
    rest = max(0.0, spans[1] - step)
    own = _pixels(first)
    return {item.id: (rest + step * item.recipe.steps) * _pixels(item) / own for item in rows}


def _timed_whole(rows: Sequence[Item], maker: "Maker") -> dict[str, float]:
    """From one whole picture: what is carried over has no short way."""
    began = time.monotonic()
    list(maker.make(rows[:1]))
    each = (time.monotonic() - began) / _pixels(rows[0])
    return {item.id: each * _pixels(item) for item in rows}


def _pixels(item: Item) -> int:
    return item.recipe.width * item.recipe.height * int(str(item.recipe.extra.get("upscale", 1))) ** 2


def _span(seconds: float) -> str:
    if seconds < 90:
        return f"{math.ceil(seconds)} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
