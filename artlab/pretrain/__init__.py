"""Make the embedded base again from scratch: `artlab pretrain`. Hours of work; every stage can be killed and goes on where it was.

data -> autoencoder -> denoiser -> upscaler -> export -> figures; and `decoder`, by itself, for an autoencoder that shall get sharper
while the denoiser over it stays as it is.
"""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderDC, UNet2DConditionModel

from artlab import checkpoints, files, metrics
from artlab.bases import load_base
from artlab.bases.latent import LatentBase, load_part
from artlab.pretrain import autoencoder, bookmarks, cache, data, decoder, denoiser, export, figures, recogniser, upscaler
from artlab.settings import Pretrain

WAY = ("data", "autoencoder", "denoiser", "upscaler", "export", "figures")
"""The stages of `all`, in their order."""


class PretrainError(ValueError):
    """A stage that cannot run yet, and which one comes first."""


@dataclass(frozen=True)
class _Place:
    """Where the parts of one base under construction lie."""

    root: Path

    @property
    def drawn(self) -> data.Source:
        return data.Source(self.root / "drawn")

    @property
    def art(self) -> list[data.Source]:
        return [data.Source(self.root / "real")] if (self.root / "real" / "done.json").exists() else []


def pretrain(settings: Pretrain) -> Path:
    """Run one stage or all; returns the folder of the exported base, or of the stage's results."""
    place = _Place(settings.output_dir or files.home() / "pretrain")
    verbs = {
        "data": _data,
        "autoencoder": _autoencoder,
        "decoder": _decoder,
        "denoiser": _denoiser,
        "upscaler": _upscaler,
        "export": _export,
        "figures": _figures,
    }
    done = place.root
    for stage in WAY if settings.stage == "all" else (settings.stage,):
        done = verbs[stage](settings, place)
    return done


def _data(settings: Pretrain, place: _Place) -> Path:
    data.drawn(place.root / "drawn", count=settings.drawn, seed=settings.seed)
    if settings.art is not None:
        data.real(settings.art, place.root / "real", exclude=settings.exclude)
    return place.root


def _autoencoder(settings: Pretrain, place: _Place) -> Path:
    given = load_part(AutoencoderDC, settings.start / "vae").float() if settings.start else None
    model = autoencoder.train(
        [place.drawn, *place.art],
        place.root / "autoencoder",
        steps=settings.autoencoder_steps,
        features=_features,
        seed=settings.seed,
        report=autoencoder.log_to(place.root / "autoencoder.jsonl"),
        channels=settings.latent_channels,
        given=given,
    ).eval()
    autoencoder.standardise(model, _some_latents(model, [place.drawn, *place.art]))
    return _keep_autoencoder(model, place)


def _decoder(settings: Pretrain, place: _Place) -> Path:
    """Teach the decoder alone further; the latents, and whatever learned over them, stay valid."""
    _take_over_autoencoder(settings, place)
    model = decoder.train(
        AutoencoderDC.from_pretrained(place.root / "vae").float(),
        [place.drawn, *place.art],
        place.root / "decoder",
        steps=settings.decoder_steps,
        features=_features,
        seed=settings.seed,
        report=autoencoder.log_to(place.root / "decoder.jsonl"),
    ).eval()
    return _keep_autoencoder(model, place)


def _keep_autoencoder(model: AutoencoderDC, place: _Place) -> Path:
    model.save_pretrained(place.root / "vae")
    unseen = {one.folder.name: one.pictures[one.indices(held_out=True)[:256]] for one in (place.drawn, *place.art)}
    figures = {name: autoencoder.psnr(model, pictures) for name, pictures in unseen.items() if len(pictures)}
    files.write_json(place.root / "vae" / "figures.json", {"psnr_held_out": figures})
    return place.root / "vae"


def _take_over_autoencoder(settings: Pretrain, place: _Place) -> None:
    """Copy the autoencoder of `--start`, where none was taught here; a wider one than that must be taught first."""
    if settings.start is None or (place.root / "vae").exists():
        return
    there = files.read_json(settings.start / "vae" / "config.json")["latent_channels"]
    if there < settings.latent_channels:
        raise PretrainError(
            f"--latent_channels {settings.latent_channels}: the autoencoder of {settings.start} has {there}; "
            "widen it first with `artlab pretrain autoencoder` and the same --start and --latent_channels."
        )
    shutil.copytree(settings.start / "vae", place.root / "vae")


