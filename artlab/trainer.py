"""The optimizer steps of a LoRA training: gradients, clipping, averages, and a state that can be packed and unpacked.

Noise, times and dropped captions are functions of seed, step and row, never of a running generator: a resumed run, another
micro-batch or a second process sees the same ones.
"""

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from accelerate import Accelerator
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors
from torch import Tensor

from artlab import optimizers
from artlab.bases import Base, folded, lora, seed_noise
from artlab.portfolio import dataset
from artlab.settings import Finetune

BAD_STEPS = 5


class TrainingError(ValueError):
    """A training that cannot go on: what happened and what to change."""


@dataclass(frozen=True)
class Own:
    """A picture of the base's own that is learned beside the works: its latents, what it is asked for with, its weight in the loss."""

    latents: Tensor
    condition: dict[str, Tensor]
    weight: float


@dataclass(frozen=True)
class Data:
    """Everything the steps read: items with their latents, text states by caption, and the base's own pictures, if any."""

    items: Sequence[dataset.Item]
    latents: Sequence[Tensor]
    texts: Mapping[str, dict[str, Tensor]]
    own: Sequence[Own] = ()


@dataclass(frozen=True)
class Taken:
    """What a step did. `norm` is the gradient's length before clipping; a step that was not finite changed nothing."""

    loss: float
    norm: float
    finite: bool


