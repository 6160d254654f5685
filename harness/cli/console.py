"""What the commands share: options, errors and progress on the terminal."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harness.errors import XdrError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from harness.errors import Finding
    from harness.progress import Progress
    from harness.score import ScoreFile

Runs = Annotated[Path, typer.Option("--runs", help="Folder of runs.", metavar="DIR")]
Reports = Annotated[Path, typer.Option("--reports", help="Folder for the rendered site.", metavar="DIR")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]

DEFAULT_REPORTS = Path("reports")


def print_error(error: XdrError) -> None:
    print(f"xdr: {error}", file=sys.stderr)


def print_findings(findings: list[Finding], label: str = "") -> None:
    for finding in findings:
        print(f"{finding.severity}: {label}{finding}", file=sys.stderr)


def note(message: str) -> None:
    """Say what is going on, on standard error, where it does not get into anybody's pipe."""
    print(message, file=sys.stderr, flush=True)


def note_remarks(name: str, remarks: Iterable[str]) -> None:
    """What is to be known of how a run was made, a line each."""
    for remark in remarks:
        note(f"warning: {name}: {remark}")


def note_corrections(track: str, runs: Path, scores: Iterable[ScoreFile]) -> None:
    """Say which score files held other numbers than the runs beside them, and were made again."""
    for found in scores:
        if found.corrected:
            file = runs / track / found.system / "scores.parquet"
            note(f"warning: {file} did not hold the scores of the run beside it, and was made again: {found.corrected}")


def progress() -> Progress:
    """Bars on a terminal; elsewhere a line a minute, so that a log of hours says how far they are."""
    from harness.cli.terminal import TerminalProgress
    from harness.progress import LogProgress

    return TerminalProgress() if sys.stderr.isatty() else LogProgress(note)
