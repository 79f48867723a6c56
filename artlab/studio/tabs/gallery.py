"""Gallery: everything she made, to find again, to keep, to sort, to hand out. The gallery is the folder; this is a window on it."""

import re
import time
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, Request
from fastapi.responses import FileResponse, Response

from artlab import files
from artlab.settings import VERBS
from artlab.studio import album, markup, status
from artlab.studio.album import MOST_EXPORTED, Album, Entry
from artlab.studio.bridge import bridge, heard, whole, word
from artlab.studio.shelf import Shelf, ShelfError

if TYPE_CHECKING:
    from artlab.studio.server import Context

TITLE = "Gallery"
PAGE = 60
WHEN = (("At any time", ""), ("Today", "1"), ("In the last week", "7"), ("In the last month", "30"), ("In the last year", "365"))
EMPTY = {
    "all": ("Nothing here yet", "What you make in Create is kept here."),
    "starred": ("No star yet", "Press the star beside a picture, or the full stop key."),
    "trash": ("The trash is empty", "What you move here is deleted after 30 days."),
}
TOOLS = {"board": "Put on the board", "star": "Star", "trash": "To the trash", "none": "Choose none"}
NOTHING = ("Nothing fits", "Try fewer words, or another time.")

router = APIRouter()


def build(context: "Context") -> None:
    """The tab."""
    _listen(context, _laid_out())


@dataclass(frozen=True)
class Room:
    """The tab's components. `tools` are the buttons for several pictures: what each does, and its button."""

    asked: list[Any]
    page: Any
    chosen: Any
    undone: Any
    picked: Any
    told: Any
    onto: Any
    tools: list[tuple[str, Any]]
    pack: Any
    packed: Any
    grid: Any
    seen: Any

    @property
    def inputs(self) -> list[Any]:
        """What `draw` reads."""
        return [self.page, *self.asked, self.chosen, self.undone]

    @property
    def shown(self) -> list[Any]:
        """What `draw` draws: the pictures, the boards to choose from, and their stamp."""
        return [self.grid, self.asked[-1], self.seen]


def _laid_out() -> Room:
    """The components, where they stand."""
    import gradio as gr

    with gr.Row(elem_classes="tools-row"):
        query = gr.Textbox(label="Search", placeholder="words of the prompt", max_lines=1, scale=4)
        views = [("All", "all"), ("Starred", "starred"), ("Trash", "trash")]
        view = gr.Radio(views, value="all", label="Show", elem_classes="choice", scale=3)
        when = gr.Dropdown(list(WHEN), value="", label="Made", scale=2)
        board = gr.Dropdown([("Every board", "")], value="", label="Board", scale=2)
    with gr.Row(elem_classes="tools-row", visible=False) as picked:
        told = markup.place()
        onto = gr.Textbox(label="Board", placeholder="name of a board", max_lines=1, max_length=60, scale=2)
        tools = [(what, gr.Button(words, size="md", scale=1)) for what, words in TOOLS.items()]
    pack = gr.Button("Export as ZIP", size="md", elem_classes="quiet")
    packed, grid = markup.place(), markup.place()
    return Room(
        [query, view, when, board], gr.State(1), gr.State([]), gr.State(""), picked, told, onto, tools, pack, packed, grid, gr.State("")
    )  # fmt: skip


def draw(
    shelf: Shelf, page: int, query: str, view: str, when: str, board: str, chosen: list[str] | None = None, undone: str = ""
) -> Any:
    """The room's `shown`."""
    import gradio as gr

    names = Album(shelf).boards()
    kept = board if board in names else ""
    choices = [("Every board", ""), *((name, name) for name in names)]
    drawn = gallery_html(shelf, page, query, view, when, kept, chosen, undone)
    return drawn, gr.Dropdown(choices=choices, value=kept), stamp(shelf)


