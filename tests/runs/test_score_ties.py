"""The range of a run with ties is that of all orders of the tied passages."""

from __future__ import annotations

import hashlib
import itertools
import random
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from scored_worlds import RANKINGS, World, collection_in, judged_toy, track_of

from harness.measures import Judged, Measure, parse
from harness.records import Ranking
from harness.runs.manifest import read_manifest, run_file, write_manifest
from harness.runs.run_folder import RunFolder
from harness.runs.score import score_system, tie_range
from harness.runs.trec import Run, fixed_order, write_run


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path, track_of(collection_in(tmp_path / "toy")))


def all_orders(doc_ids: Sequence[str], scores: Sequence[float]) -> list[tuple[str, ...]]:
    """Every order of the passages in which the scores do not rise."""
    groups: dict[float, list[str]] = {}
    for doc_id, score in sorted(zip(doc_ids, scores, strict=True), key=lambda row: -row[1]):
        groups.setdefault(score, []).append(doc_id)
    permuted = itertools.product(*(itertools.permutations(group) for group in groups.values()))
    return [tuple(itertools.chain(*parts)) for parts in permuted]


def extremes(measure: Measure, judged: Judged, run: Run, depth: int) -> tuple[float, float]:
    found = [
        [
            measure.score(judged, {query_id: order[:depth]})[query_id]
            for order in all_orders(ranked.doc_ids, ranked.scores.tolist())
        ]
        for query_id, ranked in run.rankings.items()
    ]
    return sum(map(min, found)) / len(found), sum(map(max, found)) / len(found)


@pytest.mark.parametrize("name", ["RR", "nDCG@3", "Success@1", "AP", "R@2", "R@3t", "R@5t"])
def test_the_range_of_tied_runs_is_that_of_all_their_orders(name: str, tmp_path: Path) -> None:
    rng = random.Random(name)
    words = ["Oslo", "Rome", "is", "in", "the", "far", "north"]
    docs = {f"d{i}": " ".join(rng.choice(words) for _ in range(rng.randrange(5))) for i in range(6)}
    ids = [f"fi-{i}" for i in range(60)]
    folder = collection_in(
        tmp_path / "toy",
        docs=docs,
        queries=dict.fromkeys(ids, "fi"),
        qrels={q: {d: rng.choice([0, 1, 1, 2, 3]) for d in rng.sample(sorted(docs), 3)} for q in ids},
        answers={q: rng.sample(["Oslo", "Rome", "north"], rng.randrange(1, 3)) for q in ids},
    )
    judged, measure, depth = judged_toy(folder), parse(name), 4
    rankings = {}
    for query_id in ids:
        doc_ids = rng.sample(sorted(docs), 5)
        rankings[query_id] = fixed_order(doc_ids, np.array([rng.randrange(3) for _ in doc_ids], dtype=np.float32))
    run = Run("toy", rankings)
    found = tie_range(measure, judged, run, depth)
    fixed = measure.score(judged, {q: ranked.doc_ids[:depth] for q, ranked in rankings.items()})
    worst, best = extremes(measure, judged, run, depth)
    assert found["worst"] == pytest.approx(worst, abs=1e-12)
    assert found["best"] == pytest.approx(best, abs=1e-12)
    assert found["worst"] < sum(fixed.values()) / len(fixed) < found["best"]
    assert found["queries"] == sum(len(set(r.scores.tolist())) < 5 for r in rankings.values())


def test_the_range_brackets_the_score_even_where_answers_span_passages(tmp_path: Path) -> None:
    """The passage that holds the answer parts the two that hold it together; moved to the end, it joins them."""
    docs = {"d3": "New", "d2": "far far New York", "d1": "York"}
    folder = collection_in(
        tmp_path / "toy", docs=docs, queries={"fi-1": "fi"}, qrels=None, answers={"fi-1": ["New York"]}
    )
    judged, measure = judged_toy(folder), parse("R@2t")
    ranked = fixed_order(sorted(docs), np.ones(3, dtype=np.float32))
    assert measure.score(judged, {"fi-1": ranked.doc_ids}) == {"fi-1": 0.0}
    assert measure.score(judged, {"fi-1": ("d3", "d1", "d2")}) == {"fi-1": 1.0}
    assert tie_range(measure, judged, Run("toy", {"fi-1": ranked}), 3)["worst"] == 0.0


def test_a_run_with_ties_says_so_and_one_without_does_not(world: World) -> None:
    folder = world.run(RANKINGS)
    assert score_system(RunFolder(world.track, folder)).context["ties"] == {}
    rows = [Ranking("fi-1", ["d1", "d2"], np.ones(2, dtype=np.float32))]
    digest = hashlib.sha256(write_run(run_file(folder, "fi"), rows, "toy")).hexdigest()
    manifest = read_manifest(folder)
    record = manifest.data["fi"].model_copy(update={"ranking": digest})
    write_manifest(folder, manifest.model_copy(update={"data": {**manifest.data, "fi": record}}))
    # Doc ids descend: d2, Rome, comes first and fills the budget of two tokens. Two questions are scored.
    scores = score_system(RunFolder(world.track, folder))
    assert scores.context["ties"] == {"fi": {"queries": 1, "worst": 0.0, "best": 0.5}}
    assert scores.mean("fi", "R@2t") == 0.0
