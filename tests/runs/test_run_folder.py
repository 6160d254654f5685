"""A run's folder: its files are read once for a command, and what is handed out is what the manifest describes."""

from __future__ import annotations

import io
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from scored_worlds import RANKINGS, World, collection_in, track_of
from small_track import Terminal, write_track

from harness.adapters.card import LoadedCard
from harness.errors import InvalidInput
from harness.runs.run_folder import Room, RunFolder
from harness.runs.score import score_system
from harness.runs.track_runs import TrackRuns


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path, track_of(collection_in(tmp_path / "data")))


@pytest.fixture
def xdr(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Terminal:
    write_track(tmp_path)
    monkeypatch.chdir(tmp_path)
    return Terminal(monkeypatch, capsys)


def replace_run(world: World, folder: Path, part: str, rankings: dict[str, list[str]]) -> None:
    """Another run of a part, in the place of the one that the manifest describes."""
    other = world.run({part: rankings}, "other")
    shutil.copy(other / f"{part}.trec.gz", folder / f"{part}.trec.gz")


@pytest.mark.parametrize("room", [None, Room(), Room(0), Room(5)], ids=["none", "usual", "no more", "little"])
def test_runs_are_read_alike_whether_or_not_their_lines_are_kept(world: World, room: Room | None) -> None:
    folder = world.run(RANKINGS)
    run = RunFolder(world.track, folder, room)
    run.check_files()
    for part, rankings in RANKINGS.items():
        for _ in range(2):
            found, _ = run.read(part)
            assert {query_id: list(ranked.doc_ids) for query_id, ranked in found.rankings.items()} == rankings
        assert run.heads(part, 1) == {query_id: tuple(ids[:1]) for query_id, ids in rankings.items()}


def test_a_file_that_changes_after_its_digest_was_taken_is_not_read(world: World) -> None:
    folder = world.run(RANKINGS)
    run = RunFolder(world.track, folder)
    run.check_files()
    replace_run(world, folder, "ja", {"ja-1": ["d1"]})
    with pytest.raises(InvalidInput, match="is not the run that its manifest describes"):
        run.read("ja")
    assert list(run.parse("ja")[0].rankings) == ["ja-1"], "whoever asks for the file as it is gets that"
    with pytest.raises(InvalidInput, match="is not the run that its manifest describes"):
        score_system(RunFolder(world.track, folder))


def test_all_files_that_are_others_are_named_together(world: World) -> None:
    folder = world.run(RANKINGS)
    for part in RANKINGS:
        replace_run(world, folder, part, {f"{part}-1": ["d1"]})
    for room in (None, Room()):
        with pytest.raises(InvalidInput) as caught:
            RunFolder(world.track, folder, room).check_files()
        assert [finding.where for finding in caught.value.findings] == ["fi.trec.gz", "ja.trec.gz"]


def test_what_was_written_is_read_anew(world: World) -> None:
    folder = world.run(RANKINGS)
    runs = TrackRuns(world.track, world.home, keeps_lines=True)
    run = runs.run("toy")
    assert run is runs.run("toy")
    run = RunFolder(world.track, folder, Room())
    assert run.manifest.card.description == ""
    run.check_files()
    with run.writing():
        world.run({"fi": {"fi-1": ["d3"]}}, description="changed")
    assert run.manifest.card.description == "changed"
    run.check_files()
    assert {query_id: list(ranked.doc_ids) for query_id, ranked in run.read("fi")[0].rankings.items()} == {
        "fi-1": ["d3"]
    }


def test_another_command_in_the_same_process_sees_what_has_changed(world: World) -> None:
    folder = world.run(RANKINGS)
    before = score_system(RunFolder(world.track, folder))
    world.run({**RANKINGS, "fi": {"fi-1": ["d1"]}})
    after = score_system(RunFolder(world.track, folder))
    assert before.values["fi", "RR"]["fi-1"] == 0.5
    assert after.values["fi", "RR"] == {"fi-1": 1.0, "fi-2": 0.0, "fi-3": 0.0}


def test_a_leaderboard_of_recorded_runs_opens_each_file_once_and_makes_each_system_once(
    xdr: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = ("leaderboard", "track.toml")
    assert xdr(*command).status == 0
    opened, made = Counter[str](), Counter[str]()
    open_file, make = Path.open, LoadedCard.made_by

    def counted_open(path: Path, *arguments: Any, **options: Any) -> io.IOBase:
        if path.name == "manifest.yaml" or path.name.endswith(".trec.gz"):
            opened["/".join(path.parts[-2:])] += 1
        return open_file(path, *arguments, **options)  # type: ignore[return-value]

    def counted_make(card: LoadedCard, adapter: Any) -> Any:
        made[card.card.name] += 1
        return make(card, adapter)

    monkeypatch.setattr(Path, "open", counted_open)
    monkeypatch.setattr(LoadedCard, "made_by", counted_make)
    assert xdr(*command).status == 0
    runs = {name: count for name, count in opened.items() if name.endswith(".trec.gz")}
    assert runs
    # A run file is read once, and once more copied to the pages as it is.
    assert set(runs.values()) == {2}
    # So is a manifest.
    assert {count for name, count in opened.items() if name.endswith("manifest.yaml")} == {2}
    assert made
    assert set(made.values()) == {1}
