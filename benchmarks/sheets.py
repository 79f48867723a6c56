"""Contact sheets of a style: the base, the style and the artist's own works, at the same prompts and seeds, nothing picked.

python benchmarks/sheets.py STYLE PORTFOLIO docs/sheet-STYLE.png
"""

import sys
from pathlib import Path

from PIL import Image

from artlab import images, sources, style
from artlab.bases import load_base, lora
from artlab.portfolio import captions, gather

PROMPTS = (
    "a house by the sea",
    "a tree on a hill",
    "a bird",
    "a castle in the mountains",
    "a boat under the moon",
    "flowers in a garden",
)
SIDE = 256


def main(name: str, portfolio: str, target: str) -> None:
    """Make one sheet: six prompts, one seed each, then six works spread over the portfolio."""
    taught = style.load(name)
    base = load_base(taught.base["name"])
    texts = [captions.with_trigger(prompt, taught.trigger) for prompt in PROMPTS]
    seeds = list(range(1, 1 + len(PROMPTS)))
    plain = base.sample(base.condition(texts), seeds, steps=20, guidance=base.facts.guidance_scale)
    lora.load_styles(base, [(taught.weights, 1.0)])
    styled = base.sample(base.condition(texts), seeds, steps=20, guidance=base.facts.guidance_scale)
    works = gather(sources.resolve(portfolio), say=lambda text: None).kept
    own = [images.open_image(works[(2 * k + 1) * len(works) // (2 * len(PROMPTS))].path) for k in range(len(PROMPTS))]
    own = [images.crop(picture, SIDE) for picture in own]
    large = [picture.resize((SIDE, SIDE), Image.Resampling.BICUBIC) for picture in [*plain, *styled]]
    labels = [*(f"base: {p}" for p in PROMPTS), *(f"{taught.name}: {p}" for p in PROMPTS), *["the artist's own"] * len(own)]
    title = f"{taught.name}: base, style and own works; same prompts and seeds, not picked"
    images.contact_sheet([*large, *own], len(PROMPTS), captions=labels, title=title).save(Path(target))


if __name__ == "__main__":
    main(*sys.argv[1:4])
