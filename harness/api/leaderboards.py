"""Runs of several systems, at hand or in files, to a leaderboard: its table, and its pages."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.adapters.card import Card
from harness.api.collections import load_collection
from harness.api.comparing import Unit, language_of
from harness.api.runs import ANY_DEPTH, run_of
from harness.collections.view import Collection
from harness.errors import Finding, InvalidInput, WrongUsage, unknown_name
from harness.files.limits import RANKING_DEPTH
from harness.files.toml_records import checked
from harness.leaderboard.exports import csv, latex, markdown
from harness.leaderboard.pipeline import compare_all, leaderboard_of, score_all
from harness.leaderboard.site import render
from harness.leaderboard.table import Leaderboard as Board
from harness.runs.score_file import ScoreFile
from harness.runs.track_runs import TrackRuns
from harness.runs.trec import Expected, Run
from harness.submissions.submit import Target, submit_runs
from harness.tracks import Part, Track

if TYPE_CHECKING:
    from pandas import DataFrame  # type: ignore[import-untyped]

_NAME = "leaderboard"


@dataclass(frozen=True, eq=False, repr=False)
class Leaderboard:
    """What ``make_leaderboard`` gives: a table with its tests, as records, a frame, Markdown or LaTeX, and as pages.

    Attributes
    ----------
    warnings
        What speaks against the unit of its tests, such as passages that units share.
    """

    _board: Board
    _scores: list[ScoreFile]
    _runs: TrackRuns
    _folder: tempfile.TemporaryDirectory[str]
    warnings: tuple[str, ...] = field(default=())

    def records(self) -> list[dict[str, Any]]:
        """One record for each system, measure and column: "macro", each collection, and "micro", the mean over queries.

        Value, difference to the baseline, p, p adjusted in the declared family, and its decision; None where there is none.
        """
        return [dict(zip(csv.HEADER, record, strict=True)) for record in csv.records_of(self._board)]

    def to_frame(self) -> DataFrame:
        """The records as a pandas frame."""
        import pandas as pd

        return pd.DataFrame(self.records(), columns=list(csv.HEADER))

    def to_markdown(self) -> str:
        """The primary measure in %, marked where the declared family of tests decided, with a line on how."""
        return markdown.to_markdown(self._board)

    def to_latex(self) -> str:
        """The same as a table of booktabs."""
        return latex.to_latex(self._board)

    def write_pages(self, folder: str | Path) -> Path:
        """Write the pages below ``folder``; returns the path of the first one. They load nothing from elsewhere."""
        return render(self._runs, self._board, self._scores, Path(folder))

    def __repr__(self) -> str:
        rows = "; ".join(f"{row.rank or '-'} {row.title}" for row in self._board.rows)
        return f"<leaderboard by {self._board.track.primary}: {rows}>"

    def _repr_markdown_(self) -> str:
        return self.to_markdown()


def make_leaderboard(
    systems: Mapping[str, Any],
    collections: Mapping[str, Collection | str | Path] | Collection | str | Path,
    measures: Any,
    *,
    baseline: str = "",
    unit: Unit = "topic",
    title: str = "Leaderboard",
) -> Leaderboard:
    """Score and compare the runs of several systems.

    Parameters
    ----------
    systems
        ``{name: run}``, each run in a form that ``score`` takes; where there are several collections ``{name: {collection's
        name: run}}``. A system that lacks the run of one has a dash there, and no macro average.
    collections
        One collection, or one for each language by a short name: ``{"fi": ..., "ja": ...}``.
    measures
        Names as ``score`` takes them; the first is the primary one, by which systems are ranked and tests are planned.
    baseline
        The system that the others are tested against; by default the first.
    unit
        What tests flip as one, as in ``compare``.
    title
        The heading of its pages.

    Raises
    ------
    InvalidInput
        With everything that is wrong with all the runs, in one report.
    WrongUsage
        For unknown names of collections, measures, units and of the baseline.
    """
    parts = _parts(collections)
    names = [str(measure) for measure in ([measures] if isinstance(measures, str) else measures)]
    if not systems or not names:
        raise WrongUsage("a leaderboard needs at least one system and one measure")
    cards = {system: _card(system) for system in systems}
    if len({card.name for card in cards.values()}) < len(cards):
        raise WrongUsage(f"two systems' names differ in signs alone: {', '.join(systems)}")
    if baseline and baseline not in systems:
        raise unknown_name("system", baseline, systems)
    runs = _checked(systems, parts, isinstance(collections, Mapping))
    deepest = max(
        (len(r.doc_ids) for own in runs.values() for run in own.values() for r in run.rankings.values()), default=1
    )
    fields = {"unit": unit, "title": title, "depth": max(1, min(RANKING_DEPTH, deepest))}
    first = cards[baseline or next(iter(systems))].name
    track = Track.of(_NAME, list(parts.values()), names, baseline=first, **fields)
    folder = tempfile.TemporaryDirectory(prefix="xdr-")
    at = TrackRuns(track, Path(folder.name))
    for system, own in runs.items():
        languages = "all" if len(own) == len(parts) else tuple(parts[name].lang for name in own)
        submit_runs(Target(at), cards[system].model_copy(update={"languages": languages}), own)
    scores = score_all(at)
    comparison = compare_all(at, scores)
    return Leaderboard(leaderboard_of(at, scores, comparison), scores, at, folder, comparison.warnings)


def _parts(collections: Mapping[str, Collection | str | Path] | Collection | str | Path) -> dict[str, Part]:
    given = collections if isinstance(collections, Mapping) else {"": collections}
    found = {}
    for name, own in given.items():
        collection = own if isinstance(own, Collection) else load_collection(own)
        lang = language_of(collection)
        part = Part.of(collection, str(name) or lang.lower(), lang)
        found[part.name] = part
    return found


def _card(system: str) -> Card:
    """A row's card; the name is the title in the letters that folders have."""
    name = re.sub(r"[^a-z0-9._+-]+", "-", str(system).lower()).strip("-.") or "system"
    return checked(
        Card, {"schema_version": 1, "name": name, "title": str(system), "adapter": "none"}, f"system {system!r:.80}"
    )


def _checked(systems: Mapping[str, Any], parts: Mapping[str, Part], by_name: bool) -> dict[str, dict[str, Run]]:
    """Every run, by system and part. Raises ``InvalidInput`` with the faults of all."""
    found: dict[str, dict[str, Run]] = {}
    faults: list[Finding] = []
    for system, given in systems.items():
        if by_name and not isinstance(given, Mapping):
            raise WrongUsage(
                f"system {system!r:.80}: a run for each of {', '.join(parts)} is expected, as a mapping by these names"
            )
        own = given if by_name else dict.fromkeys(parts, given)
        for name, run in own.items():
            if name not in parts:
                raise unknown_name(f"collection of system {system!r:.80}", str(name), parts)
            collection = parts[name].collection
            expected = Expected([query.query_id for query in collection.queries], collection.docs, ANY_DEPTH)
            try:
                found.setdefault(system, {})[name] = run_of(run, f"{system}, {name}", expected)[0]
            except InvalidInput as error:
                faults += error.findings or [Finding("error", f"{system}, {name}", error.message)]
    if faults:
        raise InvalidInput("these runs are invalid", faults)
    return found
