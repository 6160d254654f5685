"""Passages of a large file, read where they lie: an index of ids and offsets in numpy memory maps, and no pickle.

    index.seal    what the index is of: format and digest of the source; passages; digest (``harness.files.derived``)
    ids.npy       bytes of fixed width, ascending: the place in this order is a passage's number
    offsets.npy   uint64, the byte of the source where the record begins
    lengths.npy   uint32, bytes of the record
    checks.npy    uint64, the beginning of the record's BLAKE2b: whatever is read later is held against it

The one pass over the source appends what it finds to shards of blocks (``harness.files.shards``), so that a killed pass goes on
from the last whole one. The order, and the collection's digest, are made at its end.
"""

from __future__ import annotations

import hashlib
import itertools
import os
import shutil
import weakref
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, Protocol, overload

import numpy as np
from numpy.typing import NDArray

from harness import progress
from harness.errors import Finding, InvalidInput
from harness.files.derived import Derived, Made
from harness.files.known_digests import known_sha256
from harness.files.reading import check_regular
from harness.files.record_digest import HASH_BYTES, record_hash
from harness.files.shards import Shards
from harness.files.writing import atomic_write, explained_write_errors
from harness.records import Doc

SCHEMA_VERSION = 2
STEP = 1 << 16
_READ_BYTES = 1 << 20
_SHARD_BYTES = 1 << 30
_PLACES = {"offsets": (0, 8), "lengths": (8, 12), "hashes": (12, 12 + HASH_BYTES), "ids": (12 + HASH_BYTES, 0)}
"""Where a column lies in a block of the pass: from and to so many bytes for each of its records; 0: to the end of the block."""
_LONGEST_ID = 255
_MOST_FINDINGS = 50
_SORTED_AT_ONCE = 64 << 20
_COLUMNS = {"ids": None, "offsets": np.dtype("<u8"), "lengths": np.dtype("<u4"), "checks": np.dtype("<u8")}


class SourceRecord(NamedTuple):
    """A record of the source and where it ends; what is wrong with it, or neither, if it is a header or a blank line."""

    doc: Doc | None
    end: int
    line: int
    fault: str = ""


class Format(Protocol):
    """How passages are written in a file. ``name`` changes whenever equal bytes would be read otherwise."""

    name: str

    def records(self, file: BinaryIO) -> Iterator[SourceRecord]:
        """Records from the file's position on; ``line`` counts from there, ``end`` from the beginning of the file."""
        ...

    def parse(self, data: bytes) -> Doc:
        """The passage of one record's bytes. Raises ``ValueError`` when there is none in them."""
        ...


class StoredDocs:
    """The passages of a file in the order of their ids' UTF-8 bytes; in memory are only the pages of the index in use."""

    def __init__(self, source: Path, form: Format, home: Path, digest: str) -> None:
        self._source, self._form = source, form
        self.home, self.digest = home, digest
        ids, self._offsets, self._lengths, self._checks = (
            np.load(home / f"{name}.npy", mmap_mode="r", allow_pickle=False) for name in _COLUMNS
        )
        self.ids = StoredIds(ids)
        self._file = os.open(source, os.O_RDONLY)
        weakref.finalize(self, os.close, self._file)

    def __len__(self) -> int:
        return len(self.ids)

    def __iter__(self) -> Iterator[Doc]:
        return map(self._read, range(len(self)))

    def __getitem__(self, places: slice) -> list[Doc]:
        return [self._read(number) for number in range(*places.indices(len(self)))]

    def __contains__(self, doc_id: object) -> bool:
        return doc_id in self.ids

    def get(self, doc_id: str) -> Doc:
        """The passage of that id. Raises ``KeyError`` when there is none."""
        number = self.ids.number(doc_id)
        if number is None:
            raise KeyError(doc_id)
        return self._read(number)

    def _read(self, number: int) -> Doc:
        data = os.pread(self._file, int(self._lengths[number]), int(self._offsets[number]))
        try:
            doc = self._form.parse(data)
        except ValueError:
            doc = None
        if doc is None or _check_of(record_hash(doc)) != self._checks[number]:
            raise InvalidInput(
                f"{self._source} is not what it was when it was indexed: the record of passage "
                f"{self.ids[number]!r} has changed; restore the file, or remove it where xdr made or fetched it, and run the "
                "command again"
            )
        return doc


