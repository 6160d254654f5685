"""Measure the speed of the evaluator beside that of its peers and print one table.

python benchmarks/speed.py [--scale 0.1] [--only ranking_measures run_reading]

The peers are the extra ``bench``: pip install --constraint constraints.txt --editable ".[bench]"
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import os
import platform
import sys

# One thread for each matrix product: the parallel work is ours to share out.
os.environ.setdefault("OMP_NUM_THREADS", "1")

from table import Row, print_table

from harness.compute.platform import cpu_model, library_versions

SIZES = {
    "token_recall": {"queries": 2_110},
    "ranking_measures": {"queries": 10_000},
    "randomization": {"resamples": 100_000, "flips": 10_000},
    "run_reading": {"lines": 10_000_000},
}
PACKAGES = ("xdr-bench", "numpy", "scipy", "pyarrow", "nltk", "ir-measures", "pytrec-eval-terrier", "ranx", "numba")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scale", type=float, default=1.0, help="share of the queries, resamples and lines")
    parser.add_argument("--only", nargs="+", choices=SIZES, default=list(SIZES))
    arguments = parser.parse_args()
    rows: list[Row] = []
    for name in arguments.only:
        if importlib.util.find_spec(name) is None:
            print(f"{name}: no such benchmark here", file=sys.stderr)
            continue
        print(f"{name} ...", file=sys.stderr, flush=True)
        sizes = {key: max(1_000, int(size * arguments.scale)) for key, size in SIZES[name].items()}
        rows += importlib.import_module(name).rows(**sizes)
    print_table(rows)
    versions = ", ".join(f"{name} {version}" for name, version in library_versions(PACKAGES).items())
    print(f"\n{cpu_model()}, {os.cpu_count()} cores; Python {platform.python_version()}; {versions}.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
