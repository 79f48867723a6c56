"""artlab's `texture` beside the algorithm of style-transfer-pytorch (K. Crowson 2021): the same network, sizes and number of steps; seconds of the processor.

    .venv/bin/python benchmarks/transfer_speed.py --size 192

The other side is written anew from that program's description: pixels moved by Adam (rate 0.02) and an average of the iterates (0.99);
Wasserstein-2 distance of means and covariances with gradients through the matrix root; mean squared content error; total variation. It
gets the taps, the content, the starting picture, the sizes and the steps of artlab's side, and the network as its package makes it;
beside it stands the same with artlab's, whose norms are folded away.

All results are judged by one loss, which is the other side's own (whole-picture statistics, no regions; style plus content), in two
ways: "aligned", with the pixels where the other side had them at each of its steps, and "moved", the mean over five places of the
picture on the network's grid of 16 pixels. A picture that is good only where it was made has the grid printed into it. "Equal loss" is
the time at which a run first comes down to the end loss of the other side.
"""

import argparse
import time
from pathlib import Path
from unittest import mock

import torch
import torch.nn.functional as nnf
from PIL import Image
from torch import Tensor

from artlab import drawing, images, metrics
from artlab.metrics import effnet
from artlab.restyle import colour, palette, texture

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
    picture, began = content, time.process_time()
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
                trace.append((time.process_time() - began, (average / mass).clone()))
        picture = (average / mass).detach()
        trace.append((time.process_time() - began, picture))
    return picture


def scaled(picture: Tensor, longest: int) -> Tensor:
    """The picture with its longer side so long."""
    factor = min(1.5, longest / max(picture.shape[1:]))
    return colour.resize(picture, (round(picture.shape[1] * factor), round(picture.shape[2] * factor)))


def ours(content: Tensor, style: Tensor, plan: texture.Plan, trace: list[tuple[float, Tensor]]) -> Tensor:
    """artlab's side."""
    began = time.process_time()

    def seen(done: int, total: int, picture: Tensor) -> None:
        trace.append((time.process_time() - began, picture.clone()))

    return texture.stylise(content, [(style, 1.0)], plan, on_image=seen)


class Judge:
    """The other side's loss where it was made and where it was not."""

    PLACES = ((1, 1), (3, 2), (5, 7), (2, 5), (7, 3))

    def __init__(self, start: Tensor, style: Tensor) -> None:
        self.size = start.shape[1:]
        self.aligned = Loss(start, style)
        self.moved = [Loss(self.at(start, place), style) for place in self.PLACES]

    def at(self, picture: Tensor, place: tuple[int, int]) -> Tensor:
        """The picture moved down and right inside a mirrored frame of 16 pixels."""
        down, right = place
        return nnf.pad(picture[None], (16 + right, 16 - right, 16 + down, 16 - down), mode="reflect")[0]

    @torch.no_grad()
    def __call__(self, picture: Tensor) -> tuple[float, float]:
        """The loss aligned and moved."""
        whole = colour.resize(picture, self.size).clamp(0, 1)
        moved = [float(loss(self.at(whole, place))) for loss, place in zip(self.moved, self.PLACES, strict=True)]
        return float(self.aligned(whole)), sum(moved) / len(moved)


def main() -> None:
    """Run all in turn and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=192)
    parser.add_argument("--style", type=Path, help="a picture; a drawn one if left out")
    args = parser.parse_args()
    content = colour.pixels(images.fit(drawing.draw_work("vask", 3, height=512).picture, args.size))
    painted = Image.open(args.style).convert("RGB") if args.style else drawing.draw_work("solvane", 2, height=512).picture
    style = colour.pixels(images.fit(painted, args.size))
    start = palette.transport(content, [(style, 1.0)])
    judge = Judge(start, scaled(style, max(content.shape)))
    steps = texture.Plan().steps
    runs: dict[str, list[tuple[float, Tensor]]] = {}
    for strength in (0.6, 0.8, 1.0):
        ours(start, style, texture.Plan.of(strength), runs.setdefault(f"artlab, strength {strength}", []))
    theirs(start, style, steps, runs.setdefault("style-transfer-pytorch, artlab's network", []))
    plain = effnet.pretrained().requires_grad_(False).to(memory_format=torch.channels_last)
    with mock.patch.object(effnet, "network", return_value=plain):
        theirs(start, style, steps, runs.setdefault("style-transfer-pytorch", []))
    curves = {name: [(seconds, *judge(picture)) for seconds, picture in trace] for name, trace in runs.items()}
    print("loss of the start: {:.4f} aligned, {:.4f} moved".format(*judge(start)))
    end = curves["style-transfer-pytorch"][-1]
    print(
        "| program | s in all | end loss aligned | moved | s to the other's end loss, moved | ratio |\n|---|---|---|---|---|---|"
    )
    for name, curve in curves.items():
        reached = next((row[0] for row in curve if row[2] <= end[2] + 1e-9), None)
        told = f"{reached:.1f} | {end[0] / reached:.2f} x" if reached else "never | -"
        print(f"| {name} | {curve[-1][0]:.1f} | {curve[-1][1]:.4f} | {curve[-1][2]:.4f} | {told} |")


if __name__ == "__main__":
    main()
