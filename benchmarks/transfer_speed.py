"""artlab's `texture` beside the algorithm of style-transfer-pytorch (K. Crowson 2021): the same network, sizes and number of steps.

    .venv/bin/python benchmarks/transfer_speed.py --size 192

The other side is written anew from that program's description: pixels moved by Adam (rate 0.02) and an average of the iterates (0.99);
Wasserstein-2 distance of means and covariances with gradients through the matrix root; mean squared content error; total variation. It
gets the taps, the content, the starting picture, the sizes and the steps of artlab's side. Both results are judged by one loss, which
is the other side's own (whole-picture statistics, no regions): style plus content. "Equal loss" is the time at which a run first
comes down to the worse of the two end losses.
"""

import argparse
import time
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor

from artlab import drawing, images, metrics
from artlab.transfer import colour, palette, texture

CONTENT = 0.015


def gaussian(layer: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and covariance of (c, h, w)."""
    flat = layer.flatten(1)
    mean = flat.mean(dim=1)
    return mean, flat @ flat.T / flat.shape[1] - torch.outer(mean, mean)


def root(matrix: Tensor, rounds: int = 18) -> Tensor:
    """Square root of a covariance by Newton and Schulz, as that program takes it; differentiable."""
    eye = torch.eye(len(matrix))
    matrix = matrix + 1e-4 * matrix.diagonal().mean() * eye
    size = matrix.norm()
    y, z = matrix / size, eye
    for _ in range(rounds):
        middle = (3 * eye - z @ y) / 2
        y, z = y @ middle, middle @ z
    return y * size.sqrt()


class Loss:
    """Style and content of the other side at one size."""

    def __init__(self, content: Tensor, style: Tensor) -> None:
        with torch.no_grad():
            self.wanted = [gaussian(layer[0]) for layer in metrics.taps(style[None] * 2 - 1)]
            self.roots = [root(covariance) for _, covariance in self.wanted]
            self.content = metrics.taps(content[None] * 2 - 1)[3]

    def __call__(self, picture: Tensor) -> Tensor:
        """The loss of a picture (3, h, w)."""
        layers = metrics.taps(picture[None] * 2 - 1)
        total = CONTENT * (layers[3] - self.content).square().mean() / self.content.square().mean()
        for layer, (mean, covariance), half in zip(layers, self.wanted, self.roots, strict=True):
            own_mean, own = gaussian(layer[0])
            middle = root(half @ own @ half)
            distance = (own_mean - mean).square().sum() + own.trace() + covariance.trace() - 2 * middle.trace()
            total = total + distance / (mean.square().sum() + covariance.trace()) / len(layers)
        return total


def theirs(content: Tensor, style: Tensor, steps: tuple[int, ...], trace: list[tuple[float, Tensor]]) -> Tensor:
    """The other side."""
    sizes = texture.scales(*content.shape[1:])
    picture, began = content, time.perf_counter()
    for size, count in zip(sizes, steps, strict=False):
        loss = Loss(colour.resize(content, size), scaled(style, max(size)))
        pixels = colour.resize(picture, size).clone().requires_grad_()
        optimizer = torch.optim.Adam([pixels], lr=0.02, betas=(0.9, 0.99))
        average, mass = torch.zeros_like(pixels), 0.0
        for step in range(count):
            optimizer.zero_grad()
            variation = (pixels[:, 1:] - pixels[:, :-1]).square().mean() + (pixels[:, :, 1:] - pixels[:, :, :-1]).square().mean()
            (loss(pixels) + 2 * variation / 16).backward()
            optimizer.step()
            with torch.no_grad():
                pixels.clamp_(0, 1)
                average, mass = average * 0.99 + pixels * 0.01, mass * 0.99 + 0.01
            if step % 10 == 9:
                trace.append((time.perf_counter() - began, (average / mass).clone()))
        picture = (average / mass).detach()
        trace.append((time.perf_counter() - began, picture))
    return picture


def scaled(picture: Tensor, longest: int) -> Tensor:
    """The picture with its longer side so long."""
    factor = min(1.5, longest / max(picture.shape[1:]))
    return colour.resize(picture, (round(picture.shape[1] * factor), round(picture.shape[2] * factor)))


def ours(content: Tensor, style: Tensor, plan: texture.Plan, trace: list[tuple[float, Tensor]]) -> Tensor:
    """artlab's side."""
    began = time.perf_counter()

    def seen(done: int, total: int, picture: Tensor) -> None:
        trace.append((time.perf_counter() - began, picture.clone()))

    return texture.stylise(content, [(style, 1.0)], plan, on_image=seen)


def main() -> None:
    """Run both in turn and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=192)
    parser.add_argument("--style", type=Path, help="a picture; a drawn one if left out")
    args = parser.parse_args()
    content = colour.pixels(images.fit(drawing.draw_work("vask", 3, height=512).picture, args.size))
    painted = Image.open(args.style).convert("RGB") if args.style else drawing.draw_work("solvane", 2, height=512).picture
    style = colour.pixels(images.fit(painted, args.size))
    start = palette.transport(content, [(style, 1.0)])
    plan = texture.Plan()
    judge = Loss(start, scaled(style, max(content.shape)))

    def judged(trace: list[tuple[float, Tensor]]) -> list[tuple[float, float]]:
        with torch.no_grad():
            return [(t, float(judge(colour.resize(x, start.shape[1:]).clamp(0, 1)))) for t, x in trace]

    traces: dict[str, list[tuple[float, Tensor]]] = {"artlab": [], "style-transfer-pytorch": []}
    ours(start, style, plan, traces["artlab"])
    theirs(start, style, plan.steps, traces["style-transfer-pytorch"])
    curves = {name: judged(trace) for name, trace in traces.items()}
    with torch.no_grad():
        print(f"Loss of the start: {float(judge(start)):.4f}")
    level = max(curve[-1][1] for curve in curves.values())
    print("| program | s in all | end loss | s to the worse end loss |\n|---|---|---|---|")
    for name, curve in curves.items():
        reached = next(t for t, loss in curve if loss <= level + 1e-9)
        print(f"| {name} | {curve[-1][0]:.1f} | {curve[-1][1]:.4f} | {reached:.1f} |")


if __name__ == "__main__":
    main()
