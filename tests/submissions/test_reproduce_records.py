"""``xdr reproduce FILE``: a study, a comparison and an attack are made again, and edited records are found."""

from __future__ import annotations

import gzip
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import command_line
import pytest
import tiny_readers
from made_once import MadeOnce, made_once
from small_study import ANSWERS, TWO
from small_track import Terminal, write_track

from harness.files.yaml_records import digest_of
from harness.recipes.reading.kept import KeptReader


@pytest.fixture
def xdr(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], xdr_home: Path
) -> Terminal:
    monkeypatch.chdir(tmp_path)
    return Terminal(monkeypatch, capsys)


def edited(path: Path, change: Callable[[Any], Any]) -> None:
    content = json.loads(path.read_text("utf-8"))
    change(content)
    path.write_text(json.dumps(content))


def typed(*arguments: str, cwd: Path) -> None:
    """What tests of one record share, typed before the first of them."""
    ended = command_line.xdr(*arguments, cwd=cwd)
    assert ended.returncode == 0, ended.stderr


def files_in(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


# -- studies


def studied_by(folder: Path, *commands: tuple[str, ...]) -> MadeOnce:
    """A study of two encoders, made by these commands, with a reader beside it."""

    def make(place: Path) -> None:
        (place / "small.toml").write_text(TWO + ANSWERS)
        tiny_readers.reader(place / "reader")
        for options in commands:
            typed("study", "small.toml", *options, cwd=place)

    return made_once(folder, make)


@pytest.fixture(scope="module")
def studied(tmp_path_factory: pytest.TempPathFactory) -> MadeOnce:
    """A reader answered the questions of both."""
    return studied_by(tmp_path_factory.mktemp("studied"), ("--reader", "reader"))


@pytest.fixture(scope="module")
def one_read(tmp_path_factory: pytest.TempPathFactory) -> MadeOnce:
    """A reader answered the questions of one encoder alone."""
    commands = ("--encoder", "mini-zero-shot"), ("--encoder", "mini-xdr", "--reader", "reader")
    return studied_by(tmp_path_factory.mktemp("one-read"), *commands)


@pytest.fixture
def study(xdr: Terminal, studied: MadeOnce, monkeypatch: pytest.MonkeyPatch) -> Path:
    studied.put_back(monkeypatch)
    return Path("runs/small/study.json")


def again(xdr: Terminal, file: Path, *more: str) -> Any:
    return xdr("reproduce", str(file), "--track", "small.toml", *more)


def test_a_study_comes_out_as_it_is_recorded_and_nothing_is_written(xdr: Terminal, study: Path) -> None:
    before = files_in(Path())
    ended = again(xdr, study)
    assert (ended.status, ended.out.splitlines()[0]) == (0, f"{study}: identical")
    after = files_in(Path())
    assert {name: text for name, text in after.items() if "home" not in name} == {
        name: text for name, text in before.items() if "home" not in name
    }
    assert not [name for name in after if "reproduce-" in name]


def test_answers_are_read_again_by_the_reader_or_scored_as_recorded(
    xdr: Terminal, study: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = KeptReader.answers
    asked: list[int] = []
    monkeypatch.setattr(KeptReader, "answers", lambda self, pairs: asked.append(len(pairs)) or read(self, pairs))
    assert again(xdr, study, "--encoder", "mini-xdr").status == 0
    assert asked
    assert all(asked)
    asked.clear()
    shutil.rmtree("reader")
    assert again(xdr, study, "--encoder", "mini-xdr").status == 0
    assert not asked


@pytest.mark.parametrize("named", [(), ("mini-xdr", "mini-zero-shot"), ("mini-zero-shot",)], ids=" ".join)
def test_a_reader_that_was_given_one_encoder_s_rows_is_not_asked_of_the_other_s(
    xdr: Terminal, one_read: MadeOnce, monkeypatch: pytest.MonkeyPatch, named: tuple[str, ...]
) -> None:
    one_read.put_back(monkeypatch)
    shutil.rmtree("reader")
    encoders = [word for name in named for word in ("--encoder", name)]
    ended = again(xdr, Path("runs/small/study.json"), *encoders)
    assert (ended.status, ended.out.splitlines()[0]) == (0, "runs/small/study.json: identical"), ended.err


def test_a_row_that_was_edited_is_found_and_the_other_encoder_s_is_left_alone(xdr: Terminal, study: Path) -> None:
    def change(content: Any) -> None:
        row = next(own for own in content["rows"] if own["encoder"] == "mini-xdr")
        row["values"]["RR@10"]["fi"] += 0.02

    edited(study, change)
    ended = again(xdr, study, "--encoder", "mini-xdr", "--json")
    found = json.loads(ended.out)
    assert (ended.status, found["verdict"], found["differing"]) == (1, "differs", 1)
    assert found["answers"][0].startswith("rows[mini-xdr, none].values.RR@10.fi: ")
    assert again(xdr, study, "--encoder", "mini-zero-shot").status == 0, "what is taken over is not compared"
    figures = json.loads(again(xdr, study, "--json").out)["figures"]
    assert found["figures"] < figures - 50, "nor counted"


def test_damaged_answers_of_a_reader_that_is_not_here_are_refused(xdr: Terminal, study: Path) -> None:
    shutil.rmtree("reader")
    (answers,) = study.parent.glob("*.jsonl.gz")
    answers.write_bytes(gzip.compress(gzip.decompress(answers.read_bytes()).replace(b"0", b"1", 3)))
    ended = again(xdr, study)
    assert ended.status == 1
    assert answers.name in ended.err


def test_a_reading_without_a_reader_s_name_is_refused(xdr: Terminal, study: Path) -> None:
    edited(study, lambda content: content["readings"][0].update(reader={}))
    ended = again(xdr, study)
    assert ended.status == 1
    assert "reader" in ended.err


def test_a_study_is_known_by_what_it_says_whatever_its_file_is_called(xdr: Terminal, study: Path) -> None:
    for file in (study, *study.parent.glob("*.jsonl.gz")):
        shutil.copyfile(file, file.with_name(file.name.replace("study", "copy", 1)))
    assert again(xdr, study.with_name("copy.json"), "--encoder", "mini-xdr").status == 0


def test_a_study_of_another_version_or_declaration_is_refused(xdr: Terminal, study: Path) -> None:
    text = Path("small.toml").read_text()
    for changed, words in (
        (text.replace("version = 1\ntitle", "version = 2\ntitle"), "which is at 2 now"),
        (text.replace("weights = [0.3, 0.7]", "weights = [0.3, 0.5]"), "study.weights"),
    ):
        assert changed != text
        Path("small.toml").write_text(changed)
        ended = again(xdr, study)
        assert ended.status == 1
        assert words in ended.err


# -- comparisons


@pytest.fixture(scope="module")
def compared_once(tmp_path_factory: pytest.TempPathFactory) -> MadeOnce:
    """A comparison whose runs are not kept."""

    def make(place: Path) -> None:
        write_track(place)
        typed("run", "track.toml", "bm25", "dummy", cwd=place)
        typed("compare", "track.toml", cwd=place)
        for folder in ("bm25", "dummy"):
            shutil.rmtree(place / "runs/rivers" / folder)

    return made_once(tmp_path_factory.mktemp("compared"), make)


@pytest.fixture
def compared(xdr: Terminal, compared_once: MadeOnce, monkeypatch: pytest.MonkeyPatch) -> Path:
    compared_once.put_back(monkeypatch)
    return Path("runs/rivers/comparison.json")


def test_a_comparison_is_made_again_from_its_cards(xdr: Terminal, compared: Path) -> None:
    ended = xdr("reproduce", str(compared), "--track", "track.toml")
    assert (ended.status, ended.out.splitlines()[0]) == (0, f"{compared}: identical")
    assert sorted(path.name for path in compared.parent.iterdir()) == ["comparison.json"]
    edited(compared, lambda content: content["means"][0].update(value=0.25))
    ended = xdr("reproduce", str(compared), "--track", "track.toml")
    assert ended.status == 1
    assert "means[bm25, " in ended.out


def test_systems_that_nobody_has_are_named(xdr: Terminal, compared: Path) -> None:
    edited(compared, lambda content: content.update(systems=["bm25", "gone"]))
    edited(compared, lambda content: content.update(scores={"bm25": "0", "gone": "1"}))
    ended = xdr("reproduce", str(compared), "--track", "track.toml")
    assert ended.status == 1
    assert "gone" in ended.err


@pytest.mark.parametrize("systems", [[], ["bm25"], ["bm25", "bm25", "dummy"], ["bm25", "dummy", "../x"]])
def test_a_comparison_of_other_systems_than_it_names_is_refused(
    xdr: Terminal, compared: Path, systems: list[str]
) -> None:
    edited(compared, lambda content: content.update(systems=systems))
    ended = xdr("reproduce", str(compared), "--track", "track.toml")
    assert ended.status == 1
    assert "not of the systems that it names" in ended.err
    assert "reproduce-" not in ended.err


def test_runs_are_looked_for_beside_the_file_and_made_again_as_they_were_recorded(
    xdr: Terminal, compared: Path
) -> None:
    assert xdr("run", "track.toml", "bm25", "other.toml").status == 0
    assert xdr("compare", "track.toml").status == 0
    shutil.copytree("runs/rivers", "elsewhere")
    shutil.rmtree("runs/rivers")
    ended = xdr("reproduce", "elsewhere/comparison.json", "--track", "track.toml")
    assert (ended.status, ended.out.splitlines()[0]) == (0, "elsewhere/comparison.json: identical")


def test_a_comparison_whose_track_has_no_version_is_refused(xdr: Terminal, compared: Path) -> None:
    edited(compared, lambda content: content["track"].pop("version"))
    ended = xdr("reproduce", str(compared), "--track", "track.toml")
    assert ended.status == 1
    assert "version" in ended.err


def test_a_comparison_of_another_version_is_refused(xdr: Terminal, compared: Path) -> None:
    track = Path("track.toml")
    track.write_text(track.read_text().replace("version = 1\ntitle", "version = 3\ntitle"))
    ended = xdr("reproduce", str(compared), "--track", "track.toml")
    assert ended.status == 1
    assert "which is at 3 now" in ended.err


# -- attacks


@pytest.fixture(scope="module")
def attacked(tmp_path_factory: pytest.TempPathFactory) -> MadeOnce:
    def make(place: Path) -> None:
        write_track(place)
        track = place / "track.toml"
        text = track.read_text().replace("folder(fi):data", "xdr-mini/fi").replace("depth = 2", "depth = 10")
        start = text.index(', {name = "ru"')
        track.write_text(text[:start] + text[text.index("]\nfamilies") :])
        options = ("--recipe", "typo-swap", "--budget", "2", "--out", "found")
        typed("attack", "track.toml", "bm25", *options, cwd=place)

    return made_once(tmp_path_factory.mktemp("attacked"), make)


@pytest.fixture
def attack(xdr: Terminal, attacked: MadeOnce, monkeypatch: pytest.MonkeyPatch) -> Path:
    attacked.put_back(monkeypatch)
    return Path("found/manifest.json")


def test_an_attack_is_made_again(xdr: Terminal, attack: Path) -> None:
    ended = xdr("reproduce", str(attack), "--track", "track.toml")
    assert (ended.status, ended.out.splitlines()[0]) == (0, f"{attack}: identical")
    edited(attack, lambda content: content["parts"]["fi"].update(unselected=0.9))
    ended = xdr("reproduce", str(attack), "--track", "track.toml")
    assert ended.status == 1
    assert "parts.fi.unselected: 0.9 recorded" in ended.out
    edited(attack, lambda content: content.update(questions_sha256="0" * 64))
    edited(attack, lambda content: content["parts"]["fi"].update(unselected=0.9))
    assert "questions_sha256" in xdr("reproduce", str(attack), "--track", "track.toml").out


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"seeds": [1001]}, "seeds"),
        ({"seeds": ["x", "y"]}, "seeds"),
        ({"seeds": [1010, 1001]}, "seeds [1010, 1001] are not those of 2 draws"),
        ({"seeds": [0, 10**15], "budget": 999}, "are not those of 999 draws"),
        ({"budget": 10**9}, "budget"),
        ({"recipe": None}, "recipe"),
        ({"recipe": {"name": 5, "digest": ""}}, "recipe.name"),
        ({"recipe": {"name": "nosuch", "digest": ""}}, "'nosuch' does not ship with this package"),
        ({"recipe": {"name": "typo-swap", "digest": "0"}}, "another recipe"),
        ({"system": {"name": "nosuch", "seed": 1}}, "'nosuch' does not ship with this package"),
        ({"system": {"name": "bm25", "seed": "x"}}, "system.seed"),
        ({"track": {"name": "rivers"}}, "track.version"),
    ],
)
def test_a_manifest_that_no_attack_left_is_refused(
    xdr: Terminal, attack: Path, change: dict[str, Any], words: str
) -> None:
    edited(attack, lambda content: content["attack"].update(change))
    edited(attack, lambda content: content.update(key=digest_of(content["attack"])))
    ended = xdr("reproduce", str(attack), "--track", "track.toml")
    assert ended.status == 1
    assert words in ended.err
    edited(attack, lambda content: content.update(key="0"))
    assert xdr("reproduce", str(attack), "--track", "track.toml").status == 1


# -- wrong usage


@pytest.mark.parametrize(
    ("text", "words"),
    [("[1]", "no record"), ("{", "no record"), ('{"a": 1}', "no record"), ('{"declared": 1}', "--track")],
)
def test_files_that_are_no_records_are_refused(xdr: Terminal, text: str, words: str) -> None:
    Path("file.json").write_text(text)
    ended = xdr("reproduce", "file.json")
    assert ended.status == 1
    assert words in ended.err


def test_what_is_not_there_is_called_so(xdr: Terminal) -> None:
    ended = xdr("reproduce", "nothing.json")
    assert ended.status == 2
    assert "there is no nothing.json; give a run's folder" in ended.err


def test_options_belong_to_files_or_to_folders(xdr: Terminal) -> None:
    Path("file.json").write_text("{}")
    Path("folder").mkdir()
    for arguments in (
        ("file.json", "--all"),
        ("file.json", "--card", "x"),
        ("folder", "--encoder", "mini-xdr"),
    ):
        assert xdr("reproduce", *arguments).status == 2, arguments
    Path("file.json").write_text('{"families": [], "track": {"name": "mini"}}')
    assert xdr("reproduce", "file.json", "--encoder", "mini-xdr").status == 2
