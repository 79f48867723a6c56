"""What an artist should look at before training: each work's marks, every mark with its reason. Nothing is ever deleted.

The functions that judge take a grey picture in [0, 1], reduced to at most 512 px (`grey`), and are pure. Only copies and works
of under 64 px are left out of the training; everything else is said and left to her.

What these measures cannot see: many a cropped copy (cut by a tenth, one in ten is missed; by a fifth, one in four), a copy turned
by more than a degree or two, or redrawn; a watermark that is on fewer than half of the works, moves from work to work, or is on
fewer than six works in all; a signature that is part of the picture; handwriting; a frame of varying colour; blur that the artist
meant. Different works in one pose or one frame may pass for copies: among 3,682 book plates that the threshold was not set on, 25
groups of copies were found, of which 3 were none. The other thresholds were set on 688 scans by fourteen illustrators and on
synthetic faults, and tried on no others; they are no calibrated probabilities.
"""

import functools
import itertools
import os
from collections import Counter
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import imagehash
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter, ImageOps
from scipy import ndimage

from artlab import images
from artlab.portfolio.work import Artwork, Mark, Portfolio, PortfolioError

Grey = NDArray[np.float32]

SIDE = 512
SMALLEST = 64
SMALL = 256
AT_ONCE = 240

FLAT_RANGE, FLAT_EDGES = 0.06, 0.004
BLURRED_FLOOR, BLURRED_BELOW = -1.0, 0.8
LETTERED_SHARE, LETTERED_COUNT, LETTERED_DARKER = 0.45, 40, 0.25
FRAME_LEAST, FRAME_MOST = 0.012, 0.3
FRAME_STEP, FRAME_STRAIGHT = 0.05, 0.75
OVERLAY_WORKS, OVERLAY_MEDIAN, OVERLAY_SHARE = 6, 0.3, 0.2
COPY_BITS, COPY_ALIKE = 14, 0.65


def curate(portfolio: Portfolio) -> Portfolio:
    """The portfolio with every work's marks; copies and works under 64 px are not kept, all others are.

    Of works that are alike the largest is kept, of equally large ones the one in colour, then the sharper. Raises
    PortfolioError where fewer than two works remain.
    """
    if not portfolio.works:
        raise PortfolioError(f"{portfolio.name} has no works. Add some pictures first.")
    marks = [list(found) for found in _judge([(work.size, work.path) for work in portfolio.works])]
    plates = _plates([work.path for work in portfolio.works])
    for best, copies in _copies(portfolio.works, plates):
        for index, how in copies.items():
            of = portfolio.works[best]
            marks[index].append(Mark("duplicate", f"{how} of {of.name}", of.id))
    works = tuple(
        replace(work, marks=tuple(found), kept=min(work.size) >= SMALLEST and all(mark.kind != "duplicate" for mark in found))
        for work, found in zip(portfolio.works, marks, strict=True)
    )
    _check(portfolio.name, works)
    return replace(portfolio, works=works)


def near_duplicate_groups(works: Iterable[Artwork]) -> list[set[str]]:
    """The ids of works that show the same picture (recompressed, mirrored, cropped a little, in other colours), in groups.

    Works with no copy are in no group. A chain counts: if A is like B and B like C, the three are one group.
    """
    unique = list({work.id: work for work in works}.values())
    plates = _plates([work.path for work in unique])
    return [{unique[index].id for index in group} for group in _groups([work.id for work in unique], plates)]


def _check(name: str, works: Sequence[Artwork]) -> None:
    kept = sum(work.kept for work in works)
    if kept >= 2:
        return
    why = Counter(
        "copies" if any(mark.kind == "duplicate" for mark in work.marks) else "too small" for work in works if not work.kept
    )
    reasons = " and ".join(f"{count} {reason}" for reason, count in why.items()) or "no others"
    left = "one work is" if kept else "no work is"
    raise PortfolioError(
        f"Only {left} left in {name} ({len(works)} in all, {reasons}). A style needs ten works or more; add some."
    )


