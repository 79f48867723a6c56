"""Teach the base's upscaler: pictures as the autoencoder hands them over, small, and the same pictures at four times the size.

The small pictures go through the autoencoder with a little noise on their latents, as much as the denoiser leaves, so that the network
learns to draw clean edges from unclean ones. Loss: L1, L1 of the picture's gradients, and the distance of EfficientNet features.
"""

from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from diffusers import AutoencoderDC
from numpy.typing import NDArray
from PIL import Image
from safetensors.torch import save as save_tensors
from torch import Tensor

from artlab import drawing, files
from artlab.bases.upscaler import FACTOR, Upscaler
from artlab.drawing.layouts import calm_layouts
from artlab.drawing.media import MEDIA
from artlab.drawing.palettes import PALETTES
from artlab.pretrain import bookmarks
from artlab.pretrain.autoencoder import Report, relative, to_tensor
from artlab.pretrain.data import HELD_OUT, WORLD
from artlab.pretrain.pace import set_rate

SIDE = 384  # of the large pictures
NOISE = (0.0, 0.1, 0.2)  # on the latents, whose deviation is 1


def prepare(art: Path | None, autoencoder: AutoencoderDC, folder: Path, *, drawn: int, seed: int = 0) -> Path:
    """Large pictures (n, 384, 384, 3) and their small reconstructions (n, 3, 96, 96, 3), uint8, once a folder.

    `art` is a folder with pictures of 384 px and more at any depth; smaller ones are left out.
    """
    if (folder / "done.json").exists():
        return folder
    folder.mkdir(parents=True, exist_ok=True)
    large = [*_drawn(drawn, seed), *(_squares(art) if art else ())]
    small = np.stack([_handed_over(autoencoder, picture, index) for index, picture in enumerate(large)])
    held = [int(files.fingerprint(picture.tobytes()), 16) % 10_000 < HELD_OUT * 10_000 for picture in large]
    for name, array in {"large": np.stack(large), "small": small, "held_out": np.array(held)}.items():
        np.save(folder / f"{name}.npy", array)
    files.write_json(folder / "done.json", {"pictures": len(large), "drawn": drawn})
    return folder


def _drawn(count: int, seed: int) -> Iterable[NDArray[np.uint8]]:
    for index in range(count):
        rng = np.random.default_rng([seed, index, 7])
        subject = str(rng.choice(WORLD))
        layout = str(rng.choice(calm_layouts(subject)))
        palette, medium = str(rng.choice(sorted(PALETTES))), str(rng.choice(sorted(MEDIA)))
        yield np.asarray(drawing.draw(subject, layout, palette, medium, seed=int(rng.integers(2**31)), height=SIDE).picture)


def _squares(art: Path) -> Iterable[NDArray[np.uint8]]:
    for path in sorted(art.rglob("*.jpg")):
        with Image.open(path) as file:
            picture = file.convert("RGB")
        scale = SIDE / min(picture.size)
        if scale > 1.05:
            continue
        width, height = (max(SIDE, round(side * scale)) for side in picture.size)
        left, top = (width - SIDE) // 2, (height - SIDE) // 2
        fitted = picture.resize((width, height), Image.Resampling.LANCZOS)
        yield np.asarray(fitted.crop((left, top, left + SIDE, top + SIDE)))


