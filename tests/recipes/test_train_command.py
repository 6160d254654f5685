"""``xdr train`` as its user meets it: what it would take, a delta made whole, transductive models, wrong input."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import tiny_models
from command_line import xdr
from tiny_training import CONTRASTIVE, STATIC, recipe

from harness.errors import InvalidInput
from harness.progress import SilentProgress
from harness.recipes.train import Operator, planned, train
from harness.recipes.train.seen import check_card_says_so, not_compared, seen_by
from harness.recipes.train.transductive import check_transductive, transductive_of


def in_epochs(path: Path, epochs: int) -> Path:
    path.write_text(path.read_text("utf-8").replace("steps = 8", f"epochs = {epochs}"), "utf-8")
    return path


def test_what_a_training_would_take_is_said_and_nothing_is_written(xdr_home: Path, tmp_path: Path) -> None:
    path = in_epochs(recipe(tmp_path, STATIC, CONTRASTIVE, 'objective = "self-teach"\nnoise = "shuffle-words"'), 3)
    plan = planned(path, tmp_path / "out", SilentProgress(), Operator())
    assert not (tmp_path / "out").exists()
    record = train(path, tmp_path / "out", SilentProgress())
    assert [stage.steps for stage in plan.stages] == [12, 12] == [stage.steps for stage in record.stages]
    # Epochs take other negatives, whose lengths differ a little.
    assert plan.stages[0].tokens == pytest.approx(record.stages[0].tokens, rel=0.02)
    assert all(stage.seconds > 0 for stage in plan.stages)
    lines = list(plan.in_words())
    assert lines[0].startswith("s0 (contrastive): 16 pairs, 12 steps, ")
    assert lines[-1].startswith("all stages: about ")


def test_the_command_plans_trains_and_makes_a_delta_whole(xdr_home: Path, tmp_path: Path) -> None:
    tiny_models.bert(tmp_path / "start")
    model = '[model]\nkind = "transformer"\nstart = "start"\npooling = "cls"\ntrained_layers = 1\nsaved = "delta"\n'
    path = recipe(tmp_path, model, CONTRASTIVE, steps=2)
    delta, whole = tmp_path / "delta", tmp_path / "whole"
    told = xdr("train", str(path), "--output", str(delta), "--dry-run", cwd=tmp_path)
    assert "s0 (contrastive): 16 pairs, 2 steps, " in told.stdout, told.stderr
    assert xdr("train", str(path), "--output", str(delta), cwd=tmp_path).returncode == 0
    done = xdr("train", str(path), "--output", str(whole), "--delta", str(delta), cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert (whole / "model.safetensors").is_file()
    for wrong in (["--delta", str(tmp_path / "none")], ["--delta", str(delta), "--dry-run"]):
        assert xdr("train", str(path), "--output", str(whole), *wrong, cwd=tmp_path).returncode == 2


def test_a_transductive_model_is_for_its_collections_only(xdr_home: Path, tmp_path: Path) -> None:
    path = recipe(tmp_path, STATIC, CONTRASTIVE, steps=2, more='transductive = ["xdr-mini/fi"]')
    record = train(path, tmp_path / "out", SilentProgress())
    assert record.overlap.transductive == ("xdr-mini/fi",)
    assert set(record.overlap.collections) == {"xdr-mini/fi", "xdr-mini/fi/dev"}
    assert transductive_of(tmp_path / "out") == ("xdr-mini/fi",)
    check_transductive("system x", tmp_path / "out", ["xdr-mini/fi"])
    with pytest.raises(InvalidInput, match="is for tracks over these only, not for xdr-mini/te"):
        check_transductive("system x", tmp_path / "out", ["xdr-mini/fi", "xdr-mini/te"])

    card = tmp_path / "card.toml"
    card.write_text(
        'schema_version = 1\nname = "own"\ntitle = "Own"\nadapter = "dense"\n[parameters]\nmodel = "out"\n', "utf-8"
    )
    done = xdr("run", "mini", str(card), "--runs", str(tmp_path / "runs"), cwd=tmp_path)
    assert done.returncode == 1
    assert "was trained transductively" in done.stderr
    # However the card names it.
    card.write_text(card.read_text("utf-8").replace('"out"', '"recipe:recipe.toml"'), "utf-8")
    assert xdr("train", str(path), cwd=tmp_path).returncode == 0
    done = xdr("run", "mini", str(card), "--runs", str(tmp_path / "runs"), cwd=tmp_path)
    assert done.returncode == 1
    assert "was trained transductively" in done.stderr

    started = '[model]\nkind = "static"\nstart = "out"\n'
    with pytest.raises(InvalidInput, match="the start out was trained transductively: what learns"):
        train(recipe(tmp_path, started, CONTRASTIVE, name="on"), tmp_path / "on", SilentProgress())
    taught = 'objective = "align"\nteacher = { card = "card.toml" }'
    with pytest.raises(InvalidInput, match=r"the teacher card.toml was trained transductively: what learns"):
        train(recipe(tmp_path, STATIC, taught, name="taught"), tmp_path / "taught", SilentProgress())


def test_an_unknown_transductive_collection_is_named(xdr_home: Path, tmp_path: Path) -> None:
    path = recipe(tmp_path, STATIC, CONTRASTIVE, more='transductive = ["xquadd"]')
    with pytest.raises(InvalidInput, match=r"transductive: no collection xquadd; known: .*xquad"):
        train(path, tmp_path / "out", SilentProgress())


def test_evaluation_questions_among_rows_are_dropped_and_counted(xdr_home: Path, tmp_path: Path) -> None:
    import harness.collections

    asked = harness.collections.load("xdr-mini/fi").queries[0].text
    path = recipe(tmp_path, STATIC, CONTRASTIVE, steps=2)
    rows = [json.loads(line) for line in (tmp_path / "rows.jsonl").read_text("utf-8").splitlines()]
    rows[0]["query"], rows[1]["query_en"] = asked, asked
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    record = train(path, tmp_path / "out", SilentProgress())
    assert [(row.file, row.used, row.dropped) for row in record.rows] == [("rows.jsonl", 14, 2)]


def test_what_a_model_has_seen_its_card_says_or_it_is_not_run(xdr_home: Path, tmp_path: Path) -> None:
    import harness.collections

    asked = [query.text for query in harness.collections.load("xdr-mini/fi").queries]
    path = recipe(tmp_path, STATIC, CONTRASTIVE, steps=2, more='compared_with = ["xdr-mini/te"]')
    rows = [json.loads(line) for line in (tmp_path / "rows.jsonl").read_text("utf-8").splitlines()]
    rows[0]["query"], rows[1]["query_en"] = asked[0], asked[1]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    record = train(path, tmp_path / "out", SilentProgress())
    assert record.overlap.not_dropped == {"xdr-mini/fi": 2}
    assert {"xdr-mini/fi", "xdr-mini/ko"} <= set(record.overlap.also_compared)
    assert seen_by(tmp_path / "out") == ("xdr-mini/fi",)

    card = tmp_path / "card.toml"
    plain = 'schema_version = 1\nname = "own"\ntitle = "Own"\nadapter = "dense"\n'
    model = '[parameters]\nmodel = "recipe:recipe.toml"\nsimilarity = "cosine"\n'
    card.write_text(plain + model, "utf-8")
    run = ("run", "mini", str(card), "--runs", str(tmp_path / "runs"))
    assert xdr("train", str(path), cwd=tmp_path).returncode == 0
    refused = xdr(*run, cwd=tmp_path)
    assert refused.returncode == 1
    assert "has seen what it is asked, and the card does not say so" in refused.stderr
    [told] = re.findall(r'may_have_seen = \["xdr-mini/fi: 2 rows .*?"\]', refused.stderr)
    assert not (tmp_path / "runs").exists()
    card.write_text(plain + told + "\n" + model, "utf-8")
    done = xdr(*run, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "were not compared" not in done.stderr

    # What learns from it, as from its start or its teacher, has seen the same.
    clean = tmp_path / "clean"
    clean.mkdir()
    started = f'[model]\nkind = "static"\nstart = "{tmp_path}/out"\n'
    on = train(recipe(clean, started, CONTRASTIVE, steps=2), tmp_path / "on", SilentProgress())
    taught = f'objective = "align"\nteacher = {{ card = "{card}" }}'
    by = train(recipe(clean, STATIC, taught, name="taught", steps=2), tmp_path / "by", SilentProgress())
    assert [one.overlap.inherited for one in (on, by)] == [("xdr-mini/fi",)] * 2
    assert seen_by(tmp_path / "on") == seen_by(tmp_path / "by") == ("xdr-mini/fi",)
    with pytest.raises(InvalidInput) as found:
        check_card_says_so("system x", tmp_path / "by", ["perturbed(typo-swap,seed=1):xdr-mini/fi"], ())
    assert "its start or a teacher may have seen it" in str(found.value.findings)
    check_card_says_so("system x", tmp_path / "by", ["xdr-mini/fi"], ["xdr-mini: it says so"])
    check_card_says_so("system x", tmp_path / "by", ["xdr-mini/ko"], ())


def test_collections_that_were_not_there_when_it_was_trained_are_named(tmp_path: Path) -> None:
    told = {"collections": ["a/fi"], "also_compared": ["b/fi"], "not_on_this_machine": ["c/fi"]}
    (tmp_path / "training.json").write_text(json.dumps({"overlap": told}))
    asked = ["a/fi", "b/fi", "c/fi", "later/fi"]
    assert not_compared(tmp_path, asked) == ("c/fi", "later/fi")
    for record in ("[]", "no JSON", '{"overlap": 3}'):
        (tmp_path / "training.json").write_text(record)
        assert not_compared(tmp_path, asked) == seen_by(tmp_path) == ()
