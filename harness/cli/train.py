"""``xdr train``: a model from its recipe."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harness.cli.console import note, progress, say
from harness.cli.operator_options import check_device

if TYPE_CHECKING:
    from harness.recipes.train import TrainingRecord


def train(
    recipe: Annotated[Path, typer.Argument(help="A recipe's TOML file, such as systems/recipes/mini-xdr.toml.")],
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            help="Folder of the model and its training record; default: the cache, for cards that name the recipe.",
            metavar="DIR",
        ),
    ] = None,
    device: Annotated[
        str, typer.Option("--device", help="auto, cpu, cuda; auto is the CPU for static models.", metavar="NAME")
    ] = "auto",
    delta: Annotated[
        Path | None,
        typer.Option("--delta", help="Train nothing: make the whole model of its start and this delta.", metavar="DIR"),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say what it would take: a few steps of each stage are measured.")
    ] = False,
    checkpoint_minutes: Annotated[
        float, typer.Option("--checkpoint-minutes", help="How often a checkpoint is written.", min=0.0)
    ] = 5.0,
) -> None:
    """Train a model. Rows that overlap with evaluation questions are dropped and counted; the record says on what.

    A training that was killed goes on from its last checkpoint when the same command is given again. Without --output, what a
    recipe with saved = "delta" makes is kept in the cache as the difference, too.
    """
    from harness.errors import WrongUsage
    from harness.recipes.train import Operator, assemble, planned, train_into_cache
    from harness.recipes.train import train as train_recipe

    check_device(device)
    if delta is not None and dry_run:
        raise WrongUsage("--dry-run is about training, and --delta trains nothing: leave one of them out")
    if dry_run:
        for line in planned(recipe, output, progress(), Operator(device)).in_words():
            say(line)
        return
    operator = Operator(device, checkpoint_minutes * 60)
    record = None
    if output is None:
        output, record = train_into_cache(recipe, progress(), operator, delta)
    elif delta is not None:
        assemble(recipe, delta, output, progress())
    else:
        record = train_recipe(recipe, output, progress(), operator)
    if record is not None:
        _note(record)
    elif delta is None:
        note("this recipe's model is in the cache already")
    say(output)


def _note(record: TrainingRecord) -> None:
    pairs = sum(stage.pairs for stage in record.stages)
    dropped = sum(row.dropped for row in record.rows)
    note(f"trained in {record.seconds:.0f} s on {pairs} pairs; {dropped} rows dropped as evaluation questions")
    if record.start_revision and not record.recipe.model.revision:
        note(
            f'trained from revision = "{record.start_revision}" of {record.recipe.model.start}: write that into the recipe'
        )
    if record.interruptions:
        note(f"gone on with from a checkpoint, {record.interruptions} times")
    for collection, count in record.overlap.not_dropped.items():
        note(
            f"{count} rows are questions of {collection}, with which the recipe is not compared: the model has seen them, and "
            "its card is to say so (may_have_seen)"
        )
    if record.overlap.transductive:
        note(f"transductive: for tracks over {', '.join(record.overlap.transductive)} only")
