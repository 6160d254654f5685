"""Generated text in the making: whole blocks of lines in shard files, resumable after kill -9 (``harness.files.shards``).

    begun.json    what the texts depend on; written first

What is here is verified when a killed job is taken up again; from the first block on that is damaged, all is cut off.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from harness.errors import InvalidInput, WrongUsage
from harness.files.limits import RECORD_BYTES
from harness.files.reading import parse_json, read_bytes
from harness.files.shards import JOURNAL, Block, Shards
from harness.files.writing import explained_write_errors, write_text
from harness.recipes.generate.answers import FILE_NAME as ANSWERS

_BEGUN = "begun.json"
LOCK = "lock"


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
        self._shards = Shards(folder, ".jsonl")

    @property
    def blocks(self) -> list[Block]:
        """Their items are passages; ``counts`` is what was counted while their texts were made."""
        return self._shards.blocks

    @property
    def passages(self) -> int:
        return self._shards.items

    @property
    def size_bytes(self) -> int:
        return self._shards.size_bytes

    def counts(self) -> Counter[str]:
        total: Counter[str] = Counter()
        for block in self.blocks:
            total.update(block.counts)
        return total

    def append(self, data: bytes, passages: int, counts: Mapping[str, int], shard_bytes: int) -> None:
        """Add a block of lines, in a new shard file if this one has reached ``shard_bytes``."""
        self._shards.append([memoryview(data)], passages, shard_bytes, counts)

    def close(self) -> list[Path]:
        """Cut off what belongs to no finished block; returns the shard files."""
        return self._shards.close()

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


def clear_traces(folder: Path) -> None:
    """Remove what only an unfinished output needs, from a folder that is finished."""
    for name in (_BEGUN, JOURNAL, LOCK, ANSWERS):
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
