"""Settings of the verbs that make pictures from words, and of those that look at works and pictures."""

from pathlib import Path
from typing import Annotated, Literal

import tyro
from pydantic import Field, field_validator

from artlab.settings.shared import Precision, Sampler, Settings, alias


class Generate(Settings):
    """Make pictures: every prompt with every seed, in one style, a mix of styles, or the bare base."""

    prompt: Annotated[tyro.conf.Positional[tuple[str, ...]], tyro.conf.arg(metavar="PROMPT")] = ()
    """One or several prompts."""
    style: tuple[str, ...] = ()
    """Styles by name or folder, each with an optional weight: `--style wren:0.8 ember-cuts:0.4`."""
    base: Annotated[str | None, alias("pretrained_model_name_or_path")] = None
    """Base model; the one that the styles were trained on if left out, else `mini`."""
    negative_prompt: str = ""
    """What the picture should keep away from."""
    seed: Annotated[tuple[int, ...], alias("seeds")] = (0,)
    """Seeds; the same seed gives the same picture whatever else is made with it."""
    count: int = Field(1, ge=1, le=10_000)
    """Pictures per prompt and seed: seed, seed + 1, ..."""
    width: int | None = Field(None, ge=64, le=4096)
    height: int | None = Field(None, ge=64, le=4096)
    num_inference_steps: Annotated[int, alias("steps")] = Field(20, ge=1, le=1000)
    guidance_scale: Annotated[float | None, alias("cfg_scale")] = Field(None, ge=0, le=50)
    """How strictly the prompt is followed; the base's own if left out, 1 switches guidance off."""
    sampler: Sampler = "dpm++"
    upscale: bool = True
    """Enlarge with the base's own upscaler, if it has one: `mini` samples at 128 px and hands over 512 px."""
    batch_size: int = Field(8, ge=1, le=256)
    """Pictures sampled at once; halved when memory runs out."""
    mixed_precision: Precision = "auto"
    device: str = "auto"
    output_dir: Path | None = None
    """Where the pictures go; `pictures/` under artlab's home if left out."""

    @field_validator("prompt")
    @classmethod
    def _sane_prompts(cls, prompts: tuple[str, ...]) -> tuple[str, ...]:
        for prompt in prompts:
            if len(prompt) > 4000:
                raise ValueError(
                    f"the prompt “{prompt[:40]}…” has {len(prompt):,} characters ({len(prompt.split()):,} words); shorten it to 4,000 characters "
                    "(a base reads 20-60 words, the rest is lost)"
                )
        return prompts


class Portfolio(Settings):
    """Look at a portfolio before training: what artlab sees, marks and would feed to the model."""

    action: tyro.conf.Positional[Literal["check", "preview", "draw"]] = "check"
    """`check` lists works, captions and marks; `preview` makes a contact sheet; `draw` has artlab draw one."""
    source: tyro.conf.Positional[str] = ""
    """Folder, ZIP or `drawn:NAME`; for `draw` the name of a drawn artist."""
    output: Path | None = None
    """File of the contact sheet, or folder of the drawn works."""
    count: int = Field(24, ge=1, le=1000)
    """Works to draw."""
    seed: int = Field(0, ge=0)
    random_flip: bool = False
    crop_scale_min: float = Field(0.7, gt=0, le=1)


class Recipe(Settings):
    """Read back how a picture was made, from the picture itself."""

    picture: tyro.conf.Positional[Path]
    """A PNG made by artlab, or by another tool that writes `parameters`."""


class Demo(Settings):
    """The whole way on one page: portfolio, curation, training, pictures. Opens nothing, sends nothing."""

    portfolio: tyro.conf.Positional[str] = ""
    """Folder or ZIP of works; a drawn artist if left out."""
    base: str = "mini"
    max_train_steps: Annotated[int | None, alias("steps")] = Field(None, ge=1)
    output_dir: Path | None = None
    seed: int = Field(0, ge=0)
    device: str = "auto"
