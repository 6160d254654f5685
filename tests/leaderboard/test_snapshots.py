"""From the command line: snapshots that never change, rows that are withdrawn, and a check that writes nothing."""

from __future__ import annotations

import datetime
import hashlib
import json
import re
import shutil
from pathlib import Path

import pytest
import yaml
from small_track import Terminal, bytes_in, write_track

from harness.adapters.card import load_card
from harness.errors import InvalidInput
from harness.files.writing import write_new_folder
from harness.leaderboard.pipeline import recorded_systems
from harness.leaderboard.snapshots import damage_of
from harness.runs.score_file import read_scores, write_scores
from harness.runs.track_runs import TrackRuns
from harness.runs.withdrawal import Withdrawal, withdraw
from harness.tracks import load_track

RUNS = Path("runs/rivers")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from harness.cli import main

    folder = tmp_path_factory.mktemp("rivers")
    write_track(folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setattr("sys.argv", ["xdr", "leaderboard", "track.toml", "other.toml", "--freeze", "first"])
        with pytest.raises(SystemExit) as ended:
            main()
    assert not ended.value.code
    return folder


@pytest.fixture
def xdr(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Terminal:
    """A terminal in a folder that holds a leaderboard of three systems and the snapshot ``first``."""
    shutil.copytree(made, tmp_path / "copy")
    monkeypatch.chdir(tmp_path / "copy")
    return Terminal(monkeypatch, capsys)


# -- freezing


def test_a_snapshot_holds_all_tables_and_the_digests_of_all_runs(xdr: Terminal) -> None:
    folder = RUNS / "snapshots/first"
    assert sorted(path.name for path in folder.iterdir()) == [
        "CITATION.cff", "SHA256SUMS", "comparison.json", "leaderboard.csv", "leaderboard.json", "leaderboard.md",
        "leaderboard.schema.json", "leaderboard.tex", "references.bib", "snapshot.json",
    ]  # fmt: skip
    for name in ("comparison.json", "leaderboard.csv", "leaderboard.json", "leaderboard.md"):
        assert (folder / name).read_bytes() == (RUNS / name).read_bytes()
    for line in (folder / "SHA256SUMS").read_text().splitlines():
        digest, name = line.split("  ")
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == digest
    snapshot = json.loads((folder / "snapshot.json").read_text())
    assert snapshot["name"] == "first"
    assert [(f["name"], f["size"], f["correction"]) for f in snapshot["families"]] == [
        ("macro", 2, "holm"), ("per language", 4, "holm"), ("all pairs", 3, "max-T"),
    ]  # fmt: skip
    assert set(snapshot["runs"]) == {"bm25", "dummy", "other"}
    for system, run in snapshot["runs"].items():
        manifest = yaml.safe_load((RUNS / system / "manifest.yaml").read_text())
        assert run["rankings"] == {part: record["ranking"] for part, record in manifest["data"].items()}
        assert set(run["reuse"]) == {"identity"}
        assert run["scores"] == read_scores(RUNS / system / "scores.parquet").context["key"]
    assert {"python", "libraries"} <= set(snapshot["software"])


def test_freezing_the_same_leaderboard_again_says_so_on_any_day(xdr: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    class Later(datetime.datetime):
        @classmethod
        def now(cls, tz: datetime.tzinfo | None = None) -> datetime.datetime:
            return datetime.datetime(2100, 1, 1, tzinfo=tz)

    before = bytes_in(RUNS / "snapshots")
    monkeypatch.setattr("harness.leaderboard.snapshots.datetime.datetime", Later)
    done = xdr("leaderboard", "track.toml", "--freeze", "first")
    assert done.status == 0
    assert "first: there already, and identical" in done.err
    assert bytes_in(RUNS / "snapshots") == before
    assert xdr("leaderboard", "track.toml", "--freeze", "later").status == 0
    assert "2100-01-01" in (RUNS / "snapshots/later/CITATION.cff").read_text()


def test_a_snapshot_is_never_replaced_by_another(xdr: Terminal) -> None:
    shutil.rmtree(RUNS / "other")
    before = bytes_in(RUNS / "snapshots")
    done = xdr("leaderboard", "track.toml", "--freeze", "first")
    assert done.status == 2
    assert "differs from today's leaderboard in CITATION.cff, comparison.json, leaderboard.csv" in done.err
    assert "choose another name" in done.err
    assert bytes_in(RUNS / "snapshots") == before


@pytest.mark.parametrize("name", ["../up", "a/b", "With Blank", ".hidden", "x" * 65, "é"])
def test_a_name_that_would_be_no_good_folder_is_refused_before_anything_is_run(xdr: Terminal, name: str) -> None:
    before = bytes_in(Path())
    done = xdr("leaderboard", "track.toml", "--freeze", name)
    assert done.status == 2
    assert "cannot be a snapshot's name" in done.err
    assert bytes_in(Path()) == before


def test_a_snapshot_is_whole_or_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int) -> None:
        if list(tmp_path.rglob("*.tmp")) and list(tmp_path.rglob("one")):
            raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(InvalidInput, match="the disk is full"):
        write_new_folder(tmp_path / "made/new", {"one": b"1", "two": b"2"})
    assert list(tmp_path.rglob("*")) == [tmp_path / "made"]
    monkeypatch.undo()
    write_new_folder(tmp_path / "made/new", {"one": b"1"})
    with pytest.raises(InvalidInput, match="there is a folder of that name"):
        write_new_folder(tmp_path / "made/new", {"one": b"2"})
    assert bytes_in(tmp_path) == {"made/new/one": b"1"}


def test_snapshots_are_no_system(xdr: Terminal, tmp_path: Path) -> None:
    shutil.copy(RUNS / "bm25/manifest.yaml", RUNS / "snapshots/first/manifest.yaml")
    assert recorded_systems(TrackRuns(load_track("track.toml"), Path("runs"))) == ["bm25", "dummy", "other"]
    path = tmp_path / "card.toml"
    path.write_text('schema_version = 1\nname = "snapshots"\ntitle = "t"\nadapter = "dummy"\n')
    with pytest.raises(InvalidInput, match=r"a name cannot be .*snapshots"):
        load_card(str(path))


def test_the_citation_has_the_required_keys_of_cff(xdr: Terminal) -> None:
    content = yaml.safe_load((RUNS / "snapshots/first/CITATION.cff").read_text())
    known = {
        "abstract", "authors", "cff-version", "commit", "contact", "date-released", "doi", "identifiers", "keywords",
        "license", "license-url", "message", "preferred-citation", "references", "repository", "repository-artifact",
        "repository-code", "title", "type", "url", "version",
    }  # fmt: skip
    assert {"authors", "cff-version", "message", "title"} <= set(content) <= known
    assert content["cff-version"] == "1.2.0"
    assert content["type"] in ("software", "dataset")
    assert content["authors"] == [{"name": "xdr-bench contributors"}]
    assert content["license"] == "Apache-2.0"
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", content["date-released"])
    assert all(isinstance(value, str) and value for key, value in content.items() if key not in ("authors", "keywords"))


# -- withdrawing


def test_a_withdrawn_row_stays_without_rank_and_its_run_is_not_touched(xdr: Terminal) -> None:
    before = bytes_in(RUNS / "other")
    done = xdr("withdraw", str(RUNS / "other"), "--reason", "Trained on\nthe questions", "--track", "track.toml")
    assert done.status == 0
    assert xdr("leaderboard", "track.toml", "other.toml").status == 0
    rows = json.loads((RUNS / "leaderboard.json").read_text())["rows"]
    assert rows[-1]["system"] == "other"
    assert rows[-1]["rank"] is None
    assert rows[-1]["withdrawn"]["reason"] == "Trained on\nthe questions"
    comparison = json.loads((RUNS / "comparison.json").read_text())
    assert comparison["systems"] == ["bm25", "dummy"]
    assert not [d for d in comparison["differences"] if d["system"] == "other"]
    after = bytes_in(RUNS / "other")
    assert after.pop("withdrawn.toml")
    assert after == before
    assert "other" not in xdr("compare", "track.toml", "--test", "t").out
    assert "withdrawn on" in xdr("report", str(RUNS / "other"), "--track", "track.toml").out


def test_a_withdrawn_run_is_not_run_over(xdr: Terminal) -> None:
    withdraw(RUNS / "other", Withdrawal(date=datetime.date(2026, 1, 2), reason="r"))
    card = Path("other.toml")
    card.write_text(card.read_text() + 'description = "fixed"\n')
    before = bytes_in(RUNS / "other")
    done = xdr("run", "track.toml", "other.toml")
    assert done.status == 2
    assert "withdrawn on 2026-01-02" in done.err
    assert "give its card another name" in done.err
    assert bytes_in(RUNS / "other") == before


def test_a_baseline_cannot_be_withdrawn(xdr: Terminal) -> None:
    done = xdr("withdraw", str(RUNS / "bm25"), "--reason", "r", "--track", "track.toml")
    assert done.status == 1
    assert "bm25 is the baseline of track rivers" in done.err
    assert not (RUNS / "bm25/withdrawn.toml").exists()
    withdraw(RUNS / "bm25", Withdrawal(date=datetime.date(2026, 1, 2), reason="broken"))
    done = xdr("leaderboard", "track.toml")
    assert done.status == 1
    assert "bm25, the baseline of track rivers, was withdrawn on 2026-01-02 (broken)" in done.err


@pytest.mark.parametrize(
    ("arguments", "status", "told"),
    [
        ([str(RUNS / "other"), "--reason", " "], 2, "reason"),
        ([str(RUNS / "other"), "--reason", "r", "--date", "yesterday"], 2, "date"),
        ([str(RUNS / "nobody"), "--reason", "r"], 1, "has no manifest.yaml"),
        ([str(RUNS / "other")], 2, "reason"),
    ],
)
def test_a_withdrawal_needs_a_run_a_day_and_a_reason(
    xdr: Terminal, arguments: list[str], status: int, told: str
) -> None:
    before = bytes_in(Path())
    done = xdr("withdraw", *arguments, "--track", "track.toml")
    assert done.status == status
    assert told in done.err
    assert bytes_in(Path()) == before


# -- checking


def test_a_fresh_leaderboard_passes_and_nothing_is_written(xdr: Terminal) -> None:
    shutil.rmtree("reports")
    before = bytes_in(Path())
    done = xdr("leaderboard", "track.toml", "--check")
    assert done.status == 0
    assert "runs/rivers: scores, tables and snapshots are fresh" in done.err
    assert bytes_in(Path()) == before


def spoil_scores() -> None:
    path = RUNS / "dummy/scores.parquet"
    scores = read_scores(path)
    values = {**scores.values, ("ru", "Success@1"): {"q3": 0.25}}
    write_scores(path, type(scores)(scores.system, values, scores.units, scores.langs, scores.context))


def spoil_comparison() -> None:
    replace_in("comparison.json", '"resamples": 1000', '"resamples": 1001')


def spoil_table() -> None:
    replace_in("leaderboard.json", '"title": "Other"', '"title": "The best"')


def spoil_csv() -> None:
    replace_in("leaderboard.csv", "other", "best")


def spoil_markdown() -> None:
    replace_in("leaderboard.md", "| Other |", "| Best |")


def spoil_snapshot() -> None:
    replace_in("snapshots/first/leaderboard.md", "| Other |", "| Best |")


def withdraw_a_row() -> None:
    withdraw(RUNS / "other", Withdrawal(date=datetime.date(2026, 1, 2), reason="r"))


def replace_in(name: str, old: str, new: str) -> None:
    text = (RUNS / name).read_text()
    assert old in text
    (RUNS / name).write_text(text.replace(old, new, 1))


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (
            spoil_scores,
            ["dummy/scores.parquet: not the scores of the run beside it; score it again: `xdr score track.toml`"],
        ),
        (
            spoil_comparison,
            ["comparison.json: resamples is 1001, today 1000; make it again: `xdr leaderboard track.toml`"],
        ),
        (spoil_table, ["leaderboard.json: rows[", ".title is 'The best', today 'Other'"]),
        (spoil_csv, ["leaderboard.csv: not the table of leaderboard.json"]),
        (spoil_markdown, ["leaderboard.md: not the table of leaderboard.json"]),
        (spoil_snapshot, ["snapshots/first/leaderboard.md: not the file that was frozen; restore it"]),
        (withdraw_a_row, ["comparison.json: ", "leaderboard.json: "]),
    ],
)
def test_what_is_stale_is_named_with_what_to_do(xdr: Terminal, spoil: object, told: list[str]) -> None:
    spoil()  # type: ignore[operator]
    before = bytes_in(Path())
    done = xdr("leaderboard", "track.toml", "--check")
    assert done.status == 1
    for text in told:
        assert text in done.err
    assert bytes_in(Path()) == before


