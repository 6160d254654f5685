"""A recorded run is reused until something that defines it changes."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import pytest
import run_places
from run_places import bytes_of, run, write_card, write_track

from harness.errors import InvalidInput
from harness.files.yaml_records import parsed_yaml, yaml_text
from harness.runs.execute import Outcome
from harness.runs.manifest import FILE_NAME, read_manifest
from systems.bm25 import Bm25


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return run_places.place(tmp_path)


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
    ("change", "named"),
    [
        (changed_parameter, "parameters.backwards: none -> True"),
        (changed_adapter, "file adapter.py: "),
        (changed_run_file, "fi.trec.gz: its digest is "),
        (damaged_run_file, "fi.trec.gz"),
        (missing_run_file, "fi.trec.gz"),
        (damaged_manifest, "manifest.yaml is not a YAML file"),
    ],
)
def test_another_run_is_named_and_replaced_only_where_that_was_asked_for(
    home: Path, change: Callable[[Path], None], named: str, strict: bool
) -> None:
    write_card(home)
    before = bytes_of(run(home).folder)
    change(home)
    untouched = bytes_of(home / "runs" / "toy" / "mine")
    with pytest.raises(InvalidInput, match="holds another run") as caught:
        run(home, strict=strict)
    assert named in str(caught.value)
    assert bytes_of(home / "runs" / "toy" / "mine") == untouched
    outcome = run(home, strict=strict, replacing="another")
    assert not outcome.reused
    assert bytes_of(outcome.folder) == before, "none of these changes is one of the results"
    assert run(home, strict=strict).reused


def test_a_run_without_a_manifest_was_never_recorded(home: Path) -> None:
    write_card(home)
    run(home)
    (home / "runs" / "toy" / "mine" / FILE_NAME).unlink()
    assert not run(home).reused


PROSE = """description = "Other words."
authors = ["Ada"]
paper = "https://doi.org/10.1/1"
licence = "MIT"
training_data = ["MLQA"]
kind = "control"
may_have_seen = ["xquad: its English paragraphs are Wikipedia's"]
bibtex = "@misc{ada, title = {Words}, year = {2026}}"
"""


def test_prose_of_a_card_changes_in_place_and_nothing_is_run(home: Path) -> None:
    write_card(home, log=str(home / "log"))
    folder = run(home).folder
    runs, asked = bytes_of(folder), (home / "log").read_text()
    write_card(home, top=PROSE, log=str(home / "log"))
    outcome = run(home)
    edited = ("authors", "bibtex", "description", "kind", "licence", "may_have_seen", "paper", "training_data")
    assert (outcome.reused, outcome.edited) == (True, edited)
    assert (bytes_of(folder), (home / "log").read_text()) == (runs, asked)
    card = read_manifest(folder).card
    assert (card.description, card.authors) == ("Other words.", ("Ada",))
    assert run(home).edited == ()


def test_a_table_that_was_recorded_before_versions_counts_by_what_it_says(home: Path) -> None:
    """A manifest of schema version 1, as this card's run would have had it."""
    write_card(home)
    folder = run(home).folder
    content = parsed_yaml(folder / FILE_NAME)
    content["schema_version"] = 1
    del content["track"]["measures"], content["track"]["parts"]
    made = content["implementation"]
    del made["versions"], made["files"]
    content["reuse"] = {"inputs": "0" * 64, "environment": "0" * 64}
    (folder / FILE_NAME).write_text(yaml_text(content))
    assert run(home).reused
    changed_adapter(home)
    with pytest.raises(InvalidInput, match=r"file adapter\.py"):
        run(home)


@pytest.mark.parametrize("where", ["adapter", "shared part"])
def test_a_raised_version_is_another_run(home: Path, where: str, monkeypatch: pytest.MonkeyPatch) -> None:
    write_card(home, adapter="bm25")
    run(home)
    assert run(home).reused
    if where == "adapter":
        monkeypatch.setattr(Bm25, "version", Bm25.version + 1)
    else:
        monkeypatch.setattr(Bm25, "versions", {"segmentation": 99})
    name = "adapter" if where == "adapter" else "segmentation"
    with pytest.raises(InvalidInput, match=f"version of {name}: 1 -> "):
        run(home)


def test_an_adapter_that_cannot_be_loaded_does_not_hide_its_recorded_run(home: Path) -> None:
    write_card(home)
    run(home)
    (home / "adapter.py").write_text("import a_library_that_is_not_here\n")
    assert run(home).reused
    write_card(home, backwards=True)
    with pytest.raises(InvalidInput, match=r"parameters\.backwards"):
        run(home)
    with pytest.raises(InvalidInput, match="a_library_that_is_not_here"):
        run(home, replacing="another")


def test_another_seed_is_another_run(home: Path) -> None:
    write_card(home)
    run(home)
    with pytest.raises(InvalidInput, match="seed: 42 -> 43"):
        run(home, seed=43)
    assert not run(home, seed=43, replacing="another").reused
    assert read_manifest(home / "runs" / "toy" / "mine").execution.seed == 43


@pytest.mark.parametrize(("changed", "reused"), [("docs", False), ("queries", False), ("nothing", True)])
def test_only_other_data_are_another_run_not_another_place(home: Path, changed: str, reused: bool) -> None:
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
    if reused:
        assert run(home, track="new.toml").reused
        return
    with pytest.raises(InvalidInput, match=f"part ar, {changed}: "):
        run(home, track="new.toml")


def test_other_libraries_count_only_when_it_is_strict(home: Path) -> None:
    write_card(home)
    folder = run(home).folder
    path = folder / FILE_NAME
    path.write_text(path.read_text().replace(f"numpy: {version('numpy')}", "numpy: 0.0.1"))
    assert run(home).reused
    with pytest.raises(InvalidInput, match=r"software\.libraries\.numpy: 0\.0\.1 -> "):
        run(home, strict=True)
    assert not run(home, strict=True, replacing="another").reused
    assert run(home, strict=True).reused
