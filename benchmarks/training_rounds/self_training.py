"""Self-training on xdr-mini's recorded questions: which rows there are, and what comes of each."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

import xdr_bench as xdr
from harness.compare.corrections import correct
from harness.progress import Progress
from harness.recipes.train.record import TrainingRecord
from training_rounds.pseudo_labels import (
    Labelled,
    Rankings,
    Unlabelled,
    first_found,
    given,
    hub_share,
    precision,
    rows_of,
    shuffled,
)
from training_rounds.training import START, Budget, Variant, trained

ROOT = Path(__file__).parents[2]
MEASURE, DEPTH, CANDIDATES = "R@500t", 30, 20
RECORDED = {"mini-xdr": "start, not trained further", "mini-xdr-xqg": "start, fused with the same questions"}
"""Rows of track mini whose recorded runs are scored."""
REFERENCE = "mini-xdr-xqg"
KEPT = 0.5
MARKED_SEEDS = 3
"""From so many seeds on a difference is tested; with fewer its interval alone is shown."""


@dataclass(frozen=True)
class Study:
    """``seeds``: of every row; without one nothing is trained, and labels alone are judged.

    ``rounds``: of the self-trained encoder; each begins anew at the start.
    """

    work: Path
    budget: Budget
    seeds: Sequence[int]
    rounds: int = 2

    @property
    def languages(self) -> Sequence[str]:
        return self.budget.languages


@dataclass(frozen=True)
class Trained:
    """What one training of a row has come to. ``labels``: those that it was trained on; ``hub``: share of test questions."""

    scores: Mapping[str, xdr.Scores]
    record: TrainingRecord
    labels: Mapping[str, tuple[int, int]]
    hub: float


def unlabelled(languages: Sequence[str]) -> list[Unlabelled]:
    """The recorded generated questions of xdr-mini, their passages hidden."""
    path = ROOT / "harness" / "collections" / "mini" / "generated.jsonl"
    rows = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    return [
        Unlabelled(f"generated-{number}", row["text"], row["lang"], row["doc_id"])
        for number, row in enumerate(rows)
        if row["lang"] in languages
    ]


def titles(rounds: int) -> dict[str, str]:
    """All rows that are trained, in the order of the table."""
    own = {f"self-trained-{n}": f"self-trained, round {n}, surest half of each language" for n in range(1, rounds + 1)}
    return {
        "more-steps": "control: as many steps on the old data alone",
        "given": "trained on the questions with their passages",
        "shuffled": "control: trained on the questions with others' passages",
        "self-trained-all": "self-trained, round 1, no filter",
        **own,
    }


def measured(study: Study, progress: Progress) -> dict[str, Any]:
    """All figures of the page, as JSON takes them."""
    began = time.process_time()
    questions = unlabelled(study.languages)
    collections = {lang: xdr.load_collection(f"xdr-mini/{lang}") for lang in study.languages}
    first = _found(_index(START, collections), questions)
    results = {seed: _of_seed(study, seed, (questions, collections, first), progress) for seed in study.seeds}
    recorded = {name: _recorded(name, collections) for name in RECORDED}
    names = titles(study.rounds) if study.seeds else {}
    means = {name: _mean([results[seed][name].scores for seed in study.seeds]) for name in names}
    rows = {**recorded, **means}
    return {
        "seeds": list(study.seeds),
        "rounds": study.rounds,
        "measure": MEASURE,
        "reference": REFERENCE,
        "titles": {**RECORDED, **names},
        "budget": {**vars(study.budget), "languages": list(study.languages)},
        "questions": len(questions),
        "recorded": {name: _means(scores) for name, scores in recorded.items()},
        "trained": {name: _row([results[seed][name] for seed in study.seeds]) for name in names},
        "labels": {
            f"{where} {kept}": precision(first_found(questions, first, kept, where == "each"))
            for kept in (1.0, KEPT, KEPT / 2)
            for where in ("each", *(["all"] if kept < 1 else []))
        },
        "hub": hub_share([next(iter(ranking)) for ranking in first.values()]),
        "differences": _differences(rows, len(study.seeds)),
        "processor_seconds": round(time.process_time() - began),
    }


def _of_seed(
    study: Study,
    seed: int,
    asked: tuple[Sequence[Unlabelled], Mapping[str, xdr.Collection], Rankings],
    progress: Progress,
) -> dict[str, Trained]:
    questions, collections, first = asked
    docs = collections[study.languages[0]].docs

    def row(name: str, labels: Sequence[Labelled]) -> tuple[xdr.Index, Trained]:
        title = titles(study.rounds)[name]
        # Half the rows are gone through twice as often, so that as many batches are theirs.
        weight = round(len(questions) / len(labels)) if labels else 1
        variant = Variant(name, title, seed, "xdr-mini", rows_of(labels, docs, name))
        model, record = trained(variant, replace(study.budget, weight=weight), study.work, progress)
        index = _index(model, collections)
        runs = {lang: index.run(own.queries, DEPTH) for lang, own in collections.items()}
        scores = {lang: xdr.score(runs[lang], own, MEASURE).named(name) for lang, own in collections.items()}
        hub = hub_share([next(iter(ranking)) for run in runs.values() for ranking in run.values()])
        return index, Trained(scores, record, precision(labels), hub)

    found = {
        "more-steps": row("more-steps", ())[1],
        "given": row("given", given(questions))[1],
        "shuffled": row("shuffled", shuffled(questions, seed))[1],
        "self-trained-all": row("self-trained-all", first_found(questions, first))[1],
    }
    rankings = first
    for number in range(1, study.rounds + 1):
        index, found[f"self-trained-{number}"] = row(f"self-trained-{number}", first_found(questions, rankings, KEPT))
        rankings = _found(index, questions)
    return found


def _index(model: Path, collections: Mapping[str, xdr.Collection]) -> xdr.Index:
    encoder = xdr.Encoder(model, similarity="cosine", query_max_length=64, passage_max_length=256, workers=1)
    return encoder.index(next(iter(collections.values())).docs)


def _found(index: xdr.Index, questions: Sequence[Unlabelled]) -> Rankings:
    return index.run([xdr.Query(one.query_id, one.text, one.lang, one.query_id) for one in questions], CANDIDATES)


def _recorded(name: str, collections: Mapping[str, xdr.Collection]) -> dict[str, xdr.Scores]:
    folder = ROOT / "runs" / "mini" / name
    return {lang: xdr.score(folder / f"{lang}.trec.gz", own, MEASURE).named(name) for lang, own in collections.items()}


def _mean(scores: Sequence[Mapping[str, xdr.Scores]]) -> dict[str, xdr.Scores]:
    """Each question's mean over the seeds, so that a test is about the recipe and not about one training of it."""
    found = {}
    for lang, one in scores[0].items():
        values = {
            query_id: float(np.mean([own[lang].per_query[MEASURE][query_id] for own in scores]))
            for query_id in one.per_query[MEASURE]
        }
        found[lang] = replace(one, per_query={MEASURE: values})
    return found


