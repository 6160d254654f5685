"""The journal of a run in progress: every finished ranking, one line each, so that a killed run can go on.

A line that was cut off, or whose checksum does not fit, ends the readable part and everything from there on is dropped. Scores
keep their width: float32 scores come back as float32.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from harness.files.sealed_lines import drop_behind, sealed_line, whole_lines
from harness.files.writing import explained_write_errors
from harness.records import Ranking


class Journal:
    """Append-only file of rankings; ``with Journal(path) as journal`` opens it and drops a damaged tail."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __enter__(self) -> Journal:
        with explained_write_errors(self.path):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            drop_behind(self.path, max((end for _, end in whole_lines(self.path, _parsed)), default=0))
            self._file = self.path.open("ab")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with explained_write_errors(self.path):
            self._file.close()

    def append(self, ranking: Ranking) -> None:
        with explained_write_errors(self.path):
            self._file.write(_line(ranking))
            # Flushed line by line: what the kernel has survives kill -9 of this process.
            self._file.flush()

    def sync(self) -> None:
        with explained_write_errors(self.path):
            self._file.flush()
            os.fsync(self._file.fileno())

    def read(self) -> Iterator[Ranking]:
        """All rankings recorded so far, in the order in which they were finished."""
        return (ranking for ranking, _ in whole_lines(self.path, _parsed))


def _line(ranking: Ranking) -> bytes:
    scores = np.asarray(ranking.scores)
    width = "f4" if scores.dtype == np.float32 else "f8"
    return sealed_line([ranking.query_id, list(ranking.doc_ids), width, [float(score) for score in scores]])


def _parsed(row: Any) -> Ranking:
    query_id, doc_ids, width, scores = row
    return Ranking(query_id, tuple(doc_ids), np.array(scores, dtype={"f4": "f4", "f8": "f8"}[width]))
