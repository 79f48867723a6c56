"""The autoencoder of the embedded base: pictures to latents at an eighth of the size, and back.

An `AutoencoderDC` (Chen et al. 2025, arXiv 2410.10733) with nothing at full resolution but one convolution: pixels are shuffled into
channels and back, so the width sits where it is cheap. Loss: L1, squared error, L1 of the picture's gradients, and the distance of
EfficientNet-Lite0 features; a small term keeps each latent channel near mean 0 and deviation 1. Scale equivariance (EQ-VAE, Kouzelis
et al. 2025, arXiv 2502.09509): now and then the latent is shrunk before decoding and the shrunk picture is asked for, which makes
latents easier to model.
"""

import math
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from diffusers import AutoencoderDC
from torch import Tensor

from artlab import files
from artlab.pretrain import bookmarks
from artlab.pretrain.data import Source
from artlab.pretrain.pace import set_rate
from artlab.pretrain.precision import fast

LATENT_CHANNELS = 16
Report = Callable[[dict[str, float]], None]


def build(channels: int = LATENT_CHANNELS) -> AutoencoderDC:
    """The untrained network: 7.7 M parameters, factor 8."""
    widths, layers = (64, 64, 128, 256), (0, 1, 2, 2)
    return AutoencoderDC(
        latent_channels=channels,
        encoder_block_out_channels=widths,
        decoder_block_out_channels=widths,
        encoder_layers_per_block=layers,
        decoder_layers_per_block=layers,
        encoder_qkv_multiscales=((),) * 4,
        decoder_qkv_multiscales=((),) * 4,
        downsample_block_type="pixel_unshuffle",
        upsample_block_type="pixel_shuffle",
        encoder_out_shortcut=False,
        decoder_in_shortcut=False,
        scaling_factor=1.0,
    )


def train(
    sources: Sequence[Source],
    folder: Path,
    *,
    steps: int,
    batch_size: int = 24,
    crop: int = 64,
    learning_rate: float = 4e-4,
    features: Callable[[Tensor], list[Tensor]] | None = None,
    seed: int = 0,
    save_every: int = 200,
    report: Report = print,
    channels: int = LATENT_CHANNELS,
    given: AutoencoderDC | None = None,
) -> AutoencoderDC:
    """Train on random crops for `steps`, going on from the newest checkpoint in `folder`; returns the averaged network.

    With `given`, a trained one, it begins with that one, widened if it has fewer latent channels than `channels`; these stay near
    what they were, so that a denoiser that knows them need not start anew.

    `features` maps pictures in [-1, 1] to a list of feature maps for the perceptual term; None leaves that term out.
    The data order is a function of seed and step, so that a killed run goes on with the very pictures it would have seen.
    """
    model = (build(channels) if given is None else widened(given, channels)).to(memory_format=torch.channels_last)
    average = build(channels).requires_grad_(False)
    average.load_state_dict(model.state_dict())
    optimizer = torch.optim.AdamW(model.parameters(), lr=learning_rate, betas=(0.9, 0.99), weight_decay=1e-3)
    weights = {"model": model.state_dict(), "average": average.state_dict()}
    anchor = None if given is None else given.encoder.to(memory_format=torch.channels_last).requires_grad_(False)
    start = bookmarks.resume(folder, weights, optimizer)
    pools = [source.indices(held_out=False) for source in sources]
    arrays = [source.pictures for source in sources]
    for step in range(start, steps):
        began = time.perf_counter()
        rng = np.random.default_rng([seed, step])
        pixels = crops(arrays, pools, rng, batch_size, crop)
        set_rate(optimizer, learning_rate, step, steps, warm=200, fall=0.35)
        torch.manual_seed(seed * 1_000_003 + step)
        with fast():
            losses = loss(model, pixels, rng, features if step % 2 == 0 else None, anchor)
        total = sum(losses.values(), torch.zeros(()))
        total.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        follow(average, model, min(0.999, (step + 1) / (step + 20)))
        if not math.isfinite(float(total.detach())):
            raise FloatingPointError(
                f"The autoencoder's loss is {float(total.detach())} at step {step}; resume from the last checkpoint in {folder}."
            )
        if (step + 1) % 50 == 0:
            report(
                {
                    "step": step + 1,
                    "pictures_per_second": batch_size / (time.perf_counter() - began),
                    **{k: float(v.detach()) for k, v in losses.items()},
                }
            )
        if (step + 1) % save_every == 0 or step + 1 == steps:
            bookmarks.save(folder, step + 1, weights, optimizer)
    return average


def widened(given: AutoencoderDC, channels: int) -> AutoencoderDC:
    """A network that begins as `given` does, with more latent channels if that one has fewer: the new ones come last, and the decoder
    hardly hears them yet.
    """
    model, known = build(channels), given.state_dict()
    with torch.no_grad():
        for name, parameter in model.state_dict().items():
            old = known[name].to(parameter)
            if old.shape != parameter.shape:  # the convolutions around the bottleneck
                parameter.mul_(0.1 if name == "decoder.conv_in.weight" else 1.0)
            parameter[tuple(slice(0, size) for size in old.shape)] = old
    return model


