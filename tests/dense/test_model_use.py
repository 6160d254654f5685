"""What a model's files say of its use is applied or overridden by the card; what it cannot do is said first of all."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import model_kinds
import numpy as np
import pytest
import tiny_models
from safetensors.torch import load_file, save_file

from harness.adapters.contract import Context, Request
from harness.collections.view import Docs
from harness.dense.encoder import Encoder
from harness.dense.loading import EncoderSettings
from harness.dense.roles import PASSAGES, QUESTIONS, Role
from harness.errors import InvalidInput
from harness.files.toml_records import checked
from harness.records import Doc, Query
from systems.dense import Dense

DOCS = Docs(Doc(f"d{n}", "", f"the river {n} flows to the sea {'and the lake ' * (n % 5)}") for n in range(9))
QUERIES = tuple(
    Query(f"q{n}", f"tea {n} coffee {'long ' * 9 * (n % 2)}", ["fi", "ja"][n % 2], f"q{n}") for n in range(4)
)


def copied(folder: Path, name: str = "sentence", **use: Any) -> Path:
    shutil.copytree(getattr(tiny_models.shared(), name), folder)
    if use:
        model_kinds.change_use(folder, use)
    return folder


def edit(path: Path, alter: Callable[[Any], Any]) -> None:
    content = json.loads(path.read_text())
    alter(content)
    path.write_text(json.dumps(content))


def encoder_of(folder: Path, pooling: Any = "model", **settings: Any) -> Encoder:
    chosen = {"similarity": None, "dtype": "float32", "device": "cpu"} | settings
    return Encoder(EncoderSettings(folder, pooling, **chosen))


def search(folder: Path, docs: Any = DOCS, queries: tuple[Query, ...] = QUERIES, **parameters: Any) -> dict[str, Any]:
    """The facts of a search; ``model`` is a folder."""
    context = Context(cache=folder / "cache", work=folder / "work")
    system = Dense(checked(Dense.Parameters, parameters, "card", {"folder": folder}))
    rankings = list(system.search(Request(docs, queries, 5), context))
    return {**context.record.facts, "rankings": {r.query_id: (r.doc_ids, list(map(float, r.scores))) for r in rankings}}


PROMPTS = {"query": "river: ", "passage": "sea: ", "own": "tea: "}


@pytest.mark.parametrize(
    ("use", "card", "query", "passage"),
    [
        ({"prompts": {"query": "a: ", "document": "b: "}}, {}, "a: ", "b: "),
        ({"prompts": {"query": "a: ", "document": None}}, {}, "a: ", ""),
        ({"prompts": PROMPTS}, {}, "river: ", "sea: "),
        ({"prompts": {"corpus": "c: ", "passage": "p: "}}, {}, "", "p: "),
        ({"prompts": {"own": "tea: "}, "default_prompt_name": "own"}, {}, "tea: ", "tea: "),
        ({"prompts": {**PROMPTS, "query": ""}, "default_prompt_name": "own"}, {}, "", "sea: "),
        ({"prompts": PROMPTS}, {"query_prompt": "own", "passage_prompt": ""}, "tea: ", ""),
        ({"prompts": PROMPTS}, {"query_prompt": "mount ", "passage_prompt": "query"}, "mount ", "river: "),
        ({"prompts": None}, {"query_prefix": "tea ", "passage_prefix": "lake "}, "tea ", "lake "),
        ({"prompts": {}}, {}, "", ""),
    ],
)
def test_prompts_are_the_models_unless_the_card_names_or_gives_others(
    tmp_path: Path, use: dict[str, Any], card: dict[str, str], query: str, passage: str
) -> None:
    found = search(tmp_path, model=str(copied(tmp_path / "model", **use)), store_dtype="float32", **card)
    assert found["prompts"] == {"query": query, "passage": passage}
    by_hand = Docs(doc._replace(text=passage + doc.text) for doc in DOCS)
    asked = tuple(q._replace(text=query + q.text) for q in QUERIES)
    plain = copied(tmp_path / "without", prompts={"query": "", "document": ""})
    assert search(tmp_path, by_hand, asked, model=str(plain), store_dtype="float32")["rankings"] == found["rankings"]


def test_a_prompt_that_the_model_declares_and_its_library_overlooks_is_told(tmp_path: Path) -> None:
    folder = copied(tmp_path / "model", prompts={"query": "", "document": "", "passage": "p: "})
    found = search(tmp_path, model=str(folder))
    assert found["prompts"]["passage"] == ""
    [note] = [note for note in found["notes"] if "prompt" in note]
    assert """the model's prompt 'passage' is not used for passages""" in note
    assert 'passage_prompt = "passage"' in note
    assert not [note for note in search(tmp_path, model=str(folder), passage_prompt="")["notes"] if "prompt" in note]


