"""One part of a track, compared: mteb's saved rankings by our scorer, our run beside its own, and why ranks differ."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from mteb_side import MEASURES, Rankings, values_by_question
from numpy.typing import NDArray
from rank_causes import Labels, Way, moved, ranking, tied

from harness.collections.view import Collection
from harness.measures import Judged, parse, score_all
from harness.runs.trec import Expected, Run, checked_run
from harness.submissions.agreement import kendall_tau, ranking_agreement, root_mean_square_error
from harness.tracks import Track

TOLERANCE = 1e-6
"""Of values by question, and of mteb's own means beside what it reports, which it rounds."""
ROUNDED = 5e-6
"""mteb reports means with five digits."""

Vectors = tuple[NDArray[np.float32], NDArray[np.float32]]
"""Of questions and passages."""
Values = Mapping[str, Mapping[str, float]]
"""By measure and question."""


@dataclass(frozen=True, eq=False)
class Encoded:
    """Vectors of one part, from ours to mteb's; each differs in one thing from the one before it."""

    ours: Vectors
    by_pytorch: Vectors
    without_white_space: Vectors
    theirs: Vectors


@dataclass(frozen=True, eq=False)
class Sides:
    """``reported``: mteb's means by measure."""

    run: Run
    scores: Values
    saved: Rankings
    reported: Mapping[str, float]
    encoded: Encoded
    store_dtype: str


def compared_part(collection: Collection, track: Track, sides: Sides) -> dict[str, Any]:
    """Figures of one part, for JSON; ``faults`` says in words what does not agree."""
    qrels = collection.qrels or {}
    query_ids, doc_ids = [query.query_id for query in collection.queries], list(collection.docs.ids)
    expected = Expected(query_ids, collection.docs, len(doc_ids))
    run, _ = checked_run({query: list(own.items()) for query, own in sides.saved.items()}, "mteb", expected)
    by_us = score_all(
        [parse(name) for name in dict.fromkeys((*MEASURES, track.primary))],
        Judged(collection),
        {query_id: ranked.doc_ids for query_id, ranked in run.rankings.items()},
    )
    by_mteb = values_by_question(qrels, sides.saved)
    scoring = [_scoring(name, by_us[name], by_mteb[name], sides.reported[name]) for name in MEASURES]
    agreement = ranking_agreement(sides.run, run, track.depth)
    error = root_mean_square_error(sides.scores[track.primary], by_us[track.primary])
    tolerance = track.tolerance
    is_within = (
        agreement.rank_biased_overlap >= tolerance.rank_biased_overlap
        and agreement.kendall_tau >= tolerance.kendall_tau
        and error <= tolerance.rmse
    )
    faults = [
        f"{row['measure']} of saved rankings differs by {row['largest']:.2g} for a question, by {row['mean']:.2g} on average"
        for row in scoring
        if row["largest"] > TOLERANCE or row["mean"] > ROUNDED + TOLERANCE
    ]
    if not is_within:
        faults.append("our run and mteb's are not within the tolerance of the track")
    ways = _ways(sides, query_ids, doc_ids)
    relevant = {
        query_id: _relevant(qrels[query_id], sides.run, query_id) for query_id in query_ids if qrels.get(query_id)
    }
    kept = [row for row, query_id in enumerate(query_ids) if query_id in relevant]
    labels = Labels([query_ids[row] for row in kept], doc_ids, relevant, track.depth)
    ways = [Way(way.title, way.change, way.scores[kept]) for way in ways]
    return {
        "questions": len(query_ids),
        "passages": len(doc_ids),
        "with_white_space": with_white_space(collection),
        "scoring": scoring,
        "ties": [list(group) for group in tied(ways[-1].scores, labels, track.depth)],
        "means": {name: [_mean(sides.scores[name]), _mean(by_us[name])] for name in by_us},
        "same_rankings": agreement.identical,
        "rank_biased_overlap": agreement.rank_biased_overlap,
        "kendall_tau": agreement.kendall_tau,
        "rmse": error,
        "is_within": is_within,
        "ways": [_step(one, two, labels) for one, two in itertools.pairwise(ways)],
        "moved": [row._asdict() for row in moved(ways, labels)],
        "faults": faults,
    }


