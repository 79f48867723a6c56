"""What training draws from: views of works with captions and weights, their cached latents, and the order of the batches.

Nothing here keeps state while training runs. The batch of a step and a dropped caption are pure functions of the seed and the
step, so a run that was killed goes on with exactly the pictures it would have seen. Encoders of the base come in as callables.
"""

import contextlib
import errno
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import safetensors.torch
import torch
from PIL import Image
from safetensors import SafetensorError, safe_open
from torch import Tensor

from artlab import files, images
from artlab.portfolio import augment as augmentation
from artlab.portfolio import buckets, captions, split
from artlab.portfolio.augment import STILL, Augment
from artlab.portfolio.work import Artwork, Portfolio, PortfolioError

Tensors = dict[str, Tensor]

CODE = "1"
"""Part of every key in the cache. Raise it when a change here or in `augment` makes other pixels from the same settings."""


@dataclass(frozen=True)
class Item:
    """One view of one work, as training sees it. `bucket` is (width, height), `weight` how often an epoch shows it (mean 1)."""

    work: str
    view: int
    caption: str
    bucket: buckets.Size
    weight: float
    path: Path
    augment: Augment
    seed: int

    @property
    def key(self) -> str:
        """A hash of all that its pixels depend on."""
        width, height = self.bucket
        return files.fingerprint(self.work, self.augment.model_dump_json(), str(self.seed), f"{width}x{height}", CODE)

    def pixels(self) -> Tensor:
        """float32 (3, height, width) in [-1, 1]."""
        return augmentation.view(_opened(self.path), self.bucket, self.augment, self.seed)


def plan(
    portfolio: Portfolio,
    split_side: Sequence[Artwork],
    *,
    resolution: int,
    step: int,
    augment: Augment,
    seed: int,
    views: int,
    bucket_no_upscale: bool = False,
) -> list[Item]:
    """The items of one side of a split: `views` of each work, in the order of the works' ids.

    The first view of a work is the whole of it, the others are augmented; a held-out side is planned with `augment=STILL`,
    which makes one view whatever `views` says. Mirroring is dropped for works with writing (`flip_refusals`). Raises
    PortfolioError for an empty side, ValueError for fewer than one view.
    """
    if views < 1:
        raise ValueError(f"A work needs at least one view; got {views}.")
    allowed = buckets.Buckets(resolution, step, no_upscale=bucket_no_upscale)
    weights = split.weights(split_side)
    refused = flip_refusals(split_side) if augment.horizontal_flip else {}
    items = []
    for work in sorted(split_side, key=lambda work: work.id):
        change = augment.model_copy(update={"horizontal_flip": False}) if work.id in refused else augment
        caption = captions.with_trigger(work.caption, portfolio.trigger)
        bucket = buckets.bucket_of(work.size, allowed)
        for index in range(1 if change.still else views):
            # A still view looks the same under every seed, and so should be found in the cache under every seed.
            still = change.still or index == 0
            item_seed = 0 if still else augmentation.view_seed(seed, work.id, index)
            how = STILL if still else change
            items.append(Item(work.id, index, caption, bucket, weights[work.id], work.path, how, item_seed))
    return items


def flip_refusals(works: Sequence[Artwork]) -> dict[str, str]:
    """The works (by id) that are not mirrored although mirroring is on, and why. Opens every work: about 0.1 s each."""
    reasons = {work.id: augmentation.flip_refusal(work, _opened(work.path)) for work in works}
    return {work_id: reason for work_id, reason in reasons.items() if reason}


# -- the cache --------------------------------------------------------------------------------------------------------------


