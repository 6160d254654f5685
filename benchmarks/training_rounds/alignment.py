"""The alignment term of QuiCK: a question is to be near a question that was generated for its passage in another language."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import Any

import xdr_bench as xdr
from harness.progress import Progress
from harness.recipes.rows import Passage, Row
from harness.recipes.train.overlap import evaluation_questions, overlapping
from training_rounds.judging import Collections, Outcome, Plan, Study, index_of, judged, scored
from training_rounds.pseudo_labels import Unlabelled
from training_rounds.self_training import DEPTH, EACH, LANGUAGES, unlabelled
from training_rounds.training import START, Source, Variant, trained

__all__ = ["LANGUAGES", "measured"]
ROWS = "questions.jsonl.gz"
TRANSLATIONS = 600
"""Of each language, as many as there are generated questions."""
TITLES = {
    "start": "`mini-xdr`: start, not trained further",
    "no-term": "control: as many steps without the term",
    "generated": "with the term: a question generated for the same passage in another language",
    "another": "control: a question generated for another passage",
    "translations": "ceiling: the question's translation by people (other questions)",
}
PLAN = Plan(("R@500t",), TITLES, tuple(("generated", other) for other in TITLES if other != "generated"))


def measured(study: Study, progress: Progress) -> dict[str, Any]:
    """All figures of the study, as JSON takes them."""
    questions = unlabelled(study.languages)
    collections = {lang: xdr.load_collection(f"xdr-mini/{lang}") for lang in study.languages}
    # Partners stand where passages do, which training does not compare with evaluation questions.
    asked = overlapping((one.text for one in questions), evaluation_questions(["xdr-mini"]))
    kept = [one for one in questions if one.text not in asked]
    outcomes = {"start": [_outcome("start", index_of(START, _docs(collections)), collections)]}
    for seed in study.seeds:
        for variant in _variants(seed, kept, study.languages):
            model, record = trained(variant, study.budget, study.work, progress)
            found = _outcome(variant.name, index_of(model, _docs(collections)), collections)
            outcomes.setdefault(variant.name, []).append(Outcome(found.scores, record))
    return {**judged(study, PLAN, outcomes), "questions": len(kept), "dropped": len(questions) - len(kept)}


def partners(questions: Sequence[Unlabelled], seed: int, of_another: bool) -> list[Row]:
    """Each question with all that were generated in other languages for its passage, or for one drawn in its place.

    A passage's questions all have partners of one passage, and no other's have, so that they never meet in a batch, where
    one's partner would be a false negative of another.
    """
    passages = list(dict.fromkeys(one.hidden for one in questions))
    choice = Random(f"partners {seed}")
    choice.shuffle(passages)
    # Next to one another in a drawn circle: none is its own.
    moved = dict(zip(passages, [*passages[1:], passages[0]], strict=True)) if of_another else {}
    by_passage: dict[str, list[Unlabelled]] = {}
    for one in questions:
        by_passage.setdefault(one.hidden, []).append(one)
    rows = []
    for one in questions:
        others = [own for own in by_passage[moved.get(one.hidden, one.hidden)] if own.lang != one.lang]
        choice.shuffle(others)
        if others:
            different = {own.text: Passage(own.query_id, "", own.text) for own in others}
            rows.append(Row(one.query_id, one.text, tuple(different.values()), lang=one.lang, label="pseudo"))
    return rows


def _variants(seed: int, questions: Sequence[Unlabelled], languages: Sequence[str]) -> list[Variant]:
    labelled: list[Source] = [
        {"kind": "xor-answers", "languages": list(languages), "sample": EACH},
        {"kind": "tydi-questions", "sample": EACH * len(languages)},
    ]
    translations: Source = {
        "kind": "questions-parallel",
        "languages": list(languages),
        "sample": TRANSLATIONS,
    }

    def with_term(name: str, of_another: bool) -> Variant:
        rows = partners(questions, seed, of_another)
        sources = [*labelled, {"kind": "rows", "path": ROWS}]
        return Variant(name, seed, sources, {ROWS: rows}, transductive=("xdr-mini",))

    return [
        Variant("no-term", seed, labelled, transductive=("xdr-mini",)),
        with_term("generated", of_another=False),
        with_term("another", of_another=True),
        Variant("translations", seed, [*labelled, translations], transductive=("xdr-mini",)),
    ]


def _docs(collections: Collections) -> Any:
    return next(iter(collections.values())).docs


def _outcome(name: str, index: xdr.Index, collections: Collections) -> Outcome:
    runs = {lang: index.run(own.queries, DEPTH) for lang, own in collections.items()}
    return Outcome(scored(runs, collections, PLAN.measures, name))
