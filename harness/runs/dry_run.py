"""What `xdr run` would do and take, system by system, without doing it; and whether the disks can hold it."""

from __future__ import annotations

import math
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

from harness.adapters.contract import Context, Request, estimate_of
from harness.adapters.estimate import FIRST_SAMPLE, Estimate, Figure, Kind, spread
from harness.errors import Finding, InvalidInput
from harness.numbers import size
from harness.runs.execute import Replacing, another_run
from harness.runs.journal import Journal
from harness.runs.prepared import Group, Prepared, request_depth

_SCORE_BYTES = 24
"""At most, of a score as text: sign, 17 digits, point, exponent, and what separates it from the next value."""


@dataclass(frozen=True)
class Plan:
    """``figures``: all that is known; ``unknown``: what is not, in words."""

    system: str
    reused: bool
    unknown: tuple[str, ...]
    queries: int
    finished: int
    figures: tuple[Figure, ...]

    def total(self, kind: Kind) -> float:
        """Of memory the largest figure of a kind counts: parts that share no passages are searched one after the other."""
        largest: dict[str, float] = {}
        for figure in self.figures:
            if figure.kind == kind:
                before = largest.get(figure.what, 0.0)
                largest[figure.what] = max(before, figure.amount) if kind == "memory" else before + figure.amount
        return math.fsum(largest.values())

    def as_dict(self) -> dict[str, Any]:
        figures = [{**figure._asdict(), "path": figure.path and str(figure.path)} for figure in self.figures]
        return {**asdict(replace(self, figures=())), "figures": figures}


class Store(NamedTuple):
    """What systems keep in the cache at one place, in bytes still to write; those that share it are its ``systems``."""

    place: str
    systems: tuple[str, ...]
    needed: int


class Disk(NamedTuple):
    """One file system: folders on it that grow, by how many bytes, and how many are free."""

    folders: tuple[str, ...]
    needed: int
    free: int


def plan_of(run: Prepared, context: Context, *, replacing: Replacing = "nothing", timed: bool = True) -> Plan:
    """Raises as ``run_prepared`` does before it begins. Without ``timed`` nothing but sizes, which is quick."""
    queries = run.queries
    recorded = run.recorded()
    another = recorded.why_another(strict=False)
    if recorded.is_anything and replacing != "anything":
        if another or recorded.edited:
            run.check_not_withdrawn()
        if not another:
            return Plan(run.name, True, (), queries, queries, ())
        if replacing == "nothing":
            raise another_run(run, another)
    run.check_not_withdrawn()
    system = run.ready().system
    figures: list[Figure] = []
    finished_queries, unknown = 0, dict[str, None]()
    for group in run.groups():
        journal = run.journal(group)
        finished = frozenset(r.query_id for r in Journal(journal).read()) if journal.is_file() else frozenset()
        finished_queries += len(finished)
        request = group.request(request_depth(run.track))
        own = replace(context, work=run.work, finished=finished)
        estimate = estimate_of(system, request, own, timed=timed)
        estimate = estimate or Estimate((), ("what the search takes: its adapter has no `estimate`",))
        unknown.update(dict.fromkeys(estimate.unknown))
        figures += [*estimate.figures, *_recorded(run, group, request, finished)]
    return Plan(run.name, False, tuple(unknown), queries, finished_queries, tuple(figures))


def disks(plans: Iterable[Plan], cache: Path, runs: Path) -> list[Disk]:
    """The file systems of the cache and of the runs; what several systems share on a disk is counted once."""
    growing = {figure.path: figure.amount for plan in plans for figure in plan.figures if figure.path is not None}
    by_device: dict[int, tuple[Path, list[str], float]] = {}
    for folder, needed in (
        (cache, sum(amount for path, amount in growing.items() if not path.is_relative_to(runs))),
        (runs, sum(amount for path, amount in growing.items() if path.is_relative_to(runs))),
    ):
        there = _nearest(folder)
        _, folders, before = by_device.get(there.stat().st_dev, (there, [], 0.0))
        by_device[there.stat().st_dev] = (there, [*folders, str(folder)], before + needed)
    return [
        Disk(tuple(folders), round(needed), shutil.disk_usage(there).free)
        for there, folders, needed in by_device.values()
    ]


def stores(plans: Iterable[Plan], context: Context) -> list[Store]:
    """Every place in the cache that the systems would fill: another model, text or fusion makes another store."""
    needed: dict[Path, float] = {}
    systems: dict[Path, dict[str, None]] = {}
    for plan in plans:
        for figure in plan.figures:
            path = figure.path
            if path is None or not path.is_relative_to(context.cache) or path.is_relative_to(context.work):
                continue
            needed[path] = figure.amount
            systems.setdefault(path, {})[plan.system] = None
    return [Store(str(path), tuple(systems[path]), round(amount)) for path, amount in needed.items()]


def check_disks(found: Sequence[Disk]) -> None:
    """Raises ``InvalidInput`` where a disk cannot hold what would be written."""
    full = [
        Finding(
            "error",
            " and ".join(disk.folders),
            f"{size(disk.needed)} would be written, {size(disk.free)} are free",
            hint=f"free {size(disk.needed - disk.free)}, or choose other folders with XDR_HOME and --runs",
        )
        for disk in found
        if disk.needed > disk.free
    ]
    if full:
        raise InvalidInput("the disk cannot hold this run; nothing was begun", full)


def totals(plans: Sequence[Plan]) -> Mapping[str, float]:
    """Seconds of all systems, one after the other; bytes of memory of the one that takes most."""
    return {
        "seconds": math.fsum(plan.total("time") for plan in plans),
        "memory bytes": max((plan.total("memory") for plan in plans), default=0),
    }


def _recorded(run: Prepared, group: Group, request: Request, finished: frozenset[str]) -> list[Figure]:
    """The journal, and the run files that are made of it: an upper bound from the lengths of ids."""
    ids = request.docs.ids
    places = spread(len(ids), FIRST_SAMPLE)
    id_bytes = sum(len(ids[place].encode()) for place in places) / max(1, len(places))
    depth = min(request.depth, len(ids))
    in_journal = depth * (id_bytes + _SCORE_BYTES + len('"",'))
    basis = f"at most {depth} passages for each question, gone when the run is recorded"
    left = len(request.queries) - len(finished)
    found = [Figure("disk", "journal", in_journal * left, "bytes", basis, run.journal(group))]
    for part, collection in group.parts:
        names = sum(len(query.query_id.encode()) for query in collection.queries)
        row = id_bytes + _SCORE_BYTES + len(f" Q0  {depth}  {run.name}\n".encode())
        amount = depth * (names + row * len(collection.queries))
        basis = f"at most {depth} passages for each question, before compression"
        found.append(Figure("disk", "run files", amount, "bytes", basis, run.at.run_file(part.name)))
    return found


def _nearest(folder: Path) -> Path:
    """The folder, or the one above it that exists: where it would be made."""
    folder = folder.absolute()
    return next(place for place in (folder, *folder.parents) if place.is_dir())
