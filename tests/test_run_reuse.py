"""A recorded run is reused until something that defines it changes."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path

import pytest
import run_places
from run_places import bytes_of, run, write_card, write_track

from harness.manifest import FILE_NAME, Manifest, read_manifest
from harness.run import Outcome


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return run_places.place(tmp_path)


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
