"""The contract of measures, for those of this package and a choice of ir-measures'; and that it finds who breaks it."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import pytest

from harness.errors import InvalidInput
from harness.measures import Judged, Measure, parse
from harness.measures.base import Rankings
from harness.measures.by_name import made_by
from harness.measures.conformance import conformance_tests

NAMES = [
    "R@2kt", "R@7t", "R@15t", "AnswerRecall@1", "AnswerRecall@3",
    "RR", "RR@2", "RR(rel=2)@3", "nDCG", "nDCG@3", "AP", "AP@2", "P@2", "R@3", "Success@1", "Success(rel=2)@3",
    "Judged", "Judged@3", "Bpref", "infAP", "IPrec(recall=0.1)", "Compat", "Rprec", "SetP", "SetP(rel=2)", "SetR", "SetF",
    "nDCG(gains={0:1,1:0})@3",
]  # fmt: skip


def contract_tests(kind: type) -> Iterator[Any]:
    return (test for name, test in inspect.getmembers(kind) if name.startswith("test_"))


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "contract" in metafunc.fixturenames:
        tests = [(name, test) for name in NAMES for test in contract_tests(conformance_tests(partial(parse, name)))]
        metafunc.parametrize(
            "contract", [test for _, test in tests], ids=[f"{name}-{test.__name__[5:]}" for name, test in tests]
        )


def test_own_measures_keep_the_contract(contract: Any) -> None:
    contract(None)


@dataclass(frozen=True)
class Titled(Measure):
    """Whether the first passage of a ranking has the query's id as its title: right in all points."""

    name: str
    cutoff: int | None = 1
    version = "titled 1"
    definition = "Has the first passage the query's first letter?"

    @classmethod
    def parse(cls, name: str) -> Titled | None:
        return cls(name) if name == "Titled" else None

    def applies_to(self, judged: Judged) -> bool:
        return True

    def scored_queries(self, judged: Judged) -> tuple[str, ...]:
        return judged.query_ids

    def score(self, judged: Judged, rankings: Rankings) -> dict[str, float]:
        return {
            query_id: float(
                any(self.helpfulness(judged, query_id, doc_id) > 0 for doc_id in rankings.get(query_id, ())[:1])
            )
            for query_id in judged.query_ids
        }

    def helpfulness(self, judged: Judged, query_id: str, doc_id: str) -> float:
        return float(query_id[0] in doc_id)


class Forgets(Titled):
    def score(self, judged: Judged, rankings: Rankings) -> dict[str, float]:
        found = super().score(judged, rankings)
        return {query_id: value for query_id, value in found.items() if query_id in rankings}


class Beyond(Titled):
    def score(self, judged: Judged, rankings: Rankings) -> dict[str, float]:
        return {query_id: 2 * value for query_id, value in super().score(judged, rankings).items()}


class Misjudges(Titled):
    def helpfulness(self, judged: Judged, query_id: str, doc_id: str) -> float:
        return -super().helpfulness(judged, query_id, doc_id)

    def score(self, judged: Judged, rankings: Rankings) -> dict[str, float]:
        return {q: float(any(q[0] in doc for doc in rankings.get(q, ())[:1])) for q in judged.query_ids}


class LooksDeeper(Titled):
    def score(self, judged: Judged, rankings: Rankings) -> dict[str, float]:
        return {q: float(any(q[0] in doc for doc in rankings.get(q, ()))) for q in judged.query_ids}


class LooksAtOthers(Titled):
    def score(self, judged: Judged, rankings: Rankings) -> dict[str, float]:
        found = super().score(judged, rankings)
        return {query_id: value / max(1, len(rankings)) for query_id, value in found.items()}


class TakesAnyName(Titled):
    @classmethod
    def parse(cls, name: str) -> Titled | None:
        return cls(name)


TestTitled = conformance_tests(lambda: Titled("Titled"))


@pytest.mark.parametrize(
    ("kind", "noticed_by"),
    [
        (Forgets, "a_query_without_a_ranking_counts_0"),
        (Beyond, "values_are_numbers_in_its_range"),
        (Misjudges, "no_ranking_is_above_the_ceiling"),
        (Misjudges, "the_more_helpful_passage_first_is_never_worse"),
        (Misjudges, "a_passage_without_help_is_worth_nothing"),
        (LooksDeeper, "nothing_below_its_cutoff_counts"),
        (LooksAtOthers, "each_query_has_its_own_value"),
        (TakesAnyName, "its_name_is_its_identity"),
    ],
)
def test_who_breaks_the_contract_is_noticed(kind: type[Titled], noticed_by: str) -> None:
    (test,) = (
        t for t in contract_tests(conformance_tests(lambda: kind("Titled"))) if t.__name__ == f"test_{noticed_by}"
    )
    with pytest.raises((AssertionError, InvalidInput)):
        test(None)


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        (object(), "is no class that is a harness.measures.Measure"),
        (dict, "is no class that is a harness.measures.Measure"),
        (type("Half", (Measure,), {"parse": classmethod(lambda cls, name: cls())}), "lacks applies_to, definition"),
        (type("Mute", (Titled,), {"definition": " "}), "no definition"),
        (
            type("Other", (Titled,), {"parse": classmethod(lambda cls, name: Titled("Titel"))}),
            "makes the measure 'Titel'",
        ),
        (type("Broken", (Titled,), {"parse": classmethod(lambda cls, name: 1 / 0)}), "ZeroDivisionError"),
    ],
)
def test_what_is_no_measure_is_refused_in_words(kind: object, said: str) -> None:
    with pytest.raises(InvalidInput, match=said):
        made_by(kind, "Titled")
