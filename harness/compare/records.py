"""What a comparison says, as records and as a file (``runs/TRACK/comparison.json``)."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import model_validator

from harness.errors import InvalidInput, WrongUsage
from harness.files.limits import TABLE_BYTES
from harness.files.migrations import CURRENT, migrated
from harness.files.reading import parse_json, read_bytes
from harness.files.toml_records import Record, checked
from harness.files.writing import write_text

SCHEMA_VERSION = CURRENT["comparison"]
MACRO = "macro"
FamilyName = Literal["macro", "per language", "all pairs", "drops", "differences of drops", "transfers"]


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
    decision of the declared family, null where none was declared. ``interval``, ``effect`` (see estimates.py) and,
    on the macro average, ``t_p`` (the stratified t test) are given for the primary measure. ``resamples`` are the draws that p
    is of, more than the declared ones where those could not decide, and null where p is exact; ``p_error`` is p's
    Monte-Carlo standard error, 0 where p is exact.
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
    resamples: int | None = None
    p_error: float | None = None


class Drop(Record):
    """What a perturbation costs a system on a part or on the macro average: ``clean`` less ``perturbed``, mean of the draws.

    ``p`` is of the random choices of choices.py, and null, with its error, where the questions were chosen against a system:
    the worst of several draws lies below the clean text by construction. ``p_adjusted``, ``significant`` and ``detectable``,
    the smallest drop that the test would find in four of five cases, are null where the drop is in no declared family.
    ``retention``: the share of clean hits that are kept, null where the measure is not hit or miss. A drop ranks nothing.
    """

    system: str
    perturbation: str
    measure: str
    column: str
    draws: int
    clean: float
    perturbed: float
    drop: float
    interval: Bounds | None
    p: float | None
    p_error: float | None
    p_adjusted: float | None = None
    significant: bool | None = None
    detectable: float | None = None
    retention: float | None
    retention_interval: Bounds | None


class DropDifference(Record):
    """A system's drop of the primary measure less that of the one ``against`` which it is held, macro average.

    ``conditioned``: the same on the topics that both systems hit cleanly, so many; it is chosen by a result and tested by
    nothing, null where a part has no such topic or the measure is not hit or miss.
    """

    system: str
    against: str
    perturbation: str
    difference: float
    interval: Bounds | None
    p: float
    p_error: float
    p_adjusted: float
    significant: bool
    conditioned: float | None
    conditioned_interval: Bounds | None
    conditioned_topics: int


class Transfer(Record):
    """What questions that were chosen against one system, ``attacked``, cost another beyond unselected ones, primary measure.

    ``unselected``: its mean over ``draws`` draws of the same edits that nobody selected; ``found``: on the chosen questions;
    ``loss``: the first less the second. Were the choice of no account to the system, what was chosen would be exchangeable with
    the unselected draws, and ``p`` is of the random choices of choices.py. On the attacked system itself it is by construction:
    nothing is tested there, nor decided on a single part. ``detectable`` as in ``Drop``.
    """

    system: str
    perturbation: str
    attacked: str
    column: str
    draws: int
    clean: float
    unselected: float
    found: float
    loss: float
    interval: Bounds | None
    p: float | None = None
    p_error: float | None = None
    p_adjusted: float | None = None
    significant: bool | None = None
    detectable: float | None = None


class Family(Record):
    """A declared family.

    ``size``: its tests; of drops those included that were declared and not run. ``resamples``: draws of each test; of the
    planned families, before any were raised. ``undecided``: tests whose p lies within three Monte-Carlo errors of what decides,
    even after raising: another seed might decide otherwise.
    """

    name: FamilyName
    measure: str
    size: int
    correction: str
    smallest_adjusted_p: float
    resamples: int | None = None
    undecided: int = 0


class Pairs(Record):
    """The test of all pairs on one column and measure, in counts.

    ``at_least``: for systems 1 and 2, 1 and 3, ..., 2 and 3, ..., in how many of the ``resamples`` the largest statistic of
    any pair reached the pair's own. ``exact``: the resamples are all assignments of signs, and p is a share of them.
    """

    measure: str
    column: str
    systems: tuple[str, ...]
    resamples: int
    exact: bool
    at_least: tuple[int, ...]

    def p_adjusted(self, one: str, two: str) -> float | None:
        """p of two different systems, adjusted for all pairs; None where one of them is not in this column."""
        if one == two or one not in self.systems or two not in self.systems:
            return None
        i, j = sorted((self.systems.index(one), self.systems.index(two)))
        place = i * (2 * len(self.systems) - i - 1) // 2 + j - i - 1
        drawn = 0 if self.exact else 1
        return (self.at_least[place] + drawn) / (self.resamples + drawn)

    def counts_among(self, systems: Sequence[str]) -> NDArray[np.int64]:
        """``at_least`` of every two of ``systems``, shape (K, K); -1 of one with itself, or that is not in this column."""
        count = len(self.systems)
        own = np.full((count + 1, count + 1), -1)
        upper = np.triu_indices(count, 1)
        own[upper] = self.at_least
        own[upper[1], upper[0]] = self.at_least
        known = {name: place for place, name in enumerate(self.systems)}
        places = [known.get(name, count) for name in systems]  # the last row is that of those who are not there
        return own[np.ix_(places, places)]


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
    """All tests of a track: what was tested, how, and what came out. ``warnings`` speak against the track's unit.

    Every decided test has its family.
    """

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
    pairs: tuple[Pairs, ...] = ()
    warnings: tuple[str, ...] = ()
    drops: tuple[Drop, ...] = ()
    drop_differences: tuple[DropDifference, ...] = ()
    transfers: tuple[Transfer, ...] = ()
    scores: dict[str, str]

    @model_validator(mode="after")
    def _with_their_families(self) -> Comparison:
        decided: set[FamilyName] = {
            planned_family(one.column) for one in self.differences if one.p_adjusted is not None
        }
        decided |= {"drops" for one in self.drops if one.p_adjusted is not None}
        decided |= {"differences of drops" for _ in self.drop_differences}
        decided |= {"transfers" for one in self.transfers if one.p_adjusted is not None}
        if lacking := decided - {family.name for family in self.families}:
            raise ValueError(
                f"tests are decided in families that are not among `families`: {', '.join(sorted(lacking))}"
            )
        return self

    @model_validator(mode="after")
    def _with_the_drops_of_their_differences(self) -> Comparison:
        planned = {(drop.system, drop.perturbation) for drop in self.drops if drop.p_adjusted is not None}
        for one in self.drop_differences:
            for system in (one.system, one.against):
                if (system, one.perturbation) not in planned:
                    raise ValueError(
                        f"a difference of drops is of {system}, {one.perturbation}, which has no planned drop"
                    )
        return self

    def smallest_p(self, family: FamilyName) -> float:
        """The smallest adjusted p that a test of the family could have. Raises ``KeyError`` where there is none."""
        return {own.name: own.smallest_adjusted_p for own in self.families}[family]

    def pairs_on(self, column: str, measure: str) -> Pairs | None:
        return pairs_on(self.pairs, column, measure)

    def fewer_to_lose(self, one: DropDifference) -> tuple[float, float] | None:
        """The clean values of the two systems, where the first loses less and finds less without perturbations.

        Such a system may lose fewer points as it finds less, not as it is any more robust.
        """
        drops = {(d.system, d.perturbation): d for d in self.drops if d.p_adjusted is not None}
        own, base = (drops[system, one.perturbation] for system in (one.system, one.against))
        return (own.clean, base.clean) if one.difference < 0 and own.clean < base.clean else None


def planned_family(column: str) -> Literal["macro", "per language"]:
    """Where a test against the baseline is decided."""
    return "macro" if column == MACRO else "per language"


def pairs_on(pairs: Sequence[Pairs], column: str, measure: str) -> Pairs | None:
    """The test of all pairs on a column and measure, if there is one."""
    return next((found for found in pairs if (found.column, found.measure) == (column, measure)), None)


def comparison_text(comparison: Comparison) -> str:
    return json_text(dumped(comparison))


def dumped(comparison: Comparison, but: frozenset[str] = frozenset()) -> dict[str, Any]:
    """The comparison as plain data without the fields ``but``, and without drops where the track perturbs nothing."""
    idle = {name for name in ("drops", "drop_differences", "transfers") if not getattr(comparison, name)}
    return comparison.model_dump(mode="json", exclude={*but, *idle})


_PLACE = re.compile(r'"\\u0000(\d+)\\u0000"')


def json_text(content: Any) -> str:
    """JSON with one value on a line, but lists of counts on one: those of all pairs would fill thousands.

    Counts are written apart, by the encoder that does not indent: the other one takes ten times the memory of its text.
    """
    counts: list[Sequence[int]] = []
    text = json.dumps(_without_counts(content, counts), indent=1, ensure_ascii=False, allow_nan=False)
    found = _PLACE.split(text)
    if found[1::2] != [str(place) for place in range(len(counts))]:
        raise InvalidInput("a text of this result holds the character U+0000; take it out")
    found[1::2] = [json.dumps(own) for own in counts]
    return "".join(found) + "\n"


def _without_counts(content: Any, counts: list[Sequence[int]]) -> Any:
    """The content with a mark in the place of each list of counts, which are put into ``counts``."""
    if isinstance(content, Mapping):
        return {key: _without_counts(value, counts) for key, value in content.items()}
    if not isinstance(content, list | tuple):
        return content
    if content and all(type(value) is int and value >= 0 for value in content):
        counts.append(content)
        return f"\0{len(counts) - 1}\0"
    return [_without_counts(value, counts) for value in content]


def write_comparison(path: Path, comparison: Comparison) -> None:
    write_text(path, comparison_text(comparison))


def read_comparison(path: Path) -> Comparison:
    try:
        content = dict(parse_json(read_bytes(path, TABLE_BYTES)))
    except (WrongUsage, ValueError, TypeError) as error:
        raise InvalidInput(f"{path} is not a comparison; `xdr compare` makes it") from error
    return checked(Comparison, migrated("comparison", content, str(path)), str(path))
