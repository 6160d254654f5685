"""Encoding, fusing and searching as jobs, whose tasks any engine computes to the same bytes (``harness.compute.engine``).

A task carries the texts or the vectors that it is about; what is shared by all, the model's files, belongs to the job. The
driver alone writes the vectors and merges what was found, in the order of the tasks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Generic, NamedTuple, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from harness.compute.jobs import Engine, Job
from harness.compute.kept_results import Form, Kept, kept_results
from harness.dense.encoder import Encoder, loaded_encoder
from harness.dense.encoding import Encoded, Limits, blocks_of, encode_block, encode_texts, joined
from harness.dense.fusion import FusionSettings, fuse
from harness.dense.loading import EncoderSettings
from harness.dense.roles import Role, Use
from harness.dense.search import BestDocuments, Candidates, Tile, Tiles, exact_search
from harness.dense.store import VectorStore
from harness.dense.truncation import NOTHING_CUT, Cut, cut_of
from harness.files.shards import Block
from harness.files.yaml_records import digest_of
from harness.order import keys_of

Tile_co = TypeVar("Tile_co", covariant=True)
Found = tuple[NDArray[np.int64], NDArray[np.float32]]
"""Document numbers and scores of one query, best first."""


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
    return joined([block.encoded for block in engine.results(job, _blocks(texts, role))])


class Keeping(NamedTuple):
    """``work``: the folder of the run. ``about``: the model and all that its card and the machine say, as JSON has it."""

    work: Path
    about: Any


def encoded_questions(
    engine: Engine, job: EncodingJob, texts: Sequence[str], role: Role, keeping: Keeping
) -> tuple[Encoded, int]:
    """As ``encoded_by``, and how many texts were encoded: what a run that was killed left is not encoded again."""
    about = digest_of([keeping.about, asdict(role)])
    tasks = [Kept(digest_of([about, list(block.texts)]), block) for block in _blocks(texts, role)]
    use = next(iter(engine.results(job, [TextBlock([], role)]))).use
    form = Form[EncodedBlock](
        lambda block: block.encoded._asdict(), lambda arrays: EncodedBlock(Encoded(**arrays), use, NOTHING_CUT)
    )
    found = kept_results(engine, job, tasks, form, keeping.work)
    return joined([block.encoded for block in found.results]), sum(len(block.texts) for block in found.computed)


def _blocks(texts: Sequence[str], role: Role) -> list[TextBlock]:
    """At least one, without any text where there are none."""
    return [TextBlock(texts[start:end], role) for start, end in blocks_of(len(texts))] or [TextBlock([], role)]


class Searchable(Protocol[Tile_co]):
    """A store of blocks. ``read``: a block as it is searched; ``stored``: as it lies on the disk, and ``as_read`` of that."""

    @property
    def blocks(self) -> list[Block]: ...
    def read(self, index: int) -> Tile_co: ...
    def stored(self, index: int) -> Any: ...
    @staticmethod
    def as_read(stored: Any) -> Tile_co: ...


class StoredTiles(Generic[Tile]):
    """Consecutive blocks of a store as tiles of a search: read one by one where the store lies, taken along elsewhere."""

    def __init__(self, store: Searchable[Tile], numbers: range) -> None:
        self._store, self._numbers = store, numbers

    def tiles(self) -> Tiles[Tile]:
        return Tiles(
            [self._store.blocks[number].start for number in self._numbers],
            lambda place: self._store.read(self._numbers[place]),
        )

    def __reduce__(self) -> tuple[type[_SentTiles[Tile]], tuple[list[int], list[Any], Callable[[Any], Tile]]]:
        stored = [self._store.stored(number) for number in self._numbers]
        return _SentTiles, (list(self.tiles().starts), stored, self._store.as_read)


class _SentTiles(Generic[Tile]):
    """What arrives of ``StoredTiles``: what is stored itself, in the dtype of the store."""

    def __init__(self, starts: list[int], stored: list[Any], as_read: Callable[[Any], Tile]) -> None:
        self._starts, self._stored, self._as_read = starts, stored, as_read

    def tiles(self) -> Tiles[Tile]:
        return Tiles(self._starts, lambda place: self._as_read(self._stored[place]))


@dataclass(frozen=True, eq=False)
class SearchJob:
    """``queries``: float32, shape (queries, dimensions). A task's result holds the best ``depth`` of its own tiles."""

    queries: NDArray[np.float32]
    depth: int
    threads: int

    @property
    def files(self) -> Mapping[str, Path]:
        return {}

    def opened(self, files: Mapping[str, Path]) -> Callable[[StoredTiles[NDArray[np.float32]]], Candidates]:
        return self._best_of

    def _best_of(self, task: StoredTiles[NDArray[np.float32]]) -> Candidates:
        return candidates_of(exact_search(self.queries, task.tiles(), self.depth, self.threads))


def candidates_of(found: Iterable[Found]) -> Candidates:
    """What a search has found for its queries, in their order, as it is merged with what others have found."""
    every = list(found)
    rows = np.repeat(np.arange(len(every)), [len(numbers) for numbers, _ in every])
    keys = [keys_of(scores, numbers) for numbers, scores in every]
    return rows, np.concatenate([np.empty(0, np.uint64), *keys])


class Asked(NamedTuple):
    """How many queries are asked, and how many documents each may find."""

    queries: int
    depth: int


def best_by(
    engine: Engine, job: Job[StoredTiles[Tile], Candidates], store: Searchable[Tile], asked: Asked
) -> Iterator[Found]:
    """The best of all blocks of a store, in tasks of as many blocks as the engine lets travel."""
    block_bytes = max([1, *(block.size for block in store.blocks)])
    at_once = max(1, min(engine.task_bytes // block_bytes, len(store.blocks)))
    groups = (range(i, min(i + at_once, len(store.blocks))) for i in range(0, len(store.blocks), at_once))
    best = BestDocuments(asked.queries, asked.depth)
    for candidates in engine.results(job, (StoredTiles(store, group) for group in groups)):
        best.offer(candidates)
    return best.results()


def searched_by(engine: Engine, queries: NDArray[np.float32], store: VectorStore, depth: int) -> Iterator[Found]:
    """What ``exact_search`` gives for all blocks of a store."""
    return best_by(engine, SearchJob(queries, depth, engine.threads), store, Asked(len(queries), depth))
