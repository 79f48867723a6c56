"""How far a style brings the base towards an artist's hand, as a percentile among other artists' works.

python benchmarks/style_gain.py FOLDER... [--steps N] [--count 48] > table.md

Each portfolio is taught on the embedded base. Base and style make pictures of the same prompts with the trigger, from the same seeds: half
different captions of her works, as far as there are any, the others subjects that the base knows, in places (`a house in the snow`). A picture's
percentile: the share of all other folders' works that lie less near to hers, in features of palette and hand. All works are looked at in the base's own
size, else sharpness would decide. Her own works stand beside it, each against the others. Agreement is that of `mini-clip`, a picture's own prompt
against the others.
What is done is not done again: the same command goes on after an interruption.
"""

import argparse
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image

from artlab import images, judge, sources
from artlab.bases import Base, load_base, lora
from artlab.drawing.captions import layout_phrase, subject_phrase
from artlab.drawing.layouts import calm_layouts, compose
from artlab.finetune import finetune
from artlab.metrics import copying, extractors
from artlab.portfolio import captions, gather
from artlab.pretrain.data import WORLD
from artlab.settings import Finetune

MOST = 60
HEAD = (
    "portfolio",
    "works",
    "percentile of the base",
    "of the style",
    "gain by captions",
    "by subjects",
    "of her own works",
    "agreement, base",
    "style",
    "kept of captions",
    "kept of subjects",
    "kept",
    "repeat a work",
)


def main() -> None:
    """Teach and measure every portfolio, then print a table of Markdown."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("portfolios", nargs="+", type=Path)
    parser.add_argument("--steps", type=int, help="of training; artlab's own default where not given")
    parser.add_argument("--count", type=int, default=48)
    parser.add_argument("--imagined", type=int, help="pictures of things she never made; artlab's own default where not given")
    parser.add_argument("--only", nargs="*", help="names of the folders to be taught; the others are for comparison only")
    asked = parser.parse_args()
    works = {folder.name: pictures_of(folder) for folder in asked.portfolios}
    base = load_base("mini")
    seen = {name: [_at(base.facts.resolution, picture) for picture in pictures] for name, (pictures, _) in works.items()}
    style = {name: extractors.get("style").features(pictures) for name, pictures in seen.items()}
    print(f"| {' | '.join(HEAD)} |\n|{'---|' * len(HEAD)}", flush=True)
    for folder in asked.portfolios:
        if asked.only is None or folder.name in asked.only:
            others = np.concatenate([rows for name, rows in style.items() if name != folder.name])
            print(row(folder, *works[folder.name], style[folder.name], others, base, asked), flush=True)


def pictures_of(folder: Path) -> tuple[list, list[str]]:
    """At most `MOST` kept works spread over a portfolio, and their captions."""
    kept = gather(sources.resolve(str(folder)), say=lambda text: None).kept
    chosen = [kept[k * len(kept) // min(MOST, len(kept))] for k in range(min(MOST, len(kept)))]
    return [images.open_image(one.path) for one in chosen], [one.caption for one in chosen]


def _at(side: int, picture: Image.Image) -> Image.Image:
    """The picture shrunk to the area of a square of `side` pixels; small ones stay."""
    scale = min(1.0, side / (picture.width * picture.height) ** 0.5)
    return picture.resize((round(picture.width * scale), round(picture.height * scale)), Image.Resampling.LANCZOS)


def row(
    folder: Path, works: list, said: list[str], style: np.ndarray, others: np.ndarray, base: Base, how: argparse.Namespace
) -> str:
    """One portfolio's line."""
    given = "-".join(str(one) for one in (how.steps, how.imagined) if one is not None)
    name = f"{folder.name} {given or 'default'}"
    taught = finetune(Finetune(portfolio=str(folder), name=name, max_train_steps=how.steps, imagined=how.imagined))
    told = spread(said, how.count // 2)
    asked = told + [placed(WORLD[k % len(WORLD)], k) for k in range(how.count - len(told))]
    prompts = [captions.with_trigger(text, taught.trigger) for text in asked]
    sees = judge.Judge(style, extractors.get(copying.EXTRACTOR).features(works), prompts)
    plain = sees(0, made(base, prompts))
    try:
        lora.load_styles(base, [(taught.weights, 1.0)])
        styled = sees(1, made(base, prompts))
    finally:
        lora.detach(base)
    far = np.sort(judge.nearness(others, style))
    own = judge.nearness(style, style, itself=True)
    percentile = partial(percentile_among, far)
    parts = (slice(len(told)), slice(len(told), None), slice(None))
    gained = [percentile(styled.style[part]) - percentile(plain.style[part]) if plain.style[part] else None for part in parts]
    kept = [np.sum(styled.agreement[part]) / np.sum(plain.agreement[part]) if plain.agreement[part] else None for part in parts]
    cells = [
        folder.name,
        len(works),
        f"{percentile(plain.style):.0f}",
        f"{percentile(styled.style):.0f}",
        *("–" if one is None else f"{one:+.0f}" for one in gained[:2]),
        f"{percentile(own):.0f}",
        f"{plain.follows:.3f}",
        f"{styled.follows:.3f}",
        *("–" if one is None else f"{one:.0%}" for one in kept),
    ]
    return f"| {' | '.join(map(str, [*cells, f'{sum(styled.copied)} of {how.count}']))} |"


def percentile_among(far: np.ndarray, values: Sequence[float]) -> float:
    """The median share, in per cent, of the sorted `far` that lie below a value."""
    return 100 * float(np.median(np.searchsorted(far, values) / len(far)))


def spread(said: list[str], most: int) -> list[str]:
    """At most `most` captions, each once, evenly over the works."""
    texts = list(dict.fromkeys(text for text in said if text))
    return [texts[k * len(texts) // most] for k in range(most)] if len(texts) > most else texts


def placed(subject: str, index: int) -> str:
    """The subject in a place, or as many as the engine likes; by other seeds than what training imagines, so that few are the same."""
    rng = np.random.default_rng([99, index])
    scene = compose(subject, str(rng.choice(calm_layouts(subject))), rng)
    return f"{subject_phrase(scene)} {layout_phrase(scene)}".strip()


def made(base: Base, prompts: list[str]) -> list:
    """A picture a prompt, seeds 0, 1, 2, ..., at the base's own size, four at a time."""
    pictures: list = []
    for at in range(0, len(prompts), 4):
        some = prompts[at : at + 4]
        pictures += base.sample(
            base.condition(some), list(range(at, at + len(some))), steps=20, guidance=base.facts.guidance_scale
        )
    return pictures


if __name__ == "__main__":
    main()
