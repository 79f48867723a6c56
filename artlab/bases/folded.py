"""Adapters trained through folded weights: a layer computes x (W + s B A)^T as one product, where peft computes three and adds.

The gradients are peft's own, to rounding. Of the two ways to them, the cheaper one is taken layer by layer: through the gradient
of the whole weight (dB = s dW A^T, dA = s B^T dW), or through the rank (dB = s g^T (x A^T), dA = s (g B)^T x). On a processor the
many small operations of the plain way, not its products, are what a step on a small model waits for.
"""

from types import MethodType
from typing import Any

import torch
from peft.tuners.lora import Linear
from torch import Tensor
from torch.nn import functional

from artlab.bases.base import Base

WHOLE = 4  # the whole weight's gradient pays while in * out < WHOLE * rank * (in + out): thin products run at about half the rate


def fold(base: Base, adapter: str = "default") -> int:
    """Let every adapted linear layer compute through its folded weight; how many do.

    Only in float32: the sum of a weight and a small update would round the update away in bfloat16. Taking the adapter off
    (`lora.detach`) undoes it.
    """
    if base.dtype != torch.float32:
        return 0
    layers = [module for module in base.denoiser.modules() if isinstance(module, Linear) and adapter in module.lora_A]
    for layer in layers:
        layer.forward = MethodType(_forward, layer)
    return len(layers)


def _forward(layer: Any, x: Tensor) -> Tensor:
    (adapter,) = layer.active_adapters
    plain, down, up = layer.base_layer, layer.lora_A[adapter].weight, layer.lora_B[adapter].weight
    return _Folded.apply(x, plain.weight, plain.bias, down, up, layer.scaling[adapter])


class _Folded(torch.autograd.Function):
    """x (..., in), W (out, in), A (rank, in), B (out, rank) -> x (W + s B A)^T + bias; W and bias are frozen."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None, down: Tensor, up: Tensor, scale: float) -> Tensor:
        folded = torch.addmm(weight, up, down, alpha=scale)
        ctx.save_for_backward(x, folded, down, up)
        ctx.scale = scale
        return functional.linear(x, folded, bias)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        x, folded, down, up = ctx.saved_tensors
        g = gradients[0].reshape(-1, folded.shape[0])
        flat = x.reshape(-1, folded.shape[1])
        (width_out, width_in), rank = folded.shape, len(down)
        if width_in * width_out < WHOLE * rank * (width_in + width_out):
            whole = g.t() @ flat
            d_up, d_down = whole @ down.t(), up.t() @ whole
        else:
            d_up, d_down = g.t() @ (flat @ down.t()), (g @ up).t() @ flat
        d_x = (g @ folded).view_as(x) if ctx.needs_input_grad[0] else None
        return d_x, None, None, d_down.mul_(ctx.scale), d_up.mul_(ctx.scale), None
