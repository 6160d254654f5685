"""Dense retrieval with one encoder for questions and passages: zero-shot retrieval and xDR are cards of this adapter.

xDR: one transformer for both sides, CLS vector, raw dot product, 32 and 128 word pieces, passage = title + " " + text
(ielab/xQG4xDR; Tevatron at 6cd9f00). Any sentence-transformers model or plain Hugging Face encoder fits.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from harness.adapters.contract import Context, Request
from harness.adapters.estimate import Estimate, Figure
from harness.compute.engine import opened_engine
from harness.compute.jobs import Engine
from harness.compute.kernels import KERNELS
from harness.dense.approximate import (
    INDEX_VERSION,
    RECALL_QUERIES,
    ApproximateIndex,
    approximate_search,
    built_index,
    empty_index,
    recall_against_exact,
)
from harness.dense.encoder import ENCODER_VERSION, loaded_encoder, resolved_device
from harness.dense.encoding import BLOCK_ROWS, blocks_of
from harness.dense.estimate import Planned, sizes, times_and_memory
from harness.dense.jobs import (
    EncodedBlock,
    EncodingJob,
    Keeping,
    TextBlock,
    encoded_by,
    encoded_questions,
    opened_model,
)
from harness.dense.loading import EncoderSettings
from harness.dense.pinned_models import conversion_of
from harness.dense.retrieval import named, search_in_passes, too_large
from harness.dense.roles import Use
from harness.dense.search import SEARCH_VERSION
from harness.dense.store import NotFinite, VectorStore, rows_left_in
from harness.dense.system import EncodingParameters, EncodingSystem, cut_counts
from harness.dense.truncation import cut_of
from harness.files.model_digests import sha256_of_model
from harness.files.writing import exclusive
from harness.files.yaml_records import digest_of
from harness.records import Doc, Passages, Ranking


class Opened(NamedTuple):
    """A model in an engine, and how it encodes each kind of texts."""

    engine: Engine
    job: EncodingJob
    dimensions: int
    uses: Mapping[str, Use]


class Dense(EncodingSystem):
    version = 2

    class Parameters(EncodingParameters):
        """What is None (``pooling``: "model") is as the model's own files say.

        ``index``: search approximately, by a faiss factory string.
        """

        pooling: Literal["model", "cls", "mean", "last"] = "model"
        similarity: Literal["dot", "cosine"] | None = None
        truncate_dim: int | None = Field(default=None, ge=1)
        store_dtype: Literal["float16", "float32"] = "float16"
        index: ApproximateIndex | None = None

        @model_validator(mode="before")
        @classmethod
        def _of_older_cards(cls, data: Any) -> Any:
            """Prompts were called prefixes once."""
            if not isinstance(data, dict):
                return data
            renamed = dict(data)
            for old, new in (("query_prefix", "query_prompt"), ("passage_prefix", "passage_prompt")):
                if old in renamed:
                    if new in renamed:
                        raise ValueError(f"{old} is the older name of {new}; keep one of them")
                    renamed[new] = renamed.pop(old)
            return renamed

    def __init__(self, parameters: Parameters) -> None:
        super().__init__(parameters)
        self._parameters = parameters

    @property
    def versions(self) -> Mapping[str, int]:
        found = {"encoder": ENCODER_VERSION, "search": SEARCH_VERSION}
        if conversion := conversion_of(self._parameters.model):
            found["conversion"] = conversion.version
        found |= self._kernel_version()
        return found if self._parameters.index is None else {**found, "approximate index": INDEX_VERSION}

    def search(self, request: Request, context: Context) -> Iterator[Ranking]:
        parameters = self._parameters
        context = replace(context, device=resolved_device(context.device))
        with opened_engine(context.engine, context.workers, context.device) as engine:
            with context.record.stage("load model"):
                opened = self._opened_model(engine, context)
            if parameters.index is not None:
                # What faiss would refuse is refused before anything is encoded.
                empty_index(parameters.index, opened.dimensions)
            about = self._description(context)
            store = self._filled_store(opened, request.docs, about, context)
            with context.record.stage("encode queries") as stage:
                texts, role = [query.text for query in request.queries], self._roles()["queries"]
                keeping = Keeping(context.work, about)
                encoded, stage["questions encoded"] = encoded_questions(engine, opened.job, texts, role, keeping)
            queries = encoded.vectors
            finite = np.asarray(np.isfinite(queries).all(axis=1))
            self._check_questions(request.queries, encoded, finite, np.asarray(queries.any(axis=1)))
            self._note_facts(opened.uses, context, {"store dtype": parameters.store_dtype})
            if parameters.index is not None:
                yield from _search_approximately(parameters.index, request, queries, store, context)
                return
            with context.record.stage("search"):
                yield from search_in_passes(engine, request, queries, store, context)

    def encode(
        self, kind: Literal["queries", "passages"], texts: Sequence[str], context: Context
    ) -> NDArray[np.float32]:
        """Vectors of texts as the card encodes that kind, float32, shape (texts, dimensions). Raises ``InvalidInput``."""
        context = replace(context, device=resolved_device(context.device))
        with opened_engine(context.engine, context.workers, context.device) as engine:
            encoded = encoded_by(engine, self._job(engine.threads, context), texts, self._roles()[kind])
        finite = np.isfinite(encoded.vectors).all(axis=1)
        if not finite.all():
            raise self._not_finite(named("text", np.flatnonzero(~finite).astype(str).tolist()))
        return encoded.vectors

    def estimate(self, request: Request, context: Context, timed: bool) -> Estimate:
        parameters = self._parameters
        context = replace(context, device=resolved_device(context.device))
        job = self._job(context.workers, context)
        began = time.perf_counter()
        encoder = loaded_encoder(job.settings)
        loading = time.perf_counter() - began
        for role in self._roles().values():
            encoder.use(role)  # what it cannot do is said now
        path, description = self._place(request.docs, self._description(context), context)
        planned = Planned(
            request.docs,
            self._block,
            [query.text for query in request.queries],
            self._roles()["queries"],
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

    def _opened_model(self, engine: Engine, context: Context) -> Opened:
        job, roles = self._job(engine.threads, context), self._roles()
        model = opened_model(engine, job, list(roles.values()))
        return Opened(engine, job, model.dimensions, dict(zip(roles, model.uses, strict=True)))

    def _job(self, threads: int, context: Context) -> EncodingJob:
        parameters = self._parameters
        settings = EncoderSettings(
            self._model.path,
            parameters.pooling,
            parameters.similarity,
            parameters.dtype,
            context.device,
            own_code=self._model.may_run_its_code(context),
            truncate_dim=parameters.truncate_dim,
            kernel=parameters.kernel,
        )
        return EncodingJob(settings, self._token_budget(context), self._batches_at_once(context, threads))

    def _filled_store(self, opened: Opened, docs: Passages, about: Mapping[str, Any], context: Context) -> VectorStore:
        """The vectors of all passages: those that a killed run left are kept, the others encoded."""
        path, description = self._place(docs, about, context)
        with exclusive(path.with_suffix(".lock")), context.record.stage("encode passages") as stage:
            store = VectorStore(path, description, opened.dimensions, self._parameters.store_dtype)
            stage["passages encoded"] = len(docs) - store.rows
            places = list(blocks_of(len(docs)))[len(store.blocks) :]
            blocks = (self._block(docs[start:end]) for start, end in places)
            with context.progress.task("encode passages", len(docs), "passages", done=store.rows) as advance:
                for block in opened.engine.results(opened.job, blocks):
                    self._append(store, block, docs, context.shard_bytes)
                    advance(len(block.encoded.vectors))
            stage["bytes"] = store.size_bytes
        self._count_passages(store.blocks)
        return store

    def _append(self, store: VectorStore, block: EncodedBlock, docs: Passages, shard_bytes: int) -> None:
        counts = cut_counts({"passages": cut_of(block.encoded), "generated": block.fused})
        try:
            store.append(block.encoded.vectors, shard_bytes, counts)
        except NotFinite as error:
            ids = [docs.ids[store.rows + row] for row in error.rows]
            if error.is_too_large:
                raise too_large(ids, self._parameters.store_dtype) from error
            raise self._not_finite(named("passage", ids)) from error

    def _place(self, docs: Passages, about: Mapping[str, Any], context: Context) -> tuple[Path, dict[str, Any]]:
        """The store of these passages' vectors, and what it is described by."""
        description = {"docs": docs.digest, **about}
        return context.cache / "vectors" / digest_of(description)[:32], description

    def _block(self, docs: Sequence[Doc]) -> TextBlock:
        return TextBlock([self._text(doc) for doc in docs], self._roles()["passages"])

    def depends_on(self, context: Context) -> dict[str, Any]:
        """All that what ``encode`` returns depends on, beside the texts and the model's files."""
        context, own = replace(context, device=resolved_device(context.device)), self._parameters
        return {**self._computed(context), "queries": [own.query_prompt, own.query_max_length]}

    def _description(self, context: Context) -> dict[str, Any]:
        """All that the stored vectors depend on, beside the passages."""
        return {**self._computed(context), "model": sha256_of_model(self._model.path)}

    def _computed(self, context: Context) -> dict[str, Any]:
        parameters = self._parameters.model_dump(
            mode="json",
            exclude={"generated", "index", "kernel", "model", "query_max_length", "query_prompt", "revision"},
        )
        named = {} if (kernel := self._parameters.kernel) is None else {"kernel": f"{kernel} {KERNELS[kernel].version}"}
        return {
            "parameters": {**parameters, "token_budget": self._token_budget(context)},
            **named,
            "libraries": self._libraries(),
            "device": context.device.partition(":")[0],
            "encoder": ENCODER_VERSION,
            "block rows": BLOCK_ROWS,
        }


def _search_approximately(
    index: ApproximateIndex, request: Request, queries: NDArray[np.float32], store: VectorStore, context: Context
) -> Iterator[Ranking]:
    """Search by an approximate index, of which the record says how much of the exact result it finds."""
    with context.record.stage("build index") as stage:
        shards = built_index(index, store, context.cache / "indexes")
        stage["bytes"] = sum(shard.path.stat().st_size for shard in shards)
    with context.record.stage("measure recall"):
        recall = recall_against_exact(index, shards, store, queries, request.depth, context.workers)
        asked = min(RECALL_QUERIES, len(queries))
        context.record.facts["index"] = index.model_dump(mode="json", exclude_none=True)
        context.record.facts["recall against exact search"] = {
            "recall": round(recall, 4),
            "depth": request.depth,
            "queries": asked,
        }
    with context.record.stage("search"):
        found = approximate_search(index, shards, queries, request.depth, context.workers)
        for query, (numbers, scores) in zip(request.queries, found, strict=True):
            yield Ranking(query.query_id, tuple(request.docs.ids[number] for number in numbers.tolist()), scores)
