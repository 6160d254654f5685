"""A leaderboard from Python: the tests of ``xdr compare`` and the table of ``xdr leaderboard`` on the same runs."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from small_track import Terminal

import xdr_bench as xdr

ROOT = Path(__file__).parents[2]
LANGUAGES = ("ar", "bn", "fi", "ja", "ko", "ru", "te")
SYSTEMS = ("mini-zero-shot", "bm25", "mini-xdr")


def test_values_and_tests_are_those_of_the_command_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in SYSTEMS:
        shutil.copytree(ROOT / "runs/mini" / name, tmp_path / "runs/mini" / name)
    monkeypatch.chdir(tmp_path)
    ended = Terminal(monkeypatch, capsys)("compare", "mini", "--json")
    assert ended.status == 0, ended.err
    compared = json.loads(ended.out)
    measures = ["R@500t", "R@2kt", "Success@1", "Success@10", "RR@10"]
    board = xdr.make_leaderboard(
        {name: {lang: ROOT / f"runs/mini/{name}/{lang}.trec.gz" for lang in LANGUAGES} for name in SYSTEMS},
        {lang: f"xdr-mini/{lang}" for lang in LANGUAGES},
        measures,
        unit="relevant passage",
    )
    found = {(r["system"], r["measure"], r["column"]): r for r in board.records()}
    assert len(found) == len(SYSTEMS) * len(measures) * (len(LANGUAGES) + 2)
    assert len(compared["differences"]) == 2 * len(measures) * (len(LANGUAGES) + 1)
    for test in compared["differences"]:
        own = found[test["system"], test["measure"], test["column"]]
        for key in ("difference", "p", "p_adjusted", "significant"):
            assert own[key] == test[key], (test["system"], test["measure"], test["column"], key)
    for mean in compared["means"]:
        assert found[mean["system"], "R@500t", mean["column"]]["value"] == mean["value"]
    frame = board.to_frame()
    assert len(frame) == len(found)
    assert frame[frame["column"] == "macro"].groupby("system")["rank"].first().to_dict() == {
        "mini-xdr": 1, "mini-zero-shot": 2, "bm25": 3,
    }  # fmt: skip


@pytest.fixture(scope="module")
def parts() -> dict[str, xdr.Collection]:
    docs = {"a": "Oslo is in Norway", "b": "Rome is in Italy", "c": "Tea"}
    return {
        lang: xdr.make_collection(
            docs,
            [xdr.Query(f"{lang}-{n}", "?", lang, str(n)) for n in range(5)],
            {f"{lang}-{n}": {"ab"[n % 2]: 1} for n in range(5)},
            name=f"toy-{lang}",
        )
        for lang in ("fi", "ja")
    }


def runs_of(order: str) -> dict[str, dict[str, list[str]]]:
    return {lang: {f"{lang}-{n}": list(order) for n in range(5)} for lang in ("fi", "ja")}


def test_runs_at_hand_become_a_table_and_pages(parts: dict[str, xdr.Collection], tmp_path: Path) -> None:
    systems = {"Always A": runs_of("abc"), "Tea first": runs_of("cab"), "Finnish only": {"fi": runs_of("ba")["fi"]}}
    board = xdr.make_leaderboard(systems, parts, ["RR", "Success@1"], baseline="Tea first", title="A toy")
    values = {(r["system"], r["column"]): r["value"] for r in board.records() if r["measure"] == "RR"}
    assert values["always-a", "fi"] == pytest.approx((3 * 1 + 2 * 0.5) / 5)
    assert values["tea-first", "macro"] == pytest.approx((3 / 2 + 2 / 3) / 5)
    assert (values["finnish-only", "ja"], values["finnish-only", "macro"]) == (None, None)
    assert repr(board) == "<leaderboard by RR: 1 Always A; 2 Tea first; - Finnish only>"
    assert board._repr_markdown_() == board.to_markdown()
    assert "| 1 | Always A | 80.0 | 80.0 | 80.0 |" in board.to_markdown()
    assert r"\begin{tabular}" in board.to_latex()
    assert any("independent" in warning for warning in board.warnings)
    page = board.write_pages(tmp_path / "pages")
    assert page == tmp_path / "pages/leaderboard/index.html"
    text = page.read_text("utf-8")
    assert "A toy" in text
    assert "Finnish only" in text
    assert (tmp_path / "pages/leaderboard/systems/always-a.html").is_file()
    # No page tells somebody to type what cannot work, or where on this machine it was made; and they are the same again.
    again = xdr.make_leaderboard(systems, parts, ["RR", "Success@1"], baseline="Tea first", title="A toy")
    again.write_pages(tmp_path / "again")
    for path in sorted((tmp_path / "pages").rglob("*")):
        if path.is_file() and path.suffix != ".lock":
            assert b"xdr leaderboard" not in path.read_bytes(), path
            assert b"--runs" not in path.read_bytes(), path
            twin = tmp_path / "again" / path.relative_to(tmp_path / "pages")
            if path.suffix in (".html", ".js"):
                assert twin.read_bytes() == path.read_bytes(), path


def test_one_collection_needs_no_names(parts: dict[str, xdr.Collection]) -> None:
    runs = {"one": runs_of("ab")["fi"], "two": runs_of("ba")["fi"]}
    board = xdr.make_leaderboard(runs, parts["fi"], "RR")
    scores = {name: xdr.score(run, parts["fi"], "RR")["RR"] for name, run in runs.items()}
    assert {r["system"]: r["value"] for r in board.records() if r["column"] == "fi"} == scores


def test_all_that_is_wrong_with_all_runs_is_said_in_one_report(parts: dict[str, xdr.Collection]) -> None:
    with pytest.raises(xdr.InvalidInput) as caught:
        xdr.make_leaderboard({"x": {"fi": {"fi-0": ["z"]}}, "y": {"ja": {"sv-0": ["a"]}, "fi": 3}}, parts, "RR")
    told = str(caught.value)
    for expected in ("x, fi: query fi-0: unknown document z", "y, ja: unknown query sv-0", "y, fi: type int"):
        assert expected in told


def test_what_cannot_be_meant_is_said(parts: dict[str, xdr.Collection]) -> None:
    runs = {"one": runs_of("ab")}
    for arguments, expected in (
        (({"one": {"fj": {}}}, parts, "RR"), "'fj'; known: fi, ja"),
        (({"one": "fi.trec"}, parts, "RR"), "a run for each of fi, ja"),
        (({"A b": runs_of("ab"), "a-b": runs_of("ab")}, parts, "RR"), "differ in signs alone"),
        (({}, parts, "RR"), "at least one system"),
        ((runs, parts, []), "one measure"),
        ((runs, parts, "RR@ten"), "RR@ten"),
    ):
        with pytest.raises(xdr.WrongUsage, match=expected):
            xdr.make_leaderboard(*arguments)  # type: ignore[arg-type]
    with pytest.raises(xdr.WrongUsage, match="unknown system 'on'"):
        xdr.make_leaderboard(runs, parts, "RR", baseline="on")
