"""Systems that stand on the recorded runs of other rows: what is below them, and whether it is still what they were made of.

A row above knows the rows below it by the digests of their rankings, part by part; they stand in its manifest and identify it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from graphlib import CycleError, TopologicalSorter

from harness.errors import Finding, InvalidInput, WrongUsage
from harness.records import Ranking
from harness.runs.commands import Commands
from harness.runs.run_folder import RunFolder
from harness.runs.track_runs import TrackRuns

NOT_RUN = ""
"""Stands for the digest of a part that a recorded run does not have, or not in the form that the track has it now."""


def digests_below(rows: Sequence[RunFolder], part: str) -> dict[str, str | None]:
    """Digests of the rows' rankings of a part, by row; null where a row is not recorded, ``NOT_RUN`` where its run lacks it."""
    return {row.name: _digest_of(row, part) for row in rows}


def _digest_of(row: RunFolder, part: str) -> str | None:
    if not row.is_recorded:
        return None
    try:
        is_there = part in row.manifest.data and part not in row.lacking
    except (InvalidInput, WrongUsage):
        return NOT_RUN  # the row itself says what is wrong with it
    return row.manifest.data[part].ranking if is_there else NOT_RUN


def check_rows(
    name: str, rows: Sequence[RunFolder], parts: Sequence[str], expected: frozenset[str] = frozenset()
) -> None:
    """Raise ``InvalidInput`` that says all that keeps system ``name`` from being run on these rows.

    ``expected``: names of rows that are made before it.
    """
    findings = [finding for row in rows if row.name not in expected for finding in _faults_of(row, parts)]
    if findings:
        raise InvalidInput(f"system {name} stands on rows whose runs cannot be read; nothing was run for it", findings)


def _faults_of(row: RunFolder, parts: Sequence[str]) -> Iterator[Finding]:
    where = f"row {row.name}"
    if not row.is_recorded:
        command = Commands(row.track, row.path.parent.parent).run(row.name)
        hint = f"name its card in the same command, or run it first: `{command}`"
        yield Finding("error", where, f"no run of it in {row.path.parent}", hint=hint)
        return
    try:
        row.check_definition()
        withdrawal, data, lacking = row.withdrawal, row.manifest.data, row.lacking
    except (InvalidInput, WrongUsage) as error:
        yield Finding("error", where, error.message)
        return
    if withdrawal is not None:
        hint = "name another row in the card"
        yield Finding("error", where, f"withdrawn on {withdrawal.date}: {withdrawal.reason}", hint=hint)
    for part in parts:
        if part not in data or part in lacking:
            reason = f" ({lacking[part]})" if part in lacking else ""
            hint = "leave the part's language out of `languages` in the card, or run that row there"
            yield Finding("error", where, f"it has no run of part {part}{reason}", hint=hint)


def rankings_of(row: RunFolder, parts: Sequence[str]) -> Mapping[str, Ranking]:
    """A row's rankings of these parts, by part/query, as requests name their queries.

    Raises ``InvalidInput`` where a file is not the one that the row's manifest describes.
    """
    return {
        f"{part}/{query_id}": Ranking(f"{part}/{query_id}", ranked.doc_ids, ranked.scores)
        for part in parts
        for query_id, ranked in row.read(part)[0].rankings.items()
    }


def rows_first(rows: Mapping[str, Sequence[str]]) -> list[str]:
    """Names in their order, but each after all that it stands on; ``rows`` tells what that is.

    >>> rows_first({"fused": ["bm25", "dense"], "dense": [], "bm25": []})
    ['bm25', 'dense', 'fused']

    Raises ``InvalidInput`` where rows stand on each other in a circle.
    """
    try:
        TopologicalSorter(rows).prepare()
    except CycleError as error:
        circle = error.args[1][::-1]
        raise InvalidInput(
            f"rows stand on each other in a circle, and none of them can be made first: {' on '.join(circle)}"
        ) from error
    found: dict[str, None] = {}
    for first in rows:
        # A stack of its own: rows may stand on each other deeper than Python calls functions.
        waiting = [(first, iter(rows.get(first, ())))]
        while waiting:
            name, below = waiting[-1]
            further = next((row for row in below if row not in found), None)
            if further is None:
                found[name] = None
                waiting.pop()
            else:
                waiting.append((further, iter(rows.get(further, ()))))
    return list(found)


def recorded_rows(runs: TrackRuns) -> dict[str, tuple[str, ...]]:
    """What each recorded run stands on; manifests that are not valid are left to whoever reads them."""
    found = {}
    for run in runs.recorded():
        try:
            found[run.name] = run.manifest.rows
        except (InvalidInput, WrongUsage):
            continue
    return found


def standing_on(runs: TrackRuns, name: str) -> list[str]:
    """Names of recorded runs that stand on this one, directly or through others."""
    rows = recorded_rows(runs)
    order = {row: place for place, row in enumerate(rows)}
    directly: dict[str, list[str]] = {}
    for row, own in rows.items():
        for below in own:
            directly.setdefault(below, []).append(row)
    above: dict[str, None] = {}
    new = [name]
    while new := sorted(
        {row for below in new for row in directly.get(below, ())} - above.keys(), key=order.__getitem__
    ):
        above |= dict.fromkeys(new)
    return list(above)


def changed_below(runs: TrackRuns, name: str) -> list[str]:
    """Rows below a recorded run that are not those any more that it was made of, or are withdrawn: a sentence for each."""
    manifest = runs.run(name).manifest
    found = []
    for row in (runs.run(below) for below in manifest.rows):
        parts = [
            part
            for part, record in manifest.data.items()
            if row.name in record.rows and _digest_of(row, part) != record.rows[row.name]
        ]
        if not row.is_recorded:
            found.append(f"it stands on {row.name}, which has no run in {row.path.parent}")
        elif parts:
            found.append(f"it was made of another run of {row.name} than is recorded now ({', '.join(parts)})")
        if row.is_recorded and row.withdrawal is not None:
            found.append(f"it stands on {row.name}, which was withdrawn on {row.withdrawal.date}")
    return found
