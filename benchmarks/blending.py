"""How exact mixing is, what a lower rank keeps and how long it takes, as the tables of docs/MEASURED.md.

    python benchmarks/blending.py vask solvane

Errors are lengths of differences as a share of the length of what is compared with. Of the denoiser's output only what the adapters add
counts, in float32 on the CPU, for one noisy picture.
"""

import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from torch import Tensor

from artlab import generate, style
from artlab.bases import lora
from artlab.bases.unet import UNetBase
from artlab.blend import deltas, files
from artlab.blend.deltas import Adapter, Delta, Kept
from artlab.settings import Blend
from artlab.style import Style

Files = Sequence[tuple[Path, float]]


class Output:
    """What adapters add to the denoiser's output for one noisy picture."""

    def __init__(self, base: UNetBase) -> None:
        torch.manual_seed(0)
        self.base, self.x, self.condition = base, torch.randn(1, base.channels, 16, 16), base.condition(["a lighthouse"])
        self.plain = self._whole()

    def __call__(self, pairs: Files) -> Tensor:
        lora.load_styles(self.base, pairs)
        try:
            return self._whole() - self.plain
        finally:
            lora.detach(self.base)

    def _whole(self) -> Tensor:
        with torch.no_grad():
            return self.base.predict(self.x, torch.tensor([500]), self.condition).float()


def far(got: Tensor, wanted: Tensor) -> float:
    """The error as a share."""
    return float((got - wanted).norm() / wanted.norm())


def mixed(adapters: Sequence[Adapter], weights: Sequence[float]) -> dict[str, Delta]:
    """The exact sum."""
    return deltas.cat(adapters, lambda index, _: weights[index])


def written(adapter: Adapter, folder: Path, *, half: bool = False) -> Path:
    """The adapter as a file."""
    path = folder / f"{len(list(folder.iterdir()))}.safetensors"
    path.write_bytes(files.to_bytes(adapter, {}, half=half))
    return path


def exactness(one: Style, other: Style, folder: Path) -> None:
    """Print the errors of a mixed file."""
    output = Output(generate.warm(str(one.base["name"]), "cpu", "fp32"))  # type: ignore[arg-type]
    a, b = files.read(one.weights), files.read(other.weights)
    alone = written(mixed([a, b], (1, 0)), folder)
    print("| what | error |\n|---|---|")
    print(f"| one style at weight 1, the other at 0: the update | {deltas.distance(a, files.read(alone)):.1e} |")
    print(f"| the same: the output | {far(output([(alone, 1)]), output([(one.weights, 1)])):.1e} |")
    for weights in ((0.6, 0.4), (1.2, -0.5)):
        together = output([(one.weights, weights[0]), (other.weights, weights[1])])
        file = output([(written(mixed([a, b], weights), folder), 1)])
        turned = output([(written(mixed([b, a], weights[::-1]), folder), 1)])
        halved = output([(written(mixed([a, b], weights), folder, half=True), 1)])
        named = f"weights {weights[0]} and {weights[1]}"
        print(f"| {named}: the file against the mix at run time | {far(file, together):.1e} |")
        print(f"| {named}: the two in the other order | {far(turned, file):.1e} |")
        print(f"| {named}: the file in 16 bits | {far(halved, together):.1e} |")


def energies(one: Style, other: Style) -> None:
    """Print what each way keeps and takes."""
    a, b = files.read(one.weights), files.read(other.weights)
    whole = mixed([a, b], (0.6, 0.4))
    ways: list[tuple[str, Callable[[], tuple[dict[str, Delta], Kept | None]]]] = [
        ("cat", lambda: (mixed([a, b], (0.6, 0.4)), None)),
        ("slerp", lambda: (deltas.slerp(a, b, 0.4), None)),
    ]
    ways += [(f"svd {rank}", lambda rank=rank: deltas.truncate(whole, rank)) for rank in (32, 24, 16, 8, 4)]  # type: ignore[misc]

    def experimental(method: str) -> tuple[dict[str, Delta], Kept | None]:
        made = files.mix([a, b], [0.6, 0.4], lambda *_: 1.0, Blend.model_validate({"method": method}))
        return made.adapter, made.kept

    ways += [(method, lambda method=method: experimental(method)) for method in ("ties", "dare")]  # type: ignore[misc]
    print("\n| mix | rank | retained energy | of the layer that lost most | length | s of a core |\n|---|---|---|---|---|---|")
    for name, way in ways:
        start = time.process_time()
        adapter, kept = way()
        seconds = time.process_time() - start
        said = f"{kept.energy:.1%} | {kept.least:.1%}" if kept else "all | all"
        print(f"| {name} | {max(d.rank for d in adapter.values())} | {said} | {deltas.length(adapter):.3f} | {seconds:.2f} |")
    print(
        f"\nThe styles alone have lengths {deltas.length(a):.3f} and {deltas.length(b):.3f}; cosine {deltas.cosine(a, b):.3f}; {len(a)} layers."
    )


if __name__ == "__main__":
    pair = style.load(sys.argv[1]), style.load(sys.argv[2])
    energies(*pair)
    with tempfile.TemporaryDirectory() as scratch:
        exactness(*pair, Path(scratch))
