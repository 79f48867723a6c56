"""The judge of a training: what a few pictures of one checkpoint say, and which checkpoint is to be kept.

The held-out loss says how well a model predicts works; it cannot see whether its pictures have her hand, follow their prompt or repeat
a work. The judge looks at pictures, always at the same prompts and seeds, so that two checkpoints differ by the adapter alone.
"""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from PIL import Image

from artlab.metrics import copying, extractors
from artlab.metrics.errors import MissingNetwork

READER = "mini-clip"
LEAST = 8
"""Pictures of a checkpoint below which the judge says nothing; also works."""
COPIES = 0.05
"""A checkpoint copies when a binomial test puts the share of its flagged pictures above this, five times what chance gives."""
FORGOTTEN = 0.5
"""A checkpoint has forgotten the prompts when it surely keeps less than this share of the base's agreement."""

Row = NDArray[np.float64]


@dataclass(frozen=True)
class Score:
    """What the judge says of one checkpoint, a number a picture: `style` (nearness to the works, 0 art at large to 1 the same hand),
    `agreement` (how much nearer a picture is to its own prompt than to the others), `copied` (whether it repeats a work).
    """

    step: int
    style: tuple[float, ...]
    agreement: tuple[float, ...]
    copied: tuple[bool, ...]

    @property
    def nearness(self) -> float:
        """Mean nearness to the works."""
        return float(np.mean(self.style))

    @property
    def follows(self) -> float:
        """Mean agreement with the prompts; 0 when pictures and prompts have nothing to do with each other."""
        return float(np.mean(self.agreement))

    def row(self) -> dict[str, Any]:
        """As JSON."""
        return asdict(self)

    @staticmethod
    def of(row: dict[str, Any]) -> "Score":
        """From JSON."""
        return Score(int(row["step"]), tuple(row["style"]), tuple(row["agreement"]), tuple(map(bool, row["copied"])))


class Judge:
    """Knows the works (features of style and of layout) and the prompts; looks at pictures of those prompts, in their order."""

    def __init__(self, works: ArrayLike, layouts: ArrayLike, prompts: Sequence[str]) -> None:
        self.works, self.layouts = np.asarray(works, dtype=np.float64), np.asarray(layouts, dtype=np.float64)
        self.prompts = list(prompts)
        self.network = _reader()
        self.texts = self.network.texts(self.prompts) if self.network else None

    @classmethod
    def watching(cls, works: Sequence[Image.Image], prompts: Sequence[str]) -> "Judge":
        """The judge of works as pictures, for a training."""
        return cls(extractors.get("style").features(works), extractors.get(copying.EXTRACTOR).features(works), prompts)

    def __call__(self, step: int, pictures: Sequence[Image.Image]) -> Score:
        """The score of pictures of the prompts. Needs as many pictures as prompts."""
        style, layouts = (extractors.get(name).features(pictures) for name in ("style", copying.EXTRACTOR))
        near = nearness(style, self.works)
        agree = np.zeros(len(pictures))
        if self.texts is not None:
            agree = gaps(extractors.get(READER).features(pictures), self.texts)
        flagged = copying.calibrated_nearest(layouts, self.layouts).flagged
        return Score(step, tuple(map(float, near)), tuple(map(float, agree)), tuple(map(bool, flagged)))


@dataclass(frozen=True)
class Choice:
    """The checkpoint to keep, why in words, and the step from which on the prompts are forgotten or works repeated, if any."""

    step: int
    reason: str
    forgets_from: int | None = None
    copies_from: int | None = None


def nearness(style: ArrayLike, works: ArrayLike, *, itself: bool = False) -> Row:
    """(n,) mean cosine of each row to the works; with `itself` the rows are the works and a row does not meet itself."""
    a, b = _unit(style), _unit(works)
    table = a @ b.T
    if itself:
        return np.asarray((table.sum(axis=1) - np.diag(table)) / (len(b) - 1))
    return np.asarray(table.mean(axis=1))


def gaps(pictures: ArrayLike, texts: ArrayLike) -> Row:
    """(n,) cosine of a picture with its own prompt, less its mean cosine with the other prompts of the set.

    A style moves all pictures nearer to some words or away from them; what is left without that is whether *this* prompt is in the
    picture. Rows of equal prompts do not count as others. Zeros where there is only one prompt.
    """
    a, b = _unit(pictures), _unit(texts)
    table = a @ b.T
    other = (b @ b.T) < 1 - 1e-6
    count = other.sum(axis=1)
    means = np.where(other, table, 0).sum(axis=1) / np.maximum(count, 1)
    return np.where(count > 0, np.diag(table) - means, 0.0)


