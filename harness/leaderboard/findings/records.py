"""A question with its answers, as the site and docs/findings.md show them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

Verdict = Literal["yes", "no", "not shown", "it depends", "not answered"]


@dataclass(frozen=True)
class Answer:
    """One world's answer (a collection with one kind of texts): in one sentence, with its interval.

    ``short``: what it is about in a few words, for the summary of several answers. ``instead``: the measure that it is in,
    where the question asks for exact match, and nothing recorded can carry that.
    """

    about: str
    short: str
    verdict: Verdict
    sentence: str
    instead: str = ""


@dataclass(frozen=True)
class Table:
    caption: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Figure:
    """Series of (label, points); values in [0, 1]."""

    title: str
    x_label: str
    series: tuple[tuple[str, tuple[tuple[str, float], ...]], ...]


@dataclass(frozen=True)
class Finding:
    """``name``: of its page, and what a track's contrasts call it; ``seen``: what was seen before the tests were declared."""

    name: str
    question: str
    answers: tuple[Answer, ...]
    tables: tuple[Table, ...] = ()
    figures: tuple[Figure, ...] = ()
    controls: tuple[str, ...] = ()
    limits: tuple[str, ...] = ()
    seen: tuple[str, ...] = ()
    commands: tuple[str, ...] = field(default=())

    @property
    def is_answered(self) -> bool:
        return any(answer.verdict != "not answered" for answer in self.answers)

    @property
    def summary(self) -> str:
        """One sentence: the verdict where all answers have one, else what it depends on.

        The first answer is the question's own: without it the question is not answered, whatever else is known. Where it is in
        another measure than the question asks for, that is said first, with what that measure says alone.
        """
        if not self.answers:
            return "Not answered."
        if measure := self.answers[0].instead:
            told = [answer for answer in self.answers if answer.instead == measure]
            only = {answer.verdict for answer in told} == {told[0].verdict}
            said = f"{told[0].verdict}: {told[0].sentence}" if only else f"{_by_verdict(told)}."
            return f"Not answered in exact match; in {measure}: {said}"
        if self.answers[0].verdict == "not answered":
            return f"{self.answers[0].sentence}"
        verdicts = list(dict.fromkeys(answer.verdict for answer in self.answers))
        given = [verdict for verdict in verdicts if verdict != "not answered"]
        if len(given) == 1 and given != ["it depends"]:
            left = "; ".join(answer.short for answer in self.answers if answer.verdict == "not answered")
            return f"{given[0].capitalize()}: {self.answers[0].sentence}" + f" Not answered: {left}." * bool(left)
        return f"It depends: {_by_verdict(self.answers)}."


def _by_verdict(answers: Sequence[Answer]) -> str:
    verdicts = dict.fromkeys(answer.verdict for answer in answers)
    return ", ".join(
        f"{verdict} ({'; '.join(answer.short for answer in answers if answer.verdict == verdict)})"
        for verdict in verdicts
    )


def missing(about: str, why: str) -> Answer:
    return Answer(about, about, "not answered", f"Not answered: {why}.")
