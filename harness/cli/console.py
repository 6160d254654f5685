"""What the commands share: options, errors and progress on the terminal."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harness.errors import XdrError

if TYPE_CHECKING:
    from harness.card import LoadedCard
    from harness.consent import Consent
    from harness.errors import Finding
    from harness.system import Advance, Context, Progress

Runs = Annotated[Path, typer.Option("--runs", help="Folder of runs.", metavar="DIR")]
Reports = Annotated[Path, typer.Option("--reports", help="Folder for the rendered site.", metavar="DIR")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]
Workers = Annotated[int, typer.Option("--workers", min=1, help="Batches at once; never changes a result.")]
Memory = Annotated[float, typer.Option("--memory", min=0.1, help="Memory for batches in GiB; never changes a result.")]
Device = Annotated[str, typer.Option("--device", help="cpu, cuda, cuda:1, or auto: cuda where there is one.")]
ShardSize = Annotated[float, typer.Option("--shard-size", min=0.0001, help="Size of vector files in GiB.")]
Engine = Annotated[str, typer.Option("--engine", help="local, or ray: a Ray cluster; never changes a result.")]
AllowCode = Annotated[bool, typer.Option("--allow-code", help="Run the Python adapters and programs that cards bring.")]
TrustRemoteCode = Annotated[
    list[str] | None,
    typer.Option(
        "--trust-remote-code", metavar="MODEL@REVISION", help="Run the code of this model at this commit or SHA-256."
    ),
]

DEFAULT_RUNS = Path("runs")
DEFAULT_REPORTS = Path("reports")
DEFAULT_WORKERS = os.cpu_count() or 1


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


def consent_for(cards: Sequence[LoadedCard], allow_code: bool, trust_remote_code: list[str] | None) -> Consent:
    """The operator's consent, held against all cards before the first one runs. Raises ``WrongUsage``."""
    from harness.consent import consent_of
    from harness.sandbox import why_not

    consent = consent_of(allow_code, trust_remote_code or ())
    for card in cards:
        card.require(consent)
    programs = [card.card.name for card in cards if card.runs_a_program()]
    if programs and (reason := why_not()):
        note(f"warning: {', '.join(programs)}: runs without isolation, with all your rights, since {reason}")
    return consent


def context_of(
    device: str, workers: int, memory: float, shard_size: float, consent: Consent | None = None, engine: str = "local"
) -> Context:
    """Where and how systems run, from the operator's options; memory and shard size in GiB. No consent is none."""
    from harness.collections import reporting
    from harness.consent import NOTHING
    from harness.engine import check_engine
    from harness.files import cache_home
    from harness.system import Context

    check_engine(engine)
    reporting.progress = progress()
    return Context(
        cache=cache_home(),
        work=cache_home() / "work",
        device=device,
        workers=workers,
        memory_bytes=int(memory * (1 << 30)),
        shard_bytes=int(shard_size * (1 << 30)),
        engine=engine,
        progress=reporting.progress,
        consent=consent or NOTHING,
    )