class StoredIds(Sequence[str]):
    """Ids in order, decoded when they are asked for; 8 bytes each in the file for ids of 8 bytes."""

    def __init__(self, ids: NDArray[np.bytes_]) -> None:
        self._ids = ids

    def __len__(self) -> int:
        return len(self._ids)

    @overload
    def __getitem__(self, place: int) -> str: ...
    @overload
    def __getitem__(self, place: slice) -> tuple[str, ...]: ...
    def __getitem__(self, place: int | slice) -> str | tuple[str, ...]:
        if isinstance(place, slice):
            return tuple(map(_decoded, self._ids[place].tolist()))
        return _decoded(bytes(self._ids[place]))

    def __contains__(self, doc_id: object) -> bool:
        return isinstance(doc_id, str) and self.number(doc_id) is not None

    def number(self, doc_id: str) -> int | None:
        """The place of an id in the order, found by bisection; None when it is not there."""
        key = doc_id.encode("utf-8", "surrogatepass")
        # A longer key would make numpy widen all ids to its length; a zero byte at its end would not count.
        if len(key) > self._ids.dtype.itemsize or b"\0" in key:
            return None
        place = int(np.searchsorted(self._ids, np.array(key, dtype=self._ids.dtype)))
        return place if place < len(self._ids) and bytes(self._ids[place]) == key else None

    def __iter__(self) -> Iterator[str]:
        for start in range(0, len(self._ids), STEP):
            yield from map(_decoded, self._ids[start : start + STEP].tolist())


def open_docs(source: Path, form: Format, home: Path) -> StoredDocs:
    """The passages of ``source`` with the index in the folder ``home``, which is made if it is not of this very file.

    Raises ``InvalidInput`` with the faulty records, by line, or the ids that occur twice.
    """
    while True:
        indexing = Indexing(source, form, home)
        found = indexing.index.made(indexing.run)
        docs = StoredDocs(source, form, home, found["digest"])
        if indexing.index.is_sealed:
            return docs


class Indexing:
    """The pass over the source: appends block by block, and at the end puts everything in order."""

    def __init__(self, source: Path, form: Format, home: Path) -> None:
        check_regular(source)
        self._source, self._form, self._home = source, form, home
        self._sha256 = known_sha256(source)
        self.index = Derived(home / "index.seal", [SCHEMA_VERSION, form.name, self._sha256])
        self.raw = Derived(home / "raw" / "of.seal", self.index.made_of)
        self._findings: list[Finding] = []

    def run(self) -> Made:
        self._begin_or_resume()
        size = self._source.stat().st_size
        with progress.task(f"index {self._source.name}", size, "bytes", done=self._position) as advance:
            self._advance = advance
            self._read_source()
        if known_sha256(self._source) != self._sha256:
            raise InvalidInput(f"{self._source} changed while it was indexed; run the same command again")
        steps = len(_COLUMNS) + 1
        with explained_write_errors(self._home), progress.task("sort the index", steps, "columns") as self._advance:
            return self._finish()

    def _begin_or_resume(self) -> None:
        """Go on from the last whole block if it is of this very file."""
        folder = self.raw.seal.parent
        if self.raw.kept() is None:
            shutil.rmtree(folder, ignore_errors=True)
            self.raw.keep(Made())
        self._shards = Shards(folder)
        counts = [block.counts for block in self._shards.blocks]
        self._position, self._lines = (counts[-1]["position"], counts[-1]["lines"]) if counts else (0, 0)

    def _read_source(self) -> None:
        with self._source.open("rb", buffering=_READ_BYTES) as file:
            file.seek(self._position)
            batch: list[tuple[bytes, int, int, bytes]] = []
            end = self._position
            first_line = self._lines
            for record in self._form.records(file):
                if fault := record.fault or _fault_of_id(record.doc):
                    self._findings.append(Finding("error", f"{self._source}:{first_line + record.line}", fault))
                    if len(self._findings) == _MOST_FINDINGS:
                        break
                elif record.doc is not None:
                    entry = (record.doc.doc_id.encode(), end, record.end - end, record_hash(record.doc))
                    batch.append(entry)
                end, self._lines = record.end, first_line + record.line
                if len(batch) == STEP and not self._findings:
                    self._append(batch, end)
                    batch.clear()
        if self._findings:
            raise InvalidInput(f"{self._source} is invalid", self._findings)
        self._append(batch, end)

    def _append(self, batch: list[tuple[bytes, int, int, bytes]], position: int) -> None:
        columns = [
            np.array([start for _, start, _, _ in batch], "<u8").tobytes(),
            np.array([length for _, _, length, _ in batch], "<u4").tobytes(),
            b"".join(digest for *_, digest in batch),
            b"\n".join(doc_id for doc_id, *_ in batch),
        ]
        width = max((len(doc_id) for doc_id, *_ in batch), default=0)
        counts = {"position": position, "lines": self._lines, "width": width}
        self._shards.append(map(memoryview, columns), len(batch), _SHARD_BYTES, counts)
        self._advance(position - self._position)
        self._position = position

    def _finish(self) -> Made:
        width = max(1, *(block.counts["width"] for block in self._shards.blocks))
        ids = self._filled(f"S{width}", "ids", lambda data: data.split(b"\n"))
        order = np.argsort(ids, kind="stable")
        ids = ids[order]
        self._refuse_duplicates(ids)
        paths = [self._save("ids", ids)]
        del ids
        for name in ("offsets", "lengths"):
            kind = _COLUMNS[name]
            paths.append(self._save(name, self._filled(kind, name, partial(np.frombuffer, dtype=kind))[order]))
        paths.append(self._save("checks", self._filled(_COLUMNS["checks"], "hashes", _checks_of)[order]))
        del order
        digest = digest_of_hashes(lambda: self._pieces("hashes"), self._shards.items)
        self._advance(1)
        shutil.rmtree(self.raw.seal.parent)
        return Made(paths, {"digest": digest})

    def _filled(self, kind: Any, name: str, values: Callable[[bytes], Any]) -> NDArray[Any]:
        """A column in the order of the source."""
        column = np.empty(self._shards.items, kind)
        for block, data in zip(self._shards.blocks, self._pieces(name), strict=True):
            if block.items:
                column[block.start : block.start + block.items] = values(data)
        return column

    def _pieces(self, name: str) -> Iterator[bytes]:
        """A column's bytes, block by block: they were verified when the shards were opened, or written since."""
        first, last = _PLACES[name]
        for block in self._shards.blocks:
            start, end = first * block.items, last * block.items if last else block.size
            with self._shards.path_of(block).open("rb") as file:
                file.seek(block.offset + start)
                yield file.read(end - start)

    def _save(self, name: str, column: NDArray[Any]) -> Path:
        """Beside the old one, which another process may have mapped."""
        path = self._home / f"{name}.npy"
        with atomic_write(path) as file:
            np.save(file, column)
        self._advance(1)
        return path

    def _refuse_duplicates(self, ids: NDArray[np.bytes_]) -> None:
        twice = np.unique(ids[1:][ids[1:] == ids[:-1]])
        if len(twice):
            shown = ", ".join(repr(_decoded(doc_id)) for doc_id in twice[:5].tolist())
            raise InvalidInput(
                f"{self._source}: {len(twice)} ids occur more than once, first {shown}; expected unique ids"
            )


