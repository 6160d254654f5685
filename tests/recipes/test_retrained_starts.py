"""What a training notes beside a model, such as its seconds, is no part of what the model is, as a start or as a teacher."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from tiny_training import CONTRASTIVE, STATIC, TRANSFORMER, recipe

from harness.dense.kept_models import keep_record
from harness.errors import InvalidInput
from harness.files.model_digests import KEPT_RECORD, TRAINING_RECORD, sha256_of_model
from harness.files.writing import sha256_of_tree
from harness.progress import SilentProgress
from harness.recipes.train.delta import assemble
from harness.recipes.train.runner import train

DELTA = (
    '[model]\nkind = "transformer"\nstart = "start"\npooling = "cls"\ntrained_layers = 1\nsaved = "delta"\n'
    "query_length = 12\npassage_length = 16\n"
)


def as_on_another_day(folder: Path) -> None:
    """What lies beside the same weights after they were trained again: other seconds, and a note of the recipe's files."""
    path = folder / TRAINING_RECORD
    said = json.loads(path.read_text("utf-8"))
    path.write_text(json.dumps({**said, "seconds": said["seconds"] + 86.4, "interruptions": 3}), "utf-8")


def test_a_model_is_its_files_without_the_records_of_its_training(tmp_path: Path) -> None:
    made = recipe(tmp_path, STATIC, CONTRASTIVE, steps=1)
    train(made, tmp_path / "out", SilentProgress())
    before = sha256_of_model(tmp_path / "out")
    as_on_another_day(tmp_path / "out")
    keep_record(made, tmp_path / "out")
    assert sha256_of_model(tmp_path / "out") == before
    for name in (TRAINING_RECORD, KEPT_RECORD):
        (tmp_path / "out" / name).unlink()
    assert sha256_of_tree(tmp_path / "out") == before, (
        "of a folder that no recipe has made it is the digest of its tree"
    )
    (tmp_path / "out" / "tokenizer.json").write_text("{}")
    assert sha256_of_model(tmp_path / "out") != before


def test_a_start_that_was_trained_again_to_the_same_bytes_is_the_same_start(tmp_path: Path) -> None:
    train(recipe(tmp_path, STATIC, CONTRASTIVE, steps=2), tmp_path / "start", SilentProgress())
    following = recipe(tmp_path, '[model]\nkind = "static"\nstart = "start"\n', CONTRASTIVE, name="next", steps=1)
    one = train(following, tmp_path / "one", SilentProgress())
    as_on_another_day(tmp_path / "start")
    two = train(following, tmp_path / "two", SilentProgress())
    assert one.start == two.start == sha256_of_model(tmp_path / "start")
    assert one.model_files == two.model_files


def test_a_delta_is_added_to_a_start_that_was_trained_again_to_the_same_bytes(tmp_path: Path) -> None:
    train(recipe(tmp_path, TRANSFORMER, CONTRASTIVE, steps=2), tmp_path / "start", SilentProgress())
    following = recipe(tmp_path, DELTA, CONTRASTIVE, name="next", steps=1)
    train(following, tmp_path / "delta", SilentProgress())
    as_on_another_day(tmp_path / "start")
    whole = assemble(following, tmp_path / "delta", tmp_path / "whole", SilentProgress())
    assert "model.safetensors" in whole.model_files
    shutil.rmtree(tmp_path / "start")
    other = recipe(tmp_path, TRANSFORMER, CONTRASTIVE, steps=1)
    train(other, tmp_path / "start", SilentProgress())
    with pytest.raises(InvalidInput, match="is the difference from another model than the recipe's start is here"):
        assemble(following, tmp_path / "delta", tmp_path / "again", SilentProgress())
