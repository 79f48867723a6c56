"""Update rules and learning-rate schedules by name, and their state as plain tensors and numbers (no pickle)."""

import json
from collections.abc import Iterable
from typing import Any

import torch
from diffusers.optimization import get_scheduler
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors
from torch import nn
from torch.optim.lr_scheduler import LRScheduler

from artlab.settings import Finetune


def build(settings: Finetune, parameters: Iterable[nn.Parameter], learning_rate: float) -> torch.optim.Optimizer:
    """The optimizer that the settings name. `parameters` may be a generator: it is read once, here."""
    given = list(parameters)
    betas, decay = (settings.adam_beta1, settings.adam_beta2), settings.weight_decay
    match settings.optimizer:
        case "adamw":
            return torch.optim.AdamW(given, lr=learning_rate, betas=betas, weight_decay=decay)
        case "adam":
            return torch.optim.Adam(given, lr=learning_rate, betas=betas, weight_decay=decay)
        case "rmsprop":
            return torch.optim.RMSprop(given, lr=learning_rate, alpha=settings.adam_beta2, weight_decay=decay)
        case "sgd":
            return torch.optim.SGD(given, lr=learning_rate, momentum=settings.adam_beta1, weight_decay=decay, nesterov=True)
        case "prodigy":
            from prodigyopt import Prodigy  # noqa: PLC0415 - few use it

            return Prodigy(
                given, lr=learning_rate, betas=betas, weight_decay=decay, use_bias_correction=True, safeguard_warmup=True
            )


def schedule(settings: Finetune, optimizer: torch.optim.Optimizer, total: int) -> LRScheduler:
    """The learning-rate schedule over `total` steps; warm-up is 5 % of them unless the settings say otherwise."""
    warmup = round(0.05 * total) if settings.lr_warmup_steps is None else min(settings.lr_warmup_steps, total)
    return get_scheduler(settings.lr_scheduler, optimizer, num_warmup_steps=warmup, num_training_steps=total)


def pack(optimizer: torch.optim.Optimizer, scheduler: LRScheduler) -> dict[str, bytes]:
    """Both states as two files: `optimizer.safetensors` for tensors, `optimizer.json` for everything else."""
    state = optimizer.state_dict()
    tensors, numbers = {}, {}
    for index, moments in state["state"].items():
        for name, value in moments.items():
            if isinstance(value, torch.Tensor):
                tensors[f"{index}.{name}"] = value.detach().cpu().contiguous().clone()
            else:
                numbers[f"{index}.{name}"] = value
    groups = [{k: _plain(v) for k, v in group.items()} for group in state["param_groups"]]
    rest = {k: v for k, v in scheduler.state_dict().items() if k != "lr_lambdas"}
    described = {"numbers": numbers, "groups": groups, "scheduler": rest}
    return {"optimizer.safetensors": save_tensors(tensors), "optimizer.json": json.dumps(described).encode()}


def unpack(optimizer: torch.optim.Optimizer, scheduler: LRScheduler, contents: dict[str, bytes]) -> None:
    """Put the states of `pack` back, so that the next update is bit-equal to the one that would have followed."""
    described = json.loads(contents["optimizer.json"])
    state: dict[int, dict[str, Any]] = {}
    for key, value in {**described["numbers"], **load_tensors(contents["optimizer.safetensors"])}.items():
        index, name = key.split(".", 1)
        state.setdefault(int(index), {})[name] = value
    groups = [{k: tuple(v) if k == "betas" else v for k, v in group.items()} for group in described["groups"]]
    optimizer.load_state_dict({"state": state, "param_groups": groups})
    scheduler.load_state_dict({**scheduler.state_dict(), **described["scheduler"]})


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, torch.Tensor) else value
