"""A track is its definition: rows of an older version keep dashes, and another definition under a recorded name is refused."""

from __future__ import annotations

import json
from pathlib import Path

import command_line
import pytest
from made_once import MadeOnce, made_once
from small_track import TRACK, Terminal, bytes_in, write_track

from harness.errors import InvalidInput
from harness.files.yaml_records import parsed_yaml, yaml_text
from harness.leaderboard.table import Leaderboard, read_leaderboard
from harness.runs.manifest import FILE_NAME, RUN_FILES
from harness.tracks import load_track

RUNS = Path("runs/rivers")


def make_board(place: Path) -> None:
    """A board of three rows, made for version 1 of a track of two parts; questions in a third language came later."""
    write_track(place)
    made = command_line.xdr("leaderboard", "track.toml", "other.toml", cwd=place)
    assert made.returncode == 0, made.stderr
    data = place / "data"
    added = {"query_id": "q4", "lang": "es", "text": "¿Cuánto mide el Volga? 3,530"}
    rows = [json.loads(line) for line in (data / "queries.jsonl").read_text().splitlines()]
    (data / "queries.jsonl").write_text("".join(json.dumps(row) + "\n" for row in [*rows, added]))
    with (data / "answers.jsonl").open("a") as file:
        file.write(json.dumps({"query_id": "q4", "answers": ["3,530"]}) + "\n")
    with (data / "qrels.txt").open("a") as file:
        file.write("q4 0 volga 1\n")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> MadeOnce:
    return made_once(tmp_path_factory.mktemp("board"), make_board)


@pytest.fixture
def xdr(made: MadeOnce, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Terminal:
    made.put_back(monkeypatch)
    return Terminal(monkeypatch, capsys)


def new_track(name: str = "later.toml", version: int = 2, part: bool = True, **changes: str) -> str:
    """A track's file made of the recorded one, by default its second version, with one more part."""
    text = TRACK.replace("\nversion = 1\n", f"\nversion = {version}\n")
    if part:
        text = text.replace('lang = "ru"}]', 'lang = "ru"}, {name = "es", dataset = "folder(es):data", lang = "es"}]')
    for old, new in changes.items():
        assert old in text
        text = text.replace(old, new)
    Path(name).write_text(text)
    return name


def board() -> Leaderboard:
    return read_leaderboard(RUNS)


def rankings() -> dict[str, bytes]:
    return {name: data for name, data in bytes_in(RUNS).items() if name.endswith((".trec.gz", FILE_NAME))}


def test_a_part_that_came_later_is_a_dash_and_never_a_zero(xdr: Terminal) -> None:
    before = rankings()
    done = xdr("leaderboard", new_track())
    assert done.status == 0, done.err
    assert rankings() == before, "no recorded run is run over"
    for name in ("bm25", "dummy"):
        assert f"{name}: es is a dash: the run was made for version 1 of the track, which had no es" in done.err
    assert "queries run" not in done.err
    for row in board().rows:
        asked = {"fi", "ru"}
        for column, cell in row.cells["Success@1"].items():
            assert (cell.value is None) == (column not in asked)
            if column not in asked:
                assert (cell.p, cell.significant, cell.wins, cell.losses) == (None, None, 0, 0), "never tested"
        assert row.rank is None
        assert row.micro["Success@1"] is None
    lacking = {row.system: row.lacking for row in board().rows}
    assert set(lacking["bm25"]) == {"es"}
    assert lacking["other"] == {}, "which never claimed Spanish: its dash is its own"
    assert "Not asked: BM25, es: the run was made for version 1" in (RUNS / "leaderboard.md").read_text()
    page = Path("reports/rivers/systems/bm25.html").read_text()
    assert "es is a dash: the run was made for version 1 of the track" in page
    assert "it was not asked all parts of the macro average" in page


def test_a_row_that_is_made_again_is_asked_the_new_part_and_ranked(xdr: Terminal) -> None:
    assert xdr("leaderboard", new_track()).status == 0
    done = xdr("leaderboard", "later.toml", "--again", "bm25")
    assert done.status == 0, done.err
    assert "bm25: 4 queries run" in done.err
    rows = {row.system: row for row in board().rows}
    assert (rows["bm25"].rank, rows["bm25"].lacking) == (1, {})
    assert rows["bm25"].cells["Success@1"]["es"].value == 1.0
    assert rows["dummy"].rank is None
    assert rows["dummy"].cells["Success@1"]["es"].value is None
    tested = {column for column, cell in rows["dummy"].cells["Success@1"].items() if cell.p is not None}
    assert tested == {"fi", "ru"}


def test_a_version_that_only_says_other_words_keeps_every_row(xdr: Terminal) -> None:
    before = rankings()
    done = xdr("leaderboard", new_track(part=False, **{"Two rivers.": "Rivers, again."}))
    assert done.status == 0, done.err
    assert rankings() == before
    assert {row.system: row.rank is None for row in board().rows} == {"bm25": False, "dummy": False, "other": False}


def test_a_deeper_version_makes_dashes_of_runs_that_are_too_short(xdr: Terminal) -> None:
    done = xdr("leaderboard", new_track(part=False, **{"depth = 2": "depth = 3"}))
    assert done.status == 0, done.err
    assert "bm25: fi is a dash: the run was made for version 1 of the track, with a depth of 2 instead of 3" in done.err
    assert all(cell.value is None for row in board().rows for cell in row.cells["Success@1"].values())


def test_a_part_that_a_version_dropped_is_out_of_the_rows(xdr: Terminal) -> None:
    text = TRACK.replace("\nversion = 1\n", "\nversion = 2\n")
    beginning = text.index("parts = ")
    Path("later.toml").write_text(
        text[:beginning] + 'parts = [{name = "ru", dataset = "folder(ru):data", lang = "ru"}]\n'
        "families = {resamples = 1000, all_pairs_resamples = 1000}\n"
    )
    assert xdr("leaderboard", "later.toml").status == 0
    assert [column.part for column in board().columns] == ["ru"]
    assert all(row.rank is not None for row in board().rows)


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"part": True}, "parts: ['fi', 'ru'] -> ['es', 'fi', 'ru']"),
        ({"part": False, "depth = 2": "depth = 3"}, "depth: 2 -> 3"),
        ({"part": False, '"RR@10", "R@10t"]': '"RR@10"]'}, "measures: "),
        ({"part": False, 'primary = "Success@1"': 'primary = "RR@10"'}, "primary: Success@1 -> RR@10"),
        ({"part": False, 'baseline = "bm25"': 'macro = ["fi"]\nbaseline = "bm25"'}, "macro: ['fi', 'ru'] -> ['fi']"),
    ],
)
@pytest.mark.parametrize("command", [("leaderboard",), ("run",)])
def test_another_definition_under_a_recorded_name_and_version_is_refused(
    xdr: Terminal, command: tuple[str, ...], changes: dict[str, object], named: str
) -> None:
    before = bytes_in(Path("runs"))
    file = new_track("same.toml", 1, **changes)  # type: ignore[arg-type]
    done = xdr(*command, file, *(["dummy"] if command == ("run",) else []))
    assert done.status == 1
    assert named in done.err
    assert "give the changed track another version, or another name, in its file" in done.err
    assert bytes_in(Path("runs")) == before


