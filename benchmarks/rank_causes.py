"""Why two sides rank a passage differently: the way from the scores of one to those of the other, one change at a time.

A way of scoring says what was changed against the way before it. Where the rank of a question's relevant passage is another one
after a change, that change is named as a reason, and whether equal scores have a part in it.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Way:
    """``scores``: shape (questions, passages), -inf where a ranking ends before the passage; ``change``: what is new in it."""

    title: str
    change: str
    scores: NDArray[np.floating]


@dataclass(frozen=True)
class Labels:
    """What rows and columns of scores are: ids of questions and passages, and the passages that are relevant."""

    query_ids: Sequence[str]
    doc_ids: Sequence[str]
    relevant: Mapping[str, str]
    """By question, the one passage that is looked at."""
    depth: int
    """Ranks below it are one and the same."""


class Moved(NamedTuple):
    """A question whose relevant passage has other ranks at both ends.

    ``ranks``: by each way, depth + 1 for all below the depth. ``gap``: how far, by the last way's scores, it is from the
    farthest passage that changed sides.
    """

    query_id: str
    doc_id: str
    ranks: tuple[int, ...]
    gap: float
    reasons: tuple[str, ...]


TIE = "equal scores"


def ordered(doc_ids: Sequence[str], scores: NDArray[np.floating]) -> list[int]:
    """Places of the passages, best first: score descending, then id descending, as in trec_eval."""
    return sorted(range(len(doc_ids)), key=lambda place: (float(scores[place]), doc_ids[place]), reverse=True)


def ranking(labels: Labels, scores: NDArray[np.floating]) -> list[str]:
    """Ids of the passages that one question's scores rank, best first, to the depth."""
    places = (place for place in ordered(labels.doc_ids, scores) if not np.isneginf(scores[place]))
    return [labels.doc_ids[place] for place in itertools.islice(places, labels.depth)]


def moved(ways: Sequence[Way], labels: Labels) -> Iterator[Moved]:
    """The questions whose relevant passage has another rank by the last way than by the first, each with the reasons."""
    place_of = {doc_id: place for place, doc_id in enumerate(labels.doc_ids)}
    for row, query_id in enumerate(labels.query_ids):
        doc_id = labels.relevant[query_id]
        own = place_of[doc_id]
        above = [_above(labels.doc_ids, way.scores[row], own) for way in ways]
        ranks = tuple(min(len(places), labels.depth) + 1 for places in above)
        if ranks[0] == ranks[-1]:
            continue
        reasons: list[str] = []
        for step, (before, after) in enumerate(itertools.pairwise(ways)):
            if ranks[step] == ranks[step + 1]:
                continue
            changed = above[step] ^ above[step + 1]
            has_tie = any(
                way.scores[row, place] == way.scores[row, own] for way in (before, after) for place in changed
            )
            reasons.append(f"{after.change} ({TIE})" if has_tie else after.change)
        last = ways[-1].scores[row].astype(np.float64)
        gap = max(abs(last[place] - last[own]) for place in above[0] ^ above[-1])
        yield Moved(query_id, doc_id, ranks, float(gap), tuple(reasons))


def _above(doc_ids: Sequence[str], scores: NDArray[np.floating], own: int) -> set[int]:
    """Places of the passages that stand above one."""
    if np.isneginf(scores[own]):  # below the end of the ranking
        return set(np.flatnonzero(~np.isneginf(scores)).tolist())
    equal = {place for place in np.flatnonzero(scores == scores[own]).tolist() if doc_ids[place] > doc_ids[own]}
    return set(np.flatnonzero(scores > scores[own]).tolist()) | equal


def tied(scores: NDArray[np.floating], labels: Labels, first: int) -> list[tuple[str, int, tuple[str, ...]]]:
    """Groups of equal scores that begin within the first places: question, rank of the group's first, its passages."""
    found = []
    for row, query_id in enumerate(labels.query_ids):
        order = [place for place in ordered(labels.doc_ids, scores[row]) if not np.isneginf(scores[row, place])]
        start = 0
        while start < min(first, len(order)):
            end = start + 1
            while end < len(order) and scores[row, order[end]] == scores[row, order[start]]:
                end += 1
            if end - start > 1:
                found.append((query_id, start + 1, tuple(labels.doc_ids[place] for place in order[start:end])))
            start = end
    return found
