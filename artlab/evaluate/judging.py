"""All of it put together: what the networks saw of every set becomes numbers, a verdict and a page."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from artlab import __version__, files, images, judge, metrics
from artlab.evaluate import curve, figures, palette, report
from artlab.evaluate.material import LEAST, Others, Say, Shown, Works, alike, common_size, others, prompts, spread
from artlab.generate import warm
from artlab.metrics import agreement, copying, critic, extractors
from artlab.metrics.errors import MetricError, MissingNetwork
from artlab.settings import Evaluate
from artlab.style import Style

Rows = NDArray[Any]
Features = Mapping[str, Rows]
Tell = Callable[[str], object]
ALWAYS = ("style", metrics.EXTRACTOR, copying.EXTRACTOR)
ALONE = 20
"""Held-out works from which on distances are taken to them alone."""
ROWS, WORST = 6, 10


@dataclass(frozen=True)
class Seen:
    """What is judged, and what the networks saw of it at one size: by set (`train`, `held`, `style`, `base`), and by other artist."""

    settings: Evaluate
    taught: Style | None
    hers: Works
    made: Shown
    base: Shown | None
    size: tuple[int, int]
    sets: Mapping[str, Features]
    others: Others
    strangers: Mapping[str, Features]
    remarks: tuple[str, ...]

    @property
    def control(self) -> Features | None:
        """What the networks saw of the base."""
        return self.sets["base"] if self.base else None

    @property
    def whole(self) -> Features:
        """What they saw of all her works, those learned from first."""
        return {name: np.concatenate([self.sets["train"][name], self.sets["held"][name]]) for name in self.sets["train"]}

    @property
    def alone(self) -> bool:
        """Whether there are enough held-out works for distances of their own."""
        return len(self.hers.held) >= ALONE


def look(settings: Evaluate, taught: Style | None, hers: Works, made: Shown, base: Shown | None, say: Say) -> Seen:
    """Bring everything to one size and have every network look at it once; features are found again by content."""
    size = common_size(made.paths)
    whom = others(settings, hers, say)
    names, remarks = _networks(settings)
    paths = {
        "train": [work.path for work in hers.train],
        "held": [work.path for work in hers.held],
        "style": made.paths,
        "base": base.paths if base else (),
    }
    sets = {name: _features(alike(found, size), names) for name, found in paths.items()}
    strangers = {name: _features(alike(found, size), ()) for name, (found, _) in whom.items()}
    return Seen(settings, taught, hers, made, base, size, sets, whom, strangers, tuple(remarks))


def check_networks(names: Sequence[str]) -> None:
    """Raise MissingNetwork or MetricError now, not after the pictures are made."""
    for name in names:
        extractors.get(name)


def _networks(settings: Evaluate) -> tuple[tuple[str, ...], list[str]]:
    """The networks asked for and the embedded one that reads prompts; and what is to be said when that is not there."""
    try:
        extractors.get(judge.READER)
    except MissingNetwork as reason:
        return settings.extractor, [f"Agreement with the prompts was not measured by {judge.READER}: {reason}"]
    return (judge.READER, *settings.extractor), []


def _features(paths: Sequence[Path], more: Sequence[str]) -> Features:
    """Rows of every network by its own name, which tells no folder; and the palette."""
    networks = [extractors.get(name) for name in dict.fromkeys((*ALWAYS, *more))]
    seen: dict[str, Rows] = {network.name: extractors.cached(network, paths) for network in networks}
    return seen | {"palette": palette.palette([images.open_image(path) for path in paths])}


# -- the numbers ------------------------------------------------------------------------------------------------------------


def numbers(seen: Seen) -> dict[str, Any]:
    """Everything that report.json says, but for the curve and the verdict."""
    settings, sets, control = seen.settings, seen.sets, seen.control
    reference = seen.sets["held"] if seen.alone else seen.whole
    contents = {name: sets[name][metrics.EXTRACTOR] for name in ("style", "base", "held")}
    works, drafts = sets["train"][copying.EXTRACTOR], {name: sets[name][copying.EXTRACTOR] for name in contents}
    found = _head(seen) | {
        "fidelity": figures.fidelity_figures(reference, sets["style"], control, seed=settings.seed),
        "ways": figures.ways(reference, sets["style"], control, seed=settings.seed) if control else [],
        "nearness": _nearness(seen),
        "copying": figures.copying_figures(works, drafts),
        "worst": figures.worst(works, drafts["style"], WORST),
        "variety": figures.variety(
            seen.whole[metrics.EXTRACTOR], contents["style"], contents["base"] if control else None, seed=settings.seed
        ),
        "critic": _critic(seen),
    }
    found["agreement"], found["prompts"] = _agreement(seen)
    return found | {"table": _table(seen, found)}


def _head(seen: Seen) -> dict[str, Any]:
    taught, hers, base = seen.taught, seen.hers, dict(seen.taught.base) if seen.taught else {}
    if base and Path(str(base["name"])).is_dir():
        base["name"] = Path(str(base["name"])).name  # a page that is passed on need not tell where things lie
    remarks = [*hers.remarks, *seen.remarks]
    if not seen.alone:
        remarks.append(
            f"{len(hers.held)} works were held out, too few for distances of their own ({ALONE} are needed), so distances are to all "
            f"{len(hers.all)} works. A style that copies would look good in them: read them beside the copying figures."
        )
    return {
        "schema": 1,
        "artlab": __version__,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "subject": {
            "name": taught.name if taught else (seen.settings.pictures or Path()).resolve().name,
            "kind": "style" if taught else "pictures",
            "portfolio": taught.name if taught and files.is_fingerprint(hers.portfolio.name) else hers.portfolio.name,
            "base": base,
            "weights_sha256": taught.sha256 if taught else "",
            "chosen_step": taught.card.get("chosen_step") if taught else None,
        },
        "counts": {
            "works": len(hers.all),
            "train": len(hers.train),
            "held": len(hers.held),
            "style": len(seen.made.paths),
            "base": len(seen.base.paths) if seen.base else 0,
        },
        "size": list(seen.size),
        "reference": "held-out works" if seen.alone else "all works",
        "settings": seen.settings.model_dump(
            mode="json", exclude={"style", "output_dir", "portfolio", "pictures", "control", "others", "extractor"}
        ),
        "remarks": remarks,
    }


def _nearness(seen: Seen) -> dict[str, Any]:
    """The nearness of each picture to the works learned from: of these among each other, held out, style, base, the nearest stranger."""
    train = seen.sets["train"]["style"]
    values = {"works": judge.nearness(train, train, itself=True)}
    for name in ("held", "style", "base"):
        if len(seen.sets[name]["style"]):
            values[name] = judge.nearness(seen.sets[name]["style"], train)
    apart = {name: judge.nearness(rows["style"], train) for name, rows in seen.strangers.items()}
    other = max(apart, key=lambda name: float(np.median(apart[name])))
    values["other"] = apart[other]
    found: dict[str, Any] = {
        name: {"n": len(row), "median": float(np.median(row)), "values": row.tolist()} for name, row in values.items()
    }
    found["other"]["who"] = other
    return found


def _agreement(seen: Seen) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """The figures of agreement with the prompts, and the share of the base's that is kept."""
    given, mine = seen.made.prompts, seen.sets["style"]
    known = [index for index, text in enumerate(given) if text]
    asked = [extractors.get(name) for name in _networks(seen.settings)[0]]
    readers = {network.name: network for network in asked if isinstance(network, extractors.WithTexts)}
    if (refused := _no_agreement(given, known, readers)) is not None:
        return [{"figure": "agreement", "extractor": judge.READER, "better": "high", "refused": refused}], {"refused": refused}
    # A control that was made here has the same prompts in the same order.
    base = seen.control if seen.base and seen.base.prompts == given else None
    found: list[dict[str, Any]] = []
    kept: dict[str, Any] = {"refused": "there is no control with the same prompts."}
    for name, network in readers.items():
        words = [given[index] for index in known]
        texts, rows = network.texts(words), mine[name][known]
        published = network.texts([agreement.PREFIX + text for text in words]) if name != judge.READER else None
        control = base[name][known] if base is not None else None
        found += figures.agreement_figures(name, texts, rows, control, published_texts=published, seed=seen.settings.seed)
        if control is not None and "refused" in kept:
            kept = {"extractor": name} | figures.kept(texts, rows, control, seed=seen.settings.seed)
    return found, kept


