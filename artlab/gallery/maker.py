"""The part of a worker that makes pictures: a base loaded once, its adapters loaded once and switched, prompts encoded once.

On a CPU every picture goes through the network on one thread, alone or in a batch of as many as its recipe says (`together`), filled
up where there are fewer: kernels round differently for other batch sizes and thread counts (measured: pictures of a batch of four differ
from single ones in their last bits, but not with their neighbours or their place in it), and a gallery promises the same bytes whatever
the order and the machine. A GPU, where a batch pays, takes it whole; there bytes hold for equal batches only.
"""

import gc
import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from peft.tuners.lora import LoraLayer
from PIL import Image

from artlab import images, provenance, recipe
from artlab.bases import Base, Condition, choose_device, load_base, lora
from artlab.gallery import carried
from artlab.gallery.items import Item, ItemError
from artlab.generate import out_of_memory

MOST_ADAPTERS = 16
STATES = 4096
OnStep = Callable[[int], None]
PRECISIONS = {"float32": "fp32", "bfloat16": "bf16", "float16": "fp16"}


class Maker:
    """Makes pictures on one device, one batch (a group of `items.batches`) after the other.

    `adapters` are the adapter files that the plan uses with each base: the first `MOST_ADAPTERS` of them are loaded together.
    """

    def __init__(self, device: str, adapters: Mapping[str, Sequence[str]]) -> None:
        self.device, self.adapters = device, adapters
        self.base: Base | None = None
        self.attached: list[str] = []
        self.condition: Callable[[str], Condition] = lambda text: {}

    def make(self, batch: Sequence[Item], on_step: OnStep = lambda index: None) -> Iterator[tuple[Item, bytes]]:
        """The pictures of one group as PNG files, in order, as they are ready. Raises ItemError when not one fits into memory."""
        if carried.is_carried(batch[0].recipe):
            yield from ((item, self._carried(item, on_step)) for item in batch)
            return
        base = self._ready(batch[0])
        fixed = batch[0].together if base.device.type == "cpu" else 0
        at, size = 0, fixed or len(batch)
        while at < len(batch):
            part = batch[at : at + size]
            made = self._sampled(base, [*part, *[part[-1]] * (fixed - len(part))], on_step)[: len(part)]
            if not made:
                if len(part) == 1 or fixed:
                    shown = f"{part[0].recipe.width}x{part[0].recipe.height}"
                    many = "one picture" if size == 1 else f"a batch of {size} pictures"
                    way = "make it smaller" if size == 1 else "make them smaller, or leave out “together”"
                    raise ItemError(f"{many} of {shown} fills the memory of {base.device}; {way}")
                size = len(part) // 2
                continue
            for item, image in zip(part, made, strict=True):
                yield item, png(image, item, base.device.type)
            at += len(part)

    def _carried(self, item: Item, on_step: OnStep) -> bytes:
        """A picture that is carried over into a style; such pictures are made one by one."""
        if item.base:
            self.base, self.attached = None, []  # two bases may not fit into memory
            gc.collect()
        precision = PRECISIONS[str(item.recipe.extra["precision"])]
        given: dict[str, Any] = {"base": item.base, "device": self.device, "precision": precision, "on_step": on_step}
        return png(carried.paint(item.recipe, item.picture, item.sources, **given), item, choose_device(self.device).type)

    def _ready(self, item: Item) -> Base:
        """The item's base with its adapters switched on; loaded only when it is another one than before."""
        precision = PRECISIONS[str(item.recipe.extra["precision"])]
        if self.base is None or self.base.name != item.base:
            self.base = None
            self.attached = []
            gc.collect()  # the old one goes first: two may not fit into memory
            self.base = base = load_base(item.base, device=self.device, precision=precision)
            self.condition = lru_cache(maxsize=STATES)(lambda text: base.condition([text]))
        if self.base.fingerprint != item.recipe.base.fingerprint:
            raise ItemError(f"the base “{item.base}” is not the one that the plan was settled with; start again")
        self._switch(self.base, dict(item.weights))
        return self.base

    def _switch(self, base: Base, wanted: dict[str, float]) -> None:
        if not set(wanted) <= set(self.attached):
            others = [path for path in self.adapters.get(base.name, ()) if path not in wanted]
            self.attached = [*wanted, *others][: max(MOST_ADAPTERS, len(wanted))]
            lora.load_styles(base, [(Path(path), 1.0) for path in self.attached])
        names = {f"style{self.attached.index(path)}": weight for path, weight in wanted.items()}
        for layer in base.denoiser.modules():
            if isinstance(layer, LoraLayer):
                layer.set_adapter([name for name in names if name in layer.lora_A])
                for name, weight in names.items():
                    if name in layer.lora_A:
                        layer.set_scale(name, weight)
        base.denoiser.requires_grad_(False)

    def _sampled(self, base: Base, part: Sequence[Item], on_step: OnStep) -> list[Image.Image]:
        """The pictures of what goes through the network together; none when memory ran out."""
        first, rows = part[0].recipe, [self.condition(item.recipe.prompt) for item in part]
        away = self.condition(first.negative_prompt)
        try:
            made = base.sample(
                {key: torch.cat([row[key] for row in rows]) for key in rows[0]},
                [item.recipe.seed for item in part],
                steps=first.steps,
                guidance=first.guidance,
                negative={key: torch.cat([value] * len(part)) for key, value in away.items()},
                size=(first.width, first.height),
                sampler=first.sampler,
                start=self._start(base, part) if first.method == "transfer" else None,
                on_step=lambda index, _: on_step(index),
            )
            return [enlarged for one in made for enlarged in base.upscale([one])] if "upscale" in first.extra else made
        except RuntimeError as error:
            if not out_of_memory(error):
                raise
        gc.collect()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        return []

    def _start(self, base: Base, part: Sequence[Item]) -> tuple[torch.Tensor, float]:
        """Latents of the pictures that a transfer begins from, cut to size, and how much of them is noised."""
        first = part[0].recipe
        pixels = [_pixels(item.picture, (first.width, first.height)) for item in part]
        return torch.cat([base.encode(one) for one in pixels]), float(str(first.extra["strength"]))


def _pixels(path: str, size: tuple[int, int]) -> torch.Tensor:
    """A picture (1, 3, h, w) in [-1, 1]; a stranger's file goes through the safe decoder."""
    import tempfile  # noqa: PLC0415 - for a transfer only

    import numpy as np  # noqa: PLC0415

    with tempfile.TemporaryDirectory() as folder:
        whole = images.open_image(images.decode(Path(path), Path(folder) / "decoded.png").path)
    array = np.asarray(images.crop(whole, size), dtype=np.float32)
    return torch.from_numpy(array / 127.5 - 1).permute(2, 0, 1)[None]


def png(image: Image.Image, item: Item, device: str) -> bytes:
    """The picture as a PNG with its recipe; watermarked if the item says so."""
    if item.watermark:
        image = provenance.watermark(image)
    made = item.recipe.model_copy(update={"extra": item.recipe.extra | {"device": device}})
    stream = io.BytesIO()
    recipe.save(image, made, stream)
    return stream.getvalue()
