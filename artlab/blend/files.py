"""Several styles into one: read exactly, mixed exactly, written as a style of its own that names its parents."""

import json
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from artlab.bases import lora
from artlab.blend import deltas
from artlab.blend.deltas import Adapter, BlendError, Delta, Kept, Weights
from artlab.settings import Blend
from artlab.style import Style

PARTS = ("lora_down.weight", "lora_up.weight", "alpha")


@dataclass(frozen=True)
class Mixed:
    """A mixed adapter and what there is to say about it."""

    adapter: dict[str, Delta]
    kept: Kept | None
    cosine: float | None

    @property
    def rank(self) -> int:
        """The largest rank of a layer."""
        return max(delta.rank for delta in self.adapter.values())

    def sentence(self) -> str:
        """The retained energy and the angle in words."""
        said = f"Rank {self.rank}."
        if self.kept is not None:
            said += f" Retained energy {self.kept.energy:.2%}; least in {self.kept.layer or 'no layer'}: {self.kept.least:.2%}."
        if self.cosine is not None:
            said += f" The first two styles have a cosine of {self.cosine:.3f}."
        return said


def read(path: Path) -> dict[str, Delta]:
    """The updates in an adapter file, scale included. Raises BlendError for what is no plain sum of B A: rslora, bias, DoRA, LoHa, LoKr."""
    tensors = lora.check_file(path)
    _plain(path, list(tensors))
    found = {}
    for key in sorted({key.split(".", 1)[0] for key in tensors}):
        down, up = tensors.get(f"{key}.lora_down.weight"), tensors.get(f"{key}.lora_up.weight")
        if down is None or up is None:
            raise BlendError(f"{path} is incomplete: {key} has no lora_down or no lora_up. Copy it again from where it came.")
        if down.dim() != 2 or up.dim() != 2 or up.shape[1] != down.shape[0]:
            raise BlendError(
                f"{path} adapts {key} with {tuple(down.shape)} and {tuple(up.shape)}; artlab mixes linear layers only."
            )
        scale = float(tensors.get(f"{key}.alpha", torch.tensor(float(down.shape[0])))) / down.shape[0]
        found[key.removeprefix(lora.PREFIX)] = Delta(up.double() * scale, down.double())
    if not found:
        raise BlendError(f"{path} holds no adapter.")
    return found


def _plain(path: Path, keys: Sequence[str]) -> None:
    """peft merges rank-stabilised scales and biases wrongly without a word (huggingface/peft#3761): here they are refused."""
    for key in keys:
        if key.split(".", 1)[-1] not in PARTS:
            raise BlendError(
                f"{path} holds {key}: it is not plain LoRA (but DoRA, LoHa, LoKr, or one with biases), and a sum of such files would "
                "not be the sum of what they do. Use it by itself, or teach the style anew as plain LoRA."
            )
    try:
        said = json.loads(lora.metadata(path).get("lora_adapter_metadata", "{}"))
    except ValueError:
        said = {}
    for setting in ("use_rslora", "lora_bias", "use_dora"):
        if isinstance(said, dict) and any(key.rsplit(".", 1)[-1] == setting and value is True for key, value in said.items()):
            raise BlendError(
                f"{path} was made with {setting}, so its true scale is not alpha / rank; convert it to plain LoRA before mixing it."
            )


def mix(adapters: Sequence[Adapter], weights: Sequence[float], blocks: Weights, settings: Blend) -> Mixed:
    """Mix by the method of the settings; `blocks` are further weights by layer."""

    def whole(index: int, layer: str) -> float:
        return weights[index] * blocks(index, layer)

    angle = deltas.cosine(adapters[0], adapters[1]) if len(adapters) > 1 else None
    most = settings.rank or sum(max(delta.rank for delta in adapter.values()) for adapter in adapters)
    kept: Kept | None = None
    if settings.method == "slerp":
        if len(adapters) != 2 or min(weights) < 0 or sum(weights) <= 0:
            raise BlendError(
                "slerp turns from one style to a second one: give two, with weights from 0 up, of which one at least is not 0; "
                "for others take --method cat."
            )
        first, second = (_alone(one, at, blocks) for at, one in enumerate(adapters))
        adapter = deltas.slerp(first, second, weights[1] / sum(weights))
    elif settings.method == "ties":
        adapter, kept = deltas.ties(adapters, whole, settings.density, most)
    elif settings.method == "dare":
        adapter, kept = deltas.dare(adapters, whole, settings.density, most, settings.seed[0])
    else:
        adapter = deltas.cat(adapters, whole)
    if settings.method == "svd" and settings.rank is None:
        raise BlendError("svd needs the rank of the new style: --rank 16, for example. Without a loss, take --method cat.")
    if settings.rank and kept is None:
        adapter, kept = deltas.truncate(adapter, settings.rank)
    return Mixed(adapter, kept, angle)


def _alone(adapter: Adapter, index: int, blocks: Weights) -> dict[str, Delta]:
    """One adapter with the weights of its blocks."""
    return deltas.cat([adapter], lambda _, layer: blocks(index, layer))


