"""Whatever is printed as a command works as it is printed: on pages, in findings, after a submission."""

from __future__ import annotations

import html
import re
import shlex
from pathlib import Path

import pytest
from small_track import Terminal, write_track

from harness.adapters.card import Card
from harness.runs.commands import Commands
from harness.runs.provenance import Execution
from harness.scaffold.scaffold import PROGRAM, write_scaffold
from harness.tracks import load_track


@pytest.fixture
def xdr(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Terminal:
    """In a folder with a track's file in a folder of its own, whose name a shell would take apart."""
    (tmp_path / "own tracks").mkdir()
    write_track(tmp_path / "own tracks")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "300")
    return Terminal(monkeypatch, capsys)


TRACK = "own tracks/track.toml"


def commands_in(text: str) -> list[str]:
    """Each once: in back quotes, or after a label, up to the end of the line."""
    quoted = re.findall(r"`(xdr [^`]+)`", text)
    labelled = re.findall(r"^\w[\w ]*: +(xdr [^`\n]+)$", text, flags=re.MULTILINE)
    return list(dict.fromkeys([*quoted, *labelled]))


def commands_on(pages: Path) -> list[str]:
    found: dict[str, None] = {}
    for page in sorted(pages.rglob("*.html")):
        for block in re.findall(r"<pre[^>]*><code>(.*?)</code></pre>", page.read_text("utf-8"), flags=re.DOTALL):
            found |= dict.fromkeys(line for line in html.unescape(block).splitlines() if line.startswith("xdr "))
    return list(found)


def type_in(xdr: Terminal, commands: list[str]) -> None:
    for command in commands:
        done = xdr(*shlex.split(command)[1:])
        assert done.status == 0, f"{command}\n{done.out}\n{done.err}"


def test_every_command_that_is_printed_for_a_track_from_a_file_works(xdr: Terminal, tmp_path: Path) -> None:
    write_scaffold("own", tmp_path / "own")
    write_scaffold("program", tmp_path / "program", PROGRAM)
    for name in ("own", "program"):
        done = xdr("submit", TRACK, name, "--allow-code")
        assert done.status == 0, done.err
        printed = commands_in(done.err)
        assert f"xdr reproduce runs/rivers/{name} --track 'own tracks/track.toml' --allow-code" in printed
        assert xdr("leaderboard", TRACK).status == 0
        type_in(xdr, printed)
    printed = commands_on(tmp_path / "reports")
    assert {shlex.split(command)[1] for command in printed} >= {"leaderboard", "reproduce", "data"}
    assert not any(str(tmp_path) in command for command in printed)
    type_in(xdr, [command for command in printed if "list published" not in command])


def test_every_command_that_a_check_names_mends_what_it_found(xdr: Terminal, tmp_path: Path) -> None:
    assert xdr("leaderboard", TRACK, "--runs", "my runs").status == 0
    write_scaffold("own", tmp_path / "own")
    assert xdr("submit", TRACK, "own", "--allow-code", "--runs", "my runs").status == 0
    folder = tmp_path / "my runs" / "rivers"
    (folder / "bm25" / "scores.parquet").write_bytes(b"")
    (folder / "leaderboard.csv").write_text("")
    (folder / "dummy" / "fi.trec.gz").unlink()
    (folder / "own" / "ru.trec.gz").write_bytes(b"")
    done = xdr("leaderboard", TRACK, "--runs", "my runs", "--check")
    assert done.status == 1
    named = commands_in(done.err)
    assert {shlex.split(command)[1] for command in named} == {"run", "score"}
    type_in(xdr, sorted(named))
    named = commands_in(xdr("leaderboard", TRACK, "--runs", "my runs", "--check").err)
    assert {shlex.split(command)[1] for command in named} <= {"leaderboard"}
    type_in(xdr, named)
    assert xdr("leaderboard", TRACK, "--runs", "my runs", "--check").status == 0


def test_a_page_names_no_folder_of_this_machine(tmp_path: Path) -> None:
    write_track(tmp_path)
    track = load_track(str(tmp_path / "track.toml"))
    assert str(tmp_path) in Commands(track, tmp_path / "runs").leaderboard()
    assert Commands(track, tmp_path / "runs", public=True).leaderboard() == "xdr leaderboard track.toml --runs runs"
    assert Commands(load_track("mini")).leaderboard("--ablations") == "xdr leaderboard mini --ablations"


def test_a_model_that_runs_its_own_code_is_named_where_the_row_is_made_again() -> None:
    commands = Commands(load_track("mini"))
    card = Card(schema_version=1, name="x", title="X", adapter="dense")
    execution = Execution(device="cpu", isolation="none")
    trusted = f"o/m@{'0' * 40}"
    assert commands.reproduce("x", card, execution.model_copy(update={"remote_code": trusted})) == (
        f"xdr reproduce runs/mini/x --trust-remote-code {trusted}"
    )
    assert commands.reproduce("x", card, execution) == "xdr reproduce runs/mini/x"


def test_a_new_system_is_not_written_into_a_folder_of_something_else(xdr: Terminal, tmp_path: Path) -> None:
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / "notes.txt").write_text("")
    done = xdr("new", "runs")
    assert done.status == 2
    assert "runs exists already, and is not empty; another name, or --folder" in done.err
    assert [path.name for path in (tmp_path / "runs").iterdir()] == ["notes.txt"]
    assert xdr("new", "runs", "--folder", "elsewhere").status == 0
    (tmp_path / "empty").mkdir()
    assert xdr("new", "empty").status == 0
    assert (tmp_path / "empty" / "card.toml").is_file()
