"""Jobs in the artist's words: what is being done, how far it is, what she can do about it. On top of every tab, and in its own."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from artlab import accounts, files, jobs
from artlab.jobs import Job, JobError
from artlab.studio import markup
from artlab.studio.bridge import bridge, heard
from artlab.studio.shelf import Shelf

DOING = {
    "finetune": "Teaching",
    "generate": "Making pictures",
    "intake": "Looking at your works",
    "transfer": "Carrying a style over",
    "enlarge": "Enlarging",
    "blend": "Blending",
    "between": "Walking between two",
    "vary": "Varying",
    "inpaint": "Painting a part anew",
    "evaluate": "Measuring what was learned",
    "gallery": "Filling the gallery",
}
FRESH = 3600.0


@dataclass(frozen=True)
class Line:
    """A job as the page shows it. `share` is how much of it is done; `acts` are (act, label, question to ask before)."""

    id: int
    state: str
    what: str
    how: str
    share: float | None
    acts: tuple[tuple[str, str, str], ...]
    told: str

    @property
    def open(self) -> bool:
        """Whether it goes on."""
        return self.state in jobs.OPEN


def line(job: Job) -> Line:
    """One job in words."""
    share, told = None, ""
    if job.state == "queued":
        how = _place(job)
    elif job.state == "running":
        how, share = _progress(job), share_of(job)
    elif job.state == "paused":
        how, told = "paused, its state is saved", job.message
    else:
        how, told = {"done": "done", "cancelled": "cancelled", "failed": "did not work"}[job.state], job.message
    return Line(job.id, job.state, what(job), how, share, _acts(job), told)


def what(job: Job) -> str:
    """What a job does."""
    doing = DOING.get(job.verb, job.verb.capitalize())
    name = job.settings.get("name") if job.verb == "finetune" else None
    return f"{doing} “{name}”" if name else doing


def share_of(job: Job) -> float:
    """How much of a running job is done, 0 to 1."""
    told = job.progress
    done, total = _number(told.get("done")), _number(told.get("total"))
    step, steps = _number(told.get("step")), _number(told.get("steps"))
    if total and "done" in told:
        within = step / steps if steps else 0.0
        batch = min(_number(job.settings.get("batch_size")) or 8, max(1.0, total - done))
        return min(1.0, (done + within * batch) / total)
    return min(1.0, step / total) if total else 0.0


def _progress(job: Job) -> str:
    told = job.progress
    if job.wish:
        return {"pause": "saving, then it rests", "cancel": "ending"}.get(job.wish, job.wish)
    parts = []
    if "done" in told and told.get("total"):
        parts.append(f"{told['done']} of {told['total']}")
    elif told.get("total"):
        parts.append(f"step {told.get('step', 0)} of {told['total']}")
    if told.get("eta"):
        parts.append(f"{markup.span(_number(told['eta']))} left")
    if not parts:
        parts.append(str(told.get("message") or "getting ready"))
    return " · ".join(parts)


def _place(job: Job) -> str:
    place = jobs.place(job.artist, job.id)
    if place is None:
        return "about to begin"
    begins = "next" if place.number == 1 else f"number {place.number} in the line"
    return begins if not place.seconds else f"{begins}, begins in about {markup.span(place.seconds)}"


def _acts(job: Job) -> tuple[tuple[str, str, str], ...]:
    acts: list[tuple[str, str, str]] = []
    if job.state == "running" and job.verb == "finetune" and not job.wish:
        acts.append(("pause", "Pause", ""))
    if job.state == "paused":
        acts.append(("resume", "Go on", ""))
    if job.state == "failed":
        acts.append(("resume", "Try again", ""))
    if job.is_open:
        sure = "End this training? What it has saved stays." if job.verb == "finetune" else ""
        acts.append(("cancel", "Cancel", sure))
    if job.state in ("failed", "cancelled"):
        acts.append(("forget", "Dismiss", ""))
    return tuple(acts)


def _number(value: Any) -> float:
    return float(value) if isinstance(value, (int, float)) and value == value else 0.0


def shown(artist: str) -> list[Line]:
    """What stands on top of the page: everything open, and what failed and was not dismissed."""
    return [line(job) for job in jobs.of(artist, limit=30) if job.is_open or job.state == "failed"]


def act(artist: str, message: dict[str, Any]) -> str:
    """Do what a job's button says; the trouble in words, or ""."""
    try:
        number, wanted = message.get("id"), message.get("act")
        if wanted == "cancel":
            jobs.cancel(artist, number)  # type: ignore[arg-type]
        elif wanted == "forget":
            jobs.forget(artist, number)  # type: ignore[arg-type]
        elif wanted in ("pause", "resume", "save", "sample"):
            jobs.control(artist, number, wanted)  # type: ignore[arg-type]
    except JobError as error:
        return str(error)
    return ""


