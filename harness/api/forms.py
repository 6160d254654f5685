"""Records as people have them at hand: mappings, pandas frames, named tuples of other libraries. Faults are noted."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

from harness.errors import Finding

Row = Mapping[str, Any]
Made = TypeVar("Made")

# Names that others give to the same column: PyTerrier's, BEIR's, ir_datasets'.
_OTHER_NAMES = {
    "query_id": ("qid", "query-id", "_id"),
    "doc_id": ("docno", "docid", "corpus-id", "_id"),
    "text": ("query", "default_text"),
    "relevance": ("label", "grade", "rel"),
}


def is_path(value: object) -> bool:
    return isinstance(value, str | os.PathLike)


def path_of(value: Any) -> Path:
    return Path(os.fspath(value))


def is_frame(value: object) -> bool:
    """Whether it is a table as pandas has them, without importing pandas."""
    return hasattr(value, "columns") and hasattr(value, "to_dict")


def rows_of(value: Any, what: str, faults: list[Finding]) -> Iterator[tuple[str, Row]]:
    """Each record as a mapping, with its place in words: of a frame, or of mappings, named tuples or dataclasses."""
    if is_frame(value):
        yield from ((f"{what}, row {place}", row) for place, row in enumerate(value.to_dict("records")))
        return
    if is_path(value) or not isinstance(value, Iterable):
        faults.append(Finding("error", what, f"type {type(value).__name__}", "records, a mapping, a frame or a file"))
        return
    for place, item in enumerate(value):
        row = _fields(item)
        if row is None:
            expected = "a mapping, or an object with named fields"
            faults.append(Finding("error", f"{what}[{place}]", f"type {type(item).__name__}", expected))
        else:
            yield f"{what}[{place}]", row


def made(rows: Iterable[tuple[str, Row]], make: Callable[[Row], Made], faults: list[Finding]) -> Iterator[Made]:
    """What ``make`` makes of each row; ``ValueError`` and ``TypeError`` of it are noted with the row's place."""
    for place, row in rows:
        try:
            yield make(row)
        except (ValueError, TypeError) as error:
            faults.append(Finding("error", place, str(error)))


def with_usual_names(row: Row, *names: str) -> dict[str, Any]:
    """The row with these columns under the names that they have here; a cell that a frame has as missing is None."""
    found = {key: None if _is_missing(value) else value for key, value in row.items()}
    for name in names:
        other = next((other for other in _OTHER_NAMES.get(name, ()) if other in found), None)
        if name not in found and other is not None:
            found[name] = found[other]
    return found


def number(value: Any, what: str) -> float:
    """Raises ``TypeError`` for what is no number: texts are not read as such."""
    if isinstance(value, str | bytes | bool) or value is None:
        raise TypeError(f"{what} {value!r:.80}; expected a number")
    try:
        return float(value)
    except (TypeError, ValueError) as error:
        raise TypeError(f"{what} is a {type(value).__name__}; expected a number") from error


def whole_number(value: Any, what: str) -> int:
    """Raises ``TypeError`` for what is no whole number; 1.0 is one, since frames make floats of integers."""
    found = number(value, what)
    if not math.isfinite(found) or found != int(found):
        raise TypeError(f"{what} {value!r:.80}; expected a whole number")
    return int(found)


def _fields(item: Any) -> Row | None:
    if isinstance(item, Mapping):
        return item
    if hasattr(item, "_asdict"):
        return dict(item._asdict())
    if hasattr(item, "__dataclass_fields__"):
        return {name: getattr(item, name) for name in item.__dataclass_fields__}
    return None


def _is_missing(value: Any) -> bool:
    return (isinstance(value, float) and math.isnan(value)) or type(value).__name__ in ("NAType", "NaTType")
