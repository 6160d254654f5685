"""Measures that look for answers in passages: a hit in one of the first of a ranking, or none.

Their ceiling takes one pass over all passages, shared by all parts that have the same ones, so that a collection of millions
is read once.
"""

from __future__ import annotations

import abc
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import accumulate
from typing import Self

import ahocorasick_rs

from harness import progress
from harness.measures.base import BestRankings, Judged, Measure
from harness.records import Doc, Passages

_YES_NO = frozenset({"yes", "no"})
_DOCS_AT_ONCE = 4096


def span_answers(answers: Iterable[str]) -> tuple[str, ...]:
    """The answers that can be found in a passage: all but "yes" and "no"."""
    return tuple(answer for answer in answers if answer not in _YES_NO)


class OfAnswers(Measure):
    """What they share: questions with an answer other than yes and no are scored, and 1 is a hit, 0 none."""

    @abc.abstractmethod
    def searchable(self, text: str) -> str:
        """A form of a passage or an answer without line ends: where an answer is found, its form is part of the passage's."""

    @abc.abstractmethod
    def is_hit_by(self, answers: Sequence[str], text: str) -> bool:
        """Whether one passage, ranked first, makes a hit."""

    def applies_to(self, judged: Judged) -> bool:
        return judged.collection.answers is not None

    def scored_queries(self, judged: Judged) -> tuple[str, ...]:
        answers = judged.collection.answers or {}
        return tuple(query_id for query_id in judged.query_ids if span_answers(answers.get(query_id, ())))

    def helpfulness(self, judged: Judged, query_id: str, doc_id: str) -> float:
        return float(self.is_hit_by((judged.collection.answers or {}).get(query_id, ()), judged.docs.get(doc_id).text))

    @classmethod
    def best_rankings(cls, measures: Sequence[Self], parts: Sequence[Judged]) -> list[BestRankings]:
        found: list[BestRankings] = [{} for _ in parts]
        by_docs: dict[str, list[int]] = {}
        for number, judged in enumerate(parts):
            by_docs.setdefault(judged.docs.digest, []).append(number)
        for numbers in by_docs.values():
            answers = [_answers_of(parts[number]) for number in numbers]
            hits = first_hits(measures, answers, parts[numbers[0]].docs)
            for number, by_measure in zip(numbers, hits, strict=True):
                found[number].update(by_measure)
        return found


def _answers_of(judged: Judged) -> dict[str, tuple[str, ...]]:
    """By query id, the answers that can be looked for; queries without any are left out."""
    found = {query_id: span_answers(answers) for query_id, answers in (judged.collection.answers or {}).items()}
    return {query_id: answers for query_id, answers in found.items() if answers}


def first_hits(
    measures: Sequence[OfAnswers], parts: Sequence[Mapping[str, Sequence[str]]], docs: Passages
) -> list[BestRankings]:
    """For each part, by measure and query id, the first passage that makes a hit by itself, in a list; none, where none does.

    ``measures``: of one class, so that they look for answers alike; ``parts``: answers by query id.
    """
    found: list[BestRankings] = [{measure.name: {} for measure in measures} for _ in parts]
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

    def __init__(self, measure: OfAnswers, block: Sequence[Doc], answers: Mapping[int, Sequence[str]]) -> None:
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
