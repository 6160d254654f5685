from pathlib import Path

from harness.leaderboard import read_leaderboard

SUFFIX = "leaderboard.json"


def read(path: Path) -> None:
    read_leaderboard(path.parent)
