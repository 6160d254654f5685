"""A sharded store of vectors: whole blocks appended to shard files, each with its hash, resumable after kill -9.

    store.json      what the vectors are (key, dimensions, dtype); written first
    blocks.jsonl    one line per finished block: shard, offset, rows, XXH3; written after the block's bytes
    shard-00000     raw vectors, blocks back to back

Block boundaries are the caller's and do not depend on shards; shard size only decides when a new file is begun. The hash is
there for disks and kills, not against forgers: XXH3-128 takes a hundredth of the time that reading takes, a cryptographic
one would be what writing and searching wait for.
"""

from __future__ import annotations

import json
import os
import shutil
import warnings
from collections.abc import Iterator, Mapping
from io import RawIOBase
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import xxhash
from numpy.typing import NDArray

from harness.errors import InvalidInput
from harness.files import explained_write_errors, write_text

SCHEMA_VERSION = 2

_CONVERTED_AT_ONCE = 1 << 15
"""Numbers converted in one call: torch shares out more among threads, and on a busy machine waits for the last of them."""

_PIECE = 1 << 17
"""Numbers that are converted, checked, hashed and written before the next: so few stay in the processor's cache."""


class Block(NamedTuple):
    shard: int
    offset: int
    rows: int
    start: int
    digest: str


class VectorStore:
    """Opened or begun at ``path`` for vectors described by ``description``; another description starts it anew."""

    def __init__(self, path: Path, description: Mapping[str, Any], dimensions: int, dtype: str) -> None:
        self.path, self.dimensions, self.dtype = path, dimensions, np.dtype(dtype)
        header = _header(description, dimensions, self.dtype)
        if _header_in(path) != header:
            if path.exists():
                shutil.rmtree(path)
            with explained_write_errors(path):
                path.mkdir(parents=True)
            write_text(path / "store.json", json.dumps(header, indent=1, sort_keys=True))
        self.blocks = self._recover()

    @property
    def rows(self) -> int:
        return sum(block.rows for block in self.blocks)

    @property
    def size_bytes(self) -> int:
        return self.rows * self.dimensions * self.dtype.itemsize

    def append(self, vectors: NDArray[Any], shard_bytes: int) -> None:
        """Add a block, shape (rows, dimensions), in a new shard file if this one has reached ``shard_bytes``."""
        shard, offset = self._next_place(shard_bytes)
        digest = xxhash.xxh3_128()
        with explained_write_errors(self.path):
            # What a block that is refused leaves behind has no line in the journal, and is written over.
            with self._shard(shard).open("r+b" if offset else "wb", buffering=0) as file:
                file.seek(offset)
                for piece in _pieces(vectors, self.dtype):
                    if not _all_finite(piece):
                        raise InvalidInput(
                            f"vectors are not finite, or too large for {self.dtype.name}; "
                            'use store_dtype = "float32" in the card'
                        )
                    data = piece.view(np.uint8).data
                    digest.update(data)
                    _write_all(file, data)
                os.fsync(file.fileno())
            block = Block(shard, offset, len(vectors), self.rows, digest.hexdigest())
            with (self.path / "blocks.jsonl").open("ab") as lines:
                lines.write(json.dumps(list(block)).encode() + b"\n")
                lines.flush()
                os.fsync(lines.fileno())
        self.blocks.append(block)

    def read(self, index: int) -> NDArray[np.float32]:
        """The vectors of a block as float32. Raises ``InvalidInput`` when they are not what was written."""
        return as_float32(self.stored(index))

    def stored(self, index: int) -> NDArray[Any]:
        """The vectors of a block in the store's own dtype. Raises ``InvalidInput`` when they are not what was written."""
        block = self.blocks[index]
        data = self._bytes_of(block)
        if _digest(data) != block.digest:
            raise InvalidInput(f"{self._shard(block.shard)} is damaged; run the same command again")
        return np.frombuffer(data, dtype=self.dtype).reshape(block.rows, self.dimensions)

    def _recover(self) -> list[Block]:
        """The finished blocks: lines of the journal that are whole and whose bytes are there with the right hash."""
        blocks: list[Block] = []
        journal = self.path / "blocks.jsonl"
        intact = 0
        for line in journal.read_bytes().splitlines(keepends=True) if journal.is_file() else []:
            block = _parsed(line)
            # A digest covers a block's bytes alone; that its first row follows the block before is checked here.
            if block is None or block.start != sum(b.rows for b in blocks):
                break
            if _digest(self._bytes_of(block)) != block.digest:
                break
            blocks.append(block)
            intact += len(line)
        if journal.is_file() and journal.stat().st_size > intact:
            with explained_write_errors(journal), journal.open("r+b") as file:
                file.truncate(intact)
        return blocks

    def _next_place(self, shard_bytes: int) -> tuple[int, int]:
        if not self.blocks:
            return 0, 0
        last = self.blocks[-1]
        end = last.offset + last.rows * self.dimensions * self.dtype.itemsize
        return (last.shard + 1, 0) if end >= shard_bytes else (last.shard, end)

    def _bytes_of(self, block: Block) -> bytearray:
        """What stands at a block's place: fewer bytes than it should have where the file is too short."""
        data = bytearray(block.rows * self.dimensions * self.dtype.itemsize)
        try:
            with self._shard(block.shard).open("rb", buffering=0) as file:
                file.seek(block.offset)
                del data[_read_into(file, data) :]
        except OSError:
            return bytearray()
        return data

    def _shard(self, number: int) -> Path:
        return _shard_in(self.path, number)


