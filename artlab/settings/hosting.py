"""Settings of the studio: where the page is found and how much works behind it."""

from typing import Annotated

import tyro
from pydantic import Field

from artlab.settings.shared import Settings


class Studio(Settings):
    """Open the studio in the browser: a page for the artists, and a worker that does what they ask for."""

    host: str = "127.0.0.1"
    """Address to listen on. The default is this machine alone; anything else opens the studio to the network."""
    port: Annotated[int, tyro.conf.arg(aliases=["-p"])] = Field(7860, ge=0, le=65535)
    """Port to listen on; the next free one if it is taken, 0 for any."""
    hostname: tuple[str, ...] = ()
    """Further names under which browsers may ask for the page, as behind a proxy; others are refused (DNS rebinding)."""
    root_path: str = Field("", pattern="^(/[A-Za-z0-9._-]+)*$")
    """Path under which a proxy serves the studio, for instance `/artlab`."""
    open_browser: bool = False
    """Open the page in the browser of this machine."""
    devices: tuple[str, ...] = ("auto",)
    """A worker for each, one job at a time: `cuda:0 cuda:1`, `cpu`. The page alone if left empty: `--devices`."""
    open_accounts: bool | None = None
    """Whether artists may make accounts by themselves; if left out, only on a studio of this machine alone. The first always may."""
