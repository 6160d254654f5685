"""How far answers stand before all else in a system's rankings: what an attack looks for, by the rankings alone."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from harness.adapters.contract import Context, Request
from harness.collections import load
from harness.records import Query
from harness.runs.trec import fixed_order

Asked = tuple[Query, set[str]]
"""A question, and the documents that answer it."""


def margins(system: Any, asked: Sequence[Asked], folder: Path) -> list[tuple[bool, float]]:
    """Of each question of one language: is an answer ranked, and how far the first one stands before all others."""
    queries = tuple(query._replace(query_id=str(place)) for place, (query, _) in enumerate(asked))
    docs = load(f"xdr-mini/{queries[0].lang}").docs
    found = []
    rankings = system.search(Request(docs, queries, 10), Context(folder, folder))
    for (_, relevant), ranking in zip(asked, rankings, strict=True):
        ordered = fixed_order(ranking.doc_ids, ranking.scores)
        scored = [(doc in relevant, float(value)) for doc, value in zip(ordered.doc_ids, ordered.scores, strict=True)]
        own, others = ([value for is_own, value in scored if is_own == wanted] for wanted in (True, False))
        found.append((bool(own), own[0] - others[0] if own else 0.0))
    return found
