"""Students of teachers that score pairs: what holds whichever teacher it is."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from tiny_training import STATIC, recipe

from harness.progress import SilentProgress
from harness.recipes.train import train
from harness.recipes.train.own_files import read_own
from harness.recipes.train.pair_teachers import PairTeacher, pair_scores
from harness.recipes.train.pairs import Pair, Side
from harness.recipes.train.plan import planned
from harness.recipes.train.record import StageRecord
from harness.recipes.train.runner import Operator
from harness.recipes.train.sources import SourceRecipe
from harness.recipes.train.stages import DistilStage


def rows_of(folder: Path) -> list[Pair]:
    return read_own(SourceRecipe(kind="rows", path="rows.jsonl"), folder)


def distilling(candidates: int, **teacher: str) -> DistilStage:
    """A stage as a recipe would have it, of which the teacher alone matters."""
    fields: dict[str, Any] = {
        "name": "a", "steps": 1, "batch_size": 4, "optimizer": {"learning_rate": 0.1}, "sources": [{"kind": "ntrex"}],
        "objective": "distil-scores", "candidates": candidates, "teacher": teacher,
    }  # fmt: skip
    return DistilStage(**fields)


def asked_of(pairs: Sequence[Pair]) -> list[tuple[Side, Side]]:
    """Every question with all passages of its row."""
    return [(pair.anchor, side) for pair in pairs for side in (pair.positive, *pair.negatives)]


def check_students(folder: Path, taught: str, teacher: PairTeacher, patch: pytest.MonkeyPatch) -> StageRecord:
    """A student learns the same bytes with scores that were kept, and nearly the same from rows that bear them.

    ``taught``: the keys of a stage, whose teacher is ``teacher`` and reads questions as they are.
    """
    path = recipe(folder, STATIC, taught, name="student")
    assert planned(path, folder / "out", SilentProgress(), Operator("cpu")).stages[0].read == 16 * 4
    [stage] = train(path, folder / "out", SilentProgress()).stages
    assert stage.teacher == teacher.digest
    asked = asked_of(rows_of(folder))
    found = pair_scores(teacher, asked, SilentProgress())
    with patch.context() as refused:
        computed: list[int] = []
        refused.setattr(type(teacher), "scores", lambda _, asked: computed.append(len(asked)))
        [again] = train(path, folder / "again", SilentProgress()).stages
    assert not computed
    assert (again.mean_loss, again.teacher) == (stage.mean_loss, stage.teacher)
    one, two = ((folder / name / "model.safetensors").read_bytes() for name in ("out", "again"))
    assert one == two
    _write_scores(folder, {(q.text, p.text): float(score) for (q, p), score in zip(asked, found, strict=True)})
    by_rows, changes = re.subn(r'teacher = \{ \w+ = "\w+", reads = "query"', 'teacher = { scores = "rows"', taught)
    assert changes == 1
    [other] = train(recipe(folder, STATIC, by_rows, name="by-rows"), folder / "by-rows", SilentProgress()).stages
    assert other.mean_loss == pytest.approx(stage.mean_loss, rel=1e-4)
    return stage


def _write_scores(folder: Path, scores: dict[tuple[str, str], float]) -> None:
    """Into the rows, beside their passages."""
    lines = []
    for line in (folder / "rows.jsonl").read_text("utf-8").splitlines():
        row = json.loads(line)
        for passage in (*row["positive_passages"], *row["negative_passages"]):
            passage["score"] = scores[row["query"], f"{passage['title']} {passage['text']}"]
        lines.append(json.dumps(row, ensure_ascii=False) + "\n")
    (folder / "rows.jsonl").write_text("".join(lines), "utf-8")
