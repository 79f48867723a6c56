"""Train: how thoroughly, for how long, and then watch it learn. The training itself is a job; this page only reads what it writes."""

import math
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from artlab import accounts, files, jobs
from artlab.jobs import Job, JobError
from artlab.settings import Finetune
from artlab.studio import chart, forms, markup, status
from artlab.studio.bridge import bridge, heard
from artlab.studio.forms import FormError
from artlab.studio.shelf import Shelf, ShelfError
from artlab.studio.uploads import works_of
from artlab.studio.works import WorksError
from artlab.style import Style

if TYPE_CHECKING:
    from artlab.studio.server import Context

TITLE = "Train"
ALARM = 1 / 3
STRIP = 6
PRESETS: dict[str, dict[str, Any]] = {
    "quick": {"rank": 8, "max_train_steps": 120, "early_stopping_patience": 0},
    "balanced": {},
    "thorough": {"rank": 32, "num_train_epochs": 200, "early_stopping_patience": 10},
}
CHOICES = (
    ("Quick: a first look", "quick"),
    ("Balanced: what we would take", "balanced"),
    ("Thorough: twice as long, more detail", "thorough"),
)
ADVANCED: dict[str, tuple[str, ...]] = {
    "How long": ("max_train_steps", "num_train_epochs", "early_stopping_patience", "seed"),
    "How much it can learn": ("rank", "lora_alpha", "lora_targets", "lora_dropout"),
    "How it learns": (
        "learning_rate", "optimizer", "lr_scheduler", "lr_warmup_steps", "train_batch_size", "gradient_accumulation_steps",
        "adam_beta1", "adam_beta2", "weight_decay", "max_grad_norm", "ema_decay",
    ),
    "What it pays attention to": ("snr_gamma", "noise_offset", "caption_dropout", "prior_preservation", "imagined"),
    "The works": ("random_flip", "crop_scale_min", "views", "resolution", "validation_split", "fold"),
    "What you see on the way": ("validation_prompt", "sample_steps", "validation_steps", "checkpointing_steps", "checkpoints_total_limit"),
    "The machine": ("mixed_precision", "gradient_checkpointing", "deterministic", "country"),
}  # fmt: skip
ELSEWHERE = {"portfolio", "name", "trigger", "base", "output_dir", "resume", "force", "device", "dry_run"}
"""Settings that the page fills in by itself or asks for above."""


def build(context: "Context") -> None:
    """The tab."""
    import gradio as gr

    form = [field for names in ADVANCED.values() for field in forms.fields(Finetune, names)]
    form += forms.fields(Finetune, [name for name in Finetune.model_fields if name not in ELSEWHERE and name not in _known()])
    with gr.Row(elem_classes="two"):
        with gr.Column(scale=5, min_width=320):
            markup.place(markup.part("lead", lead="Teach it your hand.", more=""))
            name = gr.Textbox(label="Name of the style", placeholder="what you will call it", max_lines=1, max_length=80)
            preset = gr.Radio(list(CHOICES), value="balanced", label="How thoroughly", elem_classes="choice")
            estimate = markup.place()
            train = gr.Button("Train", variant="primary", size="lg", elem_id="train")
            trouble = markup.place()
            with gr.Accordion("Advanced", open=False, elem_classes="accordion-plain"):
                base = gr.Textbox(
                    "mini", label="Base model", info="mini, or the hub's name of a larger one that is on this machine"
                )
                filled = _advanced(form)
        with gr.Column(scale=8, min_width=420):
            panel = markup.place()
    shelf_of_styles = markup.place()
    box, seen = bridge("train-act"), gr.State("")
    quiet: dict[str, Any] = {"show_progress": "hidden"}

    def draw(request: gr.Request) -> Any:
        shelf = Shelf.of(request)
        return training_html(shelf), styles_html(shelf), stamp(shelf)

    def start(name: str, preset: str, base: str, request: gr.Request, *values: Any) -> Any:
        shelf = Shelf.of(request)
        try:
            submit(shelf, name, preset, base, forms.values(form, values), accounts.artist_of(request).name)
        except (FormError, WorksError, JobError, ShelfError) as error:
            return markup.trouble(error), *draw(request)
        return "", *draw(request)

    def begin(request: gr.Request) -> Any:
        shelf = Shelf.of(request)
        kept = shelf.draft("train")
        known = kept.get("preset") if kept.get("preset") in PRESETS else "balanced"
        return kept.get("name") or accounts.artist_of(request).name, known, estimate_html(shelf, str(known)), *draw(request)

    def keep(name: str, preset: str, request: gr.Request) -> Any:
        shelf = Shelf.of(request)
        shelf.keep_draft("train", {"name": str(name)[:80], "preset": preset})
        return estimate_html(shelf, preset)

    def hear(text: str, request: gr.Request) -> Any:
        if told := status.act(accounts.artist_of(request).id, heard(text)):
            gr.Warning(told)
        return draw(request)

    live = [panel, shelf_of_styles, seen]
    context.demo.load(begin, None, [name, preset, estimate, *live], **quiet)
    context.shared.setdefault("watch", []).append(status.Watched(stamp, seen, draw, [], live))
    train.click(start, [name, preset, base, *filled], [trouble, *live], trigger_mode="always_last", **quiet)
    gr.on([name.blur, preset.input], keep, [name, preset], estimate, **quiet)
    box.change(hear, box, live, trigger_mode="multiple", **quiet)


