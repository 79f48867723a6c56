"""The base's own pictures that are learned beside the works, so that it does not forget what words mean.

Two kinds. `prior`: pictures of the portfolio's motifs, without the trigger (prior preservation, Ruiz et al. 2023, arXiv 2208.12242); they keep the rest of
the world as it was. `imagined`: pictures of things that she never made, brought into the colours of her works
(`restyle`), with the trigger. A small base that has seen forty works under one word forgets what the other words of the prompt ask for; these show it that
they still mean the same, in her colours. Stroke and line it has from the works alone: what an algorithm makes of them at this size is cracks
(docs/EXPERIMENTS.md).
"""

from collections.abc import Callable, Sequence

import numpy as np
from PIL import Image
from torch import Tensor

from artlab import files, images
from artlab.bases import Base
from artlab.drawing.captions import layout_phrase, subject_phrase
from artlab.drawing.layouts import calm_layouts, compose
from artlab.drawing.subjects import SUBJECTS
from artlab.portfolio import Artwork, Portfolio, captions
from artlab.portfolio.dataset import LatentCache, Tensors
from artlab.restyle import colour, palette
from artlab.settings import Finetune
from artlab.trainer import Own

SAMPLING_STEPS = 20
MOST, EVERY = 48, 6
PRIOR, TOLD = 32, 6
WEIGHT = 1.0
"""Of an imagined picture in the loss, as much as all works together; half of it did one artist good and another harm (docs/EXPERIMENTS.md)."""
CODE = "3"
"""Part of every key in the cache: raise it when the same settings make other pictures."""

Say = Callable[[str], None]


def of(
    settings: Finetune, base: Base, portfolio: Portfolio, works: Sequence[Artwork], steps: int, cache: LatentCache, say: Say
) -> list[Own]:
    """All that the settings ask for; `works` are those that may be learned from."""
    count = imagined_count(settings, base, steps)
    return [
        *(_prior(settings, base, portfolio, say) if settings.prior_preservation else []),
        *(_imagined(settings, base, portfolio.trigger, works, count, cache, say) if count else []),
    ]


def imagined_count(settings: Finetune, base: Base, steps: int) -> int:
    """How many imagined pictures a training of `steps` shows."""
    if settings.imagined is not None:
        return settings.imagined
    return min(MOST, steps // EVERY) if base.facts.motifs else 0


def motifs(base: Base, count: int, seed: int) -> list[str]:
    """What the imagined pictures show: the things that the base surely knows, in turn, every other one in a place."""
    known, texts = base.facts.motifs.split() or list(SUBJECTS), []
    for index in range(count):
        rng = np.random.default_rng([seed, index, 6])
        subject = known[index % len(known)]
        scene = compose(subject, str(rng.choice(calm_layouts(subject))), rng)
        texts.append(" ".join(f"{subject_phrase(scene)} {layout_phrase(scene) if index % 2 else ''}".split()))
    return texts


def _prior(settings: Finetune, base: Base, portfolio: Portfolio, say: Say) -> list[Own]:
    texts = [work.caption or "a picture" for work in portfolio.kept][:PRIOR]
    say(f"Making {len(texts)} pictures with the bare base for prior preservation.")
    rows = []
    for index, text in enumerate(texts):
        picture = _drawn(settings, base, text, settings.seed + index)
        rows.append(_own(base, _encoded(base, colour.pixels(picture)), text, settings.prior_preservation))
    return rows


def _imagined(
    settings: Finetune, base: Base, trigger: str, works: Sequence[Artwork], count: int, cache: LatentCache, say: Say
) -> list[Own]:
    """Each is kept as soon as it is made: an interrupted run finds it again."""
    texts, side = motifs(base, count, settings.seed), settings.resolution or base.facts.resolution
    whose = [works[int(np.random.default_rng([settings.seed, index, 7]).integers(len(works)))] for index in range(count)]

    def make(positions: list[int]) -> list[Tensors]:
        if positions[0] % TOLD == 0:
            say(
                f"Imagining things that you never made, in your colours, so that words keep their sense: {positions[0] + 1} of {count}."
            )
        return [{"latents": _in_her_colours(settings, base, texts[at], settings.seed + at, whose[at])} for at in positions]

    kind = f"{base.fingerprint}-{base.dtype}-{side}-{settings.seed}-{CODE}"
    keys = [
        files.fingerprint("imagined", text, work.id, kind, str(at))
        for at, (text, work) in enumerate(zip(texts, whose, strict=True))
    ]
    made = cache.get_or_make(keys, make, batch=1)
    return [
        _own(base, row["latents"], captions.with_trigger(text, trigger), WEIGHT) for row, text in zip(made, texts, strict=True)
    ]


def _in_her_colours(settings: Finetune, base: Base, text: str, seed: int, work: Artwork) -> Tensor:
    """Latents (c, h, w) of the base's picture of a text, in the colours of a work."""
    plain = colour.pixels(_drawn(settings, base, text, seed))
    return _encoded(base, palette.transport(plain, [(colour.pixels(images.open_image(work.path)), 1.0)], seed=seed))


def _drawn(settings: Finetune, base: Base, text: str, seed: int) -> Image.Image:
    side = settings.resolution or base.facts.resolution
    return base.sample(
        base.condition([text]), [seed], steps=SAMPLING_STEPS, guidance=base.facts.guidance_scale, size=(side, side)
    )[0]


def _encoded(base: Base, pixels: Tensor) -> Tensor:
    return base.encode(pixels[None] * 2 - 1)[0].cpu()


def _own(base: Base, latents: Tensor, text: str, weight: float) -> Own:
    return Own(latents, {key: value[0].cpu() for key, value in base.condition([text]).items()}, weight)
