"""`python -m artlab.evaluate ...` is `artlab evaluate ...`."""

import sys

if __name__ == "__main__":
    from artlab import cli

    sys.exit(cli.run_verb("evaluate", sys.argv[1:]))
