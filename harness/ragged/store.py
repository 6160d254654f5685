"""A store of ragged rows: the blocks of ``harness.dense.store``, each with its texts' counts before its columns."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from harness.dense.store import SCHEMA_VERSION, BlockStore, FoundNotFinite, header_in, pieces
from harness.errors import InvalidInput
from harness.files.shards import items_noted_in
from harness.ragged.rows import Ragged, of_texts

_COUNTS = np.dtype(np.uint32)


class Column(NamedTuple):
    """``width``: numbers in a row, 0 for one alone, without an axis of its own."""

    dtype: str
    width: int = 0

    @property
    def row_bytes(self) -> int:
        return np.dtype(self.dtype).itemsize * max(1, self.width)


class NumbersNotFinite(InvalidInput):
    """``texts``: places of those with numbers that are not finite. ``is_infinite``: none of the numbers is NaN."""

    def __init__(self, rows: Ragged) -> None:
        numbers = [own.reshape(len(own), -1) for own in rows.columns if own.dtype.kind == "f"]
        self.is_infinite = not any(np.isnan(own).any() for own in numbers)
        finite = np.logical_and.reduce([np.isfinite(own).all(axis=1) for own in numbers])
        self.texts = np.flatnonzero(~of_texts(rows, finite, of_none=True)).tolist()
        super().__init__(f"numbers of {len(self.texts)} texts are not finite")


class RaggedStore(BlockStore):
    """Opened or begun at ``path`` for rows of these columns, described by ``description``; others start it anew."""

    def __init__(self, path: Path, description: Mapping[str, Any], columns: tuple[Column, ...]) -> None:
        self.columns = columns
        super().__init__(path, _header(description, columns))

    def append(self, rows: Ragged, shard_bytes: int, counts: Mapping[str, int]) -> None:
        """Add a block, in a new shard file if this one has reached ``shard_bytes``; ``counts`` are kept beside it.

        ``rows`` are in the store's dtypes. Raises ``NumbersNotFinite`` where they are not finite; nothing is added then.
        """

        def data() -> Iterator[memoryview]:
            yield rows.counts.astype(_COUNTS).view(np.uint8).data
            for own, column in zip(rows.columns, self.columns, strict=True):
                dtype = np.dtype(column.dtype)
                if dtype.kind == "f":
                    yield from pieces(own, dtype)
                else:
                    yield np.ascontiguousarray(own, dtype).view(np.uint8).data

        try:
            self._shards.append(data(), len(rows.counts), shard_bytes, counts)
        except FoundNotFinite:
            raise NumbersNotFinite(rows) from None

    def read(self, index: int) -> Ragged:
        """A block, its columns in the store's dtypes. Raises ``InvalidInput`` when it is not what was written."""
        data = memoryview(self.bytes_of(index))
        end = self.blocks[index].items * _COUNTS.itemsize
        counts = np.frombuffer(data[:end], _COUNTS).astype(np.int64)
        columns = []
        for column in self.columns:
            start, end = end, end + int(counts.sum()) * column.row_bytes
            own = np.frombuffer(data[start:end], column.dtype)
            columns.append(own.reshape(-1, column.width) if column.width else own)
        return Ragged(counts, tuple(columns))

    def stored(self, index: int) -> Ragged:
        return self.read(index)

    @staticmethod
    def as_read(stored: Ragged) -> Ragged:
        return stored


def texts_left_in(path: Path, description: Mapping[str, Any], columns: tuple[Column, ...]) -> int:
    """Texts that a store would go on from, by the lengths of its files."""
    return items_noted_in(path) if header_in(path) == _header(description, columns) else 0


def _header(description: Mapping[str, Any], columns: tuple[Column, ...]) -> dict[str, Any]:
    header = {"schema_version": SCHEMA_VERSION, "columns": columns, "description": dict(description)}
    as_read: dict[str, Any] = json.loads(json.dumps(header))
    return as_read