def with_white_space(collection: Collection) -> list[str]:
    """Ids of the passages whose text begins or ends in white space, which mteb strips: tokenizers may make a token of it."""
    return [doc.doc_id for doc in collection.docs if doc.text != doc.text.strip()]


def _ways(sides: Sides, query_ids: Sequence[str], doc_ids: Sequence[str]) -> list[Way]:
    """From our run to mteb's saved scores, one change at a time; scores between them are summed in double precision."""
    encoded = sides.encoded
    questions, passages = encoded.ours
    stored = passages.astype(sides.store_dtype)
    ours = {query_id: dict(zip(*own, strict=True)) for query_id, own in sides.run.rankings.items()}
    return [
        Way("our run", "", _matrix(ours, query_ids, doc_ids)),
        Way("our vectors as stored", "our scores are sums in single precision", _products(questions, stored)),
        Way("our vectors before that", f"passages are stored in {sides.store_dtype}", _products(questions, passages)),
        Way("by PyTorch's own kernel", "another kernel multiplies in linear layers", _products(*encoded.by_pytorch)),
        Way(
            "without white space", "passages without white space at their ends", _products(*encoded.without_white_space)
        ),
        Way("mteb's vectors", "other batches", _products(*encoded.theirs)),
        Way(
            "mteb's saved scores",
            "mteb's scores are sums in single precision",
            _matrix(sides.saved, query_ids, doc_ids),
        ),
    ]


def _products(questions: NDArray[Any], passages: NDArray[Any]) -> NDArray[np.float64]:
    return questions.astype(np.float64) @ passages.astype(np.float64).T


def _matrix(rankings: Rankings, query_ids: Sequence[str], doc_ids: Sequence[str]) -> NDArray[np.float64]:
    rows = [[rankings.get(query_id, {}).get(doc_id, -np.inf) for doc_id in doc_ids] for query_id in query_ids]
    return np.array(rows, np.float64)


def _relevant(grades: Mapping[str, int], run: Run, query_id: str) -> str:
    """The passage with the highest grade; of several the one that our run ranks first."""
    places = {doc_id: place for place, doc_id in enumerate(run.rankings[query_id].doc_ids)}
    return min(grades, key=lambda doc_id: (-grades[doc_id], places.get(doc_id, len(places)), doc_id))


def _scoring(name: str, ours: Mapping[str, float], theirs: Mapping[str, float], reported: float) -> dict[str, Any]:
    """``largest``: difference of a question; ``mean``: of our mean and the one that mteb reports."""
    differences = [abs(value - theirs[query_id]) for query_id, value in ours.items()]
    mean = _mean(ours)
    return {
        "measure": name,
        "largest": max(differences),
        "ours": mean,
        "reported": reported,
        "mean": abs(mean - reported),
    }


def _step(one: Way, two: Way, labels: Labels) -> dict[str, Any]:
    """``tau``: Kendall's, of the rankings before and after the change, to the depth; mean over the questions."""
    both = np.isfinite(one.scores) & np.isfinite(two.scores)
    largest = float(np.abs(one.scores - two.scores, where=both, out=np.zeros_like(one.scores)).max())
    pairs = [tuple(ranking(labels, way.scores[row]) for way in (one, two)) for row in range(len(labels.query_ids))]
    return {
        "title": two.title,
        "change": two.change,
        "largest": largest,
        "tau": float(np.mean([kendall_tau(*pair) for pair in pairs])),
        "moved": len(list(moved([one, two], labels))),
    }


def _mean(values: Mapping[str, float]) -> float:
    return float(np.mean(list(values.values())))
