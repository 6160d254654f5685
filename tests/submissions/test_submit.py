"""Rows from finished runs in every form: validated in one report, and whole or not there at all."""

from __future__ import annotations

import contextlib
import datetime
import gzip
import json
import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
from toy_submissions import CARD, PASSAGES, QUERIES, target, write_toy

from harness.errors import InvalidInput, WrongUsage
from harness.files.writing import folder_lock
from harness.leaderboard.pipeline import build_leaderboard, compare_all, recorded_systems, score_all
from harness.leaderboard.site import render
from harness.runs.manifest import RUN_FILES, read_manifest
from harness.runs.score_file import read_scores
from harness.runs.track_runs import TrackRuns
from harness.runs.trec import read_run
from harness.runs.withdrawal import Withdrawal, read_withdrawal, withdraw
from harness.submissions import staging
from harness.submissions.staging import exchanged
from harness.submissions.submit import Submission, submit_files

LINES = {
    "fi1": ["fi1 Q0 nile 1 3.5 x", "fi1 Q0 arno 2 1.25 x"],
    "fi2": ["fi2 Q0 volga 1 0.5 x"],
    "ru1": ["ru1 Q0 nile 1 9 x", "ru1 Q0 volga 2 8 x", "ru1 Q0 arno 3 7 x"],
}


@pytest.fixture
def home(tmp_path: Path) -> Path:
    write_toy(tmp_path)
    return tmp_path


def submit(home: Path, *files: str, query_map: str = "", replace: bool = False) -> Submission:
    paths = [home / name for name in files]
    return submit_files(target(home, replace), home / "card.toml", paths, home / query_map if query_map else None)


def text_of(*query_ids: str) -> str:
    return "".join(f"{line}\n" for query_id in query_ids for line in LINES[query_id])


def one_file_per_part(home: Path) -> Submission:
    (home / "fi.txt").write_text(text_of("fi2", "fi1"))
    (home / "ru.trec.gz").write_bytes(gzip.compress(text_of("ru1").encode()))
    return submit(home, "fi.txt", "ru.trec.gz")


def a_folder(home: Path) -> Submission:
    (home / "own").mkdir()
    (home / "own/fi.trec").write_text(text_of("fi1", "fi2"))
    (home / "own/ru.trec").write_text(text_of("ru1"))
    (home / "own/README").write_text("not a run")
    return submit(home, "own")


def one_file_whose_ids_tell(home: Path) -> Submission:
    (home / "all.trec").write_text(text_of("ru1", "fi1", "fi2"))
    return submit(home, "all.trec")


def one_file_with_parts_before_the_ids(home: Path) -> Submission:
    text = text_of("ru1", "fi1", "fi2")
    (home / "all.trec").write_text("".join(f"{line[:2]}/{line}\n" for line in text.splitlines()))
    return submit(home, "all.trec")


def one_file_with_a_map(home: Path) -> Submission:
    text = text_of("ru1", "fi1", "fi2").replace("ru1", "17").replace("fi1", "18").replace("fi2", "19")
    (home / "all.gz").write_bytes(gzip.compress(text.encode()))
    (home / "map.tsv").write_text("17\tru\tru1\n18\tfi\tfi1\n19\tfi\tfi2\n")
    return submit(home, "all.gz", query_map="map.tsv")


def an_official_prediction_file(home: Path) -> Submission:
    entries = [
        {"id": query_id, "lang": query_id[:2], "ctxs": [PASSAGES[line.split()[2]] for line in lines]}
        for query_id, lines in LINES.items()
    ]
    (home / "predictions.json").write_text(json.dumps(entries))
    return submit(home, "predictions.json")


