"""Plug-ins of others, each in one file: they work in every command, pages and exports included."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from command_line import xdr
from distributions import install
from forked_commands import xdr_anew

PLUGINS = Path(__file__).parents[1] / "data" / "plugins"
TRACK = """
schema_version = 1
name = "mine"
version = 1
title = "Mine"
description = "A measure of our own."
measures = ["RR@10", "{measure}"]
primary = "{measure}"
depth = 10
baseline = "bm25"
systems = ["bm25", "dummy"]
[families]
resamples = 1000
all_pairs_resamples = 1000
[[parts]]
name = "fi"
dataset = "{dataset}"
lang = "fi"
"""


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDR_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("COLUMNS", "300")
    (tmp_path / "ours").mkdir()
    shutil.copy(PLUGINS / "title_recall.py", tmp_path / "ours" / "titles.py")
    write_track(tmp_path)
    return tmp_path


def write_track(place: Path, measure: str = "ours/titles.py:TitleRecall@5", dataset: str = "xdr-mini/fi") -> None:
    (place / "track.toml").write_text(TRACK.format(measure=measure, dataset=dataset), "utf-8")


def board_of(place: Path) -> dict[str, object]:
    return json.loads((place / "runs" / "mine" / "leaderboard.json").read_text("utf-8"))  # type: ignore[no-any-return]


def test_a_measure_in_a_file_beside_its_track_works_in_every_command(place: Path) -> None:
    refused = xdr("leaderboard", "track.toml", cwd=place)
    assert refused.returncode == 2
    assert "track mine brings code of its own: the measure TitleRecall@5 in ours/titles.py" in refused.stderr
    assert not (place / "runs").exists()
    made = xdr("leaderboard", "track.toml", "--allow-code", cwd=place)
    assert made.returncode == 0, made.stderr
    assert "best macro TitleRecall@5" in made.stderr
    # Its name is the class's, without the file, wherever it stands.
    board = board_of(place)
    assert board["track"]["measures"] == ["RR@10", "TitleRecall@5"]  # type: ignore[index]
    (column,) = board["columns"]  # type: ignore[misc]
    assert 0 <= column["random"]["TitleRecall@5"] < column["ceiling"]["TitleRecall@5"] <= 1  # type: ignore[index]
    pages = {page.name: page.read_text("utf-8") for page in (place / "reports" / "mine").glob("*.html")}
    assert "Has the title of one of the first 5 passages a word of an answer?" in pages["methods.html"]
    assert "measure-RR-at-10.html" in pages
    for name in ("leaderboard.md", "leaderboard.csv"):
        assert "TitleRecall@5" in (place / "runs" / "mine" / name).read_text("utf-8")
    for form in ("latex", "bibtex", "csv", "markdown"):
        assert xdr("export", "runs/mine", "--format", form, cwd=place).returncode == 0
    for command in (
        ["report", "runs/mine/bm25", "--track", "track.toml"],
        ["compare", "track.toml"],
        ["score", "track.toml"],
        ["validate", "runs/mine", "--track", "track.toml"],
        ["leaderboard", "track.toml", "--check"],
    ):
        refused = xdr(*command, cwd=place)
        assert refused.returncode in (1, 2), command
        assert "add --allow-code" in refused.stderr
        done = xdr(*command, "--allow-code", cwd=place)
        assert done.returncode == 0, (command, done.stderr)
    # What a page says to type, works as it stands.
    commands = set(re.findall(r"xdr leaderboard track.toml[^<\n]*", pages["index.html"]))
    assert all("--allow-code" in command for command in commands)
    assert commands


def test_an_edited_measure_is_scored_anew(place: Path) -> None:
    assert xdr("leaderboard", "track.toml", "--allow-code", cwd=place).returncode == 0
    before = board_of(place)
    source = place / "ours" / "titles.py"
    source.write_text(source.read_text("utf-8").replace("answer.lower().split()", "answer.lower()"), "utf-8")
    stale = xdr("leaderboard", "track.toml", "--allow-code", "--check", cwd=place)
    assert stale.returncode == 1
    assert "score it again" in stale.stderr
    assert xdr("leaderboard", "track.toml", "--allow-code", cwd=place).returncode == 0
    assert board_of(place)["rows"] != before["rows"]
    assert xdr("leaderboard", "track.toml", "--allow-code", "--check", cwd=place).returncode == 0


@pytest.mark.parametrize(
    ("measure", "said"),
    [
        ("ours/none.py:TitleRecall@5", "measure 'ours/none.py:TitleRecall': no file"),
        ("ours/titles.py:TitelRecall@5", "did you mean 'TitleRecall'?"),
        ("ours/titles.py:TitleRecall", "is none that the class TitleRecall knows; its names look like TitleRecall@<k>"),
        ("ours/titles.py:RR@5", "the measure RR@5 of ours/titles.py has the name of one of this package"),
        ("ours/titles.py:Rankings", "unknown class in ours/titles.py 'Rankings'"),
        ("TitleRecall@5", "unknown measure 'TitleRecall@5'"),
    ],
)
def test_a_measure_that_is_none_is_refused_in_words(measure: str, said: str, place: Path) -> None:
    write_track(place, measure)
    found = xdr("leaderboard", "track.toml", "--allow-code", cwd=place)
    assert found.returncode in (1, 2)
    assert said in found.stderr
    assert "Traceback" not in found.stderr


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("for query_id in self.scored_queries(judged)", "for query_id in judged.query_ids[1:]", "1 missing, 0 too many"),
        ("float(any(", "float('nan') or float(any(", "has the value nan for the query 'fi-001'; expected a number from 0 to 1"),
        ("words = set(", "words = no_such_name(", "the measure TitleRecall@5 failed: NameError: name 'no_such_name'"),
        ("from dataclasses", "from no_such_module import x\nfrom dataclasses", "cannot be imported: ModuleNotFoundError"),
    ],
)  # fmt: skip
def test_faults_of_a_measure_are_told_as_its_own(old: str, new: str, said: str, place: Path) -> None:
    source = place / "ours" / "titles.py"
    source.write_text(source.read_text("utf-8").replace(old, new, 1), "utf-8")
    found = xdr("leaderboard", "track.toml", "--allow-code", cwd=place)
    assert found.returncode == 1
    assert said in found.stderr
    assert "Traceback" not in found.stderr


# -- of an installed distribution


MODULES = {path.name: path.read_text("utf-8") for path in PLUGINS.glob("*.py")}
ENTRY_POINTS = {
    "xdr.measures": {"TitleRecall": "title_recall:TitleRecall"},
    "xdr.collections": {"rivers": "rivers"},
    "xdr.tracks": {"rivers": "rivers"},
    "xdr.exporters": {"plain-text": "plain_text"},
    "xdr.generators": {"echo": "no_such_module:Echo"},
}
RIVERS = """
schema_version = 1
name = "rivers"
version = 1
title = "Rivers"
description = "A track of others."
measures = ["TitleRecall@1", "RR@10", "R@2kt"]
primary = "TitleRecall@1"
depth = 10
baseline = "bm25"
systems = ["bm25", "dummy"]
[families]
resamples = 1000
all_pairs_resamples = 1000
[[parts]]
name = "fi"
dataset = "rivers/fi"
lang = "fi"
[[parts]]
name = "ja"
dataset = "rivers/ja"
lang = "ja"
"""


@pytest.fixture
def installed(place: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    install(place, "our-plugins", {**MODULES, "rivers.toml": RIVERS}, ENTRY_POINTS, monkeypatch)
    return place


def test_plug_ins_of_a_distribution_work_from_the_list_to_the_pages(installed: Path) -> None:
    listed = json.loads(xdr_anew("list", "--json", cwd=installed).stdout)
    for kind, names in {
        "measures": ["TitleRecall"],
        "collections": ["rivers/fi", "rivers/ja"],
        "tracks": ["rivers"],
        "formats": ["plain-text"],
        "generators": ["echo"],
    }.items():
        assert [row["name"] for row in listed[kind] if row.get("from") == "our-plugins 1.0"] == names
    asked = xdr_anew("list", "rivers", cwd=installed)
    assert "rivers/ja" in asked.stdout
    made = xdr_anew("leaderboard", "rivers", cwd=installed)
    assert made.returncode == 0, made.stderr
    assert "best macro TitleRecall@1: BM25" in made.stderr
    methods = (installed / "reports" / "rivers" / "methods.html").read_text("utf-8")
    assert "Has the title of one of the first 1 passages a word of an answer?" in methods
    assert "Virtanen et al., Rivers of the World, 2026" in methods
    assert "(licence: CC0 1.0)" in methods
    cited = xdr_anew("export", "runs/rivers", "--format", "bibtex", cwd=installed)
    assert "@misc{rivers2026," in cited.stdout
    assert "asai2021xorqa" in cited.stdout, "of the measure R@2kt"
    plain = xdr_anew("export", "runs/rivers", "--format", "plain-text", cwd=installed)
    assert plain.stdout.splitlines()[0].startswith("1 BM25 ")
    for command in (
        ["report", "runs/rivers/bm25"], ["compare", "rivers"], ["validate", "runs/rivers"],
        ["leaderboard", "rivers", "--check"], ["reproduce", "runs/rivers/bm25"],
    ):  # fmt: skip
        done = xdr_anew(*command, cwd=installed)
        assert done.returncode == 0, (command, done.stdout, done.stderr)
    # Of ir_datasets' users, too.
    program = "import harness, ir_datasets; print(*(q.text for q in ir_datasets.load('rivers/fi').queries_iter()))"
    shown = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=installed)
    assert shown.stdout.strip() == "Kuinka pitkä on Volga? Missä maassa on Nile?"


def test_a_record_outlives_the_plug_ins_that_it_was_made_with(installed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert xdr_anew("leaderboard", "rivers", cwd=installed).returncode == 0
    monkeypatch.delenv("PYTHONPATH")
    for form in ("bibtex", "csv", "latex"):
        done = xdr_anew("export", "runs/rivers", "--format", form, cwd=installed)
        assert done.returncode == 0, done.stderr
    missing = xdr_anew("leaderboard", "rivers", cwd=installed)
    assert missing.returncode == 2
    assert "unknown track 'rivers'" in missing.stderr


def test_two_that_claim_one_name_are_both_named_and_nobody_else_is_disturbed(
    installed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    theirs = {
        **ENTRY_POINTS,
        "xdr.measures": {**ENTRY_POINTS["xdr.measures"], "AnswerRecall": "title_recall:TitleRecall"},
    }
    theirs["xdr.collections"] = {"rivers": "rivers", "xquad": "rivers", "cranfield": "rivers"}
    theirs["xdr.tracks"] = {"rivers": "rivers", "mini": "rivers"}
    theirs["xdr.exporters"] = {"plain-text": "plain_text", "csv": "plain_text"}
    theirs["xdr.systems"] = {"bm25": "title_recall:TitleRecall"}
    install(installed, "their-plugins", MODULES, theirs, monkeypatch)
    write_track(installed, "TitleRecall@5")
    assert xdr_anew("leaderboard", "mini-dev", "--dry-run", cwd=installed).returncode in (0, 1)
    for command, what in {
        ("list", "rivers"): "the track 'rivers' is claimed by their-plugins 1.0 and by our-plugins 1.0",
        ("list", "mini"): "the track 'mini' is claimed by xdr-bench itself and by their-plugins 1.0",
        (
            "leaderboard",
            "track.toml",
        ): "the measure 'TitleRecall' is claimed by their-plugins 1.0 and by our-plugins 1.0",
        (
            "data",
            "export",
            "xquad/fi",
            "out",
        ): "the collection 'xquad' is claimed by xdr-bench itself and by their-plugins",
        ("data", "export", "cranfield/x", "out"): "ir_datasets has a collection of that name",
        ("run", "mini-dev", "bm25"): "the adapter 'bm25' is claimed by",
    }.items():
        found = xdr_anew(*command, cwd=installed)
        assert found.returncode == 1, (command, found.stderr)
        assert what in found.stderr
        assert "Traceback" not in found.stderr
    listed = xdr_anew("list", "measures", cwd=installed)
    assert "which clash" in listed.stdout


BROKEN = {
    "xdr.measures": {"Gone": "no_such_module:Gone", "Number": "broken:NUMBER"},
    "xdr.collections": {"gone": "no_such_module", "half": "broken"},
    "xdr.tracks": {"gone": "no_such_module", "nowhere": "broken"},
    "xdr.exporters": {"gone": "broken:no_such_name", "half": "broken"},
    "xdr.systems": {"gone": "broken:no_such_name"},
}


def test_a_broken_plug_in_is_told_with_its_distribution_to_who_asks_for_it_alone(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(place, "broken-plugins", {"broken.py": "NUMBER = 1\n"}, BROKEN, monkeypatch)
    write_track(place, "RR")
    made = xdr_anew("leaderboard", "track.toml", cwd=place)
    assert made.returncode == 0, made.stderr
    assert xdr_anew("list", cwd=place).returncode == 0
    card = place / "card.toml"
    card.write_text('schema_version = 1\nname = "own"\ntitle = "Own"\nadapter = "gone"\n', "utf-8")
    tracks = {"measure": ("Gone@5", "Number@5"), "dataset": ("gone/x", "half/x")}
    for key, values in tracks.items():
        for value in values:
            write_track(place, **{key: value})  # type: ignore[arg-type]
            _is_told(xdr_anew("leaderboard", "track.toml", cwd=place))
    write_track(place, "RR")
    _is_told(xdr_anew("list", "gone", cwd=place))
    _is_told(xdr_anew("list", "nowhere", cwd=place))
    _is_told(xdr_anew("run", "track.toml", "card.toml", cwd=place))
    for form in ("gone", "half"):
        _is_told(xdr_anew("export", "runs/mine", "--format", form, cwd=place))
    misspelt = xdr_anew("export", "runs/mine", "--format", "halv", cwd=place)
    assert "did you mean 'half'?" in misspelt.stderr


def _is_told(found: subprocess.CompletedProcess[str]) -> None:
    assert found.returncode == 1, found.stderr
    assert "of broken-plugins 1.0" in found.stderr
    assert "fix that distribution, or uninstall it" in found.stderr
    assert "Traceback" not in found.stderr
