"""What is measured: everything that ir-measures knows, by its usual name, and one file for each measure that it lacks.

``parse("RR@10")`` and ``parse("R@2kt")`` give measures that score a part; their names are their identity.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from harness.errors import InvalidInput
from harness.measures.base import BestRankings, Judged, Measure, Rankings
from harness.measures.by_name import blamed, identity, parse
from harness.measures.from_grades import FromGrades

__all__ = ["Judged", "Measure", "best_rankings", "identity", "judged_shares", "parse", "score_all"]


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
    ``score`` would return for each of them, by name. Raises ``InvalidInput`` where what comes back is not one number in the
    measure's range for each of its queries.
    """
    values: dict[str, Mapping[str, float]] = {}
    for kind, alike in _by_class(measures).items():
        together = getattr(kind, "score_together", None)
        with blamed(kind, _named(alike)):
            values |= (
                together(alike, judged, rankings) if together else {m.name: m.score(judged, rankings) for m in alike}
            )
            expected = {measure.name: measure.scored_queries(judged) for measure in alike}
        for measure in alike:
            values[measure.name] = _checked(measure, expected[measure.name], values.get(measure.name, {}))
    return {measure.name: dict(values[measure.name]) for measure in measures}


def best_rankings(measures: Sequence[Measure], parts: Sequence[Judged]) -> list[BestRankings]:
    """For each part, by measure and query id, the passages of a ranking that knows the truth, the best one first."""
    found: list[BestRankings] = [{} for _ in parts]
    for kind, alike in _by_class(measures).items():
        with blamed(kind, _named(alike)):
            best = kind.best_rankings(alike, parts)
        found = [{**own, **more} for own, more in zip(found, best, strict=True)]
    return found


def _by_class(measures: Sequence[Measure]) -> dict[type[Measure], list[Measure]]:
    kinds = dict.fromkeys(map(type, measures))
    return {kind: [measure for measure in measures if type(measure) is kind] for kind in kinds}


def _named(measures: Sequence[Measure]) -> str:
    return ", ".join(measure.name for measure in measures)


def _checked(measure: Measure, query_ids: Sequence[str], values: Mapping[str, float]) -> Mapping[str, float]:
    if values.keys() != set(query_ids):
        missing, more = set(query_ids) - values.keys(), values.keys() - set(query_ids)
        raise InvalidInput(
            f"the measure {measure.name} has values for other queries than it says it scores: {len(missing)} missing, "
            f"{len(more)} too many, such as {min(missing | more)!r}"
        )
    for query_id, value in values.items():
        if not (isinstance(value, float | int) and math.isfinite(value) and measure.lowest <= value <= measure.highest):
            raise InvalidInput(
                f"the measure {measure.name} has the value {value!r:.40} for the query {query_id!r}; "
                f"expected a number from {measure.lowest:g} to {measure.highest:g}, as its class says"
            )
    return values
