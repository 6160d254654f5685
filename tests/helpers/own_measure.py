"""A measure as somebody writes one in a notebook."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import xdr_bench as xdr


class Found(xdr.Measure):
    """The share of ten passages that a ranking has."""

    name = "Found"

    @classmethod
    def parse(cls, name: str) -> Found | None:
        return cls() if name == "Found" else None

    version, definition = "1", "How many passages are found."

    def applies_to(self, judged: xdr.Judged) -> bool:
        return True

    def scored_queries(self, judged: xdr.Judged) -> tuple[str, ...]:
        return judged.query_ids

    def score(self, judged: xdr.Judged, rankings: Mapping[str, Sequence[str]]) -> dict[str, float]:
        return {query_id: min(1.0, len(rankings.get(query_id, ())) / 10) for query_id in judged.query_ids}

    def helpfulness(self, judged: xdr.Judged, query_id: str, doc_id: str) -> float:
        return 1.0
