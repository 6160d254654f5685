"""Encoding texts as ragged rows, block by block, as a job of any engine."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from harness.compute.jobs import Engine
from harness.compute.kept_results import Arrays, Form, Kept, kept_results
from harness.dense.encoder import encoder_of
from harness.dense.encoding import Limits, in_batches, places_in
from harness.dense.jobs import Keeping
from harness.dense.loading import EncoderSettings
from harness.dense.roles import Role, Use
from harness.files.yaml_records import digest_of
from harness.ragged.encoder import RaggedEncoder
from harness.ragged.rows import Piece, Ragged, joined, ragged
from harness.ragged.store import Column

BLOCK_TEXTS = 1024
"""Texts per block, and passages per search tile: a block's vectors are in memory at once, and a text has hundreds."""


class Texts(NamedTuple):
    """At most ``BLOCK_TEXTS``, to encode together. ``stored``: in the dtypes of the store, else in float32."""

    texts: Sequence[str]
    role: Role
    stored: bool = True


class Encoded(NamedTuple):
    """Texts' rows; how many tokens of each were used and how many were cut off, int64; and how they were encoded."""

    rows: Ragged
    tokens: NDArray[np.int64]
    lost: NDArray[np.int64]
    use: Use
    dimensions: int
    columns: tuple[Column, ...]


@dataclass(frozen=True)
class RaggedJob:
    """``vector_dtype``: of stored vectors. ``batches_at_once``: the operator's; it changes no bytes."""

    kind: type[RaggedEncoder]
    settings: EncoderSettings
    token_budget: int
    vector_dtype: str
    batches_at_once: int

    @property
    def files(self) -> Mapping[str, Path]:
        return {"model": self.settings.path}

    def opened(self, files: Mapping[str, Path]) -> Callable[[Texts], Encoded]:
        return self.computed_by(encoder_of(self.kind, replace(self.settings, path=files["model"])))

    def computed_by(self, encoder: RaggedEncoder) -> Callable[[Texts], Encoded]:
        limits, columns = Limits(self.token_budget, self.batches_at_once), encoder.columns(self.vector_dtype)

        def computed(block: Texts) -> Encoded:
            different = list(dict.fromkeys(block.texts))
            tokens = encoder.tokenized(different, block.role)
            pieces: list[Piece] = [encoder.empty] * len(different)

            def encode(batch: list[int]) -> list[Piece]:
                found = encoder.rows(tokens, batch)
                return [_stored(piece, columns) for piece in found] if block.stored else found

            for batch, found in in_batches(tokens, limits, encode):
                for place, piece in zip(batch, found, strict=True):
                    pieces[place] = piece
            places = places_in(different, block.texts)
            empty = _stored(encoder.empty, columns) if block.stored else encoder.empty
            rows = ragged([pieces[place] for place in places.tolist()], empty)
            counts, lost = (np.array(own, np.int64)[places] for own in (tokens.counts, tokens.lost))
            return Encoded(rows, counts, lost, encoder.use(block.role), encoder.dimensions, columns)

        return computed


def _stored(piece: Piece, columns: tuple[Column, ...]) -> Piece:
    """As soon as a batch is encoded, so that no more is in memory than what is kept.

    What is too large becomes infinite, and what the model itself made infinite NaN, so that the two can be told apart.
    """
    return tuple(_converted(own, np.dtype(column.dtype)) for own, column in zip(piece, columns, strict=True))


def _converted(numbers: NDArray[Any], dtype: np.dtype[Any]) -> NDArray[Any]:
    if dtype == numbers.dtype:
        return numbers
    with np.errstate(over="ignore"):
        found = numbers.astype(dtype)
    found[np.isinf(numbers)] = np.nan
    return found


def blocks_of(count: int) -> Iterator[tuple[int, int]]:
    """Start and end of each block of ``count`` texts."""
    for start in range(0, count, BLOCK_TEXTS):
        yield start, min(start + BLOCK_TEXTS, count)


def opened_model(engine: Engine, job: RaggedJob, roles: Sequence[Role]) -> list[Encoded]:
    """That the model can be loaded, and can encode what the card asks, shows itself here, before anything is encoded."""
    return list(engine.results(job, [Texts([], role) for role in roles]))


def encoded_questions(
    engine: Engine, job: RaggedJob, texts: Sequence[str], role: Role, keeping: Keeping
) -> tuple[Encoded, int]:
    """Any number of texts, block by block, in float32, and how many were encoded: what a killed run left is not, again."""
    blocks = [Texts(texts[start:end], role, stored=False) for start, end in blocks_of(len(texts))]
    empty = Texts([], role, stored=False)
    (model,) = engine.results(job, [empty])
    about = digest_of([keeping.about, asdict(role)])
    tasks = [Kept(digest_of([about, list(block.texts)]), block) for block in blocks or [empty]]
    form = Form(_packed, lambda arrays: model._replace(**_unpacked(arrays)))
    parts, computed = kept_results(engine, job, tasks, form, keeping.work)
    tokens, lost = (np.concatenate([getattr(part, name) for part in parts]) for name in ("tokens", "lost"))
    rows = joined([part.rows for part in parts])
    return model._replace(rows=rows, tokens=tokens, lost=lost), sum(len(block.texts) for block in computed)


def _packed(encoded: Encoded) -> dict[str, NDArray[Any]]:
    columns = {f"column {place}": own for place, own in enumerate(encoded.rows.columns)}
    return {"counts": encoded.rows.counts, **columns, "tokens": encoded.tokens, "lost": encoded.lost}


def _unpacked(arrays: Arrays) -> dict[str, Any]:
    columns = tuple(arrays[f"column {place}"] for place in range(len(arrays) - 3))
    return {"rows": Ragged(arrays["counts"], columns), "tokens": arrays["tokens"], "lost": arrays["lost"]}
