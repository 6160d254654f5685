"""Runs made again: the four verdicts, what changed, the records, and the status of a row."""

from __future__ import annotations

import datetime
import getpass
import json
import re
import shutil
import socket
from pathlib import Path
from typing import Any

import pytest
from made_once import MadeOnce, made_once

from harness.adapters.card import load_card
from harness.adapters.consent import Consent
from harness.adapters.contract import Context
from harness.errors import InvalidInput, WrongUsage
from harness.runs.execute import run_system
from harness.runs.manifest import RUN_FILES, read_manifest, write_manifest
from harness.runs.run_folder import RunFolder
from harness.runs.score import score_system
from harness.runs.track_runs import TrackRuns
from harness.submissions.agreement import unranked
from harness.submissions.changes import Change
from harness.submissions.diff import diff_runs
from harness.submissions.reproduce import reproduce
from harness.submissions.reproductions import (
    Reproduction,
    hints_of,
    read_reproductions,
    standing_of,
    write_reproduction,
)
from harness.tracks import Track, load_track

TODAY = datetime.date(2026, 1, 2)
DOCS = 40
QUESTIONS = 10

ADAPTER = """
import json
from pathlib import Path
import numpy as np
from harness.files.toml_records import Record
from harness.records import Ranking

TIES, SWAPPED, MISSED = json.loads(Path(__file__).with_name("behaviour.json").read_text())

class Adapter:
    class Parameters(Record):
        shift: int = 0

    def __init__(self, parameters):
        self.parameters = parameters

    def search(self, request, context):
        for query in request.queries:
            number = int(query.query_id.rsplit("q", 1)[1])
            doc_ids = [f"d{(number + i + self.parameters.shift) % 40:02}" for i in range(20)]
            scores = np.arange(20, 0, -1, dtype=np.float32)
            if TIES:
                doc_ids[4], doc_ids[5] = doc_ids[5], doc_ids[4]
            if number < SWAPPED:
                doc_ids[18], doc_ids[19] = doc_ids[19], doc_ids[18]
            if number < MISSED:
                doc_ids = doc_ids[10:] + doc_ids[:10]
            if not context.finished and not any(context.cache.glob("*")):
                yield Ranking(query.query_id, doc_ids, scores)
"""


def behave(home: Path, ties: bool = False, swapped: int = 0, missed: int = 0) -> None:
    (home / "card" / "behaviour.json").write_text(json.dumps([ties, swapped, missed]))


def record_run(place: Path) -> None:
    """A track of two languages, and a card whose adapter does what a file beside it says; its run is recorded."""
    data = place / "data"
    data.mkdir()
    (data / "docs.jsonl").write_text(
        "".join(json.dumps({"doc_id": f"d{i:02}", "text": f"Passage {i}"}) + "\n" for i in range(DOCS))
    )
    rows = [
        {"query_id": f"{lang}-q{i}", "text": f"{i}?", "lang": lang} for lang in ("fi", "ja") for i in range(QUESTIONS)
    ]
    (data / "queries.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (data / "qrels.txt").write_text(
        "".join(f"{lang}-q{i} 0 d{i:02} 1\n" for lang in ("fi", "ja") for i in range(QUESTIONS))
    )
    (place / "track.toml").write_text(
        'schema_version = 1\nname = "toy"\nversion = 1\ntitle = "Toy"\ndescription = ""\nmeasures = ["RR@20", "Success@1"]\n'
        'primary = "Success@1"\ndepth = 20\nbaseline = "mine"\n'
        'parts = [{name = "fi", dataset = "folder(fi):data", lang = "fi"},\n'
        ' {name = "ja", dataset = "folder(ja):data", lang = "ja"}]\n'
        "[tolerance]\nrank_biased_overlap = 0.95\nkendall_tau = 0.9\nrmse = 0.35\n"
    )
    (place / "card").mkdir()
    (place / "card" / "adapter.py").write_text(ADAPTER)
    (place / "card" / "card.toml").write_text(
        'schema_version = 1\nname = "mine"\ntitle = "Mine"\nadapter = "adapter.py:Adapter"\n'
    )
    behave(place)
    run_system(TrackRuns(track(place), place / "runs"), load_card(str(place / "card/card.toml")), context(place))
    score_system(RunFolder(track(place), folder(place)))


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> MadeOnce:
    return made_once(tmp_path_factory.mktemp("recorded"), record_run)