def root_of(request: Any) -> str:
    """The path under which a proxy serves the studio, "" mostly, as a request of Gradio's knows it."""
    inner = getattr(request, "request", request)
    return str(getattr(inner, "scope", {}).get("root_path", "")).removesuffix("/ui")


def latest(artist: str, *verbs: str) -> Job | None:
    """The artist's newest job of these verbs."""
    return next((job for job in jobs.of(artist, limit=50) if job.verb in verbs), None)


@dataclass(frozen=True)
class Watched:
    """A part of the page that is drawn anew when `stamp` says something else than `seen`, which `draw` brings up to date.

    `of` are components whose values `stamp` takes besides the shelf.
    """

    stamp: Callable[..., str]
    seen: Any
    draw: Callable[..., Any]
    inputs: list[Any]
    outputs: list[Any]
    of: tuple[Any, ...] = ()


def build() -> tuple[Any, Any]:
    """The part of the page above the tabs: the name, and what is being done; its places. Called within the page's `gr.Blocks`."""
    import gradio as gr

    top = markup.place(markup.part("masthead", root="", name=""))
    strip = markup.place()
    seen = gr.State("")
    box = bridge("jobs-act")

    def greet(request: gr.Request) -> Any:
        artist = accounts.artist_of(request)
        drawn = markup.part("jobs", jobs=shown(artist.id))
        return markup.part("masthead", root=root_of(request), name=artist.name), drawn, drawn

    def hear(text: str, request: gr.Request) -> Any:
        artist = accounts.artist_of(request).id
        if trouble := act(artist, heard(text)):
            gr.Warning(trouble)
        drawn = markup.part("jobs", jobs=shown(artist))
        return drawn, drawn

    blocks = gr.context.Context.root_block
    assert isinstance(blocks, gr.Blocks)
    blocks.load(greet, None, [top, strip, seen], show_progress="hidden")
    box.change(hear, box, [strip, seen], show_progress="hidden", trigger_mode="multiple")
    return strip, seen


def news(shelf: Shelf, parts: Sequence[Watched]) -> str:
    """Something that changes whenever the page would: cheap, and asked for every two seconds by every page that is open."""
    told = [part.stamp(shelf, *[None] * len(part.of)) for part in parts]
    return files.fingerprint(repr((shown(shelf.artist), told)))


def watch(parts: Sequence[Watched], strip: Any, strip_seen: Any) -> None:
    """Draw what has changed when the page's script, which polls `/news`, says that something has. Called when the tabs are built.

    Gradio's own timer would hold a stream open for every page and go through its queue each time: a hundred artists at rest wait
    for each other then.
    """
    import gradio as gr

    stamps = [gr.State("") for _ in parts]

    def tick(before: str, request: gr.Request, *values: Any) -> Any:
        shelf = Shelf.of(request)
        told, at = [], 0
        for part in parts:
            seen, *rest = values[at : at + 1 + len(part.of)]
            at += 1 + len(part.of)
            now = part.stamp(shelf, *rest)
            told.append(gr.skip() if now == seen else now)
        drawn = markup.part("jobs", jobs=shown(shelf.artist))
        return [*([gr.skip()] * 2 if drawn == before else [drawn, drawn]), *told]

    asked = [component for part in parts for component in (part.seen, *part.of)]
    quiet: dict[str, Any] = {"show_progress": "hidden", "concurrency_limit": 16, "trigger_mode": "multiple"}
    bridge("news").change(tick, [strip_seen, *asked], [strip, strip_seen, *stamps], **quiet)
    for part, stamp in zip(parts, stamps, strict=True):
        stamp.change(part.draw, part.inputs, part.outputs, **quiet)
