"""A reader whose answers are kept in the cache: one to a question and a passage, whatever run they are asked for.

Beside them the cache remembers where the folder of each reader lay, so that what it has read can be read again.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from harness.compute.platform import library_versions
from harness.dense.model_files import model_name
from harness.errors import InvalidInput, WrongUsage
from harness.files.limits import LINE_BYTES
from harness.files.writing import cache_home, exclusive, write_text
from harness.files.yaml_records import digest_of
from harness.recipes.reading.reader import Answer, Reader, ReaderSettings, identity_of
from harness.servers.kept import KeptAnswers

LIBRARIES = ("tokenizers", "torch", "transformers")
_AT_ONCE = 32
_OTHER = re.compile(r"[^a-z0-9._-]+")


class KeptReader:
    """``name``: the folder's with the first eight signs of the digest of ``identity``, what its answers depend on.

    The model is loaded when the first answer is asked that is not kept. ``read`` and ``kept`` count answers.
    """

    def __init__(self, settings: ReaderSettings, workers: int, *, keeps: bool = True) -> None:
        """``keeps``: false for answers that are to be made anew, and are kept for the block alone.

        Raises ``WrongUsage`` where there is no such folder, ``InvalidInput`` for files that are not loaded."""
        if not settings.path.is_dir():
            raise WrongUsage(
                f"no reader's folder {settings.path}; name one with a question-answering model of transformers, such as "
                "`xdr train` makes from a recipe of kind reader"
            )
        self._settings, self._workers, self._keeps = settings, workers, keeps
        self.identity = identity_of(settings)
        self.name = reader_name(settings.path, self.identity)
        self.libraries = library_versions(LIBRARIES)
        self.device = settings.device
        self._answers: KeptAnswers | None = None
        self._reader: Reader | None = None
        self.read, self.kept = 0, 0

    @contextlib.contextmanager
    def opened(self) -> Iterator[None]:
        """Hold the file of kept answers for the block. Raises ``InvalidInput`` where another process holds it."""
        if not self._keeps:
            self._answers = KeptAnswers(None, LINE_BYTES)
            yield
            return
        key = digest_of([self.identity, self.libraries, self.device])[:32]
        path = cache_home() / "readings" / f"{self.name}-{key}"
        with exclusive(path.with_name(f"{path.name}.lock")):
            self._answers = KeptAnswers(path, LINE_BYTES)
            yield
        _remember(self.name, self._settings.path)

    def answers(self, pairs: Sequence[tuple[str, str]]) -> Iterator[Answer]:
        """The answer to each pair of a question and a passage, in their order; what is new is kept as it comes."""
        assert self._answers is not None, "the file of kept answers is held while it is asked"
        for first in range(0, len(pairs), _AT_ONCE):
            own = pairs[first : first + _AT_ONCE]
            keys = [_key(pair) for pair in own]
            new = {key: pair for key, pair in zip(keys, own, strict=True) if self._answers.get(key) is None}
            if new:
                if self._reader is None:
                    self._reader = Reader(self._settings)
                found = self._reader.read_alone(list(new.values()), self._workers)
                self._answers.add({key: _plain(answer) for key, answer in zip(new, found, strict=True)})
            self.read += len(new)
            self.kept += len(own) - len(new)
            for key in keys:
                yield _answer(self._answers.get(key))


def reader_name(folder: Path, identity: dict[str, Any]) -> str:
    """
    >>> reader_name(Path("My Reader"), {"files": "1"})[:10]
    'my-reader-'
    """
    base = _OTHER.sub("-", model_name(folder).lower()).strip("-._")[:40].rstrip("-._") or "reader"
    return f"{base}-{digest_of(identity)[:8]}"


def remembered(name: str, device: str) -> ReaderSettings | None:
    """Where the reader of that name lay when it was last used, if it lies there still; None otherwise."""
    try:
        folder = Path(_note(name).read_text("utf-8"))
        settings = ReaderSettings(folder, device)
        return settings if folder.is_dir() and reader_name(folder, identity_of(settings)) == name else None
    except (OSError, ValueError, InvalidInput, WrongUsage):
        return None


def _remember(name: str, folder: Path) -> None:
    with contextlib.suppress(InvalidInput, OSError):
        write_text(_note(name), str(folder.resolve()))


def _note(name: str) -> Path:
    return cache_home() / "readings" / f"{name}.folder"


def _key(pair: tuple[str, str]) -> str:
    return hashlib.sha256(json.dumps(pair).encode()).hexdigest()


def _plain(answer: Answer) -> tuple[Any, ...]:
    return (answer.text, answer.score if math.isfinite(answer.score) else None, answer.start, answer.end)


def _answer(kept: tuple[Any, ...] | None) -> Answer:
    assert kept is not None
    text, score, start, end = kept
    return Answer(str(text), -math.inf if score is None else float(score), int(start), int(end))
