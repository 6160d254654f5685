"""What a study is asked: the folds that choose for one another, values of ranks, and the questions that tests flip as one."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from harness.compare.contrasts import Values
from harness.compare.records import MACRO
from harness.submissions.study.ranks import Asked, Ranks
from harness.tracks import Track
from harness.tracks.study import Study
from harness.tracks.units import Units

MEASURES: Mapping[str, Callable[[NDArray[np.int64]], NDArray[np.float64]]] = {
    "RR@10": lambda ranks: np.where(ranks <= 10, 1 / ranks, 0.0),
    "Success@10": lambda ranks: (ranks <= 10).astype(np.float64),
    "Success@1": lambda ranks: (ranks <= 1).astype(np.float64),
}
"""Of questions with one relevant passage, from its rank alone."""


@dataclass(frozen=True)
class World:
    """``folds``: by part, which fold each question is in, 0 or 1."""

    track: Track
    study: Study
    asked: Asked
    units: Units
    folds: Mapping[str, NDArray[np.int64]]
    articles: tuple[int, int]

    def mean(self, ranks: Ranks, measure: str, fold: int | None = None) -> dict[str, float]:
        """By part, perturbed ones as well, and macro."""
        found = {}
        for part, own in ranks.items():
            values = MEASURES[measure](own)
            found[part] = float(values.mean() if fold is None else values[self.folds[part] == fold].mean())
        found[MACRO] = math.fsum(found[name] for name in self.track.macro_parts) / len(self.track.macro_parts)
        return found

    def mean_of(self, values: Values) -> dict[str, float]:
        """By part and macro, of the questions that have a value."""
        by_part: dict[str, list[float]] = {}
        for (part, _), value in values.items():
            by_part.setdefault(part, []).append(value)
        found = {part: math.fsum(own) / len(own) for part, own in by_part.items()}
        found[MACRO] = math.fsum(found[name] for name in self.track.macro_parts) / len(self.track.macro_parts)
        return found

    def joined(self, by_fold: Sequence[Ranks]) -> Ranks:
        """Of each question what its own fold's setting gives: its rank, or the first passages."""
        first, second = by_fold
        found = {}
        for part in first:
            own = self.folds[part].reshape(-1, *[1] * (first[part].ndim - 1))
            found[part] = np.where(own == 0, first[part], second[part])
        return found

    def values(self, ranks: Ranks, measure: str) -> Values:
        return {
            (part, query.query_id): float(value)
            for part, own in ranks.items()
            for query, value in zip(self.asked.queries[part], MEASURES[measure](own), strict=True)
        }

    def documents(self, first: Ranks, part: str) -> dict[str, list[str]]:
        """The ids of the first passages of every question of a part."""
        return {
            query.query_id: [self.asked.docs[place].doc_id for place in own]
            for query, own in zip(self.asked.queries[part], first[part], strict=True)
        }


def article_of(doc_id: str) -> str:
    """What a passage is a part of: its id without the number at its end.

    >>> article_of("Super_Bowl_50-3")
    'Super_Bowl_50'
    """
    return doc_id.rpartition("-")[0] or doc_id


def folds_of(asked: Asked) -> tuple[dict[str, NDArray[np.int64]], tuple[int, int]]:
    """The fold of every question, and how many articles each fold has: every other one in the order of their names' digests."""
    articles = {article_of(asked.docs[place].doc_id) for own in asked.relevant.values() for place in own}
    order = sorted(articles, key=lambda name: hashlib.blake2b(name.encode(), digest_size=16).digest())
    fold = {name: number % 2 for number, name in enumerate(order)}
    of_doc = np.array([fold.get(article_of(doc.doc_id), 0) for doc in asked.docs])
    return {part: of_doc[own] for part, own in asked.relevant.items()}, (-(-len(order) // 2), len(order) // 2)
