"""Scores that came with a row are not believed: they are held against the run, whoever wrote the file."""

from __future__ import annotations

import gzip
import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import command_line
import pytest
from made_once import MadeOnce, made_once
from scored_worlds import RANKINGS, World, collection_in, track_of
from small_track import Terminal, write_track

from harness.errors import InvalidInput
from harness.files.writing import cache_home
from harness.runs.own_scores import disagreement, is_own
from harness.runs.run_folder import RunFolder
from harness.runs.score import score_system, scores_at_hand
from harness.runs.score_file import FILE_NAME, ScoreFile, read_scores, write_scores
from harness.submissions.row_check import score_file_findings


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path, track_of(collection_in(tmp_path / "toy")))


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> MadeOnce:
    def make(place: Path) -> None:
        write_track(place)
        made = command_line.xdr("leaderboard", "track.toml", cwd=place)
        assert made.returncode == 0, made.stderr

    return made_once(tmp_path_factory.mktemp("recorded"), make)


@pytest.fixture
def xdr(recorded: MadeOnce, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Terminal:
    """A folder with a recorded track of two rows."""
    recorded.put_back(monkeypatch)
    return Terminal(monkeypatch, capsys)


def all_alike(scores: ScoreFile) -> ScoreFile:
    return replace(scores, values={key: dict.fromkeys(values, 0.125) for key, values in scores.values.items()})


def tie_in_favour(scores: ScoreFile) -> ScoreFile:
    return replace(scores, context={**scores.context, "ties": {"fi": {"queries": 1, "worst": 1.0, "best": 1.0}}})


def all_judged(scores: ScoreFile) -> ScoreFile:
    return replace(scores, context={**scores.context, "judged": {"fi": {"Judged@10": 1.0}}})


def one_unit_each(scores: ScoreFile) -> ScoreFile:
    return replace(scores, units={(part, query): (query, f"own-{query}") for part, query in scores.units})


def forge(path: Path, change: Callable[[ScoreFile], ScoreFile]) -> None:
    """Write other scores with all the digests that fit."""
    write_scores(path, change(read_scores(path)))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (all_alike, "are not those of the run"),
        (tie_in_favour, "'ties'"),
        (all_judged, ""),
        (one_unit_each, "units"),
    ],
)
def test_forged_scores_with_fitting_digests_are_made_again_and_named(
    world: World, change: Callable[[ScoreFile], ScoreFile], said: str
) -> None:
    folder = world.run(RANKINGS)
    right = score_system(RunFolder(world.track, folder))
    forge(folder / FILE_NAME, change)
    found = score_system(RunFolder(world.track, folder))
    assert said in found.corrected
    assert (found.values, found.units, found.context) == (right.values, right.units, right.context)
    assert read_scores(folder / FILE_NAME).values == right.values
    assert score_system(RunFolder(world.track, folder)).corrected == ""


