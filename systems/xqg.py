"""Dense retrieval over passage embeddings fused with embeddings of queries generated for each passage (xDR+xQG).

SIGIR 2023, arXiv 2305.03950. The generated queries are encoded like passages (the weights are tied) with their own
maximum length, fused block by block, and never stored as vectors.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
from pydantic import Field, model_validator

from harness.adapters.contract import Context, Pin, Request
from harness.adapters.estimate import FIRST_SAMPLE, Estimate, Figure, spread
from harness.dense.fusion import FUSION_VERSION, FusionSettings, check_counts
from harness.dense.jobs import TextBlock, ToFuse
from harness.dense.roles import Role
from harness.dense.store import VectorStore
from harness.errors import InvalidInput
from harness.files.writing import sha256_of_file
from harness.languages import LanguageTag
from harness.recipes.generate.augmented import ChosenTexts
from harness.recipes.generate.texts import (
    Choice,
    by_document,
    generated_file,
    generated_input,
    read_generated,
    texts_for,
)
from harness.records import Doc, Passages
from systems.dense import Dense, Opened

SELF = "passages"
"""Instead of a file of texts: the passage itself, encoded as passages are (a control, which changes vectors' length alone)."""
BIBTEX = """
@inproceedings{zhuang2023xqg,
  author = {Zhuang, Shengyao and Shou, Linjun and Zuccon, Guido},
  title = {Augmenting Passage Representations with Query Generation for Enhanced Cross-Lingual Dense Retrieval},
  booktitle = {Proceedings of the 46th International ACM SIGIR Conference on Research and Development in Information Retrieval},
  year = {2023},
  eprint = {2305.03950},
  archiveprefix = {arXiv}
}
"""


class Xqg(Dense):
    version = 2
    bibtex = BIBTEX

    class Parameters(Dense.Parameters):
        """``generated``: a JSONL file, relative to the card, the name of a collection's texts, or "passages".

        ``languages``: default all in it; ``text_kind``: whether the texts are questions or passages, and so with which
        prompt they are encoded; ``generated_max_length``: default the model's own for that kind.
        """

        generated: str
        fusion: FusionSettings
        languages: tuple[LanguageTag, ...] = ()
        per_language: int = Field(ge=0)
        generated_max_length: int | None = Field(default=None, ge=2)
        text_kind: Literal["query", "passage"] = "query"
        shuffled: bool = False

        @model_validator(mode="after")
        def _copies_have_no_choice(self) -> Self:
            chosen = ("languages", "generated_max_length", "text_kind", "shuffled")
            if self.generated == SELF and (given := [key for key in chosen if key in self.model_fields_set]):
                raise ValueError(f'generated = "{SELF}" are copies of the passage itself; leave out {", ".join(given)}')
            return self

    def __init__(self, parameters: Parameters) -> None:
        super().__init__(parameters)
        self._xqg = parameters
        self._texts: Mapping[str, list[str]] = {}

    @property
    def versions(self) -> Mapping[str, int]:
        return {**super().versions, "fusion": FUSION_VERSION}

    @functools.cached_property
    def _generated(self) -> Path:
        return generated_file(self._xqg.generated, self._xqg.folder)

    def inputs(self) -> Mapping[str, Path | Pin]:
        if self._xqg.generated == SELF:
            return super().inputs()
        return {**super().inputs(), "generated text": generated_input(self._xqg.generated, self._xqg.folder)}

    def missing(self) -> Iterator[str]:
        yield from super().missing()
        if self._xqg.generated == SELF:
            return
        try:
            _ = self._generated
        except InvalidInput as error:
            yield str(error)

    def _roles(self) -> Mapping[str, Role]:
        roles = super()._roles()
        if self._xqg.generated == SELF:
            return {**roles, "generated queries": roles["passages"]}
        as_question = self._xqg.text_kind == "query"
        kind, length = roles["queries" if as_question else "passages"], self._xqg.generated_max_length
        return {**roles, "generated queries": Role(kind.task, kind.prompt, length)}

    def _filled_store(self, opened: Opened, docs: Passages, about: Mapping[str, Any], context: Context) -> VectorStore:
        xqg = self._xqg
        self._texts = self._chosen(docs)
        counts = {len(texts) for texts in self._texts.values()}
        if isinstance(self._texts, ChosenTexts):
            self._texts.check_number()
        if len(counts) == 1:
            count = counts.pop()
            context.record.facts["generated queries per passage"] = count
            if xqg.fusion.combine == "sum":
                context.record.facts["total query weight"] = round(xqg.fusion.alpha * count, 6)
        else:
            context.record.facts["generated queries per passage"] = [min(counts), max(counts)]
            check_counts(min(counts), max(counts), xqg.fusion)
        return super()._filled_store(opened, docs, about, context)

    def estimate(self, request: Request, context: Context, timed: bool) -> Estimate:
        """One store, of the fused vectors; their generated queries cost time, but no space."""
        if not timed:
            return super().estimate(request, context, timed)
        self._texts = self._chosen(request.docs)
        estimate = super().estimate(request, context, timed)
        ids = request.docs.ids
        left = next(figure.amount for figure in estimate.figures if figure.what == "passages to encode")
        # In memory all of them are counted; on a disk each passage's would have to be read.
        places = spread(len(ids), len(ids) if isinstance(self._texts, dict) else FIRST_SAMPLE)
        mean = sum(len(self._texts[ids[place]]) for place in places) / max(1, len(places))
        basis = f"{mean:.3g} a passage, the mean of {len(places):,}"
        generated = Figure("work", "generated queries to encode", mean * left, "queries", basis)
        return estimate._replace(figures=(generated, *estimate.figures))

    def _chosen(self, docs: Passages) -> Mapping[str, list[str]]:
        if self._xqg.generated == SELF:
            return {doc.doc_id: [self._text(doc)] * self._xqg.per_language for doc in docs}
        choice = Choice(self._xqg.languages, self._xqg.per_language, self._xqg.shuffled)
        ids = docs.ids
        return by_document(texts_for(self._xqg.generated, read_generated(self._generated), ids), choice, ids)

    def _block(self, docs: Sequence[Doc]) -> TextBlock:
        texts = [(row, text) for row, doc in enumerate(docs) for text in self._texts[doc.doc_id]]
        owners = np.array([row for row, _ in texts], dtype=np.int64)
        role = self._roles()["generated queries"]
        generated = ToFuse([text for _, text in texts], owners, role, self._xqg.fusion)
        return super()._block(docs)._replace(to_fuse=generated)

    def _description(self, context: Context) -> dict[str, Any]:
        texts = SELF if self._xqg.generated == SELF else sha256_of_file(self._generated)
        return {**super()._description(context), "generated text": texts, "query prompt": self._xqg.query_prompt}
