"""``xdr new``: the beginning of a system of one's own."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer

from harness.cli.console import note
from harness.errors import WrongUsage


def new(
    name: Annotated[str, typer.Argument(help="The system's name: lower-case letters, digits, '.', '_', '+', '-'.")],
    folder: Annotated[Path | None, typer.Option(help="Where to write; default: a folder of that name.")] = None,
    executable: Annotated[
        bool, typer.Option("--executable", help="A program in any language instead of Python.")
    ] = False,
) -> None:
    """Write a card, an adapter and its contract tests that work as they are, to be changed from there."""
    from harness.adapters.scaffold import write_scaffold
    from harness.runs.commands import line

    target = folder or Path(name)
    if folder is None and target.exists() and not (target.is_dir() and not any(target.iterdir())):
        raise WrongUsage(f"{target} exists already, and is not empty; another name, or --folder, says where to write")
    for path in write_scaffold(name, target, executable=executable):
        note(f"wrote {path}")
    note("", f"try it:   {line('leaderboard', 'mini', str(target / 'card.toml'), '--allow-code')}")
    if not executable:
        note(f"test it:  {shlex.join(['python', '-m', 'pytest', str(target)])}")
