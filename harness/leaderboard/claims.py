"""What the paper on query generation claims, as data: claim by claim the published value, whether it was checked, and ours.

A claim is "verified" where it was read in its source, "derived" where it was calculated from values that were, and "secondary"
where it is known from texts about the source alone: such a value is shown here and enters no table of published results.
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib import resources
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, StringConstraints, model_validator

from harness.compare.records import MACRO
from harness.files.toml_records import Name, PartName, Record, Text, checked, read_toml
from harness.leaderboard.table import FILE_NAME, Leaderboard, Row, read_leaderboard

Line = Annotated[str, StringConstraints(min_length=1, max_length=1000)]

STATUS_IN_WORDS = {
    "verified": "verified",
    "derived": "calculated from verified cells",
    "secondary": "secondary, not verified",
}


class Ours(Record):
    """Two rows of a track that show the same mechanism here, on other data; ``by_language``: part by part."""

    track: PartName
    measure: Line
    without: Name
    with_: Name = Field(alias="with")
    by_language: bool = False


class Claim(Record):
    """``checked``: what was held against the value; ``needs``: what it would take to measure it here."""

    id: PartName
    claim: Line
    published: Line
    source: Line
    status: Literal["verified", "derived", "secondary"]
    checked: Text = ""
    needs: Line
    ours: Ours | None = None

    @model_validator(mode="after")
    def _checked_where_verified(self) -> Claim:
        if (self.status == "secondary") == bool(self.checked):
            raise ValueError("`checked` says how a verified value was held against its source, and is for no other")
        return self


class Claims(Record):
    schema_version: Literal[1]
    paper: Line
    claims: tuple[Claim, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _of_different_ids(self) -> Claims:
        ids = [claim.id for claim in self.claims]
        if twice := sorted({name for name in ids if ids.count(name) > 1}):
            raise ValueError(f"two claims are called {', '.join(twice)}")
        return self


def load_claims() -> Claims:
    """Raises ``InvalidInput`` where the file is invalid."""
    path = Path(str(resources.files("harness.leaderboard") / "claims.toml"))
    return checked(Claims, read_toml(path), str(path))


def ours_in_words(claim: Claim, runs: Path) -> str:
    """What the runs of record say about a claim; a dash where they say nothing.

    Raises ``InvalidInput`` where a recorded table cannot be read.
    """
    if claim.ours is None:
        return "–"
    ours = claim.ours
    if not (runs / ours.track / FILE_NAME).is_file():
        return "–"
    board = read_leaderboard(runs / ours.track)
    rows = {row.system: row for row in board.rows}
    if ours.without not in rows or ours.with_ not in rows:
        return "–"
    one, two = rows[ours.without], rows[ours.with_]
    names = f"{ours.track}, {ours.measure}, `{ours.without}` -> `{ours.with_}`"
    if not ours.by_language:
        values = [_percent(row, ours.measure, MACRO) for row in (one, two)]
        return "–" if None in values else f"{values[0]:.1f} -> {values[1]:.1f} ({names})"
    return f"{', '.join(_differences(board, one, two, ours.measure))} ({names})"


def _differences(board: Leaderboard, one: Row, two: Row, measure: str) -> Iterator[str]:
    for part in (column.part for column in board.columns if column.part != MACRO):
        before, after = (_percent(row, measure, part) for row in (one, two))
        if before is not None and after is not None:
            yield f"{part} {after - before:+.1f}"


def _percent(row: Row, measure: str, part: str) -> float | None:
    value = row.cells[measure][part].value if part in row.cells.get(measure, {}) else None
    return None if value is None else 100 * value


def as_markdown(claims: Claims, runs: Path) -> str:
    """A table of all claims, a line each."""
    lines = [
        "| claim | published | verified? | what was checked | ours | what it would take |",
        "|---|---|---|---|---|---|",
    ]
    for claim in claims.claims:
        status = f"{STATUS_IN_WORDS[claim.status]}: {claim.source}"
        cells = (claim.claim, claim.published, status, claim.checked or "–", ours_in_words(claim, runs), claim.needs)
        lines.append(f"| {' | '.join(' '.join(cell.split()).replace('|', '/') for cell in cells)} |")
    return "\n".join(lines) + "\n"
