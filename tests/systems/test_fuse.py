"""Fusion against formulas written out, and against ranx where it is installed."""

from __future__ import annotations

import math
import statistics
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from harness.adapters.conformance import conformance_tests, toy_request, toy_rows
from harness.adapters.contract import Context, rows_of
from harness.errors import InvalidInput
from harness.records import Ranking
from systems.fuse import Fuse, normalized

NORMALIZATIONS = ("min-max", "z-score", "sum", "rank", "none")
Rows = dict[str, dict[str, float]]


def system(rows: tuple[str, ...] = ("a", "b"), **parameters: object) -> Fuse:
    return Fuse(Fuse.Parameters.model_validate({"rows": rows, **parameters}))


TestRrf = conformance_tests(system)
TestMnz = conformance_tests(lambda: system(("a", "b", "c"), method="combmnz", normalization="z-score", depth=3))


def in_order(scores: dict[str, float]) -> list[str]:
    return sorted(scores, key=lambda doc: (scores[doc], doc.encode()), reverse=True)


def ranking(scores: dict[str, float]) -> Ranking:
    order = in_order(scores)
    return Ranking("q", order, np.array([scores[doc] for doc in order], np.float32))


def points(scores: dict[str, float], how: str) -> dict[str, float]:
    """Each normalisation as its paper has it, one passage after the other."""
    values, order = list(scores.values()), in_order(scores)
    low, high, n = min(values), max(values), len(values)
    if how == "min-max":
        return {doc: (s - low) / (high - low) if high > low else 1.0 for doc, s in scores.items()}
    if how == "sum":
        shifted = math.fsum(s - low for s in values)
        return {doc: (s - low) / shifted if shifted else 1 / n for doc, s in scores.items()}
    if how == "z-score":
        spread = statistics.pstdev(values)
        return {doc: (s - statistics.fmean(values)) / spread if high > low else 0.0 for doc, s in scores.items()}
    if how == "rank":
        return {doc: 1 - order.index(doc) / n for doc in scores}
    return scores


def expected(
    rows: Rows, method: str, how: str, weights: dict[str, float], k: float, depth: int | None
) -> dict[str, float]:
    found: dict[str, list[float]] = {}
    for name, all_scores in rows.items():
        scores = {doc: all_scores[doc] for doc in in_order(all_scores)[:depth]}
        order = in_order(scores)
        own = {doc: 1 / (k + order.index(doc) + 1) for doc in scores} if method == "rrf" else points(scores, how)
        for doc, point in own.items():
            found.setdefault(doc, []).append(weights.get(name, 1.0) * point)
    return {doc: math.fsum(p) * (len(p) if method == "combmnz" else 1) for doc, p in found.items()}


documents = st.dictionaries(
    st.sampled_from(["a", "ä", "b", "Z", "東京", "d1", "d10", "d2"]),
    st.integers(-40, 40).map(lambda n: n / 8),
    min_size=1,
)


@given(
    rows=st.fixed_dictionaries({"one": documents, "two": documents, "three": documents}),
    method=st.sampled_from(["rrf", "combsum", "combmnz"]),
    how=st.sampled_from(NORMALIZATIONS),
    weight=st.sampled_from([0.25, 1.0, 3.0]),
    depth=st.sampled_from([None, 1, 3]),
)
def test_every_method_is_its_formula(rows: Rows, method: str, how: str, weight: float, depth: int | None) -> None:
    own = {"k": 7} if method == "rrf" else {"normalization": how}
    fuse = system(tuple(rows), method=method, weights={"two": weight}, depth=depth, **own)
    doc_ids, scores = fuse.fused({name: ranking(scores) for name, scores in rows.items()})
    right = expected(rows, method, how, {"two": weight}, 7, depth)
    assert doc_ids == sorted(right, key=str.encode)
    np.testing.assert_allclose(scores, [right[doc] for doc in doc_ids], rtol=1e-9, atol=1e-9)


@given(rows=st.fixed_dictionaries({"one": documents, "two": documents, "three": documents}))
def test_the_order_of_the_rows_alters_no_bit(rows: Rows) -> None:
    rankings = {name: ranking(scores) for name, scores in rows.items()}
    there = system(tuple(rows)).fused(rankings)[1]
    back = system(tuple(rows)[::-1]).fused(dict(reversed(rankings.items())))[1]
    assert there.tobytes() == back.tobytes()


