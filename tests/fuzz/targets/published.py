from pathlib import Path

from harness.leaderboard.published import audit, read_source

SUFFIX = ".toml"


def read(path: Path) -> None:
    audit(read_source(path))