@pytest.mark.parametrize("prompts", [PROMPTS, {}])
def test_a_misspelt_prompt_is_refused_with_those_there_are(tmp_path: Path, prompts: dict[str, str]) -> None:
    folder = copied(tmp_path / "model", prompts=prompts)
    with pytest.raises(InvalidInput, match=r"no prompt named 'qurey' for questions \(its prompts: ") as error:
        search(tmp_path, model=str(folder), query_prompt="qurey")
    assert all(repr(name) in str(error.value) for name in prompts)


def test_a_card_cannot_say_a_prompt_twice(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="query_prefix is the older name of query_prompt"):
        search(tmp_path, model="x", query_prefix="a ", query_prompt="b ")


@pytest.mark.parametrize(
    ("use", "card", "expected"),
    [
        ("cosine", None, "cosine"),
        ("dot", None, "dot"),
        ("cosine", "dot", "dot"),
        ("dot", "cosine", "cosine"),
        (None, None, "cosine"),
        ("manhattan", "dot", "dot"),
    ],
)
def test_the_similarity_is_the_models_unless_the_card_says_another(
    tmp_path: Path, use: str | None, card: str | None, expected: str
) -> None:
    folder = copied(tmp_path / "model", "static", similarity_fn_name=use)
    found = search(tmp_path, model=str(folder), store_dtype="float32", **({"similarity": card} if card else {}))
    assert found["similarity"] == expected
    passages, questions = ([item.text for item in items] for items in (DOCS, QUERIES))
    encoder = encoder_of(folder, similarity="dot")
    vectors, asked = encoder.encode(passages).astype(float), encoder.encode(questions, QUESTIONS).astype(float)
    if expected == "cosine":
        vectors, asked = (v / np.linalg.norm(v, axis=1, keepdims=True) for v in (vectors, asked))
    best = np.sort(asked @ vectors.T, axis=1)[:, ::-1][:, :5]
    np.testing.assert_allclose([scores for _, scores in found["rankings"].values()], best, rtol=1e-4, atol=1e-5)


def test_a_similarity_that_is_not_computed_is_refused(tmp_path: Path) -> None:
    folder = copied(tmp_path / "model", similarity_fn_name="euclidean")
    with pytest.raises(InvalidInput, match=r"declares the similarity 'euclidean'.*say similarity ="):
        encoder_of(folder)


def test_a_plain_model_has_the_dot_product_and_needs_its_pooling_said(tmp_path: Path) -> None:
    plain = tiny_models.shared().plain
    assert encoder_of(plain, "cls").use(PASSAGES).similarity == "dot"
    with pytest.raises(InvalidInput, match=r'no modules.json .*say pooling = "cls", "mean" or "last" in the card'):
        search(tmp_path, model=str(plain))


@pytest.mark.parametrize(("pooling", "mode"), [("cls", "cls"), ("last", "lasttoken")])
def test_the_cards_pooling_takes_the_place_of_the_models_and_nothing_else_does(pooling: str, mode: str) -> None:
    from sentence_transformers import SentenceTransformer

    folder = tiny_models.shared().sentence
    model = SentenceTransformer(str(folder), device="cpu")
    model[1].pooling_mode = mode
    texts = ["the river", "green tea and coffee"]
    np.testing.assert_allclose(encoder_of(folder, pooling).encode(texts), model.encode(texts), atol=1e-5)


@pytest.mark.parametrize(
    ("name", "pooling", "expected"), [("sentence", "model", 64), ("plain", "cls", 160), ("static", "model", None)]
)
def test_lengths_are_the_models_unless_the_card_says_others(name: str, pooling: str, expected: int | None) -> None:
    encoder = encoder_of(getattr(tiny_models.shared(), name), pooling)
    assert encoder.use(QUESTIONS).max_length == expected
    assert encoder.use(Role("query", max_length=7)).max_length == 7
    assert encoder.token_counts(["tea " * 500]) == [expected or 500]


def test_lengths_that_a_transformer_module_declares_for_each_task_are_taken(tmp_path: Path) -> None:
    folder = copied(tmp_path / "model")
    edit(folder / "sentence_bert_config.json", lambda config: config.update(query_length=9, document_length=21))
    encoder = encoder_of(folder)
    assert [encoder.use(role).max_length for role in (QUESTIONS, PASSAGES)] == [9, 21]
    assert encoder.token_counts(["tea " * 50], QUESTIONS) == [9]


