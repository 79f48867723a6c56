"""Create: say it, press the button, look. From words, from a picture, in a blend, or a painted part anew."""

from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from artlab import jobs
from artlab.jobs import JobError
from artlab.settings import VERBS
from artlab.studio import album, forms, making, markup, stage, status
from artlab.studio.album import Album
from artlab.studio.bridge import bridge, heard, word
from artlab.studio.forms import FormError
from artlab.studio.making import MODES, STYLES, Wish
from artlab.studio.shelf import Shelf, ShelfError
from artlab.studio.works import WorksError

if TYPE_CHECKING:
    from artlab.studio.server import Context

TITLE = "Create"
NONE = ("No style, the bare base", "")
MORE = ("negative_prompt", "num_inference_steps", "guidance_scale", "sampler")


def build(context: "Context") -> None:
    """The tab."""
    _listen(context, _laid_out())


@dataclass(frozen=True)
class Desk:
    """The tab's components, and what its forms say."""

    prompt: Any
    mode: Any
    well: Any
    easel: Any
    rows: list[Any]
    styles: list[Any]
    count: Any
    shape: Any
    own: list[tuple[str, Any, list[Any]]]
    make: Any
    trouble: Any
    seed: Any
    more_form: list[forms.Field]
    more: list[Any]
    stage: Any
    hold: Any
    seen: Any

    @property
    def inputs(self) -> list[Any]:
        """What `wish` reads, in its order."""
        own = [component for _, _, components in self.own for component in components]
        return [self.prompt, self.mode, *self.styles, self.count, self.shape, self.seed, *self.more, *own]

    @property
    def outputs(self) -> list[Any]:
        """Everything that a message may change."""
        shown = [self.well, self.easel, *(group for _, group, _ in self.own), self.stage, self.seen, self.hold, self.trouble]
        return [self.prompt, self.mode, *self.styles, *self.rows, self.count, self.shape, self.seed, *self.more, *shown]

    def wish(self, values: tuple[Any, ...], hold: dict[str, Any]) -> Wish:
        """What is asked for: the values of `inputs`, and what the page holds."""
        words, how, *rest = values
        chosen, rest = rest[: 2 * STYLES], rest[2 * STYLES :]
        many, form, number, *rest = rest
        picked = tuple((str(chosen[2 * n]), float(chosen[2 * n + 1] or 0)) for n in range(STYLES) if chosen[2 * n])
        extra = forms.values(self.more_form, rest[: len(self.more)])
        at = len(self.more)
        for name, _, components in self.own:
            if name == how:
                extra |= forms.values(_own_fields(name), rest[at : at + len(components)])
            at += len(components)
        return Wish(
            str(words or ""), picked, str(how), _count(many), str(form), _seed(number),
            str(hold.get("picture", "")), str(hold.get("mask", "")), extra,
        )  # fmt: skip

    def fill(self, shelf: Shelf, wish: Wish) -> dict[Any, Any]:
        """Every component as a wish has it."""
        import gradio as gr

        choices = [NONE, *((one.name, one.folder.name) for one in shelf.styles())]
        names = {value for _, value in choices}
        picked = [(name, weight) for name, weight in wish.styles if name in names]
        updates: dict[Any, Any] = {
            self.prompt: wish.prompt,
            self.count: wish.count,
            self.shape: wish.shape,
            self.seed: "" if wish.seed is None else str(wish.seed),
            self.mode: wish.mode,
        }
        for number in range(STYLES):
            name, weight = picked[number] if number < len(picked) else ("", 1.0)
            updates[self.styles[2 * number]] = gr.Dropdown(choices=choices, value=name)
            updates[self.styles[2 * number + 1]] = weight
            updates[self.rows[number]] = gr.Row(visible=number <= len(picked))
        for field, component in zip(self.more_form, self.more, strict=True):
            updates[component] = wish.more.get(field.name, field.default)
        return updates | self.modal(shelf, wish.mode, {"picture": wish.picture, "mask": wish.mask})

    def modal(self, shelf: Shelf, how: str, hold: dict[str, Any]) -> dict[Any, Any]:
        """What a mode shows and hides."""
        import gradio as gr

        return {
            self.well: gr.Markdown(
                stage.well(shelf, hold), visible=how == "picture" or (how == "part" and not hold.get("picture"))
            ),
            self.easel: gr.Markdown(
                stage.easel(shelf, hold if how == "part" else {}),
                visible=how == "blend" or (how == "part" and bool(hold.get("picture"))),
            ),
            **{group: gr.Column(visible=name == how) for name, group, _ in self.own},
        }

    def follow(self, shelf: Shelf, message: dict[str, Any], hold: dict[str, Any], how: str) -> dict[Any, Any]:
        """Do what a picture's button or the page says; the components that change."""
        which, act = word(message, "id", 1000), message.get("act")
        if act == "mask":
            hold["mask"] = "" if message.get("empty") is True else making.desk_path(shelf, which)
            return {self.hold: hold}
        if act == "recipe":
            return self.recall(shelf, album.made(shelf.path(making.desk_path(shelf, which))) or message.get("recipe"))
        if act == "picture":
            hold |= {"picture": making.desk_path(shelf, which), "mask": ""}
            return {self.hold: hold, self.trouble: "", **self.modal(shelf, how, hold)}
        entry = Album(shelf).entry(which)
        if act == "settings":
            return self.recall(shelf, album.made(entry.path))
        if act in ("from", "repaint"):
            hold |= {"picture": entry.id, "mask": ""}
            to = "part" if act == "repaint" else "picture"
            to = to if making.can(MODES[to][1]) else how
            return {self.hold: hold, self.mode: to, self.trouble: "", **self.modal(shelf, to, hold)}
        if act in making.AFTER and making.can(str(act)):
            jobs.submit(shelf.artist, str(act), making.after(str(act), entry.id, shelf), title=album.prompt_of(entry.path)[:80])
        elif act == "star":
            Album(shelf).mark("star", [entry.id], not entry.starred)
        elif act == "compare":
            hold["beside"] = "" if hold.get("beside") else stage.neighbour(shelf, entry.id)
        elif act == "show":
            hold["show"] = entry.id
        return {self.hold: hold, self.stage: stage.html(shelf, hold), self.seen: stage.stamp(shelf), self.trouble: ""}

    def recall(self, shelf: Shelf, found: Any) -> dict[Any, Any]:
        """The settings of a picture, back in the form. Raises FormError where it does not tell them."""
        import gradio as gr

        if not found:
            raise FormError("This picture does not say how it was made.")
        wish, told = making.from_recipe(found, shelf)
        gr.Info(told, duration=6)
        return {**self.fill(shelf, wish), self.trouble: ""}


