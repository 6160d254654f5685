"""TitleRecall@k: has the title of one of the first k passages a word of an answer?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from harness.measures.base import Judged, Measure, Rankings


@dataclass(frozen=True)
class TitleRecall(Measure):
    name: str
    cutoff: int
    version = "title recall 1"
    forms: ClassVar[Mapping[str, str]] = {"TitleRecall@<k>": "a word of an answer in one of the first k titles"}

    @classmethod
    def parse(cls, name: str) -> TitleRecall | None:
        family, _, cutoff = name.partition("@")
        return cls(name, int(cutoff)) if family == "TitleRecall" and cutoff.isdecimal() else None

    @property
    def definition(self) -> str:
        return f"Has the title of one of the first {self.cutoff} passages a word of an answer?"

    def applies_to(self, judged: Judged) -> bool:
        return judged.collection.answers is not None

    def scored_queries(self, judged: Judged) -> tuple[str, ...]:
        return tuple(query_id for query_id in judged.query_ids if (judged.collection.answers or {}).get(query_id))

    def score(self, judged: Judged, rankings: Rankings) -> dict[str, float]:
        values = {}
        for query_id in self.scored_queries(judged):
            looked_at = rankings.get(query_id, ())[: self.cutoff]
            values[query_id] = max((self.helpfulness(judged, query_id, doc_id) for doc_id in looked_at), default=0.0)
        return values

    def helpfulness(self, judged: Judged, query_id: str, doc_id: str) -> float:
        words = set(judged.docs.get(doc_id).title.lower().split())
        answers = (judged.collection.answers or {}).get(query_id, ())
        return float(any(not words.isdisjoint(answer.lower().split()) for answer in answers))
