"""Learned sparse retrieval: weights of terms, searched exactly by inverted lists; any model that sentence-transformers'
``SparseEncoder`` loads, and plain masked language models with SPLADE's pooling.

Formal et al., SPLADE v2 (arXiv 2109.10086). A model with a table of weights for questions (no inference) is one of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Literal

from pydantic import Field

from harness.adapters.contract import Context
from harness.compute.jobs import Job
from harness.dense.jobs import StoredTiles
from harness.dense.loading import EncoderSettings
from harness.dense.search import Candidates
from harness.dense.system import EncodingParameters
from harness.ragged.encoder import TermWeights
from harness.ragged.inverted import INVERTED_VERSION, InvertedJob, queries_within
from harness.ragged.jobs import BLOCK_TEXTS
from harness.ragged.loading import vocabulary_size
from harness.ragged.rows import Ragged
from harness.ragged.system import Opened, RaggedSystem

BIBTEX = """
@article{formal2021splade,
  author = {Formal, Thibault and Lassance, Carlos and Piwowarski, Benjamin and Clinchant, St{\\'e}phane},
  title = {{SPLADE} v2: Sparse Lexical and Expansion Model for Information Retrieval},
  journal = {CoRR},
  year = {2021},
  eprint = {2109.10086},
  archiveprefix = {arXiv}
}
"""


class Sparse(RaggedSystem):
    version = 1
    bibtex = BIBTEX
    kind = TermWeights
    rows_in_words = "weights"

    class Parameters(EncodingParameters):
        """``pooling``: of a plain masked language model, which does not say. ``max_active_dims``: weights kept of a text."""

        pooling: Literal["model", "max", "sum"] = "model"
        similarity: Literal["dot", "cosine"] | None = None
        max_active_dims: int | None = Field(default=None, ge=1)

    def __init__(self, parameters: Parameters) -> None:
        super().__init__(parameters)
        self._parameters = parameters

    @property
    def versions(self) -> Mapping[str, int]:
        return {**super().versions, "inverted lists": INVERTED_VERSION}

    def _token_budget(self, context: Context) -> int:
        # A token has a number for every term of the vocabulary, which leaves no room for larger batches on any device.
        return super()._token_budget(replace(context, device="cpu"))

    def _token_bytes(self) -> int:
        # Numbers for every term of the vocabulary, and a copy of them, in float32.
        return super()._token_bytes() + 8 * vocabulary_size(self._model.path)

    def _settings(self, context: Context, own_code: bool) -> EncoderSettings:
        own = self._parameters
        return EncoderSettings(
            self._model.path,
            own.pooling,
            own.similarity,
            own.dtype,
            context.device,
            own_code=own_code,
            kernel=own.kernel,
            max_active_dims=own.max_active_dims,
        )

    def _searching(
        self, queries: Ragged, opened: Opened, depth: int, context: Context
    ) -> Job[StoredTiles[Ragged], Candidates]:
        threads = opened.engine.threads
        at_once = queries_within(context.memory_bytes, threads, BLOCK_TEXTS)
        return InvertedJob(queries, opened.dimensions, depth, at_once, threads)
