"""Hybrid batches (arXiv 2408.10536): each monolingual or cross-lingual, against one kind alone and against mixed ones."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import xdr_bench as xdr
from harness.collections.xquad import MULTILINGUAL, language_of
from harness.progress import Progress
from harness.recipes.rows import Passage, Row
from harness.recipes.train.data import read_pairs
from harness.recipes.train.sources import SourceRecipe
from training_rounds.judging import Collections, Outcome, Plan, Study, encoder_of, index_of, judged, scored
from training_rounds.language_bias import Bias, bias_of, mean_bias
from training_rounds.training import START, Source, Variant, trained

LANGUAGES = MULTILINGUAL
MONOLINGUAL, PER_LANGUAGE = ("en", "ko", "sw"), 1600
"""TyDi QA's training questions with their passages: as many of each language as all three have, roundly."""
CROSS_LINGUAL = 343
"""Of each of XOR-TyDi's seven languages, questions with their English translations, and as many with English answers."""
DEPTH = 10
ROWS = "monolingual.jsonl.gz"
TITLES = {
    "start": "`mini-xdr`: start, not trained further",
    "monolingual": "monolingual batches alone",
    "cross-lingual": "cross-lingual batches alone",
    "hybrid": "hybrid: every batch of one source and one pair of languages",
    "mixed": "control: the same pairs, mixed inside every batch",
}
PLAN = Plan(
    ("nDCG@10", "R@8"),
    TITLES,
    tuple(("hybrid", other) for other in TITLES if other != "hybrid"),
)


def measured(study: Study, progress: Progress) -> dict[str, Any]:
    """All figures of the study, as JSON takes them."""
    collections = {lang: xdr.load_collection(f"xquad/{lang}/multilingual") for lang in study.languages}
    rows = {seed: monolingual(seed) for seed in study.seeds}
    outcomes = {"start": [_outcome("start", START, collections)]}
    for seed in study.seeds:
        for variant in variants(seed, rows[seed]):
            model, record = trained(variant, study.budget, study.work, progress)
            found = _outcome(variant.name, model, collections)
            outcomes.setdefault(variant.name, []).append(Outcome(found.scores, record, found.noted))
    return {**judged(study, PLAN, outcomes), "passages": len(next(iter(collections.values())).docs)}


def monolingual(seed: int) -> list[Row]:
    """Questions with passages in their own language, a sample of each language."""
    source = SourceRecipe(kind="tydi-answers", languages=MONOLINGUAL, sample=PER_LANGUAGE)
    return [
        Row(
            f"tydi-{place}",
            pair.anchor.text,
            (Passage(f"tydi-{place}", pair.positive.title, pair.positive.text),),
            lang=pair.anchor.lang,
            source="TyDi QA",
            label="gold",
        )
        for place, pair in enumerate(read_pairs(source, seed))
    ]


def variants(seed: int, rows: list[Row]) -> list[Variant]:
    """Of every row as many pairs in an epoch: one kind twice, or both once."""

    def both(own: int, crossing: int) -> list[Source]:
        sources: list[Source] = []
        if own:
            sources.append({"kind": "rows", "path": ROWS, "weight": own})
        if crossing:
            kinds = ("questions-parallel", "xor-answers")
            sources += [{"kind": kind, "sample": CROSS_LINGUAL, "weight": crossing} for kind in kinds]
        return sources

    def variant(name: str, own: int, crossing: int, batches: str) -> Variant:
        return Variant(name, seed, both(own, crossing), {ROWS: rows} if own else {}, batches=batches)

    return [
        variant("monolingual", 2, 0, "language"),
        variant("cross-lingual", 0, 2, "language"),
        variant("hybrid", 1, 1, "language"),
        variant("mixed", 1, 1, "mixed"),
    ]


def _outcome(name: str, model: Path, collections: Collections) -> Outcome:
    docs = next(iter(collections.values())).docs
    index = index_of(model, docs)
    runs = {lang: index.run(own.queries, DEPTH) for lang, own in collections.items()}
    biases = [one for lang, own in collections.items() for one in _biases(encoder_of(model), lang, own)]
    return Outcome(scored(runs, collections, PLAN.measures, name), noted=mean_bias(biases))


def _biases(encoder: xdr.Encoder, lang: str, collection: xdr.Collection) -> Iterator[Bias]:
    """Of rankings of all passages, which need no run: equal scores, which are rare, stand in the order of ids."""
    ids = np.array(collection.docs.ids)
    passages = _unit(encoder.encode_document([doc.default_text() for doc in collection.docs]))
    questions = _unit(encoder.encode_query([query.text for query in collection.queries]))
    for query, scores in zip(collection.queries, questions @ passages.T, strict=True):
        ranking = ids[np.argsort(-scores, kind="stable")].tolist()
        yield bias_of(ranking, list((collection.qrels or {})[query.query_id]), lang, language_of)


def _unit(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    unit: NDArray[np.float32] = vectors / np.maximum(
        np.linalg.norm(vectors, axis=1, keepdims=True), np.finfo(np.float32).tiny
    )
    return unit