def _listen(context: "Context", room: Room) -> None:
    """What happens when; the owner is read from the request every time."""
    import gradio as gr

    box = bridge("gallery-act")
    quiet: dict[str, Any] = {"show_progress": "hidden"}

    def look(page: int, query: str, view: str, when: str, board: str, chosen: list[str], undone: str, request: gr.Request) -> Any:
        return draw(Shelf.of(request), page, query, view, when, board, chosen, undone)

    def hear(text: str, page: int, query: str, view: str, when: str, board: str, chosen: list[str], request: gr.Request) -> Any:
        message, shelf = heard(text), Shelf.of(request)
        undone = ""
        if message.get("act") == "page":
            page = max(1, whole(message, "page"))
        elif message.get("act") == "picked":
            ids = message.get("ids")
            chosen = [one for one in ids if isinstance(one, str)][:MOST_EXPORTED] if isinstance(ids, list) else []
            return page, chosen, gr.Row(visible=bool(chosen)), _chosen_html(chosen), *([gr.skip()] * 3)
        else:
            try:
                undone = act(shelf, message)
            except ShelfError as error:
                gr.Warning(str(error))
            chosen = []
        drawn = draw(shelf, page, query, view, when, board, chosen, undone)
        return page, chosen, gr.Row(visible=bool(chosen)), _chosen_html(chosen), *drawn

    def several(what: str) -> Any:
        def do(chosen: list[str], onto: str, query: str, view: str, when: str, board: str, request: gr.Request) -> Any:
            shelf, undone = Shelf.of(request), ""
            try:
                undone = mark_all(shelf, what, chosen, onto)
            except ShelfError as error:
                gr.Warning(str(error))
            return [], gr.Row(visible=False), *draw(shelf, 1, query, view, when, board, undone=undone)

        return do

    def export(chosen: list[str], query: str, view: str, when: str, board: str, request: gr.Request) -> str:
        try:
            return export_html(Shelf.of(request), chosen, query, view, when, board, status.root_of(request))
        except ShelfError as error:
            return markup.trouble(error)

    context.demo.load(look, room.inputs, room.shown, **quiet)
    context.shared.setdefault("watch", []).append(status.Watched(stamp, room.seen, look, room.inputs, room.shown))
    heard_by = [room.page, room.chosen, room.picked, room.told, *room.shown]
    box.change(hear, [box, room.page, *room.asked, room.chosen], heard_by, trigger_mode="multiple", **quiet)
    asked_anew = [component.input for component in room.asked]
    gr.on(asked_anew, lambda: (1, ""), None, [room.page, room.packed], trigger_mode="always_last", **quiet).then(
        look, room.inputs, room.shown, **quiet
    )
    for what, button in room.tools:
        button.click(several(what), [room.chosen, room.onto, *room.asked], [room.chosen, room.picked, *room.shown], **quiet)
    room.pack.click(export, [room.chosen, *room.asked], room.packed, **quiet)


def _chosen_html(chosen: list[str]) -> str:
    return markup.part("estimate", text=f"{len(chosen)} chosen", warn=False) if chosen else ""


def act(shelf: Shelf, message: dict[str, Any]) -> str:
    """Do what a picture's button says; the sentence that offers an undo, or "". Raises ShelfError."""
    pictures, which = Album(shelf), word(message, "id", 1000)
    match message.get("act"):
        case "star":
            pictures.mark("star", [which], not pictures.entry(which).starred)
        case "trash":
            pictures.mark("trash", [which], True)
            return "Moved to the trash."
        case "restore":
            pictures.mark("trash", [which], False)
        case "undo":
            pictures.undo()
    return ""


def mark_all(shelf: Shelf, what: str, chosen: list[str], onto: str) -> str:
    """Do something with the chosen pictures; the sentence that offers an undo, or "". Raises ShelfError."""
    pictures = Album(shelf)
    if what == "none" or not chosen:
        return ""
    if what == "board":
        if not onto.strip():
            raise ShelfError("Name the board first.")
        pictures.mark("board", chosen, onto)
        return f"{len(chosen)} put on “{' '.join(onto.split())}”."
    pictures.mark("star" if what == "star" else "trash", chosen, True)
    return f"{len(chosen)} {'starred' if what == 'star' else 'moved to the trash'}."


