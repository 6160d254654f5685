"""Self-training on xdr-mini's recorded questions: which rows there are, and what comes of each."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import xdr_bench as xdr
from harness.adapters.card import load_card
from harness.adapters.contract import Context, Request
from harness.files.toml_records import checked
from harness.progress import Progress
from systems.xqg import Xqg
from training_rounds.judging import Collections, Outcome, Plan, Study, index_of, judged, scored
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
from training_rounds.training import ROOT, START, Source, Variant, trained

LANGUAGES = ("ar", "bn", "fi", "ja", "ko", "ru", "te")
"""Of the track mini and of XOR-TyDi's training questions."""
DEPTH, CANDIDATES = 30, 20
KEPT = 0.5
EACH = 200
"""Of each language rows of every labelled source: together as many as there are generated questions."""
ROUNDS = 2
"""Each begins anew at the start."""
REFERENCE = "start-xqg"
ROWS = "rows.jsonl.gz"
OWN = {f"self-trained-{n}": f"self-trained, round {n}, surest half of each language" for n in range(1, ROUNDS + 1)}
TITLES = {
    "start": "`mini-xdr`: start, not trained further",
    "start-xqg": "`mini-xdr-xqg`: start, fused with the same questions",
    "more-steps": "control: as many steps on the old data alone",
    "given": "trained on the questions with their passages",
    "shuffled": "control: trained on the questions with others' passages",
    "self-trained-all": "self-trained, round 1, no filter",
    **OWN,
    "self-trained-xqg": f"self-trained, round {ROUNDS}, and fused with the same questions",
}
PLAN = Plan(("R@500t",), TITLES, tuple((name, REFERENCE) for name in TITLES if name != REFERENCE))


def unlabelled(languages: Sequence[str]) -> list[Unlabelled]:
    """The recorded generated questions of xdr-mini, their passages hidden."""
    path = ROOT / "harness" / "collections" / "mini" / "generated.jsonl"
    rows = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    return [
        Unlabelled(f"generated-{number}", row["text"], row["lang"], row["doc_id"])
        for number, row in enumerate(rows)
        if row["lang"] in languages
    ]


def labelled_sources(languages: Sequence[str]) -> list[Source]:
    """The labelled data of the start's own last stage, as far as it is questions."""
    return [
        {"kind": "questions-parallel", "languages": list(languages), "sample": EACH},
        {"kind": "xor-answers", "languages": list(languages), "sample": EACH},
        {"kind": "tydi-questions", "sample": EACH * len(languages)},
    ]


def measured(study: Study, progress: Progress) -> dict[str, Any]:
    """All figures of the study, as JSON takes them; without seeds those of the labels alone."""
    questions = unlabelled(study.languages)
    collections = {lang: xdr.load_collection(f"xdr-mini/{lang}") for lang in study.languages}
    index = index_of(START, next(iter(collections.values())).docs)
    first = _found(index, questions)
    outcomes: dict[str, list[Outcome]] = {}
    if study.seeds:
        untrained = {"start": _runs(index, collections), "start-xqg": _fused(START, collections)}
        outcomes = {name: [_outcome(name, runs, collections)] for name, runs in untrained.items()}
    for seed in study.seeds:
        for name, outcome in _of_seed(study, seed, (questions, collections, first), progress).items():
            outcomes.setdefault(name, []).append(outcome)
    return {
        **judged(study, PLAN, outcomes),
        "questions": len(questions),
        "old": EACH,
        "labels": {
            f"{where} {kept}": precision(first_found(questions, first, kept, where == "each"))
            for kept in (1.0, KEPT, KEPT / 2)
            for where in ("each", *(["all"] if kept < 1 else []))
        },
        "hub": hub_share([next(iter(ranking)) for ranking in first.values()]),
    }


def _of_seed(
    study: Study, seed: int, asked: tuple[Sequence[Unlabelled], Collections, Rankings], progress: Progress
) -> dict[str, Outcome]:
    questions, collections, first = asked
    docs = next(iter(collections.values())).docs

    def row(name: str, labels: Sequence[Labelled]) -> tuple[Path, xdr.Index, Outcome]:
        # Half the rows are gone through twice as often, so that as many batches are theirs.
        weight = round(len(questions) / len(labels)) if labels else 1
        own: list[Source] = [{"kind": "rows", "path": ROWS, "weight": weight}] if labels else []
        rows = {ROWS: rows_of(labels, docs, name)} if labels else {}
        sources = [*labelled_sources(study.languages), *own]
        variant = Variant(name, seed, sources, rows, transductive=("xdr-mini",))
        model, record = trained(variant, study.budget, study.work, progress)
        index = index_of(model, docs)
        outcome = _outcome(name, _runs(index, collections), collections, labels)
        return model, index, Outcome(outcome.scores, record, outcome.noted)

    found = {
        "more-steps": row("more-steps", ())[2],
        "given": row("given", given(questions))[2],
        "shuffled": row("shuffled", shuffled(questions, seed))[2],
        "self-trained-all": row("self-trained-all", first_found(questions, first))[2],
    }
    model, rankings = START, first
    for name in OWN:
        model, index, found[name] = row(name, first_found(questions, rankings, KEPT))
        rankings = _found(index, questions)
    fused = _outcome("self-trained-xqg", _fused(model, collections), collections)
    # Its training is that of the last round.
    found["self-trained-xqg"] = Outcome(fused.scores, found[name].record, fused.noted)
    return found


def _outcome(
    name: str, runs: Mapping[str, Rankings], collections: Collections, labels: Sequence[Labelled] = ()
) -> Outcome:
    hub = hub_share([next(iter(ranking)) for run in runs.values() for ranking in run.values()])
    return Outcome(scored(runs, collections, PLAN.measures, name), noted={"labels": precision(labels), "hub": hub})


def _runs(index: xdr.Index, collections: Collections) -> dict[str, Rankings]:
    return {lang: index.run(own.queries, DEPTH) for lang, own in collections.items()}


def _found(index: xdr.Index, questions: Sequence[Unlabelled]) -> Rankings:
    return index.run([xdr.Query(one.query_id, one.text, one.lang, one.query_id) for one in questions], CANDIDATES)


def _fused(model: Path, collections: Collections) -> dict[str, Rankings]:
    """As the row ``mini-xdr-xqg`` ranks, with another model: passages and their questions are encoded by it anew."""
    card = load_card("mini-xdr-xqg")
    values = {**card.card.parameters, "model": str(model.resolve())}
    system = Xqg(checked(Xqg.Parameters, values, "fused", {"folder": card.folder}))
    with TemporaryDirectory() as cache:
        context = Context(cache=Path(cache), work=Path(cache) / "work", device="cpu", workers=1)
        return {
            lang: {
                ranking.query_id: dict(zip(ranking.doc_ids, map(float, ranking.scores), strict=True))
                for ranking in system.search(Request(own.docs, own.queries, DEPTH), context)
            }
            for lang, own in collections.items()
        }
