"""Which works train, which validate and which test: by work, near-duplicates on one side, every series in its share.

A work's place depends on its content hash and the seed, never on the order of the works, so that a portfolio keeps its
sides when it is uploaded again, and nearly keeps them when a work is added.
"""

import math
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from artlab import files
from artlab.portfolio.work import Artwork, PortfolioError

Side = Literal["train", "validation", "test"]

FEW = 12
"""Below this many works one held-out side says little: `folds` holds out each of them once."""
MOST = 0.25
"""The largest share of the works that one held-out side may take."""


@dataclass(frozen=True)
class Split:
    """The works of each side, ordered by id."""

    train: tuple[Artwork, ...]
    validation: tuple[Artwork, ...]
    test: tuple[Artwork, ...] = ()

    def side_of(self, work_id: str) -> Side:
        """The side that a work is on. Raises KeyError for a work that is on none."""
        sides: dict[Side, tuple[Artwork, ...]] = {"train": self.train, "validation": self.validation, "test": self.test}
        for side, works in sides.items():
            if any(work.id == work_id for work in works):
                return side
        raise KeyError(work_id)


@dataclass(frozen=True)
class _Unit:
    """Works that stay together: a group of near-duplicates, or one work. `score` is its place in the seed's shuffle."""

    works: tuple[Artwork, ...]
    series: str
    score: int

    @property
    def size(self) -> int:
        return len(self.works)


def split(
    works: Sequence[Artwork], *, seed: int, validation: float = 0.15, test: float = 0.0, groups: Iterable[Collection[str]]
) -> Split:
    """Split `works` into sides of about the shares asked for, counted in works and stratified by series.

    `groups` are sets of ids of near-duplicates (`curate.near_duplicate_groups`). A held-out side has at least two works and at
    most a quarter of them, whatever the share. Where both cannot be (fewer than 8 works, or large groups), it has one group, the
    smallest. Near-duplicates are held out only where the whole group fits. A share of zero leaves the side empty. The test side
    is chosen first, and so does not move when the validation share does. Raises PortfolioError for too few distinct works,
    ValueError for shares outside [0, 0.5).
    """
    if not (0 <= validation < 0.5 and 0 <= test < 0.5):
        raise ValueError(f"The shares of validation and test must be in [0, 0.5); got {validation} and {test}.")
    units = _units(works, groups, seed)
    _check_enough(units, 3 if validation and test else 2)
    total = sum(unit.size for unit in units)
    tested = (
        _hold_out(units, test, total, seed)[: len(units) - (2 if validation else 1)] if test else []
    )  # the others keep one each
    rest = [unit for unit in units if unit not in tested]
    validated = _hold_out(rest, validation, total, seed)[: len(rest) - 1] if validation else []
    return Split(_works(unit for unit in rest if unit not in validated), _works(validated), _works(tested))


def folds(works: Sequence[Artwork], k: int = 5, *, seed: int, groups: Iterable[Collection[str]]) -> list[Split]:
    """Splits that hold out every work exactly once, for portfolios of fewer than `FEW` works.

    There are `k` of them, or as many as there are groups of near-duplicates if that is less. Sizes are as even as the groups
    allow and series are dealt around. Raises PortfolioError for fewer than two distinct works, ValueError for k < 2.
    """
    if k < 2:
        raise ValueError(f"Cross-validation needs at least 2 folds; got {k}.")
    units = _units(works, groups, seed)
    _check_enough(units, 2)
    held: list[list[_Unit]] = [[] for _ in range(min(k, len(units)))]
    for unit in sorted(units, key=lambda u: (-u.size, u.series, u.score)):  # largest first, each to the emptiest fold
        min(held, key=lambda fold: (sum(u.size for u in fold), sum(u.series == unit.series for u in fold))).append(unit)
    return [Split(_works(unit for unit in units if unit not in fold), _works(fold)) for fold in held]


def sides(
    works: Sequence[Artwork], *, seed: int, validation: float = 0.15, fold: int = 0, groups: Iterable[Collection[str]]
) -> Split:
    """The split that training uses: `split`, or below `FEW` works the fold of that number, so that all of them can be tried.

    Raises PortfolioError for too few distinct works or a fold that is not there.
    """
    if len(works) >= FEW or not validation:
        return split(works, seed=seed, validation=validation, groups=groups)
    every = folds(works, seed=seed, groups=groups)
    if fold not in range(len(every)):
        raise PortfolioError(f"These works make {len(every)} folds, numbered 0 to {len(every) - 1}; there is no fold {fold}.")
    return every[fold]