# -- each work by itself, and against the others' usual sharpness -----------------------------------------------------------


@dataclass(frozen=True)
class _Judged:
    marks: tuple[Mark, ...]
    sharpness: float
    corners: "Corners | None"


def grey(image: Image.Image, side: int = SIDE) -> Grey:
    """The picture as numbers in [0, 1], no side longer than `side`."""
    return np.asarray(images.fit(image.convert("L"), side), np.float32) / np.float32(255)


def _judge(works: Sequence[tuple[tuple[int, int], Path]]) -> list[tuple[Mark, ...]]:
    """The marks of each work (size, path) but for copies. Works are taken in parts: the corners of all would fill the memory."""
    marks: list[tuple[Mark, ...]] = []
    values: list[float] = []
    for start in range(0, len(works), AT_ONCE):
        with _threads() as pool:
            judged = list(pool.map(lambda work: _judge_one(*work), works[start : start + AT_ONCE]))
        overlaid = set(watermarked([one.corners for one in judged]))
        overlay = Mark("watermark", "the same faint marks lie at the same place on most of the works")
        marks += [one.marks + ((overlay,) if place in overlaid else ()) for place, one in enumerate(judged)]
        values += [one.sharpness for one in judged]
    soft = Mark("blurred", "much softer than the other works; perhaps out of focus or enlarged")
    unsharp = {place for place in blurred(values) if all(mark.kind != "empty" for mark in marks[place])}
    return [(*found, soft) if place in unsharp else found for place, found in enumerate(marks)]


def _judge_one(size: tuple[int, int], path: Path) -> _Judged:
    pixels = grey(images.open_image(path))
    marks = [Mark("small", why)] if (why := too_small(size)) else []
    if why := nearly_empty(pixels):
        marks.append(Mark("empty", why))
    elif why := mostly_text(pixels):
        marks.append(Mark("text", why))
    if why := framed(pixels):
        marks.append(Mark("border", why))
    return _Judged(tuple(marks), sharpness(pixels), corners(pixels))


def _threads() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(min(8, os.cpu_count() or 1))


# -- small, empty, blurred ----------------------------------------------------------------------------------------------------


def too_small(size: tuple[int, int]) -> str:
    """Why a size in pixels is too small, or ""."""
    shown = f"{size[0]} x {size[1]} pixels"
    if min(size) < SMALLEST:
        return f"{shown}, too few to learn from ({SMALLEST} on the shorter side are the least)"
    return f"{shown}; details will be soft" if min(size) < SMALL else ""


def nearly_empty(pixels: Grey) -> str:
    """Why there is next to nothing in a picture, or ""."""
    smooth = ndimage.gaussian_filter(pixels, 1)
    dark, light = np.percentile(smooth, [0.2, 99.8])
    if light - dark < FLAT_RANGE:
        return "one even tone from edge to edge"
    edges = np.hypot(ndimage.sobel(smooth, 0), ndimage.sobel(smooth, 1)) / 4
    # A wash has a range of tones but hardly an edge; a few pencil lines have edges on a part of the sheet.
    if (edges > 0.06).mean() < FLAT_EDGES and smooth.std() < 0.05:
        return "hardly a line or a shape on the sheet"
    return ""


def sharpness(pixels: Grey) -> float:
    """How fine the edges are, whatever their contrast: log of the variance of the Laplacian over the mean squared gradient."""
    smooth = ndimage.gaussian_filter(pixels, 1)  # the grain of a sensor would pass for sharpness
    gradient = (ndimage.sobel(smooth, 0) / 8) ** 2 + (ndimage.sobel(smooth, 1) / 8) ** 2
    return float(np.log((ndimage.laplace(smooth).var() + 1e-9) / (gradient.mean() + 1e-7)))


