"""The noise of a discrete diffusion model: how much at which time, what is asked of the network, and the loss' weight.

Times run from 0 (clean) to 1 (all noise). alpha_t and sigma_t are the shares of picture and noise: x_t = alpha_t x_0 + sigma_t noise.
"""

from typing import Any

import torch
from diffusers import DDIMScheduler, DPMSolverMultistepScheduler, EulerDiscreteScheduler
from torch import Tensor

from artlab.bases.base import BaseError

SAMPLERS: dict[str, tuple[Any, dict[str, Any]]] = {
    "ddim": (DDIMScheduler, {"clip_sample": False, "set_alpha_to_one": True}),
    "dpm++": (DPMSolverMultistepScheduler, {"algorithm_type": "dpmsolver++", "solver_order": 2, "final_sigmas_type": "zero"}),
    "euler": (EulerDiscreteScheduler, {}),
}


class Schedule:
    """The training noise schedule of a model, read from its scheduler's config (`prediction_type`, betas, terminal SNR)."""

    def __init__(self, config: dict[str, Any]) -> None:
        self.config = dict(config)
        self.prediction: str = config.get("prediction_type", "epsilon")
        if self.prediction not in ("epsilon", "v_prediction"):
            raise BaseError(f"The base predicts “{self.prediction}”; artlab trains bases that predict epsilon or v_prediction.")
        alphas_cumprod = DDIMScheduler.from_config(self.config).alphas_cumprod
        self.alpha, self.sigma = alphas_cumprod.sqrt().float(), (1 - alphas_cumprod).sqrt().float()

    def steps(self, times: Tensor) -> Tensor:
        """Times (n,) in [0, 1] to the model's own integer timesteps."""
        count = len(self.alpha)
        return (times * count).long().clamp(0, count - 1)

    def noised(self, latents: Tensor, noise: Tensor, steps: Tensor) -> Tensor:
        """x_t for latents (n, c, h, w)."""
        alpha, sigma = self._at(steps, latents)
        return alpha * latents + sigma * noise

    def target(self, latents: Tensor, noise: Tensor, steps: Tensor) -> Tensor:
        """What the network is asked for: the noise, or the velocity alpha noise - sigma x_0 (Salimans and Ho 2022)."""
        if self.prediction == "epsilon":
            return noise
        alpha, sigma = self._at(steps, latents)
        return alpha * noise - sigma * latents

    def clean(self, x_t: Tensor, output: Tensor, steps: Tensor) -> Tensor:
        """The network's guess of x_0."""
        alpha, sigma = self._at(steps, x_t)
        if self.prediction == "epsilon":
            return (x_t - sigma * output) / alpha.clamp_min(1e-6)
        return alpha * x_t - sigma * output

    def weight(self, steps: Tensor, gamma: float | None) -> Tensor:
        """Min-SNR weight (n,) (Hang et al. 2023, arXiv 2303.09556): min(snr, gamma) / snr for noise, / (snr + 1) for velocity."""
        if gamma is None:
            return torch.ones(len(steps))
        alpha, sigma = self.alpha[steps.cpu()], self.sigma[steps.cpu()]
        snr = (alpha / sigma.clamp_min(1e-8)) ** 2
        return snr.clamp(max=gamma) / (snr + 1 if self.prediction == "v_prediction" else snr.clamp_min(1e-8))

    def sampler(self, name: str, steps: int) -> Any:
        """A diffusers scheduler set to `steps`, deterministic, with this model's noise."""
        if name not in SAMPLERS:
            raise ValueError(f"There is no sampler “{name}”; choose one of {', '.join(SAMPLERS)}.")
        kind, extra = SAMPLERS[name]
        wanted = {**self.config, **extra, "timestep_spacing": "trailing"}
        wanted.pop("_class_name", None)
        scheduler = kind.from_config(wanted)
        scheduler.set_timesteps(steps)
        return scheduler

    def _at(self, steps: Tensor, like: Tensor) -> tuple[Tensor, Tensor]:
        shape = (-1, *[1] * (like.dim() - 1))
        index = steps.cpu()
        return self.alpha[index].to(like).view(shape), self.sigma[index].to(like).view(shape)
