"""Lines that say of themselves whether they are whole: a CRC-32 and JSON, for files that a killed process goes on with."""

from __future__ import annotations

import json
import zlib
from typing import Any

from harness.files.reading import parse_json


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