FORMS = [
    one_file_per_part,
    a_folder,
    one_file_whose_ids_tell,
    one_file_with_parts_before_the_ids,
    one_file_with_a_map,
    an_official_prediction_file,
]


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.__name__)
def test_every_form_of_run_files_gives_the_same_canonical_row(home: Path, form: Callable[[Path], Submission]) -> None:
    done = form(home)
    assert done.folder == home / "runs" / "toy" / "mine"
    assert not done.unchanged
    assert sorted(path.name for path in done.folder.iterdir()) == [
        "fi.trec.gz", "manifest.yaml", "ru.trec.gz", "scores.parquet",
    ]  # fmt: skip
    found = {part: read_run(done.folder / f"{part}.trec.gz")[0] for part in QUERIES}
    assert [run.tag for run in found.values()] == ["mine", "mine"]
    rankings = {q: list(ranked.doc_ids) for run in found.values() for q, ranked in run.rankings.items()}
    assert rankings == {"fi1": ["nile", "arno"], "fi2": ["volga"], "ru1": ["nile", "volga"]}, "cut at the depth of 2"
    assert list(rankings) == ["fi1", "fi2", "ru1"], "the order of the part's queries"
    scores = read_scores(done.folder / "scores.parquet")
    assert scores.values["fi", "RR@2"] == {"fi1": 1.0, "fi2": 0.0}
    assert scores.values["ru", "RR@2"] == {"ru1": 0.5}
    manifest = read_manifest(done.folder)
    assert not manifest.is_made_here
    assert manifest.execution.isolation == RUN_FILES
    assert manifest.implementation.inputs.keys() <= {path.name for path in home.iterdir()}
    assert manifest.data["fi"].query_count == 2
    assert not (home / "runs" / ".staging").exists()


def test_scores_are_kept_as_they_were_submitted(home: Path) -> None:
    folder = one_file_per_part(home).folder
    assert gzip.decompress((folder / "fi.trec.gz").read_bytes()).decode() == (
        "fi1 Q0 nile 1 3.5 mine\nfi1 Q0 arno 2 1.25 mine\nfi2 Q0 volga 1 0.5 mine\n"
    )


def test_a_row_of_files_stands_in_the_leaderboard_as_submitted(home: Path) -> None:
    one_file_per_part(home)
    track, runs = target(home).track, home / "runs"
    scores = score_all(TrackRuns(track, runs))
    board = build_leaderboard(TrackRuns(track, runs), scores, compare_all(TrackRuns(track, runs), scores))
    (row,) = board.rows
    assert (row.status, row.reproduced, row.isolation) == ("submitted", None, RUN_FILES)
    page = render(TrackRuns(track, runs), board, scores, home / "reports").read_text()
    assert RUN_FILES in page


# -- what is refused


def test_all_problems_of_the_card_and_of_all_files_are_in_one_report(home: Path) -> None:
    (home / "card.toml").write_text(CARD + 'languages = ["fi"]\nlicense = "x"\n')
    (home / "fi.trec").write_text("fi1 Q0 nowhere 1 2 x\nfi1 Q0 nile 2 nan x\n")
    (home / "ru.trec").write_text("stranger Q0 nile 1 2 x\nbroken\n")
    with pytest.raises(InvalidInput) as caught:
        submit(home, "fi.trec", "ru.trec")
    told = str(caught.value)
    for problem in ("license: unknown key", "fi.trec:1: query fi1: unknown document nowhere", "fi.trec:2: score nan",
                    "ru.trec:1: unknown query stranger", "ru.trec:2: 1 columns"):  # fmt: skip
        assert problem in told
    assert not (home / "runs" / "toy").exists()


def test_a_run_in_a_language_that_the_card_does_not_declare_is_refused(home: Path) -> None:
    (home / "card.toml").write_text(CARD + 'languages = ["fi"]\n')
    with pytest.raises(InvalidInput, match="a run for part ru; expected 'ru' among its `languages`"):
        one_file_per_part(home)


