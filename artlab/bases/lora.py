"""LoRA adapters (Hu et al. 2021, arXiv 2106.09685) on a base's denoiser: attach, read out, save, load with weights.

Files are kohya's: `lora_unet_<path with underscores>.lora_down.weight`, `.lora_up.weight` and the true `.alpha`, which every tool of the
field reads; those of transformers are peft's (`spelled`). A file is checked before a single value is used: format, header, shapes, rank, finite numbers.
"""

import json
import math
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from peft import LoraConfig, inject_adapter_in_model
from peft.tuners.lora import LoraLayer
from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors
from torch import Tensor, nn

from artlab import files
from artlab.bases.base import Base

PREFIX = "lora_unet_"
DOTTED = ("sd3", "flux")  # families whose tools read peft's spelling
HEADER_LIMIT = 1_000_000
ATTENTION = ("to_q", "to_k", "to_v", "to_out.0", "add_q_proj", "add_k_proj", "add_v_proj", "to_add_out")  # add: the text's side
FEED_FORWARD = ("ff.net.0.proj", "ff.net.2", "ff_context.net.0.proj", "ff_context.net.2", "proj_mlp")
TARGETS = {"attention": ATTENTION, "attention+ff": ATTENTION + FEED_FORWARD}


class LoraError(ValueError):
    """An adapter file that cannot be used: which one, what is wrong, and the way out."""


