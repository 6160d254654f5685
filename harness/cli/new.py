"""``xdr new``: the beginning of a system, a track, a collection or a measure of one's own."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harness.cli.console import note
from harness.errors import WrongUsage

if TYPE_CHECKING:
    from harness.scaffold.scaffold import Kind


def new(
    name: Annotated[str, typer.Argument(help="Its name: lower-case letters and digits in words that '-' joins.")],
    folder: Annotated[Path | None, typer.Option(help="Where to write; default: a folder of that name.")] = None,
    executable: Annotated[
        bool, typer.Option("--executable", help="A system in any language instead of Python.")
    ] = False,
    track: Annotated[bool, typer.Option("--track", help="A track with questions and passages of its own.")] = False,
    collection: Annotated[
        bool, typer.Option("--collection", help="A collection as a distribution that can be installed.")
    ] = False,
    measure: Annotated[
        bool, typer.Option("--measure", help="A measure that ir-measures lacks, and a track with it.")
    ] = False,
) -> None:
    """Write a system that works as it is, to be changed from there; or a track, a collection, a measure, with tests."""
    from harness.scaffold import scaffold

    kinds = {
        "--executable": (executable, scaffold.PROGRAM),
        "--track": (track, scaffold.TRACK),
        "--collection": (collection, scaffold.COLLECTION),
        "--measure": (measure, scaffold.MEASURE),
    }
    chosen = {option: kind for option, (is_chosen, kind) in kinds.items() if is_chosen}
    if len(chosen) > 1:
        raise WrongUsage(f"{' and '.join(chosen)} exclude one another: one thing at a time")
    target = folder or Path(name)
    if folder is None and target.exists() and not (target.is_dir() and not any(target.iterdir())):
        raise WrongUsage(f"{target} exists already, and is not empty; another name, or --folder, says where to write")
    kind = next(iter(chosen.values()), scaffold.SYSTEM)
    written = scaffold.write_scaffold(name, target, kind)
    for path in written:
        note(f"wrote {path}")
    note("", *_next_steps(kind, target, has_tests=any(path.name.startswith("test_") for path in written)))


def _next_steps(kind: Kind, target: Path, *, has_tests: bool) -> list[str]:
    from harness.runs.commands import line
    from harness.scaffold import scaffold

    steps = []
    if kind is scaffold.COLLECTION:
        steps.append(f"install it:  {shlex.join(['python', '-m', 'pip', 'install', '--no-deps', '-e', str(target)])}")
    if kind.of == "system":
        steps.append(f"try it:      {line('leaderboard', 'mini', str(target / 'card.toml'), '--allow-code')}")
    else:
        code = ["--allow-code"] if kind is scaffold.MEASURE else []
        steps.append(f"try it:      {line('leaderboard', str(target / 'track.toml'), *code)}")
    if has_tests:
        steps.append(f"test it:     {shlex.join(['python', '-m', 'pytest', str(target)])}")
    return steps