class LatentCache:
    """Tensors in a folder, found again by a hash of what they were made from; a file each, written whole or not at all.

    A file that is missing, cut short or changed is made anew. `limit` is the size in bytes that the folder is kept to. Any
    number of processes may share the folder: at worst two make the same file.
    """

    def __init__(self, folder: Path, limit: int = 8 << 30) -> None:
        self.folder = folder
        self.limit = limit

    def get_or_make(self, keys: Sequence[str], make: Callable[[list[int]], Sequence[Tensors]], batch: int = 8) -> list[Tensors]:
        """The tensors of each key, on the CPU. `make` gets at most `batch` positions in `keys` and returns their tensors.

        Equal keys are made once. Raises ValueError when something made is not finite, so that it can never be found again.
        """
        found = {key: self._read(key) for key in dict.fromkeys(keys)}
        missing = [keys.index(key) for key, tensors in found.items() if tensors is None]
        for at in range(0, len(missing), batch):
            positions = missing[at : at + batch]
            for position, made in zip(positions, make(positions), strict=True):
                found[keys[position]] = self._write(keys[position], made)
        if missing:
            self.tidy()
        return [whole for key in keys if (whole := found[key]) is not None]

    def tidy(self) -> int:
        """Delete the files unused for longest until the folder is within its limit; the number deleted."""
        entries = []
        for path in self.folder.glob("*/*.safetensors"):
            with contextlib.suppress(FileNotFoundError):  # another process tidies too
                entries.append((path.stat().st_mtime, path.stat().st_size, path))
        excess, deleted = sum(size for _, size, _ in entries) - self.limit, 0
        for _, size, path in sorted(entries):
            if excess <= 0:
                break
            path.unlink(missing_ok=True)
            excess, deleted = excess - size, deleted + 1
        return deleted

    def path(self, key: str) -> Path:
        """The file of a key."""
        return self.folder / key[:2] / f"{key}.safetensors"

    def _read(self, key: str) -> Tensors | None:
        path = self.path(key)
        try:
            with safe_open(path, "pt") as file:
                tensors = {name: file.get_tensor(name).clone() for name in file.keys()}  # noqa: SIM118 - no mapping
                whole = (file.metadata() or {}).get("content") == _content(tensors)
            os.utime(path)  # used now: `tidy` goes by this
        except (OSError, SafetensorError):
            return None
        return tensors if whole else None

    def _write(self, key: str, tensors: Tensors) -> Tensors:
        kept = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in tensors.items()}
        for name, tensor in kept.items():
            if tensor.is_floating_point() and not tensor.isfinite().all():
                raise ValueError(
                    f"The base made NaN or infinity of a work or caption ({name or 'latents'}); "
                    "its encoder may need more precision than fp16 (set mixed_precision to fp32 or bf16)."
                )
        try:
            files.write(self.path(key), safetensors.torch.save(kept, {"content": _content(kept)}))
        except OSError as error:  # on a full disk the work goes on without a cache
            if error.errno not in (errno.ENOSPC, errno.EDQUOT):
                raise
        return kept


def latents(
    items: Sequence[Item], encode: Callable[[Tensor], Tensor], *, cache: LatentCache, base: str, batch: int = 8
) -> list[Tensor]:
    """The latents of each item, on the CPU, from the cache or from `encode` (float32 (n, 3, height, width) -> (n, ...)).

    `base` is the fingerprint of the base and of the precision that it encodes in.
    """
    made: dict[int, Tensor] = {}
    for bucket in dict.fromkeys(item.bucket for item in items):
        inside = [index for index, item in enumerate(items) if item.bucket == bucket]

        def make(positions: list[int], inside: list[int] = inside) -> list[Tensors]:
            encoded = encode(torch.stack([items[inside[position]].pixels() for position in positions]))
            return [{"latents": row} for row in encoded]

        keys = [files.fingerprint("latents", items[index].key, base) for index in inside]
        made |= zip(inside, (row["latents"] for row in cache.get_or_make(keys, make, batch)), strict=True)
    return [made[index] for index in range(len(items))]


def text_states(
    texts: Sequence[str],
    condition: Callable[[Sequence[str]], Mapping[str, Tensor]],
    *,
    cache: LatentCache,
    base: str,
    batch: int = 16,
) -> dict[str, Tensors]:
    """What the base makes of each distinct caption (caption -> tensors without the batch dimension), on the CPU.

    `condition` must pad every caption to one length, whatever else is in the batch. Ask for "" too if captions are dropped.
    """
    distinct = list(dict.fromkeys(texts))

    def make(positions: list[int]) -> list[Tensors]:
        states = condition([distinct[position] for position in positions])
        return [{name: tensor[row] for name, tensor in states.items()} for row in range(len(positions))]

    keys = [files.fingerprint("text", text, base, CODE) for text in distinct]
    return dict(zip(distinct, cache.get_or_make(keys, make, batch), strict=True))


# -- the order --------------------------------------------------------------------------------------------------------------


