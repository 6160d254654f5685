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
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.card import load_card
from harness.config import read_toml
from harness.consent import Consent
from harness.errors import InvalidInput, WrongUsage
from harness.files import exclusive
from harness.manifest import FILE_NAME, Manifest, read_manifest
from harness.run import Outcome, run_system
from harness.runs import read_run
from harness.system import Context
from harness.tracks import load_track

DOCS = {f"d{i:02}": f"Passage number {i}" for i in range(12)}
QUERIES = {"ar": 6, "fi": 5}
DEPTH = 3

ADAPTER = """
import json
import time
from pathlib import Path

import numpy as np

from harness.config import Record
from harness.records import Ranking


class Adapter:
    class Parameters(Record):
        log: str = ""
        pause: float = 0
        backwards: bool = False
        fault: str = ""

    def __init__(self, parameters):
        self.parameters = parameters

    def search(self, request, context):
        if self.parameters.log:
            with Path(self.parameters.log).open("a") as log:
                ids = [query.query_id for query in request.queries]
                log.write(json.dumps([ids, list(request.docs.ids), sorted(context.finished)]) + "\\n")
        queries = request.queries[::-1] if self.parameters.backwards else request.queries
        for query in queries:
            if query.query_id not in context.finished:
                time.sleep(self.parameters.pause)
                yield self.ranking(query, request)

    def ranking(self, query, request):
        found = list(request.docs.ids)[: request.depth]
        return Ranking(query.query_id, found, np.array([1 / (3 + hash_of(query.text + d)) for d in found]))


def hash_of(text):
    return sum(i * ord(letter) for i, letter in enumerate(text, 1))
"""

