"""Measures computed from relevance judgements by ir-measures: all but those that from_grades.py computes.

Its providers read ids, order and grades in ways of their own: gdeval takes what follows the last hyphen of a query's id,
and that must be a number; compatibility takes a passage that was not found for one with the score 0; ties are broken in
three ways (one tied run has RR 0.5 but RR@10 1.0). So queries and documents are numbered, the scores are positive and
without ties, each measure has a call of its own, and the values that come back must be those of the queries that were asked.
"""

from __future__ import annotations

import math
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from typing import Any, ClassVar

from harness.errors import Finding, InvalidInput, WrongUsage, reported
from harness.measures.base import Judged, Measure, Rankings
from harness.measures.names import description, parsed, plain_words, provider_of, trec_eval_option

Grades = Mapping[str, int]

# pytrec_eval counts documents by grade in an array, and writes outside of it for lower ones; gdeval stops at higher ones.
_LOWEST_GRADES = {"pytrec_eval": -1}
_HIGHEST_GRADES = {"pytrec_eval": 100_000, "gdeval": 4}


class OfJudgements(Measure):
    """What all measures from qrels share: a query with judgements is scored, whatever they are."""

    forms: ClassVar[Mapping[str, str]] = {
        "RR@10, nDCG@10, Success@1, R@100, AP, ...": "everything that ir-measures knows, and can be computed here"
    }

    @property
    def plainly(self) -> str:
        return plain_words(self.name)

    @property
    def definition(self) -> str:
        """ir-measures' own description."""
        return description(self.name)

    @property
    def known_as(self) -> Mapping[str, str]:
        option = trec_eval_option(self.name)
        return {"ir_measures": self.name, **({"trec_eval": option} if option else {})}

    def applies_to(self, judged: Judged) -> bool:
        return judged.collection.qrels is not None

    def scored_queries(self, judged: Judged) -> tuple[str, ...]:
        qrels = judged.collection.qrels or {}
        return tuple(query_id for query_id in judged.query_ids if query_id in qrels)

    def helps(self, grade: int) -> float:
        """What a passage of that grade does for a ranking."""
        return grade

    def helpfulness(self, judged: Judged, query_id: str, doc_id: str) -> float:
        grade = (judged.collection.qrels or {}).get(query_id, {}).get(doc_id)
        return 0.0 if grade is None else self.helps(grade)

    def best_ranking(self, judged: Judged, query_id: str) -> list[str]:
        """Judged passages that are not in the collection are beyond the best of systems, and stay in the denominators."""
        grades = (judged.collection.qrels or {}).get(query_id, {})
        keys = ((-self.helps(grade), doc_id) for doc_id, grade in grades.items() if doc_id in judged.docs)
        return [doc_id for _, doc_id in sorted(key for key in keys if key[0] < 0)]


@dataclass(frozen=True)
class FromQrels(OfJudgements):
    """``provider``: the part of ir-measures that computes the measure, by its name there."""

    name: str
    provider: str
    cutoff: int | None = None
    lowest: float = -math.inf
    highest: float = math.inf

    @classmethod
    def parse(cls, name: str) -> FromQrels | None:
        """None for a name that ir-measures does not know, or that nothing computes rightly here (``names.refusal``)."""
        measure = parsed(name)
        try:
            if measure is None:
                return None
            cutoff = measure.params.get("cutoff")
            return FromQrels(name, provider_of(measure).NAME, None if cutoff is None else int(cutoff))
        except WrongUsage:
            return None

    @property
    def version(self) -> str:
        return (
            f"from qrels 3, ir-measures {metadata.version('ir-measures')}, {self.provider}{_library_of(self.provider)}"
        )

    def helps(self, grade: int) -> float:
        parameters = parsed(self.name).params
        gain = parameters.get("gains", {}).get(grade, grade)
        return float(gain) if gain >= parameters.get("rel", 1) else 0.0

    def score(self, judged: Judged, rankings: Rankings) -> dict[str, float]:
        """Raises ``InvalidInput`` for grades that the provider cannot take, and when its values are not those asked for."""
        scored = self.scored_queries(judged)
        measure = parsed(self.name)
        gains = measure.params.get("gains", {})
        # Applied before grades are checked and fixed: a gain can be what a grade is not.
        qrels = [_with_gains((judged.collection.qrels or {})[query_id], gains) for query_id in scored]
        _check_grades(self.provider, self.name, dict(zip(scored, qrels, strict=True)))
        ranked = [rankings.get(query_id, ()) for query_id in scored]
        if measure.params.get("judged_only"):
            # Of a ranking without judged documents nothing is left, and precision at a recall would be 0 of 0 there.
            ranked = [found if _has_judged(found, grades) else () for found, grades in zip(ranked, qrels, strict=True)]
        numbered = _numbered(qrels, ranked)
        values = _values(provider_of(measure), _without_gains(measure), *numbered)
        return {query_id: values[str(number)] for number, query_id in enumerate(scored, 1)}


