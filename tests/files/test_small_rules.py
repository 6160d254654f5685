"""Small rules that other tests go past: when a checkout is dirty, what a check of tables overlooks, which questions show."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from small_track import Terminal, write_track

from harness.adapters.estimate import Figure
from harness.compute.platform import git_state
from harness.leaderboard.exports import write_leaderboard
from harness.leaderboard.site.questions import SHOWN, most_different
from harness.leaderboard.table import read_leaderboard
from harness.runs.dry_run import Plan
from harness.runs.per_query import per_query
from harness.tracks import load_track


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    for command in (["init", "-q"], ["config", "user.email", "a@b.c"], ["config", "user.name", "A"]):
        subprocess.run(["git", *command], cwd=tmp_path, check=True)
    for name in ("harness/runs/execute.py", "runs/mini/bm25/manifest.yaml", "reports/README.md"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("one")
    subprocess.run(["git", "add", "-A"], cwd=tmp_path, check=True)
    subprocess.run(["git", "commit", "-qm", "one"], cwd=tmp_path, check=True)
    return tmp_path


def test_runs_and_reports_make_no_checkout_dirty_and_anything_else_does(checkout: Path) -> None:
    commit = subprocess.check_output(["git", "rev-parse", "HEAD"], cwd=checkout, text=True).strip()
    assert git_state(checkout) == {"commit": commit, "dirty": False}
    (checkout / "runs/mini/bm25/manifest.yaml").write_text("two")
    (checkout / "runs/mini/new").mkdir()
    (checkout / "runs/mini/new/manifest.yaml").write_text("new")
    (checkout / "reports/page.html").write_text("new")
    assert git_state(checkout) == {"commit": commit, "dirty": False}
    (checkout / "harness/new.py").write_text("new")
    assert git_state(checkout) == {"commit": commit, "dirty": True}


def test_a_package_within_somebodys_repository_or_none_has_no_commit(checkout: Path, tmp_path_factory: Any) -> None:
    assert git_state(checkout / "harness") == {}
    assert git_state(tmp_path_factory.mktemp("no repository")) == {}


@pytest.mark.parametrize(("factor", "status"), [(1 + 1e-13, 0), (1 + 1e-7, 1), (1.4, 1)])
def test_the_check_of_tables_overlooks_last_digits_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], factor: float, status: int
) -> None:
    monkeypatch.chdir(tmp_path)
    write_track(tmp_path)
    xdr = Terminal(monkeypatch, capsys)
    assert xdr("leaderboard", "track.toml").status == 0
    board = tmp_path / "runs/rivers/leaderboard.json"
    content = json.loads(board.read_text("utf-8"))
    changed = 0
    for row in content["rows"]:
        for cell in row["cells"]["Success@1"].values():
            if cell["value"]:
                cell["value"] *= factor
                changed += 1
    assert changed
    board.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", "utf-8")
    write_leaderboard(board.parent, read_leaderboard(board.parent))  # its tables go with it
    done = xdr("leaderboard", "track.toml", "--check")
    assert done.status == status, done.err
    assert ("leaderboard.json: " in done.err) == bool(status)


def test_of_memory_the_largest_part_counts_and_of_all_else_the_sum() -> None:
    figures = tuple(
        Figure(kind, what, amount, unit, "measured")
        for kind, unit in (("memory", "bytes"), ("disk", "bytes"), ("time", "seconds"))
        for what, amount in (("index", 5.0), ("index", 7.0), ("batches", 2.0))
    )
    plan = Plan("one", False, (), 3, 0, figures)
    assert {kind: plan.total(kind) for kind in ("memory", "disk", "time")} == {"memory": 9, "disk": 14, "time": 14}


def _scores_of(ids: dict[str, list[str]], measure: str, value: float) -> SimpleNamespace:
    values = {(part, measure): per_query(dict.fromkeys(own, value)) for part, own in ids.items()}
    return SimpleNamespace(values=values, scored=lambda part, measure: values[part, measure])


def test_where_many_questions_differ_as_much_all_parts_take_turns() -> None:
    track = load_track("mini")
    ids = {part.name: [query.query_id for query in part.collection.queries] for part in track.parts}
    scores = {name: _scores_of(ids, track.primary, value) for name, value in (("own", 1.0), (track.baseline, 0.0))}
    site: Any = SimpleNamespace(track=track, score=scores.__getitem__)
    found = most_different(site, "own")
    assert (len(found.gained), found.lost, found.gains) == (SHOWN, (), 560)
    counts = {part: sum(extreme.part == part for extreme in found.gained) for part in ids}
    assert set(counts.values()) == {1, 2}
    assert [extreme.part for extreme in found.gained[:7]] == list(ids)
