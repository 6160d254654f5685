"""``xdr train``: a small encoder from its recipe."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from harness.cli.console import note, progress, say


def train(
    recipe: Annotated[Path, typer.Argument(help="A recipe's TOML file, such as systems/recipes/mini-xdr.toml.")],
    output: Annotated[
        Path, typer.Option("--output", help="Folder of the model and its training record.", metavar="DIR")
    ],
) -> None:
    """Train an encoder. Rows that overlap with evaluation questions are dropped and counted; the record says on what."""
    from harness.recipes.train import train as train_recipe

    record = train_recipe(recipe, output, progress())
    pairs = sum(stage.pairs for stage in record.stages)
    dropped = sum(row.dropped for row in record.rows)
    note(f"trained in {record.seconds:.0f} s on {pairs} pairs; {dropped} rows dropped as evaluation questions")
    say(output)
