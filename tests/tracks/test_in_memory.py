"""Collections and tracks of records that are at hand, without a file: the same digests and scores as those of files."""

from __future__ import annotations

from pathlib import Path

import pytest
import scored_worlds as worlds

from harness.collections.in_memory import collection_of
from harness.collections.view import Collection
from harness.errors import InvalidInput
from harness.records import Doc, Query
from harness.runs.run_folder import RunFolder
from harness.runs.score import score_system
from harness.tracks import Part, Track
from harness.tracks.check import check_track


def at_hand(lang: str) -> Collection:
    docs = [Doc(doc_id, "", text) for doc_id, text in worlds.DOCS.items()]
    own = [query_id for query_id, spoken in worlds.QUERIES.items() if spoken == lang]
    queries = [Query(query_id, "?", lang, query_id.split("-")[-1]) for query_id in own]
    qrels = {query_id: worlds.QRELS[query_id] for query_id in own}
    return collection_of(docs, queries, qrels=qrels, answers={query_id: worlds.ANSWERS[query_id] for query_id in own})


def track_at_hand() -> Track:
    parts = [Part.of(at_hand(lang), lang, lang) for lang in ("fi", "ja")]
    return Track.of("toy", parts, ["R@2t", "RR"], depth=3, baseline="base")


def test_a_collection_at_hand_has_the_digests_of_the_same_records_in_files(tmp_path: Path) -> None:
    of_files = worlds.track_of(worlds.collection_in(tmp_path / "data"))
    for part in track_at_hand().parts:
        assert part.collection.digests == of_files.part(part.name).collection.digests
        assert part.collection is part.collection


def test_a_track_at_hand_scores_a_run_as_the_track_of_files_does(tmp_path: Path) -> None:
    of_files = worlds.World(tmp_path, worlds.track_of(worlds.collection_in(tmp_path / "data")))
    made_of_files = score_system(RunFolder(of_files.track, of_files.run(worlds.RANKINGS)))
    track = track_at_hand()
    assert check_track(track) == check_track(of_files.track)
    again = score_system(RunFolder(track, worlds.World(tmp_path / "at-hand", track).run(worlds.RANKINGS)))
    assert (again.values, again.units) == (made_of_files.values, made_of_files.units)
    assert again.values["fi", "RR"] == {"fi-1": 0.5, "fi-2": 1.0, "fi-3": 1 / 3}


def test_a_track_at_hand_has_the_measures_largest_cutoff_as_depth() -> None:
    parts = [Part.of(at_hand("fi"), "fi", "fi")]
    assert Track.of("toy", parts, ["nDCG@10", "RR@200"], baseline="base").depth == 200
    made = Track.of("toy", parts, ["nDCG@10", "RR"], baseline="base")
    assert (made.depth, made.primary, made.version) == (100, "nDCG@10", 1)


def test_all_faults_of_records_at_hand_are_told_together() -> None:
    docs = [Doc("d1", "", "one"), Doc("d1", "", "two"), Doc("d 2", "", "three"), Doc("d3", "", "\ud800")]
    with pytest.raises(InvalidInput) as caught:
        collection_of(docs, [Query("", "?", "fi", "")], name="mine")
    told = "\n".join(str(finding) for finding in caught.value.findings)
    for expected in ("'d1' is there 2 times", "'d 2'", "'d3' holds a lone surrogate", "query: id ''"):
        assert expected in told


def test_a_part_at_hand_is_refused_a_name_that_no_file_could_give_it() -> None:
    with pytest.raises(InvalidInput, match="name"):
        Part.of(at_hand("fi"), "FI/", "fi")
    with pytest.raises(InvalidInput, match="primary"):
        Track.of("toy", [Part.of(at_hand("fi"), "fi", "fi")], ["RR"], primary="R@2t", baseline="base")
