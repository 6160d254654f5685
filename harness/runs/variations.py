"""Variations of one card: the same system with some of its parameters changed, run and scored in the cache."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from harness.adapters.card import LoadedCard, load_card
from harness.adapters.contract import Context, rows_of
from harness.errors import WrongUsage
from harness.files.yaml_records import digest_of
from harness.runs.execute import run_system
from harness.runs.rows import rows_first
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
    """Scores of a varied card; its run stays in the cache's folder ``purpose`` and is not made again.

    Rows that it stands on are run there before it, from the cards of their names, see ``load_card``.
    """
    runs = TrackRuns(track, context.cache / purpose)
    for below in _cards_below(card, context):
        run_system(runs, below, context, replacing="another")
    run_system(runs, card, context, replacing="another")
    return score_system(runs.run(card.card.name))


def _cards_below(card: LoadedCard, context: Context) -> list[LoadedCard]:
    """The cards of the rows that a card stands on, each after those that it stands on itself."""
    cards, rows = {card.card.name: card}, dict[str, tuple[str, ...]]()
    while new := [name for name in cards if name not in rows]:
        for name in new:
            rows[name] = rows_of(cards[name].system(context.consent))
            for row in rows[name]:
                if row not in cards:
                    cards[row] = _card_of_row(row, name)
    return [cards[name] for name in rows_first(rows) if name != card.card.name]


def _card_of_row(row: str, above: str) -> LoadedCard:
    try:
        return load_card(row)
    except WrongUsage as error:
        raise WrongUsage(
            f"{above} stands on row {row}, whose card is looked for by its name: {error.message}"
        ) from error


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
