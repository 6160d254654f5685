"""The common measures from relevance judgements, for a whole part at once: P, R, Success, RR, AP, nDCG and Judged.

They depend on nothing but the ranks and grades of the judged documents that a ranking holds, and on the grades of those that
it could have held. So the rankings are looked through once, for all measures, and the rest is arithmetic on a few numbers per
query. Definitions are those of trec_eval 9 (m_P.c, m_recall.c, m_success.c, m_recip_rank.c, m_map_cut.c, m_ndcg_cut.c), of MS
MARCO's script for RR with a cutoff, and of ir-measures for Judged; values are ir-measures' own to 1e-12, and ir-measures
takes about ten times as long (benchmarks/ranking_measures.py), which is why they are computed here at all. What has
parameters other than a cutoff and the lowest relevant grade (``rel``) is left to ir-measures.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.measures.base import Judged, Measure, Rankings
from harness.measures.from_qrels import OfJudgements
from harness.measures.names import parsed

Values = NDArray[np.float64]
_VERSION = 1


@dataclass(frozen=True)
class Graded:
    """Judged documents of Q queries.

    ``query``, ``rank``, ``grade``: int64, shape (judged documents in rankings,), the query's number, the rank from 1, the
    grade; ascending by query and rank. ``all_query``, ``all_grade``: int64, shape (judged documents,), ascending by
    query, then descending by grade. ``lengths``: int64, shape (Q,), documents in the ranking.
    """

    query: NDArray[np.int64]
    rank: NDArray[np.int64]
    grade: NDArray[np.int64]
    all_query: NDArray[np.int64]
    all_grade: NDArray[np.int64]
    lengths: NDArray[np.int64]

    def counts(self, query: NDArray[np.int64], weights: Values | None = None) -> Values:
        """Sum of the weights (default 1) by query, shape (Q,); summed in the given order."""
        return np.bincount(query, weights, minlength=len(self.lengths)).astype(np.float64)

    def hits(self, rel: int, cutoff: int | None) -> NDArray[np.bool_]:
        """Which of the retrieved ones have at least the grade ``rel`` and stand within the cutoff."""
        relevant = self.grade >= rel
        return relevant if cutoff is None else relevant & (self.rank <= cutoff)

    def relevant(self, rel: int) -> Values:
        return self.counts(self.all_query[self.all_grade >= rel])


def graded(qrels: Sequence[Mapping[str, int]], rankings: Sequence[Sequence[str]]) -> Graded:
    """Find the judged documents; both arguments have one item for each query, in the same order."""
    found: list[tuple[int, int, int]] = []
    everything: list[tuple[int, int]] = []
    for number, (grades, ranking) in enumerate(zip(qrels, rankings, strict=True)):
        # One pass in C over the ranking; looking up each of its documents from Python takes twice as long.
        held = set(grades).intersection(ranking)
        found += sorted((number, ranking.index(doc_id) + 1, grades[doc_id]) for doc_id in held)
        everything += [(number, -grade) for grade in grades.values()]
    query, rank, grade = np.array(found, dtype=np.int64).reshape(-1, 3).T
    all_columns = np.array(sorted(everything), dtype=np.int64).reshape(-1, 2).T
    lengths = np.array([len(ranking) for ranking in rankings], dtype=np.int64)
    return Graded(query, rank, grade, all_columns[0], -all_columns[1], lengths)


def _places(query: NDArray[np.int64]) -> NDArray[np.int64]:
    """Place from 1 of each item among those of its query; ``query`` is ascending."""
    first = np.searchsorted(query, query)
    return np.arange(1, len(query) + 1) - first


def _ratio(numerator: Values, denominator: Values) -> Values:
    """0 where the denominator is 0."""
    return np.divide(numerator, denominator, out=np.zeros_like(numerator), where=denominator > 0)


def precision(judged: Graded, rel: int, cutoff: int | None) -> Values:
    """Relevant documents in the first ``cutoff``, by the cutoff, however short the ranking is."""
    found = judged.counts(judged.query[judged.hits(rel, cutoff)])
    return found / cutoff if cutoff is not None else _ratio(found, judged.lengths.astype(np.float64))


def recall(judged: Graded, rel: int, cutoff: int | None) -> Values:
    return _ratio(judged.counts(judged.query[judged.hits(rel, cutoff)]), judged.relevant(rel))


def success(judged: Graded, rel: int, cutoff: int | None) -> Values:
    return (judged.counts(judged.query[judged.hits(rel, cutoff)]) > 0).astype(np.float64)


def reciprocal_rank(judged: Graded, rel: int, cutoff: int | None) -> Values:
    hits = judged.hits(rel, cutoff)
    query, rank = judged.query[hits], judged.rank[hits]
    first = _places(query) == 1
    return judged.counts(query[first], 1 / rank[first])


def average_precision(judged: Graded, rel: int, cutoff: int | None) -> Values:
    hits = judged.hits(rel, cutoff)
    query, rank = judged.query[hits], judged.rank[hits]
    return _ratio(judged.counts(query, _places(query) / rank), judged.relevant(rel))


def ndcg(judged: Graded, _rel: int, cutoff: int | None) -> Values:
    """Gain is the grade where that is positive, discount log2(rank + 1) (Jarvelin and Kekalainen 2002, as in trec_eval)."""

    def gains(query: NDArray[np.int64], rank: NDArray[np.int64], grade: NDArray[np.int64]) -> Values:
        counted = (grade > 0) if cutoff is None else (grade > 0) & (rank <= cutoff)
        return judged.counts(query[counted], grade[counted] / np.log2(rank[counted] + 1))

    ideal = gains(judged.all_query, _places(judged.all_query), judged.all_grade)
    return _ratio(gains(judged.query, judged.rank, judged.grade), ideal)


def judged_share(judged: Graded, _rel: int, cutoff: int | None) -> Values:
    """Share of the first ``cutoff`` documents that have a judgement; of all there are, where the ranking is shorter."""
    within = judged.query if cutoff is None else judged.query[judged.rank <= cutoff]
    shown = judged.lengths if cutoff is None else np.minimum(judged.lengths, cutoff)
    return _ratio(judged.counts(within), shown.astype(np.float64))


_FORMULAS: dict[str, Callable[[Graded, int, int | None], Values]] = {
    "P": precision,
    "R": recall,
    "Success": success,
    "RR": reciprocal_rank,
    "AP": average_precision,
    "nDCG": ndcg,
    "Judged": judged_share,
}
_GROWING = frozenset({"R", "Success", "RR", "AP"})
"""Those that more ranks can only add to."""


@dataclass(frozen=True)
class FromGrades(OfJudgements):
    """``formula``: ir-measures' name without parameters; ``rel``: the lowest grade that is relevant."""

    name: str
    formula: str
    rel: int
    cutoff: int | None

    @classmethod
    def parse(cls, name: str) -> FromGrades | None:
        measure: Any = parsed(name)
        if measure is None or measure.NAME not in _FORMULAS:
            return None
        others = {key for key, value in measure.params.items() if key not in ("rel", "cutoff") and value is not False}
        rel = measure.params.get("rel", 1)
        # Of grades below 1 trec_eval's own functions make different things, so ir-measures decides.
        if others or rel < 1:
            return None
        return FromGrades(name, measure.NAME, rel, measure.params.get("cutoff"))

    @property
    def version(self) -> str:
        return f"from grades {_VERSION}, as trec_eval"

    def helps(self, grade: int) -> float:
        # Judged asks whether there is a judgement, whatever it says.
        return 1.0 if self.formula == "Judged" else grade if grade >= self.rel else 0.0

    def is_never_below(self, other: Measure) -> bool:
        if not isinstance(other, FromGrades) or self.formula not in _GROWING:
            return False
        deeper = self.cutoff is None or (other.cutoff is not None and self.cutoff >= other.cutoff)
        return deeper and (self.formula, self.rel) == (other.formula, other.rel)

    def score(self, judged: Judged, rankings: Rankings) -> dict[str, float]:
        return self.score_together([self], judged, rankings)[self.name]

    @staticmethod
    def score_together(
        measures: Sequence[FromGrades], judged: Judged, rankings: Rankings
    ) -> dict[str, dict[str, float]]:
        """Several measures from one look through the rankings, by name."""
        scored = measures[0].scored_queries(judged)
        qrels = judged.collection.qrels or {}
        looked_at = [rankings.get(query_id, ()) for query_id in scored]
        cutoffs = [measure.cutoff for measure in measures]
        if None not in cutoffs:
            deepest = max(cutoff for cutoff in cutoffs if cutoff is not None)
            looked_at = [ranking[:deepest] for ranking in looked_at]
        found = graded([qrels[query_id] for query_id in scored], looked_at)
        return {
            measure.name: dict(
                zip(scored, _FORMULAS[measure.formula](found, measure.rel, measure.cutoff).tolist(), strict=True)
            )
            for measure in measures
        }