@pytest.fixture
def home(recorded: MadeOnce, monkeypatch: pytest.MonkeyPatch) -> Path:
    recorded.put_back(monkeypatch)
    return recorded.place


def track(home: Path) -> Track:
    return load_track(str(home / "track.toml"))


def folder(home: Path) -> Path:
    return home / "runs" / "toy" / "mine"


def context(home: Path) -> Context:
    return Context(cache=home / "cache", work=home / "work", consent=Consent(code=True))


def again(home: Path, **options: Any) -> Reproduction:
    return reproduce(RunFolder(track(home), folder(home)), context(home), card=home / "card", today=TODAY, **options)


def bytes_of(place: Path) -> dict[str, bytes]:
    return {str(path.relative_to(place)): path.read_bytes() for path in sorted(place.rglob("*")) if path.is_file()}


# -- verdicts


@pytest.mark.parametrize(
    ("behaviour", "verdict"),
    [
        ({}, "identical"),
        ({"ties": True}, "same scores"),  # ranks 5 and 6 hold no relevant passage
        ({"swapped": 3}, "same scores"),
        ({"missed": 1}, "equivalent"),  # one of ten questions: RMSE 0.32
        ({"missed": 2}, "differs"),  # RMSE 0.45
    ],
)
def test_the_verdict_is_the_best_one_that_holds(home: Path, behaviour: dict[str, Any], verdict: str) -> None:
    behave(home, **behaviour)
    loose = track(home).tolerance.model_copy(update={"rank_biased_overlap": 0.8, "kendall_tau": 0.8})
    found = reproduce(
        RunFolder(track(home).model_copy(update={"tolerance": loose}), folder(home)), context(home), card=home / "card"
    )
    assert found.verdict == verdict
    assert found.confirms == (verdict != "differs")
    missed = behaviour.get("missed", 0)
    assert found.parts["fi"].rmse["Success@1"] == pytest.approx((missed / QUESTIONS) ** 0.5)
    assert (found.parts["fi"].mean_recorded, found.parts["fi"].mean_again) == (
        1.0,
        pytest.approx(1 - missed / QUESTIONS),
    )


@pytest.mark.parametrize("key", ["rank_biased_overlap", "kendall_tau", "rmse"])
def test_each_of_the_three_tolerances_can_fail_a_run_alone(home: Path, key: str) -> None:
    behave(home, missed=1)
    lax = {"rank_biased_overlap": 0.0, "kendall_tau": -1.0, "rmse": 1.0}
    strict = {"rank_biased_overlap": 1.0, "kendall_tau": 1.0, "rmse": 0.0}
    for limits, verdict in ((lax, "equivalent"), (lax | {key: strict[key]}, "differs")):
        tolerance = track(home).tolerance.model_copy(update=limits)
        own = track(home).model_copy(update={"tolerance": tolerance})
        assert reproduce(RunFolder(own, folder(home)), context(home), card=home / "card").verdict == verdict


def test_one_language_that_differs_is_not_averaged_away(home: Path) -> None:
    text = (
        (home / "card/adapter.py").read_text().replace("number < MISSED", 'number < MISSED and "fi-" in query.query_id')
    )
    (home / "card/adapter.py").write_text(text)
    behave(home, missed=2)
    found = again(home)
    assert found.verdict == "differs"
    assert found.parts["ja"].rankings.identical == QUESTIONS


def test_the_run_is_made_in_a_clean_place_and_leaves_nothing(home: Path) -> None:
    (home / "cache").mkdir(exist_ok=True)
    (home / "cache" / "vectors").write_text("of another day: the adapter of this test ranks nothing where it sees them")
    before = bytes_of(home)
    assert again(home).verdict == "identical"
    assert {name: data for name, data in bytes_of(home).items() if "__pycache__" not in name} == before


# -- which card is run