def blurred(values: Sequence[float]) -> list[int]:
    """The places of sharpnesses that are low in themselves and far below what this artist usually has.

    A painter of soft washes has a low median, so that none of her works is called blurred.
    """
    usual = float(np.median(values))
    return [place for place, value in enumerate(values) if value < BLURRED_FLOOR and value < usual - BLURRED_BELOW]


# -- lettering ----------------------------------------------------------------------------------------------------------------


def mostly_text(pixels: Grey) -> str:
    """Why a picture is a page of lettering rather than a work, or ""."""
    share, letters = lettering(pixels if pixels.mean() > 0.35 else 1 - pixels)
    return f"{share:.0%} of the ink is lettering in lines" if share > LETTERED_SHARE and letters >= LETTERED_COUNT else ""


def lettering(pixels: Grey) -> tuple[float, int]:
    """The share of the dark ink that is letters in lines, and how many letters (or words, when small) there are.

    A letter is a small connected blot with at least two others of like height beside it on one line. Hatching does not pass:
    its strokes are long, or touch, or lie at many heights.
    """
    darker = ndimage.gaussian_filter(pixels, 12) - pixels
    blots, count = ndimage.label(darker > max(0.06, LETTERED_DARKER * float(np.percentile(darker, 99.8))), np.ones((3, 3)))
    if not count:
        return 0.0, 0
    area = np.bincount(blots.ravel())[1:]
    top, bottom, left, right = np.array([(y.start, y.stop, x.start, x.stop) for y, x in ndimage.find_objects(blots)]).T
    height, width, middle = bottom - top, right - left, (top + bottom) / 2
    small = np.flatnonzero(
        (height >= 3) & (height <= 0.09 * max(pixels.shape)) & (width <= 12 * height) & (height <= 6 * width) & (area >= 6)
    )
    lined = []
    for one in small:
        level = small[np.abs(middle[small] - middle[one]) < 0.35 * height[one]]
        like = level[(height[level] < 1.8 * height[one]) & (height[one] < 1.8 * height[level])]
        gaps = np.maximum(left[like] - right[one], left[one] - right[like])
        if np.count_nonzero(gaps < 1.5 * height[one]) > 2:  # itself and two more
            lined.append(one)
    return float(area[lined].sum() / area.sum()), len(lined)


# -- frames -------------------------------------------------------------------------------------------------------------------


def framed(pixels: Grey) -> str:
    """Why a picture seems to have a frame, a mat or the black edge of a scan around it, or ""."""
    widths = {name: _band(turned) for name, turned in _sides(pixels).items()}
    if all(widths.values()):
        return "an even frame on all four sides; cropping it lets the work fill the picture"
    dark = [name for name, turned in _sides(pixels).items() if widths[name] and float(turned[: widths[name]].mean()) < 0.15]
    return f"a black band, as scanners leave, on the {' and the '.join(dark)}" if dark else ""


def _sides(pixels: Grey) -> dict[str, Grey]:
    """The picture turned so that each of its sides comes to lie at the top."""
    return {"top": pixels, "bottom": pixels[::-1], "left": pixels.T, "right": pixels.T[::-1]}


