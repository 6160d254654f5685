"""A question with its answers, as the site and docs/findings.md show them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

Verdict = Literal["yes", "no", "not shown", "it depends", "not answered"]


@dataclass(frozen=True)
class Answer:
    """One world's answer (a collection with one kind of texts): in one sentence, with its interval.

    ``short``: what it is about in a few words, for the summary of several answers.
    """

    about: str
    short: str
    verdict: Verdict
    sentence: str


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

        The first answer is the question's own: without it the question is not answered, whatever else is known.
        """
        if not self.answers:
            return "Not answered."
        if self.answers[0].verdict == "not answered":
            return f"{self.answers[0].sentence}"
        verdicts = list(dict.fromkeys(answer.verdict for answer in self.answers))
        given = [verdict for verdict in verdicts if verdict != "not answered"]
        if len(given) == 1 and given != ["it depends"]:
            left = "; ".join(answer.short for answer in self.answers if answer.verdict == "not answered")
            return f"{given[0].capitalize()}: {self.answers[0].sentence}" + f" Not answered: {left}." * bool(left)
        told = (
            f"{verdict} ({'; '.join(answer.short for answer in self.answers if answer.verdict == verdict)})"
            for verdict in verdicts
        )
        return f"It depends: {', '.join(told)}."


def missing(about: str, why: str) -> Answer:
    return Answer(about, about, "not answered", f"Not answered: {why}.")
