"""What a dry run says beforehand is what the run then takes; and a disk that is too small is found before it is full."""

from __future__ import annotations

import json
import shutil
from collections import namedtuple
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiny_models
from hypothesis import given
from hypothesis import strategies as st
from small_track import Terminal, bytes_in

import systems.dense
from harness.adapters.card import load_card
from harness.adapters.contract import Context
from harness.adapters.estimate import spread, timed_on_sample
from harness.dense import encoding
from harness.records import Ranking
from harness.runs.dry_run import Plan, plan_of
from harness.runs.execute import run_system
from harness.runs.journal import Journal
from harness.runs.manifest import read_manifest
from harness.runs.prepared import prepared
from harness.runs.track_runs import TrackRuns
from harness.tracks import load_track

PASSAGES, QUESTIONS, DIMENSIONS, BLOCK = 50, 6, 16, 16
TRACK = (
    'schema_version = 1\nname = "small"\nversion = 1\ntitle = "Small"\ndescription = "For tests."\n'
    'measures = ["RR@5"]\nprimary = "RR@5"\ndepth = 5\nbaseline = "bm25"\nsystems = ["dummy"]\n'
    'parts = [{name = "fi", dataset = "folder(fi):data", lang = "fi"}, '
    '{name = "ru", dataset = "folder(ru):data", lang = "ru"}]\n'
)
Usage = namedtuple("Usage", "total used free")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A track, cards of a dense system and of one with generated queries, and a cache that is still empty."""
    rows = {
        "docs": [{"doc_id": f"d{n:02}", "text": f"the river {n} flows to the sea"} for n in range(PASSAGES)],
        "queries": [
            {"query_id": f"q{n}", "lang": ["fi", "ru"][n % 2], "text": f"river {n} sea"} for n in range(QUESTIONS)
        ],
    }
    (tmp_path / "data").mkdir()
    for name, lines in rows.items():
        (tmp_path / f"data/{name}.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    (tmp_path / "data/qrels.txt").write_text("".join(f"q{n} 0 d{n:02} 1\n" for n in range(QUESTIONS)))
    (tmp_path / "track.toml").write_text(TRACK)
    generated = [
        {"doc_id": f"d{n:02}", "lang": "fi", "text": f"river {n} {copy}", "source": "test"}
        for n in range(PASSAGES)
        for copy in range(3)
    ]
    (tmp_path / "generated.jsonl").write_text("".join(json.dumps(line) + "\n" for line in generated))
    model = f'model = "{tiny_models.shared().plain}"\npooling = "cls"\n'
    for name, adapter, more in (
        ("own-dense", "dense", ""),
        ("own-xqg", "xqg", 'generated = "generated.jsonl"\nper_language = 2\nfusion = {alpha = 0.1}\n'),
    ):
        (tmp_path / f"{name}.toml").write_text(
            f'schema_version = 1\nname = "{name}"\ntitle = "Own"\nadapter = "{adapter}"\n[parameters]\n{model}{more}'
        )
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDR_HOME", str(tmp_path / "home"))
    for module in (encoding, systems.dense):
        monkeypatch.setattr(module, "BLOCK_ROWS", BLOCK)
    return tmp_path


@pytest.fixture
def xdr(folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Terminal:
    return Terminal(monkeypatch, capsys)


def plan(folder: Path, name: str, timed: bool = False) -> Plan:
    own = context(folder)
    run = prepared(TrackRuns(load_track("track.toml"), Path("runs")), load_card(name), own)
    return plan_of(run, own, timed=timed)


def context(folder: Path) -> Context:
    return Context(cache=folder / "home", work=folder / "home/work")


def amounts(figures: Any, kind: str) -> dict[str, float]:
    return {figure["what"]: figure["amount"] for figure in figures if figure["kind"] == kind}


def amounts_of(found: Plan, kind: str) -> dict[str, float]:
    return amounts([figure._asdict() for figure in found.figures], kind)


def store_bytes(folder: Path) -> int:
    return sum(file.stat().st_size for file in (folder / "home/vectors").rglob("shard-*"))


@pytest.mark.parametrize("name", ["own-dense", "own-xqg"])
def test_the_vectors_take_the_bytes_that_were_said_before(folder: Path, xdr: Terminal, name: str) -> None:
    done = xdr("run", "track.toml", f"{name}.toml", "--dry-run", "--json")
    assert done.status == 0
    assert not (folder / "home").exists()
    assert not (folder / "runs").exists()
    said = json.loads(done.out)
    [system] = said["systems"]
    assert said["fits"]
    assert (system["reused"], system["unknown"], system["finished"]) == (False, [], 0)
    disk = amounts(system["figures"], "disk")
    assert xdr("run", "track.toml", f"{name}.toml").status == 0
    assert disk["vectors"] == store_bytes(folder) == PASSAGES * DIMENSIONS * 2
    written = sum(path.stat().st_size for path in (folder / "runs").rglob("*.trec.gz"))
    assert written <= sum(figure["amount"] for figure in system["figures"] if figure["what"] == "run files")


def test_times_work_and_memory_have_their_grounds(folder: Path) -> None:
    found = plan(folder, "own-xqg.toml", timed=True)
    times = {figure.what: figure for figure in found.figures if figure.kind == "time"}
    assert times.keys() == {"load model", "encode passages and queries", "encode questions", "search"}
    assert all(figure.amount > 0 and figure.basis for figure in times.values())
    work = amounts_of(found, "work")
    assert work["passages to encode"] == PASSAGES
    assert work["generated queries to encode"] == 2 * PASSAGES
    assert work["questions to encode"] == QUESTIONS
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(tiny_models.shared().plain)
    texts = [f"the river {n} flows to the sea" for n in range(PASSAGES)]
    texts += [f"river {n} {copy}" for n in range(PASSAGES) for copy in range(2)]
    # The sample is the whole of so small a collection.
    assert work["tokens of passages to encode"] == pytest.approx(sum(map(len, tokenizer(texts)["input_ids"])))
    assert all(amount > 0 for amount in amounts_of(found, "memory").values())


def test_bm25_says_that_its_index_takes_memory_and_no_disk(folder: Path) -> None:
    found = plan(folder, "bm25", timed=True)
    assert amounts_of(found, "disk")["index"] == 0
    assert amounts_of(found, "memory")["index"] > 0
    outcome = run_system(TrackRuns(load_track("track.toml"), Path("runs")), load_card("bm25"), context(folder))
    [index] = [stage for stage in read_manifest(outcome.folder).execution.stages if stage.name == "index"]
    assert amounts_of(found, "memory")["index"] == index.bytes
    assert amounts_of(found, "time").keys() == {"index", "search"}


def test_what_a_killed_run_left_is_not_to_be_done_again(folder: Path) -> None:
    card = load_card("own-dense.toml")
    run_system(TrackRuns(load_track("track.toml"), Path("runs")), card, context(folder))
    shutil.rmtree("runs")
    [journal] = (folder / "home/vectors").rglob("blocks.journal")
    journal.write_bytes(b"".join(journal.read_bytes().splitlines(keepends=True)[:2]))
    run = prepared(TrackRuns(load_track("track.toml"), Path("runs")), card, context(folder))
    [group] = run.groups()
    with Journal(run.journal(group)) as rankings:
        rankings.append(Ranking("fi/q0", ("d01",), np.ones(1, np.float32)))
    before = bytes_in(folder)
    found = plan(folder, "own-dense.toml")
    assert bytes_in(folder) == before
    assert found.finished == 1
    assert amounts_of(found, "resumed") == {"passages encoded already": 2 * BLOCK}
    assert amounts_of(found, "work")["passages to encode"] == PASSAGES - 2 * BLOCK
    assert amounts_of(found, "disk")["vectors"] == (PASSAGES - 2 * BLOCK) * DIMENSIONS * 2


def test_another_model_goes_on_from_no_store(folder: Path) -> None:
    run_system(TrackRuns(load_track("track.toml"), Path("runs")), load_card("own-dense.toml"), context(folder))
    assert not amounts_of(plan(folder, "own-xqg.toml"), "resumed")


def test_it_says_which_systems_need_a_store_of_their_own(folder: Path, xdr: Terminal) -> None:
    text = Path("own-dense.toml").read_text("utf-8")
    Path("twin.toml").write_text(text.replace('name = "own-dense"', 'name = "twin"'), "utf-8")
    cards = ("own-dense.toml", "twin.toml", "own-xqg.toml")
    said = json.loads(xdr("run", "track.toml", *cards, "--dry-run", "--json").out)
    expected = [["own-dense", "twin"], ["own-xqg"]]
    assert [store["systems"] for store in said["stores"]] == expected
    assert [store["needed"] for store in said["stores"]] == [PASSAGES * DIMENSIONS * 2] * 2
    lines = xdr("run", "track.toml", *cards, "--dry-run").out.splitlines()
    [place] = [number for number, line in enumerate(lines) if line.startswith("2 stores in the cache")]
    for line, names in zip(lines[place + 1 : place + 3], expected, strict=True):
        assert line.endswith(f" for {', '.join(names)}")
    # One store is no news.
    assert "stores in the cache" not in xdr("run", "track.toml", *cards[:2], "--dry-run").out


def test_a_run_that_is_there_takes_nothing(folder: Path, xdr: Terminal) -> None:
    assert xdr("run", "track.toml", "bm25").status == 0
    said = json.loads(xdr("run", "track.toml", "bm25", "--dry-run", "--json").out)
    assert [(system["reused"], system["figures"]) for system in said["systems"]] == [(True, [])]
    assert said["totals"]["seconds"] == said["disks"][0]["needed"] == 0
    assert "bm25: this very run is there already" in xdr("run", "track.toml", "bm25", "--dry-run").out


def test_what_an_adapter_does_not_say_is_unknown_and_not_nothing(folder: Path, xdr: Terminal) -> None:
    shown = xdr("run", "track.toml", "dummy", "bm25", "--dry-run").out
    assert "unknown" in shown.partition("bm25: ")[0]
    assert "and what is unknown of dummy" in shown
    systems = json.loads(xdr("run", "track.toml", "dummy", "--dry-run", "--json").out)["systems"]
    [system] = systems
    assert "no `estimate`" in system["unknown"][0]
    assert amounts(system["figures"], "time") == {}


def test_an_approximate_index_is_unknown_and_no_exact_search(folder: Path) -> None:
    card = folder / "own-dense.toml"
    card.write_text(card.read_text() + '[parameters.index]\nfactory = "Flat"\n')
    found = plan(folder, "own-dense.toml", timed=True)
    assert "approximate index" in found.unknown[0]
    assert "search" not in amounts_of(found, "time")


def test_systems_that_share_a_store_need_its_space_once(folder: Path, xdr: Terminal) -> None:
    again = (folder / "own-dense.toml").read_text().replace('"own-dense"', '"again"') + 'query_prompt = "tea "\n'
    (folder / "again.toml").write_text(again)
    one = json.loads(xdr("run", "track.toml", "own-dense.toml", "--dry-run", "--json").out)
    two = json.loads(xdr("run", "track.toml", "own-dense.toml", "again.toml", "--dry-run", "--json").out)
    vectors = PASSAGES * DIMENSIONS * 2
    difference = two["disks"][0]["needed"] - 2 * (one["disks"][0]["needed"] - vectors) - vectors
    assert abs(difference) <= QUESTIONS * 5 * len("own-dense"), "but for the length of the names"


@pytest.mark.parametrize("command", [["run", "track.toml", "own-dense.toml"], ["leaderboard", "track.toml"]])
@pytest.mark.parametrize("dry", [True, False])
def test_a_disk_that_cannot_hold_it_is_refused_before_anything_is_written(
    folder: Path, xdr: Terminal, monkeypatch: pytest.MonkeyPatch, command: list[str], dry: bool
) -> None:
    before = bytes_in(folder)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: Usage(10_000, 9_990, 10))
    done = xdr(*command, *(["--dry-run"] if dry else []))
    assert done.status == 1
    assert "the disk cannot hold this run; nothing was begun" in done.err
    assert "would be written, 10 bytes are free" in done.err
    assert bytes_in(folder) == before
    if dry:
        assert not json.loads(xdr(*command, "--dry-run", "--json").out)["fits"]


def test_a_dry_leaderboard_speaks_of_the_tracks_systems_and_writes_nothing(folder: Path, xdr: Terminal) -> None:
    before = bytes_in(folder)
    done = xdr("leaderboard", "track.toml", "bm25", "--dry-run", "--json")
    assert done.status == 0
    assert [system["system"] for system in json.loads(done.out)["systems"]] == ["dummy", "bm25"]
    assert bytes_in(folder) == before


@pytest.mark.parametrize(
    "arguments",
    [
        ["run", "track.toml", "bm25", "--json"],
        ["leaderboard", "track.toml", "--json"],
        ["leaderboard", "track.toml", "--dry-run", "--check"],
        ["leaderboard", "track.toml", "--dry-run", "--freeze", "x"],
    ],
    ids=lambda arguments: "".join(arguments[2:]),
)
def test_options_that_exclude_each_other_are_refused(xdr: Terminal, arguments: list[str]) -> None:
    done = xdr(*arguments)
    assert done.status == 2
    assert "--dry-run" in done.err


def test_the_vectors_of_the_embedded_track_are_said_to_the_byte(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = Context(cache=tmp_path / "cache", work=tmp_path / "work")
    track, card = load_track("mini"), load_card("mini-xdr")
    found = plan_of(prepared(TrackRuns(track, tmp_path / "runs"), card, own), own, timed=False)
    assert not list(tmp_path.iterdir())
    run_system(TrackRuns(track, tmp_path / "runs"), card, own)
    [shard] = (tmp_path / "cache/vectors").rglob("shard-*")
    assert amounts_of(found, "disk")["vectors"] == shard.stat().st_size
    assert plan_of(prepared(TrackRuns(track, tmp_path / "runs"), card, own), own).reused


@given(st.integers(0, 300), st.integers(0, 300))
def test_a_sample_is_spread_over_all(total: int, count: int) -> None:
    places = spread(total, count)
    assert len(places) == min(total, count)
    assert places == sorted(set(places))
    gaps = np.diff([*places, total]) if places else np.zeros(1)
    assert gaps.max() - gaps.min() <= 1


def test_what_only_a_first_call_takes_is_counted_once(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [0.0]
    monkeypatch.setattr("harness.adapters.estimate.time.perf_counter", lambda: clock[0])
    calls: list[int] = []

    def compute(places: Any) -> None:
        clock[0] += 0.001 * len(places) + (4.0 if not calls else 0.0)
        calls.append(len(places))

    timing = timed_on_sample(1_000_000, compute, most=4096)
    assert timing.figure("work", 1_000_000, "texts").amount == pytest.approx(1004, rel=1e-6)
    assert max(calls) == timing.sample <= 4096
