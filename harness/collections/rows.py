"""Published files of one JSON object a line, as the readers of such collections need them: checked, and faults by line."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, TypeVar

from harness.errors import Finding, InvalidInput
from harness.reading import parse_json

Made = TypeVar("Made")


def made_of_rows(
    lines: Iterable[bytes], where: str, collection: str, make: Callable[[dict[str, Any]], Made]
) -> Iterator[Made]:
    """What ``make`` makes of the object in each line that is not blank.

    Raises ``InvalidInput``, with file and line, for the first that is no JSON object (in the sense of
    ``harness.reading.parse_json``: no lone surrogates, for instance), or of which ``make`` raises ``ValueError``,
    ``KeyError``, ``TypeError`` or ``AttributeError``.
    """
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            made = make(object_of(parse_json(line)))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            # The text of a KeyError is the key alone.
            what = f"no key {error}" if isinstance(error, KeyError) else str(error)
            finding = Finding("error", f"{where}:{number}", what, "a row as published", "get the file again")
            raise InvalidInput(f"{where} is not in {collection}'s format", [finding]) from error
        yield made


def object_of(value: Any) -> dict[str, Any]:
    """Raises ``TypeError`` for what is no JSON object."""
    if not isinstance(value, dict):
        raise TypeError("not a JSON object")
    return value


def text_of(row: Mapping[str, Any], key: str, default: str | None = None) -> str:
    """Raises ``TypeError`` where the value is no text, or there is none and no ``default``."""
    value = row.get(key, default)
    if not isinstance(value, str):
        raise TypeError(f"no text {key!r} in the object")
    return value


def texts_of(row: Mapping[str, Any], key: str) -> tuple[str, ...]:
    """Raises ``TypeError`` where the value is no list of texts."""
    values = row.get(key)
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        raise TypeError(f"no list of texts {key!r} in the object")
    return tuple(values)
