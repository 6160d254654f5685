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
    from harness.runs.prepared import prepared
    from harness.runs.track_runs import TrackRuns
    from harness.submissions.attack import files, search
    from harness.submissions.attack.plan import Plan, check_parts, check_track
    from harness.submissions.attack.track import TRACK, check_written_track
    from harness.tracks import load_track
    from harness.tracks.check import check_track as check_questions

    if out.is_file():
        raise WrongUsage(f"{out} is a file; --out names a folder")
    loaded_track, card = load_track(track, operator.consent()), load_card(system)
    check_track(loaded_track)
    edits = search.Edits(recipe, load_recipe(recipe), budget, seed)
    edits.check()
    names = tuple(dict.fromkeys(load_card(name).card.name for name in to or ()))
    print_findings(check_questions(loaded_track, [part for part in loaded_track.parts if not part.clean]))
    context = operator.context(operator.consent([card]))
    run = prepared(TrackRuns(loaded_track, runs), card, context)
    plan = Plan(run, edits, out, names)
    found = files.recorded_attack(plan)
    if found is not None:
        written = files.completed(plan, found)
        anew = f"; written anew: {', '.join(written)}" if written else ""
        note(f"{out} holds this very attack already{anew}")
    else:
        check_parts(plan)
        check_written_track(plan)
        with search.attacked(run, edits, context, plan.key) as parts:
            found = files.written_attack(plan, parts)
    _show(found, budget)
    note(
        f"{found.asked:,} questions were asked; the worst of several is below the others by construction: what the chosen "
        f"questions cost other systems says xdr compare {out / TRACK}, once these were run on it"
    )
    say(out / TRACK)


def _show(found: AttackManifest, budget: int) -> None:
    from harness.numbers import percent

    rows = [
        [name, percent(own.clean), percent(own.unselected), percent(own.worst[str(budget)]), str(own.unchanged)]
        for name, own in found.parts.items()
    ]
    say_table(["judged passage first, %", "clean", f"mean of {budget} draws", f"worst of {budget}", "unchanged"], rows)
