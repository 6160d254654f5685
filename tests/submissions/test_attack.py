"""`xdr attack`: the worst of so many draws, by brute force; what is written, kept and refused."""

from __future__ import annotations

import gzip
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import command_line
import pytest
from attack_margins import margins
from made_once import MadeOnce, made_once
from small_track import Terminal, write_track

from harness.adapters.card import load_card
from harness.adapters.contract import Context, Request
from harness.collections import load
from harness.errors import InvalidInput
from harness.records import Ranking
from harness.submissions.attack import files, search
from harness.tracks import load_track

BUDGET = 6


def write_questions_of_mini(folder: Path) -> None:
    write_track(folder)
    track = folder / "track.toml"
    text = track.read_text().replace('dataset = "folder(fi):data"', 'dataset = "xdr-mini/fi"')
    track.write_text(
        text.replace('dataset = "folder(ru):data"', 'dataset = "xdr-mini/te"')
        .replace('"ru"', '"te"')
        .replace("depth = 2", "depth = 10")
    )


@pytest.fixture
def xdr(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Terminal:
    write_questions_of_mini(tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDR_HOME", str(tmp_path / "home"))
    return Terminal(monkeypatch, capsys)


@pytest.fixture(scope="module")
def attacked_once(tmp_path_factory: pytest.TempPathFactory) -> MadeOnce:
    def make(place: Path) -> None:
        write_questions_of_mini(place)
        ended = command_line.xdr(*words(), cwd=place)
        assert ended.returncode == 0, ended.stderr

    return made_once(tmp_path_factory.mktemp("attacked"), make)


@pytest.fixture
def after(xdr: Terminal, attacked_once: MadeOnce, monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """Where the attack was made already."""
    attacked_once.put_back(monkeypatch)
    return xdr


def words(*more: str, track: str = "track.toml", system: str = "mini-xdr", recipe: str = "typo-swap") -> list[str]:
    return ["attack", track, system, "--recipe", recipe, "--budget", str(BUDGET), "--out", "found", *more]


def attacked(xdr: Terminal, *more: str, **others: str) -> Any:
    return xdr(*words(*more, **others))


def questions() -> dict[tuple[str, str], dict[str, Any]]:
    with gzip.open("found/questions.jsonl.gz", "rt", encoding="utf-8") as file:
        return {(row["lang"], row["query_id"]): row for row in map(json.loads, file)}


def test_the_chosen_question_is_the_worst_of_the_draws_for_the_system(after: Terminal, tmp_path: Path) -> None:
    found = questions()
    assert len(found) == 160
    system = load_card("mini-xdr").system()
    for lang in ("fi", "te"):
        clean = load(f"xdr-mini/{lang}")
        assert clean.qrels is not None
        draws = [load(f"perturbed(typo-swap,seed={1000 + b}):xdr-mini/{lang}") for b in range(1, BUDGET + 1)]
        asked = [
            (draw.query(query.query_id), {doc_id for doc_id, grade in clean.qrels[query.query_id].items() if grade})
            for query in clean.queries[:6]
            for draw in draws
        ]
        all_values = margins(system, asked, tmp_path / "work")
        for number, query in enumerate(clean.queries[:6]):
            own = asked[number * BUDGET : (number + 1) * BUDGET]
            values = all_values[number * BUDGET : (number + 1) * BUDGET]
            worst = min(range(BUDGET), key=lambda place: values[place])
            row = found[lang, query.query_id]
            chosen = values[row["chosen"] - 1001]
            assert chosen[0] == values[worst][0]
            assert chosen[1] == pytest.approx(values[worst][1], abs=1e-5)
            assert row["text"] == own[row["chosen"] - 1001][0].text


def test_an_attack_is_a_collection_like_any_other_and_its_track_tests_transfer(xdr: Terminal) -> None:
    ended = attacked(xdr, "--to", "mini-zero-shot", "--to", "dummy")
    assert ended.status == 0, ended.err
    manifest = json.loads(Path("found/manifest.json").read_text("utf-8"))
    part = manifest["parts"]["fi"]
    assert list(part["worst"]) == ["1", "2", "5", "6"]
    assert part["worst"]["6"] <= part["worst"]["5"] <= part["unselected"] <= part["clean"] + 0.05
    assert manifest["asked"] == sum(own["asked"] for own in manifest["parts"].values())
    assert 80 < part["asked"] <= 80 * (BUDGET + 1)
    assert manifest["attack"]["system"]["name"] == "mini-xdr"
    assert manifest["attack"]["seeds"] == [1001, 1006]
    clean, chosen = load("xdr-mini/fi"), load("perturbed(found/typo-swap-worst-of-6.toml,seed=1):xdr-mini/fi")
    assert (chosen.qrels, chosen.answers, chosen.docs) == (clean.qrels, clean.answers, clean.docs)
    assert [(q.query_id, q.topic) for q in chosen.queries] == [(q.query_id, q.topic) for q in clean.queries]
    track = load_track("found/track.toml")
    assert track.systems == ("mini-xdr", "mini-zero-shot", "dummy")
    assert [part.name for part in track.clean_parts] == ["fi", "te"]
    assert {name: len(own) for name, own in track.draws_of("fi").items()} == {"typo-swap": 3, "typo-swap-worst-of-6": 1}
    ended = xdr("run", "found/track.toml", "mini-xdr", "mini-zero-shot")
    assert ended.status == 0, ended.err
    ended = xdr("compare", "found/track.toml")
    assert ended.status == 0, ended.err
    assert "the attacked system itself: not tested" in ended.out
    assert "family 'transfers'" in ended.out
    assert "2 tests, Holm" in next(line for line in ended.out.splitlines() if "'transfers'" in line)
    comparison = json.loads(Path(f"runs/{track.name}/comparison.json").read_text("utf-8"))
    own = {one["system"]: one for one in comparison["transfers"] if one["column"] == "macro"}
    assert own["mini-xdr"]["loss"] > 0
    assert own["mini-xdr"]["p"] is None
    ended = xdr("leaderboard", "found/track.toml", "--reports", "site")
    assert ended.status == 0, ended.err
    page = next(Path("site").rglob("drops.html")).read_text("utf-8")
    assert "Questions chosen against a system" in page
    assert "not tested" in page


def test_the_same_attack_is_kept_and_another_one_is_not_written_over_it(after: Terminal) -> None:
    before = {path.name: path.read_bytes() for path in Path("found").iterdir()}
    again = attacked(after)
    assert (again.status, "holds this very attack already" in again.err) == (0, True)
    other = attacked(after, "--seed", "2")
    assert other.status == 1
    assert "holds another attack" in other.err
    assert "[1001, 1006]" in other.err
    assert {path.name: path.read_bytes() for path in Path("found").iterdir()} == before
    elsewhere = after("attack", "track.toml", "mini-xdr", "--recipe", "typo-swap", "--budget", "6", "--out", "again")
    assert elsewhere.status == 0
    assert {path.name: path.read_bytes() for path in Path("again").iterdir()} == before, "the same bytes"
    Path("found/questions.jsonl.gz").write_bytes(b"")
    assert attacked(after).status == 1


def test_what_was_ranked_before_a_kill_is_not_asked_again(after: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = {path.name: path.read_bytes() for path in Path("found").iterdir()}
    shutil.rmtree("found")
    searched, asked = search.searched, []

    def killed(name: str, made: Any, request: Request, context: Context) -> Iterator[Ranking]:
        asked.append(len(request.queries) - len(context.finished))
        for number, ranking in enumerate(searched(name, made, request, context)):
            if number == 100 and len(asked) == 1:
                raise KeyboardInterrupt
            yield ranking

    monkeypatch.setattr(search, "searched", killed)
    assert attacked(after).status != 0
    assert not Path("found").exists()
    assert attacked(after).status == 0
    assert asked == [asked[0], asked[0] - 100]
    assert {path.name: path.read_bytes() for path in Path("found").iterdir()} == whole


def declared() -> list[str]:
    return list(load_track("found/track.toml").systems)


def test_a_second_call_adds_systems_to_the_track_and_takes_none_away(xdr: Terminal) -> None:
    assert attacked(xdr, "--to", "dummy").status == 0
    kept = {path.name: path.read_bytes() for path in Path("found").iterdir()}
    again = attacked(xdr, "--to", "mini-zero-shot")
    assert again.status == 0
    assert "written anew: track.toml" in again.err
    assert declared() == ["mini-xdr", "dummy", "mini-zero-shot"]
    assert attacked(xdr).status == 0
    assert declared() == ["mini-xdr", "dummy", "mini-zero-shot"]
    changed = [path.name for path in Path("found").iterdir() if path.read_bytes() != kept[path.name]]
    assert changed == ["track.toml"]


def test_what_follows_from_an_attack_is_made_anew_where_it_is_gone_and_never_taken_where_it_was_changed(
    after: Terminal,
) -> None:
    for name in ("track.toml", "typo-swap-worst-of-6.toml"):
        file = Path("found") / name
        whole = file.read_bytes()
        file.unlink()
        assert attacked(after).status == 0
        assert file.read_bytes() == whole
        for other in (whole.replace(b"schema_version = 1", b"schema_version = 2"), b"\xff no TOML"):
            file.write_bytes(other)
            ended = attacked(after)
            assert ended.status == 1
            assert f"found/{name}" in ended.err
            assert file.read_bytes() == other
        file.write_bytes(whole)
    assert attacked(after).status == 0


@pytest.mark.parametrize("damage", ["worst", "parts", "attack"])
def test_a_damaged_manifest_is_said_to_be_one(after: Terminal, damage: str) -> None:
    file = Path("found/manifest.json")
    manifest = json.loads(file.read_text("utf-8"))
    if damage == "worst":
        del manifest["parts"]["fi"]["worst"]["6"]
    else:
        manifest[damage].popitem()
    file.write_text(json.dumps(manifest))
    ended = attacked(after)
    assert ended.status == 1
    assert "is not as an attack left it" in ended.err
    assert "manifest.json" in ended.err


def test_the_track_averages_what_the_attacked_one_does(xdr: Terminal) -> None:
    """A part outside the average, such as a monolingual control, is asked, and stays outside."""
    track = Path("track.toml")
    more = 'macro = ["te"]\ntolerance = {rmse = 0.5}\nunit = "relevant passage"\nexclude_own_document = true\n'
    track.write_text(track.read_text().replace("parts = ", more + "parts = "))
    assert attacked(xdr).status == 0
    clean, found = load_track("track.toml"), load_track("found/track.toml")
    assert [part.name for part in found.clean_parts] == ["fi", "te"]
    assert found.macro == ("te",)
    told = ("measures", "primary", "depth", "unit", "exclude_own_document", "families", "tolerance", "macro_parts")
    assert {name: getattr(found, name) for name in told} == {name: getattr(clean, name) for name in told}
    assert xdr("run", "found/track.toml", "mini-xdr").status == 0
    assert xdr("run", "found/track.toml", "dummy").status == 0
    assert xdr("compare", "found/track.toml").status == 0
    comparison = json.loads(Path(f"runs/{found.name}/comparison.json").read_text("utf-8"))
    own = {one["column"]: one for one in comparison["transfers"] if one["system"] == "dummy"}
    assert own["macro"]["loss"] == pytest.approx(own["te"]["loss"])


def test_attacks_that_differ_have_tracks_of_other_names(xdr: Terminal) -> None:
    names = set()
    for number, more in enumerate((["--seed", "1"], ["--seed", "2"], ["--budget", "3"], ["--recipe", "word-drop"])):
        call = [
            "attack",
            "track.toml",
            "mini-xdr",
            "--recipe",
            "typo-swap",
            "--budget",
            "2",
            "--out",
            f"out{number}",
            *more,
        ]
        assert xdr(*call).status == 0
        names.add(load_track(f"out{number}/track.toml").name)
    assert (
        xdr("attack", "track.toml", "mini-zero-shot", "--recipe", "typo-swap", "--budget", "2", "--out", "b").status
        == 0
    )
    names.add(load_track("b/track.toml").name)
    assert len(names) == 5
    assert all(name.startswith("rivers-attacked-") for name in names)


def test_questions_of_a_folder_that_says_no_language_are_found_and_asked(xdr: Terminal) -> None:
    only_fi = [json.loads(line) for line in Path("data/queries.jsonl").read_text().splitlines()][:2]
    Path("data/queries.jsonl").write_text(
        "".join(json.dumps({key: value for key, value in row.items() if key != "lang"}) + "\n" for row in only_fi)
    )
    for name in ("qrels.txt", "answers.jsonl"):
        lines = Path("data", name).read_text().splitlines(keepends=True)
        Path("data", name).write_text("".join(lines[:2]))
    text = Path("track.toml").read_text().replace("xdr-mini/fi", "folder:data")
    Path("track.toml").write_text(text)
    assert attacked(xdr).status == 0
    found = {row["query_id"]: row["text"] for (lang, _), row in questions().items() if not lang}
    assert sorted(found) == ["q1", "q2"]
    part = next(part for part in load_track("found/track.toml").parts if part.name == "fi-typo-swap-worst-of-6-1")
    assert {query.query_id: query.text for query in part.collection.queries} == found
    assert xdr("run", "found/track.toml", "mini-xdr").status == 0


def test_a_recipe_of_ones_own_attacks_as_any_other(xdr: Terminal) -> None:
    Path("my-typos.toml").write_text(
        'schema_version = 1\ntitle = "Two typos"\nside = "queries"\nkind = "typo-swap"\nedits = 2\n'
    )
    assert attacked(xdr, recipe="my-typos.toml").status == 0
    track = load_track("found/track.toml")
    assert {name: len(own) for name, own in track.draws_of("fi").items()} == {
        "../my-typos": 3,
        "my-typos-worst-of-6": 1,
    }
    assert xdr("run", "found/track.toml", "mini-xdr").status == 0


def nothing_is_asked(request: Any, *_: Any) -> Iterator[Ranking]:
    raise AssertionError("asked")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            ('"xdr-mini/te", lang = "te"', '"xdr-mini/fi", lang = "fi"'),
            "80 of its questions have the language and id of one of part fi",
        ),
        (('name = "fi"', f'name = "{"f" * 50}"'), "names of more than 64 signs"),
        (('title = "Rivers"', f'title = "{"R" * 200}"'), ""),
        (('name = "rivers"', f'name = "{"r" * 64}"'), ""),
    ],
)
def test_a_track_that_could_not_be_written_costs_nothing(
    xdr: Terminal, monkeypatch: pytest.MonkeyPatch, change: tuple[str, str], message: str
) -> None:
    Path("track.toml").write_text(Path("track.toml").read_text().replace(*change))
    if message:
        monkeypatch.setattr(search, "searched", nothing_is_asked)
    ended = attacked(xdr)
    assert (ended.status > 0) == bool(message), ended.err
    assert message in ended.err
    assert message or load_track("found/track.toml").title.endswith(": questions chosen against mini-xdr")


def test_what_was_ranked_is_kept_until_what_was_found_is_written(
    xdr: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> None:
        raise InvalidInput("no space left on the device")

    with monkeypatch.context() as patch:
        patch.setattr(files, "write_together", full)
        assert attacked(xdr).status == 1
    asked: list[int] = []
    searched = search.searched

    def counted(name: str, made: Any, request: Request, context: Context) -> Iterator[Ranking]:
        asked.append(len(request.queries) - len(context.finished))
        return searched(name, made, request, context)

    monkeypatch.setattr(search, "searched", counted)
    assert attacked(xdr).status == 0
    assert asked == [0]
    assert not list(Path("home").rglob("outcomes-*.jsonl"))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"recipe": "distractor"}, "an attack edits questions"),
        ({"recipe": "romanised"}, "there is nothing to choose from"),
        ({"recipe": "typo-swop"}, "did you mean 'typo-swap'"),
        ({"system": "mini-xdr-bm25"}, "stands on the recorded runs of"),
        ({"system": "nobody"}, "nobody"),
    ],
)
def test_what_cannot_attack_or_be_attacked_is_wrong_usage_and_writes_nothing(
    xdr: Terminal, options: dict[str, str], message: str
) -> None:
    ended = attacked(xdr, **options)
    assert ended.status == 2
    assert message in " ".join(ended.err.split())
    assert not Path("found").exists()


def test_files_that_no_attack_wrote_are_not_written_over(xdr: Terminal) -> None:
    Path("found").mkdir()
    Path("found/track.toml").write_text("mine")
    ended = attacked(xdr)
    assert ended.status == 1
    assert "found has track.toml, and no manifest.json that says that an attack wrote it" in ended.err
    assert [(path.name, path.read_text()) for path in Path("found").iterdir()] == [("track.toml", "mine")]


def test_a_folder_without_judgements_cannot_be_attacked(xdr: Terminal) -> None:
    text = Path("track.toml").read_text().replace("xdr-mini/fi", "folder(fi):data")
    Path("track.toml").write_text(text)
    Path("data/qrels.txt").unlink()
    ended = attacked(xdr)
    assert ended.status == 1
    assert "judgements" in ended.err
    assert not Path("found").exists()