def _known() -> set[str]:
    return {name for names in ADVANCED.values() for name in names}


def _advanced(form: list[forms.Field]) -> list[Any]:
    """The closed part of the form, under its headings; components in the order of `form`."""
    import gradio as gr

    made: list[Any] = []
    for heading, names in [*ADVANCED.items(), ("More", ())]:
        here = [field for field in form if field.name in names or (not names and field.name not in _known())]
        if not here:
            continue
        with gr.Accordion(heading, open=False, elem_classes="accordion-plain"):
            made += [forms.component(field) for field in here]
    return made


def submit(shelf: Shelf, name: str, preset: str, base: str, given: dict[str, Any], artist: str = "") -> int:
    """Queue a training; the job. Raises FormError, WorksError or JobError in words for the artist."""
    name = " ".join(str(name or artist).split())
    if not name or len(name) > 80:
        raise FormError("Give the style a name of 1 to 80 letters.")
    if any(job.settings.get("name") == name for job in jobs.of(shelf.artist, verb="finetune", only_open=True)):
        raise FormError(f"“{name}” is being taught already. Wait for it, cancel it, or choose another name.")
    works = works_of(shelf)
    folder = works.for_training()
    seen = works.portfolio()
    asked: dict[str, Any] = {
        "portfolio": str(folder.relative_to(shelf.home)),
        "name": name,
        "trigger": seen.trigger if seen else None,
    }
    asked |= {"base": str(base).strip() or "mini", **_preset(preset, given), **given}
    forms.build(Finetune, asked)
    _make_room(shelf, name, asked)
    return jobs.submit(shelf.artist, "finetune", asked, title=f"Teaching “{name}”")


def _make_room(shelf: Shelf, name: str, asked: dict[str, Any]) -> None:
    """An unfinished training of this name goes on if nothing has changed; other settings or works are a new one from the start."""
    before = next((job for job in jobs.of(shelf.artist, verb="finetune", limit=200) if job.settings.get("name") == name), None)
    if before is None or before.settings != {key: value for key, value in asked.items() if value is not None}:
        shutil.rmtree(shelf.run_folder(name), ignore_errors=True)


def _preset(preset: str, given: dict[str, Any]) -> dict[str, Any]:
    """The preset's settings; a length that she filled in herself takes the place of the preset's."""
    chosen = dict(PRESETS.get(preset, {}))
    if given.keys() & {"max_train_steps", "num_train_epochs"}:
        chosen.pop("max_train_steps", None)
        chosen.pop("num_train_epochs", None)
    return chosen


