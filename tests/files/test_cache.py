"""What lies in the cache is shown by kind, and goes when it is named, but not from under those who are at work on it."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
import time
from pathlib import Path

import pytest
from guides import commands_of
from small_track import Terminal

from harness.files.cache import KINDS, Entry, entries_of, others
from harness.files.writing import exclusive, folder_lock

ROOT = Path(__file__).parents[2]
DAY = 86_400


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDR_HOME", str(tmp_path / "home"))
    for name, size, days in (
        ("graphs/old/graph/model.onnx", 3_000, 40),
        ("graphs/old/graph.seal", 20, 41),
        ("graphs/new/graph/model.onnx", 5_000, 1),
        ("vectors/abc/rows.f16", 700, 90),
        ("vectors/abc.lock", 0, 90),
        ("work/mini/bm25/lock", 0, 3),
        ("work/mini/bm25/journal", 10, 3),
        ("reproduce-x1/in use", 0, 2),
        ("reproduce-x1/work/run", 4, 2),
        ("bounds/a", 1, 0),
        ("of-another-program/file", 6, 0),
    ):
        path = tmp_path / "home" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x" * size)
        then = time.time() - days * DAY - 60
        os.utime(path, (then, then))
    return tmp_path / "home"


@pytest.fixture
def xdr(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Terminal:
    return Terminal(monkeypatch, capsys)


def shown(out: str) -> dict[str, list[str]]:
    """By what stands first in its line, the last three columns."""
    return {line.split()[0]: re.split(r" {2,}", line)[-3:] for line in out.splitlines()[1:]}


def day(path: Path) -> str:
    return time.strftime("%Y-%m-%d", time.gmtime(path.stat().st_mtime))


def test_kinds_are_shown_with_their_sizes_and_when_they_were_last_used(home: Path, xdr: Terminal) -> None:
    done = xdr("cache")
    table = shown(done.out)
    assert done.status == 0
    assert table["graphs"] == ["2", "8.0 kB", day(home / "graphs/new/graph/model.onnx")]
    assert table["vectors"] == ["1", "700 bytes", day(home / "vectors/abc/rows.f16")]
    assert table["work"][0] == table["reproduce"][0] == "1"
    assert table["of-another-program"][1:] == ["6 bytes", day(home / "of-another-program/file")]
    assert "left alone" in done.out
    assert "tokens" not in table, "there are none"
    assert f"{home}: 8.7 kB" in done.err


def test_entries_of_a_kind_are_shown_and_those_of_long_ago_alone_on_demand(home: Path, xdr: Terminal) -> None:
    whole = json.loads(xdr("cache", "graphs", "--json").out)
    assert [(row["entry"], row["size"]) for row in whole] == [("new", 5_000), ("old", 3_020)]
    assert whole[1]["used"] == day(home / "graphs/old/graph/model.onnx"), "of the file that was used last"
    assert [row["entry"] for row in json.loads(xdr("cache", "graphs", "--unused", "30", "--json").out)] == ["old"]
    assert json.loads(xdr("cache", "graphs", "--unused", "41", "--json").out) == []
    told = xdr("cache", "graphs", "vectors", "--unused", "30")
    assert [line.split()[1] for line in told.out.splitlines()[1:]] == ["old", "abc"]
    assert told.err == "2 entries, 3.7 kB\n"


def test_what_was_read_lately_was_used(home: Path) -> None:
    path = home / "vectors/abc/rows.f16"
    os.utime(path, (time.time(), path.stat().st_mtime))
    assert entries_of("vectors")[0].used == pytest.approx(time.time(), abs=60)


def test_what_is_named_goes_and_nothing_else(home: Path, xdr: Terminal) -> None:
    done = xdr("cache", "graphs", "--unused", "30", "--remove")
    assert (done.status, done.err) == (0, "1 removed, 3.0 kB\n")
    assert sorted(path.name for path in (home / "graphs").iterdir()) == ["new"]
    assert xdr("cache", "graphs", "vectors", "bounds", "reproduce", "--remove").status == 0
    left = {path.relative_to(home).as_posix() for path in home.rglob("*") if path.is_file()}
    # Who unlinks a lock file lets two in.
    assert left == {"vectors/abc.lock", "work/mini/bm25/lock", "work/mini/bm25/journal", "of-another-program/file"}
    assert xdr("cache", "graphs", "--remove").status == 0, "nothing is left, which is no fault"


@pytest.mark.parametrize(
    ("kind", "lock"),
    [("vectors", "vectors/abc.lock"), ("work", "work/mini/bm25/lock"), ("reproduce", "reproduce-x1/in use")],
)
def test_what_another_is_at_work_on_stays_and_is_a_finding(home: Path, xdr: Terminal, kind: str, lock: str) -> None:
    with exclusive(home / lock):
        before = [entry.path for entry in entries_of(kind)]
        done = xdr("cache", kind, "bounds", "--remove")
        assert done.status == 1
        assert f"{kind}/{before[0].name}" in done.out + done.err
        assert "another process is at work" in done.out + done.err
        assert [entry.path for entry in entries_of(kind)] == before
        assert entries_of("bounds") == [], "the rest is gone"
    assert xdr("cache", kind, "--remove").status == 0
    assert entries_of(kind) == []


def test_a_folder_that_another_process_makes_stays(home: Path, xdr: Terminal) -> None:
    holding = "import sys; from pathlib import Path; from harness.files.writing import folder_lock\n"
    holding += "with folder_lock(Path(sys.argv[1])): print(flush=True); sys.stdin.read()"
    place = home / "graphs/new"
    with subprocess.Popen(
        [sys.executable, "-c", holding, place], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as other:
        assert other.stdout is not None
        other.stdout.readline()
        assert xdr("cache", "graphs", "--remove").status == 1
        assert [entry.path for entry in entries_of("graphs")] == [place]
        other.communicate()
    with folder_lock(place):
        pass


def test_wrong_use_is_told(home: Path, xdr: Terminal) -> None:
    assert xdr("cache", "--remove").status == 2
    unknown = xdr("cache", "graph", "--remove")
    assert (unknown.status, "did you mean 'graphs'?" in unknown.err) == (2, True)
    assert len(entries_of("graphs")) == 2


def test_the_commands_of_the_guide_do_what_it_says(home: Path, xdr: Terminal) -> None:
    commands = [command for command in commands_of(ROOT / "docs/data.md") if command.startswith("xdr cache")]
    assert len(commands) == 3
    for command in commands:
        assert xdr(*shlex.split(command, comments=True)[1:]).status == 0
    assert [entry.path.name for entry in entries_of("graphs")] == ["new"]


def test_an_empty_cache_is_no_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("XDR_HOME", str(tmp_path / "none"))
    assert Terminal(monkeypatch, capsys)("cache").status == 0
    assert others() == list[Entry]()


def test_every_folder_of_the_cache_is_a_kind_that_is_known() -> None:
    """Whoever keeps something new says what it is, and what it costs to be without it."""
    places = re.compile(
        r'(?:cache_home\(\)|\bcontext\.cache|\b_?cache) / "([\w-]+)"|made_below_cache_home\("([\w-]+)"\)'
        r'|scores_of\(track, [^"\n]+"(\w+)"|scratch_folder\(context\.cache, "(\w+)-"\)'
    )
    found = {
        next(filter(None, match.groups())): path
        for room in ("harness", "systems")
        for path in (ROOT / room).rglob("*.py")
        for match in places.finditer(path.read_text("utf-8"))
    }
    assert {"graphs", "vectors", "trained", "tuning", "ablations", "study", "work", "reproduce"} <= found.keys()
    assert found.keys() - KINDS.keys() == set()
    assert KINDS.keys() - found.keys() == set(), "a kind that nobody makes any more"
