"""Values by query of nDCG@10, RR@10, R@100, AP and Success@10, from rankings that are in memory.

Ours and the peers get the same rankings in their own form: doc ids in order; {query: {doc: score}}; ranx's ``Run``.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import ir_measures
import numpy as np
import pytrec_eval
from table import Row
from timing import shortest

from harness.measures import Judged, parse, score_all
from harness.records import Query

MEASURES = ("nDCG@10", "RR@10", "R@100", "AP", "Success@10")
_TREC_EVAL = {"ndcg_cut_10", "recip_rank", "recall_100", "map", "success_10"}
_RANX = ["ndcg@10", "mrr@10", "recall@100", "map", "hit_rate@10"]
_COLLECTION = 1_000_000


def rows(queries: int = 10_000, docs: int = 1_000) -> list[Row]:
    """Every peer against ours; ranx where it is installed (the extra ``bench``)."""
    qrels, rankings = made_up(queries, docs)
    scored = {query_id: {doc: -float(rank) for rank, doc in enumerate(ids)} for query_id, ids in rankings.items()}
    collection: Any = SimpleNamespace(qrels=qrels, queries=[Query(q, "", "xx", q) for q in qrels])
    judged, ours = Judged(collection), [parse(name) for name in MEASURES]
    theirs = [ir_measures.parse_measure(name) for name in MEASURES]
    sides = {
        "ours": lambda: score_all(ours, judged, rankings),
        "ir_measures": lambda: list(ir_measures.iter_calc(theirs, qrels, scored)),
        "pytrec_eval (RR without cutoff)": lambda: pytrec_eval.RelevanceEvaluator(qrels, _TREC_EVAL).evaluate(scored),
        **_ranx(qrels, scored),
    }
    for side in sides.values():
        side()  # compiles, imports, and lets ranx sort its runs, which it does once
    seconds = dict(zip(sides, shortest(list(sides.values())), strict=True))
    what = f"{len(MEASURES)} ranking measures, {queries:,} queries x {docs:,} documents"
    return [Row(what, seconds["ours"], peer, time) for peer, time in seconds.items() if peer != "ours"]


def made_up(queries: int, docs: int) -> tuple[dict[str, dict[str, int]], dict[str, tuple[str, ...]]]:
    """Qrels with 1 to 10 judged documents each, half of them in the ranking, and rankings from a million documents."""
    generator = np.random.default_rng(20230723)
    ids = [f"d{number:07d}" for number in range(_COLLECTION)]
    qrels, rankings = {}, {}
    for number in range(queries):
        ranking = [ids[place] for place in generator.choice(_COLLECTION, docs, replace=False)]
        judged = generator.integers(1, 11)
        inside = [ranking[place] for place in generator.integers(0, docs, (judged + 1) // 2)]
        outside = [ids[place] for place in generator.integers(0, _COLLECTION, judged // 2)]
        grades: Sequence[int] = generator.integers(0, 4, judged).tolist()
        qrels[f"q{number}"] = dict(zip([*inside, *outside], grades, strict=True))
        rankings[f"q{number}"] = tuple(ranking)
    return qrels, rankings


def _ranx(qrels: dict[str, dict[str, int]], scored: dict[str, dict[str, float]]) -> dict[str, Any]:
    try:
        import ranx  # type: ignore[import-not-found, unused-ignore]
    except ImportError:
        return {}
    warnings.filterwarnings("ignore", module="ranx")
    their_qrels, their_run = ranx.Qrels(qrels), ranx.Run(scored)
    return {"ranx": lambda: ranx.evaluate(their_qrels, their_run, _RANX, return_mean=False)}