def test_a_declared_language_without_a_run_is_a_warning_and_scores_nothing(home: Path) -> None:
    (home / "fi.trec").write_text(text_of("fi1", "fi2"))
    done = submit(home, "fi.trec")
    assert any("part ru: no run, though the card declares the language" in text for text in done.warnings)
    assert done.scores.mean("ru", "RR@2") == 0.0


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("17\tru\n", "map.tsv:1: 2 columns"),
        ("17\txx\tru1\n", "map.tsv:1: unknown part 'xx'; expected fi, ru"),
        ("17\tru\tfi1\n", "map.tsv:1: unknown query 'fi1'"),
        ("17\tru\tru1\n17\tfi\tfi1\n", "map.tsv:2: '17' or fi/fi1 was mapped before"),
        ("17\tru\tru1\n18\tru\tru1\n", "map.tsv:2: '18' or ru/ru1 was mapped before"),
        ("17\tru\tru1\n", "all.trec:2: unknown query 18"),
    ],
)
def test_a_faulty_query_map_is_reported_with_its_line(home: Path, text: str, problem: str) -> None:
    (home / "all.trec").write_text("17 Q0 nile 1 2 x\n18 Q0 nile 1 2 x\n")
    (home / "map.tsv").write_text(text)
    with pytest.raises(InvalidInput) as caught:
        submit(home, "all.trec", query_map="map.tsv")
    assert problem in str(caught.value)


def test_ids_that_several_parts_share_need_something_that_tells_the_part(home: Path) -> None:
    text = (home / "track.toml").read_text()
    (home / "track.toml").write_text(text + '[[parts]]\nname = "fi2"\ndataset = "folder(fi):data"\nlang = "fi"\n')
    (home / "all.trec").write_text(text_of("fi1", "ru1"))
    with pytest.raises(InvalidInput, match="query fi1 stands in several parts"):
        submit(home, "all.trec")
    (home / "predictions.json").write_text("[]")
    with pytest.raises(InvalidInput, match="share question ids"):
        submit(home, "predictions.json")


@pytest.mark.parametrize(
    ("passages", "problem"),
    [
        (["The Nile flows north.", "Nile The Nile flows north."], "passage 2 is no passage of the collection"),
        (["The Nile flows north.", "The Nile flows north."], "passage 2 is a duplicate"),
    ],
)
def test_passages_that_cannot_be_found_are_reported(home: Path, passages: list[str], problem: str) -> None:
    (home / "p.json").write_text(json.dumps([{"id": "fi1", "lang": "fi", "ctxs": passages}]))
    with pytest.raises(InvalidInput) as caught:
        submit(home, "p.json")
    assert f"p.json: question fi1: {problem}" in str(caught.value)


def test_a_query_that_two_files_rank_is_refused(home: Path) -> None:
    (home / "fi.trec").write_text(text_of("fi1", "fi2"))
    (home / "more.trec").write_text(text_of("fi1"))
    with pytest.raises(InvalidInput, match="query fi1 of part fi was in a file before"):
        submit(home, "fi.trec", "more.trec")


# -- rows that are there already


def test_the_same_row_again_changes_nothing_and_another_one_needs_leave(home: Path) -> None:
    folder = one_file_per_part(home).folder
    before = {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in folder.iterdir()}
    assert one_file_per_part(home).unchanged
    (home / "fi.txt").write_text(text_of("fi1"))
    with pytest.raises(WrongUsage, match="its runs differ on fi"):
        submit(home, "fi.txt", "ru.trec.gz")
    (home / "card.toml").write_text(CARD + 'languages = ["fi"]\n')
    with pytest.raises(InvalidInput, match=r"among its .languages"):
        submit(home, "fi.txt", "ru.trec.gz")
    (home / "card.toml").write_text(CARD)
    assert {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in folder.iterdir()} == before
    assert not submit(home, "fi.txt", "ru.trec.gz", replace=True).unchanged
    assert list(read_run(folder / "fi.trec.gz")[0].rankings) == ["fi1"]
    assert not (home / "runs" / ".staging").exists()


def test_a_replaced_row_keeps_its_records_of_the_old_run(home: Path) -> None:
    folder = one_file_per_part(home).folder
    (folder / "reproductions").mkdir()
    (folder / "reproductions" / "old.yaml").write_text("x")
    (home / "fi.txt").write_text(text_of("fi1"))
    submit(home, "fi.txt", "ru.trec.gz", replace=True)
    assert (folder / "reproductions" / "old.yaml").read_text() == "x"


