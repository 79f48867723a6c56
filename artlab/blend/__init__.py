"""`artlab blend STYLE:WEIGHT ...`: several styles into one, as a style of its own (`--name`) or while pictures are made (`--prompt`).

deltas.py    updates of layers and how they are mixed, exactly
files.py     adapter files in, a style with its parents out
runtime.py   weights over the steps, a choice per layer, regions
sheet.py     two styles against each other on one sheet
"""

import io
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from PIL import Image

from artlab import easel, generate, images, recipe, style
from artlab import files as places
from artlab.bases import BaseError, lora
from artlab.blend import files, runtime, sheet
from artlab.blend.deltas import BlendError
from artlab.generate import Picture, Plan, Progress, Report, print_progress
from artlab.portfolio import captions
from artlab.recipe import Recipe, StyleUsed
from artlab.settings import Blend
from artlab.style import Style

__all__ = ["BlendError", "blend"]

Parents = list[tuple[Style, float]]


def blend(settings: Blend, report: Report = print_progress) -> Style | list[Picture]:
    """Make the new style that has a name, or the pictures of the prompts. Everything is checked before anything is made.

    Raises BlendError, GenerateError, EaselError, StyleError, LoraError or BaseError. `report` may raise to stop; finished pictures stay.
    """
    parents = [(style.load(name), weight) for name, weight in map(style.parse_weighted, settings.style)]
    if not parents:
        raise BlendError(
            "There is no style to mix: artlab blend wren:0.6 ember-cuts:0.4 --name both. `artlab styles` lists them."
        )
    _same_base(parents)
    if settings.name:
        for wish, of in ((settings.schedule, "a schedule"), (settings.region, "regions"), (settings.sheet, "a sheet")):
            if wish:
                raise BlendError(
                    f"A file has one weight per layer, so {of} cannot go into it; leave out --name and give a --prompt."
                )
        return _into_file(settings, settings.name, parents, report)
    if not any(prompt.strip() for prompt in settings.prompt):
        raise BlendError("Give the new style a name (--name both), or pictures a prompt (--prompt “a fox in the snow”).")
    if settings.block_weight or settings.method != "cat" or settings.rank:
        raise BlendError("Methods, ranks and block weights are those of a file: mix it with --name, then make pictures with it.")
    return _sheet(settings, parents, report) if settings.sheet else _pictures(settings, parents, report)


def _same_base(parents: Parents) -> None:
    first = parents[0][0]
    for other, _ in parents[1:]:
        if other.base["fingerprint"] != first.base["fingerprint"]:
            raise BlendError(
                f"The styles “{first.name}” and “{other.name}” cannot be mixed: they were taught on different bases, “{first.base['name']}” "
                f"({str(first.base['fingerprint'])[:8]}) and “{other.base['name']}” ({str(other.base['fingerprint'])[:8]}). Teach both on one."
            )


# -- into a file ------------------------------------------------------------------------------------------------------------


def _into_file(settings: Blend, name: str, parents: Parents, report: Report) -> Style:
    folder = settings.output_dir or places.styles() / places.slug(name)
    adapters = [files.read(one.weights) for one, _ in parents]
    known = sorted({layer for adapter in adapters for layer in adapter})
    blocks = files.block_weights(settings.block_weight, [one for one, _ in parents], known)
    if there := _already(folder, name, settings, parents):
        report(Progress(1, 1, message=f"The style “{name}” is there already, mixed of the same parents."))
        return there
    mixed = files.mix(adapters, [weight for _, weight in parents], blocks, settings)
    report(Progress(0, 1, message=mixed.sentence()))
    trigger = ", by ".join(dict.fromkeys(one.trigger for one, weight in parents if weight and one.trigger))
    metadata = files.metadata(settings, name, trigger, parents, mixed)
    weights = files.to_bytes(mixed.adapter, metadata, half=settings.half)
    card = files.card(settings, name, trigger[:100], parents, mixed)
    preview = _preview(settings, weights, card, parents, report)
    return style.save(folder, card, {style.WEIGHTS: weights, style.PREVIEW: preview})


