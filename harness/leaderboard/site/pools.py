"""Passages that pages can show: numbered once for all parts with the same passages, texts in small files by number.

A page knows the first ten passages of every ranking as numbers. Texts are shipped for the drill-down set: relevant passages
and those among the first ten of some ranking, the ones shown most often first, until a budget is used up. Of the others
the page knows the id alone, and says so.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness import progress
from harness.leaderboard.site.packing import write_data
from harness.leaderboard.site.token_ends import token_ends
from harness.measures.token_cache import Passage, token_cache
from harness.records import Doc, Passages

FILE_PASSAGES = 128
TEXT_BUDGET = 24 << 20
_ABSENT = "judged, but not in the collection"
"""In place of the title of a passage that only the judgements name."""


@dataclass
class Pool:
    """The passages of one collection, as far as pages name them; ``numbers`` gives each its place in order of first use."""

    name: str
    docs: Passages
    numbers: dict[str, int] = field(default_factory=dict)
    shown: Counter[str] = field(default_factory=Counter)

    def numbers_of(self, doc_ids: Sequence[str]) -> list[int]:
        self.shown.update(doc_ids)
        numbers = self.numbers
        for doc_id in doc_ids:
            if doc_id not in numbers:
                numbers[doc_id] = len(numbers)
        return [numbers[doc_id] for doc_id in doc_ids]

    def write(self, folder: Path, with_tokens: bool) -> None:
        """Write the passages' files; with ``with_tokens`` each text comes with the ends of its tokens."""
        shipped = self._shipped()
        ids = list(self.numbers)
        with (
            progress.task("write the pages' passages", len(ids), "passages") as advance,
            token_cache(self.docs.digest).opened() as cache,
        ):
            tokens = cache.tokens if with_tokens else None
            for start in range(0, len(ids), FILE_PASSAGES):
                chosen = ids[start : start + FILE_PASSAGES]
                entries = [self._entry(doc_id, shipped, tokens) for doc_id in chosen]
                write_data(folder, f"passages/{self.name}-{start // FILE_PASSAGES}", entries)
                advance(len(chosen))

    def _shipped(self) -> set[str]:
        left, shipped = TEXT_BUDGET, set()
        for doc_id, _ in sorted(self.shown.items(), key=lambda item: (-item[1], item[0])):
            if doc_id not in self.docs:
                continue
            left -= len(self.docs.get(doc_id).text.encode())
            if left < 0:
                break
            shipped.add(doc_id)
        return shipped

    def _entry(self, doc_id: str, shipped: set[str], tokens: Callable[[Doc], Passage] | None) -> list[Any]:
        if doc_id not in self.docs:
            return [doc_id, _ABSENT]
        doc = self.docs.get(doc_id)
        if doc_id not in shipped:
            return [doc_id, doc.title]
        entry: list[Any] = [doc_id, doc.title, doc.text]
        return entry if tokens is None else [*entry, differences(token_ends(doc.text, tokens(doc).words))]


def differences(ends: Sequence[int]) -> list[int]:
    """Steps between ascending numbers, from 0."""
    return [end - start for start, end in zip((0, *ends), ends, strict=False)]
