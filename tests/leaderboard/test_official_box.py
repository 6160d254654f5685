"""The official box of a page: its commands, and the official procedure on what they write, give the page's numbers."""

from __future__ import annotations

import functools
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner
from xor_reference import evaluate, nltk_word_tokenize

from harness.cli import app
from harness.errors import InvalidInput
from harness.leaderboard.table import read_leaderboard
from harness.runs.xor_retrieve import export_questions
from harness.tracks import load_track

RUNS = Path(__file__).parents[2] / "runs"


def test_the_official_procedure_gives_the_numbers_of_the_leaderboard(tmp_path: Path) -> None:
    predictions, questions = tmp_path / "predictions.json", tmp_path / "questions.jsonl"
    arguments = ["export", str(RUNS / "mini/mini-xdr-xqg"), str(predictions), "--questions", str(questions)]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    gold = {row["id"]: row["answers"] for row in map(json.loads, questions.read_text("ascii").splitlines())}
    with nltk_word_tokenize(tmp_path / "nltk") as tokenize:
        # Every passage stands in hundreds of rankings; its tokens are always the same.
        found = evaluate(json.loads(predictions.read_text("ascii")), gold, 2000, functools.cache(tokenize))
    by_language, macro = found
    board = read_leaderboard(RUNS / "mini")
    cells = next(row for row in board.rows if row.system == "mini-xdr-xqg").cells["R@2kt"]
    assert len(gold) == 560
    assert by_language == pytest.approx({lang: 100 * (cells[lang].value or 0) for lang in by_language}, abs=1e-12)
    assert set(by_language) == set(cells) - {"macro"}
    assert macro == pytest.approx(100 * (cells["macro"].value or 0), abs=1e-12)


def test_questions_that_two_parts_share_cannot_be_written(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    (data / "docs.jsonl").write_text('{"doc_id": "d", "text": "In 1889"}\n')
    (data / "queries.jsonl").write_text('{"query_id": "q", "text": "when?"}\n')
    (data / "answers.jsonl").write_text('{"query_id": "q", "answers": ["1889"]}\n')
    (tmp_path / "track.toml").write_text(
        'schema_version = 1\nname = "twice"\nversion = 1\ntitle = "T"\ndescription = "D"\nmeasures = ["R@2kt"]\n'
        'primary = "R@2kt"\ndepth = 3\nbaseline = "bm25"\n'
        'parts = [{name = "ar", dataset = "folder:data", lang = "ar"}, {name = "fi", dataset = "folder:data", lang = "fi"}]\n'
    )
    target = tmp_path / "questions.jsonl"
    with pytest.raises(InvalidInput, match="share question ids"):
        export_questions(load_track(str(tmp_path / "track.toml")), target)
    assert not target.exists()
