"""Dense retrieval with one encoder for questions and passages: zero-shot retrieval and xDR are cards of this adapter.

xDR: one transformer for both sides, CLS vector, raw dot product, 32 and 128 word pieces, passage = title + " " + text
(ielab/xQG4xDR; Tevatron at 6cd9f00). Any sentence-transformers model or plain Hugging Face encoder fits.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, ValidationInfo, model_validator

from harness.config import Record
from harness.consent import PinnedModel
from harness.dense.approximate import (
    INDEX_VERSION,
    RECALL_QUERIES,
    ApproximateIndex,
    approximate_search,
    built_index,
    empty_index,
    recall_against_exact,
)
from harness.dense.encoder import (
    ENCODER_VERSION,
    EncoderSettings,
    loaded_encoder,
    local_folder,
    model_folder,
    model_input,
    resolved_device,
)
from harness.dense.encoding import BLOCK_ROWS, blocks_of
from harness.dense.estimate import Planned, sizes, times_and_memory
from harness.dense.jobs import EncodingJob, TextBlock, dimensions_of, encoded_by, searched_by
from harness.dense.model_files import code_needed
from harness.dense.search import QUERY_TILE, SEARCH_VERSION
from harness.dense.store import VectorStore, rows_left_in
from harness.engine import Engine, opened_engine
from harness.errors import InvalidInput
from harness.estimate import Estimate, Figure
from harness.files import exclusive, sha256_of_tree
from harness.manifest import digest_of
from harness.platform_info import library_versions
from harness.records import Doc, Passages, Ranking
from harness.system import Context, Pin, Request

_LIBRARIES = ("numpy", "sentence-transformers", "tokenizers", "torch", "transformers")
_QUERIES_PER_PASS = 4 * QUERY_TILE


class Dense:
    version = 1

    class Parameters(Record):
        """``model``: a folder relative to the card, or a hub id with the full commit in ``revision``.

        ``token_budget``: tokens in a batch, padding included. ``index``: search approximately, by a faiss factory string.
        """

        model: str
        revision: str | None = None
        pooling: Literal["model", "cls", "mean"] = "model"
        similarity: Literal["dot", "cosine"] = "dot"
        query_max_length: int = Field(default=32, ge=2)
        passage_max_length: int = Field(default=128, ge=2)
        query_prefix: str = ""
        passage_prefix: str = ""
        title: Literal["prepend", "ignore"] = "prepend"
        token_budget: int = Field(default=16_384, ge=16)
        dtype: Literal["float32", "bfloat16", "float16"] = "float32"
        store_dtype: Literal["float16", "float32"] = "float16"
        index: ApproximateIndex | None = None
        folder: Path = Path()

        @model_validator(mode="before")
        @classmethod
        def _remember_the_card_folder(cls, data: dict[str, Any], info: ValidationInfo) -> dict[str, Any]:
            return {**data, "folder": (info.context or {}).get("folder", Path())}

    def __init__(self, parameters: Parameters) -> None:
        self._parameters = parameters

    @property
    def versions(self) -> Mapping[str, int]:
        found = {"encoder": ENCODER_VERSION, "search": SEARCH_VERSION}
        return found if self._parameters.index is None else {**found, "approximate index": INDEX_VERSION}

    @functools.cached_property
    def _path(self) -> Path:
        """The model's folder. Raises ``InvalidInput`` where there is none, and the hub cannot be reached."""
        return model_folder(self._parameters.model, self._parameters.revision, self._parameters.folder)

    def inputs(self) -> Mapping[str, Path | Pin]:
        return {"model": model_input(self._parameters.model, self._parameters.revision, self._parameters.folder)}

    def missing(self) -> Iterator[str]:
        try:
            _ = self._path
        except InvalidInput as error:
            yield str(error)

    def search(self, request: Request, context: Context) -> Iterator[Ranking]:
        parameters = self._parameters
        context = replace(context, device=resolved_device(context.device))
        with opened_engine(context.engine, context.workers, context.device) as engine:
            job = self._job(engine.threads, context)
            with context.record.stage("load model"):
                dimensions = dimensions_of(engine, job)
            if parameters.index is not None:
                # What faiss would refuse is refused before anything is encoded.
                empty_index(parameters.index, dimensions)
            store = self._filled_store(engine, job, dimensions, request.docs, context)
            context.record.facts.update(
                {
                    "device": context.device,
                    "engine": context.engine,
                    "dtype": parameters.dtype,
                    "store dtype": parameters.store_dtype,
                    "token budget": parameters.token_budget,
                }
            )
            with context.record.stage("encode queries"):
                texts = [parameters.query_prefix + query.text for query in request.queries]
                queries = encoded_by(engine, job, texts, parameters.query_max_length)
            if not np.isfinite(queries).all():
                raise InvalidInput(
                    f"the model gives vectors that are not finite in {parameters.dtype}; try another dtype"
                )
            if parameters.index is not None:
                yield from _search_approximately(parameters.index, request, queries, store, context)
                return
            with context.record.stage("search"):
                yield from _search_in_passes(engine, request, queries, store, context)

    def estimate(self, request: Request, context: Context, timed: bool) -> Estimate:
        parameters = self._parameters
        context = replace(context, device=resolved_device(context.device))
        job = self._job(context.workers, context)
        began = time.perf_counter()
        encoder = loaded_encoder(job.settings)
        loading = time.perf_counter() - began
        path, description = self._place(request.docs, context)
        planned = Planned(
            request.docs,
            self._block,
            [parameters.query_prefix + query.text for query in request.queries],
            parameters.query_max_length,
            len(request.queries) - len(context.finished),
            min(request.depth, len(request.docs)),
            rows_left_in(path, description, encoder.dimensions, parameters.store_dtype),
            path,
            parameters.store_dtype,
        )
        known = sizes(planned, encoder.dimensions)
        unknown = ("files, memory and time of its approximate index",) if parameters.index is not None else ()
        if not timed:
            return Estimate(tuple(known), unknown)
        loaded = Figure("time", "load model", loading, "seconds", "timed here, with the import of its libraries")
        measured = times_and_memory(planned, encoder, job, context.workers)
        # An approximate search is not the exact one that was timed.
        return Estimate((*known, loaded, *(f for f in measured if not (unknown and f.what == "search"))), unknown)

    def _job(self, threads: int, context: Context) -> EncodingJob:
        parameters = self._parameters
        settings = EncoderSettings(
            self._path,
            parameters.pooling,
            parameters.similarity == "cosine",
            parameters.dtype,
            context.device,
            own_code=self._may_run_its_code(context),
        )
        at_once = _batches_at_once(parameters.token_budget, threads, context.memory_bytes)
        return EncodingJob(settings, parameters.token_budget, at_once)

    def _may_run_its_code(self, context: Context) -> bool:
        """Whether the model has code of its own that the operator trusts. Raises ``WrongUsage`` where he does not."""
        needed = code_needed(self._path)
        if needed is None:
            return False
        name, revision = self._parameters.model, self._parameters.revision
        if local_folder(name, self._parameters.folder) is not None or revision is None:
            revision = sha256_of_tree(self._path)
        model = PinnedModel(name, revision)
        context.consent.require_model_code(model, needed)
        context.record.facts["remote code"] = str(model)
        return True

    def _filled_store(
        self, engine: Engine, job: EncodingJob, dimensions: int, docs: Passages, context: Context
    ) -> VectorStore:
        """The vectors of all passages: those that a killed run left are kept, the others encoded."""
        path, description = self._place(docs, context)
        with exclusive(path.with_suffix(".lock")), context.record.stage("encode passages") as stage:
            store = VectorStore(path, description, dimensions, self._parameters.store_dtype)
            blocks = list(blocks_of(len(docs)))[len(store.blocks) :]
            with context.progress.task("encode passages", len(docs), "passages", done=store.rows) as advance:
                for vectors in engine.results(job, (self._block(docs[start:end]) for start, end in blocks)):
                    store.append(vectors, context.shard_bytes)
                    advance(len(vectors))
            stage["bytes"] = store.size_bytes
        return store

    def _place(self, docs: Passages, context: Context) -> tuple[Path, dict[str, Any]]:
        """The store of these passages' vectors, and what it is described by."""
        description = {"docs": docs.digest, **self._description(context)}
        return context.cache / "vectors" / digest_of(description)[:32], description

    def _block(self, docs: Sequence[Doc]) -> TextBlock:
        return TextBlock([self._passage_text(doc) for doc in docs], self._parameters.passage_max_length)

    def _passage_text(self, doc: Doc) -> str:
        return self._parameters.passage_prefix + (
            doc.default_text() if self._parameters.title == "prepend" else doc.text
        )

    def _description(self, context: Context) -> dict[str, Any]:
        """All that the vectors depend on, beside the passages."""
        parameters = self._parameters.model_dump(
            mode="json",
            exclude={"folder", "generated", "index", "model", "query_max_length", "query_prefix", "revision"},
        )
        return {
            "parameters": parameters,
            "model": sha256_of_tree(self._path),
            "libraries": library_versions(_LIBRARIES),
            "device": context.device.partition(":")[0],
            "encoder": ENCODER_VERSION,
            "block rows": BLOCK_ROWS,
        }


