"""Plug-ins of others, each in one file: they work in every command, pages and exports included."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest
from command_line import xdr

PLUGINS = Path(__file__).parents[1] / "data" / "plugins"
TRACK = """
schema_version = 1
name = "mine"
version = 1
title = "Mine"
description = "A measure of our own."
measures = ["RR@10", "{measure}"]
primary = "{measure}"
depth = 10
baseline = "bm25"
systems = ["bm25", "dummy"]
[families]
resamples = 1000
all_pairs_resamples = 1000
[[parts]]
name = "fi"
dataset = "{dataset}"
lang = "fi"
"""


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDR_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("COLUMNS", "300")
    (tmp_path / "ours").mkdir()
    shutil.copy(PLUGINS / "title_recall.py", tmp_path / "ours" / "titles.py")
    write_track(tmp_path)
    return tmp_path


def write_track(place: Path, measure: str = "ours/titles.py:TitleRecall@5", dataset: str = "xdr-mini/fi") -> None:
    (place / "track.toml").write_text(TRACK.format(measure=measure, dataset=dataset), "utf-8")


def board_of(place: Path) -> dict[str, object]:
    return json.loads((place / "runs" / "mine" / "leaderboard.json").read_text("utf-8"))  # type: ignore[no-any-return]


def test_a_measure_in_a_file_beside_its_track_works_in_every_command(place: Path) -> None:
    refused = xdr("leaderboard", "track.toml", cwd=place)
    assert refused.returncode == 2
    assert "track mine brings code of its own: the measure TitleRecall@5 in ours/titles.py" in refused.stderr
    assert not (place / "runs").exists()
    made = xdr("leaderboard", "track.toml", "--allow-code", cwd=place)
    assert made.returncode == 0, made.stderr
    assert "best macro TitleRecall@5" in made.stderr
    # Its name is the class's, without the file, wherever it stands.
    board = board_of(place)
    assert board["track"]["measures"] == ["RR@10", "TitleRecall@5"]  # type: ignore[index]
    (column,) = board["columns"]  # type: ignore[misc]
    assert 0 <= column["random"]["TitleRecall@5"] < column["ceiling"]["TitleRecall@5"] <= 1  # type: ignore[index]
    pages = {page.name: page.read_text("utf-8") for page in (place / "reports" / "mine").glob("*.html")}
    assert "Has the title of one of the first 5 passages a word of an answer?" in pages["methods.html"]
    assert "measure-RR-at-10.html" in pages
    for name in ("leaderboard.md", "leaderboard.csv"):
        assert "TitleRecall@5" in (place / "runs" / "mine" / name).read_text("utf-8")
    for form in ("latex", "bibtex", "csv", "markdown"):
        assert xdr("export", "runs/mine", "--format", form, cwd=place).returncode == 0
    for command in (
        ["report", "runs/mine/bm25", "--track", "track.toml"],
        ["compare", "track.toml"],
        ["score", "track.toml"],
        ["validate", "runs/mine", "--track", "track.toml"],
        ["leaderboard", "track.toml", "--check"],
    ):
        refused = xdr(*command, cwd=place)
        assert refused.returncode in (1, 2), command
        assert "add --allow-code" in refused.stderr
        done = xdr(*command, "--allow-code", cwd=place)
        assert done.returncode == 0, (command, done.stderr)
    # What a page says to type, works as it stands.
    commands = set(re.findall(r"xdr leaderboard track.toml[^<\n]*", pages["index.html"]))
    assert all("--allow-code" in command for command in commands)
    assert commands


def test_an_edited_measure_is_scored_anew(place: Path) -> None:
    assert xdr("leaderboard", "track.toml", "--allow-code", cwd=place).returncode == 0
    before = board_of(place)
    source = place / "ours" / "titles.py"
    source.write_text(source.read_text("utf-8").replace("answer.lower().split()", "answer.lower()"), "utf-8")
    stale = xdr("leaderboard", "track.toml", "--allow-code", "--check", cwd=place)
    assert stale.returncode == 1
    assert "score it again" in stale.stderr
    assert xdr("leaderboard", "track.toml", "--allow-code", cwd=place).returncode == 0
    assert board_of(place)["rows"] != before["rows"]
    assert xdr("leaderboard", "track.toml", "--allow-code", "--check", cwd=place).returncode == 0


@pytest.mark.parametrize(
    ("measure", "said"),
    [
        ("ours/none.py:TitleRecall@5", "measure 'ours/none.py:TitleRecall': no file"),
        ("ours/titles.py:TitelRecall@5", "did you mean 'TitleRecall'?"),
        ("ours/titles.py:TitleRecall", "is none that the class TitleRecall knows; its names look like TitleRecall@<k>"),
        ("ours/titles.py:RR@5", "the measure RR@5 of ours/titles.py has the name of one of this package"),
        ("ours/titles.py:Rankings", "unknown class in ours/titles.py 'Rankings'"),
        ("TitleRecall@5", "unknown measure 'TitleRecall@5'"),
    ],
)
def test_a_measure_that_is_none_is_refused_in_words(measure: str, said: str, place: Path) -> None:
    write_track(place, measure)
    found = xdr("leaderboard", "track.toml", "--allow-code", cwd=place)
    assert found.returncode in (1, 2)
    assert said in found.stderr
    assert "Traceback" not in found.stderr


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("for query_id in self.scored_queries(judged)", "for query_id in judged.query_ids[1:]", "1 missing, 0 too many"),
        ("float(any(", "float('nan') or float(any(", "has the value nan for the query 'fi-001'; expected a number from 0 to 1"),
        ("words = set(", "words = no_such_name(", "the measure TitleRecall@5 failed: NameError: name 'no_such_name'"),
        ("from dataclasses", "from no_such_module import x\nfrom dataclasses", "cannot be imported: ModuleNotFoundError"),
    ],
)  # fmt: skip
def test_faults_of_a_measure_are_told_as_its_own(old: str, new: str, said: str, place: Path) -> None:
    source = place / "ours" / "titles.py"
    source.write_text(source.read_text("utf-8").replace(old, new, 1), "utf-8")
    found = xdr("leaderboard", "track.toml", "--allow-code", cwd=place)
    assert found.returncode == 1
    assert said in found.stderr
    assert "Traceback" not in found.stderr
