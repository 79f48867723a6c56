"""The blend sheet: one style from left to right, another from top to bottom, at every strength the same prompt and seed."""

from collections.abc import Sequence

from PIL import Image, ImageDraw, ImageFont

from artlab import images

LEFT, TOP = 44, 44
GAP, MARGIN = 6, 24


def weights(levels: Sequence[float], others: Sequence[float]) -> list[list[float]]:
    """The styles' weights of each cell, row by row: the first style's grows along a row, the second's from row to row."""
    return [[across, down, *others] for down in levels for across in levels]


def lay(cells: Sequence[Image.Image], levels: Sequence[float], names: tuple[str, str], *, widest: int = 1600) -> Image.Image:
    """The cells of `weights` on white, with the weights at the edges."""
    count = len(levels)
    side = min(cells[0].width, (widest - LEFT - 2 * MARGIN - (count - 1) * GAP) // count)
    high = round(side * cells[0].height / cells[0].width)
    left, top = MARGIN + LEFT, MARGIN + TOP
    size = (left + count * side + (count - 1) * GAP + MARGIN, top + count * high + (count - 1) * GAP + MARGIN)
    sheet = Image.new("RGB", size, images.PAPER)
    draw = ImageDraw.Draw(sheet)
    font = ImageFont.load_default(14)
    for index, cell in enumerate(cells):
        row, column = divmod(index, count)
        place = (left + column * (side + GAP), top + row * (high + GAP))
        sheet.paste(cell.convert("RGB").resize((side, high), Image.Resampling.LANCZOS), place)
    room = size[0] - left - MARGIN
    draw.text((left, MARGIN - 6), images.shorten(f"{names[0]} from left to right", room, 14), images.INK, font)
    for number, level in enumerate(levels):
        draw.text((left + number * (side + GAP) + side // 2, top - 8), f"{level:g}", images.GREY, font, anchor="mb")
        draw.text((left - 8, top + number * (high + GAP) + high // 2), f"{level:g}", images.GREY, font, anchor="rm")
    _upright(sheet, images.shorten(f"{names[1]} from top to bottom", size[1] - top - MARGIN, 14), (MARGIN - 10, top))
    return sheet


def _upright(sheet: Image.Image, text: str, at: tuple[int, int]) -> None:
    font = ImageFont.load_default(14)
    strip = Image.new("RGB", (int(font.getlength(text)) + 2, 20), images.PAPER)
    ImageDraw.Draw(strip).text((0, 0), text, images.INK, font)
    sheet.paste(strip.rotate(-90, expand=True), at)