@pytest.mark.parametrize("key", ["query_max_length", "passage_max_length"])
def test_more_tokens_than_the_model_has_positions_are_refused_before_anything_is_encoded(
    tmp_path: Path, key: str
) -> None:
    with pytest.raises(InvalidInput, match=r"a maximum length of 161 tokens .* more than the 160 positions"):
        search(tmp_path, model=str(tiny_models.shared().plain), pooling="cls", **{key: 161})
    assert not (tmp_path / "cache").exists()
    search(tmp_path, model=str(tiny_models.shared().plain), pooling="cls", **{key: 160})


@pytest.mark.parametrize(
    ("kind", "positions"),
    [
        *(("plain bert, cls", 64), ("plain xlm-roberta, cls", 63), ("plain mpnet, cls", 62), ("plain gpt2, last", 64)),
        *(
            ("plain llama, last", 64),
            ("plain bart, mean", 64),
            ("plain distilbert, mean", 64),
            ("plain t5, mean", None),
        ),
    ],
)
def test_a_text_of_every_position_can_be_encoded_and_one_more_is_refused(
    tmp_path: Path, kind: str, positions: int | None
) -> None:
    found = next(one for one in model_kinds.KINDS if one.name == kind)
    encoder = encoder_of(found.make(tmp_path / "model"), found.pooling)
    longest = Role("document", max_length=positions or 500)
    assert encoder.token_counts(["tea " * 999], longest) == [positions or 500]
    assert np.isfinite(encoder.encode(["tea " * 999, "tea"], longest)).all()
    if positions is not None:
        with pytest.raises(InvalidInput, match=f"more than the {positions} positions"):
            encoder.use(Role("document", max_length=positions + 1))


def test_what_is_cut_is_counted_by_language_and_told_where_it_matters(tmp_path: Path) -> None:
    options = {
        "model": str(tiny_models.shared().plain),
        "pooling": "cls",
        "query_max_length": 8,
        "passage_max_length": 24,
    }
    found = search(tmp_path, **options)
    assert found["truncated"] == {
        "queries": {"fi": 0, "ja": 2},
        "passages": 0,
        "of": {"queries": {"fi": 2, "ja": 2}, "passages": 9},
        "tokens lost": {"queries": round(12 / 38, 4), "passages": 0.0},
    }
    [note] = found["notes"]
    assert note == "cut at 8 tokens, questions: 2 of 2 ja (42.9% of their tokens are lost)"
    shorter = search(tmp_path, **{**options, "passage_max_length": 9})
    # Another run goes on from the vectors, and knows what was cut of them all the same.
    again = search(tmp_path, **{**options, "passage_max_length": 9})
    assert again["truncated"] == shorter["truncated"]
    assert shorter["truncated"]["passages"] == sum(len(doc.text.split()) + 2 > 9 for doc in DOCS) > 0
    tokens = [len(doc.text.split()) + 2 for doc in DOCS]
    lost = sum(max(0, count - 9) for count in tokens) / sum(tokens)
    assert shorter["truncated"]["tokens lost"]["passages"] == round(lost, 4)
    assert any(note.startswith("cut at 9 tokens, passages: ") for note in shorter["notes"])


def test_a_static_model_counts_what_is_cut_too(tmp_path: Path) -> None:
    found = search(tmp_path, model=str(tiny_models.shared().static), query_max_length=4)
    assert found["truncated"]["queries"] == {"fi": 0, "ja": 2}
    assert found["kernel"] == "torch"


@pytest.mark.parametrize(("prompt", "length"), [("the river: ", 5), ("the river volga flows to the sea ", 8)])
def test_a_prompt_that_leaves_no_room_for_the_text_is_refused(tmp_path: Path, prompt: str, length: int) -> None:
    options = {"model": str(tiny_models.shared().plain), "pooling": "cls", "query_prompt": prompt}
    with pytest.raises(InvalidInput, match=rf"leaves nothing of {length} for the text; raise query_max_length"):
        search(tmp_path, **options, query_max_length=length)
    assert not (tmp_path / "cache").exists()


def test_a_tokenizer_without_a_padding_token_is_explained(tmp_path: Path) -> None:
    folder = copied(tmp_path / "model", "plain")
    edit(folder / "tokenizer_config.json", lambda config: config.update(pad_token=None))
    edit(folder / "config.json", lambda config: config.update(pad_token_id=None))
    with pytest.raises(InvalidInput, match="has no padding token"):
        encoder_of(folder, "mean")


def test_a_router_without_a_route_for_questions_is_refused(tmp_path: Path) -> None:
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Router

    router = Router({"ask": [model_kinds._static()], "tell": [model_kinds._static(1)]}, allow_empty_key=False)
    SentenceTransformer(modules=[router], device="cpu").save(str(tmp_path / "model"), create_model_card=False)
    with pytest.raises(InvalidInput, match="without a route for the task 'query'; its routes are ask, tell"):
        encoder_of(tmp_path / "model")


