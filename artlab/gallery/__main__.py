"""`python -m artlab.gallery` is `artlab gallery`."""

import sys

if __name__ == "__main__":
    from artlab import cli

    sys.exit(cli.run_verb("gallery", sys.argv[1:]))
