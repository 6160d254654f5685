"""A new system's files run, and pass the contract tests, as they are."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from command_line import xdr
from distributions import install
from forked_commands import xdr_anew

from harness.adapters.card import load_card
from harness.adapters.conformance import conformance_tests
from harness.adapters.consent import Consent
from harness.adapters.contract import Context, Request
from harness.collections.view import Docs
from harness.errors import InvalidInput, WrongUsage
from harness.files.writing import write_text
from harness.records import Doc, Query
from harness.runs.execute import run_system
from harness.runs.manifest import read_manifest, run_file
from harness.runs.track_runs import TrackRuns
from harness.runs.trec import read_run
from harness.scaffold.scaffold import COLLECTION, MEASURE, PROGRAM, SYSTEM, TRACK, Kind, write_scaffold
from harness.tracks import Track, load_track


def small_track() -> Track:
    track = load_track("mini")
    return track.model_copy(update={"parts": tuple(part for part in track.parts if part.name in ("fi", "ja"))})


@pytest.mark.parametrize("kind", [SYSTEM, PROGRAM])
def test_a_new_system_runs_and_finds_something(tmp_path: Path, kind: Kind) -> None:
    files = write_scaffold("my-system", tmp_path / "new", kind)
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


@pytest.mark.parametrize("kind", [SYSTEM, PROGRAM])
def test_a_new_system_passes_the_contract_tests(tmp_path: Path, kind: Kind) -> None:
    write_scaffold("my-system", tmp_path, kind)
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
    for name, kind in (("one", SYSTEM), ("two", PROGRAM)):
        write_scaffold(name, tmp_path / name, kind)
        context = Context(cache=tmp_path / "cache", work=tmp_path / name / "work")
        rankings = load_card(str(tmp_path / name / "card.toml")).system(Consent(code=True)).search(request, context)
        found.append([(r.query_id, list(r.doc_ids), list(map(float, r.scores))) for r in rankings])
    assert found[0] == found[1]
    assert found[0][1] == ("q1", ["d4", "d2", "d1"], [1.0, 1.0, 1.0])


def assert_tests_pass(folder: Path) -> str:
    root = Path(__file__).resolve().parents[2]
    paths = os.pathsep.join(filter(None, [str(root), os.environ.get("PYTHONPATH", "")]))
    arguments = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    environment = {**os.environ, "PYTHONPATH": paths}
    done = subprocess.run(arguments, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_written_tests_pass_under_pytest(tmp_path: Path) -> None:
    write_scaffold("my-system", tmp_path)
    assert "6 passed" in assert_tests_pass(tmp_path)


@pytest.mark.parametrize("kind", [SYSTEM, PROGRAM])
def test_nothing_is_overwritten_and_nothing_half_written(tmp_path: Path, kind: Kind) -> None:
    last = "search.awk" if kind is PROGRAM else "test_adapter.py"
    (tmp_path / last).write_text("mine")
    with pytest.raises(WrongUsage, match=f"{last} exists already"):
        write_scaffold("my-system", tmp_path, kind)
    assert [path.name for path in tmp_path.iterdir()] == [last]
    assert (tmp_path / last).read_text() == "mine"


@pytest.mark.parametrize("name", ["", "My-System", "-x", ".x", "a b", 'a"b', "a/b", "a\n", "ä", "x" * 65])
def test_a_name_that_no_card_could_have_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(WrongUsage, match="cannot be a system's name"):
        write_scaffold(name, tmp_path / "new")
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("name", ["a", "7", "my_system-2.1+x", "x" * 64])
def test_a_name_that_is_accepted_makes_a_card_that_loads(tmp_path: Path, name: str) -> None:
    write_scaffold(name, tmp_path)
    assert load_card(str(tmp_path / "card.toml")).card.name == name


@pytest.mark.parametrize(
    "name", ["con", "nul.v2", "com1", "a.", "reproductions", "system", "snapshots", "x.json", "A", "a\n", ""]
)
def test_a_name_that_no_row_can_have_is_refused_and_nothing_written(name: str, tmp_path: Path) -> None:
    with pytest.raises(WrongUsage, match="cannot be a system's name"):
        write_scaffold(name, tmp_path / "new")
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

    monkeypatch.setattr("harness.scaffold.scaffold.write_text", full)
    with pytest.raises(InvalidInput, match="full"):
        write_scaffold("my-system", tmp_path / "new")
    assert [path.name for path in tmp_path.rglob("*")] == (["new", "mine.txt"] if there else [])


@pytest.mark.parametrize("kind", [TRACK, COLLECTION, MEASURE], ids=lambda kind: kind.of)
@pytest.mark.parametrize(
    "name", ["", "Rivers", "my_rivers", "-a", "a-", "a--b", "7up", "a b", "a/b", "ä", "x" * 65, "a\n"]
)
def test_a_name_that_no_other_kind_could_have_is_refused(kind: Kind, name: str, tmp_path: Path) -> None:
    with pytest.raises(WrongUsage, match=f"cannot be a {kind.of}'s name: use lower-case letters"):
        write_scaffold(name, tmp_path / "new", kind)
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    ("kind", "name"), [(TRACK, "mini"), (COLLECTION, "xquad"), (MEASURE, "success"), (MEASURE, "r")]
)
def test_a_name_that_is_taken_is_refused(kind: Kind, name: str, tmp_path: Path) -> None:
    with pytest.raises(WrongUsage, match=f"there is a {kind.of} of that name"):
        write_scaffold(name, tmp_path / "new", kind)


def test_a_new_track_makes_a_leaderboard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDR_HOME", str(tmp_path / "home"))
    made = xdr("new", "our-rivers", "--track", cwd=tmp_path)
    assert made.returncode == 0, made.stderr
    assert "xdr leaderboard our-rivers/track.toml" in made.stderr
    assert "no file or folder runs/our-rivers" in xdr("validate", "our-rivers/track.toml", cwd=tmp_path).stderr
    done = xdr("leaderboard", "our-rivers/track.toml", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    valid = xdr("validate", "our-rivers/track.toml", cwd=tmp_path)
    assert "3 of 3 rows are valid" in valid.stderr
    assert valid.returncode == 0
    board = json.loads((tmp_path / "runs/our-rivers/leaderboard.json").read_text("utf-8"))
    assert [part["name"] for part in board["track"]["parts"]] == ["fi", "ja"]
    best = max(row["cells"]["R@500t"]["macro"]["value"] for row in board["rows"])
    assert best == 1  # six passages fit into 500 tokens


def test_a_new_measure_scores_a_track_and_passes_its_tests(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDR_HOME", str(tmp_path / "home"))
    made = xdr("new", "title-word", "--measure", cwd=tmp_path)
    assert made.returncode == 0, made.stderr
    assert "xdr leaderboard title-word/track.toml --allow-code" in made.stderr
    done = xdr("leaderboard", "title-word/track.toml", "--allow-code", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "best macro TitleWord@5" in done.stderr
    assert_tests_pass(tmp_path / "title-word")


def test_a_new_collection_is_a_distribution_that_passes_its_tests(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDR_HOME", str(tmp_path / "home"))
    made = xdr("new", "big-rivers", "--collection", cwd=tmp_path)
    assert made.returncode == 0, made.stderr
    declared = tomllib.loads((tmp_path / "big-rivers/pyproject.toml").read_text("utf-8"))["project"]
    module = {"big_rivers.py": (tmp_path / "big-rivers/big_rivers.py").read_text("utf-8")}
    install(tmp_path, declared["name"], module, declared["entry-points"], monkeypatch)
    assert_tests_pass(tmp_path / "big-rivers")
    done = xdr_anew("leaderboard", "big-rivers/track.toml", cwd=tmp_path)
    assert done.returncode == 0, done.stderr


def test_one_thing_at_a_time(tmp_path: Path) -> None:
    refused = xdr("new", "x", "--track", "--measure", cwd=tmp_path)
    assert refused.returncode == 2
    assert "--track and --measure exclude one another" in refused.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("kind", [SYSTEM, TRACK, COLLECTION, MEASURE], ids=lambda kind: kind.of)
def test_what_is_written_is_as_neat_as_what_is_here(kind: Kind, tmp_path: Path) -> None:
    write_scaffold("a-name", tmp_path / "new", kind)
    root = Path(__file__).resolve().parents[2]
    for command in (["check"], ["format", "--check"]):
        arguments = [
            sys.executable,
            "-m",
            "ruff",
            *command,
            "--config",
            str(root / "pyproject.toml"),
            "--no-cache",
            "--config",
            'include=["**/*.py"]',
        ]
        done = subprocess.run([*arguments, str(tmp_path / "new")], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