def loss(
    model: AutoencoderDC,
    pixels: Tensor,
    rng: np.random.Generator,
    features: Callable[[Tensor], list[Tensor]] | None,
    anchor: torch.nn.Module | None = None,
) -> dict[str, Tensor]:
    """The terms of the loss, weighted, for pictures (n, 3, h, w) in [-1, 1].

    `anchor` is an earlier encoder, near whose latents the first channels shall stay.
    """
    latents, target = model.encode(pixels).latent.float(), pixels
    spread, middle = latents.std(dim=(0, 2, 3)), latents.mean(dim=(0, 2, 3))
    known = None if anchor is None else anchor(pixels).float()
    far = torch.zeros(()) if known is None else (latents[:, : known.shape[1]] - known).square().mean()
    latents = latents + 0.05 * torch.randn_like(latents)
    if rng.random() < 0.4:
        size = int(rng.choice([3, 4, 5, 6])) * pixels.shape[-1] // 64
        latents = F.interpolate(latents, size=(size, size), mode="bicubic", antialias=True)
        target = F.interpolate(pixels, size=(8 * size, 8 * size), mode="bicubic", antialias=True).clamp(-1, 1)
    made = model.decode(latents).sample.float()
    terms = {
        **pixel_terms(made, target),
        "moments": 0.02 * (middle.square().mean() + spread.clamp_min(1e-4).log().square().mean()),
    }
    if anchor is not None:
        terms["anchor"] = 0.05 * far
    if features is not None:
        terms["features"] = 0.3 * sum(relative(a, b) for a, b in zip(features(made), features(target), strict=True))
    return terms


def pixel_terms(made: Tensor, target: Tensor) -> dict[str, Tensor]:
    """L1, squared error, and L1 of the gradients, weighted."""
    return {
        "l1": (made - target).abs().mean(),
        "l2": 2.0 * (made - target).square().mean(),
        "gradient": 0.5 * torch.stack([(made.diff(dim=d) - target.diff(dim=d)).abs().mean() for d in (-1, -2)]).sum(),
    }


def standardise(model: AutoencoderDC, latents: Tensor) -> None:
    """Fold the mean and deviation of each latent channel into the convolutions around the bottleneck.

    After it, `encode` gives channels of mean 0 and deviation 1 over data like `latents` (n, c, h, w), `decode` expects them, and
    `scaling_factor` is truly 1: no reader needs to know. (At the border of a picture the decoder's zero padding meant `-mean` before;
    the moments' loss keeps means near 0, so that the difference is small.)
    """
    mean, deviation = latents.mean(dim=(0, 2, 3)), latents.std(dim=(0, 2, 3))
    with torch.no_grad():
        into, out = model.encoder.conv_out, model.decoder.conv_in
        into.weight /= deviation[:, None, None, None]
        into.bias.copy_((into.bias - mean) / deviation)
        out.bias += out.weight.sum(dim=(2, 3)) @ mean
        out.weight *= deviation[None, :, None, None]


def psnr(model: AutoencoderDC, pictures: np.ndarray, *, batch: int = 32) -> float:
    """Mean peak signal-to-noise ratio in dB of reconstructions of uint8 pictures (n, h, w, 3)."""
    values = []
    with torch.inference_mode():
        for at in range(0, len(pictures), batch):
            pixels = to_tensor(pictures[at : at + batch])
            made = model.decode(model.encode(pixels).latent).sample.clamp(-1, 1)
            errors = ((made - pixels) / 2).square().mean(dim=(1, 2, 3))
            values += (-10 * errors.clamp_min(1e-8).log10()).tolist()
    return float(np.mean(values))


def to_tensor(pictures: np.ndarray) -> Tensor:
    """uint8 (n, h, w, 3) -> float (n, 3, h, w) in [-1, 1], channels last."""
    return (
        torch.from_numpy(np.array(pictures))
        .permute(0, 3, 1, 2)
        .float()
        .div(127.5)
        .sub(1)
        .contiguous(memory_format=torch.channels_last)
    )


def crops(arrays: Sequence[np.ndarray], pools: Sequence[np.ndarray], rng: np.random.Generator, count: int, crop: int) -> Tensor:
    """Random crops, the sources taking turns."""
    pictures = []
    for k in range(count):
        source = k % len(arrays)
        picture = arrays[source][rng.choice(pools[source])]
        top, left = rng.integers(0, picture.shape[0] - crop + 1, size=2)
        piece = picture[top : top + crop, left : left + crop]
        pictures.append(piece[:, ::-1] if rng.random() < 0.5 else piece)
    return to_tensor(np.stack(pictures))


def relative(a: Tensor, b: Tensor) -> Tensor:
    """Mean squared distance, as a share of the second one's mean square."""
    return (a - b).square().mean() / b.detach().square().mean().clamp_min(1e-6)


def follow(average: torch.nn.Module, model: torch.nn.Module, decay: float) -> None:
    with torch.no_grad():
        torch._foreach_lerp_(list(average.parameters()), [p.detach() for p in model.parameters()], 1 - decay)


def log_to(path: Path) -> Report:
    """A report that prints a line and keeps it as JSONL."""

    def report(row: dict[str, float]) -> None:
        print("  ".join(f"{key} {value:.4g}" for key, value in row.items()), flush=True)
        files.append_jsonl(path, row)

    return report
