"""Each kind of model gives the vectors that its library gives a text alone, whatever else is encoded with it."""

from __future__ import annotations

import functools
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import model_kinds
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from model_kinds import KINDS, Kind

from harness.dense.encoder import Encoder
from harness.dense.encoding import Limits, encode_texts
from harness.dense.loading import EncoderSettings
from harness.dense.roles import PASSAGES, QUESTIONS

TEXTS = (
    "The river Volga flows to the sea.",
    "Mikä on korkea?",
    "富士山 fuji",
    "",
    "tea and coffee " * 30,
    "Что такое чай?",
    "½ of the sea… the lake",
    "tea",
)
ROLES = {"query": QUESTIONS, "document": PASSAGES}
_home = tempfile.TemporaryDirectory(prefix="model-kinds-")


@pytest.fixture(autouse=True, scope="module")
def _one_thread() -> Iterator[None]:
    """For matrices as small as these, more threads only wait for each other."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


class Both:
    """A folder, the encoder of it, and what the library itself makes of each text."""

    def __init__(self, kind: Kind) -> None:
        self.folder = kind.make(Path(_home.name) / kind.name.replace(" ", "-"))
        settings = EncoderSettings(self.folder, kind.pooling, "dot", "float32", "cpu")  # type: ignore[arg-type]
        self.encoder = Encoder(settings)
        model = _by_library(self.folder, kind)
        texts = list(TEXTS)
        self.alone = {
            "query": np.stack([model.encode_query(text) for text in texts]),
            "document": np.stack([model.encode_document(text) for text in texts]),
        }
        self.tolerance = 1e-5 * max(1.0, *(float(np.abs(vectors).max()) for vectors in self.alone.values()))


def _by_library(folder: Path, kind: Kind) -> Any:
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Pooling, Transformer

    if kind.pooling == "model":
        return SentenceTransformer(str(folder), device="cpu")
    mode = {"cls": "cls", "mean": "mean", "last": "lasttoken"}[kind.pooling]
    text = {"text": {"method": "forward", "method_output_name": "last_hidden_state"}}
    transformer = Transformer(str(folder), modality_config=text, module_output_name="token_embeddings")
    if kind.name.startswith("plain bart"):
        transformer.model = transformer.model.encoder
    return SentenceTransformer(modules=[transformer, Pooling(model_kinds.DIMENSIONS, mode)], device="cpu")


@functools.cache
def both(kind: Kind) -> Both:
    return Both(kind)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
@pytest.mark.parametrize("side", ["query", "document"])
def test_vectors_are_those_that_the_library_gives_the_text_alone(kind: Kind, side: str) -> None:
    made = both(kind)
    assert made.encoder.dimensions == kind.dimensions
    assert made.alone[side].shape == (len(TEXTS), kind.dimensions)
    for vectors in (
        made.encoder.encode(TEXTS, ROLES[side]),
        np.concatenate([made.encoder.encode([text], ROLES[side]) for text in TEXTS]),
    ):
        np.testing.assert_allclose(vectors, made.alone[side], rtol=0, atol=made.tolerance)
    # Else a comparison of anything with anything would do.
    spread = np.ptp(made.alone[side], axis=0).max()
    assert spread > 100 * made.tolerance


@settings(deadline=None, max_examples=4)
@given(data=st.data())
@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_a_vector_depends_on_its_text_alone(kind: Kind, data: st.DataObject) -> None:
    made = both(kind)
    places = data.draw(st.lists(st.integers(0, len(TEXTS) - 1), min_size=1, max_size=12), "texts")
    budget = data.draw(st.integers(1, 400), "token budget")
    side = data.draw(st.sampled_from(sorted(ROLES)), "side")
    texts = [TEXTS[place] for place in places]
    encoded = encode_texts(made.encoder, texts, ROLES[side], Limits(budget, 1))
    np.testing.assert_allclose(encoded.vectors, made.alone[side][places], rtol=0, atol=made.tolerance)
