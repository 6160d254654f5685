"""TREC runs by the column: parsing, ordering and checking without a Python object per line, for files that are in order.

A file with anything unusual (another separator than one blank, Windows line ends, a fault of any kind) makes ``read_columns``
return None; the careful reader of ``runs.py`` then takes its time to say line by line what is wrong, or to accept it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from harness.errors import XdrError
from harness.limits import RUN_BYTES, RUN_LINES
from harness.order import keys_of
from harness.reading import opened

_BLOCK_BYTES = 8 << 20
_COLUMNS = ("query", "q0", "doc", "rank", "score", "tag")


@dataclass(frozen=True)
class Columns:
    """A run's lines, grouped by query in the order of first appearance, and inside a query in the fixed order.

    ``docs`` and ``scores``: shape (lines,), object and float32. Query i has the lines ``starts[i]`` to
    ``starts[i + 1]``. ``doc_ids`` are the different documents.
    """

    tag: str
    query_ids: list[str]
    starts: NDArray[np.int64]
    docs: NDArray[Any]
    scores: NDArray[np.float32]
    doc_ids: list[str]

    def queries(self) -> Iterator[tuple[str, slice]]:
        for i, query_id in enumerate(self.query_ids):
            yield query_id, slice(int(self.starts[i]), int(self.starts[i + 1]))


class _Unusual(Exception):
    """Something that the careful reader has to look at."""


class _Watched:
    """The bytes of a run file, decompressed; a carriage return or an empty line in them, or too many, end it."""

    closed = False

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self._read = 0

    def read(self, size: int = -1) -> bytes:
        data = self._stream.read(size)
        self._read += len(data)
        if b"\r" in data or b"\n\n" in data or self._read > RUN_BYTES:
            raise _Unusual
        return data

    def readable(self) -> bool:
        return True

    def close(self) -> None:
        self.closed = True


def read_columns(path: Path) -> Columns | None:
    """The run in ``path``, gzip or plain; None when the careful reader has to look at it."""
    import pyarrow as pa

    try:
        with opened(path, RUN_BYTES) as stream:
            table = _parsed(stream)
        return _grouped(table)
    except (_Unusual, XdrError, pa.ArrowException, ValueError):
        return None


def _parsed(stream: Any) -> Any:
    import pyarrow as pa
    from pyarrow import csv

    text = pa.dictionary(pa.int32(), pa.string())
    reader = csv.open_csv(
        pa.PythonFile(_Watched(stream), mode="r"),
        read_options=csv.ReadOptions(column_names=list(_COLUMNS), block_size=_BLOCK_BYTES),
        parse_options=csv.ParseOptions(delimiter=" ", quote_char=False, escape_char=False, ignore_empty_lines=False),
        convert_options=csv.ConvertOptions(
            column_types={
                "query": text,
                "q0": text,
                "doc": text,
                "rank": pa.int64(),
                "score": pa.float64(),
                "tag": text,
            },
            include_columns=list(_COLUMNS),
            null_values=[],
            strings_can_be_null=False,
        ),
    )
    batches, lines = [], 0
    for batch in reader:
        lines += batch.num_rows
        if lines > RUN_LINES:
            raise _Unusual
        batches.append(batch)
    return pa.Table.from_batches(batches, reader.schema).unify_dictionaries()


def _codes(table: Any, name: str) -> tuple[NDArray[np.int64], Any]:
    """Codes of a dictionary column, shape (lines,), and its different values."""
    column = table.column(name)
    parts = [chunk.indices.to_numpy(zero_copy_only=False) for chunk in column.chunks]
    return np.concatenate(parts).astype(np.int64), column.chunk(column.num_chunks - 1).dictionary


def _grouped(table: Any) -> Columns:
    import pyarrow.compute as pc

    if table.num_rows == 0:
        raise _Unusual
    query, query_values = _codes(table, "query")
    doc, doc_values = _codes(table, "doc")
    _, tags = _codes(table, "tag")
    _, second = _codes(table, "q0")
    doc_ids, query_ids = doc_values.to_pylist(), query_values.to_pylist()
    given = table.column("score").to_numpy()
    if not (np.abs(given) <= np.finfo(np.float32).max).all():
        raise _Unusual
    scores = given.astype(np.float32)
    ranks = table.column("rank").to_numpy()
    # Blanks other than the separator, or none between two separators, are for the careful reader.
    odd = any(
        name.split() != [name]
        for values in (doc_ids, query_ids, tags.to_pylist(), second.to_pylist())
        for name in values
    )
    if odd or len(tags) != 1 or query_ids[0].startswith("\ufeff") or ranks.min() < 0:
        raise _Unusual
    pairs = np.sort((query.astype(np.uint64) << np.uint64(32)) | doc.astype(np.uint64))
    if (pairs[1:] == pairs[:-1]).any():
        raise _Unusual
    # Arrow sorts strings by their bytes.
    number = np.empty(len(doc_ids), np.int64)
    number[pc.sort_indices(doc_values).to_numpy()] = np.arange(len(doc_ids))
    keys = keys_of(scores, number[doc])
    if (np.diff(query) < 0).any() or ((query[1:] == query[:-1]) & (keys[1:] > keys[:-1])).any():
        order = np.lexsort((~keys, query))
        query, doc, scores, ranks = query[order], doc[order], scores[order], ranks[order]
    if ((query[1:] == query[:-1]) & (scores[1:] < scores[:-1]) & (ranks[1:] <= ranks[:-1])).any():
        raise _Unusual
    starts = np.searchsorted(query, np.arange(len(query_ids) + 1))
    shared = np.array(doc_ids, dtype=object)
    return Columns(tags[0].as_py(), query_ids, starts, shared[doc], scores, doc_ids)
