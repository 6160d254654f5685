"""What a server will be asked for, and what that costs: counted from the texts, without a single request."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from harness.adapters.estimate import Figure, spread
from harness.dense.served import ServedModel, ToEncode, approximate_tokens
from harness.records import Doc, Passages

_SAMPLE = 4096
"""Passages that are read for their lengths: all of a small collection, and enough of a large one."""


@dataclass(frozen=True)
class PlannedTexts:
    """``passages``: as texts to encode; ``rows``: vectors that a store holds already; ``answered``: passages behind these
    whose answers are kept; ``questions``: those not answered yet.

    ``dimensions`` is None where nothing says how many there will be.
    """

    docs: Passages
    passages: Callable[[Sequence[Doc]], list[ToEncode]]
    rows: int
    answered: int
    questions: Sequence[ToEncode]
    dimensions: int | None
    store: Path
    store_dtype: str


def served_figures(planned: PlannedTexts, model: ServedModel, price: float) -> Iterator[Figure]:
    """Texts, characters, tokens, requests and, where ``price`` of a million tokens is not 0, what they cost; disk space."""
    done = planned.rows + planned.answered
    left = len(planned.docs) - done
    if done:
        yield Figure("resumed", "passages answered already", done, "passages", f"the store {planned.store.name}")
    yield Figure("work", "passages to encode", left, "passages", "the collection, less what is answered already")
    yield Figure("work", "questions to encode", len(planned.questions), "questions", "those not answered yet")
    places = spread(len(planned.docs), _SAMPLE)
    sample = [one.text for place in places for one in planned.passages(planned.docs[place : place + 1])]
    share = left / max(1, len(sample))
    asked = [one.text for one in planned.questions]
    characters = share * sum(map(len, sample)) + sum(map(len, asked))
    tokens = share * sum(map(approximate_tokens, sample)) + sum(map(approximate_tokens, asked))
    of = (
        f"{len(sample):,} passages"
        + (" spread over all" if len(sample) < len(planned.docs) else "")
        + " and the questions"
    )
    yield Figure("work", "characters to send", characters, "characters", f"{of}, with their prompts")
    yield Figure("work", "tokens, about", tokens, "tokens", "one for four bytes of UTF-8: the server counts its own")
    requests = max((left + len(asked)) / model.texts, tokens / model.tokens)
    yield Figure(
        "work",
        "requests, at least",
        -(-requests // 1),
        "requests",
        f"{model.texts} texts or {model.tokens:,} tokens each",
    )
    if price:
        yield Figure("price", "tokens, about", tokens * price / 1e6, "", f"{price:g} for a million tokens, as you said")
    if planned.dimensions is not None:
        itemsize = np.dtype(planned.store_dtype).itemsize
        new = len(planned.docs) - planned.rows
        basis = f"{new:,} passages x {planned.dimensions} dimensions x {itemsize} bytes"
        yield Figure("disk", "vectors", new * planned.dimensions * itemsize, "bytes", basis, planned.store)
