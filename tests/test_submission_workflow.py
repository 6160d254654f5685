"""The check of pull requests: what it does with rows in order and with hostile ones, and that its workflows grant nothing."""

from __future__ import annotations

import gzip
import importlib.util
import re
import shutil
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

from harness.consent import Consent
from harness.scaffold import write_scaffold
from harness.submit import Target, submit_system
from harness.system import Context
from harness.tracks import load_track

ROOT = Path(__file__).resolve().parent.parent
WORKFLOWS = ROOT / ".github" / "workflows"


def load_script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("submission_check", ROOT / ".github" / "submission.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


SCRIPT = load_script()


def workflow(name: str) -> dict[Any, Any]:
    content: dict[Any, Any] = yaml.safe_load((WORKFLOWS / name).read_text())
    return content


@pytest.fixture(scope="module")
def checkouts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The base branch in ``base`` with one row, and a pull request that adds a row with its system."""
    home = tmp_path_factory.mktemp("checkouts")
    for name in ("base", "pull-request"):
        shutil.copytree(ROOT / "runs" / "mini" / "mini-zero-shot", home / name / "runs" / "mini" / "mini-zero-shot")
    write_scaffold("stranger", home / "own", executable=False)
    target = Target(load_track("mini"), home / "pull-request" / "runs")
    submit_system(
        target,
        str(home / "own" / "card.toml"),
        Context(cache=home / "cache", work=home / "work", consent=Consent(code=True)),
    )
    return home


@pytest.fixture
def home(checkouts: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of both checkouts, the base's being the current folder; tests with few resamples, which are not looked at."""
    shutil.copytree(checkouts, tmp_path / "home")
    track = load_track("mini")
    few = track.families.model_copy(update={"resamples": 1000, "all_pairs_resamples": 1000})
    monkeypatch.setattr(SCRIPT, "load_track", lambda name: track.model_copy(update={"families": few}))
    monkeypatch.chdir(tmp_path / "home" / "base")
    return tmp_path / "home"


def run_script(home: Path, mode: str) -> tuple[int, str]:
    status = SCRIPT.main(mode, Path("../pull-request"), Path("../out"))
    return status, (home / "out" / "summary.md").read_text()


def test_a_row_is_checked_and_shown_without_its_code_and_made_again_with_it(home: Path) -> None:
    row = home / "pull-request/runs/mini/stranger"
    adapter = (row / "system" / "adapter.py").read_text()
    (row / "system" / "adapter.py").write_text("raise RuntimeError('executed')")
    status, summary = run_script(home, "check")
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
    status, summary = run_script(home, "check")
    assert status == 1
    assert "is not the run that its manifest describes" in summary
    assert "no possible name of a system" in summary
    assert not (home / "base/runs/mini/stranger").exists()


def row(folder: Path) -> Path:
    folder.mkdir()
    (folder / "manifest.yaml").write_text("x")
    (folder / "fi.trec.gz").write_bytes(gzip.compress(b"x"))
    return folder


@pytest.mark.parametrize("place", ["manifest.yaml", "fi.trec.gz", "system", "reproductions"])
def test_a_link_is_refused_wherever_it_stands(tmp_path: Path, place: str) -> None:
    source = row(tmp_path / "row")
    (source / place).unlink(missing_ok=True)
    (source / place).symlink_to("/etc/hostname")
    with pytest.raises(SCRIPT.Refused, match="not a regular file"):
        SCRIPT.copy_row(source, tmp_path / "copy", with_system=True)
    assert not (tmp_path / "copy").exists()


def test_strange_files_damaged_and_huge_ones_are_all_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = row(tmp_path / "row")
    monkeypatch.setattr(SCRIPT, "MAX_UNPACKED", 1000)
    (source / "ja.trec.gz").write_bytes(gzip.compress(b"0" * 10_000))
    (source / "ko.trec.gz").write_bytes(gzip.compress(b"0" * 100)[:-5])
    (source / "conftest.py").write_text("x")
    with pytest.raises(SCRIPT.Refused) as caught:
        SCRIPT.copy_row(source, tmp_path / "copy", with_system=False)
    assert str(caught.value).splitlines() == [
        "conftest.py: not a file of a row",
        "ja.trec.gz: damaged, or larger than 1000 bytes unpacked",
        "ko.trec.gz: damaged, or larger than 1000 bytes unpacked",
    ]


def test_a_check_takes_over_no_system_no_scores_and_no_record_that_vouches_for_the_row(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pull/runs/mini").mkdir(parents=True)
    source, base = row(tmp_path / "pull/runs/mini/mine"), Path("runs/mini/mine")
    for name in ("system/adapter.py", "scores.parquet", "reproductions/theirs.yaml"):
        (source / name).parent.mkdir(exist_ok=True)
        (source / name).write_text("x")
    (base / "reproductions").mkdir(parents=True)
    (base / "reproductions" / "ours.yaml").write_text("x")
    (base / "ru.trec.gz").write_bytes(b"of the row that is replaced")
    SCRIPT.copy_row(source, base, with_system=False)
    assert sorted(str(path.relative_to(base)) for path in base.rglob("*") if path.is_file()) == [
        "fi.trec.gz", "manifest.yaml", "reproductions/ours.yaml",
    ]  # fmt: skip
    (warning,) = SCRIPT.new_records(Path("pull"), base)
    assert warning.startswith("reproductions/theirs.yaml: a record of a reproduction, which a maintainer adds")


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
        }  # fmt: skip
        assert first["persist-credentials"] is False


def test_text_of_a_stranger_cannot_mention_anybody_or_break_the_comment() -> None:
    assert SCRIPT._plain("@all `x` <b> [a](b)\n# h") == " all  x   b   a (b) # h"
    assert SCRIPT._plain("x" * 1000) == "x" * 500
