"""What the best and a random ranking would score."""

from __future__ import annotations

from pathlib import Path

import pytest
import statistics_reference as reference
from scored_worlds import DOCS, World, collection_in, judged_toy, track_of

from harness.measures import parse
from harness.score import bounds_of


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path, track_of(collection_in(tmp_path / "toy")))


@pytest.mark.parametrize("name", ["RR", "nDCG@10", "Success@1", "AP", "R@5t", "R@2kt"])
def test_the_ceiling_is_1_where_every_question_can_be_answered(name: str, world: World) -> None:
    assert bounds_of(world.track.part("fi"), name, 5)[0] == 1.0


def test_the_ceiling_is_lower_where_no_ranking_reaches_an_answer(tmp_path: Path) -> None:
    answers = {"fi-1": ["Norway"], "fi-2": ["Paris"], "fi-3": ["36%"]}
    docs = {**DOCS, "d6": "36% of all"}  # tokenized as "36 %"
    part = track_of(collection_in(tmp_path / "toy", docs=docs, answers=answers)).part("fi")
    # Norway is the fourth token of its passage.
    assert [bounds_of(part, f"R@{budget}t", 5)[0] for budget in (3, 4, 9)] == [0, 1 / 3, 1 / 3]


@pytest.mark.parametrize(
    ("text", "answer"), [("I cannot say", "can not"), ('the "best" one', "`` best ''"), ("a\tb", "a b")]
)
def test_no_run_is_better_than_the_ceiling_where_tokens_differ_from_the_text(
    text: str, answer: str, tmp_path: Path
) -> None:
    folder = collection_in(tmp_path / "toy", docs={"d1": text}, queries={"fi-1": "fi"}, qrels=None,
                           answers={"fi-1": [answer]})  # fmt: skip
    part = track_of(folder).part("fi")
    value = parse("R@9t").score(judged_toy(folder), {"fi-1": ["d1"]})["fi-1"]
    assert value == bounds_of(part, "R@9t", 1)[0] == 1.0


def test_the_ceiling_of_graded_judgements_takes_the_best_first(tmp_path: Path) -> None:
    folder = collection_in(tmp_path / "toy", qrels={"fi-1": {"d1": 1, "d2": 3, "d3": 2}, "fi-2": {"d1": 1, "d2": 2}})
    part = track_of(folder).part("fi")
    assert bounds_of(part, "nDCG@3", 3)[0] == pytest.approx(1.0, abs=1e-12)
    # At depth 1 only the best passage is kept: 3 of 3 + 2/log2(3) + 1/2, and 2 of 2 + 1/log2(3).
    kept = [reference.ndcg(["d2"], {"d1": 1, "d2": 3, "d3": 2}, 3), reference.ndcg(["d2"], {"d1": 1, "d2": 2}, 3)]
    assert bounds_of(part, "nDCG@3", 1)[0] == pytest.approx(sum(kept) / 2, abs=1e-12)


@pytest.mark.parametrize("cutoff", [1, 5, 10])
def test_the_random_score_is_close_to_its_expectation(cutoff: int, tmp_path: Path) -> None:
    """Success@k of a random ranking of N passages, one of them relevant, is k/N; two of them: 1 - C(N-2,k)/C(N,k)."""
    docs = {f"d{i}": "x" for i in range(20)}
    ids = [f"fi-{i}" for i in range(100)]
    for relevant, expected in ((1, cutoff / 20), (2, 1 - (20 - cutoff) * (19 - cutoff) / (20 * 19))):
        qrels = {q: {f"d{(i + j) % 20}": 1 for j in range(relevant)} for i, q in enumerate(ids)}
        folder = collection_in(tmp_path / f"toy{relevant}", docs=docs, queries=dict.fromkeys(ids, "fi"), qrels=qrels)
        part = track_of(folder).part("fi")
        ceiling, chance = bounds_of(part, f"Success@{cutoff}", 15)
        assert ceiling == 1.0
        assert abs(chance - expected) < 5 * (expected * (1 - expected) / (100 * 10)) ** 0.5


def test_bounds_are_the_same_each_time(world: World) -> None:
    part = world.track.part("fi")
    first = bounds_of(part, "RR", 2)
    bounds_of.cache_clear()
    assert bounds_of(part, "RR", 2) == first
