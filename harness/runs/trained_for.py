"""Whether a system's models may be asked the questions of a track, and what is to be said of it: by their training records."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from harness.adapters.card import Card
from harness.adapters.contract import Pin, System, inputs_of


def check_trained_for(card: Card, system: System, dataset_ids: Sequence[str]) -> tuple[str, ...]:
    """What to know of the models' training and these data sets, which their records do not tell.

    Raises ``InvalidInput`` where a model was trained for other collections than theirs alone, or has seen their questions and
    the card does not say so.
    """
    from harness.recipes.train.seen import check_card_says_so, not_compared
    from harness.recipes.train.transductive import check_transductive

    remarks = []
    for folder in dict.fromkeys(_folders(system)):
        check_transductive(f"system {card.name}", folder, list(dataset_ids))
        check_card_says_so(f"system {card.name}", folder, dataset_ids, card.may_have_seen)
        unknown = [one for one in not_compared(folder, dataset_ids) if not card.may_have_seen_of(one)]
        if unknown:
            remarks.append(
                f"the rows that its model was trained on were not compared with the questions of {', '.join(unknown)}: by its "
                "training record these were not there then"
            )
    return tuple(dict.fromkeys(remarks))


def _folders(system: System) -> Iterator[Path]:
    """Where the models are on this machine, however the card names them."""
    for place in inputs_of(system).values():
        folder = place.place if isinstance(place, Pin) else place
        if folder is not None:
            yield folder
