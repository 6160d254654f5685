"""A generator as teacher: its scores against plain NumPy, one text at a time, and what is learned from them."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from taught_students import asked_of, check_students, distilling, rows_of
from tiny_training import STATIC, TOKENIZER, compare_with_embedded_questions, recipe

from harness.errors import InvalidInput
from harness.progress import SilentProgress
from harness.recipes.train import train
from harness.recipes.train.likelihoods import GeneratorTeacher, load_generator
from harness.recipes.train.pair_teachers import pair_scores, scored
from harness.recipes.train.pairs import Side

RANDOM = "random = { layers = 1, hidden = 16, heads = 2, initializer = 0.5 }"
GENERATOR = f'{TOKENIZER}\n[model]\nkind = "seq2seq"\n{RANDOM}\nsource_length = 40\ntarget_length = 60\n'
GENERATE = 'objective = "generate"\nprompt = "ask in {language}: {title} {passage}"'
TAUGHT = """objective = "distil-scores"
candidates = 3
teacher = { generator = "generator", reads = "query", temperature = 0.5 }
"""


@pytest.fixture(scope="module")
def trained(bare_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A generator beside its recipe and its rows."""
    folder = tmp_path_factory.mktemp("trained")
    with pytest.MonkeyPatch.context() as patch:
        compare_with_embedded_questions(patch, bare_home)
        train(recipe(folder, GENERATOR, GENERATE, name="generator", steps=2), folder / "generator", SilentProgress())
    return folder


@pytest.fixture
def folder(trained: Path, tmp_path: Path) -> Path:
    shutil.copytree(trained, tmp_path, dirs_exist_ok=True)
    return tmp_path


def reference(teacher: GeneratorTeacher, question: Side, passage: Side) -> float:
    """One question with one passage: the logits of the model, the rest in NumPy."""
    import torch

    text = passage.text.removeprefix(f"{passage.title} ")
    prompt = f"ask in {'Finnish' if question.lang == 'fi' else 'English'}: {passage.title} {text}"
    source = teacher.tokenizer(prompt, truncation=True, max_length=40, return_tensors="pt")
    target = teacher.tokenizer(text_target=question.text, truncation=True, max_length=60)["input_ids"]
    assert target[-1] == teacher.tokenizer.eos_token_id
    decoder = torch.tensor([[teacher.model.config.decoder_start_token_id, *target[:-1]]])
    with torch.no_grad():
        logits = teacher.model(**source, decoder_input_ids=decoder).logits[0].double().numpy()
    shifted = logits - logits.max(1, keepdims=True)
    log_probabilities = shifted - np.log(np.exp(shifted).sum(1, keepdims=True))
    return float(log_probabilities[np.arange(len(target)), target].mean())


def test_scores_are_mean_log_probabilities_of_the_question_whatever_shares_a_batch(folder: Path) -> None:
    teacher = load_generator("generator", folder, "cpu")
    assert (teacher.reading.source_length, teacher.reading.target_length) == (40, 60)
    pairs = rows_of(folder)
    asked = asked_of(pairs)
    asked += [(Side("Miksi?", "fi"), pairs[0].positive), (Side("Why is it so cold there?", "en"), pairs[1].positive)]
    found = pair_scores(teacher, asked, SilentProgress())
    expected = [reference(teacher, question, passage) for question, passage in asked]
    np.testing.assert_allclose(found, expected, atol=1e-5)
    assert (found < 0).all()
    # Far enough apart for a wrong passage to be noticed.
    assert np.diff(np.sort(found)).mean() > 1e-3


