"""The critic: whose work is it? A classifier on feature rows, one artist against others, judged only on works that it has not seen.

A multinomial logistic regression on standardised features: with twenty to two hundred works anything larger learns the works by heart.
Classes count alike however many works they have, and near-duplicates never lie on two sides of a fold.
"""

from collections.abc import Collection, Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import norm

from artlab.metrics.errors import MetricError, Rows, TooFew, rows

LEAST = 8
"""Works of a class below which nothing is said of it."""
STRENGTHS = (1e-3, 1e-2, 1e-1)
"""Inverse regularisation to choose from, by the log loss within the training side; features are standardised and many."""
BINS, COMPONENTS = 5, 48


@dataclass(frozen=True)
class Critic:
    """A trained critic; `classes` are the artists in the order of `chances`' columns."""

    classes: tuple[str, ...]
    target: str
    model: Any

    def chances(self, features: ArrayLike) -> Rows:
        """(n, classes) probability of each artist."""
        return np.asarray(self.model.predict_proba(rows(features, "pictures", "the critic", 1)), dtype=np.float64)

    def hers(self, features: ArrayLike) -> NDArray[np.float64]:
        """(n,) probability that a picture is the target artist's."""
        return self.chances(features)[:, self.classes.index(self.target)]

    def says(self, features: ArrayLike) -> list[str]:
        """The likeliest artist of each picture."""
        return [self.classes[index] for index in self.chances(features).argmax(axis=1)]


@dataclass(frozen=True)
class Trial:
    """What the critic said of works that it had not seen, each work once: `truth` and `said` (n,), `chances` (n, classes)."""

    classes: tuple[str, ...]
    target: str
    truth: NDArray[np.str_]
    said: NDArray[np.str_]
    chances: Rows
    folds: int

    @property
    def n(self) -> int:
        """Works judged."""
        return len(self.truth)

    @property
    def is_hers(self) -> NDArray[np.bool_]:
        """(n,) whether a work is the target's."""
        return self.truth == self.target

    @property
    def hers(self) -> NDArray[np.float64]:
        """(n,) probability given to the target."""
        return self.chances[:, self.classes.index(self.target)]

    @property
    def accuracy(self) -> float:
        """Share of the works given to the right artist."""
        return float((self.truth == self.said).mean())

    @property
    def balanced_accuracy(self) -> float:
        """The same with each artist counted alike; chance is one over their number."""
        return float(np.mean([(self.said[self.truth == name] == name).mean() for name in self.classes]))

    @property
    def precision(self) -> float:
        """Of what was called hers, the share that is; 0 where nothing was."""
        called = self.said == self.target
        return float((called & self.is_hers).sum() / max(1, called.sum()))

    @property
    def recall(self) -> float:
        """Of her works, the share called hers."""
        return float((self.said[self.is_hers] == self.target).mean())

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall, of the target."""
        return _f1(self.is_hers, self.said == self.target)

    @property
    def f1_of_yes(self) -> float:
        """The F1 of a critic that calls everything hers: what F1 must beat."""
        share = float(self.is_hers.mean())
        return 2 * share / (1 + share)

    def f1_interval(self, *, level: float = 0.95, draws: int = 1000, seed: int = 0) -> tuple[float, float]:
        """Bootstrap interval of `f1` over the works, hers and the others' drawn apart so that their shares stay."""
        rng, hers, others = np.random.default_rng(seed), np.flatnonzero(self.is_hers), np.flatnonzero(~self.is_hers)
        values = []
        for _ in range(draws):
            pick = np.concatenate([rng.choice(hers, len(hers)), rng.choice(others, len(others))])
            values.append(_f1(self.is_hers[pick], self.said[pick] == self.target))
        low, high = np.quantile(values, [(1 - level) / 2, (1 + level) / 2])
        return float(low), float(high)

    @property
    def confusion(self) -> NDArray[np.int64]:
        """(classes, classes) works: a row for whose it is, a column for whose the critic says it is."""
        place = {name: index for index, name in enumerate(self.classes)}
        table = np.zeros((len(place), len(place)), np.int64)
        np.add.at(table, ([place[str(t)] for t in self.truth], [place[str(s)] for s in self.said]), 1)
        return table

    @property
    def brier(self) -> float:
        """Mean squared error of the probability "hers"; 0 is perfect, the share times its complement says nothing."""
        return float(((self.hers - self.is_hers) ** 2).mean())

    def reliability(self, bins: int = BINS) -> list[tuple[float, float, int]]:
        """Calibration: for each filled bin of the probability "hers" (mean said, share that is hers, works)."""
        place = np.minimum((self.hers * bins).astype(int), bins - 1)
        filled = [place == index for index in range(bins) if (place == index).any()]
        return [(float(self.hers[at].mean()), float(self.is_hers[at].mean()), int(at.sum())) for at in filled]

    @property
    def calibration_error(self) -> float:
        """Expected calibration error (Guo et al., 1706.04599): mean gap of said and true share, weighted by works."""
        return sum(abs(said - true) * n for said, true, n in self.reliability()) / self.n


