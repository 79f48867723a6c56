"""What a finished base can do, in figures: does it draw what it is asked for, how near is it to its world, does it copy?

Obedience is judged by a network that learned from *other* drawn pictures; what it says of drawn pictures it never saw, of these after they
went through the autoencoder, and chance, stand beside it. Distances stand beside the same distance between two halves
of what is compared with, at the same number of pictures.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from artlab import metrics
from artlab.bases import Base
from artlab.bases.latent import LatentBase
from artlab.drawing.captions import caption
from artlab.drawing.layouts import calm_layouts, compose
from artlab.drawing.media import MEDIA
from artlab.drawing.palettes import PALETTES
from artlab.metrics import copying, fidelity
from artlab.pretrain.autoencoder import to_tensor
from artlab.pretrain.data import WORLD, Source
from artlab.pretrain.recogniser import Recogniser, shares


@dataclass(frozen=True)
class Prompt:
    """A caption and the words that it was made from."""

    text: str
    words: dict[str, str]


def prompts(count: int, *, subjects: int = 20, seed: int = 1) -> list[Prompt]:
    """Captions as the drawing engine words them: `subjects` subjects in turn, the rest at random."""
    made = []
    for index in range(count):
        rng = np.random.default_rng([seed, index, 3])
        subject = WORLD[index % subjects]
        layout = str(rng.choice(calm_layouts(subject)))
        palette, medium = str(rng.choice(sorted(PALETTES))), str(rng.choice(sorted(MEDIA)))
        text = caption(compose(subject, layout, rng), palette, medium, None)
        made.append(Prompt(text, {"subject": subject, "palette": palette, "medium": medium}))
    return made


def sample(
    base: Base, asked: Sequence[Prompt], *, steps: int = 20, guidance: float | None = None, batch: int = 8
) -> list[Image.Image]:
    """One picture a prompt, seeds 0, 1, 2, ... in the order of the prompts."""
    made: list[Image.Image] = []
    for at in range(0, len(asked), batch):
        some = asked[at : at + batch]
        made += base.sample(
            base.condition([one.text for one in some]),
            list(range(at, at + len(some))),
            steps=steps,
            guidance=base.facts.guidance_scale if guidance is None else guidance,
        )
    return made


def reconstructed(base: LatentBase, pictures: NDArray[np.uint8]) -> list[Image.Image]:
    """What the base's autoencoder leaves of pictures (n, h, w, 3)."""
    return [made for at in range(0, len(pictures), 32) for made in base.decode(base.encode(to_tensor(pictures[at : at + 32])))]


def figures(
    base: LatentBase, judge: Recogniser, drawn: Source, real: Source | None, *, count: int = 200, taught: int = 4000
) -> dict[str, Any]:
    """Obedience, distances and copying of a base, as plain numbers with their ceilings, chances and nulls."""
    asked = prompts(count)
    made = sample(base, asked)
    unseen, seen = drawn.indices(held_out=True)[: 2 * count], drawn.indices(held_out=False)[:taught]
    ours, known, held = (metrics.features(some) for some in (made, _pictures(drawn, seen), _pictures(drawn, unseen)))
    result: dict[str, Any] = {
        "pictures": count,
        "obedience": obedience(judge, base, made, asked, drawn, unseen),
        "to_drawn": distances(ours, held),
        "to_drawn_same_captions": same_captions(base, drawn, unseen, held),
    }
    if real is not None:
        rows = real.rows
        colour = [i for i in real.indices(held_out=True) if not rows[i].get("monochrome")][: 2 * count]
        result["to_real"] = distances(ours, metrics.features(_pictures(real, np.array(colour))))
    result["copying"] = {
        "samples": copying.calibrated_nearest(ours, known).share,
        "held_out": copying.calibrated_nearest(held[:count], known).share,
    }
    return result


def obedience(
    judge: Recogniser,
    base: LatentBase,
    made: Sequence[Image.Image],
    asked: Sequence[Prompt],
    drawn: Source,
    unseen: NDArray[np.int64],
) -> dict[str, dict[str, float]]:
    """For subject, palette and medium: share recognised in the samples, in drawn pictures never seen, in what the autoencoder
    leaves of these (no sample can be expected to be clearer), and by chance.
    """
    known = drawn.rows
    rows = [known[i] for i in unseen]
    samples = shares(judge.answers(made), [one.words for one in asked])
    ceiling = shares(judge.answers(_pictures(drawn, unseen)), rows)
    rebuilt = shares(judge.answers(reconstructed(base, drawn.pictures[unseen])), rows)
    return {
        what: {"samples": samples[what], "ceiling": ceiling[what], "reconstructed": rebuilt[what], "chance": 1 / len(answers)}
        for what, answers in judge.names.items()
    }


def same_captions(base: LatentBase, drawn: Source, unseen: NDArray[np.int64], features: NDArray[np.float32]) -> dict[str, float]:
    """Distances of samples asked for with the captions of one half of the drawings to the other half, so that subjects and layouts
    weigh alike on both sides; and of what the autoencoder leaves of the first half, which no sample can be expected to come below.
    """
    half = unseen[: len(unseen) // 2]
    other = np.roll(features, -len(half), axis=0)
    rows = drawn.rows
    asked = [Prompt(str(rows[row]["caption"]), {}) for row in half]
    rebuilt = distances(metrics.features(reconstructed(base, drawn.pictures[half])), other)
    return {
        **distances(metrics.features(sample(base, asked)), other),
        "fd_reconstructed": rebuilt["fd"],
        "kid_reconstructed": rebuilt["kid"],
    }


def distances(made: NDArray[np.float32], reference: NDArray[np.float32]) -> dict[str, float]:
    """FD and KID of EfficientNet features to as many reference pictures, and between two halves of the reference."""
    n = min(len(made), len(reference) // 2)
    some, one, other = made[:n], reference[:n], reference[n : 2 * n]
    return {
        "n": n,
        "fd": fidelity.fd(some, one),
        "fd_null": fidelity.fd(one, other),
        "kid": fidelity.kid(some, one),
        "kid_null": fidelity.kid(one, other),
    }


def _pictures(source: Source, rows: NDArray[np.int64]) -> list[Image.Image]:
    pictures = source.pictures
    return [Image.fromarray(np.asarray(pictures[row])) for row in rows]
