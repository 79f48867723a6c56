"""Teach a base one portfolio's style: the only training loop there is.

    python -m artlab.finetune FOLDER            (the same as `artlab finetune FOLDER`)

In reading order: the works are gathered and curated, the base is loaded, works are split and their latents cached, an adapter is
attached, and then the loop takes a step and tells its listeners, until the steps are up or the held-out loss has stopped falling.
"""

import contextlib
import io
import json
import math
import resource
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from PIL import Image
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors
from torch import Tensor

from artlab import energy, files, images, rundir, sources, style
from artlab.bases import Base, load_base, lora
from artlab.monitors import Choice, Copying, HeldOutLoss, Interrupted, Log, Report, Step, print_step
from artlab.portfolio import Portfolio, captions, curate, dataset, gather
from artlab.portfolio.augment import STILL, Augment, views_per_work
from artlab.portfolio.curate import near_duplicate_groups
from artlab.portfolio.split import Split, sides
from artlab.settings import Finetune
from artlab.trainer import BAD_STEPS, Data, Trainer, TrainingError

STRIP = 4
SAMPLING_STEPS = 20
EPOCHS = 100


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


def finetune(
    settings: Finetune, report: Report = print_step, say: Callable[[str], None] = lambda text: print(text, file=sys.stderr)
) -> style.Style:
    """Train and save a style; `report` hears every step and may raise to stop, `say` hears sentences.

    Raises PortfolioError, BaseError, ResumeError or TrainingError with the way out, and Interrupted after a signal, when the state
    is saved. The same call then goes on; its result is bit-equal to that of an uninterrupted run (on the CPU).
    """
    accelerator = _accelerator(settings)
    say = say if accelerator.is_main_process else _silent
    portfolio = _portfolio(settings, say)
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
    name = settings.name or portfolio.name
    if settings.dry_run:
        plan = _trial(base, settings, total, split, accelerator)
        say(str(plan))
        return style.Style(
            name, files.styles() / files.slug(name), portfolio.trigger, base.describe(), Path(), {"plan": plan.__dict__}
        )
    run = rundir.open_run(name, settings, data=portfolio.fingerprint, base=base.fingerprint)
    if (finished := run.finished()) is not None:
        say(f"“{name}” is already trained with these settings: {finished['style']}. Use --no-resume to train it anew.")
        return style.load(finished["style"])  # an --output_dir given only now changes nothing: the style is where it says
    plan = _trial(base, settings, total, split, accelerator)
    say(str(plan))
    meter = energy.Meter(settings.country)
    try:
        with energy.measure(settings.country) as meter:
            course = _Course(settings, portfolio, base, split, run, plan.steps, accelerator, report, say)
            course.run_through()
    finally:
        if accelerator.is_main_process:
            run.add_sitting(meter.summary())
    finished_style = course.finish(name) if accelerator.is_main_process else None
    accelerator.wait_for_everyone()
    say(f"Took {meter.sentence()}")
    return finished_style or style.load(settings.output_dir or files.styles() / files.slug(name))


def steps_for(settings: Finetune, works: int, processes: int = 1) -> int:
    """Steps of a run: as told, or about a hundred passes over the works, within 200 and 2,000 steps of 8 pictures."""
    batch = settings.train_batch_size * settings.gradient_accumulation_steps * processes
    if settings.max_train_steps:
        return settings.max_train_steps
    if settings.num_train_epochs:
        return math.ceil(settings.num_train_epochs * works / batch)
    return math.ceil(min(2000, max(200, EPOCHS * works / 8)) * 8 / batch)


