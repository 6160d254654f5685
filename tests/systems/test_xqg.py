"""xQG: passages fused with generated queries, the choice of queries, and its controls."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiny_models

import systems.dense
import systems.xqg
from harness.adapters.card import load_card
from harness.adapters.contract import Context, Request, inputs_of
from harness.collections.view import Docs
from harness.dense import encoding
from harness.errors import InvalidInput
from harness.records import Doc, Query, Ranking

LANGUAGES = ("ar", "fi", "ja")
DOCS = Docs(Doc(f"d{n}", "Volga" if n % 2 else "", f"the river {n} flows to the sea") for n in range(9))
QUERIES = tuple(Query(f"q{n}", f"river {n} lake tea", "fi", f"q{n}") for n in range(6))
TEXTS = [
    {"doc_id": doc.doc_id, "lang": lang, "text": f"{lang} {number} {doc.doc_id} mount fuji", "source": "test"}
    for doc in DOCS
    for lang in LANGUAGES
    for number in range(2)
]


@pytest.fixture(autouse=True)
def _small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encoding, "BLOCK_ROWS", 4)
    monkeypatch.setattr(systems.dense, "BLOCK_ROWS", 4)


def write_texts(folder: Path, texts: list[dict[str, str]]) -> None:
    folder.mkdir(exist_ok=True)
    (folder / "generated.jsonl").write_text("".join(json.dumps(row) + "\n" for row in texts), "utf-8")


def search(
    folder: Path, parameters: dict[str, Any], texts: list[dict[str, str]] = TEXTS, adapter: str = "xqg"
) -> tuple[dict[str, Ranking], Context]:
    write_texts(folder, texts)
    lines = [f"{key} = {json.dumps(value)}" for key, value in parameters.items() if key != "fusion"]
    if fusion := parameters.get("fusion"):
        lines.append(f"fusion = {{ {', '.join(f'{key} = {json.dumps(value)}' for key, value in fusion.items())} }}")
    card = folder / "card.toml"
    head = f'schema_version = 1\nname = "own"\ntitle = "Own"\nadapter = "{adapter}"\n[parameters]\n'
    card.write_text(head + "\n".join(lines))
    context = Context(cache=folder / "cache", work=folder / "work")
    request = Request(DOCS, QUERIES, 5)
    return {r.query_id: r for r in load_card(str(card)).system().search(request, context)}, context


def xqg(**changes: Any) -> dict[str, Any]:
    return {**dense(), "generated": "generated.jsonl", "per_language": 2, "fusion": {"alpha": 0.1}} | changes


def dense() -> dict[str, Any]:
    return {
        "model": str(tiny_models.shared().static),
        "store_dtype": "float32",
        "token_budget": 64,
        "similarity": "dot",
    }


def listed(rankings: dict[str, Ranking]) -> dict[str, tuple[tuple[str, ...], list[float]]]:
    return {name: (tuple(r.doc_ids), np.asarray(r.scores).tolist()) for name, r in rankings.items()}


def by_formula(
    texts_of: dict[str, list[str]], alpha: float, combine: str = "sum", prefix: str = ""
) -> dict[str, tuple[str, ...]]:
    """Rankings by sentence-transformers' own encode and the formula in float64."""
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(str(tiny_models.shared().static), device="cpu")
    fused = []
    for doc in DOCS:
        passage = model.encode(f"{doc.title} {doc.text}" if doc.title else doc.text).astype(np.float64)
        generated = model.encode([prefix + text for text in texts_of[doc.doc_id]]).astype(np.float64)
        fused.append((1 - alpha) * passage + alpha * (generated.sum(0) if combine == "sum" else generated.mean(0)))
    queries = model.encode([prefix + query.text for query in QUERIES]).astype(np.float64)
    scores = queries @ np.array(fused).T
    ids = DOCS.ids
    return {q.query_id: tuple(ids[i] for i in np.argsort(-scores[n])[:5]) for n, q in enumerate(QUERIES)}


def texts_of(languages: tuple[str, ...], per_language: int) -> dict[str, list[str]]:
    return {
        doc.doc_id: [
            row["text"]
            for lang in sorted(languages)
            for row in [row for row in TEXTS if (row["doc_id"], row["lang"]) == (doc.doc_id, lang)][:per_language]
        ]
        for doc in DOCS
    }


@pytest.mark.parametrize("combine", ["sum", "mean"])
@pytest.mark.parametrize(("languages", "per_language"), [(LANGUAGES, 2), (("ja",), 1), (("fi", "ar"), 2)])
def test_rankings_equal_the_formula_over_the_chosen_queries(
    tmp_path: Path, languages: tuple[str, ...], per_language: int, combine: str
) -> None:
    fusion = {"alpha": 0.3, "combine": combine}
    found, _ = search(tmp_path, xqg(languages=list(languages), per_language=per_language, fusion=fusion))
    expected = by_formula(texts_of(languages, per_language), 0.3, combine)
    assert {name: tuple(ranking.doc_ids) for name, ranking in found.items()} == expected


def test_no_languages_means_all_of_them(tmp_path: Path) -> None:
    every, _ = search(tmp_path, xqg())
    named, _ = search(tmp_path, xqg(languages=["ja", "ar", "fi"]))
    assert listed(every) == listed(named)


def test_alpha_0_ranks_as_plain_dense_retrieval_and_more_does_not(tmp_path: Path) -> None:
    plain, _ = search(tmp_path, dense(), adapter="dense")
    unfused, _ = search(tmp_path, xqg(fusion={"alpha": 0.0}))
    fused, _ = search(tmp_path, xqg())
    assert listed(unfused) == listed(plain)
    assert listed(fused) != listed(plain)


