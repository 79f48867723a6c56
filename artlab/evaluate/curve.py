"""The checkpoints of a training, judged at the same prompts and seeds: fidelity, agreement and copying over the steps."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

from artlab import files, images, judge
from artlab.bases import Base, lora
from artlab.evaluate.material import png
from artlab.portfolio import captions
from artlab.settings import Evaluate

ADAPTERS = "adapters"
Tell = Callable[[str], object]


@dataclass(frozen=True)
class Curve:
    """The scores by step (the base's is step 0), the choice, and the pictures of each step."""

    base: judge.Score
    scores: tuple[judge.Score, ...]
    choice: judge.Choice
    pictures: dict[int, tuple[Path, ...]]

    def numbers(self) -> dict[str, Any]:
        """As JSON: per step the means, their standard errors and the raw scores."""
        return {
            "n": len(self.base.style),
            "steps": [_row(score) for score in (self.base, *self.scores)],
            "chosen": self.choice.step,
            "reason": self.choice.reason,
            "forgets_from": self.choice.forgets_from,
            "copies_from": self.choice.copies_from,
        }


def adapters(run: Path) -> list[tuple[int, Path]]:
    """(step, file) of the adapters that a run kept, in order."""
    return sorted((int(path.stem.removeprefix("step-")), path) for path in (run / ADAPTERS).glob("step-*.safetensors"))


def curve(
    settings: Evaluate,
    base: Base,
    found: Sequence[tuple[int, Path]],
    prompts: Sequence[str],
    trigger: str,
    who: judge.Judge,
    folder: Path,
    tell: Tell,
) -> Curve:
    """Judge the base and every adapter. Pictures that are there already, of the same adapter, are not made again."""
    scores, shown = [], dict[int, tuple[Path, ...]]()
    texts = [captions.with_trigger(text, trigger) for text in prompts]
    for step, path in [(0, None), *found]:
        tell(f"Judging {'the base' if path is None else f'step {step}'}.")
        mark = files.fingerprint(base.fingerprint if path is None else path.read_bytes(), *prompts, _how(settings))[:8]
        places = tuple(folder / f"step-{step:06d}-{mark}-{index:02d}.png" for index in range(len(prompts)))
        missing = [index for index, place in enumerate(places) if not place.exists()]
        for at in range(0, len(missing), settings.batch_size):
            some = missing[at : at + settings.batch_size]
            made = _paint(settings, base, path, [(texts if path else list(prompts))[index] for index in some], some)
            for index, picture in zip(some, made, strict=True):
                files.write(places[index], png(picture))
        shown[step] = places
        scores.append(who(step, [images.open_image(place) for place in places]))
    bare, *taught = scores
    return Curve(bare, tuple(taught), judge.choose(taught, bare), shown)


def _paint(settings: Evaluate, base: Base, adapter: Path | None, texts: list[str], seeds: list[int]) -> list[Image.Image]:
    side = (base.facts.resolution, base.facts.resolution)
    guidance = base.facts.guidance_scale if settings.guidance_scale is None else settings.guidance_scale
    try:
        lora.load_styles(base, [(adapter, 1.0)] if adapter else [])
        seeds = [settings.seed + seed for seed in seeds]
        return base.sample(base.condition(texts), seeds, steps=settings.num_inference_steps, guidance=guidance, size=side)
    finally:
        lora.detach(base)


def _how(settings: Evaluate) -> str:
    return f"{settings.seed} {settings.num_inference_steps} {settings.guidance_scale}"


def _row(score: judge.Score) -> dict[str, Any]:
    return {
        "step": score.step,
        "style": [score.nearness, judge.error(score.style)],
        "agreement": [score.follows, judge.error(score.agreement)],
        "copied": [sum(score.copied), len(score.copied)],
        "raw": score.row(),
    }
