"""Rows that stand on the runs of other rows: made in order, known by what they were made of, made again with all below them."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import pytest
from small_track import TRACK, Ended, Terminal, write_track

from harness.errors import InvalidInput
from harness.files.yaml_records import parsed_yaml
from harness.runs.manifest import read_manifest
from harness.runs.rows import rows_first, standing_on
from harness.runs.track_runs import TrackRuns
from harness.submissions.reproductions import read_reproductions
from harness.submissions.tune import read_tuning
from harness.tracks import load_track

FOLDER = Path("runs/rivers")


def write_card(name: str, rows: list[str], extra: str = "", top: str = "") -> str:
    Path(f"{name}.toml").write_text(
        f'schema_version = 1\nname = "{name}"\ntitle = "{name}"\nadapter = "fuse"\n{top}[parameters]\nrows = {rows}\n{extra}'
    )
    return f"{name}.toml"


@pytest.fixture
def xdr(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Terminal:
    write_track(tmp_path)
    monkeypatch.chdir(tmp_path)
    write_card("fused", ["bm25", "dummy"])
    return Terminal(monkeypatch, capsys)


def other_rankings_of_dummy(salt: str = "pepper") -> str:
    """A card of the same name as the shipped one, whose rankings are others."""
    Path("dummy.toml").write_text(
        f'schema_version = 1\nname = "dummy"\ntitle = "Dummy"\nadapter = "dummy"\n[parameters]\nsalt = "{salt}"\n'
    )
    return "dummy.toml"


def ok(ended: Ended) -> Ended:
    assert ended.status == 0, ended.out + ended.err
    return ended


def test_a_row_is_made_of_the_recorded_runs_and_names_them_by_digest(xdr: Terminal) -> None:
    ok(xdr("run", "track.toml", "bm25", "dummy"))
    ok(xdr("run", "track.toml", "fused.toml"))
    made, below = read_manifest(FOLDER / "fused"), {name: read_manifest(FOLDER / name) for name in ("bm25", "dummy")}
    assert made.rows == ("bm25", "dummy")
    for part, record in made.data.items():
        assert record.rows == {name: manifest.data[part].ranking for name, manifest in below.items()}
    assert "this very run already" in ok(xdr("run", "track.toml", "fused.toml")).err


def test_one_command_makes_the_rows_first_however_they_are_named(xdr: Terminal) -> None:
    write_card("twice", ["fused", "bm25"])
    ended = ok(xdr("run", "track.toml", "twice.toml", "fused.toml", "dummy", "bm25"))
    places = [ended.err.index(f"{name}: 3 queries") for name in ("bm25", "dummy", "fused", "twice")]
    assert places[2] > max(places[:2])
    assert places[3] == max(places)


def test_a_dry_run_needs_no_row_that_the_command_would_make(xdr: Terminal) -> None:
    ended = ok(xdr("run", "track.toml", "fused.toml", "dummy", "bm25", "--dry-run"))
    assert "rankings to fuse" in ended.out
    assert not FOLDER.exists()


@pytest.mark.parametrize(
    "command", [("run", "track.toml", "fused.toml", "bm25"), ("submit", "track.toml", "fused.toml")]
)
def test_a_row_that_is_not_there_is_one_clear_error(xdr: Terminal, command: tuple[str, ...]) -> None:
    ended = xdr(*command)
    assert ended.status == 1
    assert "row dummy: no run of it in runs/rivers; name its card in the same command, or run it first" in ended.err
    assert not (FOLDER / "bm25/manifest.yaml").exists()


def test_a_circle_is_one_clear_error(xdr: Terminal) -> None:
    write_card("left", ["right", "bm25"])
    write_card("right", ["left", "bm25"])
    ended = xdr("run", "track.toml", "left.toml", "right.toml", "bm25")
    assert ended.status == 1
    assert "in a circle" in ended.err
    assert "left on right on left" in ended.err or "right on left on right" in ended.err
    ended = xdr("run", "track.toml", write_card("own", ["own", "bm25"]), "bm25")
    assert "own on own" in ended.err


def test_other_rankings_below_make_it_another_run(xdr: Terminal) -> None:
    ok(xdr("leaderboard", "track.toml", "fused.toml"))
    ok(xdr("run", "track.toml", "bm25", "--again"))  # the same rankings: nothing has changed
    assert "fused: recorded run" in ok(xdr("leaderboard", "track.toml", "fused.toml")).err
    ok(xdr("run", "track.toml", other_rankings_of_dummy(), "--again"))
    ended = xdr("leaderboard", "track.toml", "fused.toml")
    assert ended.status == 1
    assert "fused: part fi, the run of dummy: " in ended.err
    assert "`--again fused` runs it again" in ended.err
    checked = xdr("leaderboard", "track.toml", "--check")
    assert checked.status == 1
    assert "it was made of another run of dummy than is recorded now (fi, ru)" in checked.out + checked.err


def test_a_board_says_of_a_row_that_it_did_not_make_what_has_changed_below(xdr: Terminal) -> None:
    Path("track.toml").write_text(TRACK.replace('systems = ["bm25", "dummy"]', 'systems = ["bm25"]'))
    ok(xdr("run", "track.toml", "bm25", "dummy", "fused.toml"))
    assert "another run of dummy" not in ok(xdr("leaderboard", "track.toml")).err
    ok(xdr("run", "track.toml", other_rankings_of_dummy(), "--again"))
    assert "warning: fused: it was made of another run of dummy" in ok(xdr("leaderboard", "track.toml")).err


def test_what_a_row_below_may_have_seen_the_one_above_has_seen_whatever_its_card_says(xdr: Terminal) -> None:
    collection = load_track("track.toml").part("fi").dataset
    entry = f"{collection}: read in training"
    seen = f'may_have_seen = ["{entry}"]\n'
    Path("track.toml").write_text(TRACK.replace('systems = ["bm25", "dummy"]', 'systems = ["bm25"]'))
    Path("seer.toml").write_text(f'schema_version = 1\nname = "seer"\ntitle = "Seer"\nadapter = "dummy"\n{seen}')
    write_card("above", ["bm25", "both"])
    ok(xdr("run", "track.toml", "bm25", "seer.toml", write_card("both", ["bm25", "seer"]), "above.toml"))
    ok(xdr("leaderboard", "track.toml"))
    assert xdr("leaderboard", "track.toml", "--check").status == 0
    rows = {row["system"]: row for row in json.loads((FOLDER / "leaderboard.json").read_text())["rows"]}
    assert {name: row["may_have_seen"] for name, row in rows.items()} == {
        "above": [entry],
        "both": [entry],
        "bm25": [],
        "seer": [entry],
    }
    marked = {name: row["cells"]["RR@10"]["fi"]["may_have_seen"] for name, row in rows.items()}
    assert marked == {"above": True, "both": True, "bm25": False, "seer": True}
    assert not any(row["cells"]["RR@10"]["ru"]["may_have_seen"] for row in rows.values())


def test_a_row_that_is_run_again_before_it_is_told_and_both_can_be_made_again(xdr: Terminal) -> None:
    ok(xdr("run", "track.toml", "bm25", "dummy", "fused.toml"))
    before = read_manifest(FOLDER / "fused")
    ended = ok(xdr("leaderboard", "track.toml", "fused.toml", "--again", "dummy"))
    assert "fused: it stands on dummy, which is run before it" in ended.err
    ok(xdr("run", "track.toml", "fused.toml", other_rankings_of_dummy(), "--again"))
    after = read_manifest(FOLDER / "fused")
    assert after.data["fi"].rows["dummy"] == read_manifest(FOLDER / "dummy").data["fi"].ranking
    assert after.data["fi"].rows["dummy"] != before.data["fi"].rows["dummy"]


def test_without_the_rows_a_recorded_run_is_shown_all_the_same(xdr: Terminal, tmp_path: Path) -> None:
    ok(xdr("run", "track.toml", "bm25", "dummy", "fused.toml"))
    (FOLDER / "dummy").rename(tmp_path / "elsewhere")
    Path("track.toml").write_text(TRACK.replace('systems = ["bm25", "dummy"]', 'systems = ["bm25"]'))
    ended = ok(xdr("leaderboard", "track.toml", "fused.toml"))
    assert "not here, and so not compared: the run of dummy" in ended.err
    assert "fused: it stands on dummy, which has no run in runs/rivers" in ended.err


def test_a_part_that_a_row_was_not_run_on_is_refused_unless_the_card_leaves_it_out(xdr: Terminal) -> None:
    Path("finnish.toml").write_text(
        'schema_version = 1\nname = "finnish"\ntitle = "Finnish"\nadapter = "dummy"\nlanguages = ["fi"]\n'
    )
    ended = xdr("run", "track.toml", "bm25", "finnish.toml", write_card("both", ["bm25", "finnish"]))
    assert ended.status == 1
    assert "row finnish: it has no run of part ru" in ended.err
    assert "`languages`" in ended.err
    ok(
        xdr(
            "run",
            "track.toml",
            "bm25",
            "finnish.toml",
            write_card("both", ["bm25", "finnish"], top='languages = ["fi"]\n'),
        )
    )
    assert list(read_manifest(FOLDER / "both").data) == ["fi"]


def test_withdrawn_rows(xdr: Terminal) -> None:
    ok(xdr("run", "track.toml", "bm25", "dummy", "fused.toml"))
    ended = ok(
        xdr("withdraw", "runs/rivers/dummy", "--reason", "a fault", "--date", "2026-11-01", "--track", "track.toml")
    )
    assert "warning: fused stands on this run" in ended.err
    ended = ok(xdr("leaderboard", "track.toml", "fused.toml"))
    assert "fused: it stands on dummy, which was withdrawn on 2026-11-01" in ended.err
    ended = xdr("run", "track.toml", write_card("new", ["bm25", "dummy"]))
    assert ended.status == 1
    assert "row dummy: withdrawn on 2026-11-01: a fault" in ended.err


def test_a_run_file_below_that_was_changed_is_never_fused(xdr: Terminal) -> None:
    ok(xdr("run", "track.toml", "bm25", "dummy"))
    (FOLDER / "dummy/fi.trec.gz").write_bytes((FOLDER / "bm25/fi.trec.gz").read_bytes())
    ended = xdr("run", "track.toml", "fused.toml")
    assert ended.status == 1
    assert "is not the run that its manifest describes" in ended.err
    assert not (FOLDER / "fused/manifest.yaml").exists()


def test_reproduction_makes_the_whole_chain(xdr: Terminal) -> None:
    ok(
        xdr(
            "run",
            "track.toml",
            "bm25",
            "dummy",
            "fused.toml",
            write_card("twice", ["fused", "bm25"], 'method = "combsum"\n'),
        )
    )
    ended = ok(xdr("reproduce", "runs/rivers/twice", "--track", "track.toml"))
    assert "twice on rivers: identical" in ended.out
    assert "nothing in the manifest changed" in ended.out
    (record,) = read_reproductions(FOLDER / "twice/reproductions")
    assert record.rows == dict.fromkeys(("fused", "bm25", "dummy"), "made again, the same rankings")
    ok(xdr("reproduce", "runs/rivers/bm25", "--track", "track.toml"))
    (path,) = (FOLDER / "bm25/reproductions").iterdir()
    assert "rows" not in parsed_yaml(path)


def test_reproduction_takes_over_a_row_that_came_as_files_and_says_so(xdr: Terminal) -> None:
    ok(xdr("run", "track.toml", "bm25", "dummy"))
    Path("finished").mkdir()
    for part in ("fi", "ru"):
        (FOLDER / f"dummy/{part}.trec.gz").rename(f"finished/{part}.trec.gz")
    Path("card.toml").write_text('schema_version = 1\nname = "theirs"\ntitle = "Theirs"\n')
    ok(xdr("submit", "track.toml", "card.toml", "finished"))
    ok(xdr("run", "track.toml", write_card("with-theirs", ["bm25", "theirs"])))
    ended = ok(xdr("reproduce", "runs/rivers/with-theirs", "--track", "track.toml"))
    assert "it stands on theirs: the recorded run, which was submitted as finished run files" in ended.out
    assert "it stands on bm25: made again, the same rankings" in ended.out


def test_what_was_made_of_other_runs_is_not_reproduced_from_those_of_today(xdr: Terminal) -> None:
    ok(xdr("run", "track.toml", "bm25", "dummy", "fused.toml"))
    ok(xdr("run", "track.toml", other_rankings_of_dummy(), "--again"))
    ended = xdr("reproduce", "runs/rivers/fused", "--track", "track.toml")
    assert ended.status == 1
    assert "fused stands on dummy: runs/rivers/dummy holds another run now (fi, ru)" in ended.err.replace(
        str(Path.cwd()), ""
    )


def test_submission_stands_on_the_rows_of_record(xdr: Terminal) -> None:
    ok(xdr("run", "track.toml", "bm25", "dummy"))
    ok(xdr("submit", "track.toml", "fused.toml"))
    assert read_manifest(FOLDER / "fused").rows == ("bm25", "dummy")
    assert (FOLDER / "fused/system/card.toml").is_file()
    ok(xdr("validate", "runs/rivers/fused", "--track", "track.toml"))
    assert "this very row already" in ok(xdr("submit", "track.toml", "fused.toml")).err


def test_weights_are_tuned_on_rows_that_are_made_for_it(xdr: Terminal) -> None:
    write_card("weighed", ["bm25", "dummy"], 'method = "combsum"\n')
    grid = ("--grid", "weights.dummy=0.001,1", "--measure", "RR@10", "--out", "tuned.json")
    ok(xdr("tune", "weighed.toml", "--track", "track.toml", *grid))
    assert [point.parameters for point in read_tuning(Path("tuned.json")).points] == [
        {"weights.dummy": 0.001},
        {"weights.dummy": 1},
    ]
    assert not FOLDER.exists()


def test_an_adapter_of_ones_own_may_stand_on_rows(xdr: Terminal) -> None:
    Path("best.py").write_text(
        "class First:\n"
        "    def __init__(self, parameters): pass\n"
        "    def rows(self): return ['dummy']\n"
        "    def search(self, request, context):\n"
        "        for query in request.queries:\n"
        "            yield request.rows['dummy'][query.query_id]\n"
    )
    Path("best.toml").write_text('schema_version = 1\nname = "best"\ntitle = "Best"\nadapter = "best.py:First"\n')
    ok(xdr("run", "track.toml", "best.toml", "dummy", "--allow-code"))
    one, two = (parsed_yaml(FOLDER / name / "manifest.yaml")["data"]["fi"] for name in ("best", "dummy"))
    assert one["rows"] == {"dummy": two["ranking"]}
    Path("best.py").write_text(Path("best.py").read_text().replace("['dummy']\n    def", "['../dummy']\n    def"))
    ended = xdr("run", "track.toml", "best.toml", "--allow-code", "--again")
    assert ended.status == 1
    assert "expected names of systems" in ended.err


def test_rows_come_first_and_else_in_their_order() -> None:
    rows = {"c": ("b", "elsewhere"), "a": (), "b": ("a",)}
    assert rows_first(rows) == ["a", "b", "elsewhere", "c"]
    with pytest.raises(InvalidInput, match="in a circle"):
        rows_first({"a": ("b",), "b": ("a",)})


def test_rows_may_stand_on_each_other_deeper_than_functions_are_called() -> None:
    deep = [f"row{number:05}" for number in range(5000)]
    rows = {above: (below,) for below, above in itertools.pairwise(deep)} | {deep[0]: ()}
    assert rows_first(dict(reversed(rows.items()))) == deep


def test_what_stands_on_a_row_is_told_level_by_level(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    rows = {"a": (), "b": ("d",), "c": ("a",), "d": ("a", "c"), "e": ("b", "d"), "f": ()}
    monkeypatch.setattr("harness.runs.rows.recorded_rows", lambda runs: rows)
    runs = TrackRuns(load_track("mini"), tmp_path)
    assert standing_on(runs, "a") == ["c", "d", "b", "e"]
    assert standing_on(runs, "e") == []
