from __future__ import annotations

import getpass
import gzip
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
import run_places
from run_places import BAD_ADAPTER, DEPTH, DOCS, bytes_of, run, write_card

from harness.adapters.card import load_card
from harness.adapters.consent import Consent
from harness.adapters.contract import Context
from harness.errors import InvalidInput, WrongUsage
from harness.files.toml_records import read_toml
from harness.files.writing import exclusive
from harness.runs.execute import Outcome, run_system
from harness.runs.identity import identity_of
from harness.runs.manifest import FILE_NAME, read_manifest
from harness.runs.track_runs import TrackRuns
from harness.runs.trec import read_run
from harness.tracks import load_track


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return run_places.place(tmp_path)


# What is written


def test_a_run_has_a_valid_file_for_every_part_and_a_manifest_that_describes_it(home: Path) -> None:
    write_card(home)
    outcome = run(home)
    assert outcome == Outcome(home / "runs" / "toy" / "mine", reused=False, resumed=0, queries=6 + 5 + 6)
    assert sorted(path.name for path in outcome.folder.iterdir()) == [
        "ar.trec.gz",
        "fi.trec.gz",
        FILE_NAME,
        "other.trec.gz",
    ]
    manifest = read_manifest(outcome.folder)
    for name, lang, count in (("ar", "ar", 6), ("fi", "fi", 5), ("other", "ar", 6)):
        found, findings = read_run(outcome.folder / f"{name}.trec.gz")
        assert findings == []
        assert found.tag == "mine"
        assert list(found.rankings) == [f"{lang}-q{i}" for i in range(count)], "the dataset's own ids, in its order"
        assert {len(ranked.doc_ids) for ranked in found.rankings.values()} == {2 if name == "other" else DEPTH}
        assert (manifest.data[name].lang, manifest.data[name].query_count) == (lang, count)
    assert manifest.data["ar"].docs == manifest.data["fi"].docs != manifest.data["other"].docs
    assert manifest.card.name == "mine"
    assert not list((home / "work").rglob("*.jsonl")), "the journals are gone"


def test_the_ranking_digest_is_that_of_the_uncompressed_file(home: Path) -> None:
    import hashlib

    write_card(home)
    folder = run(home).folder
    for name, record in read_manifest(folder).data.items():
        text = gzip.decompress((folder / f"{name}.trec.gz").read_bytes())
        assert record.ranking == hashlib.sha256(text).hexdigest()


def test_the_order_in_which_a_system_finishes_does_not_change_the_file(home: Path) -> None:
    write_card(home)
    forwards = bytes_of(run(home).folder)
    write_card(home, backwards=True)
    outcome = run(home, replacing="another")
    assert not outcome.reused
    assert bytes_of(outcome.folder) == forwards


def test_parts_with_equal_docs_come_in_one_request(home: Path) -> None:
    write_card(home, log=str(home / "log"))
    run(home)
    first, second = [json.loads(line) for line in (home / "log").read_text().splitlines()]
    assert first == [[f"ar/ar-q{i}" for i in range(6)] + [f"fi/fi-q{i}" for i in range(5)], sorted(DOCS), []]
    assert second == [[f"other/ar-q{i}" for i in range(6)], ["x1", "x2"], []]


def test_a_card_is_run_only_on_the_parts_whose_languages_it_serves(home: Path) -> None:
    write_card(home, top='languages = ["fi", "sw"]')
    outcome = run(home)
    assert list(bytes_of(outcome.folder)) == ["fi.trec.gz"]
    assert list(read_manifest(outcome.folder).data) == ["fi"]
    write_card(home, top='languages = ["sw"]')
    with pytest.raises(WrongUsage, match="mine serves none of the languages of track toy"):
        run(home)


def test_a_manifest_names_no_folder_no_user_and_no_host(home: Path) -> None:
    write_card(home)
    text = (run(home).folder / FILE_NAME).read_text()
    assert str(home) not in text
    assert not re.search(r"(?<![\w.:/-])/\w", text), "an absolute path"
    for name in (getpass.getuser(), socket.gethostname(), Path.home().name):
        assert not re.search(rf"\b{re.escape(name)}\b", text)
    assert "folder(ar):data" in text


# What a system must not do


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        ("stranger", "query ar/none: the request has no such query"),
        ("again", "query ar/ar-q1: a second ranking of this query"),
        ("lengths", "query ar/ar-q0: 2 doc ids, but 1 scores"),
        ("deep", "query ar/ar-q0: 4 documents, but the depth is 3"),
        ("twice", "query ar/ar-q0: a document is a duplicate"),
        ("nan", "query ar/ar-q0: a score is not a finite 32-bit number"),
        ("inf", "query ar/ar-q0: a score is not a finite 32-bit number"),
        ("huge", "query ar/ar-q0: a score is not a finite 32-bit number"),
        ("unknown", "query ar/ar-q0: the collection has no document 'nowhere'"),
        ("words", "query ar/ar-q0: the scores are not a row of numbers"),
        ("table", "query ar/ar-q0: the scores are not a row of numbers"),
        ("tuple", "gave a tuple where the contract asks for a Ranking"),
    ],
)
@pytest.mark.filterwarnings("error")
def test_a_breach_of_the_contract_names_the_system_and_the_query(home: Path, fault: str, told: str) -> None:
    (home / "bad.py").write_text(BAD_ADAPTER)
    write_card(home, adapter="bad.py:Bad", fault=fault)
    with pytest.raises(InvalidInput) as caught:
        run(home)
    assert str(caught.value).startswith("system mine")
    assert told in str(caught.value)
    assert not (home / "runs" / "toy" / "mine").exists(), "nothing is recorded"


