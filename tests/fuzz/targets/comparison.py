from pathlib import Path

from harness.compare.records import read_comparison, write_comparison

SUFFIX = ".json"


def read(path: Path) -> None:
    comparison = read_comparison(path)
    write_comparison(path, comparison)
    assert read_comparison(path) == comparison
