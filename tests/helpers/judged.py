"""Judgements of queries without a collection around them."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

from harness.measures import Judged
from harness.records import Query

Grades = dict[str, int]


def judged_of(qrels: dict[str, Grades] | None, query_ids: Sequence[str]) -> Judged:
    collection: Any = SimpleNamespace(
        qrels=qrels, answers=None, queries=tuple(Query(q, "?", "xx", q) for q in query_ids)
    )
    return Judged(collection)
