"""What a measure is: its values, what it means, its best ranking and its version, whole in one class."""

from __future__ import annotations

import abc
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Self

from harness import progress
from harness.collections.view import Collection
from harness.measures.readings import NOT_READ, Readings
from harness.records import Passages


@dataclass(frozen=True)
class Judged:
    """One part's truth, as measures ask for it.

    ``readings``: what readers answered to its questions from the passages of the run that is scored, for the measures that
    score answers.
    """

    collection: Collection
    readings: Readings = NOT_READ

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

BestRankings = dict[str, dict[str, list[str]]]
"""By measure and query id, the passages that help the query, the most helpful one first."""


class Measure(abc.ABC):
    """A measure of rankings. Its name is its identity: ``parse`` makes of a name what has that name.

    A subclass says what is abstract here. Members with a default need to be said only where they are other than that.
    ``harness.measures.conformance`` holds a measure against all of this.
    """

    name: str
    """As tracks, tables and score files have it, parameters and all: ``Family``, ``Family@10`` or ``Family(rel=2)@10``."""

    cutoff: int | None = None
    """The deepest rank that is looked at; None where that has no bound."""

    token_budget: int | None = None
    """How many of the first tokens of the ranking's passages are looked at: pages show where they end."""

    reading: str | None = None
    """Of a measure of answers, the reading that it scores, which `xdr read` records beside the run; else None."""

    lowest: float = 0.0
    highest: float = 1.0
    """The least and the greatest value of a query; a query without a ranking has the value 0."""

    forms: ClassVar[Mapping[str, str]] = {}
    """How names of this class look, each with a few words on what it is, for lists: {"Family@<k>": "..."}."""

    @classmethod
    @abc.abstractmethod
    def parse(cls, name: str) -> Self | None:
        """The measure of that name; None where the name is none of this class."""

    @property
    @abc.abstractmethod
    def version(self) -> str:
        """Changes whenever the same run could get another value: our code's version and that of the libraries."""

    @property
    @abc.abstractmethod
    def definition(self) -> str:
        """What it measures, in a sentence for the readers of a table."""

    @property
    def plainly(self) -> str:
        """What it asks for, in a few words for headings, such as "an answer in one of the first 5 passages"; may be empty."""
        return ""

    @property
    def bibtex(self) -> str:
        """BibTeX of what it comes from, any number of entries."""
        return ""

    @property
    def known_as(self) -> Mapping[str, str]:
        """What the programs of others call it, by ``ir_measures``, ``trec_eval`` (its options) and ``xor-retrieve``."""
        return {}

    @abc.abstractmethod
    def applies_to(self, judged: Judged) -> bool:
        """Whether the collection has what the measure needs: qrels, or answers and passages."""

    @abc.abstractmethod
    def scored_queries(self, judged: Judged) -> tuple[str, ...]:
        """Ids of the queries in the denominator."""

    @abc.abstractmethod
    def score(self, judged: Judged, rankings: Rankings) -> dict[str, float]:
        """Value by query id for every query in the denominator; one that is missing from the rankings gets 0."""

    @abc.abstractmethod
    def helpfulness(self, judged: Judged, query_id: str, doc_id: str) -> float:
        """Orders passages by what they do for a query's score, 0 or less where they do nothing.

        A ranking is never worse for having the more helpful of two passages first. From it come the range of a value over
        all orders of tied passages, and the ceiling.
        """

    @classmethod
    def best_rankings(cls, measures: Sequence[Self], parts: Sequence[Judged]) -> list[BestRankings]:
        """For each part, and for measures of this class, the passages of rankings that know the truth.

        Here each measure's ``best_ranking``; to be overridden where parts or measures can share the work.
        """
        found: list[BestRankings] = [{} for _ in parts]
        for measure in measures:
            for own, judged in zip(found, parts, strict=True):
                scored = measure.scored_queries(judged)
                with progress.task(f"ceiling of {measure.name}", len(scored), "queries") as advance:
                    own[measure.name] = {
                        query_id: measure.best_ranking(judged, query_id)
                        for query_id in progress.counted(scored, advance)
                    }
        return found

    def best_ranking(self, judged: Judged, query_id: str) -> list[str]:
        """The passages that help a query, the most helpful one first, equal ones by id.

        Here all passages of the collection are asked for their helpfulness, once for each query: a measure that knows where
        to look says so, or a collection of millions takes days.
        """
        keys = ((-self.helpfulness(judged, query_id, doc_id), doc_id) for doc_id in judged.docs.ids)
        return [doc_id for _, doc_id in sorted(key for key in keys if key[0] < 0)]

    def is_never_below(self, other: Measure) -> bool:
        """Whether no run can have less of this measure than of the other, as with a deeper cutoff of a recall."""
        return False
