"""Settings of the verbs that blend: styles with each other, pictures with each other, a picture with what it might have been."""

from pathlib import Path
from typing import Annotated, Literal

import tyro
from pydantic import Field, field_validator

from artlab.settings.shared import Precision, Sampler, Settings, alias


class Blend(Settings):
    """Mix several styles: into a new style of its own (`--name`), or while pictures are made (`--prompt`).

    A file is mixed exactly, in the space of the updates themselves. While pictures are made the weights can also change over the
    steps, the layers or the parts of the picture.
    """

    style: Annotated[tyro.conf.Positional[tuple[str, ...]], tyro.conf.arg(metavar="STYLE:WEIGHT")] = ()
    """Styles by name or folder, each with an optional weight: `wren:0.6 ember-cuts:0.4`."""
    name: Annotated[str | None, alias("output_name")] = None
    """Name of the new style; without it pictures are made."""

    method: Literal["cat", "svd", "slerp", "ties", "dare"] = "cat"
    """How a file is mixed: `cat` is the exact sum, its rank is the sum of the ranks; `svd` the nearest sum of a given rank; `slerp` turns
    from one style to the other at full strength; `ties` and `dare` are experimental."""
    rank: Annotated[int | None, alias("network_dim")] = Field(None, ge=1, le=1024)
    """Rank of the new style: what is lost by it is said. Needed by `svd`; the sum of the ranks if left out."""
    density: float = Field(0.5, gt=0, le=1)
    """Share of each update that `ties` and `dare` keep."""
    block_weight: Annotated[tuple[str, ...], alias("block_weights")] = ()
    """Further weights for parts of the network: `up:0.5` for all styles, `wren@down:0` for one; `down`, `mid`, `up`, `up_blocks.1`, ..."""
    half: bool = False
    """Write the new style in 16 bits: half as large, exact to 1e-3 in place of 1e-6."""
    output_dir: Path | None = None
    """Where the style or the pictures go; artlab's own folders if left out."""

    prompt: tuple[str, ...] = ()
    """Prompts of the pictures, or of the new style's preview."""
    schedule: tuple[str, ...] = ()
    """Weights over the steps: `crossfade`, `k-lora`, or a curve per style, from noise to picture: `wren:1,0.5,0 ember-cuts:0,1`."""
    region: Annotated[tuple[str, ...], alias("regions")] = ()
    """Parts of the picture: `MASK | PROMPT | STYLES`, MASK a picture that is white there, or `left`, `right`, `top`, `bottom`, `centre`, with
    an optional share: `"left:0.4 | a fox | wren:0.9"`. Later ones lie over earlier ones; the prompt and the styles fill what is left."""
    feather: float = Field(0.1, ge=0, le=1)
    """Width of a region's soft seam, as a share of the shorter side."""
    sheet: bool = False
    """Make one sheet: the first style's weight from left to right, the second's from top to bottom."""
    sheet_weights: tuple[float, ...] = (0.0, 0.5, 1.0)
    """Weights on both sides of the sheet."""

    base: Annotated[str | None, alias("pretrained_model_name_or_path")] = None
    """Base model; the one that the styles were trained on if left out."""
    negative_prompt: str = ""
    """What the picture should keep away from."""
    seed: Annotated[tuple[int, ...], alias("seeds")] = (0,)
    """Seeds; the same seed gives the same picture."""
    count: int = Field(1, ge=1, le=10_000)
    """Pictures per prompt and seed."""
    width: int | None = Field(None, ge=64, le=4096)
    height: int | None = Field(None, ge=64, le=4096)
    num_inference_steps: Annotated[int, alias("steps")] = Field(20, ge=1, le=1000)
    guidance_scale: Annotated[float | None, alias("cfg_scale")] = Field(None, ge=0, le=50)
    """How strictly the prompt is followed; the base's own if left out."""
    sampler: Sampler = "dpm++"
    upscale: bool = True
    """Enlarge with the base's own upscaler, if it has one."""
    batch_size: int = Field(8, ge=1, le=256)
    mixed_precision: Precision = "auto"
    device: str = "auto"

    @field_validator("sheet_weights")
    @classmethod
    def _few_weights(cls, weights: tuple[float, ...]) -> tuple[float, ...]:
        if not 2 <= len(set(weights)) <= 9 or any(abs(weight) > 2 for weight in weights):
            raise ValueError("a sheet takes two to nine different weights from -2 to 2")
        return weights


class Between(Settings):
    """Go from one picture or prompt to another, as frames, GIF and MP4."""

    start: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="START")] = ""
    """A picture file, or a prompt. A picture of artlab's own starts from the noise that its recipe names."""
    end: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="END")] = ""
    """A picture file, or a prompt."""
    prompt: tuple[str, ...] = ()
    """What the pictures show, one or two prompts, for pictures that carry no recipe."""
    style: tuple[str, ...] = ()
    """Styles of the way, each with an optional weight, for a start and an end that carry no recipe."""
    frames: int = Field(24, ge=2, le=1000)
    """Frames, start and end among them."""
    fps: float = Field(12, gt=0, le=60)
    """Frames a second."""
    ease: bool = True
    """Begin and end slowly."""
    back: Annotated[bool, alias("loop")] = False
    """Go back the same way, so that the film can run without end."""
    strength: float = Field(0.5, gt=0, le=1)
    """How far a picture that carries no recipe is dissolved into noise on the way; less keeps nearer to a plain fade."""
    gif: bool = True
    """Write a GIF."""
    mp4: bool = True
    """Write an MP4, if the `video` extra is installed."""
    output_dir: Path | None = None
    """Folder of the film; one of its own under `pictures/` in artlab's home if left out."""

    base: Annotated[str | None, alias("pretrained_model_name_or_path")] = None
    """Base model; the styles' own if left out, else `mini`."""
    negative_prompt: str = ""
    """What the pictures should keep away from."""
    seed: Annotated[tuple[int, ...], alias("seeds")] = (0, 1)
    """Seeds of a start and an end that are prompts; one seed keeps the composition."""
    width: int | None = Field(None, ge=64, le=4096)
    height: int | None = Field(None, ge=64, le=4096)
    num_inference_steps: Annotated[int, alias("steps")] = Field(20, ge=1, le=1000)
    guidance_scale: Annotated[float | None, alias("cfg_scale")] = Field(None, ge=0, le=50)
    """How strictly the prompt is followed; the base's own if left out."""
    upscale: bool = True
    """Enlarge with the base's own upscaler, if it has one."""
    batch_size: int = Field(8, ge=1, le=256)
    mixed_precision: Precision = "auto"
    device: str = "auto"


