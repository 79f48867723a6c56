"""Styles mixed while a picture is made: weights over the steps, a choice per layer, and parts of the picture with styles of their own."""

import hashlib
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image, ImageFilter
from torch import Tensor

from artlab import easel, style
from artlab.bases import Base, Condition, lora
from artlab.bases.steering import Guess, Steering
from artlab.blend import files
from artlab.blend.deltas import Adapter, BlendError
from artlab.style import Style

ALPHA, BETA = 1.5, 0.5
WORDS = ("left", "right", "top", "bottom", "centre")
LayerWeights = dict[str, list[float]]
Over = Callable[[float], list[float] | LayerWeights]
"""Weights of the styles for a share of the way from noise (0) to picture (1), for all layers or layer by layer."""


# -- over the steps ---------------------------------------------------------------------------------------------------------


def over_steps(schedule: Sequence[str], styles: Sequence[tuple[Style, float]]) -> Over:
    """What the weights of the styles are at each share of the way. Without a schedule they stay as they are."""
    weights = [weight for _, weight in styles]
    if "k-lora" in schedule:
        if len(schedule) > 1 or len(styles) != 2:
            raise BlendError(
                "k-lora chooses between two styles, the first for what is shown and the second for how: give two, and nothing else."
            )
        return k_lora([files.read(one.weights) for one, _ in styles], weights)
    if "crossfade" in schedule:
        if len(schedule) > 1 or len(styles) < 2:
            raise BlendError(
                "crossfade goes from the first style to the others: give two styles at least, and no other schedule."
            )
        curves: list[tuple[float, ...]] = [(1.0, 0.0), *[(0.0, 1.0)] * (len(styles) - 1)]
    else:
        curves = _curves(schedule, [one for one, _ in styles])
    return lambda share: [weight * _at(curve, share) for weight, curve in zip(weights, curves, strict=True)]


def _curves(schedule: Sequence[str], styles: Sequence[Style]) -> list[tuple[float, ...]]:
    curves: list[tuple[float, ...]] = [(1.0,)] * len(styles)
    for text in schedule:
        name, colon, numbers = text.rpartition(":")
        index = next((i for i, one in enumerate(styles) if colon and name in (one.name, one.folder.name)), None)
        if index is None:
            raise BlendError(
                f"“{text}” is no schedule: write crossfade, k-lora, or a curve for one of your styles, such as {styles[0].folder.name}:1,0.5,0."
            )
        try:
            curve = tuple(float(number) for number in numbers.split(","))
        except ValueError:
            curve = ()
        if not curve or not all(abs(weight) <= style.HEAVIEST for weight in curve):
            raise BlendError(f"The curve “{numbers}” of the style “{name}” is no list of numbers from -2 to 2, such as 1,0.5,0.")
        curves[index] = curve
    return curves


def _at(curve: Sequence[float], share: float) -> float:
    """The value of a curve through evenly spaced points."""
    return float(np.interp(share * (len(curve) - 1), range(len(curve)), curve))


def k_lora(adapters: Sequence[Adapter], weights: Sequence[float]) -> Over:
    """K-LoRA (Ouyang et al. 2025, arXiv 2502.18461): in each layer and step one of two adapters, by the sum of its largest entries.

    K is the product of the ranks; the second adapter's sum is scaled to the first one's size over all layers and by
    1.5 t + 0.5 over the steps, so that the first shapes the early steps and the second the late ones.
    """
    sums: list[dict[str, float]] = [{}, {}]
    lengths = [0.0, 0.0]
    names = sorted(set(adapters[0]) | set(adapters[1]))
    for layer in names:
        both = [adapter.get(layer) for adapter in adapters]
        count = int(np.prod([delta.rank for delta in both if delta is not None]))
        for index, delta in enumerate(both):
            if delta is not None:
                sizes = delta.dense().abs().flatten()
                sums[index][layer] = float(sizes.topk(min(count, len(sizes))).values.sum())
                lengths[index] += float(sizes.sum())
    balance = lengths[0] / lengths[1] if lengths[1] else 1.0

    def chosen(share: float) -> LayerWeights:
        later = balance * (ALPHA * share + BETA)
        first = {layer: sums[0].get(layer, 0.0) >= later * sums[1].get(layer, 0.0) for layer in names}
        return {layer: [weights[0], 0.0] if first[layer] else [0.0, weights[1]] for layer in names}

    return chosen


def steering(base: Base, over: Over) -> Steering:
    """A sampling whose adapters follow these weights."""
    return Steering(before=lambda index, steps: lora.weigh(base, over(share_of(index, steps))))


def share_of(index: int, steps: int) -> float:
    """How far a step is on the way: 0 for the first, 1 for the last."""
    return index / max(1, steps - 1)


