from pathlib import Path

from harness.recipes.overlap import read_questions

SUFFIX = ".jsonl"


def read(path: Path) -> None:
    assert all(isinstance(text, str) for _, text in read_questions(path))