def cross_validate(
    features: ArrayLike,
    artists: Sequence[str],
    *,
    target: str,
    groups: Sequence[Hashable] | None = None,
    folds: int = 5,
    seed: int = 0,
) -> Trial:
    """Judge every work by a critic trained on the other folds. `groups` (n,) names works that must stay on one side.

    Raises TooFew for a class of fewer than 8 works or of fewer groups than folds, MetricError for one artist only.
    """
    from sklearn.model_selection import StratifiedGroupKFold  # noqa: PLC0415 - slow to import

    x, truth, together = _checked(features, artists, target, groups)
    classes = tuple(sorted(set(artists)))
    fewest = min((len(set(together[truth == name])), name) for name in classes)
    if fewest[0] < folds:
        raise TooFew(f"“{fewest[1]}” has {fewest[0]} distinct works, too few for {folds} folds; near-duplicates count as one.")
    chances = np.zeros((len(x), len(classes)))
    for learn, judge in StratifiedGroupKFold(folds, shuffle=True, random_state=seed).split(x, truth, together):
        model = _fit(x[learn], truth[learn], together[learn], seed)
        chances[np.ix_(judge, [classes.index(str(name)) for name in model.classes_])] = model.predict_proba(x[judge])
    said = np.array(classes)[chances.argmax(axis=1)]
    return Trial(classes, target, truth, said, chances, folds)


def train(
    features: ArrayLike, artists: Sequence[str], *, target: str, groups: Sequence[Hashable] | None = None, seed: int = 0
) -> Critic:
    """The critic that learned from all these works, to be asked of other pictures. Raises as `cross_validate` does."""
    x, truth, together = _checked(features, artists, target, groups)
    model = _fit(x, truth, together, seed)
    return Critic(tuple(map(str, model.classes_)), target, model)


def groups_of(names: Sequence[str], duplicates: Iterable[Collection[str]]) -> list[str]:
    """A group for each work: that of its near-duplicates (sets of names, joined where they overlap), or its own name."""
    home = {name: {name} for name in names}
    for group in duplicates:
        joined = set[str]().union(*(home.get(name, set()) for name in group))
        home |= dict.fromkeys(joined, joined)
    return [min(home[name]) for name in names]


def share_interval(hits: int, n: int, *, level: float = 0.95) -> tuple[float, float]:
    """Wilson's interval of a share, which stays honest at 0 of 20 (Wilson 1927)."""
    z = float(norm.ppf((1 + level) / 2))
    middle, spread = hits / n + z * z / (2 * n), z * np.sqrt(hits / n * (1 - hits / n) / n + z * z / (4 * n * n))
    low, high = (middle - spread) / (1 + z * z / n), (middle + spread) / (1 + z * z / n)
    return float(max(0.0, low)), float(min(1.0, high))


def _checked(
    features: ArrayLike, artists: Sequence[str], target: str, groups: Sequence[Hashable] | None
) -> tuple[Rows, NDArray[np.str_], NDArray[np.int64]]:
    x, truth = rows(features, "works", "the critic", 2), np.array(list(artists), dtype=np.str_)
    if len(truth) != len(x) or (groups is not None and len(groups) != len(x)):
        raise MetricError(f"The critic needs an artist and a group for each work; there are {len(x)} works.")
    if target not in truth or len(set(artists)) < 2:
        raise MetricError(
            f"The critic needs works of “{target}” and of somebody else; there are those of {', '.join(sorted(set(artists)))}."
        )
    names, counts = np.unique(truth, return_counts=True)
    if counts.min() < LEAST:
        raise TooFew(f"The critic needs {LEAST} works of each artist; “{names[counts.argmin()]}” has {counts.min()}. Give more.")
    place: dict[Hashable, int] = {}
    numbers = [place.setdefault(group, len(place)) for group in (groups if groups is not None else range(len(x)))]
    return x, truth, np.array(numbers)


def _fit(x: Rows, truth: NDArray[np.str_], together: NDArray[np.int64], seed: int) -> Any:
    """Scaling and regression, the strength chosen on folds within the training side; an own fold for every duplicate group."""
    from sklearn.decomposition import PCA  # noqa: PLC0415 - slow to import
    from sklearn.linear_model import LogisticRegression  # noqa: PLC0415
    from sklearn.model_selection import StratifiedGroupKFold  # noqa: PLC0415
    from sklearn.pipeline import make_pipeline  # noqa: PLC0415
    from sklearn.preprocessing import StandardScaler  # noqa: PLC0415

    def model(strength: float, learn: NDArray[np.int64]) -> Any:
        few = PCA(min(COMPONENTS, *x[learn].shape), svd_solver="full")  # of the training side alone; the rest is mostly noise
        return make_pipeline(StandardScaler(), few, LogisticRegression(C=strength, class_weight="balanced", max_iter=500))

    losses = np.zeros(len(STRENGTHS))
    for learn, judge in StratifiedGroupKFold(3, shuffle=True, random_state=seed).split(x, truth, together):
        if len(set(truth[learn])) < len(set(truth)):
            continue
        for index, strength in enumerate(STRENGTHS):
            losses[index] += _log_loss(model(strength, learn).fit(x[learn], truth[learn]), x[judge], truth[judge])
    return model(STRENGTHS[int(losses.argmin())], np.arange(len(x))).fit(x, truth)


def _log_loss(model: Any, x: Rows, truth: NDArray[np.str_]) -> float:
    """Mean negative log probability of the truth, each artist counted alike."""
    chances, names = model.predict_proba(x), list(model.classes_)
    own = -np.log(np.maximum([row[names.index(name)] for row, name in zip(chances, truth, strict=True)], 1e-12))
    return float(np.mean([own[truth == name].mean() for name in set(truth)]))


def _f1(is_hers: NDArray[np.bool_], called: NDArray[np.bool_]) -> float:
    both = int((is_hers & called).sum())
    return 2 * both / max(1, int(is_hers.sum()) + int(called.sum()))
