"""Scores: stored and read back unchanged, made again when anything they depend on changes, zeros and dashes apart."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from scored_worlds import ANSWERS, DOCS, QRELS, RANKINGS, World, collection_in, track_of

from harness.errors import InvalidInput
from harness.runs.run_folder import RunFolder
from harness.runs.score import score_system
from harness.runs.score_file import FILE_NAME, read_scores, write_scores


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path, track_of(collection_in(tmp_path / "toy")))


# -- values


def test_values_are_those_of_the_measures_by_query(world: World) -> None:
    scores = score_system(RunFolder(world.track, world.run(RANKINGS)))
    assert scores.values == {
        ("fi", "R@2t"): {"fi-1": 0.0, "fi-2": 1.0},
        ("fi", "RR"): {"fi-1": 1 / 2, "fi-2": 1.0, "fi-3": 1 / 3},
        ("ja", "R@2t"): {"ja-1": 1.0, "ja-2": 0.0},
        ("ja", "RR"): {"ja-1": 1.0, "ja-2": 1 / 2},
    }
    assert scores.mean("fi", "RR") == pytest.approx(11 / 18)
    assert scores.mean("fi", "nDCG@10") is scores.mean("te", "RR") is None
    assert scores.langs == {"fi": "fi", "ja": "ja"}


def test_shares_of_judged_passages_are_told_only_where_a_pool_was_judged(tmp_path: Path) -> None:
    """With one relevant passage a question and nothing else judged, the share is small by construction and says nothing."""
    sparse, pooled = QRELS, {**QRELS, "fi-1": {"d1": 1, "d2": 0}}
    shares = []
    for name, qrels in (("sparse", sparse), ("pooled", pooled)):
        track = track_of(collection_in(tmp_path / name, qrels=qrels), ("fi",), measures=["P@2"], primary="P@2")
        folder = World(tmp_path / f"runs-{name}", track).run({"fi": RANKINGS["fi"]})
        shares.append(score_system(RunFolder(track, folder)).judged)
    assert shares == [{"fi": {}}, {"fi": {"Judged@2": pytest.approx(2 / 3)}}]


def test_passages_below_the_tracks_depth_are_ignored(world: World) -> None:
    deep = {"fi": {"fi-1": ["d2", "d3", "d4", "d1"]}, "ja": RANKINGS["ja"]}
    scores = score_system(RunFolder(world.track, world.run(deep)))
    assert scores.values["fi", "RR"]["fi-1"] == 0.0


def test_a_query_missing_from_the_run_counts_0_and_stays_in_the_denominator(world: World) -> None:
    scores = score_system(RunFolder(world.track, world.run({"fi": {"fi-2": ["d2"]}, "ja": RANKINGS["ja"]})))
    assert scores.values["fi", "RR"] == {"fi-1": 0.0, "fi-2": 1.0, "fi-3": 0.0}
    assert scores.mean("fi", "RR") == pytest.approx(1 / 3)
    assert any("2 of 3 queries are missing" in warning for warning in scores.context["warnings"]["fi"])


def test_a_language_that_is_declared_but_was_not_run_counts_0(world: World) -> None:
    scores = score_system(RunFolder(world.track, world.run({"fi": RANKINGS["fi"]})))
    assert scores.values["ja", "RR"] == {"ja-1": 0.0, "ja-2": 0.0}
    assert scores.mean("ja", "R@2t") == 0.0
    (warning,) = scores.context["warnings"]["ja"]
    assert "no run, though the card declares the language" in warning


def test_a_language_that_is_not_declared_is_absent(world: World) -> None:
    scores = score_system(RunFolder(world.track, world.run({"fi": RANKINGS["fi"]}, languages=["fi"])))
    assert scores.parts == ["fi"]
    assert scores.mean("ja", "RR") is None


def test_a_part_that_the_track_lost_is_refused_under_its_version_and_left_out_under_the_next(world: World) -> None:
    folder = world.run(RANKINGS)
    only_fi = world.track.model_copy(update={"parts": world.track.parts[:1]})
    with pytest.raises(InvalidInput, match=r"parts: \['fi', 'ja'\] -> \['fi'\]"):
        score_system(RunFolder(only_fi, folder))
    assert score_system(RunFolder(only_fi.model_copy(update={"version": 2}), folder)).parts == ["fi"]


def test_a_run_of_other_passages_or_questions_is_refused(world: World, tmp_path: Path) -> None:
    folder = world.run(RANKINGS)
    others = track_of(collection_in(tmp_path / "other", docs={**DOCS, "d4": "no longer empty"}))
    with pytest.raises(InvalidInput) as caught:
        score_system(RunFolder(others, folder))
    assert [(finding.where, finding.what[:5]) for finding in caught.value.findings] == [
        ("part fi", "docs:"),
        ("part ja", "docs:"),
    ]
    lacking = score_system(RunFolder(others.model_copy(update={"version": 2}), folder)).lacking
    assert lacking["ja"] == "the run was made for version 1 of the track, whose ja had other passages or questions"


def test_a_measure_that_the_collection_cannot_serve_is_refused(tmp_path: Path) -> None:
    track = track_of(collection_in(tmp_path / "toy", answers=None))
    with pytest.raises(InvalidInput, match=r"lacks the judgements or answers for R@2t"):
        score_system(RunFolder(track, World(tmp_path, track).run(RANKINGS)))


# -- units


def test_the_unit_is_the_topic_by_default(world: World) -> None:
    scores = score_system(RunFolder(world.track, world.run(RANKINGS)))
    assert scores.units["fi", "fi-1"] == scores.units["ja", "ja-1"] == ("1", "1")
    assert len(scores.units) == 5


def test_the_unit_may_be_the_relevant_passage(tmp_path: Path) -> None:
    track = track_of(collection_in(tmp_path / "toy"), unit="relevant passage")
    scores = score_system(RunFolder(track, World(tmp_path, track).run(RANKINGS)))
    # The first topic asks for d1 in one language and for d5 in another, and d1 is asked for by the third, too.
    assert {query_id: unit for (_, query_id), unit in scores.units.items()} == {
        "fi-1": ("1", "d1"), "fi-2": ("2", "d2"), "fi-3": ("3", "d1"), "ja-1": ("1", "d1"), "ja-2": ("2", "d2"),
    }  # fmt: skip


@pytest.mark.parametrize(
    ("grades", "units"),
    [
        ({"d1": 1, "d2": 1}, ["d1", "d1", "d1", "d1", "d1"]),
        ({"d1": 0}, ["d5", "d2", "d1", "d5", "d2"]),
    ],
)
def test_queries_that_share_any_of_several_passages_are_one_unit(
    grades: dict[str, int], units: list[str], tmp_path: Path
) -> None:
    folder = collection_in(tmp_path / "toy", qrels={**QRELS, "fi-1": grades})
    track = track_of(folder, unit="relevant passage")
    scores = score_system(RunFolder(track, World(tmp_path, track).run(RANKINGS)))
    assert [unit for _, unit in scores.units.values()] == units


# -- the file


def test_a_score_file_reads_back_as_it_was_written(world: World) -> None:
    folder = world.run(RANKINGS)
    made = score_system(RunFolder(world.track, folder))
    read = read_scores(folder / FILE_NAME)
    assert read.system == made.system == "toy"
    assert read.values == made.values
    assert read.units == made.units
    assert read.langs == made.langs
    assert read.context == made.context
    assert list(read.parts) == list(made.parts)


def test_scores_just_computed_and_scores_read_have_their_context_in_the_same_order(world: World) -> None:
    """Else a leaderboard that was killed after its first score files has other bytes than an undisturbed one."""
    folder = world.run(RANKINGS)
    fresh, read = score_system(RunFolder(world.track, folder)), read_scores(folder / FILE_NAME)
    for name, content in fresh.context.items():
        assert json.dumps(content) == json.dumps(read.context[name])
    assert fresh.parts == read.parts


def test_a_part_without_scored_questions_survives_the_file(tmp_path: Path) -> None:
    folder = collection_in(tmp_path / "toy", answers={**ANSWERS, "ja-1": ["yes"], "ja-2": ["no"]})
    track = track_of(folder, measures=["R@2t"])
    run = World(tmp_path, track).run(RANKINGS)
    made = score_system(RunFolder(track, run))
    read = read_scores(run / FILE_NAME)
    assert set(made.parts) == set(read.parts) == {"fi", "ja"}
    assert made.mean("ja", "R@2t") is read.mean("ja", "R@2t") is None


def test_the_bytes_of_a_score_file_are_reproducible(world: World) -> None:
    folder = world.run(RANKINGS)
    score_system(RunFolder(world.track, folder))
    first = (folder / FILE_NAME).read_bytes()
    (folder / FILE_NAME).unlink()
    scores = score_system(RunFolder(world.track, folder))
    assert (folder / FILE_NAME).read_bytes() == first
    write_scores(folder / "again.parquet", read_scores(folder / FILE_NAME))
    assert (folder / "again.parquet").read_bytes() == first
    assert scores.context["key"] == json.loads(json.dumps(scores.context))["key"]


def test_a_score_file_is_readable_by_any_parquet_reader(world: World) -> None:
    import pyarrow.parquet as pq

    folder = world.run(RANKINGS)
    score_system(RunFolder(world.track, folder))
    rows = pq.read_table(folder / FILE_NAME).to_pylist()
    assert {
        "part": "fi",
        "lang": "fi",
        "query_id": "fi-1",
        "topic": "1",
        "unit": "1",
        "measure": "RR",
        "value": 0.5,
    } in rows
    assert len(rows) == 9


@pytest.mark.parametrize("content", [b"", b"PAR1", b"not Parquet at all, but long enough to look for a footer"])
def test_what_is_no_score_file_is_refused_and_scored_again(content: bytes, world: World) -> None:
    folder = world.run(RANKINGS)
    expected = score_system(RunFolder(world.track, folder)).values
    (folder / FILE_NAME).write_bytes(content)
    with pytest.raises(InvalidInput, match="not a score file"):
        read_scores(folder / FILE_NAME)
    assert score_system(RunFolder(world.track, folder)).values == expected
    assert read_scores(folder / FILE_NAME).values == expected


@pytest.mark.parametrize("metadata", [{"xdr": '{"schema_version": 1}'}, {"xdr": "[]"}, {"xdr": "{"}, {}])
def test_a_parquet_file_of_another_kind_is_refused_and_scored_again(metadata: dict[str, str], world: World) -> None:
    import pyarrow.parquet as pq

    folder = world.run(RANKINGS)
    expected = score_system(RunFolder(world.track, folder)).values
    table = pq.read_table(folder / FILE_NAME)
    pq.write_table(table.replace_schema_metadata(metadata), folder / FILE_NAME)
    with pytest.raises(InvalidInput):
        read_scores(folder / FILE_NAME)
    assert score_system(RunFolder(world.track, folder)).values == expected


def test_a_score_file_can_be_written_and_read_without_any_score(tmp_path: Path, world: World) -> None:
    scores = score_system(RunFolder(world.track, world.run(RANKINGS)))
    empty = replace(scores, values={}, units={})
    write_scores(tmp_path / "empty.parquet", empty)
    assert read_scores(tmp_path / "empty.parquet") == empty
