"""The course of a training: it goes on from where the run stands, takes step after step, and tells its listeners."""

import io
import json
import time
from collections.abc import Callable, Collection
from pathlib import Path

import torch
from accelerate import Accelerator
from PIL import Image
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors

from artlab import files, images, rundir
from artlab.bases import Base, lora
from artlab.finetune.jury import Jury
from artlab.finetune.own_pictures import SAMPLING_STEPS
from artlab.finetune.preparation import prepare, prompts_for
from artlab.finetune.signals import Stop, signals
from artlab.monitors import Choice, Copying, Interrupted, Log, Report, Step
from artlab.portfolio import Portfolio, dataset
from artlab.portfolio.split import Split
from artlab.settings import Finetune
from artlab.trainer import BAD_STEPS, Trainer, TrainingError


class Course:
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
        self.prompts = prompts_for(settings, portfolio)
        self.data, self.held_out = prepare(settings, portfolio, base, split, total, say)
        self.trainer = Trainer(base, settings, total, accelerator)
        self.order = dataset.Order(
            self.data.items,
            self.trainer.batch,
            settings.seed,
            rank=accelerator.process_index,
            world_size=accelerator.num_processes,
        )
        self.choice = Choice(0 if settings.judge else settings.early_stopping_patience)
        self.jury = Jury(settings, portfolio, split, run, main=self.main)
        self.copying = Copying([images.open_image(work.path) for work in split.train]) if self.main else None
        self.every = {
            "held_out": settings.validation_steps or max(5, round(total / 20)),
            "sample": settings.sample_steps or max(10, round(total / 4)),
            "save": settings.checkpointing_steps or max(5, round(total / 10)),
            "judge": settings.judge_steps or max(5, round(total / 10)),
        }
        self.alarm = False
        self.rolled_back = 0

    def run_through(self) -> None:
        """Go from where the run stands to its end; after a signal, save and raise Interrupted."""
        at = self._resume()
        self.jury.go_back(at)
        at = self.total if self.jury.has_seen_enough else at
        log = Log(self.run.folder, at) if self.main else None
        with signals() as stop:
            try:
                self._loop(at, log, stop)
            finally:
                if log is not None:
                    log.close()
        if self.main and (chosen := self.jury.choice()) is not None:
            self.choice.take(chosen.step, chosen.reason, self.jury.weights(chosen.step))

    def _loop(self, at: int, log: Log | None, stop: Stop) -> None:
        if at == 0 and self.main:
            self._sample(0)
        if at == 0:
            self._judge(0)
        clock, began = _Clock(), at
        asked: Collection[str] = ()
        while at < self.total:
            taken = self.trainer.step(at, self.data, self.order.batch(at))
            at += 1
            message = "" if taken.finite else "The loss was not finite; the step was left out."
            if self.trainer.bad >= BAD_STEPS:
                at, message = self._roll_back(), f"{BAD_STEPS} steps in a row were not finite: back to the last checkpoint."
                continue
            held_out, end = self._measure(at), at == self.total
            due = at % self.every["sample"] == 0 or end or "sample" in asked
            pictures, copying = self._sample(at) if self.main and due else ((), None)
            if copying is not None:
                self.alarm = copying > Copying.SHARE
                message = Copying.words(copying) if self.alarm else message
            enough = held_out is not None and self._hear(at, held_out)
            judged = (at % self.every["judge"] == 0 or end) and not self.trainer.bad and self._judge(at)
            rate, left = clock(at - began, self.trainer.batch * self.accelerator.num_processes, self.total - at)
            step = Step(
                at, self.total, taken.loss if taken.finite else -1.0, float(self.trainer.scheduler.get_last_lr()[0]),
                taken.norm if taken.finite else -1.0, rate, left, held_out, copying, pictures, message,
            )  # fmt: skip
            if log is not None:
                log(step)
                asked = self.report(step) or ()
            if at % self.every["save"] == 0 or end or enough or judged or stop.asked or "save" in asked:
                self._save(at)
            if stop.asked:
                raise Interrupted(f"Stopped at step {at} of {self.total}; the same command goes on from there.", stop.code)
            if judged and not end:
                self.say(f"Stopped early at step {at}: the judge has seen enough.")
                return
            if enough:
                self.say(
                    f"Stopped early at step {at}: {self.choice.waited} times in a row the held-out loss had risen, or samples came too close."
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

    def _judge(self, at: int) -> bool:
        """Keep the averaged adapter, and have its pictures judged; True when it is time to stop."""
        self.trainer.swap()
        try:
            self.jury.keep(at, lora.state(self.base), {"artlab.base_fingerprint": self.base.fingerprint})
            with torch.random.fork_rng(devices=[]):
                return self.jury.hear(at, self.pictures)
        finally:
            self.trainer.swap()

    def _sample(self, at: int) -> tuple[tuple[Path, ...], float]:
        """Pictures of the averaged adapter at the fixed prompts and seeds, and the share of them that come too close to a work."""
        self.trainer.swap()
        try:
            with torch.random.fork_rng(devices=[]):
                made = self.pictures(self.prompts, list(range(len(self.prompts))))
        finally:
            self.trainer.swap()
        paths = []
        for index, picture in enumerate(self.base.upscale(made)):
            path = self.run.samples / f"step-{at:06d}-{index}.png"
            files.write(path, png(picture))
            paths.append(path)
        return tuple(paths), self.copying(made) if self.copying else 0.0

    def pictures(self, prompts: list[str], seeds: list[int]) -> list[Image.Image]:
        """A picture of each prompt, at its seed, with the denoiser as it is now."""
        side = self.settings.resolution or self.base.facts.resolution
        condition = self.base.condition(prompts)
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
        self.jury.go_back(at)
        return at


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


def png(picture: Image.Image) -> bytes:
    """The picture as a PNG file."""
    buffer = io.BytesIO()
    picture.save(buffer, "PNG")
    return buffer.getvalue()
