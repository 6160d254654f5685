"""Fuzz all readers in turn and print a table.

python -m tests.fuzz --seconds 60 [--targets run card] [--json FILE] [--findings DIR]
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

from .contract import TARGETS, seeds

INPUT_SECONDS = 10
MEMORY_MIB = 2048
INPUT_BYTES = 1 << 14


class Result(NamedTuple):
    """What one target did. ``outcome``: "held", or what libFuzzer or Python said about the input that broke it."""

    target: str
    seconds: int
    executions: int
    slowest_seconds: int
    peak_mib: int
    outcome: str


def fuzz(name: str, seconds: int, findings: Path) -> Result:
    with tempfile.TemporaryDirectory(prefix="xdr-fuzz-") as work:
        corpus, folder = Path(work) / "corpus", Path(work) / "input"
        folder.mkdir()
        corpus.mkdir()
        for seed in seeds(name):
            shutil.copy(seed, corpus)
        options = [
            f"-max_total_time={seconds}",
            f"-timeout={INPUT_SECONDS}",
            f"-rss_limit_mb={MEMORY_MIB}",
            f"-max_len={INPUT_BYTES}",
            f"-artifact_prefix={findings}/{name}-",
            "-print_final_stats=1",
        ]
        command = [sys.executable, "-m", "tests.fuzz.one", name, str(folder), *options, str(corpus)]
        done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
    said = done.stderr + done.stdout
    numbers = {key: int(value) for key, value in re.findall(r"^stat::(\w+):\s+(\d+)", said, re.MULTILINE)}
    total = re.search(r"^Done \d+ runs in (\d+) second", said, re.MULTILINE)
    outcome = "held"
    if done.returncode != 0:
        (findings / f"{name}.log").write_text(said)
        causes = re.findall(r"^(\w*(?:Error|Exception)\b.*|.*ERROR: libFuzzer: .*)$", said, re.MULTILINE)
        outcome = causes[0][:120] if causes else f"ended with {done.returncode}"
    return Result(
        target=name,
        seconds=int(total[1]) if total else 0,
        executions=numbers.get("number_of_executed_units", 0),
        slowest_seconds=numbers.get("slowest_unit_time_sec", 0),
        peak_mib=numbers.get("peak_rss_mb", 0),
        outcome=outcome,
    )


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--seconds", type=int, default=60, help="for each target")
    parser.add_argument("--targets", nargs="+", choices=TARGETS, default=TARGETS, metavar="TARGET")
    parser.add_argument("--json", type=Path, help="add the results to this file")
    parser.add_argument("--findings", type=Path, default=Path("fuzz-findings"), help="for inputs that broke a reader")
    arguments = parser.parse_args()
    arguments.findings.mkdir(exist_ok=True)
    os.nice(10)
    print(f"{'reader':<12} {'seconds':>8} {'executions':>11} {'slowest s':>9} {'peak MiB':>9}  outcome")
    results = []
    for name in arguments.targets:
        result = fuzz(name, arguments.seconds, arguments.findings.resolve())
        results.append(result)
        print("{:<12} {:>8} {:>11,} {:>9} {:>9}  {}".format(*result), flush=True)
        if arguments.json:
            earlier = json.loads(arguments.json.read_text()) if arguments.json.exists() else []
            arguments.json.write_text(json.dumps([*earlier, result._asdict()], indent=1) + "\n")
    print(f"total {sum(r.seconds for r in results)} s, {sum(r.executions for r in results):,} executions")
    return 1 if any(result.outcome != "held" for result in results) else 0


if __name__ == "__main__":
    sys.exit(main())
