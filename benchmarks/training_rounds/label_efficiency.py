"""How many labels a teacher needs: a generator of questions, as QuiCK has it, against a cross-encoder, both tiny and new."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

import numpy as np

import xdr_bench as xdr
from harness.collections.in_memory import collection_of
from harness.errors import WrongUsage
from harness.progress import Progress
from harness.recipes.rows import Row, write_rows
from harness.recipes.train.own_files import read_own
from harness.recipes.train.pair_teachers import PairTeacher, load_pair_teacher, pair_scores
from harness.recipes.train.sources import SourceRecipe
from harness.recipes.train.stages import TeacherRecipe
from training_rounds.judging import Collections, Outcome, Plan, Study, index_of, judged, scored
from training_rounds.pseudo_labels import Labelled, Rankings, Unlabelled, given, rows_of
from training_rounds.self_training import DEPTH, LANGUAGES, unlabelled
from training_rounds.tiny_teachers import RATES, TEACHER_STEPS, Labels, taught
from training_rounds.training import START, Variant, trained

__all__ = ["LANGUAGES", "measured"]
LABELS = (100, 600, 2800)
"""Questions with their passages that the teachers learn from, of all languages together; at most two of three are labels."""
CANDIDATES = 8
UNLABELLED = 40
"""Of each language, questions that the student learns from: none is a label."""
STUDENT_RATES = (0.05, 0.01)
ROWS = "lists.jsonl.gz"
MEASURES, OF_LISTS = ("R@500t",), ("RR@10",)
KINDS = {"generator": "a generator of questions", "cross": "a cross-encoder"}


def plan(labels: Sequence[int]) -> Plan:
    """Of the students, by how many labels their teachers had."""
    most = max(labels)
    titles = {
        "start": "`mini-xdr`: start, not trained further",
        **{f"direct-{n}": f"no teacher: trained on the {n:,} labels themselves" for n in labels},
        **{f"{kind}-{n}": f"taught by {what} of {n:,} labels" for kind, what in KINDS.items() for n in labels},
    }
    largest = ((f"{kind}-{most}", other) for kind in KINDS for other in ("start", f"direct-{most}"))
    return Plan(MEASURES, titles, (*((f"generator-{n}", f"cross-{n}") for n in labels), *largest))


def gate(labels: Sequence[int]) -> Plan:
    """Of the teachers as rankers."""
    titles = {"start": "`mini-xdr`: the lists as they are"}
    titles |= {f"{kind}-{n}": f"{what}, {n:,} labels" for kind, what in KINDS.items() for n in labels}
    largest = ((f"{kind}-{max(labels)}", "start") for kind in KINDS)
    return Plan(OF_LISTS, titles, (*((f"generator-{n}", f"cross-{n}") for n in labels), *largest))


class _World(NamedTuple):
    """``tested`` and ``development``: questions that are scored; ``unknown``: the student's, with hidden judgements."""

    study: Study
    tested: Collections
    development: Collections
    unknown: Collections
    labels: Sequence[Unlabelled]
    progress: Progress

    @property
    def docs(self) -> Any:
        return next(iter(self.tested.values())).docs


class _Lists(NamedTuple):
    """Each question with the first passages that the start finds, as rows, in a file in ``folder``, and as they were found."""

    folder: Path
    rows: Sequence[Row]
    found: Mapping[str, Rankings]


class _Chosen(NamedTuple):
    """Learning rates, by what learns."""

    teachers: Mapping[str, float]
    students: Mapping[str, float]


