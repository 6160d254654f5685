"""Reading a plain run in segments, side by side, gives what reading it in one piece gives."""

from __future__ import annotations

import gzip
import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.runs import trec_columns
from harness.runs.trec import read_run
from harness.runs.trec_columns import Columns, read_columns

LINES = st.lists(
    st.tuples(st.sampled_from(["q1", "q2", "ಪ್ರ"]), st.integers(0, 40), st.sampled_from([0.5, 1.0, 2.0, -1.0])),
    min_size=1,
    max_size=60,
    unique_by=lambda line: line[:2],
)


def text_of(lines: list[tuple[str, int, float]]) -> str:
    return "".join(f"{query} Q0 d{doc} {rank} {score} tag\n" for rank, (query, doc, score) in enumerate(lines, 1))


def as_tuple(columns: Columns | None) -> object:
    if columns is None:
        return None
    return columns.tag, [(query, docs, scores.tolist()) for query, docs, scores in columns.rankings()]


@given(lines=LINES, size=st.integers(1, 400), cores=st.integers(1, 8))
@settings(deadline=None)
def test_segments_join_to_the_whole(
    lines: list[tuple[str, int, float]], size: int, cores: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("run") / "run.trec"
    path.write_text(text_of(lines), "utf-8")
    whole = as_tuple(read_columns(path))
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(trec_columns, "_SEGMENT_BYTES", size)
        patched.setattr("os.cpu_count", lambda: cores)
        assert as_tuple(read_columns(path)) == whole


def test_few_and_many_documents_are_put_in_the_same_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Equal scores are ordered by the bytes of ids, which Python sorts where they are few and Arrow where they are many."""
    ids = ["d1", "d10", "d2", "D", "é", "ಪ್ರ", "\U0001f600", "\uffff", "z"]
    path = tmp_path / "run.trec"
    path.write_text("".join(f"q1 Q0 {doc} {rank} 1.0 tag\n" for rank, doc in enumerate(ids, 1)), "utf-8")
    few = as_tuple(read_columns(path))
    monkeypatch.setattr(trec_columns, "_MANY_IDS", 0)
    assert as_tuple(read_columns(path)) == few
    by_bytes = tuple(sorted(ids, key=lambda doc: doc.encode(), reverse=True))
    assert few == ("tag", [("q1", by_bytes, [1.0] * len(ids))])


@pytest.mark.parametrize("fault", ["\n", "q1 Q0 d7 1 nan tag\n", "q1 Q0 d1 1 0.5\n", "q1 Q0 d1 9 0.1 other\n"])
def test_a_fault_in_any_segment_is_left_to_the_careful_reader(
    fault: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    good = [f"q1 Q0 d{rank} {rank} {100 - rank} tag\n" for rank in range(1, 30)]
    monkeypatch.setattr(trec_columns, "_SEGMENT_BYTES", 64)
    monkeypatch.setattr("os.cpu_count", lambda: 4)
    path = tmp_path / "run.trec"
    path.write_text("".join(good), "utf-8")
    assert read_columns(path) is not None
    for place in range(len(good) + 1):
        path.write_text("".join([*good[:place], fault, *good[place:]]), "utf-8")
        assert read_columns(path) is None


def test_a_query_that_goes_on_in_the_next_segment_is_one_query(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trec_columns, "_SEGMENT_BYTES", 50)
    monkeypatch.setattr("os.cpu_count", lambda: 3)
    path = tmp_path / "run.trec"
    path.write_text("".join(f"q Q0 d{rank:02} {rank} {50 - rank} tag\n" for rank in range(1, 21)))
    run, findings = read_run(path)
    assert findings == []
    assert run.rankings["q"].doc_ids == tuple(f"d{rank:02}" for rank in range(1, 21))


def test_a_line_of_megabytes_at_a_border_is_left_to_the_careful_reader(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Cut in two it could pass for two lines of six columns."""
    monkeypatch.setattr(trec_columns, "_SEGMENT_BYTES", 64)
    monkeypatch.setattr(trec_columns, "_BLOCK_BYTES", 32)
    monkeypatch.setattr("os.cpu_count", lambda: 2)
    path = tmp_path / "run.trec"
    path.write_text(f"q Q0 d1 1 2.0 {'t' * 200}\n")
    assert read_columns(path) is None


def test_a_byte_order_mark_at_a_border_is_not_lost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Arrow would skip one where a segment begins; it is taken off every line, as where files were joined."""
    monkeypatch.setattr(trec_columns, "_SEGMENT_BYTES", 40)
    monkeypatch.setattr("os.cpu_count", lambda: 8)
    path = tmp_path / "run.trec"
    path.write_text(
        "".join(f"\ufeffq{number} Q0 d 1 1.0 tag\n" if number else "q0 Q0 d 1 1.0 tag\n" for number in range(20))
    )
    assert read_columns(path) is None
    run, _ = read_run(path)
    assert list(run.rankings) == [f"q{number}" for number in range(20)]


@pytest.mark.parametrize("zipped", [False, True])
@pytest.mark.parametrize(("bound", "most"), [("RUN_LINES", 30), ("RUN_BYTES", 30 * 21)])
def test_bounds_hold_for_all_segments_together(
    zipped: bool, bound: str, most: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trec_columns, "_SEGMENT_BYTES", 100)
    monkeypatch.setattr("os.cpu_count", lambda: 4)
    monkeypatch.setattr(trec_columns, bound, most)
    path = tmp_path / "run.trec"
    for lines in (30, 31):
        data = "".join(f"q Q0 d{rank:02} {rank:02} {99 - rank}.0 tag\n" for rank in range(1, lines + 1)).encode()
        assert len(data) == 21 * lines
        path.write_bytes(gzip.compress(data) if zipped else data)
        assert (read_columns(path) is not None) == (lines == 30)


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "run.trec")
    assert read_columns(tmp_path / "run.trec") is None