def _means(scores: Mapping[str, xdr.Scores]) -> dict[str, float]:
    by_language = {lang: own[MEASURE] for lang, own in scores.items()}
    return {"macro": float(np.mean(list(by_language.values()))), **by_language}


def _row(trainings: Sequence[Trained]) -> dict[str, Any]:
    stages = [one.record.stages[0] for one in trainings]
    return {
        "scores": _means(_mean([one.scores for one in trainings])),
        "by_seed": [_means(one.scores)["macro"] for one in trainings],
        "labels": {lang: list(counts) for lang, counts in trainings[0].labels.items()},
        "hub": float(np.mean([one.hub for one in trainings])),
        "steps": stages[0].steps,
        "tokens": float(np.mean([stage.tokens for stage in stages])),
        "candidates": float(np.mean([stage.candidates_per_query or 0 for stage in stages])),
        "seconds": float(np.mean([one.record.seconds for one in trainings])),
    }


def _differences(rows: Mapping[str, Mapping[str, xdr.Scores]], seeds: int) -> dict[str, Any]:
    """Every other row less the fused start; p with Holm's correction over all of them, where there are seeds enough."""
    others = [name for name in rows if name != REFERENCE]
    found = {name: xdr.compare(rows[name], rows[REFERENCE], MEASURE, unit="relevant passage") for name in others}
    adjusted = correct(np.array([one.p for one in found.values()]), "holm").p_adjusted
    return {
        name: {
            "difference": one.difference,
            "interval": one.interval,
            "p": float(p) if seeds >= MARKED_SEEDS else None,
            "by_part": {lang: part.difference for lang, part in one.by_part.items()}
            or {next(iter(rows[name])): one.difference},
        }
        for (name, one), p in zip(found.items(), adjusted, strict=True)
    }