# -- before -----------------------------------------------------------------------------------------------------------------


def steps_of(preset: str, works: int) -> int:
    """Steps of a run, as `finetune.steps_for` will count them (which needs torch; a test keeps the two together)."""
    chosen = PRESETS.get(preset, {})
    trained = works - round(works * 0.15)
    if "max_train_steps" in chosen:
        return int(chosen["max_train_steps"])
    if "num_train_epochs" in chosen:
        return math.ceil(chosen["num_train_epochs"] * trained / 8)
    return math.ceil(min(2000, max(200, 100 * trained / 8)))


def estimate_html(shelf: Shelf, preset: str) -> str:
    """What a training will take, from how fast the last ones went here."""
    seen = works_of(shelf).portfolio()
    if seen is None or len(seen.kept) < 2:
        return markup.part("estimate", text="First add works in Portfolio: ten or more.", warn=True)
    works = len(seen.kept)
    steps, rate = steps_of(preset, works), rate_here(shelf)
    text = f"{works} works, at most {steps} steps"
    text += f", about {markup.span(steps * 8 / rate)} here; it stops earlier when nothing more is learned." if rate else (
        ". How long a step takes here is measured at the start."
    )  # fmt: skip
    few = " Fewer than ten works rarely make a style." if works < 10 else ""
    return markup.part("estimate", text=text + few, warn=bool(few))