def digest_of_hashes(pieces: Callable[[], Iterable[bytes]], count: int, sorted_at_once: int = _SORTED_AT_ONCE) -> str:
    """SHA-256 over ``count`` 32-byte hashes, sorted: in passes over the pieces that each sort a range of first bytes."""
    passes = min(256, max(1, -(-count * HASH_BYTES // sorted_at_once)))
    bounds = [256 * number // passes for number in range(passes + 1)]
    digest = hashlib.sha256()
    for low, high in itertools.pairwise(bounds):
        found = []
        for piece in pieces():
            rows = np.frombuffer(piece, np.uint8).reshape(-1, HASH_BYTES)
            found.append(rows[(rows[:, 0] >= low) & (rows[:, 0] < high)])
        if found:
            digest.update(np.sort(np.concatenate(found).view(f"S{HASH_BYTES}").ravel()).tobytes())
    return digest.hexdigest()


def _checks_of(hashes: bytes) -> NDArray[np.uint64]:
    return np.frombuffer(hashes, "<u8").reshape(-1, HASH_BYTES // 8)[:, 0]


def _fault_of_id(doc: Doc | None) -> str:
    if doc is None:
        return ""
    if not doc.doc_id or doc.doc_id.split() != [doc.doc_id] or "\0" in doc.doc_id:
        return f"id {doc.doc_id!r}; expected an id without white space, as TREC runs need"
    try:
        too_long = len(doc.doc_id.encode()) > _LONGEST_ID
    except UnicodeEncodeError:
        return f"id {doc.doc_id!r} is not text that UTF-8 has"
    return f"an id of more than {_LONGEST_ID} bytes, {doc.doc_id[:20]!r}..." if too_long else ""


def _check_of(digest: bytes) -> int:
    return int.from_bytes(digest[:8], "little")


def _decoded(doc_id: bytes) -> str:
    return doc_id.decode("utf-8")
