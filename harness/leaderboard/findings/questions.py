"""The three questions, each answered from what is recorded below a folder of runs; nothing is run or computed here."""

from __future__ import annotations

from pathlib import Path

from harness.leaderboard.findings.adversaries import adversaries
from harness.leaderboard.findings.of_answers import answer_tables, answers_in_text
from harness.leaderboard.findings.of_studies import (
    answers_of,
    controls_of,
    expansions_table,
    figures_of,
    interaction_answer,
    interaction_table,
    rows_table,
    tests_table,
)
from harness.leaderboard.findings.recorded import recorded_study
from harness.leaderboard.findings.records import Figure, Finding, Table, missing
from harness.submissions.study.records import StudyResult

ORACLE, MINI = "xquad-oracle", "mini-texts"
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
    studies = {name: recorded_study(runs, name) for name in (ORACLE, MINI)}
    return [_against_passages(studies), _against_english(studies[ORACLE]), adversaries(runs)]


def _against_passages(studies: dict[str, StudyResult | None]) -> Finding:
    answers, tables, figures, controls, seen = [], list[Table](), list[Figure](), list[str](), list[str]()
    for name, study in studies.items():
        about = _ABOUT[name]
        if study is None:
            answers.append(missing(about, f"no study of the track {name} is recorded"))
            continue
        answers += answers_of(study, "passages", about)
        if (interaction := interaction_answer(study, about)) is not None:
            answers.append(interaction)
        tables += [_named(about, tests_table(study, "passages")), _named(about, rows_table(study))]
        if study.expansions:
            tables.append(_named(about, expansions_table(study)))
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
    question = "Do generated questions in many languages beat English ones on XQuAD, in exact match?"
    commands = (f"xdr study {ORACLE} [--reader FOLDER --english xquad/en]", "xdr findings")
    if study is None:
        about = "XQuAD, exact match of a reader's answers"
        return Finding("english", question, (missing(about, f"no study of {ORACLE} is recorded"),), commands=commands)
    return Finding(
        name="english",
        question=question,
        answers=(
            *answers_in_text(study, "english"),
            *answers_of(study, "english", "XQuAD, whether the passage is found"),
        ),
        tables=(*answer_tables(study, "english"), tests_table(study, "english"), rows_table(study)),
        figures=tuple(figures_of(study, ("questions", "questions-english", "written"))),
        controls=tuple(f"{told}." for told in controls_of(study)),
        limits=(
            "Seven texts stand against one: the weight of all texts is the same, their number is not.",
            *_LIMITS[:1],
            *_LIMITS[2:],
        ),
        seen=(
            *(" ".join(text.split()) for text in study.declared.seen_before_declaring),
            *(
                f"Before answers were declared: {' '.join(own.seen_before_declaring.split())}"
                for own in study.declared.answers
            ),
        ),
        commands=commands,
    )


def _named(about: str, table: Table) -> Table:
    return Table(f"{about}. {table.caption}", table.head, table.rows)