def _laid_out() -> Desk:
    """The components, where they stand."""
    import gradio as gr

    with gr.Row(elem_classes="two"):
        with gr.Column(scale=5, min_width=320):
            prompt = gr.Textbox(
                label="What shall it show?",
                placeholder="a fox in the snow",
                info="Each line becomes pictures of its own.",
                lines=3,
                max_lines=8,
                elem_classes="prompt",
                elem_id="prompt",
            )
            mode = gr.Radio(making.modes(), value="words", label="How", elem_classes="choice", visible=len(making.modes()) > 1)
            well, easel = markup.place(visible=False), markup.place(visible=False)
            rows: list[Any] = []
            styles: list[Any] = []
            for number in range(STYLES):
                with gr.Row(visible=number == 0, elem_classes="style-row") as row:
                    label = "Style" if number == 0 else f"and {('', 'a second', 'a third')[number]} style"
                    styles.append(gr.Dropdown([NONE], value="", label=label, scale=3, min_width=160))
                    styles.append(gr.Slider(-1, 2, 1, step=0.05, label="Weight", scale=3, min_width=140))
                rows.append(row)
            count = gr.Radio([(str(number), number) for number in COUNTS], value=4, label="How many", elem_classes="choice")
            shape = gr.Radio(
                [("Square", "square"), ("Portrait", "portrait"), ("Landscape", "landscape")],
                value="square",
                label="Shape",
                elem_classes="choice",
            )
            own = _own_forms()
            make = gr.Button("Make", variant="primary", size="lg", elem_id="make")
            trouble = markup.place()
            with gr.Accordion("Advanced", open=False, elem_classes="accordion-plain"):
                seed = gr.Textbox(
                    label="Seed",
                    info="The same seed makes the same picture again.",
                    placeholder="a new one each time",
                    max_lines=1,
                )
                more_form = forms.fields(VERBS["generate"], MORE)
                more = [forms.component(field) for field in more_form]
                markup.place(markup.part("well", act="recipe", tell="create-act", id="", picture="", say="Settings from a picture",
                                         note="Drop one that artlab made, and its settings come back."))  # fmt: skip
        with gr.Column(scale=8, min_width=420):
            shown = markup.place()
    return Desk(
        prompt, mode, well, easel, rows, styles, count, shape, own, make, trouble, seed, more_form, more, shown,
        hold=gr.State({}), seen=gr.State(""),
    )  # fmt: skip


