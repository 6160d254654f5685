"""Scoring from Python: the same numbers as the command line and as ir-measures, whatever form the run has."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import ir_measures
import numpy as np
import pandas as pd
import pytest
from own_measure import Found
from recorded import copy_recorded_runs

import xdr_bench as xdr
from harness.runs.run_folder import RunFolder
from harness.runs.score_file import read_scores
from harness.runs.trec import read_run

ROOT = Path(__file__).parents[2]
BM25 = ROOT / "runs/mini/bm25/fi.trec.gz"
MEASURES = ["R@500t", "R@2kt", "Success@1", "Success@10", "RR@10"]


def scored_docs() -> list[Any]:
    with gzip.open(BM25, "rt", encoding="utf-8") as file:
        return list(ir_measures.read_trec_run(file))


def as_dict() -> dict[str, dict[str, float]]:
    found: dict[str, dict[str, float]] = {}
    for row in scored_docs():
        found.setdefault(row.query_id, {})[row.doc_id] = row.score
    return found


def as_lists() -> dict[str, list[str]]:
    run, _ = read_run(BM25)
    return {query_id: list(ranked.doc_ids) for query_id, ranked in run.rankings.items()}


def as_pyterrier() -> pd.DataFrame:
    columns = {"query_id": "qid", "doc_id": "docno"}
    return pd.DataFrame(scored_docs()).rename(columns=columns).assign(rank=0)


FORMS: dict[str, Callable[[], Any]] = {
    "path": lambda: BM25,
    "text of a path": lambda: str(BM25),
    "ir_measures' records": scored_docs,
    "iterator": lambda: iter(scored_docs()),
    "dict": as_dict,
    "dict of numpy scores": lambda: {q: {d: np.float64(s) for d, s in own.items()} for q, own in as_dict().items()},
    "dict of pairs": lambda: {query_id: list(own.items()) for query_id, own in as_dict().items()},
    "lists": as_lists,
    "frame": lambda: pd.DataFrame(scored_docs()),
    "PyTerrier's frame": as_pyterrier,
    "mappings": lambda: [row._asdict() for row in scored_docs()],
    "rankings": lambda: [xdr.Ranking(q, list(own), list(own.values())) for q, own in as_dict().items()],
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_a_run_has_the_values_of_the_command_line(form: str, tmp_path: Path) -> None:
    recorded = read_scores(ROOT / "runs/mini/bm25/scores.parquet")
    found = xdr.score(FORMS[form](), "xdr-mini/fi", MEASURES)
    for measure in MEASURES:
        assert found.per_query[measure] == recorded.values["fi", measure]
        assert found[measure] == recorded.mean("fi", measure)


def test_measures_of_ir_measures_have_its_values_by_name_or_as_its_objects() -> None:
    from ir_measures import AP, RR, nDCG

    mini = xdr.load_collection("xdr-mini/fi")
    assert mini.qrels is not None
    measures = [nDCG @ 10, AP, RR @ 5]
    # Without ties, which its providers break in several ways.
    run = {query_id: {doc: -float(rank) for rank, doc in enumerate(own)} for query_id, own in as_lists().items()}
    expected = ir_measures.calc_aggregate(measures, mini.qrels, run)
    for given in (measures, [str(measure) for measure in measures]):
        found = xdr.score(run, mini, given)
        assert dict(found) == pytest.approx({str(measure): value for measure, value in expected.items()}, abs=1e-12)
    assert xdr.score(run, mini, RR @ 5)["RR@5"] == pytest.approx(expected[RR @ 5], abs=1e-12)


def qrels_forms() -> dict[str, Any]:
    qrels = xdr.load_collection("xdr-mini/fi").qrels
    assert qrels is not None
    rows = [ir_measures.Qrel(query, doc, grade) for query, own in qrels.items() for doc, grade in own.items()]
    frame = pd.DataFrame(rows)
    return {"dict": qrels, "Qrel": rows, "frame": frame, "floats": frame.astype({"relevance": float})}


@pytest.mark.parametrize("form", ["dict", "Qrel", "frame", "floats"])
def test_qrels_alone_are_enough_for_measures_from_qrels(form: str) -> None:
    qrels = qrels_forms()[form]
    expected = xdr.score(BM25, "xdr-mini/fi", ["RR@10", "nDCG@10"])
    found = xdr.score(BM25, measures=["RR@10", "nDCG@10"], qrels=qrels)
    assert found.per_query == expected.per_query
    with pytest.raises(xdr.InvalidInput, match="lacks the judgements or answers for R@2kt"):
        xdr.score(BM25, measures="R@2kt", qrels=qrels)


def test_other_judgements_and_answers_take_the_place_of_the_collections_own() -> None:
    mini = xdr.load_collection("xdr-mini/fi")
    [first, second] = [row for row in scored_docs() if row.query_id == "fi-002"][:2]
    found = xdr.score(BM25, mini, "RR@10", qrels={"fi-002": {second.doc_id: 1}})
    assert found.per_query["RR@10"] == {"fi-002": 0.5}
    word = mini.docs.get(first.doc_id).text.split()[0]
    answered = xdr.score(BM25, mini, "R@500t", answers={"fi-002": [word], "fi-003": ["no such words in any passage"]})
    assert answered.per_query["R@500t"] == {"fi-002": 1.0, "fi-003": 0.0}


def test_depth_cuts_rankings() -> None:
    whole, cut = (xdr.score(BM25, "xdr-mini/fi", "RR", depth=depth) for depth in (None, 1))
    assert cut["RR"] == xdr.score(BM25, "xdr-mini/fi", "Success@1")["Success@1"] < whole["RR"]
    with pytest.raises(xdr.WrongUsage, match="depth 0"):
        xdr.score(BM25, "xdr-mini/fi", "RR", depth=0)


def test_ties_are_broken_as_in_a_file(tmp_path: Path) -> None:
    docs = {"a": "one", "b": "two", "c": "three"}
    collection = xdr.make_collection(docs, {"q": "?"}, {"q": {"a": 1}})
    for scores, expected in (({"a": 1.0, "b": 1.0}, 1 / 2), ({"a": 1 + 1e-12, "b": 1.0}, 1 / 2), ({"a": 2, "b": 1}, 1)):
        assert xdr.score({"q": scores}, collection, "RR")["RR"] == expected
        file = tmp_path / "run.trec"
        file.write_text("".join(f"q Q0 {doc} 1 {score!r} tag\n" for doc, score in scores.items()))
        assert xdr.score(file, collection, "RR")["RR"] == expected


def test_scores_read_as_a_mapping_a_frame_and_a_line() -> None:
    found = xdr.score(BM25, "xdr-mini/fi", ["RR@10", "R@500t"])
    assert list(found) == ["RR@10", "R@500t"]
    frame = found.to_frame()
    assert list(frame.columns) == ["query_id", "measure", "value"]
    assert frame.groupby("measure")["value"].mean().to_dict() == pytest.approx(dict(found))
    assert repr(found).startswith("<bm25 on xdr-mini/fi, in %: RR@10 52.65, R@500t 62.50")
    assert repr(found.named("mine")).startswith("<mine on")


def test_warnings_of_a_run_are_handed_on_and_nobody_is_blamed_for_a_depth_that_nobody_asked_for() -> None:
    some = dict(list(as_dict().items())[:20])
    found = xdr.score(some, "xdr-mini/fi", "RR@10")
    [missing] = [warning for warning in found.warnings if warning.kind == "missing queries"]
    assert missing.what.startswith("60 of 80 queries are missing")
    assert sum(value == 0 for value in found.per_query["RR@10"].values()) >= 60
    assert "short rankings" not in {warning.kind for warning in found.warnings}
    assert "short rankings" in {warning.kind for warning in xdr.score(some, "xdr-mini/fi", "RR@10", depth=30).warnings}


NAN = float("nan")
FAULTY_RUNS: dict[str, tuple[Any, list[str]]] = {
    "several": (
        {"fi-001": {"no-such": 2.0}, "xx": {"rivers-3": NAN}},
        ["unknown document no-such", "unknown query xx", "has the score nan"],
    ),
    "a text as a score": ({"fi-001": {"rivers-3": "1"}}, ["run['fi-001']: score '1'; expected a number"]),
    "too large": ({"fi-001": {"rivers-3": 1e39}}, ["score 1e+39", "32-bit"]),
    "twice": ({"fi-001": ["rivers-3", "rivers-3"]}, ["document rivers-3 is a duplicate"]),
    "no mapping": ({"fi-001": "rivers-3"}, ["run['fi-001']: type str"]),
    "no run": (3, ["type int", "expected records, a mapping, a frame or a file"]),
    "other records": ([("fi-001", "rivers-3")], ["run[0]: type tuple"]),
    "lacking columns": (pd.DataFrame({"query_id": ["fi-001"]}), ["no doc_id, score"]),
    "an id that is no text": ({("fi", 1): {"rivers-3": 1.0}}, ["'query_id' is a text; expected a text"]),
}


@pytest.mark.parametrize("fault", FAULTY_RUNS)
def test_all_that_is_wrong_with_a_run_is_said_in_one_report(fault: str) -> None:
    run, expected = FAULTY_RUNS[fault]
    with pytest.raises(xdr.InvalidInput) as caught:
        xdr.score(run, "xdr-mini/fi", "RR@10")
    for words in expected:
        assert words in str(caught.value)


@pytest.mark.parametrize(
    ("arguments", "kind", "expected"),
    [
        ({"measures": "RR@10"}, xdr.WrongUsage, "needs a collection, or qrels"),
        ({"collection": "xdr-mini/fi"}, xdr.WrongUsage, "say at least one"),
        ({"collection": "xdr-mini/fi", "measures": "RR@ten"}, xdr.WrongUsage, "RR@ten"),
        ({"collection": "xdr-mini/xx", "measures": "RR"}, xdr.WrongUsage, "did you mean"),
        ({"measures": "RR", "qrels": {"q": {"d": 1}}, "answers": {"q": ["a"]}}, xdr.WrongUsage, "answers"),
        ({"measures": "RR", "qrels": {"q": {"d": 1.5}}}, xdr.InvalidInput, "relevance 1.5; expected a whole number"),
        ({"measures": "RR", "qrels": {"q": ["d"]}}, xdr.InvalidInput, "qrels['q']: type list"),
        ({"measures": "RR", "collection": "xdr-mini/fi", "qrels": {"zz": {"a": 1}}}, xdr.InvalidInput, "'zz'"),
        (
            {"measures": "R@2kt", "collection": "xdr-mini/fi", "answers": {"fi-001": "text"}},
            xdr.InvalidInput,
            "answers",
        ),
        (
            {"measures": "R@2kt", "collection": "xdr-mini/fi", "answers": {"fi-001": ["yes"]}},
            xdr.InvalidInput,
            "no question",
        ),
    ],
)
def test_what_cannot_be_scored_is_said_with_the_houses_errors(
    arguments: dict[str, Any], kind: type[Exception], expected: str
) -> None:
    with pytest.raises(kind) as caught:
        xdr.score(BM25, **arguments)
    assert expected in str(caught.value)


def test_a_run_of_another_collection_is_no_silent_zero() -> None:
    with pytest.raises(xdr.InvalidInput, match="unknown query fi-001"):
        xdr.score(BM25, "xdr-mini/ja", "RR@10")


def test_a_scored_folder_and_its_records_at_hand_agree(tmp_path: Path) -> None:
    docs = {"d1": {"title": "T", "text": "Oslo is in Norway"}, "d2": {"text": "Rome"}}
    (tmp_path / "docs.jsonl").write_text(
        "".join(json.dumps({"doc_id": doc_id, **row}) + "\n" for doc_id, row in docs.items())
    )
    (tmp_path / "queries.jsonl").write_text('{"query_id": "q1", "text": "Missä?", "lang": "fi"}\n')
    (tmp_path / "answers.jsonl").write_text('{"query_id": "q1", "answers": ["Norway"]}\n')
    (tmp_path / "qrels.txt").write_text("q1 0 d1 1\n")
    of_files = xdr.load_collection(tmp_path)
    frame = pd.DataFrame(
        [{"docno": doc_id, "title": row.get("title"), "text": row["text"]} for doc_id, row in docs.items()]
    )
    queries = pd.DataFrame([{"qid": "q1", "query": "Missä?"}])
    for made in (
        xdr.make_collection(docs, {"q1": "Missä?"}, {"q1": {"d1": 1}}, {"q1": ["Norway"]}, lang="fi"),
        xdr.make_collection(frame, queries, {"q1": {"d1": 1}}, {"q1": ("Norway",)}, lang="fi"),
        xdr.make_collection(of_files.docs, of_files.queries, of_files.qrels, of_files.answers),
        xdr.make_collection(
            *(tmp_path / name for name in ("docs.jsonl", "queries.jsonl", "qrels.txt", "answers.jsonl"))
        ),
        xdr.make_collection(
            [xdr.Doc("d2", "", "Rome"), xdr.Doc("d1", "T", "Oslo is in Norway")],
            [xdr.Query("q1", "Missä?", "fi", "q1")],
            [ir_measures.Qrel("q1", "d1", 1)],
            [{"query_id": "q1", "answers": ["Norway"]}],
        ),
    ):
        assert made.digests == of_files.digests
        assert xdr.score({"q1": ["d2", "d1"]}, made, ["R@5t", "RR"]) == {"R@5t": 1.0, "RR": 0.5}


def test_all_faults_of_a_collection_at_hand_are_said_in_one_report() -> None:
    with pytest.raises(xdr.InvalidInput) as caught:
        xdr.make_collection(
            {"a": 1, "b b": "x"},
            pd.DataFrame({"qid": ["1"], "query": [None]}),
            qrels=[("a",)],
            answers={"1": "yes"},
            lang="??",
        )
    told = str(caught.value)
    for expected in (
        "lang: '??'",
        "docs['a']: 'text'",
        "id 'b b'",
        "queries, row 0: 'text'",
        "qrels[0]",
        "answers['1']",
    ):
        assert expected in told


def test_recorded_scores_are_what_the_command_line_writes(tmp_path: Path) -> None:
    """The reference of this file is not stale."""
    copy_recorded_runs(tmp_path)
    from harness.runs.score import scores_of_run
    from harness.tracks import load_track

    again = scores_of_run(RunFolder(load_track("mini"), tmp_path / "runs/mini/bm25"))
    assert again.values == read_scores(ROOT / "runs/mini/bm25/scores.parquet").values


def test_an_empty_ranking_is_one_and_its_query_must_be_known() -> None:
    assert xdr.score({"fi-001": {}, "fi-002": []}, "xdr-mini/fi", "RR")["RR"] == 0.0
    with pytest.raises(xdr.InvalidInput, match="unknown query xx"):
        xdr.score({"xx": {}}, "xdr-mini/fi", "RR")


def test_a_measure_of_ones_own_is_scored_by() -> None:
    collection = xdr.make_collection({"a": "x", "b": "y"}, {"q": "?", "r": "?"})
    assert dict(xdr.score({"q": ["a", "b"]}, collection, [Found()])) == {"Found": 0.1}
