"""The records that pass between the rooms of the house. All are immutable."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class Doc(NamedTuple):
    """A passage. ``title`` may be empty; measures look at ``text`` alone."""

    doc_id: str
    title: str
    text: str

    def default_text(self) -> str:
        return f"{self.title} {self.text}" if self.title else self.text


class Query(NamedTuple):
    """A question. ``topic`` is shared by the versions of one question in a parallel collection, else the query id."""

    query_id: str
    text: str
    lang: str
    topic: str

    def default_text(self) -> str:
        return self.text


class Answers(NamedTuple):
    """The accepted answer strings of a question, in the language of the passages."""

    query_id: str
    answers: tuple[str, ...]


class Ranking(NamedTuple):
    """What a system found for one query: doc ids and scores of equal length, in any order, no id twice."""

    query_id: str
    doc_ids: Sequence[str]
    scores: NDArray[np.floating] | Sequence[float]


@dataclass(frozen=True)
class Digests:
    """SHA-256 of a collection's four kinds of records (hex). A kind that the collection lacks has an empty digest.

    The index depends on ``docs``; a run on ``docs`` and ``queries``; scores on all four.
    """

    docs: str
    queries: str
    qrels: str
    answers: str

    def as_dict(self) -> dict[str, str]:
        return {"docs": self.docs, "queries": self.queries, "qrels": self.qrels, "answers": self.answers}


class Score(NamedTuple):
    """One query's value of one measure; ``value`` is in [0, 1] for all measures of this project's tracks."""

    part: str
    query_id: str
    measure: str
    value: float
