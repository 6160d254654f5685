"""How the rows of a study are judged: each question's mean over the seeds, differences of a family declared before."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

import xdr_bench as xdr
from harness.compare.corrections import correct
from harness.recipes.train.record import TrainingRecord
from training_rounds.training import Budget

ENCODER: dict[str, Any] = {"similarity": "cosine", "query_max_length": 64, "passage_max_length": 256}
"""How the embedded track reads with the start."""
MARKED_SEEDS = 3
"""From so many seeds on a difference is tested; with fewer its interval alone is shown."""
LEVEL = 0.05

Scores = Mapping[str, xdr.Scores]
"""By language."""
Collections = Mapping[str, xdr.Collection]


@dataclass(frozen=True)
class Study:
    """What every study is told. ``seeds``: of every row; without one nothing is trained.

    ``reader``: the folder of a question-answering model, where one is to label.
    """

    work: Path
    budget: Budget
    seeds: Sequence[int]
    languages: Sequence[str]
    reader: Path | None = None


@dataclass(frozen=True)
class Plan:
    """``titles``: of all rows, in the order of the table; ``family``: which row is held against which other one.

    ``measures``: the first one is tested.
    """

    measures: Sequence[str]
    titles: Mapping[str, str]
    family: Sequence[tuple[str, str]]


@dataclass(frozen=True)
class Outcome:
    """What has come of one row for one seed. ``noted``: numbers beside the scores; untrained rows have no record."""

    scores: Scores
    record: TrainingRecord | None = None
    noted: Mapping[str, Any] = field(default_factory=dict)


def encoder_of(model: Path) -> xdr.Encoder:
    return xdr.Encoder(model, workers=1, **ENCODER)


def index_of(model: Path, docs: Any) -> xdr.Index:
    return encoder_of(model).index(docs)


def scored(
    runs: Mapping[str, Any], collections: Collections, measures: Sequence[str], name: str
) -> dict[str, xdr.Scores]:
    return {lang: xdr.score(runs[lang], own, list(measures)).named(name) for lang, own in collections.items()}


def judged(study: Study, plan: Plan, outcomes: Mapping[str, Sequence[Outcome]]) -> dict[str, Any]:
    """All figures of the rows, as JSON takes them. ``outcomes``: of each row one for each seed, one alone if untrained."""
    means = {name: _mean([one.scores for one in own], plan.measures) for name, own in outcomes.items()}
    return {
        "seeds": list(study.seeds),
        "languages": list(study.languages),
        "measures": list(plan.measures),
        "budget": vars(study.budget),
        "titles": {name: plan.titles[name] for name in outcomes},
        "rows": {name: _row(own, means[name], plan.measures) for name, own in outcomes.items()},
        "differences": _differences(means, plan, len(study.seeds)),
    }


def _mean(scores: Sequence[Scores], measures: Sequence[str]) -> dict[str, xdr.Scores]:
    """Each question's mean over the seeds, so that a test is about the recipe and not about one training of it."""

    def mean(lang: str, measure: str) -> dict[str, float]:
        columns = [own[lang].per_query[measure] for own in scores]
        return {query_id: float(np.mean([column[query_id] for column in columns])) for query_id in columns[0]}

    return {
        lang: replace(one, per_query={measure: mean(lang, measure) for measure in measures})
        for lang, one in scores[0].items()
    }


def _means(scores: Scores, measure: str) -> dict[str, float]:
    by_language = {lang: own[measure] for lang, own in scores.items()}
    return {"macro": float(np.mean(list(by_language.values()))), **by_language}


def _row(outcomes: Sequence[Outcome], mean: Scores, measures: Sequence[str]) -> dict[str, Any]:
    records = [one.record for one in outcomes if one.record is not None]
    return {
        "scores": {measure: _means(mean, measure) for measure in measures},
        "by_seed": [_means(one.scores, measures[0])["macro"] for one in outcomes] if records else [],
        "noted": [dict(one.noted) for one in outcomes],
        "training": _training(records) if records else None,
    }


def _training(records: Sequence[TrainingRecord]) -> dict[str, float]:
    """Means over the seeds, and the most memory that the process had taken by then."""
    stages = [record.stages[0] for record in records]
    return {
        "steps": float(np.mean([stage.steps for stage in stages])),
        "rows_per_epoch": float(np.mean([stage.rows_per_epoch for stage in stages])),
        "tokens": float(np.mean([stage.tokens for stage in stages])),
        "candidates": float(np.mean([stage.candidates_per_query or 0 for stage in stages])),
        "seconds": float(np.mean([record.seconds for record in records])),
        "peak_memory": max(stage.peak_memory_bytes or 0 for stage in stages),
    }


def _differences(means: Mapping[str, Scores], plan: Plan, seeds: int) -> list[dict[str, Any]]:
    """One row less another; p with Holm's correction over the family, where there are seeds enough."""
    pairs = [pair for pair in plan.family if means.keys() >= set(pair)]
    if not pairs:
        return []
    measure = plan.measures[0]
    found = [xdr.compare(means[one], means[other], measure, unit="relevant passage") for one, other in pairs]
    adjusted = correct(np.array([one.p for one in found]), "holm").p_adjusted
    return [
        {
            "row": row,
            "other": other,
            "difference": one.difference,
            "interval": one.interval,
            "p": float(p) if seeds >= MARKED_SEEDS else None,
            "detectable": one.detectable(LEVEL / len(pairs)),
            "by_part": {lang: part.difference for lang, part in one.by_part.items()}
            or {next(iter(means[row])): one.difference},
        }
        for (row, other), one, p in zip(pairs, found, adjusted, strict=True)
    ]
