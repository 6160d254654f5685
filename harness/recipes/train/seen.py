"""What a model's training record says of evaluation questions that the model has seen: what its card is to say."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from harness.adapters.card import speaking_of
from harness.errors import Finding, InvalidInput
from harness.files.limits import RECORD_BYTES
from harness.files.reading import parse_json, read_bytes
from harness.recipes.train.overlap import is_of
from harness.recipes.train.record import FILE_NAME


def overlap_told(model: Path) -> Mapping[str, Any] | None:
    """The record's ``overlap`` as it stands there; None where there is no record of ours beside the weights.

    Field by field, not as a whole: a record of another version still says what it says.
    """
    path = model / FILE_NAME
    if not path.is_file():
        return None
    try:
        told = parse_json(read_bytes(path, RECORD_BYTES)).get("overlap")
    except (ValueError, AttributeError):
        return None
    return told if isinstance(told, dict) else None


def names_in(told: Mapping[str, Any] | None, *keys: str) -> tuple[str, ...]:
    """The collections below these keys, lists of them or tables by them, each once."""
    found = [name for key in keys for name in _sequence((told or {}).get(key))]
    return tuple(dict.fromkeys(name for name in found if isinstance(name, str)))


def _sequence(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list | dict) else []


def seen_by(model: Path) -> tuple[str, ...]:
    """Ids, or what ids begin with, of the collections whose questions the model's training held, or those of its start and
    teachers may have held; none where there is no record.
    """
    return names_in(overlap_told(model), "not_dropped", "inherited")


def collections_of(entries: Iterable[str]) -> tuple[str, ...]:
    """Of entries `collection: source`, as cards have them."""
    return tuple(dict.fromkeys(entry.partition(": ")[0] for entry in entries))


def check_card_says_so(what: str, model: Path, dataset_ids: Sequence[str], entries: Sequence[str]) -> None:
    """Raises ``InvalidInput``, with the lines to add, where the model has seen a data set and ``entries``, its card's
    ``may_have_seen``, do not speak of it: figures that are upper bounds would stand unmarked.
    """
    told, seen = overlap_told(model), seen_by(model)
    unsaid = [one for one in dict.fromkeys(dataset_ids) if is_of(one, seen) and not speaking_of(one, entries)]
    if unsaid:
        counts = (told or {}).get("not_dropped")
        counts = counts if isinstance(counts, dict) else {}
        findings = [Finding("error", one, _reason(one, counts), hint=_entry(one, counts)) for one in unsaid]
        raise InvalidInput(
            f"{what}: the model {model.name} has seen what it is asked, and the card does not say so", findings
        )


def _reason(dataset_id: str, counts: Mapping[str, Any]) -> str:
    rows = sum(count for name, count in counts.items() if is_of(dataset_id, [name]) and isinstance(count, int))
    if rows:
        return f"{rows} rows of its training are questions of it, by its {FILE_NAME}"
    return f"its start or a teacher may have seen it, by its {FILE_NAME}"


def _entry(dataset_id: str, counts: Mapping[str, Any]) -> str:
    return f'add to the card, before [parameters]: may_have_seen = ["{dataset_id}: {_reason(dataset_id, counts)}"]'


def not_compared(model: Path, dataset_ids: Sequence[str]) -> tuple[str, ...]:
    """Those with whose questions the training's rows were not compared, as its record says: they were not on that machine, or
    not known then. None where there is no record, of which nobody can tell.
    """
    told = overlap_told(model)
    if told is None or names_in(told, "transductive"):
        return ()
    compared = names_in(told, "collections", "also_compared", "not_dropped")
    return tuple(one for one in dict.fromkeys(dataset_ids) if not is_of(one, compared))
