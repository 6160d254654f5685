"""TREC runs by the column: parsing, ordering and checking without a Python object per line, for files that are in order.

A file with anything unusual (another separator than one blank, Windows line ends, a fault of any kind) makes ``read_columns``
return None; the careful reader of ``run_lines.py`` then takes its time to say line by line what is wrong, or to accept it.

There are two, since one would be slower or less helpful: a million lines take this one 2.2 s of CPU and the careful one 8.6 s
(``benchmarks/run_reading.py``'s run, validated, one core), and Arrow, which makes the difference, knows one separator, and of a
line that it cannot split neither the number nor the text. What a rank, a score and a line may be is said in ``run_lines.py``
alone, and whatever this reader takes, that one takes with the same result and without a finding: a test holds them to it.
"""

from __future__ import annotations

import gzip
import os
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import IO, Any, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from harness.errors import XdrError
from harness.files.limits import RUN_BYTES, RUN_LINE_BYTES, RUN_LINES
from harness.files.reading import opened
from harness.order import keys_of
from harness.runs.run_lines import LARGEST_SCORE, rank_of

_BLOCK_BYTES = 2 << 20  # the dictionaries of a block then stay in the processor's cache
_CHECKED_LINES = 1_000_000
_SEGMENT_BYTES = 32 << 20  # below that, another thread costs more than it saves
_MOST_SEGMENTS = 8
_MANY_IDS = 20_000
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_ASCII_BLANKS = b"\t\n\v\f\r\x1c\x1d\x1e\x1f "
Number = TypeVar("Number", bound=np.generic)
_COLUMNS = ("query", "q0", "doc", "rank", "score", "tag")


@dataclass(frozen=True)
class Columns:
    """A run's lines, grouped by query in the order of first appearance, and inside a query in the fixed order.

    ``docs`` and ``scores``: shape (lines,), int32 and float32; ``doc_ids``: the different documents, object, to which
    ``docs`` are indices. Query i has the lines ``starts[i]`` to ``starts[i + 1]``.
    """

    tag: str
    query_ids: list[str]
    starts: NDArray[np.int64]
    docs: NDArray[np.int32]
    scores: NDArray[np.float32]
    doc_ids: NDArray[Any]

    def rankings(self) -> Iterator[tuple[str, tuple[str, ...], NDArray[np.float32]]]:
        """Query id, doc ids and scores of every query."""
        for i, query_id in enumerate(self.query_ids):
            lines = slice(int(self.starts[i]), int(self.starts[i + 1]))
            yield query_id, tuple(self.doc_ids[self.docs[lines]]), self.scores[lines]


class _Unusual(Exception):
    """Something that the careful reader has to look at."""


class _Readable(Protocol):
    def read(self, size: int = -1, /) -> bytes: ...


class Digest(Protocol):
    def update(self, data: bytes, /) -> None: ...


class _Digested:
    """A stream whose bytes a digest takes on their way."""

    def __init__(self, stream: _Readable, digest: Digest) -> None:
        self._stream, self._digest = stream, digest

    def read(self, size: int = -1, /) -> bytes:
        data = self._stream.read(size)
        self._digest.update(data)
        return data


class _Segment:
    """``length`` bytes of an open file from ``start`` on. Threads may read theirs side by side: none moves the file's place."""

    def __init__(self, descriptor: int, start: int, length: int) -> None:
        self._descriptor, self._place, self._end = descriptor, start, start + length

    def read(self, size: int = -1, /) -> bytes:
        left = self._end - self._place
        data = os.pread(self._descriptor, left if size < 0 else min(size, left), self._place)
        self._place += len(data)
        return data


class _Watched:
    """The bytes of a run file, decompressed, from the beginning of a line on.

    A carriage return, a zero byte, a line that is empty or too long, or too many bytes end the fast reading; so does a byte
    order mark at the beginning, which Arrow would skip unasked.
    """

    closed = False

    def __init__(self, stream: _Readable) -> None:
        self._stream, self._read, self._after_line_end = stream, 0, True
        self._begun = 0  # bytes of a line whose end is still to come

    def read(self, size: int = -1) -> bytes:
        data = self._stream.read(size)
        if b"\r" in data or b"\0" in data or b"\n\n" in data or (self._after_line_end and data.startswith(b"\n")):
            raise _Unusual
        if not self._read and data.startswith(_BYTE_ORDER_MARK):
            raise _Unusual
        self._check_lengths(data)
        self._read += len(data)
        if self._read > RUN_BYTES:
            raise _Unusual
        self._after_line_end = data.endswith(b"\n")
        return data

    def _check_lengths(self, data: bytes) -> None:
        """Raise ``_Unusual`` for a line of more than ``RUN_LINE_BYTES``: from a line's end, the last one in reach is sought."""
        start = -self._begun
        while len(data) - start > RUN_LINE_BYTES:
            end = data.rfind(b"\n", max(start, 0), start + RUN_LINE_BYTES + 1)
            if end < 0:
                raise _Unusual
            start = end + 1
        end = data.rfind(b"\n", max(start, 0))
        self._begun = len(data) - (start if end < 0 else end + 1)

    def readable(self) -> bool:
        return True

    def close(self) -> None:
        self.closed = True


