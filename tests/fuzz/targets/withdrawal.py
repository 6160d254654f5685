from pathlib import Path

from harness.runs.withdrawal import read_withdrawal

SUFFIX = "withdrawn.toml"


def read(path: Path) -> None:
    assert read_withdrawal(path.parent) is not None
