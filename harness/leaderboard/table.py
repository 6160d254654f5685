"""A track's table as plain data: ``.building`` makes it, ``.exports`` sets it in type."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from pydantic import ConfigDict, Field, field_serializer, field_validator

from harness.adapters.card import Card
from harness.compare.records import MACRO, Bounds, Comparison, Standing, dumped
from harness.errors import InvalidInput, WrongUsage
from harness.files.limits import TABLE_BYTES
from harness.files.migrations import CURRENT, migrated
from harness.files.reading import parse_json, read_bytes
from harness.files.toml_records import Record, checked
from harness.runs.provenance import Execution, Git, Hardware, Software
from harness.runs.retraining import Retraining, retraining_of
from harness.runs.withdrawal import Withdrawal
from harness.submissions.reproductions import Reproduced
from harness.tracks import Track

SCHEMA_VERSION = CURRENT["leaderboard"]
FILE_NAME = "leaderboard.json"


class Figures(Record):
    """A record of numbers; what is not a number is no figure, and is refused."""

    model_config = ConfigDict(allow_inf_nan=False)


class Cell(Figures):
    """A mean, null for a language that the card does not declare, with its test against the baseline.

    ``may_have_seen``: the system's training may have held data of this column, as its card says, so that the value is an upper
    bound and leads nothing. ``one_sided``: that is so of one of the two systems that were compared; ``significant`` then rests
    on it alone, and no table gives it as a verdict.
    """

    value: float | None
    difference: float | None = None
    p: float | None = None
    p_adjusted: float | None = None
    significant: bool | None = None
    wins: int = 0
    ties: int = 0
    losses: int = 0
    interval: Bounds | None = None
    difference_interval: Bounds | None = None
    effect: float | None = None
    t_p: float | None = None
    resamples: int | None = None
    p_error: float | None = None
    may_have_seen: bool = False
    one_sided: bool = False


class Provenance(Record):
    """What of a row's manifest stands on its page; ``rankings`` are the digests of its runs by part."""

    git: Git
    software: Software
    hardware: Hardware
    execution: Execution
    rankings: dict[str, str]


class Row(Figures):
    """One system. ``rank`` is null where the macro average is a dash or the row is withdrawn.

    ``cells`` is {measure: {column: cell}}.
    ``micro``: mean over queries instead of languages, by measure.
    ``judged``: by part, means of Judged@k for the cutoffs of the measures from qrels.
    ``standings``: its letters and rank interval by column; on the macro average among all systems that have one.
    ``status``: "reproduced" where a record says that this very run was made again; ``reproduced`` is that record's gist.
    ``lacking``: by part that the track got, or changed, after the run was made, why it is a dash.
    ``withdrawn``: when and why the row was withdrawn; such a row has values, but no test.
    ``may_have_seen``: what its card, and the cards of the rows that it stands on, say that their training may have held.
    """

    system: str
    title: str
    kind: str
    rank: int | None
    is_baseline: bool
    description: str
    cells: dict[str, dict[str, Cell]]
    micro: dict[str, float | None]
    judged: dict[str, dict[str, float]] = Field(default_factory=dict)
    lacking: dict[str, str] = Field(default_factory=dict)
    warnings: tuple[str, ...]
    standings: dict[str, Standing]
    isolation: str
    status: Literal["submitted", "reproduced"]
    reproduced: Reproduced | None
    card: Card
    provenance: Provenance
    withdrawn: Withdrawal | None = None
    may_have_seen: tuple[str, ...] = ()

    @property
    def retraining(self) -> Retraining | None:
        """How its weights are made, where they are kept nowhere."""
        return retraining_of(self.card, self.provenance.execution)


class Column(Figures):
    """One part of the track; ``ceiling`` and ``random`` by measure are what a run can reach, and what chance gives."""

    part: str
    lang: str
    dataset: str
    in_macro: bool
    queries: dict[str, int]
    ceiling: dict[str, float]
    random: dict[str, float]


IN_ROWS = ("differences", "means", "standings")
"""Fields of a comparison that a leaderboard has in its rows."""


class Leaderboard(Record):
    """A track's table. ``rows`` are in the order of ranks, then those without a rank, then those withdrawn.

    ``comparison`` is the track's comparison without what rows hold; of the tests of all pairs, those of the primary measure.
    """

    schema_version: int
    track: Track = Field(title="Track")
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    comparison: Comparison = Field(title="Comparison")

    @field_validator("track", mode="before")
    @classmethod
    def _recorded_track(cls, content: Any) -> Any:
        return Track.recorded(content) if isinstance(content, Mapping) else content

    @field_serializer("track")
    def _without_places(self, track: Track) -> dict[str, Any]:
        content = track.model_dump(mode="json", by_alias=True, exclude={"parts": {"__all__": {"location"}}})
        if content.get("study") is None:
            content.pop("study", None)
        for part in content["parts"]:
            for key in ("of", "perturbation"):
                if not part[key]:
                    del part[key]
        return content

    @field_validator("comparison", mode="before")
    @classmethod
    def _without_what_rows_hold(cls, content: Any) -> Any:
        return {**dict.fromkeys(IN_ROWS, ()), **content} if isinstance(content, Mapping) else content

    @field_serializer("comparison")
    def _what_rows_do_not_hold(self, comparison: Comparison) -> dict[str, Any]:
        content = dumped(comparison, but=frozenset({*IN_ROWS, "pairs"}))
        return {**content, "pairs": [found.model_dump(mode="json") for found in comparison.pairs]}


def best_of(rows: Sequence[Row], measure: str) -> dict[str, float]:
    """By column the highest value among rows that stand and have not seen its data, without the noise of float sums.

    See ``leads``.
    """
    best: dict[str, float] = {}
    for row in rows:
        for column, cell in row.cells[measure].items() if row.withdrawn is None else ():
            if cell.value is not None and not cell.may_have_seen:
                best[column] = max(best.get(column, -math.inf), without_noise(cell.value))
    return best


def leads(row: Row, measure: str, column: str, best: Mapping[str, float]) -> bool:
    """Whether the row's value is the best of its column, alone or with others: ranks, pages and exports agree on it."""
    cell = row.cells[measure][column]
    if row.withdrawn is not None or cell.value is None or cell.may_have_seen:
        return False
    return without_noise(cell.value) == best.get(column)


def without_noise(value: float) -> float:
    """Twelve decimals: equal sums of the same numbers in another order are equal."""
    return round(value, 12)


def read_leaderboard(folder: Path) -> Leaderboard:
    path = folder / FILE_NAME
    try:
        content = dict(parse_json(read_bytes(path, TABLE_BYTES)))
    except (WrongUsage, ValueError, TypeError) as error:
        raise InvalidInput(f"{path} is not a leaderboard; `xdr leaderboard` makes it") from error
    return checked(Leaderboard, migrated("leaderboard", content, str(path)), str(path))


def columns_of(board: Leaderboard) -> list[str]:
    """Column names in the order of tables: the macro average, then its parts, then the parts outside it."""
    inside = [column.part for column in board.columns if column.in_macro]
    outside = [column.part for column in board.columns if not column.in_macro]
    return [MACRO, *inside, *outside]
