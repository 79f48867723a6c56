"""Portfolio: drop works in, see what artlab thinks of each, decide what it learns from.

Files arrive one by one by their own route (`uploads.py`); when the last one is in, the page says so here and an intake is queued.
"""

from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from artlab import accounts, jobs
from artlab.jobs import JobError
from artlab.portfolio import Artwork
from artlab.studio import markup, status
from artlab.studio.bridge import bridge, heard, whole, word
from artlab.studio.shelf import Shelf, ShelfError
from artlab.studio.uploads import works_of
from artlab.studio.works import CONSENT, WorksError, in_order

if TYPE_CHECKING:
    from artlab.studio.server import Context

TITLE = "Portfolio"
PAGE = 48
ABOUT = "Everything is opened safely, turned upright and marked where it deserves a second look. Your originals stay as they are."
VIEWS = (("All works", "all"), ("To look at", "marked"), ("Left out", "out"), ("Without a caption", "bare"))


def build(context: "Context") -> None:
    """The tab."""
    import gradio as gr

    markup.place(markup.part("lead", lead="Your works, and what artlab sees in them.", more=ABOUT))
    markup.place(markup.part("drop", consent=CONSENT))
    with gr.Row(equal_height=True, elem_classes="tools-row"):
        view = gr.Dropdown(list(VIEWS), value="all", label="Show", scale=2)
        series = gr.Dropdown([("Every series", "")], value="", label="Series", scale=2)
        trigger = gr.Textbox(label="Trigger word", info="It calls your style in a prompt.", max_lines=1, scale=3)
        undo = gr.Button("Undo the last change", size="md")
    trouble = markup.place()
    grid = markup.place()
    page, seen, box = gr.State(1), gr.State(""), bridge("portfolio-act")
    shown, chosen = [grid, series, trigger, seen], [page, view, series]

    def look(page: int, view: str, series: str, request: gr.Request) -> Any:
        return draw(Shelf.of(request), page, view, series)

    def hear(text: str, page: int, view: str, series: str, request: gr.Request) -> Any:
        message, shelf = heard(text), Shelf.of(request)
        now = whole(message, "page") if message.get("act") == "page" else page
        quiet = message.get("act") in ("caption", "series")
        try:
            told = act(shelf, message, accounts.artist_of(request).name)
        except (WorksError, JobError, ShelfError) as error:
            return markup.trouble(error), now, *draw(shelf, now, view, series)
        if told:
            gr.Info(told, duration=4)
        if quiet:  # she may be typing in the next field already: the grid is left as it is
            return "", now, *([gr.skip()] * 3), stamp(shelf)
        return "", now, *draw(shelf, now, view, series)

    def name(text: str, before: str, request: gr.Request) -> Any:
        works = works_of(Shelf.of(request))
        seen = works.portfolio()
        if seen is None or text.strip().lower() == seen.trigger:
            return gr.skip()
        try:
            works.decide("trigger", "", text)
        except WorksError as error:
            return markup.trouble(error)
        gr.Info(f"Your style is called by “{text.strip().lower()}” from now on.", duration=4)
        return ""

    def take_back(page: int, view: str, series: str, request: gr.Request) -> Any:
        shelf = Shelf.of(request)
        what = works_of(shelf).undo()
        gr.Info(f"Taken back: {UNDONE.get(what, what)}." if what else "There is nothing to take back.", duration=4)
        return draw(shelf, page, view, series)

    quiet: dict[str, Any] = {"show_progress": "hidden"}
    context.demo.load(look, chosen, shown, **quiet)
    context.shared.setdefault("watch", []).append(status.Watched(stamp, seen, look, chosen, shown))
    box.change(hear, [box, *chosen], [trouble, page, *shown], trigger_mode="multiple", **quiet)
    gr.on([view.input, series.input], lambda: 1, None, page, **quiet).then(look, chosen, shown, **quiet)
    gr.on([trigger.submit, trigger.blur], name, [trigger, trigger], trouble, **quiet)
    undo.click(take_back, chosen, shown, **quiet)


