"""Which score files this machine made: only these are read instead of made again. What came by copy, clone or mail is not.

A score file's own digest says that it is whole, not that it is right: whoever writes other numbers writes the digest that
fits. So the cache notes, by the digest of all that the scores depend on, the bytes of the file that was written for it.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from harness.errors import InvalidInput, WrongUsage
from harness.files.writing import cache_home, sha256_of_file, write_text
from harness.runs.score_file import ScoreFile, read_scores

TOLERANCE = 1e-9
"""Relative; libraries and processors differ in the last digits of sums and logarithms, and no reader sees those."""


def note_as_own(path: Path, key: str) -> None:
    """Note that the file at ``path`` was made here for ``key``; where the cache cannot be written, it is made each time."""
    with contextlib.suppress(InvalidInput, OSError):
        write_text(_noted(key), sha256_of_file(path) + "\n")


def is_own(path: Path, key: str) -> bool:
    """Whether the file at ``path`` has the bytes that this machine wrote for ``key``."""
    try:
        return _noted(key).read_text() == sha256_of_file(path) + "\n"
    except (OSError, ValueError):
        return False


def _noted(key: str) -> Path:
    return cache_home() / "scores" / key


def disagreement(path: Path, today: ScoreFile) -> str:
    """In what the score file at ``path`` is not what its run gives; empty where it agrees.

    Compared are the numbers, which queries have them, and how these are grouped for tests, whatever the file says that it
    is of.
    """
    try:
        return _difference(read_scores(path), today)
    except (InvalidInput, WrongUsage):
        return "it cannot be read, or is not as it was written"


def is_of_other_inputs(path: Path, key: str) -> bool:
    """Whether the file says itself that it is of another run, track or version: then it is old, and need not be named."""
    try:
        return bool(read_scores(path).context["key"] != key)
    except (InvalidInput, WrongUsage):
        return False


def _difference(recorded: ScoreFile, today: ScoreFile) -> str:
    for part, measure in sorted({*recorded.values, *today.values}):
        one, two = (scores.values.get((part, measure), {}) for scores in (recorded, today))
        different = [query for query in sorted({*one, *two}) if not _alike(one.get(query), two.get(query))]
        if different:
            shown = " and ".join(f"{value!r}" for value in (one.get(different[0]), two.get(different[0])))
            count = f"{len(different)} of {len(two)} values of {measure}"
            return f"{part}: {count} are not those of the run (query {different[0]}: {shown})"
    if recorded.units != today.units:
        return "its topics or units are not those of the collection"
    if not _alike(recorded.context["ties"], today.context["ties"]):
        return "its 'ties' are not those of the run"
    if not _alike_where_both(recorded.judged, today.judged):
        return "its 'judged' are not those of the run"
    return ""


def _alike_where_both(one: Any, two: Any) -> bool:
    """Which of the shares are worth telling may have been decided otherwise when the file was written."""
    if isinstance(one, Mapping) and isinstance(two, Mapping):
        return all(_alike_where_both(one[key], two[key]) for key in one.keys() & two.keys())
    return _alike(one, two)


def _alike(one: Any, two: Any) -> bool:
    if isinstance(one, float) and isinstance(two, float):
        return math.isclose(one, two, rel_tol=TOLERANCE, abs_tol=TOLERANCE)
    return type(one) is type(two) and one == two
