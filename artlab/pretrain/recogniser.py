"""A network that says what a drawn picture shows, in which palette and which medium: it judges whether a base draws what it is asked for.

EfficientNet-Lite0's later blocks taught on drawn pictures, with one head for each question. It has to know the subject and not the
cleanness of a line, so half of the pictures that it learns from are damaged: shrunk and enlarged again, blurred, grained, or saved as a poor
JPEG. Pictures of the base, or of its autoencoder, it never sees while it learns: its word is the same for every base.
"""

import io
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image, ImageFilter
from torch import Tensor, nn

from artlab.metrics import effnet
from artlab.pretrain import bookmarks
from artlab.pretrain.autoencoder import to_tensor
from artlab.pretrain.data import Source

QUESTIONS = ("subject", "palette", "medium")
SIZE = (128, 128)
FROZEN = 5
"""Blocks of the network that stay as ImageNet taught them: edges and textures."""


class Recogniser(nn.Module):
    """Pictures (n, 3, 128, 128) in [-1, 1] to one row of scores for each question; `names` are the possible answers to each."""

    def __init__(self, names: Mapping[str, Sequence[str]]) -> None:
        super().__init__()
        self.names = {what: list(answers) for what, answers in names.items()}
        self.trunk = effnet.pretrained().to(memory_format=torch.channels_last)
        self.trunk.requires_grad_(True)
        for part in self._frozen():
            part.requires_grad_(False)
        self.heads = nn.ModuleDict({what: nn.Linear(1280, len(answers)) for what, answers in self.names.items()})

    def _frozen(self) -> list[nn.Module]:
        return [self.trunk._conv_stem, self.trunk._bn0, *self.trunk._blocks[:FROZEN]]

    def train(self, mode: bool = True) -> "Recogniser":
        """As ever, but what is frozen keeps its statistics."""
        super().train(mode)
        for part in self._frozen():
            part.eval()
        return self

    def forward(self, pixels: Tensor) -> dict[str, Tensor]:
        """(n, answers) for each question."""
        seen = self.trunk.extract_features((pixels + 1) / 2 / effnet._STD - effnet._MEAN / effnet._STD).mean(dim=(2, 3))
        seen = F.dropout(seen, 0.2, self.training)
        return {what: head(seen) for what, head in self.heads.items()}

    @torch.inference_mode()
    def answers(self, pictures: Sequence[Image.Image], batch: int = 32) -> dict[str, list[str]]:
        """For each question the likeliest answer of each picture."""
        self.eval()
        found: dict[str, list[str]] = {what: [] for what in self.names}
        for at in range(0, len(pictures), batch):
            for what, scores in self(_pixels(pictures[at : at + batch])).items():
                found[what] += [self.names[what][k] for k in scores.argmax(dim=1).tolist()]
        return found


def train(
    drawn: Source,
    folder: Path,
    *,
    steps: int,
    batch_size: int = 32,
    learning_rate: float = 1e-3,
    seed: int = 0,
    save_every: int = 200,
    report: Callable[[dict[str, float]], None] = print,
) -> Recogniser:
    """Teach it on the drawn pictures that may be learned from, going on from the newest checkpoint in `folder`."""
    rows, pictures, seen = drawn.rows, drawn.pictures, drawn.indices(held_out=False)
    torch.manual_seed(seed)
    model = Recogniser({what: sorted({str(row[what]) for row in rows}) for what in QUESTIONS})
    learning = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(learning, lr=learning_rate, weight_decay=0.02)
    start = bookmarks.resume(folder, {"model": model.state_dict()}, optimizer)
    labels = {what: np.array([model.names[what].index(str(row[what])) for row in rows]) for what in QUESTIONS}
    model.train()
    for step in range(start, steps):
        rng = np.random.default_rng([seed, step])
        torch.manual_seed(seed * 1_000_003 + step)
        chosen = rng.choice(seen, size=batch_size)
        scores = model(_pixels([damaged(Image.fromarray(np.asarray(pictures[row])), rng) for row in chosen]))
        for group in optimizer.param_groups:
            group["lr"] = learning_rate * min(1.0, (step + 1) / 100) * (0.5 + 0.5 * float(np.cos(np.pi * step / steps)))
        loss = sum(
            (F.cross_entropy(scores[what], torch.from_numpy(labels[what][chosen]), label_smoothing=0.05) for what in QUESTIONS),
            torch.zeros(()),
        )
        loss.backward()
        torch.nn.utils.clip_grad_norm_(learning, 2.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        if (step + 1) % 50 == 0:
            right = float((scores["subject"].argmax(dim=1).numpy() == labels["subject"][chosen]).mean())
            report({"step": step + 1, "loss": float(loss.detach()), "subject": right})
        if (step + 1) % save_every == 0 or step + 1 == steps:
            bookmarks.save(folder, step + 1, {"model": model.state_dict()}, optimizer)
    return model.eval()


def damaged(picture: Image.Image, rng: np.random.Generator) -> Image.Image:
    """A picture cut a little, mirrored half of the time, and half of the time damaged in one or two ways."""
    width, height = picture.size
    share = rng.uniform(0.86, 1.0)
    left, top = rng.uniform(0, 1 - share, size=2)
    box = (left * width, top * height, (left + share) * width, (top + share) * height)
    picture = picture.resize((width, height), Image.Resampling.BICUBIC, box=box)
    if rng.random() < 0.5:
        picture = picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    if rng.random() < 0.5:
        return picture
    ways = (_shrunk, _blurred, _grained, _compressed)
    for which in rng.choice(len(ways), size=int(rng.integers(1, 3)), replace=False):
        picture = ways[which](picture, rng)
    return picture


def _shrunk(picture: Image.Image, rng: np.random.Generator) -> Image.Image:
    small = (max(1, int(picture.width * rng.uniform(0.35, 0.8))), max(1, int(picture.height * rng.uniform(0.35, 0.8))))
    return picture.resize(small, Image.Resampling.LANCZOS).resize(picture.size, Image.Resampling.BICUBIC)


def _blurred(picture: Image.Image, rng: np.random.Generator) -> Image.Image:
    return picture.filter(ImageFilter.GaussianBlur(float(rng.uniform(0.4, 1.5))))


def _grained(picture: Image.Image, rng: np.random.Generator) -> Image.Image:
    grain = rng.normal(0, rng.uniform(3, 16), size=(picture.height, picture.width, 1 if rng.random() < 0.5 else 3))
    return Image.fromarray((np.asarray(picture) + grain).clip(0, 255).astype(np.uint8))


def _compressed(picture: Image.Image, rng: np.random.Generator) -> Image.Image:
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=int(rng.integers(10, 60)))
    return Image.open(file).convert("RGB")


def shares(answers: Mapping[str, Sequence[str]], asked: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """For each question the share of pictures whose answer is what was asked for."""
    return {what: float(np.mean([a == b[what] for a, b in zip(answers[what], asked, strict=True)])) for what in answers}


def _pixels(pictures: Sequence[Image.Image]) -> Tensor:
    """(n, 3, 128, 128) in [-1, 1], channels last."""
    same = [one if one.size == SIZE else one.resize(SIZE, Image.Resampling.LANCZOS) for one in pictures]
    return to_tensor(np.stack([np.asarray(one.convert("RGB")) for one in same]))
