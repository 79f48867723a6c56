"""`artlab between START END`: the way from one picture or prompt to another, as frames, GIF and MP4.

Two recipes are joined by turning the noise of one into that of the other (spherical interpolation, Shoemake 1985, which keeps it noise)
while the prompt's states and the styles' weights go straight. Pictures without a recipe are first dissolved into noise without chance
(DDIM inversion, Song et al. 2021, arXiv 2010.02502) and meet halfway there, after Wang and Golland 2023 (arXiv 2307.12560).
"""

import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from artlab import easel, files, film, generate, images, style
from artlab.bases import Condition, lora, seed_noise
from artlab.bases.steering import Steering
from artlab.bases.unet import UNetBase
from artlab.easel import EaselError, Given
from artlab.film import Film
from artlab.generate import Plan, Report, print_progress
from artlab.recipe import Recipe
from artlab.settings import Between

SAMPLER = "ddim"


@dataclass(frozen=True)
class End:
    """One end of the way: what it shows, its styles by name and weight, and its noise or its picture."""

    prompt: str
    styles: tuple[tuple[str, float], ...]
    seed: int
    told: dict[str, Any]
    made: Recipe | None = None
    picture: Given | None = None


def between(settings: Between, report: Report = print_progress) -> Film:
    """Make the frames, then the films. Frames that are there already are kept; a film is written when all its frames are there.

    Raises EaselError, GenerateError, StyleError or BaseError before the first frame. `report` may raise to stop.
    """
    if not settings.start.strip() or not settings.end.strip():
        raise EaselError("Give a start and an end: two pictures, two prompts, or one of each; artlab between a.png b.png.")
    film.check(settings.mp4)
    first, last = (_end(settings, text, index) for index, text in enumerate((settings.start, settings.end)))
    names = list(dict.fromkeys(name for end in (first, last) for name, _ in end.styles))
    size = _size(settings, first, last)
    changes = _changes(settings, first, last) | ({"width": size[0], "height": size[1]} if size else {})
    plan = easel.plan_for(settings, report, prompt=(first.prompt,), style=tuple(names), seed=(first.seed,), **changes)
    base = easel.steerable(plan.base, "going between pictures")
    if not (size or settings.width or settings.height) and (first.picture or last.picture):
        own = easel.size_near(next(end.picture for end in (first, last) if end.picture).image.size, base)
        (made,) = plan.recipes
        plan = easel.shown(plan, [made.model_copy(update={"width": own[0], "height": own[1]})])
    frames = _frames(settings, plan, first, last, names)
    told = {"start": first.told, "end": last.told, "ease": settings.ease, "strength": settings.strength}
    key = files.fingerprint(*[frame.model_dump_json() for frame in frames])[:8]
    folder = settings.output_dir or plan.folder / f"between-{files.slug(_word(first), 20)}-{files.slug(_word(last), 20)}-{key}"
    way = _Way(base, plan, first, last, names, settings)
    plan = Plan(base, [(one, 1.0) for one, _ in plan.styles], frames, folder)
    # Styles that change on the way change on the adapters, which a batch shares.
    alike = dict(first.styles) == dict(last.styles) and not way.pictures
    alone = settings if alike else settings.model_copy(update={"batch_size": 1})
    made_frames = easel.paint(plan, alone, report, way.how, name=lambda one: f"frame-{one.extra['frame']:04d}.png")
    shown = [images.open_image(frame.path) for frame in made_frames]
    if settings.back:
        shown += shown[-2:0:-1]
    return film.write(
        folder,
        shown,
        fps=settings.fps,
        gif=settings.gif,
        mp4=settings.mp4,
        told=told | {"recipe": frames[0].model_dump(mode="json")},
    )


def _end(settings: Between, text: str, index: int) -> End:
    """An end from a picture file or a prompt."""
    path = Path(text).expanduser()
    suffix = path.suffix.lower() in images.SUFFIXES | {".bmp"}
    prompts = settings.prompt or ("",)
    own = tuple(style.parse_weighted(name) for name in settings.style)
    if not suffix and not path.is_file():
        return End(text, own, settings.seed[min(index, len(settings.seed) - 1)], {"prompt": text})
    given = easel.take(path)
    told = {"picture": path.name, "id": given.id}
    made = given.recipe
    if made is not None and made.method == "text to image" and not settings.prompt:
        styles = own or tuple(style.parse_weighted(name) for name in easel.styles_of(made, path))
        return End(made.prompt, styles, made.seed, told | {"recipe": True}, made=made)
    prompt = prompts[min(index, len(prompts) - 1)] or (made.prompt if made else "")
    if not prompt:
        raise EaselError(f"{path} carries no recipe, so say what it shows: --prompt “a fox in the snow”.")
    return End(prompt, own, settings.seed[0], told, picture=given)


