"""`artlab demo`: the whole way on one page. A portfolio is curated and taught, then painted with.

The same prompts and seeds are painted without and with the style, and laid beside the nearest own work. The page is one
HTML file that needs no network: pictures are data URLs, the curve is SVG, and nothing in it runs.
"""

import base64
import io
import shlex
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import jinja2
from PIL import Image

from artlab import __version__, drawing, files, images, metrics, settings, sources
from artlab.finetune import finetune
from artlab.generate import Picture, generate, print_progress
from artlab.monitors import print_step
from artlab.portfolio import Artwork, Portfolio, curate, gather
from artlab.portfolio.preview import preview
from artlab.rundir import ResumeError
from artlab.settings import Demo, Finetune, Generate
from artlab.style import Style

# Motifs that the drawn artists share with everyone; two captions of the portfolio come before them.
MOTIFS = ("a fox in the snow", "a lighthouse by the sea")
THUMBNAIL, SHEET = 320, 1100


@dataclass(frozen=True)
class Comparison:
    """One prompt and seed: the base's picture, the style's, and the work of the artist that lies nearest to the style's."""

    base: Picture
    styled: Picture
    work: Artwork
    distance: float


def demo(settings: Demo, report: Callable[[Any], None] | None = None) -> Path:
    """Go the whole way; the path of the page. `report`, if given, hears the steps and pictures in place of the terminal."""
    source = settings.portfolio or f"{sources.DRAWN}{list(drawing.ARTISTS)[settings.seed % len(drawing.ARTISTS)]}"
    portfolio = curate(gather(sources.resolve(source), say=_say))
    _say(f"{portfolio.name}: {len(portfolio.kept)} works to learn from. Now they are taught; this takes the longest.")
    taught = _teach(settings, source, portfolio, report)
    folder = settings.output_dir or files.home() / "demos" / taught.folder.name
    comparisons = _compare(settings, portfolio, taught, folder / "pictures", report)
    page = folder / "index.html"
    files.write(page, render(source, portfolio, taught, files.runs() / files.slug(taught.name), comparisons).encode())
    _say("The page is finished; open it in a browser.")
    return page


def _teach(settings: Demo, source: str, portfolio: Portfolio, report: Callable[[Any], None] | None) -> Style:
    wanted = Finetune(
        portfolio=source,
        name=f"{portfolio.name} demo",
        trigger=portfolio.trigger,
        base=settings.base,
        max_train_steps=settings.max_train_steps,
        seed=settings.seed,
        device=settings.device,
    )
    try:
        return finetune(wanted, report or print_step)
    except ResumeError:  # an unfinished demo with other settings: a demo starts anew rather than ask
        return finetune(wanted.model_copy(update={"resume": False}), report or print_step)


def _compare(
    settings: Demo, portfolio: Portfolio, taught: Style, folder: Path, report: Callable[[Any], None] | None
) -> list[Comparison]:
    make = partial(
        Generate, prompt=prompts(portfolio), base=settings.base, seed=(settings.seed,), device=settings.device, output_dir=folder
    )
    plain = generate(make(), report or print_progress)
    styled = generate(make(style=(str(taught.folder),)), report or print_progress)
    works = portfolio.kept
    of_works = metrics.features([images.open_image(work.path) for work in works])
    of_pictures = metrics.features([images.open_image(one.path) for one in styled])
    distances, nearest = metrics.nearest(of_pictures, of_works)
    return [
        Comparison(base, style, works[int(index)], float(distance))
        for base, style, index, distance in zip(plain, styled, nearest, distances, strict=True)
    ]


