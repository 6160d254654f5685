from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest
import pytrec_eval
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import InvalidInput, WrongUsage
from harness.files.findings import MAX_SHOWN
from harness.records import Ranking
from harness.runs import trec_columns
from harness.runs.trec import Expected, fixed_order, format_run, read_run, write_run
from harness.runs.trec_columns import read_columns

MEASURES = {"map", "ndcg", "recip_rank"}

# Equal as float32, different as float64; both zeros; huge, tiny and negative scores.
COLLIDING = (0.1, 0.1 + 1e-10, 16777216.0, 16777217.0, -16777217.0, 0.0, -0.0, 1e-46, 3.4e38, -3.4e38, 1e-45)
SCORES = st.sampled_from(COLLIDING) | st.integers(-2, 2).map(float) | st.floats(-3.4e38, 3.4e38)
IDS = st.text("ab-9éß東نक한𝔸～", min_size=1, max_size=4)
RANKINGS = st.dictionaries(IDS, SCORES, min_size=1, max_size=12)


@given(scores=RANKINGS, data=st.data())
def test_the_fixed_order_is_that_of_trec_eval(scores: dict[str, float], data: st.DataObject) -> None:
    grades = data.draw(st.dictionaries(st.sampled_from(sorted(scores)), st.integers(0, 2), min_size=1))
    evaluator = pytrec_eval.RelevanceEvaluator({"q": grades}, MEASURES)
    of_trec_eval = evaluator.evaluate({"q": scores})

    ranked = fixed_order(list(scores), np.array(list(scores.values()), dtype=np.float32))
    by_rank = {doc_id: -float(rank) for rank, doc_id in enumerate(ranked.doc_ids, 1)}
    assert evaluator.evaluate({"q": by_rank}) == of_trec_eval


@given(scores=RANKINGS)
def test_every_single_document_stands_where_trec_eval_puts_it(scores: dict[str, float]) -> None:
    ranked = fixed_order(list(scores), np.array(list(scores.values()), dtype=np.float32))
    for rank, doc_id in enumerate(ranked.doc_ids, 1):
        evaluator = pytrec_eval.RelevanceEvaluator({"q": {doc_id: 1}}, {"recip_rank"})
        assert evaluator.evaluate({"q": scores})["q"]["recip_rank"] == 1 / rank


@given(scores=RANKINGS, seed=st.randoms())
def test_the_fixed_order_does_not_depend_on_the_given_order(scores: dict[str, float], seed: object) -> None:
    shuffled = list(scores)
    seed.shuffle(shuffled)  # type: ignore[attr-defined]
    one = fixed_order(list(scores), np.array([scores[d] for d in scores], dtype=np.float32))
    two = fixed_order(shuffled, np.array([scores[d] for d in shuffled], dtype=np.float32))
    assert one.doc_ids == two.doc_ids


@given(runs=st.dictionaries(IDS, RANKINGS, min_size=1, max_size=4), width=st.sampled_from(["f4", "f8"]))
def test_a_written_run_is_read_back(tmp_path_factory: pytest.TempPathFactory, runs: dict, width: str) -> None:
    path = tmp_path_factory.getbasetemp() / "round-trip.trec.gz"
    rankings = [Ranking(q, tuple(s), np.array(list(s.values()), dtype=width)) for q, s in runs.items()]
    write_run(path, rankings, "tag")
    run, _ = read_run(path)
    assert run.tag == "tag"
    assert list(run.rankings) == list(runs)
    for ranking in rankings:
        expected = fixed_order(list(ranking.doc_ids), np.asarray(ranking.scores, dtype=np.float32))
        assert run.rankings[ranking.query_id].doc_ids == expected.doc_ids
        np.testing.assert_array_equal(run.rankings[ranking.query_id].scores, expected.scores)


def test_writing_twice_gives_equal_bytes_whatever_the_file_is_called(tmp_path: Path) -> None:
    rankings = [Ranking("q", ("a", "b"), np.array([1, 2], dtype=np.float32))]
    text = write_run(tmp_path / "one.trec.gz", rankings, "tag")
    write_run(tmp_path / "two.trec.gz", reversed(rankings), "tag")
    assert (tmp_path / "one.trec.gz").read_bytes() == (tmp_path / "two.trec.gz").read_bytes()
    assert gzip.decompress((tmp_path / "one.trec.gz").read_bytes()) == text == b"q Q0 b 1 2.0 tag\nq Q0 a 2 1.0 tag\n"


def test_the_file_keeps_scores_that_collide_as_float32() -> None:
    wide = Ranking("q", ("a", "b"), np.array([0.1 + 1e-10, 0.1]))
    assert list(format_run([wide], "t")) == ["q Q0 b 1 0.1 t\n", "q Q0 a 2 0.1000000001 t\n"]
    narrow = Ranking("q", ("a",), np.array([0.1], dtype=np.float32))
    assert list(format_run([narrow], "t")) == ["q Q0 a 1 0.1 t\n"]


