"""The guides are true: their commands run, and what they name exists."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from guides import commands_of
from recorded import copy_recorded_runs

from harness.submissions.reproductions import read_reproductions
from harness.submissions.tune import read_tuning

ROOT = Path(__file__).parents[2]
GUIDES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]


def follow(guide: str, folder: Path) -> None:
    """Type all commands of a guide in a folder that holds the runs of record, as one would at a terminal."""
    copy_recorded_runs(folder)
    commands = commands_of(ROOT / "docs" / guide)
    assert len(commands) >= 3
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    for command in commands:
        done = subprocess.run(
            command, shell=True, cwd=folder, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"


def test_the_guide_to_submitting_works_as_it_is_written(tmp_path: Path) -> None:
    follow("submit.md", tmp_path)
    page = (tmp_path / "reports/mini/index.html").read_text("utf-8")
    assert "my-system" in page
    assert "my-program" in page
    assert {"my-system", "my-runs"} <= {path.name for path in (tmp_path / "runs/mini").iterdir()}


def test_the_guide_to_reproduction_works_as_it_is_written(tmp_path: Path) -> None:
    follow("reproduce.md", tmp_path)
    assert read_reproductions(tmp_path / "runs/mini/bm25")[-1].confirms
    assert (tmp_path / "again/mini/bm25/manifest.yaml").is_file()


def test_the_guide_to_exports_works_as_it_is_written(tmp_path: Path) -> None:
    follow("exports.md", tmp_path)
    assert "mini zero-shot" in (tmp_path / "table.tex").read_text("ascii")
    assert (tmp_path / "table.csv").read_bytes() == (tmp_path / "runs/mini/leaderboard.csv").read_bytes()
    assert (tmp_path / "badges/bm25.svg").is_file()


def test_the_guide_to_snapshots_works_as_it_is_written(tmp_path: Path) -> None:
    follow("snapshots.md", tmp_path)
    frozen, today = (
        (tmp_path / folder / "leaderboard.md").read_text("utf-8")
        for folder in ("runs/mini/snapshots/2026-11", "runs/mini")
    )
    assert "withdrawn" not in frozen
    assert "~~mini xDR + shuffled queries~~ (withdrawn)" in today


def test_the_guide_to_choosing_parameters_works_as_it_is_written(tmp_path: Path) -> None:
    follow("tune.md", tmp_path)
    tuning = read_tuning(tmp_path / "tuning/mini-xdr-xqg.json")
    assert (tuning.rule, len(tuning.points)) == ("best", 4)


def test_the_guide_to_training_works_as_it_is_written(tmp_path: Path, imported_data: Path) -> None:
    pytest.importorskip("sentencepiece", reason="needs the extra `train`: pip install -e .[train]")
    text = (ROOT / "docs/train.md").read_text("utf-8")
    for name, content in re.findall(r"^```toml\n# (\S+)\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL):
        (tmp_path / name).write_text(content)
    follow("train.md", tmp_path)
    assert (tmp_path / "runs/mini/my-encoder/fi.trec.gz").is_file()
    record = json.loads((tmp_path / "my-encoder/training.json").read_text())
    assert [stage["name"] for stage in record["stages"]] == ["alignment", "questions"]


def test_the_guide_to_training_lists_what_there_is() -> None:
    from harness.recipes.train.recipe import LANGUAGES, Recipe

    text = (ROOT / "docs/train.md").read_text("utf-8")
    rows = dict(re.findall(r"^\| `([a-z-]+)` \|[^|]*\| ([a-z ]+) \|$", text, flags=re.MULTILINE))
    assert {kind: words.split() for kind, words in rows.items()} == {
        kind: sorted(own) for kind, own in LANGUAGES.items()
    }
    known = {*re.findall(r'"(\w+)": {\n', json.dumps(Recipe.model_json_schema(), indent=1)), "style"}
    keys = (
        "tokenizer model stages vocabulary sample dimensions dtype epochs learning_rate batch_size warmup token_dropout"
    )
    for key in (*keys.split(), "scale", "between", "weight", "sources", "languages", "kind"):
        assert key in known
        assert key in text


@pytest.mark.parametrize("guide", GUIDES, ids=lambda path: path.name)
def test_every_command_that_a_guide_names_exists(guide: Path) -> None:
    from harness.cli import app
    from harness.cli.data import app as data_app

    known = {command.name for command in app.registered_commands} | {"data"}
    known_data = {command.name or command.callback.__name__ for command in data_app.registered_commands}
    for command, argument in re.findall(r"(?<![-\w])xdr ([a-z]+)(?: ([a-z]+))?", guide.read_text("utf-8")):
        assert command in known, f"{guide.name}: xdr {command}"
        assert command != "data" or argument in known_data, f"{guide.name}: xdr data {argument}"


@pytest.mark.parametrize("guide", GUIDES, ids=lambda path: path.name)
def test_every_link_of_a_guide_leads_somewhere(guide: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", guide.read_text("utf-8")):
        assert target.startswith("http") or (guide.parent / target).exists(), f"{guide.name} -> {target}"
