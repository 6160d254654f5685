"""Answers of a server as they come, so that a killed command, or one that gave up, has none of them asked and paid for again.

One line of a journal for each answer, found again by the digest of its request. Only those of passages that are not finished
are kept: what is finished lies in the shards.
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from harness.files.limits import ANSWER_BYTES
from harness.files.sealed_lines import sealed_line, unsealed
from harness.files.writing import atomic_write, explained_write_errors
from harness.recipes.generate.outputs import Output

FILE_NAME = "answers"
# JSON may write a byte of an answer with six.
_LINE_BYTES = 6 * ANSWER_BYTES + 1000

Answer = tuple[Output, str]
"""What the server gave, and what it called its model."""


class Answers:
    """Kept in ``path``, or, where that is None, in memory alone. To be used by many threads."""

    def __init__(self, path: Path | None) -> None:
        self._path, self._lock = path, threading.Lock()
        self._known: dict[str, Answer] = {}
        if path is not None and path.is_file():
            self._read(path)

    def __len__(self) -> int:
        return len(self._known)

    def get(self, request: Mapping[str, Any]) -> Answer | None:
        return self._known.get(_key(request))

    def add(self, request: Mapping[str, Any], answer: Answer) -> None:
        """Kept when this returns: what the kernel has survives kill -9 of this process."""
        key = _key(request)
        with self._lock:
            self._known[key] = answer
            if self._path is not None:
                with explained_write_errors(self._path), self._path.open("ab") as file:
                    file.write(_line(key, answer))

    def keep_only(self, requests: Iterable[Mapping[str, Any]]) -> None:
        """Forget the answers of all other requests."""
        keys = {_key(request) for request in requests}
        with self._lock:
            self._known = {key: answer for key, answer in self._known.items() if key in keys}
            if self._path is not None:
                with atomic_write(self._path) as file:
                    file.writelines(_line(key, answer) for key, answer in self._known.items())

    def _read(self, path: Path) -> None:
        with path.open("rb") as file:
            # A line that was cut off ends what is known; the next is asked for again.
            while line := file.readline(_LINE_BYTES):
                try:
                    key, text, is_cut, model = unsealed(line)
                except (ValueError, TypeError):
                    return
                self._known[str(key)] = Output(str(text), is_cut=bool(is_cut)), str(model)


def _line(key: str, answer: Answer) -> bytes:
    output, model = answer
    return sealed_line([key, output.text, output.is_cut, model])


def _key(request: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(request, sort_keys=True).encode()).hexdigest()
