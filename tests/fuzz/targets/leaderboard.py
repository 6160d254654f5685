from pathlib import Path

from harness.leaderboard.table import read_leaderboard

SUFFIX = "leaderboard.json"


def read(path: Path) -> None:
    read_leaderboard(path.parent)
