"""The learning rate of a lesson: warm-up, a plateau, a fall at the end (a trapezoid, so that a run can be lengthened without starting anew)."""

import torch


def set_rate(optimizer: torch.optim.Optimizer, rate: float, step: int, steps: int, *, warm: int, fall: float) -> None:
    """Set the rate of step `step` of `steps`: it rises over `warm` steps and falls over the last share `fall`, to a fiftieth."""
    for group in optimizer.param_groups:
        group["lr"] = rate * min(1.0, (step + 1) / warm) * min(1.0, max(0.02, (steps - step) / (fall * steps)))
