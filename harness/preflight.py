"""What a track needs and this machine does not have, in one report, before the first of many hours."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path

from harness.card import LoadedCard
from harness.collections import load
from harness.consent import NOTHING, Consent
from harness.dry_run import check_disks, disks, plan_of
from harness.errors import Finding, InvalidInput
from harness.generate.texts import generated_file
from harness.records import Passages, Query
from harness.system import Context
from harness.tracks import Part, Track


def check_inputs(track: Track, cards: Iterable[LoadedCard], consent: Consent = NOTHING) -> None:
    """Open the passages and questions of every part, and make every system, with the operator's consent.

    Raises ``InvalidInput`` that names all that is missing, each thing once, with the parts and systems that need it.
    """
    needed_by: dict[str, list[str]] = {}
    needs: list[tuple[str, Callable[[], object]]] = []
    for part in track.parts:
        needs += [(part.name, partial(_docs, part)), (part.name, partial(_queries, part))]
    for card in cards:
        needs += [(card.card.name, partial(card.system, consent)), (card.card.name, partial(_generated_text, card))]
    for name, need in needs:
        try:
            need()
        except InvalidInput as error:
            names = needed_by.setdefault(str(error), [])
            if name not in names:
                names.append(name)
    if needed_by:
        findings = [Finding("error", ", ".join(names), message) for message, names in needed_by.items()]
        raise InvalidInput(f"track {track.name} cannot be run here yet (see docs/collections.md)", findings)


def check_space(
    track: Track, cards: Iterable[LoadedCard], runs: Path, context: Context, *, strict: bool = True
) -> None:
    """Hold what the systems would write against the free space of the disks, by sizes alone. Raises ``InvalidInput``."""
    plans = [plan_of(track, card, runs, context, strict=strict, timed=False) for card in cards]
    check_disks(disks(plans, context.cache, runs))


def _docs(part: Part) -> Passages:
    return load(part.dataset_id).docs


def _queries(part: Part) -> tuple[Query, ...]:
    return load(part.dataset_id).queries


def _generated_text(card: LoadedCard) -> None:
    """Looked for by itself, since a system whose model is missing is not made, and would not come to say so."""
    if isinstance(name := card.parameters().get("generated"), str):
        generated_file(name, card.folder)
