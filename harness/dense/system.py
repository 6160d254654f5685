"""What systems that encode texts with the model of their card do alike, whatever a text becomes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from harness.adapters.contract import TOKEN_BUDGET, Context, Pin
from harness.compute.graphs import not_installed
from harness.compute.kernels import KERNELS, KernelName
from harness.compute.platform import library_versions
from harness.dense.card_model import CardModel, ModelParameters
from harness.dense.encoding import token_budget_on
from harness.dense.retrieval import named
from harness.dense.roles import Role, Use
from harness.dense.truncation import Counted, Cut, Truncation
from harness.errors import InvalidInput
from harness.files.shards import Block
from harness.records import Doc, Query

LIBRARIES = ("numpy", "sentence-transformers", "tokenizers", "torch", "transformers")

TOKEN_BYTES = 32 << 10
"""Several layers' activations of a base-size encoder."""


class EncodingParameters(ModelParameters):
    """What is None is as the model's own files say. Prompts: the name of one of the model's, or a text, "" for none.

    Lengths in tokens, special ones and the prompt included. ``token_budget``: tokens in a batch, padding included; None for
    what the device is given. ``kernel``: what computes transformers, by its name in ``harness.compute.kernels``; None for
    torch, with the fused linear layers where the machine has them. ``dtype`` "int8" is of the kernel "onnx" alone.
    """

    query_max_length: int | None = Field(default=None, ge=2)
    passage_max_length: int | None = Field(default=None, ge=2)
    query_prompt: str | None = None
    passage_prompt: str | None = None
    title: Literal["prepend", "ignore"] = "prepend"
    token_budget: int | None = Field(default=None, ge=16)
    dtype: Literal["float32", "bfloat16", "float16", "int8"] = "float32"
    kernel: KernelName | None = None


class EncodingSystem:
    def __init__(self, parameters: EncodingParameters) -> None:
        self._shared, self._model = parameters, CardModel(parameters)
        self._truncation = Truncation()
        self._zeros: list[str] = []

    def inputs(self) -> Mapping[str, Path | Pin]:
        return self._model.inputs()

    def missing(self) -> Iterator[str]:
        yield from self._model.missing()
        if self._shared.kernel == "onnx" and (reason := not_installed()):
            yield reason

    def _roles(self) -> Mapping[str, Role]:
        """Each kind of texts that is encoded."""
        own = self._shared
        return {
            "queries": Role("query", own.query_prompt, own.query_max_length),
            "passages": Role("document", own.passage_prompt, own.passage_max_length),
        }

    def _kernel_version(self) -> Mapping[str, int]:
        """Where none is named it is left to the machine, and noted, as it was for all runs before there was a choice."""
        name = self._shared.kernel
        return {} if name is None else {f"kernel {name}": KERNELS[name].version}

    def _libraries(self) -> dict[str, str]:
        """Versions of what the vectors' bytes depend on."""
        kernel = KERNELS.get(self._shared.kernel or "")
        return library_versions((*LIBRARIES, *(kernel.libraries if kernel else ())))

    def _text(self, doc: Doc) -> str:
        return doc.default_text() if self._shared.title == "prepend" else doc.text

    def _token_budget(self, context: Context) -> int:
        """The card's; else what a recorded run had, where that is made again; else what the context's device is given."""
        return self._shared.token_budget or context.token_budget or token_budget_on(context.device)

    def _batches_at_once(self, context: Context, threads: int, token_bytes: int = TOKEN_BYTES) -> int:
        """Threads that fit the operator's memory."""
        return max(1, min(threads, context.memory_bytes // (self._token_budget(context) * token_bytes)))

    def _count_passages(self, blocks: Sequence[Block]) -> None:
        """What was cut of them was counted beside each block, since others may have encoded them."""
        passages, generated = (
            Cut(*(sum(block.counts.get(f"{kind} {field}", 0) for block in blocks) for field in Cut._fields))
            for kind in ("passages", "generated")
        )
        self._truncation.add_passages(passages, generated)

    def _check_questions(
        self, queries: Sequence[Query], encoded: Counted, finite: NDArray[np.bool_], any_number: NDArray[np.bool_]
    ) -> None:
        """``finite`` and ``any_number``: of each question's numbers, whether all are finite, and whether one is not zero."""
        ids = np.array([query.query_id for query in queries], dtype=object)
        if not finite.all():
            raise self._not_finite(named("question", ids[~finite].tolist()))
        self._zeros += ids[~any_number].tolist()
        self._truncation.add_questions([query.lang for query in queries], encoded)

    def _not_finite(self, named: str) -> InvalidInput:
        dtype = self._shared.dtype
        hint = (
            "its weights are damaged, or too large for any dtype: try it with its own library"
            if dtype == "float32"
            else 'say dtype = "float32" in the card, which has room for larger numbers'
        )
        return InvalidInput(
            f"the model {self._model.name} gives vectors for {named} that are not finite in {dtype}; {hint}"
        )

    def _note_facts(self, uses: Mapping[str, Use], context: Context, more: Mapping[str, Any]) -> None:
        """What a run is to tell of its model. ``more``: of this adapter alone."""
        own = self._shared
        notes = list(self._truncation.notes({kind: use.max_length for kind, use in uses.items()}))
        notes += [use.note for use in uses.values() if use.note]
        context.record.facts.update(
            {
                "device": context.device,
                "engine": context.engine,
                "dtype": own.dtype,
                **more,
                TOKEN_BUDGET: self._token_budget(context),
                "similarity": uses["queries"].similarity,
                "kernel": uses["passages"].kernel,
                "prompts": {"query": uses["queries"].prompt, "passage": uses["passages"].prompt},
                "maximum lengths": {kind: use.max_length for kind, use in uses.items()},
                "truncated": self._truncation.facts(),
                "notes": list(dict.fromkeys(notes)),
            }
        )
        self._model.note_origin(context)
        if self._zeros:
            context.record.note(
                f"{named('question', self._zeros)} without any word that the model knows, so that every passage is as "
                "good as any other"
            )


def cut_counts(cuts: Mapping[str, Cut]) -> dict[str, int]:
    """As they are kept beside a block of a store, by the kind of texts."""
    return {f"{kind} {field}": value for kind, cut in cuts.items() for field, value in cut._asdict().items()}
