"""The comparison with mteb: why ranks differ on made-up scores, its page; and on tiny models the whole of it, where mteb is."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import small_dense
import tiny_models
from hypothesis import given
from hypothesis import strategies as st

from harness.adapters.card import load_card
from harness.errors import WrongUsage
from harness.records import Doc, Query
from harness.tracks import load_track

FOLDER = Path(__file__).parents[2] / "benchmarks"
needs_mteb = pytest.mark.skipif(
    importlib.util.find_spec("mteb") is None, reason='needs the extra `bench`: pip install -e ".[bench]"'
)
DOCS = ("a", "b", "c", "d")


@pytest.fixture(autouse=True)
def _benchmarks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(FOLDER))


def labels(relevant: Mapping[str, str], depth: int = 10) -> Any:
    from rank_causes import Labels

    return Labels(list(relevant), DOCS, relevant, depth)


def ways(*steps: tuple[str, list[list[float]]]) -> list[Any]:
    from rank_causes import Way

    return [Way(change, change, np.array(scores)) for change, scores in steps]


def test_the_change_at_which_a_rank_moves_is_its_reason() -> None:
    from rank_causes import moved

    found = moved(
        ways(
            ("ours", [[4, 3, 2, 1], [4, 3, 2, 1]]),
            ("halves", [[4, 3, 2, 1], [4, 3, 2, 1]]),
            ("batches", [[2.9, 3, 2, 1], [4, 3, 2, 1]]),
        ),
        labels({"q1": "a", "q2": "a"}),
    )
    (only,) = found
    assert (only.query_id, only.doc_id, only.ranks, only.reasons) == ("q1", "a", (1, 1, 2), ("batches",))
    assert only.gap == pytest.approx(0.1)


def test_what_moves_there_and_back_is_no_difference() -> None:
    from rank_causes import moved

    steps = ways(("ours", [[2, 1, 0, 0]]), ("there", [[1, 2, 0, 0]]), ("back", [[2, 1, 0, 0]]))
    assert list(moved(steps, labels({"q": "a"}))) == []


def test_equal_scores_are_ordered_by_id_and_named_as_a_reason() -> None:
    from rank_causes import moved, ordered, tied

    scores = np.array([[1.0, 1.0, 1.0, 0.5]])
    assert [DOCS[place] for place in ordered(DOCS, scores[0])] == ["c", "b", "a", "d"]
    assert tied(scores, labels({"q": "a"}), 1) == [("q", 1, ("c", "b", "a"))]
    assert tied(scores, labels({"q": "a"}), 10) == [("q", 1, ("c", "b", "a"))]
    assert tied(np.array([[3.0, 2.0, 1.0, 1.0]]), labels({"q": "a"}), 2) == []
    (only,) = moved(ways(("ours", [[1, 1, 0, 0]]), ("wider", [[1.01, 1, 0, 0]])), labels({"q": "a"}))
    assert (only.ranks, only.reasons) == ((2, 1), ("wider (equal scores)",))


def test_ranks_below_the_depth_are_one_and_the_same() -> None:
    from rank_causes import moved

    beyond = [[3, 2, -np.inf, -np.inf]]
    assert list(moved(ways(("ours", beyond), ("all", [[4, 3, 1, 2]])), labels({"q": "c"}, depth=2))) == []
    (only,) = moved(ways(("ours", beyond), ("all", [[4, 3, 5, 2]])), labels({"q": "c"}, depth=2))
    assert only.ranks == (3, 1)
    assert only.gap == 2


@given(st.lists(st.lists(st.integers(0, 3), min_size=4, max_size=4), min_size=2, max_size=4), st.sampled_from(DOCS))
def test_a_difference_has_a_reason_and_no_difference_has_none(scores: list[list[int]], relevant: str) -> None:
    from rank_causes import moved, ordered

    steps = ways(*((f"step {number}", [[float(score) for score in row]]) for number, row in enumerate(scores)))
    ranks = [1 + [DOCS[place] for place in ordered(DOCS, np.array(row, float))].index(relevant) for row in scores]
    found = list(moved(steps, labels({"q": relevant})))
    if ranks[0] == ranks[-1]:
        assert found == []
        return
    (only,) = found
    assert only.ranks == tuple(ranks)
    assert [reason.split(" (")[0] for reason in only.reasons] == [
        f"step {number}" for number in range(1, len(ranks)) if ranks[number] != ranks[number - 1]
    ]


def figures() -> dict[str, Any]:
    scoring = {"measure": "nDCG@10", "largest": 0.0, "ours": 0.5, "reported": 0.5, "mean": 0.0}
    part = {
        "questions": 1_190,
        "passages": 240,
        "with_white_space": ["p7"],
        "scoring": [scoring],
        "ties": [["q7", 3, ["p2", "p1"]]],
        "means": {"nDCG@10": [0.5, 0.50001]},
        "same_rankings": 1_000,
        "rank_biased_overlap": 0.999,
        "kendall_tau": 0.998,
        "rmse": 0.0,
        "is_within": True,
        "ways": [{"title": "mteb's vectors", "change": "other batches", "largest": 1e-6, "tau": 0.9, "moved": 1}],
        "moved": [{"query_id": "q9", "doc_id": "p1", "ranks": [2, 2, 1], "gap": 1e-6, "reasons": ["other batches"]}],
        "faults": [],
    }
    return {
        "track": "xquad",
        "tolerance": {"rank_biased_overlap": 0.99, "kendall_tau": 0.95, "rmse": 0.01},
        "primary": "Success@10",
        "depth": 100,
        "card": "me5-small-q4",
        "title": "a model",
        "titles": False,
        "batch": 32,
        "parts": {"ar": part, "de": {**part, "ties": [], "is_within": False}},
        "faults": ["de: a fault"],
        "seconds": {"ours": 10.0, "mteb": 20.0},
        "processor_seconds": {"ours": 15.0, "mteb": 30.0},
        "loads": [1.0, 2.0, 2.5],
        "machine": {"cpu": "a processor", "cores": 2},
        "libraries": {"mteb": "2"},
    }


def test_the_page_has_the_figures_it_is_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import mteb_agreement

    given = tmp_path / "figures.json"
    given.write_text(json.dumps(figures()), "utf-8")
    command = ["mteb_agreement.py", "--figures", str(given), "--output", str(tmp_path / "page.md")]
    monkeypatch.setattr("sys.argv", command)
    assert mteb_agreement.main() == 1, "a fault is an exit status"
    page = (tmp_path / "page.md").read_text("utf-8")
    assert "python benchmarks/mteb_agreement.py --track xquad --parts ar de --card me5-small-q4\n" in page
    assert "| ar | nDCG@10 | 1,190 | 0 | 0.5000000 | 0.50000 |" in page
    assert "| ar | q7 | 3 | p2, p1 |" in page
    assert "| ar | q9 | 2 | 1 | 1e-06 | other batches |" in page
    assert "| mteb's vectors | other batches | de | 1e-06 | 0.90000 | 1 |" in page
    assert "Relevant passages are moved by: other batches (tau 0.90000 at the lowest). No other" in page
    assert "2 of 2,380" in page
    assert "it changes 1 of them (p7)." in page
    assert page.count("| NO |") == 1
    assert "| mteb | 20 | 30 |" in page
    assert not any(line.startswith("| ") and "None" in line for line in page.splitlines())


def test_on_a_busy_machine_the_time_that_passed_is_left_out() -> None:
    from mteb_agreement_page import page

    assert "| mteb | 20 | 30 |" in page(figures())
    for loads in ([15.0, 2.0, 2.0], [0.0, 2.0, 3.0]):
        busy = page(figures() | {"loads": loads})
        assert "| mteb |  | 30 |" in busy
        assert "says nothing and is left out" in busy


def test_only_a_dense_card_that_leaves_the_rest_to_its_model_is_compared(tmp_path: Path) -> None:
    import mteb_agreement

    track = load_track(str(small_dense.write_track(tmp_path)))
    with pytest.raises(WrongUsage, match="its parts are fi"):
        mteb_agreement.chosen(track, ["fi", "sv"])
    chosen = mteb_agreement.chosen(track, ["fi"])
    with pytest.raises(WrongUsage, match="no card of the adapter dense"):
        mteb_agreement.measured(chosen, load_card("bm25"), tmp_path)
    card = small_dense.write_card(tmp_path / "card", pooling="cls")
    with pytest.raises(WrongUsage, match="says pooling"):
        mteb_agreement.measured(chosen, load_card(str(card)), tmp_path)


@needs_mteb
def test_both_sides_of_a_tiny_model_agree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import mteb_agreement

    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    track = mteb_agreement.chosen(load_track(str(small_dense.write_track(tmp_path))), ["fi"])
    model = str(tiny_models.shared().sentence)
    card = small_dense.write_card(tmp_path / "card", model=model, pooling="model", store_dtype="float32")
    found = mteb_agreement.measured(track, load_card(str(card)), tmp_path / "place")
    part = found["parts"]["fi"]
    assert {row["measure"] for row in part["scoring"]} == {"nDCG@10", "R@10", "RR@10"}
    assert all(row["largest"] <= 1e-6 and row["mean"] < 6e-6 for row in part["scoring"])
    assert all(way["largest"] < 1e-5 for way in part["ways"])
    assert part["moved"] == []
    assert part["with_white_space"] == []
    assert found["card"] in mteb_agreement.page(json.loads(json.dumps(found)))


@needs_mteb
@given(
    st.lists(st.lists(st.sampled_from([0.0, 0.25, 0.5, 1.0]), min_size=4, max_size=4), min_size=1, max_size=4),
    st.lists(st.sets(st.sampled_from(DOCS), min_size=1, max_size=3), min_size=4, max_size=4),
)
def test_made_up_rankings_have_the_same_values_by_both_scorers(
    scores: list[list[float]], relevant: list[set[str]]
) -> None:
    from mteb_side import MEASURES, values_by_question

    from harness.collections.in_memory import collection_of
    from harness.measures import Judged, parse, score_all
    from harness.runs.trec import Expected, checked_run

    rankings = {f"q{number}": dict(zip(DOCS, row, strict=True)) for number, row in enumerate(scores)}
    qrels = {query_id: dict.fromkeys(sorted(own), 1) for query_id, own in zip(rankings, relevant, strict=False)}
    docs = [Doc(doc_id, "", f"text {doc_id}") for doc_id in DOCS]
    collection = collection_of(docs, [Query(name, "a question", "en", name) for name in rankings], qrels=qrels)
    run, _ = checked_run(
        {query_id: list(own.items()) for query_id, own in rankings.items()},
        "made up",
        Expected(list(rankings), collection.docs, len(DOCS)),
    )
    ours = score_all(
        [parse(name) for name in MEASURES],
        Judged(collection),
        {query_id: ranked.doc_ids for query_id, ranked in run.rankings.items()},
    )
    theirs = values_by_question(qrels, rankings)
    for name in MEASURES:
        assert ours[name] == pytest.approx(theirs[name], abs=1e-6)
