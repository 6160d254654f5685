"""The dummy system: a fixed order that knows nothing of the texts' meaning."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from harness.adapters.conformance import toy_request
from harness.adapters.contract import Context, System, inputs_of
from harness.records import Ranking
from systems.dummy import Dummy


def rankings(tmp_path: Path, salt: str = "", depth: int = 9) -> list[Ranking]:
    return list(Dummy(Dummy.Parameters(salt=salt)).search(toy_request(depth), Context(cache=tmp_path, work=tmp_path)))


def test_another_salt_gives_another_order_of_the_same_passages(tmp_path: Path) -> None:
    one, two = rankings(tmp_path), rankings(tmp_path, "pepper")
    assert [list(r.doc_ids) for r in one] != [list(r.doc_ids) for r in two]
    assert [sorted(r.doc_ids) for r in one] == [sorted(r.doc_ids) for r in two]
    assert [list(r.doc_ids) for r in one] == [list(r.doc_ids) for r in rankings(tmp_path)]


def test_scores_are_float32_between_0_and_1_and_fall(tmp_path: Path) -> None:
    for ranking in rankings(tmp_path):
        scores = np.asarray(ranking.scores)
        assert scores.dtype == np.float32
        assert ((scores >= 0) & (scores < 1)).all()
        assert (np.diff(scores) <= 0).all()


def test_questions_get_different_orders(tmp_path: Path) -> None:
    assert len({tuple(ranking.doc_ids) for ranking in rankings(tmp_path)}) > 1


def test_it_is_a_system_without_inputs() -> None:
    system = Dummy(Dummy.Parameters())
    assert isinstance(system, System)
    assert inputs_of(system) == {}
