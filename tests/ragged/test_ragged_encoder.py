"""Vectors of tokens and weights of terms are those of the library, for each text alone, whatever its neighbours."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiny_models
import tiny_ragged_models as tiny

from harness.dense.loading import EncoderSettings
from harness.dense.roles import PASSAGES, QUESTIONS, Role
from harness.errors import InvalidInput
from harness.ragged.encoder import RaggedEncoder, TermWeights, TokenVectors
from harness.ragged.jobs import RaggedJob, Texts

TEXTS = [
    "the volga, a river.",
    "a",
    "green tea from the sea, made in the lake of the nile and of the high mount, kuinka pitkä on volga?",
    "",
    "one, two",
    "...",
]
LEAST = {"strategy": "min", "length": 6, "attend": False}
OF_TOKENS: dict[str, Callable[[Path], Path]] = {
    "fixed": lambda folder: tiny.multi_vector(folder, tiny.EXPANSION),
    "attended": lambda folder: tiny.multi_vector(folder, {**tiny.EXPANSION, "attend": True}),
    "named filler": lambda folder: tiny.multi_vector(folder, {**tiny.EXPANSION, "token": "[UNK]"}),
    "least": lambda folder: tiny.multi_vector(folder, LEAST, query_length=20),
    "least, attended": lambda folder: tiny.multi_vector(folder, {**LEAST, "attend": True}),
    "as declared": lambda folder: tiny.multi_vector(
        folder, query_length=7, document_length=15, prompts={"query": "tea ", "document": "sea "}
    ),
    "everything skipped": lambda folder: tiny.multi_vector(folder, skipped=[*tiny.PUNCTUATION, "[CLS]", "[SEP]"]),
    "pooled": lambda folder: tiny.multi_vector(folder, pooled=True),
    "PyLate": tiny.pylate,
    "ColBERT": tiny.colbert,
}
OF_TERMS: dict[str, Callable[[Path], Path]] = {
    "splade": tiny.splade,
    "sums": lambda folder: tiny.splade(folder, "sum"),
    "pruned": lambda folder: tiny.splade(folder, max_active_dims=5),
    "prompts": lambda folder: tiny.splade(folder, prompts={"query": "tea ", "document": "sea "}),
    "table": tiny.without_inference,
}


def settings(folder: Path, **options: Any) -> EncoderSettings:
    return EncoderSettings(
        folder, **{"pooling": "model", "similarity": None, "dtype": "float32", "device": "cpu"} | options
    )


def rows(encoder: RaggedEncoder, role: Role) -> list[tuple[Any, ...]]:
    return encoder.rows(encoder.tokenized(TEXTS, role), range(len(TEXTS)))


@pytest.mark.parametrize("name", OF_TOKENS)
def test_vectors_of_tokens_are_those_of_the_library(tmp_path: Path, name: str) -> None:
    from sentence_transformers import MultiVectorEncoder

    folder = OF_TOKENS[name](tmp_path / "model")
    own = TokenVectors(settings(folder))
    library = MultiVectorEncoder(str(folder), device="cpu", local_files_only=True)
    for role, encode in ((QUESTIONS, library.encode_query), (PASSAGES, library.encode_document)):
        for text, (vectors,) in zip(TEXTS, rows(own, role), strict=True):
            right = encode([text], convert_to_numpy=True)[0]
            assert vectors.shape == right.shape, (role.task, text)
            np.testing.assert_allclose(vectors, right, atol=1e-5)
    assert own.dimensions == tiny.DIMENSIONS
    assert any(len(vectors) == 0 for (vectors,) in rows(own, PASSAGES)) == (name == "everything skipped")


@pytest.mark.parametrize("name", OF_TERMS)
@pytest.mark.parametrize("similarity", [None, "cosine"])
def test_weights_of_terms_are_those_of_the_library(tmp_path: Path, name: str, similarity: str | None) -> None:
    from sentence_transformers import SparseEncoder

    folder = OF_TERMS[name](tmp_path / "model")
    own = TermWeights(settings(folder, similarity=similarity))
    library = SparseEncoder(str(folder), device="cpu", local_files_only=True)
    for role, encode in ((QUESTIONS, library.encode_query), (PASSAGES, library.encode_document)):
        for text, (terms, weights) in zip(TEXTS, rows(own, role), strict=True):
            right = encode([text])[0].to_dense().numpy()
            if similarity == "cosine":
                right = right / max(1e-12, np.linalg.norm(right))
            assert terms.tolist() == np.flatnonzero(right).tolist(), (role.task, text)
            np.testing.assert_allclose(weights, right[terms], atol=1e-5)
    assert (own.use(QUESTIONS).similarity, own.dimensions) == (similarity or "dot", len(right))


@pytest.mark.parametrize("pooling", ["max", "sum"])
def test_a_plain_masked_language_model_is_pooled_as_the_card_says(tmp_path: Path, pooling: str) -> None:
    plain = rows(TermWeights(settings(tiny.shared().masked, pooling=pooling)), PASSAGES)
    saved = rows(TermWeights(settings(tiny.splade(tmp_path / "saved", pooling))), PASSAGES)
    for (terms, weights), (right_terms, right) in zip(plain, saved, strict=True):
        assert terms.tolist() == right_terms.tolist()
        np.testing.assert_allclose(weights, right, atol=1e-6)


def test_the_card_cuts_and_prunes() -> None:
    few = TermWeights(settings(tiny.shared().splade, max_active_dims=3))
    assert max(len(terms) for terms, _ in rows(few, PASSAGES)) == 3
    short = Role("document", "sea ", 5)
    own = TokenVectors(settings(tiny.shared().multi_vector))
    assert own.tokenized(TEXTS, short).counts == [5, 4, 5, 3, 5, 5]
    assert own.tokenized(TEXTS, short).lost[2] > 10
    # Of a model that fills up its questions, the length is that of all of them.
    assert {len(vectors) for (vectors,) in rows(own, Role("query", None, 9))} == {9}
    assert own.use(Role("query", None, 9)).max_length == 9
    with pytest.raises(InvalidInput, match="maximum length of 900 tokens for questions is more than the 160 positions"):
        own.use(Role("query", None, 900))


def test_a_table_of_weights_takes_the_first_tokens(tmp_path: Path) -> None:
    own = TermWeights(settings(tiny.without_inference(tmp_path / "model")))
    tokens = own.tokenized(["the river volga", ""], Role("query", None, 2))
    assert (tokens.counts, tokens.lost) == ([2, 1], [1, 0])
    assert [len(terms) for terms, _ in own.rows(tokens, [0, 1])] == [2, 0]


@pytest.mark.parametrize("kind", [TokenVectors, TermWeights])
@pytest.mark.parametrize("stored", [True, False])
def test_workers_alter_no_bit_and_equal_texts_are_equal(kind: type[RaggedEncoder], stored: bool) -> None:
    folder = tiny.shared().multi_vector if kind is TokenVectors else tiny.shared().splade
    texts = Texts([*TEXTS, *TEXTS[:3]], PASSAGES, stored)
    one, three = (RaggedJob(kind, settings(folder), 30, "float16", workers) for workers in (1, 3))
    first, second = (job.opened(job.files)(texts) for job in (one, three))
    dtypes = {TokenVectors: ["float16" if stored else "float32"], TermWeights: ["int32", "float32"]}
    assert [column.dtype.name for column in first.rows.columns] == dtypes[kind]
    for own, other in zip(first.rows.columns, second.rows.columns, strict=True):
        assert own.tobytes() == other.tobytes()
    for own, other in zip(first.rows.part(0, 3).columns, first.rows.part(6, 9).columns, strict=True):
        assert own.tobytes() == other.tobytes()


def test_a_model_that_is_of_another_kind_says_which_adapter_takes_it(tmp_path: Path) -> None:
    models = tiny_models.shared()
    with pytest.raises(
        InvalidInput, match=r"is a 'SentenceTransformer', not .* each token; it is for adapter = \"dense\""
    ):
        TokenVectors(settings(models.sentence))
    with pytest.raises(InvalidInput, match=r"is a 'MultiVectorEncoder', .*adapter = \"multi-vector\""):
        TermWeights(settings(tiny.shared().multi_vector))
    from harness.dense.encoder import Encoder

    with pytest.raises(InvalidInput, match=r"is a 'SparseEncoder', .*adapter = \"sparse\""):
        Encoder(settings(tiny.shared().splade))


def test_nothing_is_made_up_that_the_files_do_not_hold(tmp_path: Path) -> None:
    plain = tiny_models.shared().plain
    with pytest.raises(InvalidInput, match="no layer that makes vectors of its tokens"):
        TokenVectors(settings(plain))
    with pytest.raises(InvalidInput, match='say pooling = "max" or "sum"'):
        TermWeights(settings(tiny.shared().masked))
    with pytest.raises(InvalidInput, match="no masked language model"):
        TermWeights(settings(plain, pooling="max"))
    with pytest.raises(InvalidInput, match="leave out `pooling`"):
        TermWeights(settings(tiny.shared().splade, pooling="sum"))
    without = tiny.pylate(tmp_path / "without")
    modules = json.loads((without / "modules.json").read_text())
    (without / "modules.json").write_text(json.dumps(modules[:1]))
    with pytest.raises(InvalidInput, match="no Dense module"):
        TokenVectors(settings(without))


def test_a_similarity_that_is_not_computed_is_refused(tmp_path: Path) -> None:
    model = tiny.splade(tmp_path / "model", similarity_fn_name="euclidean")
    with pytest.raises(InvalidInput, match="declares the similarity 'euclidean'"):
        TermWeights(settings(model))
    assert TermWeights(settings(model, similarity="dot")).use(PASSAGES).similarity == "dot"


def test_weights_that_are_only_a_pickle_or_lie_elsewhere_are_refused(tmp_path: Path) -> None:
    pickled = shutil.copytree(tiny.shared().multi_vector, tmp_path / "pickled")
    (pickled / "1_Dense" / "model.safetensors").unlink()
    (pickled / "1_Dense" / "pytorch_model.bin").write_bytes(b"\x80")
    with pytest.raises(InvalidInput) as caught:
        TokenVectors(settings(pickled))
    assert "1_Dense/pytorch_model.bin" in "".join(finding.where for finding in caught.value.findings)
    table = tiny.without_inference(tmp_path / "table")
    config = next(table.rglob("*SparseStaticEmbedding/config.json"))
    config.write_text(json.dumps({"frozen": False, "path": "/somewhere/idf.json"}))
    with pytest.raises(InvalidInput) as caught:
        TermWeights(settings(table))
    assert "path = '/somewhere/idf.json'" in str(caught.value.findings)
