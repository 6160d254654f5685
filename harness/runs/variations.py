"""Variations of one card: the same system with some of its parameters changed, run and scored in the cache."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from harness.adapters.card import LoadedCard
from harness.adapters.contract import Context
from harness.files.yaml_records import digest_of
from harness.runs.execute import run_system
from harness.runs.score import score_system
from harness.runs.score_file import ScoreFile
from harness.runs.track_runs import TrackRuns
from harness.tracks import Track


def varied(base: LoadedCard, changes: Mapping[str, Any], served: tuple[str, ...] = ()) -> LoadedCard:
    """The card with some parameters changed, under a name of its own; ``served`` empty means its own languages."""
    parameters = merged(base.card.parameters, changes)
    name = f"{base.card.name[:40]}-{digest_of([parameters, served])[:12]}"
    changed = {"name": name, "parameters": parameters, "languages": served or base.card.languages}
    return LoadedCard(base.card.model_copy(update=changed), base.folder)


def scores_of(track: Track, card: LoadedCard, purpose: str, context: Context) -> ScoreFile:
    """Scores of a varied card; its run stays in the cache's folder ``purpose`` and is not made again."""
    runs = TrackRuns(track, context.cache / purpose)
    run_system(runs, card, context, replacing="another")
    return score_system(runs.run(card.card.name))


def merged(parameters: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Parameters with changes, tables merged key by key.

    >>> merged({"a": 1, "fusion": {"alpha": 0.1, "combine": "sum"}}, {"fusion": {"alpha": 0.2}})
    {'a': 1, 'fusion': {'alpha': 0.2, 'combine': 'sum'}}
    """
    together = dict(parameters)
    for key, value in changes.items():
        old = together.get(key)
        both = isinstance(old, Mapping) and isinstance(value, Mapping)
        together[key] = merged(old, value) if both else value  # type: ignore[arg-type]
    return together
