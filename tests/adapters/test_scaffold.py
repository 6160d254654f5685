"""A new system's files run, and pass the contract tests, as they are."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from harness.adapters.card import load_card
from harness.adapters.conformance import conformance_tests
from harness.adapters.consent import Consent
from harness.adapters.contract import Context, Request
from harness.adapters.scaffold import write_scaffold
from harness.collections.view import Docs
from harness.errors import InvalidInput, WrongUsage
from harness.files.writing import write_text
from harness.records import Doc, Query
from harness.runs.execute import run_system
from harness.runs.manifest import read_manifest, run_file
from harness.runs.track_runs import TrackRuns
from harness.runs.trec import read_run
from harness.tracks import Track, load_track


def small_track() -> Track:
    track = load_track("mini")
    return track.model_copy(update={"parts": tuple(part for part in track.parts if part.name in ("fi", "ja"))})


@pytest.mark.parametrize("executable", [False, True])
def test_a_new_system_runs_and_finds_something(tmp_path: Path, executable: bool) -> None:
    files = write_scaffold("my-system", tmp_path / "new", executable=executable)
    assert all(path.is_file() for path in files)
    card = load_card(str(tmp_path / "new" / "card.toml"))
    context = Context(cache=tmp_path / "cache", work=tmp_path / "work", consent=Consent(code=True))
    outcome = run_system(TrackRuns(small_track(), tmp_path / "runs"), card, context)
    assert outcome.queries == 160
    for part in ("fi", "ja"):
        run, _ = read_run(run_file(outcome.folder, part))
        assert run.tag == "my-system"
        assert len(run.rankings) > 20
        assert max(len(ranked.doc_ids) for ranked in run.rankings.values()) == 30
    assert read_manifest(outcome.folder).implementation.source


@pytest.mark.parametrize("executable", [False, True])
def test_a_new_system_passes_the_contract_tests(tmp_path: Path, executable: bool) -> None:
    write_scaffold("my-system", tmp_path, executable=executable)
    tests = conformance_tests(lambda: load_card(str(tmp_path / "card.toml")).system(Consent(code=True)))()
    names = [name for name in dir(tests) if name.startswith("test_")]
    assert len(names) >= 6
    for name in names:
        getattr(tests, name)()


def test_both_kinds_rank_passages_without_titles_alike(tmp_path: Path) -> None:
    texts = ["The Volga is 3530 km long", "a long river", 'the "long" river \\ long', "Fuji 3776", "long long ago 1707"]
    docs = Docs(Doc(f"d{n}", "", text) for n, text in enumerate(texts))
    questions = ["Volga long river 3530", "LONG?", "富士 Fuji 3776", "の", "the ago 1707 km"]
    request = Request(docs, tuple(Query(f"q{n}", text, "ja", f"q{n}") for n, text in enumerate(questions)), 3)
    found = []
    for name, executable in (("one", False), ("two", True)):
        write_scaffold(name, tmp_path / name, executable=executable)
        context = Context(cache=tmp_path / "cache", work=tmp_path / name / "work")
        rankings = load_card(str(tmp_path / name / "card.toml")).system(Consent(code=True)).search(request, context)
        found.append([(r.query_id, list(r.doc_ids), list(map(float, r.scores))) for r in rankings])
    assert found[0] == found[1]
    assert found[0][1] == ("q1", ["d4", "d2", "d1"], [1.0, 1.0, 1.0])


def test_the_written_tests_pass_under_pytest(tmp_path: Path) -> None:
    write_scaffold("my-system", tmp_path, executable=False)
    root = Path(__file__).resolve().parents[2]
    environment = {**os.environ, "PYTHONPATH": str(root)}
    arguments = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_adapter.py"]
    done = subprocess.run(arguments, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "6 passed" in done.stdout


@pytest.mark.parametrize("executable", [False, True])
def test_nothing_is_overwritten_and_nothing_half_written(tmp_path: Path, executable: bool) -> None:
    last = "search.awk" if executable else "test_adapter.py"
    (tmp_path / last).write_text("mine")
    with pytest.raises(WrongUsage, match=f"{last} exists already"):
        write_scaffold("my-system", tmp_path, executable=executable)
    assert [path.name for path in tmp_path.iterdir()] == [last]
    assert (tmp_path / last).read_text() == "mine"


@pytest.mark.parametrize("name", ["", "My-System", "-x", ".x", "a b", 'a"b', "a/b", "a\n", "ä", "x" * 65])
def test_a_name_that_no_card_could_have_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(WrongUsage, match="cannot be a system's name"):
        write_scaffold(name, tmp_path / "new", executable=False)
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("name", ["a", "7", "my_system-2.1+x", "x" * 64])
def test_a_name_that_is_accepted_makes_a_card_that_loads(tmp_path: Path, name: str) -> None:
    write_scaffold(name, tmp_path, executable=False)
    assert load_card(str(tmp_path / "card.toml")).card.name == name


@pytest.mark.parametrize(
    "name", ["con", "nul.v2", "com1", "a.", "reproductions", "system", "snapshots", "x.json", "A", "a\n", ""]
)
def test_a_name_that_no_row_can_have_is_refused_and_nothing_written(name: str, tmp_path: Path) -> None:
    with pytest.raises(WrongUsage, match="cannot be a system's name"):
        write_scaffold(name, tmp_path / "new", executable=False)
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("there", [False, True])
def test_a_disk_that_gets_full_leaves_nothing(there: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if there:
        (tmp_path / "new").mkdir()
        (tmp_path / "new/mine.txt").write_text("mine")
    written: list[Path] = []

    def full(path: Path, text: str) -> None:
        if len(written) == 2:
            raise InvalidInput("the disk is full")
        write_text(path, text)
        written.append(path)

    monkeypatch.setattr("harness.adapters.scaffold.write_text", full)
    with pytest.raises(InvalidInput, match="full"):
        write_scaffold("my-system", tmp_path / "new", executable=False)
    assert [path.name for path in tmp_path.rglob("*")] == (["new", "mine.txt"] if there else [])
