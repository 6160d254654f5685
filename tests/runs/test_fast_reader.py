"""What the fast reader takes: the same in segments side by side as in one piece, and the same as the careful reader takes."""

from __future__ import annotations

import gzip
import io
import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.errors import InvalidInput
from harness.files.limits import RUN_LINE_BYTES
from harness.runs import trec, trec_columns
from harness.runs.trec import Expected, read_run
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


# The careful reader decides

RANKS = [
    "0", "1", "2", "03", "7", "0x1F", "-0", "+1", "-1", "1.0", "1e3", "000000001", "0000000001", "999999999", "1000000000",
    "2147483647", "2147483648", "٣", "one",
]  # fmt: skip
SCORES = [
    "1", "1.0", "2.5", "-0", "+1", ".5", "5.", "1e5", "1E-400", "1e39", "3.4028235e38", "3.4028234e38", "-1e400", "nan",
    "Infinity", "-inf", "1_0", "0x10", "0x1p3", "1f", "true", "null", "", "--1", "٣", "1,5", f"0.{'1' * 400}", "1" * 400,
]  # fmt: skip
NAMES = [
    "q1", "q2", "d1", "d2", "d3", "", "NULL", '"', '"d"', "\\d", "#", "a,b", "é", "ಪ್ರ", "\U0001f600", "\ufeff", "\ufeffq1",
    "d\0", "q\0", "\0", "\x7f", "d\x85", "\u2028", "\xa0", "\x1c", "d\t", "d\v", "\r", "x" * 4070, "x" * 4090, "x" * 5000,
]  # fmt: skip
BLANKS = st.sampled_from([" "] * 30 + ["  ", "\t", "\xa0", "\n", ""])
ENDS = st.sampled_from(["\n"] * 30 + ["\r\n", "\n\n", " \n", "\v\n", "", "\u2028"])
GOOD = st.tuples(st.sampled_from(["q1", "q2"]), st.just("Q0"), st.sampled_from(["d1", "d2", "d3", "é", "\U0001f600"]))
USUAL = st.tuples(GOOD, st.sampled_from(["1", "2", "3"]), st.sampled_from(["3", "2.5", "1", "-1e-3"])).map(
    lambda parts: " ".join([*parts[0], parts[1], parts[2], "tag"]) + "\n"
)
FIELDS = ("q1", "Q0", "d1", "2", "2", "tag")
ODD_FIELDS = [
    " ".join([*FIELDS[:place], odd, *FIELDS[place + 1 :]]) + "\n"
    for place in range(6)
    for odd in {3: RANKS, 4: SCORES}.get(place, NAMES)
]
"""Lines with one field that is not as usual."""
_NAME, _RANK, _SCORE = map(st.sampled_from, (NAMES, RANKS, SCORES))
ODD = st.tuples(_NAME, BLANKS, _NAME, BLANKS, _NAME, BLANKS, _RANK, BLANKS, _SCORE, BLANKS, _NAME, ENDS).map("".join)
TEXTS = st.lists(st.one_of(USUAL, USUAL, st.sampled_from(ODD_FIELDS), ODD), max_size=6).map("".join)


def verdict(path: Path, expected: Expected | None) -> object:
    """The run and all that is said of it, whether it is taken or not."""
    try:
        run, findings = read_run(path, expected)
    except InvalidInput as error:
        return "refused", error.message, error.findings
    rankings = [(query, ranked.doc_ids, ranked.scores.tobytes()) for query, ranked in run.rankings.items()]
    return "taken", run.tag, rankings, findings


def check_that_the_careful_reader_agrees(path: Path, expected: Expected | None) -> None:
    either = verdict(path, expected)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(trec, "read_columns", lambda _: None)
        assert either == verdict(path, expected)


EXPECTED = Expected(["q1", "q2"], frozenset({"d1", "d2", "d3", "é", "\U0001f600"}), 2)


@given(text=TEXTS, damage=st.sampled_from([b""] * 9 + [b"\xff", b"\xff\xfe", b"\xef\xbb\xbf"]), expects=st.booleans())
@settings(deadline=None, max_examples=200)
def test_both_readers_give_the_same_run_and_the_same_findings(
    text: str, damage: bytes, expects: bool, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.getbasetemp() / "both.trec"
    path.write_bytes(damage + text.encode())
    check_that_the_careful_reader_agrees(path, EXPECTED if expects else None)


@pytest.mark.parametrize("place", [0, 1])
def test_both_readers_judge_every_odd_field_alike(place: int, tmp_path: Path) -> None:
    path = tmp_path / "run.trec"
    for odd in ODD_FIELDS:
        path.write_text("q2 Q0 d2 1 3 tag\n" * place + odd, "utf-8", newline="")
        check_that_the_careful_reader_agrees(path, None)


@pytest.mark.parametrize("rank", ["0x1F", "-0", "0000000001", "1000000000", "2147483647"])
def test_a_rank_that_only_arrow_takes_for_a_number_is_refused(rank: str, tmp_path: Path) -> None:
    path = tmp_path / "run.trec"
    path.write_text(f"q Q0 d1 1 2.0 t\nq Q0 d2 {rank} 1.0 t\n")
    with pytest.raises(InvalidInput) as caught:
        read_run(path)
    assert [str(finding) for finding in caught.value.findings] == [
        f"run.trec:2: rank {rank!r}; expected a whole number from 0 or 1 up"
    ]


def is_usual(data: bytes, pieces: int) -> bool:
    stream = trec_columns._Watched(io.BytesIO(data))
    try:
        return all(iter(lambda: stream.read(pieces), b""))
    except trec_columns._Unusual:
        return False


@pytest.mark.parametrize("pieces", [1, 7, 4096, 10**6])
@pytest.mark.parametrize("before", [0, 3, 500])
def test_a_line_has_its_bound_wherever_it_stands_and_however_it_is_read(
    before: int, pieces: int, tmp_path: Path
) -> None:
    """The bytes come in pieces; the last line has no end."""
    lines = b"".join(b"q Q0 d%d 1 1.0 t\n" % number for number in range(before))
    for surplus, end in ((0, b"\n"), (0, b""), (1, b"\n"), (1, b""), (5000, b"\n")):
        line = b"q Q0 ".ljust(RUN_LINE_BYTES + surplus - len(b" 1 1.0 t"), b"d") + b" 1 1.0 t"
        assert is_usual(lines + line + end + (lines if end else b""), pieces) == (not surplus)
        path = tmp_path / "run.trec"
        path.write_bytes(lines + line + end)
        assert (read_columns(path) is None) == bool(surplus)
