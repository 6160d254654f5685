"""Write docs/reliability.md from the results of the other commands.

python -m tests.faults.report --faults FILE ... --inputs FILE --fuzzing FILE ... [--output docs/reliability.md]
"""

from __future__ import annotations

import argparse
import datetime
import json
from collections.abc import Iterable, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

from harness.compute.platform import cpu_model, describe
from harness.files.limits import shown
from harness.files.writing import write_text

from .hostile import MEMORY_BYTES, SECONDS
from .place import COMMANDS

Row = dict[str, Any]

HEAD = """# Reliability

What was done to the commands and readers on purpose, how often, and what came of it. The figures on this page were written
by commands, on {date}, with Python {python}, {libraries}; {cpu},
Linux {kernel}, on a machine that was busy with other work. Make them again with

    python -m tests.faults --kills 50 --json faults.json
    python -m tests.faults.inputs --json inputs.json
    python -m tests.fuzz --seconds 150 --json fuzzing.json      # needs the extra `fuzz`
    python -m tests.faults.report --faults faults.json --inputs inputs.json --fuzzing fuzzing.json

## Commands that were disturbed

Each trial starts from a fresh copy of the same state: two systems on two languages of `xdr-mini`. A process that has loaded
the libraries forks the command, so that a kill meets its work. Half of the moments are uniform over the time that the
undisturbed command takes, of which most passes before it writes anything; the other half are uniform between its first file
operation and its end. Further kills fall just before one of its file operations (opening for writing, renaming, removing,
making a folder), none twice before all had their turn. "Begun" counts the kills that found the command's outputs or its
journal already changed.

- **Promise after a kill**: the next run of the command completes, its files equal those of an undisturbed one byte for byte
  (of a run's manifest all but its record of time and memory), and no temporary file is left.
- **Promise after a refusal** (disk full, read-only folder, limit on the size of files): exit 1 with a message that says what
  to do, no traceback; every old file is intact, the parts of a run and its manifest all together; with room again, the command
  completes as if nothing had been. Where what was left sufficed, the command may also succeed.

| command | fault | tried | begun | as promised |
|:---|:---|---:|---:|---:|
"""

TOGETHER = """
Two processes at once (`tests/cli/test_faults.py`): of two `xdr run` with one cache the second says that another is at work and
exits 1; with caches of their own both complete, and the folder holds one of the two runs whole; `xdr score` waits while a run
is being replaced.

## Hostile inputs

Each is given to its reader in a process of its own. All have to end in an error that says what is wrong, within {seconds} s and
{memory}. The bounds themselves, with their reasons, are in `harness/files/limits.py`; memory is highest for a run that is not
in order and has the most lines that are read at all. The table has the {largest} that took most memory, of {count} inputs
({refused} refused with a message); `tests/faults/hostile.py` has all of them.

| input | reader | file | seconds | peak memory |
|:---|:---|---:|---:|---:|
"""

FUZZING = """
## Fuzzing

Coverage-guided (atheris {atheris}, libFuzzer), from the small corpora in `tests/fuzz/corpus`, one target a reader in
`tests/fuzz/targets`, `nice -n 19`. An input that takes more than 10 s or 2 GiB, or ends in anything but a result or an error
that is meant for the user, is a failure. The hypothesis tests in `tests/files/test_hostile_inputs.py` check the
same contract on every `make test`.

| reader | seconds | executions | slowest input, s | peak memory | outcome |
|:---|---:|---:|---:|---:|:---|
"""

MENDED = """
## What was found and fixed

Trials and sessions that ended in the first two are not counted above; all are fixed, and each has a test or an input of its
own. Afterwards the trials of `leaderboard`, all hostile inputs and the fuzzing of `scores` were made again; other commands and
readers stand as measured before, `augmented` and `jsonl` before the last of these changes.

- `leaderboard` after a kill: of the first 75 kills, 22 kept the promise; after the others, and after two of three full disks,
  leaderboard.json and the pages of systems had other bytes, since entries stood in another order where score files were read
  again, not computed (`tests/runs/test_score.py`).
- A score file of 2.6 KB whose row group claims 130,023,356,030 rows took more than 2 GiB; found by fuzzing after 433,957
  executions. What a group claims is now held against the rows of the file before it is read; the input is in
  `tests/fuzz/corpus/scores`.
- A `shards.json` with a path out of its folder: an index could be written beside a file outside
  (`tests/recipes/test_augmented_texts.py`). Half a character in a question of XOR-TyDi, MKQA or ir_datasets, which no page can
  hold (`tests/leaderboard/test_published_rows.py`). Both were found by reading, not by a trial.
"""

