"""Settings of the verb that makes pictures by the hundred."""

from typing import Annotated, Literal

import tyro
from pydantic import Field

from artlab.settings.shared import Precision, Settings, alias


class Gallery(Settings):
    """Make a gallery from a plan: hundreds of pictures, resumable, the same on one machine or a cluster."""

    plan: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="PLAN")]
    """A plan (YAML), the name of one that ships (`portfolio`, `grid`, `journey`), or a text file of kohya prompt lines."""
    variables: Annotated[tuple[str, ...], alias("set")] = ()
    """Values for the plan's variables: `--set style=wren weight=0.8`."""
    output_dir: str | None = None
    """Folder or fsspec address (`s3://bucket/folder`) of the gallery; `galleries/` under artlab's home if left out."""
    engine: Literal["local", "ray"] = "local"
    """`local` starts worker processes here; `ray` uses actors (needs the extra `artlab[cluster]`)."""
    address: str | None = None
    """Address of a running Ray cluster; a small one is started on this machine if left out."""
    workers: int | None = Field(None, ge=0, le=4096)
    """Workers; one a GPU, or one a processor core, if left out. 0 makes everything in this process."""
    devices: tuple[str, ...] = ("auto",)
    """Devices of the local workers: `cuda:0 cuda:1`, `cpu`."""
    batch_size: int | None = Field(None, ge=1, le=256)
    """Pictures given to a worker at once; found by memory if left out. No picture on a CPU depends on it."""
    mixed_precision: Precision = "auto"
    limit: int | None = Field(None, ge=1)
    """Make no more than this many of the missing pictures, in the plan's order."""
    dry_run: bool = False
    """Say how many pictures it would make, how long that takes and how much space they need, then stop."""
    scores: bool = True
    """Measure each picture: agreement with its prompt, nearness to its style, and whether it copies one of the style's works."""
    works: tuple[str, ...] = ()
    """Where a style's works are, for its figures: `--works wren=my-works`; its card's portfolio if left out, where it names one."""
    watermark: bool = True
    """Mark the pixels invisibly as made by a model; the mark outlives JPEG and resizing."""
    c2pa: bool = False
    """Also write copies with a signed C2PA manifest (needs the extra `artlab[c2pa]`)."""
    archive: bool = False
    """Also write one ZIP with the pictures, the manifest and a note on the licence."""
    patience: float = Field(3600.0, ge=0)
    """Seconds to wait for space when the disk is full."""