# A run that was killed

PROGRAM = """
import sys
from pathlib import Path
from harness.adapters.card import load_card
from harness.adapters.consent import Consent
from harness.runs.execute import run_system
from harness.adapters.contract import Context
from harness.runs.track_runs import TrackRuns
from harness.tracks import load_track
home = Path(sys.argv[1])
context = Context(cache=home / "cache", work=home / "work", consent=Consent(code=True))
runs = TrackRuns(load_track(str(home / "track.toml")), home / "runs")
run_system(runs, load_card(str(home / "card.toml")), context)
"""


def journal_lines(home: Path) -> int:
    return sum(path.read_bytes().count(b"\n") for path in (home / "work").rglob("*.jsonl"))


def test_a_killed_run_goes_on_and_gives_the_bytes_of_an_undisturbed_one(home: Path) -> None:
    write_card(home, pause=0.05, log=str(home / "log"))
    process = subprocess.Popen([sys.executable, "-c", PROGRAM, str(home)])
    while journal_lines(home) < 4:
        assert process.poll() is None, "it ended before it could be killed"
        time.sleep(0.005)
    os.kill(process.pid, signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    assert not (home / "runs").exists(), "what is not complete is not recorded"
    done = journal_lines(home)
    assert 4 <= done < 17

    resumed = run(home)
    assert (resumed.resumed, resumed.reused) == (done, False)
    asked = [json.loads(line) for line in (home / "log").read_text().splitlines()]
    assert [len(finished) for _, _, finished in asked] == [0, done, 0], "what was finished was not done again"

    undisturbed = run(home, runs="undisturbed")
    assert undisturbed.resumed == 0
    assert bytes_of(resumed.folder) == bytes_of(undisturbed.folder)
    one, two = read_manifest(resumed.folder), read_manifest(undisturbed.folder)
    assert one.data == two.data
    assert identity_of(one) == identity_of(two)


def test_a_journal_of_other_parameters_is_not_resumed(home: Path) -> None:
    (home / "bad.py").write_text(BAD_ADAPTER)
    write_card(home, adapter="bad.py:Bad", fault="again")
    with pytest.raises(InvalidInput):
        run(home)
    assert journal_lines(home) == 1, "what was in order before the fault is kept"
    write_card(home)
    assert run(home).resumed == 0


def test_two_runs_of_one_system_are_not_made_at_once(home: Path) -> None:
    write_card(home)
    run(home)
    (lock,) = (home / "work").rglob("lock")
    (home / "runs" / "toy" / "mine" / FILE_NAME).unlink()
    with exclusive(lock), pytest.raises(InvalidInput, match="another process is at work on mine-"):
        run(home)
    assert not run(home).reused


def test_shipped_dummy_runs_the_embedded_track(tmp_path: Path) -> None:
    context = Context(cache=tmp_path / "cache", work=tmp_path / "work")
    loaded = load_card("dummy")
    outcome = run_system(TrackRuns(load_track("mini"), tmp_path / "runs"), loaded, context)
    assert outcome.queries == 560
    assert read_manifest(outcome.folder).card.model_dump(exclude_defaults=True) == {
        key: value.strip() if key == "description" else value
        for key, value in read_toml(loaded.folder / "dummy.toml").items()
    }


# Runs one after another in one process


HEAVY_ADAPTER = """
import numpy as np
from harness.records import Ranking


class Heavy:
    def __init__(self, parameters):
        self.megabytes = parameters["megabytes"]

    def search(self, request, context):
        ballast = np.ones(1 + (self.megabytes << 17))
        with context.record.stage("search"):
            yield from (Ranking(query.query_id, list(request.docs.ids)[:1], ballast[:1]) for query in request.queries)
        if self.megabytes:
            context.record.facts.update({"isolation": "bwrap", "of the heavy one": True})
"""


def test_a_run_notes_nothing_of_the_runs_before_it(home: Path) -> None:
    (home / "heavy.py").write_text(HEAVY_ADAPTER)
    found = {}
    shared = Context(cache=home / "cache", work=home / "work", consent=Consent(code=True))
    for megabytes in (256, 0):
        write_card(home, adapter="heavy.py:Heavy", megabytes=megabytes)
        outcome = run_system(
            TrackRuns(load_track(str(home / "track.toml")), home / str(megabytes)),
            load_card(str(home / "card.toml")),
            shared,
        )
        found[megabytes] = read_manifest(outcome.folder).execution
    heavy, light = found[256], found[0]
    assert (heavy.isolation, heavy.facts) == ("bwrap", {"of the heavy one": True})
    assert (light.isolation, light.facts) == ("none", {})
    assert [stage.name for stage in light.stages] == ["search"] * 2, "once for each group of passages"
    assert shared.record.facts == {}
    assert shared.record.stages == []
    if heavy.peak_memory_bytes is not None and light.peak_memory_bytes is not None:
        assert heavy.peak_memory_bytes - light.peak_memory_bytes > 128 << 20


def test_peak_memory_is_unknown_where_the_kernel_keeps_one_mark_for_all(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("harness.compute.platform._CLEAR_REFS", home / "nowhere" / "clear_refs")
    write_card(home)
    assert read_manifest(run(home).folder).execution.peak_memory_bytes is None
