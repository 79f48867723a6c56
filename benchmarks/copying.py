"""Is a copier caught, and a good style not? Two styles of one drawn artist, judged by the same command.

python benchmarks/copying.py [--artist vask] [--steps 400] [--count 32] [--works 5]

The copier learns five works by heart (far too many steps, all of the weights' freedom, no crops); the other learns 24 works for as
long as it needs. Prints what the report says of each, and exits with 1 when the first is not caught or the second is.
"""

import argparse
import sys
from typing import Any

from artlab import sources
from artlab.evaluate import evaluate
from artlab.finetune import finetune
from artlab.settings import Evaluate, Finetune


def main() -> int:
    """Teach both, judge both; the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--artist", default="vask")
    parser.add_argument("--steps", type=int, default=400)
    parser.add_argument("--count", type=int, default=32)
    parser.add_argument("--works", type=int, default=5, help="the copier's")
    parser.add_argument("--base", default="mini")
    asked = parser.parse_args()
    few = str(sources.resolve(sources.DRAWN + asked.artist, count=asked.works, seed=1))
    copier: dict[str, Any] = {
        "portfolio": few, "name": "copier", "rank": 64, "learning_rate": 2e-3, "lora_targets": "all-linear", "crop_scale_min": 1.0,
        "views": 1, "validation_split": 0.0, "early_stopping_patience": 0, "caption_dropout": 0.0, "max_train_steps": 4 * asked.steps,
    }  # fmt: skip
    good: dict[str, Any] = {"portfolio": sources.DRAWN + asked.artist, "name": "learner", "max_train_steps": asked.steps}
    caught = {str(wanted["name"]): _judge(wanted, asked) for wanted in (copier, good)}
    return 0 if caught == {"copier": True, "learner": False} else 1


def _judge(wanted: dict[str, Any], asked: argparse.Namespace) -> bool:
    taught = finetune(Finetune(base=asked.base, **wanted))
    found = evaluate(Evaluate(style=taught.name, portfolio=wanted["portfolio"], count=asked.count, curve=False))
    said = found.numbers["copying"]["sets"]["style"]
    print(
        f"{taught.name}: {said['flagged']} of {said['n']} pictures repeat a work, AuthPct {said['auth_pct']:.0f}. {found.verdict[1]}"
    )
    return bool(said["surely"])


if __name__ == "__main__":
    sys.exit(main())