class Vary(Settings):
    """Make variations of one picture: near ones and far ones."""

    picture: tyro.conf.Positional[Path]
    """The picture: one of artlab's, whose recipe is gone on with, or any other."""
    strength: Annotated[tuple[float, ...], alias("strengths")] = (0.3, 0.5, 0.7)
    """How far from the picture, 0 to 1; a row of variations for each."""
    count: int = Field(4, ge=1, le=1000)
    """Variations per strength."""
    way: Literal["auto", "noise", "picture"] = "auto"
    """`noise` turns the noise that the picture's recipe names, so composition moves; `picture` dissolves and paints the picture anew, so
    composition stays; `auto` is `noise` where there is a recipe."""
    prompt: str = ""
    """What the variations show; the recipe's own if left out."""
    style: tuple[str, ...] = ()
    """Styles with an optional weight; the recipe's own if left out."""
    sheet: bool = True
    """Lay all on a contact sheet beside the picture."""
    output_dir: Path | None = None
    """Where they go; `pictures/` under artlab's home if left out."""

    base: Annotated[str | None, alias("pretrained_model_name_or_path")] = None
    """Base model; the styles' own if left out, else `mini`."""
    negative_prompt: str = ""
    """What they should keep away from."""
    seed: Annotated[tuple[int, ...], alias("seeds")] = (1,)
    """Seed of the first variation."""
    num_inference_steps: Annotated[int, alias("steps")] = Field(20, ge=1, le=1000)
    guidance_scale: Annotated[float | None, alias("cfg_scale")] = Field(None, ge=0, le=50)
    """How strictly the prompt is followed; the base's own if left out."""
    upscale: bool = True
    """Enlarge with the base's own upscaler, if it has one."""
    batch_size: int = Field(8, ge=1, le=256)
    mixed_precision: Precision = "auto"
    device: str = "auto"

    @field_validator("strength")
    @classmethod
    def _shares(cls, strengths: tuple[float, ...]) -> tuple[float, ...]:
        if not strengths or any(not 0 < strength <= 1 for strength in strengths):
            raise ValueError("a strength lies above 0 and goes up to 1, for example --strength 0.3 0.6")
        return strengths


class Inpaint(Settings):
    """Paint a part of a picture anew, or go on painting beyond its edges. What is outside the mask stays as it is, to the bit."""

    picture: tyro.conf.Positional[Path]
    """The picture."""
    prompt: str = ""
    """What the picture shows; the recipe's own if left out."""
    mask: Path | None = None
    """A picture of the same size: white is painted anew, black stays, grey is mixed."""
    box: tuple[int, ...] = ()
    """In place of a mask: left, top, right, bottom in pixels."""
    extend: tuple[int, ...] = ()
    """Go beyond the edges: pixels to add at the left, top, right, bottom."""
    invert: bool = False
    """Paint anew what is black in the mask."""
    feather: float = Field(0.03, ge=0, le=0.5)
    """Width of the soft seam inside the mask, as a share of the shorter side."""
    strength: float = Field(1.0, gt=0, le=1)
    """How much of what was there is forgotten."""
    resample: int = Field(4, ge=1, le=20)
    """Times that each step is taken back and done again, so that the new fits the old (RePaint)."""
    style: tuple[str, ...] = ()
    """Styles with an optional weight; the recipe's own if left out."""
    seed: Annotated[tuple[int, ...], alias("seeds")] = (0,)
    """Seeds, a picture each."""
    count: int = Field(1, ge=1, le=1000)
    """Pictures per seed."""
    output_dir: Path | None = None
    """Where they go; `pictures/` under artlab's home if left out."""

    base: Annotated[str | None, alias("pretrained_model_name_or_path")] = None
    """Base model; the styles' own if left out, else `mini`."""
    negative_prompt: str = ""
    """What it should keep away from."""
    num_inference_steps: Annotated[int, alias("steps")] = Field(20, ge=1, le=1000)
    guidance_scale: Annotated[float | None, alias("cfg_scale")] = Field(None, ge=0, le=50)
    """How strictly the prompt is followed; the base's own if left out."""
    batch_size: int = Field(4, ge=1, le=256)
    mixed_precision: Precision = "auto"
    device: str = "auto"

    @field_validator("box", "extend")
    @classmethod
    def _four_numbers(cls, numbers: tuple[int, ...]) -> tuple[int, ...]:
        if len(numbers) not in (0, 4):
            raise ValueError(f"a box and an extension are four whole numbers: left, top, right, bottom; there are {len(numbers)}")
        return numbers
