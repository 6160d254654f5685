"""Encoding and searching from Python: what a card of the adapter ``dense`` finds."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import xdr_bench as xdr
from harness.runs.trec import fixed_order, read_run

ROOT = Path(__file__).parents[2]
MODEL = ROOT / "systems/models/mini-xdr"
AS_ITS_CARD = {"similarity": "cosine", "query_max_length": 64, "passage_max_length": 256}


@pytest.fixture(scope="module")
def encoder() -> xdr.Encoder:
    return xdr.Encoder(MODEL, workers=1, **AS_ITS_CARD)


def test_a_run_is_that_of_the_card(encoder: xdr.Encoder) -> None:
    mini = xdr.load_collection("xdr-mini/fi")
    found = encoder.index(mini).run(mini, depth=30)
    recorded, _ = read_run(ROOT / "runs/mini/mini-xdr/fi.trec.gz")
    assert found.keys() == recorded.rankings.keys()
    for query_id, ranked in recorded.rankings.items():
        own = dict(zip(ranked.doc_ids, ranked.scores.tolist(), strict=True))
        # The recorded run was encoded with the questions of six other languages, and perhaps by another processor.
        assert len(found[query_id].keys() & own.keys()) >= 28
        for doc_id in found[query_id].keys() & own.keys():
            assert found[query_id][doc_id] == pytest.approx(own[doc_id], abs=2e-3)
    measures = ["R@500t", "Success@10"]
    scores = xdr.score(found, mini, measures)
    card = xdr.score(ROOT / "runs/mini/mini-xdr/fi.trec.gz", mini, measures)
    assert dict(scores) == pytest.approx(dict(card), abs=2 / 80)


def test_hits_are_inner_products_in_the_order_of_runs(encoder: xdr.Encoder) -> None:
    docs = {"a": "The Volga is long", "b": "Tea is green", "c": "The Volga is long", "ä": "Fuji"}
    questions = ["Volga", "tea"]
    index = encoder.index(docs)
    assert len(index) == 4
    products = encoder.encode_query(questions) @ encoder.encode_document(list(docs.values())).T
    for hits, row in zip(index.search(questions, depth=9), products, strict=True):
        expected = fixed_order(list(docs), row.astype(np.float32))
        assert {hit.doc_id for hit in hits} == set(docs)
        np.testing.assert_allclose([hit.score for hit in hits], expected.scores, atol=2e-3)
        assert [hit.text for hit in hits] == [docs[hit.doc_id] for hit in hits]
    [best, second, *_] = index.search(["Volga"])[0]
    assert (best.doc_id, second.doc_id, best.score) == ("c", "a", second.score)
    assert len(index.search(questions, depth=1)[1]) == 1


def test_vectors_are_float32_rows_and_a_title_is_part_of_a_passage(encoder: xdr.Encoder) -> None:
    vectors = encoder.encode_document(["The Volga is long", "Tea"])
    assert (vectors.dtype, vectors.shape) == (np.float32, (2, 256))
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, rtol=1e-5)
    assert encoder.encode_query([]).shape == (0, 256)
    [[titled, plain]] = encoder.index({"t": {"title": "Volga", "text": "long"}, "p": "Volga long"}).search(["x"])
    assert titled.score == plain.score
    assert (titled.doc_id, titled.title) == ("t", "Volga")  # of equal scores the later id comes first


def test_any_form_of_passages_and_questions_is_searched(encoder: xdr.Encoder) -> None:
    texts = {"a": "The Volga is long", "b": "Tea is green"}
    frame = pd.DataFrame({"docno": list(texts), "text": list(texts.values())})
    records = [xdr.Doc(doc_id, "", text) for doc_id, text in texts.items()]
    expected = encoder.index(texts).run({"q": "Volga"}, depth=2)
    assert encoder.index(frame).run(pd.DataFrame({"qid": ["q"], "query": ["Volga"]}), depth=2) == expected
    assert encoder.index(records).run({"q": "Volga"}) == expected
    assert encoder.index(frame).run({}) == {}


def test_vectors_that_are_kept_serve_a_later_index(encoder: xdr.Encoder, tmp_path: Path) -> None:
    def stored() -> dict[str, str]:
        files = [path for path in tmp_path.rglob("vectors/**/*") if path.is_file() and path.suffix != ".lock"]
        return {
            path.name: hashlib.sha256(path.read_bytes()).hexdigest() + str(path.stat().st_mtime_ns) for path in files
        }

    docs = {"a": "The Volga is long", "b": "Tea is green"}
    first = encoder.index(docs, cache=tmp_path).search(["Volga"])
    before = stored()
    assert before
    assert encoder.index(docs, cache=tmp_path).search(["Volga"]) == first
    assert stored() == before


def test_two_models_share_a_cache_and_nothing_else(encoder: xdr.Encoder, tmp_path: Path) -> None:
    docs, other = (
        {"a": "The Volga is long", "b": "Tea is green"},
        xdr.Encoder(MODEL.with_name("mini-zero-shot"), workers=1),
    )
    expected = other.index(docs, cache=tmp_path / "own").search(["Volga", "tea"])
    assert encoder.index(docs, cache=tmp_path / "shared").search(["Volga", "tea"]) != expected
    assert other.index(docs, cache=tmp_path / "shared").search(["Volga", "tea"]) == expected
    assert not list((tmp_path / "shared").rglob("*.npz")), "a search leaves none of its questions"


def test_a_model_of_another_folder_is_found_from_where_one_stands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(MODEL, tmp_path / "model")
    monkeypatch.chdir(tmp_path)
    assert xdr.Encoder("model", **AS_ITS_CARD).encode_query(["Volga"]).shape == (1, 256)


def test_what_cannot_be_encoded_or_searched_is_said(encoder: xdr.Encoder) -> None:
    with pytest.raises(xdr.InvalidInput, match="no folder beside"):
        xdr.Encoder("no/such-model")
    with pytest.raises(xdr.InvalidInput, match="poling: unknown key; did you mean 'pooling'"):
        xdr.Encoder(MODEL, poling="cls")
    with pytest.raises(xdr.InvalidInput, match=r"docs\['a'\]: 'text' is a number"):
        encoder.index({"a": 1})
    with pytest.raises(xdr.InvalidInput, match="is there 2 times"):
        encoder.index([xdr.Doc("a", "", "x"), xdr.Doc("a", "", "y")])
    index = encoder.index({"a": "x"})
    for call in (
        lambda: index.search("Volga"),
        lambda: encoder.encode_query("Volga"),
        lambda: index.search(["x"], depth=0),
    ):
        with pytest.raises(xdr.WrongUsage):
            call()