def draw(shelf: Shelf, page: int, view: str, series: str) -> Any:
    """The works, the series to choose from, the trigger word, and their stamp."""
    import gradio as gr

    works = works_of(shelf).portfolio()
    names = sorted({work.series for work in works.works if work.series}) if works else []
    choices = [("Every series", ""), *((name, name) for name in names)]
    kept = series if series in names else ""
    drawn = portfolio_html(shelf, page, view, kept)
    return drawn, gr.Dropdown(choices=choices, value=kept), works.trigger if works else "", stamp(shelf)


UNDONE = {"caption": "a caption", "series": "a series", "keep": "keep or leave out", "trigger": "the trigger word"}


def act(shelf: Shelf, message: dict[str, Any], artist: str = "") -> str:
    """Do what the page's script asks; what to say about it. Raises WorksError, JobError."""
    works, which = works_of(shelf), word(message, "id", 64)
    match message.get("act"):
        case "arrived":
            if not works.waiting():
                return "Nothing new came in; what was there before is as it was."
            take_in(shelf, artist)
        case "seen":
            works.forget_refused()
        case "keep" | "drop":
            works.decide("keep", which, message["act"] == "keep")
        case "caption" | "series" as kind:
            works.decide(kind, which, word(message, "value", 5000))
            return f"{kind.capitalize()} kept."
    return ""


def take_in(shelf: Shelf, artist: str = "") -> int:
    """Queue the intake of what was uploaded; one that waits already is enough."""
    for job in jobs.of(shelf.artist, verb="intake", only_open=True):
        if job.state == "queued":
            return job.id
    folder = works_of(shelf).folder.relative_to(shelf.home)
    return jobs.submit(
        shelf.artist, "intake", {"folder": str(folder), "name": artist or "portfolio"}, title="Looking at your works"
    )


def stamp(shelf: Shelf) -> str:
    """Something that changes when the intake has seen more works."""
    path = works_of(shelf).folder / "portfolio.json"
    return str(path.stat().st_mtime_ns) if path.exists() else ""


def portfolio_html(shelf: Shelf, page: int = 1, view: str = "all", series: str = "") -> str:
    """A page of the works, and the files that are none."""
    seen, refused = works_of(shelf).portfolio(), works_of(shelf).refused()
    if seen is None:
        return markup.part("works", total=0, kept=0, told="", works=[], page=1, pages=1, refused=refused, fresh=bool(refused))
    found = [work for work in in_order(seen.works) if _fits(work, view, series)]
    pages = max(1, -(-len(found) // PAGE))
    page = min(max(1, page), pages)
    out, marked = len(seen.works) - len(seen.kept), sum(bool(work.marks) for work in seen.kept)
    bare = sum(not work.caption for work in seen.kept)
    told = (
        [f"{marked} to look at again"] * bool(marked)
        + [f"{out} left out"] * bool(out)
        + [f"{bare} without a caption"] * bool(bare)
    )
    return markup.part(
        "works",
        total=len(seen.works),
        kept=len(seen.kept),
        told=" · ".join(told),
        works=[_shown(shelf, work) for work in found[(page - 1) * PAGE : page * PAGE]],
        page=page,
        pages=pages,
        refused=[*refused, *seen.refused],
        fresh=bool(refused),
    )


def _fits(work: Artwork, view: str, series: str) -> bool:
    wanted = {"marked": bool(work.marks), "out": not work.kept, "bare": not work.caption}.get(view, True)
    return wanted and (not series or work.series == series)


def _shown(shelf: Shelf, work: Artwork) -> dict[str, Any]:
    return {
        "id": work.id,
        "name": PurePosixPath(work.name).name if len(work.name) > 60 else work.name,
        "caption": work.caption,
        "series": work.series,
        "size": work.size,
        "kept": work.kept,
        "marks": [f"{mark.kind}: {mark.reason}" for mark in work.marks],
        "small": _url(shelf, work, 420),
        "large": _url(shelf, work, 1400),
    }


def _url(shelf: Shelf, work: Artwork, width: int) -> str:
    """Where the work is shown; "" when the cache was thrown away and the intake has not been run again."""
    try:
        return shelf.media_url(work.path, width)
    except (ShelfError, OSError):
        return ""
