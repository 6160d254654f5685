"""``xdr findings``: the questions that this project was begun for, answered from what is recorded."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from harness.cli.console import Runs, note, say
from harness.runs.commands import DEFAULT_RUNS


def findings(
    runs: Runs = DEFAULT_RUNS,
    out: Annotated[Path, typer.Option("--out", help="File to write, in Markdown.")] = Path("docs/findings.md"),
) -> None:
    """Write the answers to the project's questions, each with interval, table and controls; runs nothing."""
    from harness.errors import WrongUsage
    from harness.files.writing import write_text
    from harness.leaderboard.findings.markdown import findings_page
    from harness.leaderboard.findings.questions import findings as found_in

    if out.is_dir():
        raise WrongUsage(f"{out} is a folder; --out names a file")
    if not runs.is_dir():
        raise WrongUsage(f"{runs} is no folder of runs; --runs names one")
    found = found_in(runs)
    write_text(out, findings_page(found))
    for finding in found:
        say(finding.question)
        for answer in finding.answers:
            say(f"  {answer.verdict}: {answer.about}. {answer.sentence}")
    note(f"written to {out}")