def _batches_at_once(token_budget: int, threads: int, memory_bytes: int) -> int:
    """Threads that fit the operator's memory, at 32 KiB a token: several layers' activations of a base-size encoder."""
    return max(1, min(threads, memory_bytes // (token_budget * (32 << 10))))


def _search_in_passes(
    engine: Engine, request: Request, queries: NDArray[np.float32], store: VectorStore, context: Context
) -> Iterator[Ranking]:
    """Search some thousands of queries at a time, so that a killed search resumes after the last finished pass."""
    for start in range(0, len(queries), _QUERIES_PER_PASS):
        asked = request.queries[start : start + _QUERIES_PER_PASS]
        if all(query.query_id in context.finished for query in asked):
            continue
        found = searched_by(engine, queries[start : start + _QUERIES_PER_PASS], store, request.depth)
        for query, (numbers, scores) in zip(asked, found, strict=True):
            yield Ranking(query.query_id, tuple(request.docs.ids[number] for number in numbers.tolist()), scores)


def _search_approximately(
    index: ApproximateIndex, request: Request, queries: NDArray[np.float32], store: VectorStore, context: Context
) -> Iterator[Ranking]:
    """Search by an approximate index, of which the record says how much of the exact result it finds."""
    with context.record.stage("build index") as stage, exclusive(context.cache / "indexes" / "building.lock"):
        paths = built_index(index, store, context.cache / "indexes")
        stage["bytes"] = sum(path.stat().st_size for path in paths)
    with context.record.stage("measure recall"):
        recall = recall_against_exact(index, paths, store, queries, request.depth, context.workers)
        asked = min(RECALL_QUERIES, len(queries))
        context.record.facts["index"] = index.model_dump(mode="json", exclude_none=True)
        context.record.facts["recall against exact search"] = {
            "recall": round(recall, 4),
            "depth": request.depth,
            "queries": asked,
        }
    with context.record.stage("search"):
        found = approximate_search(index, paths, queries, request.depth, context.workers)
        for query, (numbers, scores) in zip(request.queries, found, strict=True):
            yield Ranking(query.query_id, tuple(request.docs.ids[number] for number in numbers.tolist()), scores)
