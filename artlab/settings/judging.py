"""Settings of the verb that judges a style."""

from pathlib import Path
from typing import Annotated

import tyro
from pydantic import Field

from artlab.settings.shared import Settings, alias


class Evaluate(Settings):
    """Judge a style: did it learn her voice, does it copy her works, does it still follow the prompt? One page and `report.json`.

    Pictures are made with the style and, as control, with the bare base, at the same prompts and seeds; or `--pictures FOLDER` is judged.
    """

    style: tyro.conf.Positional[str] = ""
    """Style by name or folder; left out when a folder of pictures is judged."""
    portfolio: str = ""
    """Folder, ZIP or `drawn:NAME` that it was taught on; found by itself where the training was on this machine."""
    pictures: Path | None = None
    """Folder, ZIP or `drawn:NAME` of finished pictures to judge in place of new ones."""
    control: Path | None = None
    """With `--pictures`: pictures to compare them with, such as the bare base's; folder, ZIP or `drawn:NAME`."""
    others: tuple[str, ...] = ()
    """Portfolios that the critic tells her apart from; the other drawn artists if left out."""
    prompt: Annotated[tuple[str, ...], alias("prompts")] = ()
    """Prompts to judge by; captions of the portfolio if left out, those of held-out works first."""
    count: int = Field(48, ge=8, le=1000)
    """Pictures made with the style, and as many with the base."""
    base_control: bool = True
    """Make the control with the bare base; without it, how far the style went cannot be said."""
    curve: bool = True
    """Also judge the checkpoints that the training kept, if it was on this machine."""
    curve_count: int = Field(12, ge=8, le=200)
    """Pictures made with each checkpoint."""
    extractor: tuple[str, ...] = ()
    """Further networks to take distances with: `inception` for FID, `clip:ID` for CLIP score, `dinov2:ID`."""
    num_inference_steps: Annotated[int, alias("steps")] = Field(20, ge=1, le=1000)
    guidance_scale: Annotated[float | None, alias("cfg_scale")] = Field(None, ge=0, le=50)
    """How strictly the prompt is followed; the base's own if left out."""
    batch_size: int = Field(8, ge=1, le=256)
    output_dir: Path | None = None
    """Folder of the report; `evaluations/` under artlab's home if left out."""
    seed: int = Field(0, ge=0, lt=2**63)
    device: str = "auto"
