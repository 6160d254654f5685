"""The table: macro averages or dashes, ranks and ties, and rows that were withdrawn."""

from __future__ import annotations

import datetime
import math
from pathlib import Path
from typing import Any

import pytest
from boards import board_of, manifest_of, means, no_collections, toy_board
from pydantic import ValidationError
from score_files import scores_of, track_of

from harness.compare.compare import compare_systems
from harness.compare.records import MACRO
from harness.errors import InvalidInput
from harness.leaderboard.building import build
from harness.leaderboard.exports.markdown import to_markdown
from harness.leaderboard.exports.table import table_of
from harness.leaderboard.table import Cell, Leaderboard, best_of, columns_of, leads, read_leaderboard
from harness.runs.withdrawal import Withdrawal
from harness.submissions.reproductions import Reproduction


@pytest.fixture(autouse=True)
def _bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness.leaderboard.building.bounds_of", no_collections)


def ranks(board: Leaderboard) -> list[tuple[str, int | None]]:
    return [(row.system, row.rank) for row in board.rows]


def macro(board: Leaderboard, system: str) -> float | None:
    (row,) = [row for row in board.rows if row.system == system]
    return row.cells["RR"][MACRO].value


# -- averages


def test_the_macro_average_is_the_mean_over_the_declared_parts_not_over_questions() -> None:
    base = {"fi": {"a": 1.0}, "ja": {"b": 0.0, "c": 0.0, "d": 1.0}, "en": {"e": 1.0}}
    board = board_of(track_of("fi", "ja", "en", macro=["fi", "ja"]), scores_of("base", base))
    cells = board.rows[0].cells["RR"]
    assert cells[MACRO].value == pytest.approx((1 + 1 / 3) / 2, abs=1e-12)
    assert [cells[part].value for part in ("fi", "ja", "en")] == pytest.approx([1, 1 / 3, 1])


def test_without_a_declaration_the_macro_average_takes_all_parts() -> None:
    board = board_of(track_of("fi", "ja"), scores_of("base", means(fi=0.2, ja=0.9)))
    assert macro(board, "base") == pytest.approx(0.55)


def test_a_missing_language_is_a_dash_and_so_is_the_macro_average() -> None:
    board = toy_board()
    (row,) = [row for row in board.rows if row.system == "partial"]
    assert {column: cell.value for column, cell in row.cells["RR"].items()} == {
        "fi": 1.0, "ja": None, "en": 1.0, MACRO: None,
    }  # fmt: skip
    assert row.cells["RR"][MACRO].p is None
    assert row.rank is None


def test_a_language_outside_the_macro_average_may_be_missing() -> None:
    track = track_of("fi", "en", macro=["fi"])
    board = board_of(track, scores_of("base", means(fi=0.5, en=0.5)), scores_of("other", means(fi=0.7)))
    assert macro(board, "other") == pytest.approx(0.7)
    assert ranks(board) == [("other", 1), ("base", 2)]


def test_a_language_that_scores_0_is_no_dash() -> None:
    board = board_of(track_of("fi", "ja"), scores_of("base", means(fi=0.0, ja=0.0)))
    assert macro(board, "base") == 0.0
    assert ranks(board) == [("base", 1)]
    assert "| 1 | base | 0.0 | 0.0 | 0.0 |" in to_markdown(board)


# -- ranks


def test_rows_are_ranked_by_the_macro_average_of_the_primary_measure_and_dashes_stand_below() -> None:
    assert ranks(toy_board()) == [("better", 1), ("base", 2), ("partial", None)]


def test_equal_averages_share_a_rank_and_the_next_rank_is_skipped() -> None:
    track = track_of("fi")
    files = [scores_of(n, means(fi=m)) for n, m in (("base", 0.5), ("c", 0.2), ("b", 0.5), ("a", 0.9), ("d", 0.2))]
    assert ranks(board_of(track, *files)) == [("a", 1), ("b", 2), ("base", 2), ("c", 4), ("d", 4)]
    assert ranks(board_of(track, *files[::-1])) == ranks(board_of(track, *files))


