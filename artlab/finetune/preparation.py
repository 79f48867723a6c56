"""What a training reads: the works, their latents and text states, and the prompts that its samples are made with."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch
from accelerate import Accelerator
from torch import Tensor

from artlab import files, sources
from artlab.bases import Base
from artlab.monitors import HeldOutLoss
from artlab.portfolio import Portfolio, captions, curate, dataset, gather
from artlab.portfolio.augment import STILL, Augment, views_per_work
from artlab.portfolio.split import Split
from artlab.settings import Finetune
from artlab.trainer import Data

STRIP = 4
SAMPLING_STEPS = 20


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
    settings: Finetune, portfolio: Portfolio, base: Base, split: Split, say: Callable[[str], None]
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
    prior = _prior(settings, base, portfolio, say) if settings.prior_preservation else []
    measured = held or items[: max(1, len(items) // 10)]  # with nothing held out, a part of the training side is measured
    measured_latents = latents[len(items) :] if held else latents[: len(measured)]
    stable = HeldOutLoss(base, measured_latents, [texts[item.caption] for item in measured])
    return Data(items, latents[: len(items)], texts, prior), stable


def _prior(
    settings: Finetune, base: Base, portfolio: Portfolio, say: Callable[[str], None]
) -> list[tuple[Tensor, dict[str, Tensor]]]:
    """The base's own pictures of the same motifs, without the trigger word (prior preservation)."""
    texts = [work.caption or "a picture" for work in portfolio.kept][:32]
    say(f"Making {len(texts)} pictures with the bare base for prior preservation.")
    rows, side = [], settings.resolution or base.facts.resolution
    for index, text in enumerate(texts):
        condition = base.condition([text])
        picture = base.sample(
            condition, [settings.seed + index], steps=SAMPLING_STEPS, guidance=base.facts.guidance_scale, size=(side, side)
        )[0]
        pixels = torch.frombuffer(bytearray(picture.tobytes()), dtype=torch.uint8).view(picture.height, picture.width, 3)
        latents = base.encode(pixels.permute(2, 0, 1)[None].float() / 127.5 - 1)
        rows.append((latents[0].cpu(), {key: value[0].cpu() for key, value in condition.items()}))
    return rows
