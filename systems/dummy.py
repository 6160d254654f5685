"""A system that ranks by a hash: no model, no network, deterministic. For tests and as the smallest example."""

from __future__ import annotations

import hashlib
import heapq
from collections.abc import Iterator

import numpy as np

from harness.adapters.contract import Context, Request
from harness.files.toml_records import Record
from harness.records import Ranking


class Dummy:
    version = 1

    class Parameters(Record):
        salt: str = ""

    def __init__(self, parameters: Parameters) -> None:
        self._salt = parameters.salt

    def search(self, request: Request, context: Context) -> Iterator[Ranking]:
        for query in request.queries:
            best = heapq.nlargest(
                request.depth, ((self._score(query.text, doc_id), doc_id) for doc_id in request.docs.ids)
            )
            yield Ranking(query.query_id, [doc_id for _, doc_id in best], np.array([score for score, _ in best], "f4"))

    def _score(self, query: str, doc_id: str) -> float:
        digest = hashlib.blake2b(f"{self._salt}\0{query}\0{doc_id}".encode(), digest_size=3).digest()
        return int.from_bytes(digest, "big") / (1 << 24)
