"""Contact sheets of a style in three bands: the base, the style, the artist's own works; same prompts and seeds, nothing picked.

python benchmarks/sheets.py STYLE PORTFOLIO docs/sheet-STYLE.webp
"""

import io
import sys
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from artlab import files, images, sources, style
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
SIDE, GAP, EDGE, BAND, LABEL = 240, 12, 48, 58, 26
HEAVIEST = 250_000
PAPER, INK, GREY, LINE = "#fbfaf7", "#1d1b18", "#77726a", "#d9d4ca"


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
    bands = [
        (f"The base, {base.facts.family}", plain, list(PROMPTS)),
        (f"The style “{taught.name}”, {taught.card['chosen_step']} steps", styled, list(PROMPTS)),
        (f"The artist's own works ({len(works)} in all)", own, []),
    ]
    note = f"One prompt a column, the same seed in both rows, word “{taught.trigger}” in each prompt. Nothing is picked."
    files.write(Path(target), packed(sheet(taught.name, note, bands), Path(target).suffix))


def sheet(title: str, note: str, bands: list[tuple[str, list[Image.Image], list[str]]]) -> Image.Image:
    """The sheet: a title, a note, and the bands one under the other, each under its own heading."""
    columns = max(len(pictures) for _, pictures, _ in bands)
    width = 2 * EDGE + columns * SIDE + (columns - 1) * GAP
    heights = [BAND + SIDE + (LABEL if labels else 0) + 2 * GAP for _, _, labels in bands]
    paper = Image.new("RGB", (width, EDGE + 96 + sum(heights) + EDGE // 2), PAPER)
    draw, top = ImageDraw.Draw(paper), EDGE
    draw.text((EDGE, top), fitting(title, 40, width - 2 * EDGE), INK, font(40))
    draw.text((EDGE, top + 54), fitting(note, 19, width - 2 * EDGE), GREY, font(19))
    top += 96
    for (heading, pictures, labels), height in zip(bands, heights, strict=True):
        draw.line((EDGE, top, width - EDGE, top), LINE, 2)
        draw.text((EDGE, top + 18), fitting(heading, 23, width - 2 * EDGE), INK, font(23))
        for column, picture in enumerate(pictures):
            left = EDGE + column * (SIDE + GAP)
            paper.paste(images.crop(picture, SIDE), (left, top + BAND))
            if labels:
                draw.text((left, top + BAND + SIDE + 6), fitting(labels[column], 16, SIDE), GREY, font(16))
        top += height
    return paper


def font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """Pillow's own letters, which are everywhere."""
    return ImageFont.load_default(size)


def fitting(text: str, size: int, width: int) -> str:
    """The text, its end left out only where it is wider than its place."""
    while font(size).getlength(text) > width:
        text = text.rstrip("…")[:-1].rstrip() + "…"
    return text


def packed(picture: Image.Image, suffix: str) -> bytes:
    """The picture as WebP or JPEG, as good as fits into 250 KB."""
    kind = {".webp": "WEBP", ".jpg": "JPEG", ".jpeg": "JPEG"}[suffix.lower()]
    for quality in range(90, 30, -6):
        stream = io.BytesIO()
        picture.save(stream, kind, quality=quality)
        if stream.tell() <= HEAVIEST:
            break
    return stream.getvalue()


if __name__ == "__main__":
    main(*sys.argv[1:4])
