"""Teach a base one portfolio's style: the only training loop there is.

    python -m artlab.finetune FOLDER            (the same as `artlab finetune FOLDER`)

In reading order: the works are gathered and curated, the base is loaded, works are split and their latents cached (`preparation`),
an adapter is attached, and then the loop takes a step and tells its listeners (`course`), until the steps are up or the held-out
loss rises; the style is written with its card (`card`). `plan` says before the start what it will take.
"""

import sys
from collections.abc import Callable
from pathlib import Path

from artlab import energy, rundir, style
from artlab.bases import load_base
from artlab.finetune.card import finish, folder_of
from artlab.finetune.course import Course
from artlab.finetune.plan import Plan, steps_for, trial
from artlab.finetune.preparation import accelerator_for, portfolio_of
from artlab.finetune.room import refuse_to_replace
from artlab.monitors import Report, print_step
from artlab.portfolio.curate import near_duplicate_groups
from artlab.portfolio.split import sides
from artlab.settings import Finetune

__all__ = ["Course", "Plan", "finetune", "steps_for"]


def finetune(
    settings: Finetune, report: Report = print_step, say: Callable[[str], None] = lambda text: print(text, file=sys.stderr)
) -> style.Style:
    """Train and save a style; `report` hears every step and may raise to stop, `say` hears sentences.

    Raises PortfolioError, BaseError, ResumeError or TrainingError with the way out, and Interrupted after a signal, when the state
    is saved. The same call then goes on; its result is bit-equal to that of an uninterrupted run (on the CPU).
    """
    accelerator = accelerator_for(settings)
    say = say if accelerator.is_main_process else _silent
    portfolio = portfolio_of(settings, say)
    name = settings.name or portfolio.name
    refuse_to_replace(folder_of(settings, name), portfolio, settings)
    base = load_base(
        settings.base,
        device=settings.device if settings.device != "auto" else str(accelerator.device),
        precision=settings.mixed_precision,
    )
    split = sides(
        portfolio.kept,
        seed=settings.seed,
        validation=settings.validation_split,
        fold=settings.fold,
        groups=near_duplicate_groups(portfolio.kept),
    )
    total = steps_for(settings, len(split.train), accelerator.num_processes)
    if settings.dry_run:
        plan = trial(base, settings, total, split, accelerator)
        say(str(plan))
        return style.Style(name, folder_of(settings, name), portfolio.trigger, base.describe(), Path(), {"plan": plan.__dict__})
    run = rundir.open_run(name, settings, data=portfolio.fingerprint, base=base.fingerprint)
    if (finished := run.finished()) is not None:
        say(f"“{name}” is already trained with these settings: {finished['style']}. Use --no-resume to train it anew.")
        return style.load(finished["style"])  # an --output_dir given only now changes nothing: the style is where it says
    plan = trial(base, settings, total, split, accelerator)
    say(str(plan))
    meter = energy.Meter(settings.country)
    try:
        with energy.measure(settings.country) as meter:
            course = Course(settings, portfolio, base, split, run, plan.steps, accelerator, report, say)
            course.run_through()
    finally:
        if accelerator.is_main_process:
            run.add_sitting(meter.summary())
    finished_style = finish(course, name) if accelerator.is_main_process else None
    accelerator.wait_for_everyone()
    say(f"Took {meter.sentence()}")
    return finished_style or style.load(folder_of(settings, name))


def _silent(_: str) -> None:
    return None
