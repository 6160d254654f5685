"""The records that pass between the rooms of the house. All are immutable."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray


class Doc(NamedTuple):
    """A passage. ``title`` may be empty; measures look at ``text`` alone."""

    doc_id: str
    title: str
    text: str

    def default_text(self) -> str:
        return f"{self.title} {self.text}" if self.title else self.text


class Passages(Protocol):
    """The passages of a collection, numbered in the order of their ids' UTF-8 bytes; in memory, or on a disk.

    ``docs[4096:8192]`` gives a list of passages, ``docs.get(doc_id)`` one, ``docs.ids`` all ids in order; ``digest`` is SHA-256
    over the sorted hashes of the records, and blind to the layout of the source.
    """

    def __len__(self) -> int: ...
    def __iter__(self) -> Iterator[Doc]: ...
    def __getitem__(self, places: slice) -> list[Doc]: ...
    def __contains__(self, doc_id: object) -> bool: ...
    def get(self, doc_id: str) -> Doc: ...
    @property
    def ids(self) -> Sequence[str]: ...
    @property
    def digest(self) -> str: ...


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
