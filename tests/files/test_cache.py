"""What lies in the cache is shown by kind, and goes when it is named, but not from under those who are at work on it."""

from __future__ import annotations

import errno
import json
import os
import re
import shlex
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
from guides import commands_of
from small_track import Terminal

from harness.dense.model_places import resolved_revision
from harness.errors import InvalidInput
from harness.files.cache import KINDS, REVISIONS, Entry, entries_of, others, remove
from harness.files.writing import exclusive, folder_lock, write_text

ROOT = Path(__file__).parents[2]
DAY = 86_400


def mounted(monkeypatch: pytest.MonkeyPatch, flags: int) -> None:
    """As if all file systems were mounted so."""
    monkeypatch.setattr(os, "statvfs", lambda path: SimpleNamespace(f_flag=flags))


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDR_HOME", str(tmp_path / "home"))
    mounted(monkeypatch, os.ST_RELATIME)
    for name, size, days in (
        ("graphs/old/graph/model.onnx", 3_000, 40),
        ("graphs/old/graph.seal", 20, 41),
        ("graphs/new/graph/model.onnx", 5_000, 1),
        ("vectors/abc/rows.f16", 700, 90),
        ("vectors/abc.lock", 0, 90),
        ("work/mini/bm25/lock", 0, 3),
        ("work/mini/bm25/journal", 10, 3),
        ("reproduce-x1/in use", 0, 2),
        ("reproduce-x1/made/run", 4, 2),
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


@pytest.mark.parametrize("lock", ["vectors/abc.lock", "work/mini/bm25/lock", "reproduce-x1/in use", "data/a/.part.tmp"])
def test_nothing_goes_while_another_is_at_work_in_the_cache(home: Path, xdr: Terminal, lock: str) -> None:
    """A run holds the lock of its work folder to its end, and what it reads has none, such as vectors that are searched."""
    with exclusive(home / lock):
        for kind in ("vectors", "bounds", "work", "reproduce"):
            before = [entry.path for entry in entries_of(kind)]
            done = xdr("cache", kind, "--remove")
            assert done.status == 1
            assert f"another process is at work on {lock} in the cache, so nothing is removed" in done.err
            assert [entry.path for entry in entries_of(kind)] == before
    assert xdr("cache", "vectors", "bounds", "work", "reproduce", "--remove").status == 0
    assert entries_of("vectors") == entries_of("work") == []


def test_a_kind_that_lies_on_another_disk_is_guarded_as_well(home: Path, xdr: Terminal) -> None:
    (home / "vectors").rename(home.parent / "elsewhere")
    (home / "vectors").symlink_to(home.parent / "elsewhere")
    with exclusive(home / "vectors/abc.lock"):
        assert xdr("cache", "bounds", "--remove").status == 1
    assert xdr("cache", "vectors", "--remove").status == 0
    assert [path.name for path in (home.parent / "elsewhere").iterdir()] == ["abc.lock"]


def test_what_is_locked_only_when_its_turn_comes_stays(home: Path) -> None:
    """Another process may have started since the cache was looked through."""
    (entry,) = entries_of("work")
    with exclusive(home / "work/mini/bm25/lock"), pytest.raises(InvalidInput, match="at work on mini"):
        remove(entry)
    assert entries_of("work") == [entry]


def test_whoever_looks_for_locks_changes_no_file(home: Path, xdr: Terminal) -> None:
    path = home / "of-another-program/packages.lock"
    path.write_text("packages = []")
    assert xdr("cache", "bounds", "--remove").status == 0
    assert path.read_text() == "packages = []"


def test_the_commits_that_models_of_the_hub_are_used_at_never_go(home: Path, xdr: Terminal) -> None:
    """Without them the next run would ask the hub for its newest, and be another run."""
    commits = home / REVISIONS
    write_text(commits, json.dumps({"a/b": "0" * 40}))
    write_text(home / "models/converted/model.safetensors", "1")
    os.utime(commits, (0, 0))
    assert [row["entry"] for row in json.loads(xdr("cache", "models", "--json").out)] == ["converted"]
    assert xdr("cache", "models", "--remove").status == 0
    assert xdr("cache", "models", "--unused", "2", "--remove").status == 0
    assert [path.name for path in (home / "models").iterdir()] == [commits.name]
    assert resolved_revision("a/b", home) == "0" * 40


def test_of_a_link_the_link_goes_and_not_what_it_leads_to(home: Path, xdr: Terminal) -> None:
    (home / "trained").mkdir()
    (home / "trained/linked").symlink_to(home / "graphs/new")
    (home / "trained/nowhere").symlink_to(home / "none")
    done = xdr("cache", "trained", "--remove")
    assert (done.status, done.err.partition(",")[0]) == (0, "2 removed")
    assert list((home / "trained").iterdir()) == []
    assert (home / "graphs/new/graph/model.onnx").is_file()


def test_what_could_not_be_removed_is_a_finding_and_not_counted(
    home: Path, xdr: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    unlink = os.unlink

    def protected(path: str | Path, *, dir_fd: int | None = None) -> None:
        if str(path).endswith("model.onnx"):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), path)
        unlink(path, dir_fd=dir_fd)

    with monkeypatch.context() as patched:
        patched.setattr(os, "unlink", protected)
        for _ in range(2):
            done = xdr("cache", "graphs", "bounds", "--remove")
            assert done.status == 1
            assert "graphs/.new.removed" in done.out + done.err or "graphs/new" in done.out + done.err
            assert "Permission denied" in done.out + done.err
            assert [entry.path.name for entry in entries_of("graphs")] == [".new.removed", ".old.removed"], "one name"
            assert entries_of("bounds") == []
        assert "0 removed" in done.err
    assert xdr("cache", "graphs", "--remove").status == 0
    assert list((home / "graphs").iterdir()) == []


def test_a_folder_of_a_locks_name_is_seen(home: Path, xdr: Terminal) -> None:
    write_text(home / "vectors/x.lock/rows.f16", "1234")
    assert [(entry.path.name, entry.size) for entry in entries_of("vectors")] == [("abc", 700), ("x.lock", 4)]
    assert xdr("cache", "vectors", "--remove").status == 0
    assert [path.name for path in (home / "vectors").iterdir()] == ["abc.lock"]


def test_what_is_no_kind_stands_among_the_data_as_in_the_table(home: Path, xdr: Terminal) -> None:
    rows = json.loads(xdr("cache", "--json").out)
    assert [(row["entry"], row["size"]) for row in rows if row["kind"] is None] == [("of-another-program", 6)]
    assert sum(row["size"] for row in rows) == 8_741
    assert all(row["kind"] for row in json.loads(xdr("cache", "--unused", "30", "--json").out)), "it is of today"


def test_how_long_something_was_not_used_is_not_guessed(
    home: Path, xdr: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    mounted(monkeypatch, os.ST_NOATIME)
    for given in (["--remove"], ["--json"], []):
        done = xdr("cache", "graphs", "--unused", "30", *given)
        assert (done.status, "mounted with noatime" in done.err) == (2, True)
    assert len(entries_of("graphs")) == 2
    assert xdr("cache", "graphs", "--remove").status == 0, "which asks for no time"
    mounted(monkeypatch, os.ST_RELATIME)
    assert xdr("cache", "graphs", "--unused", "2").status == 0
    assert xdr("cache", "graphs", "--unused", "1").status == 2, "reading is noted once in 24 hours at the most"


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
        assert [entry.path for entry in entries_of("graphs")] == [place, home / "graphs/old"]
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
