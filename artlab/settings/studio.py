"""Settings of the verbs that the studio's page asks for."""

from pathlib import Path

import tyro

from artlab.settings.shared import Settings


class Intake(Settings):
    """Take in what an artist uploaded: open every work safely, mark what she should look at, note it all in `portfolio.json`."""

    folder: tyro.conf.Positional[Path]
    """A portfolio's folder, with the uploaded files in `uploads/`."""
    name: str = "portfolio"
    """Name of the portfolio; the trigger word is made from it."""
