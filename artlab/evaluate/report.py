"""The report: one page that needs nothing beside itself, and report.json with the same numbers."""

import base64
import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2
from PIL import Image

from artlab import __version__, files, images
from artlab.evaluate import plots

THUMBNAIL, QUALITY = 280, 84
ASPECTS = {"palette": "palette", "brushwork": "brushwork", "form": "form", "motifs": "motifs"}
NAMES = {
    "style": "the style",
    "base": "the bare base",
    "held": "held-out works",
    "works": "your works",
    "other": "another artist",
}


@dataclass(frozen=True)
class Row:
    """A prompt with the base's picture, the style's, and the nearest work; paths of PNGs."""

    prompt: str
    seed: int | None
    base: Path | None
    style: Path
    work: Path
    work_name: str


@dataclass(frozen=True)
class Gallery:
    """The pictures of a page: rows to compare, the worst pairs (row, ratio), strips by step, some works of hers."""

    rows: Sequence[Row]
    worst: Sequence[tuple[Row, float]]
    steps: Mapping[int, Sequence[Path]]


def write(folder: Path, numbers: dict[str, Any], gallery: Gallery) -> Path:
    """Write report.json and, last, index.html; the path of the page."""
    files.write_json(folder / "report.json", plain(numbers))
    page = folder / "index.html"
    files.write(page, render(plain(numbers), gallery).encode())
    return page


def render(numbers: dict[str, Any], gallery: Gallery) -> str:
    """The page as HTML, from the numbers of report.json and the pictures."""
    loader = jinja2.FileSystemLoader(files.package() / "templates")
    environment = jinja2.Environment(
        loader=loader, autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {"number": number, "percent": percent, "interval": interval}
    return environment.get_template("report.html").render(
        numbers=numbers,
        names=_names(numbers),
        version=__version__,
        rows=[_shown(row) for row in gallery.rows],
        worst=[(_shown(row), ratio) for row, ratio in gallery.worst],
        steps=[(step, [data_url(path, 160) for path in paths[:4]]) for step, paths in sorted(gallery.steps.items())],
        plots=_plots(numbers),
        refused=[row for part in ("fidelity", "agreement") for row in numbers[part] if "refused" in row]
        + [row | {"figure": f"the way to {row['aspect']}"} for row in numbers["ways"] if "refused" in row],
    )


def _plots(numbers: dict[str, Any]) -> dict[str, Any]:
    drawn: dict[str, Any] = {}
    names = _names(numbers)
    near = numbers["nearness"]
    drawn["nearness"] = plots.strips(
        [plots.Strip(names[name], one["values"], name) for name, one in near.items()],
        said="Nearness of each picture to the works. "
        + " ".join(f"{names[n]}: median {one['median']:.2f}." for n, one in near.items()),
        axis="nearness to your works [style]",
        lows="a stranger's hand",
        highs="your hand",
    )
    measured = [way for way in numbers["ways"] if "value" in way]
    if measured:
        said = f"How far {names['style']} went from {names['base']} to the works. " + " ".join(
            f"{w['aspect']}: {w['value']:.0%}." for w in measured
        )
        drawn["ways"] = plots.ways(measured, ASPECTS, said=said, start=names["base"])
    copying = numbers["copying"]
    if "sets" in copying:
        drawn["copying"] = plots.strips(
            [plots.Strip(names[name], one["ratios"], name) for name, one in copying["sets"].items()]
            + [plots.Strip("your works, each other", copying["own"], "works")],
            said="Distance of each picture to its nearest work. "
            + " ".join(f"{names[n]}: {o['flagged']} of {o['n']} below the threshold." for n, o in copying["sets"].items()),
            axis="distance to the nearest work over the next few",
            mark=(copying["threshold"], "left of this line: look again"),
            lows="a copy",
            highs="its own picture",
        )
    if "reliability" in numbers["critic"]:
        drawn["calibration"] = plots.calibration(
            numbers["critic"]["reliability"], said="Calibration of the critic: said against true share, five bins."
        )
    if numbers.get("curve", {}).get("steps"):
        found = numbers["curve"]
        drawn["curve"] = plots.curve(
            found["steps"], found["chosen"], said=f"Nearness, agreement and copying over the steps. {found['reason']}"
        )
    return drawn


def _names(numbers: dict[str, Any]) -> dict[str, str]:
    """What the sets are called: of a folder of pictures nobody knows that a style made them, or a bare base the others."""
    return NAMES if numbers["subject"]["kind"] == "style" else NAMES | {"style": "the pictures", "base": "the control"}


def _shown(row: Row) -> dict[str, Any]:
    return {
        "prompt": row.prompt, "seed": row.seed, "work_name": row.work_name, "style": data_url(row.style), "work": data_url(row.work),
        "base": data_url(row.base) if row.base else None,
    }  # fmt: skip


def data_url(path: Path, side: int = THUMBNAIL) -> str:
    """A picture as text that a page can hold: JPEG, small ones enlarged smoothly to be seen."""
    picture = images.open_image(path)
    scale = side / max(picture.size)
    picture = picture.resize(
        (max(1, round(picture.width * scale)), max(1, round(picture.height * scale))), Image.Resampling.LANCZOS
    )
    stream = io.BytesIO()
    picture.save(stream, "JPEG", quality=QUALITY)
    return "data:image/jpeg;base64," + base64.b64encode(stream.getvalue()).decode()


def number(value: float | None) -> str:
    """Three significant digits, with a true minus; a dash for what is not there."""
    if value is None:
        return "–"
    text = f"{value:.0f}" if abs(value) >= 1000 else f"{value:.3g}" if abs(value) >= 0.001 or value == 0 else f"{value:.1e}"
    return text.replace("-", "−")


def percent(share: float) -> str:
    """A share as whole percent."""
    return f"{share:.0%}".replace("%", " %")


def interval(ends: Sequence[float] | None) -> str:
    """Both ends of an interval."""
    return f"{number(ends[0])} to {number(ends[1])}" if ends else "–"


def plain(value: Any) -> Any:
    """JSON that every reader takes: no NaN or infinity, no numpy, floats of six digits."""
    if isinstance(value, dict):
        return {str(key): plain(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(one) for one in value]
    if isinstance(value, bool) or value is None or isinstance(value, (str, int)):
        return value
    if hasattr(value, "item"):
        return plain(value.item())
    if isinstance(value, float):
        return float(f"{value:.6g}") if math.isfinite(value) else None
    return str(value)