def test_the_recorded_card_is_run_and_not_that_of_today(home: Path) -> None:
    with (home / "card/card.toml").open("a") as file:
        file.write("[parameters]\nshift = 7\n")
    assert again(home).verdict == "identical"


def test_an_adapter_that_cannot_be_found_says_how_to_name_its_card(home: Path) -> None:
    with pytest.raises(WrongUsage, match="give that folder's card with --card"):
        reproduce(RunFolder(track(home), folder(home)), context(home))


def test_a_card_in_the_folder_of_the_run_needs_no_naming(home: Path) -> None:
    shutil.copytree(home / "card", folder(home) / "system")
    shutil.rmtree(home / "card")
    assert reproduce(RunFolder(track(home), folder(home)), context(home)).verdict == "identical"


def test_a_run_of_finished_files_cannot_be_made_again(home: Path) -> None:
    manifest = read_manifest(folder(home))
    write_manifest(
        folder(home),
        manifest.model_copy(update={"execution": manifest.execution.model_copy(update={"provenance": RUN_FILES})}),
    )
    with pytest.raises(InvalidInput, match="nothing that could be run again"):
        again(home)


def test_a_run_of_other_questions_is_refused_before_anything_runs(home: Path) -> None:
    shutil.copytree(home / "data", home / "new")
    path = home / "new" / "queries.jsonl"
    path.write_text(path.read_text().replace('"3?"', '"33?"'))
    toml = home / "track.toml"
    toml.write_text(toml.read_text().replace(":data", ":new"))
    (home / "card/adapter.py").write_text("raise RuntimeError")
    with pytest.raises(InvalidInput, match="part fi: queries: "):
        again(home)


def test_run_files_that_are_not_those_of_the_manifest_are_refused(home: Path) -> None:
    shutil.copy(folder(home) / "ja.trec.gz", folder(home) / "fi.trec.gz")
    with pytest.raises(InvalidInput, match="is not the run that its manifest describes"):
        again(home)


# -- what changed


def test_a_changed_adapter_stands_in_the_record(home: Path) -> None:
    with (home / "card/adapter.py").open("a") as file:
        file.write("# a comment\n")
    (change,) = [c for c in again(home).changes if c.kind == "adapter source"]
    assert change.field == "adapter.py"


# -- records


def test_records_read_back_and_tell_nothing_of_user_host_and_folders(home: Path) -> None:
    behave(home, missed=2)
    worse = again(home)
    behave(home)
    better = again(home)
    for record in (better, worse):
        write_reproduction(folder(home) / "reproductions", record)
    found = read_reproductions(folder(home) / "reproductions")
    assert len(found) == 2
    assert better in found
    assert worse in found
    path = write_reproduction(folder(home) / "reproductions", better)
    assert len(read_reproductions(folder(home) / "reproductions")) == 2, "the same outcome on one day is one record"
    text = path.read_text()
    assert not re.search(r"(?<![\w.:/-])/\w", text), "an absolute path"
    for name in (getpass.getuser(), socket.gethostname()):
        assert not re.search(rf"\b{re.escape(name)}\b", text)


def test_a_folder_without_records_has_none_and_damaged_records_are_all_named(home: Path) -> None:
    assert read_reproductions(folder(home) / "reproductions") == ()
    (folder(home) / "reproductions").mkdir()
    for name in ("a", "b"):
        (folder(home) / f"reproductions/{name}.yaml").write_text("verdict: perhaps\n")
    with pytest.raises(InvalidInput) as caught:
        read_reproductions(folder(home) / "reproductions")
    assert "a.yaml" in str(caught.value)
    assert "b.yaml" in str(caught.value)
    assert "verdict" in str(caught.value)


def test_a_row_is_reproduced_by_the_latest_record_that_confirms_this_very_run(home: Path) -> None:
    manifest, record = read_manifest(folder(home)), again(home)
    days = [datetime.date(2026, 1, day) for day in (5, 3, 4)]
    older = [record.model_copy(update={"date": day}) for day in days]
    failed = record.model_copy(update={"verdict": "differs", "date": datetime.date(2026, 2, 1)})
    other = record.model_copy(update={"rankings": {"fi": "x", "ja": "y"}, "date": datetime.date(2026, 3, 1)})
    assert standing_of(manifest, []) is None
    assert standing_of(manifest, [failed, other]) is None
    found = standing_of(manifest, [*older, failed, other])
    assert found is not None
    assert (found.date, found.verdict) == (datetime.date(2026, 1, 5), "identical")
    assert "Python" in found.platform


