"""The finished base as a folder in diffusers' layout: half-precision safetensors, configs, and a card."""

import shutil
from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderDC, UNet2DConditionModel

from artlab import files
from artlab.pretrain.denoiser import SCHEDULER

INDEX: dict[str, Any] = {
    "_class_name": "StableDiffusionPipeline",
    "scheduler": ["diffusers", "DDIMScheduler"],
    "unet": ["diffusers", "UNet2DConditionModel"],
    "vae": ["diffusers", "AutoencoderDC"],
}


def export(
    autoencoder: AutoencoderDC, denoiser: UNet2DConditionModel, folder: Path, facts: dict[str, Any], upscaler: Path | None = None
) -> Path:
    """Write the base; `artlab.json`, which makes it one, comes last. An older base in the folder is replaced as a whole."""
    fresh = folder.with_name(f".{folder.name}.new")
    shutil.rmtree(fresh, ignore_errors=True)
    for name, model in (("vae", autoencoder), ("unet", denoiser)):
        state = {key: value.half() for key, value in model.state_dict().items()}
        if not all(torch.isfinite(value).all() for value in state.values()):
            raise FloatingPointError(f"The {name} does not fit into half precision: it holds NaN or infinity.")
        model.half().save_pretrained(fresh / name, safe_serialization=True)
        model.float()
        config = files.read_json(fresh / name / "config.json")
        config.pop("_name_or_path", None)  # where it lay on the machine that taught it
        files.write_json(fresh / name / "config.json", config)
    if upscaler is not None:
        files.write(fresh / "upscaler" / "upscaler.safetensors", upscaler.read_bytes())
    files.write_json(fresh / "scheduler" / "scheduler_config.json", SCHEDULER)
    files.write_json(fresh / "model_index.json", INDEX)
    files.write_json(fresh / "artlab.json", {"family": "mini", **facts})
    if folder.exists():
        shutil.rmtree(folder)
    fresh.rename(folder)
    return folder
