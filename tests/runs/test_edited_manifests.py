"""Whatever somebody writes into a manifest: the reader refuses it by name, or every command that uses it copes with it."""

from __future__ import annotations

import copy
import functools
import io
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from boards import no_collections
from small_track import write_track

from harness.adapters.consent import NOTHING
from harness.compare.records import Comparison, read_comparison
from harness.errors import XdrError
from harness.files.migrations import migrated
from harness.files.toml_records import checked
from harness.files.yaml_records import parsed_yaml
from harness.leaderboard.exports import FORMATS
from harness.leaderboard.pipeline import leaderboard_of
from harness.runs.identity import identity_of
from harness.runs.manifest import FILE_NAME, Manifest, manifest_bytes, read_manifest
from harness.runs.run_folder import RunFolder
from harness.runs.score_file import ScoreFile, read_scores
from harness.runs.track_runs import TrackRuns
from harness.submissions.changes import changes_between, described
from harness.submissions.reproduce import recorded_card
from harness.tracks import Track, load_track

RUNS = Path("runs/rivers")
DELETED = object()
VALUES: tuple[Any, ...] = (
    DELETED, None, True, -1, 1 << 62, 1e300, "", "\x1b[31m\u202e{{ 7 * 7 }}<script>", [1], {}, {"a": [{"b": 1}]},
)  # fmt: skip
Place = tuple[str | int, ...]
ALIKE = {"source", "libraries"}
"""Tables of many keys that are all treated alike: the first of them stands for the others."""


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("edited")
    write_track(folder)
    with pytest.MonkeyPatch.context() as place:
        place.chdir(folder)
        place.setenv("XDR_HOME", str(folder / "home"))
        assert status("leaderboard", "track.toml", "other.toml") == 0
    return folder


@pytest.fixture
def home(recorded: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(recorded)
    monkeypatch.setenv("XDR_HOME", str(recorded / "home"))
    return recorded


def status(*arguments: str) -> int:
    """How a command ends; an exception that no command should let through is one here, too."""
    from harness.cli import main

    with pytest.MonkeyPatch.context() as argv, redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
        argv.setattr("sys.argv", ["xdr", *arguments])
        try:
            main()
        except SystemExit as ended:
            return int(ended.code or 0)
    return 0


def places(value: Any, at: Place = ()) -> Iterator[Place]:
    """Every table, list and leaf of the content, by its keys."""
    if at:
        yield at
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for number, (key, item) in enumerate(items):
        if number == 0 or not (at and at[-1] in ALIKE):
            yield from places(item, (*at, key))


def edited(content: dict[str, Any], at: Place, value: Any) -> dict[str, Any]:
    changed = copy.deepcopy(content)
    inside: Any = changed
    for key in at[:-1]:
        inside = inside[key]
    if value is DELETED:
        del inside[at[-1]]
    else:
        inside[at[-1]] = value
    return changed


def written(content: dict[str, Any]) -> Manifest | None:
    """The manifest in its place, if the reader takes it."""
    try:
        manifest = checked(Manifest, migrated("manifest", content, FILE_NAME), FILE_NAME)
    except XdrError:
        return None
    (RUNS / "other" / FILE_NAME).write_bytes(manifest_bytes(manifest))
    assert read_manifest(RUNS / "other") == manifest
    return manifest


def with_everything(content: dict[str, Any]) -> dict[str, Any]:
    """The content of a small run's manifest with all that manifests have a place for."""
    content["method"]["card"] |= {"parameters": {"salt": ""}, "may_have_seen": ["a: b"], "authors": ["A"]}
    content["implementation"] |= {"inputs": {"model": "1" * 64}, "files": {"a.py": "2" * 64}}
    content["execution"] |= {
        "prompts": {"query": "query: ", "passage": ""},
        "truncated": {"queries": {"fi": 1}, "passages": 0, "tokens lost": {"queries": 0.5, "passages": 0.0}},
        "segmentation": {"ja": "character bigrams"},
        "kernel": "oneDNN",
        "requires": {"numpy": "2.0"},
        "notes": ["cut"],
        "remote code": "o/m",
        "facts": {"dtype": "float32", "index": {"factory": "Flat"}},
    }
    return content


@functools.cache
def results() -> tuple[Track, list[ScoreFile], Comparison]:
    scores = [read_scores(RUNS / name / "scores.parquet") for name in ("bm25", "dummy", "other")]
    return load_track("track.toml"), scores, read_comparison(RUNS / "comparison.json")


def use(before: Manifest, manifest: Manifest) -> None:
    """All that reads a manifest, but for the commands around it."""
    for one, two in ((before, manifest), (manifest, before)):
        assert all(len(line) < 2000 for line in described(changes_between(one, two)))
    identity_of(manifest)
    track, scores, comparison = results()
    assert recorded_card(RunFolder(track, RUNS / "other"), Path("other.toml"), NOTHING).card == manifest.card
    with patch("harness.leaderboard.building.bounds_of", no_collections):
        board = leaderboard_of(TrackRuns(track, Path("runs")), scores, comparison)
    for form in FORMATS.values():
        form.text_of(board)
    for row in board.rows:
        row.provenance.execution.settings()


def test_every_edit_of_a_manifest_is_refused_or_used(home: Path) -> None:
    original = (RUNS / "other" / FILE_NAME).read_bytes()
    content = with_everything(parsed_yaml(RUNS / "other" / FILE_NAME))
    before = read_manifest(RUNS / "other")
    taken: list[dict[str, Any]] = []
    try:
        for at in places(content):
            for value in VALUES:
                changed = edited(content, at, value)
                manifest = written(changed)
                if manifest is not None:
                    taken.append(changed)
                    try:
                        use(before, manifest)
                    except XdrError:
                        pass  # which names what is wrong: this adapter is none, for instance
                    except Exception as error:
                        raise AssertionError(f"{at} = {value!r:.60}: {type(error).__name__}: {error}") from error
        assert len(taken) > 200, "edits that leave the form as it is are taken"
        for changed in taken[:: len(taken) // 5]:
            assert written(changed)
            for command in COMMANDS:
                assert status(*command) in (0, 1, 2)
    finally:
        (RUNS / "other" / FILE_NAME).write_bytes(original)


COMMANDS = (
    ("report", str(RUNS / "other"), "--track", "track.toml"),
    ("diff", str(RUNS / "other"), str(RUNS / "dummy"), "--track", "track.toml"),
    ("reproduce", str(RUNS / "other"), "--track", "track.toml", "--card", "other.toml"),
    ("leaderboard", "track.toml"),
)
