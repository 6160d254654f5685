from pathlib import Path

from harness.collections.formats.squad import read_squad
from harness.collections.view import Docs, digest_of_records

SUFFIX = ".json"


def read(path: Path) -> None:
    content = read_squad(path, "ar")
    assert len(Docs(content.docs).digest) == 64
    for records in (content.queries, content.qrels, content.answers):
        digest_of_records(records)
