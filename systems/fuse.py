"""Fusion of the recorded runs of other rows: reciprocal ranks, weighted sums of normalised scores, and CombMNZ.

Reciprocal rank fusion: Cormack, Clarke and Büttcher, Reciprocal Rank Fusion outperforms Condorcet and individual Rank Learning
Methods (SIGIR 2009). CombSUM and CombMNZ: Fox and Shaw, Combination of Multiple Searches (TREC-2, 1994). Normalisations:
Montague and Aslam, Relevance Score Normalization for Metasearch (CIKM 2001), where they are called standard (min-max), ZMUV
(z-score) and sum; rank: Lee, Analyses of Multiple Evidence Combination (SIGIR 1997).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from harness.adapters.contract import Context, Request, row_of
from harness.adapters.estimate import Estimate, Figure
from harness.files.toml_records import Name, Record
from harness.order import top_documents
from harness.records import Ranking

Normalization = Literal["min-max", "z-score", "sum", "rank", "none"]
Weight = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class Fuse:
    version = 1

    class Parameters(Record):
        """``weights``: of rows by name, 1 for one that is not named. ``depth``: passages taken of each row, None for all.

        ``k`` is for method rrf, ``normalization`` for the two others.
        """

        rows: tuple[Name, ...] = Field(min_length=2)
        method: Literal["rrf", "combsum", "combmnz"] = "rrf"
        k: float = Field(default=60, ge=0, allow_inf_nan=False)
        normalization: Normalization = "min-max"
        weights: dict[Name, Weight] = Field(default_factory=dict)
        depth: int | None = Field(default=None, ge=1)

        @model_validator(mode="after")
        def _fits_together(self) -> Self:
            if len(set(self.rows)) < len(self.rows):
                raise ValueError("rows: a row is a duplicate; `weights` says how much it counts")
            if strangers := sorted(set(self.weights) - set(self.rows)):
                raise ValueError(f"weights: {strangers[0]} is none of the rows {', '.join(self.rows)}")
            if self.method == "rrf" and "normalization" in self.model_fields_set:
                raise ValueError('normalization: method "rrf" looks at ranks, not at scores; leave it out')
            if self.method != "rrf" and "k" in self.model_fields_set:
                raise ValueError('k: only method "rrf" has it; leave it out')
            return self

    def __init__(self, parameters: Parameters) -> None:
        self._parameters = parameters

    def rows(self) -> tuple[str, ...]:
        return self._parameters.rows

    def search(self, request: Request, context: Context) -> Iterator[Ranking]:
        rows = {name: row_of(request, name) for name in self._parameters.rows}
        with context.record.stage("fuse"):
            for query in request.queries:
                if query.query_id not in context.finished:
                    found = {name: row[query.query_id] for name, row in rows.items() if query.query_id in row}
                    yield _cut(query.query_id, *self.fused(found), request.depth)
        for name, row in rows.items():
            if lacking := [query.query_id for query in request.queries if query.query_id not in row]:
                what = f"{len(lacking)} of {len(request.queries)} queries (first: {lacking[0]})"
                context.record.note(f"{name} has no ranking for {what}; there the other rows alone are fused")

    def estimate(self, request: Request, context: Context, timed: bool) -> Estimate:
        left = len(request.queries) - len(context.finished)
        rankings = left * len(self._parameters.rows)
        return Estimate(
            (
                Figure("disk", "index", 0, "bytes", "what is fused are the runs of other rows"),
                Figure("work", "rankings to fuse", rankings, "rankings", "one of each row for each question"),
            )
        )

    def fused(self, rankings: Mapping[str, Ranking]) -> tuple[list[str], NDArray[np.float64]]:
        """What some rows have found for one query, fused: doc ids by their UTF-8 bytes, and scores, shape (documents,).

        ``rankings``: by row, best first. Addends are summed from the smallest on, so that the order of rows alters no bit.
        """
        parameters = self._parameters
        taken = {name: ranking.doc_ids[: parameters.depth] for name, ranking in rankings.items()}
        # Comparing Python strings compares code points, which orders them as their UTF-8 bytes do.
        doc_ids = sorted({doc_id for own in taken.values() for doc_id in own})
        places = {doc_id: place for place, doc_id in enumerate(doc_ids)}
        addends = np.zeros((len(taken), len(doc_ids)))
        holding = np.zeros(len(doc_ids), np.int64)
        for row, (name, own) in enumerate(taken.items()):
            columns = [places[doc_id] for doc_id in own]
            scores = np.asarray(rankings[name].scores, np.float64)[: len(own)]
            addends[row, columns] = parameters.weights.get(name, 1.0) * self._points(scores)
            holding[columns] += 1
        total: NDArray[np.float64] = np.sort(addends, axis=0).sum(axis=0)
        return doc_ids, total * holding if parameters.method == "combmnz" else total

    def _points(self, scores: NDArray[np.float64]) -> NDArray[np.float64]:
        """What a row gives to each of its passages, best first, before its weight."""
        if self._parameters.method == "rrf":
            return 1 / (self._parameters.k + np.arange(1, len(scores) + 1))
        return normalized(scores, self._parameters.normalization)


def normalized(scores: NDArray[np.float64], how: Normalization) -> NDArray[np.float64]:
    """The scores of one ranking, best first, made comparable with those of others; shape (documents,).

    Where all are equal, of which the formulas make 0/0: 1 for min-max, equal shares for sum, 0 for z-score. A passage that a
    ranking does not hold gets nothing from it, which for z-score is what an average passage gets.
    """
    count = len(scores)
    if how == "none" or not count:
        return scores
    if how == "rank":
        return 1 - np.arange(count) / count
    low, high = float(scores.min()), float(scores.max())
    if low == high:
        return np.full(count, {"min-max": 1.0, "z-score": 0.0, "sum": 1 / count}[how])
    if how == "z-score":
        return (scores - float(scores.mean())) / float(scores.std())
    above = scores - low
    return above / (high - low if how == "min-max" else float(above.sum()))


def _cut(query_id: str, doc_ids: Sequence[str], scores: NDArray[np.float64], depth: int) -> Ranking:
    narrow = scores.astype(np.float32)
    best = top_documents(narrow, depth)
    return Ranking(query_id, [doc_ids[place] for place in best], narrow[best])
