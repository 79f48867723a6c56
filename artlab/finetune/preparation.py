"""What a training reads: the works, their latents and text states, and the prompts that its samples are made with."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch
from accelerate import Accelerator

from artlab import files, sources
from artlab.bases import Base
from artlab.finetune import own_pictures
from artlab.monitors import HeldOutLoss
from artlab.portfolio import Portfolio, captions, curate, dataset, gather
from artlab.portfolio.augment import STILL, Augment, views_per_work
from artlab.portfolio.split import Split
from artlab.settings import Finetune
from artlab.trainer import Data

STRIP = 4


def portfolio_of(settings: Finetune, say: Callable[[str], None]) -> Portfolio:
    """The works that the settings name, read, captioned and curated."""
    source = sources.resolve(settings.portfolio)
    portfolio = curate(gather(source, name=settings.name, trigger=settings.trigger, say=say))
    return portfolio if settings.random_flip is None else replace(portfolio, flips=settings.random_flip)


def accelerator_for(settings: Finetune) -> Accelerator:
    """The processes and the device that the settings ask for."""
    precision = {"auto": "no", "fp32": "no", "bf16": "no", "fp16": "fp16"}[
        settings.mixed_precision
    ]  # the base autocasts by itself
    if settings.deterministic:
        torch.use_deterministic_algorithms(True)
    return Accelerator(mixed_precision=precision, cpu=settings.device == "cpu")


def prompts_for(settings: Finetune, portfolio: Portfolio) -> list[str]:
    """Fixed prompts of the strip: as told, or captions spread over the portfolio, with the trigger word."""
    if settings.validation_prompt:
        return list(settings.validation_prompt)
    texts = list(dict.fromkeys(work.caption for work in portfolio.kept if work.caption)) or [
        "a landscape",
        "a house",
        "a bird",
        "flowers",
    ]
    spread = [texts[(2 * k + 1) * len(texts) // (2 * STRIP)] for k in range(STRIP)]
    return [captions.with_trigger(text, portfolio.trigger) for text in spread]


def prepare(
    settings: Finetune, portfolio: Portfolio, base: Base, split: Split, steps: int, say: Callable[[str], None]
) -> tuple[Data, HeldOutLoss]:
    """Latents and text states of both sides, from the cache or made now."""
    how = Augment(crop_scale_min=settings.crop_scale_min, horizontal_flip=portfolio.flips)
    size: dict[str, Any] = {
        "resolution": settings.resolution or base.facts.resolution,
        "step": base.facts.bucket_step,
        "seed": settings.seed,
    }
    views = settings.views or views_per_work(len(split.train))
    items = dataset.plan(portfolio, split.train, augment=how, views=views, **size)
    held = dataset.plan(portfolio, split.validation, augment=STILL, views=1, **size) if split.validation else []
    cache = dataset.LatentCache(files.cache() / "latents")
    kind = f"{base.fingerprint}-{base.dtype}"
    latents = dataset.latents([*items, *held], base.encode, cache=cache, base=kind)
    texts = dataset.text_states([item.caption for item in [*items, *held]] + [""], base.condition, cache=cache, base=kind)
    own = own_pictures.of(settings, base, portfolio, split.train, steps, cache, say)
    measured = held or items[: max(1, len(items) // 10)]  # with nothing held out, a part of the training side is measured
    measured_latents = latents[len(items) :] if held else latents[: len(measured)]
    stable = HeldOutLoss(base, measured_latents, [texts[item.caption] for item in measured])
    return Data(items, latents[: len(items)], texts, own), stable
