"""Tables on the terminal: all of every cell, within the window where there is one, and nothing that steers a terminal."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from harness.cli.tables import table_lines

HEADER = ["", "system", "macro", "ar", "bn", "fi", "ja", "ko", "ru", "te"]
ROWS = [
    [str(rank), name, *(f"{rank}{column}.5▲" for column in range(8))]
    for rank, name in enumerate(["mini zero-shot + xQG", "نظام الاسترجاع", "検索システム、長い名前の", "x"], 1)
]


def test_in_a_pipe_every_row_is_one_line_with_its_figures_below_each_other() -> None:
    lines = table_lines(HEADER, ROWS, names=2)
    assert len(lines) == 1 + len(ROWS)
    assert [line.split()[-8:] for line in lines[1:]] == [row[2:] for row in ROWS]
    assert len({cell_len(line) for line in lines[1:]}) == 1
    assert lines[0].split() == HEADER[1:]


@pytest.mark.parametrize("width", [40, 60, 72, 200])
def test_no_line_is_wider_than_the_window_and_no_figure_is_lost(width: int) -> None:
    lines = table_lines(HEADER, ROWS, names=2, width=width)
    assert max(map(cell_len, lines)) <= width
    text = " ".join(lines).split()
    assert sorted(word for word in text if word.endswith("▲")) == sorted(cell for row in ROWS for cell in row[2:])
    blocks = "\n".join(lines).split("\n\n")
    assert all(block.split()[0] == "system" for block in blocks)
    assert [name for block in blocks for name in block.splitlines()[0].split()[1:]] == HEADER[2:]


def test_what_would_steer_a_terminal_is_shown_as_it_is_written() -> None:
    [_, line] = table_lines(["name", "value"], [["a\x1b[2Jb\nc", "[red]1[/red]"]])
    assert "\x1b" not in line
    assert "[red]1[/red]" in line


@given(st.lists(st.lists(st.text(max_size=12), min_size=3, max_size=3), max_size=4), st.integers(30, 90))
def test_any_text_is_set(rows: list[list[str]], width: int) -> None:
    table_lines(["a", "b", "c"], rows, names=1, width=width)
    assert len(table_lines(["a", "b", "c"], rows)) == len(rows) + 1
