"""What the best and a random ranking would score on a part: the room that is left to systems.

The ceiling is the score of a ranking that knows the judgements. Where answers are looked for in passages it takes one pass
over all of them, shared by all parts that have the same passages, so that a collection of millions is read once; the result
is kept in the cache folder, with a checksum, under a digest of all that it depends on.
"""

from __future__ import annotations

import contextlib
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from itertools import accumulate
from pathlib import Path
from typing import NamedTuple

import ahocorasick_rs
import numpy as np
from numpy.typing import NDArray

from harness import progress
from harness.errors import InvalidInput
from harness.files.sealed_lines import sealed_line, unsealed
from harness.files.writing import atomic_write, cache_home
from harness.files.yaml_records import digest_of
from harness.measures import Judged, parse, score_all
from harness.measures.base import AnswerMeasure, Measure
from harness.measures.token_recall import span_answers
from harness.records import Doc, Passages
from harness.tracks import Part, Track

VERSION = "bounds 3"
SAMPLES = 10
"""Random rankings of each query, over which the random score is a mean."""

_KEY = 20230723
_DOCS_AT_ONCE = 4096


class Reach(NamedTuple):
    ceiling: float
    random: float


def bounds_of(track: Track) -> dict[str, dict[str, Reach]]:
    """Bounds by part and measure."""
    parts = {part.name: Judged(part.collection) for part in track.parts}
    measures = [parse(name) for name in track.measures]
    files = {name: _file(track, part, measures) for name, part in zip(parts, track.parts, strict=True)}
    found = {name: kept for name, path in files.items() if (kept := _kept(path, track.measures)) is not None}
    missing = {name: judged for name, judged in parts.items() if name not in found}
    for (name, judged), best in zip(missing.items(), _best_rankings(measures, list(missing.values())), strict=True):
        found[name] = _bounds(track, measures, judged, best)
        _keep(files[name], found[name])
    return {name: found[name] for name in parts}


def _bounds(
    track: Track, measures: Sequence[Measure], judged: Judged, best: Mapping[str, Mapping[str, list[str]]]
) -> dict[str, Reach]:
    def allowed(rankings: Mapping[str, Sequence[str]]) -> dict[str, Sequence[str]]:
        """As runs are: cut at the depth, and without the query's own passage where the track leaves that out."""
        if track.exclude_own_document:
            rankings = {query_id: [doc for doc in ids if doc != query_id] for query_id, ids in rankings.items()}
        return {query_id: ids[: track.depth] for query_id, ids in rankings.items()}

    ceilings = {measure.name: _mean(measure.score(judged, allowed(best[measure.name]))) for measure in measures}
    depth = track.depth + track.exclude_own_document
    draws = [score_all(measures, judged, allowed(rankings)) for rankings in _random_rankings(judged, depth)]
    return {
        measure.name: Reach(ceilings[measure.name], float(np.mean([_mean(draw[measure.name]) for draw in draws])))
        for measure in measures
    }


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


def _best_rankings(measures: Sequence[Measure], parts: Sequence[Judged]) -> list[dict[str, dict[str, list[str]]]]:
    """For each part, by measure and query id, the passages that help the query first, as far as there are any."""
    found: list[dict[str, dict[str, list[str]]]] = [{} for _ in parts]
    for measure in measures:
        if not isinstance(measure, AnswerMeasure):
            for own, judged in zip(found, parts, strict=True):
                own[measure.name] = {query_id: _best_judged(judged, query_id) for query_id in judged.query_ids}
    by_docs: dict[str, list[int]] = {}
    for number, judged in enumerate(parts):
        by_docs.setdefault(judged.docs.digest, []).append(number)
    for kind in dict.fromkeys(type(measure) for measure in measures if isinstance(measure, AnswerMeasure)):
        alike = [measure for measure in measures if isinstance(measure, AnswerMeasure) and type(measure) is kind]
        for numbers in by_docs.values():
            answers = [answers_of(parts[number]) for number in numbers]
            hits = first_hits(alike, answers, parts[numbers[0]].docs)
            for number, by_measure in zip(numbers, hits, strict=True):
                found[number].update(by_measure)
    return found


def _best_judged(judged: Judged, query_id: str) -> list[str]:
    """Judged passages that are not in the collection are beyond the best of systems, and stay in the denominators."""
    grades = (judged.collection.qrels or {}).get(query_id, {})
    best = sorted((-grade, doc) for doc, grade in grades.items() if grade > 0 and doc in judged.docs)
    return [doc for _, doc in best]


