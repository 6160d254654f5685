"""Encoding, fusing and searching as jobs, whose tasks any engine computes to the same bytes (``harness.compute.engine``).

A task carries the texts or the vectors that it is about; what is shared by all, the model's files, belongs to the job. The
driver alone writes the vectors and merges what was found, in the order of the tasks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from harness.compute.jobs import Engine
from harness.dense.encoder import Encoder, loaded_encoder
from harness.dense.encoding import Encoded, Limits, blocks_of, encode_block, encode_texts, joined
from harness.dense.fusion import FusionSettings, fuse
from harness.dense.loading import EncoderSettings
from harness.dense.roles import Role, Use
from harness.dense.search import BestDocuments, Candidates, Tiles, exact_search
from harness.dense.store import VectorStore, as_float32
from harness.dense.truncation import NOTHING_CUT, Cut, cut_of
from harness.order import keys_of


class ToFuse(NamedTuple):
    """Texts whose vectors are fused with those of a block's rows ``owners``, as ``harness.dense.fusion.fuse`` has it."""

    texts: Sequence[str]
    owners: NDArray[np.int64]
    role: Role
    settings: FusionSettings


class TextBlock(NamedTuple):
    """At most ``BLOCK_ROWS`` texts to encode together."""

    texts: Sequence[str]
    role: Role
    to_fuse: ToFuse | None = None


class EncodedBlock(NamedTuple):
    """A block's texts, and what was counted of those fused with them; ``use``: how the block's own were encoded."""

    encoded: Encoded
    use: Use
    fused: Cut


@dataclass(frozen=True)
class EncodingJob:
    """``batches_at_once``: the operator's; it changes no bytes."""

    settings: EncoderSettings
    token_budget: int
    batches_at_once: int

    @property
    def files(self) -> Mapping[str, Path]:
        return {"model": self.settings.path}

    def opened(self, files: Mapping[str, Path]) -> Callable[[TextBlock], EncodedBlock]:
        return self.computed_by(loaded_encoder(replace(self.settings, path=files["model"])))

    def computed_by(self, encoder: Encoder) -> Callable[[TextBlock], EncodedBlock]:
        limits = Limits(self.token_budget, self.batches_at_once)

        def computed(block: TextBlock) -> EncodedBlock:
            encoded, fused = encode_block(encoder, block.texts, block.role, limits), NOTHING_CUT
            if (more := block.to_fuse) is not None:
                queries = encode_texts(encoder, more.texts, more.role, limits)
                encoded = encoded._replace(vectors=fuse(encoded.vectors, queries.vectors, more.owners, more.settings))
                fused = cut_of(queries)
            return EncodedBlock(encoded, encoder.use(block.role), fused)

        return computed


class Opened(NamedTuple):
    """What a model is, and how it encodes the texts of each role that was asked for."""

    dimensions: int
    uses: tuple[Use, ...]


def opened_model(engine: Engine, job: EncodingJob, roles: Sequence[Role]) -> Opened:
    """That the model can be loaded, and can encode what the card asks, shows itself here, before anything is encoded."""
    found = list(engine.results(job, [TextBlock([], role) for role in roles]))
    return Opened(int(found[0].encoded.vectors.shape[1]), tuple(block.use for block in found))


def encoded_by(engine: Engine, job: EncodingJob, texts: Sequence[str], role: Role) -> Encoded:
    """Any number of texts, block by block."""
    blocks = [TextBlock(texts[start:end], role) for start, end in blocks_of(len(texts))]
    return joined([block.encoded for block in engine.results(job, blocks or [TextBlock([], role)])])


class StoredTiles:
    """Consecutive blocks of a store as tiles of a search: read one by one where the store lies, taken along elsewhere."""

    def __init__(self, store: VectorStore, numbers: range) -> None:
        self._store, self._numbers = store, numbers

    def tiles(self) -> Tiles:
        return Tiles(
            [self._store.blocks[number].start for number in self._numbers],
            lambda place: self._store.read(self._numbers[place]),
        )

    def __reduce__(self) -> tuple[type[_SentTiles], tuple[list[int], list[NDArray[Any]]]]:
        return _SentTiles, (list(self.tiles().starts), [self._store.stored(number) for number in self._numbers])


class _SentTiles:
    """What arrives of ``StoredTiles``: the vectors themselves, in the dtype of the store."""

    def __init__(self, starts: list[int], vectors: list[NDArray[Any]]) -> None:
        self._starts, self._vectors = starts, vectors

    def tiles(self) -> Tiles:
        return Tiles(self._starts, lambda place: as_float32(self._vectors[place]))


@dataclass(frozen=True, eq=False)
class SearchJob:
    """``queries``: float32, shape (queries, dimensions). A task's result holds the best ``depth`` of its own tiles."""

    queries: NDArray[np.float32]
    depth: int
    threads: int

    @property
    def files(self) -> Mapping[str, Path]:
        return {}

    def opened(self, files: Mapping[str, Path]) -> Callable[[StoredTiles], Candidates]:
        return self._best_of

    def _best_of(self, task: StoredTiles) -> Candidates:
        found = list(exact_search(self.queries, task.tiles(), self.depth, self.threads))
        rows = np.repeat(np.arange(len(found)), [len(numbers) for numbers, _ in found])
        keys = [keys_of(scores, numbers) for numbers, scores in found]
        return rows, np.concatenate([np.empty(0, np.uint64), *keys])


def searched_by(
    engine: Engine, queries: NDArray[np.float32], store: VectorStore, depth: int
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.float32]]]:
    """What ``exact_search`` gives for all blocks of a store, in tasks of as many blocks as the engine lets travel."""
    block_bytes = max((block.items for block in store.blocks), default=1) * store.dimensions * store.dtype.itemsize
    at_once = max(1, min(engine.task_bytes // block_bytes, len(store.blocks)))
    groups = (range(i, min(i + at_once, len(store.blocks))) for i in range(0, len(store.blocks), at_once))
    best = BestDocuments(len(queries), depth)
    for candidates in engine.results(
        SearchJob(queries, depth, engine.threads), (StoredTiles(store, group) for group in groups)
    ):
        best.offer(candidates)
    return best.results()
