"""The questions on which a system and the baseline differ most."""

from __future__ import annotations

import heapq
from collections import Counter
from typing import NamedTuple

from harness.leaderboard.site.evidence import Site
from harness.tracks import Part

SHOWN = 10


class Extreme(NamedTuple):
    """A question with the primary measure of the system and of the baseline on it."""

    part: str
    lang: str
    query_id: str
    text: str
    value: float
    baseline: float


class Extremes(NamedTuple):
    """Questions that the system gains most on, and loses most on, with the numbers of all that it gains and loses.

    All are of the languages of the macro average, as the wins and losses of its tests are.
    """

    gained: tuple[Extreme, ...]
    lost: tuple[Extreme, ...]
    gains: int
    losses: int


def most_different(site: Site, system: str) -> Extremes:
    """At most ten each way, the largest differences first; where many are as large, all parts take turns."""
    own, theirs = site.score(system), site.score(site.track.baseline)
    primary = site.track.primary
    gained: list[tuple[float, int, Part, str]] = []
    lost: list[tuple[float, int, Part, str]] = []
    gains = losses = 0
    for part in map(site.track.part, site.track.macro_parts):
        one, two = own.scored(part.name, primary), theirs.scored(part.name, primary)
        if one is None or two is None:
            continue
        differences = list(zip((one.array - two.of(one.queries)).tolist(), one.queries.ids, strict=True))
        better = [(difference, query_id) for difference, query_id in differences if difference > 0]
        worse = [(-difference, query_id) for difference, query_id in differences if difference < 0]
        gains, losses = gains + len(better), losses + len(worse)
        gained += _with_turns(better, part)
        lost += _with_turns(worse, part)
    found = [_first(site, kept, system) for kept in (gained, lost)]
    return Extremes(found[0], found[1], gains, losses)


def _with_turns(differences: list[tuple[float, str]], part: Part) -> list[tuple[float, int, Part, str]]:
    """The part's largest differences, each with its turn among those of its own size; equal ones stay in their order."""
    turns: Counter[float] = Counter()
    found = []
    for size, query_id in heapq.nlargest(SHOWN, differences, key=lambda entry: entry[0]):
        found.append((-size, turns[size], part, query_id))
        turns[size] += 1
    return found


def _first(site: Site, kept: list[tuple[float, int, Part, str]], system: str) -> tuple[Extreme, ...]:
    own, theirs, primary = site.score(system), site.score(site.track.baseline), site.track.primary
    return tuple(
        Extreme(
            part.name,
            part.lang,
            query_id,
            part.collection.query(query_id).text,
            own.values[part.name, primary][query_id],
            theirs.values[part.name, primary][query_id],
        )
        for _, _, part, query_id in sorted(kept, key=lambda entry: entry[:2])[:SHOWN]
    )
