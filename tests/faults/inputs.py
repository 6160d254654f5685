"""Give every hostile input to its reader, in a process of its own, and measure what it takes.

python -m tests.faults.inputs [--json FILE]
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from ..fuzz import contract
from .hostile import INPUTS, MEMORY_BYTES, SECONDS, Hostile


class Measured(NamedTuple):
    """One input: the size of its file, and what reading it took. ``outcome``: "refused", or what happened instead."""

    name: str
    target: str
    file_bytes: int
    seconds: float
    peak_mib: int
    outcome: str


def measure(attack: Hostile, folder: Path) -> Measured:
    target = contract.load(attack.target)
    path = contract.place(target, folder)
    _in_child(lambda: path.write_bytes(attack.data()))
    # A reader may take the file away.
    size = path.stat().st_size
    begun = time.monotonic()
    status, peak = _in_child(lambda: _read(attack, path))
    seconds = time.monotonic() - begun
    told = {0: "accepted", 1: "refused", 70: "traceback"}
    outcome = told.get(status, f"ended with {status}")
    return Measured(attack.name, attack.target, size, round(seconds, 2), peak >> 20, outcome)


def _read(attack: Hostile, path: Path) -> None:
    from harness.errors import XdrError

    try:
        contract.load(attack.target).read(path)
    except XdrError:
        os._exit(1)


def _in_child(work: Callable[[], object]) -> tuple[int, int]:
    """Exit status and peak memory in bytes of a child that may take ``SECONDS`` and ``MEMORY_BYTES`` of address space."""
    child = os.fork()
    if child == 0:
        try:
            signal.alarm(SECONDS)
            # Libraries map more than they use; what was used is measured and held against the bound by itself.
            resource.setrlimit(resource.RLIMIT_AS, (2 * MEMORY_BYTES, 2 * MEMORY_BYTES))
            work()
        except BaseException:
            traceback.print_exc()
            os._exit(70)
        os._exit(0)
    _, status, usage = os.wait4(child, 0)
    return os.waitstatus_to_exitcode(status), usage.ru_maxrss * 1024


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.faults.inputs", description=__doc__)
    parser.add_argument("--json", type=Path, help="write the results there, too")
    arguments = parser.parse_args()
    results = []
    with tempfile.TemporaryDirectory(prefix="xdr-hostile-") as folder:
        for attack in INPUTS:
            result = measure(attack, Path(folder))
            if result.peak_mib > MEMORY_BYTES >> 20:
                result = result._replace(outcome="more memory than the bound")
            results.append(result)
            print("{:<12} {:<45} {:>11,} bytes {:>7.2f} s {:>6,} MiB  {}".format(*_row(result)), flush=True)
    if arguments.json:
        arguments.json.write_text(json.dumps([result._asdict() for result in results], indent=1) + "\n")
    return 1 if any(result.outcome != "refused" for result in results) else 0


def _row(result: Measured) -> tuple[object, ...]:
    return (result.target, result.name, result.file_bytes, result.seconds, result.peak_mib, result.outcome)


if __name__ == "__main__":
    sys.exit(main())
