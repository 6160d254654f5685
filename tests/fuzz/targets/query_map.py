from pathlib import Path

from harness.collections.view import load
from harness.submissions.submitted_files import read_query_map

SUFFIX = ".tsv"


def read(path: Path) -> None:
    owners = read_query_map(path, {"ar": load("xdr-mini/ar")})
    assert all(part == "ar" for part, _ in owners.values())