def test_averages_that_differ_only_by_rounding_share_a_rank() -> None:
    assert 0.1 + 0.2 + 0.3 != 0.3 + 0.2 + 0.1
    track = track_of("fi", "ja", "te")
    files = [scores_of("base", means(fi=0.3, ja=0.2, te=0.1)), scores_of("same", means(fi=0.1, ja=0.2, te=0.3))]
    board = board_of(track, *files)
    assert ranks(board) == [("base", 1), ("same", 1)]
    # And whoever shares the first rank leads the column, on pages as in exports.
    best = best_of(board.rows, "RR")
    assert [leads(row, "RR", MACRO, best) for row in board.rows] == [True, True]
    assert [entry.best for line in table_of(board).lines for entry in line.entries[:1]] == [True, True]


def test_the_smallest_real_difference_is_a_difference_in_rank() -> None:
    track = track_of("fi", "ja")
    more = {"fi": {f"q{i}": float(i < 1) for i in range(100_000)}, "ja": {"q": 1.0}}
    less = {"fi": dict.fromkeys(more["fi"], 0.0), "ja": {"q": 1.0}}
    cheap = track.model_copy(update={"families": track.families.model_copy(update={"resamples": 200})})
    board = board_of(cheap, scores_of("base", less, dict.fromkeys(less["fi"], "t")),
                     scores_of("more", more, dict.fromkeys(more["fi"], "t")))  # fmt: skip
    assert ranks(board) == [("more", 1), ("base", 2)]


# -- what a row and a column carry


def test_cells_carry_the_tests_of_the_comparison() -> None:
    track = track_of("fi", "ja")
    files = [scores_of("base", means(fi=0.1, ja=0.3)), scores_of("better", means(fi=1.0, ja=1.0))]
    comparison = compare_systems(track, files)
    board = build(track, files, comparison, {file.system: manifest_of(file) for file in files})
    (row,) = [row for row in board.rows if row.system == "better"]
    assert len(comparison.differences) == 3
    for test in comparison.differences:
        cell = row.cells[test.measure][test.column].model_dump()
        assert cell.pop("value") == pytest.approx({"fi": 1.0, "ja": 1.0, MACRO: 1.0}[test.column])
        dumped = test.model_dump()
        assert cell.pop("difference_interval") == dumped.pop("interval")
        (mean,) = [mean for mean in comparison.means if (mean.system, mean.column) == ("better", test.column)]
        assert cell.pop("interval") == (mean.interval.model_dump() if mean.interval else None)
        assert (cell.pop("may_have_seen"), cell.pop("one_sided")) == (False, False)
        assert cell == {key: value for key, value in dumped.items() if key in cell}
        assert math.isfinite(cell["p"])
    (baseline,) = [row for row in board.rows if row.is_baseline]
    assert baseline.system == "base"
    assert all(cell.p is None for cell in baseline.cells["RR"].values())


def test_warnings_and_tie_ranges_stand_on_the_row() -> None:
    ties = {
        "fi": {"queries": 3, "worst": 0.1, "best": 0.456},
        "ja": {"queries": 1, "worst": 0.25001, "best": 0.25004},  # says nothing: both are 25.0
    }
    file = scores_of("base", means(fi=0.2, ja=0.2), warnings={"fi": ["2 queries are missing"]}, ties=ties)
    (row,) = board_of(track_of("fi", "ja"), file).rows
    assert row.warnings == (
        "fi: 2 queries are missing",
        "RR with ties broken in the worst and in the best way: fi 10.0 to 45.6",
    )


def test_a_row_is_submitted_until_a_record_of_its_very_run_confirms_it() -> None:
    track, file = track_of("fi"), scores_of("base", means(fi=0.2))
    manifest = manifest_of(file)
    software = {"python": "3.11", "libraries": {"torch": "2.4"}}
    fields = {
        "system": "base",
        "track": {"name": "toy", "version": 1},
        "tolerance": {},
        "parts": {},
        "changes": [],
        "git": {},
        "isolation": "none",
    }
    platform = {
        "hardware": {"cpu": {"model": "Abacus", "architecture": "x86"}}, "operating system": {"kernel": "Linux"},
        "software": software,
    }  # fmt: skip

    def row(verdict: str, ranking: str) -> tuple[str, Any]:
        content = {**fields, "schema_version": 1, "date": "2026-01-02", "verdict": verdict, "device": "cpu",
                   "rankings": {"fi": ranking}, "platform": platform}  # fmt: skip
        record = Reproduction.model_validate(content)
        (found,) = build(
            track, [file], compare_systems(track, [file]), {"base": manifest}, reproductions={"base": [record]}
        ).rows
        return found.status, found.reproduced and found.reproduced.model_dump(mode="json")

    assert row("differs", "r") == ("submitted", None)
    assert row("identical", "another") == ("submitted", None)
    platform_in_words = "Abacus, Linux x86, Python 3.11, PyTorch 2.4"
    expected = {"date": "2026-01-02", "platform": platform_in_words, "verdict": "equivalent"}
    assert row("equivalent", "r") == ("reproduced", expected)