def prompts(portfolio: Portfolio) -> tuple[str, ...]:
    """Two motifs of her own and two that anyone might ask for."""
    own = list(dict.fromkeys(work.caption for work in portfolio.kept if work.caption))
    return tuple(dict.fromkeys([*own[:: max(1, len(own) // 2)][:2], *MOTIFS]))


# -- the page ---------------------------------------------------------------------------------------------------------------


def render(source: str, portfolio: Portfolio, taught: Style, run: Path, comparisons: Sequence[Comparison]) -> str:
    """The page as HTML."""
    loader = jinja2.FileSystemLoader(files.package() / "templates")
    environment = jinja2.Environment(
        loader=loader, autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    artist = _artist(source)
    rows = [row for row in files.read_jsonl(run / "log.jsonl") if "step" in row]
    return environment.get_template("demo.html").render(
        name=artist.name if artist else portfolio.name,
        trigger=portfolio.trigger,
        statement=artist.statement if artist else "",
        works=[_work(work) for work in portfolio.works],
        kept=len(portfolio.kept),
        refused=portfolio.refused,
        sheet=data_url(images.fit(preview(portfolio, settings.Portfolio()), (SHEET, 100_000))),
        chart=chart(rows, int(taught.card["chosen_step"])),
        chosen_step=taught.card["chosen_step"],
        reason=taught.card["reason"],
        strip=strip(run / "samples", int(taught.card["chosen_step"])),
        comparisons=[_shown(one, taught) for one in comparisons],
        numbers=numbers(taught),
        energy=taught.card["energy"]["how"],
        teach=shlex.join(
            ["artlab", "finetune", _public(source), "--name", taught.name, "--seed", str(taught.card["settings"]["seed"])]
        ),
        version=__version__,
    )


def data_url(image: Image.Image, kind: str = "JPEG") -> str:
    """A picture as text that a page can hold."""
    stream = io.BytesIO()
    image.convert("RGB").save(stream, kind, quality=85)
    return f"data:image/{kind.lower()};base64,{base64.b64encode(stream.getvalue()).decode()}"


def numbers(taught: Style) -> list[tuple[str, str]]:
    """What the training took and gave, as (value, what it is)."""
    card, energy = taught.card, taught.card["energy"]
    scores = card.get("scores", {})
    found = [
        (f"{card['data']['kept']}", "works learned from"),
        (f"{card['chosen_step']} of {card['steps']}", "steps, the chosen one and the last"),
        (_span(energy["seconds"]), "of training"),
        (f"{energy['kwh'] * 1000:.3g} Wh", "of electricity"),
        (f"{energy['co2_grams']:.3g} g", f"of CO₂ ({energy['country']})"),
        (f"{taught.weights.stat().st_size / 1e6:.1f} MB", "is the size of the style"),
    ]
    if isinstance(scores.get("held_out_loss"), (int, float)):
        found.append((f"{scores['held_out_loss']:.4f}", "held-out loss"))
    return found


def strip(samples: Path, chosen: int) -> list[dict[str, Any]]:
    """The samples of each step, in order; the ones nearest to the chosen step are marked."""
    by_step: dict[int, list[Path]] = {}
    for path in sorted(samples.glob("step-*-*.png")):
        by_step.setdefault(int(path.stem.split("-")[1]), []).append(path)
    mark = min(by_step, key=lambda step: abs(step - chosen), default=None)
    return [
        {"step": step, "chosen": step == mark, "pictures": [data_url(images.open_image(path)) for path in paths]}
        for step, paths in sorted(by_step.items())
    ]


def chart(rows: Sequence[dict[str, Any]], chosen: int, *, width: int = 760, height: int = 300) -> dict[str, Any]:
    """The training curve as SVG coordinates: a smoothed training loss, the held-out losses, ticks, the chosen step."""
    train = smoothed([(row["step"], row["loss"]) for row in rows if row.get("loss", -1) >= 0])
    held = [(row["step"], row["held_out"]) for row in rows if row.get("held_out") is not None]
    if not train:
        return {}
    values = [value for _, value in [*train, *held]]
    low, high = min(values), max(values)
    low, high = low - 0.06 * (high - low or 1), high + 0.06 * (high - low or 1)
    last = max(step for step, _ in [*train, *held])
    left, right, top, bottom = 52, width - 16, 14, height - 34

    def x(step: float) -> float:
        return round(left + (right - left) * step / max(last, 1), 1)

    def y(value: float) -> float:
        return round(bottom - (bottom - top) * (value - low) / (high - low), 1)

    return {
        "width": width,
        "height": height,
        "train": " ".join(f"{x(step)},{y(value)}" for step, value in train),
        "held": [(x(step), y(value)) for step, value in held],
        "chosen": x(chosen),
        "anchor": "end" if x(chosen) > width / 2 else "start",
        "frame": (left, right, top, bottom),
        "x": [(x(last * part / 4), round(last * part / 4)) for part in range(5)],
        "y": [(y(value), f"{value:.3g}") for value in (low + (high - low) * part / 4 for part in range(5))],
        "said": f"Training loss over {last} steps, from {train[0][1]:.3g} to {train[-1][1]:.3g}"
        + (f"; held-out loss from {held[0][1]:.3g} to {held[-1][1]:.3g}." if held else "."),
    }


def smoothed(points: Sequence[tuple[int, float]], most: int = 300) -> list[tuple[int, float]]:
    """A running mean over a fortieth of the points, thinned to `most`: the loss of a single step is mostly luck."""
    reach = max(1, len(points) // 40)
    means = []
    for index, (step, _) in enumerate(points):
        around = points[max(0, index - reach) : index + reach + 1]
        means.append((step, sum(value for _, value in around) / len(around)))
    return means[:: max(1, len(means) // most)]


def _work(work: Artwork) -> dict[str, Any]:
    return {
        "image": data_url(images.fit(images.open_image(work.path), THUMBNAIL)),
        "name": work.name,
        "caption": work.caption,
        "marks": work.marks,
        "kept": work.kept,
    }


def _shown(one: Comparison, taught: Style) -> dict[str, Any]:
    return {
        "prompt": one.base.recipe.prompt,
        "read": one.styled.recipe.prompt,
        "seed": one.base.recipe.seed,
        "base": data_url(images.open_image(one.base.path), "PNG"),
        "styled": data_url(images.open_image(one.styled.path), "PNG"),
        "work": data_url(images.fit(images.open_image(one.work.path), THUMBNAIL)),
        "work_name": one.work.caption or one.work.name,
        "distance": f"{one.distance:.2f}",
        "commands": [command(one.base), command(one.styled, taught)],
    }


def command(picture: Picture, taught: Style | None = None) -> str:
    """The command line that makes the picture again."""
    made = picture.recipe
    words = ["artlab", "generate", str(made.extra.get("prompt_given", made.prompt)), "--seed", str(made.seed)]
    words += ["--style", taught.folder.name] if taught else ["--base", made.base.name]
    words += ["--num_inference_steps", str(made.steps), "--guidance_scale", f"{made.guidance:g}", "--sampler", made.sampler]
    return shlex.join(words)


def teaching(source: str, taught: Style) -> str:
    """The command line that teaches the style again: the settings of its card that are not the defaults."""
    words = ["artlab", "finetune", _public(source)]
    usual = Finetune().model_dump(mode="json")
    for key, value in taught.card["settings"].items():
        if key in usual and value != usual[key]:
            words += [f"--{key}", *map(_public, map(str, value if isinstance(value, list) else [value]))]
    return shlex.join(words)


def _artist(source: str) -> drawing.Artist | None:
    return drawing.ARTISTS.get(source.removeprefix(sources.DRAWN)) if source.startswith(sources.DRAWN) else None


def _public(source: str) -> str:
    """A path's last name: a page that is passed on need not tell where the artist keeps her files."""
    return Path(source).name if Path(source).exists() else source


def _span(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def _say(text: str) -> None:
    print(text, file=sys.stderr)
