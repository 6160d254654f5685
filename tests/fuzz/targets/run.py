from pathlib import Path

from harness.runs.trec import Expected, read_run

SUFFIX = ".trec"


def read(path: Path) -> None:
    read_run(path, Expected(["q1", "q2"], {"d1", "d2", "d3"}, 3))
