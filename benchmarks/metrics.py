"""What the metrics are worth: false alarms of their z-scores, their ranking of sets whose truth is known, copies found, time taken.

python benchmarks/metrics.py features --art FOLDER      # draws six artists twice, reads FOLDER/portfolios and FOLDER/corpus; kept in the cache
python benchmarks/metrics.py copying --art FOLDER
python benchmarks/metrics.py few --art FOLDER           # copies told from 4, 5, 8 ... works
python benchmarks/metrics.py alarms | ranking
python benchmarks/metrics.py time                       # 200 + 200 pictures, cold, on two threads

FOLDER holds portfolios/ARTIST/*.jpg and corpus/*.jpg. All figures are of `effnet-lite0`, but style similarity, which is of `style`.
"""

import argparse
import io
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageEnhance, ImageOps

from artlab import drawing, files, images
from artlab.metrics import copying, effnet, extractors, fidelity, mini_clip
from artlab.metrics.nulls import Null, compare, z_score

Rows = NDArray[np.float64]
Both = dict[str, Rows]
SETS = 40  # works of each drawn artist and seed
ALARM = 1.645  # one-sided 5 %


def store() -> Path:
    """Where the features of this script are kept."""
    return files.cache() / "benchmark-metrics"


def looked(name: str, pictures: Callable[[], Sequence[Image.Image]]) -> Both:
    """Features of a set under a name, computed once: `effnet` and `style`, on its scale."""
    place = store() / f"{name}.npz"
    if not place.exists():
        pooled, style = effnet.both(pictures())
        place.parent.mkdir(parents=True, exist_ok=True)
        np.savez(place, effnet=pooled, style=style)
    found = np.load(place)
    return {"effnet": found["effnet"].astype(float), "style": mini_clip.on_scale(found["style"]).astype(float)}


# -- sets -------------------------------------------------------------------------------------------------------------------


@lru_cache
def works_of(artist: str, seed: int, count: int = SETS) -> list[Image.Image]:
    """Works of an invented artist."""
    return [drawing.draw_work(artist, index, seed=seed, height=160).picture for index in range(count)]


