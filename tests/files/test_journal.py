from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.records import Ranking
from harness.runs.journal import Journal

FIRST = Ranking("ar/q1", ("d1", "ёж"), np.array([0.1, -2], dtype=np.float32))
SECOND = Ranking("ar/q2 \n", (), np.array([], dtype=np.float64))
THIRD = Ranking("fi/q1", ("東京",), np.array([0.1 + 1e-10]))


def written(path: Path, *rankings: Ranking) -> Path:
    with Journal(path) as journal:
        for ranking in rankings:
            journal.append(ranking)
    return path


def ids(path: Path) -> list[str]:
    return [ranking.query_id for ranking in Journal(path).read()]


def test_rankings_come_back_in_order_with_ids_scores_and_their_widths(tmp_path: Path) -> None:
    path = written(tmp_path / "new" / "journal", FIRST, SECOND, THIRD)
    back = list(Journal(path).read())
    for ranking, given_ranking in zip(back, (FIRST, SECOND, THIRD), strict=True):
        assert ranking.query_id == given_ranking.query_id
        assert ranking.doc_ids == given_ranking.doc_ids
        scores = np.asarray(ranking.scores)
        assert scores.dtype == np.asarray(given_ranking.scores).dtype
        np.testing.assert_array_equal(scores, given_ranking.scores)


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False)), st.sampled_from(["f4", "f8"]))
def test_scores_come_back_bit_for_bit(
    tmp_path_factory: pytest.TempPathFactory, scores: list[float], width: str
) -> None:
    with np.errstate(over="ignore"):
        given_scores = np.array(scores, dtype=width)
    given_scores = given_scores[np.isfinite(given_scores)]
    path = tmp_path_factory.getbasetemp() / "bit-for-bit"
    path.unlink(missing_ok=True)
    ranking = Ranking("q", [str(i) for i in range(len(given_scores))], given_scores)
    (back,) = Journal(written(path, ranking)).read()
    assert np.asarray(back.scores).tobytes() == given_scores.tobytes()


def test_a_new_journal_is_empty(tmp_path: Path) -> None:
    with Journal(tmp_path / "journal") as journal:
        assert list(journal.read()) == []


def test_what_was_appended_is_readable_before_the_journal_is_closed(tmp_path: Path) -> None:
    with Journal(tmp_path / "journal") as journal:
        journal.append(FIRST)
        assert ids(tmp_path / "journal") == ["ar/q1"]


def test_a_line_torn_anywhere_is_dropped_and_the_journal_goes_on(tmp_path: Path) -> None:
    whole = written(tmp_path / "whole", FIRST, THIRD).read_bytes()
    start = whole.index(b"\n") + 1
    for cut in range(start, len(whole)):
        path = tmp_path / "torn"
        path.write_bytes(whole[:cut])
        assert ids(path) == ["ar/q1"], f"cut at byte {cut}"
        written(path, SECOND)
        assert ids(path) == ["ar/q1", SECOND.query_id]
    written(path, THIRD)
    assert ids(path) == ["ar/q1", SECOND.query_id, "fi/q1"]


def test_any_flipped_byte_ends_the_readable_part(tmp_path: Path) -> None:
    whole = written(tmp_path / "whole", FIRST, THIRD, FIRST).read_bytes()
    lines = whole.splitlines(keepends=True)
    for place in range(len(lines[0]), len(lines[0]) + len(lines[1])):
        damaged = bytearray(whole)
        damaged[place] ^= 0x01
        path = tmp_path / "damaged"
        path.write_bytes(damaged)
        assert ids(path) == ["ar/q1"], f"byte {place}"
        written(path)
        assert path.read_bytes() == lines[0], "opening drops what cannot be trusted"


def test_opening_an_intact_journal_changes_nothing(tmp_path: Path) -> None:
    path = written(tmp_path / "journal", FIRST, SECOND)
    before = path.read_bytes()
    written(path)
    assert path.read_bytes() == before
