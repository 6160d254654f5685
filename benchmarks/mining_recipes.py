"""Train and judge recipes of published kinds on a static encoder, and write the page of all of them.

python benchmarks/mining_recipes.py STUDY --work WORK [--seeds 1 2 3] [--languages fi ja] [--steps N] [--reader DIR]
python benchmarks/mining_recipes.py page --work WORK [--output docs/mining-recipes.md]

STUDY is one of self-training, mining, batches, alignment and label-efficiency. Needs the extra ``train`` and the data of the
recipe mini-xdr and of XQuAD. WORK keeps recipes, rows, models and training records, so that the same command goes on from
there, and in WORK/figures the figures of each study, of which the page is written.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

from training_rounds.judging import Study
from training_rounds.pages import STUDIES, page
from training_rounds.training import Budget

from harness.errors import WrongUsage, XdrError, unknown_name
from harness.files.writing import write_text
from harness.progress import LogProgress

# The learning rate of 0.05 is that of the start's own last stage.
BUDGETS = {
    "self-training": Budget(0.05, steps=60),
    "mining": Budget(0.05, steps=60),
    "batches": Budget(0.05, epochs=1),
    "alignment": Budget(0.05, steps=60),
    "label-efficiency": Budget(0.05, steps=60),
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("study", choices=[*STUDIES, "page"])
    parser.add_argument("--work", type=Path, required=True, help="folder of all that is made")
    parser.add_argument("--seeds", type=int, nargs="*", default=[1, 2, 3], help="none: nothing is trained")
    parser.add_argument("--steps", type=int, help="default: the study's own, or as many as its epochs have")
    parser.add_argument("--languages", nargs="+", help="default: all of the study")
    parser.add_argument(
        "--reader", type=Path, help="mining: a folder with a question-answering model that labels as well"
    )
    parser.add_argument("--output", type=Path, default=Path("docs/mining-recipes.md"))
    arguments = parser.parse_args()
    try:
        if arguments.study == "page":
            write_text(arguments.output, page(_figures(arguments.work)))
        else:
            _measure(arguments)
    except XdrError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


def _measure(arguments: argparse.Namespace) -> None:
    if len(set(arguments.seeds)) < len(arguments.seeds):
        raise WrongUsage("a seed is given twice")
    module = importlib.import_module(f"training_rounds.{arguments.study.replace('-', '_')}")
    languages = tuple(arguments.languages or module.LANGUAGES)
    for lang in languages:
        if lang not in module.LANGUAGES:
            raise unknown_name("language of the study", lang, module.LANGUAGES)
    budget = BUDGETS[arguments.study]
    if arguments.steps is not None:
        budget = replace(budget, steps=arguments.steps, epochs=None)
    work = arguments.work / arguments.study
    began = time.process_time()
    figures = module.measured(
        Study(work, budget, arguments.seeds, languages, arguments.reader),
        LogProgress(lambda line: print(line, flush=True)),
    )
    figures["processor_seconds"] = round(time.process_time() - began)
    write_text(arguments.work / "figures" / f"{arguments.study}.json", json.dumps(figures, indent=1) + "\n")


def _figures(work: Path) -> dict[str, Any]:
    """Of the studies that were measured there."""
    files = {study: work / "figures" / f"{study}.json" for study in STUDIES}
    found = {study: json.loads(file.read_text("utf-8")) for study, file in files.items() if file.is_file()}
    if not found:
        raise WrongUsage(f"{work} has no figures of a study: measure one first")
    return found


if __name__ == "__main__":
    sys.exit(main())