def test_pairs_bear_the_scores_of_their_own_passages_in_the_language_that_is_read(folder: Path) -> None:
    teacher = load_generator("generator", folder, "cpu")
    pairs = [
        replace(pair, positives=(other.positive,))
        for pair, other in zip(rows_of(folder), rows_of(folder)[::-1], strict=True)
    ]
    for reads in ("query", "query_en"):
        stage = distilling(3, generator="generator", reads=reads)
        for before, after in zip(pairs, scored(teacher, stage, pairs, 1, SilentProgress()), strict=True):
            question = before.anchor if reads == "query" else Side(before.english, "en")
            for one, other in zip(
                (before.positive, *before.positives, *before.negatives),
                (after.positive, *after.positives, *after.negatives),
                strict=True,
            ):
                assert other == one._replace(score=other.score)
                assert other.score == pytest.approx(reference(teacher, question, one), abs=1e-5)
    no_english = [replace(pairs[0], english=""), *pairs[1:]]
    with pytest.raises(InvalidInput, match="1 of 16 pairs have no English question for the teacher to read"):
        scored(teacher, stage, no_english, 1, SilentProgress())


def test_a_student_is_trained_by_a_generator_whose_scores_are_kept(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDR_HOME", str(folder / "home"))
    stage = check_students(folder, TAUGHT, load_generator("generator", folder, "cpu"), monkeypatch)
    assert stage.candidates_per_query == 3


def test_a_generator_that_has_learned_finds_the_passage_of_a_question(xdr_home: Path, tmp_path: Path) -> None:
    flat = GENERATOR.replace("hidden = 16", "hidden = 32").replace("initializer = 0.5", "initializer = 0.1")
    path = recipe(tmp_path, flat, GENERATE, name="generator", steps=100)
    faster = path.read_text("utf-8").replace("batch_size = 4", "batch_size = 16").replace("= 0.01", "= 0.02")
    path.write_text(faster, "utf-8")
    train(path, tmp_path / "generator", SilentProgress())
    pairs = rows_of(tmp_path)
    asked = [(pair.anchor, other.positive) for pair in pairs for other in pairs]
    teacher = load_generator("generator", tmp_path, "cpu")
    found = pair_scores(teacher, asked, SilentProgress()).reshape(len(pairs), len(pairs))
    ranks = 1 + (found > np.diag(found)[:, None]).sum(axis=1)
    by_chance = (1 / np.arange(1, len(pairs) + 1)).mean()
    assert (1 / ranks).mean() > 2 * by_chance


@pytest.mark.parametrize(
    ("teacher", "said"),
    [
        (
            '{ generator = "generator", scores = "rows" }',
            "a teacher has either a `card`, a `generator`, a `cross_encoder`",
        ),
        ('{ generator = "nowhere" }', "nowhere"),
    ],
)
def test_what_is_no_generator_is_refused(folder: Path, teacher: str, said: str) -> None:
    stage = f'objective = "distil-scores"\ncandidates = 3\nteacher = {teacher}\n'
    with pytest.raises(InvalidInput) as refused:
        train(recipe(folder, STATIC, stage, name="student"), folder / "out", SilentProgress())
    assert said in str(refused.value)


def test_a_generator_needs_a_number_of_candidates_and_a_generators_record(folder: Path) -> None:
    stage = 'objective = "distil-scores"\nteacher = { generator = "generator" }\n'
    with pytest.raises(InvalidInput) as refused:
        train(recipe(folder, STATIC, stage, name="student"), folder / "out", SilentProgress())
    assert "a generator reads a question with the row's own passages alone: say how many `candidates`" in str(
        refused.value
    )
    record = json.loads((folder / "generator" / "training.json").read_text("utf-8"))
    for faulty, said in (("{}", "no training record"), ("[", "no training record")):
        (folder / "generator" / "training.json").write_text(faulty, "utf-8")
        with pytest.raises(InvalidInput, match=said):
            load_generator("generator", folder, "cpu")
    train(recipe(folder, STATIC, 'objective = "contrastive"', name="static"), folder / "static", SilentProgress())
    record["recipe"] = json.loads((folder / "static" / "training.json").read_text("utf-8"))["recipe"]
    (folder / "generator" / "training.json").write_text(json.dumps(record), "utf-8")
    with pytest.raises(InvalidInput, match="was not trained to write questions"):
        load_generator("generator", folder, "cpu")
