"""Plots as inline SVG: no script, no network, colours from the page's own variables so that they turn with light and dark.

Each function returns Markup with a description for those who do not see it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from markupsafe import Markup, escape

WIDTH = 760


@dataclass(frozen=True)
class Strip:
    """One row of dots: a name, a value a picture, a colour class."""

    name: str
    values: Sequence[float]
    kind: str


def strips(
    rows: Sequence[Strip], *, said: str, axis: str, mark: tuple[float, str] | None = None, lows: str = "", highs: str = ""
) -> Markup:
    """A row of dots for each set over one axis, the median as a line; `mark` is a threshold with its words."""
    rows = [row for row in rows if len(row.values)]
    every = np.concatenate([np.asarray(row.values, dtype=float) for row in rows] + ([np.array([mark[0]])] if mark else []))
    low, high = float(every.min()), float(every.max())
    pad = 0.05 * ((high - low) or 1)
    low, high, left, right, step, top = low - pad, high + pad, 168, WIDTH - 24, 46, 26
    bottom = top + step * len(rows)

    def x(value: float) -> float:
        return round(left + (right - left) * (value - low) / (high - low), 1)

    parts = [_grid(x, low, high, top, bottom)]
    if mark:
        parts.append(f'<line class="mark" x1="{x(mark[0])}" x2="{x(mark[0])}" y1="{top - 4}" y2="{bottom}"/>')
        end = "end" if x(mark[0]) > WIDTH / 2 else "start"
        parts.append(f'<text class="strong" x="{x(mark[0])}" y="{top - 10}" text-anchor="{end}">{escape(mark[1])}</text>')
    for index, row in enumerate(rows):
        middle = top + step * (index + 0.5)
        parts.append(f'<text class="strong" x="{left - 14}" y="{middle + 1}" text-anchor="end">{escape(row.name)}</text>')
        parts.append(f'<text x="{left - 14}" y="{middle + 15}" text-anchor="end">n = {len(row.values)}</text>')
        parts += [f'<circle class="dot {row.kind}" cx="{x(v)}" cy="{y}" r="4"/>' for v, y in _spread(row.values, x, middle, step)]
        median = x(float(np.median(row.values)))
        parts.append(f'<line class="median {row.kind}" x1="{median}" x2="{median}" y1="{middle - 16}" y2="{middle + 16}"/>')
    parts.append(f'<text x="{left}" y="{bottom + 40}">{escape(lows)}</text>')
    parts.append(f'<text x="{right}" y="{bottom + 40}" text-anchor="end">{escape(highs)}</text>')
    parts.append(f'<text x="{(left + right) / 2}" y="{bottom + 40}" text-anchor="middle">{escape(axis)}</text>')
    return _svg(parts, bottom + 50, said)


def ways(rows: Sequence[dict[str, Any]], names: dict[str, str], *, said: str, start: str = "the bare base") -> Markup:
    """A bar from the bare base (0) towards her works (1) for each aspect, with its interval."""
    left, right, step, top = 168, WIDTH - 84, 44, 26
    bottom = top + step * len(rows)
    ends = [0.0, 1.0, *(end for row in rows for end in row["interval"])]
    low, high = max(-0.5, min(ends)), min(1.3, max(ends))

    def x(value: float) -> float:
        return round(left + (right - left) * (min(max(value, low), high) - low) / (high - low), 1)

    parts = [f'<line class="axis" x1="{x(v)}" x2="{x(v)}" y1="{top - 8}" y2="{bottom}"/>' for v in (0, 1)]
    parts.append(f'<text class="strong" x="{x(0)}" y="{top - 13}" text-anchor="middle">{escape(start)}</text>')
    parts.append(f'<text class="strong" x="{x(1)}" y="{top - 13}" text-anchor="middle">your works</text>')
    for index, row in enumerate(rows):
        y = top + step * (index + 0.5)
        near, far = sorted((x(0), x(row["value"])))
        low_end, high_end = map(x, row["interval"])
        parts.append(f'<text class="strong" x="{left - 14}" y="{y + 4}" text-anchor="end">{escape(names[row["aspect"]])}</text>')
        parts.append(f'<rect class="track" x="{x(0)}" y="{y - 8}" width="{x(1) - x(0)}" height="16" rx="3"/>')
        parts.append(f'<rect class="bar" x="{near}" y="{y - 8}" width="{max(1.5, far - near)}" height="16" rx="3"/>')
        parts.append(f'<path class="whisker" d="M{low_end},{y}H{high_end}M{low_end},{y - 5}v10M{high_end},{y - 5}v10"/>')
        parts.append(f'<text class="strong" x="{WIDTH - 8}" y="{y + 4}" text-anchor="end">{row["value"]:.0%}</text>')
    return _svg(parts, bottom + 8, said)


def calibration(points: Sequence[tuple[float, float, int]], *, said: str) -> Markup:
    """What the critic said against what was true, a dot a bin, its area by the number of works."""
    side, left, top = 230, 46, 14
    total = max(1, sum(n for _, _, n in points))

    def at(u: float, v: float) -> tuple[float, float]:
        return round(left + u * side, 1), round(top + (1 - v) * side, 1)

    (x0, y0), (x1, y1) = at(0, 0), at(1, 1)
    parts = [
        f'<rect class="frame" x="{x0}" y="{y1}" width="{side}" height="{side}"/><line class="mark" x1="{x0}" y1="{y0}" x2="{x1}" y2="{y1}"/>'
    ]
    parts += [
        f'<circle class="dot style" cx="{at(s, t)[0]}" cy="{at(s, t)[1]}" r="{3 + 14 * (n / total) ** 0.5:.1f}"/>'
        for s, t, n in points
    ]
    for value in (0, 0.5, 1):
        parts.append(f'<text x="{at(value, 0)[0]}" y="{y0 + 18}" text-anchor="middle">{value:.0%}</text>')
        parts.append(f'<text x="{left - 8}" y="{at(0, value)[1] + 4}" text-anchor="end">{value:.0%}</text>')
    parts.append(f'<text x="{left + side / 2}" y="{y0 + 38}" text-anchor="middle">the critic says “hers”</text>')
    return _svg(parts, top + side + 48, said, width=left + side + 30, small=True)


def curve(steps: Sequence[dict[str, Any]], chosen: int, *, said: str) -> Markup:
    """Three small curves over one axis of steps: nearness to the works, agreement, repeated works; the chosen step marked."""
    left, right, high, gap, top = 168, WIDTH - 24, 92, 34, 30
    last = max(row["step"] for row in steps) or 1
    panels = [
        ("nearness to", "your works", [(r["step"], *r["style"]) for r in steps], "style"),
        ("agreement with", "the prompts", [(r["step"], *r["agreement"]) for r in steps], "base"),
        ("pictures that", "repeat a work", [(r["step"], r["copied"][0] / r["copied"][1], 0.0) for r in steps], "warn"),
    ]

    def x(step: float) -> float:
        return round(left + (right - left) * step / last, 1)

    parts, bottom = [], top + 3 * high + 2 * gap
    for index, (first, second, points, kind) in enumerate(panels):
        ceiling, floor = top + index * (high + gap), top + index * (high + gap) + high
        low = min(0.0, *(v - e for _, v, e in points)) if kind != "style" else min(v - e for _, v, e in points)
        most = max(0.1 if kind == "warn" else 1e-6, *(v + e for _, v, e in points))

        def y(value: float, low: float = low, most: float = most, floor: int = floor, ceiling: int = ceiling) -> float:
            return round(floor - (floor - ceiling) * (value - low) / ((most - low) or 1), 1)

        form = "{:.0%}" if kind == "warn" else "{:.2f}"
        for value in (low, most):
            parts.append(f'<line class="grid" x1="{left}" x2="{right}" y1="{y(value)}" y2="{y(value)}"/>')
            parts.append(f'<text x="{left - 10}" y="{y(value) + 4}" text-anchor="end">{form.format(value)}</text>')
        middle = (ceiling + floor) / 2
        parts.append(f'<text class="strong" x="0" y="{middle - 3}">{first}</text>')
        parts.append(f'<text class="strong" x="0" y="{middle + 13}">{second}</text>')
        band = [f"{x(s)},{y(v + e)}" for s, v, e in points] + [f"{x(s)},{y(v - e)}" for s, v, e in reversed(points)]
        parts.append(f'<polygon class="band {kind}" points="{" ".join(band)}"/>')
        parts.append(f'<polyline class="line {kind}" points="{" ".join(f"{x(s)},{y(v)}" for s, v, _ in points)}"/>')
        parts += [f'<circle class="dot {kind}" cx="{x(s)}" cy="{y(v)}" r="3.5"/>' for s, v, _ in points]
    anchor = "end" if x(chosen) > WIDTH / 2 else "start"
    parts.append(f'<line class="mark" x1="{x(chosen)}" x2="{x(chosen)}" y1="{top - 8}" y2="{bottom}"/>')
    parts.append(f'<text class="strong" x="{x(chosen)}" y="{top - 14}" text-anchor="{anchor}">step {chosen} is kept</text>')
    shown = [row["step"] for row in steps][:: max(1, len(steps) // 8)]
    parts += [f'<text x="{x(s)}" y="{bottom + 22}" text-anchor="middle">{s if s else "base"}</text>' for s in shown]
    return _svg(parts, bottom + 30, said)


def _spread(values: Sequence[float], x: Any, middle: float, step: float) -> list[tuple[float, float]]:
    """Dots that would lie on each other are moved up and down by turns; (value, y)."""
    placed: list[tuple[float, float, float]] = []
    for value in sorted(values):
        level = 0
        while True:
            y = middle + (level + 1) // 2 * 5.5 * (-1 if level % 2 else 1)
            if abs(y - middle) > step / 2 - 6 or all(abs(x(value) - px) > 6 or abs(y - py) > 1 for _, px, py in placed[-16:]):
                break
            level += 1
        placed.append((value, x(value), y if abs(y - middle) <= step / 2 - 6 else middle))
    return [(value, round(y, 1)) for value, _, y in placed]


def _grid(x: Any, low: float, high: float, top: float, bottom: float) -> str:
    span = high - low
    unit = 10.0 ** np.floor(np.log10(span / 4))
    unit *= next(factor for factor in (1, 2, 5, 10) if span / (unit * factor) <= 6)
    ticks = [k * unit for k in range(int(np.ceil(low / unit)), int(np.floor(high / unit)) + 1)]
    lines = [f'<line class="grid" x1="{x(t)}" x2="{x(t)}" y1="{top}" y2="{bottom}"/>' for t in ticks]
    return "".join(lines + [f'<text x="{x(t)}" y="{bottom + 18}" text-anchor="middle">{t:.4g}</text>' for t in ticks])


def _svg(parts: Sequence[str], height: float, said: str, *, width: int = WIDTH, small: bool = False) -> Markup:
    kind = ' class="small"' if small else ""
    return Markup(
        f'<svg{kind} viewBox="0 0 {width} {round(height)}" role="img" aria-label="{escape(said)}">{"".join(parts)}</svg>'
    )