@torch.inference_mode()
def _handed_over(autoencoder: AutoencoderDC, large: NDArray[np.uint8], index: int) -> NDArray[np.uint8]:
    """The picture at a quarter of its size as the autoencoder reconstructs it, once for each amount of noise."""
    small = Image.fromarray(large).resize((SIDE // FACTOR,) * 2, Image.Resampling.BOX)
    latents = autoencoder.encode(to_tensor(np.asarray(small)[None])).latent
    noise = torch.randn(latents.shape, generator=torch.Generator().manual_seed(index))
    made = autoencoder.decode(torch.cat([latents + amount * noise for amount in NOISE])).sample
    return made.clamp(-1, 1).add(1).mul(127.5).round().byte().permute(0, 2, 3, 1).numpy()


def train(
    data: Path,
    folder: Path,
    *,
    steps: int,
    batch_size: int = 8,
    crop: int = 32,
    learning_rate: float = 1e-3,
    features: Callable[[Tensor], list[Tensor]] | None = None,
    seed: int = 0,
    save_every: int = 100,
    report: Report = print,
) -> Upscaler:
    """Train for `steps` on random crops of `crop` small pixels, going on from the newest checkpoint; returns the averaged network."""
    large, small = np.load(data / "large.npy", mmap_mode="r"), np.load(data / "small.npy", mmap_mode="r")
    seen = np.flatnonzero(~np.load(data / "held_out.npy"))
    torch.manual_seed(seed)
    model = Upscaler().to(memory_format=torch.channels_last)
    average = Upscaler().requires_grad_(False)
    average.load_state_dict(model.state_dict())
    optimizer = torch.optim.AdamW(model.parameters(), lr=learning_rate, betas=(0.9, 0.99), weight_decay=0.0)
    weights = {"model": model.state_dict(), "average": average.state_dict()}
    for step in range(bookmarks.resume(folder, weights, optimizer), steps):
        rng = np.random.default_rng([seed, step])
        pixels, target = _crops(large, small, rng.choice(seen, size=batch_size), rng, crop)
        set_rate(optimizer, learning_rate, step, steps, warm=50, fall=0.4)
        losses = loss(model(pixels), target, features)
        torch.stack(list(losses.values())).sum().backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        with torch.no_grad():
            decay = min(0.995, (step + 1) / (step + 20))
            torch._foreach_lerp_(list(average.parameters()), [p.detach() for p in model.parameters()], 1 - decay)
        if (step + 1) % 50 == 0:
            report({"step": step + 1, **{key: float(value.detach()) for key, value in losses.items()}})
        if (step + 1) % save_every == 0 or step + 1 == steps:
            bookmarks.save(folder, step + 1, weights, optimizer)
    return average


def loss(made: Tensor, target: Tensor, features: Callable[[Tensor], list[Tensor]] | None) -> dict[str, Tensor]:
    """The terms of the loss, weighted, for pictures (n, 3, h, w) in [-1, 1]."""
    terms = {
        "l1": (made - target).abs().mean(),
        "gradient": torch.stack([(made.diff(dim=d) - target.diff(dim=d)).abs().mean() for d in (-1, -2)]).sum(),
    }
    if features is not None:
        pairs = zip(features(made), features(target), strict=True)
        terms["features"] = 0.1 * torch.stack([relative(a, b) for a, b in pairs]).sum()
    return terms


@torch.inference_mode()
def psnr(network: Callable[[Tensor], Tensor], data: Path, count: int = 48) -> tuple[float, float]:
    """Mean PSNR in dB on held-out pictures, of the network and of bicubic enlargement, from noiseless reconstructions."""
    rows = np.flatnonzero(np.load(data / "held_out.npy"))[:count]
    large, small = np.load(data / "large.npy", mmap_mode="r"), np.load(data / "small.npy", mmap_mode="r")
    values = []
    for row in rows:
        pixels, target = to_tensor(small[row][:1]), to_tensor(large[row][None])
        plain = F.interpolate(pixels, scale_factor=FACTOR, mode="bicubic", align_corners=False)
        values.append(
            [-10 * float(((one.clamp(-1, 1) - target) / 2).square().mean().log10()) for one in (network(pixels), plain)]
        )
    ours, bicubic = np.mean(values, axis=0)
    return float(ours), float(bicubic)


def _crops(
    large: NDArray[np.uint8], small: NDArray[np.uint8], rows: NDArray[np.int64], rng: np.random.Generator, crop: int
) -> tuple[Tensor, Tensor]:
    pieces = []
    for row in rows:
        top, left = rng.integers(0, small.shape[2] - crop + 1, size=2)
        amount, flip = rng.integers(len(NOISE)), (slice(None), slice(None, None, -1 if rng.random() < 0.5 else 1))
        low = small[row, amount, top : top + crop, left : left + crop][flip]
        high = large[row, FACTOR * top : FACTOR * (top + crop), FACTOR * left : FACTOR * (left + crop)][flip]
        pieces.append((low, high))
    lows, highs = zip(*pieces, strict=True)
    return to_tensor(np.stack(lows)), to_tensor(np.stack(highs))


def save(network: Upscaler, file: Path) -> None:
    """The network in half precision."""
    files.write(file, save_tensors({key: value.half().contiguous() for key, value in network.state_dict().items()}))
