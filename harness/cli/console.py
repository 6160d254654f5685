"""What the commands share: options, errors and progress on the terminal."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harness.errors import XdrError

if TYPE_CHECKING:
    from harness.errors import Finding
    from harness.system import Advance, Progress

Runs = Annotated[Path, typer.Option("--runs", help="Folder of runs.", metavar="DIR")]
Reports = Annotated[Path, typer.Option("--reports", help="Folder for the rendered site.", metavar="DIR")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]

DEFAULT_RUNS = Path("runs")
DEFAULT_REPORTS = Path("reports")


def print_error(error: XdrError) -> None:
    print(f"xdr: {error}", file=sys.stderr)


def print_findings(findings: list[Finding], label: str = "") -> None:
    for finding in findings:
        print(f"{finding.severity}: {label}{finding}", file=sys.stderr)


def note(message: str) -> None:
    """Say what is going on, on standard error, where it does not get into anybody's pipe."""
    print(message, file=sys.stderr, flush=True)


class TerminalProgress:
    """Progress bars with rate and time left, by Rich."""

    @contextlib.contextmanager
    def task(self, description: str, total: int) -> Iterator[Advance]:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        with Progress(*columns, console=Console(stderr=True), transient=True) as bars:
            task = bars.add_task(description, total=total)
            yield lambda steps=1: bars.advance(task, steps)


def progress() -> Progress:
    """Bars on a terminal, nothing elsewhere."""
    from harness.system import SilentProgress

    return TerminalProgress() if sys.stderr.isatty() else SilentProgress()
