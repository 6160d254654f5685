"""Weights that a model's files lack are never made up: they would be random, and other ones in every process."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiny_cross_encoders
import tiny_models
import tiny_ragged_models
from safetensors.torch import load_file, save_file

from harness.dense.cross_encoder import CrossScorer, CrossSettings
from harness.dense.encoder import Encoder
from harness.dense.loading import EncoderSettings
from harness.errors import InvalidInput
from harness.ragged.encoder import TermWeights

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


KINDS: dict[str, tuple[Callable[[], Path], Callable[[Path], Any], str]] = {
    "plain": (lambda: tiny_models.shared().plain, plain, LAYER),
    "sentence-transformers": (lambda: tiny_models.shared().sentence, sentence, LAYER),
    "sparse": (lambda: tiny_ragged_models.shared().masked, sparse, "cls.predictions.transform.dense.weight"),
    "cross-encoder": (tiny_cross_encoders.shared, scorer, f"bert.{LAYER}"),
    "cross-encoder's head": (tiny_cross_encoders.shared, scorer, "classifier.weight"),
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
    import json

    folder = changed(tiny_models.shared().sentence, tmp_path / "model", without(*POOLER))
    path = folder / "sentence_bert_config.json"
    asked = {"text": {"method": "forward", "method_output_name": "pooler_output"}}
    settings = json.loads(path.read_text()) | {"modality_config": asked, "module_output_name": "sentence_embedding"}
    path.write_text(json.dumps(settings))
    with pytest.raises(InvalidInput, match=re.escape("pooler.dense.bias, pooler.dense.weight")):
        sentence(folder)
