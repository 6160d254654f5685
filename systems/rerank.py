"""Re-ranking the first passages of another row's recorded run by a cross-encoder.

Nogueira and Cho, Passage Re-ranking with BERT (arXiv 1901.04085). What lies below the depth that is re-ranked stays there,
in the order of the row.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from harness.adapters.contract import TOKEN_BUDGET, Context, Pin, Request, row_of
from harness.adapters.estimate import Estimate, Figure
from harness.compute.platform import library_versions
from harness.dense.card_model import CardModel, ModelParameters
from harness.dense.cross_encoder import CROSS_ENCODER_VERSION, CrossScorer, CrossSettings
from harness.dense.encoder import resolved_device
from harness.dense.encoding import token_budget_on
from harness.dense.system import LIBRARIES
from harness.files.toml_records import Name
from harness.order import top_documents
from harness.records import Doc, Ranking

_MATTERS = 0.01
"""Share of pairs that were cut: below it nobody's ranking depends on it."""


class Rerank:
    version = 1
    versions: Mapping[str, int] = {"cross-encoder": CROSS_ENCODER_VERSION}

    class Parameters(ModelParameters):
        """``depth``: passages of the row that are scored anew. ``max_length``: tokens of a pair; ``prompt``: the name of one of
        the model's, or a text, "" for none; where they are None, the model's own. ``token_budget``: tokens in a batch,
        padding included; None for what the device is given. ``activation``: none leaves the model's numbers apart where a
        sigmoid would round them to 1.
        """

        row: Name
        depth: int = Field(default=100, ge=1)
        max_length: int | None = Field(default=None, ge=4)
        prompt: str | None = None
        title: Literal["prepend", "ignore"] = "prepend"
        activation: Literal["none", "sigmoid", "model"] = "none"
        token_budget: int | None = Field(default=None, ge=16)
        dtype: Literal["float32", "bfloat16", "float16"] = "float32"

    def __init__(self, parameters: Parameters) -> None:
        self._parameters, self._model = parameters, CardModel(parameters)
        self._pairs, self._cut, self._unread = 0, 0, 0

    def rows(self) -> tuple[str, ...]:
        return (self._parameters.row,)

    def inputs(self) -> Mapping[str, Path | Pin]:
        return self._model.inputs()

    def missing(self) -> Iterator[str]:
        yield from self._model.missing()

    def search(self, request: Request, context: Context) -> Iterator[Ranking]:
        parameters, row = self._parameters, row_of(request, self._parameters.row)
        context = replace(context, device=resolved_device(context.device))
        budget = parameters.token_budget or context.token_budget or token_budget_on(context.device)
        with context.record.stage("load model"):
            scorer = self._scorer(context)
        wanted = [query for query in request.queries if query.query_id not in context.finished]
        with context.record.stage("re-rank"), context.progress.task("re-rank", len(wanted), "queries") as advance:
            for query in wanted:
                found = row.get(query.query_id)
                if found is None:
                    self._unread += 1
                else:
                    pairs = [
                        (query.text, self._text(request.docs.get(doc))) for doc in found.doc_ids[: parameters.depth]
                    ]
                    # Batches are made of one question's pairs: no other question, and no resumption, alters a bit.
                    scored = scorer.score(pairs, budget, context.workers)
                    self._pairs += len(pairs)
                    self._cut += int((scored.lost > 0).sum())
                    yield _ranking(found, scored.scores, request.depth)
                advance(1)
        self._note(scorer, budget, context)

    def estimate(self, request: Request, context: Context, timed: bool) -> Estimate:
        left = len(request.queries) - len(context.finished)
        pairs = left * min(self._parameters.depth, len(request.docs))
        figures = (
            Figure("disk", "index", 0, "bytes", "what is re-ranked is the run of another row"),
            Figure("work", "pairs to score", pairs, "pairs", "at most; fewer where the row found fewer passages"),
        )
        return Estimate(figures, ("time and memory of the cross-encoder",) if timed else ())

    def _scorer(self, context: Context) -> CrossScorer:
        p = self._parameters
        return CrossScorer(
            CrossSettings(self._model.path, p.dtype, context.device, p.max_length, p.prompt, p.activation)
        )

    def _text(self, doc: Doc) -> str:
        return doc.default_text() if self._parameters.title == "prepend" else doc.text

    def _note(self, scorer: CrossScorer, budget: int, context: Context) -> None:
        context.record.facts |= {
            "device": context.device,
            TOKEN_BUDGET: budget,
            "libraries": library_versions(LIBRARIES),
            "re-ranked": {
                "depth": self._parameters.depth,
                "below": "kept in the order of the row",
                "pairs": self._pairs,
            },
            "used": {"prompt": scorer.prompt, "max_length": scorer.max_length},
            "truncated": {"pairs": self._cut, "of": {"pairs": self._pairs}},
        }
        self._model.note_origin(context)
        if self._cut > _MATTERS * self._pairs:
            context.record.note(f"cut at {scorer.max_length} tokens, {self._cut:,} of {self._pairs:,} pairs")
        if self._unread:
            context.record.note(
                f"{self._parameters.row} has no ranking for {self._unread} queries; nor has this system"
            )


def _ranking(found: Ranking, scores: NDArray[np.float32], depth: int) -> Ranking:
    """The passages that were scored in the fixed order, and below them the others in theirs, at falling scores."""
    ids = list(found.doc_ids[: len(scores)])
    # Documents are numbered in the order of their ids' UTF-8 bytes, which is how strings compare.
    by_id = sorted(range(len(ids)), key=ids.__getitem__)
    best = [by_id[place] for place in top_documents(scores[by_id], len(ids))]
    rest = found.doc_ids[len(scores) :]
    lowest = float(scores.min())
    step = max(1.0, 4 * float(np.spacing(np.float32(abs(lowest)))))
    below = (lowest - step * np.arange(1, len(rest) + 1)).astype(np.float32)
    doc_ids = [*(ids[place] for place in best), *rest]
    return Ranking(found.query_id, doc_ids[:depth], np.concatenate([scores[best], below])[:depth])
