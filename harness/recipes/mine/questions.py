"""The questions of a run with what it found for them: what labellers and rules look at."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from harness.collections.view import Collection
from harness.recipes.mine.english import English
from harness.records import Doc, Ranking


@dataclass(frozen=True)
class AskedPart:
    """One part of a run: a collection, the language its questions are taken for where they do not say, and rankings in order.

    ``digest``: SHA-256 of the uncompressed run file.
    """

    name: str
    collection: Collection
    lang: str
    rankings: Mapping[str, Ranking]
    digest: str


@dataclass(frozen=True)
class MinedRun:
    """``name``: of the system, or of the file; ``track``: empty for a file."""

    name: str
    track: str
    parts: tuple[AskedPart, ...]

    @property
    def questions(self) -> int:
        return sum(len(part.collection.queries) for part in self.parts)

    @property
    def deepest(self) -> int:
        """Passages of its longest ranking."""
        return max((len(ranking.doc_ids) for part in self.parts for ranking in part.rankings.values()), default=0)


class Candidate(NamedTuple):
    """A passage that the run found, and its score there."""

    doc: Doc
    score: float


@dataclass(frozen=True)
class Question:
    """``gold``: ids of its relevant passages that there are, None without judgements; ``english``: the question by people.

    ``candidates``: the first of its ranking, best first; ``scores``: of all that the run found.
    """

    query_id: str
    text: str
    lang: str
    part: AskedPart = field(repr=False)
    answers: tuple[str, ...] = ()
    gold: frozenset[str] | None = None
    english: str = ""
    candidates: tuple[Candidate, ...] = ()
    scores: Mapping[str, float] = field(default_factory=dict)

    def doc(self, doc_id: str) -> Doc:
        return self.part.collection.docs.get(doc_id)


def questions_of(run: MinedRun, top: int, english: English | None) -> Iterator[Question]:
    """All questions of a run, part by part, in the order of their collections. Passages without a text are left out."""
    for part in run.parts:
        collection = part.collection
        for query in collection.queries:
            ranking = part.rankings.get(query.query_id)
            scores = {} if ranking is None else dict(zip(ranking.doc_ids, map(float, ranking.scores), strict=True))
            found = (Candidate(collection.docs.get(doc_id), scores[doc_id]) for doc_id in list(scores)[:top])
            gold = None
            if collection.qrels is not None:
                judged = collection.qrels.get(query.query_id, {})
                gold = frozenset(doc for doc, grade in judged.items() if grade > 0 and doc in collection.docs)
            lang = query.lang or part.lang
            yield Question(
                query_id=query.query_id,
                text=query.text,
                lang=lang,
                part=part,
                answers=tuple((collection.answers or {}).get(query.query_id, ())),
                gold=gold,
                english=query.text if lang == "en" else english.of(query) if english is not None else "",
                candidates=tuple(one for one in found if one.doc.default_text().strip()),
                scores=scores,
            )