class Trainer:
    """The adapter under training on a base, its optimizer, its running average."""

    def __init__(self, base: Base, settings: Finetune, total: int, accelerator: Accelerator) -> None:
        self.base, self.settings, self.accelerator = base, settings, accelerator
        alpha = settings.lora_alpha or float(settings.rank)
        self.parameters = lora.attach(base, settings.rank, alpha, settings.lora_targets, settings.lora_dropout, settings.seed)
        if not settings.lora_dropout and base.device.type == "cpu":
            folded.fold(base)
        rate = settings.learning_rate or (1.0 if settings.optimizer == "prodigy" else base.facts.learning_rate)
        optimizer = optimizers.build(settings, self.parameters, rate)
        self.scheduler = optimizers.schedule(settings, optimizer, total)
        self.plain_optimizer, self.optimizer = optimizer, accelerator.prepare(optimizer)
        self.average = [p.detach().clone() for p in self.parameters]
        self.micro = math.ceil(settings.train_batch_size)
        self.halved = 0
        self.bad = 0

    @property
    def batch(self) -> int:
        """Pictures per step on this process."""
        return self.settings.train_batch_size * self.settings.gradient_accumulation_steps

    def step(self, step: int, data: Data, positions: Sequence[int]) -> Taken:
        """One optimizer step on the items at `positions`; steps count from 0."""
        torch.manual_seed(_mix(self.settings.seed, step, 1, self.accelerator.process_index))  # for the adapter's dropout alone
        loss = self._gradients(step, data, positions)
        self._share_gradients()
        norm = float(self.accelerator.clip_grad_norm_(self.parameters, self.settings.max_grad_norm))
        finite = math.isfinite(loss) and math.isfinite(norm)
        if finite or self.accelerator.scaler is not None:  # in fp16 the scaler itself skips such a step, and lowers its scale
            self.optimizer.step()
        if finite:
            self.scheduler.step()
            self._follow(step)
        self.optimizer.zero_grad(set_to_none=True)
        self.bad = 0 if finite else self.bad + 1
        return Taken(loss, norm, finite)

    def _gradients(self, step: int, data: Data, positions: Sequence[int]) -> float:
        """Add up the gradients of all micro-batches; when memory runs out, halve them and begin the step again."""
        while True:
            try:
                total = 0.0
                for rows in _chunks(range(len(positions)), self.micro):
                    losses = self._losses(step, data, positions, rows)
                    self.accelerator.backward(losses.sum() / len(positions))
                    total += float(losses.detach().sum())
                if data.own:
                    total += self._own(step, data.own, len(positions))
                return total / len(positions)
            except RuntimeError as error:
                if not is_out_of_memory(error):
                    raise
                self.optimizer.zero_grad(set_to_none=True)
                self._halve(error)

    def _halve(self, error: RuntimeError) -> None:
        if self.micro == 1 or self.halved == 3:
            raise TrainingError(
                f"Out of memory even with {self.micro} picture(s) at a time. Try --gradient_checkpointing, a smaller --resolution or --rank."
            ) from error
        self.micro, self.halved = math.ceil(self.micro / 2), self.halved + 1
        if torch.cuda.is_available():
            torch.cuda.empty_cache()

    def _losses(self, step: int, data: Data, positions: Sequence[int], rows: Sequence[int]) -> Tensor:
        """Losses (len(rows),) of some rows of the batch."""
        settings, first = self.settings, self.accelerator.process_index * len(positions)
        count = len(positions) * self.accelerator.num_processes
        latents = torch.stack([data.latents[positions[row]] for row in rows])
        captions = [
            ""
            if dataset.caption_dropout(step, first + row, settings.seed, settings.caption_dropout)
            else data.items[positions[row]].caption
            for row in rows
        ]
        noise = seed_noise([_mix(settings.seed, step, 2, first + row) for row in rows], tuple(latents.shape[1:]))
        if settings.noise_offset:
            noise = noise + settings.noise_offset * seed_noise(
                [_mix(settings.seed, step, 3, first + row) for row in rows], (latents.shape[1], 1, 1)
            )
        times = strata(settings.seed, step, count)[first + np.array(rows)]
        condition = _stacked([data.texts[caption] for caption in captions])
        return self.base.loss(latents, condition, noise=noise, times=times, snr_gamma=settings.snr_gamma)

    def _own(self, step: int, own: Sequence[Own], count: int) -> float:
        """Add the gradient of a quarter batch of the base's own pictures (prior preservation, Ruiz et al. 2023)."""
        settings, rank = self.settings, self.accelerator.process_index
        rng = np.random.default_rng([settings.seed, step, rank, 4])
        chosen = [own[k] for k in rng.choice(len(own), size=max(1, count // 4))]
        total = 0.0
        for rows in _chunks(range(len(chosen)), self.micro):
            some = [chosen[row] for row in rows]
            latents, condition = torch.stack([one.latents for one in some]), _stacked([one.condition for one in some])
            noise = seed_noise([_mix(settings.seed, step, 5, rank * len(chosen) + row) for row in rows], tuple(latents.shape[1:]))
            times = strata(settings.seed + 1, step, len(chosen))[np.array(rows)]
            losses = self.base.loss(latents, condition, noise=noise, times=times, snr_gamma=settings.snr_gamma)
            loss = (losses * losses.new_tensor([one.weight for one in some])).sum() / len(chosen)
            self.accelerator.backward(loss)
            total += float(loss.detach()) * count
        return total

    def _share_gradients(self) -> None:
        """Average the gradients over the processes in one message; adapters are small, so no wrapper is needed."""
        if self.accelerator.num_processes == 1:
            return
        gradients = [p.grad if p.grad is not None else torch.zeros_like(p) for p in self.parameters]
        flat = self.accelerator.reduce(torch.cat([g.flatten() for g in gradients]), reduction="mean")
        for parameter, part in zip(self.parameters, flat.split([p.numel() for p in self.parameters]), strict=True):
            parameter.grad = part.view_as(parameter).clone()

    @torch.no_grad()
    def _follow(self, step: int) -> None:
        decay = min(self.settings.ema_decay, (1 + step) / (10 + step))
        torch._foreach_lerp_(self.average, [p.detach() for p in self.parameters], 1 - decay)

    @torch.no_grad()
    def swap(self) -> None:
        """Exchange the adapter and its average: before measuring or sampling, and again after."""
        for parameter, average in zip(self.parameters, self.average, strict=True):
            kept = parameter.detach().clone()
            parameter.copy_(average)
            average.copy_(kept)

    def pack(self) -> dict[str, bytes]:
        """Adapter, average, optimizer, schedule and micro-batch, as the files of a checkpoint. Refuses what is not finite."""
        tensors = {f"adapter.{i}": p.detach().cpu().contiguous() for i, p in enumerate(self.parameters)}
        tensors |= {f"average.{i}": p.cpu().contiguous() for i, p in enumerate(self.average)}
        if not all(torch.isfinite(tensor).all() for tensor in tensors.values()):
            raise TrainingError("The adapter holds NaN or infinity and was not saved. Lower --learning_rate.")
        described = {"micro": self.micro, "halved": self.halved}
        return {
            "adapter.safetensors": save_tensors(tensors),
            "trainer.json": json.dumps(described).encode(),
            **optimizers.pack(self.plain_optimizer, self.scheduler),
        }

    @torch.no_grad()
    def unpack(self, contents: dict[str, bytes]) -> None:
        """Take up a packed state: the next step is bit-equal to the one that would have followed."""
        tensors = load_tensors(contents["adapter.safetensors"])
        for index, (parameter, average) in enumerate(zip(self.parameters, self.average, strict=True)):
            parameter.copy_(tensors[f"adapter.{index}"])
            average.copy_(tensors[f"average.{index}"])
        described = json.loads(contents["trainer.json"])
        self.micro, self.halved, self.bad = described["micro"], described["halved"], 0
        optimizers.unpack(self.plain_optimizer, self.scheduler, contents)


def strata(seed: int, step: int, count: int) -> Tensor:
    """Times (count,) in [0, 1): one in each of `count` equal strata, shifted by chance, in shuffled order."""
    rng = np.random.default_rng([seed, step, 6])
    return torch.from_numpy(((rng.permutation(count) + rng.random()) / count).astype(np.float32))


def is_out_of_memory(error: RuntimeError) -> bool:
    """Whether an error says that the device's or the machine's memory is used up."""
    return (
        isinstance(error, torch.cuda.OutOfMemoryError) or "out of memory" in str(error) or "can't allocate memory" in str(error)
    )


def _stacked(rows: Sequence[Mapping[str, Tensor]]) -> dict[str, Tensor]:
    return {key: torch.stack([row[key] for row in rows]) for key in rows[0]}


def _chunks(rows: Sequence[int], size: int) -> Iterator[Sequence[int]]:
    for at in range(0, len(rows), size):
        yield rows[at : at + size]


def _mix(*parts: int) -> int:
    """A seed from several numbers, without the collisions of sums."""
    return int(np.random.SeedSequence(parts).generate_state(1, np.uint64)[0] >> 1)
