"""Rounds of mining in CORA's manner: half of XQuAD's questions have answers and no passages, and labellers look for these."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import xdr_bench as xdr
from harness.collections.in_memory import collection_of
from harness.files.yaml_records import digest_of
from harness.measures.answer_recall import has_answer
from harness.measures.squad_answers import exact_match
from harness.progress import Progress
from harness.recipes.mine.english import english_of
from harness.recipes.mine.questions import AskedPart, MinedRun
from harness.recipes.mine.runner import Job, mine
from harness.recipes.mine.settings import READERS, MineSettings
from harness.recipes.reading import ReaderSettings
from harness.recipes.reading.kept import KeptReader
from harness.recipes.rows import Passage, Row, read_rows
from harness.recipes.train.data import read_pairs
from harness.recipes.train.sources import SourceRecipe
from harness.records import Ranking
from training_rounds.judging import Collections, Outcome, Plan, Study, index_of, judged, scored
from training_rounds.training import START, Source, Variant, trained

LANGUAGES = ("ar", "de", "es", "hi", "ru", "tr", "zh")
DEPTH = 10
TOP = 20
"""Passages that are labelled. CORA looks at 50 of 18 million; 20 of 240 are one in twelve."""
NEGATIVES = 4
WORKERS = 2
"""Passages that are read at once, which changes nothing."""
OLD = 400
"""Of each language sentences of NTREX and as many of TyDi QA's English questions: together about as many rows as are mined."""
ROWS = "rows.jsonl.gz"
LABELLERS = {
    "string": ("answer-string", "passages that hold an answer", 2),
    "reader": ("answer-string+reader", "CORA's rule, with a reader", 2),
    "qrels": ("qrels", "the judged passages (ceiling)", 1),
    "random": ("random", "drawn passages (control)", 1),
}
"""With how many rounds each has. A round begins anew at the start, and labels what the encoder of the round before finds."""
TITLES = {
    "start": "`mini-xdr`: start, not trained further",
    "no-mining": "control: as many steps on the old data alone",
    "negatives": "control: mined negatives for TyDi QA's own English questions, no mined positives",
    **{
        f"{name}-{number}": f"round {number}, labels: {what}"
        for name, (_, what, rounds) in LABELLERS.items()
        for number in range(1, rounds + 1)
    },
}
_STRING = "string-1"
PLAN = Plan(
    ("Success@10", "RR@10"),
    TITLES,
    (
        *((_STRING, other) for other in ("start", "no-mining", "negatives", "random-1")),
        *((other, _STRING) for other in ("string-2", "qrels-1", "reader-1")),
        ("reader-2", "reader-1"),
    ),
)


@dataclass(frozen=True)
class _World:
    """``asked``: what is scored; ``unasked``: whose passages are hidden."""

    study: Study
    asked: Collections
    unasked: Collections

    @property
    def docs(self) -> Any:
        return next(iter(self.asked.values())).docs


def unasked(languages: Sequence[str]) -> dict[str, xdr.Collection]:
    """The questions of XQuAD that xquad-oracle does not ask, with their answers and judgements, by language."""
    found = {}
    for lang in languages:
        whole, asked = xdr.load_collection(f"xquad/{lang}"), xdr.load_collection(f"xquad-oracle/{lang}")
        known = {query.query_id for query in asked.queries}
        queries = [query for query in whole.queries if query.query_id not in known]
        kept = {query.query_id for query in queries}
        found[lang] = collection_of(
            list(whole.docs),
            queries,
            qrels={query_id: grades for query_id, grades in (whole.qrels or {}).items() if query_id in kept},
            answers={query_id: own for query_id, own in (whole.answers or {}).items() if query_id in kept},
            name=f"xquad-unasked/{lang}",
        )
    return found


def measured(study: Study, progress: Progress) -> dict[str, Any]:
    """All figures of the study, as JSON takes them."""
    asked = {lang: xdr.load_collection(f"xquad-oracle/{lang}") for lang in study.languages}
    world = _World(study, asked, unasked(study.languages))
    start = index_of(START, world.docs)
    outcomes = {"start": [Outcome(_scores(world, "start", start))]}
    for seed in study.seeds:
        for name, outcome in _of_seed(world, seed, start, progress).items():
            outcomes.setdefault(name, []).append(outcome)
    return {
        **judged(study, PLAN, outcomes),
        "questions": sum(len(own.queries) for own in world.unasked.values()),
        "top": TOP,
        "negatives": NEGATIVES,
        "reader": study.reader.name if study.reader else None,
        "reader_right": _right_on_gold(study.reader, world) if study.reader else None,
    }


def _right_on_gold(reader: Path, world: _World) -> tuple[int, int]:
    """To how many of the English questions the reader answers right in their own paragraph, and how many there are."""
    english, own = english_of("xquad/en", world.study.languages), next(iter(world.unasked.values()))
    pairs, answers = [], []
    for query in own.queries:
        for doc_id in (own.qrels or {})[query.query_id]:
            pairs.append((english.of(query), own.docs.get(doc_id).text))
            answers.append((own.answers or {})[query.query_id])
    kept = KeptReader(ReaderSettings(reader), WORKERS)
    with kept.opened():
        found = list(kept.answers(pairs))
    return sum(exact_match(one.text, own) for one, own in zip(found, answers, strict=True)), len(pairs)


