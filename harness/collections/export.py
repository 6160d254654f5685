"""A collection as a folder of plain files: what `folder:PATH` reads, and what other tools can."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path

from harness.collections.view import Collection, load
from harness.files.writing import atomic_write


def export_collection(dataset_id: str, folder: Path) -> dict[str, int]:
    """Write the collection's records; returns the number of lines by file name."""
    collection = load(dataset_id)
    files: dict[str, Iterable[str]] = {
        "docs.jsonl": (_line(doc._asdict()) for doc in collection.docs),
        "queries.jsonl": (_line(query._asdict()) for query in collection.queries),
    }
    if collection.qrels is not None:
        files["qrels.txt"] = _qrels(collection)
    if collection.answers is not None:
        rows = collection.answers.items()
        files["answers.jsonl"] = (_line({"query_id": query, "answers": list(answers)}) for query, answers in rows)
    return {name: _write(folder / name, lines) for name, lines in files.items()}


def _qrels(collection: Collection) -> Iterator[str]:
    for query_id, grades in (collection.qrels or {}).items():
        for doc_id, grade in grades.items():
            yield f"{query_id} 0 {doc_id} {grade}\n"


def _line(row: object) -> str:
    return json.dumps(row, ensure_ascii=False) + "\n"


def _write(path: Path, lines: Iterable[str]) -> int:
    count = 0
    with atomic_write(path) as file:
        for line in lines:
            file.write(line.encode("utf-8"))
            count += 1
    return count
