"""Measures computed from relevance judgements by ir-measures: all but those that from_grades.py computes.

ir-measures' providers break ties differently (one tied run has RR 0.5 but RR@10 1.0), so they are given the scores
``-rank`` of the fixed order, which have no ties.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from typing import Any

from harness.errors import Finding, InvalidInput
from harness.measures.base import Judged, Rankings

# pytrec_eval counts documents by grade in an array, and writes outside of it for lower ones; gdeval stops at a minus.
_LOWEST_GRADES = {"pytrec_eval": -1, "gdeval": 0}


class OfJudgements:
    """What all measures from qrels share: a query with judgements is scored, whatever they are."""

    def applies_to(self, judged: Judged) -> bool:
        return judged.collection.qrels is not None

    def scored_queries(self, judged: Judged) -> tuple[str, ...]:
        qrels = judged.collection.qrels or {}
        return tuple(query_id for query_id in judged.query_ids if query_id in qrels)


@dataclass(frozen=True)
class FromQrels(OfJudgements):
    """``provider``: the part of ir-measures that computes the measure, by its name there."""

    name: str
    provider: str

    @staticmethod
    def parse(name: str) -> FromQrels | None:
        """None for a name that ir-measures does not know, or that nothing that is installed can compute."""
        measure = parsed(name)
        provider = None if measure is None else _provider_of(measure)
        return FromQrels(name, provider) if provider else None

    @property
    def version(self) -> str:
        return (
            f"from qrels 2, ir-measures {metadata.version('ir-measures')}, {self.provider}{_library_of(self.provider)}"
        )

    def score(self, judged: Judged, rankings: Rankings) -> dict[str, float]:
        return self.score_together([self], judged, rankings)[self.name]

    @staticmethod
    def score_together(
        measures: Sequence[FromQrels], judged: Judged, rankings: Rankings
    ) -> dict[str, dict[str, float]]:
        """By name, in few calls of ir-measures. Raises ``InvalidInput`` for grades that its parts cannot take."""
        import ir_measures

        scored = measures[0].scored_queries(judged)
        qrels = {query_id: dict((judged.collection.qrels or {})[query_id]) for query_id in scored}
        _check_grades({measure.provider for measure in measures}, qrels)
        qrels = {query_id: _with_a_grade_of_0_or_more(grades) for query_id, grades in qrels.items()}
        run = {
            query_id: {doc_id: float(-rank) for rank, doc_id in enumerate(rankings[query_id], 1)}
            for query_id in scored
            if rankings.get(query_id)
        }
        values = {measure.name: dict.fromkeys(scored, 0.0) for measure in measures}
        # Two names can stand for one measure: RR and MRR.
        names: dict[Any, list[str]] = {}
        for measure in measures:
            names.setdefault(parsed(measure.name), []).append(measure.name)
        for alike in _safe_together(names):
            for metric in ir_measures.iter_calc(alike, qrels, run):
                for name in names[metric.measure]:
                    values[name][metric.query_id] = float(metric.value)
        return values


def _safe_together(measures: Iterable[Any]) -> list[list[Any]]:
    """Measures of judged documents alone, and the others, in calls of their own.

    ir-measures 0.4.3 lets NumRet and NumQ share trec_eval's run with any other measure of the same call; where that is one
    of judged documents alone they count those alone, in some processes and not in others, since the order is a set's.
    """
    groups: dict[bool, list[Any]] = {}
    for measure in measures:
        groups.setdefault(bool(measure.params.get("judged_only")), []).append(measure)
    return list(groups.values())


def parsed(name: str) -> Any:
    """ir-measures' object for a name; None for an unknown name."""
    import ir_measures

    try:
        measure = ir_measures.parse_measure(name)
        measure.validate_params()
        if measure.params.get("cutoff", 1) < 1:
            return None
    except (ValueError, NameError, SyntaxError, AssertionError, TypeError, AttributeError, KeyError):
        return None
    return measure


def _provider_of(measure: Any) -> str | None:
    import ir_measures

    able = (p for p in ir_measures.DefaultPipeline.providers if p.is_available() and p.supports(measure))
    return next((str(provider.NAME) for provider in able), None)


def _library_of(provider: str) -> str:
    """Version of the package behind a provider, where it is not ir-measures itself."""
    packages = {"pytrec_eval": "pytrec-eval-terrier", "pyndeval": "pyndeval", "cwl_eval": "cwl-eval", "ranx": "ranx"}
    return f" {metadata.version(packages[provider])}" if provider in packages else ""


def _with_a_grade_of_0_or_more(grades: dict[str, int]) -> dict[str, int]:
    """The grades, or zeros where all are negative: pytrec_eval overwrites foreign memory for such a query.

    Nothing in it is relevant either way, so that no measure can tell the difference.
    """
    return grades if max(grades.values()) >= 0 else dict.fromkeys(grades, 0)


def _check_grades(providers: set[str], qrels: Mapping[str, Mapping[str, int]]) -> None:
    lowest = max((grade for provider, grade in _LOWEST_GRADES.items() if provider in providers), default=None)
    findings = [
        Finding(
            "error", f"query {query_id}", f"document {doc_id} has the grade {grade}", f"{lowest} or more", "write 0"
        )
        for query_id, grades in qrels.items()
        for doc_id, grade in grades.items()
        if lowest is not None and grade < lowest
    ]
    if findings:
        raise InvalidInput("the track has measures that cannot work with these grades", findings)