def _denoiser(settings: Pretrain, place: _Place) -> Path:
    _take_over_autoencoder(settings, place)
    initial = load_part(UNet2DConditionModel, settings.start / "unet").float().state_dict() if settings.start else None
    denoiser.train(
        _cache(settings, place),
        place.root / "denoiser",
        steps=settings.denoiser_steps,
        half_steps=settings.half_steps,
        batch_size=settings.batch_size,
        learning_rate=settings.learning_rate,
        seed=settings.seed,
        report=autoencoder.log_to(place.root / "denoiser.jsonl"),
        initial=initial,
    )
    return place.root / "denoiser"


def _cache(settings: Pretrain, place: _Place) -> denoiser.Cache:
    model = AutoencoderDC.from_pretrained(place.root / "vae").float().eval()
    return cache.build(place.drawn, place.art, model, place.root / "cache", real_share=settings.real_share)


def _upscaler(settings: Pretrain, place: _Place) -> Path:
    model = AutoencoderDC.from_pretrained(place.root / "vae").float().eval()
    pairs = upscaler.prepare(settings.large_art, model, place.root / "large", drawn=settings.large_drawn, seed=settings.seed)
    network = upscaler.train(
        pairs,
        place.root / "upscaler",
        steps=settings.upscaler_steps,
        features=_features,
        seed=settings.seed,
        report=autoencoder.log_to(place.root / "upscaler.jsonl"),
    )
    upscaler.save(network, place.root / "upscaler.safetensors")
    ours, bicubic = upscaler.psnr(network, pairs)
    files.write_json(place.root / "upscaler.json", {"psnr_held_out": ours, "psnr_bicubic": bicubic})
    return place.root / "upscaler.safetensors"


def _figures(settings: Pretrain, place: _Place) -> Path:
    base = load_base(str(place.root / "mini"))
    assert isinstance(base, LatentBase)
    judge = recogniser.train(
        place.drawn,
        place.root / "recogniser",
        steps=settings.recogniser_steps,
        report=autoencoder.log_to(place.root / "recogniser.jsonl"),
    )
    files.write_json(place.root / "figures.json", figures.figures(base, judge, place.drawn, next(iter(place.art), None)))
    return place.root / "figures.json"


def _export(settings: Pretrain, place: _Place) -> Path:
    newest = checkpoints.latest(place.root / "denoiser")
    if newest is None:
        raise PretrainError(f"{place.root} holds no trained denoiser yet; run `artlab pretrain denoiser` first.")
    weights, loss = denoiser.better(bookmarks.read(newest), _cache(settings, place))
    unet = denoiser.build(weights["conv_in.weight"].shape[1])
    unet.load_state_dict(weights)
    facts = {
        "denoiser_steps": checkpoints.step_of(newest),
        "held_out_loss": round(loss, 4),
        "batch_size": settings.batch_size,
        "drawn": len(place.drawn.rows),
        "real": sum(len(source.rows) for source in place.art),
        "autoencoder": files.read_json(figures) if (figures := place.root / "vae" / "figures.json").exists() else "taken over",
    }
    enlarger = file if (file := place.root / "upscaler.safetensors").exists() else None
    return export.export(AutoencoderDC.from_pretrained(place.root / "vae"), unet, place.root / "mini", facts, enlarger)


def _features(pixels: torch.Tensor) -> list[torch.Tensor]:
    """EfficientNet's first taps in float32: its depthwise convolutions lose too much in bfloat16."""
    with torch.autocast("cpu", enabled=False):
        return metrics.taps(pixels.float(), 3)


@torch.inference_mode()
def _some_latents(model: AutoencoderDC, sources: Sequence[data.Source]) -> torch.Tensor:
    made = []
    for source in sources:
        indices = source.indices(held_out=False)
        chosen = np.sort(np.random.default_rng(0).choice(indices, size=min(512, len(indices)), replace=False))
        made += [
            model.encode(autoencoder.to_tensor(source.pictures[chosen[at : at + 32]])).latent for at in range(0, len(chosen), 32)
        ]
    return torch.cat(made).clone()
