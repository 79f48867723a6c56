"""`lora`: image to image with trained styles. The content is noised part of the way and denoised by a base that has learned the style.

SDEdit (Meng et al. 2022, arXiv 2108.01073) with LoRA adapters (Hu et al. 2021, arXiv 2106.09685) at their weights; pictures larger than the
base was made for go through it in windows (see `windows`).
"""

from collections.abc import Callable, Sequence

from PIL import Image
from torch import Tensor

from artlab.bases import Base, lora
from artlab.style import Style
from artlab.transfer import windows
from artlab.transfer.sources import TransferError

OnLatents = Callable[[int, int, Tensor], None]


def repaint(
    base: Base,
    content: Tensor,
    styles: Sequence[tuple[Style, float]],
    *,
    prompt: str,
    seed: int = 0,
    steps: int = 20,
    strength: float = 0.6,
    guidance: float | None = None,
    on_latents: OnLatents | None = None,
) -> Image.Image:
    """The picture (3, h, w), sides a multiple of the base's step, again in the styles. Raises TransferError for a style of another base."""
    check(base, [one for one, _ in styles])
    used = max(1, round(steps * strength))

    def seen(index: int, latents: Tensor) -> None:
        if on_latents:
            on_latents(index + 1, used, latents)

    try:
        lora.load_styles(base, [(one.weights, weight) for one, weight in styles])
        with windows.over(base):
            (picture,) = base.sample(
                base.condition([prompt]),
                [seed],
                steps=steps,
                guidance=base.facts.guidance_scale if guidance is None else guidance,
                size=(content.shape[2], content.shape[1]),
                start=(windows.encode(base, content), strength),
                on_step=seen,
            )
    finally:
        lora.detach(base)
    return picture


def check(base: Base, styles: Sequence[Style]) -> None:
    """Refuse a style that was taught on other weights than the base's."""
    for one in styles:
        if one.base["fingerprint"] != base.fingerprint:
            raise TransferError(
                f"The style “{one.name}” was taught on another base, “{one.base['name']}” with weights {one.base['fingerprint'][:8]}, "
                f"not “{base.name}” with {base.fingerprint[:8]}. Use it with its own (--base {one.base['name']})."
            )
