"""What systems whose texts become rows do alike: the model of their card, the store of passages, questions, estimates."""

from __future__ import annotations

import time
from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from harness.adapters.contract import Context, Request
from harness.adapters.estimate import Estimate, Figure, spread, timed_on_sample
from harness.compute.engine import opened_engine
from harness.compute.jobs import Engine, Job
from harness.compute.platform import peak_memory_bytes
from harness.dense.encoder import ENCODER_VERSION, encoder_of, resolved_device
from harness.dense.jobs import Asked, Keeping, StoredTiles, best_by
from harness.dense.loading import EncoderSettings
from harness.dense.retrieval import in_passes, named, too_large
from harness.dense.roles import Use
from harness.dense.search import Candidates
from harness.dense.system import TOKEN_BYTES, EncodingSystem, cut_counts
from harness.dense.truncation import cut_of
from harness.files.model_digests import sha256_of_model
from harness.files.writing import exclusive
from harness.files.yaml_records import digest_of
from harness.ragged.encoder import RaggedEncoder
from harness.ragged.jobs import BLOCK_TEXTS, Encoded, RaggedJob, Texts, blocks_of, encoded_questions, opened_model
from harness.ragged.rows import Ragged, of_texts
from harness.ragged.store import Column, NumbersNotFinite, RaggedStore, texts_left_in
from harness.records import Doc, Passages, Ranking

RAGGED_VERSION = 1
"""Raised when the same model and texts give other rows than before: rows of another version are not gone on from."""

QUERIES_PER_PASS = 4096
_SAMPLE = 16
"""Passages that are encoded to know how many rows a passage has."""


@dataclass(frozen=True)
class Opened:
    """A model in an engine, what its rows are, and how it encodes each kind of texts."""

    engine: Engine
    job: RaggedJob
    dimensions: int
    columns: tuple[Column, ...]
    uses: Mapping[str, Use]