def _changes(settings: Between, first: End, last: End) -> dict[str, Any]:
    """What the recipe of an end asks for, so that the end comes out as it was; pictures go by the sampler that can be turned round."""
    made = first.made or last.made
    changes: dict[str, Any] = {"sampler": SAMPLER} if first.picture or last.picture else {}
    if made and not changes:
        changes |= {"sampler": made.sampler, "num_inference_steps": made.steps}
        changes["negative_prompt"] = settings.negative_prompt or made.negative_prompt
        changes["guidance_scale"] = made.guidance if settings.guidance_scale is None else settings.guidance_scale
    return changes


def _word(end: End) -> str:
    return str(end.told.get("picture", end.prompt))


def _size(settings: Between, first: End, last: End) -> tuple[int, int] | None:
    sizes = {(end.made.width, end.made.height) for end in (first, last) if end.made}
    if settings.width or settings.height:
        return None
    if len(sizes) > 1:
        (a, b) = sorted(sizes)
        raise EaselError(
            f"The two pictures have different sizes, {a[0]}x{a[1]} and {b[0]}x{b[1]}; no noise leads from one to the other."
        )
    return next(iter(sizes), None)


def _frames(settings: Between, plan: Plan, first: End, last: End, names: Sequence[str]) -> list[Recipe]:
    """A recipe for each frame; `extra.at` is its share of the way."""
    (common,) = plan.recipes
    weights = [dict(end.styles) for end in (first, last)]
    frames = []
    for number in range(settings.frames):
        at = number / (settings.frames - 1)
        at = (1 - math.cos(math.pi * at)) / 2 if settings.ease else at
        mixed = [(1 - at) * weights[0].get(name, 0.0) + at * weights[1].get(name, 0.0) for name in names]
        used = tuple(one.model_copy(update={"weight": weight}) for one, weight in zip(common.styles, mixed, strict=True))
        made = easel.with_extra(
            common, "between", frame=number + 1, at=round(at, 6), start=first.told, end=last.told, end_prompt=last.prompt
        )
        if first.picture or last.picture:
            made = easel.with_extra(made, "between", strength=settings.strength)
        frames.append(made.model_copy(update={"styles": used, "prompt": first.prompt if at < 0.5 else last.prompt}))
    return frames


