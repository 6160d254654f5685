"""What a study says of answers: exact match of a reader that can carry the question, else AnswerRecall in front of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from harness.compare.records import MACRO
from harness.leaderboard.findings.of_studies import SEEN, answers_of
from harness.leaderboard.findings.records import Answer, Table, missing
from harness.numbers import interval, percent, probability
from harness.runs.gold_readings import ENOUGH
from harness.submissions.study.records import AnswerResult, StudyReading, StudyResult

_NOBODY_READ = "as no reader's answers are recorded"


def answers_in_text(study: StudyResult, question: str) -> Iterator[Answer]:
    """The question's own answers: in exact match, where a reader finds enough in the relevant passages alone.

    Where none does, that is said, and AnswerRecall leads: whether one of the first passages holds an answer at all.
    """
    readings = [own for own in study.readings if any(found.question == question for found in own.results)]
    capable = [own for own in readings if own.exact_match >= ENOUGH]
    for own in capable:
        about = f"XQuAD, exact match of the answers of {_reader(own)}"
        yield from answers_of(study, question, about, _of(own.results, question))
    leads = "" if capable else "as no reader can carry exact match" if readings else _NOBODY_READ
    recall = list(_recall(study, question, leads))
    if capable:
        yield from recall
        return
    why = "; ".join(
        f"{_reader(own)} cannot carry the question: below {percent(ENOUGH, 0)}, most of what is missing is the reader's"
        for own in readings
    )
    exact = missing(
        "XQuAD, exact match of a reader's answers",
        why or "no answers of a reader are recorded for rows with questions in seven languages and in English alone",
    )
    yield from [*recall, exact] if recall else [exact]


def _recall(study: StudyResult, question: str, leads: str) -> Iterator[Answer]:
    """``leads``: why these come first; empty where they do not."""
    found = _of(study.answers, question)
    if not found:
        return
    first = f" (leads, {leads})" if leads else ""
    about = f"XQuAD, {found[0].measure}: whether one of the first passages holds an answer{first}"
    for answer in answers_of(study, question, about, found):
        instead = found[0].measure if leads else ""
        yield Answer(
            answer.about, f"{answer.short}, {found[0].measure}", answer.verdict, answer.sentence, instead=instead
        )


def answer_tables(study: StudyResult, question: str) -> Iterator[Table]:
    if recall := _of(study.answers, question):
        yield _table(recall, f"Points of {recall[0].measure}, macro average and by language")
    for own in study.readings:
        if results := _of(own.results, question):
            yield _table(results, f"Points of {results[0].measure}, {_reader(own)}, macro average and by language")


def _table(found: Sequence[AnswerResult], what: str) -> Table:
    parts = [test.column for test in found[0].tests if test.column != MACRO]
    rows = tuple(
        (
            f"{own.first} − {own.second}",
            own.encoder + (SEEN if own.may_have_seen else ""),
            *(percent(test.difference, signed=True) + "*" * bool(test.significant) for test in own.tests[:1]),
            interval(own.tests[0].interval),
            probability(own.tests[0].p_adjusted),
            *(percent(test.difference, signed=True) + "*" * bool(test.significant) for test in own.tests[1:]),
            *(percent(test.difference, signed=True) for test in own.beside.values()),
        )
        for own in found
    )
    head = ("difference", "encoder", found[0].measure, "95%", "adjusted p", *parts, *found[0].beside)
    return Table(f"{what}; * significant in its declared family. Other measures: exploratory.", head, rows)


def _of(found: Sequence[AnswerResult], question: str) -> list[AnswerResult]:
    return [own for own in found if own.question == question]


def _reader(own: StudyReading) -> str:
    given = ", given English questions" if own.english else ""
    return f"{own.reading}{given} (with the relevant passages alone {percent(own.exact_match)})"