# -- over the picture -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Region:
    """A part of the picture: where (a word and a share, or a file), what it shows, and its styles with weights."""

    where: str
    prompt: str
    styles: tuple[tuple[Style, float], ...]

    def mask(self, size: tuple[int, int], feather: float) -> Image.Image:
        """White inside, at `size`, the edge soft over `feather` of the shorter side."""
        hard = _shape(self.where, size) or _from_file(Path(self.where).expanduser(), size)
        radius = feather * min(size) / 2
        # A blur reaches about twice its radius to either side; at the picture's own edges there is nothing to blend with.
        return hard.filter(ImageFilter.GaussianBlur(radius / 2)) if radius else hard

    def told(self) -> dict[str, Any]:
        """What a recipe keeps of it: of a file its name and its hash."""
        if _word(self.where):
            told: dict[str, Any] = {"where": self.where}
        else:
            path = Path(self.where).expanduser()
            told = {"where": path.name, "mask_sha256": hashlib.sha256(path.read_bytes()).hexdigest()}
        return told | {
            "prompt": self.prompt,
            "styles": [{"name": one.name, "weight": weight, "sha256": one.sha256} for one, weight in self.styles],
        }


def parse_region(text: str) -> Region:
    """A region from `MASK | PROMPT | STYLES`. Raises BlendError or StyleError."""
    parts = [part.strip() for part in text.split("|")]
    if len(parts) not in (2, 3) or not parts[0] or not parts[1]:
        raise BlendError(f"“{text}” is no region; write MASK | PROMPT | STYLES, for example left:0.4 | a fox | wren:0.9.")
    where = parts[0]
    if _word(where) is None and not Path(where).expanduser().exists():
        raise BlendError(
            f"There is no mask {where}; give a picture that is white where the region is, or {', '.join(WORDS)} (left:0.4)."
        )
    named = parts[2].split() if len(parts) == 3 else []
    return Region(where, parts[1], tuple((style.load(name), weight) for name, weight in map(style.parse_weighted, named)))


def _word(where: str) -> tuple[str, float] | None:
    found = re.fullmatch(rf"({'|'.join(WORDS)}|center)(?::(0?\.\d+|\d\.?\d*))?", where)
    if found is None:
        return None
    share = float(found[2]) if found[2] else 0.5
    if not 0 < share < 1:
        raise BlendError(f"The region “{where}” takes a share between 0 and 1 of the picture, such as {found[1]}:0.4.")
    return found[1].replace("center", "centre"), share


def _shape(where: str, size: tuple[int, int]) -> Image.Image | None:
    word = _word(where)
    if word is None:
        return None
    name, share = word
    x, y = (np.arange(side) + 0.5 for side in size)
    x, y = np.meshgrid(x / size[0], y / size[1])
    inside = {
        "left": x < share,
        "right": x > 1 - share,
        "top": y < share,
        "bottom": y > 1 - share,
        "centre": np.hypot(x - 0.5, y - 0.5) < share / 2,
    }[name]
    return Image.fromarray((inside * 255).astype(np.uint8))


def _from_file(path: Path, size: tuple[int, int]) -> Image.Image:
    mask = easel.take_mask(path, None, "the picture")
    if abs(mask.width * size[1] - mask.height * size[0]) > max(*mask.size, *size):
        raise BlendError(
            f"The mask {path.name} has {mask.width}x{mask.height} pixels, the picture {size[0]}x{size[1]}: they differ in shape. "
            "Save the mask in the shape of the picture, or ask for a picture of the mask's: --width, --height."
        )
    return mask.resize(size, Image.Resampling.BOX)


def shares(masks: Sequence[Image.Image], shape: tuple[int, int]) -> Tensor:
    """Shares (regions + 1, h, w) of the ground and of each region at every latent; they add up to 1, later regions lie on top."""
    tops = [
        torch.from_numpy(np.asarray(mask.resize((shape[1], shape[0]), Image.Resampling.BOX), dtype=np.float32)) / 255
        for mask in masks
    ]
    left, found = torch.ones(shape), []
    for top in reversed(tops):
        found.append(left * top)
        left = left * (1 - top)
    return torch.stack([left, *reversed(found)])


def by_regions(base: Base, parts: Tensor, conditions: Sequence[Condition], overs: Sequence[Over]) -> Steering:
    """A sampling in which each region is guessed with its own prompt and styles, and the guesses are joined by their shares.

    After MultiDiffusion (Bar-Tal et al. 2023, arXiv 2302.08113) and composable diffusion (Liu et al. 2022, arXiv 2206.01714): the denoiser
    sees the whole picture for each region, so that what lies side by side fits.
    """
    at = {"share": 0.0}

    def before(index: int, steps: int) -> None:
        at["share"] = share_of(index, steps)

    def output(guess: Guess) -> Tensor:
        joined: Tensor | None = None
        for part, condition, over in zip(parts, conditions, overs, strict=True):
            if float(part.max()) == 0:
                continue
            lora.weigh(base, over(at["share"]))
            found = guess(condition)
            joined = part.to(found) * found if joined is None else joined + part.to(found) * found
        assert joined is not None
        return joined

    return Steering(before=before, output=output)
