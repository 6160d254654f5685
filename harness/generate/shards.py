"""Generated text in the making: whole blocks of lines appended to shard files, each with its hash, resumable after kill -9.

    begun.json        what the texts depend on; written first
    blocks.journal    one line per finished block, with a checksum; written after the block's bytes
    shard-00000.jsonl the lines, blocks back to back

Blocks do not depend on shards; the shard size only decides when a new file is begun. What is here is verified when a killed job
is taken up again; from the first block on that is damaged or not whole, all is cut off.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from harness.errors import InvalidInput, WrongUsage
from harness.files import explained_write_errors, write_text
from harness.journal import sealed_line, unsealed
from harness.limits import LINE_BYTES, RECORD_BYTES
from harness.reading import parse_json, read_bytes

_BEGUN = "begun.json"
_JOURNAL = "blocks.journal"
LOCK = "lock"


class Block(NamedTuple):
    """``start``: number of the first passage; ``counts``: what was counted while its texts were made."""

    shard: int
    offset: int
    size: int
    start: int
    passages: int
    digest: str
    counts: dict[str, int]


class TextShards:
    """Opened or begun in ``folder`` for texts described by ``description``.

    Raises ``InvalidInput`` when another description was begun there: hours of work are not thrown away unasked.
    """

    def __init__(self, folder: Path, description: Mapping[str, Any]) -> None:
        self.folder = folder
        begun = folder / _BEGUN
        if begun.is_file():
            self._check(dict(description))
        else:
            with explained_write_errors(folder):
                folder.mkdir(parents=True, exist_ok=True)
            write_text(begun, json.dumps(description, indent=1, sort_keys=True, ensure_ascii=False))
        self.blocks = self._recover()

    @property
    def passages(self) -> int:
        return sum(block.passages for block in self.blocks)

    @property
    def size_bytes(self) -> int:
        return sum(block.size for block in self.blocks)

    def counts(self) -> Counter[str]:
        total: Counter[str] = Counter()
        for block in self.blocks:
            total.update(block.counts)
        return total

    def append(self, data: bytes, passages: int, counts: Mapping[str, int], shard_bytes: int) -> None:
        """Add a block of lines, in a new shard file if this one has reached ``shard_bytes``."""
        shard, offset = self._next_place(shard_bytes)
        block = Block(shard, offset, len(data), self.passages, passages, _digest(data), dict(sorted(counts.items())))
        with explained_write_errors(self.folder):
            with self._shard(shard).open("r+b" if offset else "wb") as file:
                # What a kill left behind the last finished block goes.
                file.truncate(offset)
                file.seek(offset)
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            with (self.folder / _JOURNAL).open("ab") as journal:
                journal.write(sealed_line(list(block)))
                journal.flush()
                os.fsync(journal.fileno())
        self.blocks.append(block)

    def close(self) -> list[Path]:
        """Cut off what belongs to no finished block; returns the shard files."""
        ends: dict[int, int] = {}
        for block in self.blocks:
            ends[block.shard] = block.offset + block.size
        with explained_write_errors(self.folder):
            for path in sorted(self.folder.glob("shard-*.jsonl")):
                if path not in {self._shard(number) for number in ends}:
                    path.unlink()
            for number, end in ends.items():
                os.truncate(self._shard(number), end)
        return [self._shard(number) for number in sorted(ends)]

    def _check(self, description: dict[str, Any]) -> None:
        path = self.folder / _BEGUN
        try:
            before = dict(parse_json(read_bytes(path, RECORD_BYTES)))
        except (ValueError, TypeError) as error:
            raise InvalidInput(
                f"{path} is damaged, so that nobody can say of what the texts beside it are; remove {self.folder} "
                "to begin anew"
            ) from error
        if changed := differences(before, json.loads(json.dumps(description))):
            raise WrongUsage(
                f"{self.folder} holds an unfinished output of something else: {'; '.join(changed[:5])}. Go on with what it was "
                "begun with, choose another --out, or remove it to begin anew"
            )

    def _recover(self) -> list[Block]:
        """The finished blocks: lines of the journal that are whole and whose bytes are there with the right hash."""
        blocks: list[Block] = []
        path = self.folder / _JOURNAL
        intact = passages = 0
        if not path.is_file():
            return blocks
        with path.open("rb") as journal:
            for line in iter(lambda: journal.readline(LINE_BYTES), b""):
                block = _parsed(line)
                if block is None or block.start != passages or _digest(self._bytes_of(block)) != block.digest:
                    break
                blocks.append(block)
                passages += block.passages
                intact += len(line)
        with explained_write_errors(path):
            os.truncate(path, intact)
        return blocks

    def _next_place(self, shard_bytes: int) -> tuple[int, int]:
        if not self.blocks:
            return 0, 0
        last = self.blocks[-1]
        end = last.offset + last.size
        return (last.shard + 1, 0) if end >= shard_bytes else (last.shard, end)

    def _bytes_of(self, block: Block) -> bytes:
        try:
            with self._shard(block.shard).open("rb") as file:
                file.seek(block.offset)
                return file.read(block.size)
        except OSError:
            return b""

    def _shard(self, number: int) -> Path:
        return self.folder / f"shard-{number:05d}.jsonl"


def clear_traces(folder: Path) -> None:
    """Remove what only an unfinished output needs, from a folder that is finished."""
    for name in (_BEGUN, _JOURNAL, LOCK):
        (folder / name).unlink(missing_ok=True)


def differences(before: Any, now: Any, where: str = "") -> list[str]:
    """Where two descriptions differ, in words.

    >>> differences({"recipe": {"seed": 1}}, {"recipe": {"seed": 2}})
    ['recipe.seed was 1, is 2']
    """
    if isinstance(before, Mapping) and isinstance(now, Mapping):
        names = sorted(set(before) | set(now))
        return [
            text
            for name in names
            for text in differences(before.get(name), now.get(name), f"{where}.{name}" if where else name)
        ]
    return [] if before == now else [f"{where} was {before!r:.100}, is {now!r:.100}"]


def _parsed(line: bytes) -> Block | None:
    try:
        block = Block(*unsealed(line))
    except (ValueError, TypeError):
        return None
    numbers = [*block[:5], *(block.counts.values() if isinstance(block.counts, dict) else [-1])]
    return block if all(type(number) is int and number >= 0 for number in numbers) else None


def _digest(data: bytes) -> str:
    return hashlib.blake2b(data, digest_size=16).hexdigest()
