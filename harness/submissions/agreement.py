"""How far two runs of one part agree: rankings by rank-biased overlap, Kendall's tau and overlap, scores by their RMSE.

Rank-biased overlap and the RMSE are repro_eval's (Breuer et al. 2020, How to Measure the Reproducibility of System-oriented IR
Experiments); Kendall's tau is scipy's. repro_eval's "tau union" correlates lists of places in the alphabetical list of
documents, so that it changes with their names: one exchange of neighbours among a hundred gives 0.92 to 0.9996.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from harness.files.toml_records import Record
from harness.runs.trec import Run

PERSISTENCE = 0.9
"""Of rank-biased overlap: how likely a reader goes on to the next rank. 0.9 gives the first ten ranks 65% of the weight."""

OVERLAP_DEPTHS = (1, 5, 10, 20, 50, 100, 1000)

Values = Mapping[tuple[str, str], Mapping[str, float]]
"""Per-query scores: {(part, measure): {query id: value}}."""


class RankingAgreement(Record):
    """Of one part: ``queries`` that either run ranks, how many rankings are ``identical``, and means over the queries.

    ``overlap``: the share of the first k documents that both rankings have, by k.
    """

    queries: int
    identical: int
    rank_biased_overlap: float
    kendall_tau: float
    overlap: dict[int, float]


def ranking_agreement(recorded: Run, again: Run, depth: int) -> RankingAgreement:
    """Compare two runs of one part, each ranking cut at ``depth``, in the fixed order of ``harness.runs.trec``."""
    pairs = [
        tuple(_doc_ids(run, query_id, depth) for run in (recorded, again))
        for query_id in sorted(recorded.rankings.keys() | again.rankings.keys())
    ]
    depths = sorted({min(k, depth) for k in OVERLAP_DEPTHS})
    return RankingAgreement(
        queries=len(pairs),
        identical=sum(one == two for one, two in pairs),
        rank_biased_overlap=_mean([rank_biased_overlap(one, two) for one, two in pairs]),
        kendall_tau=_mean([kendall_tau(one, two) for one, two in pairs]),
        overlap={k: _mean([_overlap(one[:k], two[:k]) for one, two in pairs]) for k in depths},
    )


def unranked(agreements: Mapping[str, RankingAgreement], counts: Mapping[str, int]) -> list[str]:
    """A line for every part in which neither run ranks anything for some of its ``counts`` questions."""
    return [
        f"{part}: {counts[part] - found.queries} of {counts[part]} questions have no ranking in either run, "
        "and are not counted"
        for part, found in agreements.items()
        if found.queries < counts.get(part, 0)
    ]


def rank_biased_overlap(one: Sequence[str], two: Sequence[str]) -> float:
    """In [0, 1], down to the end of the longer ranking; 1 for equal rankings, two empty ones included."""
    if tuple(one) == tuple(two):
        return 1.0
    from repro_eval.measure.document_order import RBO

    depth = max(len(one), len(two))
    return float(RBO({"q": _falling(one)}, {"q": _falling(two)}, PERSISTENCE, depth, False, True)["q"])


def kendall_tau(one: Sequence[str], two: Sequence[str]) -> float:
    """In [-1, 1]: tau-b (Kendall 1945) of the ranks of all documents that either ranking has; names and scores don't matter.

    Documents that a ranking lacks are tied below its end. 1 for equal rankings, two empty ones included; 0 where only one is
    empty.
    """
    if tuple(one) == tuple(two):
        return 1.0
    if not one or not two:
        return 0.0
    from scipy.stats import kendalltau

    union = dict.fromkeys((*one, *two))
    first, second = ({doc_id: rank for rank, doc_id in enumerate(ranking)} for ranking in (one, two))
    ranks = [[places.get(doc_id, len(places)) for doc_id in union] for places in (first, second)]
    return float(kendalltau(*ranks).statistic)


def root_mean_square_error(one: Mapping[str, float], two: Mapping[str, float]) -> float:
    """Of the per-query scores of one measure; both score the same queries."""
    if not one:
        return 0.0
    from repro_eval.measure.effectiveness import RMSE

    # The measure's name is our own: repro_eval leaves some names of trec_eval's out.
    found = RMSE(
        {query: {"score": value} for query, value in one.items()},
        {query: {"score": two[query]} for query in one},
    )
    return float(found["score"])


def _doc_ids(run: Run, query_id: str, depth: int) -> tuple[str, ...]:
    ranked = run.rankings.get(query_id)
    return () if ranked is None else ranked.doc_ids[:depth]


def _falling(doc_ids: Sequence[str]) -> dict[str, int]:
    """Scores without ties, so that repro_eval keeps the order that is given."""
    return {doc_id: -rank for rank, doc_id in enumerate(doc_ids)}


def _overlap(one: Sequence[str], two: Sequence[str]) -> float:
    longer = max(len(one), len(two))
    return len(set(one) & set(two)) / longer if longer else 1.0


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values) if values else 1.0
