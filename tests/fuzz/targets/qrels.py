from pathlib import Path

from harness.collections.formats.qrels import read_qrels

SUFFIX = ".txt"


def read(path: Path) -> None:
    assert all(isinstance(relevance, int) for _, _, relevance in read_qrels(path))
