"""Passages of a large file, read where they lie: an index of ids and offsets in numpy memory maps, and no pickle.

    index.json    what the index is of: format, size, time stamp and both ends of the source; passages; digest. Written last
    ids.npy       bytes of fixed width, ascending: the place in this order is a passage's number
    offsets.npy   uint64, the byte of the source where the record begins
    lengths.npy   uint32, bytes of the record
    checks.npy    uint64, the beginning of the record's BLAKE2b: whatever is read later is held against it

The one pass over the source appends what it finds to four raw files and notes after every ``STEP`` records how far it has
come, so that a killed pass goes on from there. The order, and the collection's digest, are made at its end.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import os
import shutil
import weakref
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, Protocol, overload

import numpy as np
from numpy.typing import NDArray

from harness import progress
from harness.errors import Finding, InvalidInput
from harness.files.reading import check_regular
from harness.files.record_digest import HASH_BYTES, record_hash
from harness.files.writing import exclusive, explained_write_errors, write_text
from harness.records import Doc

SCHEMA_VERSION = 1
STEP = 1 << 16
_END_BYTES = _READ_BYTES = 1 << 20
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

    def __init__(self, source: Path, form: Format, home: Path) -> None:
        self._source, self._form = source, form
        self.home = home
        described = json.loads((home / "index.json").read_text("utf-8"))
        self.digest: str = described["digest"]
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
                f"{self.ids[number]!r} has changed; restore the file, or run the command again"
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
    identity = _identity(source, form)
    if _described(home / "index.json").get("identity") != identity:
        with exclusive(home / "lock"):
            Indexing(source, form, home, identity).run()
    return StoredDocs(source, form, home)


def _identity(source: Path, form: Format) -> dict[str, Any]:
    """What a file is known by without reading 13 GB: format, size, time stamp, hash of its first and last mebibyte."""
    check_regular(source)
    status = source.stat()
    with source.open("rb") as file:
        ends = hashlib.blake2b(file.read(_END_BYTES), digest_size=16)
        file.seek(max(0, status.st_size - _END_BYTES))
        ends.update(file.read(_END_BYTES))
    return {
        "schema_version": SCHEMA_VERSION,
        "format": form.name,
        "size": status.st_size,
        "mtime_ns": status.st_mtime_ns,
        "ends": ends.hexdigest(),
    }


class Indexing:
    """The pass over the source: appends, notes its progress, and at the end puts everything in order."""

    def __init__(self, source: Path, form: Format, home: Path, identity: dict[str, Any]) -> None:
        self._source, self._form, self._home, self._identity = source, form, home, identity
        self._raw = home / "raw"
        self._findings: list[Finding] = []
        self._position = self._records = self._id_bytes = self._width = self._lines = 0

    def run(self) -> None:
        # Gone before anything that it describes is replaced.
        (self._home / "index.json").unlink(missing_ok=True)
        self._resume()
        size = self._source.stat().st_size
        with progress.task(f"index {self._source.name}", size, "bytes", done=self._position) as advance:
            self._advance = advance
            self._read_source()
        steps = len(_COLUMNS) + 1
        with explained_write_errors(self._home), progress.task("sort the index", steps, "columns") as self._advance:
            self._finish()

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

    def _resume(self) -> None:
        """Go on from the last note if it is about this very file; drop what was written after it."""
        note = _described(self._raw / "progress.json")
        if note.get("identity") != self._identity:
            shutil.rmtree(self._raw, ignore_errors=True)
            self._raw.mkdir(parents=True)
            return
        self._position, self._records, self._lines = note["position"], note["records"], note["lines"]
        self._id_bytes, self._width = note["id_bytes"], note["width"]
        for name, size in self._sizes().items():
            with (self._raw / name).open("r+b") as file:
                file.truncate(size)

    def _sizes(self) -> dict[str, int]:
        count = self._records
        return {"ids": self._id_bytes, "offsets": 8 * count, "lengths": 4 * count, "hashes": HASH_BYTES * count}

    def _append(self, batch: list[tuple[bytes, int, int, bytes]], position: int) -> None:
        columns = {
            "ids": b"".join(doc_id + b"\n" for doc_id, *_ in batch),
            "offsets": np.array([start for _, start, _, _ in batch], "<u8").tobytes(),
            "lengths": np.array([length for _, _, length, _ in batch], "<u4").tobytes(),
            "hashes": b"".join(digest for *_, digest in batch),
        }
        for name, data in columns.items():
            with explained_write_errors(self._raw), (self._raw / name).open("ab") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
        self._advance(position - self._position)
        self._position, self._records = position, self._records + len(batch)
        self._id_bytes += len(columns["ids"])
        self._width = max([self._width, *(len(doc_id) for doc_id, *_ in batch)])
        note = {"identity": self._identity, "position": position, "records": self._records, "lines": self._lines}
        note |= {"id_bytes": self._id_bytes, "width": self._width}
        write_text(self._raw / "progress.json", json.dumps(note))

    def _finish(self) -> None:
        ids = self._read_ids()
        order = np.argsort(ids, kind="stable")
        ids = ids[order]
        self._refuse_duplicates(ids)
        np.save(self._home / "ids.npy", ids)
        del ids
        self._advance(1)
        for name in ("offsets", "lengths"):
            np.save(self._home / f"{name}.npy", np.fromfile(self._raw / name, _COLUMNS[name])[order])
            self._advance(1)
        np.save(self._home / "checks.npy", self._read_checks()[order])
        del order
        self._advance(1)
        digest = digest_of_hash_file(self._raw / "hashes")
        self._advance(1)
        described = {"identity": self._identity, "passages": self._records, "digest": digest}
        write_text(self._home / "index.json", json.dumps(described, indent=1))
        shutil.rmtree(self._raw)

    def _read_ids(self) -> NDArray[np.bytes_]:
        ids = np.empty(self._records, f"S{max(1, self._width)}")
        with (self._raw / "ids").open("rb") as file:
            for start in range(0, self._records, STEP):
                end = min(start + STEP, self._records)
                ids[start:end] = [file.readline()[:-1] for _ in range(end - start)]
        return ids

    def _read_checks(self) -> NDArray[np.uint64]:
        checks = np.empty(self._records, _COLUMNS["checks"])
        with (self._raw / "hashes").open("rb") as file:
            for start in range(0, self._records, STEP):
                rows = np.frombuffer(file.read(STEP * HASH_BYTES), "<u8").reshape(-1, HASH_BYTES // 8)
                checks[start : start + len(rows)] = rows[:, 0]
        return checks

    def _refuse_duplicates(self, ids: NDArray[np.bytes_]) -> None:
        twice = np.unique(ids[1:][ids[1:] == ids[:-1]])
        if len(twice):
            shown = ", ".join(repr(_decoded(doc_id)) for doc_id in twice[:5].tolist())
            raise InvalidInput(
                f"{self._source}: {len(twice)} ids occur more than once, first {shown}; expected unique ids"
            )


def digest_of_hash_file(path: Path, sorted_at_once: int = _SORTED_AT_ONCE) -> str:
    """SHA-256 over the 32-byte hashes in a file, sorted: in passes that each sort those of a range of first bytes."""
    size = path.stat().st_size
    passes = min(256, max(1, -(-size // sorted_at_once)))
    bounds = [256 * number // passes for number in range(passes + 1)]
    digest = hashlib.sha256()
    for low, high in itertools.pairwise(bounds):
        found = []
        with path.open("rb") as file:
            while chunk := file.read(STEP * HASH_BYTES):
                rows = np.frombuffer(chunk, np.uint8).reshape(-1, HASH_BYTES)
                found.append(rows[(rows[:, 0] >= low) & (rows[:, 0] < high)])
        if found:
            digest.update(np.sort(np.concatenate(found).view(f"S{HASH_BYTES}").ravel()).tobytes())
    return digest.hexdigest()


def _described(path: Path) -> dict[str, Any]:
    try:
        return dict(json.loads(path.read_text("utf-8")))
    except (OSError, ValueError, TypeError):
        return {}


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
