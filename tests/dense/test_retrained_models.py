"""A model that was trained again to the same bytes is not encoded, exported or ranked with again; its runs are other ones."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import tiny_models
import tiny_ragged_models
from small_dense import run, vectors, write_card, write_track

from harness.adapters.card import load_card
from harness.adapters.consent import Consent
from harness.adapters.contract import Context
from harness.compute import graphs
from harness.dense.encoder import Encoder
from harness.dense.loading import EncoderSettings
from harness.files.model_digests import KEPT_RECORD, TRAINING_RECORD
from harness.runs.identity import input_digests
from harness.submissions.study.ranks import _identity_of


def trained(folder: Path, seconds: float, of: Path | None = None) -> Path:
    """A model, with what a training notes beside it."""
    if not folder.is_dir():
        shutil.copytree(of or tiny_models.shared().plain, folder)
    (folder / TRAINING_RECORD).write_text(json.dumps({"seconds": seconds}), "utf-8")
    (folder / KEPT_RECORD).write_text(json.dumps({"recipe": str(seconds)}), "utf-8")
    return folder


@pytest.mark.parametrize("adapter", ["dense", "multi-vector"])
def test_its_vectors_are_kept(tmp_path: Path, adapter: str) -> None:
    of = {"dense": tiny_models.shared().plain, "multi-vector": tiny_ragged_models.shared().multi_vector}
    model = trained(tmp_path / "model", 1, of[adapter])
    card = write_card(tmp_path / "card", adapter, model=str(model))
    if adapter == "multi-vector":
        card.write_text(card.read_text("utf-8").replace('pooling = "cls"\n', ""), "utf-8")
    track = write_track(tmp_path)
    run(tmp_path, track, card)
    before = vectors(tmp_path)
    trained(model, 2)
    assert not run(tmp_path, track, card).reused, "what a recorded run says of its model is of the whole folder"
    assert vectors(tmp_path) == before
    (model / "tokenizer_config.json").write_bytes((model / "tokenizer_config.json").read_bytes() + b" ")
    run(tmp_path, track, card)
    assert len(vectors(tmp_path)) > len(before), "another model's"


@pytest.mark.skipif(bool(graphs.not_installed()), reason="the extra fast is not installed")
def test_its_graph_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDR_HOME", str(tmp_path / "home"))
    for seconds in (1, 2):
        model = trained(tmp_path / "model", seconds)
        Encoder(EncoderSettings(model, "cls", "dot", "float32", "cpu", kernel="onnx"))
    assert len(list((tmp_path / "home/graphs").iterdir())) == 1


def test_a_studys_vectors_are_kept(tmp_path: Path) -> None:
    model = trained(tmp_path / "model", 1)
    system = load_card(str(write_card(tmp_path / "card", model=str(model)))).system(Consent())
    context = Context(cache=tmp_path, work=tmp_path)
    before, run_before = _identity_of(system, context), input_digests(system)
    trained(model, 2)
    assert _identity_of(system, context) == before
    assert input_digests(system) != run_before
    (model / "more.json").write_text("{}")
    assert _identity_of(system, context) != before
