"""Tracks and score files out of a few numbers, for tests of what comes after scoring."""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any

from harness.runs.score_file import ScoreFile
from harness.tracks import Track


def track_of(*parts: str, **fields: Any) -> Track:
    """A track whose parts are their own languages, with RR as its primary measure and the baseline ``base``."""
    content = {
        "schema_version": 1,
        "name": "toy",
        "version": 1,
        "title": "Toy",
        "description": "",
        "parts": [{"name": part, "dataset": f"toy/{part}", "lang": part} for part in parts],
        "measures": ["RR"],
        "primary": "RR",
        "depth": 10,
        "baseline": "base",
        "families": {"resamples": 2000, "seed": 7},
    }
    return Track.model_validate({**content, **fields})


def scores_of(
    system: str,
    values: Mapping[str, Mapping[str, float]],
    units: Mapping[str, str] | None = None,
    measure: str = "RR",
    **context: Any,
) -> ScoreFile:
    """Scores ``{part: {query id: value}}``; a query's unit is ``units[query id]``, by default its id."""
    units = units or {}
    return ScoreFile(
        system=system,
        values={(part, measure): dict(own) for part, own in values.items()},
        units={(part, q): (q, units.get(q, q)) for part, own in values.items() for q in own},
        langs={part: part for part in values},
        context={
            "key": f"key of {system}",
            "measures": {measure: "1"},
            "track": {"name": "toy", "version": 1, "depth": 10, "unit": "topic"},
            "data": {part: {"docs": "d", "queries": "q", "qrels": "r", "answers": ""} for part in values},
            "languages": {part: part for part in values},
            "warnings": {},
            "ties": {},
            **context,
        },
    )


def random_hits(rng: random.Random, queries: Mapping[str, int], chance: float = 0.5) -> dict[str, dict[str, float]]:
    return {part: {f"{part}{i}": float(rng.random() < chance) for i in range(n)} for part, n in queries.items()}


# -- the comparison of systems
