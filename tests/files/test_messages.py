"""What a user is told who typed something that is nearly right."""

from __future__ import annotations

from pathlib import Path

import pytest
from recorded import copy_recorded_runs
from small_track import Terminal, write_track

BM25 = "runs/mini/bm25"


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Terminal:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDR_HOME", str(tmp_path / "home"))
    write_track(tmp_path)
    copy_recorded_runs(tmp_path)
    return Terminal(monkeypatch, capsys)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("run mini bm25 --device gpu", "gpu: expected auto, cpu, cuda, or one of several as cuda:1; did you mean cuda"),
        ("leaderboard mini --device CPU", "CPU: expected auto, cpu, cuda, or one of several as cuda:1; did you mean cpu?"),
        ("run mini bm25 --device cuda:99", "--device cuda:99: there is no such GPU here; PyTorch "),
        (f"score {BM25}", "give its track first, then the system: mini bm25"),
        (f"leaderboard mini {BM25}", "bm25 is a recorded run, and a system is a shipped card's name"),
        ("run mini data", "folder data has no card.toml"),
        ("run mini data/docs.jsonl", "data/docs.jsonl is a file, but not a card"),
        ("run mini ./absent.toml", "no file"),
        ("new data", "data exists already, and is not empty; another name, or --folder, says where to write"),
        ("new con", "'con' cannot be a system's name: Windows has no folder of that name"),
        (f"withdraw {BM25} --reason x --date 26.11.2026", "--date 26.11.2026: expected a day as 2026-11-25"),
    ],
)  # fmt: skip
def test_wrong_usage_is_named(arguments: str, said: str, terminal: Terminal) -> None:
    done = terminal(*arguments.split())
    assert done.status == 2
    assert said in done.err


def test_a_faulty_card_is_no_fault_of_the_track(terminal: Terminal, tmp_path: Path) -> None:
    (tmp_path / "faulty.toml").write_text(
        'schema_version = 1\nname = "faulty"\ntitle = "Faulty"\nadapter = "bm25"\n[parameters]\nk2 = 1\n'
    )
    done = terminal("leaderboard", "mini", "faulty.toml")
    assert done.status == 1
    assert done.err.splitlines()[0] == "xdr: track mini is there, but these of its systems cannot be run: faulty"
    assert "faulty: card faulty, [parameters]: k2: unknown key" in done.err


def test_a_folder_with_a_card_is_a_card(terminal: Terminal, tmp_path: Path) -> None:
    assert terminal("new", "mine").status == 0
    done = terminal("run", "track.toml", "mine", "--allow-code")
    assert done.status == 0
    assert (tmp_path / "runs/rivers/mine/fi.trec.gz").is_file()


def test_commands_on_a_row_of_a_track_from_a_file_name_the_option(terminal: Terminal) -> None:
    assert terminal("run", "track.toml", "bm25").status == 0
    row = "runs/rivers/bm25"
    for command in ("validate", "report", "reproduce", "withdraw --reason x", f"diff {row}"):
        name, *others = command.split()
        done = terminal(name, *others, row)
        assert done.status == 2
        assert (
            f"{row}: no track 'rivers' is installed here; if it comes from a file, say where that lies: --track"
            in done.err
        )
    assert terminal("validate", row, "--track", "track.toml").status == 0


def test_any_run_file_is_validated(terminal: Terminal, tmp_path: Path) -> None:
    (tmp_path / "fine.trec").write_text("q1 Q0 d1 1 2 tag\nq1 Q0 d2 2 2 tag\n")
    done = terminal("validate", "fine.trec")
    assert done.status == 0
    assert "fine.trec: in form, 1 rankings, tag tag, 1 warnings; with --track TRACK --part PART" in done.err
    assert "1 of 1 rankings have tied scores" in done.err
    (tmp_path / "bad.trec").write_text("q1 Q0 d1 1 nan tag\nq1 Q0 d2 2 2 tag\nq1 Q0 d2 3 1 other\nq1 d2\n")
    done = terminal("validate", "bad.trec")
    assert done.status == 1
    for fault in (
        "bad.trec:1: score nan",
        "bad.trec:3: query q1: document d2 is a duplicate",
        "run tag 'other'",
        "2 columns",
    ):
        assert fault in done.err


def test_a_run_file_of_a_recorded_row_is_held_against_its_track(terminal: Terminal) -> None:
    done = terminal("validate", f"{BM25}/fi.trec.gz")
    assert done.status == 0
    assert "fi: valid, 60 rankings, tag bm25" in done.err
