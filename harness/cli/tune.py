"""``xdr tune``: choose a card's parameters on development questions, and write down what was tried."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from harness.cli.console import note, say
from harness.cli.operator_options import Operator, with_operator_options
from harness.errors import WrongUsage, unknown_name


@with_operator_options
def tune(
    card: Annotated[str, typer.Argument(help="A card's name, or the path of its TOML file.")],
    track: Annotated[str, typer.Option("--track", help="Track of development questions: a name or a TOML file.")],
    grid: Annotated[
        list[str], typer.Option("--grid", help="Values to try, ascending: fusion.alpha=0,0.1,0.2; again for another.")
    ],
    measure: Annotated[str, typer.Option("--measure", help="What decides; default: the track's primary measure.")] = "",
    rule: Annotated[str, typer.Option("--rule", help='"one standard error", or "best".')] = "one standard error",
    out: Annotated[Path | None, typer.Option("--out", help="File to write; default: tuning/CARD.json.")] = None,
    *,
    operator: Operator,
) -> None:
    """Run a card at every point of a grid, choose one by a declared rule, and write the table of scores."""
    from harness.adapters.card import load_card
    from harness.submissions.tune import RULES, as_markdown, parse_grid, write_tuning
    from harness.submissions.tune import tune as tuned
    from harness.tracks import load_track

    if rule not in RULES:
        raise unknown_name("rule", rule, RULES)
    values = parse_grid(grid)
    loaded, development = load_card(card), load_track(track, operator.consent())
    path = out or Path("tuning") / f"{loaded.card.name}.json"
    if path.is_dir():
        raise WrongUsage(f"{path} is a folder; --out names a file")
    context = operator.context(operator.consent([loaded]))
    tuning = tuned(loaded, development, values, measure or development.primary, rule, context)  # type: ignore[arg-type]
    write_tuning(path, tuning)
    say(*as_markdown(tuning).splitlines())
    note(f"written to {path}; the card takes the chosen values by hand, and says where they come from")
