"""Tokens in a batch: what a card says, else what the device is given; a key of what is kept, and made again as recorded."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import tiny_cross_encoders
import tiny_models
import tiny_ragged_models
from small_dense import DOCS, run, write_card, write_track

from harness.adapters.card import load_card
from harness.adapters.conformance import toy_request, toy_rows
from harness.adapters.contract import TOKEN_BUDGET, Context
from harness.collections.view import Docs
from harness.dense import encoding
from harness.dense.cross_encoder import CrossScorer
from harness.dense.encoding import packed
from harness.records import Doc
from harness.runs.identity import compared, identity_of
from harness.runs.manifest import Manifest, read_manifest
from harness.runs.run_folder import RunFolder
from harness.runs.score import score_system
from harness.submissions.reproduce import reproduce
from harness.submissions.study.ranks import Ranker, asked_by
from harness.tracks import load_track
from systems.dense import Dense
from systems.multi_vector import MultiVector
from systems.rerank import Rerank
from systems.sparse import Sparse

ENCODING = {
    "dense": (Dense, {"model": str(tiny_models.shared().plain), "pooling": "cls"}),
    "multi-vector": (MultiVector, {"model": str(tiny_ragged_models.shared().multi_vector)}),
    "sparse": (Sparse, {"model": str(tiny_ragged_models.shared().splade)}),
}
ON_THE_DEVICE = [
    ("dense", "cpu", 768),
    ("dense", "cuda", 16_384),
    ("dense", "cuda:1", 16_384),
    ("multi-vector", "cpu", 768),
    ("multi-vector", "cuda", 16_384),
    # Numbers for every term of a vocabulary are as large on any device.
    ("sparse", "cpu", 768),
    ("sparse", "cuda", 768),
]


def made(adapter: str, **parameters: Any) -> Any:
    kind, own = ENCODING[adapter]
    return kind(kind.Parameters.model_validate({**own, **parameters}))


def on(device: str, folder: Path, **options: Any) -> Context:
    return Context(cache=folder / "cache", work=folder / "work", device=device, **options)


def place(adapter: str, context: Context, **parameters: Any) -> Path:
    docs = Docs([Doc(doc["doc_id"], doc["title"], doc["text"]) for doc in DOCS])
    system = made(adapter, **parameters)
    path: Path = system._place(docs, system._description(context), context)[0]
    return path


@pytest.mark.parametrize(("adapter", "device", "budget"), ON_THE_DEVICE)
def test_what_no_card_says_is_the_device_s(tmp_path: Path, adapter: str, device: str, budget: int) -> None:
    context = on(device, tmp_path)
    assert made(adapter)._job(2, context).token_budget == budget
    assert made(adapter, token_budget=96)._job(2, context).token_budget == 96
    assert made(adapter)._job(2, replace(context, token_budget=512)).token_budget == 512


def test_the_kernel_alters_nothing_of_it(tmp_path: Path) -> None:
    assert [made("dense", kernel=kernel)._job(2, on("cpu", tmp_path)).token_budget for kernel in ("torch", "onnx")] == [
        768,
        768,
    ]


@pytest.mark.parametrize("adapter", ENCODING)
def test_vectors_are_kept_by_the_number_that_was_used(tmp_path: Path, adapter: str) -> None:
    context = on("cpu", tmp_path)
    silent, same, other = (
        place(adapter, context, **said) for said in ({}, {"token_budget": 768}, {"token_budget": 64})
    )
    assert silent == same != other
    assert place(adapter, replace(context, token_budget=64)) == other


@pytest.mark.parametrize("card", ["mini-xdr", "me5-small-q4"])
def test_a_study_keeps_vectors_by_the_number_that_was_used(tmp_path: Path, card: str) -> None:
    system: Any = load_card(card).system()
    contexts = [on("cpu", tmp_path), on("cpu", tmp_path, token_budget=768), on("cpu", tmp_path, token_budget=64)]
    silent, same, other = (system.depends_on(context) for context in contexts)
    assert silent == same != other
    assert silent["parameters"]["token_budget"] == 768
    assert system.depends_on(on("cuda", tmp_path))["parameters"]["token_budget"] == 16_384


def test_a_study_keeps_vectors_by_what_a_card_leaves_out_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    track = load_track("mini-texts")
    assert track.study is not None
    few = track.model_copy(update={"parts": track.parts[:1]})
    asked = asked_by(few)

    def kept(context: Context) -> set[str]:
        Ranker(load_card("mini-xdr"), asked, track.study, context)  # type: ignore[arg-type]
        return {path.name for path in (context.cache / "study").iterdir()}

    context = on("cpu", tmp_path)
    first = kept(context)
    assert kept(context) == first
    assert kept(replace(context, token_budget=64)) > first


def test_a_run_says_the_number_and_is_made_again_with_it(
    tmp_path: Path, xdr_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Recorded where the device was given another number than today's: rounding hangs on it, so it is the recorded one."""
    track, card = write_track(tmp_path), write_card(tmp_path / "card")
    card.write_text(card.read_text().replace("token_budget = 64\n", ""))
    monkeypatch.setattr(encoding, "TOKENS_OF_A_THREAD", 2_000)
    seen: list[int] = []

    def spied(counts: Sequence[int], budget: int) -> list[list[int]]:
        seen.append(budget)
        return packed(counts, budget)

    monkeypatch.setattr(encoding, "packed", spied)
    recorded = RunFolder(load_track(str(track)), run(tmp_path, track, card).folder)
    score_system(recorded)
    assert recorded.manifest.execution.facts[TOKEN_BUDGET] == 2_000
    assert set(seen) == {2_000}
    monkeypatch.undo()
    monkeypatch.setattr(encoding, "packed", spied)
    found = reproduce(recorded, on("cpu", tmp_path), card=card)
    assert found.verdict == "identical"
    assert set(seen) == {2_000}
    assert [change for change in found.changes if "budget" in change.field] == []
    # The card is as it was, and so is what identifies its run.
    again = run(tmp_path, track, card)
    assert again.reused


def test_a_number_in_a_card_makes_another_run(tmp_path: Path) -> None:
    track, manifests = write_track(tmp_path), list[Manifest]()
    for said in ({"token_budget": 64}, {"token_budget": 65}):
        card = write_card(tmp_path / "card", **said)
        manifests.append(read_manifest(run(tmp_path, track, card).folder))
    told = compared(*(identity_of(manifest) for manifest in manifests)).differences
    assert [line.partition(":")[0] for line in told] == ["parameters.token_budget"]


@pytest.mark.parametrize("said", [{}, {"token_budget": 24}])
def test_a_cross_encoder_s_batches_are_those_of_its_device(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: dict[str, int]
) -> None:
    values = {"row": "bm25", "model": str(tiny_cross_encoders.shared()), **said}
    system, context, seen = Rerank(Rerank.Parameters.model_validate(values)), on("auto", tmp_path), set[int]()
    score: Callable[..., Any] = CrossScorer.score

    def spied(own: CrossScorer, pairs: Any, budget: int, workers: int) -> Any:
        seen.add(budget)
        return score(own, pairs, budget, workers)

    monkeypatch.setattr(CrossScorer, "score", spied)
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    assert list(system.search(toy_rows(toy_request(), ["bm25"]), context))
    assert seen == {said.get("token_budget", 768)}
    assert context.record.facts[TOKEN_BUDGET] == said.get("token_budget", 768)
    assert context.record.facts["device"] == "cpu"
