"""Study: what a style learned, in figures and pictures. The report is a page of its own, shown in a frame that can run nothing."""

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, Request
from fastapi.responses import Response

from artlab import accounts, jobs
from artlab.jobs import JobError
from artlab.settings import VERBS
from artlab.studio import making, markup, status
from artlab.studio.shelf import Shelf, ShelfError

if TYPE_CHECKING:
    from artlab.studio.server import Context

TITLE = "Study"
LARGEST = 64 << 20
# The frame may show its own pictures and styles and nothing else: no script, no form, no request.
FRAMED = {
    "Content-Security-Policy": "default-src 'none'; img-src data:; style-src 'unsafe-inline'; font-src data:; frame-ancestors 'self'; sandbox",
    "X-Frame-Options": "SAMEORIGIN",
    "Cache-Control": "private, no-cache",
}

router = APIRouter()


def build(context: "Context") -> None:
    """The tab."""
    import gradio as gr

    markup.place(markup.part("lead", lead="What did it learn, and what not?", more=ABOUT))
    with gr.Row(elem_classes="tools-row"):
        style = gr.Dropdown([], label="Style", scale=4)
        make = gr.Button("Make the report", variant="primary", size="md", scale=1, visible=making.can("evaluate"))
    trouble, frame = markup.place(), markup.place()
    seen = gr.State("")
    quiet: dict[str, Any] = {"show_progress": "hidden"}

    def begin(chosen: str, request: gr.Request) -> Any:
        shelf = Shelf.of(request)
        choices = [(one.name, one.folder.name) for one in shelf.styles()]
        kept = chosen if chosen in {value for _, value in choices} else (choices[0][1] if choices else "")
        return gr.Dropdown(choices=choices, value=kept), report_html(shelf, kept, status.root_of(request)), stamp(shelf, kept)

    def show(style: str, request: gr.Request) -> Any:
        shelf = Shelf.of(request)
        return report_html(shelf, style or "", status.root_of(request)), stamp(shelf, style or "")

    def start(style: str, request: gr.Request) -> Any:
        try:
            submit(Shelf.of(request), style or "")
        except (JobError, ShelfError, ValueError) as error:
            return markup.trouble(error)
        return ""

    context.demo.load(begin, style, [style, frame, seen], **quiet)
    context.tabs.select(begin, style, [style, frame, seen], **quiet)  # styles may have come while another tab was open
    style.input(show, style, [frame, seen], **quiet)
    make.click(start, style, trouble, trigger_mode="always_last", **quiet)
    context.shared.setdefault("watch", []).append(status.Watched(stamp, seen, show, [style], [frame, seen], (style,)))


ABOUT = (
    "How near the style comes to works it never saw, whether it copies, what it forgot, and where the numbers end. "
    "Making the report takes some minutes; everything is computed on this machine."
)


def submit(shelf: Shelf, name: str) -> int:
    """Queue the report of a style. Raises JobError or ShelfError."""
    style = shelf.style(name)
    fields = VERBS["evaluate"].model_fields
    given: dict[str, Any] = {"style": style.folder.name} if "style" in fields else {}
    portfolio = _works_of(shelf, style.card)
    if "portfolio" in fields and portfolio:
        given["portfolio"] = portfolio
    if "output_dir" in fields:
        given["output_dir"] = str(Path("studies") / style.folder.name)
    return jobs.submit(shelf.artist, "evaluate", given, title=f"Report on “{style.name}”")


def _works_of(shelf: Shelf, card: dict[str, Any]) -> str:
    """The folder that a style was taught from, as the newest training of its name was given it."""
    for job in jobs.of(shelf.artist, verb="finetune", limit=200):
        if job.settings.get("name") == card.get("name"):
            return str(job.settings.get("portfolio", ""))
    return ""


def report_of(shelf: Shelf, name: str) -> Path | None:
    """The report of a style, if there is one."""
    if not re.fullmatch(r"[a-z0-9][a-z0-9-]{0,80}", name):
        return None
    found = sorted((shelf.home / "studies" / name).glob("*.html"), key=lambda path: path.name != "report.html")
    return next((path for path in found if not path.is_symlink() and path.stat().st_size < LARGEST), None)


def stamp(shelf: Shelf, name: str | None) -> str:
    """Something that changes when there is a new report, or the making of one gets on."""
    name = name or ""
    report, job = report_of(shelf, name), status.latest(shelf.artist, "evaluate")
    return f"{name} {report.stat().st_mtime_ns if report else ''} {job.state if job else ''}"


def report_html(shelf: Shelf, name: str, root: str = "") -> str:
    """The report in its frame, or what there is to do."""
    report, job = report_of(shelf, name), status.latest(shelf.artist, "evaluate")
    url = f"{root}/study/{name}?t={report.stat().st_mtime_ns // 10**6:x}" if report else ""
    return markup.part("study", url=url, name=name, busy=bool(job and job.is_open), can=making.can("evaluate"))


@router.get("/study/{name}")
def study(name: str, request: Request) -> Response:
    """A report of the asking artist, for a frame."""
    accounts.artist_of(request)
    report = report_of(Shelf.of(request), name)
    if report is None:
        return Response("There is nothing here.\n", 404)
    return Response(report.read_bytes(), media_type="text/html; charset=utf-8", headers=FRAMED)