def answers_of(judged: Judged) -> dict[str, tuple[str, ...]]:
    """By query id, the answers that can be looked for; queries without any are left out."""
    found = {query_id: span_answers(answers) for query_id, answers in (judged.collection.answers or {}).items()}
    return {query_id: answers for query_id, answers in found.items() if answers}


def first_hits(
    measures: Sequence[AnswerMeasure], parts: Sequence[Mapping[str, Sequence[str]]], docs: Passages
) -> list[dict[str, dict[str, list[str]]]]:
    """For each part, by measure and query id, the first passage that makes a hit by itself, in a list; none, where none does.

    ``measures``: of one class, so that they look for answers alike; ``parts``: answers by query id.
    """
    found: list[dict[str, dict[str, list[str]]]] = [{measure.name: {} for measure in measures} for _ in parts]
    answers = [(part, query_id, own) for part, by_query in enumerate(parts) for query_id, own in by_query.items()]
    wanted = [(number, measure) for number in range(len(answers)) for measure in measures]
    names = ", ".join(measure.name for measure in measures)
    with progress.task(f"ceiling of {names}", len(docs), "passages") as advance:
        # Most answers are found soon, and what is found need not be looked for again: short blocks come first.
        for block in _blocks(docs):
            if not wanted:
                break
            left = []
            candidates = _Candidates(measures[0], block, {number: answers[number][2] for number, _ in wanted})
            for number, measure in wanted:
                part, query_id, own = answers[number]
                hit = next((doc for doc in candidates.of(number) if measure.is_hit_by(own, doc.text)), None)
                if hit is None:
                    left.append((number, measure))
                else:
                    found[part][measure.name][query_id] = [hit.doc_id]
            wanted = left
            advance(len(block))
    return found


def _blocks(docs: Passages) -> Iterator[list[Doc]]:
    start, size = 0, 16
    while start < len(docs):
        yield docs[start : start + size]
        start, size = start + size, min(2 * size, _DOCS_AT_ONCE)


class _Candidates:
    """The passages of a block that may hold one of a query's answers, found by one automaton for all of them."""

    def __init__(self, measure: AnswerMeasure, block: Sequence[Doc], answers: Mapping[int, Sequence[str]]) -> None:
        self._block = block
        # White space is in no searchable text, so that nothing is found across two passages.
        texts = [_as_bytes(measure.searchable(doc.text)) for doc in block]
        starts = [0, *accumulate(len(text) + 1 for text in texts)]
        asking: dict[bytes, list[int]] = {}
        for number, own in answers.items():
            for answer in own:
                asking.setdefault(_as_bytes(measure.searchable(answer)), []).append(number)
        everywhere = asking.pop(b"", [])
        self._places: dict[int, set[int]] = {number: set(range(len(block))) for number in everywhere}
        patterns = list(asking)
        matches = ahocorasick_rs.BytesAhoCorasick(patterns).find_matches_as_indexes(b"\n".join(texts), overlapping=True)
        for pattern, start, _ in matches:
            place = bisect_right(starts, start) - 1
            for number in asking[patterns[pattern]]:
                self._places.setdefault(number, set()).add(place)

    def of(self, number: int) -> Iterator[Doc]:
        return (self._block[place] for place in sorted(self._places.get(number, ())))


def _as_bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _file(track: Track, part: Part, measures: Sequence[Measure]) -> Path:
    versions = {measure.name: measure.version for measure in measures}
    depends_on = [VERSION, part.collection.digests.as_dict(), versions, track.depth, SAMPLES, _KEY]
    if track.exclude_own_document:
        depends_on.append("without the query's own document")
    return cache_home() / "bounds" / digest_of(depends_on)[:32]


def _kept(path: Path, names: Sequence[str]) -> dict[str, Reach] | None:
    try:
        values = unsealed(path.read_bytes())
        return {name: Reach(*map(float, values[name])) for name in names}
    except (OSError, ValueError, TypeError, KeyError):
        return None


def _keep(path: Path, bounds: Mapping[str, Reach]) -> None:
    """What cannot be kept is computed again: a full disk is no reason to have no leaderboard."""
    with contextlib.suppress(InvalidInput), atomic_write(path) as file:
        file.write(sealed_line({name: list(own) for name, own in bounds.items()}))


def _mean(values: Mapping[str, float]) -> float:
    return float(np.mean(list(values.values()))) if values else 0.0