def _already(folder: Path, name: str, settings: Blend, parents: Parents) -> Style | None:
    """The same blend, made before. Another style of that name is never written over."""
    try:
        found = style.load(folder if (folder / style.CARD).exists() or settings.output_dir else name)
    except style.StyleError:
        return None
    made_of = [(one.get("sha256"), one.get("weight")) for one in found.card.get("parents", []) if isinstance(one, dict)]
    if made_of == [(one.sha256, weight) for one, weight in parents] and found.card.get("settings") == files.asked(settings):
        return found
    raise BlendError(
        f"There is a style “{found.name}” already, in {found.folder}, and it is another one; give the new one another name."
    )


def _preview(settings: Blend, weights: bytes, card: dict[str, Any], parents: Parents, report: Report) -> bytes:
    """Four pictures in the new style; where its base is not at hand, the parents' previews above each other."""
    try:
        base = generate.warm(settings.base or str(card["base"]["name"]), settings.device, settings.mixed_precision)
    except BaseError as error:
        report(Progress(0, 1, message=f"The preview shows the parents, because the base cannot be loaded: {error}"))
        return _png(_stacked([images.open_image(one.preview) for one, _ in parents if one.preview.is_file()]))
    texts = list(settings.prompt) or card["data"]["captions"][:4] or ["a landscape", "a house", "a bird", "flowers"]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / style.WEIGHTS
        path.write_bytes(weights)
        try:
            lora.load_styles(base, [(path, 1.0)])
            made = base.sample(
                base.condition([captions.with_trigger(text, card["trigger"]) for text in texts]),
                [100 + number for number in range(len(texts))],
                steps=settings.num_inference_steps,
                guidance=base.facts.guidance_scale if settings.guidance_scale is None else settings.guidance_scale,
                sampler=settings.sampler,
                on_step=generate.told(base, Progress(0, 1, steps=settings.num_inference_steps), report),
            )
        finally:
            lora.detach(base)
    return _png(images.contact_sheet(base.upscale(made), min(4, len(made))))


def _stacked(pictures: Sequence[Image.Image]) -> Image.Image:
    return images.contact_sheet(pictures, 1) if pictures else Image.new("RGB", (64, 64), images.PAPER)


def _png(image: Image.Image) -> bytes:
    stream = io.BytesIO()
    image.save(stream, "PNG")
    return stream.getvalue()


# -- into pictures ----------------------------------------------------------------------------------------------------------


