"""Style transfer measured: contents x styles, each method beside the plain ways, as a Markdown table and a sheet.

    .venv/bin/python benchmarks/transfer_methods.py PORTFOLIOS --methods palette texture --size 256 --sheet sheet.jpg > table.md

PORTFOLIOS is a folder with a portfolio of some ten works or more in each sub-folder. Contents are drawn scenes and works of artists who are
not the style's. The style of a pair is four works of a portfolio; how near the result comes to the style is measured on four *other*
works of it. Nothing is picked: works are taken by their number. `attention` and `lora` are the whole command on the base; `lora` needs trained
styles, `--trained FOLDER` with one in a sub-folder for each portfolio (its name, or its name and more), and leaves out artists without one.
"""

import argparse
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from artlab import drawing, images, metrics
from artlab.restyle import colour, palette, texture
from artlab.settings import Transfer
from artlab.transfer import transfer

Styles = list[tuple[Tensor, float]]


# -- plain ways -------------------------------------------------------------------------------------------------------------


def untouched(content: Tensor, styles: Styles) -> Tensor:
    """The content itself."""
    return content


def statistics(content: Tensor, styles: Styles) -> Tensor:
    """Mean and deviation of each colour channel (Reinhard et al. 2001; AdaIN on pixels)."""
    pixels = torch.cat([work.flatten(1) for work, _ in styles], dim=1)
    mean, deviation = content.mean(dim=(1, 2)), content.std(dim=(1, 2))
    scaled = (content - mean[:, None, None]) / deviation[:, None, None].clamp_min(1e-4)
    return (scaled * pixels.std(dim=1)[:, None, None] + pixels.mean(dim=1)[:, None, None]).clamp(0, 1)


def histogram(content: Tensor, styles: Styles) -> Tensor:
    """Each colour channel's histogram matched on its own."""
    pixels = torch.cat([work.flatten(1) for work, _ in styles], dim=1).sort(dim=1).values
    result = torch.empty_like(content)
    for channel in range(3):
        flat = content[channel].flatten()
        rank = flat.argsort().argsort().float() / max(1, len(flat) - 1)
        result[channel] = pixels[channel][(rank * (pixels.shape[1] - 1)).long()].view(content.shape[1:])
    return result


def overlay(content: Tensor, styles: Styles) -> Tensor:
    """Half the content, half the first work."""
    work = colour.picture(styles[0][0])
    cut = images.crop(work, (content.shape[2], content.shape[1]))
    return (content + colour.pixels(cut)) / 2


def our_palette(content: Tensor, styles: Styles) -> Tensor:
    """artlab's `palette`."""
    return palette.transport(content, styles)


def our_texture(content: Tensor, styles: Styles) -> Tensor:
    """artlab's `texture`, the colours brought over first."""
    return texture.stylise(palette.transport(content, styles), styles, paper=texture.ground(content))


def our_attention(content: Tensor, styles: Styles) -> Tensor:
    """artlab's `attention` on the embedded base."""
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder) / f"style {k}.png" for k in range(len(styles))]
        for path, (work, _) in zip(paths, styles, strict=True):
            colour.picture(work).save(path)
        return by_command(content, "attention", [str(path) for path in paths])


def by_command(content: Tensor, method: str, styles: list[str]) -> Tensor:
    """What `artlab transfer` makes of the content, at its size."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "content.png"
        colour.picture(content).save(path)
        asked = Transfer(content=path, style=tuple(styles), method=method, output_dir=Path(folder) / "out")
        made = colour.pixels(Image.open(transfer(asked, lambda progress: None).path).convert("RGB"))
    return colour.resize(made, (content.shape[1], content.shape[2]))


PLAIN = {"untouched": untouched, "pixel statistics": statistics, "histogram": histogram, "overlay": overlay}
METHODS: dict[str, Callable[[Tensor, Styles], Tensor]] = {
    "palette": our_palette,
    "texture": our_texture,
    "attention": our_attention,
}


# -- figures ----------------------------------------------------------------------------------------------------------------


@dataclass
class Scale:
    """Centre and spread of style features over all the works at hand, so that each feature counts alike."""

    centre: np.ndarray
    spread: np.ndarray

    def distance(self, picture: Image.Image, works: np.ndarray) -> float:
        """Cosine distance of a picture to the mean of works, in [0, 2]."""
        a = (metrics.style_features([picture])[0] - self.centre) / self.spread
        b = ((works - self.centre) / self.spread).mean(axis=0)
        return float(1 - a @ b / max(1e-9, np.linalg.norm(a) * np.linalg.norm(b)))


@torch.no_grad()
def content_loss(one: Tensor, other: Tensor) -> float:
    """LPIPS-like (Zhang et al. 2018), on EfficientNet's taps without learned weights: squared differences of unit features, averaged."""
    total = 0.0
    for a, b in zip(metrics.taps(one[None] * 2 - 1), metrics.taps(other[None] * 2 - 1), strict=True):
        a, b = torch.nn.functional.normalize(a, dim=1), torch.nn.functional.normalize(b, dim=1)
        total += float((a - b).square().sum(dim=1).mean()) / 6
    return total