class RaggedSystem(EncodingSystem):
    """``kind``: of encoder; ``rows_in_words``: what a passage has many of.

    ``only_of_questions``: parameters that leave the rows of passages as they are.
    """

    kind: ClassVar[type[RaggedEncoder]]
    rows_in_words: ClassVar[str]
    only_of_questions: ClassVar[frozenset[str]] = frozenset({"query_max_length", "query_prompt"})
    vector_dtype: str = "float32"

    @abstractmethod
    def _settings(self, context: Context, own_code: bool) -> EncoderSettings:
        """How the model is loaded."""

    @abstractmethod
    def _searching(
        self, queries: Ragged, opened: Opened, depth: int, context: Context
    ) -> Job[StoredTiles[Ragged], Candidates]:
        """The search of blocks of the store for these queries."""

    def _token_bytes(self) -> int:
        """What a token of a batch takes while it is encoded."""
        return TOKEN_BYTES

    @property
    def versions(self) -> Mapping[str, int]:
        return {"encoder": ENCODER_VERSION, "rows": RAGGED_VERSION, **self._kernel_version()}

    def search(self, request: Request, context: Context) -> Iterator[Ranking]:
        context = replace(context, device=resolved_device(context.device))
        with opened_engine(context.engine, context.workers, context.device) as engine:
            with context.record.stage("load model"):
                opened = self._opened(engine, context)
            about = self._description(context)
            store = self._filled_store(opened, request.docs, about, context)
            with context.record.stage("encode queries") as stage:
                texts, role = [query.text for query in request.queries], self._roles()["queries"]
                keeping = Keeping(context.work, about)
                encoded, stage["questions encoded"] = encoded_questions(engine, opened.job, texts, role, keeping)
            self._check_rows_of_questions(request, encoded)
            self._note(opened, store, encoded, context)
            with context.record.stage("search"):

                def found(start: int, end: int) -> Iterator[tuple[NDArray[np.int64], NDArray[np.float32]]]:
                    job = self._searching(encoded.rows.part(start, end), opened, request.depth, context)
                    return best_by(engine, job, store, Asked(end - start, request.depth))

                yield from in_passes(request, context, QUERIES_PER_PASS, found)

    def estimate(self, request: Request, context: Context, timed: bool) -> Estimate:
        """Disk space from the rows of some passages that are encoded here; times, where asked for, from more of them."""
        context = replace(context, device=resolved_device(context.device))
        job = self._job(context.workers, context)
        began = time.perf_counter()
        encoder = encoder_of(self.kind, job.settings)
        loading = time.perf_counter() - began
        for role in self._roles().values():
            encoder.use(role)  # what it cannot do is said now
        docs, encoded = request.docs, job.computed_by(encoder)
        columns = encoder.columns(self.vector_dtype)
        path, description = self._place(docs, self._description(context), context)
        done = texts_left_in(path, description, columns)
        left = len(docs) - done

        def passages_at(places: Sequence[int]) -> Encoded:
            return encoded(self._block([docs[place : place + 1][0] for place in places]))

        sample = spread(len(docs), _SAMPLE)
        counts = passages_at(sample).rows.counts
        each, row_bytes = float(counts.mean()) if len(counts) else 0.0, sum(column.row_bytes for column in columns)
        passage_bytes = each * row_bytes + 4
        figures = [
            Figure("work", "passages to encode", left, "passages", "the collection, less what is encoded already"),
            Figure("work", "questions to encode", len(request.queries), "questions", "the questions of these parts"),
            Figure(
                "disk",
                self.rows_in_words,
                left * passage_bytes,
                "bytes",
                f"{left:,} passages x {each:.4g} {self.rows_in_words} (the mean of {len(sample)}) x {row_bytes} bytes",
                path,
            ),
        ]
        if done:
            figures.insert(0, Figure("resumed", "passages encoded already", done, "passages", f"the store {path.name}"))
        if not timed:
            return Estimate(tuple(figures))
        questions = [query.text for query in request.queries]

        def questions_at(places: Sequence[int]) -> Encoded:
            return encoded(Texts([questions[place] for place in places], self._roles()["queries"], stored=False))

        passages = timed_on_sample(len(docs) if left else 0, passages_at, BLOCK_TEXTS)
        asked = timed_on_sample(len(questions), questions_at, BLOCK_TEXTS)
        block = min(BLOCK_TEXTS, len(docs)) * passage_bytes
        figures += [
            Figure("time", "load model", loading, "seconds", "timed here, with the import of its libraries"),
            passages.figure("encode passages", left, "passages"),
            asked.figure("encode questions", len(questions), "questions"),
            Figure(
                "memory", "model, texts and batches", peak_memory_bytes(), "bytes", "the most that this process took"
            ),
            Figure("memory", "passages of a block", block, "bytes", f"{BLOCK_TEXTS:,} passages as they are stored"),
            Figure("memory", "search", context.memory_bytes / 2, "bytes", "at most half of what the operator allows"),
        ]
        return Estimate(tuple(figures), ("time of the search",))

    def _opened(self, engine: Engine, context: Context) -> Opened:
        job, roles = self._job(engine.threads, context), self._roles()
        found = opened_model(engine, job, list(roles.values()))
        uses = {kind: one.use for kind, one in zip(roles, found, strict=True)}
        return Opened(engine, job, found[0].dimensions, found[0].columns, uses)

    def _job(self, threads: int, context: Context) -> RaggedJob:
        settings = self._settings(context, self._model.may_run_its_code(context))
        at_once = self._batches_at_once(context, threads, self._token_bytes())
        return RaggedJob(self.kind, settings, self._token_budget(context), self.vector_dtype, at_once)

    def _block(self, docs: Sequence[Doc]) -> Texts:
        return Texts([self._text(doc) for doc in docs], self._roles()["passages"])

    def _filled_store(self, opened: Opened, docs: Passages, about: Mapping[str, Any], context: Context) -> RaggedStore:
        """The rows of all passages: those that a killed run left are kept, the others encoded."""
        path, description = self._place(docs, about, context)
        with exclusive(path.with_suffix(".lock")), context.record.stage("encode passages") as stage:
            store = RaggedStore(path, description, opened.columns)
            stage["passages encoded"] = len(docs) - store.rows
            places = list(blocks_of(len(docs)))[len(store.blocks) :]
            blocks = (self._block(docs[start:end]) for start, end in places)
            with context.progress.task("encode passages", len(docs), "passages", done=store.rows) as advance:
                for encoded in opened.engine.results(opened.job, blocks):
                    self._append(store, encoded, docs, context.shard_bytes)
                    advance(len(encoded.lost))
            stage["bytes"] = store.size_bytes
        self._count_passages(store.blocks)
        return store

    def _append(self, store: RaggedStore, encoded: Encoded, docs: Passages, shard_bytes: int) -> None:
        counts = cut_counts({"passages": cut_of(encoded)})
        counts |= {"rows": int(encoded.rows.counts.sum()), "without rows": int((encoded.rows.counts == 0).sum())}
        try:
            store.append(encoded.rows, shard_bytes, counts)
        except NumbersNotFinite as error:
            ids = [docs.ids[store.rows + text] for text in error.texts]
            if error.is_infinite and self.vector_dtype == "float16":
                raise too_large(ids, self.vector_dtype) from error
            raise self._not_finite(named("passage", ids)) from error

    def _check_rows_of_questions(self, request: Request, encoded: Encoded) -> None:
        numbers = encoded.rows.columns[-1]
        flat = numbers.reshape(len(numbers), -1)
        finite = of_texts(encoded.rows, np.asarray(np.isfinite(flat).all(axis=1)), of_none=True)
        any_number = of_texts(encoded.rows, np.asarray(flat.any(axis=1)), of_none=False)
        self._check_questions(request.queries, encoded, finite, any_number)

    def _note(self, opened: Opened, store: RaggedStore, encoded: Encoded, context: Context) -> None:
        rows = sum(block.counts.get("rows", 0) for block in store.blocks)
        asked = int(encoded.rows.counts.sum())
        more = {
            self.rows_in_words: {
                "passages": rows,
                "each passage": round(rows / max(1, store.rows), 2),
                "each question": round(asked / max(1, len(encoded.lost)), 2),
            },
            "dimensions": opened.dimensions,
            **({"store dtype": self.vector_dtype} if opened.columns[0].width else {}),
        }
        self._note_facts(opened.uses, context, more)
        if lacking := sum(block.counts.get("without rows", 0) for block in store.blocks):
            context.record.note(f"{lacking:,} of {store.rows:,} passages have no {self.rows_in_words}, and stand last")

    def _place(self, docs: Passages, about: Mapping[str, Any], context: Context) -> tuple[Path, dict[str, Any]]:
        """The store of these passages' rows, and what it is described by."""
        description = {"docs": docs.digest, **about}
        return context.cache / "vectors" / digest_of(description)[:32], description

    def _description(self, context: Context) -> dict[str, Any]:
        """All that the rows depend on, beside the passages."""
        parameters = self._shared.model_dump(
            mode="json", exclude={"kernel", "model", "revision", *self.only_of_questions}
        )
        return {
            "kind": self.kind.__name__,
            "parameters": {**parameters, "token_budget": self._token_budget(context)},
            **self._kernel_version(),
            "model": sha256_of_model(self._model.path),
            "libraries": self._libraries(),
            "device": context.device.partition(":")[0],
            "encoder": ENCODER_VERSION,
            "rows": RAGGED_VERSION,
            "block": BLOCK_TEXTS,
        }