def test_columns_say_what_they_average_and_what_can_be_reached() -> None:
    board = toy_board()
    assert [(column.part, column.in_macro, column.queries) for column in board.columns] == [
        ("fi", True, {"RR": 10}), ("ja", True, {"RR": 10}), ("en", False, {"RR": 10}),
    ]  # fmt: skip
    assert all((column.ceiling, column.random) == ({"RR": 0.75}, {"RR": 0.25}) for column in board.columns)
    assert columns_of(board) == [MACRO, "fi", "ja", "en"]


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_is_not_a_number_gets_into_no_table(value: float) -> None:
    with pytest.raises(ValidationError, match="finite"):
        Cell(value=value)


# -- rows that were withdrawn


def test_a_withdrawn_row_keeps_its_values_and_loses_rank_and_tests() -> None:
    track = track_of("fi", "ja")
    files = [scores_of(n, means(fi=m, ja=m)) for n, m in (("base", 0.1), ("gone", 1.0), ("good", 0.9), ("weak", 0.0))]
    withdrawal = Withdrawal(date=datetime.date(2026, 11, 25), reason="trained on the questions")
    board = board_of(track, *files, withdrawn={"gone": withdrawal})
    assert ranks(board) == [("good", 1), ("base", 2), ("weak", 3), ("gone", None)]
    gone = board.rows[-1]
    assert gone.withdrawn == withdrawal
    assert {column: cell.value for column, cell in gone.cells["RR"].items()} == {"fi": 1.0, "ja": 1.0, MACRO: 1.0}
    assert all(cell.p is None and cell.significant is None for cell in gone.cells["RR"].values())
    assert gone.standings == {}
    assert {family.name: family.size for family in board.comparison.families} == {
        "macro": 2, "per language": 4, "all pairs": 3,
    }  # fmt: skip


def test_the_other_rows_are_as_if_the_withdrawn_one_had_never_been() -> None:
    files = [scores_of(n, means(fi=m)) for n, m in (("base", 0.1), ("gone", 0.5), ("good", 0.9))]
    withdrawal = Withdrawal(date=datetime.date(2026, 11, 25), reason="r")
    with_it = board_of(track_of("fi"), *files, withdrawn={"gone": withdrawal})
    without = board_of(track_of("fi"), files[0], files[2])
    assert with_it.rows[:-1] == without.rows
    assert with_it.comparison == without.comparison


# -- what is read


@pytest.mark.parametrize("content", ["", "{", "3", "[]", "{}", "null"])
def test_what_is_no_leaderboard_is_refused(content: str, tmp_path: Path) -> None:
    (tmp_path / "leaderboard.json").write_text(content)
    with pytest.raises(InvalidInput):
        read_leaderboard(tmp_path)


def test_the_micro_average_weighs_queries_and_is_a_dash_where_a_language_is() -> None:
    track = track_of("fi", "ja")
    uneven = {"fi": {"a": 1.0, "b": 1.0, "c": 1.0}, "ja": {"d": 0.0}}
    files = [scores_of("base", uneven), scores_of("half", {"fi": uneven["fi"]})]
    board = build(track, files, compare_systems(track, files), {file.system: manifest_of(file) for file in files})
    rows = {row.system: row for row in board.rows}
    assert rows["base"].micro[track.primary] == 0.75
    assert rows["base"].cells[track.primary][MACRO].value == 0.5
    assert rows["half"].micro[track.primary] is None
