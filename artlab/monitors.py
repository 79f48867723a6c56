"""Listeners to a running training. All of them hear one small event, `Step`; each does one thing with it.

The held-out loss is *stable*: fixed noise, times in even strata, fixed works, so that two values differ by the adapter alone
(spacepxl, demystifying-sd-finetuning, 2025). Training loss is mostly the luck of the times drawn and chooses nothing here.
"""

import json
import sys
from collections.abc import Callable, Collection, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, TextIO

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from artlab import files, metrics
from artlab.bases import Base, seed_noise

TOLERANCE = 0.005


class Interrupted(BaseException):
    """The work was asked to stop, has saved its state, and can be resumed. `code` is the exit code of a command: 143 or 130."""

    def __init__(self, message: str, code: int = 143) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True)
class Step:
    """What happened in one optimizer step; `held_out`, `copying` and `pictures` are there only on the steps that made them."""

    step: int
    total: int
    loss: float
    learning_rate: float
    grad_norm: float
    pictures_per_second: float
    seconds_left: float
    held_out: float | None = None
    copying: float | None = None
    pictures: tuple[Path, ...] = ()
    message: str = ""


Report = Callable[[Step], Collection[str] | None]
"""A listener. What it answers is wished for: `save` saves at this step, `sample` makes samples at the next one."""


def print_step(step: Step, stream: TextIO | None = None) -> None:
    """A line that keeps overwriting itself on a terminal; elsewhere a line now and then, and one for each thing worth saying."""
    out = stream or sys.stderr
    left = f"{step.seconds_left / 60:.0f} min" if step.seconds_left >= 90 else f"{step.seconds_left:.0f} s"
    line = f"step {step.step}/{step.total}  loss {step.loss:.4f}  {step.pictures_per_second:.1f} pictures/s  {left} left"
    if step.held_out is not None:
        line += f"  held-out loss {step.held_out:.4f}"
    notable = bool(step.message) or step.held_out is not None or step.step == step.total
    if step.message:
        line += f"\n  {step.message}"
    if out.isatty():
        print(f"\r\x1b[K{line}", end="\n" if notable else "", file=out, flush=True)
    elif notable or step.step % 50 == 0:
        print(line, file=out, flush=True)


