"""Tables on the terminal, by Rich: no wider than the window, and in a pipe a line for each row."""

from __future__ import annotations

import io
import shutil
import sys
from collections.abc import Iterator, Sequence

from harness.cli.console import say
from harness.visible import visible

_GAP = 2
_NARROWEST_NAME = 12


def say_table(header: Sequence[str], rows: Sequence[Sequence[str]], names: int = 1) -> None:
    """Print a table on standard output. The first ``names`` columns are text, set flush left; the others are figures.

    On a terminal too narrow for all figures the table goes on below itself, with the names again, and long names are folded.
    """
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
    say(*table_lines(header, rows, names, width))


def table_lines(
    header: Sequence[str], rows: Sequence[Sequence[str]], names: int = 1, width: int | None = None
) -> list[str]:
    """The lines of the table, none longer than ``width`` cells where the figures allow it."""
    from rich.cells import cell_len

    shown = [[visible(" ".join(text.split())) for text in row] for row in (header, *rows)]
    widths = [max(cell_len(row[column]) for row in shown) for column in range(len(header))]
    lines: list[str] = []
    for columns in _blocks(widths, names, width):
        lines += ([""] if lines else []) + _set(shown, [*range(names), *columns], names, width)
    return lines


def _blocks(widths: Sequence[int], names: int, width: int | None) -> Iterator[list[int]]:
    """Columns of figures that stand beside each other."""
    figures = list(range(names, len(widths)))
    if width is None or not figures:
        yield figures
        return
    taken = sum(min(size, _NARROWEST_NAME) + _GAP for size in widths[:names])
    block: list[int] = []
    used = taken
    for column in figures:
        if block and used + widths[column] > width:
            yield block
            block, used = [], taken
        block.append(column)
        used += widths[column] + _GAP
    yield block


def _set(rows: Sequence[Sequence[str]], columns: Sequence[int], names: int, width: int | None) -> list[str]:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, show_header=False, show_edge=False, pad_edge=False, padding=(0, _GAP, 0, 0))
    for column in columns:
        is_name = column < names
        table.add_column(justify="left" if is_name else "right", no_wrap=not is_name, overflow="fold")
    for row in rows:
        table.add_row(*(Text(row[column]) for column in columns))
    page = Console(file=io.StringIO(), width=width or 10_000, color_system=None, legacy_windows=False)
    with page.capture() as text:
        page.print(table)
    return [line.rstrip() for line in text.get().splitlines()]