def measured(study: Study, progress: Progress, labels: Sequence[int] = LABELS) -> dict[str, Any]:
    """All figures of the study, as JSON takes them."""
    if not study.seeds:
        raise WrongUsage("this study has nothing to say without a seed")
    world = _world(study, progress)
    start = index_of(START, world.docs)
    lists, development = (_lists(world, start, name) for name in ("unknown", "development"))
    chosen = _chosen(world, development, lists, max(labels))
    outcomes = {"start": [_outcome(world, "start", START)]}
    ranked = {"start": [Outcome(scored(lists.found, world.unknown, OF_LISTS, "start"))]}
    costs: dict[str, list[float]] = {}
    for seed in study.seeds:
        for count in labels:
            outcomes.setdefault(f"direct-{count}", []).append(_direct(world, count, seed, chosen.students["direct"]))
            for kind in KINDS:
                name = f"{kind}-{count}"
                folder, seconds = _taught(world, kind, count, seed, chosen.teachers[kind])
                ranked.setdefault(name, []).append(_reranked(world, kind, folder, lists))
                costs.setdefault(name, []).append(seconds)
                outcomes.setdefault(name, []).append(
                    _student(world, name, folder, seed, (lists, chosen.students[kind]))
                )
    return {
        **judged(study, plan(labels), outcomes),
        "gate": judged(study, gate(labels), ranked),
        "teacher_seconds": {name: float(np.mean(own)) for name, own in costs.items()},
        "teacher_steps": TEACHER_STEPS,
        "candidates": CANDIDATES,
        "unlabelled": len(lists.rows),
        "chosen": {"teachers": dict(chosen.teachers), "students": dict(chosen.students)},
        "settings": len(KINDS) * len(RATES) + len(chosen.students) * len(STUDENT_RATES),
    }


def _world(study: Study, progress: Progress) -> _World:
    tested, development = (
        {lang: xdr.load_collection(f"xdr-mini/{lang}{end}") for lang in study.languages} for end in ("", "/dev")
    )
    labels, kept = parted(unlabelled(study.languages))
    unknown = {}
    for lang, own in tested.items():
        asked = [one for one in kept if one.lang == lang][:UNLABELLED]
        queries = [xdr.Query(one.query_id, one.text, lang, one.query_id) for one in asked]
        judgements = {one.query_id: {one.hidden: 1} for one in asked}
        unknown[lang] = collection_of(list(own.docs), queries, qrels=judgements, name=f"xdr-mini-generated/{lang}")
    return _World(study, tested, development, unknown, labels, progress)


def parted(questions: Sequence[Unlabelled]) -> tuple[list[Unlabelled], list[Unlabelled]]:
    """Two of the questions of each passage and language may be labels; the others are the student's, in a drawn order."""
    seen: dict[tuple[str, str], int] = {}
    labels: list[Unlabelled] = []
    rest: list[Unlabelled] = []
    for one in questions:
        number = seen[one.hidden, one.lang] = seen.get((one.hidden, one.lang), 0) + 1
        (labels if number <= 2 else rest).append(one)
    Random("unlabelled").shuffle(rest)
    return labels, rest


def drawn(labels: Sequence[Unlabelled], count: int, seed: int) -> list[Unlabelled]:
    """So many of the labels; of two numbers the smaller one's are among the larger one's."""
    own = list(labels)
    Random(f"labels {seed}").shuffle(own)
    return own[:count]


def _lists(world: _World, start: xdr.Index, name: str) -> _Lists:
    collections: Collections = getattr(world, name)
    found = {lang: start.run(own.queries, CANDIDATES) for lang, own in collections.items()}
    rows: list[Row] = []
    for lang, own in collections.items():
        for query in own.queries:
            # The first one stands where a row has its positive; which one is right, no teacher and no student is told.
            firsts = [
                Labelled(Unlabelled(query.query_id, query.text, lang, ""), doc) for doc in found[lang][query.query_id]
            ]
            passages = [row.positives[0] for row in rows_of(firsts, world.docs, name)]
            rows.append(replace(rows_of(firsts[:1], world.docs, name)[0], negatives=tuple(passages[1:])))
    folder = world.study.work / name
    folder.mkdir(parents=True, exist_ok=True)
    write_rows(folder / ROWS, rows)
    return _Lists(folder, rows, found)


def _taught(world: _World, kind: str, count: int, seed: int, rate: float) -> tuple[Path, float]:
    rows = rows_of(given(drawn(world.labels, count, seed)), world.docs, "labels", "gold")
    return taught(kind, Labels(rows, seed, world.study.languages), rate, world.study.work / "teachers", world.progress)


def _teacher(kind: str, folder: Path) -> PairTeacher:
    key = {"generator": "generator", "cross": "cross_encoder"}[kind]
    found = load_pair_teacher(TeacherRecipe.model_validate({key: str(folder), "reads": "query"}), folder, "cpu")
    assert found is not None
    return found


