"""Dense retrieval with one encoder for questions and passages: zero-shot retrieval and xDR are cards of this adapter.

xDR: one transformer for both sides, CLS vector, raw dot product, 32 and 128 word pieces, passage = title + " " + text
(ielab/xQG4xDR; Tevatron at 6cd9f00). Any sentence-transformers model or plain Hugging Face encoder fits.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, ValidationInfo, model_validator

from harness.config import Record
from harness.consent import PinnedModel
from harness.dense.encoder import Encoder, EncoderSettings, local_folder, model_folder, resolved_device
from harness.dense.encoding import BLOCK_ROWS, Limits, blocks_of, encode_block, encode_texts
from harness.dense.model_files import code_needed
from harness.dense.search import QUERY_TILE, Tiles, exact_search
from harness.dense.store import VectorStore
from harness.errors import InvalidInput
from harness.files import exclusive, sha256_of_tree
from harness.manifest import digest_of
from harness.platform_info import library_versions
from harness.records import Doc, Ranking
from harness.system import Context, Request

_LIBRARIES = ("numpy", "sentence-transformers", "tokenizers", "torch", "transformers")
_QUERIES_PER_PASS = 16 * QUERY_TILE


class Dense:
    class Parameters(Record):
        """``model``: a folder relative to the card, or a hub id with the full commit in ``revision``.

        ``token_budget``: tokens in a batch, padding included.
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
        folder: Path = Path()

        @model_validator(mode="before")
        @classmethod
        def _remember_the_card_folder(cls, data: dict[str, Any], info: ValidationInfo) -> dict[str, Any]:
            return {**data, "folder": (info.context or {}).get("folder", Path())}

    def __init__(self, parameters: Parameters) -> None:
        self._parameters = parameters
        self._path = model_folder(parameters.model, parameters.revision, parameters.folder)

    def inputs(self) -> Mapping[str, Path]:
        return {"model": self._path}

    def search(self, request: Request, context: Context) -> Iterator[Ranking]:
        parameters = self._parameters
        context = replace(context, device=resolved_device(context.device))
        settings = EncoderSettings(
            self._path,
            parameters.pooling,
            parameters.similarity == "cosine",
            parameters.dtype,
            context.device,
            own_code=self._may_run_its_code(context),
        )
        with context.record.stage("load model"):
            encoder = Encoder(settings)
        store = self._filled_store(encoder, request.docs, context)
        context.record.facts.update(
            {
                "device": context.device,
                "dtype": parameters.dtype,
                "store dtype": parameters.store_dtype,
                "token budget": parameters.token_budget,
            }
        )
        with context.record.stage("encode queries"):
            texts = [parameters.query_prefix + query.text for query in request.queries]
            queries = encode_texts(encoder, texts, self._limits(parameters.query_max_length, context))
        if not np.isfinite(queries).all():
            raise InvalidInput(f"the model gives vectors that are not finite in {parameters.dtype}; try another dtype")
        with context.record.stage("search"):
            yield from _search_in_passes(request, queries, store, context)

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

    def _limits(self, max_length: int, context: Context) -> Limits:
        return Limits(
            self._parameters.token_budget, max_length, _batches_at_once(self._parameters.token_budget, context)
        )

    def _filled_store(self, encoder: Encoder, docs: Any, context: Context) -> VectorStore:
        """The vectors of all passages: those that a killed run left are kept, the others encoded."""
        description = {"docs": docs.digest, **self._description(context)}
        path = context.cache / "vectors" / digest_of(description)[:32]
        blocks = list(blocks_of(len(docs)))
        with (
            exclusive(path.with_suffix(".lock")),
            context.record.stage("encode passages") as stage,
            context.progress.task("encode passages", total=len(docs)) as advance,
        ):
            store = VectorStore(path, description, encoder.dimensions, self._parameters.store_dtype)
            advance(store.rows)
            for start, end in blocks[len(store.blocks) :]:
                store.append(self._block(encoder, docs[start:end], context), context.shard_bytes)
                advance(end - start)
            stage["bytes"] = store.size_bytes
        return store

    def _block(self, encoder: Encoder, docs: Sequence[Doc], context: Context) -> NDArray[np.float32]:
        texts = [self._passage_text(doc) for doc in docs]
        return encode_block(encoder, texts, self._limits(self._parameters.passage_max_length, context))

    def _passage_text(self, doc: Doc) -> str:
        return self._parameters.passage_prefix + (
            doc.default_text() if self._parameters.title == "prepend" else doc.text
        )

    def _description(self, context: Context) -> dict[str, Any]:
        """All that the vectors depend on, beside the passages."""
        parameters = self._parameters.model_dump(
            mode="json", exclude={"folder", "generated", "model", "query_max_length", "query_prefix", "revision"}
        )
        return {
            "parameters": parameters,
            "model": sha256_of_tree(self._path),
            "libraries": library_versions(_LIBRARIES),
            "device": context.device.partition(":")[0],
            "block rows": BLOCK_ROWS,
        }


def _batches_at_once(token_budget: int, context: Context) -> int:
    """Workers that fit the operator's memory, at 32 KiB a token: several layers' activations of a base-size encoder."""
    return max(1, min(context.workers, context.memory_bytes // (token_budget * (32 << 10))))


def _search_in_passes(
    request: Request, queries: NDArray[np.float32], store: VectorStore, context: Context
) -> Iterator[Ranking]:
    """Search some thousands of queries at a time, so that a killed search resumes after the last finished pass."""
    ids = np.array(request.docs.ids, dtype=object)
    tiles = Tiles([block.start for block in store.blocks], store.read)
    for start in range(0, len(queries), _QUERIES_PER_PASS):
        asked = request.queries[start : start + _QUERIES_PER_PASS]
        if all(query.query_id in context.finished for query in asked):
            continue
        found = exact_search(queries[start : start + _QUERIES_PER_PASS], tiles, request.depth, context.workers)
        for query, (numbers, scores) in zip(asked, found, strict=True):
            yield Ranking(query.query_id, tuple(ids[numbers]), scores)
