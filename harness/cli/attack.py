"""``xdr attack``: questions chosen against a system, within a budget of questions to it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harness.cli.console import Runs, note, print_findings, say
from harness.cli.operator_options import Operator, with_operator_options
from harness.cli.tables import say_table
from harness.errors import WrongUsage
from harness.runs.commands import DEFAULT_RUNS

if TYPE_CHECKING:
    from harness.submissions.attack.files import AttackManifest


@with_operator_options
def attack(
    track: Annotated[str, typer.Argument(help="A track's name, or the path of its TOML file.")],
    system: Annotated[str, typer.Argument(help="The card of the system that is attacked: a name or a TOML file.")],
    recipe: Annotated[
        str, typer.Option("--recipe", help="What is done to a question: a perturbation's name, or a TOML file.")
    ],
    out: Annotated[Path, typer.Option("--out", help="Folder for the chosen questions.", metavar="DIR")],
    budget: Annotated[
        int, typer.Option("--budget", min=1, max=999, help="Draws of the recipe that are asked for each question.")
    ] = 10,
    seed: Annotated[int, typer.Option("--seed", min=1, max=9999, help="Another one makes other draws.")] = 1,
    to: Annotated[
        list[str] | None,
        typer.Option("--to", metavar="CARD", help="A system that transfer is declared for. Repeatable."),
    ] = None,
    runs: Runs = DEFAULT_RUNS,
    *,
    operator: Operator,
) -> None:
    """Choose, of many random edits of every question, the one that a system answers worst, and write a track that asks it."""
    from harness.adapters.card import load_card
    from harness.collections.perturbed.recipe import load_recipe
    from harness.files.yaml_records import digest_of
    from harness.runs.prepared import prepared
    from harness.runs.track_runs import TrackRuns
    from harness.submissions.attack import files, search
    from harness.tracks import load_track
    from harness.tracks.check import check_track

    if out.is_file():
        raise WrongUsage(f"{out} is a file; --out names a folder")
    loaded_track, card = load_track(track, operator.consent()), load_card(system)
    files.check_track(loaded_track)
    edits = search.Edits(recipe, load_recipe(recipe), budget, seed)
    edits.check()
    names = tuple(dict.fromkeys(load_card(name).card.name for name in to or ()))
    print_findings(check_track(loaded_track, [part for part in loaded_track.parts if not part.clean]))
    context = operator.context(operator.consent([card]))
    run = prepared(TrackRuns(loaded_track, runs), card, context)
    place, described = files.Place(out, names), files.description(run, edits)
    found = files.recorded_attack(place, described)
    if found is not None:
        note(f"{out} holds this very attack already")
    else:
        parts = search.attack(run, edits, context, digest_of(described))
        found = files.written_attack(place, run, edits, parts, described)
    _show(found, budget)
    note(
        f"{found.asked:,} questions were asked; the worst of several is below the others by construction: what the chosen "
        f"questions cost other systems says xdr compare {place.track}, once these were run on it"
    )
    say(place.track)


def _show(found: AttackManifest, budget: int) -> None:
    from harness.numbers import percent

    rows = [
        [name, percent(own.clean), percent(own.unselected), percent(own.worst[str(budget)]), str(own.unchanged)]
        for name, own in found.parts.items()
    ]
    say_table(["judged passage first, %", "clean", f"mean of {budget} draws", f"worst of {budget}", "unchanged"], rows)
