"""What is compared: her works on both sides of the split, pictures of the style and of the bare base, works of other artists.

Sets of different sizes and shapes would differ by that alone, so all of them are cropped and scaled to the size of the pictures judged.
"""

import io
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from artlab import drawing, files, images, recipe, rundir, sources
from artlab.metrics import copying
from artlab.portfolio import Artwork, Portfolio, captions, curate, gather, split
from artlab.portfolio.curate import near_duplicate_groups
from artlab.recipe import Recipe, RecipeError
from artlab.settings import Evaluate
from artlab.style import Style

Say = Callable[[str], object]
Others = dict[str, tuple[tuple[Path, ...], list[set[str]]]]
"""Other artists by name: their pictures, and which of these are near-duplicates, by path."""

LEAST = 8
"""Pictures below which nothing is judged, and works below which nothing but copying and prompts is."""
LARGEST = 512
TINY = 64
OTHERS, OTHERS_HEIGHT = 24, 320
ANYONE = "anyone"
PLAIN = (
    "a house by the sea", "a tree on a hill", "a bird", "a boat under the moon", "flowers in a garden", "a cat", "a castle in the mountains",
    "a fox in the snow", "a person in the rain", "a lighthouse by the sea", "a bridge in the city", "a horse on a hill",
)  # fmt: skip


class EvaluateError(ValueError):
    """Something that cannot be judged as asked: what, why, and the way out."""


@dataclass(frozen=True)
class Works:
    """Her portfolio, the two sides that the training made of it, the groups of near-duplicates, and what is to be said of it."""

    portfolio: Portfolio
    train: tuple[Artwork, ...]
    held: tuple[Artwork, ...]
    groups: tuple[frozenset[str], ...]
    remarks: tuple[str, ...]

    @property
    def all(self) -> tuple[Artwork, ...]:
        """Both sides."""
        return (*self.train, *self.held)


@dataclass(frozen=True)
class Shown:
    """Finished pictures with the prompts they were made from; an empty prompt is an unknown one."""

    paths: tuple[Path, ...]
    prompts: tuple[str, ...]
    seeds: tuple[int | None, ...]


def works(settings: Evaluate, taught: Style | None, say: Say) -> Works:
    """Her works, split as the training split them. Raises PortfolioError, or EvaluateError for fewer than tell a copy."""
    source = settings.portfolio or _source_of(taught)
    portfolio = curate(gather(sources.resolve(source), trigger=taught.trigger if taught else None, say=say))
    if len(portfolio.kept) < copying.LEAST:
        raise EvaluateError(
            f"{portfolio.name} has {len(portfolio.kept)} usable works; copies are told from {copying.LEAST} on, a style from {LEAST} on. Add works, "
            "or look at the pictures with your own eyes: figures of so few would be chance."
        )
    remarks = list(_remarks(portfolio, taught))
    if len(portfolio.kept) < LEAST:
        remarks.append(
            f"{len(portfolio.kept)} works tell whether the style copies and still follows prompts, not whether it learned her hand: add works, {LEAST} "
            "at least."
        )
    groups = tuple(frozenset(group) for group in near_duplicate_groups(portfolio.kept))
    train, held = portfolio.kept, tuple[Artwork, ...]()
    if taught is not None:
        how = taught.card.get("settings", {})
        sides = split.sides(
            portfolio.kept,
            seed=int(how.get("seed", 0)),
            validation=float(how.get("validation_split", 0.15)),
            fold=int(how.get("fold", 0)),
            groups=groups,
        )
        train, held = sides.train, sides.validation
    return Works(portfolio, train, held, groups, tuple(remarks))


def _source_of(taught: Style | None) -> str:
    if taught is not None and files.slug(taught.name) in drawing.ARTISTS:
        return sources.DRAWN + files.slug(taught.name)
    if taught is not None and (known := _noted(taught)):
        return known
    name = taught.folder.name if taught else "STYLE"
    raise EvaluateError(f"Say which works the style was taught on: artlab evaluate {name} --portfolio FOLDER.")