def _no_agreement(given: Sequence[str], known: Sequence[int], readers: Mapping[str, object]) -> str | None:
    """Why agreement cannot be measured, if it cannot."""
    if not readers:
        return f"{judge.READER}, the network that reads prompts, is not there; --extractor clip:ID names another."
    if len(known) >= LEAST and len({given[index] for index in known}) > 1:
        return None
    missing = len(given) - len(known)
    why = f"{missing} of {len(given)} pictures tell no prompt" if missing else "all pictures have the same prompt"
    how = "Pictures made by artlab carry their prompt; others need a .txt beside them."
    return f"{why}, and agreement needs {LEAST} pictures of two prompts or more. {how}"


def _critic(seen: Seen) -> dict[str, Any]:
    """The critic: how good it is on works that it has not seen, then what it says of the pictures."""
    hers, seed = seen.hers, seen.settings.seed
    me = hers.portfolio.name
    ids, duplicates = [work.id for work in hers.all], [set(group) for group in hers.groups]
    artists, rows = [me] * len(ids), [seen.whole["style"]]
    for name, (paths, groups) in seen.others.items():
        ids += [f"{name}/{path}" for path in paths]
        duplicates += [{f"{name}/{one}" for one in group} for group in groups]
        artists += [name] * len(paths)
        rows.append(seen.strangers[name]["style"])
    together, x = critic.groups_of(ids, duplicates), np.concatenate(rows)
    learned = [index for index in range(len(x)) if not len(hers.train) <= index < len(hers.all)]  # all but the works held out
    try:
        fewest = min(len({together[i] for i in range(len(x)) if artists[i] == artist}) for artist in set(artists))
        trial = critic.cross_validate(x, artists, target=me, groups=together, folds=max(2, min(5, fewest)), seed=seed)
        asked = critic.train(
            x[learned], [artists[i] for i in learned], target=me, groups=[together[i] for i in learned], seed=seed
        )
    except MetricError as reason:
        return {"refused": str(reason)}
    said = {name: seen.sets[name]["style"] for name in ("style", "base", "held") if len(seen.sets[name]["style"])}
    return _tried(trial, seed) | {"says": {name: _says(asked, found) for name, found in said.items()}}


