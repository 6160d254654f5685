"""Static models that begin with what a teacher makes of single pieces."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiny_training
import torch
from safetensors.torch import load_file

from harness.dense.encoder import Encoder
from harness.dense.loading import EncoderSettings
from harness.dense.roles import PASSAGES
from harness.errors import InvalidInput
from harness.progress import SilentProgress
from harness.recipes.train import data, overlap
from harness.recipes.train.columns import Columns
from harness.recipes.train.overlap import Questions
from harness.recipes.train.pairs import Pair, Side
from harness.recipes.train.recipe import load_recipe
from harness.recipes.train.runner import train
from harness.recipes.train.sources import SourceRecipe
from harness.recipes.train.stages import AlignStage
from harness.recipes.train.teachers import TeacherVectors
from harness.recipes.train.whitening import unit, whitened

ROOT = Path(__file__).parents[2]
TEXT = "In which country is Turku?"
PIECES = """
[model]
kind = "static"
dtype = "{dtype}"
[model.pieces]
card = "teacher.toml"
vocabulary = 120
frequency = 1e-2
sources = [{{ kind = "rows", path = "rows.jsonl" }}]
"""
TEACHER = """
schema_version = 1
name = "teacher"
title = "A tiny teacher"
adapter = "dense"
[parameters]
model = "{folder}"
similarity = "cosine"
passage_prompt = "passage: "
"""
UNIGRAM = tiny_training.TRANSFORMER.replace('pooling = "mean"', 'pooling = "mean"\nnormalize = true').replace(
    "query_length = 12", "query_length = 64"
)


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Rows, and the card of a teacher that has a unigram tokenizer: a transformer trained for a step."""
    home = tmp_path_factory.mktemp("pieces")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDR_HOME", str(home / "home"))
        patch.setattr(overlap, "evaluation_questions", lambda *_: Questions())
        recipe = tiny_training.recipe(home, UNIGRAM, tiny_training.CONTRASTIVE, name="teacher-recipe", steps=1)
        train(recipe, home / "teacher", SilentProgress())
    (home / "teacher.toml").write_text(TEACHER.format(folder="teacher"), "utf-8")
    return home