def choose(scores: Sequence[Score], base: Score) -> Choice:
    """The checkpoint to keep, by the one-standard-error rule (Breiman et al. 1984, 3.4.3).

    Steps that repeat works, or surely keep less than half of the base's agreement with the prompts, are passed over. Of the others the
    earliest counts whose pictures are as near to the works as the nearest step's, within one standard error of the paired difference:
    what more steps add beyond that is within chance, and every step more is a step nearer to learning works by heart.
    """
    if not scores:
        raise ValueError("There are no checkpoints to choose from.")
    ordered = sorted(scores, key=lambda score: score.step)
    copies = [repeats(score, base) for score in ordered]
    lost = [forgets(score, base) for score in ordered]
    from_copies, from_lost = _from(ordered, copies), _from(ordered, lost)
    fit = [score for score, copy, gone in zip(ordered, copies, lost, strict=True) if not copy and not gone]
    if not fit:
        first = ordered[0]
        why = (
            "repeat works"
            if all(copies)
            else "have forgotten the prompts"
            if all(lost)
            else "repeat works or have forgotten the prompts"
        )
        return Choice(
            first.step,
            f"All steps {why}; step {first.step}, the first, does so least. Train for fewer steps.",
            from_lost,
            from_copies,
        )
    best = max(fit, key=lambda score: score.nearness)
    chosen = next(score for score in fit if _within_one_error(best, score))
    return Choice(chosen.step, _reason(chosen, best, ordered, from_lost, from_copies), from_lost, from_copies)


def enough(scores: Sequence[Score], base: Score, patience: int) -> bool:
    """Whether to stop: the last step copies or has forgotten, or nothing of the last `patience` steps came nearer to the works."""
    if not scores:
        return False
    if repeats(scores[-1], base) or forgets(scores[-1], base):
        return True
    if not patience or len(scores) <= patience:
        return False
    best = max(scores[:-patience], key=lambda score: score.nearness)
    return all(_within_one_error(later, best) for later in scores[-patience:])


def repeats(score: Score, base: Score) -> bool:
    """Whether surely more pictures repeat a work than chance explains, of those that the base, which never saw the works, does not
    make just as like one: a plain composition is like many.
    """
    counted = [mine for mine, bases in zip(score.copied, base.copied, strict=True) if not bases]
    return surely_more(sum(counted), len(counted), COPIES)


def forgets(score: Score, base: Score) -> bool:
    """Whether the pictures surely keep less than half of the base's agreement (paired, one-sided, 5 %). A base with none forgets none."""
    mine, bases = np.array(score.agreement), np.array(base.agreement)
    if bases.mean() - 1.645 * error(bases) <= 0:
        return False
    gap = FORGOTTEN * bases - mine
    return bool(gap.mean() - 1.645 * error(gap) > 0)


def surely_more(hits: int, n: int, share: float, *, level: float = 0.05) -> bool:
    """Whether `hits` of `n` is more than `share` explains: the exact binomial tail is below `level`, and it is more than one."""
    tail = sum(math.comb(n, k) * share**k * (1 - share) ** (n - k) for k in range(hits, n + 1))
    return hits > 1 and tail < level


def _within_one_error(best: Score, other: Score) -> bool:
    """Whether `other` is as near to the works as `best`, within a standard error of the paired difference."""
    difference = np.array(best.style) - np.array(other.style)
    return bool(difference.mean() <= error(difference))


def _reason(chosen: Score, best: Score, ordered: Sequence[Score], lost: int | None, copies: int | None) -> str:
    last = ordered[-1].step
    if chosen.step == last:
        said = f"Step {chosen.step}, the last, was chosen: its pictures are the nearest to the works so far, and more steps may bring more."
    elif chosen.step == best.step:
        said = f"Step {chosen.step} was chosen: its pictures are nearest to the works ({chosen.nearness:.2f})."
    else:
        said = (
            f"Step {chosen.step} was chosen: its pictures are as near to the works ({chosen.nearness:.2f}) as those of step {best.step} "
            f"({best.nearness:.2f}), within one standard error, and fewer steps learn less by heart."
        )
    said += f" From step {lost} on it forgets the prompts." if lost is not None else ""
    return said + (f" From step {copies} on it repeats works." if copies is not None else "")


def _from(ordered: Sequence[Score], bad: Sequence[bool]) -> int | None:
    """The first step of the bad ones at the end; a bad one followed by good ones was chance."""
    start = None
    for score, is_bad in zip(reversed(ordered), reversed(bad), strict=True):
        if not is_bad:
            break
        start = score.step
    return start


def _reader() -> extractors.WithTexts | None:
    """The network that reads prompts, if it is there: without it the judge says nothing of them."""
    try:
        network = extractors.get(READER)
    except MissingNetwork:
        return None
    return network if isinstance(network, extractors.WithTexts) else None


def error(values: ArrayLike) -> float:
    """Standard error of the mean; infinite for one value."""
    row = np.asarray(values, dtype=np.float64)
    return float(row.std(ddof=1) / math.sqrt(len(row))) if len(row) > 1 else math.inf


def _unit(values: ArrayLike) -> Row:
    matrix = np.asarray(values, dtype=np.float64)
    return matrix / np.maximum(np.linalg.norm(matrix, axis=1, keepdims=True), 1e-12)
