"""Settings of the verbs that make a picture from a picture: another style, a larger size."""

from pathlib import Path
from typing import Annotated, Literal

import tyro
from pydantic import Field

from artlab.settings.shared import Precision, Settings, alias


class Transfer(Settings):
    """Bring a picture into a style: of one or several pictures, a portfolio, or a trained style."""

    content: tyro.conf.Positional[Path]
    """The picture: JPEG, PNG, WebP, TIFF, HEIC, AVIF or GIF."""
    style: tuple[str, ...] = ()
    """Pictures, portfolios (folder, ZIP, `drawn:NAME`) or trained styles, each with an optional weight: `--style wren.jpg:2 drawn:vask`."""
    method: Literal["palette", "texture", "attention", "lora"] = "texture"
    """`palette` moves colours only; `texture` brings line and grain; `attention` paints with a base; `lora` with a trained style."""
    strength: Annotated[float | None, alias("denoising_strength")] = Field(None, gt=0, le=1)
    """How far to go; palette 1, the others 0.6 if left out. Above it `texture` lets colours and paper go, too."""
    palette: bool = True
    """Bring the colours over first, whatever the method."""
    brush: float = Field(1.0, ge=0.25, le=4)
    """Size of the style's strokes in `texture`: 2 doubles it."""
    mask: Path | None = None
    """A picture of the content's size: white where the style goes, black where the content stays."""
    size: int | None = Field(None, ge=16, le=4096)
    """Longer side of the result; the content's own if left out."""
    works: int = Field(6, ge=1, le=64)
    """Works taken from a portfolio: those that are most like the content."""
    prompt: str = ""
    """What the picture shows, for `attention` and `lora`. Without it `lora` takes the words that the picture was made from, if it tells them."""
    base: Annotated[str | None, alias("pretrained_model_name_or_path")] = None
    """Base model for `attention` and `lora`; the style's own if left out, else `mini`."""
    num_inference_steps: Annotated[int, alias("steps")] = Field(20, ge=1, le=1000)
    guidance_scale: Annotated[float | None, alias("cfg_scale")] = Field(None, ge=0, le=50)
    """How strictly `lora` follows the prompt; the base's own if left out."""
    seed: int = Field(0, ge=0, lt=2**63)
    mixed_precision: Precision = "auto"
    device: str = "auto"
    output_dir: Path | None = None
    """Where the picture goes; `pictures/` under artlab's home if left out."""


class Enlarge(Settings):
    """Make a small picture large, in the brushwork of an artist's own works."""

    picture: tyro.conf.Positional[Path]
    """The picture, best 128 to 512 pixels."""
    portfolio: str = ""
    """Works whose brushwork it gets: folder, ZIP or `drawn:NAME`, two works or more."""
    method: Literal["brushwork", "plain", "learned"] = "brushwork"
    """`brushwork` takes detail from the works; `learned` uses the base's own upscaler, `plain` Lanczos and sharpening; both need no works."""
    size: int = Field(1024, ge=64, le=4096)
    """Longer side of the result."""
    brush: float = Field(1.0, ge=0.25, le=4)
    """Size of the strokes: 1 is a pixel of a work for a pixel of the result."""
    strength: float = Field(1.0, ge=0, le=2)
    """How much of the detail is laid on."""
    works: int = Field(6, ge=1, le=24)
    """Works taken from the portfolio: those that are most like the picture."""
    seed: int = Field(0, ge=0, lt=2**63)
    output_dir: Path | None = None
    """Where the picture goes; `pictures/` under artlab's home if left out."""
