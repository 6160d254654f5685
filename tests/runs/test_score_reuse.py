"""Scores are read again while nothing that they depend on changes, and made again when anything does."""

from __future__ import annotations

import gzip
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from scored_worlds import ANSWERS, QRELS, RANKINGS, World, collection_in, track_of

from harness.errors import InvalidInput
from harness.files.yaml_records import digest_of
from harness.runs import score as score_module
from harness.runs.manifest import run_file
from harness.runs.run_folder import RunFolder
from harness.runs.score import score_system
from harness.runs.score_file import ScoreFile
from harness.tracks import Track


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path, track_of(collection_in(tmp_path / "toy")))


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the systems that were scored rather than read."""
    calls: list[str] = []
    original = score_module._score

    def scored(run: RunFolder, context: Mapping[str, Any]) -> ScoreFile:
        calls.append(run.name)
        return original(run, context)

    monkeypatch.setattr(score_module, "_score", scored)
    return calls


def test_scores_are_reused_while_nothing_that_they_depend_on_changes(world: World, counted: list[str]) -> None:
    folder = world.run(RANKINGS)
    first = score_system(RunFolder(world.track, folder))
    assert score_system(RunFolder(world.track, folder)).values == first.values
    world.run(RANKINGS)  # the same bytes once more
    assert score_system(RunFolder(world.track, folder)).values == first.values
    assert counted == ["toy"]


def test_another_ranking_is_scored_again(world: World, counted: list[str]) -> None:
    folder = world.run(RANKINGS)
    before = score_system(RunFolder(world.track, folder)).values["fi", "RR"]["fi-1"]
    world.run({**RANKINGS, "fi": {**RANKINGS["fi"], "fi-1": ["d1", "d2"]}})
    after = score_system(RunFolder(world.track, folder)).values["fi", "RR"]["fi-1"]
    assert (before, after, counted) == (0.5, 1.0, ["toy", "toy"])


def test_one_changed_byte_of_a_run_is_refused(world: World, counted: list[str]) -> None:
    folder = world.run(RANKINGS)
    score_system(RunFolder(world.track, folder))
    path = run_file(folder, "fi")
    text = gzip.decompress(path.read_bytes())
    assert text.count(b" 1 2.0 ") == 1
    path.write_bytes(gzip.compress(text.replace(b" 1 2.0 ", b" 1 2.5 ")))
    with pytest.raises(InvalidInput, match=r"not the run that its manifest describes"):
        score_system(RunFolder(world.track, folder))
    assert counted == ["toy"]


def test_another_systems_folder_is_refused(world: World) -> None:
    world.run(RANKINGS).rename(world.home / "runs" / "copy")
    with pytest.raises(InvalidInput, match="tag 'toy'"):
        score_system(RunFolder(world.track, world.home / "runs" / "copy"))


def test_an_edited_score_file_is_scored_again(world: World) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    folder = world.run(RANKINGS)
    scores = score_system(RunFolder(world.track, folder))
    table = pq.read_table(folder / "scores.parquet")
    ones = pa.array([1.0] * table.num_rows)
    pq.write_table(table.set_column(table.column_names.index("value"), "value", ones), folder / "scores.parquet")
    assert score_system(RunFolder(world.track, folder)).values == scores.values


@pytest.mark.parametrize(
    "change",
    [
        {"version": 2, "measures": ["R@2t", "RR", "nDCG@10"]},
        {"version": 2, "measures": ["R@2t"]},
        {"version": 2},
        {"version": 2, "depth": 2},
        {"unit": "relevant passage"},
    ],
)
def test_another_definition_of_the_track_is_scored_again(
    change: dict[str, Any], world: World, counted: list[str]
) -> None:
    folder = world.run(RANKINGS)
    score_system(RunFolder(world.track, folder))
    changed = Track.model_validate({**world.track.model_dump(), **change})
    scores = score_system(RunFolder(changed, folder))
    assert counted == ["toy", "toy"]
    assert {measure for _, measure in scores.values} == set(changed.measures)


@pytest.mark.parametrize(
    ("truth", "value"),
    [({"qrels": {**QRELS, "fi-1": {"d2": 1}}}, 1.0), ({"answers": {**ANSWERS, "fi-1": ["Rome"]}}, 0.5)],
)
def test_other_judgements_or_answers_are_scored_again(
    truth: dict[str, Any], value: float, world: World, counted: list[str], tmp_path: Path
) -> None:
    folder = world.run(RANKINGS)
    score_system(RunFolder(world.track, folder))
    scores = score_system(RunFolder(track_of(collection_in(tmp_path / "fixed", **truth)), folder))
    assert counted == ["toy", "toy"]
    assert scores.values["fi", "RR"]["fi-1"] == value


def test_another_version_of_a_measure_is_scored_again(
    world: World, counted: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = world.run(RANKINGS)
    score_system(RunFolder(world.track, folder))
    monkeypatch.setattr("harness.measures.token_recall.tokenizer_version", lambda: "nltk of another day")
    assert (
        score_system(RunFolder(world.track, folder)).context["measures"]["R@2t"]
        == "token recall 1, nltk of another day"
    )
    assert counted == ["toy", "toy"]


def test_the_key_is_a_digest_of_all_the_rest(world: World) -> None:
    context = dict(score_system(RunFolder(world.track, world.run(RANKINGS))).context)
    key = context.pop("key")
    for result in ("warnings", "notes", "ties", "judged"):
        context.pop(result)
    assert key == digest_of(context)
