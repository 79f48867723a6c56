"""How far a style brings the base towards an artist's hand, as a percentile among other artists' works.

python benchmarks/style_gain.py FOLDER... [--steps 300] [--count 24] > table.md

Each portfolio is taught on the embedded base. Base and style make pictures of the same prompts (captions of her works, with the trigger)
from the same seeds. A picture's percentile: the share of all other folders' works that lie less near to hers, in features of palette and
hand. Her own works stand beside it, each against the others. Agreement is that of `mini-clip`, a picture's own prompt against the others.
What is done is not done again: the same command goes on after an interruption.
"""

import argparse
from pathlib import Path

import numpy as np

from artlab import images, judge, sources
from artlab.bases import Base, load_base, lora
from artlab.finetune import finetune
from artlab.metrics import copying, extractors
from artlab.portfolio import captions, gather
from artlab.settings import Finetune

MOST = 60
HEAD = (
    "portfolio",
    "works",
    "percentile of the base",
    "of the style",
    "of her own works",
    "agreement, base",
    "style",
    "kept",
    "repeat a work",
)


def main() -> None:
    """Teach and measure every portfolio, then print a table of Markdown."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("portfolios", nargs="+", type=Path)
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--count", type=int, default=24)
    parser.add_argument("--only", nargs="*", help="names of the folders to be taught; the others are for comparison only")
    asked = parser.parse_args()
    works = {folder.name: pictures_of(folder) for folder in asked.portfolios}
    style = {name: extractors.get("style").features(pictures) for name, (pictures, _) in works.items()}
    base = load_base("mini")
    print(f"| {' | '.join(HEAD)} |\n|{'---|' * len(HEAD)}", flush=True)
    for folder in asked.portfolios:
        if asked.only is None or folder.name in asked.only:
            others = np.concatenate([rows for name, rows in style.items() if name != folder.name])
            print(row(folder, *works[folder.name], style[folder.name], others, base, asked.steps, asked.count), flush=True)


def pictures_of(folder: Path) -> tuple[list, list[str]]:
    """At most `MOST` kept works spread over a portfolio, and their captions."""
    kept = gather(sources.resolve(str(folder)), say=lambda text: None).kept
    chosen = [kept[k * len(kept) // min(MOST, len(kept))] for k in range(min(MOST, len(kept)))]
    return [images.open_image(one.path) for one in chosen], [one.caption for one in chosen]


def row(
    folder: Path, works: list, said: list[str], style: np.ndarray, others: np.ndarray, base: Base, steps: int, count: int
) -> str:
    """One portfolio's line."""
    taught = finetune(
        Finetune(portfolio=str(folder), name=f"{folder.name} {steps}", max_train_steps=steps, early_stopping_patience=0)
    )
    prompts = [captions.with_trigger(said[k * len(said) // count], taught.trigger) for k in range(count)]
    sees = judge.Judge(style, extractors.get(copying.EXTRACTOR).features(works), prompts)
    plain = sees(0, made(base, prompts))
    try:
        lora.load_styles(base, [(taught.weights, 1.0)])
        styled = sees(steps, made(base, prompts))
    finally:
        lora.detach(base)
    far = np.sort(judge.nearness(others, style))
    own = judge.nearness(style, style, itself=True)
    share = [100 * float(np.median(np.searchsorted(far, values) / len(far))) for values in (plain.style, styled.style, own)]
    kept = styled.follows / plain.follows if plain.follows > 0 else float("nan")
    cells = [
        folder.name,
        len(works),
        *(f"{one:.0f}" for one in share),
        f"{plain.follows:.3f}",
        f"{styled.follows:.3f}",
        f"{kept:.0%}",
    ]
    return f"| {' | '.join(map(str, [*cells, f'{sum(styled.copied)} of {count}']))} |"


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