class Order:
    """Which items each step draws: a pure function of the seed and the step, so there is no state to save.

    All items of a batch share a bucket. Each bucket is an endless deck: passes over its items, each pass shuffled and holding an
    item about `weight` times (rounded up or down at random, so that it is right on average). An epoch deals a fixed number of
    batches, from each deck as many as its weight is due; a rare bucket may sit an epoch out. Of W processes with batches of b,
    rank r gets its slice of the batches of W x b that one process would draw. Raises PortfolioError if there is nothing to draw.
    """

    def __init__(self, items: Sequence[Item], batch_size: int, seed: int, *, rank: int = 0, world_size: int = 1) -> None:
        if batch_size < 1 or not 0 <= rank < world_size:
            raise ValueError(f"batch_size {batch_size}, rank {rank} and world_size {world_size} do not go together.")
        if not any(item.weight > 0 for item in items):
            raise PortfolioError("There is nothing to train on: no work is kept, or all weights are zero.")
        self.batch_size, self.seed, self.rank, self.world_size = batch_size, seed, rank, world_size
        self._decks = [_Deck(items, bucket, seed) for bucket in sorted({item.bucket for item in items if item.weight > 0})]
        total = sum(deck.weight for deck in self._decks)
        self.batches_per_epoch = max(1, round(total / (batch_size * world_size)))
        shares = np.cumsum([deck.weight for deck in self._decks]) / total * self.batches_per_epoch
        self._upto = np.concatenate([[0.0], shares[:-1], [float(self.batches_per_epoch)]])
        self._epoch = lru_cache(maxsize=2)(self._planned)

    def batch(self, step: int) -> list[int]:
        """The positions of the items of batch number `step` (from 0), for this rank."""
        epoch, place = divmod(step, self.batches_per_epoch)
        turns, dealt = self._epoch(epoch)
        deck = int(turns[place])
        before = int(dealt[deck] + (turns[:place] == deck).sum())
        start = (before * self.world_size + self.rank) * self.batch_size
        return [self._decks[deck].card(slot) for slot in range(start, start + self.batch_size)]

    def batches(self, start: int, stop: int) -> Iterator[list[int]]:
        """The batches of the steps from `start` to before `stop`."""
        return (self.batch(step) for step in range(start, stop))

    def _planned(self, epoch: int) -> tuple[np.ndarray, np.ndarray]:
        """The deck (by number) of each batch of an epoch, and how many batches each deck has dealt before it."""
        counts = self._counts(np.arange(epoch + 1))
        turns = np.repeat(np.arange(len(self._decks)), counts[-1])
        return _random(self.seed, "turns", epoch).permutation(turns), counts[:-1].sum(0)

    def _counts(self, epochs: np.ndarray) -> np.ndarray:
        """Batches of each deck in each epoch, (epochs, decks): its share rounded up or down, so that every row has the same sum.

        Systematic sampling. Its offsets go round the circle by the golden ratio, so that a rare deck comes at even intervals.
        """
        offsets = (_random(self.seed, "offset").random() + epochs * 0.6180339887498949) % 1
        return np.diff(np.floor(self._upto[None, :] + offsets[:, None]), axis=1).astype(int)


class _Deck:
    """The endless sequence of one bucket's items."""

    def __init__(self, items: Sequence[Item], bucket: buckets.Size, seed: int) -> None:
        self.members = [index for index, item in enumerate(items) if item.bucket == bucket and item.weight > 0]
        weights = np.array([items[index].weight for index in self.members])
        self.weight = float(weights.sum())
        self.size = max(1, round(self.weight))
        self._shares = weights / self.weight * self.size
        self._name = f"{bucket[0]}x{bucket[1]}"
        self._pass = lru_cache(maxsize=4)(self._shuffled)
        self._seed = seed

    def card(self, slot: int) -> int:
        """The item at a place of the sequence."""
        number, place = divmod(slot, self.size)
        return self.members[self._pass(number)[place]]

    def _shuffled(self, number: int) -> np.ndarray:
        random = _random(self._seed, "pass", self._name, number)
        order = random.permutation(len(self.members))  # so that rounding does not favour neighbours
        upto = np.concatenate([[0.0], np.cumsum(self._shares[order])[:-1], [float(self.size)]])
        counts = np.diff(np.floor(upto + random.random())).astype(int)
        return random.permutation(np.repeat(order, counts))


def caption_dropout(step: int, index: int, seed: int, p: float) -> bool:
    """Whether the caption of item `index` is left empty at `step`: true for a share `p` of all, the same on every rank."""
    return int(files.fingerprint("dropout", str(seed), str(step), str(index)), 16) < p * 2**64


def _random(seed: int, *what: str | int) -> np.random.Generator:
    """A generator of its own for each purpose."""
    return np.random.default_rng(int(files.fingerprint(str(seed), *map(str, what)), 16))


def _content(tensors: Tensors) -> str:
    """A hash of the tensors' bytes: safetensors notices a file cut short, but not a changed bit."""
    return files.fingerprint(*(tensors[name].reshape(-1).view(torch.uint8).numpy().tobytes() for name in sorted(tensors)))


@lru_cache(maxsize=1)
def _opened(path: Path) -> Image.Image:
    """The last picture opened: the views of a work are drawn one after another."""
    return images.open_image(path)