@given(score=st.floats(-3e38, 3e38), width=st.sampled_from([np.float32, np.float64]))
def test_a_written_score_reads_back_as_the_same_number(score: float, width: type[np.floating]) -> None:
    given_score = width(score)
    (line,) = format_run([Ranking("q", ("a",), np.array([given_score]))], "t")
    assert width(line.split()[4]) == given_score


# What is wrong with a run

EXPECTED = Expected(["q1", "q2"], frozenset({"d1", "d2", "d3"}), depth=2)
GOOD = "q1 Q0 d1 1 2.5 t\nq1 Q0 d2 2 1.5 t\nq2 Q0 d3 1 9 t\nq2 Q0 d1 2 8 t\n"


def read(tmp_path: Path, content: str | bytes, name: str = "ar.trec") -> tuple[list[str], list[str]]:
    """Errors and warnings of a run against EXPECTED."""
    path = tmp_path / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    try:
        _, findings = read_run(path, EXPECTED)
    except InvalidInput as error:
        findings = list(error.findings)
    by_severity = {severity: [str(f) for f in findings if f.severity == severity] for severity in ("error", "warning")}
    return by_severity["error"], by_severity["warning"]


def test_a_good_run_has_no_findings(tmp_path: Path) -> None:
    assert read(tmp_path, GOOD) == ([], [])
    assert read(tmp_path, GOOD.replace(" ", "\t")) == ([], [])
    assert read(tmp_path, GOOD.removesuffix("\n")) == ([], [])


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("q1 Q0 d3 3 1", "ar.trec:5: 5 columns; expected 6 columns: query Q0 document rank score tag"),
        ("q1 Q0 d 3 3 1 t", "ar.trec:5: 7 columns; expected 6 columns: query Q0 document rank score tag; ids and tags"),
        ("", "ar.trec:5: 0 columns; expected 6 columns"),
        ("q1 Q0 d3 3 NaN t", "ar.trec:5: score NaN; expected a finite 32-bit number"),
        ("q1 Q0 d3 3 -inf t", "ar.trec:5: score -inf; expected a finite 32-bit number"),
        ("q1 Q0 d3 3 1e39 t", "ar.trec:5: score 1e39; expected a finite 32-bit number"),
        ("q1 Q0 d3 3 high t", "ar.trec:5: score 'high'; expected a number"),
        ("q1 Q0 d3 3 0,5 t", "ar.trec:5: score '0,5'; expected a number"),
        ("q1 Q0 d3 3 1_0 t", "ar.trec:5: score '1_0'; expected a number"),
        ("q1 Q0 d3 3 ١ t", "ar.trec:5: score '١'; expected a number"),
        ("q1 Q0 d3 ٣ 1 t", "ar.trec:5: rank '٣'; expected a whole number"),
        ("q1 Q0 d3 -3 1 t", "ar.trec:5: rank '-3'; expected a whole number"),
        ("q1 Q0 d3 1.0 1 t", "ar.trec:5: rank '1.0'; expected a whole number"),
        ("q1 Q0 d1 3 1 t", "ar.trec:5: query q1: document d1 is a duplicate; expected each once"),
        ("q9 Q0 d1 1 1 t", "ar.trec:5: unknown query q9; expected the ids of the part's queries"),
        ("q1 Q0 d9 3 1 t", "ar.trec:5: query q1: unknown document d9; expected ids of the collection's"),
        ("q1 Q0 d3 3 1 u", "ar.trec:5: run tag 'u' after 't'; expected one tag in a run"),
    ],
)
def test_a_faulty_line_is_named(tmp_path: Path, line: str, message: str) -> None:
    errors, _ = read(tmp_path, GOOD + line + "\n")
    assert len(errors) == 1
    assert errors[0].startswith(message)


def test_carriage_returns_are_named_once_and_where_they_begin(tmp_path: Path) -> None:
    first, rest = GOOD.split("\n", 1)
    errors, warnings = read(tmp_path, first + "\n" + rest.replace("\n", "\r\n"))
    assert len(errors) == 1
    assert errors[0].startswith("ar.trec:2: a carriage return (Windows line end)")
    assert warnings == []


def test_bytes_that_are_not_utf8_are_named_by_their_line(tmp_path: Path) -> None:
    latin = GOOD.encode() + "q1 Q0 é 3 1 t\n".encode("latin-1")
    errors, _ = read(tmp_path, latin)
    assert errors == [f"ar.trec:5: not UTF-8 at byte {len(GOOD) + 6}; expected UTF-8; convert it to UTF-8"]


