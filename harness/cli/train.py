"""``xdr train``: a model from its recipe."""

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
    device: Annotated[
        str, typer.Option("--device", help="auto, cpu, cuda; auto is the CPU for static models.", metavar="NAME")
    ] = "auto",
    checkpoint_minutes: Annotated[
        float, typer.Option("--checkpoint-minutes", help="How often a checkpoint is written.", min=0.0)
    ] = 5.0,
) -> None:
    """Train a model. Rows that overlap with evaluation questions are dropped and counted; the record says on what.

    A training that was killed goes on from its last checkpoint when the same command is given again.
    """
    from harness.recipes.train import Operator
    from harness.recipes.train import train as train_recipe

    record = train_recipe(recipe, output, progress(), Operator(device, checkpoint_minutes * 60))
    pairs = sum(stage.pairs for stage in record.stages)
    dropped = sum(row.dropped for row in record.rows)
    note(f"trained in {record.seconds:.0f} s on {pairs} pairs; {dropped} rows dropped as evaluation questions")
    if record.interruptions:
        note(f"gone on with from a checkpoint, {record.interruptions} times")
    if record.overlap.transductive:
        note(f"transductive: for tracks over {', '.join(record.overlap.transductive)} only")
    say(output)
