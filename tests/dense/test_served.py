"""Whatever a server answers with status 200: vectors in order, or an error that names a text."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.dense.served import KEPT_LINE_BYTES, ServedEncoder, ServedModel, ToEncode, ranked_by
from harness.errors import InvalidInput
from harness.servers.access import Access
from harness.servers.asking import Asker, Received
from harness.servers.kept import KeptAnswers

MODEL = ServedModel("m", "m", None, "float", 8, 1000)
TEXTS = [ToEncode("passage d1", "one"), ToEncode("passage d2", "two"), ToEncode("passage d3", "one")]

numbers = st.one_of(st.integers(-(2**62), 2**62), st.floats(allow_nan=False, allow_infinity=False))
anything: st.SearchStrategy[Any] = st.recursive(
    st.one_of(st.none(), st.booleans(), numbers, st.text(max_size=5)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=3), inner, max_size=3)),
    max_leaves=6,
)
vectors = st.one_of(
    st.lists(numbers, min_size=2, max_size=2), st.sampled_from(["AACAPwAAgD8=", "AADAfwAAgD8="]), anything
)
rows = st.one_of(
    st.fixed_dictionaries({"index": st.one_of(st.sampled_from([0, 1]), anything), "embedding": vectors}), anything
)
answers = st.one_of(
    st.fixed_dictionaries(
        {"data": st.one_of(st.lists(rows, min_size=2, max_size=2), anything)},
        optional={
            "model": st.one_of(st.just("m"), anything),
            "usage": st.fixed_dictionaries({"prompt_tokens": anything}),
        },
    ),
    anything,
)


@given(answers)
def test_an_answer_is_taken_whole_or_refused_by_name(answer: Any) -> None:
    kept = KeptAnswers(None, KEPT_LINE_BYTES)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Asker, "_posted", lambda self, body, who: Received(json.dumps(answer).encode(), {}, ""))
        encoder = ServedEncoder(MODEL, Access("http://localhost"), 1)
        refusal, found = "", None
        try:
            found = encoder.encoded(TEXTS, {}, kept)
        except InvalidInput as error:
            refusal = str(error)
    if found is None:
        assert refusal.startswith("passage d")
        assert not len(kept)
        return
    assert found.vectors.shape == (3, encoder.dimensions)
    assert np.isfinite(found.vectors).all()
    assert (found.vectors[0] == found.vectors[2]).all()
    for row in answer["data"]:
        if isinstance(row["embedding"], list):
            np.testing.assert_array_equal(found.vectors[row["index"]], np.array(row["embedding"]).astype(np.float32))
    assert 0 <= found.counts["tokens"] <= 1 << 32


def test_vectors_are_ranked_by_the_similarity_of_the_card() -> None:
    given_ones = np.array([[3, 4], [0, 0], [3e30, 4e30]], np.float32)
    np.testing.assert_array_equal(ranked_by("dot", given_ones), given_ones)
    np.testing.assert_allclose(ranked_by("cosine", given_ones), [[0.6, 0.8], [0, 0], [0.6, 0.8]], rtol=1e-6)