@pytest.mark.parametrize("name", ["ar.trec", "ar.trec.gz"])
def test_an_empty_run_is_a_warning_since_a_lexical_system_may_find_nothing(tmp_path: Path, name: str) -> None:
    empty = b"" if name == "ar.trec" else gzip.compress(b"")
    errors, warnings = read(tmp_path, empty, name)
    assert errors == []
    assert warnings[0].startswith(f"{name}: no lines; expected a run; all queries score 0")


def test_a_file_of_no_bytes_under_a_gzip_name_is_not_gzip(tmp_path: Path) -> None:
    errors, _ = read(tmp_path, b"", "ar.trec.gz")
    assert len(errors) == 1
    assert errors[0].startswith("ar.trec.gz: not gzip")


def test_gzip_is_recognised_by_its_content(tmp_path: Path) -> None:
    assert read(tmp_path, gzip.compress(GOOD.encode()), "ar.trec") == ([], [])
    errors, _ = read(tmp_path, GOOD, "ar.trec.gz")
    assert errors == ["ar.trec.gz: not gzip; expected gzip, as the name says; run `gzip -n ar.trec`"]


@pytest.mark.parametrize("kept", [12, 30, -1, -9])
def test_a_truncated_gzip_file_is_an_error(tmp_path: Path, kept: int) -> None:
    errors, _ = read(tmp_path, gzip.compress(GOOD.encode())[:kept], "ar.trec.gz")
    assert len(errors) == 1
    assert errors[0].startswith("ar.trec.gz: damaged gzip:")


def test_a_flipped_bit_in_gzip_is_an_error(tmp_path: Path) -> None:
    data = bytearray(gzip.compress(GOOD.encode()))
    data[-6] ^= 1
    errors, _ = read(tmp_path, bytes(data), "ar.trec.gz")
    assert len(errors) == 1
    assert errors[0].startswith("ar.trec.gz: damaged gzip:")


def test_a_missing_run_and_a_folder_are_wrong_usage(tmp_path: Path) -> None:
    with pytest.raises(WrongUsage, match="no file"):
        read_run(tmp_path / "none.trec")
    with pytest.raises(WrongUsage, match="is a folder"):
        read_run(tmp_path)


def test_all_problems_are_in_one_report(tmp_path: Path) -> None:
    faults = "q1 Q0 d3\nq1 Q0 d3 3 nan t\nq1 Q0 d3 x 1 t\nq1 Q0 d1 3 1 t\nq9 Q0 d9 1 1 u\n"
    path = tmp_path / "ar.trec"
    path.write_text(GOOD + faults)
    with pytest.raises(InvalidInput) as caught:
        read_run(path, EXPECTED)
    told = str(caught.value)
    assert f"{path} is not a valid run: 7 errors" in told
    for fault in (
        ":5: 3 columns",
        ":6: score nan",
        ":7: rank 'x'",
        ":8: query q1: document d1 is a duplicate",
        ":9: run tag 'u'",
    ):
        assert fault in told
    assert ":9: unknown query q9" in told
    assert ":9: query q9: unknown document d9" in told


@pytest.mark.parametrize(("faults", "told"), [(MAX_SHOWN, MAX_SHOWN), (MAX_SHOWN + 1, MAX_SHOWN + 1), (500, 21)])
def test_more_than_twenty_of_a_kind_are_counted(tmp_path: Path, faults: int, told: int) -> None:
    errors, _ = read(tmp_path, GOOD + "q1 Q0 d1\n" * faults + "q9 Q0 d1 1 1 t\n")
    columns = [error for error in errors if "columns" in error]
    assert len(columns) == told
    if faults > MAX_SHOWN:
        assert columns[-1] == f"ar.trec: {faults - MAX_SHOWN} more of this kind: columns"
    assert any("unknown query q9" in error for error in errors), "other kinds are not drowned"


def test_duplicates_of_one_query_are_one_finding_with_a_count(tmp_path: Path) -> None:
    errors, _ = read(tmp_path, GOOD + "q1 Q0 d2 3 1 t\nq1 Q0 d1 4 0 t\nq1 Q0 d2 5 0 t\n")
    assert len(errors) == 1
    assert errors[0].startswith("ar.trec:5: query q1: document d2 is a duplicate, and 1 others")


def test_ties_are_warned_of_also_when_only_equal_as_float32(tmp_path: Path) -> None:
    for other in ("2.5", "2.50000001"):
        errors, warnings = read(tmp_path, GOOD.replace("1.5", other))
        assert errors == []
        assert len(warnings) == 1
        assert "1 of 2 rankings have tied scores (first: query q1)" in warnings[0]


def test_short_and_missing_rankings_are_warned_of(tmp_path: Path) -> None:
    errors, warnings = read(tmp_path, "q1 Q0 d1 1 2.5 t\n")
    assert errors == []
    assert len(warnings) == 2
    assert "1 of 2 queries are missing (first: q2)" in warnings[0]
    assert "1 rankings are short (first: query q1, 1 documents); expected 2 documents" in warnings[1]


