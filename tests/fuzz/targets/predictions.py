from pathlib import Path

from harness.records import Query
from harness.runs.xor_retrieve import read_predictions

SUFFIX = ".json"


def read(path: Path) -> None:
    read_predictions(path, [Query("q1", "?", "ar", "q1"), Query("q2", "?", "fi", "q2")])