LIBRARIES = ("numpy", "pyarrow", "pydantic", "pyyaml")
LARGEST = 12


def write(output: Path, faults: Sequence[Row], inputs: Sequence[Row], fuzzed: Iterable[Row]) -> None:
    machine = describe()
    versions = ", ".join(f"{name} {metadata.version(name)}" for name in LIBRARIES)
    text = HEAD.format(
        date=datetime.datetime.now(datetime.UTC).date(),
        python=machine["software"]["python"],
        libraries=versions,
        cpu=cpu_model(),
        kernel=machine["operating system"]["release"],
    )
    for row in by_fault(faults):
        begun = row["begun"] if row["fault"].startswith("kill") else ""
        text += f"| {row['command']} | {row['fault']} | {row['tried']} | {begun} | {row['good']} |\n"
    refused = sum(row["outcome"] == "refused" for row in inputs)
    text += TOGETHER.format(
        seconds=SECONDS, memory=shown(MEMORY_BYTES), largest=LARGEST, count=len(inputs), refused=refused
    )
    for row in sorted(inputs, key=lambda row: -row["peak_mib"])[:LARGEST]:
        size = f"{row['file_bytes']:,} bytes"
        text += f"| {row['name']} | {row['target']} | {size} | {row['seconds']:.1f} | {row['peak_mib']:,} MiB |\n"
    text += FUZZING.format(atheris=metadata.version("atheris"))
    rows = by_reader(fuzzed)
    for row in rows:
        text += (
            f"| {row['target']} | {row['seconds']:,} | {row['executions']:,} | {row['slowest_seconds']} "
            f"| {row['peak_mib']:,} MiB | {row['outcome']} |\n"
        )
    seconds, executions = (sum(row[name] for row in rows) for name in ("seconds", "executions"))
    text += f"| all | {seconds:,} | {executions:,} | | | |\n"
    text += MENDED
    write_text(output, text)


def by_fault(faults: Iterable[Row]) -> list[Row]:
    """Trials of the same fault with several seeds as one row, in the order in which the commands are listed."""
    found: dict[tuple[str, str], Row] = {}
    for row in faults:
        one = found.setdefault((row["command"], row["fault"]), {**row, "tried": 0, "begun": 0, "good": 0})
        for name in ("tried", "begun", "good"):
            one[name] += row[name]
    order = [command.name for command in COMMANDS]
    return sorted(found.values(), key=lambda row: order.index(row["command"]))


def by_reader(fuzzed: Iterable[Row]) -> list[Row]:
    """Several fuzzing sessions of a reader as one row."""
    found: dict[str, Row] = {}
    for row in fuzzed:
        one = found.setdefault(row["target"], {**row, "seconds": 0, "executions": 0, "outcome": "held"})
        for name in ("seconds", "executions"):
            one[name] += row[name]
        for name in ("slowest_seconds", "peak_mib"):
            one[name] = max(one[name], row[name])
        if row["outcome"] != "held":
            one["outcome"] = row["outcome"]
    return [found[name] for name in sorted(found)]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.faults.report", description=__doc__)
    for name in ("faults", "inputs", "fuzzing"):
        parser.add_argument(f"--{name}", type=Path, nargs="+", required=True)
    parser.add_argument("--output", type=Path, default=Path("docs/reliability.md"))
    arguments = parser.parse_args()
    rows = [
        [row for path in paths for row in json.loads(path.read_text("utf-8"))]
        for paths in (arguments.faults, arguments.inputs, arguments.fuzzing)
    ]
    write(arguments.output, *rows)


if __name__ == "__main__":
    main()
