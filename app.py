"""The studio in the browser: `python app.py` is `make app` is `artlab studio`, with the same flags."""

import sys

from artlab.cli import run_verb

if __name__ == "__main__":
    sys.exit(run_verb("studio", sys.argv[1:]))