def _pictures(settings: Blend, parents: Parents, report: Report) -> list[Picture]:
    regions = [runtime.parse_region(text) for text in settings.region]
    _same_base(parents + [pair for region in regions for pair in region.styles])
    over = runtime.over_steps(settings.schedule, parents)
    if regions and settings.schedule == ("k-lora",):
        raise BlendError("k-lora chooses for the whole picture; in regions take weights, crossfade or curves.")
    plan = easel.plan_for(settings, report)
    base = easel.steerable(plan.base, "mixing over steps and regions")
    extra: dict[str, Any] = {}
    if settings.schedule:
        extra["schedule"] = list(settings.schedule)
    if not regions:
        plan = easel.shown(plan, [easel.with_extra(made, "blend", **extra) for made in plan.recipes])
        return _painted(plan, settings, report, lambda batch: {"steering": runtime.steering(base, over)})
    size = plan.recipes[0].width, plan.recipes[0].height
    parts = runtime.shares(
        [region.mask(size, settings.feather) for region in regions], (size[1] // base.factor, size[0] // base.factor)
    )
    everyone = parents + [pair for region in regions for pair in region.styles]
    texts = [_called(region, base.facts.max_words) for region in regions]
    told = [region.told() | {"prompt": text} for region, text in zip(regions, texts, strict=True)]
    extra |= {"regions": told, "feather": settings.feather}
    used = _used(everyone)
    plan = Plan(
        base,
        everyone,
        [easel.with_extra(made, "blend", **extra).model_copy(update={"styles": used}) for made in plan.recipes],
        plan.folder,
    )
    overs, first = [_padded(over, 0, len(everyone))], len(parents)
    for region in regions:
        own = runtime.over_steps((), region.styles)
        overs.append(_padded(own, first, len(everyone)))
        first += len(region.styles)

    def how(batch: list[Recipe]) -> dict[str, Any]:
        conditions = [base.condition([made.prompt for made in batch])] + [base.condition([text] * len(batch)) for text in texts]
        return {"steering": runtime.by_regions(base, parts, conditions, overs)}

    return _painted(plan, settings, report, how)


def _painted(plan: Plan, settings: Blend, report: Report, how: generate.How) -> list[Picture]:
    """Sampled with every style attached at weight 1, so that any of them can be called for at any step."""
    return easel.paint(Plan(plan.base, [(one, 1.0) for one, _ in plan.styles], plan.recipes, plan.folder), settings, report, how)


def _called(region: runtime.Region, most_words: int) -> str:
    return generate.read_prompt(region.prompt, [one for one, weight in region.styles if weight], most_words).text


def _used(styles: Parents) -> tuple[StyleUsed, ...]:
    """The styles of a recipe; one that several regions use is named once, the regions say the rest."""
    once: Parents = list({one.sha256: (one, weight) for one, weight in reversed(styles)}.values())
    return tuple(
        StyleUsed(name=one.name, weight=weight, sha256=one.sha256, tensors_sha256=style.tensors_sha256(one.weights))
        for one, weight in reversed(once)
    )


def _padded(over: runtime.Over, first: int, count: int) -> runtime.Over:
    """The weights of one region's styles among those of all, which are 0 there."""

    def padded(share: float) -> list[float]:
        weights = over(share)
        assert isinstance(weights, list)
        return [0.0] * first + weights + [0.0] * (count - first - len(weights))

    return padded


def _sheet(settings: Blend, parents: Parents, report: Report) -> list[Picture]:
    """All weights of two styles against each other; the cells are pictures of their own, and the sheet carries the recipe of them all."""
    if len(parents) < 2 or settings.schedule or settings.region:
        raise BlendError("A sheet sets two styles against each other, at steady weights over the whole picture: give two styles.")
    if len(settings.prompt) != 1 or len(settings.seed) != 1 or settings.count != 1:
        raise BlendError("A sheet shows one prompt with one seed; give one of each.")
    levels = sorted(set(settings.sheet_weights))
    plan = easel.plan_for(settings, report)
    base = easel.steerable(plan.base, "a blend sheet")
    # The same words in every cell, triggers of all styles among them: only the weights differ.
    grid = sheet.weights(levels, [weight for _, weight in parents[2:]])
    (made,) = plan.recipes
    recipes = [
        made.model_copy(
            update={
                "styles": tuple(
                    used.model_copy(update={"weight": weight}) for used, weight in zip(made.styles, cell, strict=True)
                ),
                "method": "blend",
            }
        )
        for cell in grid
    ]

    def how(batch: list[Recipe]) -> dict[str, Any]:
        (cell,) = batch  # one at a time: a batch shares its adapters' weights
        return {"steering": runtime.steering(base, lambda _: [used.weight for used in cell.styles])}

    folder = (
        plan.folder
        / f"sheet-{places.slug(settings.prompt[0], 40)}-{places.fingerprint(*[r.model_dump_json() for r in recipes])[:8]}"
    )
    cells = _painted(Plan(base, plan.styles, recipes, folder), settings.model_copy(update={"batch_size": 1}), report, how)
    laid = sheet.lay([images.open_image(cell.path) for cell in cells], levels, (parents[0][0].name, parents[1][0].name))
    whole = easel.with_extra(made, "blend sheet", sheet_weights=levels).model_copy(
        update={"width": laid.width, "height": laid.height}
    )
    path = recipe.embed(laid, whole, folder.with_suffix(".png"))
    return [*cells, Picture(path, whole)]


if __name__ == "__main__":
    from artlab import cli

    sys.exit(cli.run_verb("blend", sys.argv[1:]))
