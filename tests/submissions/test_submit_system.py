"""Rows from systems: run, recorded with all that makes them again, and made again from that alone."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from toy_submissions import target, write_toy

from harness.adapters.consent import Consent
from harness.adapters.contract import Context
from harness.errors import InvalidInput, WrongUsage
from harness.leaderboard.pipeline import build_leaderboard, compare_all, score_all
from harness.runs.run_folder import RunFolder
from harness.runs.track_runs import TrackRuns
from harness.scaffold.scaffold import PROGRAM, SYSTEM, write_scaffold
from harness.submissions.reproduce import reproduce
from harness.submissions.reproductions import write_reproduction
from harness.submissions.submit import submit_system


@pytest.fixture
def home(tmp_path: Path) -> Path:
    write_toy(tmp_path)
    return tmp_path


@pytest.mark.parametrize("executable", [False, True])
def test_a_system_is_run_and_can_be_made_again_from_what_was_recorded(home: Path, executable: bool) -> None:
    write_scaffold("own", home / "own", PROGRAM if executable else SYSTEM)
    context = Context(cache=home / "cache", work=home / "work", consent=Consent(code=True))
    done = submit_system(target(home), str(home / "own" / "card.toml"), context)
    assert done.folder == home / "runs/toy/own"
    assert {path.name for path in (done.folder / "system").iterdir()} == (
        {"card.toml", "search.awk"} if executable else {"card.toml", "adapter.py"}
    )
    assert submit_system(target(home), str(home / "own" / "card.toml"), context).unchanged
    shutil.rmtree(home / "own")
    record = reproduce(RunFolder(target(home).track, done.folder), context)
    assert record.verdict == "identical"
    write_reproduction(done.folder / "reproductions", record)
    track, runs = target(home).track.model_copy(update={"baseline": "own"}), home / "runs"
    scores = score_all(TrackRuns(track, runs))
    (row,) = build_leaderboard(TrackRuns(track, runs), scores, compare_all(TrackRuns(track, runs), scores)).rows
    assert row.status == "reproduced"
    assert row.reproduced is not None
    assert (row.reproduced.verdict, row.reproduced.date) == ("identical", record.date)


def test_a_run_that_was_recorded_without_its_system_is_completed(home: Path) -> None:
    write_scaffold("own", home / "own")
    context = Context(cache=home / "cache", work=home / "work", consent=Consent(code=True))
    card = str(home / "own" / "card.toml")
    folder = submit_system(target(home), card, context).folder
    shutil.rmtree(folder / "system")
    assert not submit_system(target(home), card, context).unchanged
    assert (folder / "system" / "adapter.py").is_file()


def test_large_files_are_named_and_not_copied(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_scaffold("own", home / "own", PROGRAM)
    monkeypatch.setattr("harness.submissions.submit.MAX_OWN_BYTES", 1000)
    context = Context(cache=home / "cache", work=home / "work", consent=Consent(code=True))
    done = submit_system(target(home), str(home / "own" / "card.toml"), context)
    assert [path.name for path in (done.folder / "system").iterdir()] == ["card.toml"]
    assert any("search.awk" in text and "is not copied" in text for text in done.warnings)


# What is copied beside the runs


def own_card(folder: Path, top: str = "", name: str = "card.toml") -> str:
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(
        f'schema_version = 1\nname = "own"\ntitle = "Own"\nadapter = "adapter.py:Adapter"\n{top}'
    )
    return str(folder / name)


def rank_all(helper: str, top: str = "") -> str:
    return (
        f"{top}\nfrom harness.records import Ranking\n\n\nclass Adapter:\n    def __init__(self, parameters):\n        pass\n\n"
        f"    def search(self, request, context):\n        {helper}\n        for query in request.queries:\n"
        "            yield Ranking(query.query_id, list(request.docs.ids)[:1], [helper.SCORE])\n"
    )


WAYS = {
    "beside": ("helper.py", rank_all("import helper")),
    "in a package": ("parts/deep/helper.py", rank_all("from parts.deep import helper")),
    "by a computed name": ("helper.py", rank_all("import importlib; helper = importlib.import_module('hel' + 'per')")),
    "in a folder on the path": (
        "lib/helper.py",
        rank_all("import helper", "import sys; sys.path.insert(0, __file__.rpartition('/')[0] + '/lib')"),
    ),
}


@pytest.mark.parametrize("way", WAYS)
def test_all_that_an_adapter_imports_of_its_own_is_copied_and_the_row_made_again_from_it(home: Path, way: str) -> None:
    helper, adapter = WAYS[way]
    card = own_card(home / "own")
    (home / "own" / "adapter.py").write_text(adapter)
    (home / "own" / helper).parent.mkdir(parents=True, exist_ok=True)
    (home / "own" / helper).write_text("SCORE = 2.0\n")
    (home / "own" / "notes.txt").write_text("of nobody else's concern")
    context = Context(cache=home / "cache", work=home / "work", consent=Consent(code=True))
    folder = submit_system(target(home), card, context).folder
    copied = {str(path.relative_to(folder / "system")) for path in (folder / "system").rglob("*") if path.is_file()}
    assert copied == {"card.toml", "adapter.py", helper}
    shutil.rmtree(home / "own")
    record = reproduce(RunFolder(target(home).track, folder), context)
    assert record.verdict == "identical"
    assert not [change for change in record.changes if "source" in change.kind], "names are the same in both places"


def test_a_source_file_outside_the_folder_of_the_card_is_refused_before_any_work(home: Path) -> None:
    card = own_card(home / "own", name="card.toml").replace("card.toml", "mine.toml")
    text = (home / "own" / "card.toml").read_text().replace("adapter.py:", "../elsewhere/adapter.py:")
    Path(card).write_text(text)
    (home / "elsewhere").mkdir()
    (home / "elsewhere" / "adapter.py").write_text(rank_all("import helper"))
    (home / "elsewhere" / "helper.py").write_text("raise RuntimeError\n")
    context = Context(cache=home / "cache", work=home / "work", consent=Consent(code=True))
    with pytest.raises(InvalidInput) as caught:
        submit_system(target(home), card, context)
    assert "../elsewhere/adapter.py: a source file outside the card's folder" in str(caught.value)
    assert "../elsewhere/helper.py" in str(caught.value)
    assert not (home / "runs" / "toy").exists()


def test_a_card_of_another_name_beside_a_card_toml_that_counts_is_not_mixed_up_with_it(home: Path) -> None:
    write_scaffold("own", home / "own", PROGRAM)
    text = (home / "own" / "card.toml").read_text().replace('name = "own"', 'name = "second"')
    (home / "own" / "second.toml").write_text(text)
    (home / "own" / "card.toml").write_text("words = 3\n")  # no card, and so a file that the program may read
    context = Context(cache=home / "cache", work=home / "work", consent=Consent(code=True))
    with pytest.raises(InvalidInput, match=r"would be copied as card\.toml, and the run depends on another card\.toml"):
        submit_system(target(home), str(home / "own" / "second.toml"), context)


def test_a_folder_with_a_card_is_a_system_and_other_paths_say_what_is_expected(home: Path) -> None:
    write_scaffold("own", home / "own")
    context = Context(cache=home / "cache", work=home / "work", consent=Consent(code=True))
    folder = submit_system(target(home), str(home / "own"), context).folder
    assert (folder / "system" / "adapter.py").is_file()
    (home / "empty").mkdir()
    for path, told in (
        (folder, f"is a recorded run, .*; its card is {folder}/system/card.toml"),
        (home / "own" / "adapter.py", "is a file, but not a card; .*; the card beside it: .*own/card.toml"),
        (home / "empty", "has no card.toml; a system is .* or a folder with a card.toml"),
        (home / "nowhere", "unknown system"),
    ):
        with pytest.raises(WrongUsage, match=told):
            submit_system(target(home), str(path), context)
