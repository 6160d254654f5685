from pathlib import Path

from harness.recipes.rows import read_rows

SUFFIX = ".jsonl"


def read(path: Path) -> None:
    read_rows(path, path)
