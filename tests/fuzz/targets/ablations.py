from pathlib import Path

from harness.compare.ablations import read_ablations

SUFFIX = "ablations.json"


def read(path: Path) -> None:
    assert read_ablations(path) is not None