class _Count:
    """Lines of all segments together, which ``RUN_LINES`` bounds."""

    def __init__(self) -> None:
        self._lines, self._lock = 0, threading.Lock()

    def add(self, lines: int) -> None:
        with self._lock:
            self._lines += lines
            if self._lines > RUN_LINES:
                raise _Unusual


def read_columns(path: Path, digest: Digest | None = None) -> Columns | None:
    """The run in ``path``, gzip or plain; None when the careful reader has to look at it.

    ``digest`` takes all bytes of the file, decompressed, while they are read; where None is returned it took but some.
    """
    import pyarrow as pa

    try:
        with opened(path, RUN_BYTES) as stream:
            if digest is not None:
                parts: list[_Readable] = [_Digested(stream, digest)]
            else:
                parts = [stream] if isinstance(stream, gzip.GzipFile) else _segments(stream)
            if not parts:
                return None
            # Arrow parses without Python's lock, so threads read segments of the file side by side.
            with ThreadPoolExecutor(len(parts)) as pool:
                lines = _joined(list(pool.map(partial(_read, count=_Count()), parts)))
        return _grouped(lines) if lines.query else None
    except (_Unusual, XdrError, pa.ArrowException, ValueError):
        return None


def _segments(file: IO[bytes]) -> list[_Readable]:
    """Segments of a plain file that begin and end with whole lines."""
    size = os.fstat(file.fileno()).st_size
    count = max(1, min(size // _SEGMENT_BYTES, os.cpu_count() or 1, _MOST_SEGMENTS))
    borders = [0]
    for number in range(1, count):
        file.seek(max(borders[-1], size * number // count))
        if not file.readline(_BLOCK_BYTES).endswith(b"\n") and file.tell() < size:
            raise _Unusual  # a line of megabytes
        borders.append(file.tell())
    spans = zip(borders, [*borders[1:], size], strict=True)
    return [_Segment(file.fileno(), start, stop - start) for start, stop in spans if start < stop]


def _read(stream: _Readable, count: _Count) -> _Lines:
    lines = _Lines()
    for batch in _parsed(_Watched(stream)):
        count.add(batch.num_rows)
        lines.add(batch)
    return lines


def _parsed(stream: _Watched) -> Iterator[Any]:
    """Record batches; texts are dictionaries of each batch, so that equal ids of a batch are stored once."""
    import pyarrow as pa
    from pyarrow import csv

    text = pa.dictionary(pa.int32(), pa.string())
    types = {"query": text, "q0": text, "doc": text, "rank": text, "score": pa.float64(), "tag": text}
    return iter(
        csv.open_csv(
            pa.PythonFile(stream, mode="r"),
            read_options=csv.ReadOptions(column_names=list(_COLUMNS), block_size=_BLOCK_BYTES),
            parse_options=csv.ParseOptions(
                delimiter=" ", quote_char=False, escape_char=False, ignore_empty_lines=False
            ),
            convert_options=csv.ConvertOptions(
                column_types=types, include_columns=list(_COLUMNS), null_values=[], strings_can_be_null=False
            ),
        )
    )


@dataclass
class _Lines:
    """What is kept of the lines that were read: 16 bytes each, and the ids."""

    queries: dict[str, int] = field(default_factory=dict)
    tags: set[str] = field(default_factory=set)
    query: list[NDArray[np.int32]] = field(default_factory=list)
    doc: list[Any] = field(default_factory=list)
    rank: list[NDArray[np.int32]] = field(default_factory=list)
    score: list[NDArray[np.float32]] = field(default_factory=list)

    def add(self, batch: Any) -> None:
        """Raises ``_Unusual`` for a score, a rank or an id that the careful reader has to look at."""
        if batch.num_rows == 0:
            return
        query, q0, doc, rank, score, tag = (batch.column(name) for name in _COLUMNS)
        for ids in (query, q0, doc, tag):
            _check_ids(ids.dictionary)
        scores = _numbers(score, np.float64)
        if not (np.abs(scores) <= LARGEST_SCORE).all():
            raise _Unusual
        ranks = [rank_of(text) for text in rank.dictionary.to_pylist()]
        if None in ranks:
            raise _Unusual
        names = query.dictionary.to_pylist()
        numbers = np.array([self.queries.setdefault(name, len(self.queries)) for name in names], dtype=np.int32)
        self.query.append(numbers[_numbers(query.indices, np.int32)])
        self.doc.append(doc)
        self.rank.append(np.array(ranks, np.int32)[_numbers(rank.indices, np.int32)])
        self.score.append(scores.astype(np.float32))
        self.tags.update(tag.dictionary.to_pylist())


def _joined(segments: Sequence[_Lines]) -> _Lines:
    """The lines of consecutive segments as one; a query whose lines begin in one and go on in the next is one query."""
    whole = segments[0]
    for segment in segments[1:]:
        numbers = np.array([whole.queries.setdefault(name, len(whole.queries)) for name in segment.queries], np.int32)
        whole.query += [numbers[query] for query in segment.query]
        whole.doc += segment.doc
        whole.rank += segment.rank
        whole.score += segment.score
        whole.tags |= segment.tags
    return whole


def _numbers(array: Any, kind: type[Number]) -> NDArray[Number]:
    """The numbers of an Arrow array of that type without nulls, not copied. Its own conversion makes Arrow load pandas."""
    return np.frombuffer(array.buffers()[1], kind, len(array), array.offset * np.dtype(kind).itemsize)


def _check_ids(ids: Any) -> None:
    """Raise ``_Unusual`` where an id is empty or holds a blank; ``ids``: a string array with no offset."""
    _, ends, data = ids.buffers()
    content = data.to_pybytes() if data is not None else b""
    lengths = np.diff(np.frombuffer(ends, np.int32, len(ids) + 1))
    if lengths.min() == 0 or content.translate(None, _ASCII_BLANKS) != content:
        raise _Unusual
    if not content.isascii() and any(name.split() != [name] for name in ids.to_pylist()):
        raise _Unusual


def _unified(docs: list[Any]) -> tuple[NDArray[np.int32], Any]:
    """Indices of all lines, shape (lines,), into one array of different ids."""
    import pyarrow as pa

    whole = pa.chunked_array(docs).unify_dictionaries()
    docs.clear()
    return np.concatenate([_numbers(chunk.indices, np.int32) for chunk in whole.chunks]), whole.chunk(0).dictionary


def _order_of(ids: Sequence[str], array: Any) -> Any:
    """The places of ids in the order of their UTF-8 bytes; ``array``: the same ids in Arrow.

    Arrow sorts millions faster, and takes longer to load what it sorts with than a few are worth.
    """
    if len(ids) < _MANY_IDS:
        return sorted(range(len(ids)), key=ids.__getitem__)  # code points are ordered as their bytes are
    import pyarrow.compute as pc

    return _numbers(pc.sort_indices(array), np.uint64)


def _grouped(lines: _Lines) -> Columns:
    query_ids = list(lines.queries)
    if len(lines.tags) != 1 or any(name.startswith("\ufeff") for name in query_ids):
        raise _Unusual
    query, scores, ranks = np.concatenate(lines.query), np.concatenate(lines.score), np.concatenate(lines.rank)
    doc, doc_ids = _unified(lines.doc)
    names = doc_ids.to_pylist()
    number = np.empty(len(names), np.int64)
    number[_order_of(names, doc_ids)] = np.arange(len(names))
    if (np.diff(query) < 0).any():
        order = np.argsort(query, kind="stable")
        query, doc, scores, ranks = query[order], doc[order], scores[order], ranks[order]
    starts = np.searchsorted(query, np.arange(len(query_ids) + 1))
    # A million lines at a time, whole queries each: what the checks need beside the columns stays small.
    first = 0
    while first < len(query_ids):
        last = max(first + 1, int(np.searchsorted(starts, starts[first] + _CHECKED_LINES, side="right")) - 1)
        span = slice(int(starts[first]), int(starts[last]))
        _put_in_order(query[span], doc[span], scores[span], ranks[span], number)
        first = last
    return Columns(lines.tags.pop(), query_ids, starts, doc, scores, np.array(names, dtype=object))


def _put_in_order(
    query: NDArray[np.int32],
    doc: NDArray[np.int32],
    scores: NDArray[np.float32],
    ranks: NDArray[np.int32],
    number: NDArray[np.int64],
) -> None:
    """Sort lines of ascending query into the fixed order, in place; ``number``: place of each doc id by its bytes.

    Raises ``_Unusual`` where a document is a duplicate, or ranks contradict the scores.
    """
    pairs = (query.astype(np.uint64) << np.uint64(32)) | doc.astype(np.uint64)
    pairs.sort()
    if (pairs[1:] == pairs[:-1]).any():
        raise _Unusual
    same_query = query[1:] == query[:-1]
    keys = keys_of(scores, number[doc])
    if (same_query & (keys[1:] > keys[:-1])).any():
        order = np.lexsort((~keys, query))
        doc[:], scores[:], ranks[:] = doc[order], scores[order], ranks[order]
    if (same_query & (scores[1:] < scores[:-1]) & (ranks[1:] <= ranks[:-1])).any():
        raise _Unusual
