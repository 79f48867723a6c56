"""`python -m artlab.finetune ...` is `artlab finetune ...`."""

import sys

if __name__ == "__main__":
    from artlab import cli

    sys.exit(cli.run_verb("finetune", sys.argv[1:]))