@pytest.mark.parametrize(
    "name",
    ["other/scores.parquet", "comparison.json", "leaderboard.json", "leaderboard.csv", "leaderboard.md",
     "snapshots/first/SHA256SUMS", "snapshots/first/references.bib"],
)  # fmt: skip
@pytest.mark.parametrize("content", [None, b"\xff{"])
def test_a_file_that_is_missing_or_broken_is_stale(xdr: Terminal, name: str, content: bytes | None) -> None:
    if content is None:
        (RUNS / name).unlink()
    else:
        (RUNS / name).write_bytes(content)
    done = xdr("leaderboard", "track.toml", "--check")
    assert done.status == 1
    assert f"{RUNS / name}" in done.err


def test_an_edited_run_is_found_by_its_manifest(xdr: Terminal) -> None:
    shutil.copy(RUNS / "dummy/fi.trec.gz", RUNS / "other/ru.trec.gz")
    done = xdr("leaderboard", "track.toml", "--check")
    assert done.status == 1
    assert "runs/rivers/other: " in done.err
    assert "ru.trec.gz: its digest is" in done.err
    assert "restore its files, or withdraw the row" in done.err


def test_the_last_digits_that_differ_between_machines_are_no_staleness(xdr: Terminal) -> None:
    path = RUNS / "leaderboard.json"
    content = json.loads(path.read_text())
    cell = content["rows"][0]["cells"]["Success@1"]["macro"]
    cell["value"] *= 1 + 1e-13
    path.write_text(json.dumps(content))
    done = xdr("leaderboard", "track.toml", "--check")
    assert "leaderboard.json: " not in done.err