class _Course:
    """One training from its first step to its last, with its listeners."""

    def __init__(
        self,
        settings: Finetune,
        portfolio: Portfolio,
        base: Base,
        split: Split,
        run: rundir.Run,
        total: int,
        accelerator: Accelerator,
        report: Report,
        say: Callable[[str], None],
    ) -> None:
        self.settings, self.portfolio, self.base, self.split = settings, portfolio, base, split
        self.run, self.total, self.accelerator, self.report, self.say = run, total, accelerator, report, say
        self.main = accelerator.is_main_process
        self.prompts = _prompts(settings, portfolio)
        self.data, self.held_out = _prepare(settings, portfolio, base, split, say)
        self.trainer = Trainer(base, settings, total, accelerator)
        self.order = dataset.Order(
            self.data.items,
            self.trainer.batch,
            settings.seed,
            rank=accelerator.process_index,
            world_size=accelerator.num_processes,
        )
        self.choice = Choice(settings.early_stopping_patience)
        self.copying = Copying([images.open_image(work.path) for work in split.train]) if self.main else None
        self.every = {
            "held_out": settings.validation_steps or max(5, round(total / 20)),
            "sample": settings.sample_steps or max(10, round(total / 4)),
            "save": settings.checkpointing_steps or max(5, round(total / 10)),
        }
        self.alarm = False
        self.rolled_back = 0

    def run_through(self) -> None:
        """Go from where the run stands to its end; after a signal, save and raise Interrupted."""
        at = self._resume()
        log = Log(self.run.folder, at) if self.main else None
        with _signals() as stop:
            try:
                self._loop(at, log, stop)
            finally:
                if log is not None:
                    log.close()

    def _loop(self, at: int, log: Log | None, stop: "_Stop") -> None:
        if at == 0 and self.main:
            self._sample(0)
        clock, began = _Clock(), at
        while at < self.total:
            taken = self.trainer.step(at, self.data, self.order.batch(at))
            at += 1
            message = "" if taken.finite else "The loss was not finite; the step was left out."
            if self.trainer.bad >= BAD_STEPS:
                at, message = self._roll_back(), f"{BAD_STEPS} steps in a row were not finite: back to the last checkpoint."
                continue
            held_out, end = self._measure(at), at == self.total
            pictures, copying = self._sample(at) if self.main and (at % self.every["sample"] == 0 or end) else ((), None)
            if copying is not None:
                self.alarm = copying > Copying.SHARE
                message = Copying.words(copying) if self.alarm else message
            enough = held_out is not None and self._hear(at, held_out)
            rate, left = clock(at - began, self.trainer.batch * self.accelerator.num_processes, self.total - at)
            step = Step(
                at, self.total, taken.loss if taken.finite else -1.0, float(self.trainer.scheduler.get_last_lr()[0]),
                taken.norm if taken.finite else -1.0, rate, left, held_out, copying, pictures, message,
            )  # fmt: skip
            if log is not None:
                log(step)
                self.report(step)
            if at % self.every["save"] == 0 or end or enough or stop.asked:
                self._save(at)
            if stop.asked:
                raise Interrupted(f"Stopped at step {at} of {self.total}; the same command goes on from there.", stop.code)
            if enough:
                self.say(
                    f"Stopped early at step {at}: the held-out loss has not fallen for {self.settings.early_stopping_patience} measurements."
                )
                return

    def _measure(self, at: int) -> float | None:
        if at % self.every["held_out"] and at != self.total:
            return None
        self.trainer.swap()
        value = self.held_out(self.trainer.micro, self.settings.snr_gamma)
        self.trainer.swap()
        return value

    def _hear(self, at: int, held_out: float) -> bool:
        self.trainer.swap()
        enough = self.choice.hear(at, held_out, lora.state(self.base), copying=self.alarm)
        self.trainer.swap()
        return enough

    def _sample(self, at: int) -> tuple[tuple[Path, ...], float]:
        """Pictures of the averaged adapter at the fixed prompts and seeds, and the share of them that come too close to a work."""
        self.trainer.swap()
        try:
            with torch.random.fork_rng(devices=[]):
                made = self._pictures(list(range(len(self.prompts))))
        finally:
            self.trainer.swap()
        paths = []
        for index, picture in enumerate(made):
            path = self.run.samples / f"step-{at:06d}-{index}.png"
            files.write(path, _png(picture))
            paths.append(path)
        return tuple(paths), self.copying(made) if self.copying else 0.0

    def _pictures(self, seeds: list[int]) -> list[Image.Image]:
        side = self.settings.resolution or self.base.facts.resolution
        condition = self.base.condition(self.prompts)
        return self.base.sample(
            condition, seeds, steps=SAMPLING_STEPS, guidance=self.base.facts.guidance_scale, size=(side, side)
        )

    def _save(self, at: int) -> None:
        if not self.main or self.trainer.bad:
            return
        contents = self.trainer.pack() | {
            "choice.json": json.dumps(self.choice.state()).encode(),
            "choice.safetensors": save_tensors(self.choice.weights),
        }
        self.run.save(at, contents, keep=self.settings.checkpoints_total_limit, say=self.say)

    def _resume(self) -> int:
        at, contents = self.run.load(self.say)
        if not at:
            return 0
        self.trainer.unpack(contents)
        self.choice.restore(json.loads(contents["choice.json"]), load_tensors(contents["choice.safetensors"]))
        self.say(f"Going on from step {at} of {self.total}.")
        waited = self.settings.early_stopping_patience and self.choice.waited >= self.settings.early_stopping_patience
        return self.total if waited else at

    def _roll_back(self) -> int:
        self.rolled_back += 1
        at, contents = self.run.load(self.say)
        if self.rolled_back > 1 or not at:
            raise TrainingError(
                f"The loss is not finite again and again (at step {at} of {self.total}). Lower --learning_rate or use --mixed_precision fp32."
            )
        self.trainer.unpack(contents)
        return at

    def finish(self, name: str) -> style.Style:
        """Write the style: the chosen weights, a preview, and the card last."""
        settings, sittings = self.settings, self.run.sittings()
        base, alpha = self.base, self.settings.lora_alpha or float(self.settings.rank)
        scratch = self.run.folder / "lora.safetensors"
        lora.save(scratch, self.choice.weights, _metadata(settings, name, base, alpha, self.portfolio, self.choice.step))
        lora.load_styles(base, [(scratch, 1.0)])
        preview = images.contact_sheet(self._pictures(list(range(100, 100 + len(self.prompts)))), len(self.prompts))
        lora.detach(base)
        card = {
            "name": name,
            "trigger": self.portfolio.trigger,
            "base": base.describe(),
            "settings": settings.model_dump(mode="json", exclude={"portfolio", "output_dir"}),
            "data": _data_card(self.portfolio, self.split),
            "steps": self.choice.history[-1][0],
            "chosen_step": self.choice.step,
            "reason": self.choice.reason,
            "scores": {"held_out_loss": self.choice.value, "history": self.choice.history},
            "energy": _summed(sittings),
            "licence_note": f"Adapter trained by artlab on works supplied by its user. Base: {base.facts.licence}.",
        }
        folder = settings.output_dir or files.styles() / files.slug(name)
        finished = style.save(folder, card, {"lora.safetensors": scratch.read_bytes(), "preview.png": _png(preview)})
        self.run.finish(folder)
        self.say(f"The style “{name}” is in {folder}. {self.choice.reason}")
        return finished


