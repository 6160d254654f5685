"""What is measured: everything that ir-measures knows, by its usual name, and one file for each measure that it lacks.

``parse("RR@10")`` and ``parse("R@2kt")`` give measures that score a part; their names are their identity.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence

from harness.errors import WrongUsage
from harness.measures.answer_recall import AnswerRecall
from harness.measures.base import Judged, Measure, Rankings
from harness.measures.from_grades import FromGrades
from harness.measures.from_qrels import FromQrels
from harness.measures.names import refusal
from harness.measures.token_recall import TokenRecall

__all__ = ["Judged", "Measure", "judged_shares", "parse", "score_all"]


@functools.cache
def parse(name: str) -> Measure:
    """A measure by its name. Raises ``WrongUsage`` for a name that neither we nor ir-measures know."""
    measure = TokenRecall.parse(name) or AnswerRecall.parse(name) or FromGrades.parse(name) or FromQrels.parse(name)
    if measure is None:
        if reason := refusal(name):
            raise WrongUsage(f"the measure {name!r} cannot be used: {reason}")
        raise WrongUsage(
            f"unknown measure {name!r}; known are R@<n>t (R@2kt, R@5kt, R@500t), AnswerRecall@<k> and the "
            "measures of ir-measures that the installed packages can compute, such as RR@10, nDCG@10, Success@1, R@100"
        )
    return measure


def judged_shares(measures: Sequence[Measure]) -> list[Measure]:
    """Judged@k for every cutoff k of measures from qrels: how much of what they look at has a judgement at all.

    Where it is low, a system that finds other passages than the judged ones is taken for a bad one.
    """
    of_grades = [measure for measure in measures if isinstance(measure, FromGrades) and measure.formula != "Judged"]
    names = dict.fromkeys("Judged" if m.cutoff is None else f"Judged@{m.cutoff}" for m in of_grades)
    return [parse(name) for name in names]


def score_all(measures: Sequence[Measure], judged: Judged, rankings: Rankings) -> dict[str, dict[str, float]]:
    """Values by measure and query id, in the order of ``measures``.

    Measures whose class has ``score_together(measures, judged, rankings)`` share one call of it; it returns what
    ``score`` would return for each of them, by name.
    """
    values: dict[str, dict[str, float]] = {}
    for kind in dict.fromkeys(map(type, measures)):
        alike = [measure for measure in measures if type(measure) is kind]
        together = getattr(kind, "score_together", None)
        values |= together(alike, judged, rankings) if together else {m.name: m.score(judged, rankings) for m in alike}
    return {measure.name: values[measure.name] for measure in measures}