class Log:
    """The rows of a training as JSONL and for TensorBoard. Rows after `start` are of a past that did not happen: they are cut."""

    def __init__(self, folder: Path, start: int = 0) -> None:
        from torch.utils.tensorboard import SummaryWriter  # noqa: PLC0415 - slow to import

        self.path = folder / "log.jsonl"
        kept = [row for row in files.read_jsonl(self.path) if row["step"] <= start]
        folder.mkdir(parents=True, exist_ok=True)
        if self.path.exists():  # at one blow: a kill in the middle would lose the past
            files.write(self.path, "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in kept).encode())
        self.board = SummaryWriter(str(folder / "tensorboard"), purge_step=start or None)

    def __call__(self, step: Step) -> None:
        """Write one row."""
        row = asdict(step) | {"pictures": [picture.name for picture in step.pictures]}
        row = {key: value for key, value in row.items() if value not in (None, "", [])}
        files.append_jsonl(self.path, row)
        tags = {"loss/train": step.loss, "lr": step.learning_rate, "grad_norm": step.grad_norm}
        tags |= {"loss/validation/step_average": step.held_out} if step.held_out is not None else {}
        tags |= {"copying": step.copying} if step.copying is not None else {}
        for tag, value in tags.items():
            self.board.add_scalar(tag, value, step.step)

    def close(self) -> None:
        """Flush what TensorBoard still holds."""
        self.board.close()


class HeldOutLoss:
    """Mean loss over held-out works at `times` strata and `noises` fixed noises each; nothing random is left in it."""

    def __init__(
        self, base: Base, latents: Sequence[Tensor], conditions: Sequence[dict[str, Tensor]], *, times: int = 8, noises: int = 2
    ) -> None:
        self.base = base
        self.rows = [(z, c, t, n) for n in range(noises) for t in range(times) for z, c in zip(latents, conditions, strict=True)]
        self.times = times

    @torch.no_grad()
    def __call__(self, batch: int = 8, snr_gamma: float | None = 5.0) -> float:
        """The loss of the denoiser as it is now."""
        total = 0.0
        for same in _by_shape(self.rows, batch):
            latents = torch.stack([row[0] for _, row in same])
            condition = {key: torch.stack([row[1][key] for _, row in same]) for key in same[0][1][1]}
            times = torch.tensor([(row[2] + 0.5) / self.times for _, row in same])
            noise = seed_noise([index for index, _ in same], tuple(latents.shape[1:]))
            total += float(self.base.loss(latents, condition, noise=noise, times=times, snr_gamma=snr_gamma).sum())
        return total / len(self.rows)


def _by_shape(rows: Sequence[tuple[Tensor, Any, int, int]], batch: int) -> list[list[tuple[int, tuple[Tensor, Any, int, int]]]]:
    groups: dict[tuple[int, ...], list[tuple[int, tuple[Tensor, Any, int, int]]]] = {}
    for index, row in enumerate(rows):
        groups.setdefault(tuple(row[0].shape), []).append((index, row))
    return [group[at : at + batch] for group in groups.values() for at in range(0, len(group), batch)]


@dataclass
class Choice:
    """Which weights to keep: the latest whose held-out loss is within `TOLERANCE` of the lowest and which do not copy.

    The latest and not the lowest, because style goes on growing for a while after the loss is flat; for the same reason only steps that
    are not kept count against `patience`. `weights` are the chosen ones.
    """

    patience: int
    best: float = float("inf")
    best_step: int = 0
    step: int = 0
    value: float = float("inf")
    waited: int = 0
    copied: bool = False
    history: list[tuple[int, float]] = field(default_factory=list)
    weights: dict[str, Tensor] = field(default_factory=dict)
    told: str = ""

    def hear(self, step: int, held_out: float, weights: dict[str, Tensor], *, copying: bool) -> bool:
        """Take in one held-out loss; True when it is time to stop early."""
        self.history.append((step, held_out))
        if held_out < self.best:
            self.best, self.best_step = held_out, step
        self.copied |= copying
        kept = held_out <= self.best * (1 + TOLERANCE) and (not copying or not self.weights)
        self.waited = 0 if kept else self.waited + 1
        if kept:
            self.step, self.value = step, held_out
            self.weights = {key: value.clone() for key, value in weights.items()}
        return bool(self.patience) and self.waited >= self.patience

    @property
    def reason(self) -> str:
        """Why this step was chosen, in a sentence for the card."""
        if self.told:
            return self.told
        if len(self.history) < 2:
            return f"Step {self.step} was the only one measured."
        if self.copied:
            return f"Step {self.step} was chosen: held-out loss {self.value:.4f}; steps whose samples came too close to single works were passed over."
        last = self.history[-1]
        if self.step == last[0]:
            return f"Step {self.step}, the last, was chosen: its held-out loss {self.value:.4f} is still at the lowest ({self.best:.4f})."
        return (
            f"Step {self.step} was chosen: its held-out loss {self.value:.4f} is within {TOLERANCE:.1%} of the lowest ({self.best:.4f} at step "
            f"{self.best_step}); by step {last[0]} it had risen to {last[1]:.4f}."
        )

    def take(self, step: int, reason: str, weights: dict[str, Tensor]) -> None:
        """Keep the step that somebody else has chosen, with the reason; its held-out loss is that of the last measurement until then."""
        self.step, self.told, self.weights = step, reason, weights
        self.value = next((loss for at, loss in reversed(self.history) if at <= step), self.value)

    def state(self) -> dict[str, Any]:
        """Everything but the weights, as JSON."""
        return {k: v for k, v in self.__dict__.items() if k != "weights"} | {
            "best": _number(self.best),
            "value": _number(self.value),
        }

    def restore(self, state: dict[str, Any], weights: dict[str, Tensor]) -> None:
        """Take up the state of an earlier sitting."""
        for key, value in state.items():
            setattr(self, key, float("inf") if value is None and key in ("best", "value") else value)
        self.history = [(int(step), float(value)) for step, value in state["history"]]
        self.weights = weights


def _number(value: float) -> float | None:
    return value if np.isfinite(value) else None


class Copying:
    """The copying alarm: how many samples lie nearer to one training work than nearly all works of the portfolio lie to each other.

    Distances are cosine distances of EfficientNet-Lite0 features. The bar is the 5th percentile of the works' own nearest distances,
    so that a harmless sample trips it about one time in twenty; the alarm wants a third of the samples.
    """

    SHARE = 1 / 3

    def __init__(self, works: Sequence[Image.Image]) -> None:
        self.works = metrics.features(works)
        distances, _ = metrics.nearest(self.works, self.works, itself=True) if len(works) > 1 else (np.zeros(1), None)
        self.bar = float(np.percentile(distances, 5))

    @staticmethod
    def words(share: float) -> str:
        """The alarm in a sentence."""
        return f"Copying alarm: {share:.0%} of the samples lie nearer to one of your works than 95 % of your works lie to each other."

    def __call__(self, samples: Sequence[Image.Image]) -> float:
        """Share of the samples that lie below the bar."""
        distances, _ = metrics.nearest(metrics.features(samples), self.works)
        return float((distances < self.bar).mean())
