"""Weights that a model's files lack are never made up: they would be random, and other ones in every process."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiny_cross_encoders
import tiny_generators
import tiny_models
import tiny_ragged_models
import tiny_readers
import torch
from safetensors.torch import load_file, save_file

from harness.dense.cross_encoder import CrossScorer, CrossSettings
from harness.dense.encoder import Encoder
from harness.dense.loading import EncoderSettings
from harness.errors import InvalidInput
from harness.ragged.encoder import TermWeights
from harness.recipes.train.masked import check_head
from harness.recipes.train.sequences import opened

LAYER = "encoder.layer.1.output.dense.weight"
POOLER = ("pooler.dense.weight", "pooler.dense.bias")


def plain(folder: Path) -> Any:
    return Encoder(EncoderSettings(folder, "mean", "cosine", "float32", "cpu"))


def sentence(folder: Path) -> Any:
    return Encoder(EncoderSettings(folder, "model", "cosine", "float32", "cpu"))


def sparse(folder: Path) -> Any:
    return TermWeights(EncoderSettings(folder, "max", None, "float32", "cpu"))


def scorer(folder: Path) -> Any:
    return CrossScorer(CrossSettings(folder, "float32", "cpu"))


def generator(folder: Path) -> Any:
    return opened("AutoModelForSeq2SeqLM", folder, "cpu")


def start_of_reader(folder: Path) -> Any:
    return opened("AutoModelForQuestionAnswering", folder, "cpu", ("qa_outputs",))


KINDS: dict[str, tuple[Callable[[], Path], Callable[[Path], Any], str]] = {
    "plain": (lambda: tiny_models.shared().plain, plain, LAYER),
    "sentence-transformers": (lambda: tiny_models.shared().sentence, sentence, LAYER),
    "sparse": (lambda: tiny_ragged_models.shared().masked, sparse, "cls.predictions.transform.dense.weight"),
    "cross-encoder": (tiny_cross_encoders.shared, scorer, f"bert.{LAYER}"),
    "cross-encoder's head": (tiny_cross_encoders.shared, scorer, "classifier.weight"),
    "generator that is trained, or teaches": (
        tiny_generators.mt5,
        generator,
        "encoder.block.0.layer.1.DenseReluDense.wo.weight",
    ),
    "reader that is trained": (tiny_readers.shared, start_of_reader, f"bert.{LAYER}"),
    "cross-encoder's pooler": (tiny_cross_encoders.shared, scorer, f"bert.{POOLER[0]}"),
}


def changed(model: Path, folder: Path, change: Callable[[dict[str, Any]], dict[str, Any]]) -> Path:
    shutil.copytree(model, folder)
    file = folder / "model.safetensors"
    save_file(change(load_file(file)), file, metadata={"format": "pt"})
    return folder


def without(*names: str) -> Callable[[dict[str, Any]], dict[str, Any]]:
    def change(weights: dict[str, Any]) -> dict[str, Any]:
        assert set(names) <= set(weights)
        return {name: value for name, value in weights.items() if name not in names}

    return change


@pytest.mark.parametrize("kind", KINDS)
def test_a_model_whose_files_lack_a_weight_is_refused_with_its_name(kind: str, tmp_path: Path) -> None:
    model, load, name = KINDS[kind]
    folder = changed(model(), tmp_path / "model", without(name))
    with pytest.raises(InvalidInput, match=re.escape(f"lack weights that it computes with ({name})")):
        load(folder)


def test_a_start_of_a_reader_needs_no_head_for_spans(tmp_path: Path) -> None:
    folder = changed(tiny_readers.shared(), tmp_path / "model", without("qa_outputs.weight", "qa_outputs.bias"))
    assert start_of_reader(folder)


def test_weights_of_another_shape_are_not_made_up_where_a_model_s_own_files_ask_for_that(tmp_path: Path) -> None:
    def wider(weights: dict[str, Any]) -> dict[str, Any]:
        return {**weights, LAYER: torch.cat([weights[LAYER]] * 2)}

    folder = changed(tiny_models.shared().sentence, tmp_path / "model", wider)
    path = folder / "sentence_bert_config.json"
    for key in ("model_kwargs", "model_args"):
        path.write_text(json.dumps({**json.loads(path.read_text()), key: {"ignore_mismatched_sizes": True}}))
    with pytest.raises(InvalidInput, match=re.escape(f"({LAYER})") + "|cannot be loaded"):
        sentence(folder)


def test_a_head_for_masked_words_is_whole_or_not_there_at_all(tmp_path: Path) -> None:
    from transformers import AutoModelForMaskedLM

    model = AutoModelForMaskedLM.from_pretrained(tiny_ragged_models.shared().masked)
    head = [name for name, _ in model.named_parameters() if name.startswith("cls.")]
    assert len(head) > 2
    for missing in ([], head, [*head, "bert.pooler.dense.weight"]):
        check_head(model, missing, "model")
    with pytest.raises(InvalidInput, match=re.escape(head[0])):
        check_head(model, head[:1], "model")


def test_weights_under_other_names_are_weights_that_are_not_there(tmp_path: Path) -> None:
    renamed = changed(
        tiny_models.shared().plain,
        tmp_path / "model",
        lambda weights: {f"other.{name}": weights[name] for name in weights},
    )
    with pytest.raises(InvalidInput, match=r"lack weights .* and \d+ more"):
        plain(renamed)


def test_an_encoder_needs_no_pooler_and_says_nothing_of_it(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    whole = tiny_models.shared().sentence
    folder = changed(whole, tmp_path / "model", without(*POOLER))
    texts = ["where does it lead to?", "a"]
    np.testing.assert_array_equal(sentence(folder).encode(texts), sentence(whole).encode(texts))
    assert "MISSING" not in caplog.text


def test_a_pooler_that_makes_the_vectors_has_to_be_there(tmp_path: Path) -> None:
    """As with models of texts and images, whose modules take what a pooler gives."""
    folder = changed(tiny_models.shared().sentence, tmp_path / "model", without(*POOLER))
    path = folder / "sentence_bert_config.json"
    asked = {"text": {"method": "forward", "method_output_name": "pooler_output"}}
    settings = json.loads(path.read_text()) | {"modality_config": asked, "module_output_name": "sentence_embedding"}
    path.write_text(json.dumps(settings))
    with pytest.raises(InvalidInput, match=re.escape("pooler.dense.bias, pooler.dense.weight")):
        sentence(folder)
