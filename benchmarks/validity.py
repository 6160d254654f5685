"""Write the validity report: does every test and interval do what it says? All figures come from this one command.

python benchmarks/validity.py [--quick] [--output docs/statistics.md]
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

# Before numpy is loaded: more threads would not change a digit, only make the time depend on the machine.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import scipy
from validity_studies.drops import drops
from validity_studies.hits import coverage_near_the_ends, rare_discordance, what_questions_can_show
from validity_studies.pairs import all_pairs_power, family_wise_error
from validity_studies.tests_and_intervals import STUDIES, Plan, Table

from harness.files.writing import write_text

ALL = (
    family_wise_error,
    all_pairs_power,
    coverage_near_the_ends,
    rare_discordance,
    what_questions_can_show,
    drops,
    *STUDIES,
)
QUICK = Plan(experiments=500, resamples=399, tolerance=0.04)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--quick", action="store_true", help="500 experiments and wide bounds: minutes, not half an hour"
    )
    parser.add_argument("--output", type=Path, default=Path("docs/statistics.md"))
    parser.add_argument(
        "--workers", type=int, default=os.cpu_count() or 1, help="processes, each with a study at a time"
    )
    arguments = parser.parse_args()
    plan = QUICK if arguments.quick else Plan()
    with ProcessPoolExecutor(arguments.workers) as pool:
        tables = list(pool.map(_timed, ALL, [plan] * len(ALL)))
    write_text(arguments.output, report(plan, tables, arguments.quick))
    failed = [claim for table in tables for claim, held in table.claims if not held]
    for claim in failed:
        print(f"does not hold: {claim}", file=sys.stderr)
    return 1 if failed else 0


def _timed(study: Callable[[Plan], Table], plan: Plan) -> Table:
    start = time.perf_counter()
    table = study(plan)
    print(f"{table.title}: {time.perf_counter() - start:.0f} s", file=sys.stderr, flush=True)
    return table


def report(plan: Plan, tables: Sequence[Table], quick: bool) -> str:
    command = "python benchmarks/validity.py" + (" --quick" if quick else "")
    lines = [
        "# Are the statistics valid?",
        "",
        "Measured on made-up scores whose truth is known, with the functions that `xdr compare` uses "
        "(`harness/compare/`). This file is written by",
        "",
        f"    {command}",
        "",
        f"with {plan.experiments:,} experiments in each line unless it says otherwise, {plan.resamples:,} resamples in each "
        f"test and {plan.resamples + 1:,} in each bootstrap, seed {plan.seed}; numpy {np.__version__}, SciPy "
        f"{scipy.__version__}. A rate of 5% has a standard error of "
        f"{100 * np.sqrt(0.05 * 0.95 / plan.experiments):.2f} points.",
        "",
        "The signs and draws come from that one seed in all experiments, as they do in a track; the scores are new each "
        "time. A score is the sum of the topic's difficulty (30% of the variance, the same for both systems), what the "
        "system does on the topic in all languages, on the cluster, and the rest; a hit is a score above a threshold.",
        "",
    ]
    for table in tables:
        lines += [f"## {table.title}", "", table.text, ""]
        lines += [_row(table.header), _row(["---"] * len(table.header)), *map(_row, table.rows), ""]
        if table.claims:
            lines += [*(f"- {'holds' if held else 'DOES NOT HOLD'}: {claim}" for claim, held in table.claims), ""]
    return "\n".join(lines)


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"


if __name__ == "__main__":
    sys.exit(main())
