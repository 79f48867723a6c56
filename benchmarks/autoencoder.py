"""What autoencoders leave of pictures that they never saw: PSNR, FD and KID beside JPEG of quality 20.

python benchmarks/autoencoder.py DATA VAE... > table.md

DATA is a folder that `artlab pretrain data` filled; each VAE a folder in diffusers' layout. Real art in colour and drawn works stand apart. FD and KID
are between pictures and what is left of the same pictures, by EfficientNet's features.
"""

import argparse
import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderDC
from PIL import Image

from artlab import metrics
from artlab.bases.latent import load_part
from artlab.metrics import fidelity
from artlab.pretrain.autoencoder import to_tensor
from artlab.pretrain.data import Source

Left = Callable[[np.ndarray], np.ndarray]


def main() -> None:
    """Measure every autoencoder on the same pictures, then print a table of Markdown."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("autoencoders", nargs="+", type=Path)
    parser.add_argument("--most", type=int, default=200, help="pictures of each kind")
    asked = parser.parse_args()
    ways = {str(folder): through(load_part(AutoencoderDC, folder).float().eval()) for folder in asked.autoencoders} | {
        "JPEG 20": jpeg
    }
    groups = {
        name: unseen(Source(asked.data / name))[: asked.most]
        for name in ("real", "drawn")
        if (asked.data / name / "done.json").exists()
    }
    print("| autoencoder | " + " | ".join(f"{name} ({len(group)}), PSNR | FD | KID" for name, group in groups.items()) + " |")
    print("|---" * (1 + 3 * len(groups)) + "|")
    for way, left in ways.items():
        cells = [cell for group in groups.values() for cell in figures(group, left(group))]
        print(f"| {way} | {' | '.join(cells)} |", flush=True)


def unseen(source: Source) -> np.ndarray:
    """The pictures held out of every training, those in colour: (n, 128, 128, 3) uint8."""
    rows = source.rows
    return source.pictures[[i for i in source.indices(held_out=True) if not rows[i].get("monochrome")]]


def figures(pictures: np.ndarray, left: np.ndarray) -> list[str]:
    """PSNR, FD and KID of what is left to what was there."""
    errors = ((pictures.astype(float) - left) / 255) ** 2
    there, here = (metrics.features([Image.fromarray(one) for one in some]) for some in (pictures, left))
    psnr = float(np.mean(-10 * np.log10(errors.mean(axis=(1, 2, 3)).clip(1e-8))))
    return [f"{psnr:.1f} dB", f"{fidelity.fd(here, there):.0f}", f"{fidelity.kid(here, there):.3f}"]


def through(model: AutoencoderDC) -> Left:
    """Encoded, decoded, rounded to 8 bits."""

    @torch.inference_mode()
    def left(pictures: np.ndarray) -> np.ndarray:
        made = [model.decode(model.encode(to_tensor(pictures[at : at + 16])).latent).sample for at in range(0, len(pictures), 16)]
        return torch.cat(made).clamp(-1, 1).add(1).mul(127.5).round().byte().permute(0, 2, 3, 1).numpy()

    return left


def jpeg(pictures: np.ndarray) -> np.ndarray:
    """Saved as JPEG of quality 20 and read again."""
    left = []
    for picture in pictures:
        file = io.BytesIO()
        Image.fromarray(picture).save(file, "JPEG", quality=20)
        left.append(np.asarray(Image.open(file)))
    return np.stack(left)


if __name__ == "__main__":
    main()
