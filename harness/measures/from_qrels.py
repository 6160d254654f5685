"""Measures computed from relevance judgements by ir-measures.

ir-measures' providers break ties differently (one tied run has RR 0.5 but RR@10 1.0), so they are given the scores
``-rank`` of the fixed order, which have no ties.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import metadata
from typing import Any

from harness.measures.base import Judged, Rankings


@dataclass(frozen=True)
class FromQrels:
    name: str

    @staticmethod
    def parse(name: str) -> FromQrels | None:
        import ir_measures

        try:
            ir_measures.parse_measure(name)
        except (ValueError, NameError, SyntaxError, AssertionError, TypeError, AttributeError, KeyError):
            return None
        return FromQrels(name)

    @property
    def version(self) -> str:
        return f"ir-measures {metadata.version('ir-measures')}"

    def applies_to(self, judged: Judged) -> bool:
        return judged.collection.qrels is not None

    def scored_queries(self, judged: Judged) -> tuple[str, ...]:
        qrels = judged.collection.qrels or {}
        return tuple(query_id for query_id in judged.query_ids if query_id in qrels)

    def score(self, judged: Judged, rankings: Rankings) -> dict[str, float]:
        import ir_measures

        values = dict.fromkeys(self.scored_queries(judged), 0.0)
        qrels = {query_id: dict((judged.collection.qrels or {})[query_id]) for query_id in values}
        measure: Any = ir_measures.parse_measure(self.name)
        run = {
            query_id: {doc_id: float(-rank) for rank, doc_id in enumerate(doc_ids, 1)}
            for query_id, doc_ids in rankings.items()
            if query_id in values
        }
        for metric in ir_measures.iter_calc([measure], qrels, run):
            values[metric.query_id] = float(metric.value)
        return values
