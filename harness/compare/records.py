"""What a comparison says, as records and as a file (``runs/TRACK/comparison.json``)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal

from harness.config import Record, checked
from harness.errors import InvalidInput, WrongUsage
from harness.files import write_text
from harness.limits import RESULT_BYTES
from harness.migrations import CURRENT, migrated
from harness.reading import parse_json, read_bytes

SCHEMA_VERSION = CURRENT["comparison"]
MACRO = "macro"


class Bounds(Record):
    """A 95% confidence interval and the method that made it."""

    lower: float
    upper: float
    method: str


class Mean(Record):
    """A system's mean of the primary measure on one part, or its macro average, with its interval."""

    system: str
    column: str
    value: float
    interval: Bounds | None


class Difference(Record):
    """One system against the baseline on one part, or on the macro average.

    ``p_adjusted`` is null where the measure is not the primary one: such tests are exploratory. ``significant`` is the
    decision of the declared family, null where none was declared. ``interval``, ``effect`` (Cohen's d_z over units) and,
    on the macro average, ``t_p`` (the stratified t test) are given for the primary measure.
    """

    system: str
    column: str
    measure: str
    difference: float
    p: float
    p_adjusted: float | None
    significant: bool | None
    wins: int
    ties: int
    losses: int
    interval: Bounds | None = None
    effect: float | None = None
    t_p: float | None = None


class Family(Record):
    name: Literal["macro", "per language", "all pairs"]
    measure: str
    size: int
    correction: str
    smallest_adjusted_p: float


class Standing(Record):
    """A system among all: it shares a letter with exactly those from which it does not differ significantly.

    On the macro average this is the declared family of all pairs; on one part it is exploratory.
    """

    system: str
    column: str = MACRO
    letters: tuple[str, ...]
    best_rank: int
    worst_rank: int


class Comparison(Record):
    """All tests of a track: what was tested, how, and what came out."""

    schema_version: int
    track: dict[str, Any]
    baseline: str
    test: str
    unit: str
    alpha: float
    resamples: int
    all_pairs_resamples: int
    seed: int
    systems: tuple[str, ...]
    families: tuple[Family, ...]
    differences: tuple[Difference, ...]
    means: tuple[Mean, ...]
    standings: tuple[Standing, ...]
    scores: dict[str, str]


def comparison_text(comparison: Comparison) -> str:
    content = comparison.model_dump(mode="json")
    return json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def write_comparison(path: Path, comparison: Comparison) -> None:
    write_text(path, comparison_text(comparison))


def read_comparison(path: Path) -> Comparison:
    try:
        content = dict(parse_json(read_bytes(path, RESULT_BYTES)))
    except (WrongUsage, ValueError, TypeError) as error:
        raise InvalidInput(f"{path} is not a comparison; `xdr compare` makes it") from error
    return checked(Comparison, migrated("comparison", content, str(path)), str(path))
