"""What the best and a random ranking would score on a part: the room that is left to systems.

The ceiling is the score of a ranking that knows the truth, which each measure makes for itself. Answers are those of a perfect
reader: what a reader then misses is no fault of a ranking. The result is kept in the
cache folder, sealed, under a digest of all that it depends on.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from harness.errors import InvalidInput
from harness.files.derived import Derived, Made
from harness.files.writing import cache_home
from harness.files.yaml_records import digest_of
from harness.measures import Judged, Measure, best_rankings, score_all
from harness.measures.base import Rankings
from harness.measures.read_answers import PerfectReader
from harness.tracks import Part, Track

VERSION = "bounds 4"
SAMPLES = 10
"""Random rankings of each query, over which the random score is a mean."""

_KEY = 20230723


class Reach(NamedTuple):
    ceiling: float
    random: float


def bounds_of(track: Track) -> dict[str, dict[str, Reach]]:
    """Bounds by part and measure."""
    parts = {part.name: Judged(part.collection, PerfectReader(part.collection)) for part in track.clean_parts}
    measures = [track.measure(name) for name in track.measures]
    sealed = {part.name: _sealed(track, part) for part in track.clean_parts}
    found = {
        name: {measure: Reach(*reach) for measure, reach in kept.items()}
        for name, bounds in sealed.items()
        if (kept := bounds.kept()) is not None
    }
    missing = {name: judged for name, judged in parts.items() if name not in found}
    for (name, judged), best in zip(missing.items(), best_rankings(measures, list(missing.values())), strict=True):
        found[name] = _bounds(track, measures, judged, best)
        # What cannot be kept is computed again: a full disk is no reason to have no leaderboard.
        with contextlib.suppress(InvalidInput):
            sealed[name].keep(Made(value=found[name]))
    return {name: found[name] for name in parts}


def _bounds(
    track: Track, measures: Sequence[Measure], judged: Judged, best: Mapping[str, Rankings]
) -> dict[str, Reach]:
    def allowed(rankings: Rankings) -> Rankings:
        """As runs are: cut at the depth, and without the query's own passage where the track leaves that out."""
        if track.exclude_own_document:
            rankings = {query_id: [doc for doc in ids if doc != query_id] for query_id, ids in rankings.items()}
        return {query_id: ids[: track.depth] for query_id, ids in rankings.items()}

    depth = track.depth + track.exclude_own_document
    draws = [score_all(measures, judged, allowed(rankings)) for rankings in _random_rankings(judged, depth)]
    found = {}
    for name in (measure.name for measure in measures):
        drawn = [draw[name] for draw in draws]
        reached = score_all([m for m in measures if m.name == name], judged, allowed(best[name]))[name]
        # Answers that span passages are found by chance alone: no ranking is above the ceiling, nor is a random one.
        ceiling = {query_id: max(value, *(draw[query_id] for draw in drawn)) for query_id, value in reached.items()}
        found[name] = Reach(_mean(ceiling), float(np.mean([_mean(draw) for draw in drawn])))
    return found


def _random_rankings(judged: Judged, depth: int) -> Iterator[dict[str, tuple[str, ...]]]:
    ids = judged.docs.ids
    count = min(depth, len(ids))
    # Raw words of Philox: the same in every version of NumPy, unlike the choices that it makes of them.
    words = np.random.Philox(key=_KEY)
    for _ in range(SAMPLES):
        yield {
            query_id: tuple(ids[number] for number in different_numbers(words, count, len(ids)).tolist())
            for query_id in judged.query_ids
        }


def different_numbers(words: np.random.Philox, count: int, below: int) -> NDArray[np.int64]:
    """``count`` different numbers in [0, below), in random order, all orders being equally likely but for 1 in 2^32."""
    if 16 * count > below:
        return np.argsort(words.random_raw(below), kind="stable")[:count]
    # From a large range few numbers are drawn twice.
    numbers = np.empty(0, np.int64)
    while len(numbers) < count:
        drawn = (words.random_raw(count) >> np.uint64(32)) * np.uint64(below) >> np.uint64(32)
        numbers = np.concatenate([numbers, drawn.astype(np.int64)])
        numbers = numbers[np.sort(np.unique(numbers, return_index=True)[1])]
    return numbers[:count]


def _sealed(track: Track, part: Part) -> Derived:
    versions = track.measure_versions()
    depends_on = [VERSION, part.collection.digests.as_dict(), versions, track.depth, SAMPLES, _KEY]
    if track.exclude_own_document:
        depends_on.append("without the query's own document")
    return Derived(cache_home() / "bounds" / digest_of(depends_on)[:32], depends_on)


def _mean(values: Mapping[str, float]) -> float:
    return float(np.mean(list(values.values()))) if values else 0.0
