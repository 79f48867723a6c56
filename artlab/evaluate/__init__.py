"""`artlab evaluate STYLE`: did it learn her voice, does it copy her works, does it still follow the prompt?

    material                     what is compared, brought to one size
    palette  figures  curve      the figures, the checkpoints
    verdict                      three sentences
    plots  report                the page
    judging                      all of it put together

In reading order: the works are gathered and split as the training split them, the style and the bare base paint the same prompts at
the same seeds, networks look at everything once, figures are taken of the features, and a page is written with the verdict first.
"""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from artlab import files, style
from artlab.evaluate import curve, judging, material, verdict
from artlab.evaluate.material import EvaluateError, Say
from artlab.evaluate.report import plain, write
from artlab.generate import Picture, generate
from artlab.generate import Progress as Made
from artlab.settings import Evaluate, Generate
from artlab.style import Style

__all__ = ["EvaluateError", "Evaluation", "Progress", "evaluate"]


@dataclass(frozen=True)
class Evaluation:
    """What came out: the page, report.json beside it, the verdict and all numbers."""

    path: Path
    verdict: tuple[str, ...]
    numbers: dict[str, Any]


@dataclass(frozen=True)
class Progress:
    """Where the work stands: parts done of all, and what is being done now."""

    done: int
    total: int
    message: str


Report = Callable[[Progress], None]


def print_progress(progress: Progress) -> None:
    """A line a part, on stderr."""
    print(f"[{progress.done}/{progress.total}] {progress.message}", file=sys.stderr)


def evaluate(
    settings: Evaluate, report: Report = print_progress, say: Say = lambda text: print(text, file=sys.stderr)
) -> Evaluation:
    """Judge a style, or a folder of pictures, against the works; write the page and report.json.

    Raises EvaluateError, PortfolioError, StyleError, BaseError or MetricError before anything is made, with the way out. `report` may
    raise to stop; pictures and features that are done are found again by the next call.
    """
    _check(settings)
    taught = style.load(settings.style) if settings.style else None
    judging.check_networks(settings.extractor)
    report(Progress(0, 5, "Looking at the works."))
    hers = material.works(settings, taught, say)
    folder = settings.output_dir or files.home() / "evaluations" / _name(settings, taught)
    for remark in hers.remarks:
        say(remark)
    if taught is None:
        made, base, remarks = _found(settings, say)
    else:
        made, base = _painted(settings, taught, hers, folder, report)
        remarks = []
    report(Progress(3, 5, "The networks look at everything."))
    seen = judging.look(settings, taught, hers, made, base, say)
    report(Progress(4, 5, "Taking the figures."))
    numbers = judging.numbers(seen)
    numbers["remarks"] += remarks
    steps = judging.curve_of(seen, folder, lambda text: report(Progress(4, 5, text)))
    found = steps if isinstance(steps, curve.Curve) else None
    numbers |= {"curve": found.numbers()} if found else {}
    numbers["remarks"] += [steps] if isinstance(steps, str) else []
    numbers["verdict"] = verdict.verdict(numbers)
    page = write(folder, numbers, judging.gallery(seen, numbers, found))
    report(Progress(5, 5, "The report is written."))
    for sentence in numbers["verdict"]:
        say(sentence)
    return Evaluation(page, tuple(numbers["verdict"]), plain(numbers))


def _check(settings: Evaluate) -> None:
    if bool(settings.style) == (settings.pictures is not None):
        raise EvaluateError("Name a style, or give a folder of pictures with --pictures: one of the two.")
    if settings.pictures is not None and not settings.portfolio:
        raise EvaluateError("Pictures are judged against works: say with --portfolio where those are.")
    if settings.control is not None and settings.pictures is None:
        raise EvaluateError("--control goes with --pictures; for a style the control is made with the bare base.")


def _name(settings: Evaluate, taught: Style | None) -> str:
    return taught.folder.name if taught else files.slug(Path(settings.pictures or "").expanduser().resolve().name)


def _painted(
    settings: Evaluate, taught: Style, hers: material.Works, folder: Path, report: Report
) -> tuple[material.Shown, material.Shown | None]:
    """Pictures of the style and, as control, of the bare base; made again only where they are not there."""
    wanted = material.spread(material.prompts(settings, hers), settings.count)

    def paint(styles: tuple[str, ...], place: str, at: int, who: str) -> material.Shown:
        pictures: dict[tuple[str, int], Picture] = {}
        for seed in sorted({seed for _, seed in wanted}):
            texts = tuple(text for text, one in wanted if one == seed)
            common = Generate(
                prompt=texts, style=styles, base=str(taught.base["name"]), seed=(settings.seed + seed,), batch_size=settings.batch_size,
                num_inference_steps=settings.num_inference_steps, guidance_scale=settings.guidance_scale, device=settings.device,
                output_dir=folder / place, upscale=False,
            )  # fmt: skip

            def tell(made: Made, before: int = len(pictures)) -> None:
                if made.message:
                    report(Progress(at, 5, made.message))
                elif made.picture:
                    report(Progress(at, 5, f"{who}: picture {before + made.done} of {settings.count}."))

            for text, picture in zip(texts, generate(common, tell), strict=True):
                pictures[text, seed] = picture
        found = [pictures[one] for one in wanted]
        return material.Shown(
            tuple(one.path for one in found), tuple(text for text, _ in wanted), tuple(one.recipe.seed for one in found)
        )

    made = paint((str(taught.folder),), "style", 1, "With the style")
    return made, paint((), "base", 2, "With the bare base") if settings.base_control else None


def _found(settings: Evaluate, say: Say) -> tuple[material.Shown, material.Shown | None, list[str]]:
    made, remarks = material.pictures(settings.pictures or Path(), say)
    if settings.control is None:
        return made, None, remarks
    control, more = material.pictures(settings.control, say)
    return made, control, [*remarks, *more]
