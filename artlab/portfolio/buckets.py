"""Aspect-ratio buckets: a few picture sizes of about one area, so that no work is squeezed and a batch still has one shape.

The sizes are kohya's (sd-scripts, `make_bucket_resolutions`): multiples of a step, never above the resolution's area.
"""

import math
from dataclasses import dataclass

Size = tuple[int, int]


@dataclass(frozen=True)
class Buckets:
    """What sizes are allowed: area at most `resolution`², sides multiples of `step` between `minimum` and `maximum` pixels.

    Zero stands for half and twice the resolution (kohya's 256 and 1024 at 512). `step` is a multiple of 8 times the factor by
    which the base shrinks a picture: 32 for the small base at 128, 64 for Stable Diffusion at 512. With `no_upscale` a picture
    smaller than its bucket keeps its own size, cut down to the step. Raises ValueError for numbers that leave no size.
    """

    resolution: int
    step: int
    minimum: int = 0
    maximum: int = 0
    no_upscale: bool = False

    def __post_init__(self) -> None:
        if self.step < 1:
            raise ValueError(f"Buckets need a step of at least one pixel; got {self.step}.")
        low, high = self.limits
        if not self.step <= low <= self.resolution <= high:
            raise ValueError(
                f"Buckets need step <= minimum <= resolution <= maximum; got step {self.step}, minimum {low}, "
                f"resolution {self.resolution}, maximum {high}."
            )

    @property
    def limits(self) -> tuple[int, int]:
        """The shortest and the longest side allowed, multiples of the step."""
        low = self.minimum or max(self.resolution // 2, self.step)
        high = self.maximum or self.resolution * 2
        return math.ceil(low / self.step) * self.step, max(high // self.step, 1) * self.step

    @property
    def sizes(self) -> tuple[Size, ...]:
        """Every size (width, height), narrowest first: the square, and each width with the greatest height that fits the area."""
        low, high = self.limits
        square = self.resolution // self.step * self.step
        found = {(square, square)}
        for width in range(low, high + 1, self.step):
            height = min(self.resolution**2 // width // self.step * self.step, high)
            if height >= low:
                found |= {(width, height), (height, width)}
        return tuple(sorted(found, key=lambda size: (aspect(size), size)))


def aspect(size: Size) -> float:
    """Width over height."""
    return size[0] / size[1]


def bucket_of(size: Size, buckets: Buckets) -> Size:
    """The bucket (width, height) for a picture of `size`: the nearest by log aspect, the larger of two as near."""
    target = math.log(aspect(size))
    bucket = min(buckets.sizes, key=lambda b: (round(abs(math.log(aspect(b)) - target), 9), -b[0] * b[1], b))
    if buckets.no_upscale and (size[0] < bucket[0] or size[1] < bucket[1]):
        return _own_size(size, buckets)
    return bucket


def covered(size: Size, bucket: Size) -> float:
    """The share (0-1] of a picture's area that the largest crop of the bucket's aspect keeps."""
    ours, theirs = aspect(size), aspect(bucket)
    return min(ours, theirs) / max(ours, theirs)


def _own_size(size: Size, buckets: Buckets) -> Size:
    """A small picture's own size: shrunk to the area if it must be, each side cut down to the step, at least one step."""
    scale = min(1.0, buckets.resolution / math.sqrt(size[0] * size[1]))
    high = buckets.limits[1]
    width, height = (max(min(int(side * scale + 1e-6), high) // buckets.step, 1) * buckets.step for side in size)
    return width, height
