"""What a reader answered, kept as it comes, so that a command that goes on after a kill reads no passage twice."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from harness.files.limits import LINE_BYTES
from harness.recipes.mine.questions import Question
from harness.recipes.reading import Reader, ReaderSettings
from harness.servers.kept import KeptAnswers


class Readings:
    """A reader's answers to questions, from ``path`` where they are there. The model is loaded when it is first needed.

    ``identity``: of the reader; what was kept under another one is not found. ``read`` and ``kept`` count questions.
    """

    def __init__(self, settings: ReaderSettings, identity: Mapping[str, Any], path: Path, workers: int) -> None:
        self._settings, self._identity, self._workers = settings, dict(identity), workers
        self._answers = KeptAnswers(path, LINE_BYTES)
        self._reader: Reader | None = None
        self.read, self.kept = 0, 0

    def __call__(self, question: Question, asked: str) -> tuple[str, ...]:
        """The answer to ``asked`` in the text of each of the question's candidates; empty where there is none."""
        texts = [one.doc.text for one in question.candidates]
        key = hashlib.sha256(json.dumps([self._identity, asked, texts], sort_keys=True).encode()).hexdigest()
        if (known := self._answers.get(key)) is not None and len(known) == len(texts):
            self.kept += 1
            return tuple(map(str, known))
        if self._reader is None:
            self._reader = Reader(self._settings)
        found = tuple(answer.text for answer in self._reader.read(asked, texts, self._workers))
        self._answers.add({key: found})
        self.read += 1
        return found
