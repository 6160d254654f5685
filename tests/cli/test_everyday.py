"""What people look for every day: what a track asks and what is here of it, its table, two runs side by side, rows alike."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from small_track import OTHER_CARD, Terminal, bytes_in, write_track

from harness.compare.estimates import difference_interval, table_of
from harness.compare.pair_report import own_p
from harness.compare.records import MACRO
from harness.numbers import percent
from harness.runs.score_file import read_scores
from harness.tracks import load_track

ROOT = Path(__file__).parents[2]


@pytest.fixture
def xdr(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Terminal:
    write_track(tmp_path)
    monkeypatch.chdir(tmp_path)
    return Terminal(monkeypatch, capsys)


def test_a_track_is_told_with_its_parts_measures_and_systems(xdr: Terminal) -> None:
    ended = xdr("list", "track.toml")
    assert ended.status == 0
    rows = [line.split() for line in ended.out.splitlines()]
    assert ["fi", "fi", "folder(fi):data", "2"] in rows
    assert ["ru", "ru", "folder(ru):data", "1"] in rows
    assert "measures: Success@1, RR@10, R@10t (primary: Success@1)" in ended.out
    found = json.loads(xdr("list", "track.toml", "--json").out)
    assert (found["depth"], found["baseline"], found["systems"]) == (2, "bm25", ["bm25", "dummy"])
    assert [part["queries"] for part in found["parts"]] == [2, 1]


def test_a_track_whose_data_is_elsewhere_says_so_once_and_fetches_nothing(tmp_path: Path) -> None:
    # In a process of its own: this one may have read the collection, and keeps what it read.
    environment = {**os.environ, "XDR_HOME": str(tmp_path / "empty"), "HTTPS_PROXY": "http://127.0.0.1:9"}
    command = [sys.executable, "-m", "harness", "list", "xquad"]
    ended = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert ended.returncode == 0
    [line] = ended.stderr.splitlines()
    assert line.startswith(
        "not here: ar, de, en, es, hi, ru, tr, zh: files of xquad are not in the cache; `xdr data fetch"
    )


def test_a_misspelt_track_is_no_kind_of_list(xdr: Terminal) -> None:
    assert xdr("list", "nonsense").status == 2


@pytest.mark.parametrize(
    "words",
    [
        ("list", ""),
        ("run", "track.toml", "bm25", "--runs", ""),
        ("run", "track.toml", "bm25", ""),
        ("leaderboard", "track.toml", "bm25", "--reports", " "),
        ("study", "track.toml", "--languages", ""),
        ("data", "list", ""),
    ],
)
def test_what_a_shell_makes_of_a_variable_without_a_value_is_refused(words: tuple[str, ...], xdr: Terminal) -> None:
    before = bytes_in(Path())
    ended = xdr(*words)
    assert (ended.status, "it is empty; say what it is to be, or leave it out" in ended.err) == (2, True), ended.err
    assert bytes_in(Path()) == before


def test_the_table_is_shown_with_ones_own_row_and_again_without_a_run(xdr: Terminal) -> None:
    made = xdr("leaderboard", "track.toml", "other.toml")
    assert made.out.splitlines()[-1] == "reports/rivers/index.html"
    (pointed,) = (line for line in made.out.splitlines() if "> " in line)
    assert "Other" in pointed
    before = bytes_in(Path("runs"))
    shown = xdr("report", "runs/rivers", "--track", "track.toml")
    assert shown.status == 0
    lines = [line.replace("> ", "").split() for line in made.out.splitlines()[:-1]]
    assert [line.split() for line in shown.out.splitlines()[1:]] == lines
    assert bytes_in(Path("runs")) == before
    assert xdr("report", "runs").status == 1
    assert xdr("report", "nonsense").status == 2


def test_rows_of_one_title_and_runs_of_one_ranking_are_told_apart(xdr: Terminal) -> None:
    Path("other.toml").write_text(OTHER_CARD.replace('"Other"', '"Dummy (order of a hash)"'))
    ended = xdr("leaderboard", "track.toml", "other.toml")
    assert "dummy and other have one title, 'Dummy (order of a hash)'; tables add their names" in ended.err
    assert "dummy and other have the same rankings in every language" in ended.err
    assert "bm25 and" not in ended.err.replace("bm25 and dummy have one", "")
    for place in (Path("runs/rivers/leaderboard.md"), Path("reports/rivers/index.html")):
        text = place.read_text("utf-8")
        assert "Dummy (order of a hash) (other)" in text
        assert "Dummy (order of a hash) (dummy)" in text


def test_two_runs_are_compared_with_interval_and_p_also_on_the_macro_average(xdr: Terminal) -> None:
    xdr("leaderboard", "track.toml")
    one, two = Path("runs/rivers/bm25"), Path("runs/rivers/dummy")
    found = json.loads(xdr("diff", str(one), str(two), "--track", "track.toml", "--json").out)
    track, scores = load_track("track.toml"), [read_scores(path / "scores.parquet") for path in (one, two)]
    means = {(mean["measure"], mean["part"]): mean for mean in found["means"]}
    assert set(means) == {(measure, column) for measure in track.measures for column in (MACRO, "fi", "ru")}
    for (measure, column), mean in means.items():
        differences, _ = table_of(track, scores[1], scores[0], column, measure)
        assert differences is not None
        interval = difference_interval(track, scores[1], scores[0], column, measure)
        assert mean["p"] == own_p(track, differences)[0]
        assert mean["interval"] == ([interval.lower, interval.upper] if interval else None)
        assert mean["two"] - mean["one"] == pytest.approx(differences.macro)
    macro = means["Success@1", MACRO]
    text = xdr("diff", str(one), str(two), "--track", "track.toml").out
    assert ["Success@1", "macro", percent(macro["one"], 2), percent(macro["two"], 2)] in [
        line.split()[:4] for line in text.splitlines()
    ]


def test_a_track_is_exported_part_by_part_and_validated_by_its_name(xdr: Terminal) -> None:
    assert xdr("data", "export", "track.toml", "out").status == 0
    assert {path.name for path in Path("out").iterdir()} == {"fi", "ru"}
    assert Path("out/ru/queries.jsonl").read_text("utf-8").count("\n") == 1
    again = xdr("data", "export", "track.toml", "out")
    assert (again.status, "exists already" in again.err) == (2, True)
    assert xdr("data", "export", "track.toml", ".").status == 2, "no parts among somebody's files"
    assert xdr("validate", "mini").status == 2
    shutil.copytree(ROOT / "runs" / "mini", "runs/mini")
    assert "rows are valid" in xdr("validate", "mini").err


def test_what_there_is_is_listed_with_the_languages_of_a_collection_on_one_line(xdr: Terminal) -> None:
    shown = xdr("list", "collections").out.splitlines()
    listed = [entry["name"] for entry in json.loads(xdr("list", "collections", "--json").out)["collections"]]
    assert any(line.split()[:4] == ["xdr-mini/", "ar", "ar/dev", "bn"] for line in shown)
    assert len(shown) == 1 + len({name.partition("/")[0] for name in listed})
    told = {f"{line.split()[0]}{tail}" for line in shown if line.split()[0].endswith("/") for tail in line.split()[1:]}
    assert told == {name for name in listed if "/" in name}
