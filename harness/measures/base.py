"""What a measure is given and what it returns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from harness.collections.view import Collection
from harness.records import Passages


@dataclass(frozen=True)
class Judged:
    """One part's truth, as measures ask for it."""

    collection: Collection

    @property
    def docs(self) -> Passages:
        return self.collection.docs

    @property
    def query_ids(self) -> tuple[str, ...]:
        return tuple(query.query_id for query in self.collection.queries)

    @property
    def is_pooled(self) -> bool:
        """Whether somebody judged what systems had found: then some passages were judged not relevant.

        Elsewhere nothing but the passages that questions were written from is judged, and shares of judged passages are small
        by construction.
        """
        return any(grade <= 0 for grades in (self.collection.qrels or {}).values() for grade in grades.values())


Rankings = Mapping[str, Sequence[str]]
"""Doc ids in the fixed order, best first, by query id."""


class Measure(Protocol):
    @property
    def name(self) -> str: ...

    @property
    def version(self) -> str:
        """Changes whenever the same run could get another value: our code's version and that of the libraries."""
        ...

    def applies_to(self, judged: Judged) -> bool:
        """Whether the collection has what the measure needs: qrels, or answers and passages."""
        ...

    def scored_queries(self, judged: Judged) -> tuple[str, ...]:
        """Ids of the queries in the denominator."""
        ...

    def score(self, judged: Judged, rankings: Rankings) -> dict[str, float]:
        """Value by query id for every query in the denominator; one that is missing from the rankings gets 0."""
        ...


@runtime_checkable
class AnswerMeasure(Measure, Protocol):
    """A measure that looks for answers in passages: a hit in one of the first of a ranking, or none."""

    def searchable(self, text: str) -> str:
        """A form of a passage or an answer without line ends: where an answer is found, its form is part of the passage's."""
        ...

    def is_hit_by(self, answers: Sequence[str], text: str) -> bool:
        """Whether one passage, ranked first, makes a hit."""
        ...
