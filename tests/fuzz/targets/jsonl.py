from pathlib import Path

from harness.collections import folder
from harness.collections.view import Docs, digest_of_records
from harness.errors import XdrError

SUFFIX = ".jsonl"


def read(path: Path) -> None:
    """The same bytes as passages, questions and answers."""
    for parse, name in ((folder._doc, "doc_id"), (folder._query, "query_id"), (folder._answers, "query_id")):
        try:
            records = folder._read_jsonl(path, parse, lambda record, name=name: getattr(record, name))
        except XdrError:
            continue
        digest_of_records(records)
        if parse is folder._doc:
            assert len(Docs(records).digest) == 64
