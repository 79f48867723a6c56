"""`artlab enlarge PICTURE --portfolio ...`: a small picture made large, in the brushwork of an artist's own works, or plainly."""

import sys
from collections.abc import Callable
from typing import Any

from PIL import Image, ImageFilter
from torch import Tensor

from artlab.bases import Base
from artlab.enlarge import brushwork
from artlab.generate import warm
from artlab.recipe import NO_BASE, Recipe
from artlab.restyle import colour
from artlab.settings import Enlarge
from artlab.transfer import keeping
from artlab.transfer.keeping import Keeper, Picture, Progress, Report
from artlab.transfer.sources import TransferError, of_portfolio, open_picture

__all__ = ["EnlargeError", "enlarge", "plain"]

FEWEST = 2
MOST = 32


class EnlargeError(TransferError):
    """A picture that cannot be enlarged as asked: why, and the way out."""


def print_progress(progress: Progress) -> None:
    """Remarks and scales done, on stderr."""
    print(progress.message or f"[{progress.done}/{progress.total}]", file=sys.stderr)


def enlarge(settings: Enlarge, report: Report = print_progress) -> Picture:
    """Make the picture. Stopped half-way, it keeps the newest scale. Raises TransferError or PortfolioError.

    `report` may raise to stop.
    """
    small, digest, _ = open_picture(settings.picture)
    size = _size(settings, small)
    keeper, name = Keeper(report), ""
    works: tuple[Image.Image, ...] = ()
    ids: tuple[str, ...] = ()
    if settings.method == "brushwork":
        if not settings.portfolio:
            raise EnlargeError(
                "Whose brushwork? Name a portfolio (--portfolio my-works, or drawn:vask), or take --method plain, which needs none."
            )
        works, ids, name = of_portfolio(settings.portfolio, small, settings.works, least=FEWEST)
    extra: dict[str, Any] = {
        "content": {"name": settings.picture.name[:200], "id": digest},
        "sources": [{"name": name, "works": list(ids)}] if ids else [],
        "strength": settings.strength,
        "brush": settings.brush,
    }
    made = Recipe(
        prompt="",
        seed=settings.seed,
        width=size[0],
        height=size[1],
        steps=1,
        sampler="none",
        guidance=0.0,
        base=NO_BASE,
        method=f"enlarge: {settings.method}",
        extra=extra,
    )
    where, stem = keeping.folder(settings.output_dir), f"{settings.picture.stem}-{settings.method}"

    def rescue(picture: Image.Image) -> Picture:
        return keeping.save(picture.resize(size, Image.Resampling.LANCZOS), keeping.unfinished(made), where, f"{stem}-unfinished")

    with keeping.rescued(keeper, rescue):
        result = METHODS[settings.method](settings, small, size, works, keeper)
    return keeping.save(result, made, where, stem)


def learned(base: Base, small: Image.Image, size: tuple[int, int]) -> Image.Image:
    """The base's own upscaler as often as needed, then Lanczos to the size. Raises EnlargeError for a base that has none."""
    if base.upscale_factor == 1:
        raise EnlargeError(f"The base “{base.name}” has no upscaler; take --method plain, or brushwork with a portfolio.")
    large = small
    while max(large.size) < 0.75 * max(size):
        (large,) = base.upscale([large])
    return large.resize(size, Image.Resampling.LANCZOS)


def plain(small: Image.Image, size: tuple[int, int]) -> Image.Image:
    """Lanczos and a moderate sharpening as wide as the enlargement: what brushwork is compared with."""
    factor = max(size) / max(small.size)
    large = small.resize(size, Image.Resampling.LANCZOS)
    return large.filter(ImageFilter.UnsharpMask(radius=max(1.0, 0.6 * factor), percent=70, threshold=2))


def _brushwork(
    settings: Enlarge, small: Image.Image, size: tuple[int, int], works: tuple[Image.Image, ...], keeper: Keeper
) -> Image.Image:
    def seen(done: int, total: int, picture: Tensor) -> None:
        keeper(Progress(done, total, preview=lambda: colour.picture(picture)))

    result = brushwork.enlarge(
        colour.pixels(small),
        [colour.pixels(work) for work in works],
        (size[1], size[0]),
        brush=settings.brush,
        strength=settings.strength,
        seed=settings.seed,
        on_image=seen,
    )
    return colour.picture(result)


METHODS: dict[str, Callable[[Enlarge, Image.Image, tuple[int, int], tuple[Image.Image, ...], Keeper], Image.Image]] = {
    "brushwork": _brushwork,
    "plain": lambda settings, small, size, works, keeper: plain(small, size),
    "learned": lambda settings, small, size, works, keeper: learned(warm("mini"), small, size),
}


def _size(settings: Enlarge, small: Image.Image) -> tuple[int, int]:
    longest = max(small.size)
    if settings.size <= longest:
        raise EnlargeError(
            f"{settings.picture} is {small.width}x{small.height} already; take a --size of more than {longest} (up to 4096)."
        )
    if settings.size > MOST * longest:
        raise EnlargeError(
            f"{settings.picture} is {small.width}x{small.height}: {settings.size} would be more than {MOST} times as large, and almost all "
            f"of it invented. Stay below --size {MOST * longest}."
        )
    return max(1, round(small.width * settings.size / longest)), max(1, round(small.height * settings.size / longest))