BAD_ADAPTER = """
import numpy as np
from harness.records import Ranking


class Bad:
    def __init__(self, parameters):
        self.fault = parameters["fault"]

    def search(self, request, context):
        docs = list(request.docs.ids)
        good = [Ranking(query.query_id, docs[:2], [2.0, 1.0]) for query in request.queries]
        first = good[0]
        faulty = {
            "stranger": Ranking("ar/none", docs[:2], [2.0, 1.0]),
            "again": good[1],
            "lengths": first._replace(scores=[1.0]),
            "deep": first._replace(doc_ids=docs[:4], scores=[4.0, 3.0, 2.0, 1.0]),
            "twice": first._replace(doc_ids=[docs[0], docs[0]]),
            "nan": first._replace(scores=[float("nan"), 1.0]),
            "inf": first._replace(scores=np.array([float("-inf"), 1.0], dtype=np.float32)),
            "huge": first._replace(scores=[1e39, 1.0]),
            "unknown": first._replace(doc_ids=[docs[0], "nowhere"]),
            "words": first._replace(scores=["2", "1"]),
            "table": first._replace(scores=[[2.0], [1.0]]),
            "tuple": (first.query_id, docs[:2], [2.0, 1.0]),
        }[self.fault]
        yield good[1]
        yield faulty
"""


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A track of two parts over the same passages and one over others, a card and its adapter."""
    for name, docs in (("data", DOCS), ("other", {"x1": "Another", "x2": "collection"})):
        folder = tmp_path / name
        folder.mkdir()
        write_lines(folder / "docs.jsonl", [{"doc_id": d, "text": t} for d, t in docs.items()])
        rows = [
            {"query_id": f"q{i}", "text": f"{lang} {i}?", "lang": lang} for lang, n in QUERIES.items() for i in range(n)
        ]
        own = [{**row, "query_id": f"{row['lang']}-{row['query_id']}"} for row in rows]
        write_lines(folder / "queries.jsonl", own)
    parts = [("ar", "folder(ar):data", "ar"), ("fi", "folder(fi):data", "fi"), ("other", "folder(ar):other", "ar")]
    write_track(tmp_path, parts)
    (tmp_path / "adapter.py").write_text(ADAPTER)
    return tmp_path


def write_lines(path: Path, rows: list[dict[str, str]]) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def write_track(home: Path, parts: list[tuple[str, str, str]], name: str = "track.toml") -> None:
    text = (
        'schema_version = 1\nname = "toy"\nversion = 1\ntitle = "Toy"\ndescription = ""\nmeasures = ["RR@10"]\n'
        f'primary = "RR@10"\ndepth = {DEPTH}\nbaseline = "mine"\n'
    )
    for part, dataset, lang in parts:
        text += f'[[parts]]\nname = "{part}"\ndataset = "{dataset}"\nlang = "{lang}"\n'
    (home / name).write_text(text)


def write_card(home: Path, top: str = "", adapter: str = "adapter.py:Adapter", **parameters: object) -> None:
    values = "".join(f"{name} = {json.dumps(value)}\n" for name, value in parameters.items())
    text = f'schema_version = 1\nname = "mine"\ntitle = "Mine"\nadapter = "{adapter}"\n{top}\n[parameters]\n{values}'
    (home / "card.toml").write_text(text)


def run(home: Path, runs: str = "runs", track: str = "track.toml", seed: int = 42, strict: bool = True) -> Outcome:
    context = Context(cache=home / "cache", work=home / "work", seed=seed, consent=Consent(code=True))
    loaded = load_card(str(home / "card.toml"))
    return run_system(load_track(str(home / track)), loaded, home / runs, context, strict=strict)


def bytes_of(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.glob("*.trec.gz")}


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
    assert manifest.card["name"] == "mine"
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
    outcome = run(home)
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


# Reuse


def changed_card(home: Path) -> None:
    write_card(home, top='description = "other words"')


def changed_parameter(home: Path) -> None:
    write_card(home, backwards=True)


def changed_adapter(home: Path) -> None:
    with (home / "adapter.py").open("a") as file:
        file.write("# a comment\n")


def changed_run_file(home: Path) -> None:
    path = home / "runs" / "toy" / "mine" / "fi.trec.gz"
    text = gzip.decompress(path.read_bytes())
    path.write_bytes(gzip.compress(text.replace(b" 1 0.", b" 1 1.", 1)))


def damaged_run_file(home: Path) -> None:
    path = home / "runs" / "toy" / "mine" / "fi.trec.gz"
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0xFF
    path.write_bytes(data)


def missing_run_file(home: Path) -> None:
    (home / "runs" / "toy" / "mine" / "fi.trec.gz").unlink()


def missing_manifest(home: Path) -> None:
    (home / "runs" / "toy" / "mine" / FILE_NAME).unlink()


def damaged_manifest(home: Path) -> None:
    (home / "runs" / "toy" / "mine" / FILE_NAME).write_text("data: [")


def test_a_recorded_run_is_reused_and_not_touched(home: Path) -> None:
    write_card(home, log=str(home / "log"))
    folder = run(home).folder
    before = {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in folder.iterdir()}
    requests = (home / "log").read_text()
    assert run(home) == Outcome(folder, reused=True, resumed=0, queries=17)
    assert {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in folder.iterdir()} == before
    assert (home / "log").read_text() == requests, "the system was not asked"


@pytest.mark.parametrize("strict", [True, False])
@pytest.mark.parametrize(
    "change",
    [
        changed_card,
        changed_parameter,
        changed_adapter,
        changed_run_file,
        damaged_run_file,
        missing_run_file,
        missing_manifest,
        damaged_manifest,
    ],
)
def test_any_change_of_what_defines_a_run_makes_it_run_again(
    home: Path, change: Callable[[Path], None], strict: bool
) -> None:
    write_card(home)
    before = bytes_of(run(home).folder)
    change(home)
    outcome = run(home, strict=strict)
    assert not outcome.reused
    assert bytes_of(outcome.folder) == before, "none of these changes is one of the results"
    assert run(home, strict=strict).reused


def test_another_seed_makes_it_run_again(home: Path) -> None:
    write_card(home)
    run(home)
    assert not run(home, seed=43).reused
    assert read_manifest(home / "runs" / "toy" / "mine").execution["seed"] == 43


@pytest.mark.parametrize(("changed", "reused"), [("docs", False), ("queries", False), ("nothing", True)])
def test_only_other_data_make_it_run_again_not_another_place(home: Path, changed: str, reused: bool) -> None:
    write_card(home)
    run(home)
    (home / "new").mkdir()
    for path in (home / "data").iterdir():
        text = path.read_text()
        (home / "new" / path.name).write_text(
            text.replace(' 1"', ' 7"').replace("1?", "7?") if path.stem == changed else text
        )
    parts = [("ar", "folder(ar):new", "ar"), ("fi", "folder(fi):new", "fi"), ("other", "folder(ar):other", "ar")]
    write_track(home, parts, "new.toml")
    assert run(home, track="new.toml").reused == reused


def test_other_libraries_count_only_when_it_is_strict(home: Path) -> None:
    write_card(home)
    folder = run(home).folder
    path = folder / FILE_NAME
    manifest: Manifest = read_manifest(folder)
    path.write_text(path.read_text().replace(manifest.reuse["environment"], "f" * 64))
    assert run(home, strict=False).reused
    assert not run(home, strict=True).reused


# What a system must not do


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        ("stranger", "query ar/none: the request has no such query"),
        ("again", "query ar/ar-q1: a second ranking of this query"),
        ("lengths", "query ar/ar-q0: 2 doc ids, but 1 scores"),
        ("deep", "query ar/ar-q0: 4 documents, but the depth is 3"),
        ("twice", "query ar/ar-q0: a document stands twice"),
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
from harness.card import load_card
from harness.consent import Consent
from harness.run import run_system
from harness.system import Context
from harness.tracks import load_track
home = Path(sys.argv[1])
context = Context(cache=home / "cache", work=home / "work", consent=Consent(code=True))
run_system(load_track(str(home / "track.toml")), load_card(str(home / "card.toml")), home / "runs", context)
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
    assert (one.data, one.reuse) == (two.data, two.reuse)


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
    missing_manifest(home)
    with exclusive(lock), pytest.raises(InvalidInput, match="another process is at work on mine-"):
        run(home)
    assert not run(home).reused


def test_shipped_dummy_runs_the_embedded_track(tmp_path: Path) -> None:
    context = Context(cache=tmp_path / "cache", work=tmp_path / "work")
    loaded = load_card("dummy")
    outcome = run_system(load_track("mini"), loaded, tmp_path / "runs", context)
    assert outcome.queries == 560
    assert read_manifest(outcome.folder).card == {
        key: value.strip() if key == "description" else value
        for key, value in read_toml(loaded.folder / "dummy.toml").items()
    }
