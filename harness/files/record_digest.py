"""Digests of records that are blind to the files' layout and order."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable

HASH_BYTES = 32
# Made once: millions of records pass through it.
_canonical = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def record_hash(record: Iterable[object]) -> bytes:
    """BLAKE2b-256 of a canonical record: its fields as a JSON list without blanks, in UTF-8."""
    canonical = _canonical(list(record)).encode("utf-8", "surrogatepass")
    return hashlib.blake2b(canonical, digest_size=HASH_BYTES).digest()


def digest_of_records(records: Iterable[Iterable[object]]) -> str:
    """SHA-256 over the sorted hashes of the records."""
    return hashlib.sha256(b"".join(sorted(map(record_hash, records)))).hexdigest()
