"""Disturb the commands and say what was found; ``tests.faults.report`` makes a page of it.

python -m tests.faults [--kills 50] [--seed 1] [--commands run score] [--json FILE]
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from pathlib import Path

# Threads of this process would be lost in the children that it forks.
os.environ |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "1"}

from .disturbances import can_mount, kills, refusals
from .place import COMMANDS, Place

_OWN_MOUNTS = "XDR_FAULTS_OWN_MOUNTS"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("--kills", type=int, default=50, help="moments of each command")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--commands", nargs="+", choices=[c.name for c in COMMANDS], default=None)
    parser.add_argument("--json", type=Path, help="write the results there, too")
    arguments = parser.parse_args()
    if can_mount() and _OWN_MOUNTS not in os.environ:
        # Mounts of this process's own vanish with it, however it ends.
        again = ["unshare", "--mount", sys.executable, "-m", "tests.faults", *sys.argv[1:]]
        os.execvpe(again[0], again, {**os.environ, _OWN_MOUNTS: "1"})
    load_libraries()
    results = []
    with tempfile.TemporaryDirectory(prefix="xdr-faults-") as folder:
        commands = [c for c in COMMANDS if not arguments.commands or c.name in arguments.commands]
        place = Place(Path(folder), commands)
        for command in commands:
            for result in (*kills(place, command, arguments.kills, arguments.seed), *refusals(place, command)):
                results.append(result)
                print(f"{result.command}, {result.fault}: {result.good} of {result.tried} as promised", flush=True)
                for failure in result.failures:
                    print(f"  {failure}", flush=True)
    if arguments.json:
        arguments.json.write_text(json.dumps([result._asdict() for result in results], indent=1) + "\n")
    return 1 if any(result.failures for result in results) else 0


def load_libraries() -> None:
    """Import what the commands import, so that children begin with their work; nothing is computed here."""
    import bm25s  # noqa: F401
    import ir_datasets  # noqa: F401
    import ir_measures  # noqa: F401
    import pyarrow.parquet  # noqa: F401

    import systems.bm25
    import systems.dummy  # noqa: F401


if __name__ == "__main__":
    sys.exit(main())