def _tried(trial: critic.Trial, seed: int) -> dict[str, Any]:
    return {
        "extractor": "style",
        "n": trial.n,
        "folds": trial.folds,
        "artist": trial.target,
        "classes": list(trial.classes),
        "accuracy": trial.accuracy,
        "balanced_accuracy": trial.balanced_accuracy,
        "precision": trial.precision,
        "recall": trial.recall,
        "f1": trial.f1,
        "interval": list(trial.f1_interval(seed=seed)),
        "f1_of_yes": trial.f1_of_yes,
        "confusion": trial.confusion.tolist(),
        "brier": trial.brier,
        "calibration_error": trial.calibration_error,
        "reliability": [list(point) for point in trial.reliability()],
    }


def _says(asked: critic.Critic, rows: Rows) -> dict[str, Any]:
    words = asked.says(rows)
    hits = words.count(asked.target)
    return {
        "n": len(words),
        "hers": hits,
        "share": hits / len(words),
        "interval": list(critic.share_interval(hits, len(words))),
        "mean_chance": float(asked.hers(rows).mean()),
        "by": {name: words.count(name) for name in asked.classes if name in words},
    }


def _table(seen: Seen, found: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Base, style, held-out works and the nearest other artist in five figures each, always against the works learned from."""
    other = found["nearness"]["other"]["who"]
    works, rows = seen.sets["train"], []
    for name, one in (*((name, seen.sets[name]) for name in ("base", "style", "held")), ("other", seen.strangers[other])):
        if not len(one["style"]):
            continue
        row: dict[str, Any] = {"set": name, "who": other if name == "other" else "", "n": len(one["style"])}
        row["nearness"] = found["nearness"][name]["median"]
        for key, extractor, figure in (
            ("kid", metrics.EXTRACTOR, figures.fidelity.FIGURES["kid"]),
            ("palette", "palette", figures.ENERGY),
        ):
            try:
                row[key] = figures.fidelity.compare(works[extractor], one[extractor], figure, trials=2).value
            except MetricError as reason:
                row[key], row[f"{key}_refused"] = None, str(reason)
        row["critic"] = found["critic"].get("says", {}).get(name, {}).get("share")
        row["flagged"] = found["copying"].get("sets", {}).get(name, {}).get("share")
        rows.append(row)
    return rows


# -- the curve and the pictures of the page ---------------------------------------------------------------------------------


def curve_of(seen: Seen, folder: Path, tell: Tell) -> curve.Curve | str | None:
    """The curve over the checkpoints of the run that made this very style; why not, in words; or None when nobody asked."""
    taught, settings = seen.taught, seen.settings
    if taught is None or not settings.curve:
        return None
    run = files.runs() / files.slug(taught.name)
    finished, kept = run / "finished.json", curve.adapters(run)
    if not kept or not finished.exists() or Path(files.read_json(finished)["style"]).resolve() != taught.folder.resolve():
        return "The checkpoints of the training are not on this machine, so there is no curve over its steps."
    if len(seen.hers.train) < judge.LEAST:
        return f"A curve over the steps needs {judge.LEAST} works to learn from; there are {len(seen.hers.train)}."
    texts = [text for text, _ in spread(prompts(settings, seen.hers), settings.curve_count)]
    who = judge.Judge(seen.sets["train"]["style"], seen.sets["train"][copying.EXTRACTOR], texts)
    base = warm(str(taught.base["name"]), settings.device)
    return curve.curve(settings, base, kept, texts, taught.trigger, who, folder / "curve", tell)


def gallery(seen: Seen, found: Mapping[str, Any], steps: curve.Curve | None) -> report.Gallery:
    """The pictures of the page: rows spread over all of them, the nearest pairs, and those of each checkpoint."""
    made, base = seen.made, seen.base
    _, nearest = metrics.nearest(seen.sets["style"][metrics.EXTRACTOR], seen.sets["train"][metrics.EXTRACTOR])

    def row(index: int, work: int) -> report.Row:
        one = seen.hers.train[work]
        same = base.paths[index] if base and base.prompts == made.prompts else None
        return report.Row(made.prompts[index], made.seeds[index], same, made.paths[index], one.path, one.caption or one.name)

    rows = [row(index, int(nearest[index])) for index in (k * len(made.paths) // ROWS for k in range(ROWS))]
    worst = [(row(one["picture"], one["work"]), one["ratio"]) for one in found["worst"]]
    return report.Gallery(rows, worst, steps.pictures if steps else {})