@pytest.fixture
def folder(prepared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDR_HOME", str(prepared / "home"))
    monkeypatch.setattr(overlap, "evaluation_questions", lambda *_: Questions())
    for name in ("teacher", "teacher.toml", "rows.jsonl"):
        (tmp_path / name).symlink_to(prepared / name)
    return tmp_path


def made(folder: Path, *stages: str, dtype: str = "float32", name: str = "model") -> Path:
    recipe = tiny_training.recipe(folder, PIECES.format(dtype=dtype), *stages, name=name)
    train(recipe, folder / name, SilentProgress())
    return folder / name


def encoder(folder: Path) -> Encoder:
    return Encoder(EncoderSettings(folder, "model", "cosine", "float32", "cpu"))


def test_the_table_is_what_the_teacher_makes_of_each_piece_whitened_and_weighted(folder: Path) -> None:
    model = made(folder)
    tokenizer = json.loads((model / "tokenizer.json").read_text("utf-8"))
    weights = load_file(model / "model.safetensors")["embedding.weight"].numpy()
    pieces = tokenizer["model"]["vocab"][1:]
    assert tokenizer["model"]["vocab"][0] == ["<unk>", 0.0]
    assert not weights[0].any()

    teacher = encoder(folder / "teacher")
    module = teacher._model[0]
    ids = [module.tokenizer.convert_tokens_to_ids(piece) for piece, _ in pieces]
    alone = []
    for piece in ids:
        begin, end = module.tokenizer.cls_token_id, module.tokenizer.sep_token_id
        features = module.tokenizer.pad({"input_ids": [[begin, piece, end]]}, return_tensors="pt")
        alone.append(teacher._model(dict(features))["sentence_embedding"].detach().numpy()[0])
    vectors = np.array(alone, np.float64)
    centred = vectors - vectors.mean(axis=0)
    values, axes = np.linalg.eigh(np.cov(centred.T, bias=True))
    expected = centred @ axes @ np.diag(np.maximum(values, 1e-3 * values.mean()) ** -0.5) @ axes.T
    share = np.exp([score for _, score in pieces])
    expected *= (1e-2 / (1e-2 + share / share.sum()))[:, None]
    np.testing.assert_allclose(weights[1:], expected / expected.std(), rtol=2e-2, atol=2e-2)


def test_a_table_of_eight_bits_is_a_quarter_of_the_bytes_and_has_nearly_the_same_vectors(folder: Path) -> None:
    whole, small = made(folder), made(folder, dtype="float8", name="small")
    sizes = [(model / "model.safetensors").stat().st_size for model in (whole, small)]
    assert sizes[1] < 0.3 * sizes[0]
    one, other = (encoder(model).encode([TEXT, tiny_training.CITIES[3]], PASSAGES) for model in (whole, small))
    np.testing.assert_allclose(np.linalg.norm(other, axis=1), 1, atol=1e-5)
    assert (np.sum(one * other, axis=1) > 0.995).all()


def test_pieces_that_were_left_out_are_cut_into_those_that_stayed(folder: Path) -> None:
    model = made(folder)
    vocabulary = [piece for piece, _ in json.loads((model / "tokenizer.json").read_text("utf-8"))["model"]["vocab"]]
    assert len(vocabulary) <= 120
    found = encoder(model).tokenizer().encode(TEXT, add_special_tokens=False)
    # What no piece is left for is the unknown one, with the text that it stands for.
    assert all(token == vocabulary[place] or place == 0 for token, place in zip(found.tokens, found.ids, strict=True))
    assert "".join(found.tokens).replace("▁", " ").strip().casefold() == TEXT.casefold()


def test_stages_go_on_from_the_pieces_and_repeat_byte_for_byte(folder: Path) -> None:
    stage = 'objective = "align"\nteacher = { card = "teacher.toml", whitening = 0.5 }'
    models = [made(folder, stage, name=name) for name in ("one", "two")]
    kept = [(model / "model.safetensors").read_bytes() for model in (*models, made(folder, name="untrained"))]
    assert kept[0] == kept[1]
    assert kept[0] != kept[2]


def test_a_teacher_reads_with_the_recorded_threads_and_an_empty_cache_gives_the_same_bytes(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = 'objective = "align"\nteacher = { card = "teacher.toml", whitening = 0.5 }'
    seen: list[int] = []

    def watched(method: Callable[..., Any]) -> Callable[..., Any]:
        def encode(self: Encoder, *arguments: Any) -> Any:
            seen.append(torch.get_num_threads())
            return method(self, *arguments)

        return encode

    for method in ("encode", "encode_tokens"):
        monkeypatch.setattr(Encoder, method, watched(getattr(Encoder, method)))
    before, models = torch.get_num_threads(), []
    try:
        for threads in (1, 4):
            monkeypatch.setenv("XDR_HOME", str(folder / f"home-{threads}"))
            torch.set_num_threads(threads)
            models.append(made(folder, stage, name=f"after-{threads}"))
    finally:
        torch.set_num_threads(before)
    assert seen
    assert set(seen) == {json.loads((models[0] / "training.json").read_text("utf-8"))["threads"]}
    assert len({(model / "model.safetensors").read_bytes() for model in models}) == 1


def test_a_tokenizer_of_another_kind_is_refused(folder: Path) -> None:
    import tiny_models

    plain = tiny_models.bert(folder / "wordpiece")
    tiny_models.sentence_transformer(folder / "teacher-two", plain)
    (folder / "teacher.toml").unlink()
    (folder / "teacher.toml").write_text(TEACHER.format(folder="teacher-two"), "utf-8")
    with pytest.raises(InvalidInput, match=r"tokenizer is of the type 'WordPiece'; needed is a Unigram one"):
        made(folder)


@pytest.mark.parametrize(
    ("model", "said"),
    [
        (PIECES.format(dtype="float16") + tiny_training.TOKENIZER, "has that one's tokenizer"),
        (
            PIECES.format(dtype="float16").replace('kind = "static"', 'kind = "static"\ndimensions = 8'),
            "either `start`",
        ),
        (tiny_training.STATIC, "only a table of pieces"),
    ],
)
def test_contradictions_are_named(tmp_path: Path, model: str, said: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        load_recipe(tiny_training.recipe(tmp_path, model))
    assert said in str([caught.value.message, *caught.value.findings])


def test_whitened_vectors_have_no_mean_and_equal_variances() -> None:
    random = np.random.default_rng(5)
    mixed = np.eye(4) + 0.3 * random.normal(size=(4, 4))
    vectors = (random.normal(size=(500, 4)) @ mixed + 3).astype(np.float32)
    found = whitened(vectors, 1.0)
    np.testing.assert_allclose(found.mean(axis=0), 0, atol=1e-6)
    np.testing.assert_allclose(np.cov(found.T, bias=True), np.eye(4), atol=1e-4)
    np.testing.assert_allclose(whitened(vectors, 0.0), vectors - vectors.mean(axis=0), atol=1e-4)


def test_vectors_that_are_all_alike_are_refused() -> None:
    with pytest.raises(InvalidInput, match="all alike"):
        whitened(np.ones((5, 3), np.float32), 0.5)


def test_a_vector_of_length_zero_stays_so() -> None:
    np.testing.assert_allclose(unit(np.array([[3.0, 4.0], [0.0, 0.0]])), [[0.6, 0.8], [0, 0]])


def test_a_teacher_that_reads_another_question_never_reads_a_rows_own() -> None:
    teacher = {"card": "teacher.toml", "reads": "another"}
    stage = AlignStage.model_validate(
        {
            "name": "s",
            "objective": "align",
            "steps": 1,
            "batch_size": 2,
            "optimizer": {"learning_rate": 0.1},
            "sources": [{"kind": "ntrex"}],
            "teacher": teacher,
        }
    )
    texts = [f"question {n}" for n in range(9)]
    pairs = [
        Pair(Side(f"kysymys {n}", "fi"), Side(text, "en"), "f", text, english=text) for n, text in enumerate(texts)
    ]
    vectors = np.eye(9, dtype=np.float32)
    columns = Columns(stage, pairs, 3, TeacherVectors({"query": vectors}, {"query": texts}))
    read = [int(row["label"].argmax()) for row in columns.rows(range(9), 0)]
    assert sorted(read) == list(range(9))
    assert all(own != other for own, other in enumerate(read))


def test_a_sample_is_so_many_pairs_of_each_language_and_the_same_for_the_same_seed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(data, "_lines", lambda name: [f"{name} {n}" for n in range(20)])
    source = SourceRecipe.model_validate({"kind": "questions-parallel", "languages": ["fi", "te"], "sample": 4})
    first, again, other = (data.read_pairs(source, seed, tmp_path) for seed in (1, 1, 2))
    assert [pair.lang for pair in first] == ["fi"] * 4 + ["te"] * 4
    assert first == again != other
    everything = data.read_pairs(source.model_copy(update={"sample": None}), 1, tmp_path)
    assert len(everything) == 40
    assert [pair for pair in everything if pair in first] == first


def test_the_committed_rows_differ_from_the_embedded_models_recipe_in_what_they_are_named_for() -> None:
    rows = {path.stem: load_recipe(path).recipe for path in (ROOT / "systems/recipes").glob("mini-distilled*.toml")}
    own = rows["mini-distilled"]
    assert {(row.model, row.seed) for row in rows.values()} == {(own.model, own.seed)}
    assert rows["mini-distilled-pieces"].stages == ()
    assert rows["mini-distilled-both"].stages == (*own.stages, *rows["mini-distilled-scores"].stages)
    for name, reads in (("foreign", "query"), ("shuffled", "another")):
        (stage,) = rows[f"mini-distilled-{name}"].stages
        assert stage.teacher.reads == reads
        assert stage.model_copy(update={"teacher": own.stages[0].teacher}) == own.stages[0]
    (stage,) = rows["mini-distilled-contrastive"].stages
    for same in ("sources", "epochs", "batch_size", "batches", "optimizer", "token_dropout"):
        assert getattr(stage, same) == getattr(own.stages[0], same)
