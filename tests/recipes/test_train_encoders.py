"""Training of encoders by recipes of schema 2: what a batch holds, what is cut where, what learns, what is refused."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiny_models
import torch
from safetensors.torch import load_file
from tiny_training import CONTRASTIVE, STATIC, TRANSFORMER, recipe, write_rows

from harness.dense.encoder import Encoder
from harness.dense.loading import EncoderSettings, loaded_model, sentence_transformer
from harness.dense.roles import PASSAGES, QUESTIONS
from harness.errors import InvalidInput, WrongUsage
from harness.progress import SilentProgress
from harness.recipes.train import Operator, train
from harness.recipes.train.batches import GroupedBatches, Share, bucketed
from harness.recipes.train.columns import Columns
from harness.recipes.train.delta import assemble
from harness.recipes.train.encoding import Stage, encoder_job
from harness.recipes.train.frozen import split
from harness.recipes.train.loop import Operating, tokens_in
from harness.recipes.train.networks import prepared
from harness.recipes.train.noise import noisy
from harness.recipes.train.pairs import Pair, Side
from harness.recipes.train.recipe import OBJECTIVES, load_recipe
from harness.recipes.train.stages import ContrastiveStage, DistilStage

STARTED = """
[model]
kind = "transformer"
start = "start"
pooling = "mean"
normalize = true
query_length = 12
passage_length = 16
query_prefix = "query: "
passage_prefix = "passage: "
"""
ROWS: dict[str, Any] = {
    "name": "a", "steps": 1, "batch_size": 4, "optimizer": {"learning_rate": 0.1}, "sources": [{"kind": "ntrex"}]
}  # fmt: skip


def pair(number: int, lang: str = "fi", positives: int = 1, negatives: int = 0) -> Pair:
    sides = [Side(f"good {number} {place}", "en", False, score=1.0) for place in range(positives)]
    others = tuple(Side(f"bad {number} {place}", "en", False, score=0.0) for place in range(negatives))
    return Pair(Side(f"q{number}", lang), sides[0], "f", f"g{number}", tuple(sides[1:]), others, english=f"e{number}")


def texts(columns: Columns, number: int, epoch: int) -> list[str]:
    return list(columns.rows([number], epoch)[0].values())


def test_every_epoch_takes_the_next_positive_and_the_next_negatives_of_a_row() -> None:
    stage = ContrastiveStage(objective="contrastive", negatives=2, **ROWS)
    columns = Columns(stage, [pair(0, positives=3, negatives=5)], 1, None)
    epochs = [texts(columns, 0, epoch) for epoch in range(5)]
    assert sorted(epoch[1] for epoch in epochs[:3]) == ["good 0 0", "good 0 1", "good 0 2"]
    assert epochs[3][1] == epochs[0][1]
    # After five epochs of two, each of the five has been taken twice.
    assert sorted(text for epoch in epochs for text in epoch[2:]) == sorted(
        [f"bad 0 {place}" for place in range(5)] * 2
    )
    assert texts(columns, 0, 1) == epochs[1]


def test_candidates_of_a_row_are_one_positive_and_others_with_their_scores() -> None:
    taught = {"scores": "rows"}
    stage = DistilStage(objective="distil-scores", candidates=3, teacher=taught, **ROWS)
    row = Columns(stage, [pair(0, negatives=4)], 1, None).rows([0], 0)[0]
    assert list(row) == ["anchor", "passage_1", "passage_2", "passage_3", "label"]
    assert row["passage_1"] == "good 0 0"
    assert row["label"] == [1.0, 0.0, 0.0]


def test_pairs_that_lack_what_the_objective_needs_are_counted() -> None:
    stage = ContrastiveStage(objective="contrastive", negatives=1, **ROWS)
    with pytest.raises(
        InvalidInput, match="stage a: 2 of 3 pairs of f have no passage that does not answer, the others"
    ):
        Columns(stage, [pair(0, negatives=1), pair(1), pair(2)], 1, None)
    with pytest.raises(InvalidInput, match="stage a: no pair has a passage that does not answer"):
        Columns(stage, [pair(1), pair(2)], 1, None)


def test_a_source_without_negatives_has_batches_without_them() -> None:
    sources = [[pair(n, negatives=2) for n in range(4)], [replace(pair(n), file="g") for n in range(4, 8)]]
    stage = ContrastiveStage(objective="contrastive", negatives=2, **ROWS)
    buckets = bucketed(sources, [1, 1], "source")
    columns = Columns(stage, buckets.pairs, 1, None)
    for batch in GroupedBatches(buckets.groups(), buckets.weights, 4, 1):
        count = 2 if batch[0] < 4 else 0
        assert {len(row) for row in columns.rows(batch, 0)} == {2 + count}
        assert columns.candidates(batch, 4) == 4 * (1 + count)
    with pytest.raises(InvalidInput, match="4 of 8 pairs have no passage that does not answer, the others have some"):
        Columns(stage.model_copy(update={"batches": "mixed"}), buckets.pairs, 1, None)


def test_static_models_train_with_dropout_on_sources_with_and_without_negatives(xdr_home: Path, tmp_path: Path) -> None:
    rows = [json.loads(line) for line in write_rows(tmp_path / "rows.jsonl").read_text("utf-8").splitlines()]
    lines = [json.dumps({**row, "query": f"{row['query']} Entä nyt?", "negative_passages": []}) for row in rows]
    (tmp_path / "plain.jsonl").write_text("\n".join(lines) + "\n", "utf-8")
    path = recipe(tmp_path, STATIC, f"{CONTRASTIVE}\ntoken_dropout = 0.2")
    both = '{ kind = "rows", path = "rows.jsonl" }, { kind = "rows", path = "plain.jsonl" }'
    stage = path.read_text("utf-8").replace(
        'sources = [{ kind = "rows", path = "rows.jsonl" }]\nobj', f"sources = [{both}]\nobj"
    )
    path.write_text(stage, "utf-8")
    [record] = train(path, tmp_path / "out", SilentProgress()).stages
    assert record.pairs == 2 * len(rows)
    # Batches of four: half of them with three candidates for each question, half with one.
    assert record.candidates_per_query == 8


def test_batches_by_source_by_language_and_mixed() -> None:
    sources = [[pair(n, "fi" if n % 2 else "ko") for n in range(8)], [pair(n) for n in range(8, 12)]]

    def languages(batches: Any) -> list[set[tuple[str, bool]]]:
        buckets = bucketed(sources, [1, 2], batches)
        found = GroupedBatches(buckets.groups(), buckets.weights, 4, 1)
        return [{(buckets.pairs[i].anchor.lang, int(buckets.pairs[i].group[1:]) < 8) for i in b} for b in found]

    assert {frozenset(b) for b in languages("source")} == {
        frozenset({("fi", True), ("ko", True)}), frozenset({("fi", False)})
    }  # fmt: skip
    assert all(len(batch) == 1 for batch in languages("language"))
    assert any(len({first for _, first in batch}) == 2 for batch in languages("mixed"))
    # A weight of two goes through the second source twice, however batches are made.
    assert (
        sum(sum(map(len, GroupedBatches(b.groups(), b.weights, 4, 1))) for b in [bucketed(sources, [1, 2], "mixed")])
        == 16
    )


def test_processes_have_equal_parts_that_make_up_the_batches() -> None:
    groups = [[str(n) for n in range(23)]]
    whole = list(GroupedBatches(groups, [1], 6, 1, Share(0, 1)))
    parts = [list(GroupedBatches(groups, [1], 6, 1, Share(number, 2))) for number in range(2)]
    assert all(len(one) == len(other) for one, other in zip(*parts, strict=True))
    assert len(parts[0]) == len(whole)
    assert not {i for batch in parts[0] for i in batch} & {i for batch in parts[1] for i in batch}


def test_noise_changes_a_question_and_nothing_else_of_it() -> None:
    from random import Random

    text = "Missä on Helsingin yliopisto ja milloin se avattiin?"
    for seed in range(50):
        typo = noisy(text, "typo", Random(seed))
        assert typo != text
        assert abs(len(typo) - len(text)) <= 1
        assert sorted(noisy(text, "shuffle-words", Random(seed)).split()) == sorted(text.split())
        assert len(noisy(text, "drop-words", Random(seed)).split()) == len(text.split()) - 1
    assert [noisy("ab", kind, Random(1)) == noisy("ab", kind, Random(1)) for kind in ("typo", "drop-words")] == [
        True
    ] * 2
    assert noisy("何?", "drop-words", Random(1)) == "何?"


@pytest.fixture
def started(xdr_home: Path, tmp_path: Path) -> Path:
    tiny_models.bert(tmp_path / "start", layers=3)
    return tmp_path


def job_of(path: Path, work: Path) -> Any:
    loaded = load_recipe(path)
    found = prepared(loaded, list, work / "start", "cpu", SilentProgress())
    from harness.recipes.train.reading import Read

    stage = loaded.recipe.stages[0]
    buckets = bucketed(Read(loaded, SilentProgress()).of_stage(stage), [1], "source")
    columns = Columns(stage, buckets.pairs, 1, None)  # type: ignore[arg-type]
    return encoder_job(
        loaded.recipe,
        found.network,
        Stage(stage, buckets, columns, 1),
        Operating("cpu", work, SilentProgress()),  # type: ignore[arg-type]
    ), found


def test_questions_and_passages_are_cut_at_their_own_lengths(started: Path) -> None:
    long = " ".join(["river"] * 100)
    rows = [json.loads(line) for line in write_rows(started / "rows.jsonl").read_text("utf-8").splitlines()]
    for row in rows:
        row["query"] += long
        for passage in (*row["positive_passages"], *row["negative_passages"]):
            passage["text"] += long
    (started / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    job, _ = job_of(recipe(started, STARTED, CONTRASTIVE), started / "work")
    batch = job.collated([0, 1, 2], 0)
    widths = {key: value.shape[1] for key, value in batch.items() if key.endswith("attention_mask")}
    assert widths == {
        "anchor_attention_mask": 12, "positive_attention_mask": 16, "negative_1_attention_mask": 16,
        "negative_2_attention_mask": 16,
    }  # fmt: skip
    assert tokens_in(batch) == [36, 48, 48, 48]


@pytest.mark.parametrize("top", [0, 1, 3])
def test_the_two_parts_of_a_network_give_what_it_gives(started: Path, top: int) -> None:
    model = loaded_model(EncoderSettings(started / "start", "mean", None, "float32", "cpu"), sentence_transformer)
    network = model[0].model
    inputs = model.preprocess(["green tea", "the long river volga flows to the sea"])
    inputs = {key: inputs[key] for key in ("input_ids", "attention_mask")}
    lower, upper = split(network, top)
    for part in (network, lower, upper):
        part.eval()
    with torch.no_grad():
        whole = network(**inputs).last_hidden_state
        states = lower(**inputs).last_hidden_state
        parts = upper(inputs_embeds=states, attention_mask=inputs["attention_mask"]).last_hidden_state
    torch.testing.assert_close(parts, whole)
    assert {id(p) for p in upper.parameters()} <= {id(p) for p in network.parameters()}


def test_only_the_top_layers_learn_and_a_delta_gives_the_whole_model_back(started: Path) -> None:
    model = STARTED + 'trained_layers = 1\nsaved = "{}"\n'
    stages = (CONTRASTIVE, 'objective = "self-teach"')
    whole = train(recipe(started, model.format("whole"), *stages, steps=3), started / "whole", SilentProgress())
    delta = recipe(started, model.format("delta"), *stages, name="delta", steps=3)
    train(delta, started / "delta", SilentProgress())
    before, after = (load_file(started / name / "model.safetensors") for name in ("start", "whole"))
    changed = {name for name in after if not torch.equal(before[name], after[name])}
    assert changed
    assert all(name.startswith("encoder.layer.2.") for name in changed)
    assert whole.stages[0].tokens > 0

    assert sorted(f.name for f in (started / "delta").iterdir()) == ["delta.json", "delta.safetensors", "training.json"]
    made = assemble(delta, started / "delta", started / "made", SilentProgress())
    assert made.model_files == whole.model_files

    encoder = Encoder(EncoderSettings(started / "made", "model", None, "float32", "cpu"))
    assert encoder.use(QUESTIONS).prompt == "query: "
    assert (encoder.use(QUESTIONS).max_length, encoder.use(PASSAGES).max_length) == (12, 16)
    np.testing.assert_allclose(np.linalg.norm(encoder.encode(["green tea"]), axis=1), 1, rtol=1e-5)

    tiny_models.bert(started / "start", seed=5, layers=3)
    with pytest.raises(InvalidInput, match="another model than the recipe's start is here"):
        assemble(delta, started / "delta", started / "other", SilentProgress())
    with pytest.raises(WrongUsage, match="holds no delta"):
        assemble(delta, started / "whole", started / "other", SilentProgress())


TEACHER = """
schema_version = 1
name = "teacher"
title = "Teacher"
adapter = "dense"
[parameters]
model = "teacher"
similarity = "cosine"
"""


def test_a_teachers_vectors_and_scores_are_imitated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDR_HOME", str(tmp_path / "home"))
    tiny_models.static_embedding(tmp_path / "teacher", dimensions=8)
    (tmp_path / "teacher.toml").write_text(TEACHER, "utf-8")
    taught = 'teacher = { card = "teacher.toml", temperature = 0.2, reads = "query_en" }'
    align = f'objective = "align"\n{taught}'
    distil = f'objective = "distil-scores"\n{taught}'
    found = train(
        recipe(tmp_path, STATIC, align, distil, f"{distil}\ncandidates = 3", steps=40),
        tmp_path / "out",
        SilentProgress(),
    )
    assert [stage.candidates_per_query for stage in found.stages] == [None, 4.0, 3.0]
    assert all(stage.teacher == found.stages[0].teacher for stage in found.stages)
    # Random unit vectors are 2/8 of squared error apart; what has learned is nearer.
    assert found.stages[0].mean_loss < 0.2
    kept = list((tmp_path / "home/teachers").rglob("*.npy"))
    assert len(kept) == 2
    assert all(np.allclose(np.linalg.norm(np.load(path), axis=1), 1, atol=1e-5) for path in kept)


def test_a_static_model_goes_on_from_another_one(xdr_home: Path, tmp_path: Path) -> None:
    tiny_models.static_embedding(tmp_path / "teacher", dimensions=8)
    started = '[model]\nkind = "static"\nstart = "teacher"\ndtype = "float32"\n'
    found = train(recipe(tmp_path, started, CONTRASTIVE, steps=2), tmp_path / "out", SilentProgress())
    before, after = (load_file(tmp_path / name / "model.safetensors") for name in ("teacher", "out"))
    assert before["embedding.weight"].shape == after["embedding.weight"].shape
    assert found.start is not None
    assert 0 < (before["embedding.weight"] - after["embedding.weight"]).abs().max() < 0.1


def test_everything_that_is_wrong_with_a_recipe_is_in_one_report(tmp_path: Path) -> None:
    path = recipe(
        tmp_path,
        '[model]\nkind = "static"\ndimensions = 8\npoolin = "mean"\n',
        'objective = "generate"\n',
        'objective = "contrastive"\nsimilarty = "dot"\n',
        'objective = "contrastiv"\n',
    )
    with pytest.raises(InvalidInput) as error:
        load_recipe(path)
    report = str(error.value)
    assert "stages.0.objective: objective 'generate' is not supported for kind 'static'" in report
    assert "stages.1.similarty: unknown key; did you mean 'similarity'?" in report
    assert "stages.2.objective: 'contrastiv'" in report
    assert "did you mean 'contrastive'?" in report
    assert "model.poolin: unknown key" in report


CONTRADICTORY = """
schema_version = 2
name = "tiny"
title = "A tiny model"
[tokenizer]
vocabulary = 200
sources = [{ kind = "ntrex" }]
[model]
kind = "transformer"
start = "x"
[[stages]]
name = "a"
objective = "contrastive"
steps = 1
batch_size = 4
optimizer = { learning_rate = 0.1 }
token_dropout = 0.1
sources = [{ kind = "rows", path = "absent.jsonl" }]
[[stages]]
name = "a"
objective = "contrastive"
steps = 1
batch_size = 4
optimizer = { learning_rate = 0.1 }
sources = [{ kind = "tydi-answers" }]
"""


def test_everything_that_contradicts_itself_is_in_one_report(tmp_path: Path) -> None:
    path = tmp_path / "recipe.toml"
    path.write_text(CONTRADICTORY, "utf-8")
    with pytest.raises(InvalidInput) as error:
        load_recipe(path)
    report = str(error.value)
    assert "stages: two stages have the same name" in report
    assert "tokenizer: a model with a `start` has that one's tokenizer" in report
    assert "stages.0: `token_dropout` is for static models" in report
    assert "sources: no file 'absent.jsonl' beside the recipe" in report
    assert "stages.1: objective 'contrastive' cannot use sources of kind tydi-answers" in report


@pytest.mark.parametrize("kind", OBJECTIVES)
def test_every_objective_is_supported_for_a_kind_or_refused_by_name(kind: str, tmp_path: Path) -> None:
    every = {"contrastive", "align", "distil-scores", "self-teach", "mlm", "tlm", "generate", "read"}
    for objective in every - set(OBJECTIVES[kind]):
        with pytest.raises(InvalidInput, match=f"objective '{objective}' is not supported for kind '{kind}'"):
            load_recipe(recipe(tmp_path, f'[model]\nkind = "{kind}"\n', f'objective = "{objective}"'))


def test_a_loss_that_is_not_a_number_stops_the_training(xdr_home: Path, tmp_path: Path) -> None:
    path = recipe(tmp_path, TRANSFORMER, "objective = 'contrastive'\nsimilarity = 'dot'\nscale = 10000", steps=60)
    wild = "learning_rate = 10, max_grad_norm = 0, warmup = 0, weight_decay = 1"
    path.write_text(path.read_text("utf-8").replace("learning_rate = 0.01", wild), "utf-8")
    with pytest.raises(InvalidInput, match=r"stage s0: the loss of step [0-9]+ is (nan|inf); a lower learning_rate"):
        train(path, tmp_path / "out", SilentProgress())
    assert not (tmp_path / "out" / "training.json").exists()


def test_what_is_computed_in_bfloat16_is_kept_in_float32(xdr_home: Path, tmp_path: Path) -> None:
    losses = {}
    for precision in ("float32", "bfloat16"):
        path = recipe(tmp_path, TRANSFORMER, CONTRASTIVE, name=precision, steps=2, more=f'precision = "{precision}"')
        losses[precision] = train(path, tmp_path / precision, SilentProgress(), Operator("cpu")).stages[0].mean_loss
        weights = load_file(tmp_path / precision / "model.safetensors")
        assert {tensor.dtype for tensor in weights.values()} == {torch.float32}
    assert losses["bfloat16"] != losses["float32"]
    assert losses["bfloat16"] == pytest.approx(losses["float32"], rel=0.05)
    path = recipe(tmp_path, TRANSFORMER, CONTRASTIVE, name="half", more='precision = "float16"')
    with pytest.raises(InvalidInput, match='precision = "float16" needs a GPU'):
        train(path, tmp_path / "half", SilentProgress(), Operator("cpu"))
