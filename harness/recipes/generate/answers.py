"""Answers with generated texts as ``harness.servers.kept`` keeps them.

Only those of passages that are not finished are kept: what is finished lies in the shards.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from harness.files.limits import ANSWER_BYTES
from harness.recipes.generate.outputs import Output
from harness.servers.kept import KeptAnswers

FILE_NAME = "answers"
# JSON may write a byte of an answer with six.
_LINE_BYTES = 6 * ANSWER_BYTES + 1000

Answer = tuple[Output, str]
"""What the server gave, and what it called its model."""


class Answers:
    """Kept in ``path``, or, where that is None, in memory alone. To be used by many threads."""

    def __init__(self, path: Path | None) -> None:
        self._kept = KeptAnswers(path, _LINE_BYTES)

    def __len__(self) -> int:
        return len(self._kept)

    def get(self, request: Mapping[str, Any]) -> Answer | None:
        if (found := self._kept.get(_key(request))) is None:
            return None
        text, is_cut, model = found
        return Output(str(text), is_cut=bool(is_cut)), str(model)

    def add(self, request: Mapping[str, Any], answer: Answer) -> None:
        """Kept when this returns."""
        output, model = answer
        self._kept.add({_key(request): (output.text, output.is_cut, model)})

    def keep_only(self, requests: Iterable[Mapping[str, Any]]) -> None:
        """Forget the answers of all other requests."""
        self._kept.keep_only({_key(request) for request in requests})


def _key(request: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(request, sort_keys=True).encode()).hexdigest()
