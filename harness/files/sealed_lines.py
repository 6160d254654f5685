"""Lines that say of themselves whether they are whole: a CRC-32 and JSON.

A derived file has one of them, its seal. A journal has many, and differs: what stands in it is the work of hours, so a killed
process goes on from its whole lines, and only what comes behind them is dropped.
"""

from __future__ import annotations

import json
import os
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

from harness.files.limits import LINE_BYTES
from harness.files.reading import parse_json
from harness.files.writing import explained_write_errors

Value = TypeVar("Value")


def sealed_line(value: Any) -> bytes:
    """A line of a journal: CRC-32 and the value as JSON."""
    body = json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
    return b"%08x %b\n" % (zlib.crc32(body), body)


def unsealed(line: bytes) -> Any:
    """The value of a line. Raises ``ValueError`` when the line was cut off, or its checksum does not fit."""
    checksum, _, body = line.rstrip(b"\n").partition(b" ")
    if not line.endswith(b"\n") or checksum != b"%08x" % zlib.crc32(body):
        raise ValueError("not a whole line of a journal")
    return parse_json(body)


def whole_lines(path: Path, parse: Callable[[Any], Value], longest: int = LINE_BYTES) -> Iterator[tuple[Value, int]]:
    """What ``parse`` makes of the lines of a journal, each with the place where it ends; none where there is no file.

    The first line that was cut off or damaged, is longer than ``longest`` bytes, or that ``parse`` refuses by ``ValueError``,
    ``TypeError`` or ``KeyError``, ends them.
    """
    if not path.is_file():
        return
    end = 0
    with path.open("rb") as file:
        # What is longer comes in pieces, which no checksum fits.
        while line := file.readline(longest):
            try:
                value = parse(unsealed(line))
            except (ValueError, TypeError, KeyError):
                return
            end += len(line)
            yield value, end


def drop_behind(path: Path, end: int) -> None:
    """Cut off what a journal has after its whole lines, so that others can be appended."""
    if path.is_file() and path.stat().st_size > end:
        with explained_write_errors(path):
            os.truncate(path, end)