def noise(count: int = SETS) -> list[Image.Image]:
    """Coloured noise of grains from one pixel to a quarter of the picture."""
    rng = np.random.default_rng(0)
    grains = [rng.integers(256, size=(160 // g, 160 // g, 3), dtype=np.uint8) for g in (1, 2, 4, 8, 16, 40) for _ in range(count)]
    picked = [grains[i] for i in rng.permutation(len(grains))[:count]]
    return [Image.fromarray(grain).resize((160, 160), Image.Resampling.BICUBIC) for grain in picked]


def white(count: int = SETS) -> list[Image.Image]:
    """Every channel of every pixel drawn by itself."""
    rng = np.random.default_rng(0)
    return [Image.fromarray(rng.integers(256, size=(160, 160, 3), dtype=np.uint8)) for _ in range(count)]


def altered(picture: Image.Image, kind: str) -> Image.Image:
    """A copy as it comes back from the web."""
    width, height = picture.size
    if kind == "jpeg":
        data = io.BytesIO()
        picture.save(data, "JPEG", quality=40)
        return Image.open(data).convert("RGB")
    if kind == "small":
        return picture.resize((width // 2, height // 2), Image.Resampling.BICUBIC)
    if kind == "cut":
        return picture.crop((width // 20, height // 20, width - width // 20, height - height // 20))
    if kind == "mirrored":
        return ImageOps.mirror(picture)
    return ImageEnhance.Color(ImageEnhance.Brightness(picture).enhance(1.1)).enhance(0.8)


ALTERED = ("jpeg", "small", "cut", "mirrored", "toned")


def features(art: Path) -> None:
    """Everything that the other commands read."""
    for artist in drawing.ARTISTS:
        for seed in (0, 1):
            looked(f"drawn-{artist}-{seed}", lambda artist=artist, seed=seed: works_of(artist, seed))
        for kind in ALTERED:
            looked(
                f"copies-{artist}-{kind}", lambda artist=artist, kind=kind: [altered(p, kind) for p in works_of(artist, 0)[:12]]
            )
    looked("noise", noise)
    looked("white", white)
    for folder in sorted((art / "portfolios").iterdir()):
        looked(f"real-{folder.name}", lambda folder=folder: [_open(path) for path in sorted(folder.glob("*.jpg"))])
    corpus = sorted((art / "corpus").glob("*.jpg"))
    for part in range(0, 3000, 500):
        picked = np.random.default_rng(0).permutation(len(corpus))[part : part + 500]
        looked(f"corpus-{part:04d}", lambda picked=picked: [_open(corpus[i]) for i in picked])


def _open(path: Path) -> Image.Image:
    with Image.open(path) as file:
        return file.convert("RGB")


def kept(prefix: str) -> dict[str, Both]:
    """The stored sets whose names begin so."""
    return {path.stem.removeprefix(prefix): looked(path.stem, list) for path in sorted(store().glob(f"{prefix}*.npz"))}


def network(figure: str) -> str:
    """Which features a figure is of."""
    return "style" if figure == "style" else "effnet"


# -- false alarms -----------------------------------------------------------------------------------------------------------


def alarms(trials: int = 200) -> None:
    """Share of z above 1.645 for two sets of one law, random works of the corpus: against both kinds of null, and n rows each.

    Nulls are of 99, 39 and 19 draws: at each, 5 % is a whole number of them, so that fewer draws cost power but not truth.
    """
    corpus = kept("corpus-").values()
    pools = {name: np.concatenate([part[name] for part in corpus]) for name in ("effnet", "style")}
    for n, draws in ((20, 99), (50, 39), (200, 19)):
        scores = np.array([_scores(pools, n, draws, seed) for seed in range(trials)])
        for row, kind in enumerate(("dealt anew", "split halves")):
            shares = 100 * (scores[:, row] > ALARM).mean(axis=0)
            print(f"n={n}, {kind}:", *(f"{f} {v:.1f} %" for f, v in zip(fidelity.FIGURES, shares, strict=True)), flush=True)


def _scores(pools: Both, n: int, draws: int, seed: int) -> list[list[float]]:
    """z of every figure of rows 0..n against rows 2n..3n of a random draw; split halves have rows 0..2n for their null."""
    rng = np.random.default_rng([n, seed])
    picked = rng.permutation(len(pools["effnet"]))[: 3 * n]
    own, new = np.arange(n), np.arange(2 * n, 3 * n)
    both, portfolio = np.concatenate([own, new]), np.arange(2 * n)
    orders = [[rng.permutation(pool) for _ in range(draws)] for pool in (both, portfolio)]
    made: dict[Callable[[Rows], Rows], Rows] = {}
    found: list[list[float]] = [[], []]
    for figure, statistic in fidelity.FIGURES.items():
        if statistic.pairs not in made:  # no two networks share one
            made[statistic.pairs] = statistic.pairs(pools[network(figure)][picked])
        matrix = made[statistic.pairs]
        for scores, dealt in zip(found, orders, strict=True):
            values = np.array([statistic.at(matrix, order[:n], order[n:]) for order in dealt])
            scores.append(z_score(statistic.at(matrix, own, new), Null(values, n, statistic.high_is_far)))
    return found


# -- ranking ----------------------------------------------------------------------------------------------------------------


def ranking(n: int = 20, repeats: int = 4) -> None:
    """Share of trials in which other works of the artist are nearer than another artist's and than noise, and another artist's than noise.

    Two kinds of noise: `grains` are smooth blobs of many sizes, `white` is every pixel by itself. Sets at the floor (nothing within reach)
    cannot be ranked: those trials are left out, and their number stands in brackets.
    """
    drawn, real = kept("drawn-"), kept("real-")
    hiss = {"grains": kept("noise")[""], "white": kept("white")[""]}
    artists = sorted({name[:-2] for name in drawn})
    half = {
        name: {k: np.random.default_rng(1).permutation(v)[: 2 * n] for k, v in rows.items()}
        for name, rows in real.items()
        if len(rows["style"]) >= 2 * n
    }
    first = {a: drawn[f"{a}-0"] for a in artists}, {a: drawn[f"{a}-1"] for a in artists}
    second = {a: {k: v[:n] for k, v in half[a].items()} for a in half}, {a: {k: v[n:] for k, v in half[a].items()} for a in half}
    heads = ("same > other", *(f"{what} > {kind}" for kind in hiss for what in ("same", "other")))
    print("| figure | drawn: " + " | ".join(heads) + " | real: " + " | ".join(heads) + " |\n|" + "---|" * (2 * len(heads) + 1))
    for figure in fidelity.FIGURES:
        cells = [figure]
        for own, other in (first, second):
            same, strange, *noises = np.array(list(_trials(figure, own, other, hiss, n, repeats))).T
            cells.append(_share(same, strange))
            cells += [_share(near, far) for far in noises for near in (same, strange)]
        print("| " + " | ".join(cells) + " |", flush=True)


def _share(near: Rows, far: Rows) -> str:
    """How often `near` is above `far`, ties left out and counted."""
    told = near != far
    ties = f" ({np.sum(~told)})" if not told.all() else ""
    return f"{100 * np.mean(near[told] > far[told]):.0f} %{ties}" if told.any() else "-"


def _trials(
    figure: str, own: dict[str, Both], other: dict[str, Both], hiss: dict[str, Both], n: int, repeats: int
) -> Iterator[list[float]]:
    """Nearness to an artist's works of: other works of hers, another artist's, every kind of noise."""
    statistic, name = fidelity.FIGURES[figure], network(figure)
    sign = -1 if statistic.high_is_far else 1
    for artist in own:
        for stranger in other:
            for repeat in range(repeats if stranger != artist else 0):
                rng = np.random.default_rng([len(artist), repeat])
                sets = [own[artist][name], other[artist][name], other[stranger][name], *(one[name] for one in hiss.values())]
                works, *candidates = (rows[rng.permutation(len(rows))[:n]] for rows in sets)
                yield [sign * statistic(works, candidate) for candidate in candidates]


# -- copying ----------------------------------------------------------------------------------------------------------------


def copies(art: Path) -> None:
    """Share flagged as copies of 20 works: the artist's other works, and copies of twelve in five states, by two networks."""
    drawn, altered_ones = kept("drawn-"), kept("copies-")
    artists = sorted({name[:-2] for name in drawn})
    works = {a: drawn[f"{a}-0"]["effnet"][:20] for a in artists}
    found = {"other works, same artist": [_seen(drawn[f"{a}-1"]["effnet"], works[a]) for a in artists]}
    found["works of others"] = [_seen(drawn[f"{b}-1"]["effnet"], works[a]) for a in artists for b in artists if a != b]
    for kind in ALTERED:
        found[f"copies, {kind}"] = [_seen(altered_ones[f"{a}-{kind}"]["effnet"], works[a]) for a in artists]
    _table("effnet-lite0, six drawn artists", found)
    look, found = extractors.get("layout").features, {}
    sets = {folder.name: [_open(path) for path in sorted(folder.glob("*.jpg"))[:40]] for folder in (art / "portfolios").iterdir()}
    for name, pictures in sets.items():
        order = np.random.default_rng(0).permutation(len(pictures))
        own, new = [pictures[i] for i in order[:20]], [pictures[i] for i in order[20:]]
        strangers = [p for other, others in sets.items() if other != name for p in others[:3]]
        shown = {"other works, same artist": new, "works of others": strangers}
        shown |= {f"copies, {kind}": [altered(p, kind) for p in own[:12]] for kind in ALTERED}
        for what, one in shown.items():
            found.setdefault(what, []).append(_seen(look(one), look(own)))
    _table("layout, 14 real artists", found)


def few(art: Path, draws: int = 20) -> None:
    """What new works of a hand fall below, and who is flagged, when few works are known: 14 real portfolios and the drawn artists.

    Everything is cropped to 128 x 128, as beside pictures of `mini`. "Own" is the works' own threshold, "usual" the percentile of all the
    other portfolios, "both" what artlab takes. Copies are the five altered states.
    """
    look = extractors.get("layout").features
    sets = {a: works_of(a, 1) for a in drawing.ARTISTS}
    for folder in sorted((art / "portfolios").iterdir()):
        paths = sorted(folder.glob("*.jpg"))
        sets[folder.name] = [_open(path) for path in paths[:: max(1, len(paths) // SETS)][:SETS]]
    square = {name: [images.crop(picture, (128, 128)) for picture in pictures] for name, pictures in sets.items()}
    rows = {name: look(pictures) for name, pictures in square.items()}
    twins = {name: [look([altered(p, kind) for p in pictures]) for kind in ALTERED] for name, pictures in square.items()}
    print(
        "| works known | usual | new works flagged: own | usual | both | worst portfolio: own | both | copies found: own | both |"
    )
    print("|---|---|---|---|---|---|---|---|---|")
    for n in (4, 5, 6, 8, 12, 20, 30):
        trials = [
            (name, *_few(rows[name], twins[name], n, np.random.default_rng([n, draw]))) for name in rows for draw in range(draws)
        ]
        usual = {
            name: float(np.quantile(np.concatenate([new for other, _, new, _ in trials if other != name]), 0.01)) for name in rows
        }
        cells = [f"{np.mean(list(usual.values())):.2f}"]
        rules: dict[str, Callable[[str, Rows], float]] = {
            "own": lambda name, own: copying._low(own, 0.01),
            "usual": lambda name, own, usual=usual: usual[name],
            "both": lambda name, own: copying._threshold(own),
        }
        false = {
            rule: {name: np.mean([(new < at(name, own)).mean() for one, own, new, _ in trials if one == name]) for name in rows}
            for rule, at in rules.items()
        }
        found = {rule: np.mean([(copy < at(name, own)).mean() for name, own, _, copy in trials]) for rule, at in rules.items()}
        cells += [f"{100 * np.mean(list(false[rule].values())):.1f} %" for rule in rules]
        cells += [f"{100 * max(false[rule].values()):.0f} %" for rule in ("own", "both")]
        cells += [f"{100 * found[rule]:.0f} %" for rule in ("own", "both")]
        print(f"| {n} | " + " | ".join(cells) + " |", flush=True)


def _few(rows: Rows, twins: Sequence[Rows], n: int, rng: np.random.Generator) -> tuple[Rows, Rows, Rows]:
    """Ratios of n works among themselves, of the artist's other works, and of copies of the n."""
    order = rng.permutation(len(rows))
    works, new = order[:n], order[n:]
    near = copying.calibrated_nearest(rows[new], rows[works])
    return near.own, near.ratios, copying.calibrated_nearest(np.concatenate([twin[works] for twin in twins]), rows[works]).ratios


def _table(name: str, found: dict[str, list[tuple[float, float, float]]]) -> None:
    print(f"| {name} | flagged | authentic (AuthPct) | duplicates |\n|---|---|---|---|")
    for what, values in found.items():
        near, authentic, twice = np.mean(values, axis=0)
        print(f"| {what} | {100 * near:.1f} % | {100 * authentic:.0f} % | {100 * twice:.1f} % |")


def _seen(pictures: Rows, works: Rows) -> tuple[float, float, float]:
    near = copying.calibrated_nearest(pictures, works).share
    return near, copying.auth_pct(pictures, works) / 100, copying.duplicate_rate(pictures)


# -- time -------------------------------------------------------------------------------------------------------------------


def clock(count: int = 200) -> None:
    """Wall time of all figures of 200 + 200 pictures of 256 px, features included, nothing cached, on two threads."""
    torch.set_num_threads(2)
    rng = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as folder:
        paths = []
        for index in range(2 * count):
            small = Image.fromarray(rng.integers(256, size=(8, 8, 3), dtype=np.uint8))
            paths.append(Path(folder) / f"{index:03d}.png")
            small.resize((256, 256), Image.Resampling.BICUBIC).save(paths[-1])
        start = time.perf_counter()
        pictures = [images.open_image(path) for path in paths]
        pooled, style = effnet.both(pictures)
        shown = time.perf_counter()
        agreed = extractors.get("mini-clip")
        assert isinstance(agreed, extractors.WithTexts)
        agreed.texts([f"picture number {index}" for index in range(count)])
        read = time.perf_counter()
        for figure, statistic in fidelity.FIGURES.items():
            rows = style if network(figure) == "style" else pooled
            compare(rows[:count], rows[count:], statistic)
        fidelity.kid_interval(pooled[:count], pooled[count:])
        copying.calibrated_nearest(pooled[:count], pooled[count:])
        copying.vendi(pooled)
        done = time.perf_counter()
    print(f"features {shown - start:.1f} s, captions {read - shown:.1f} s, figures and nulls {done - read:.1f} s")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("command", choices=["features", "alarms", "ranking", "copying", "few", "time"])
    parser.add_argument("--art", type=Path)
    chosen = parser.parse_args()
    if chosen.command in ("features", "copying", "few"):
        torch.set_num_threads(1)
        {"features": features, "copying": copies, "few": few}[chosen.command](chosen.art)
    else:
        {"alarms": alarms, "ranking": ranking, "time": clock}[chosen.command]()
