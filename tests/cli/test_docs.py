"""The guides are true: their commands run, and what they name exists."""

from __future__ import annotations

import doctest
import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from guides import commands_of, examples_of
from recorded import copy_recorded_runs
from small_track import Terminal

from harness.submissions.reproductions import read_reproductions
from harness.submissions.study.records import read_study
from harness.submissions.tune import read_tuning

ROOT = Path(__file__).parents[2]
GUIDES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]


@pytest.fixture
def follow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., None]:
    """Type all commands of a guide in a folder that holds the runs of record, as one would at a terminal.

    ``instead``: words that stand for others. Commands of ``xdr`` run in this process: starting and importing anew is what
    tests/submissions/test_submitting_places.py does.
    """
    copy_recorded_runs(tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    xdr = Terminal(monkeypatch, capsys)

    def type_all(guide: str, **instead: str) -> None:
        commands = commands_of(ROOT / "docs" / guide)
        assert len(commands) >= 3
        for command in commands:
            program, *words = shlex.split(command)
            if program == "xdr" and "&&" not in words:
                ended = xdr(*(instead.get(word, word) for word in words))
                assert ended.status == 0, f"{command}\n{ended.out}\n{ended.err}"
            else:
                done = subprocess.run(command, shell=True, capture_output=True, text=True, check=False)
                assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"

    return type_all


def test_the_guide_to_reproduction_works_as_it_is_written(tmp_path: Path, follow: Callable[[str], None]) -> None:
    follow("reproduce.md")
    assert read_reproductions(tmp_path / "runs/mini/bm25" / "reproductions")[-1].confirms
    assert (tmp_path / "again/mini/bm25/manifest.yaml").is_file()


def test_the_guide_to_exports_works_as_it_is_written(tmp_path: Path, follow: Callable[[str], None]) -> None:
    follow("exports.md")
    assert "mini zero-shot" in (tmp_path / "table.tex").read_text("ascii")
    assert (tmp_path / "table.csv").read_bytes() == (tmp_path / "runs/mini/leaderboard.csv").read_bytes()
    assert (tmp_path / "badges/bm25.svg").is_file()


def test_the_guide_to_snapshots_works_as_it_is_written(tmp_path: Path, follow: Callable[..., None]) -> None:
    # No figure is looked at: three leaderboards draw less often than the track of the package has it.
    families = "\n[families]\nresamples = 1000\nall_pairs_resamples = 1000\n"
    (tmp_path / "mini.toml").write_text((ROOT / "harness/tracks/mini.toml").read_text("utf-8") + families, "utf-8")
    follow("snapshots.md", mini="mini.toml")
    frozen, today = (
        (tmp_path / folder / "leaderboard.md").read_text("utf-8")
        for folder in ("runs/mini/snapshots/2026-11", "runs/mini")
    )
    assert "withdrawn" not in frozen
    assert "~~mini xDR + shuffled queries~~ (withdrawn)" in today


def test_the_guide_to_choosing_parameters_works_as_it_is_written(tmp_path: Path, follow: Callable[[str], None]) -> None:
    follow("tune.md")
    tuning = read_tuning(tmp_path / "tuning/mini-xdr-xqg.json")
    assert (tuning.rule, len(tuning.points)) == ("best", 4)


def test_the_guide_to_studies_works_as_it_is_written(tmp_path: Path, follow: Callable[[str], None]) -> None:
    follow("study.md")
    recorded, made = (read_study(folder / "runs/mini-texts/study.json") for folder in (ROOT, tmp_path))
    assert recorded is not None
    assert made is not None
    for kind in ("none", *(kind.name for kind in made.declared.kinds)):
        one, two = (study.row("mini-xdr", kind).values["RR@10"] for study in (recorded, made))
        assert two == pytest.approx(one, abs=0.005), kind


def test_the_guide_to_training_works_as_it_is_written(
    tmp_path: Path, follow: Callable[[str], None], imported_data: Path
) -> None:
    pytest.importorskip("sentencepiece", reason="needs the extra `train`: pip install -e .[train]")
    text = (ROOT / "docs/train.md").read_text("utf-8")
    for name, content in re.findall(r"^```toml\n# (\S+)\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL):
        (tmp_path / name).write_text(content)
    follow("train.md")
    assert (tmp_path / "runs/mini/my-encoder/fi.trec.gz").is_file()
    record = json.loads((tmp_path / "my-encoder/training.json").read_text())
    assert [stage["name"] for stage in record["stages"]] == ["alignment", "questions"]


def test_the_guide_to_perturbed_collections_works_as_it_is_written(
    tmp_path: Path, follow: Callable[[str], None]
) -> None:
    from harness.collections.perturbed.recipe import load_recipe, recipe_names

    text = (ROOT / "docs/perturbed.md").read_text("utf-8")
    for name, content in re.findall(r"^```toml\n# (\S+)\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL):
        (tmp_path / name).write_text(content)
    follow("perturbed.md")
    assert len((tmp_path / "typos/queries.jsonl").read_text("utf-8").splitlines()) == 80
    assert (tmp_path / "runs/mini-typos/bm25/scores.parquet").is_file()
    drops = json.loads((tmp_path / "runs/mini-typos/comparison.json").read_text())["drops"]
    assert {(drop["system"], drop["perturbation"], drop["draws"]) for drop in drops} == {
        (system, *kind) for system in ("bm25", "mini-xdr") for kind in (("typo-swap", 2), ("two-typos", 1))
    }
    listed = re.findall(r"^\| `([a-z-]+)` \| (queries|passages) \|", text, flags=re.MULTILINE)
    assert sorted(listed) == [(name, load_recipe(name).side) for name in recipe_names()]


def test_the_guide_to_mining_works_as_it_is_written(tmp_path: Path, follow: Callable[[str], None]) -> None:
    from harness.recipes.mine.settings import EXCLUSIONS, LABELLERS
    from harness.recipes.rows import read_rows

    follow("mine.md")
    assert all(len(row.negatives) <= 8 for row in read_rows(tmp_path / "hard.jsonl.gz").rows)
    assert {row.label for row in read_rows(tmp_path / "mined.jsonl.gz").rows} == {"mined"}
    assert len(read_rows(tmp_path / "fi.jsonl", tmp_path / "passages.jsonl").rows) == 10
    text = (ROOT / "docs/mine.md").read_text("utf-8")
    assert re.findall(r"^\| `([a-z+-]+)` \|", text, flags=re.MULTILINE) == list(LABELLERS)
    assert tuple(re.findall(r"^\| `--exclude ([a-z]+)` \|", text, flags=re.MULTILINE)) == EXCLUSIONS


def test_the_guide_to_reading_works_as_it_is_written(
    tmp_path: Path, follow: Callable[[str], None], imported_data: Path
) -> None:
    pytest.importorskip("sentencepiece", reason="needs the extra `train`: pip install -e .[train]")
    text = (ROOT / "docs/read.md").read_text("utf-8")
    for name, content in re.findall(r"^```toml\n# (\S+)\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL):
        (tmp_path / name).write_text(content)
    follow("read.md")
    assert len(list((tmp_path / "runs/mini/bm25").glob("*.read-my-reader-*.jsonl.gz"))) == 7


def test_the_examples_of_the_guide_to_python_give_what_it_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    copy_recorded_runs(tmp_path)
    (tmp_path / "systems").symlink_to(ROOT / "systems")
    monkeypatch.chdir(tmp_path)
    examples = examples_of(ROOT / "docs/python.md")
    assert len(examples) >= 20
    told: list[str] = []
    doctest.DocTestRunner(optionflags=doctest.ELLIPSIS).run(
        doctest.DocTest(examples, {}, "python.md", "docs/python.md", 0, ""), out=told.append
    )
    assert not told, "".join(told)


def test_no_guide_has_examples_that_nobody_runs() -> None:
    run_by_tests = {"python.md", "published-errors.md"}
    assert {guide.name for guide in GUIDES if ">>> " in guide.read_text("utf-8")} == run_by_tests


def test_the_guide_to_training_lists_what_there_is() -> None:
    from harness.recipes.train.recipe import OBJECTIVES, Recipe
    from harness.recipes.train.sources import LANGUAGES

    text = (ROOT / "docs/train.md").read_text("utf-8")
    rows = dict(re.findall(r"^\| `([a-z-]+)` \|[^|]*\| ([a-z ]+) \|$", text, flags=re.MULTILINE))
    assert {kind: words.split() for kind, words in rows.items()} == {
        kind: sorted(own) for kind, own in LANGUAGES.items()
    }
    taught = {
        (kind, objective)
        for names, kinds in re.findall(r"^\| (`[a-z`, -]+`) \| ([a-z0-9, -]+) \|", text, flags=re.MULTILINE)
        for objective in re.findall(r"`([a-z-]+)`", names)
        for kind in kinds.split(", ")
        if kind in OBJECTIVES
    }
    assert taught == {(kind, objective) for kind, objectives in OBJECTIVES.items() for objective in objectives}
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