def attach(base: Base, rank: int, alpha: float, targets: str, dropout: float = 0.0, seed: int = 0) -> list[nn.Parameter]:
    """Put a fresh trainable adapter on the denoiser, in float32, and return its parameters, A before B in module order.

    The base's own parameters stay frozen. B starts at zero, so that the first output is the base's own.
    """
    detach(base)
    config = LoraConfig(
        r=rank,
        lora_alpha=alpha,
        lora_dropout=dropout,
        target_modules=target_modules(base.denoiser, targets),
        init_lora_weights="gaussian",
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        inject_adapter_in_model(config, base.denoiser, "default")
    for layer in _layers(base.denoiser).values():
        for part in (layer.lora_A["default"], layer.lora_B["default"]):
            part.float()
    return [p for p in base.denoiser.parameters() if p.requires_grad]


def target_modules(denoiser: nn.Module, targets: str) -> list[str]:
    """Names of the layers that a target set means in this denoiser."""
    linear = [name for name, module in denoiser.named_modules() if isinstance(module, nn.Linear)]
    chosen = linear if targets == "all-linear" else [name for name in linear if name.endswith(TARGETS[targets])]
    if not chosen:
        raise LoraError(f"The denoiser {type(denoiser).__name__} has no layers for the target set “{targets}”.")
    return chosen


def state(base: Base, adapter: str = "default") -> dict[str, Tensor]:
    """The adapter as kohya's tensors, in float32 on the CPU: `lora_down` (r, in), `lora_up` (out, r) and `alpha` per module."""
    tensors: dict[str, Tensor] = {}
    for name, layer in _layers(base.denoiser).items():
        key = PREFIX + name.replace(".", "_")
        tensors[f"{key}.lora_down.weight"] = layer.lora_A[adapter].weight.detach().float().cpu().contiguous().clone()
        tensors[f"{key}.lora_up.weight"] = layer.lora_B[adapter].weight.detach().float().cpu().contiguous().clone()
        tensors[f"{key}.alpha"] = torch.tensor(float(layer.lora_alpha[adapter]))
    return tensors


def spelled(base: Base, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors of `state` as the tools of the base's family read them: kohya's for UNets, peft's for transformers.

    peft's have the dotted names and no alpha, so that the scale goes into B: `transformer.<path>.lora_A.weight`, `.lora_B.weight`.
    """
    if base.facts.family not in DOTTED:
        return dict(tensors)
    made: dict[str, Tensor] = {}
    for name in _linear(base.denoiser):
        key = PREFIX + name.replace(".", "_")
        if f"{key}.lora_down.weight" in tensors:
            down = tensors[f"{key}.lora_down.weight"]
            made[f"transformer.{name}.lora_A.weight"] = down
            made[f"transformer.{name}.lora_B.weight"] = tensors[f"{key}.lora_up.weight"] * (tensors[f"{key}.alpha"] / len(down))
    return made


def _underscored(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """peft's spelling (`unet.` or `transformer.` and dots) as kohya's; other keys as they are."""
    made = {}
    for key, value in tensors.items():
        prefix, _, rest = key.partition(".")
        for theirs, ours in (
            (".lora_A.weight", ".lora_down.weight"),
            (".lora_B.weight", ".lora_up.weight"),
            (".alpha", ".alpha"),
        ):
            if prefix in ("unet", "transformer") and rest.endswith(theirs):
                key = PREFIX + rest.removesuffix(theirs).replace(".", "_") + ours
        made[key] = value
    return made


def save(path: Path, tensors: dict[str, Tensor], metadata: dict[str, str], dtype: torch.dtype = torch.float16) -> None:
    """Write an adapter, whole or absent, in float16 unless told otherwise (alpha stays exact). Refuses to write NaN."""
    for key, value in tensors.items():
        if not torch.isfinite(value).all():
            raise LoraError(
                f"The adapter was not saved: {key} holds NaN or infinity. Go back to an earlier checkpoint or lower the learning rate."
            )
    written = {key: value if value.dim() == 0 else value.to(dtype).contiguous() for key, value in tensors.items()}
    files.write(path, _sorted_header(save_tensors(written, metadata={"format": "pt", **metadata})))


def _sorted_header(data: bytes) -> bytes:
    """The same file with its header's keys in order: safetensors writes metadata in the order of a hash map, anew each time."""
    length = int.from_bytes(data[:8], "little")
    header = json.dumps(json.loads(data[8 : 8 + length]), sort_keys=True, separators=(",", ":")).encode()
    header += b" " * (-len(header) % 8)
    return len(header).to_bytes(8, "little") + header + data[8 + length :]


def load_styles(base: Base, styles: Sequence[tuple[Path, float]]) -> None:
    """Attach finished adapters with weights, in place of whatever was attached: the update is the exact sum of weight x scale x B A."""
    detach(base)
    for index, (path, weight) in enumerate(styles):
        if weight != 0:
            _attach_file(base, path, weight, f"style{index}")
    names = [f"style{index}" for index, (_, weight) in enumerate(styles) if weight != 0]
    for layer in _layers(base.denoiser).values():
        layer.set_adapter([name for name in names if name in layer.lora_A])
    base.denoiser.requires_grad_(False)


def weigh(base: Base, weights: Sequence[float] | Mapping[str, Sequence[float]]) -> None:
    """Change the weights of the adapters that `load_styles` attached, in its order: the same ones everywhere, or by layer.

    A layer goes by its name with underscores, as in an adapter's file. A layer that is not named keeps its weights.
    An adapter that was attached with weight 0 is not there and stays out. Takes microseconds: for a weight per step or per layer.
    """
    for name, layer in _layers(base.denoiser).items():
        here = weights.get(name.replace(".", "_"), ()) if isinstance(weights, Mapping) else weights
        for index, weight in enumerate(here):
            if f"style{index}" in layer.lora_A:
                layer.set_scale(f"style{index}", weight)


def detach(base: Base) -> None:
    """Take every adapter off; the denoiser's own layers come back untouched."""
    for name, layer in _layers(base.denoiser).items():
        parent, _, child = name.rpartition(".")
        setattr(base.denoiser.get_submodule(parent), child, layer.get_base_layer())
    if hasattr(base.denoiser, "peft_config"):
        del base.denoiser.peft_config


def check_file(path: Path) -> dict[str, Tensor]:
    """The tensors of an adapter file, or a LoraError that says what is wrong with it. Nothing in it is ever run."""
    if not path.is_file():
        raise LoraError(f"There is no adapter file {path}.")
    with open(path, "rb") as file:
        start = file.read(8)
        length = int.from_bytes(start, "little")
        if len(start) < 8 or length > HEADER_LIMIT or file.read(1) != b"{":
            raise LoraError(
                f"{path} is no safetensors file (a pickle renamed, or damaged). Ask for the .safetensors file of the adapter."
            )
    try:
        tensors = load_tensors(path.read_bytes())
    except (SafetensorError, ValueError) as error:
        raise LoraError(f"{path} is damaged ({error}). Copy it again from where it came.") from error
    for key, value in tensors.items():
        if not torch.isfinite(value.float()).all():
            raise LoraError(f"{path} holds NaN or infinity in {key}: its training failed. Use an earlier checkpoint of it.")
    return _underscored(tensors)


def metadata(path: Path) -> dict[str, str]:
    """The metadata of a safetensors file, without reading its tensors."""
    with open(path, "rb") as file:
        length = int.from_bytes(file.read(8), "little")
        header = json.loads(file.read(min(length, HEADER_LIMIT)))
    return dict(header.get("__metadata__", {}))


def _attach_file(base: Base, path: Path, weight: float, adapter: str) -> None:
    tensors = check_file(path)
    modules = {PREFIX + name.replace(".", "_"): (name, module) for name, module in _linear(base.denoiser).items()}
    keys = {key.split(".", 1)[0] for key in tensors}
    strangers = sorted(keys - set(modules))
    if strangers or not keys:
        what = f"it adapts {strangers[0]}, which this base does not have" if strangers else "it holds no adapter"
        raise LoraError(f"{path} does not fit the base “{base.name}”: {what}. Use it with the base that it was trained on.")
    ranks, alphas = {}, {}
    for key in keys:
        name, module = modules[key]
        down, up = tensors.get(f"{key}.lora_down.weight"), tensors.get(f"{key}.lora_up.weight")
        if down is None or up is None:
            raise LoraError(f"{path} is incomplete: {key} has no lora_down or no lora_up.")
        if down.shape != (up.shape[1], module.in_features) or up.shape[0] != module.out_features:
            raise LoraError(
                f"{path} does not fit the base “{base.name}”: {name} takes {module.in_features} -> {module.out_features}, the file has "
                f"{tuple(down.shape)} and {tuple(up.shape)}. Use it with the base that it was trained on."
            )
        ranks[name] = down.shape[0]
        alpha = float(tensors.get(f"{key}.alpha", torch.tensor(float(down.shape[0]))))
        if not math.isfinite(alpha) or alpha <= 0:
            raise LoraError(f"{path} gives {key} the alpha {alpha:g}; an adapter needs a positive one.")
        alphas[name] = alpha
    config = LoraConfig(r=1, lora_alpha=1, target_modules=list(ranks), rank_pattern=_exact(ranks), alpha_pattern=_exact(alphas))
    with warnings.catch_warnings():  # a second adapter is meant
        warnings.filterwarnings("ignore", message="Already found a `peft_config`")
        inject_adapter_in_model(config, base.denoiser, adapter)
    with torch.no_grad():
        for name, layer in _layers(base.denoiser).items():
            if adapter in layer.lora_A:
                key = PREFIX + name.replace(".", "_")
                layer.lora_A[adapter].float().weight.copy_(tensors[f"{key}.lora_down.weight"])
                layer.lora_B[adapter].float().weight.copy_(tensors[f"{key}.lora_up.weight"])
                layer.set_scale(adapter, weight)


def _exact(values: Mapping[str, float]) -> dict[str, float]:
    """peft reads the keys as patterns that match a name's end: anchor them, so that `1.to_q` does not answer for `11.to_q`."""
    return {"^" + name.replace(".", r"\.") + "$": value for name, value in values.items()}


def _layers(denoiser: nn.Module) -> dict[str, LoraLayer]:
    return {name: module for name, module in denoiser.named_modules() if isinstance(module, LoraLayer)}


def _linear(denoiser: nn.Module) -> dict[str, nn.Linear]:
    plain = {}
    for name, module in denoiser.named_modules():
        if isinstance(module, LoraLayer):
            plain[name] = module.get_base_layer()
        elif isinstance(module, nn.Linear) and ".base_layer" not in name and ".lora_" not in name:
            plain[name] = module
    return plain
