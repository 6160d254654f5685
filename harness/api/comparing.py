"""Two scored runs: is the difference more than chance?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from harness.api.scores import Scores
from harness.collections.view import Collection
from harness.compare.choices import rechosen
from harness.compare.drops import smallest_detectable
from harness.compare.estimates import difference_interval, effect_of, table_of
from harness.compare.pair_report import own_p
from harness.compare.records import MACRO
from harness.compare.signed_sums import Draws
from harness.errors import Finding, InvalidInput, WrongUsage, unknown_name
from harness.files.toml_records import checked
from harness.numbers import percent, probability
from harness.runs.score_file import ScoreFile
from harness.tracks import Part, Track
from harness.tracks.units import unit_warnings, units_of

Unit = Literal["topic", "relevant passage"]
ManyScores = Scores | Sequence[Scores] | Mapping[str, Scores]
"""Of one collection, or of several, one for each language."""
_UNITS = ("topic", "relevant passage")
_UNKNOWN_LANGUAGE = "und"


@dataclass(frozen=True)
class PairedDifference:
    """The first run less the second, paired query by query.

    Attributes
    ----------
    measure, first, second
        What was compared.
    difference
        Of the means; over several collections, of the means of their means (the macro average).
    interval
        95% confidence interval of the difference: Newcombe's of paired hits where the measure is hit or miss, else a
        bootstrap of units. None where nothing tells how far it could vary.
    p
        Two-sided, of the paired randomization test, corrected for nothing: a pair that was picked after looking at a table
        needs ``xdr compare``. Exact where ``floor`` is None, else of draws, and never below ``floor``.
    effect
        Standardised mean difference of units: Cohen's d_z where each is one query. None without variation.
    wins, ties, losses
        Queries on which the first run is better, equal, worse.
    units
        How many there are that were flipped and resampled as a whole, and what they are (``unit``).
    by_part
        The difference on each collection by itself, where there are several. Each is a test of its own.
    warnings
        What speaks against the unit, such as passages that units share.
    """

    measure: str
    first: str
    second: str
    difference: float
    interval: tuple[float, float] | None
    p: float
    floor: float | None
    effect: float | None
    wins: int
    ties: int
    losses: int
    units: int
    unit: str
    by_part: Mapping[str, PairedDifference] = field(default_factory=dict, repr=False)
    warnings: tuple[str, ...] = field(default=(), repr=False)
    _shares: Mapping[str, float] = field(default_factory=dict, repr=False)

    def detectable(self, level: float = 0.05, resamples: int = 10_000, seed: int = 20230723) -> float:
        """The smallest true difference that the test at ``level`` would find in four of five cases.

        What to say beside a difference that was not found; units vary as they do here. In a family of n tests ``level`` is
        the family's, divided by n. Simulated as for drops: ``harness.compare.drops.smallest_detectable``.
        """
        shares = np.array(list(self._shares.values()))
        # Flipping a sign is choosing which of two versions, the difference and nothing, is the first.
        versions = np.stack([shares, np.zeros_like(shares)], axis=1)[:, :, None]
        return smallest_detectable(
            rechosen(versions, list(self._shares), Draws(resamples, seed), [0]).resampled[0], level
        )

    def __repr__(self) -> str:
        return f"<{self}>"

    def __str__(self) -> str:
        between = " to ".join(percent(limit, signed=True) for limit in self.interval) if self.interval else "unknown"
        how = "exact" if self.floor is None else "of draws"
        effect = "" if self.effect is None else f", effect {self.effect:+.2f}"
        return (
            f"{self.first} less {self.second}, {self.measure} in %: {percent(self.difference, signed=True)} (95% {between}), "
            f"p {probability(self.p, self.floor)} ({how}){effect}; "
            f"{self.wins} queries won, {self.ties} tied, {self.losses} lost; {self.units} units ({self.unit})"
        )


def compare(
    first: ManyScores,
    second: ManyScores,
    measure: str = "",
    *,
    unit: Unit = "topic",
    resamples: int = 100_000,
    seed: int = 20230723,
) -> PairedDifference:
    """Compare two runs that were scored on the same collection, or on the same collections, one for each language.

    Parameters
    ----------
    first, second
        What ``score`` gave for each; for several languages two lists in the same order, or two mappings by the same names. The
        difference is then that of the macro averages, and the versions of one topic are one unit.
    measure
        One that both were scored by; may be left out where there is only one.
    unit
        What is flipped and resampled as one: queries of one ``"topic"``, or also those that share a ``"relevant passage"``.
    resamples, seed
        Of the randomization test, where it is not exact; intervals are of at most 10,000 resamples.

    Raises
    ------
    InvalidInput
        When the two were scored on other collections, or by other queries.
    WrongUsage
        For a measure that one of them was not scored by.
    """
    if unit not in _UNITS:
        raise unknown_name("unit", unit, _UNITS)
    ones, twos = _named(first), _named(second)
    if ones.keys() != twos.keys():
        raise WrongUsage(f"the first is scored on {', '.join(ones)}, the second on {', '.join(twos)}")
    name = measure or _only_measure([*ones.values(), *twos.values()])
    for scores in (*ones.values(), *twos.values()):
        if name not in scores:
            raise unknown_name("measure of these scores", name, list(scores))
    _check_same_collections(ones, twos)
    families = {"resamples": resamples, "all_pairs_resamples": max(1000, min(resamples, 10_000)), "seed": seed}
    parts = [Part.of(scores.collection, part, language_of(scores.collection)) for part, scores in ones.items()]
    # The values are there: what their measure is nobody asks any more, so that it may be of somebody's own.
    definition = {"schema_version": 1, "name": "comparison", "version": 1, "title": "comparison", "description": ""}
    asked = {"parts": tuple(parts), "measures": (name,), "primary": name, "depth": 1, "baseline": "second"}
    fields = {**definition, **asked, "unit": unit, "families": families}
    track = checked(Track, fields, "comparison", {"recorded": True})
    units = units_of(track)
    langs = {part.name: part.lang for part in parts}
    files = [
        ScoreFile(system, {(part, name): dict(own.per_query[name]) for part, own in scores.items()}, units, langs, {})
        for system, scores in (("first", ones), ("second", twos))
    ]
    columns = [MACRO, *(ones if len(ones) > 1 else ())]
    names = (_name_of(ones), _name_of(twos))
    found = {column: _difference(track, files, column, names) for column in columns}
    whole = found.pop(MACRO)
    return PairedDifference(**{**vars(whole), "by_part": found, "warnings": unit_warnings(track)})


def _difference(track: Track, files: Sequence[ScoreFile], column: str, names: tuple[str, str]) -> PairedDifference:
    one, two = files
    table, deltas = table_of(track, one, two, column, track.primary)
    if table is None:
        raise InvalidInput(f"{track.primary}: no queries are scored on {column}")
    p, floor = own_p(track, table)
    interval = difference_interval(track, one, two, column, track.primary)
    return PairedDifference(
        measure=track.primary,
        first=names[0],
        second=names[1],
        difference=table.macro,
        interval=(interval.lower, interval.upper) if interval else None,
        p=p,
        floor=floor,
        effect=effect_of(table),
        wins=int(np.count_nonzero(deltas > 0)),
        ties=int(np.count_nonzero(deltas == 0)),
        losses=int(np.count_nonzero(deltas < 0)),
        units=len(table.units),
        unit=track.unit,
        _shares=dict(zip(table.units, table.contributions().tolist(), strict=True)),
    )


def _named(given: ManyScores) -> dict[str, Scores]:
    """Scores by the name of a part: as given, else by the language of the questions, else by their place."""
    if isinstance(given, Scores):
        return {language_of(given.collection).lower(): given}
    if isinstance(given, Mapping):
        named: Mapping[str, Any] = given
        return {str(part): scores for part, scores in named.items()}
    tags = [language_of(scores.collection).lower() for scores in given]
    if len(set(tags)) < len(tags) or _UNKNOWN_LANGUAGE in tags:
        tags = [f"part-{place}" for place in range(1, len(tags) + 1)]
    if not tags:
        raise WrongUsage("there is nothing to compare: an empty list of scores")
    return dict(zip(tags, given, strict=True))


def language_of(collection: Collection) -> str:
    """That of all its questions; "und", undetermined, where they have none or several."""
    tags = {query.lang for query in collection.queries}
    return next(iter(tags)) if len(tags) == 1 and "" not in tags else _UNKNOWN_LANGUAGE


def _name_of(scores: Mapping[str, Scores]) -> str:
    return " + ".join(dict.fromkeys(own.name for own in scores.values()))


def _only_measure(scores: Sequence[Scores]) -> str:
    names = list(dict.fromkeys(name for own in scores for name in own))
    if len(names) > 1:
        raise WrongUsage(f"say which measure is compared: {', '.join(names)}")
    return names[0]


def _check_same_collections(ones: Mapping[str, Scores], twos: Mapping[str, Scores]) -> None:
    findings = []
    for part, one in ones.items():
        two = twos[part]
        if one.collection is two.collection:
            continue
        for kind, mine, theirs in (
            ("queries", one.collection.queries, two.collection.queries),
            ("qrels", one.collection.qrels, two.collection.qrels),
            ("answers", one.collection.answers, two.collection.answers),
        ):
            if mine != theirs:
                what = f"other {kind} than those of {one.collection.dataset_id}"
                findings.append(Finding("error", two.collection.dataset_id, what, "the same collection for both"))
    if findings:
        raise InvalidInput("the two runs are scored on different collections; score them again", findings)
