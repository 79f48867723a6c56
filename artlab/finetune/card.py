"""What a finished training leaves: the adapter with its metadata, a preview, and the card that tells everything about it."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from artlab import files, images, style
from artlab.bases import Base, lora
from artlab.finetune.course import Course, png
from artlab.finetune.own_pictures import imagined_count
from artlab.finetune.room import short_ids
from artlab.portfolio import Portfolio
from artlab.portfolio.split import Split
from artlab.settings import Finetune


def finish(course: Course, name: str) -> style.Style:
    """Write the style: the chosen weights, a preview, and the card last."""
    settings, base, choice = course.settings, course.base, course.choice
    scratch = course.run.folder / "lora.safetensors"
    alpha = settings.lora_alpha or float(settings.rank)
    lora.save(scratch, lora.spelled(base, choice.weights), metadata(settings, name, base, alpha, course.portfolio, choice.step))
    lora.load_styles(base, [(scratch, 1.0)])
    preview = images.contact_sheet(
        course.pictures(course.prompts, list(range(100, 100 + len(course.prompts)))), len(course.prompts)
    )
    lora.detach(base)
    folder = folder_of(settings, name)
    contents = {"lora.safetensors": scratch.read_bytes(), "preview.png": png(preview)}
    finished = style.save(folder, card(course, name), contents)
    course.run.finish(folder)
    course.say(f"The style “{name}” is in {folder}. {choice.reason}")
    return finished


def folder_of(settings: Finetune, name: str) -> Path:
    """Where the finished style goes."""
    return settings.output_dir or files.styles() / files.slug(name)


def card(course: Course, name: str) -> dict[str, Any]:
    """Everything about the style that its `style.json` keeps."""
    settings, base, choice = course.settings, course.base, course.choice
    return {
        "name": name,
        "trigger": course.portfolio.trigger,
        "base": base.describe(),
        "settings": settings.model_dump(mode="json", exclude={"portfolio", "output_dir"}),
        "data": _data_card(course.portfolio, course.split) | {"imagined": imagined_count(settings, base, course.total)},
        "steps": choice.history[-1][0],
        "chosen_step": choice.step,
        "reason": choice.reason,
        "scores": {"held_out_loss": choice.value, "history": choice.history}
        | ({"judge": [[s.step, s.nearness, s.follows, sum(s.copied)] for s in course.jury.scores]} if course.jury.scores else {}),
        "energy": _summed(course.run.sittings()),
        "licence_note": f"Adapter trained by artlab on works supplied by its user. Base: {base.facts.licence}.",
    }


def metadata(settings: Finetune, name: str, base: Base, alpha: float, portfolio: Portfolio, step: int) -> dict[str, str]:
    """Metadata that kohya's readers, ModelSpec's and artlab itself look for."""
    size = settings.resolution or base.facts.resolution
    kohya = {
        "ss_output_name": name, "ss_network_module": "networks.lora", "ss_network_dim": settings.rank, "ss_network_alpha": alpha,
        "ss_network_args": "{}", "ss_base_model_version": base.facts.ss_base_model_version, "ss_v2": base.facts.family == "sd2", "ss_sd_model_name": base.name,
        "ss_resolution": f"({size}, {size})", "ss_num_train_images": len(portfolio.kept), "ss_seed": settings.seed, "ss_steps": step,
        "ss_optimizer": settings.optimizer, "ss_lr_scheduler": settings.lr_scheduler, "ss_min_snr_gamma": settings.snr_gamma,
    }  # fmt: skip
    spec = {
        "modelspec.sai_model_spec": "1.0.1", "modelspec.architecture": base.facts.architecture, "modelspec.implementation": "diffusers",
        "modelspec.title": name, "modelspec.resolution": f"{size}x{size}", "modelspec.trigger_phrase": portfolio.trigger,
    }  # fmt: skip
    return {key: str(value) for key, value in {**kohya, **spec, "artlab.base_fingerprint": base.fingerprint}.items()}


def _data_card(portfolio: Portfolio, split: Split) -> dict[str, Any]:
    return {
        "works": len(portfolio.works),
        "kept": len(portfolio.kept),
        "trained_on": len(split.train),
        "held_out": len(split.validation),
        "refused": len(portfolio.refused),
        "fingerprint": portfolio.fingerprint,
        "ids": sorted(short_ids(portfolio)),
        "series": sorted({work.series for work in portfolio.kept if work.series}),
        "captions": [work.caption for work in portfolio.kept[:12]],
    }


def _summed(sittings: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The energy of all sittings together; one that was killed is not in it, and the card says how many there were."""
    keys = ("joules", "kwh", "co2_grams", "seconds", "cpu_seconds")
    last = sittings[-1]
    return {key: sum(row[key] for row in sittings) for key in keys} | {
        "country": last["country"],
        "how": last["how"],
        "sittings": len(sittings),
    }
