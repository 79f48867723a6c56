"""Base models behind one interface: `load_base("mini")`, a hub id or a local folder. A new family is one file and one card."""

import os
from pathlib import Path
from typing import Any

import diffusers.utils.logging
import torch
import transformers.utils.logging
import yaml

from artlab import files
from artlab.bases import mini
from artlab.bases.base import Base, BaseError, Condition, Facts, OnStep, seed_noise
from artlab.bases.flow import FlowBase
from artlab.bases.flux import FluxBase
from artlab.bases.mini import MiniBase
from artlab.bases.sd3 import SD3Base
from artlab.bases.sdxl import SDXLBase
from artlab.bases.unet import UNetBase

__all__ = ["FAMILIES", "Base", "BaseError", "Condition", "Facts", "OnStep", "card", "load_base", "seed_noise"]

# Their remarks and progress bars speak of their own insides; what matters of them comes back as a BaseError.
diffusers.utils.logging.set_verbosity_error()
diffusers.utils.logging.disable_progress_bar()
transformers.utils.logging.set_verbosity_error()
transformers.utils.logging.disable_progress_bar()

FAMILIES: dict[str, type[UNetBase] | type[FlowBase]] = {
    "mini": MiniBase,
    "unet": UNetBase,
    "sd2": UNetBase,  # its folders in diffusers' layout bring the penultimate OpenCLIP states and the prediction type with them
    "sdxl": SDXLBase,
    "sd3": SD3Base,
    "flux": FluxBase,
}
PIPELINES = {"StableDiffusionXLPipeline": "sdxl", "StableDiffusion3Pipeline": "sd3", "FluxPipeline": "flux"}


def load_base(name: str = "mini", *, device: str = "auto", precision: str = "auto") -> Base:
    """A base by name: `mini`, a local folder in diffusers' layout, or a hub id. Raises BaseError with the way out."""
    where = choose_device(device)
    folder = locate(name)
    family = detect(folder)
    return FAMILIES[family](name, folder, card(family), device=where, dtype=choose_dtype(precision, where))


def card(family: str) -> Facts:
    """The facts about a family."""
    cards: dict[str, dict[str, Any]] = yaml.safe_load((Path(__file__).parent / "cards.yaml").read_text())
    return Facts(family=family, **cards[family])


def locate(name: str) -> Path:
    """The local folder of a base; a hub id is fetched once, then read from the local cache."""
    if name == "mini":
        return mini.folder()
    path = Path(name).expanduser()
    if path.is_dir():
        return path
    if path.exists():
        raise BaseError(
            f"{path} is a file. artlab reads a base from a folder in diffusers' layout; convert a single checkpoint file first."
        )
    if name.count("/") != 1 or name.startswith((".", "/", "~")):
        raise BaseError(f"There is no base “{name}”: it is neither `mini`, nor a folder, nor a hub id like owner/name.")
    return _from_hub(name)


def detect(folder: Path) -> str:
    """Which family a folder belongs to, from its own config files."""
    own = folder / "artlab.json"
    if own.exists():
        return str(files.read_json(own)["family"])
    index = folder / "model_index.json"
    if not index.exists():
        raise BaseError(f"{folder} is no base model: it has no model_index.json. A base is a folder in diffusers' layout.")
    pipeline = str(files.read_json(index).get("_class_name", ""))
    if pipeline in PIPELINES:
        return PIPELINES[pipeline]
    if pipeline.startswith("StableDiffusion") and "XL" not in pipeline and not pipeline.startswith("StableDiffusion3"):
        config = folder / "unet" / "config.json"
        width = files.read_json(config).get("cross_attention_dim") if config.exists() else None
        return "sd2" if width == 1024 else "unet"
    raise BaseError(
        f"{folder} is a {pipeline or 'model of unknown kind'}; artlab drives mini, Stable Diffusion 1.x, 2.x, XL, 3, 3.5 and FLUX.1."
    )


def choose_device(device: str) -> torch.device:
    """`auto` takes a GPU when there is one."""
    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu")
    try:
        chosen = torch.device(device)
        torch.empty(1, device=chosen)
    except (RuntimeError, AssertionError) as error:
        raise BaseError(
            f"The device “{device}” cannot be used here ({str(error).splitlines()[0][:120]}); try --device auto."
        ) from error
    return chosen


def choose_dtype(precision: str, device: torch.device) -> torch.dtype:
    """`auto` is bfloat16 where that is the faster one: on GPUs, and on processors with tiles for it (AMX), else float32.

    A processor may multiply bfloat16 natively (AVX-512) or not at all, and then be two to seventy times slower at it than at float32.
    """
    if precision != "auto":
        return {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}[precision]
    if device.type == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float16
    if device.type == "cpu" and torch.cpu._is_amx_tile_supported():
        return torch.bfloat16
    return torch.float32


def _from_hub(name: str) -> Path:
    from huggingface_hub import snapshot_download  # noqa: PLC0415 - only for hub ids
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError  # noqa: PLC0415

    wanted = ["*.json", "*.txt", "*.model", "*/*.safetensors"]
    try:
        return Path(
            snapshot_download(name, allow_patterns=wanted, local_files_only=bool(os.environ.get("HF_HUB_OFFLINE") == "1"))
        )
    except (LocalEntryNotFoundError, HfHubHTTPError, OSError, ValueError) as error:
        raise BaseError(
            f"The base “{name}” is not on this machine and cannot be fetched ({type(error).__name__}). "
            "Check the name and the network (HF_HUB_OFFLINE=1 forbids it), or give a local folder."
        ) from error