def _noted(taught: Style) -> str:
    """Where the run that taught the style found the works, if it was on this machine and they are still there."""
    note = files.runs() / files.slug(taught.name) / rundir.IDENTITY
    try:
        source = str(files.read_json(note)["settings"]["source"])
    except (OSError, ValueError, KeyError, TypeError):
        return ""
    return source if source.startswith(sources.DRAWN) or Path(source).exists() else ""


def _remarks(portfolio: Portfolio, taught: Style | None) -> list[str]:
    said = []
    if taught is not None and taught.card.get("data", {}).get("fingerprint") not in (None, portfolio.fingerprint):
        said.append(
            f"The works of {portfolio.name} or their captions are not quite those that “{taught.name}” was taught on; what was held out then is "
            "known by content, so the sides are nearly the same."
        )
    without = sum(not work.caption for work in portfolio.kept)
    if without:
        said.append(f"{without} of {len(portfolio.kept)} works have no caption.")
    if len({work.size for work in portfolio.kept}) > 1:
        said.append("The works have different sizes; all were cropped and scaled alike for the comparison.")
    said += [f"{refusal.name} was left out: it {refusal.reason}." for refusal in portfolio.refused]
    return said


def prompts(settings: Evaluate, hers: Works) -> tuple[str, ...]:
    """As told, or captions: held-out ones first, which the style has never read; without captions a dozen plain motifs."""
    if asked := tuple(dict.fromkeys(prompt.strip() for prompt in settings.prompt if prompt.strip())):
        return asked
    own = dict.fromkeys(work.caption for work in (*hers.held, *_spread(hers.train)) if work.caption)
    texts = tuple(own)[: settings.count]
    return texts if len(texts) >= 4 else (*texts, *PLAIN[: 12 - len(texts)])


