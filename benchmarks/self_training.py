"""Self-training rounds of a static encoder on xdr-mini's recorded questions, their controls, and the page of both.

python benchmarks/self_training.py --work WORK [--seeds 1 2 3] [--steps 100]
    [--languages fi ja] [--output docs/mining-recipes.md]

Needs the extra ``train`` and the data of the recipe mini-xdr. WORK keeps recipes, rows, models and training records, and
``figures.json``; the same command goes on from there. ``--figures FILE`` writes the page again from these figures.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

from self_training_page import page
from training_rounds.self_training import Study, measured
from training_rounds.training import LANGUAGES, Budget

from harness.errors import WrongUsage, XdrError
from harness.files.writing import write_text
from harness.progress import LogProgress


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, help="folder of all that is made")
    parser.add_argument("--seeds", type=int, nargs="*", default=[1, 2, 3], help="none: only labels are judged")
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--learning-rate", type=float, default=0.02)
    parser.add_argument("--languages", nargs="+", choices=LANGUAGES, default=LANGUAGES)
    parser.add_argument("--figures", type=Path, help="train nothing: take the figures from there")
    parser.add_argument("--output", type=Path, default=Path("docs/mining-recipes.md"))
    arguments = parser.parse_args()
    try:
        write_text(arguments.output, page(_figures(arguments)))
    except XdrError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


def _figures(arguments: argparse.Namespace) -> dict[str, Any]:
    if arguments.figures:
        found: dict[str, Any] = json.loads(arguments.figures.read_text("utf-8"))
        return found
    if arguments.work is None:
        raise WrongUsage("say where models and rows are to be kept: --work DIR")
    if len(set(arguments.seeds)) < len(arguments.seeds):
        raise WrongUsage("a seed is given twice")
    budget = Budget(arguments.steps, arguments.learning_rate, languages=tuple(arguments.languages))
    figures = measured(
        Study(arguments.work, budget, arguments.seeds), LogProgress(lambda line: print(line, flush=True))
    )
    text = json.dumps(figures, indent=1) + "\n"
    write_text(arguments.work / "figures.json", text)
    # As it will be read again: tuples are lists there.
    again: dict[str, Any] = json.loads(text)
    return again


if __name__ == "__main__":
    sys.exit(main())
