"""The figures of a report: each with its network, n, interval, what chance gives, and the base as control; or the reason why not.

A figure is a plain dict, so that report.json and the page hold the same numbers.
"""

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from artlab import judge
from artlab.metrics import agreement, copying, fidelity
from artlab.metrics.critic import share_interval
from artlab.metrics.errors import MetricError
from artlab.metrics.nulls import Compared, Figure, distances

Rows = NDArray[Any]
TRIALS = 200
DRAWS = 400
HANDS = 144
"""Columns of the `style` features that come from the first three taps (strides 2 to 4): line, grain and touch."""


def _energy(xx: Rows, yy: Rows, xy: Rows) -> float:
    n, m = xy.shape
    return float(2 * xy.mean() - xx.sum() / (n * (n - 1)) - yy.sum() / (m * (m - 1)))


ENERGY = Figure("an energy distance", distances, _energy, judge.LEAST)
"""Energy distance (Székely and Rizzo 2013), unbiased: 0 on average for equal distributions, in the units of the rows."""

_KINDS: tuple[tuple[str, str, str], ...] = (
    ("style", "style similarity", "How alike hand and palette are: 1 the same hand, 0 no more alike than any two works."),
    ("kid", "KID", "Distance of the two sets; 0 when both are of one maker."),
    ("fd", "FD", "Fréchet distance; its size means nothing without the null beside it."),
    ("precision", "precision", "Share of the pictures that lie among the works."),
    ("recall", "recall", "Share of the works that lie among the pictures: low when the style shows one side of her only."),
    ("density", "density", "How densely the works surround the pictures; 1 for new works."),
    ("coverage", "coverage", "Share of the works with a picture nearby."),
)


def fidelity_figures(
    reference: Mapping[str, Rows], made: Mapping[str, Rows], base: Mapping[str, Rows] | None, *, seed: int = 0
) -> list[dict[str, Any]]:
    """All distances of the pictures `made` to the `reference` works, per network, the base's beside them."""
    found = [_distance("style", *_KINDS[0][1:], "style", reference, made, base, seed)]
    names = [name for name in reference if name not in ("style", "mini-clip", "palette")]
    for name in names:
        kinds = _KINDS[1:] if not name.startswith("clip:") else _KINDS[1:2]
        for key, title, says in kinds:
            title = "FID" if key == "fd" and name == "inception" else title
            found.append(_distance(key, title, says, name, reference, made, base, seed))
    for name in [name for name in reference if name == "mini-clip" or name.startswith("clip:")]:
        title = "CMMD" if name.startswith("clip:") else "MMD (CMMD's form)"
        says = "Distance of the two sets in a space made by words and pictures; unbiased, 0 for one maker."
        found.append(_distance("cmmd", title, says, name, reference, made, base, seed))
    return found


def _distance(
    key: str,
    title: str,
    says: str,
    name: str,
    reference: Mapping[str, Rows],
    made: Mapping[str, Rows],
    base: Mapping[str, Rows] | None,
    seed: int,
) -> dict[str, Any]:
    figure = fidelity.FIGURES[key]
    head: dict[str, Any] = {"figure": title, "extractor": name, "says": says, "better": "low" if figure.high_is_far else "high"}

    def compared(rows: Rows) -> Compared:
        pair = (rows, reference[name]) if key == "style" else (reference[name], rows)
        return fidelity.compare(*pair, figure, trials=TRIALS, seed=seed)

    try:
        mine = compared(made[name])
        row = head | {"n": mine.n, "value": mine.value, "null": [mine.null.mean, mine.null.sd], "z": mine.z, "p": mine.p}
        if key == "kid":
            row["interval"] = list(fidelity.kid_interval(reference[name], made[name], seed=seed))
        if base is not None:
            control = compared(base[name])
            row["base"], row["base_z"] = control.value, control.z
        return row
    except MetricError as reason:
        return head | {"refused": str(reason)}


# -- how far from the base towards the works --------------------------------------------------------------------------------


WIDEST = 1.5  # of the whole way: a longer interval says neither there nor back
ASPECTS: dict[str, tuple[str, Callable[[Mapping[str, Rows]], Rows]]] = {
    "palette": ("palette", lambda sets: sets["palette"]),
    "brushwork": ("style", lambda sets: sets["style"][:, :HANDS]),
    "form": ("style", lambda sets: sets["style"][:, HANDS:]),
    "motifs": ("effnet-lite0", lambda sets: sets["effnet-lite0"]),
}