def test_other_questions_under_a_recorded_name_and_version_are_refused(xdr: Terminal) -> None:
    before = rankings()
    text = Path("data/queries.jsonl").read_text()
    Path("data/queries.jsonl").write_text(text.replace("Niilin pituus", "Niilin pituus?"))
    done = xdr("leaderboard", "track.toml")
    assert done.status == 1
    assert "bm25: part fi: queries: " in done.err
    assert rankings() == before


def test_a_file_cannot_take_over_the_name_of_a_shipped_track(tmp_path: Path) -> None:
    own = Path(__file__).parents[2] / "harness" / "tracks" / "mini.toml"
    copied = tmp_path / "copied.toml"
    copied.write_text(own.read_text())
    assert load_track(str(copied)).name == "mini"
    copied.write_text(own.read_text().replace("depth = 30", "depth = 20"))
    with pytest.raises(InvalidInput, match="defines another track than the one of this package") as caught:
        load_track(str(copied))
    assert "depth: 30 -> 20" in str(caught.value)
    copied.write_text(own.read_text().replace("depth = 30", "depth = 20").replace("\nversion = ", "\nversion = 1"))
    assert load_track(str(copied)).depth == 20, "another version may be another definition"


def test_finished_files_of_an_older_version_are_dashes_too(xdr: Terminal) -> None:
    """Recorded before manifests named the track's parts, which then are those of the version that they say."""
    path = RUNS / "dummy" / FILE_NAME
    content = parsed_yaml(path)
    content["schema_version"] = 1
    del content["track"]["parts"], content["track"]["measures"], content["data"]["ru"]
    del content["implementation"]["versions"]
    content["reuse"] = {}
    content["execution"] |= {"provenance": RUN_FILES, "isolation": RUN_FILES}
    path.write_text(yaml_text(content))
    (RUNS / "dummy" / "ru.trec.gz").unlink()
    assert xdr("score", "track.toml").status == 0
    scored = json.loads(xdr("score", "track.toml", "--json").out)["dummy"]["Success@1"]
    assert scored["ru"] == 0.0, "declared, of the same version, and not delivered"
    done = xdr("score", new_track(part=False), "--json")
    assert json.loads(done.out)["dummy"]["Success@1"]["ru"] is None, "nobody knows whether that version had it"
