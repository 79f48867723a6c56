"""`artlab vary PICTURE`: variations of one picture, near ones and far ones.

A picture of artlab's own is varied by turning the noise that its recipe names toward other noise on an arc (A1111's variation seed): its
composition moves bit by bit. Any other picture is dissolved in part and painted anew (SDEdit, Meng et al. 2022, arXiv 2108.01073).
"""

import math
import sys
from pathlib import Path
from typing import Any

import torch

from artlab import easel, files, images, recipe
from artlab.bases import Base, seed_noise
from artlab.bases.steering import Steering
from artlab.easel import EaselError, Given
from artlab.generate import Picture, Plan, Report, print_progress
from artlab.recipe import Recipe
from artlab.settings import Vary

WORDLESS = "a picture"


def vary(settings: Vary, report: Report = print_progress) -> list[Picture]:
    """Make the variations, strength by strength, and a sheet of them. One that is there already is not made again.

    Raises EaselError, GenerateError, StyleError or BaseError before the first one is begun. `report` may raise to stop.
    """
    given = easel.take(settings.picture)
    made = given.recipe
    by_noise = settings.way == "noise" or (settings.way == "auto" and made is not None and made.method == "text to image")
    if by_noise and (made is None or made.method != "text to image"):
        raise EaselError(
            f"{settings.picture} carries no recipe of a picture made from words, so its noise is not known; take --way picture."
        )
    plan = easel.plan_for(settings, report, **_changes(settings, given, by_noise))
    base = easel.steerable(plan.base, "varying a picture")
    recipes = _recipes(settings, plan, given, by_noise, base)
    plan = easel.shown(plan, recipes)
    how = _by_noise(base, made.seed) if by_noise and made else _by_picture(base, given)
    # A batch shares its strength; only the noise may differ within it.
    pictures = easel.paint(plan, settings if by_noise else settings.model_copy(update={"batch_size": 1}), report, how)
    return [*pictures, _sheet(settings, given, pictures)] if settings.sheet else pictures


def _changes(settings: Vary, given: Given, by_noise: bool) -> dict[str, Any]:
    made = given.recipe
    changes: dict[str, Any] = {"prompt": (settings.prompt or (made.prompt if made else "") or WORDLESS,)}
    if made and not settings.style:
        changes["style"] = tuple(easel.styles_of(made, given.path))
    if made and by_noise:
        changes |= {"width": made.width, "height": made.height, "sampler": made.sampler, "seed": (made.seed,)}
        changes["num_inference_steps"] = made.steps
        changes["guidance_scale"] = made.guidance if settings.guidance_scale is None else settings.guidance_scale
        changes["negative_prompt"] = settings.negative_prompt or made.negative_prompt
    return changes | {"count": 1} | ({} if by_noise else {"seed": settings.seed[:1]})


def _recipes(settings: Vary, plan: Plan, given: Given, by_noise: bool, base: Base) -> list[Recipe]:
    """A recipe per strength and variation: `extra.varied` names the picture, the way and the strength."""
    (common,) = plan.recipes
    if by_noise and given.recipe is not None and given.recipe.base.fingerprint != base.fingerprint:
        raise EaselError(
            f"{given.path} was made on the base “{given.recipe.base.name}”, whose noise means nothing to “{base.name}”; "
            "give that base (--base), or take --way picture."
        )
    if not by_noise:
        width, height = easel.size_near(given.image.size, base)
        common = common.model_copy(update={"width": width, "height": height})
    found = []
    for strength in dict.fromkeys(settings.strength):
        for number in range(settings.count):
            varied = {"of": given.path.name, "id": given.id, "way": "noise" if by_noise else "picture", "strength": strength}
            seed = settings.seed[0] + number
            if by_noise:
                one = easel.with_extra(common, "variation", varied=varied | {"toward": seed})
            else:
                one = easel.with_extra(common, "variation", varied=varied).model_copy(update={"seed": seed})
            found.append(one)
    return found


def _by_noise(base: Base, seed: int) -> Any:
    def how(batch: list[Recipe]) -> dict[str, Any]:
        shape = (base.channels, batch[0].height // base.factor, batch[0].width // base.factor)
        rows = []
        for one in batch:
            varied: Any = one.extra["varied"]
            angle = varied["strength"] * math.pi / 2  # 1 is noise that has nothing of the old one
            rows.append(math.cos(angle) * seed_noise([seed], shape) + math.sin(angle) * seed_noise([varied["toward"]], shape))
        return {"steering": Steering(noise=torch.cat(rows))}

    return how


def _by_picture(base: Base, given: Given) -> Any:
    def how(batch: list[Recipe]) -> dict[str, Any]:
        (one,) = batch
        varied: Any = one.extra["varied"]
        return {"start": (easel.latents_of(base, given.image, (one.width, one.height)), varied["strength"])}

    return how


def _sheet(settings: Vary, given: Given, pictures: list[Picture]) -> Picture:
    """The picture and its variations, a row for each strength."""
    first = pictures[0]
    opened = [images.open_image(one.path) for one in pictures]
    own = images.crop(given.image, opened[0].size)
    cells, words = [], []
    for at, strength in enumerate(dict.fromkeys(settings.strength)):
        row = opened[at * settings.count : (at + 1) * settings.count]
        cells += [own, *row]
        words += ["the picture" if at == 0 else "", *[f"{strength:g}"] * len(row)]
    sheet = images.contact_sheet(cells, settings.count + 1, captions=words, width=min(1600, 300 * (settings.count + 1)))
    whole = easel.with_extra(first.recipe, "variation sheet", strengths=list(settings.strength), count=settings.count)
    whole = whole.model_copy(update={"width": sheet.width, "height": sheet.height})
    name = f"variations-{files.slug(Path(given.path).stem, 40)}-{files.fingerprint(whole.model_dump_json())[:8]}.png"
    return Picture(recipe.embed(sheet, whole, first.path.parent / name), whole)


if __name__ == "__main__":
    from artlab import cli

    sys.exit(cli.run_verb("vary", sys.argv[1:]))
