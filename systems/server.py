"""Dense retrieval with a model behind a server of OpenAI's /v1/embeddings, searched exactly as ``systems.dense`` searches.

A card names the model and says how texts are put to it. Where they are sent is the operator's to say, and never a card's.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, field_validator

from harness.adapters.contract import SERVED, Context, Request
from harness.adapters.estimate import Estimate
from harness.compute.engine import opened_engine
from harness.dense.encoding import BLOCK_ROWS, blocks_of
from harness.dense.retrieval import search_in_passes, too_large
from harness.dense.search import SEARCH_VERSION
from harness.dense.served import (
    KEPT_LINE_BYTES,
    OWN_FIELDS,
    SERVED_VERSION,
    ServedEncoder,
    ServedModel,
    ToEncode,
    key_of,
    ranked_by,
)
from harness.dense.served_cost import PlannedTexts, served_figures
from harness.dense.store import NotFinite, VectorStore, dimensions_in, rows_left_in
from harness.errors import WrongUsage
from harness.files.toml_records import Record
from harness.files.writing import exclusive
from harness.files.yaml_records import digest_of
from harness.records import Doc, Passages, Query, Ranking
from harness.servers.access import Access
from harness.servers.kept import KeptAnswers

ANSWERS = ".answers"
"""Beside a store, what the server answered for a block that is not in it yet."""


@dataclass(frozen=True)
class Found:
    """``counts``: as ``harness.dense.served.Served`` has them, of all texts."""

    questions: NDArray[np.float32]
    store: VectorStore
    counts: Mapping[str, Mapping[str, int]]


class Server:
    version = 1

    class Parameters(Record):
        """``model``: as the server knows it; ``answers_as``: what it calls that in its answers, default the same.

        Prompts are texts. ``query_body`` and ``passage_body``: further fields of a request, such as ``input_type``.
        ``dimensions``: default the model's own. ``max_characters``: longer texts are cut before they are sent, without it
        none is. ``batch_texts`` and ``batch_tokens`` (about four bytes each): what one request has at most.
        """

        model: str = Field(min_length=1, max_length=1000)
        answers_as: str | None = Field(default=None, min_length=1, max_length=1000)
        query_prompt: str = ""
        passage_prompt: str = ""
        query_body: dict[str, Any] = Field(default_factory=dict)
        passage_body: dict[str, Any] = Field(default_factory=dict)
        dimensions: int | None = Field(default=None, ge=1, le=65_536)
        encoding_format: Literal["float", "base64"] = "float"
        similarity: Literal["dot", "cosine"] = "cosine"
        title: Literal["prepend", "ignore"] = "prepend"
        max_characters: int | None = Field(default=None, ge=1)
        batch_texts: int = Field(default=32, ge=1, le=2048)
        batch_tokens: int = Field(default=8192, ge=1)
        store_dtype: Literal["float16", "float32"] = "float16"

        @field_validator("query_body", "passage_body")
        @classmethod
        def _no_field_twice(cls, body: dict[str, Any]) -> dict[str, Any]:
            if own := sorted(set(body) & set(OWN_FIELDS)):
                raise ValueError(f"{own[0]!r} is set from the card's other keys")
            return body

    def __init__(self, parameters: Parameters) -> None:
        self._parameters = parameters

    @property
    def versions(self) -> Mapping[str, int]:
        return {"served": SERVED_VERSION, "search": SEARCH_VERSION}

    def search(self, request: Request, context: Context) -> Iterator[Ranking]:
        encoder = ServedEncoder(self._model(), self._access(context), context.workers)
        found = self._encoded(encoder, request, context)
        self._note_facts(encoder, found, context)
        with opened_engine(context.engine, context.workers, "cpu") as engine, context.record.stage("search"):
            yield from search_in_passes(engine, request, found.questions, found.store, context)

    def estimate(self, request: Request, context: Context, timed: bool) -> Estimate:
        """Sends nothing. Without ``timed``, as before a run, raises ``WrongUsage`` where the operator named no server."""
        if not timed:
            self._access(context)
        path, description = self._place(request.docs, context)
        parameters = self._parameters
        dimensions = parameters.dimensions or dimensions_in(path, description)
        rows = rows_left_in(path, description, dimensions, parameters.store_dtype) if dimensions else 0
        open_ones = _not_kept(self._questions(request.queries), self._kept_questions(context))
        questions = list({one.text: one for one in open_ones}.values())
        next_block = self._passages(request.docs[rows : rows + BLOCK_ROWS])
        answered = len(next_block) - len(_not_kept(next_block, path.with_suffix(ANSWERS)))
        planned = PlannedTexts(
            request.docs, self._passages, rows, answered, questions, dimensions, path, parameters.store_dtype
        )
        price = context.server.price if context.server else 0.0
        unknown = ["time: how fast the server answers, and how long it takes to search its vectors"]
        if dimensions is None:
            unknown.append("disk: the card does not say how many `dimensions` the vectors have")
        return Estimate(tuple(served_figures(planned, self._model(), price)), tuple(unknown))

    def _model(self) -> ServedModel:
        own = self._parameters
        return ServedModel(
            own.model,
            own.answers_as or own.model,
            own.dimensions,
            own.encoding_format,
            own.batch_texts,
            own.batch_tokens,
        )

    def _access(self, context: Context) -> Access:
        if context.server is None:
            raise WrongUsage(
                f"the model {self._parameters.model} is behind a server, and all texts would be sent there: say to which one, "
                "as --server http://localhost:8000/v1 (docs/submit.md)"
            )
        return context.server

    def _encoded(self, encoder: ServedEncoder, request: Request, context: Context) -> Found:
        """Questions first: their vectors say how many dimensions there are, and are kept beside the stores of passages."""
        parameters, path = self._parameters, self._kept_questions(context)
        with exclusive(path.with_suffix(".lock")), context.record.stage("encode queries"):
            kept = KeptAnswers(path, KEPT_LINE_BYTES)
            asked = encoder.encoded(self._questions(request.queries), parameters.query_body, kept)
        store = self._filled_store(encoder, request.docs, context)
        passages: Counter[str] = Counter()
        for block in store.blocks:
            passages.update(block.counts)
        questions = ranked_by(parameters.similarity, asked.vectors)
        return Found(questions, store, {"queries": asked.counts, "passages": passages})

    def _filled_store(self, encoder: ServedEncoder, docs: Passages, context: Context) -> VectorStore:
        """The vectors of all passages. Answers are kept until their block is in the store."""
        parameters = self._parameters
        path, description = self._place(docs, context)
        with exclusive(path.with_suffix(".lock")), context.record.stage("encode passages") as stage:
            store = VectorStore(path, description, encoder.dimensions or 1, parameters.store_dtype)
            stage["passages encoded"] = len(docs) - store.rows
            kept = KeptAnswers(path.with_suffix(ANSWERS), KEPT_LINE_BYTES)
            places = list(blocks_of(len(docs)))[len(store.blocks) :]
            with context.progress.task("encode passages", len(docs), "passages", done=store.rows) as advance:
                for start, end in places:
                    texts = self._passages(docs[start:end])
                    kept.keep_only({key_of(one.text) for one in texts})
                    found = encoder.encoded(texts, parameters.passage_body, kept)
                    vectors = ranked_by(parameters.similarity, found.vectors)
                    try:
                        store.append(vectors, context.shard_bytes, found.counts)
                    except NotFinite as error:
                        raise too_large(
                            [docs.ids[start + row] for row in error.rows], parameters.store_dtype
                        ) from error
                    advance(end - start)
            kept.keep_only(())
            stage["bytes"] = store.size_bytes
        return store

    def _questions(self, queries: Sequence[Query]) -> list[ToEncode]:
        prompt = self._parameters.query_prompt
        return [self._to_encode(f"question {query.query_id}", prompt, query.text) for query in queries]

    def _passages(self, docs: Sequence[Doc]) -> list[ToEncode]:
        prompt, with_title = self._parameters.passage_prompt, self._parameters.title == "prepend"
        texts = [doc.default_text() if with_title else doc.text for doc in docs]
        return [self._to_encode(f"passage {doc.doc_id}", prompt, text) for doc, text in zip(docs, texts, strict=True)]

    def _to_encode(self, name: str, prompt: str, text: str) -> ToEncode:
        most = self._parameters.max_characters
        return ToEncode(name, prompt + text[:most], is_cut=most is not None and len(text) > most)

    def _note_facts(self, encoder: ServedEncoder, found: Found, context: Context) -> None:
        parameters = self._parameters
        told = {kind: counts.get("tokens", 0) for kind, counts in found.counts.items()}
        answered = {name for counts in found.counts.values() for name in counts if name.startswith("answered by ")}
        context.record.facts.update(
            {
                "engine": context.engine,
                SERVED: parameters.model,
                "answered by": sorted(name.removeprefix("answered by ") for name in answered),
                "headers of its answers": dict(sorted(encoder.headers.items())),
                "tokens that it counted": told,
                "cut at max_characters": {kind: counts.get("cut", 0) for kind, counts in found.counts.items()},
                "dimensions": found.store.dimensions,
                "similarity": parameters.similarity,
                "store dtype": parameters.store_dtype,
                "prompts": {"query": parameters.query_prompt, "passage": parameters.passage_prompt},
            }
        )
        context.record.note(
            f"encoded by the model {parameters.model} behind a server: this row cannot be made again from weights, and whoever "
            "runs the server may change the model"
        )
        if encoder.halved:
            context.record.note(
                f"the server refused {encoder.halved} requests of several texts, which were asked again as two each: lower "
                "batch_texts or batch_tokens"
            )

    def _kept_questions(self, context: Context) -> Path:
        """By texts with their prompts, and of no track: the vector of a question is paid for once."""
        description = self._description("query_body")
        return context.cache / "vectors" / f"{digest_of(description)[:32]}.questions"

    def _place(self, docs: Passages, context: Context) -> tuple[Path, dict[str, Any]]:
        """The store of these passages' vectors, and what it is described by."""
        own = self._description(
            "passage_prompt", "passage_body", "title", "max_characters", "similarity", "store_dtype"
        )
        description = {"docs": docs.digest, **own, "block rows": BLOCK_ROWS}
        return context.cache / "vectors" / digest_of(description)[:32], description

    def _description(self, *more: str) -> dict[str, Any]:
        """What vectors depend on: the model, but not where it was asked, nor how many texts at once."""
        chosen = {"model", "answers_as", "dimensions", *more}
        parameters = self._parameters.model_dump(mode="json", include=chosen)
        return {"served": SERVED_VERSION, "parameters": parameters}


def _not_kept(texts: Sequence[ToEncode], path: Path) -> list[ToEncode]:
    kept = KeptAnswers(path, KEPT_LINE_BYTES)
    return [one for one in texts if kept.get(key_of(one.text)) is None]