def spread(texts: Sequence[str], count: int) -> list[tuple[str, int]]:
    """(prompt, seed) of `count` pictures: every prompt in turn, with a new seed each time around."""
    return [(texts[index % len(texts)], index // len(texts)) for index in range(count)]


def pictures(folder: Path, say: Say) -> tuple[Shown, list[str]]:
    """Pictures of a folder, a ZIP or a drawn artist, with the prompt that their recipe or a caption beside them tells; and what was left out."""
    found = gather(sources.resolve(str(folder)), say=say)
    kept = [work for work in found.works if not any(mark.kind == "duplicate" for mark in work.marks)]
    if len(kept) < LEAST:
        raise EvaluateError(
            f"{folder} has {len(kept)} different pictures; {LEAST} are needed to say anything. Make more of them."
        )
    recipes = [_recipe(work) for work in kept]
    texts = [str(r.extra.get("prompt_given", r.prompt)) if r else _told(work) for r, work in zip(recipes, kept, strict=True)]
    remarks = [f"{refusal.name} was left out: it {refusal.reason}." for refusal in found.refused]
    remarks += (
        [f"{len(found.works) - len(kept)} pictures are equal to others and count once."] if len(kept) < len(found.works) else []
    )
    if tiny := sum(max(work.size) < TINY for work in kept):
        remarks.append(
            f"{tiny} of {len(kept)} pictures are smaller than {TINY} px: the networks see little in them, and so do the figures."
        )
    return Shown(tuple(work.path for work in kept), tuple(texts), tuple(r.seed if r else None for r in recipes)), remarks


def _recipe(work: Artwork) -> Recipe | None:
    try:
        found = recipe.read(work.original) if work.original else None
    except (RecipeError, OSError):
        return None
    return found if isinstance(found, Recipe) else None


def _told(work: Artwork) -> str:
    """A caption that somebody wrote; one read from the file's own name is none."""
    stem = Path(work.name).stem
    return "" if work.caption == captions.readable(stem) else work.caption


def others(settings: Evaluate, hers: Works, say: Say) -> Others:
    """Whom the critic tells her apart from."""
    if not settings.others:
        mine = hers.portfolio.name
        drawn = {name: (_drawn(name), list[set[str]]()) for name in drawing.ARTISTS if name != mine}
        return drawn | {ANYONE: (_anyone(), [])}
    found: Others = {}
    for source in settings.others:
        portfolio = curate(gather(sources.resolve(source), say=say))
        kept = portfolio.kept[:: max(1, len(portfolio.kept) // 60)]
        if len(kept) < LEAST:
            raise EvaluateError(f"{portfolio.name} has {len(kept)} usable works; the critic needs {LEAST} of each artist.")
        paths = {work.id: str(work.path) for work in kept}
        groups = [{paths[one] for one in group if one in paths} for group in near_duplicate_groups(kept)]
        taken = portfolio.name in found or portfolio.name == hers.portfolio.name
        name = f"{portfolio.name} ({len(found) + 1})" if taken else portfolio.name
        found[name] = (tuple(work.path for work in kept), groups)
    return found


def _drawn(name: str) -> tuple[Path, ...]:
    return _made(name, lambda index: drawing.draw_work(name, index, height=OTHERS_HEIGHT).picture)


def _anyone() -> tuple[Path, ...]:
    """Drawn pictures by nobody in particular: each in a palette and a medium of its own."""
    artists = list(drawing.ARTISTS.values())

    def one(index: int) -> Image.Image:
        rng = np.random.default_rng([7, index])
        whose = artists[int(rng.integers(len(artists)))]  # for subjects and layouts that go together; not for hand or colours
        names = (whose.subjects, whose.layouts, sorted(drawing.PALETTES), sorted(drawing.MEDIA))
        subject, layout, palette, medium = (choices[int(rng.integers(len(choices)))] for choices in names)
        return drawing.draw(subject, layout, palette, medium, seed=index, height=OTHERS_HEIGHT).picture

    return _made(ANYONE, one)


def _made(name: str, draw: Callable[[int], Image.Image]) -> tuple[Path, ...]:
    folder = files.cache() / "others" / f"{name}-{OTHERS_HEIGHT}"
    paths = tuple(folder / f"{index:03d}.png" for index in range(OTHERS))
    for index, path in enumerate(paths):
        if not path.exists():
            files.write(path, png(draw(index)))
    return paths


def common_size(paths: Sequence[Path]) -> tuple[int, int]:
    """The size that everything is brought to: the usual one of the pictures judged, within 512."""
    sizes = [_size(path) for path in paths]
    width, height = (statistics.median_low(side) for side in zip(*sizes, strict=True))
    scale = min(1.0, LARGEST / max(width, height))
    return max(32, round(width * scale)), max(32, round(height * scale))


def alike(paths: Sequence[Path], size: tuple[int, int]) -> tuple[Path, ...]:
    """The pictures at that size, cropped around the middle, as files of the cache; those that have it stay where they are."""
    folder = files.cache() / "alike" / f"{size[0]}x{size[1]}"
    made = []
    for path in paths:
        if _size(path) == size:
            made.append(path)
            continue
        target = folder / f"{files.fingerprint(path.read_bytes())}.png"
        if not target.exists():
            files.write(target, png(images.crop(images.open_image(path), size)))
        made.append(target)
    return tuple(made)


def _size(path: Path) -> tuple[int, int]:
    with Image.open(path, formats=["PNG"]) as image:
        return image.size


def _spread(side: Sequence[Artwork]) -> list[Artwork]:
    """The works in an order that takes from all over the portfolio."""
    step = max(1, int(len(side) ** 0.5))
    return [work for start in range(step) for work in side[start::step]]


def png(picture: Image.Image) -> bytes:
    """A picture as the bytes of a PNG file."""
    stream = io.BytesIO()
    picture.save(stream, "PNG")
    return stream.getvalue()