def edges(one: Tensor, other: Tensor) -> float:
    """Correlation of how steep the lightness is."""
    slopes = []
    for picture in (one, other):
        lightness = colour.box(colour.to_oklab(picture)[:1], 1)[0]
        dy, dx = torch.gradient(lightness)
        slopes.append((dx.square() + dy.square()).sqrt().flatten())
    return float(torch.corrcoef(torch.stack(slopes))[0, 1])


# -- pairs ------------------------------------------------------------------------------------------------------------------


def contents(folder: Path, size: int, count: int, artists: list[str]) -> Iterator[tuple[str, str, Image.Image]]:
    """(name, artist, picture): half drawn by artlab's invented artists, half works of real ones."""
    drawn = [(name, k) for k in range(1, 9) for name in drawing.ARTISTS][: count - count // 2]
    for name, k in drawn:
        yield f"drawn {name} {k}", name, images.fit(drawing.draw_work(name, k, height=512).picture, size)
    for k in range(count // 2):
        artist = artists[(2 * k + 1) % len(artists)]
        path = sorted((folder / artist).glob("*.jpg"))[9 + k]
        yield f"{artist} {path.stem}", artist, images.fit(Image.open(path).convert("RGB"), size)


def works(folder: Path, artist: str, numbers: tuple[int, ...], size: int) -> list[Image.Image]:
    """Works of a portfolio by their places in its order."""
    paths = sorted((folder / artist).glob("*.jpg"))
    return [images.fit(Image.open(paths[k]).convert("RGB"), size) for k in numbers if k < len(paths)]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("portfolios", type=Path)
    parser.add_argument("--methods", nargs="+", default=["palette"], choices=[*METHODS, "lora"])
    parser.add_argument("--trained", type=Path, help="folder of trained styles, for `lora`")
    parser.add_argument("--contents", type=int, default=12)
    parser.add_argument("--styles", type=int, default=10)
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--every", type=int, default=1, help="of the pairs only each n-th")
    parser.add_argument("--running", action="store_true", help="print the table after each pair")
    parser.add_argument("--sheet", type=Path)
    args = parser.parse_args()
    artists = sorted(path.name for path in args.portfolios.iterdir() if path.is_dir())
    chosen = artists[:: max(1, len(artists) // args.styles)][: args.styles]
    shown = {artist: works(args.portfolios, artist, (2, 11, 20, 29), args.size) for artist in chosen}
    judged = {a: metrics.style_features(works(args.portfolios, a, (5, 14, 23, 32), args.size)) for a in chosen}
    rows = np.concatenate(list(judged.values()))
    scale = Scale(rows.mean(axis=0), rows.std(axis=0) + 1e-6)
    figures: dict[str, list[tuple[float, ...]]] = {name: [] for name in [*PLAIN, *args.methods]}
    pictures, captions, pair = [], [], 0
    for name, owner, content in contents(args.portfolios, args.size, args.contents, artists):
        for artist in chosen:
            pair += 1
            if owner == artist or pair % args.every:
                continue
            pixels, styles = colour.pixels(content), [(colour.pixels(work), 1.0) for work in shown[artist]]
            start = scale.distance(content, judged[artist])
            for way, method in ways(args.methods, args.trained, artist).items():
                began = time.perf_counter()
                made = method(pixels, styles)
                seconds = time.perf_counter() - began
                distance, loss = scale.distance(colour.picture(made), judged[artist]), content_loss(pixels, made)
                row = (start - distance, distance, loss, edges(pixels, made), (1 + loss) * (1 + distance), seconds)
                figures[way].append(row)
                if way in args.methods:
                    pictures += [content, shown[artist][0], colour.picture(made)]
                    captions += [name, artist, way]
            print(f"{pair}: {name} as {artist}", file=sys.stderr)
            if args.running:
                table(figures)
    table(figures)
    if args.sheet:
        kept = list(range(0, len(pictures), 3 * max(1, len(pictures) // 3 // 12)))[:12]
        flat = [i for k in kept for i in (k, k + 1, k + 2)]
        sheet = images.contact_sheet([pictures[i] for i in flat], 6, captions=[captions[i] for i in flat], width=1500)
        sheet.save(args.sheet, quality=80)


def ways(wanted: list[str], trained: Path | None, artist: str) -> dict[str, Callable[[Tensor, Styles], Tensor]]:
    """The plain ways and the wanted methods for a style of this artist."""
    found: dict[str, Callable[[Tensor, Styles], Tensor]] = PLAIN | {name: METHODS[name] for name in wanted if name in METHODS}
    styles = sorted(path.parent for path in trained.glob(f"{artist}*/style.json")) if trained and "lora" in wanted else []
    return found | ({"lora": lambda content, _: by_command(content, "lora", [str(styles[0])])} if styles else {})


def table(figures: dict[str, list[tuple[float, ...]]]) -> None:
    """Means over the pairs, the median time, the peak memory of the whole process."""
    print("| method | pairs | style gained | style distance | content loss | edge agreement | joint | median s |")
    print("|---|---|---|---|---|---|---|---|")
    for way, rows in figures.items():
        if rows:
            mean = np.mean(rows, axis=0)
            seconds = np.median([row[5] for row in rows])
            print(f"| {way} | {len(rows)} | " + " | ".join(f"{x:.3f}" for x in mean[:5]) + f" | {seconds:.2f} |")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
    print(f"\nPeak memory of the process: {peak:,} MiB.", flush=True)


if __name__ == "__main__":
    main()