class _Way:
    """How each frame is sampled. The ends' noise and states are made once, when the first missing frame asks for them."""

    def __init__(self, base: UNetBase, plan: Plan, first: End, last: End, names: Sequence[str], settings: Between) -> None:
        self.base, self.ends, self.names, self.settings = base, (first, last), names, settings
        self.common = plan.recipes[0]
        self.pictures = any(end.picture for end in self.ends)
        self.noises: list[Tensor] = []
        self.states: list[Condition] = []

    def how(self, batch: list[Recipe]) -> dict[str, Any]:
        """Further arguments for `base.sample`."""
        if not self.noises:
            self.states = [self.base.condition([self._read(end)]) for end in self.ends]
            self.noises = [self._noise(index) for index in (0, 1)]
        ats = [float(made.extra["at"]) for made in batch]  # type: ignore[arg-type]
        condition = {
            key: torch.cat([torch.lerp(self.states[0][key].float(), self.states[1][key].float(), at) for at in ats])
            for key in self.states[0]
        }
        noise = torch.cat([slerp(self.noises[0], self.noises[1], at) for at in ats])
        weights = [used.weight for used in batch[0].styles]
        given: dict[str, Any] = {"condition": condition}
        if self.pictures:
            (at,) = ats
            given["start"] = (torch.zeros_like(noise), self._strength())
            noise = noise / self._sigma()
            # At its ends the way is the inversion run backwards, which guidance would bend; halfway there is nothing to keep to.
            given["guidance"] = 1 + (self.common.guidance - 1) * math.sin(math.pi * at)
        return given | {"steering": Steering(noise=noise, before=lambda index, steps: lora.weigh(self.base, weights))}

    def _read(self, end: End) -> str:
        return generate.read_prompt(
            end.prompt, [style.load(name) for name, weight in end.styles if weight], self.base.facts.max_words
        ).text

    def _noise(self, index: int) -> Tensor:
        """The standard normal noise (1, c, h, w) of an end; of a picture, its noisy latents at the strength's time."""
        end, size = self.ends[index], (self.common.width, self.common.height)
        shape = (self.base.channels, size[1] // self.base.factor, size[0] // self.base.factor)
        if end.picture is None:
            noise = seed_noise([end.seed], shape)
            # Where the other end is a picture, this one is drawn first and then dissolved like it.
            return self._inverted(index, self._drawn(end, noise)) if self.pictures else noise
        return self._inverted(index, easel.latents_of(self.base, end.picture.image, size))

    def _drawn(self, end: End, noise: Tensor) -> Tensor:
        lora.weigh(self.base, [dict(end.styles).get(name, 0.0) for name in self.names])
        (image,) = self.base.sample(
            self.base.condition([self._read(end)]),
            [end.seed],
            steps=self.common.steps,
            guidance=self.common.guidance,
            size=(self.common.width, self.common.height),
            sampler=SAMPLER,
            steering=Steering(noise=noise),
        )
        return easel.latents_of(self.base, image, (self.common.width, self.common.height))

    def _inverted(self, index: int, latents: Tensor) -> Tensor:
        lora.weigh(self.base, [dict(self.ends[index].styles).get(name, 0.0) for name in self.names])
        return invert(self.base, latents, self.states[index], self.common.steps, self._strength())

    def _strength(self) -> float:
        return self.settings.strength

    def _sigma(self) -> Tensor:
        times = timesteps(self.base, self.common.steps, self._strength())
        return self.base.schedule.sigma[int(times[0])]


def timesteps(base: UNetBase, steps: int, strength: float) -> Tensor:
    """The sampler's timesteps that an image-to-image start of this strength goes through, noisiest first."""
    times = base.schedule.sampler(SAMPLER, steps).timesteps
    return times[len(times) - max(1, round(len(times) * strength)) :].long()


@torch.no_grad()
def invert(base: UNetBase, latents: Tensor, condition: Condition, steps: int, strength: float) -> Tensor:
    """The noisy latents from which DDIM without guidance comes back to `latents` (Song et al. 2021): its steps taken backwards.

    Each step uses the noise that is guessed at the latents where the step ends, by three fixed-point rounds, after ReNoise (Garibi et
    al. 2024, arXiv 2403.14602), so that few steps suffice.
    """
    x, before = latents.to(base.device).float(), None
    for time in reversed(timesteps(base, steps, strength).tolist()):
        step = torch.tensor([time])
        alpha, sigma = (float(values[time]) for values in (base.schedule.alpha, base.schedule.sigma))
        alpha_0, sigma_0 = (
            (1.0, 0.0) if before is None else (float(base.schedule.alpha[before]), float(base.schedule.sigma[before]))
        )
        x_t = x
        for _ in range(3):
            output = base.predict(x_t, step.expand(len(x)), condition).float()
            noise = alpha * output + sigma * x_t if base.schedule.prediction == "v_prediction" else output
            x_t = alpha * (x - sigma_0 * noise) / alpha_0 + sigma * noise
        x, before = x_t, time
    return x.cpu()


def slerp(one: Tensor, other: Tensor, share: float) -> Tensor:
    """On the arc between two noises of one shape, `share` of the way (Shoemake 1985); straight where they hardly differ."""
    a, b = one.double().flatten(), other.double().flatten()
    cosine = float((a @ b / (a.norm() * b.norm()).clamp_min(1e-12)).clamp(-1, 1))
    angle = math.acos(cosine)
    if angle < 1e-4 or math.pi - angle < 1e-4:
        mixed = (1 - share) * a + share * b
    else:
        mixed = (math.sin((1 - share) * angle) * a + math.sin(share * angle) * b) / math.sin(angle)
    return mixed.view(one.shape).float()


if __name__ == "__main__":
    from artlab import cli

    sys.exit(cli.run_verb("between", sys.argv[1:]))