@pytest.mark.parametrize(("how", "point"), [("min-max", 1), ("z-score", 0), ("sum", 1 / 3), ("rank", 1), ("none", 0.1)])
def test_equal_scores_are_no_division_by_next_to_nothing(how: str, point: float) -> None:
    """The mean of three times 0.1 is not 0.1 in floating point."""
    points = normalized(np.full(3, 0.1), how)  # type: ignore[arg-type]
    assert points[0] == pytest.approx(point, abs=0)


def test_reciprocal_ranks_are_those_of_the_paper() -> None:
    """Cormack et al. 2009: the sum of 1 / (60 + rank) over the rankings that hold the passage."""
    rows = {"a": ranking({"x": 9.0, "y": 5.0}), "b": ranking({"y": 0.3, "z": 0.2})}
    doc_ids, scores = system().fused(rows)
    assert dict(zip(doc_ids, scores, strict=True)) == pytest.approx({"x": 1 / 61, "y": 1 / 62 + 1 / 61, "z": 1 / 62})


@pytest.mark.parametrize(
    ("method", "how"),
    [
        ("rrf", ""),
        *((method, how) for method in ("combsum", "combmnz") for how in ("min-max", "z-score", "sum", "rank")),
    ],
)
def test_it_agrees_with_ranx(method: str, how: str) -> None:
    ranx = pytest.importorskip("ranx", reason="needs the extra `bench`: pip install -e .[bench]")
    random = np.random.default_rng(5)
    rows = {
        name: {
            f"d{doc}": float(score)
            for doc, score in zip(random.permutation(20)[:12], random.normal(size=12), strict=True)
        }
        for name in ("a", "b", "c")
    }
    runs = [ranx.Run({"q": scores}) for scores in rows.values()]
    names = {"rrf": "rrf", "combsum": "sum", "combmnz": "mnz"}
    norms = {"min-max": "min-max", "z-score": "zmuv", "sum": "sum", "rank": "rank"}
    options = {"params": {"k": 60}} if method == "rrf" else {}
    theirs = ranx.fuse(runs, norm=None if method == "rrf" else norms[how], method=names[method], **options).run["q"]
    own = {} if method == "rrf" else {"normalization": how}
    doc_ids, scores = system(tuple(rows), method=method, **own).fused({n: ranking(s) for n, s in rows.items()})
    assert dict(zip(doc_ids, scores, strict=True)) == pytest.approx(dict(theirs), abs=1e-6)


def test_what_one_row_lacks_is_fused_from_the_others_and_noted(tmp_path: Path) -> None:
    request = toy_rows(toy_request(), ("a", "b"))
    query = request.queries[0].query_id
    del request.rows["a"][query]  # type: ignore[attr-defined]
    context = Context(cache=tmp_path, work=tmp_path)
    found = {r.query_id: r for r in system().search(request, context)}
    assert list(found[query].doc_ids) == list(request.rows["b"][query].doc_ids)[: request.depth]
    assert context.record.facts["notes"] == [
        f"a has no ranking for 1 of 6 queries (first: {query}); there the other rows alone are fused"
    ]


def test_a_query_that_no_row_has_found_anything_for_has_an_empty_ranking(tmp_path: Path) -> None:
    request = toy_rows(toy_request(), ("a", "b"))
    for rankings in request.rows.values():
        rankings.pop(request.queries[0].query_id)  # type: ignore[attr-defined]
    found = {r.query_id: r for r in system().search(request, Context(cache=tmp_path, work=tmp_path))}
    assert list(found[request.queries[0].query_id].doc_ids) == []


def test_without_the_runs_of_its_rows_it_says_so(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="recorded run of row a"):
        list(system().search(toy_request(), Context(cache=tmp_path, work=tmp_path)))


def test_it_names_its_rows() -> None:
    assert rows_of(system(("bm25", "mini-xdr"))) == ("bm25", "mini-xdr")


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ({"rows": ["a"]}, "at least 2"),
        ({"rows": ["a", "a"]}, "a row is a duplicate"),
        ({"rows": ["a", "../b"]}, "pattern"),
        ({"weights": {"c": 1}}, "c is none of the rows a, b"),
        ({"weights": {"a": 0}}, "greater than 0"),
        ({"weights": {"a": math.inf}}, "finite"),
        ({"method": "rrf", "normalization": "sum"}, "looks at ranks"),
        ({"method": "combsum", "k": 60}, "only method"),
        ({"depth": 0}, "greater than or equal to 1"),
    ],
)
def test_parameters_that_make_no_sense_are_refused(fault: dict[str, object], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        Fuse.Parameters.model_validate({"rows": ["a", "b"], **fault})
