"""What a training will take, said before it starts: steps by a rule, time and memory by trying two steps."""

import math
import resource
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from accelerate import Accelerator

from artlab.bases import Base, lora
from artlab.bases.attention import enable_checkpointing
from artlab.finetune import own_pictures
from artlab.finetune.own_pictures import SAMPLING_STEPS
from artlab.finetune.preparation import STRIP
from artlab.portfolio import dataset
from artlab.portfolio.augment import STILL, views_per_work
from artlab.portfolio.split import Split
from artlab.settings import Finetune
from artlab.trainer import Data, Trainer

EPOCHS = 100
STRATA = 16  # times and noises that a held-out work is measured at


@dataclass(frozen=True)
class Plan:
    """What a training will do, said before it starts."""

    steps: int
    seconds: float
    peak_bytes: int
    works: int
    held_out: int

    def __str__(self) -> str:
        return (
            f"{self.works} works to learn from, {self.held_out} held out; at most {self.steps} steps, about {_minutes(self.seconds)} on this machine "
            f"if none is saved by stopping early, {self.peak_bytes / 2**30:.1f} GiB of memory."
        )


def steps_for(settings: Finetune, works: int, processes: int = 1) -> int:
    """Steps of a run: as told, or about a hundred passes over the works, within 200 and 2,000 steps of 8 pictures."""
    batch = settings.train_batch_size * settings.gradient_accumulation_steps * processes
    if settings.max_train_steps:
        return settings.max_train_steps
    if settings.num_train_epochs:
        return math.ceil(settings.num_train_epochs * works / batch)
    return math.ceil(min(2000, max(200, EPOCHS * works / 8)) * 8 / batch)


def trial(base: Base, settings: Finetune, total: int, split: Split, accelerator: Accelerator) -> Plan:
    """Time two steps, an encoding and a sampling step, so that the estimate is this machine's own; nothing of them is kept."""
    if settings.gradient_checkpointing:
        enable_checkpointing(base.denoiser, base.device, base.dtype)
    trainer = Trainer(base, settings, total, accelerator)
    pixels = settings.resolution or base.facts.resolution
    side = pixels // base.factor
    latents = [torch.randn(base.channels, side, side)]
    states = {key: value[0].cpu() for key, value in base.condition([""]).items()}
    item = dataset.Item("", 0, "", (side, side), 1.0, Path(), STILL, 0)
    step = _timed(3, lambda trial: trainer.step(trial, Data([item], latents, {"": states}), [0] * trainer.batch))
    encode = _timed(2, lambda trial: base.encode(torch.zeros(1, 3, pixels, pixels)))
    with torch.random.fork_rng(devices=[]):
        picture = (
            _timed(1, lambda trial: base.sample(base.condition([""]), [0], steps=2, guidance=2.0, size=(pixels, pixels))) / 2
        )
    lora.detach(base)
    imagined = own_pictures.imagined_count(settings, base, total)
    pictures = STRIP * (2 + total // (settings.sample_steps or max(10, round(total / 4))))
    measured = max(1, len(split.validation)) * STRATA * (1 + total // (settings.validation_steps or max(5, round(total / 20))))
    seconds = (
        step * total * (1.25 if imagined or settings.prior_preservation else 1)
        + encode * len(split.train) * (settings.views or views_per_work(len(split.train)))
        + picture * SAMPLING_STEPS * (pictures + imagined)
        + step / trainer.batch / 3 * measured  # forward alone is about a third of a training step
    )
    return Plan(total, seconds * 1.1, _peak(base.device), len(split.train), len(split.validation))


def _timed(times: int, work: Callable[[int], object]) -> float:
    """Seconds of the quickest run but the first, which warms up (where there is more than one)."""
    seconds = []
    for trial in range(times):
        began = time.perf_counter()
        work(trial)
        seconds.append(time.perf_counter() - began)
    return min(seconds[1:] or seconds)


def _peak(device: torch.device) -> int:
    if device.type == "cuda":
        return int(torch.cuda.max_memory_allocated(device))
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def _minutes(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min"
