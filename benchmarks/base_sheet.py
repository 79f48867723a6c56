"""Forty-eight samples of a base with their prompts, not picked: `python benchmarks/base_sheet.py docs/mini-48.webp [--base mini]`.

The prompts are the drawing engine's own words, subject after subject; the seeds are 0, 1, 2, ...
"""

import argparse
import textwrap
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from artlab.bases import load_base
from artlab.pretrain import figures

SIDE, GAP, LINES = 160, 10, 36


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("target", type=Path)
    parser.add_argument("--base", default="mini")
    parser.add_argument("--count", type=int, default=48)
    asked = parser.parse_args()
    base = load_base(asked.base)
    prompts = figures.prompts(asked.count, subjects=36, seed=5)
    pictures = base.upscale(figures.sample(base, prompts))
    sheet(pictures, [prompt.text for prompt in prompts]).save(asked.target, quality=72, method=6)


def sheet(pictures: list[Image.Image], texts: list[str], columns: int = 8) -> Image.Image:
    rows = -(-len(pictures) // columns)
    paper = Image.new("RGB", (columns * (SIDE + GAP) + GAP, rows * (SIDE + GAP + LINES) + GAP), "white")
    draw, font = ImageDraw.Draw(paper), ImageFont.load_default(11)
    for index, (picture, text) in enumerate(zip(pictures, texts, strict=True)):
        left, top = GAP + index % columns * (SIDE + GAP), GAP + index // columns * (SIDE + GAP + LINES)
        paper.paste(picture.resize((SIDE, SIDE), Image.Resampling.LANCZOS), (left, top))
        for number, line in enumerate(textwrap.wrap(text, 28)[:2]):
            draw.text((left, top + SIDE + 3 + 13 * number), line, fill="#333", font=font)
    return paper


if __name__ == "__main__":
    main()
