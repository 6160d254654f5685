from pathlib import Path

from harness.collections.paws_x import make_task, read_rows
from harness.collections.view import Docs, digest_of_records

SUFFIX = ".tsv"


def read(path: Path) -> None:
    rows = read_rows(path.read_bytes(), path.name)
    task = make_task(rows, rows, "de")
    assert len(Docs(task.docs).digest) == 64
    for records in (task.queries, task.qrels):
        digest_of_records(records)