def rate_here(shelf: Shelf) -> float | None:
    """Pictures per second of the last training that got anywhere."""
    logs = sorted((shelf.home / "runs").glob("*/log.jsonl"), key=lambda path: path.stat().st_mtime, reverse=True)
    for path in logs[:3]:
        rates = [row.get("pictures_per_second") for row in list(files.read_jsonl(path))[-20:]]
        known = [rate for rate in rates if isinstance(rate, (int, float)) and 1e-3 < rate < 1e6]
        if len(known) > 2:
            return float(sorted(known)[len(known) // 2])
    return None


# -- while it learns, and after ------------------------------------------------------------------------------------------------


def stamp(shelf: Shelf) -> str:
    """Something that changes whenever the panel would."""
    job = status.latest(shelf.artist, "finetune")
    if job is None:
        return "none"
    log = shelf.run_folder(str(job.settings.get("name", ""))) / "log.jsonl"
    written = log.stat().st_size if log.exists() else 0
    return f"{job.id} {job.state} {job.wish} {written} {job.progress.get('step')} {job.progress.get('message')}"


def training_html(shelf: Shelf) -> str:
    """The newest training: where it is, its curve, its samples, its end."""
    job = status.latest(shelf.artist, "finetune")
    if job is None:
        return markup.part("training", training=None, chart={}, strip=[])
    name = str(job.settings.get("name", ""))
    rows = [row for row in shelf.training_log(name) if "step" in row] if job.started else []
    card = _card(shelf, name) if job.state == "done" else {}
    chosen = card.get("chosen_step")
    line = status.line(job)
    told = {
        "id": job.id,
        "name": name,
        "told": f"{line.how}{'. ' + line.told if line.told else ''}",
        "acts": _acts(job, line),
        "alarm": _alarm(rows),
        "figures": _figures(job, rows, card),
        "reason": card.get("reason", ""),
    }
    total = job.progress.get("total") if job.is_open else None
    drawn = chart.chart(rows, chosen, total if isinstance(total, int) else None)
    return markup.part("training", training=told, chart=drawn, strip=_strip(shelf, shelf.run_folder(name), chosen))


def _acts(job: Job, line: status.Line) -> list[tuple[str, str, str]]:
    more = [("save", "Save now", ""), ("sample", "Sample now", "")] if job.state == "running" and not job.wish else []
    return [*more, *((act, "Stop" if act == "cancel" else label, sure) for act, label, sure in line.acts)]


def _alarm(rows: list[dict[str, Any]]) -> str:
    shares = [row["copying"] for row in rows if isinstance(row.get("copying"), (int, float))]
    if not shares or shares[-1] <= ALARM:
        return ""
    return (
        f"Copying alarm: {shares[-1]:.0%} of the last samples lie nearer to one of your works than 95 % of your works lie to each other. "
        "Such steps are not chosen. More works, fewer steps or a lower rank help."
    )


def _figures(job: Job, rows: list[dict[str, Any]], card: dict[str, Any]) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    held = [row["held_out"] for row in rows if row.get("held_out") is not None]
    if rows:
        total = rows[-1].get("total") or job.progress.get("total") or rows[-1]["step"]
        found.append((f"{rows[-1]['step']} of {total}", "step"))
    if held:
        found.append((f"{held[-1]:.4f}", "held-out loss"))
    losses = [row["loss"] for row in rows[-40:] if row.get("loss", -1) >= 0]
    if losses and job.is_open:
        found.append((f"{sum(losses) / len(losses):.4f}", "loss in training"))
    if job.state == "running" and isinstance(job.progress.get("eta"), (int, float)) and job.progress["eta"]:
        found.append((markup.span(float(job.progress["eta"])), "left, at most"))
    energy = card.get("energy") or job.progress.get("energy") or {}
    if isinstance(energy, dict) and isinstance(energy.get("kwh"), (int, float)):
        words = "electricity" if card.get("energy") else "electricity so far, about"
        found += [(f"{energy['kwh'] * 1000:.3g} Wh", words), (f"{energy.get('co2_grams', 0):.2g} g", "CO₂")]
    if isinstance(energy, dict) and isinstance(energy.get("seconds"), (int, float)):
        found.append((markup.span(energy["seconds"]), "of training"))
    return found


def _strip(shelf: Shelf, run: Path, chosen: Any) -> list[dict[str, Any]]:
    """The samples of a few steps from first to last; the row nearest to the chosen step is marked."""
    by_step: dict[int, list[Path]] = {}
    for path in sorted((run / "samples").glob("step-*-*.png")):
        by_step.setdefault(int(path.stem.split("-")[1]), []).append(path)
    steps = sorted(by_step)
    mark = min(steps, key=lambda step: abs(step - chosen), default=None) if isinstance(chosen, int) else None
    if len(steps) > STRIP:
        spread = {steps[round(at * (len(steps) - 1) / (STRIP - 1))] for at in range(STRIP)} | (
            {mark} if mark is not None else set()
        )
        steps = sorted(spread)
    return [
        {"step": step, "chosen": step == mark, "pictures": [shelf.media_url(path, 320) for path in by_step[step][:4]]}
        for step in steps
    ]


def _card(shelf: Shelf, name: str) -> dict[str, Any]:
    try:
        return shelf.style(files.slug(name)).card
    except ShelfError:
        return {}


def styles_html(shelf: Shelf) -> str:
    """Her finished styles."""
    return markup.part("styles", styles=[_style(shelf, one) for one in shelf.styles() if one.folder.is_relative_to(shelf.home)])


def _style(shelf: Shelf, one: Style) -> dict[str, Any]:
    card = one.card
    data, scores = card.get("data", {}), card.get("scores", {})
    figures = [
        (str(data.get("kept", "?")), "works"),
        (f"{card.get('chosen_step', '?')} of {card.get('steps', '?')}", "step"),
        (f"{scores['held_out_loss']:.4f}" if isinstance(scores.get("held_out_loss"), float) else "?", "held-out loss"),
        (str(one.base.get("name", "?")), "base"),
    ]
    return {
        "name": one.name, "trigger": one.trigger, "reason": card.get("reason", ""), "figures": figures,
        "small": shelf.media_url(one.preview, 700), "large": shelf.media_url(one.preview),
    }  # fmt: skip