def ways(
    reference: Mapping[str, Rows], made: Mapping[str, Rows], base: Mapping[str, Rows], *, seed: int = 0
) -> list[dict[str, Any]]:
    """How far the style went from the base (0) to the works (1), by the share of the base's energy distance that is gone.

    With a bootstrap interval over all three sets. Refused where the base's pictures are not surely apart from the works, and where that
    interval is too wide to say anything.
    """
    found: list[dict[str, Any]] = []
    for aspect, (extractor, columns) in ASPECTS.items():
        works, mine, bases = columns(reference), columns(made), columns(base)
        n = min(map(len, (works, mine, bases)))
        head: dict[str, Any] = {"aspect": aspect, "extractor": extractor, "n": n}
        if n < judge.LEAST:
            found.append(head | {"refused": f"n={n} is too few; it needs {judge.LEAST} on each side."})
            continue
        apart = fidelity.compare(works, bases, ENERGY, trials=TRIALS, seed=seed)
        if apart.p > 0.05:
            why = f"the base's pictures are not surely apart from the works here (p = {apart.p:.2f}), so there is no way to go."
            found.append(head | {"refused": why})
            continue
        value, low, high = _way(works, mine, bases, seed)
        if high - low > WIDEST:
            why = f"the interval runs from {low:.0%} to {high:.0%}: so few pictures cannot say how far it went."
            found.append(head | {"refused": why})
            continue
        found.append(head | {"value": value, "interval": [low, high]})
    return found


def _way(works: Rows, mine: Rows, bases: Rows, seed: int) -> tuple[float, float, float]:
    sets = (works, mine, bases)
    table = distances(np.concatenate(sets).astype(np.float64))
    ends = np.cumsum([0, *map(len, sets)])
    parts = [slice(start, stop) for start, stop in pairwise(ends)]
    rng = np.random.default_rng(seed)
    plain = [np.ones((1, len(rows))) for rows in sets]
    drawn = [rng.multinomial(len(rows), np.full(len(rows), 1 / len(rows)), DRAWS).astype(float) for rows in sets]

    def share(w: Sequence[Rows]) -> Rows:
        def energy(i: int, j: int) -> Rows:
            across = np.sum((w[i] @ table[parts[i], parts[j]]) * w[j], axis=1) / (w[i].sum(axis=1) * w[j].sum(axis=1))
            return 2 * across - within(i) - within(j)

        def within(i: int) -> Rows:  # a row never meets its own repeat: its distance is zero and its pairs are not counted
            pairs = np.sum((w[i] @ table[parts[i], parts[i]]) * w[i], axis=1)
            return np.asarray(pairs / (w[i].sum(axis=1) ** 2 - (w[i] ** 2).sum(axis=1)))

        return np.asarray(1 - energy(0, 1) / np.maximum(energy(0, 2), 1e-9))

    low, high = np.quantile(share(drawn), [0.025, 0.975])
    return float(share(plain)[0]), float(low), float(high)


# -- prompts ----------------------------------------------------------------------------------------------------------------


def agreement_figures(
    name: str, texts: Rows, made: Rows, base: Rows | None, *, published_texts: Rows | None = None, seed: int = 0
) -> list[dict[str, Any]]:
    """Agreement with the prompts beside its shuffled-caption null: CLIP score, in both conventions, only if the network is CLIP."""
    is_clip = name.startswith("clip:")
    kinds: list[tuple[str, agreement.Convention, Rows]] = [
        ("CLIP score (torchmetrics)" if is_clip else "agreement", "torchmetrics", texts)
    ]
    if is_clip and published_texts is not None:
        kinds.append(("CLIP score (as published)", "published", published_texts))
    found: list[dict[str, Any]] = []
    for title, convention, words in kinds:
        head: dict[str, Any] = {
            "figure": title,
            "extractor": name,
            "better": "high",
            "says": "How well pictures and prompts go together, beside prompts dealt out anew.",
        }
        try:
            null = agreement.shuffle_null(made, words, convention, seed=seed)
            value = agreement.clip_score(made, words, convention)
            row = head | {
                "n": len(made), "value": value, "null": [null.mean, null.sd], "z": fidelity.z_score(value, null), "p": null.p(value),
                "interval": list(agreement.interval(made, words, convention, seed=seed)),
            }  # fmt: skip
            if base is not None:
                control = agreement.clip_score(base, words, convention)
                row["base"] = control
                row["base_z"] = fidelity.z_score(control, agreement.shuffle_null(base, words, convention, seed=seed))
            found.append(row)
        except MetricError as reason:
            found.append(head | {"refused": str(reason)})
    return found


