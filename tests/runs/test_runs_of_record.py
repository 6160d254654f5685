"""The committed runs are those that today's cards, data and models give."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from recorded import copy_recorded_runs

from harness.adapters.card import load_card
from harness.adapters.contract import Context
from harness.leaderboard.freshness import stale_files
from harness.leaderboard.pipeline import recorded_systems
from harness.runs.execute import run_system
from harness.runs.intended import Wishes, intentions
from harness.runs.manifest import Manifest, read_manifest, run_file
from harness.runs.run_folder import RunFolder
from harness.runs.score import score_system
from harness.runs.score_file import read_scores
from harness.runs.track_runs import TrackRuns
from harness.runs.trec import read_run
from harness.tracks import load_track

TRACK = load_track("mini")


@pytest.fixture(scope="module")
def recorded_runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return copy_recorded_runs(tmp_path_factory.mktemp("recorded"))


def test_every_row_of_the_embedded_track_has_its_run(recorded_runs: Path) -> None:
    assert set(recorded_systems(TrackRuns(TRACK, recorded_runs))) >= set(TRACK.systems)


@pytest.mark.parametrize("name", TRACK.systems)
def test_no_recorded_run_is_stale(tmp_path: Path, recorded_runs: Path, name: str) -> None:
    shutil.copytree(recorded_runs / "mini" / name, tmp_path / "mini" / name)
    context = Context(cache=tmp_path / "cache", work=tmp_path / "work")
    assert run_system(TrackRuns(TRACK, tmp_path), load_card(name), context, strict=False).reused


def test_recorded_rows_are_shown_where_their_models_are_not(
    tmp_path: Path, recorded_runs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An empty cache and no way to fill it: nothing is fetched, converted or run for a row that is recorded."""
    monkeypatch.setenv("XDR_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    context = Context(cache=tmp_path / "cache", work=tmp_path / "work")
    cards = [load_card(name) for name in TRACK.systems]
    intended = intentions(TrackRuns(TRACK, recorded_runs), cards, context, Wishes())
    assert [(one.card.card.name, one.replacing) for one in intended] == [(name, None) for name in TRACK.systems]
    assert [one.notes for one in intended] == [("recorded run",)] * len(TRACK.systems)
    assert not {path.name for path in (tmp_path / "home").glob("*")} & {"data", "models", "vectors"}


def test_copies_of_the_passage_change_no_score_of_the_real_model(recorded_runs: Path) -> None:
    """The control of record: (1 - 0.2) p + 0.2 * 21 p is 5 p, up to the rounding of half precision."""
    plain, copies = (recorded_runs / "mini" / f"me5-small-q4{end}" for end in ("", "-self-copy"))
    compared = 0
    for part in TRACK.parts:
        one, two = (read_run(run_file(folder, part.name))[0].rankings for folder in (plain, copies))
        for query, ranking in one.items():
            scores, grown = (dict(zip(r.doc_ids, r.scores, strict=True)) for r in (ranking, two[query]))
            shared = scores.keys() & grown.keys()
            compared += len(shared)
            assert [grown[doc] / 5 for doc in shared] == pytest.approx([scores[doc] for doc in shared], abs=1e-4)
    assert compared > 0.98 * 560 * TRACK.depth


def test_the_recorded_scores_and_tables_are_those_of_the_runs(recorded_runs: Path) -> None:
    """What `xdr leaderboard mini --check` says: all of it is computed again from the run files."""
    assert stale_files(TrackRuns(TRACK, recorded_runs)) == []


def instruction_sets(manifest: Manifest) -> set[str]:
    """Those by which kernels for 32-bit floats are chosen; BM25 has none, its rankings are the same everywhere."""
    named = manifest.platform.hardware.cpu.instruction_sets.split()
    return {name for name in named if not name.endswith(("_vnni", "_bf16"))}


@pytest.mark.parametrize("name", ["bm25", "mini-xdr-xqg"])
def test_a_row_can_be_made_again(tmp_path: Path, recorded_runs: Path, name: str) -> None:
    """The same ranking on a processor with the recorded instruction sets; elsewhere scores within the track's tolerance."""
    context = Context(cache=tmp_path / "cache", work=tmp_path / "work", workers=2)
    outcome = run_system(TrackRuns(TRACK, tmp_path / "runs"), load_card(name), context)
    recorded, again = read_manifest(recorded_runs / "mini" / name), read_manifest(outcome.folder)
    same_machine = instruction_sets(recorded) == instruction_sets(again) or name == "bm25"
    if same_machine:
        assert {part: record.ranking for part, record in again.data.items()} == {
            part: record.ranking for part, record in recorded.data.items()
        }
    scores = score_system(RunFolder(TRACK, outcome.folder))
    before = read_scores(recorded_runs / "mini" / name / "scores.parquet")
    for part in TRACK.parts:
        one, two = (found.values[part.name, TRACK.primary] for found in (scores, before))
        rmse = (sum((one[query] - two[query]) ** 2 for query in one) / len(one)) ** 0.5
        assert rmse <= 0.15, f"{part.name}: more than a question or two of 80 changed sides"
    if not same_machine:
        pytest.skip("scores agree; rankings cannot be compared: another processor adds floats in another order")
