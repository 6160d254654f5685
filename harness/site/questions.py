"""The questions on which a system and the baseline differ most."""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple

from harness.collections.view import load
from harness.site.evidence import Site

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
    """Questions that the system gains most on, and loses most on, with the numbers of all that it gains and loses."""

    gained: tuple[Extreme, ...]
    lost: tuple[Extreme, ...]
    gains: int
    losses: int


def most_different(site: Site, system: str) -> Extremes:
    """At most ten each way, the largest differences first; where many are as large, all parts take turns."""
    scores = {score.system: score for score in site.scores}
    own, theirs = scores[system], scores[site.track.baseline]
    primary = site.track.primary
    found: list[Extreme] = []
    for part in site.track.parts:
        one, two = own.values.get((part.name, primary)), theirs.values.get((part.name, primary))
        if not one or not two:
            continue
        texts = {query.query_id: query.text for query in load(part.dataset_id).queries}
        found += [
            Extreme(part.name, part.lang, query_id, texts[query_id], value, two[query_id])
            for query_id, value in one.items()
            if value != two[query_id]
        ]
    gained = _largest_first([extreme for extreme in found if extreme.value > extreme.baseline])
    lost = _largest_first([extreme for extreme in found if extreme.value < extreme.baseline])
    return Extremes(tuple(gained[:SHOWN]), tuple(lost[:SHOWN]), len(gained), len(lost))


def _largest_first(extremes: list[Extreme]) -> list[Extreme]:
    ordered = sorted(extremes, key=lambda extreme: -abs(extreme.value - extreme.baseline))
    turns: Counter[tuple[str, float]] = Counter()
    keyed = []
    for extreme in ordered:
        size = abs(extreme.value - extreme.baseline)
        keyed.append((-size, turns[extreme.part, size], extreme))
        turns[extreme.part, size] += 1
    return [extreme for _, _, extreme in sorted(keyed, key=lambda entry: entry[:2])]
