import shutil
from pathlib import Path

from harness.collections.formats.passage_files import DprTsv, JsonLines
from harness.collections.storage.docstore import open_docs

SUFFIX = ".passages"


def read(path: Path) -> None:
    """Passages of a large collection: JSON lines where the first line is an object, else DPR's TSV."""
    form = JsonLines() if path.read_bytes().startswith(b"{") else DprTsv()
    index = path.with_name("index")
    shutil.rmtree(index, ignore_errors=True)
    docs = open_docs(path, form, index)
    assert len(docs.digest) == 64
    assert len(list(docs)) == len(docs)