def rows_left_in(path: Path, description: Mapping[str, Any], dimensions: int, dtype: str) -> int:
    """Vectors that a store would go on from, by the lengths of its files: nothing is opened for writing, nothing hashed."""
    kind = np.dtype(dtype)
    if _header_in(path) != _header(description, dimensions, kind):
        return 0
    rows = 0
    journal = path / "blocks.jsonl"
    for line in journal.read_bytes().splitlines(keepends=True) if journal.is_file() else []:
        block = _parsed(line)
        if block is None or block.start != rows:
            break
        shard = _shard_in(path, block.shard)
        if not shard.is_file() or shard.stat().st_size < block.offset + block.rows * dimensions * kind.itemsize:
            break
        rows += block.rows
    return rows


def _header(description: Mapping[str, Any], dimensions: int, dtype: np.dtype[Any]) -> dict[str, Any]:
    return {
        "schema_version": SCHEMA_VERSION,
        "dimensions": dimensions,
        "dtype": dtype.name,
        "description": dict(description),
    }


def _header_in(path: Path) -> Any:
    try:
        return json.loads((path / "store.json").read_text("utf-8"))
    except (OSError, ValueError):
        return None


def _shard_in(path: Path, number: int) -> Path:
    return path / f"shard-{number:05d}"


def _parsed(line: bytes) -> Block | None:
    try:
        block = Block(*json.loads(line))
    except (ValueError, TypeError):
        return None
    *numbers, digest = block
    whole = line.endswith(b"\n") and isinstance(digest, str)
    return block if whole and all(type(number) is int and number >= 0 for number in numbers) else None


def _read_into(file: RawIOBase, data: bytearray) -> int:
    """Bytes read until ``data`` is full or the file ends: one call need not give them all."""
    done = 0
    with memoryview(data) as view:
        while count := file.readinto(view[done:]):
            done += count
    return done


def _write_all(file: RawIOBase, data: memoryview) -> None:
    """One call need not write all."""
    while data:
        data = data[file.write(data) :]


def _pieces(vectors: NDArray[Any], dtype: np.dtype[Any]) -> Iterator[NDArray[Any]]:
    """The values in another dtype, one row of pieces, each of which is gone when the next one is asked for."""
    numbers = np.ascontiguousarray(vectors).reshape(-1)
    buffer = np.empty(min(_PIECE, len(numbers)), dtype)
    for start in range(0, len(numbers), _PIECE):
        source = numbers[start : start + _PIECE]
        piece = buffer[: len(source)]
        _copy(source, piece)
        yield piece


def as_float32(vectors: NDArray[Any]) -> NDArray[np.float32]:
    if vectors.dtype == np.float32:
        return np.ascontiguousarray(vectors)
    converted = np.empty(vectors.shape, np.float32)
    _copy(np.ascontiguousarray(vectors).reshape(-1), converted.reshape(-1))
    return converted


def _copy(source: NDArray[Any], target: NDArray[Any]) -> None:
    """The same values, rounded where they must be; torch converts half precision ten times as fast as NumPy."""
    import torch

    # A view of bytes that may not be written is only read here.
    with warnings.catch_warnings(action="ignore", category=UserWarning):
        values, places = torch.from_numpy(source), torch.from_numpy(target)
    for start in range(0, len(values), _CONVERTED_AT_ONCE):
        end = start + _CONVERTED_AT_ONCE
        places[start:end].copy_(values[start:end])


def _all_finite(numbers: NDArray[Any]) -> bool:
    """By the bits of the exponents, which is many times as fast as ``np.isfinite`` in half precision."""
    bits = np.dtype(f"u{numbers.dtype.itemsize}")
    infinity = int(np.array(np.inf, numbers.dtype).view(bits))
    magnitudes = numbers.view(bits) & bits.type(np.iinfo(bits).max >> 1)
    return int(magnitudes.max(initial=0)) < infinity


def _digest(data: bytearray | memoryview) -> str:
    return xxhash.xxh3_128(data).hexdigest()
