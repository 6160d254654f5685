"""What dense retrieval will take: the vectors' bytes from the model's dimensions, the time from texts encoded here."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from harness.adapters.estimate import FIRST_SAMPLE, Figure, spread, timed_on_sample
from harness.compute.platform import peak_memory_bytes
from harness.dense.encoder import Encoder
from harness.dense.encoding import BLOCK_ROWS
from harness.dense.jobs import EncodingJob, TextBlock
from harness.dense.roles import Role
from harness.dense.search import QUERY_TILE, Tiles, exact_search
from harness.dense.store import as_float32
from harness.records import Doc, Passages


@dataclass(frozen=True)
class Planned:
    """``block``: passages as the texts that are encoded for them; ``rows``: vectors that a store holds already."""

    docs: Passages
    block: Callable[[Sequence[Doc]], TextBlock]
    questions: Sequence[str]
    question_role: Role
    unanswered: int
    depth: int
    rows: int
    store: Path
    store_dtype: str


def sizes(planned: Planned, dimensions: int) -> Iterator[Figure]:
    """What is there, what is to do, and what the store will grow by."""
    left = len(planned.docs) - planned.rows
    if planned.rows:
        yield Figure("resumed", "passages encoded already", planned.rows, "passages", f"the store {planned.store.name}")
    yield Figure("work", "passages to encode", left, "passages", "the collection, less what is encoded already")
    yield Figure("work", "questions to encode", len(planned.questions), "questions", "the questions of these parts")
    itemsize = np.dtype(planned.store_dtype).itemsize
    basis = f"{left:,} passages x {dimensions} dimensions x {itemsize} bytes"
    yield Figure("disk", "vectors", left * dimensions * itemsize, "bytes", basis, planned.store)


def times_and_memory(planned: Planned, encoder: Encoder, job: EncodingJob, threads: int) -> Iterator[Figure]:
    """Encodes a sample with the real model and searches synthetic vectors of the real shape."""
    docs, encoded = planned.docs, job.computed_by(encoder)

    def block_at(places: Sequence[int]) -> TextBlock:
        return planned.block([docs[place : place + 1][0] for place in places])

    def questions_at(places: Sequence[int]) -> TextBlock:
        return TextBlock([planned.questions[place] for place in places], planned.question_role)

    left = len(docs) - planned.rows
    sample = block_at(spread(len(docs), FIRST_SAMPLE))
    in_sample = max(1, len(sample.texts))
    tokens = _tokens(encoder, sample) / in_sample
    basis = f"the mean of {in_sample} passages spread over all"
    yield Figure("work", "tokens of passages to encode", tokens * left, "tokens", basis)
    # As many as keep all threads busy, as a whole block does.
    first = int(job.token_budget * job.batches_at_once / max(tokens, 1)) + 1
    passages = timed_on_sample(len(docs) if left else 0, lambda places: encoded(block_at(places)), BLOCK_ROWS, first)
    yield passages.figure("encode passages" + (" and queries" if sample.to_fuse else ""), left, "passages")
    questions = timed_on_sample(len(planned.questions), lambda places: encoded(questions_at(places)), BLOCK_ROWS)
    yield questions.figure("encode questions", len(planned.questions), "questions")
    yield _search_time(planned, encoder.dimensions, threads)

    yield Figure("memory", "model, texts and batches", peak_memory_bytes(), "bytes", "the most that this process took")
    texts = len(sample.texts) + (len(sample.to_fuse.texts) if sample.to_fuse else 0)
    rows = min(BLOCK_ROWS, len(docs))
    block_bytes = rows * texts / in_sample * encoder.dimensions * 4
    yield Figure(
        "memory", "vectors of a block", block_bytes, "bytes", f"float32, {texts / in_sample:.3g} texts a passage"
    )
    scores = threads * QUERY_TILE * BLOCK_ROWS * 4 + (threads + 1) * rows * encoder.dimensions * 4
    scores += threads * 2 * rows * encoder.dimensions  # in short numbers
    best = 2 * planned.unanswered * planned.depth * 8
    yield Figure(
        "memory", "search", scores + best, "bytes", f"scores and vectors of {threads} tiles, best {planned.depth}"
    )


def _tokens(encoder: Encoder, block: TextBlock) -> int:
    tokens = sum(encoder.token_counts(block.texts, block.role)) if block.texts else 0
    if block.to_fuse is not None and block.to_fuse.texts:
        tokens += sum(encoder.token_counts(block.to_fuse.texts, block.to_fuse.role))
    return tokens


def _search_time(planned: Planned, dimensions: int, threads: int) -> Figure:
    """All tiles of passages by all tiles of questions, from one tile of questions and a few tiles for every thread."""
    random = np.random.default_rng(0)
    questions = random.standard_normal((min(QUERY_TILE, planned.unanswered), dimensions), np.float32)
    rows = min(BLOCK_ROWS, len(planned.docs))
    stored: NDArray[np.generic] = random.standard_normal((rows, dimensions), np.float32).astype(planned.store_dtype)
    tiles = -(-len(planned.docs) // BLOCK_ROWS)

    def search(places: Sequence[int]) -> None:
        starts = [place * rows for place in range(len(places))]
        list(exact_search(questions, Tiles(starts, lambda _: as_float32(stored)), planned.depth, threads))

    timing = timed_on_sample(tiles if planned.unanswered else 0, search, 4 * threads, threads)
    basis = f"{timing.sample} tiles of synthetic vectors, timed here, without reading a disk"
    return Figure(
        "time",
        "search",
        timing.once + timing.each * tiles * planned.unanswered / max(1, len(questions)),
        "seconds",
        basis,
    )
