"""`python -m artlab.gallery` is `artlab gallery`."""

import sys

from artlab import cli

if __name__ == "__main__":
    sys.exit(cli.run_verb("gallery", sys.argv[1:]))