def test_a_withdrawn_row_stays_withdrawn_when_it_is_replaced(home: Path) -> None:
    folder = one_file_per_part(home).folder
    withdraw(folder, Withdrawal(date=datetime.date(2026, 1, 2), reason="trained on the test set"))
    (home / "fi.txt").write_text(text_of("fi1"))
    done = submit(home, "fi.txt", "ru.trec.gz", replace=True)
    assert any("stays withdrawn (2026-01-02: trained on the test set)" in text for text in done.warnings)
    assert list(read_run(folder / "fi.trec.gz")[0].rankings) == ["fi1"], "the new run"
    found = read_withdrawal(folder)
    assert found is not None
    assert found.reason == "trained on the test set"


@pytest.mark.parametrize("moment", ["before the exchange", "after the exchange", "first move", "second move"])
def test_a_replacement_that_is_killed_leaves_a_whole_row_or_is_noticed_by_all(home: Path, moment: str) -> None:
    folder = one_file_per_part(home).folder
    if "exchange" in moment and not can_exchange(home):
        pytest.skip("this file system cannot exchange two folders")
    (home / "fi.txt").write_text(text_of("fi1"))
    child = os.fork()
    if child == 0:
        with contextlib.suppress(BaseException):
            killed_at(moment)
            submit(home, "fi.txt", "ru.trec.gz", replace=True)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
    track, runs = target(home).track, home / "runs"
    if moment == "second move":
        assert not folder.exists()
        with pytest.raises(InvalidInput, match=r"ended half way; `mv .*/old .*/toy/mine` brings the old row back"):
            recorded_systems(TrackRuns(track, runs))
    else:
        assert recorded_systems(TrackRuns(track, runs)) == ["mine"]
        assert len(read_run(folder / "fi.trec.gz")[0].rankings) == (1 if moment == "after the exchange" else 2)
    assert not submit(home, "fi.txt", "ru.trec.gz", replace=True).unchanged
    assert recorded_systems(TrackRuns(track, runs)) == ["mine"]
    assert not (runs / ".staging").exists()


def can_exchange(home: Path) -> bool:
    one, two = home / "one", home / "two"
    one.mkdir()
    two.mkdir()
    return exchanged(one, two)


def killed_at(moment: str) -> None:
    """From now on this process is killed by itself at that moment of a replacement."""

    def end() -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    def exchange(one: Path, two: Path) -> bool:
        if moment == "before the exchange":
            end()
        assert "exchange" not in moment or exchanged(one, two)
        if moment == "after the exchange":
            end()
        return False

    moves = iter(["first move", "second move"])
    rename = Path.rename

    def move(self: Path, target: Path) -> Path:
        if self.is_dir() and next(moves) == moment:
            end()
        return rename(self, target)

    staging.exchanged = exchange  # this process ends, and with it what is changed here
    Path.rename = move  # type: ignore[method-assign,assignment]


def test_a_row_that_a_killed_replacement_had_moved_aside_comes_back(home: Path) -> None:
    folder = one_file_per_part(home).folder
    staging = home / "runs" / ".staging" / "toy+mine"
    (staging / "toy" / "mine").mkdir(parents=True)
    (staging / "toy" / "mine" / "half").write_text("half")
    folder.rename(staging / "old")
    assert one_file_per_part(home).unchanged
    assert (folder / "manifest.yaml").is_file()
    assert not (home / "runs" / ".staging").exists()


def test_two_submissions_of_one_row_are_not_made_at_once(home: Path) -> None:
    with folder_lock(home / "runs/.staging/toy+mine"), pytest.raises(InvalidInput, match="another process"):
        one_file_per_part(home)


def test_an_error_on_the_way_leaves_the_old_row_as_it_was(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = one_file_per_part(home).folder
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    (home / "fi.txt").write_text(text_of("fi1"))

    def fail(*_: object) -> None:
        raise InvalidInput("the disk is full")

    monkeypatch.setattr("harness.submissions.submit.write_manifest", fail)
    with pytest.raises(InvalidInput, match="the disk is full"):
        submit(home, "fi.txt", "ru.trec.gz", replace=True)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    assert not (home / "runs" / ".staging").exists()