def kept(texts: Rows, made: Rows, base: Rows, *, seed: int = 0) -> dict[str, Any]:
    """Share of the base's agreement with its prompts that the style keeps, beyond what other prompts get; paired bootstrap."""
    mine, bases = judge.gaps(made, texts), judge.gaps(base, texts)
    rng = np.random.default_rng(seed)
    picks = rng.integers(len(mine), size=(DRAWS, len(mine)))
    sure = float(np.quantile(bases[picks].mean(axis=1), 0.05))
    head: dict[str, Any] = {"n": len(mine), "style": float(mine.mean()), "base": float(bases.mean())}
    if sure <= 0:
        return head | {"refused": "the base itself does not surely follow these prompts, so there is nothing to keep."}
    ratios = mine[picks].mean(axis=1) / np.maximum(bases[picks].mean(axis=1), 1e-9)
    low, high = np.quantile(ratios, [0.025, 0.975])
    return head | {"value": float(mine.mean() / bases.mean()), "interval": [float(low), float(high)]}


# -- copying and variety ----------------------------------------------------------------------------------------------------


def copying_figures(works: Rows, sets: Mapping[str, Rows]) -> dict[str, Any]:
    """Of each set how many pictures repeat a work, against the threshold that one new work in a hundred falls below.

    The style surely copies when its share is above five times chance and above the base's, which never saw the works: where
    compositions are plain, pictures by anybody lie near to some work.
    """
    try:
        found = {name: copying.calibrated_nearest(rows, works) for name, rows in sets.items() if len(rows)}
    except MetricError as reason:
        return {"refused": str(reason)}
    threshold = next(iter(found.values())).threshold
    control = found["base"].share if "base" in found else 0.0
    told = {
        name: _told(one, sets[name], works, max(judge.COPIES, control if name == "style" else 0.0)) for name, one in found.items()
    }
    own = [float(r) for r in next(iter(found.values())).own]
    return {"extractor": copying.EXTRACTOR, "works": len(works), "threshold": threshold, "own": own, "sets": told}


def _told(one: copying.Nearest, rows: Rows, works: Rows, explained: float) -> dict[str, Any]:
    n, flagged = len(one.ratios), int(one.flagged.sum())
    return {
        "n": n,
        "flagged": flagged,
        "share": one.share,
        "interval": list(share_interval(flagged, n)),
        "surely": judge.surely_more(flagged, n, explained),
        "auth_pct": copying.auth_pct(rows, works),
        "ratios": [float(ratio) for ratio in one.ratios],
    }


def worst(works: Rows, made: Rows, count: int = 10) -> list[dict[str, Any]]:
    """The pictures nearest to a work, nearest first: places of picture and work, and the calibrated ratio."""
    try:
        pairs = copying.worst_pairs(made, works, count)
    except MetricError:
        return []
    return [{"picture": picture, "work": work, "ratio": ratio} for picture, work, ratio in pairs]


def variety(works: Rows, made: Rows, base: Rows | None, *, seed: int = 0) -> list[dict[str, Any]]:
    """Vendi score at equal n beside the works' own, and how often the style repeats itself."""
    n = min(len(works), len(made))
    rng = np.random.default_rng(seed)

    def at_n(rows: Rows) -> Rows:
        return np.array([copying.vendi(rows[rng.choice(len(rows), min(n, len(rows)), replace=False)]) for _ in range(20)])

    head: dict[str, Any] = {"extractor": "effnet-lite0", "better": "near"}
    row = head | {
        "figure": "Vendi score", "n": n, "value": float(at_n(made).mean()), "works": float(at_n(works).mean()),
        "says": "How many different pictures there are in effect; the works' own at the same n beside it.",
    }  # fmt: skip
    again = head | {
        "figure": "repeats of itself", "n": len(made), "value": copying.duplicate_rate(made), "works": copying.duplicate_rate(works), "better": "low",
        "says": f"Share of the pictures with a near-twin among them (cosine distance below {copying.DUPLICATE}).",
    }  # fmt: skip
    if base is not None:
        row["base"], again["base"] = float(at_n(base).mean()), copying.duplicate_rate(base)
    return [row, again]
