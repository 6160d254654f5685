"""A system that draws its rankings: what it takes does not grow with the collection, so that the rest can be measured."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from harness.adapters.contract import Context, Request
from harness.files.toml_records import Record
from harness.records import Ranking


class Sampling:
    class Parameters(Record):
        seed: int

    def __init__(self, parameters: Parameters) -> None:
        self._seed = parameters.seed

    def search(self, request: Request, context: Context) -> Iterator[Ranking]:
        ids = request.docs.ids
        for number, query in enumerate(request.queries):
            drawn = np.random.default_rng([self._seed, number]).choice(len(ids), 2 * request.depth)
            places = list(dict.fromkeys(drawn.tolist()))[: request.depth]
            yield Ranking(
                query.query_id,
                tuple(ids[place] for place in places),
                np.arange(len(places), 0, -1, dtype=np.float32),
            )