def _listen(context: "Context", desk: Desk) -> None:
    """What happens when; the owner is read from the request every time."""
    import gradio as gr

    box, known = bridge("create-act"), gr.State("")
    quiet: dict[str, Any] = {"show_progress": "hidden"}

    def press(hold: dict[str, Any], request: gr.Request, *values: Any) -> Any:
        shelf = Shelf.of(request)
        hold = {**hold, "show": "", "beside": ""}
        try:
            wish = desk.wish(values, hold)
            verb, given = making.settings_for(wish, shelf)
            jobs.submit(shelf.artist, verb, given, title=making.title_of(wish))
            _keep(shelf, wish)
        except (FormError, ShelfError, JobError, WorksError) as error:
            return markup.trouble(error), gr.skip(), gr.skip(), gr.skip()
        return "", hold, stage.html(shelf, hold), stage.stamp(shelf)

    def begin(request: gr.Request) -> Any:
        shelf = Shelf.of(request)
        wish = _kept(shelf)
        return {**desk.fill(shelf, wish), desk.stage: stage.html(shelf, {}), desk.seen: stage.stamp(shelf)}

    def switch(how: str, hold: dict[str, Any], request: gr.Request) -> Any:
        return desk.modal(Shelf.of(request), how, hold)

    def another(*names: str) -> Any:
        return [gr.Row(visible=number == 0 or bool(names[number - 1]) or bool(names[number])) for number in range(STYLES)]

    def hear(text: str, hold: dict[str, Any], how: str, request: gr.Request) -> Any:
        shelf, message = Shelf.of(request), heard(text)
        try:
            return desk.follow(shelf, message, dict(hold), how)
        except (ShelfError, FormError, JobError, WorksError) as error:
            return {desk.trouble: markup.trouble(error)}

    def look(hold: dict[str, Any], request: gr.Request) -> Any:
        shelf = Shelf.of(request)
        return stage.html(shelf, hold), stage.stamp(shelf)

    def refresh(request: gr.Request) -> Any:
        shelf = Shelf.of(request)
        choices = [NONE, *((one.name, one.folder.name) for one in shelf.styles())]
        return [*(gr.Dropdown(choices=choices) for _ in range(STYLES)), stage.styles_stamp(shelf)]

    hold, shown, seen = desk.hold, desk.stage, desk.seen
    groups = [group for _, group, _ in desk.own]
    context.demo.load(begin, None, desk.outputs, **quiet)
    watched = context.shared.setdefault("watch", [])
    watched.append(status.Watched(stage.stamp, seen, look, [hold], [shown, seen]))
    watched.append(status.Watched(stage.styles_stamp, known, refresh, [], [*desk.styles[::2], known]))
    desk.make.click(press, [hold, *desk.inputs], [desk.trouble, hold, shown, seen], trigger_mode="always_last", **quiet)
    desk.mode.input(switch, [desk.mode, hold], [desk.well, desk.easel, *groups], **quiet)
    gr.on([one.input for one in desk.styles[::2]], another, desk.styles[::2], desk.rows, **quiet)
    box.change(hear, [box, hold, desk.mode], desk.outputs, trigger_mode="multiple", **quiet)


COUNTS = (1, 4, 8, 12)


def _seed(given: Any) -> int | None:
    text = str(given or "").strip()
    if not text:
        return None
    if not text.isdecimal() or int(text) >= 2**63:
        raise FormError("The seed is a whole number from 0 to 2^63 - 1, or empty.")
    return int(text)


def _count(given: Any) -> int:
    return int(given) if given in COUNTS else COUNTS[0]


MEETING = forms.Field("meeting", "How they meet", "", "choice", "mix")
PART = forms.Field("part_prompt", "What the painted part shows", "The same as the rest if left empty.", "text", "")


def _own_fields(name: str) -> list[forms.Field]:
    """What a mode asks for besides what all of them do."""
    return [MEETING, PART] if name == "blend" else forms.fields(VERBS[MODES[name][1]], making.OWN.get(name, ()))


def _own_forms() -> list[tuple[str, Any, list[Any]]]:
    """For each mode but the first: its name, its group, and the components in it."""
    import gradio as gr

    made = []
    for _, name in making.modes():
        if name == "words":
            continue
        with gr.Column(visible=False, elem_classes="own") as group:
            if name == "blend":
                choices = [(words, value) for value, words in making.MEETINGS.items()]
                components = [gr.Dropdown(choices, value="mix", label=MEETING.label), forms.component(PART)]
            else:
                components = [forms.component(field, f"{name}-") for field in _own_fields(name)]
            made.append((name, group, components))
    return made


# -- drafts ---------------------------------------------------------------------------------------------------------------------


def _keep(shelf: Shelf, wish: Wish) -> None:
    shelf.keep_draft("create", asdict(wish) | {"more": dict(wish.more)})


def _kept(shelf: Shelf) -> Wish:
    draft = shelf.draft("create")
    wish = Wish(count=4)
    known = {
        key: draft[key] for key in ("prompt", "count", "shape", "more") if isinstance(draft.get(key), type(getattr(wish, key)))
    }
    styles = [(str(one[0]), float(one[1])) for one in draft.get("styles", []) if isinstance(one, list) and len(one) == 2]
    found = replace(wish, **known, styles=tuple(styles))
    if not draft and (own := [one for one in shelf.styles() if one.folder.is_relative_to(shelf.home)]):
        found = replace(found, styles=((own[0].folder.name, 1.0),))
    return found