def weights(works: Sequence[Artwork]) -> dict[str, float]:
    """How often to draw each work (id -> weight, mean 1): 1 / sqrt(size of its series), times the artist's `repeats`.

    So a series is drawn in proportion to the square root of its size: halfway between drawing every work alike, where a large
    series drowns the others, and drawing every series alike, where the two works of a small one are learned by heart
    (exponent 0.5, as Lample & Conneau 2019 sample unequal languages). Works without a series count as one series.
    Raises PortfolioError for no works or a `repeats` below one.
    """
    if not works:
        raise PortfolioError("There are no works to weigh.")
    if wrong := next((work for work in works if work.repeats < 1), None):
        raise PortfolioError(
            f"{wrong.name} has repeats {wrong.repeats}; it must be 1 or more. To leave a work out, do not keep it."
        )
    sizes = Counter(work.series for work in works)
    raw = {work.id: work.repeats / sizes[work.series] ** 0.5 for work in works}
    mean = math.fsum(raw.values()) / len(raw)  # exact, so that the order of the works leaves no trace in the last digit
    return {work_id: weight / mean for work_id, weight in raw.items()}


def _units(works: Sequence[Artwork], groups: Iterable[Collection[str]], seed: int) -> list[_Unit]:
    """The works in units, in the order of the seed's shuffle. A work marked as a duplicate is joined to the work it repeats."""
    by_id = {work.id: work for work in works}
    marked = [{work.id, mark.of} for work in by_id.values() for mark in work.marks if mark.kind == "duplicate" and mark.of]
    units = []
    for joined in _joined(by_id, [*groups, *marked]):
        members = tuple(by_id[work_id] for work_id in sorted(joined & by_id.keys()))
        if members:
            series = Counter(work.series for work in members)
            most = min(series, key=lambda name: (-series[name], name))
            units.append(_Unit(members, most, min(_score(seed, work.id) for work in members)))
    return sorted(units, key=lambda unit: (unit.score, unit.works[0].id))


def _joined(ids: Iterable[str], groups: Iterable[Collection[str]]) -> list[set[str]]:
    """The ids in disjoint sets: groups that share a member become one, also through a work that is not kept."""
    home = {work_id: {work_id} for work_id in ids}
    for group in groups:
        together = set[str]().union(*(home.get(work_id, {work_id}) for work_id in group))
        home |= dict.fromkeys(together, together)
    return list({id(together): together for together in home.values()}.values())


def _hold_out(units: Sequence[_Unit], share: float, total: int, seed: int) -> list[_Unit]:
    """Units for one held-out side of about `share` of `total` works: each series fills its quota, then any unit that fits."""
    want = min(max(round(total * share), 2), max(int(total * MOST), 1))
    chosen: list[_Unit] = []
    for series, quota in _quotas(units, want, seed).items():
        chosen += _fill([unit for unit in units if unit.series == series], quota)
    chosen += _fill([unit for unit in units if unit not in chosen], want - sum(unit.size for unit in chosen))
    return chosen or [min(units, key=lambda unit: (unit.size, unit.score))]


def _fill(units: Iterable[_Unit], room: int) -> list[_Unit]:
    """The first units that fit into `room` works, in their order; one too large is passed over."""
    chosen = []
    for unit in units:
        if unit.size <= room:
            chosen.append(unit)
            room -= unit.size
    return chosen


def _quotas(units: Sequence[_Unit], want: int, seed: int) -> dict[str, int]:
    """`want` works shared out over the series by their sizes: largest remainders, ties by a hash of the name."""
    sizes = Counter[str]()
    for unit in units:
        sizes[unit.series] += unit.size
    total = sum(sizes.values())
    quotas = {series: want * size // total for series, size in sizes.items()}
    by_remainder = sorted(sizes, key=lambda series: (-(want * sizes[series] % total), _score(seed, series)))
    for series in by_remainder[: want - sum(quotas.values())]:
        quotas[series] += 1
    return quotas


def _check_enough(units: Sequence[_Unit], least: int) -> None:
    if len(units) < least:
        raise PortfolioError(
            f"This takes at least {least} distinct works, and there {'is' if len(units) == 1 else 'are'} {len(units)} "
            "(near-duplicates count as one). Add works, or keep more of them."
        )


def _works(units: Iterable[_Unit]) -> tuple[Artwork, ...]:
    return tuple(sorted((work for unit in units for work in unit.works), key=lambda work: work.id))


def _score(seed: int, name: str) -> int:
    return int(files.fingerprint(str(seed), name), 16)
