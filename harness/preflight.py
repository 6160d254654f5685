"""What a track needs and this machine does not have, in one report, before the first of many hours."""

from __future__ import annotations

from collections.abc import Iterable

from harness.card import LoadedCard
from harness.collections import load
from harness.errors import Finding, InvalidInput
from harness.generate.texts import generated_file
from harness.tracks import Track


def check_inputs(track: Track, cards: Iterable[LoadedCard]) -> None:
    """Open the passages and questions of every part, and make every system.

    Raises ``InvalidInput`` that names all that is missing, each thing once, with the parts and systems that need it.
    """
    needed_by: dict[str, list[str]] = {}
    for part in track.parts:
        try:
            collection = load(part.dataset_id)
            _ = collection.queries, collection.docs
        except InvalidInput as error:
            needed_by.setdefault(str(error), []).append(part.name)
    for card in cards:
        for make in (LoadedCard.system, _generated_text):
            try:
                make(card)
            except InvalidInput as error:
                if card.card.name not in (names := needed_by.setdefault(str(error), [])):
                    names.append(card.card.name)
    if needed_by:
        findings = [Finding("error", ", ".join(names), message) for message, names in needed_by.items()]
        raise InvalidInput(f"track {track.name} cannot be run here yet (see docs/collections.md)", findings)


def _generated_text(card: LoadedCard) -> None:
    """Looked for by itself, since a system whose model is missing is not made, and would not come to say so."""
    if isinstance(name := card.parameters().get("generated"), str):
        generated_file(name, card.folder)
