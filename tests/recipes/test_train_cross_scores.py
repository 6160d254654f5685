"""A cross-encoder as teacher: its scores against transformers alone, and what is learned from them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tiny_cross_encoders
from taught_students import check_students, distilling, rows_of
from tiny_training import STATIC, recipe

from harness.errors import InvalidInput
from harness.progress import SilentProgress
from harness.recipes.train import train
from harness.recipes.train.cross_scores import load_cross_encoder
from harness.recipes.train.pair_teachers import scored

TAUGHT = """objective = "distil-scores"
candidates = 4
teacher = { cross_encoder = "judge", reads = "query", temperature = 0.5 }
"""


@pytest.fixture
def folder(xdr_home: Path, tmp_path: Path) -> Path:
    recipe(tmp_path, STATIC, TAUGHT, name="student")
    tiny_cross_encoders.cross_encoder(tmp_path / "judge")
    return tmp_path


def reference(folder: Path, question: str, passage: str) -> float:
    """One pair: the logit of transformers' own model."""
    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForSequenceClassification.from_pretrained(folder).eval()
    read = tokenizer(
        question, passage, truncation=True, max_length=model.config.max_position_embeddings, return_tensors="pt"
    )
    with torch.no_grad():
        return float(model(**read).logits[0, 0])


def test_passages_bear_the_models_own_scores_of_what_is_read(folder: Path) -> None:
    teacher = load_cross_encoder("judge", folder, "cpu")
    pairs = rows_of(folder)[:6]
    found = set()
    for reads in ("query", "query_en"):
        stage = distilling(4, cross_encoder="judge", reads=reads)
        for before, after in zip(pairs, scored(teacher, stage, pairs, 1, SilentProgress()), strict=True):
            asked = before.anchor.text if reads == "query" else before.english
            for one, other in zip(
                (before.positive, *before.negatives), (after.positive, *after.negatives), strict=True
            ):
                assert other == one._replace(score=other.score)
                assert other.score == pytest.approx(reference(folder / "judge", asked, one.text), abs=1e-4)
                found.add(round(other.score or 0, 4))
    assert len(found) > 20, "far enough apart for a wrong passage to be noticed"


def test_a_student_learns_the_same_bytes_whether_or_not_the_scores_were_kept(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    monkeypatch.setenv("XDR_HOME", str(folder / "home"))
    stage = check_students(folder, TAUGHT, load_cross_encoder("judge", folder, "cpu"), monkeypatch)
    assert torch.get_num_threads() == 2
    assert stage.candidates_per_query == 4


@pytest.mark.parametrize(
    ("teacher", "said"),
    [
        ('{ cross_encoder = "judge", generator = "judge" }', "a teacher has either a `card`, a `generator`"),
        ('{ cross_encoder = "nowhere" }', "nowhere"),
    ],
)
def test_what_is_no_cross_encoder_is_refused(folder: Path, teacher: str, said: str) -> None:
    stage = f'objective = "distil-scores"\ncandidates = 3\nteacher = {teacher}\n'
    with pytest.raises(InvalidInput) as refused:
        train(recipe(folder, STATIC, stage, name="faulty"), folder / "out", SilentProgress())
    assert said in str(refused.value)
    stage = 'objective = "distil-scores"\nteacher = { cross_encoder = "judge" }\n'
    with pytest.raises(InvalidInput) as refused:
        train(recipe(folder, STATIC, stage, name="faulty"), folder / "out", SilentProgress())
    assert "a cross-encoder reads a question with the row's own passages alone" in str(refused.value)


def test_what_scoring_sets_is_set_back(folder: Path) -> None:
    import torch

    teacher = load_cross_encoder("judge", folder, "cpu")
    [pair, *_] = rows_of(folder)
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    found = teacher.scores([(pair.anchor, pair.positive)])
    assert torch.get_num_threads() == 2
    assert np.isfinite(found).all()
    torch.set_num_threads(before)
