"""Answers of a server as they come, so that a killed command, or one that gave up, has none of them asked and paid for again.

One line of a journal for each answer, found again by a digest of what was asked.
"""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

from harness.files.sealed_lines import drop_behind, sealed_line, whole_lines
from harness.files.writing import atomic_write, explained_write_errors

Answer = tuple[Any, ...]
"""What JSON can hold."""


class KeptAnswers:
    """Kept in ``path``, or, where that is None, in memory alone. To be used by many threads, and by one process at a time.

    ``line_bytes``: the longest line that an answer can make; a longer one is none of ours.
    """

    def __init__(self, path: Path | None, line_bytes: int) -> None:
        self._path, self._lock = path, threading.Lock()
        self._known: dict[str, Answer] = {}
        self._end: int | None = None  # of what is whole, until what stands behind it is cut off
        if path is not None and path.is_file():
            self._end = 0
            for (key, answer), self._end in whole_lines(path, _parsed, line_bytes):
                self._known[key] = answer

    def __len__(self) -> int:
        return len(self._known)

    def get(self, key: str) -> Answer | None:
        return self._known.get(key)

    def add(self, answers: Mapping[str, Answer]) -> None:
        """Kept when this returns: what the kernel has survives kill -9 of this process."""
        with self._lock:
            self._known.update(answers)
            if self._path is not None:
                if self._end is not None:
                    drop_behind(self._path, self._end)
                    self._end = None
                with explained_write_errors(self._path), self._path.open("ab") as file:
                    file.write(b"".join(_line(key, answer) for key, answer in answers.items()))

    def keep_only(self, keys: Collection[str]) -> None:
        """Forget all other answers."""
        with self._lock:
            self._known = {key: answer for key, answer in self._known.items() if key in keys}
            self._rewrite()

    def _rewrite(self) -> None:
        if self._path is not None:
            with atomic_write(self._path) as file:
                file.writelines(_line(key, answer) for key, answer in self._known.items())
        self._end = None


def _line(key: str, answer: Iterable[Any]) -> bytes:
    return sealed_line([key, *answer])


def _parsed(row: Any) -> tuple[str, Answer]:
    key, *answer = row
    return str(key), tuple(answer)
