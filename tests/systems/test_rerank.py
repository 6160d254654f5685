"""Re-ranking: every score is the library's for that pair alone, and what lies below the depth stays there."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tiny_cross_encoders
from small_track import Terminal, write_track

from harness.adapters.conformance import conformance_tests, toy_request, toy_rows
from harness.adapters.contract import Context, Request, inputs_of, missing_of, rows_of
from harness.dense.cross_encoder import CrossScorer, CrossSettings
from harness.errors import InvalidInput
from harness.records import Ranking
from harness.runs.manifest import read_manifest
from systems.rerank import Rerank

PAIRS = [
    ("the volga", "the river is long"),
    ("mount fuji, how high?", "x"),
    ("a", "green tea from the sea, made in the lake of the nile and of the high mount"),
    ("kuinka pitkä on volga?", "tea"),
]


def system(**parameters: object) -> Rerank:
    values = {"row": "bm25", "model": str(tiny_cross_encoders.shared()), **parameters}
    return Rerank(Rerank.Parameters.model_validate(values))


TestRerank = conformance_tests(system)
TestShallow = conformance_tests(lambda: system(depth=2, token_budget=16))


def library(**options: object) -> object:
    from sentence_transformers import CrossEncoder

    return CrossEncoder(str(tiny_cross_encoders.shared()), device="cpu", local_files_only=True, **options)


def alone(model: object, **options: object) -> np.ndarray:
    return np.array([model.predict([pair], **options)[0] for pair in PAIRS])  # type: ignore[attr-defined]


def scorer(folder: Path | None = None, **options: object) -> CrossScorer:
    return CrossScorer(CrossSettings(folder or tiny_cross_encoders.shared(), "float32", "cpu", **options))  # type: ignore[arg-type]


@pytest.mark.parametrize("budget", [16, 60, 10_000])
@pytest.mark.parametrize("activation", ["none", "sigmoid", "model"])
def test_scores_are_those_of_the_library_for_each_pair_alone(budget: int, activation: str) -> None:
    import torch

    functions = {"none": torch.nn.Identity(), "sigmoid": torch.nn.Sigmoid(), "model": None}
    right = alone(library(), activation_fn=functions[activation])
    assert np.ptp(right) > 1e-3
    found = scorer(activation=activation).score(PAIRS, budget)
    np.testing.assert_allclose(found.scores, right, atol=1e-5)


def test_workers_alter_no_bit_and_lengths_are_told() -> None:
    own = scorer()
    one, three = own.score(PAIRS, 30, workers=1), own.score(PAIRS, 30, workers=3)
    assert one.scores.tobytes() == three.scores.tobytes()
    assert one.lost.tolist() == [0, 0, 0, 0]


def test_a_maximum_length_and_a_prompt_are_applied_as_the_library_does() -> None:
    cut = scorer(max_length=8)
    model = library()
    model.max_seq_length = 8  # type: ignore[attr-defined]
    import torch

    np.testing.assert_allclose(cut.score(PAIRS, 99).scores, alone(model, activation_fn=torch.nn.Identity()), atol=1e-5)
    assert cut.score(PAIRS, 99).lost.max() > 0
    prompted = scorer(prompt="tea ").score(PAIRS, 99).scores
    right = alone(library(), activation_fn=torch.nn.Identity(), prompt="tea ")
    np.testing.assert_allclose(prompted, right, atol=1e-5)
    assert np.abs(prompted - scorer().score(PAIRS, 99).scores).max() > 1e-3


def test_a_model_that_minds_padding_is_given_none(tmp_path: Path) -> None:
    own = scorer(tiny_cross_encoders.cross_encoder(tmp_path / "fnet", family="fnet"))
    each = [float(own.score([pair], 1000).scores[0]) for pair in PAIRS]
    np.testing.assert_allclose(own.score(PAIRS, 1000).scores, each, atol=1e-5)


def test_models_that_give_no_one_score_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="3 scores for a pair"):
        scorer(tiny_cross_encoders.cross_encoder(tmp_path / "three", labels=3))
    with pytest.raises(InvalidInput, match=r"max_length = 999, but .* 80 positions"):
        scorer(max_length=999)
    with pytest.raises(InvalidInput, match="leave no room for a pair"):
        scorer(max_length=6, prompt="the river the river ")
    damaged = shutil.copytree(tiny_cross_encoders.shared(), tmp_path / "damaged")
    (damaged / "model.safetensors").write_bytes(b"no weights")
    with pytest.raises(InvalidInput, match="cannot be loaded as a cross-encoder"):
        scorer(damaged)


def request_of(depth: int) -> Request:
    return toy_rows(toy_request(depth), ("bm25",))


def searched(own: Rerank, request: Request, tmp_path: Path) -> tuple[dict[str, Ranking], Context]:
    context = Context(cache=tmp_path, work=tmp_path, device="cpu")
    return {ranking.query_id: ranking for ranking in own.search(request, context)}, context


def test_what_lies_below_the_depth_stays_below_in_its_order(tmp_path: Path) -> None:
    request = request_of(9)
    found, context = searched(system(depth=2), request, tmp_path)
    for query_id, ranking in found.items():
        before = list(request.rows["bm25"][query_id].doc_ids)
        assert sorted(ranking.doc_ids[:2]) == sorted(before[:2])
        assert list(ranking.doc_ids[2:]) == before[2:]
        scores = np.asarray(ranking.scores)
        assert scores.dtype == np.float32
        assert (np.diff(scores[1:]) < 0).all()
    assert context.record.facts["re-ranked"] == {"depth": 2, "below": "kept in the order of the row", "pairs": 12}


def test_passages_are_read_with_their_titles_or_without(tmp_path: Path) -> None:
    import torch

    request, model = request_of(9), library()
    for title in ("prepend", "ignore"):
        found, _ = searched(system(title=title), request, tmp_path)
        query = request.queries[0]
        docs = [request.docs.get(doc) for doc in found[query.query_id].doc_ids]
        texts = [doc.default_text() if title == "prepend" else doc.text for doc in docs]
        right = model.predict([(query.text, text) for text in texts], activation_fn=torch.nn.Identity())  # type: ignore[attr-defined]
        np.testing.assert_allclose(found[query.query_id].scores, right, atol=1e-5)


def test_a_query_that_the_row_lacks_has_no_ranking_and_that_is_noted(tmp_path: Path) -> None:
    request = request_of(4)
    first = request.queries[0].query_id
    rows = {"bm25": {query: ranking for query, ranking in request.rows["bm25"].items() if query != first}}
    found, context = searched(system(), replace(request, rows=rows), tmp_path)
    assert first not in found
    assert context.record.facts["notes"] == ["bm25 has no ranking for 1 queries; nor has this system"]


def test_it_names_its_row_and_its_model() -> None:
    assert rows_of(system()) == ("bm25",)
    assert inputs_of(system()) == {"model": tiny_cross_encoders.shared()}
    assert missing_of(system()) == []
    assert "no model folder" in missing_of(system(model="./nowhere"))[0]


def test_a_row_is_re_ranked_and_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write_track(tmp_path)
    monkeypatch.chdir(tmp_path)
    shutil.copytree(tiny_cross_encoders.shared(), "reranker")
    Path("anew.toml").write_text(
        'schema_version = 1\nname = "anew"\ntitle = "Anew"\nadapter = "rerank"\n'
        '[parameters]\nrow = "dummy"\nmodel = "reranker"\n'
    )
    xdr = Terminal(monkeypatch, capsys)
    assert xdr("run", "track.toml", "anew.toml", "dummy", "--device", "cpu").status == 0
    manifest = read_manifest(Path("runs/rivers/anew"))
    assert manifest.rows == ("dummy",)
    assert set(manifest.implementation.inputs) == {"model"}
    ended = xdr("reproduce", "runs/rivers/anew", "--track", "track.toml", "--card", "anew.toml", "--device", "cpu")
    assert ended.status == 0, ended.err
    assert "anew on rivers: identical" in ended.out
