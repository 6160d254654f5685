"""Run the benchmarks of dense retrieval beside their peers, one after the other, and keep their rows for docs/scale.md.

python benchmarks/dense_speed.py --json speed.json [--stored 1024000] [--passages 64] [--questions 256]
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path

import encoding
import store
from figures import measured_on
from table import Row, print_table

from harness.compute.platform import library_versions


def measured(sizes: argparse.Namespace) -> list[dict[str, object]]:
    """Every row with the load average of the machine when its benchmark ended."""
    benchmarks: tuple[Callable[[], list[Row]], ...] = (
        lambda: store.rows(sizes.stored, 5, sizes.folder),
        lambda: encoding.rows(sizes.passages, sizes.questions),
    )
    kept: list[dict[str, object]] = []
    for benchmark in benchmarks:
        rows = benchmark()
        print_table(rows)
        sys.stdout.flush()
        kept += [row._asdict() | {"load": os.getloadavg()[0]} for row in rows]
    return kept


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, required=True, help="where the rows go")
    parser.add_argument("--stored", type=int, default=1_024_000, help="passages of the store")
    parser.add_argument("--passages", type=int, default=64, help="passages to encode")
    parser.add_argument("--questions", type=int, default=256, help="questions to encode")
    parser.add_argument("--folder", type=Path, default=None, help="where to write; default: a temporary folder")
    arguments = parser.parse_args()
    libraries = library_versions(("numpy", "torch", "faiss-cpu", "sentence-transformers", "transformers"))
    result = {"rows": measured(arguments), "measured": measured_on(), "libraries": libraries}
    arguments.json.write_text(json.dumps(result, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