def _of_seed(world: _World, seed: int, start: xdr.Index, progress: Progress) -> dict[str, Outcome]:
    def row(name: str, rows: Sequence[Row]) -> tuple[xdr.Index, Outcome]:
        sources: list[Source] = [
            {"kind": "ntrex", "languages": list(world.study.languages), "sample": OLD},
            {"kind": "tydi-questions", "sample": OLD * len(world.study.languages)},
        ]
        if rows:
            sources.append({"kind": "rows", "path": ROWS})
        # By language: that of others, which are not asked here, need not be on this machine.
        asked = [f"xquad-oracle/{lang}" for lang in world.study.languages]
        variant = Variant(name, seed, sources, {ROWS: rows} if rows else {}, asked, NEGATIVES if rows else 0)
        model, record = trained(variant, world.study.budget, world.study.work, progress)
        index = index_of(model, world.docs)
        return index, Outcome(_scores(world, name, index), record)

    found = {
        "no-mining": row("no-mining", ())[1],
        "negatives": row("negatives", negatives_of_gold(start, world.docs))[1],
    }
    for name, (labeller, _, rounds) in LABELLERS.items():
        if labeller in READERS and world.study.reader is None:
            continue
        index = start
        for number in range(1, rounds + 1):
            label = f"{name}-{number}"
            folder = world.study.work / f"{label}-{seed}"
            rows, noted = _mined(world, index, MineSettings(labeller, TOP, seed=seed), folder, progress)
            index, outcome = row(label, rows)
            found[label] = replace(outcome, noted=noted)
    return found


def _mined(
    world: _World, index: xdr.Index, settings: MineSettings, folder: Path, progress: Progress
) -> tuple[list[Row], dict[str, Any]]:
    """Rows of what an encoder finds, with the first positive alone, and how right their labels are."""
    rankings = {lang: index.run(own.queries, TOP) for lang, own in world.unasked.items()}
    parts = [
        AskedPart(
            lang, own, lang, {query_id: _ranking(query_id, rankings[lang]) for query_id in rankings[lang]}, digest
        )
        for lang, own in world.unasked.items()
        for digest in [digest_of(rankings[lang])]
    ]
    reads = settings.labeller in READERS
    job = Job(
        MinedRun("round", "", tuple(parts)),
        settings,
        folder / f"mined-{digest_of([part.digest for part in parts])[:16]}.jsonl.gz",
        reader=ReaderSettings(world.study.reader) if reads and world.study.reader else None,
        english=english_of("xquad/en", world.study.languages) if reads else None,
    )
    counts = mine(job, progress, WORKERS).manifest.counts
    gold = {lang: own.qrels or {} for lang, own in world.unasked.items()}
    # Rows that share a passage never meet in a batch: with several positives each, chains of them would hold nearly all.
    rows = [replace(row, positives=row.positives[:1]) for row in read_rows(job.out).rows]
    return rows, {
        "labels": {lang: _right([row for row in rows if row.lang == lang], gold[lang]) for lang in gold},
        "questions": {lang: counts[lang]["questions"] for lang in gold},
        "fallback": {lang: counts[lang]["fallback"] for lang in gold},
        "found": {
            lang: sum(not gold[lang][query_id].keys().isdisjoint(ranking) for query_id, ranking in own.items())
            for lang, own in rankings.items()
        },
    }


def _ranking(query_id: str, run: Mapping[str, Mapping[str, float]]) -> Ranking:
    return Ranking(query_id, list(run[query_id]), list(run[query_id].values()))


def _right(rows: Sequence[Row], gold: Mapping[str, Mapping[str, int]]) -> tuple[int, int]:
    """How many rows have a judged passage, and how many there are."""
    return sum(row.positives[0].docid in gold[row.query_id] for row in rows), len(rows)


def negatives_of_gold(index: xdr.Index, docs: Any) -> list[Row]:
    """TyDi QA's English training questions with their passages, and the first of ``docs`` that do not hold the answer."""
    pairs = read_pairs(SourceRecipe(kind="tydi-answers", languages=("en",)), 0)
    found = index.run([xdr.Query(str(place), pair.anchor.text, "en", "") for place, pair in enumerate(pairs)], TOP)
    rows = []
    for place, pair in enumerate(pairs):
        start, end = pair.answer or (0, 0)
        answers = (pair.positive.text[start:end],)
        hard = [docs.get(doc_id) for doc_id in found[str(place)]]
        negatives = tuple(Passage(doc.doc_id, doc.title, doc.text) for doc in hard if not has_answer(answers, doc.text))
        positive = Passage(f"tydi-{place}", pair.positive.title, pair.positive.text)
        rows.append(Row(str(place), pair.anchor.text, (positive,), negatives, "en", "tydi", "gold"))
    return rows


def _scores(world: _World, name: str, index: xdr.Index) -> dict[str, xdr.Scores]:
    runs = {lang: index.run(own.queries, DEPTH) for lang, own in world.asked.items()}
    return scored(runs, world.asked, PLAN.measures, name)
