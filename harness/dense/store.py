"""A store of vectors: whole blocks in shard files, each with its hash, resumable after kill -9 (``harness.files.shards``).

store.json    what the vectors are (key, dimensions, dtype); written first
"""

from __future__ import annotations

import json
import shutil
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.errors import InvalidInput
from harness.files.shards import Block, Shards, items_noted_in
from harness.files.writing import explained_write_errors, write_text

SCHEMA_VERSION = 3
_NO_COUNTS: Mapping[str, int] = {}

_CONVERTED_AT_ONCE = 1 << 15
"""Numbers converted in one call: torch shares out more among threads, and on a busy machine waits for the last of them."""

_PIECE = 1 << 17
"""Numbers that are converted, checked, hashed and written before the next: so few stay in the processor's cache."""


class NotFinite(InvalidInput):
    """``rows``: of the vectors that are not finite, or too large for the store's dtype, as ``is_too_large`` says."""

    def __init__(self, vectors: NDArray[Any], dtype: str) -> None:
        finite = np.isfinite(vectors).all(axis=1)
        with np.errstate(over="ignore"):
            fits = np.isfinite(vectors.astype(dtype)).all(axis=1)
        self.is_too_large = bool(finite.all())
        self.rows = [int(row) for row in np.flatnonzero(~(fits if self.is_too_large else finite))]
        what = f"too large for {dtype}" if self.is_too_large else "not finite"
        super().__init__(f"{len(self.rows)} of {len(vectors)} vectors are {what}")


class FoundNotFinite(Exception):
    """Among numbers that are about to be written."""


class BlockStore:
    """Blocks of numbers, opened or begun at ``path`` under a header; another header starts it anew."""

    def __init__(self, path: Path, header: Mapping[str, Any]) -> None:
        self.path = path
        if header_in(path) != header:
            if path.exists():
                shutil.rmtree(path)
            with explained_write_errors(path):
                path.mkdir(parents=True)
            write_text(path / "store.json", json.dumps(header, indent=1, sort_keys=True))
        self._shards = Shards(path)

    @property
    def blocks(self) -> list[Block]:
        """Their items are what is stored of one text."""
        return self._shards.blocks

    @property
    def rows(self) -> int:
        return self._shards.items

    @property
    def size_bytes(self) -> int:
        return self._shards.size_bytes

    def bytes_of(self, index: int) -> bytearray:
        """Of a block. Raises ``InvalidInput`` when they are not what was written."""
        block = self.blocks[index]
        data = self._shards.verified(block)
        if data is None:
            raise InvalidInput(f"{self._shards.path_of(block)} is damaged; run the same command again")
        return data


class VectorStore(BlockStore):
    """A vector for each text, described by ``description``."""

    def __init__(self, path: Path, description: Mapping[str, Any], dimensions: int, dtype: str) -> None:
        self.dimensions, self.dtype = dimensions, np.dtype(dtype)
        super().__init__(path, _header(description, dimensions, self.dtype))

    def append(self, vectors: NDArray[Any], shard_bytes: int, counts: Mapping[str, int] = _NO_COUNTS) -> None:
        """Add a block, shape (rows, dimensions), in a new shard file if this one has reached ``shard_bytes``.

        ``counts``: what is kept beside it. Raises ``NotFinite`` when vectors are not finite in the store's dtype; nothing
        is added then.
        """
        try:
            self._shards.append(pieces(vectors, self.dtype), len(vectors), shard_bytes, counts)
        except FoundNotFinite:
            raise NotFinite(vectors, self.dtype.name) from None

    def read(self, index: int) -> NDArray[np.float32]:
        """The vectors of a block as float32. Raises ``InvalidInput`` when they are not what was written."""
        return as_float32(self.stored(index))

    @staticmethod
    def as_read(stored: NDArray[Any]) -> NDArray[np.float32]:
        """What ``read`` gives of what ``stored`` gives."""
        return as_float32(stored)

    def stored(self, index: int) -> NDArray[Any]:
        """The vectors of a block in the store's own dtype. Raises ``InvalidInput`` when they are not what was written."""
        return np.frombuffer(self.bytes_of(index), dtype=self.dtype).reshape(-1, self.dimensions)


def _checked(piece: NDArray[Any]) -> memoryview:
    if not _all_finite(piece):
        raise FoundNotFinite
    return piece.view(np.uint8).data


def rows_left_in(path: Path, description: Mapping[str, Any], dimensions: int, dtype: str) -> int:
    """Vectors that a store would go on from, by the lengths of its files."""
    if header_in(path) != _header(description, dimensions, np.dtype(dtype)):
        return 0
    return items_noted_in(path)


def dimensions_in(path: Path, description: Mapping[str, Any]) -> int | None:
    """Of the vectors that a store of this description holds; None where there is none."""
    header = header_in(path)
    if not isinstance(header, dict) or header.get("description") != dict(description):
        return None
    found = header.get("dimensions")
    return found if type(found) is int and found > 0 else None


def _header(description: Mapping[str, Any], dimensions: int, dtype: np.dtype[Any]) -> dict[str, Any]:
    return {
        "schema_version": SCHEMA_VERSION,
        "dimensions": dimensions,
        "dtype": dtype.name,
        "description": dict(description),
    }


def header_in(path: Path) -> Any:
    try:
        return json.loads((path / "store.json").read_text("utf-8"))
    except (OSError, ValueError):
        return None


def pieces(vectors: NDArray[Any], dtype: np.dtype[Any]) -> Iterator[memoryview]:
    """The values' bytes in another dtype, each piece gone when the next one is asked for. Raises ``FoundNotFinite``."""
    numbers = np.ascontiguousarray(vectors).reshape(-1)
    buffer = np.empty(min(_PIECE, len(numbers)), dtype)
    for start in range(0, len(numbers), _PIECE):
        source = numbers[start : start + _PIECE]
        piece = buffer[: len(source)]
        _copy(source, piece)
        yield _checked(piece)


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
