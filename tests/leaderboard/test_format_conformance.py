"""The contract of formats, for those of this package; and that it finds who breaks it."""

from __future__ import annotations

import inspect
from collections.abc import Callable

import pytest

from harness.leaderboard.exports import FORMATS
from harness.leaderboard.exports.conformance import HOSTILE, conformance_tests, toy_board
from harness.leaderboard.table import Leaderboard

TestJson = conformance_tests(FORMATS["json"].text_of)
TestCsv = conformance_tests(FORMATS["csv"].text_of)
TestMarkdown = conformance_tests(FORMATS["markdown"].text_of)
TestLatex = conformance_tests(FORMATS["latex"].text_of)
TestBibtex = conformance_tests(FORMATS["bibtex"].text_of)


def test_every_format_is_held_against_the_contract() -> None:
    assert {f"Test{name.title()}" for name in FORMATS} == {name for name in globals() if name.startswith("Test")}


def titles(board: Leaderboard) -> str:
    return "".join(f"{row.title}\n" for row in board.rows)


_made: list[int] = []


def counting(board: Leaderboard) -> str:
    _made.append(1)
    return f"{len(_made)}\n"


@pytest.mark.parametrize(
    ("text_of", "noticed_by"),
    [
        (titles, "what_is_missing_is_no_number" if "nan" not in HOSTILE else ""),
        (counting, "it_is_made_of_the_record_alone_and_the_same_each_time"),
        (lambda board: titles(board).strip(), "it_is_made_of_the_record_alone_and_the_same_each_time"),
        (lambda board: titles(board).replace("|", "\n"), "no_title_can_add_a_line"),
        (lambda board: titles(board) + "\x1b[0m\n", "it_is_plain_text"),
        (lambda board: titles(board) + f"{float('nan')}\n", "what_is_missing_is_no_number"),
    ],
)
def test_who_breaks_the_contract_is_noticed(text_of: Callable[[Leaderboard], str], noticed_by: str) -> None:
    tests = conformance_tests(text_of)()
    failed = set()
    for name, test in inspect.getmembers(tests):
        if name.startswith("test_"):
            try:
                test()
            except AssertionError:
                failed.add(name.removeprefix("test_"))
    assert failed == ({noticed_by} if noticed_by else set())


def test_the_toy_table_has_all_that_a_table_can_have() -> None:
    board = toy_board()
    assert {row.rank for row in board.rows} == {None, 1, 2}
    assert sum(row.withdrawn is not None for row in board.rows) == 1
    assert any(cell.value is None for row in board.rows for cell in row.cells["RR"].values())
    assert any(cell.significant for row in board.rows for cell in row.cells["RR"].values())