def test_a_file_of_another_machine_is_made_again_once(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = world.run(RANKINGS)
    key = str(score_system(RunFolder(world.track, folder)).context["key"])
    assert is_own(folder / FILE_NAME, key)
    monkeypatch.setenv("XDR_HOME", str(world.home / "another machine"))
    assert not is_own(folder / FILE_NAME, key)
    assert score_system(RunFolder(world.track, folder)).corrected == ""
    assert is_own(folder / FILE_NAME, key)


def test_a_damaged_note_is_no_trust(world: World) -> None:
    folder = world.run(RANKINGS)
    key = str(score_system(RunFolder(world.track, folder)).context["key"])
    (cache_home() / "scores" / key).write_bytes(b"\xff\xfe")
    assert not is_own(folder / FILE_NAME, key)


def test_scores_of_other_inputs_are_old_and_not_wrong(world: World) -> None:
    folder = world.run(RANKINGS)
    before = folder / "before.parquet"
    score_system(RunFolder(world.track, folder))
    (folder / FILE_NAME).rename(before)
    world.run({**RANKINGS, "fi": {**RANKINGS["fi"], "fi-1": ["d1", "d2"]}})
    shutil.copy(before, folder / FILE_NAME)
    today = score_system(RunFolder(world.track, folder))
    assert today.corrected == ""
    assert "are not those of the run" in disagreement(before, today), "but whoever asks is told"


def test_forged_scores_that_say_they_are_of_something_else_are_named_where_a_row_is_judged(world: World) -> None:
    folder = world.run(RANKINGS)
    today = score_system(RunFolder(world.track, folder))
    forge(folder / FILE_NAME, lambda scores: all_alike(replace(scores, context={**scores.context, "key": "0" * 64})))
    (finding,) = score_file_findings(folder / FILE_NAME, today)
    assert finding.severity == "error"
    with pytest.raises(InvalidInput, match="does not hold the scores of the run beside it"):
        scores_at_hand(RunFolder(world.track, folder))
    assert score_system(RunFolder(world.track, folder)).values == today.values


def test_the_last_digits_of_another_machine_are_no_disagreement(world: World) -> None:
    folder = world.run(RANKINGS)
    today = score_system(RunFolder(world.track, folder))
    moved = {key: {q: value * (1 + 1e-14) for q, value in values.items()} for key, values in today.values.items()}
    write_scores(folder / FILE_NAME, replace(today, values=moved))
    assert disagreement(folder / FILE_NAME, today) == ""


def test_a_comparison_of_runs_refuses_forged_scores(world: World) -> None:
    folder = world.run(RANKINGS)
    score_system(RunFolder(world.track, folder))
    forge(folder / FILE_NAME, all_alike)
    with pytest.raises(InvalidInput, match="does not hold the scores of the run beside it"):
        scores_at_hand(RunFolder(world.track, folder))


def test_every_command_names_forged_scores_and_shows_the_right_ones(xdr: Terminal) -> None:
    row = Path("runs/rivers/dummy")
    right = xdr("report", str(row), "--track", "track.toml").out
    for command, status in (
        (("report", str(row), "--track", "track.toml"), 0),
        (("score", "track.toml"), 0),
        (("compare", "track.toml"), 0),
        (("leaderboard", "track.toml"), 0),
        (("validate", str(row), "--track", "track.toml"), 1),
        (("leaderboard", "track.toml", "--check"), 1),
        (("reproduce", str(row), "--track", "track.toml"), 1),
        (("diff", str(row), "runs/rivers/bm25", "--track", "track.toml"), 1),
    ):
        forge(row / FILE_NAME, all_alike)
        ended = xdr(*command)
        assert "scores of the run beside it" in ended.err, command
        assert ended.status == status, command
        if command[0] == "report":
            assert ended.out == right


def spoil(path: Path) -> None:
    """Exchange two passages of the first question."""
    lines = gzip.decompress(path.read_bytes()).decode().splitlines()
    first, second = lines[0].split(" "), lines[1].split(" ")
    first[2], second[2] = second[2], first[2]
    path.write_bytes(gzip.compress("\n".join([" ".join(first), " ".join(second), *lines[2:], ""]).encode()))


def test_a_run_that_is_not_its_manifests_is_named_by_validate_and_diff(xdr: Terminal) -> None:
    spoil(Path("runs/rivers/dummy/fi.trec.gz"))
    for command in (
        ("validate", "runs/rivers/dummy", "--track", "track.toml"),
        ("validate", "runs/rivers", "--track", "track.toml"),
        ("diff", "runs/rivers/dummy", "runs/rivers/bm25", "--track", "track.toml"),
    ):
        ended = xdr(*command)
        assert ended.status == 1, command
        assert "fi.trec.gz: its digest is" in ended.err, command
        assert "/scratch" not in ended.err
        assert str(cache_home()) not in ended.err, "the user's own folder is named, not a copy"


def test_validate_names_everything_that_is_wrong_with_a_row(xdr: Terminal) -> None:
    row = Path("runs/rivers/dummy")
    (row / "xx.trec.gz").write_bytes(gzip.compress(b""))
    (row / "fi.trec.gz").write_bytes(gzip.compress(b"q1 Q0 nile 1 1\nq9 Q0 nile 1 1 dummy\n"))
    (row / "withdrawn.toml").write_text("reason = 3\n")
    (row / "reproductions").mkdir()
    (row / "reproductions" / "forged.yaml").write_text("verdict: identical\n")
    ended = xdr("validate", str(row), "--track", "track.toml")
    assert ended.status == 1
    for said in ("xx.trec.gz", "fi.trec.gz:1:", "fi.trec.gz:2:", "its digest is", "withdrawn.toml", "forged.yaml"):
        assert said in ended.err, said


def test_a_row_in_order_and_a_whole_track_are_valid(xdr: Terminal) -> None:
    assert xdr("validate", "runs/rivers/bm25", "--track", "track.toml").status == 0
    ended = xdr("validate", "runs/rivers", "--track", "track.toml")
    assert (ended.status, "2 of 2 rows are valid" in ended.err) == (0, True)


def test_an_export_of_a_leaderboard_from_elsewhere_says_so(xdr: Terminal) -> None:
    assert "was not made on this machine" not in xdr("export", "runs/rivers", "--format", "csv").err
    table = Path("runs/rivers/leaderboard.json")
    table.write_text(table.read_text().replace("BM25", "Best"))
    ended = xdr("export", "runs/rivers", "--format", "csv")
    assert ended.status == 0
    assert "was not made on this machine" in ended.err


def test_an_export_of_a_spoilt_snapshot_says_so(xdr: Terminal) -> None:
    assert xdr("leaderboard", "track.toml", "--freeze", "first").status == 0
    snapshot = Path("runs/rivers/snapshots/first")
    assert xdr("export", str(snapshot), "--format", "csv").err == ""
    table = snapshot / "leaderboard.json"
    table.write_text(table.read_text().replace("BM25", "Best"))
    assert "not the file that was frozen" in xdr("export", str(snapshot), "--format", "csv").err


def ablations_of(values: dict[str, float], macro: float, interval: object = None, **parameters: object) -> None:
    point = {"x": "1", "parameters": parameters, "values": values, "macro": macro, "interval": interval}
    figure = {"name": "n", "title": "", "x_label": "", "caption": "", "series": [{"label": "all", "points": [point]}]}
    content = {
        "schema_version": 1, "track": {"name": "rivers", "version": 1}, "measure": "Success@1", "card": "bm25",
        "figures": [figure],
    }  # fmt: skip
    Path("runs/rivers/ablations.json").write_text(json.dumps(content))


def test_ablations_that_contradict_the_row_or_themselves_are_stale(xdr: Terminal) -> None:
    scores = read_scores(Path("runs/rivers/bm25") / FILE_NAME)
    right = {part: float(scores.mean(part, "Success@1") or 0) for part in ("fi", "ru")}
    macro = sum(right.values()) / 2
    check = ("leaderboard", "track.toml", "--check")
    ablations_of(right, macro)
    assert xdr(*check).status == 0
    board = json.loads(Path("runs/rivers/leaderboard.json").read_text())
    (own,) = (row["cells"]["Success@1"]["macro"]["interval"] for row in board["rows"] if row["system"] == "bm25")
    ablations_of(right, macro, own)
    assert xdr(*check).status == 0
    ablations_of(right, macro, {**own, "upper": own["upper"] - 0.01})
    assert "the interval is not that of bm25" in xdr(*check).err
    ablations_of({**right, "fi": right["fi"] + 0.25}, macro + 0.125)
    assert "fi is not the score of bm25" in xdr(*check).err
    ablations_of({**right, "fi": right["fi"] + 0.25}, macro + 0.125, k1=3.0)
    assert xdr(*check).status == 0, "another run, which nothing here can tell"
    ablations_of(right, macro + 0.125, k1=3.0)
    ended = xdr(*check)
    assert (ended.status, "the macro average is not that of its parts" in ended.err) == (1, True)
    Path("runs/rivers/ablations.json").write_text("[]")
    assert "ablations.json" in xdr(*check).err
