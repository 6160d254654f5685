"""What systems with one vector for each text do alike, wherever their vectors come from."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from harness.adapters.contract import Context, Request
from harness.compute.jobs import Engine
from harness.dense.jobs import Found, searched_by
from harness.dense.search import QUERY_TILE
from harness.dense.store import VectorStore
from harness.errors import InvalidInput
from harness.records import Ranking

QUERIES_PER_PASS = 8 * QUERY_TILE
_NAMED = 5
"""Texts that a message names; of the others it says how many they are."""


def named(kind: str, ids: Sequence[str]) -> str:
    """
    >>> named("question", ["q1"]), named("passage", list("abcdefg"))
    ('question q1', 'passages a, b, c, d, e and 2 more')
    """
    more = f" and {len(ids) - _NAMED} more" if len(ids) > _NAMED else ""
    return f"{kind}{'s' * (len(ids) > 1)} {', '.join(ids[:_NAMED])}{more}"


def too_large(ids: Sequence[str], store_dtype: str) -> InvalidInput:
    """Of passages whose vectors are finite, but not in the dtype that they are stored in."""
    return InvalidInput(
        f'vectors of {named("passage", ids)} are too large for {store_dtype}; use store_dtype = "float32" in the card'
    )


def search_in_passes(
    engine: Engine, request: Request, queries: NDArray[np.float32], store: VectorStore, context: Context
) -> Iterator[Ranking]:
    """Search some thousands of queries at a time, so that a killed search resumes after the last finished pass."""

    def found(start: int, end: int) -> Iterator[Found]:
        return searched_by(engine, queries[start:end], store, request.depth)

    yield from in_passes(request, context, QUERIES_PER_PASS, found)


def in_passes(
    request: Request, context: Context, at_once: int, found: Callable[[int, int], Iterator[Found]]
) -> Iterator[Ranking]:
    """``found``: of the queries from one number to another. Passes whose queries all have their rankings are left out."""
    for start in range(0, len(request.queries), at_once):
        asked = request.queries[start : start + at_once]
        if all(query.query_id in context.finished for query in asked):
            continue
        for query, (numbers, scores) in zip(asked, found(start, start + len(asked)), strict=True):
            yield Ranking(query.query_id, tuple(request.docs.ids[number] for number in numbers.tolist()), scores)
