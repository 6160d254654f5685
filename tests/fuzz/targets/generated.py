from pathlib import Path

from harness.recipes.generate.texts import Choice, by_document, read_generated

SUFFIX = ".jsonl"


def read(path: Path) -> None:
    by_document(read_generated(path), Choice((), 2, shuffled=True), ["d1", "d2"])