def _with_gains(grades: Grades, gains: Mapping[int, int]) -> Grades:
    return {doc_id: gains.get(grade, grade) for doc_id, grade in grades.items()} if gains else grades


def _without_gains(measure: Any) -> Any:
    return type(measure)(**{key: value for key, value in measure.params.items() if key != "gains"})


def _has_judged(ranking: Sequence[str], grades: Grades) -> bool:
    """Whether trec_eval calls one of them judged: it does not, where the grade is negative."""
    return any(grades.get(doc_id, -1) >= 0 for doc_id in ranking)


def _numbered(
    qrels: Sequence[Grades], rankings: Sequence[Sequence[str]]
) -> tuple[dict[str, dict[str, int]], dict[str, dict[str, float]]]:
    """Qrels and run with queries "1" to "Q", documents numbered within each query, and scores from its length down to 1.

    A query without a ranking is left out of the run: ir-measures gives it the measure's value for nothing.
    """
    numbered_qrels, run = {}, {}
    for number, (grades, ranking) in enumerate(zip(qrels, rankings, strict=True), 1):
        names = {doc_id: str(place) for place, doc_id in enumerate(dict.fromkeys((*ranking, *grades)), 1)}
        fixed = _with_a_grade_of_0_or_more(grades)
        numbered_qrels[str(number)] = {names[doc_id]: grade for doc_id, grade in fixed.items()}
        if ranking:
            run[str(number)] = {names[doc_id]: float(len(ranking) - place) for place, doc_id in enumerate(ranking)}
    return numbered_qrels, run


def _values(
    provider: Any, measure: Any, qrels: Mapping[str, Mapping[str, int]], run: Mapping[str, Mapping[str, float]]
) -> dict[str, float]:
    """Value by query of ``qrels``, each once and finite. Raises ``InvalidInput`` that names provider and measure else."""
    who = f"{provider.NAME}, which computes {measure} for ir-measures,"
    values: dict[str, float] = {}
    try:
        for metric in provider.evaluator([measure], qrels).iter_calc(run):
            if metric.query_id in values or metric.query_id not in qrels or not math.isfinite(metric.value):
                raise InvalidInput(
                    f"{who} returned {metric.value} for query {metric.query_id}; expected one number each"
                )
            values[metric.query_id] = float(metric.value)
    except (subprocess.SubprocessError, OSError, ArithmeticError, ValueError, TypeError, KeyError, IndexError) as error:
        raise InvalidInput(
            f"{who} ended with {type(error).__name__}: {error}; leave the measure out of the track"
        ) from error
    if missing := len(qrels) - len(values):
        raise InvalidInput(f"{who} returned no value for {missing} of {len(qrels)} queries; leave it out of the track")
    return values


def _library_of(provider: str) -> str:
    """Version of the package behind a provider, where it is not ir-measures itself."""
    return f" {metadata.version('pytrec-eval-terrier')}" if provider == "pytrec_eval" else ""


def _with_a_grade_of_0_or_more(grades: Grades) -> Grades:
    """The grades, or zeros where all are negative: pytrec_eval overwrites foreign memory for such a query.

    Nothing in it is relevant either way, so that no measure can tell the difference.
    """
    return grades if max(grades.values(), default=0) >= 0 else dict.fromkeys(grades, 0)


def _check_grades(provider: str, name: str, qrels: Mapping[str, Grades]) -> None:
    lowest, highest = _LOWEST_GRADES.get(provider, -math.inf), _HIGHEST_GRADES.get(provider, math.inf)
    findings = [
        Finding(
            "error", f"query {query_id}", f"document {doc_id} has the grade {grade}", *_bounds(lowest, highest, grade)
        )
        for query_id, grades in qrels.items()
        for doc_id, grade in grades.items()
        if not lowest <= grade <= highest
    ]
    if findings:
        message = f"{name} is computed by {provider}, which cannot work with these grades"
        raise InvalidInput(message, reported(findings, "qrels"))


def _bounds(lowest: float, highest: float, grade: int) -> tuple[str, str]:
    if grade < lowest:
        return f"{lowest} or more", "write 0"
    return f"{highest} or less", "leave the measure out of the track"
