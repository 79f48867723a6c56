"""Where a sampling can be taken hold of from outside: its first noise, what happens before a step, what the network is asked."""

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

from artlab.bases.base import Condition

Guess = Callable[[Condition], Tensor]
"""The guided output of the denoiser for the latents of this step under a condition."""


def _nothing(index: int, steps: int) -> None:
    pass


@dataclass(frozen=True)
class Steering:
    """Given to `UNetBase.sample` by those that mix styles over the steps or over the picture.

    `noise` (n, c, h, w) is standard normal and stands in for the seeds' own. `before(index, steps)` is called before each step: it may
    change the weights of adapters. `output(guess)` gives the step's output in place of `guess(condition)`: it may ask for several
    conditions and join what comes back.
    """

    noise: Tensor | None = None
    before: Callable[[int, int], None] = _nothing
    output: Callable[[Guess], Tensor] | None = None
