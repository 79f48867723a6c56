"""Where a lesson stands, as one file of tensors in a whole-or-absent checkpoint: networks, their averages, the optimizer's moments."""

from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors
from torch import Tensor

from artlab import checkpoints

Weights = dict[str, Tensor]


def save(folder: Path, step: int, weights: Mapping[str, Weights], optimizer: torch.optim.Optimizer) -> None:
    """Write the checkpoint of `step`: each set of weights under its name, and the optimizer's moments."""
    state = {f"{name}.{key}": value.contiguous() for name, one in weights.items() for key, value in one.items()}
    for index, moments in optimizer.state_dict()["state"].items():
        state |= {f"optimizer.{index}.{key}": torch.as_tensor(value).contiguous() for key, value in moments.items()}
    checkpoints.save(folder, step, {"state.safetensors": save_tensors(state)})


def resume(folder: Path, weights: Mapping[str, Weights], optimizer: torch.optim.Optimizer) -> int:
    """Fill the weights, in place, and the optimizer from the newest checkpoint; the steps done, 0 where there is none."""
    newest = checkpoints.latest(folder) if folder.exists() else None
    if newest is None:
        return 0
    state = read(newest)
    with torch.no_grad():
        for name, one in weights.items():
            for key, value in under(state, f"{name}.").items():
                one[key].copy_(value)
    moments: dict[int, Weights] = {}
    for key, value in under(state, "optimizer.").items():
        index, name = key.split(".", 1)
        moments.setdefault(int(index), {})[name] = value
    optimizer.load_state_dict({**optimizer.state_dict(), "state": moments})
    return checkpoints.step_of(newest)


def read(checkpoint: Path) -> Weights:
    """All tensors of a checkpoint, by their full names."""
    return load_tensors((checkpoint / "state.safetensors").read_bytes())


def under(state: Weights, prefix: str) -> Weights:
    """The tensors whose names start with a prefix, without it."""
    return {key.removeprefix(prefix): value for key, value in state.items() if key.startswith(prefix)}