# -- two runs side by side


def test_two_runs_are_compared_by_language_and_query_the_largest_difference_first(home: Path) -> None:
    behave(home, missed=1, swapped=3)
    run_system(TrackRuns(track(home), home / "others"), load_card(str(home / "card/card.toml")), context(home))
    found = diff_runs(RunFolder(track(home), folder(home)), RunFolder(track(home), home / "others" / "toy" / "mine"))
    assert not found.is_empty
    assert (found.rankings["fi"].queries, found.rankings["fi"].identical) == (QUESTIONS, QUESTIONS - 3)
    assert [(q.part, q.measure, q.query_id, q.one, q.two) for q in found.queries] == [
        ("fi", "Success@1", "fi-q0", 1.0, 0.0),
        ("ja", "Success@1", "ja-q0", 1.0, 0.0),
        ("fi", "RR@20", "fi-q0", 1.0, pytest.approx(1 / 11)),
        ("ja", "RR@20", "ja-q0", 1.0, pytest.approx(1 / 11)),
    ]
    means = {(m.part, m.measure): (m.one, m.two) for m in found.means}
    assert means["fi", "Success@1"] == (1.0, pytest.approx(0.9))
    assert diff_runs(RunFolder(track(home), folder(home)), RunFolder(track(home), folder(home))).is_empty


def test_a_part_that_only_one_run_has_is_a_difference(home: Path) -> None:
    card = home / "card/card.toml"
    card.write_text(card.read_text() + 'languages = ["fi"]\n')
    run_system(TrackRuns(track(home), home / "others"), load_card(str(card)), context(home))
    found = diff_runs(RunFolder(track(home), folder(home)), RunFolder(track(home), home / "others" / "toy" / "mine"))
    assert (found.parts_of_one_alone, found.parts_of_two_alone) == (("ja",), ())
    assert not found.is_empty


def test_runs_of_other_versions_of_a_track_are_not_compared(home: Path) -> None:
    shutil.copytree(home / "runs", home / "old")
    path = home / "old" / "toy" / "mine"
    manifest = read_manifest(path)
    write_manifest(path, manifest.model_copy(update={"track": manifest.track.model_copy(update={"version": 2})}))
    with pytest.raises(InvalidInput, match=r"track\.version: 1 and 2"):
        diff_runs(RunFolder(track(home), folder(home)), RunFolder(track(home), path))


# -- what is printed


def test_a_ranking_that_moved_although_nothing_changed_is_remarked(home: Path) -> None:
    behave(home, ties=True)
    text = (home / "card/adapter.py").read_text()
    found = again(home)
    assert found.verdict == "same scores"
    assert {change.kind for change in found.changes} <= {"commit"}, text
    (hint,) = hints_of(found)
    assert "a deterministic system would have given identical ones" in hint
    behave(home)
    assert hints_of(again(home)) == []


def test_a_ranking_that_moved_with_its_library_needs_no_remark(home: Path) -> None:
    behave(home, ties=True)
    change = Change(kind="library versions", field="numpy", recorded="1", now="2")
    assert hints_of(again(home).model_copy(update={"changes": (change,)})) == []


def test_questions_that_no_run_ranks_are_told(home: Path) -> None:
    found = again(home).parts["fi"].rankings
    assert unranked({"fi": found}, {"fi": QUESTIONS}) == []
    assert unranked({"fi": found}, {"fi": QUESTIONS + 3}) == [
        "fi: 3 of 13 questions have no ranking in either run, and are not counted"
    ]


def test_a_record_that_was_edited_vouches_for_nothing(home: Path) -> None:
    path = write_reproduction(folder(home) / "reproductions", again(home))
    path.write_text(path.read_text().replace("device: cpu", "device: gpu"))
    with pytest.raises(InvalidInput, match="is not as it was written"):
        read_reproductions(folder(home) / "reproductions")
