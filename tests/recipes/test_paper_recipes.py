"""The recipes of the xQG paper's models: whole, with their sources, trained as they are on a few rows with small networks."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import tiny_models
from command_line import xdr
from paper_recipes import ENCODERS, RECIPES, gold_record, small, text_of
from safetensors.numpy import load_file
from tiny_training import CONTRASTIVE, recipe, write_rows

from harness.adapters.card import load_card
from harness.errors import InvalidInput
from harness.progress import SilentProgress
from harness.recipes.generate.load import kinds
from harness.recipes.generate.recipe import Operator as GenerateOperator
from harness.recipes.train import Operator, assemble, planned, train
from harness.recipes.train.data import read_pairs
from harness.recipes.train.recipe import checked_recipe
from harness.recipes.train.sources import SourceRecipe
from harness.records import Doc

NAMES = [*ENCODERS, "mt5-xqg"]
GENERATOR = RECIPES.parent / "generators/xqg-mt5-base.toml"
every = pytest.mark.parametrize("name", NAMES)


@every
def test_a_recipe_of_the_paper_is_in_order_and_says_where_each_value_is_from(name: str) -> None:
    loaded = checked_recipe(RECIPES / f"{name}.toml").recipe
    text = text_of(name)
    assert loaded.name == name
    assert "Not run here" in text
    # A commit would be one that nobody has looked up.
    assert loaded.model.revision is None
    values = re.findall(r"^(?!#)(\w+) = .*$", text, flags=re.MULTILINE)
    said = re.findall(r"^(\w+) = [^#\n]*# (?:\[[A-Z]\]|our choice|xQG)", text, flags=re.MULTILINE)
    own = {"schema_version", "name", "title", "kind", "objective", "path", "origin", "prompt", "batches"}
    assert set(values) - own == set(said) - own


def test_the_values_are_those_of_the_published_command() -> None:
    mbert, xlmr = (checked_recipe(RECIPES / f"{name}-xdr.toml").recipe for name in ("mbert", "xlmr"))
    (stage,) = mbert.stages
    assert stage.optimizer.model_dump() == {
        "learning_rate": 1e-5, "warmup": 0.1, "weight_decay": 0.0, "max_grad_norm": 1.0
    }  # fmt: skip
    assert (stage.batch_size, stage.negatives, stage.epochs) == (128, 7, 40)  # type: ignore[union-attr]
    assert (stage.similarity, stage.factor) == ("dot", 1.0)  # type: ignore[union-attr]
    # One command: other networks and other rows, and nothing else.
    assert xlmr.stages == mbert.stages
    changed = {"start": "x", "name": "x"}
    assert xlmr.model.model_copy(update=changed) == mbert.model.model_copy(update=changed)
    for start in ("mbert", "xlmr"):
        english = checked_recipe(RECIPES / f"{start}-zero-shot.toml").recipe.stages[0]
        same = {"name": "xdr", "sources": stage.sources}
        assert english.model_copy(update=same) == stage


@pytest.mark.parametrize("name", ENCODERS)
def test_an_encoder_card_encodes_as_its_recipe_trains(name: str) -> None:
    model, parameters = checked_recipe(RECIPES / f"{name}.toml").recipe.model, load_card(name).card.parameters
    assert (parameters["query_max_length"], parameters["passage_max_length"]) == (
        model.query_length,  # type: ignore[union-attr]
        model.passage_length,  # type: ignore[union-attr]
    )
    assert (parameters["pooling"], parameters["similarity"]) == ("cls", "dot")
    assert parameters["title"] == "prepend"


@pytest.mark.parametrize("name", ENCODERS)
def test_an_encoder_of_the_paper_is_trained_planned_and_run(name: str, xdr_home: Path, tmp_path: Path) -> None:
    path = small(tmp_path, name)
    plan = planned(path, tmp_path / "model", SilentProgress(), Operator("cpu"))
    record = train(path, tmp_path / "model", SilentProgress(), Operator("cpu"))
    assert [(stage.steps, stage.candidates_per_query) for stage in record.stages] == [(6, 64.0)]
    assert plan.stages[0].steps == 6
    assert plan.stages[0].tokens == pytest.approx(record.stages[0].tokens, rel=0.1)
    start, trained = (_weights(tmp_path / folder) for folder in ("start", "model"))
    assert not np.array_equal(start, trained)

    text = (RECIPES.parent / f"cards/{name}.toml").read_text("utf-8")
    card = re.sub(r"(?m)^(model = ).*$", r'\1"model"', text).replace('"float16"', '"float32"')
    (tmp_path / "card.toml").write_text(card, "utf-8")
    done = xdr("run", "mini", "card.toml", "--runs", "runs", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / f"runs/mini/{name}/fi.trec.gz").is_file()


def _weights(folder: Path) -> Any:
    from transformers import AutoModel

    return AutoModel.from_pretrained(folder).embeddings.word_embeddings.weight.detach().numpy()


def test_the_papers_generator_is_trained_and_generates(xdr_home: Path, tmp_path: Path) -> None:
    path = small(tmp_path, "mt5-xqg")
    record = train(path, tmp_path / "model", SilentProgress(), Operator("cpu"))
    (stage,) = record.stages
    assert (stage.steps, stage.pairs) == (6, 16)
    # A new network guesses, and does not begin far above that.
    assert stage.mean_loss == pytest.approx(np.log(340), rel=0.1)
    import tomllib

    generator = tomllib.loads(GENERATOR.read_text("utf-8"))
    assert generator["prompt"] == checked_recipe(RECIPES / "mt5-xqg.toml").recipe.stages[0].prompt  # type: ignore[union-attr]
    generator["model"] = {"name": "model"}
    source = kinds()["seq2seq"].model_validate(generator).source(tmp_path, GenerateOperator())
    written = source.opened(source.files)([Doc("d1", "Turku", "The town of Turku lies in the north.")])
    assert [len(texts) for texts in written.texts[0]] == [5] * 7


def gold(folder: Path, *records: Any, **keys: Any) -> list[Any]:
    (folder / "gold.json").write_text(json.dumps({"data": records}), "utf-8")
    return read_pairs(SourceRecipe(kind="gold-paragraphs", path="gold.json", **keys), 1, folder)


def test_gold_paragraphs_are_read_as_the_generators_authors_read_them(tmp_path: Path) -> None:
    twice = gold_record("Turku", number=0)
    plain = gold_record("Oulu", " ar", title="title: Oulu ")
    found = gold(tmp_path, gold_record("Turku"), twice, plain)
    assert [(p.anchor.text, p.anchor.lang) for p in found] == [
        ("Missä maassa sijaitsee Turku?", "fi"), ("Missä maassa sijaitsee Oulu?", "ar")
    ]  # fmt: skip
    assert found[0].positive.text == "Turku The town of Turku lies in the north, by a river."
    assert [pair.positive.title for pair in found] == ["Turku", "Oulu"]
    assert [pair.anchor.lang for pair in gold(tmp_path, gold_record("Turku"), plain, languages=("ar",))] == ["ar"]


def test_records_that_are_no_gold_paragraphs_are_all_named(tmp_path: Path) -> None:
    wrong = [
        gold_record("Oulu", title="Oulu"), gold_record("Oulu", paragraphs=[]), gold_record("Oulu", "no language"), {}, 7
    ]  # fmt: skip
    with pytest.raises(InvalidInput) as error:
        gold(tmp_path, gold_record("Turku"), *wrong)
    report = str(error.value)
    assert [int(number) for number in re.findall(r"data\[(\d)\]", report)] == [1, 2, 3, 4, 5]
    assert "the title 'Oulu' does not begin with \"title:\"" in report
    with pytest.raises(InvalidInput, match="no question in the languages"):
        gold(tmp_path, gold_record("Turku"), languages=("ko",))
    (tmp_path / "gold.json").write_text("[]", "utf-8")
    with pytest.raises(InvalidInput, match="not in SQuAD's format"):
        read_pairs(SourceRecipe(kind="gold-paragraphs", path="gold.json"), 1, tmp_path)


@every
def test_all_that_is_missing_is_in_one_report_with_how_to_get_it(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, xdr_home: Path
) -> None:
    def no_network(*_: Any, **__: Any) -> None:
        raise OSError("no network")

    monkeypatch.setattr("huggingface_hub.HfApi.model_info", no_network)
    (tmp_path / "recipe.toml").write_text(text_of(name), "utf-8")
    with pytest.raises(InvalidInput) as error:
        planned(tmp_path / "recipe.toml", tmp_path / "out", SilentProgress(), Operator("cpu"))
    report = str(error.value)
    source = "gp_squad_train_data.json" if name == "mt5-xqg" else ".jsonl.gz"
    assert re.search(rf"sources: no file 'data/\S*{source}' beside the recipe; to get it: \S+ ", report), report
    assert "model.start: " in report
    assert ("no model folder" if name == "mt5-xqg" else "the hub cannot be asked for") in report
    assert not (tmp_path / "out").exists()


def test_a_start_of_the_hub_without_a_commit_is_resolved_and_recorded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, xdr_home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tiny_models.bert(tmp_path / "files")
    commit = "a" * 40
    monkeypatch.setenv("XDR_HOME", str(tmp_path / "home"))
    monkeypatch.setattr("huggingface_hub.HfApi.model_info", lambda *_, **__: SimpleNamespace(sha=commit))

    def snapshot(_name: str, *, revision: str, **_: Any) -> str:
        assert revision == commit
        return str(tmp_path / "files")

    monkeypatch.setattr("huggingface_hub.snapshot_download", snapshot)
    path = recipe(
        tmp_path, '[model]\nkind = "transformer"\nstart = "some/bert"\npooling = "cls"\n', CONTRASTIVE, steps=1
    )
    record = train(path, tmp_path / "out", SilentProgress(), Operator("cpu"))
    assert record.start_revision == commit
    assert json.loads((tmp_path / "out/training.json").read_text("utf-8"))["start_revision"] == commit


def test_the_small_xdr_is_trained_as_a_delta_and_run_by_its_card(xdr_home: Path, tmp_path: Path) -> None:
    name = "me5-small-q4-xdr"
    whole = checked_recipe(RECIPES / f"{name}.toml").recipe
    parameters = load_card(name).card.parameters
    assert (parameters["query_max_length"], parameters["passage_max_length"]) == (
        whole.model.query_length,  # type: ignore[union-attr]
        whole.model.passage_length,  # type: ignore[union-attr]
    )
    # The row that it is held against reads the same.
    untrained = load_card("me5-small-q4-cut").card.parameters
    assert parameters | {"model": "", "similarity": ""} == untrained | {"model": "", "similarity": ""}

    shutil.copytree(tiny_models.shared().sentence, tmp_path / "start")
    write_rows(tmp_path / "rows")
    own, _ = text_of(name).split("[[stages.sources]]", 1)
    changes = {"start": '"start"', "batch_size": "8", "epochs": None, "trained_layers": "1"}
    for key, value in changes.items():
        line = "steps = 6" if value is None else f"{key} = {value}"
        own, count = re.subn(rf"(?m)^{key} = .*$", line, own)
        assert count == 1, key
    path = tmp_path / f"{name}.toml"
    path.write_text(own + '[[stages.sources]]\nkind = "rows"\npath = "rows"\n', "utf-8")
    record = train(path, tmp_path / "delta", SilentProgress(), Operator("cpu"))
    assert [stage.steps for stage in record.stages] == [6]
    assemble(path, tmp_path / "delta", tmp_path / "model", SilentProgress())
    before, after = (load_file(tmp_path / folder / "model.safetensors") for folder in ("start", "model"))
    changed = {tensor for tensor in after if not np.array_equal(before[tensor], after[tensor])}
    assert changed
    assert all(tensor.startswith("encoder.layer.1.") for tensor in changed)

    card = re.sub(r"(?m)^model = .*$", 'model = "model"', (RECIPES.parent / f"cards/{name}.toml").read_text("utf-8"))
    (tmp_path / "card.toml").write_text(card, "utf-8")
    done = xdr("run", "mini", "card.toml", "--runs", "runs", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
