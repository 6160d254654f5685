"""Published files of one JSON object a line, as the readers of such collections need them: checked, and faults by line."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, TypeVar

from harness.errors import Finding, InvalidInput
from harness.files.reading import parse_json

Made = TypeVar("Made")


def made_of_rows(
    lines: Iterable[bytes], where: str, collection: str, make: Callable[[dict[str, Any]], Made]
) -> Iterator[Made]:
    """What ``make`` makes of the object in each line that is not blank.

    Raises ``InvalidInput``, with file and line, for the first that is no JSON object (in the sense of
    ``harness.files.reading.parse_json``: no lone surrogates, for instance), or of which ``make`` raises ``ValueError``,
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
    """The text under a key, ``default`` where there is none or null. Raises ``TypeError`` where that leaves no text."""
    value = row.get(key)
    if value is None:
        value = default
    if value is None:
        raise TypeError(f"{key!r} is null" if key in row else f"no text {key!r} in the object")
    if not isinstance(value, str):
        raise TypeError(f"{key!r} is {_kind(value)}; expected a text")
    return value


def id_of(row: Mapping[str, Any], *keys: str) -> str:
    """The id under the first of the keys that the row has; a whole number is its decimal text. Raises ``TypeError``."""
    key = next((key for key in keys if key in row), None)
    if key is None:
        raise TypeError(f"no {' or '.join(map(repr, keys))} in the object")
    value = row[key]
    if isinstance(value, str) or (isinstance(value, int) and not isinstance(value, bool)):
        return str(value)
    raise TypeError(f"{key!r} is {_kind(value)}; expected a text or a whole number")


def texts_of(row: Mapping[str, Any], key: str) -> tuple[str, ...]:
    """Raises ``TypeError`` where the value is no list of texts."""
    values = row.get(key)
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        raise TypeError(f"no list of texts {key!r} in the object")
    return tuple(values)


def _kind(value: Any) -> str:
    names = {bool: "a truth value", int: "a number", float: "a number", list: "a list", dict: "an object"}
    return names.get(type(value), "null" if value is None else "a text")
