"""How a reader does with the relevant passages alone: what is missing there is the reader's fault, not the retriever's."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from harness.measures import Judged, Measure
from harness.numbers import percent
from harness.runs.readings import gold_of
from harness.tracks import Track

ENOUGH = 0.4
"""Exact match on relevant passages below which differences between systems are mostly the reader's."""


def gold_values(measures: Sequence[Measure], judged: Judged) -> dict[str, float]:
    """The mean of each measure of answers over the questions with relevant passages, if these alone had been found."""
    values = {}
    for measure in measures:
        if measure.reading is None:
            continue
        rankings = {query_id: gold_of(judged.collection, query_id) for query_id in measure.scored_queries(judged)}
        found = measure.score(judged, rankings)
        kept = [found[query_id] for query_id, gold in rankings.items() if gold]
        if kept:
            values[measure.name] = math.fsum(kept) / len(kept)
    return values


def gold_in_words(track: Track, gold: Mapping[str, Mapping[str, float]]) -> list[str]:
    """A line for each measure of answers: the reader's ceiling by part, and whether the reader can carry the question."""
    lines = []
    for measure in map(track.measure, track.measures):
        by_part = {part: own[measure.name] for part, own in gold.items() if measure.name in own}
        if not by_part:
            continue
        shown = ", ".join(f"{part} {percent(value)}" for part, value in by_part.items())
        line = f"{measure.name} of the reader with the relevant passages alone: {shown}"
        mean = math.fsum(by_part.values()) / len(by_part)
        if measure.name.startswith("EM@") and mean < ENOUGH:
            line += f"; below {percent(ENOUGH, 0)}: this reader cannot carry the question, AnswerRecall leads"
        lines.append(line)
    return lines
