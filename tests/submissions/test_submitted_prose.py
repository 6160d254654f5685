"""What a card says of its authors, paper or licence is edited in place: nothing is run, and nothing else changes."""

from __future__ import annotations

from pathlib import Path

import pytest
from small_track import OTHER_CARD, Ended, Terminal, bytes_in, write_track

from harness.runs.manifest import read_manifest
from harness.scaffold.scaffold import write_scaffold

PROSE = 'licence = "MIT"\npaper = "arXiv:2305.03950"\nauthors = ["A", "B"]\n'


@pytest.fixture
def xdr(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Terminal:
    write_track(tmp_path)
    monkeypatch.chdir(tmp_path)
    return Terminal(monkeypatch, capsys)


def changed(before: dict[str, bytes], folder: Path) -> set[str]:
    after = bytes_in(folder)
    return {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)}


def nothing_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("it was run again")

    monkeypatch.setattr("harness.submissions.submit.run_system", refuse)


def test_prose_of_a_system_is_edited_without_a_run(xdr: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    write_scaffold("own", Path("own"))
    submit = ("submit", "track.toml", "own", "--allow-code")
    assert xdr(*submit).status == 0
    row = Path("runs/rivers/own")
    (row / "reproductions").mkdir()
    (row / "reproductions/one.yaml").write_text("x")
    before = bytes_in(row)
    card = Path("own/card.toml")
    head, bracket, tail = card.read_text().partition("[parameters]")
    lines = [line for line in head.splitlines() if line.split(" ")[0] not in ("licence", "paper", "authors")]
    card.write_text("\n".join(lines) + "\n" + PROSE + bracket + tail)
    nothing_runs(monkeypatch)
    ended = xdr(*submit)
    assert (ended.status, "brought up to date (authors, licence, paper); nothing was run" in ended.err) == (0, True)
    assert changed(before, row) == {"manifest.yaml", "system/card.toml"}
    assert read_manifest(row).card.licence == "MIT"
    assert (row / "system/card.toml").read_bytes() == card.read_bytes()


def test_prose_of_submitted_files_is_edited_and_a_changed_run_is_refused(xdr: Terminal) -> None:
    Path("fi.trec").write_text("q1 Q0 volga 1 2 x\nq2 Q0 nile 1 2 x\n")
    Path("ru.trec").write_text("q3 Q0 nile 1 2 x\n")

    def submitted() -> Ended:
        return xdr("submit", "track.toml", "other.toml", "fi.trec", "ru.trec")

    assert submitted().status == 0
    row = Path("runs/rivers/other")
    before = bytes_in(row)
    Path("other.toml").write_text(OTHER_CARD + PROSE)
    assert submitted().status == 0
    assert changed(before, row) == {"manifest.yaml"}
    Path("other.toml").write_text(OTHER_CARD.replace("dummy", "bm25"))
    ended = submitted()
    assert (ended.status, "its card differs in adapter" in ended.err) == (2, True)
    Path("other.toml").write_text(OTHER_CARD)
    Path("fi.trec").write_text("q1 Q0 nile 1 2 x\n")
    ended = submitted()
    assert (ended.status, "its runs differ on fi" in ended.err) == (2, True)
