"""What a track needs and this machine does not have, in one report, before the first of many hours."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial

from harness.adapters.card import LoadedCard
from harness.adapters.contract import Context, System, missing_of
from harness.errors import Finding, InvalidInput
from harness.records import Passages, Query
from harness.runs.dry_run import check_disks, disks, plan_of
from harness.runs.intended import Intended
from harness.runs.prepared import Prepared, prepared
from harness.runs.track_runs import TrackRuns
from harness.tracks import Part


def check_inputs(runs: TrackRuns, cards: Iterable[LoadedCard], context: Context) -> dict[str, Prepared]:
    """Open the passages and questions of every part, and make the systems that are to run, with the operator's consent.

    Returns them by name, ready to be run. Raises ``InvalidInput`` that names all that is missing or invalid, each thing
    once, with the parts and systems that need it.
    """
    track, ready = runs.track, dict[str, Prepared]()
    needs: list[tuple[str, Callable[[], object]]] = []
    for part in track.parts:
        needs += [(part.name, partial(_docs, part)), (part.name, partial(_queries, part))]
    needed_by = _failing(needs)
    lacks_data = bool(needed_by)

    def system(card: LoadedCard) -> System:
        if lacks_data:
            return card.system(context.consent)
        run = ready[card.card.name] = prepared(runs, card, context)
        if run.made is None:
            raise run.trouble or InvalidInput(f"system {run.name} cannot be made")
        return run.made.system

    for card in cards:
        for what, names in _failing([(card.card.name, partial(system, card))]).items():
            needed_by.setdefault(what, {}).update(names)
    if needed_by:
        findings = [Finding("error", ", ".join(names), what) for what, names in needed_by.items()]
        at_fault = ", ".join(sorted({name for names in needed_by.values() for name in names}))
        raise InvalidInput(
            f"track {track.name} cannot be run here yet (see docs/collections.md)"
            if lacks_data
            else f"track {track.name} is there, but these of its systems cannot be run: {at_fault}",
            findings,
        )
    return ready


def _failing(needs: Iterable[tuple[str, Callable[[], object]]]) -> dict[str, dict[str, None]]:
    """What is missing or invalid, with the names of those that need it, in their order."""
    needed_by: dict[str, dict[str, None]] = {}
    for name, need in needs:
        for what in _troubles(need):
            needed_by.setdefault(what, {})[name] = None
    return needed_by


def check_space(runs: TrackRuns, intended: Iterable[Intended], context: Context) -> None:
    """Hold what the systems would write against the free space of the disks, by sizes alone. Raises ``InvalidInput``."""
    plans = [
        plan_of(one.run, context, replacing=one.replacing, timed=False)
        for one in intended
        if one.run is not None and one.replacing is not None
    ]
    check_disks(disks(plans, context.cache, runs.root))


def _docs(part: Part) -> Passages:
    return part.collection.docs


def _queries(part: Part) -> tuple[Query, ...]:
    return part.collection.queries


def _troubles(need: Callable[[], object]) -> list[str]:
    """Why what is needed cannot be had; of a system that can be made, what it misses."""
    try:
        return missing_of(need())
    except InvalidInput as error:
        return [str(finding) for finding in error.findings] or ["; ".join(error.message.split("\n"))]