def _scores(world: _World, kind: str, folder: Path, lists: _Lists) -> np.ndarray[Any, np.dtype[np.float32]]:
    """The teacher's of the lists, shape (questions, candidates)."""
    pairs = read_own(SourceRecipe(kind="rows", path=ROWS), lists.folder)
    asked = [(pair.anchor, side) for pair in pairs for side in (pair.positive, *pair.negatives)]
    return pair_scores(_teacher(kind, folder), asked, world.progress).reshape(len(pairs), CANDIDATES)


def _reranked(world: _World, kind: str, folder: Path, lists: _Lists, name: str = "unknown") -> Outcome:
    """The lists in the teacher's order."""
    runs: dict[str, dict[str, dict[str, float]]] = {lang: {} for lang in world.study.languages}
    for row, scores in zip(lists.rows, _scores(world, kind, folder, lists).tolist(), strict=True):
        ids = [passage.docid for passage in (*row.positives, *row.negatives)]
        runs[row.lang][row.query_id] = dict(zip(ids, scores, strict=True))
    return Outcome(scored(runs, getattr(world, name), OF_LISTS, kind))


def _direct(world: _World, count: int, seed: int, rate: float, of: str = "tested") -> Outcome:
    rows = rows_of(given(drawn(world.labels, count, seed)), world.docs, "labels", "gold")
    variant = Variant(f"direct-{count}-{rate}", seed, [{"kind": "rows", "path": ROWS}], {ROWS: rows}, ("xdr-mini",))
    budget = replace(world.study.budget, learning_rate=rate)
    model, record = trained(variant, budget, world.study.work, world.progress)
    return replace(_outcome(world, variant.name, model, of), record=record)


def _student(
    world: _World, name: str, teacher: Path, seed: int, how: tuple[_Lists, float], of: str = "tested"
) -> Outcome:
    """The start, taught over the lists. The teacher's temperature is how far its scores of one list lie apart."""
    lists, rate = how
    kind = name.split("-", maxsplit=1)[0]
    spread = float(np.median(_scores(world, kind, teacher, lists).std(axis=1)))
    place = world.study.work / f"{name}-{rate}-{seed}"
    key = {"generator": "generator", "cross": "cross_encoder"}[kind]
    keys = f'{key} = "{os.path.relpath(teacher, place)}", reads = "query", temperature = {max(spread, 1e-4):.6f}'
    objective = (
        f'objective = "distil-scores" # {_teacher(kind, teacher).digest}\ncandidates = {CANDIDATES}\n'
        f"teacher = {{ {keys}, student_temperature = 0.05 }}"
    )
    variant = Variant(f"{name}-{rate}", seed, [{"kind": "rows", "path": ROWS}], {ROWS: lists.rows}, ("xdr-mini",))
    budget = replace(world.study.budget, learning_rate=rate)
    model, record = trained(replace(variant, objective=objective), budget, world.study.work, world.progress)
    return replace(_outcome(world, name, model, of), record=record)


def _outcome(world: _World, name: str, model: Path, of: str = "tested") -> Outcome:
    collections: Collections = getattr(world, of)
    index = index_of(model, world.docs)
    runs = {lang: index.run(own.queries, DEPTH) for lang, own in collections.items()}
    return Outcome(scored(runs, collections, MEASURES, name))


def _macro(outcome: Outcome) -> float:
    return float(np.mean([own[next(iter(own.per_query))] for own in outcome.scores.values()]))


def _chosen(world: _World, development: _Lists, lists: _Lists, most: int) -> _Chosen:
    """Learning rates by development questions, with all labels and the first seed: of teachers, then of students."""
    seed = world.study.seeds[0]
    teachers = {}
    for kind in KINDS:
        by_rate = {}
        for rate in RATES:
            folder, _ = _taught(world, kind, most, seed, rate)
            by_rate[rate] = _macro(_reranked(world, kind, folder, development, "development"))
        teachers[kind] = max(by_rate, key=lambda rate, found=by_rate: found[rate])  # type: ignore[misc]
    students = {}
    for kind in ("direct", *KINDS):
        by_rate = {}
        for rate in STUDENT_RATES:
            if kind == "direct":
                found = _direct(world, most, seed, rate, "development")
            else:
                folder, _ = _taught(world, kind, most, seed, teachers[kind])
                found = _student(world, f"{kind}-{most}", folder, seed, (lists, rate), "development")
            by_rate[rate] = _macro(found)
        students[kind] = max(by_rate, key=lambda rate, found=by_rate: found[rate])  # type: ignore[misc]
    return _Chosen(teachers, students)