def since(when: str) -> float:
    """The start of the time that she chose."""
    days = int(when) if when in {value for _, value in WHEN if value} else 0
    return datetime.combine(date.today() - timedelta(days=days - 1), datetime.min.time()).timestamp() if days else 0.0


def stamp(shelf: Shelf) -> str:
    """Something that changes when there is a new picture or mark."""
    newest = max((folder.stat().st_mtime_ns for folder in (shelf.home / "pictures").glob("**/")), default=0)
    log = shelf.home / album.LOG
    return f"{newest} {log.stat().st_size if log.exists() else 0}"


def found(shelf: Shelf, query: str, view: str, when: str, board: str) -> list[Entry]:
    """The pictures that fit what she asked for."""
    known: Any = view if view in EMPTY else "all"
    return Album(shelf).entries(str(query or "")[:300], view=known, board=board, since=since(when))


def gallery_html(
    shelf: Shelf, page: int = 1, query: str = "", view: str = "all", when: str = "", board: str = "", chosen: list[str] | None = None,
    undo: str = "",
) -> str:  # fmt: skip
    """A page of pictures."""
    entries = found(shelf, query, view, when, board)
    pages = max(1, -(-len(entries) // PAGE))
    page = min(max(1, page), pages)
    return markup.part(
        "gallery",
        total=len(entries),
        pictures=[_shown(shelf, one) for one in entries[(page - 1) * PAGE : page * PAGE]],
        page=page,
        pages=pages,
        chosen=set(chosen or []),
        trash=view == "trash",
        empty=NOTHING if query or when or board else EMPTY.get(view, EMPTY["all"]),
        undo=undo,
        can={"regions": "inpaint" in VERBS, "vary": "vary" in VERBS, "enlarge": "enlarge" in VERBS},
    )


def _shown(shelf: Shelf, one: Entry) -> dict[str, Any]:
    return {
        "id": one.id, "words": album.prompt_of(one.path), "when": one.when, "starred": one.starred, "board": one.board,
        "recipe": album.tell(one.path), "small": shelf.media_url(one.path, 400), "large": shelf.media_url(one.path),
        "download": shelf.media_url(one.path, download=True),
    }  # fmt: skip


# -- handing out ----------------------------------------------------------------------------------------------------------------


def export_html(shelf: Shelf, chosen: list[str], query: str, view: str, when: str, board: str, root: str = "") -> str:
    """Pack the chosen pictures, or all that fit; the link to the ZIP. Raises ShelfError."""
    pictures = Album(shelf)
    entries = [pictures.entry(one) for one in chosen] or found(shelf, query, view, when, board)
    if not entries:
        raise ShelfError("There is no picture to export.")
    if len(entries) > MOST_EXPORTED:
        raise ShelfError(f"{len(entries)} pictures are more than {MOST_EXPORTED} at once; search for fewer, or choose some.")
    folder = shelf.home / "cache" / "exports"
    for old in folder.glob("*.zip"):
        if time.time() - old.stat().st_mtime > 86400:
            old.unlink(missing_ok=True)
    data = album.export(entries)
    name = files.fingerprint(data)
    files.write(folder / f"{name}.zip", data)
    return markup.part("export", url=f"{root}/export/{name}.zip", count=len(entries), size=f"{len(data) / 1e6:.1f} MB")


@router.get("/export/{name}.zip")
def fetch_export(name: str, request: Request) -> Response:
    """A ZIP that was packed for the asking artist."""
    path = Shelf.of(request).home / "cache" / "exports" / f"{name}.zip"
    if not re.fullmatch(r"[0-9a-f]{16}", name) or not path.is_file():
        return Response("There is nothing here.\n", 404)
    return FileResponse(path, media_type="application/zip", filename=f"artlab-{datetime.now():%Y-%m-%d}.zip")