def _band(pixels: Grey) -> int:
    """The height of the even band along the top that ends in one straight line; 0 where there is none.

    The straight end tells a frame from the bare paper around a vignette, which ends wherever the drawing begins.
    """
    most = int(FRAME_MOST * len(pixels)) + 1
    low, middle, high = np.percentile(pixels[:most], [10, 50, 90], axis=1)
    even = (high - low < 0.12) & (np.abs(middle - np.median(pixels[:3])) < 0.08)
    height = most if even.all() else int(np.argmin(even))
    if not FRAME_LEAST * max(pixels.shape) <= height < most:
        return 0
    tone = float(np.median(pixels[:height]))
    beyond = np.abs(pixels[height - 1 : height + 4] - tone).max(0)
    inner = beyond[len(beyond) // 8 : -(len(beyond) // 8) or None]
    return height if (inner > FRAME_STEP).mean() > FRAME_STRAIGHT else 0


# -- watermarks ---------------------------------------------------------------------------------------------------------------

Corners = dict[str, NDArray[np.float16]]
_WINDOW, _INSET = (112, 176), 10


def corners(pixels: Grey) -> Corners | None:
    """Gradients in a window in each corner and in the middle, where watermarks are put; None for a picture too small for it."""
    (high, wide), (height, width) = pixels.shape, _WINDOW
    if high < height + 2 * _INSET or wide < width + 2 * _INSET:
        return None
    smooth = ndimage.gaussian_filter(pixels, 0.7)
    steep = np.stack([ndimage.sobel(smooth, 1), ndimage.sobel(smooth, 0)]) / 8
    slopes = np.clip(steep, -0.05, 0.05).astype(np.float16)  # a faint overlay counts as much as a bold line
    bottom, right = high - height - _INSET, wide - width - _INSET
    places = {
        "top left": (_INSET, _INSET),
        "top right": (_INSET, right),
        "bottom left": (bottom, _INSET),
        "bottom right": (bottom, right),
        "middle": ((high - height) // 2, (wide - width) // 2),
    }
    return {name: slopes[:, y : y + height, x : x + width].copy() for name, (y, x) in places.items()}


def watermarked(windows: Sequence[Corners | None]) -> list[int]:
    """The places of works that share one overlay in a corner or in the middle.

    The median gradient over many works keeps only what all of them have (Dekel et al., "On the effectiveness of visible
    watermarks", 2017). It is taken from one half of the works and looked for in the other, so that chance cannot agree.
    """
    there = [place for place, window in enumerate(windows) if window is not None]
    if len(there) < OVERLAY_WORKS:
        return []
    found: set[int] = set()
    for name in windows[there[0]] or ():
        stack = np.stack([window[name] for window in windows if window is not None])
        agreement = np.zeros(len(stack))
        for half in (0, 1):
            agreement[1 - half :: 2] = _agreement(np.median(stack[half::2], 0), stack[1 - half :: 2])
        if np.median(agreement) > OVERLAY_MEDIAN:
            found |= {there[place] for place in np.flatnonzero(agreement > OVERLAY_SHARE)}
    return sorted(found)


def _agreement(pattern: NDArray[np.float16], stack: NDArray[np.float16]) -> NDArray[np.float64]:
    """The cosine between a pattern of gradients, where it is strongest, and each of the works' gradients there."""
    strength = np.hypot(*pattern.astype(np.float32))
    mask = strength > max(float(np.percentile(strength, 98)), 0.002)
    mask &= (mask.mean(1) < 0.3)[:, None] & (mask.mean(0) < 0.3)[None]  # whole straight lines are frames, not letters
    if mask.sum() < 40:
        return np.zeros(len(stack))
    wanted = pattern[:, mask].astype(np.float64).ravel()
    seen = stack[:, :, mask].astype(np.float64).reshape(len(stack), -1)
    return seen @ wanted / (np.linalg.norm(seen, axis=1) * np.linalg.norm(wanted) + 1e-9)


# -- copies -------------------------------------------------------------------------------------------------------------------

_PLATE, _ALIGNED, _SHIFT = 128, 64, 5
_VIEWS = (
    (0.0, 0.0, 1.0, 1.0),
    *((cut, cut, 1 - cut, 1 - cut) for cut in (0.05, 0.1)),
    *((x, y, x + 0.86, y + 0.86) for x in (0.0, 0.14) for y in (0.0, 0.14)),
    *((x, y, x + side, y + side) for side in (0.93, 0.8) for x in (0.0, 1 - side) for y in (0.0, 1 - side)),
    *((x, y, x + 0.85, y + 0.85) for x, y in ((0.075, 0.0), (0.0, 0.075), (0.15, 0.075), (0.075, 0.15), (0.075, 0.075))),
    *((cut, 0.0, 1.0, 1.0) for cut in (0.1, 0.2)),
    *((0.0, cut, 1.0, 1.0) for cut in (0.1, 0.2)),
    *((0.0, 0.0, 1 - cut, 1.0) for cut in (0.1, 0.2)),
    *((0.0, 0.0, 1.0, 1 - cut) for cut in (0.1, 0.2)),
)


@dataclass(frozen=True)
class _Plate:
    """What finds a work's copies: the picture squeezed to a grey square, its hashes, how colourful and how fine the work is."""

    picture: Image.Image
    hashes: NDArray[np.float32]
    colourful: float
    sharpness: float

    @property
    def flat(self) -> bool:
        dark, light = np.percentile(np.asarray(self.picture), [1, 99])
        return bool(light - dark < 255 * FLAT_RANGE)


def _plates(paths: Sequence[Path]) -> list[_Plate]:
    with _threads() as pool:
        return list(pool.map(lambda path: _plate(path, path.stat().st_mtime_ns), paths))


@functools.lru_cache(maxsize=8192)
def _plate(path: Path, changed: int) -> _Plate:
    """Remembered while the file is unchanged: the split asks again for what curation saw."""
    image = images.fit(images.open_image(path), SIDE)
    colours = np.asarray(images.fit(image, 64), np.float32) / 255
    picture = _squeezed(image)
    return _Plate(picture, _hashes(picture), float((colours.max(2) - colours.min(2)).mean()), sharpness(grey(image)))


def _squeezed(image: Image.Image) -> Image.Image:
    """The picture without even margins, in grey, squeezed to a square: what two scans of one plate have in common."""
    small = images.fit(image.convert("L"), 384)
    tones = np.asarray(small.filter(ImageFilter.MedianFilter(3)), np.int16)
    margin = np.median(np.concatenate([tones[0], tones[-1], tones[:, 0], tones[:, -1]]))
    drawn = np.abs(tones - margin) > 28
    rows, columns = np.flatnonzero(drawn.mean(1) > 0.02), np.flatnonzero(drawn.mean(0) > 0.02)
    if len(rows) > 0.3 * small.height and len(columns) > 0.3 * small.width:
        small = small.crop((int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1))
    return small.resize((_PLATE, _PLATE), Image.Resampling.LANCZOS)


def _hashes(picture: Image.Image) -> NDArray[np.float32]:
    """Perceptual hashes as rows of +1 and -1: of the plate, of the plate mirrored, then of its crops."""
    whole, *crops = (picture.crop(tuple(round(_PLATE * edge) for edge in view)) for view in _VIEWS)  # type: ignore[arg-type]
    rows = [imagehash.phash(view).hash.ravel() for view in (whole, ImageOps.mirror(whole), *crops)]
    return np.where(np.stack(rows), 1, -1).astype(np.float32)


def _copies(works: Sequence[Artwork], plates: Sequence[_Plate]) -> list[tuple[int, dict[int, str]]]:
    """Each group of copies: the place of the best, and how each of the others repeats it."""
    found = []
    for group in _groups([work.id for work in works], plates):
        best = max(sorted(group), key=lambda place: _worth(works[place], plates[place]))
        found.append((best, {place: _how(works, plates, place, best) for place in sorted(group - {best})}))
    return found


def _worth(work: Artwork, plate: _Plate) -> tuple[bool, float, bool, float]:
    """What makes one of several copies the best. Sizes within a tenth count as equal, as do sharpnesses."""
    return (
        min(work.size) >= SMALLEST,
        round(np.log(work.size[0] * work.size[1]) / 0.1),
        plate.colourful > 0.08,
        round(plate.sharpness, 1),
    )


def _how(works: Sequence[Artwork], plates: Sequence[_Plate], place: int, best: int) -> str:
    if works[place].id == works[best].id:
        return "the same pixels as those"
    plain, mirrored = (_alike(plates[place].picture, plates[best].picture, _VIEWS[0], flip) for flip in (False, True))
    kind = "a mirrored copy" if mirrored > max(plain, COPY_ALIKE) else "a copy"
    colours = [plates[place].colourful > 0.08, plates[best].colourful > 0.08]
    return f"{kind} in other colours" if colours[0] != colours[1] else kind


def _groups(ids: Sequence[str], plates: Sequence[_Plate]) -> list[set[int]]:
    """Groups of works that are copies of each other, through others too. A picture with nothing in it is like no other."""
    home = {place: {place} for place in range(len(plates))}
    first = {work_id: place for place, work_id in reversed(list(enumerate(ids)))}
    equal = {(first[work_id], place) for place, work_id in enumerate(ids) if first[work_id] != place}
    for one, other in itertools.chain(equal, sorted(_candidates(plates))):
        if home[one] is not home[other] and ((one, other) in equal or _same(plates[one], plates[other])):
            together = home[one] | home[other]
            home |= dict.fromkeys(together, together)
    return list({id(group): group for group in home.values() if len(group) > 1}.values())


def _candidates(plates: Sequence[_Plate]) -> set[tuple[int, int]]:
    """Pairs with a crop of one whose hash is within `COPY_BITS` of the other's, plain or mirrored: cheap, and many are wrong."""
    places = [place for place, plate in enumerate(plates) if not plate.flat]
    if len(places) < 2:
        return set()
    found = set()
    wholes = np.concatenate([plates[place].hashes[:2] for place in places])
    for number, place in enumerate(places):
        bits = (64 - plates[place].hashes @ wholes.T) / 2
        near = bits.reshape(len(bits), len(places), 2).min((0, 2)) <= COPY_BITS
        found |= {(min(place, places[other]), max(place, places[other])) for other in np.flatnonzero(near) if other != number}
    return found


def _same(one: _Plate, other: _Plate) -> bool:
    """Whether the three best fitting crops, laid over the other picture, show the same drawing."""
    fits = []
    for crops, whole in ((one, other), (other, one)):
        bits = (64 - crops.hashes @ whole.hashes[:2].T) / 2
        for view, row in enumerate([0, *range(2, len(crops.hashes))]):
            fits += [(bits[row, flip], view, bool(flip), crops, whole) for flip in (0, 1)]
    fits.sort(key=lambda fit: (fit[0], fit[1]))
    return any(
        bits <= COPY_BITS and _alike(whole.picture, crops.picture, _VIEWS[view], flip) > COPY_ALIKE
        for bits, view, flip, crops, whole in fits[:3]
    )


def _alike(whole: Image.Image, cropped: Image.Image, view: tuple[float, ...], flip: bool) -> float:
    """The greatest correlation, over small shifts, of the lines of two pictures; tones and colours do not count."""
    first = _lines((ImageOps.mirror(whole) if flip else whole).resize((_ALIGNED, _ALIGNED), Image.Resampling.BOX))
    box = (view[0] * _PLATE, view[1] * _PLATE, view[2] * _PLATE, view[3] * _PLATE)
    second = _lines(cropped.resize((_ALIGNED, _ALIGNED), Image.Resampling.BILINEAR, box=box))
    correlation = np.fft.irfft2(np.fft.rfft2(first) * np.conj(np.fft.rfft2(second)))
    return float(np.roll(correlation, (_SHIFT, _SHIFT), (0, 1))[: 2 * _SHIFT + 1, : 2 * _SHIFT + 1].max())


def _lines(image: Image.Image) -> Grey:
    """A picture without its large areas of tone and its finest grain, of length one."""
    pixels = np.asarray(image, np.float32)
    band = ndimage.gaussian_filter(pixels - ndimage.gaussian_filter(pixels, 4, mode="nearest"), 0.8)
    band = np.clip(band, -band.std(), band.std())  # or two works in one oval frame would be alike for the frame's sake
    band -= band.mean()
    return band / (float(np.linalg.norm(band)) + 1e-6)
