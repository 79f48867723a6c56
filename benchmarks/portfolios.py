"""Real portfolios judged: base, style, held-out works and another artist, a table for all of them.

python benchmarks/portfolios.py FOLDER... [--steps 300] [--count 40] > table.md

Each portfolio is taught on the embedded base and judged against its held-out works, the critic telling it from the other portfolios named.
What is done is not done again: the same command goes on after an interruption.
"""

import argparse
import sys
from pathlib import Path
from typing import Any

from artlab.evaluate import evaluate
from artlab.finetune import finetune
from artlab.settings import Evaluate, Finetune

NAMES = {"base": "bare base", "style": "**style**", "held": "held-out works", "other": "another artist"}
HEAD = (
    "portfolio",
    "set",
    "n",
    "nearness [style]",
    "KID [effnet-lite0]",
    "palette distance",
    "critic says “hers”",
    "repeat a work",
)


def main() -> None:
    """Teach and judge every portfolio, then print the tables as Markdown."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("portfolios", nargs="+", type=Path)
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--count", type=int, default=40)
    parser.add_argument("--base", default="mini")
    asked = parser.parse_args()
    found = [_judge(folder, asked) for folder in asked.portfolios]
    print(_line(HEAD), _line(["---"] * len(HEAD)), sep="\n")
    for numbers in found:
        for row in numbers["table"]:
            print(_line(_cells(numbers, row)))
    print()
    for numbers in found:
        print(f"- {numbers['subject']['name']}: {' '.join(numbers['verdict'])} Critic's F1 {_f1(numbers)}.")


def _judge(folder: Path, asked: argparse.Namespace) -> dict[str, Any]:
    name = f"{folder.name} {asked.steps}"
    finetune(Finetune(portfolio=str(folder), name=name, base=asked.base, max_train_steps=asked.steps))
    others = tuple(str(other) for other in asked.portfolios if other != folder)
    wanted = Evaluate(style=name, portfolio=str(folder), others=others, count=asked.count)
    result = evaluate(wanted)
    print(f"{folder.name}: {result.path}", file=sys.stderr)
    return result.numbers


def _cells(numbers: dict[str, Any], row: dict[str, Any]) -> list[str]:
    share = [f"{row[key]:.0%}" if row[key] is not None else "–" for key in ("critic", "flagged")]
    who = NAMES[row["set"]] + (f" ({row['who']})" if row["who"] else "")
    figures = [f"{row[key]:.3f}" if row[key] is not None else "–" for key in ("nearness", "kid", "palette")]
    return [numbers["subject"]["portfolio"], who, str(row["n"]), *figures, *share]


def _f1(numbers: dict[str, Any]) -> str:
    critic = numbers["critic"]
    return (
        critic.get("refused")
        or f"{critic['f1']:.2f} ({critic['interval'][0]:.2f} to {critic['interval'][1]:.2f}), n = {critic['n']}"
    )


def _line(cells: Any) -> str:
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    main()
