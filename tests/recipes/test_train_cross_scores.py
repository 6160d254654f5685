"""A cross-encoder as teacher: its scores against transformers alone, and what is learned from them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiny_cross_encoders
from tiny_training import STATIC, recipe

from harness.errors import InvalidInput
from harness.progress import SilentProgress
from harness.recipes.train import train
from harness.recipes.train.cross_scores import CrossTeacher, load_cross_encoder
from harness.recipes.train.own_files import read_own
from harness.recipes.train.pair_teachers import scored
from harness.recipes.train.plan import planned
from harness.recipes.train.runner import Operator
from harness.recipes.train.sources import SourceRecipe
from harness.recipes.train.stages import DistilStage

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
    pairs = read_own(SourceRecipe(kind="rows", path="rows.jsonl"), folder)[:6]
    common: dict[str, Any] = {
        "name": "a", "steps": 1, "batch_size": 4, "optimizer": {"learning_rate": 0.1}, "sources": [{"kind": "ntrex"}],
        "objective": "distil-scores", "candidates": 4,
    }  # fmt: skip
    found = set()
    for reads in ("query", "query_en"):
        stage = DistilStage(**common, teacher={"cross_encoder": "judge", "reads": reads})  # type: ignore[arg-type]
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

    path = folder / "student.toml"
    assert planned(path, folder / "out", SilentProgress(), Operator("cpu")).stages[0].read == 16 * 4
    monkeypatch.setenv("XDR_HOME", str(folder / "home"))
    [stage] = train(path, folder / "out", SilentProgress()).stages
    assert torch.get_num_threads() == 2
    assert stage.teacher == load_cross_encoder("judge", folder, "cpu").digest
    assert stage.candidates_per_query == 4
    computed: list[int] = []
    monkeypatch.setattr(CrossTeacher, "scores", lambda _, asked: computed.append(len(asked)))
    [again] = train(path, folder / "again", SilentProgress()).stages
    assert not computed
    assert (again.mean_loss, again.teacher) == (stage.mean_loss, stage.teacher)
    kept = [(folder / name / "model.safetensors").read_bytes() for name in ("out", "again")]
    assert kept[0] == kept[1]
    monkeypatch.undo()
    # The scores are imitated: rows that bear them teach the same.
    pairs = read_own(SourceRecipe(kind="rows", path="rows.jsonl"), folder)
    teacher = load_cross_encoder("judge", folder, "cpu")
    asked = [(pair.anchor, side) for pair in pairs for side in (pair.positive, *pair.negatives)]
    scores = {
        (one.text, side.text): float(score) for (one, side), score in zip(asked, teacher.scores(asked), strict=True)
    }
    lines = []
    for line in (folder / "rows.jsonl").read_text("utf-8").splitlines():
        row = json.loads(line)
        for passage in (*row["positive_passages"], *row["negative_passages"]):
            passage["score"] = scores[row["query"], f"{passage['title']} {passage['text']}"]
        lines.append(json.dumps(row, ensure_ascii=False) + "\n")
    (folder / "rows.jsonl").write_text("".join(lines), "utf-8")
    by_rows = TAUGHT.replace('cross_encoder = "judge", reads = "query"', 'scores = "rows"')
    [other] = train(recipe(folder, STATIC, by_rows, name="by-rows"), folder / "by-rows", SilentProgress()).stages
    assert other.mean_loss == pytest.approx(stage.mean_loss, rel=1e-4)


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
    [pair, *_] = read_own(SourceRecipe(kind="rows", path="rows.jsonl"), folder)
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    found = teacher.scores([(pair.anchor, pair.positive)])
    assert torch.get_num_threads() == 2
    assert np.isfinite(found).all()
    torch.set_num_threads(before)
