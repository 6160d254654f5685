"""The three questions, each answered from what is recorded below a folder of runs; nothing is run or computed here."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from harness.adapters.card import load_card
from harness.compare.records import Comparison, DropDifference, read_comparison
from harness.errors import InvalidInput
from harness.leaderboard.findings.of_studies import (
    SEEN,
    answers_of,
    controls_of,
    figures_of,
    interaction_answer,
    interaction_table,
    rows_table,
    tests_table,
)
from harness.leaderboard.findings.records import Answer, Figure, Finding, Table
from harness.leaderboard.seen import seen_columns
from harness.numbers import interval, percent, probability
from harness.submissions.study.records import StudyResult, read_study
from harness.tracks import Track, load_track

ORACLE, MINI = "xquad-oracle", "mini-texts"
ADVERSARIES = ("paws-x-sample", "paws-x-sample-me5")
_ABOUT = {ORACLE: "XQuAD, texts by people", MINI: "xdr-mini, texts by language models"}
_LIMITS = (
    "Texts are oracles (people's) or recorded once (a language model's), not those of a generator that was trained for it; of "
    "the recorded ones a second reader called 13 of 320 passages and 10 of 320 questions wrong, most in a word.",
    "XQuAD's texts are translations of one source, so that a translated passage says exactly what the passage says; questions "
    "and generated queries of xdr-mini have one kind of writer, which flatters queries. The two answers are not to be pooled.",
    "A weight of 1 leaves the passage's own vector out: where it is chosen, the texts stand in the place of the passage.",
    "Pools are small, 240 and 200 passages: absolute values are far above those on millions.",
    "Few encoders, and these languages alone; nothing here says that other languages of low resources behave alike.",
)


def findings(runs: Path) -> list[Finding]:
    """All three. Raises ``InvalidInput`` for a recorded file that cannot be read, or that is of another track or version."""
    studies = {name: _study(runs, name) for name in (ORACLE, MINI)}
    return [_against_passages(studies), _against_english(studies[ORACLE]), _adversaries(runs)]


def _study(runs: Path, name: str) -> StudyResult | None:
    path = runs / name / "study.json"
    found = read_study(path)
    if found is not None:
        _check_track(path, found.track, load_track(name), f"xdr study {name}")
    return found


def _check_track(path: Path, recorded: Mapping[str, Any], track: Track, command: str) -> None:
    expected = {"name": track.name, "version": track.version}
    if recorded != expected:
        raise InvalidInput(f"{path} is of track {dict(recorded)}, not of {expected}; `{command}` makes it again")


def _against_passages(studies: dict[str, StudyResult | None]) -> Finding:
    answers, tables, figures, controls, seen = [], list[Table](), list[Figure](), list[str](), list[str]()
    for name, study in studies.items():
        about = _ABOUT[name]
        if study is None:
            answers.append(_missing(about, f"no study of the track {name} is recorded"))
            continue
        answers += answers_of(study, "passages", about)
        if (interaction := interaction_answer(study, about)) is not None:
            answers.append(interaction)
        tables += [_named(about, tests_table(study, "passages")), _named(about, rows_table(study))]
        if (table := interaction_table(study)) is not None:
            tables.append(_named(about, table))
        figures += [
            Figure(f"{about}. {figure.title}", figure.x_label, figure.series)
            for figure in figures_of(study, ("questions", "passages", "both"))
        ]
        controls += [f"{about}: {told}." for told in controls_of(study)]
        seen += [f"{about}: {' '.join(text.split())}" for text in study.declared.seen_before_declaring]
    return Finding(
        name="passages",
        question="Do generated questions help cross-lingual retrieval more than generated passages, above all in languages "
        "of low resources?",
        answers=tuple(answers),
        tables=tuple(tables),
        figures=tuple(figures),
        controls=tuple(controls),
        limits=_LIMITS,
        seen=tuple(seen),
        commands=(f"xdr study {ORACLE}", f"xdr study {MINI}", "xdr findings"),
    )


def _against_english(study: StudyResult | None) -> Finding:
    exact = _missing(
        "XQuAD, exact match of a reader's answers",
        "no answers of a reader are recorded for rows with questions in seven languages and in English alone; whether the "
        "passage is found, below, is another question",
    )
    question = "Do generated questions in many languages beat English ones on XQuAD, in exact match?"
    commands = (f"xdr study {ORACLE}", "xdr findings")
    if study is None:
        return Finding("english", question, (exact,), commands=commands)
    about = "XQuAD, whether the passage is found"
    return Finding(
        name="english",
        question=question,
        answers=(exact, *answers_of(study, "english", about)),
        tables=(tests_table(study, "english"), rows_table(study)),
        figures=tuple(figures_of(study, ("questions", "questions-english", "written"))),
        controls=tuple(f"{told}." for told in controls_of(study)),
        limits=(
            "Seven texts stand against one: the weight of all texts is the same, their number is not.",
            *_LIMITS[:1],
            *_LIMITS[2:],
        ),
        seen=tuple(" ".join(text.split()) for text in study.declared.seen_before_declaring),
        commands=commands,
    )


def _adversaries(runs: Path) -> Finding:
    answers, tables, limits_said = list[Answer](), list[Table](), list[str]()
    for name in ADVERSARIES:
        about = f"PAWS-X, track {name}"
        path = runs / name / "comparison.json"
        if not path.is_file():
            answers.append(_missing(about, f"no comparison of the track {name} is recorded"))
            continue
        comparison = read_comparison(path)
        track = load_track(name)
        _check_track(path, comparison.track, track, f"xdr leaderboard {name}")
        answers += drop_answers(comparison, about, track)
        tables.append(_drops_table(comparison, about, track))
    answers.append(_missing("perturbed questions", "no rows with generated questions were asked perturbed questions"))
    if tables:
        limits_said.append(
            "200 questions a language, generated questions of one writer, a language model: of 160 that a second reader read, "
            "36 name nothing that could be searched for. Adversaries share nearly all words with what is asked for, which an "
            "encoder that adds up vectors of words cannot tell apart."
        )
    return Finding(
        name="adversaries",
        question="Do generated questions make retrieval robust to adversarial pairs (PAWS-X) and to perturbed questions?",
        answers=tuple(answers),
        tables=tuple(tables),
        limits=tuple(limits_said),
        commands=(*(f"xdr leaderboard {name}" for name in ADVERSARIES), "xdr findings"),
    )


def drop_answers(comparison: Comparison, about: str, track: Track) -> Iterator[Answer]:
    """Whether a row that is no control loses less than the encoder alone, and not by finding less.

    A system with fewer clean hits can lose fewer: it is a yes only where it finds no less without adversaries, so that what it
    loses less it finds more. A row that may have seen the collection decides nothing.
    """
    if comparison.baseline != track.baseline:
        raise InvalidInput(f"the comparison of {track.name} is against {comparison.baseline}, not {track.baseline}")
    drops = {(drop.system, drop.perturbation): drop for drop in comparison.drops if drop.p_adjusted is not None}
    for found in comparison.drop_differences:
        # A reader's own row is nothing that the question was asked of.
        if found.system not in track.systems or _is_control(found.system):
            continue
        if missing := {(name, found.perturbation) for name in (found.system, comparison.baseline)} - set(drops):
            raise InvalidInput(f"the comparison of {track.name} has no drop of {' under '.join(min(missing))}")
        seen = _has_seen(track, found.system)
        own, base = (drops[system, found.perturbation] for system in (found.system, comparison.baseline))
        told = (
            f"its drop less that of {comparison.baseline}: {percent(found.difference, 2, signed=True)} points "
            f"{interval(found.interval)}, adjusted p {probability(found.p_adjusted)}; with adversaries it has "
            f"{percent(own.perturbed)}, {comparison.baseline} {percent(base.perturbed)}"
        )
        where = f"{about}, does {found.system}{SEEN * seen} lose less than {comparison.baseline}"
        if seen:
            told += "; its training may have held the collection, as its card says: it decides nothing"
            yield Answer(where, found.system, "not answered", f"{told}.")
        elif not found.significant:
            yield Answer(where, found.system, "not shown", f"{told}{_excluded(found)}.")
        elif found.difference > 0:
            yield Answer(where, found.system, "no", f"{told}.")
        elif comparison.fewer_to_lose(found):
            yield Answer(where, found.system, "it depends", f"{told}: it loses fewer points, and has fewer to lose.")
        else:
            yield Answer(where, found.system, "yes", f"{told}.")


def _is_control(system: str) -> bool:
    return load_card(system).card.kind == "control"


def _has_seen(track: Track, system: str) -> bool:
    return bool(seen_columns(track, load_card(system).card.may_have_seen))


def _excluded(found: DropDifference) -> str:
    if found.interval is None or not found.interval.lower < 0 < found.interval.upper:
        return ""
    more, less = (percent(value, 2) for value in (found.interval.upper, -found.interval.lower))
    return f"; losing more than {more} points more or {less} points less is excluded"


def _drops_table(comparison: Comparison, about: str, track: Track) -> Table:
    rows = tuple(
        (
            f"{drop.system}{SEEN * _has_seen(track, drop.system)}{' (control)' * _is_control(drop.system)}",
            percent(drop.clean),
            percent(drop.perturbed),
            percent(drop.drop, 2, signed=True),
            interval(drop.interval),
        )
        for drop in comparison.drops
        if drop.p_adjusted is not None and drop.system in track.systems
    )
    return Table(f"{about}, macro averages.", ("system", "clean", "with adversaries", "drop", "95%"), rows)


def _missing(about: str, why: str) -> Answer:
    return Answer(about, about, "not answered", f"Not answered: {why}.")


def _named(about: str, table: Table) -> Table:
    return Table(f"{about}. {table.caption}", table.head, table.rows)