def to_bytes(adapter: Adapter, metadata: dict[str, str], *, half: bool) -> bytes:
    """kohya's file: the scale is in the factors, so alpha is the rank of each layer, and readers without alpha are right as well."""
    tensors = {}
    for layer, delta in adapter.items():
        key = lora.PREFIX + layer
        tensors[f"{key}.lora_down.weight"] = delta.down.float().contiguous()
        tensors[f"{key}.lora_up.weight"] = delta.up.float().contiguous()
        tensors[f"{key}.alpha"] = torch.tensor(float(delta.rank))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "lora.safetensors"
        lora.save(path, tensors, metadata, torch.float16 if half else torch.float32)
        return path.read_bytes()


def metadata(settings: Blend, name: str, trigger: str, parents: Sequence[tuple[Style, float]], mixed: Mixed) -> dict[str, str]:
    """What kohya's readers and ModelSpec's look for, `modelspec.merged_from` among it."""
    first = lora.metadata(parents[0][0].weights)
    inherited = [
        *("ss_base_model_version", "ss_v2", "ss_sd_model_name", "ss_resolution"),
        *("modelspec.architecture", "modelspec.implementation", "modelspec.resolution"),
    ]
    said = {key: first[key] for key in inherited if key in first}
    return said | {
        "ss_output_name": name,
        "ss_network_module": "networks.lora",
        "ss_network_dim": str(mixed.rank),
        "ss_network_alpha": str(float(mixed.rank)),
        "ss_network_args": "{}",
        "ss_training_comment": f"mixed by artlab: {settings.method} of " + ", ".join(f"{s.name}:{w:g}" for s, w in parents),
        "modelspec.sai_model_spec": "1.0.1",
        "modelspec.title": name,
        "modelspec.trigger_phrase": trigger,
        "modelspec.merged_from": ", ".join(one.name for one, _ in parents),
        "artlab.base_fingerprint": str(parents[0][0].base["fingerprint"]),
    }


def card(settings: Blend, name: str, trigger: str, parents: Sequence[tuple[Style, float]], mixed: Mixed) -> dict[str, Any]:
    """The card of the new style: like that of a taught one, with its parents and their weights."""
    data = [one.card["data"] for one, _ in parents if isinstance(one.card.get("data"), dict)]
    captions = [text for each in zip(*(row.get("captions", []) for row in data), strict=False) for text in each]
    notes = dict.fromkeys(str(one.card["licence_note"]) for one, _ in parents if one.card.get("licence_note"))
    blended: dict[str, Any] = {"method": settings.method, "rank": mixed.rank}
    if mixed.kept is not None:
        blended |= {"retained_energy": mixed.kept.energy, "least_retained": mixed.kept.least, "least_layer": mixed.kept.layer}
    if mixed.cosine is not None:
        blended["cosine"] = mixed.cosine
    return {
        "name": name,
        "trigger": trigger,
        "base": parents[0][0].base,
        "settings": asked(settings),
        "parents": [
            {
                "name": one.name,
                "trigger": one.trigger,
                "weight": weight,
                "sha256": one.sha256,
                "parents": one.card.get("parents", []),
            }
            for one, weight in parents
        ],
        "blend": blended,
        "data": {"works": 0, "kept": 0, "captions": list(dict.fromkeys(captions))[:12]},
        "reason": f"Mixed from {' and '.join(f'{one.name} at {weight:g}' for one, weight in parents)}. {mixed.sentence()}",
        "licence_note": " ".join(notes) or "Mixed by artlab from the adapters that it names as its parents.",
    }


def asked(settings: Blend) -> dict[str, Any]:
    """The settings that make the file what it is, as its card keeps them: no paths, nothing of the pictures."""
    return settings.model_dump(
        mode="json",
        include={"method", "rank", "density", "block_weight", "half"} | ({"seed"} if settings.method == "dare" else set()),
    )


def block_weights(texts: Sequence[str], styles: Sequence[Style], known: Sequence[str]) -> Weights:
    """`up:0.5` or `wren@up_blocks.1:0` as a weight by style and layer; later ones go before earlier ones."""
    rules: list[tuple[str, str, float]] = []
    for text in texts:
        where, _, number = text.rpartition(":")
        name, at, block = where.rpartition("@")
        names = {one.name for one in styles} | {one.folder.name for one in styles}
        if at and name not in names:
            raise BlendError(
                f"The block weight “{text}” names the style “{name}”, which is not among {', '.join(sorted(names))}."
            )
        try:
            weight = float(number)
        except ValueError:
            weight = float("nan")
        if not block or not abs(weight) <= 2:
            raise BlendError(
                f"“{text}” is no block weight; write BLOCK:WEIGHT or STYLE@BLOCK:WEIGHT with -2 to 2, such as up:0.5."
            )
        prefix = block.replace(".", "_")
        if not any(_inside(layer, prefix) for layer in known):
            heads = sorted({"_".join(layer.split("_")[:3]).removesuffix("_attentions") for layer in known})
            raise BlendError(f"None of these styles has a block “{block}”; there is {', '.join(heads)}.")
        rules.append((name, prefix, weight))

    def weight_of(index: int, layer: str) -> float:
        found = 1.0
        for name, prefix, weight in rules:
            if (not name or name in (styles[index].name, styles[index].folder.name)) and _inside(layer, prefix):
                found = weight
        return found

    return weight_of


def _inside(layer: str, prefix: str) -> bool:
    return layer == prefix or layer.startswith(prefix + "_")