def _portfolio(settings: Finetune, say: Callable[[str], None]) -> Portfolio:
    source = sources.resolve(settings.portfolio)
    portfolio = curate(gather(source, name=settings.name, trigger=settings.trigger, say=say))
    return portfolio if settings.random_flip is None else replace(portfolio, flips=settings.random_flip)


def _prepare(
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


def _trial(base: Base, settings: Finetune, total: int, split: Split, accelerator: Accelerator) -> Plan:
    """Time two steps on noise, so that the estimate is this machine's own; nothing of them is kept."""
    if settings.gradient_checkpointing:
        base.denoiser.enable_gradient_checkpointing()  # type: ignore[operator]
        base.denoiser.train()
    trainer = Trainer(base, settings, total, accelerator)
    side = (settings.resolution or base.facts.resolution) // base.factor
    latents = [torch.randn(base.channels, side, side)]
    states = {key: value[0].cpu() for key, value in base.condition([""]).items()}
    item = dataset.Item("", 0, "", (side, side), 1.0, Path(), STILL, 0)
    seconds = []
    for trial in range(3):
        began = time.perf_counter()
        trainer.step(trial, Data([item], latents, {"": states}), [0] * trainer.batch)
        seconds.append(time.perf_counter() - began)
    lora.detach(base)
    return Plan(total, min(seconds[1:]) * total * 1.15, _peak(base.device), len(split.train), len(split.validation))


def _accelerator(settings: Finetune) -> Accelerator:
    precision = {"auto": "no", "fp32": "no", "bf16": "no", "fp16": "fp16"}[
        settings.mixed_precision
    ]  # the base autocasts by itself
    if settings.deterministic:
        torch.use_deterministic_algorithms(True)
    return Accelerator(mixed_precision=precision, cpu=settings.device == "cpu")


def _prompts(settings: Finetune, portfolio: Portfolio) -> list[str]:
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


def _metadata(settings: Finetune, name: str, base: Base, alpha: float, portfolio: Portfolio, step: int) -> dict[str, str]:
    """Metadata that kohya's readers, ModelSpec's and artlab itself look for."""
    size = settings.resolution or base.facts.resolution
    kohya = {
        "ss_output_name": name, "ss_network_module": "networks.lora", "ss_network_dim": settings.rank, "ss_network_alpha": alpha,
        "ss_network_args": "{}", "ss_base_model_version": base.facts.ss_base_model_version, "ss_v2": "False", "ss_sd_model_name": base.name,
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


@dataclass
class _Stop:
    asked: bool = False
    code: int = 143


@contextlib.contextmanager
def _signals() -> Iterator[_Stop]:
    """SIGTERM and the first Ctrl+C ask the loop to save and stop; a second Ctrl+C interrupts at once."""
    stop = _Stop()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return

    def hear(number: int, frame: object) -> None:
        if stop.asked and number == signal.SIGINT:
            raise KeyboardInterrupt
        stop.asked, stop.code = True, 128 + number

    before = {number: signal.signal(number, hear) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class _Clock:
    """Pictures per second so far and seconds left, the first steps left out: they warm the machine up."""

    def __init__(self) -> None:
        self.start, self.skipped = time.perf_counter(), 0

    def __call__(self, done: int, batch: int, left: int) -> tuple[float, float]:
        now = time.perf_counter()
        if done == 2:
            self.start, self.skipped = now, done
        rate = (done - self.skipped) / (now - self.start) if done > max(1, self.skipped) else 1e-9
        return rate * batch, left / rate if rate > 1e-6 else 0.0


def _peak(device: torch.device) -> int:
    if device.type == "cuda":
        return int(torch.cuda.max_memory_allocated(device))
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def _png(picture: Image.Image) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, "PNG")
    return buffer.getvalue()


def _minutes(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min"


def _silent(_: str) -> None:
    return None


if __name__ == "__main__":
    from artlab import cli

    sys.exit(cli.run_verb("finetune", sys.argv[1:]))
