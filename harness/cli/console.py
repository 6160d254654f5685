"""What the commands share: options, and the one place where they print.

``print`` stands in no command: what it prints may come from strangers (ids, titles, fields of cards, answers of servers).
``say`` and ``note`` print lines as they read, one for each argument, whatever is in them.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from harness.errors import XdrError
from harness.visible import visible

if TYPE_CHECKING:
    from collections.abc import Iterable

    from harness.errors import Finding
    from harness.progress import Progress
    from harness.runs.score_file import ScoreFile

Runs = Annotated[Path, typer.Option("--runs", help="Folder of runs.", metavar="DIR")]
Reports = Annotated[Path, typer.Option("--reports", help="Folder for the rendered site.", metavar="DIR")]
AllowCode = Annotated[bool, typer.Option("--allow-code", help="Run the Python code that the track brings.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]

DEFAULT_REPORTS = Path("reports")


def say(*lines: object) -> None:
    """Print a command's result on standard output, each argument as one line."""
    for line in lines:
        print(visible(str(line)))


def note(*lines: object) -> None:
    """Say what is going on, on standard error, where it does not get into anybody's pipe; each argument is one line."""
    for line in lines:
        print(visible(str(line)), file=sys.stderr, flush=True)


def print_error(error: XdrError) -> None:
    """The message; its second line and all others are set in, so that no text in it can pose as a line of ours."""
    first, *others = str(error).split("\n")
    note(f"xdr: {first}", *(line if line.startswith("  ") else f"  {line}" for line in others))


def print_findings(findings: list[Finding], label: str = "") -> None:
    note(*(f"{finding.severity}: {label}{finding}" for finding in findings))


def print_json(value: Any) -> None:
    """JSON for machines: valid and the same value in any encoding, and nothing in it steers a terminal."""
    text = json.dumps(value, indent=1, ensure_ascii=not _writes_unicode())
    print(
        re.sub(
            r"[^\n\x20-\x7e]", lambda match: match[0] if match[0].isprintable() else json.dumps(match[0])[1:-1], text
        )
    )


def print_file(text: str) -> None:
    """The text of a file, as it is written to a file: in UTF-8; on a terminal in its own encoding."""
    if sys.stdout.isatty() or not hasattr(sys.stdout, "buffer"):
        sys.stdout.write(text)
        return
    sys.stdout.flush()
    sys.stdout.buffer.write(text.encode("utf-8"))


def _writes_unicode() -> bool:
    return (sys.stdout.encoding or "utf-8").lower().startswith("utf")


def note_remarks(name: str, remarks: Iterable[str]) -> None:
    """What is to be known of how a run was made, a line each."""
    for remark in remarks:
        note(f"warning: {name}: {remark}")


def note_corrections(folder: Path, scores: Iterable[ScoreFile]) -> None:
    """Say which score files held other numbers than the runs beside them, and were made again."""
    for found in scores:
        if found.corrected:
            file = folder / found.system / "scores.parquet"
            note(f"warning: {file} did not hold the scores of the run beside it, and was made again: {found.corrected}")


def progress() -> Progress:
    """Bars on a terminal; elsewhere a line a minute, so that a log of hours says how far they are."""
    from harness.cli.terminal import TerminalProgress
    from harness.progress import LogProgress

    return TerminalProgress() if sys.stderr.isatty() else LogProgress(note)
