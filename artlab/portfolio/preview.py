"""What training would see, on one sheet: every work with its caption, marks and side, and four of its views.

A held-out work has the one view that validation uses, a work left out has none.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache

from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from artlab import images, settings
from artlab.portfolio import augment as augmentation
from artlab.portfolio import buckets, captions, split
from artlab.portfolio.augment import STILL, Augment
from artlab.portfolio.curate import near_duplicate_groups
from artlab.portfolio.work import Artwork, Portfolio

VIEWS = 4
MOST = 40
"""Works on a sheet; of a larger portfolio it shows as many, evenly spread."""

PAPER, CARD, INK, GREY, LINE = "#f6f4ef", "#ffffff", "#1f2328", "#6b7075", "#e3dfd6"
SIDES = {"train": "#2f6f4f", "validation": "#8a5a00", "test": "#5b4a8a", "left out": "#8c2f2f"}
MARK = "#a33d2a"

EDGE, PAD, GAP = 36, 18, 12
PICTURE, TEXT, CELL = 200, 290, 172
HEAD, CARD_HEIGHT = 132, PICTURE + 2 * PAD
WIDTH = 2 * EDGE + 2 * PAD + PICTURE + TEXT + VIEWS * CELL + (VIEWS + 1) * GAP


@dataclass(frozen=True)
class _Row:
    """One card: a work, its side, what is said of it, and its views."""

    work: Artwork
    side: str
    caption: str
    facts: str
    notes: tuple[str, ...]
    original: Image.Image
    views: tuple[Image.Image, ...]


def preview(portfolio: Portfolio, settings: settings.Portfolio, *, resolution: int = 128, step: int = 16) -> Image.Image:
    """The contact sheet of a portfolio: RGB, about 1300 pixels wide, a card per work.

    `resolution` and `step` are those of the base (the small one if not given). Views are cut exactly as training cuts them with
    the same seed, and drawn larger. Raises PortfolioError for fewer than two distinct works.
    """
    groups = near_duplicate_groups(portfolio.kept)
    sides = split.sides(portfolio.kept, seed=settings.seed, groups=groups)
    weights = split.weights(sides.train)
    flips = settings.random_flip or portfolio.flips
    change = Augment(crop_scale_min=settings.crop_scale_min, horizontal_flip=flips)
    allowed = buckets.Buckets(resolution, step)
    rows = [
        _row(work, portfolio, change, buckets.bucket_of(work.size, allowed), settings.seed, weights.get(work.id), sides)
        for work in _spread(portfolio.works)
    ]
    sheet = Image.new("RGB", (WIDTH, HEAD + len(rows) * (CARD_HEIGHT + GAP) + EDGE), PAPER)
    draw = ImageDraw.Draw(sheet)
    _head(draw, portfolio, sides, change, len(rows))
    for index, row in enumerate(rows):
        _card(sheet, draw, HEAD + index * (CARD_HEIGHT + GAP), row)
    return sheet


def _row(
    work: Artwork,
    portfolio: Portfolio,
    change: Augment,
    bucket: buckets.Size,
    seed: int,
    weight: float | None,
    sides: split.Split,
) -> _Row:
    """A work's card. A work that is not kept has a side of its own and no views."""
    image = images.open_image(work.path)
    series = f"{work.series} · " if work.series else ""
    caption = captions.with_trigger(work.caption, portfolio.trigger)
    notes = tuple(f"{mark.kind}: {mark.reason}" for mark in work.marks)
    if not work.kept:
        return _Row(work, "left out", caption, f"{series}{work.size[0]} by {work.size[1]} px", notes, image, ())
    if change.horizontal_flip and (refusal := augmentation.flip_refusal(work, image)):
        change = change.model_copy(update={"horizontal_flip": False})
        notes += (f"not mirrored: {refusal}",)
    facts = f"{series}{work.size[0]} by {work.size[1]} px, seen at {bucket[0]} by {bucket[1]}" + (
        f", weight {weight:.2f}" if weight else ""
    )
    # A whole multiple of the bucket is cut just like the bucket itself.
    shown = (bucket[0] * -(-CELL // min(bucket)), bucket[1] * -(-CELL // min(bucket)))
    side = sides.side_of(work.id)
    drawn = [(change, index) for index in range(1, VIEWS + 1)] if side == "train" else [(STILL, 0)]
    views = (augmentation.view(image, shown, how, augmentation.view_seed(seed, work.id, index)) for how, index in drawn)
    return _Row(work, side, caption, facts, notes, image, tuple(_picture(view) for view in views))


def _spread(works: Sequence[Artwork]) -> list[Artwork]:
    """At most `MOST` works, evenly spread, in their order."""
    count = min(len(works), MOST)
    return [works[index * len(works) // count] for index in range(count)]


def _picture(view: Tensor) -> Image.Image:
    """A view (3, H, W) in [-1, 1] as a picture."""
    return Image.fromarray(((view + 1) * 127.5).round().clamp(0, 255).byte().permute(1, 2, 0).numpy())


def _head(draw: ImageDraw.ImageDraw, portfolio: Portfolio, sides: split.Split, change: Augment, shown: int) -> None:
    """The portfolio's name, numbers and settings, and what the columns are."""
    kept, works = len(portfolio.kept), len(portfolio.works)
    draw.text((EDGE, 30), _line(portfolio.name, 30, WIDTH - 2 * EDGE), INK, _font(30))
    numbers = f"{kept} works kept" + (f" of {works}" if kept < works else "")
    numbers += f" · {len(sides.train)} to train, {len(sides.validation)} to validate"
    numbers += f" · trigger “{portfolio.trigger}”" if portfolio.trigger else ""
    cropping = f"crops keep at least {change.crop_scale_min:.0%} of the area" if change.crop_scale_min < 1 else "no random crops"
    numbers += f" · {cropping} · " + ("mirrored unless signed or lettered" if change.horizontal_flip else "never mirrored")
    numbers += f" · {shown} works shown" if shown < works else ""
    draw.text((EDGE, 72), _line(numbers, 15, WIDTH - 2 * EDGE), GREY, _font(15))
    left = EDGE + PAD + PICTURE + GAP + TEXT + GAP
    for at, title in ((EDGE + PAD, "the work"), (left, "what training sees")):
        draw.text((at, HEAD - 24), title, GREY, _font(13))


def _card(sheet: Image.Image, draw: ImageDraw.ImageDraw, top: int, row: _Row) -> None:
    """A white card at height `top`: the work, what is said of it, its views."""
    draw.rounded_rectangle((EDGE, top, WIDTH - EDGE, top + CARD_HEIGHT), 10, CARD, LINE)
    draw.rounded_rectangle((EDGE, top, EDGE + 5, top + CARD_HEIGHT), 2, SIDES[row.side])
    left, middle = EDGE + PAD, top + CARD_HEIGHT // 2
    _paste(sheet, row.original, left + PICTURE // 2, middle, (PICTURE, PICTURE))
    left += PICTURE + GAP
    _words(draw, left, top + PAD, row)
    left += TEXT + GAP
    for view in row.views:
        _paste(sheet, view, left + CELL // 2, middle, (CELL, PICTURE))
        left += CELL + GAP
    if row.side != "train":
        remark = "Held out: never trained on, never cut at random." if row.views else "Left out of training."
        draw.text((left, middle), remark, GREY, _font(14), anchor="lm")


def _words(draw: ImageDraw.ImageDraw, left: int, top: int, row: _Row) -> None:
    """The side as a badge, name, caption, facts and notes, as many lines as fit."""
    width = round(_font(12).getlength(row.side)) + 16
    draw.rounded_rectangle((left, top, left + width, top + 20), 10, SIDES[row.side])
    draw.text((left + 8, top + 10), row.side, "white", _font(12), anchor="lm")
    draw.text((left + width + 8, top + 10), _line(row.work.name, 13, TEXT - width - 20), GREY, _font(13), anchor="lm")
    bottom = top + PICTURE
    top += 32
    texts = [(row.caption, 15, INK, 4), (row.facts, 13, GREY, 3), *((note, 13, MARK, 3) for note in row.notes)]
    for text, size, colour, most in texts:
        for line in _lines(text, size, TEXT - 12, most):
            if top + size > bottom:
                return
            draw.text((left, top), line, colour, _font(size))
            top += round(size * 1.35)
        top += 5


def _paste(sheet: Image.Image, image: Image.Image, across: int, down: int, room: tuple[int, int]) -> None:
    """Paste a picture centred at (across, down), as large as `room` (width, height) allows, with a thin edge around it."""
    scale = min(room[0] / image.width, room[1] / image.height)
    small = image.resize((max(round(image.width * scale), 1), max(round(image.height * scale), 1)), Image.Resampling.LANCZOS)
    left, top = across - small.width // 2, down - small.height // 2
    sheet.paste(small, (left, top))
    ImageDraw.Draw(sheet).rectangle((left - 1, top - 1, left + small.width, top + small.height), outline=LINE)


def _lines(text: str, size: int, width: int, most: int) -> Iterator[str]:
    """The text in at most `most` lines, the last one cut with an ellipsis."""
    words = text.split()
    for _ in range(most - 1):
        count = len(words)
        while count > 1 and _font(size).getlength(" ".join(words[:count])) > width:
            count -= 1
        yield _line(" ".join(words[:count]), size, width)
        words = words[count:]
        if not words:
            return
    yield _line(" ".join(words), size, width)


def _line(text: str, size: int, width: int) -> str:
    """One line that fits `width` pixels and has only letters that the font can draw."""
    return images.shorten(text, width, size)


@cache
def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)
