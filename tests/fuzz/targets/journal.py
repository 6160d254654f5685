from pathlib import Path

from harness.runs.journal import Journal

SUFFIX = ".jsonl"


def read(path: Path) -> None:
    with Journal(path) as journal:
        for ranking in journal.read():
            assert ranking.query_id is not None
