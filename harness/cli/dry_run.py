"""``--dry-run``: what a command would run, reuse and take, as a table or as JSON, and whether the disks can hold it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from harness.cli.console import print_json, say
from harness.errors import WrongUsage
from harness.numbers import duration, size

if TYPE_CHECKING:
    from harness.adapters.contract import Context
    from harness.adapters.estimate import Figure
    from harness.runs.dry_run import Disk, Plan, Store
    from harness.runs.intended import Intended
    from harness.runs.track_runs import TrackRuns

DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Run nothing: say what would be run, and the time and space it would take.")
]
DryRunJson = Annotated[bool, typer.Option("--json", help="With --dry-run: print JSON for machines.")]

_TITLES = {
    "resumed": "there already",
    "work": "to do",
    "price": "price",
    "time": "time",
    "disk": "disk",
    "memory": "memory",
}


def check_options(dry_run: bool, as_json: bool) -> None:
    if as_json and not dry_run:
        raise WrongUsage("--json belongs to --dry-run")


def show_plans(runs: TrackRuns, intended: Sequence[Intended], context: Context, as_json: bool) -> None:
    """Print the plans. Raises ``InvalidInput``, after that, where a disk cannot hold them."""
    from harness.runs.dry_run import check_disks, disks, plan_of, stores, totals
    from harness.runs.prepared import prepared

    plans = [
        plan_of(one.run or prepared(runs, one.card, context), context, replacing=one.replacing or "nothing")
        for one in intended
    ]
    found, kept = disks(plans, context.cache, runs.root), stores(plans, context)
    if as_json:
        content = {
            "systems": [plan.as_dict() for plan in plans],
            "totals": totals(plans),
            "stores": [store._asdict() for store in kept],
            "disks": [disk._asdict() for disk in found],
            "fits": all(disk.needed <= disk.free for disk in found),
        }
        print_json(content)
    else:
        say(*(line for plan in plans for line in _table(plan)), *_totals(plans, kept, found))
    check_disks(found)


def _table(plan: Plan) -> Iterator[str]:
    if plan.reused:
        yield f"{plan.system}: this very run is there already"
        return
    resumed = f", {plan.finished:,} of them ranked already by a killed run" if plan.finished else ""
    yield f"{plan.system}: {plan.queries:,} queries{resumed}"
    for what in plan.unknown:
        yield f"  {'unknown':14} {what}"
    figures = [figure for kind in _TITLES for figure in _summed(plan.figures) if figure.kind == kind]
    for figure in figures:
        yield f"  {_TITLES[figure.kind]:14} {figure.what:28} {figure.in_words():>22}   {figure.basis}"


def _summed(figures: Sequence[Figure]) -> list[Figure]:
    """One line where several are alike: a track may have many collections. Memory is taken by one after the other."""
    alike: dict[tuple[str, str], list[Figure]] = {}
    for figure in figures:
        alike.setdefault((figure.kind, figure.what), []).append(figure)
    return [
        first._replace(
            amount=(max if first.kind == "memory" else sum)(figure.amount for figure in (first, *others)),
            basis=first.basis + (f" (and {len(others)} more)" if others else ""),
        )
        for first, *others in alike.values()
    ]


def _totals(plans: Sequence[Plan], kept: Sequence[Store], found: Sequence[Disk]) -> Iterator[str]:
    from harness.runs.dry_run import totals

    unknown = [plan.system for plan in plans if plan.unknown]
    more = f", and what is unknown of {', '.join(unknown)}" if unknown else ""
    amounts = totals(plans)
    yield f"total: {duration(amounts['seconds'])}, memory {size(amounts['memory bytes'])}{more}"
    if len(kept) > 1:
        yield f"{len(kept)} stores in the cache, one for each model, text and fusion; each may go when its runs are recorded:"
        yield from (f"  {store.place}: {size(store.needed)} for {', '.join(store.systems)}" for store in kept)
    for disk in found:
        yield f"disk of {' and '.join(disk.folders)}: {size(disk.needed)} to write, {size(disk.free)} free"