def test_a_ranking_as_long_as_the_collection_is_not_short(tmp_path: Path) -> None:
    path = tmp_path / "ar.trec"
    path.write_text(GOOD)
    _, findings = read_run(path, Expected(["q1", "q2"], frozenset({"d1", "d2", "d3"}), depth=1000))
    assert "expected 3 documents" in str(findings[0]), "the depth cannot be reached, the collection's size can"
    path.write_text("q1 Q0 d1 1 3 t\nq1 Q0 d2 2 2 t\n")
    assert read_run(path, Expected(["q1"], frozenset({"d1", "d2"}), depth=1000))[1] == []


def test_rankings_deeper_than_the_track_are_warned_of(tmp_path: Path) -> None:
    errors, warnings = read(tmp_path, GOOD + "q1 Q0 d3 3 1 t\n")
    assert errors == []
    assert len(warnings) == 1
    assert "1 rankings are deep (first: query q1, 3 documents); expected 2, the track's depth" in warnings[0]


def test_a_rank_column_that_contradicts_the_scores_is_warned_of_and_the_scores_decide(tmp_path: Path) -> None:
    path = tmp_path / "ar.trec"
    path.write_text("q1 Q0 d1 1 1.5 t\nq1 Q0 d2 2 2.5 t\n")
    run, findings = read_run(path)
    assert run.rankings["q1"].doc_ids == ("d2", "d1")
    assert [f.severity for f in findings] == ["warning"]
    assert str(findings[0]).startswith("ar.trec:1: query q1: rank column contradicts the scores at d1")


@pytest.mark.parametrize("ranks", [("0", "1"), ("1", "2"), ("10", "20")])
def test_ranks_may_begin_anywhere(tmp_path: Path, ranks: tuple[str, str]) -> None:
    text = f"q1 Q0 d1 {ranks[0]} 2.5 t\nq1 Q0 d2 {ranks[1]} 1.5 t\n"
    path = tmp_path / "ar.trec"
    path.write_text(text)
    assert read_run(path)[1] == []


@given(
    st.dictionaries(IDS, RANKINGS, min_size=1, max_size=4),
    st.sampled_from(["f4", "f8"]),
    st.randoms(),
    st.sampled_from([(100, 1), (300, 5), (2 << 20, 1_000_000)]),
)
def test_the_quick_and_the_careful_reader_agree(
    tmp_path_factory: pytest.TempPathFactory, runs: dict, width: str, random: object, sizes: tuple[int, int]
) -> None:
    """A tab in the first line sends a file to the careful reader; lines stand in any order, blocks may be a line or two."""
    rankings = [Ranking(query, tuple(own), np.array(list(own.values()), dtype=width)) for query, own in runs.items()]
    lines = "".join(format_run(rankings, "tag")).splitlines(keepends=True)
    random.shuffle(lines)  # type: ignore[attr-defined]
    folder = tmp_path_factory.mktemp("readers")
    (folder / "plain").write_bytes("".join(lines).encode())
    (folder / "tab").write_bytes("".join(lines).replace(" ", "\t", 1).encode())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(trec_columns, "_BLOCK_BYTES", sizes[0])
        patch.setattr(trec_columns, "_CHECKED_LINES", sizes[1])
        assert read_columns(folder / "plain") is not None
        (quick, _), (careful, _) = read_run(folder / "plain"), read_run(folder / "tab")
    assert read_columns(folder / "tab") is None
    assert list(quick.rankings) == list(careful.rankings)
    for query_id, ranked in careful.rankings.items():
        assert quick.rankings[query_id].doc_ids == ranked.doc_ids
        assert quick.rankings[query_id].scores.tobytes() == ranked.scores.tobytes()


@pytest.mark.parametrize(
    "line",
    [
        "q  d3 3 1 t",
        "q Q0 d\u30003 3 1 t",
        "q Q0 d\x1f3 3 1 t",
        "q Q0 d1 3 1 t",
        "q Q0 d3 3 1 u",
        "q Q0 d3 -3 1 t",
        "q Q0 d3 3 nan t",
        "q Q0 d3 3 1e39 t",
        f"q Q0 d3 {1 << 40} 1 t",
        "q Q0 d3 2 1 t",
    ],
)
def test_what_is_unusual_is_left_to_the_careful_reader(tmp_path: Path, line: str) -> None:
    (tmp_path / "usual").write_text("q Q0 d1 1 3 t\nq Q0 d2 2 2 t\n")
    (tmp_path / "unusual").write_text(f"q Q0 d1 1 3 t\nq Q0 d2 2 2 t\n{line}\n")
    assert read_columns(tmp_path / "usual") is not None
    assert read_columns(tmp_path / "unusual") is None