def test_a_file_that_nobody_froze_is_no_part_of_a_snapshot(xdr: Terminal) -> None:
    (RUNS / "snapshots/first/notes.txt").write_text("added")
    assert [str(fault) for fault in damage_of(RUNS / "snapshots/first")] == [
        f"{RUNS}/snapshots/first/notes.txt: no part of the snapshot; restore it from version control; "
        "a snapshot never changes"
    ]


@pytest.mark.parametrize("arguments", [["--freeze", "x"], ["other.toml"], ["--ablations"]])
def test_a_check_takes_no_orders(xdr: Terminal, arguments: list[str]) -> None:
    done = xdr("leaderboard", "track.toml", *arguments, "--check")
    assert done.status == 2
    assert "--check looks at what is recorded" in done.err


# -- exporting from the command line


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ([str(RUNS)], "is a leaderboard; say how to write it: --format json|csv"),
        ([str(RUNS), "--format", "latx"], "did you mean 'latex'?"),
        ([str(RUNS), "x.json", "--format", "xor-retrieve"], "is a leaderboard; xor-retrieve is written of a run"),
        ([str(RUNS / "bm25"), "--format", "latex"], "is a run; try runs/rivers"),
        ([str(RUNS / "bm25")], "say where to write"),
        ([str(RUNS), "--format", "badges"], "say where to write"),
        (["data", "--format", "csv"], "`xdr leaderboard TRACK` writes leaderboard.json"),
        (["data", "x.json"], "no run: it has no manifest.yaml"),
        (["nowhere", "x.json"], "nowhere is not a folder"),
        ([str(RUNS), "a", "--format", "csv", "--questions", "b"], "--questions belongs to xor-retrieve, not to csv"),
    ],
)
def test_a_format_that_does_not_fit_the_folder_is_refused(xdr: Terminal, arguments: list[str], told: str) -> None:
    before = bytes_in(Path())
    done = xdr("export", *arguments)
    assert done.status == 2
    assert told in done.err
    assert bytes_in(Path()) == before


def test_exports_are_what_lies_beside_the_runs_and_in_the_snapshot(xdr: Terminal) -> None:
    for name, file in (("json", "leaderboard.json"), ("csv", "leaderboard.csv"), ("markdown", "leaderboard.md"),
                       ("latex", "leaderboard.tex"), ("bibtex", "references.bib")):  # fmt: skip
        assert xdr("export", str(RUNS), "written", "--format", name).status == 0
        assert Path("written").read_bytes() == (RUNS / "snapshots/first" / file).read_bytes()
        assert (
            xdr("export", str(RUNS / "snapshots/first"), "--format", name).out.encode() == Path("written").read_bytes()
        )
    assert xdr("export", str(RUNS), "badges", "--format", "badges").status == 0
    assert sorted(path.name for path in Path("badges").iterdir()) == ["bm25.svg", "dummy.svg", "other.svg"]
    assert xdr("export", str(RUNS / "bm25"), "predictions.json", "--track", "track.toml").status == 0
    assert len(json.loads(Path("predictions.json").read_text())) == 3
