"""How often the invisible watermark is found again, after what happens to pictures: a table of Markdown.

python benchmarks/gallery_watermark.py                     (works that artlab draws)
python benchmarks/gallery_watermark.py --pictures FOLDER   (your own)
"""

import argparse
import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image, ImageEnhance, ImageFilter

from artlab import drawing, provenance

Change = Callable[[Image.Image], Image.Image]


def saved(kind: str, quality: int) -> Change:
    """Through a lossy file."""

    def change(image: Image.Image) -> Image.Image:
        stream = io.BytesIO()
        image.save(stream, kind, quality=quality)
        return Image.open(stream).convert("RGB")

    return change


def scaled(by: float) -> Change:
    """Resized."""
    return lambda image: image.resize((round(image.width * by), round(image.height * by)), Image.Resampling.LANCZOS)


def cropped(share: float) -> Change:
    """Cut on all sides."""
    return lambda image: image.crop(
        (
            round(image.width * share),
            round(image.height * share),
            round(image.width * (1 - share)),
            round(image.height * (1 - share)),
        )
    )


CHANGES: dict[str, Change] = {
    "as it is": lambda image: image,
    "JPEG 90": saved("JPEG", 90),
    "JPEG 75": saved("JPEG", 75),
    "JPEG 50": saved("JPEG", 50),
    "JPEG 30": saved("JPEG", 30),
    "WebP 75": saved("WEBP", 75),
    "resized to 75 %": scaled(0.75),
    "resized to 50 %": scaled(0.5),
    "resized to 25 %": scaled(0.25),
    "resized to 150 %": scaled(1.5),
    "50 %, then JPEG 75": lambda image: saved("JPEG", 75)(scaled(0.5)(image)),
    "brighter by 20 %": lambda image: ImageEnhance.Brightness(image).enhance(1.2),
    "grey": lambda image: image.convert("L").convert("RGB"),
    "blurred by 1 pixel": lambda image: image.filter(ImageFilter.GaussianBlur(1)),
    "cut by 1 % a side": cropped(0.01),
    "cut by 5 % a side": cropped(0.05),
    "mirrored": lambda image: image.transpose(Image.Transpose.FLIP_LEFT_RIGHT),
}


def psnr(before: Image.Image, after: Image.Image) -> float:
    """Peak signal-to-noise ratio in dB."""
    error = np.mean((np.asarray(before, float) - np.asarray(after, float)) ** 2)
    return float(10 * np.log10(255**2 / error))


def main() -> None:
    """Mark, change, read; print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", type=Path)
    parser.add_argument("--count", type=int, default=24)
    parser.add_argument("--sizes", type=int, nargs="+", default=[128, 512])
    asked = parser.parse_args()
    if asked.pictures:
        found = sorted(path for path in asked.pictures.rglob("*") if path.suffix.lower() in (".png", ".jpg", ".webp"))
        originals = [Image.open(path).convert("RGB") for path in found[:: max(1, len(found) // asked.count)][: asked.count]]
    else:
        artists = list(drawing.ARTISTS)
        originals = [
            drawing.draw_work(artists[n % len(artists)], n // len(artists), height=512).picture for n in range(asked.count)
        ]
    columns = {}
    for size in asked.sizes:
        plain = [
            picture.resize((size, round(size * picture.height / picture.width)), Image.Resampling.LANCZOS)
            for picture in originals
        ]
        marked = [provenance.watermark(picture) for picture in plain]
        levels = [psnr(*pair) for pair in zip(plain, marked, strict=True) if pair[0] is not pair[1]]
        columns[size] = {name: [provenance.read(change(picture)) for picture in marked] for name, change in CHANGES.items()}
        columns[size]["without the mark"] = [provenance.read(picture) for picture in plain]
        print(f"{size} px: {len(plain)} pictures, PSNR {np.mean(levels):.1f} dB on average, {min(levels):.1f} at worst")
    print("\n| | " + " | ".join(f"{size} px" for size in asked.sizes) + " |\n|---|" + "---|" * len(asked.sizes))
    for name in [*CHANGES, "without the mark"]:
        cells = [f"{100 * np.mean([mark.found for mark in columns[size][name]]):.0f} %" for size in asked.sizes]
        print(f"| {name} | " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main()