def test_generated_queries_are_encoded_at_their_own_length(tmp_path: Path) -> None:
    plain, _ = search(tmp_path, xqg(passage_max_length=20))
    assert listed(search(tmp_path, xqg(passage_max_length=20, generated_max_length=2))[0]) != listed(plain)
    assert listed(search(tmp_path, xqg(passage_max_length=20, generated_max_length=90))[0]) == listed(plain)


def test_the_query_prefix_stands_before_generated_queries_too(tmp_path: Path) -> None:
    found, _ = search(tmp_path, xqg(query_prompt="green tea "))
    expected = by_formula(texts_of(LANGUAGES, 2), 0.1, prefix="green tea ")
    assert {name: tuple(ranking.doc_ids) for name, ranking in found.items()} == expected
    assert listed(found) != listed(search(tmp_path, xqg())[0])


def test_generated_passages_have_the_prompt_of_passages(tmp_path: Path) -> None:
    prompts = {"query_prompt": "ask ", "passage_prompt": "tell "}
    as_questions, _ = search(tmp_path / "q", xqg(**prompts))
    as_passages, _ = search(tmp_path / "p", xqg(**prompts, text_kind="passage"))
    other_way, _ = search(tmp_path / "o", xqg(query_prompt="ask ", passage_prompt="ask ", text_kind="passage"))
    assert listed(as_questions) != listed(as_passages) != listed(other_way)


def test_shuffled_queries_are_another_passages(tmp_path: Path) -> None:
    own = texts_of(LANGUAGES, 2)
    write_texts(tmp_path, TEXTS)
    checked = systems.xqg.Xqg.Parameters.model_validate(xqg(shuffled=True), context={"folder": tmp_path})
    system = systems.xqg.Xqg(checked)
    list(system.search(Request(DOCS, QUERIES, 5), Context(cache=tmp_path / "c", work=tmp_path / "w")))
    assert sorted(map(tuple, system._texts.values())) == sorted(map(tuple, own.values()))
    assert all(not set(texts) & set(own[doc_id]) for doc_id, texts in system._texts.items())


def test_shuffling_alters_the_ranking(tmp_path: Path) -> None:
    assert listed(search(tmp_path, xqg(shuffled=True))[0]) != listed(search(tmp_path, xqg())[0])


def test_the_number_of_queries_and_their_total_weight_are_recorded(tmp_path: Path) -> None:
    facts = search(tmp_path, xqg(languages=["ar", "ja"], fusion={"alpha": 0.02}))[1].record.facts
    assert facts["generated queries per passage"] == 4
    assert facts["total query weight"] == pytest.approx(0.08)
    facts = search(tmp_path, xqg(fusion={"alpha": 0.02, "combine": "mean"}))[1].record.facts
    assert facts["generated queries per passage"] == 6
    assert "total query weight" not in facts


def test_unequal_numbers_are_refused_with_the_numbers_before_anything_is_encoded(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="between 5 and 6 generated queries"):
        search(tmp_path, xqg(), TEXTS[1:])
    assert not (tmp_path / "cache").exists()


@pytest.mark.parametrize("fusion", [{"alpha": 0.1, "allow_unequal": True}, {"alpha": 0.1, "combine": "mean"}])
def test_unequal_numbers_may_be_allowed_and_are_recorded(tmp_path: Path, fusion: dict[str, Any]) -> None:
    found, context = search(tmp_path, xqg(fusion=fusion), TEXTS[1:])
    assert len(found) == len(QUERIES)
    assert context.record.facts["generated queries per passage"] == [5, 6]


def test_texts_of_unknown_passages_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="unknown passages, first 'd99'"):
        search(tmp_path, xqg(), [*TEXTS, {**TEXTS[0], "doc_id": "d99"}])


def test_another_file_of_texts_gives_other_vectors(tmp_path: Path) -> None:
    before = listed(search(tmp_path, xqg())[0])
    after = listed(search(tmp_path, xqg(), [{**row, "text": "green tea"} for row in TEXTS])[0])
    assert before != after


def test_model_and_texts_are_inputs(tmp_path: Path) -> None:
    checked = systems.xqg.Xqg.Parameters.model_validate(xqg(), context={"folder": tmp_path})
    assert inputs_of(systems.xqg.Xqg(checked)) == {
        "model": tiny_models.shared().static,
        "generated text": tmp_path / "generated.jsonl",
    }


@pytest.mark.parametrize("combine", ["sum", "mean"])
def test_copies_of_the_passage_itself_change_no_ranking(tmp_path: Path, combine: str) -> None:
    """The control: (1 - alpha) p + alpha n p points where p does, whatever the weight; by dot product all grow alike."""
    copies = {"generated": "passages", "per_language": 3, "fusion": {"alpha": 0.5, "combine": combine}}
    plain, _ = search(tmp_path / "plain", dense(), adapter="dense")
    fused, context = search(tmp_path / "fused", xqg(**copies))
    assert {name: r.doc_ids for name, r in fused.items()} == {name: r.doc_ids for name, r in plain.items()}
    grown = 2.0 if combine == "sum" else 1.0
    for name, ranking in fused.items():
        np.testing.assert_allclose(ranking.scores, grown * np.asarray(plain[name].scores), rtol=1e-5)
    assert context.record.facts["generated queries per passage"] == 3
    assert set(inputs_of(load_card(str(tmp_path / "fused/card.toml")).system())) == {"model"}


@pytest.mark.parametrize("key", ["languages", "shuffled", "generated_max_length"])
def test_copies_of_the_passage_leave_nothing_to_choose(tmp_path: Path, key: str) -> None:
    value: Any = {"languages": ["fi"], "shuffled": True, "generated_max_length": 20}[key]
    with pytest.raises(InvalidInput) as caught:
        search(tmp_path, xqg(generated="passages", **{key: value}))
    assert key in str(caught.value.findings[0])