def test_a_router_is_no_code_of_the_model_but_what_it_names_may_be(tmp_path: Path) -> None:
    folder = model_kinds._router(tmp_path / "model")
    search(tmp_path, model=str(folder))
    [config] = folder.rglob("router_config.json")
    edit(config, lambda router: router["types"].update(dict.fromkeys(list(router["types"])[:1], "own_module.Own")))
    with pytest.raises(InvalidInput, match=r"code of its own \(own_module\.Own\)"):
        encoder_of(folder)


@pytest.mark.parametrize("dimensions", [1, 5, 16])
def test_the_first_dimensions_alone(dimensions: int) -> None:
    folder = tiny_models.shared().sentence
    whole = encoder_of(folder, similarity="dot").encode(["tea", "the river"])
    cut = encoder_of(folder, similarity="dot", truncate_dim=dimensions)
    assert cut.dimensions == dimensions
    np.testing.assert_allclose(cut.encode(["tea", "the river"]), whole[:, :dimensions], atol=1e-6)
    unit = encoder_of(folder, truncate_dim=dimensions).encode(["tea", "the river"])
    np.testing.assert_allclose(np.linalg.norm(unit, axis=1), 1, atol=1e-5)


def test_more_dimensions_than_there_are_cannot_be_kept() -> None:
    with pytest.raises(InvalidInput, match="truncate_dim = 17, but the model in sentence has 16 dimensions"):
        encoder_of(tiny_models.shared().sentence, truncate_dim=17)


@pytest.mark.parametrize(
    "use",
    [{"prompts": ["a"]}, {"prompts": {"query": 3}}, {"default_prompt_name": "none"}, {"similarity_fn_name": 4},
     {"truncate_dim": "6"}, {"truncate_dim": 0}, {"model_type": "SparseEncoder"}],
)  # fmt: skip
def test_a_declaration_that_makes_no_sense_is_named(tmp_path: Path, use: dict[str, Any]) -> None:
    folder = copied(tmp_path / "model", **use)
    with pytest.raises(InvalidInput, match=next(iter(use)) if "model_type" not in use else "SparseEncoder"):
        encoder_of(folder)


def with_rows(folder: Path, word: str, value: float) -> Path:
    """The static model with another vector for one word."""
    copied(folder, "static")
    weights = load_file(folder / "model.safetensors")
    vocabulary = json.loads((folder / "tokenizer.json").read_text())["model"]["vocab"]
    weights["embedding.weight"][vocabulary[word]] = value
    save_file(weights, folder / "model.safetensors")
    return folder


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_vectors_that_are_not_finite_are_named_and_the_card_is_told_nothing_that_it_says(
    tmp_path: Path, dtype: str
) -> None:
    folder = with_rows(tmp_path / "model", "lake", float("nan"))
    with pytest.raises(InvalidInput, match=r"for passages d1, d2, d3, d4, d6 and 2 more that are not finite") as error:
        search(tmp_path, model=str(folder), dtype=dtype, store_dtype="float32")
    assert "store_dtype" not in str(error.value)
    assert ('dtype = "float32"' in str(error.value)) == (dtype != "float32")
    with pytest.raises(InvalidInput, match="for question q0 that are not finite"):
        search(tmp_path, Docs([Doc("d", "", "sea")]), (QUERIES[0]._replace(text="lake"),), model=str(folder))


def test_vectors_too_large_for_the_store_say_so(tmp_path: Path) -> None:
    folder = with_rows(tmp_path / "model", "lake", 1e6)
    options = {"model": str(folder), "similarity": "dot"}
    with pytest.raises(InvalidInput, match=r'd1, .* are too large for float16; use store_dtype = "float32"'):
        search(tmp_path, **options)
    assert len(search(tmp_path, **options, store_dtype="float32")["rankings"]) == len(QUERIES)


@pytest.mark.parametrize("text", ["", "\u3000"])
def test_a_question_of_nothing_is_told(tmp_path: Path, text: str) -> None:
    queries = (*QUERIES, Query("empty", text, "fi", "empty"))
    found = search(tmp_path, queries=queries, model=str(tiny_models.shared().static))
    assert [note for note in found["notes"] if note.startswith("question empty without any word")]


def test_texts_without_any_token_have_vectors_of_zeros_and_leave_others_alone(tmp_path: Path) -> None:
    folder = copied(tmp_path / "model", "plain")
    edit(folder / "tokenizer.json", lambda tokenizer: tokenizer.update(post_processor=None))
    encoder = encoder_of(folder, "mean")
    texts = ["", "the river", "", "tea"]
    vectors = encoder.encode(texts)
    assert not vectors[[0, 2]].any()
    np.testing.assert_allclose(vectors[[1]], encoder.encode(["the river"]), atol=1e-5)
    assert not encoder.encode(["", ""]).any()
