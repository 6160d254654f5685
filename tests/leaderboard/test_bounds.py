"""What the best and a random ranking would score."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import statistics_reference as reference
from hypothesis import given
from hypothesis import strategies as st
from scored_worlds import DOCS, World, collection_in, judged_toy, track_of

from harness.collections.view import Docs
from harness.leaderboard.bounds import Reach, bounds_of, different_numbers
from harness.measures import parse
from harness.measures.of_answers import OfAnswers, first_hits
from harness.records import Doc
from harness.tracks import Track


def bounds(track: Track, name: str, depth: int) -> Reach:
    """Of one measure on Finnish."""
    return bounds_of(track.model_copy(update={"measures": (name,), "depth": depth}))["fi"][name]


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path, track_of(collection_in(tmp_path / "toy")))


@pytest.mark.parametrize("name", ["RR", "nDCG@10", "Success@1", "AP", "R@5t", "R@2kt"])
def test_the_ceiling_is_1_where_every_question_can_be_answered(name: str, world: World) -> None:
    assert bounds(world.track, name, 5).ceiling == 1.0


def test_the_ceiling_is_lower_where_no_ranking_reaches_an_answer(tmp_path: Path) -> None:
    answers = {"fi-1": ["Norway"], "fi-2": ["Paris"], "fi-3": ["36%"]}
    docs = {**DOCS, "d6": "36% of all"}  # tokenized as "36 %"
    track = track_of(collection_in(tmp_path / "toy", docs=docs, answers=answers))
    # Norway is the fourth token of its passage.
    assert [bounds(track, f"R@{budget}t", 5).ceiling for budget in (3, 4, 9)] == [0, 1 / 3, 1 / 3]


@pytest.mark.parametrize(
    ("text", "answer"), [("I cannot say", "can not"), ('the "best" one', "`` best ''"), ("a\tb", "a b")]
)
def test_no_run_is_better_than_the_ceiling_where_tokens_differ_from_the_text(
    text: str, answer: str, tmp_path: Path
) -> None:
    folder = collection_in(tmp_path / "toy", docs={"d1": text}, queries={"fi-1": "fi"}, qrels=None,
                           answers={"fi-1": [answer]})  # fmt: skip
    track = track_of(folder, ["fi"])
    value = parse("R@9t").score(judged_toy(folder), {"fi-1": ["d1"]})["fi-1"]
    assert value == bounds(track, "R@9t", 1).ceiling == 1.0


def test_the_ceiling_of_graded_judgements_takes_the_best_first(tmp_path: Path) -> None:
    folder = collection_in(tmp_path / "toy", qrels={"fi-1": {"d1": 1, "d2": 3, "d3": 2}, "fi-2": {"d1": 1, "d2": 2}})
    track = track_of(folder)
    assert bounds(track, "nDCG@3", 3).ceiling == pytest.approx(1.0, abs=1e-12)
    # At depth 1 only the best passage is kept: 3 of 3 + 2/log2(3) + 1/2, and 2 of 2 + 1/log2(3).
    kept = [reference.ndcg(["d2"], {"d1": 1, "d2": 3, "d3": 2}, 3), reference.ndcg(["d2"], {"d1": 1, "d2": 2}, 3)]
    assert bounds(track, "nDCG@3", 1).ceiling == pytest.approx(sum(kept) / 2, abs=1e-12)


@pytest.mark.parametrize("cutoff", [1, 5, 10])
def test_the_random_score_is_close_to_its_expectation(cutoff: int, tmp_path: Path) -> None:
    """Success@k of a random ranking of N passages, one of them relevant, is k/N; two of them: 1 - C(N-2,k)/C(N,k)."""
    docs = {f"d{i}": "x" for i in range(20)}
    ids = [f"fi-{i}" for i in range(100)]
    for relevant, expected in ((1, cutoff / 20), (2, 1 - (20 - cutoff) * (19 - cutoff) / (20 * 19))):
        qrels = {q: {f"d{(i + j) % 20}": 1 for j in range(relevant)} for i, q in enumerate(ids)}
        folder = collection_in(tmp_path / f"toy{relevant}", docs=docs, queries=dict.fromkeys(ids, "fi"), qrels=qrels)
        track = track_of(folder, ["fi"])
        ceiling, chance = bounds(track, f"Success@{cutoff}", 15)
        assert ceiling == 1.0
        assert abs(chance - expected) < 5 * (expected * (1 - expected) / (100 * 10)) ** 0.5


@pytest.fixture
def kept_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDR_HOME", str(tmp_path / "home"))
    return tmp_path / "home" / "bounds"


def test_bounds_are_the_same_each_time_kept_or_not(world: World, kept_in: Path) -> None:
    names = ("R@4t", "RR", "AnswerRecall@2")
    first = [bounds(world.track, name, 2) for name in names]
    kept = sorted(kept_in.iterdir())
    assert len(kept) == len(names) * len(world.track.parts)
    assert [bounds(world.track, name, 2) for name in names] == first
    # A digit that the disk changed is no bound.
    for path in kept:
        data = path.read_bytes()
        path.write_bytes(data.replace(b"1.0", b"0.5", 1) if b"1.0" in data else data[:-3])
    assert [bounds(world.track, name, 2) for name in names] == first


def test_bounds_that_cannot_be_kept_are_there_all_the_same(world: World, kept_in: Path) -> None:
    expected = bounds(world.track, "RR", 2)
    shutil.rmtree(kept_in)
    kept_in.write_bytes(b"a file where the folder should be")
    assert bounds(world.track, "RR", 2) == expected


def test_other_judgements_have_other_bounds(tmp_path: Path) -> None:
    values = []
    for name, answer in (("one", "Norway"), ("two", "Paris")):
        folder = collection_in(tmp_path / name, answers={"fi-1": [answer], "fi-2": ["Rome"]})
        values.append(bounds(track_of(folder), "R@9t", 5).ceiling)
    assert values == [1.0, 0.5]


# Pieces that tokens write otherwise, or that stand at the borders of words, passages and blocks.
PIECES = st.sampled_from(["a", "b", "A", "é", "1", "36", "%", '"', "``", "''", "cannot", "can", "not", ".", ",", "x'y"])
TEXTS = st.lists(st.tuples(PIECES, st.sampled_from(["", " ", "  ", "\n", "\t"])), max_size=8).map(
    lambda pieces: "".join(piece + blank for piece, blank in pieces)
)


@given(
    texts=st.lists(TEXTS, max_size=40),
    parts=st.lists(st.dictionaries(st.sampled_from("qrs"), st.lists(TEXTS, min_size=1, max_size=3)), max_size=2),
    names=st.sampled_from([("R@1t", "R@3t"), ("AnswerRecall@1",)]),
)
def test_the_first_hits_are_those_of_looking_at_every_passage(
    texts: Sequence[str], parts: Sequence[dict[str, list[str]]], names: Sequence[str]
) -> None:
    docs = Docs([Doc(f"d{number:02}", "", text) for number, text in enumerate(texts)])
    measures = [measure for measure in map(parse, names) if isinstance(measure, OfAnswers)]
    expected = [
        {
            m.name: {
                query: hits[:1]
                for query, answers in part.items()
                if (hits := [doc.doc_id for doc in docs if m.is_hit_by(answers, doc.text)])
            }
            for m in measures
        }
        for part in parts
    ]
    assert first_hits(measures, parts, docs) == expected


@given(count=st.integers(0, 60), more=st.integers(0, 2000))
def test_numbers_drawn_are_different_and_within_the_range(count: int, more: int) -> None:
    numbers = different_numbers(np.random.Philox(key=1), count, count + more)
    assert len(set(numbers.tolist())) == len(numbers) == count
    assert count == 0 or (numbers.min() >= 0 and numbers.max() < count + more)


@pytest.mark.parametrize("below", [30, 300])  # sorted, and drawn with repetitions left out
def test_every_number_is_drawn_as_often_as_every_other(below: int) -> None:
    words = np.random.Philox(key=2)
    drawn = np.bincount(np.concatenate([different_numbers(words, 10, below) for _ in range(3000)]), minlength=below)
    # Pearson's statistic has about `below` degrees of freedom; five standard deviations above is never met by chance.
    statistic = float(((drawn - 30_000 / below) ** 2 / (30_000 / below)).sum())
    assert statistic < below + 5 * (2 * below) ** 0.5
