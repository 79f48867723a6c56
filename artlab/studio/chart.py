"""The curve of a training as SVG coordinates: light, crisp at any size, in the page's own colours, readable as a table too."""

from collections.abc import Sequence
from typing import Any

WIDTH, HEIGHT, MOST = 820, 290, 300


def chart(rows: Sequence[dict[str, Any]], chosen: int | None = None, total: int | None = None) -> dict[str, Any]:
    """What `parts/training.html` draws from the rows of a training's log; {} before the first row.

    `train` is a running mean over a fortieth of the steps, because the loss of one step is mostly the luck of the times drawn.
    """
    train = smoothed([(row["step"], row["loss"]) for row in rows if row.get("loss", -1) >= 0])
    held = [(row["step"], row["held_out"]) for row in rows if row.get("held_out") is not None]
    if not train:
        return {}
    values = [value for _, value in [*train, *held]]
    low, high = min(values), max(values)
    room = 0.08 * (high - low or abs(high) or 1)
    low, high = low - room, high + room
    last = max(total or 0, *(step for step, _ in [*train, *held]))
    left, right, top, bottom = 58, WIDTH - 12, 12, HEIGHT - 30

    def x(step: float) -> float:
        return round(left + (right - left) * step / max(last, 1), 1)

    def y(value: float) -> float:
        return round(bottom - (bottom - top) * (value - low) / (high - low), 1)

    return {
        "width": WIDTH, "height": HEIGHT, "left": left, "right": right, "top": top, "bottom": bottom,
        "train": " ".join(f"{x(step)},{y(value)}" for step, value in train),
        "held_line": " ".join(f"{x(step)},{y(value)}" for step, value in held),
        "held": [(x(step), y(value), f"step {step}: held-out loss {value:.4f}") for step, value in held],
        "table": [(step, f"{value:.4f}") for step, value in held],
        "saves": [],
        "chosen": x(chosen) if chosen else 0,
        "x": [(x(last * part / 4), round(last * part / 4)) for part in range(5)],
        "y": [(y(value), f"{value:.3g}") for value in (low + (high - low) * part / 4 for part in range(5))],
        "said": _said(train, held),
    }  # fmt: skip


def _said(train: Sequence[tuple[int, float]], held: Sequence[tuple[int, float]]) -> str:
    text = f"Training loss over {train[-1][0]} steps, from {train[0][1]:.3g} to {train[-1][1]:.3g}"
    return text + (f"; held-out loss from {held[0][1]:.3g} to {held[-1][1]:.3g}." if held else ".")


def smoothed(points: Sequence[tuple[int, float]], most: int = MOST) -> list[tuple[int, float]]:
    """A running mean over a fortieth of the points, thinned to about `most`."""
    reach = max(1, len(points) // 40)
    sums = [0.0]
    for _, value in points:
        sums.append(sums[-1] + value)
    means = []
    for at, (step, _) in enumerate(points):
        start, end = max(0, at - reach), min(len(points), at + reach + 1)
        means.append((step, (sums[end] - sums[start]) / (end - start)))
    every = max(1, len(means) // most)
    return [mean for at, mean in enumerate(means) if at % every == 0 or at == len(means) - 1]
