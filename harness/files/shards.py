"""Blocks of bytes appended to shard files, each noted in a journal when it is on the disk: resumable after kill -9.

    blocks.journal    a line for each finished block: file, offset, length, items, XXH3; with a checksum
    shard-00000...    the blocks, back to back

Blocks are the caller's, and do not depend on shards: the shard size only decides when a new file is begun. What is found when
a folder is opened again is the blocks up to the first one whose line or bytes are not whole; what stands behind them is written
over. The hash is there for disks and kills, not against forgers: XXH3 takes a hundredth of the time that reading takes.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from io import RawIOBase
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import xxhash

from harness.files.sealed_lines import drop_behind, sealed_line, whole_lines
from harness.files.writing import explained_write_errors

JOURNAL = "blocks.journal"
_LARGEST = (1 << 63) - 1  # what a place in a file can be
_NOTHING: Mapping[str, int] = MappingProxyType({})


class Block(NamedTuple):
    """``start``: number of its first item; ``items``: how many it holds; ``counts``: what else its owner has counted."""

    shard: int
    offset: int
    size: int
    start: int
    items: int
    digest: str
    counts: dict[str, int]


class Shards:
    """The shards in ``folder``, which exists, and whose names end in ``suffix``; verified when it is opened."""

    def __init__(self, folder: Path, suffix: str = "") -> None:
        self.folder, self._suffix = folder, suffix
        self.blocks: list[Block] = []
        intact = 0
        for block, end in _noted(folder):
            if self.verified(block) is None:
                break
            self.blocks.append(block)
            intact = end
        drop_behind(folder / JOURNAL, intact)

    @property
    def items(self) -> int:
        return sum(block.items for block in self.blocks)

    @property
    def size_bytes(self) -> int:
        return sum(block.size for block in self.blocks)

    def append(
        self, pieces: Iterable[memoryview], items: int, shard_bytes: int, counts: Mapping[str, int] = _NOTHING
    ) -> None:
        """Add a block, in a new shard file if the last one has reached ``shard_bytes``; it is on the disk afterwards.

        What a block leaves behind whose pieces end with an error has no line in the journal, and is written over.
        """
        shard, offset = self._next_place(shard_bytes)
        digest, size = xxhash.xxh3_128(), 0
        with explained_write_errors(self.folder):
            with self._shard(shard).open("r+b" if offset else "wb", buffering=0) as file:
                file.truncate(offset)
                file.seek(offset)
                for piece in pieces:
                    digest.update(piece)
                    size += piece.nbytes
                    _write_all(file, piece)
                os.fsync(file.fileno())
            block = Block(shard, offset, size, self.items, items, digest.hexdigest(), dict(sorted(counts.items())))
            with (self.folder / JOURNAL).open("ab") as journal:
                journal.write(sealed_line(list(block)))
                journal.flush()
                os.fsync(journal.fileno())
        self.blocks.append(block)

    def _bytes_of(self, block: Block) -> bytearray:
        """What stands at a block's place: fewer bytes than it should have where the file is too short."""
        try:
            with self._shard(block.shard).open("rb", buffering=0) as file:
                there = os.fstat(file.fileno()).st_size - block.offset
                data = bytearray(max(0, min(block.size, there)))
                file.seek(block.offset)
                del data[_read_into(file, data) :]
        except OSError:
            return bytearray()
        return data

    def verified(self, block: Block) -> bytearray | None:
        """A block's bytes; None when they are not what was written."""
        data = self._bytes_of(block)
        return data if _digest(data) == block.digest else None

    def path_of(self, block: Block) -> Path:
        return self._shard(block.shard)

    def close(self) -> list[Path]:
        """Cut off what belongs to no finished block; returns the shard files."""
        ends = {block.shard: block.offset + block.size for block in self.blocks}
        with explained_write_errors(self.folder):
            for path in sorted(self.folder.glob(f"shard-*{self._suffix}")):
                if path not in {self._shard(number) for number in ends}:
                    path.unlink()
            for number, end in ends.items():
                os.truncate(self._shard(number), end)
        return [self._shard(number) for number in sorted(ends)]

    def _next_place(self, shard_bytes: int) -> tuple[int, int]:
        if not self.blocks:
            return 0, 0
        last = self.blocks[-1]
        end = last.offset + last.size
        return (last.shard + 1, 0) if end >= shard_bytes else (last.shard, end)

    def _shard(self, number: int) -> Path:
        return _shard_in(self.folder, self._suffix, number)


def items_noted_in(folder: Path, suffix: str = "") -> int:
    """Items that ``Shards`` would go on from, by the lengths of its files: nothing is opened for writing, nothing hashed."""
    items = 0
    for block, _ in _noted(folder):
        shard = _shard_in(folder, suffix, block.shard)
        if not shard.is_file() or shard.stat().st_size < block.offset + block.size:
            break
        items += block.items
    return items


def _noted(folder: Path) -> Iterator[tuple[Block, int]]:
    """Blocks of the journal and where their lines end, up to the first line that is damaged or out of order."""
    items = 0
    for block, end in whole_lines(folder / JOURNAL, _parsed):
        # A digest covers a block's bytes alone; that its first item follows the block before is checked here.
        if block.start != items:
            return
        yield block, end
        items += block.items


def _parsed(row: Any) -> Block:
    block = Block(*row)
    numbers = [*block[:5], *(block.counts.values() if isinstance(block.counts, dict) else [-1])]
    if not all(type(number) is int and 0 <= number <= _LARGEST for number in numbers):
        raise ValueError(f"not a block: {row!r:.100}")
    return block


def _shard_in(folder: Path, suffix: str, number: int) -> Path:
    return folder / f"shard-{number:05d}{suffix}"


def _write_all(file: RawIOBase, data: memoryview) -> None:
    """One call need not write all."""
    while data:
        data = data[file.write(data) :]


def _read_into(file: RawIOBase, data: bytearray) -> int:
    """Bytes read until ``data`` is full or the file ends: one call need not give them all."""
    done = 0
    with memoryview(data) as view:
        while count := file.readinto(view[done:]):
            done += count
    return done


def _digest(data: bytearray) -> str:
    return xxhash.xxh3_128(data).hexdigest()
