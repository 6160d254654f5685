"""The check of pull requests: what it does with rows in order and with hostile ones, and that its workflows grant nothing."""

from __future__ import annotations

import datetime
import gzip
import importlib.util
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

from harness.adapters.consent import Consent
from harness.adapters.contract import Context
from harness.files.yaml_records import parsed_yaml
from harness.leaderboard.site import render
from harness.runs.score_file import read_scores, write_scores
from harness.runs.track_runs import TrackRuns
from harness.runs.withdrawal import Withdrawal, withdraw
from harness.scaffold.scaffold import write_scaffold
from harness.submissions.reproductions import name_of
from harness.submissions.submit import Target, submit_system
from harness.tracks import load_track

ROOT = Path(__file__).resolve().parents[2]
WORKFLOWS = ROOT / ".github" / "workflows"


def load_script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("submission_check", ROOT / ".github" / "submission.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # where dataclasses look for their annotations
    spec.loader.exec_module(module)
    return module


SCRIPT = load_script()


def workflow(name: str) -> dict[Any, Any]:
    content: dict[Any, Any] = yaml.safe_load((WORKFLOWS / name).read_text())
    return content


BASE_ROWS = ("mini-zero-shot", "bm25")


def git(folder: Path, *words: str) -> str:
    identity = ("-c", "user.name=Somebody", "-c", "user.email=somebody@example.org")
    done = subprocess.run(["git", "-C", str(folder), *identity, *words], check=True, capture_output=True, text=True)
    return done.stdout.strip()


def commit(folder: Path) -> None:
    git(folder, "add", "--all", "--force")
    git(folder, "commit", "--quiet", "--allow-empty", "--message", "change")


@pytest.fixture(scope="module")
def checkouts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The base branch in ``base`` with two rows and their tables, and ``pull-request``, which adds a row with its system."""
    home = tmp_path_factory.mktemp("checkouts")
    base = home / "base"
    for row in BASE_ROWS:
        shutil.copytree(ROOT / "runs" / "mini" / row, base / "runs" / "mini" / row)
    for table in (*SCRIPT.TABLES, SCRIPT.ABLATIONS):
        shutil.copy(ROOT / "runs" / "mini" / table, base / "runs" / "mini")
    withdraw(base / "runs/mini/bm25", Withdrawal(date=datetime.date(2026, 1, 2), reason="for a test"))
    git(home, "init", "--quiet", "base")
    commit(base)
    git(home, "clone", "--quiet", "base", "pull-request")
    write_scaffold("stranger", home / "own")
    submit_system(
        Target(TrackRuns(load_track("mini"), home / "pull-request" / "runs")),
        str(home / "own" / "card.toml"),
        Context(cache=home / "cache", work=home / "work", consent=Consent(code=True)),
    )
    commit(home / "pull-request")
    return home


@pytest.fixture
def home(checkouts: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of both checkouts, the base's being the current folder; tests with few resamples, which are not looked at."""
    shutil.copytree(checkouts, tmp_path / "home", symlinks=True)
    track = load_track("mini")
    few = track.families.model_copy(update={"resamples": 2000, "all_pairs_resamples": 2000})
    monkeypatch.setattr(SCRIPT, "load_track", lambda name: track.model_copy(update={"families": few}))
    monkeypatch.setattr(SCRIPT, "render", lambda *arguments: None)
    monkeypatch.chdir(tmp_path / "home" / "base")
    return tmp_path / "home"


@pytest.fixture
def pull(home: Path) -> Path:
    """A pull request without any change yet."""
    git(home / "pull-request", "reset", "--quiet", "--hard", "origin/HEAD")
    return home / "pull-request" / "runs" / "mini"


def run_script(home: Path, mode: str = "check") -> tuple[int, str]:
    commit(home / "pull-request")
    status = SCRIPT.main(mode, Path("../pull-request"), Path("../out"))
    return status, (home / "out" / "summary.md").read_text()


def test_a_row_is_checked_and_shown_without_its_code_and_made_again_with_it(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(SCRIPT, "render", render)
    row = home / "pull-request/runs/mini/stranger"
    adapter = (row / "system" / "adapter.py").read_text()
    (row / "system" / "adapter.py").write_text("raise RuntimeError('executed')")
    status, summary = run_script(home)
    assert status == 0, summary
    assert "`mini` / `stranger`" in summary
    assert "mini-zero-shot`" not in summary.partition("### Table")[0], "rows that did not change are left alone"
    assert re.search(r"\| 2 \| stranger \| \d", summary)
    assert "stranger" in (home / "out/reports/mini/index.html").read_text()
    assert not (home / "base/runs/mini/stranger/system").exists()

    (row / "system" / "adapter.py").write_text(adapter)
    shutil.rmtree(home / "base/runs/mini/stranger")
    status, summary = run_script(home, "reproduce")
    assert status == 0, summary
    assert "Made again: **identical** on " in summary
    assert len(list((home / "out/runs/mini/stranger/reproductions").iterdir())) == 1


def test_a_row_that_is_not_in_order_fails_with_its_problems(home: Path) -> None:
    run = home / "pull-request/runs/mini/stranger/fi.trec.gz"
    run.write_bytes(gzip.compress(gzip.decompress(run.read_bytes()) + b"nonsense\n"))
    (home / "pull-request/runs/mini/Bad Name").mkdir()
    (home / "pull-request/runs/mini/Bad Name/manifest.yaml").write_text("x")
    status, summary = run_script(home)
    assert status == 1
    assert "its digest is" in summary
    assert "no possible name of a system" in summary
    assert not (home / "base/runs/mini/stranger").exists()


def forge_scores(row: Path) -> None:
    scores = read_scores(row / "scores.parquet")
    values = {key: dict.fromkeys(found, 1.0) for key, found in scores.values.items()}
    write_scores(row / "scores.parquet", replace(scores, values=values))


def forge_record(row: Path) -> None:
    path = next((row / "reproductions").iterdir())
    path.write_text(path.read_text().replace("verdict: identical", "verdict: same scores"))


def rename_forged_record(row: Path) -> None:
    forge_record(row)
    path = next((row / "reproductions").iterdir())
    path.rename(path.with_name(name_of(parsed_yaml(path))))


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def link(path: Path, target: str) -> None:
    path.unlink(missing_ok=True)
    path.symlink_to(target)


def renamed(mini: Path) -> None:
    (mini / "mini-zero-shot").rename(mini / "ours")


CHANGES: dict[str, tuple[Callable[[Path], object], str]] = {
    "forged scores": (lambda mini: forge_scores(mini / "mini-zero-shot"), "not the scores of the run beside it"),
    "an edited record": (lambda mini: forge_record(mini / "mini-zero-shot"), "changes reproductions/"),
    "an edited record, renamed": (lambda mini: rename_forged_record(mini / "mini-zero-shot"), "removes reproductions/"),
    "a record that is gone": (lambda mini: shutil.rmtree(mini / "mini-zero-shot/reproductions"), "removes reproductions/"),
    "a withdrawal that is gone": (lambda mini: (mini / "bm25/withdrawn.toml").unlink(), "removes withdrawn.toml"),
    "another reason": (lambda mini: edit(mini / "bm25/withdrawn.toml", "for a test", "no matter"), "changes withdrawn.toml"),
    "a run file that is gone": (lambda mini: (mini / "mini-zero-shot/ar.trec.gz").unlink(), "no file"),
    "a manifest that is gone": (lambda mini: (mini / "mini-zero-shot/manifest.yaml").unlink(), "no manifest.yaml"),
    "a row that is gone": (lambda mini: shutil.rmtree(mini / "mini-zero-shot"), "removes the row: rows are withdrawn"),
    "a row of another name": (renamed, "removes the row; it seems to become ours"),
    "an edited leaderboard": (lambda mini: edit(mini / "leaderboard.json", '"bm25"', '"mb25"'), "runs/mini/leaderboard.json:"),
    "an edited table": (lambda mini: edit(mini / "leaderboard.md", "BM25", "Best"), "runs/mini/leaderboard.md:"),
    "an edited comparison": (lambda mini: edit(mini / "comparison.json", "holm", "none"), "runs/mini/comparison.json:"),
    "a table that is gone": (lambda mini: (mini / "leaderboard.csv").unlink(), "removes runs/mini/leaderboard.csv"),
    "edited ablations": (lambda mini: edit(mini / "ablations.json", "0.", "1."), "a maintainer measures ablations"),
    "a linked table": (lambda mini: link(mini / "leaderboard.md", "/etc/hostname"), "a symbolic link"),
    "a linked manifest": (lambda mini: link(mini / "bm25/manifest.yaml", "../mini-zero-shot/manifest.yaml"), "a symbolic link"),
    "a linked file of the system": (lambda mini: link(mini / "bm25/notes", "/etc/hostname"), "a symbolic link"),
    "a linked row": (lambda mini: link(mini / "ours", "mini-zero-shot"), "a symbolic link"),
    "a snapshot": (lambda mini: write(mini / "snapshots/2026/leaderboard.json"), "a snapshot never changes"),
    "a file of no row": (lambda mini: write(mini / "mini-zero-shot/conftest.py"), "not a file of a row"),
    "a file of no track": (lambda mini: write(mini.parent / "notes.txt"), "not a file of the runs of record"),
    "a track that is none": (lambda mini: write(mini.parent / "own/ours/manifest.yaml"), "no track of this name"),
    "tables of a track that is none": (lambda mini: write(mini.parent / "own/leaderboard.json"), "no such track"),
    "a folder of a run's name": (lambda mini: write(mini / "ours/ar.trec.gz/x"), "not a file of a row"),
    "a name that is not UTF-8": (lambda mini: write(Path(os.fsdecode(bytes(mini) + b"/ours/\xff\xfe"))), "not a file of a row"),
    "a row of such a name": (lambda mini: write(Path(os.fsdecode(bytes(mini) + b"/\xff/manifest.yaml"))), "no possible name"),
    "a name of control characters": (lambda mini: write(mini / "ours/\x1b[2J\n# x"), "not a file of a row"),
    "a damaged run": (lambda mini: write(mini / "ours/ar.trec.gz"), "ar.trec.gz: damaged"),
    "an empty manifest": (lambda mini: write(mini / "ours/manifest.yaml", ""), "manifest.yaml"),
    "a manifest of a list": (lambda mini: write(mini / "ours/manifest.yaml", "- 1"), "holds no keys"),
    "a manifest of tags": (lambda mini: write(mini / "ours/manifest.yaml", "!!python/none x"), "manifest.yaml"),
    "no text in the manifest": (lambda mini: write(mini / "ours/manifest.yaml", "a: '\\ud800'"), "manifest.yaml"),
}  # fmt: skip


def write(path: Path, text: str = "x") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


@pytest.mark.parametrize("kind", CHANGES)
def test_whatever_a_pull_request_must_not_change_fails_and_is_named(home: Path, pull: Path, kind: str) -> None:
    change, said = CHANGES[kind]
    before = {path: path.read_bytes() for path in (home / "base/runs").rglob("*") if path.is_file()}
    change(pull)
    status, summary = run_script(home)
    assert status == 1, summary
    assert said in summary
    assert "the check itself failed" not in summary
    assert not re.search(r"[\x00-\x09\x0b-\x1f]", summary)
    for path, content in before.items():
        if path.parent.name in BASE_ROWS and path.name != "scores.parquet":
            assert path.read_bytes() == content, "the preview is of the base's rows"


def test_a_change_of_a_row_that_exists_is_named_first(home: Path, pull: Path) -> None:
    edit(pull / "mini-zero-shot/manifest.yaml", "peak memory bytes:", "peak memory bytes:   ")
    (pull / "mini-zero-shot/scores.parquet").unlink()
    status, summary = run_script(home)
    assert status == 0, summary
    assert "- THIS ROW EXISTS ALREADY; the pull request changes manifest.yaml, removes scores.parquet" in summary


def test_a_withdrawn_row_stays_withdrawn_in_the_preview(home: Path, pull: Path) -> None:
    edit(pull / "bm25/manifest.yaml", "peak memory bytes:", "peak memory bytes:   ")
    status, summary = run_script(home)
    assert status == 0, summary
    assert (home / "base/runs/mini/bm25/withdrawn.toml").is_file()
    assert "| – | ~~BM25~~ (withdrawn) |" in summary, summary


def test_a_withdrawal_and_a_record_that_are_added_are_told(home: Path, pull: Path) -> None:
    withdraw(pull / "mini-zero-shot", Withdrawal(date=datetime.date(2026, 1, 2), reason="mine"))
    shutil.copytree(ROOT / "runs/mini/mini-xdr", pull / "mini-xdr")
    status, summary = run_script(home)
    assert "withdraws the row (withdrawn.toml)" in summary
    assert "a record of a reproduction, which a maintainer adds; not counted here" in summary
    assert status == 1, "the withdrawn row is the baseline"
    assert not (home / "base/runs/mini/mini-xdr/reproductions").exists()


def test_tables_that_fit_the_rows_may_come_along(home: Path, pull: Path) -> None:
    track = SCRIPT.load_track("mini")
    scores = SCRIPT.score_all(TrackRuns(track, pull.parent))
    SCRIPT.build_leaderboard(
        TrackRuns(track, pull.parent), scores, SCRIPT.compare_all(TrackRuns(track, pull.parent), scores)
    )
    status, summary = run_script(home)
    assert status == 0, summary


def test_what_the_base_branch_got_since_is_not_taken_for_removed(home: Path) -> None:
    shutil.copytree(ROOT / "runs/mini/mini-xdr", home / "base/runs/mini/mini-xdr")
    commit(home / "base")
    status, summary = run_script(home)
    assert status == 0, summary
    assert "removes" not in summary
    assert "mini xDR" in summary, "the table has the newer row"


def test_files_elsewhere_are_counted_and_not_judged(home: Path, pull: Path) -> None:
    write(pull.parent.parent / "harness/runs/score.py")
    status, summary = run_script(home)
    assert status == 0
    assert "1 files outside of runs/ are changed, too" in summary


def test_attributes_of_a_pull_request_change_nothing_of_what_is_read(home: Path) -> None:
    """A checkout would have other line ends here than what is merged."""
    pull = home / "pull-request"
    write(pull / ".gitattributes", "*.yaml text eol=crlf\n")
    commit(pull)
    manifest = pull / "runs/mini/stranger/manifest.yaml"
    manifest.unlink()
    git(pull, "checkout", "--", "runs")
    assert b"\r\n" in manifest.read_bytes()
    status, summary = run_script(home)
    assert status == 0, summary
    assert b"\r\n" not in (home / "base/runs/mini/stranger/manifest.yaml").read_bytes()


def test_a_fault_of_the_check_itself_still_writes_a_summary(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("no such luck \udcff")

    for name in ("check_row", "preview", "read_pull_request"):
        with monkeypatch.context() as patch:
            patch.setattr(SCRIPT, name, fail)
            status, summary = run_script(home)
            assert status == 1
            assert "RuntimeError: no such luck" in summary, name


def test_strange_files_damaged_and_huge_ones_are_all_named(
    home: Path, pull: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(SCRIPT, "MAX_UNPACKED", 1000)
    ours = pull / "ours"
    write(ours / "manifest.yaml")
    (ours / "ja.trec.gz").write_bytes(gzip.compress(b"0" * 10_000))
    (ours / "ko.trec.gz").write_bytes(gzip.compress(b"0" * 100)[:-5])
    _, summary = run_script(home)
    for name in ("ja", "ko"):
        assert f"{name}.trec.gz: damaged, or larger than 1000 bytes unpacked" in summary
    monkeypatch.setattr(SCRIPT, "MAX_BYTES", 50)
    (ours / "ru.trec.gz").write_bytes(b"0" * 100)
    assert "ru.trec.gz: larger than 50 bytes" in run_script(home)[1]


@pytest.mark.parametrize("name", ["submission.yml", "submission-comment.yml", "ci.yml"])
def test_no_workflow_has_more_than_it_needs(name: str) -> None:
    content, text = workflow(name), (WORKFLOWS / name).read_text()
    triggers = content[True]  # YAML 1.1 reads the key `on` as a truth value
    assert "pull_request_target" not in triggers
    assert "secrets." not in text
    writes = [key for key, value in content["permissions"].items() if value != "read"]
    assert writes == (["pull-requests"] if name == "submission-comment.yml" else [])
    steps = [step for job in content["jobs"].values() for step in job["steps"]]
    if name == "submission-comment.yml":
        assert not any("run" in step or "checkout" in step.get("uses", "") for step in steps)
    for step in steps:
        assert re.fullmatch(r"actions/[a-z-]+@v\d+", step.get("uses", "actions/none@v1"))
        assert "${{" not in step.get("run", ""), "text of a pull request must not become part of a command"


def test_the_submitted_code_runs_only_after_the_label_and_every_checkout_drops_its_token() -> None:
    jobs = workflow("submission.yml")["jobs"]
    assert jobs["check"]["if"] == "github.event.action != 'labeled'"
    assert "github.event.label.name == 'reproduce'" in jobs["reproduce"]["if"]
    for name, job in jobs.items():
        commands = [step["run"] for step in job["steps"] if "run" in step]
        assert f".venv/bin/python .github/submission.py {name} pull-request out" in commands
        first, second = (step["with"] for step in job["steps"] if "checkout" in step.get("uses", ""))
        assert first["ref"] == "${{ github.event.pull_request.base.sha }}"
        assert second == {
            "ref": "${{ github.event.pull_request.head.sha }}", "path": "pull-request", "persist-credentials": False,
            "fetch-depth": 0,
        }  # fmt: skip
        assert first["persist-credentials"] is False


def test_text_of_a_stranger_cannot_mention_anybody_or_break_the_comment() -> None:
    assert SCRIPT._plain("@all `x` <b> [a](b)\n# h") == " all  x   b   a (b) # h"
    assert SCRIPT._plain("x" * 1000) == "x" * 500


def test_one_label_does_not_end_the_run_of_another_and_skipped_runs_are_not_commented_on() -> None:
    group = workflow("submission.yml")["concurrency"]["group"]
    assert group.endswith("${{ github.event.label.name }}")
    condition = workflow("submission-comment.yml")["jobs"]["comment"]["if"]
    assert "conclusion != 'skipped'" in condition
    assert "conclusion != 'cancelled'" in condition


def test_a_check_that_cannot_even_begin_leaves_a_summary(tmp_path: Path) -> None:
    """The step of the workflow itself, after a script that wrote nothing."""
    for job in workflow("submission.yml")["jobs"].values():
        (step,) = (step["run"] for step in job["steps"] if "GITHUB_STEP_SUMMARY" in step.get("run", ""))
        summary = tmp_path / "step-summary"
        subprocess.run(["bash", "-e", "-c", step], cwd=tmp_path, env={"GITHUB_STEP_SUMMARY": str(summary)}, check=True)
        assert "did not come to an end" in (tmp_path / "out/summary.md").read_text()
        assert "did not come to an end" in summary.read_text()
        shutil.rmtree(tmp_path / "out")
