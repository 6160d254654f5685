from pathlib import Path

from harness.submissions.reproductions import read_reproduction

SUFFIX = ".yaml"


def read(path: Path) -> None:
    assert read_reproduction(path).platform_in_words
