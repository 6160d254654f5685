"""One leaderboard in all formats: the same numbers everywhere, and no title that can break any of them."""

from __future__ import annotations

import csv
import datetime
import io
import json
import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import jsonschema
import pytest
from boards import board_of, means, toy_board
from hypothesis import given
from hypothesis import strategies as st
from score_files import scores_of, track_of

from harness.adapters.bibtex import entries_of
from harness.compare.records import MACRO
from harness.leaderboard.exports import to_badges, write_leaderboard
from harness.leaderboard.exports.bibtex import to_bibtex
from harness.leaderboard.exports.csv import HEADER, to_csv
from harness.leaderboard.exports.json import SCHEMA_FILE, schema, to_json
from harness.leaderboard.exports.markdown import to_markdown
from harness.leaderboard.table import Leaderboard, columns_of, read_leaderboard
from harness.numbers import percent
from harness.runs.withdrawal import Withdrawal

ROOT = Path(__file__).parents[2]
GONE = Withdrawal(date=datetime.date(2026, 11, 25), reason="trained on | the questions")
BOARD = toy_board()
WITHDRAWN = toy_board(withdrawn={"better": GONE})
TITLES = st.text(st.characters(exclude_categories=("Cs",)), min_size=1, max_size=20)


def retitled(board: Leaderboard, title: str) -> Leaderboard:
    return board.model_copy(update={"rows": tuple(row.model_copy(update={"title": title}) for row in board.rows)})


# -- files


def test_the_files_read_back_equal_and_have_reproducible_bytes(tmp_path: Path) -> None:
    write_leaderboard(tmp_path, WITHDRAWN)
    first = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert sorted(first) == ["leaderboard.csv", "leaderboard.json", "leaderboard.md"]
    assert read_leaderboard(tmp_path) == WITHDRAWN
    write_leaderboard(tmp_path, toy_board(withdrawn={"better": GONE}))
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == first


# -- CSV


def test_the_csv_has_every_number_of_the_json_in_full_precision() -> None:
    content = json.loads(to_json(WITHDRAWN))
    expected = [
        [
            "" if row["rank"] is None else str(row["rank"]), row["system"], measure, column,
            *("" if cells[column][key] is None else str(cells[column][key])
              for key in ("value", "difference", "p", "p_adjusted", "significant")),
            row["withdrawn"]["date"] if row["withdrawn"] else "", "",
        ]
        for row in content["rows"] for measure, cells in row["cells"].items() for column in columns_of(WITHDRAWN)
    ]  # fmt: skip
    header, *lines = csv.reader(io.StringIO(to_csv(WITHDRAWN)))
    assert tuple(header) == HEADER
    micro = [[row["system"], measure, "" if value is None else str(value)]
             for row in content["rows"] for measure, value in row["micro"].items()]  # fmt: skip
    assert [line for line in lines if line[3] != "micro"] == expected
    assert len(expected) == 12
    assert {line[-2] for line in expected} == {"", "2026-11-25"}
    assert [[line[1], line[2], line[4]] for line in lines if line[3] == "micro"] == micro
    assert {len(line) for line in lines} == {len(HEADER)}


# -- Markdown


def table(board: Leaderboard) -> list[list[str]]:
    """Cells of the Markdown table, split at pipes that are not escaped."""
    lines = to_markdown(board).split("\n\n")[0].split("\n")
    cells = [line.replace("\\|", "\0").strip("|").split("|") for line in lines]
    return [[cell.strip().replace("\0", "|") for cell in row] for row in cells]


def test_the_markdown_table_agrees_with_the_json() -> None:
    header, _, *rows = table(BOARD)
    assert header == ["", "RR", MACRO, "fi", "ja", "en"]
    assert rows == [
        ["1", "better", "100.0▲", "100.0▲", "100.0▲", "10.0▼"],
        ["2", "base", "20.0", "10.0", "30.0", "90.0"],
        ["–", "partial", "–", "100.0▲", "–", "100.0"],
    ]
    for row, line in zip(BOARD.rows, rows, strict=True):
        for column, shown in zip(columns_of(BOARD), line[2:], strict=True):
            cell = row.cells["RR"][column]
            assert shown.endswith(("▲", "▼")) == bool(cell.significant)
            assert shown.rstrip("▲▼") == percent(cell.value)


def test_a_withdrawn_row_is_struck_out_and_says_when_and_why() -> None:
    assert table(WITHDRAWN)[-1] == ["–", "~~better~~ (withdrawn)", "100.0", "100.0", "100.0", "10.0"]
    assert "Withdrawn on 2026-11-25: better. trained on \\| the questions\n" in to_markdown(WITHDRAWN)


def test_the_note_below_the_table_says_how_it_was_tested() -> None:
    note = to_markdown(BOARD).split("\n\n")[1]
    for fact in ("worse than base", "randomization", "unit: topic", "alpha = 0.05",
                 "macro: 1 tests, Holm, B = 2,000, smallest adjusted p 0.0005", "per language: 5 tests, Holm",
                 "all pairs: 1 tests, max-T, B = 10,000"):  # fmt: skip
        assert fact in note


@given(TITLES)
def test_no_title_can_break_the_markdown_table(title: str) -> None:
    text = to_markdown(retitled(BOARD, title))
    rows = table(retitled(BOARD, title))
    assert [len(row) for row in rows] == [6] * 5
    assert len(text.splitlines()) == 7
    assert "<" not in text.replace("\\<", "").replace("<!-- -->", "")
    # Nobody is mentioned and nothing linked.
    assert not re.search(r"@\w|#\w|://|www\.|GH-\d", text, re.IGNORECASE)


# -- JSON and its schema


def test_the_published_schema_is_that_of_the_record() -> None:
    assert SCHEMA_FILE.read_text("utf-8") == schema(), "the record has changed: python -m harness.leaderboard.exports"
    jsonschema.Draft202012Validator.check_schema(json.loads(schema()))


@pytest.mark.parametrize("content", [to_json(BOARD), to_json(WITHDRAWN)], ids=["all standing", "one withdrawn"])
def test_a_leaderboard_fits_the_schema(content: str) -> None:
    jsonschema.validate(json.loads(content), json.loads(schema()))


def test_the_committed_leaderboard_fits_the_schema() -> None:
    content = json.loads((ROOT / "runs/mini/leaderboard.json").read_text("utf-8"))
    jsonschema.validate(content, json.loads(SCHEMA_FILE.read_text("utf-8")))


def without_columns(content: dict[str, Any]) -> None:
    del content["columns"]


def with_a_stranger(content: dict[str, Any]) -> None:
    content["rows"][0]["colour"] = "red"


def with_a_word_for_a_number(content: dict[str, Any]) -> None:
    content["rows"][0]["cells"]["RR"]["fi"]["value"] = "high"


def with_a_withdrawal_that_gives_no_reason(content: dict[str, Any]) -> None:
    content["rows"][-1]["withdrawn"] = {"date": "2026-11-25"}


@pytest.mark.parametrize(
    "spoil", [without_columns, with_a_stranger, with_a_word_for_a_number, with_a_withdrawal_that_gives_no_reason]
)
def test_the_schema_refuses_what_is_no_leaderboard(spoil: Any) -> None:
    content = json.loads(to_json(WITHDRAWN))
    spoil(content)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(content, json.loads(schema()))


# -- badges

SVG = "{http://www.w3.org/2000/svg}"


def words(svg: str) -> tuple[str, str, list[str]]:
    """Accessible name, title and shown texts."""
    root = ElementTree.fromstring(svg)
    title = root.find(f"{SVG}title")
    assert root.get("role") == "img"
    assert title is not None
    return str(root.get("aria-label")), str(title.text), [str(text.text) for text in root.iter(f"{SVG}text")]


def test_a_badge_shows_rank_and_macro_average_and_says_them_in_words() -> None:
    badges = to_badges(BOARD, {"base": "reproduced"})
    assert sorted(badges) == ["base.svg", "better.svg", "partial.svg"]
    name, title, texts = words(badges["base.svg"])
    assert name == title == "base on Toy: rank 2 of 2, macro RR 20.0, reproduced"
    assert texts == ["toy RR", "#2 · 20.0 · reproduced"]
    assert words(badges["better.svg"])[2] == ["toy RR", "#1 · 100.0 · submitted"]
    assert words(badges["partial.svg"])[2] == ["toy RR", "no rank · – · submitted"]
    assert words(to_badges(WITHDRAWN)["better.svg"])[2] == ["toy RR", "withdrawn"]


def test_badges_load_nothing() -> None:
    for svg in to_badges(WITHDRAWN).values():
        assert not re.search(r"href|style|url\(|@import|<image|<script|<use", svg)
        assert svg.count("http") == 1, "the name of the SVG namespace"


@given(TITLES)
def test_no_title_can_break_a_badge(title: str) -> None:
    for svg in to_badges(retitled(BOARD, title)).values():
        name, shown, texts = words(svg)
        assert len(texts) == 2
        assert shown.endswith(", submitted") or ": no rank" in shown
        assert ElementTree.fromstring(svg).find(f".//{SVG}script") is None
        assert " ".join(name.split()).startswith(
            " ".join("".join(c for c in title if c >= " " and c not in "\ufffe\uffff").split())
        )


# -- BibTeX


def cited(board: Leaderboard) -> set[str]:
    return {entry.key for entry in entries_of(to_bibtex(board))}


def test_a_table_cites_itself_its_tests_its_collections_and_its_systems() -> None:
    parts = [{"name": "ar", "dataset": "xquad/ar", "lang": "ar"}]
    track = track_of("ar", parts=parts, families={"resamples": 2000, "correction": "benjamini-hochberg"})
    files = [scores_of("base", means(ar=0.2)), scores_of("other", means(ar=0.4)), scores_of("third", means(ar=0.5))]
    own = "@misc{own, title = {Own}}"
    cards = {
        "base": {"adapter": "bm25"},
        "other": {"paper": "arXiv 2305.03950", "bibtex": own},
        "third": {"paper": "Asai et al., XOR QA: Cross-lingual Open-Retrieval Question Answering"},
    }
    assert cited(board_of(track, *files, cards=cards)) == {
        "xdr-bench-toy", "smucker2007tests", "benjamini1995", "carterette2012multiple", "artetxe2020xquad",
        "robertson2009bm25", "zhuang2023xqg", "own", "asai2021xorqa",
    }  # fmt: skip
    assert cited(BOARD) == {"xdr-bench-toy", "smucker2007tests", "holm1979", "carterette2012multiple"}


def test_one_work_is_cited_once_and_two_works_under_one_key_both() -> None:
    files = [scores_of(name, means(fi=0.5)) for name in ("base", "one", "same", "two")]
    one, two = "@misc{key, title = {One}}", "@misc{key, title = {Two}}"
    board = board_of(
        track_of("fi"), *files, cards={"one": {"bibtex": one}, "same": {"bibtex": one}, "two": {"bibtex": two}}
    )
    found = {entry.key: entry.fields["title"] for entry in entries_of(to_bibtex(board))}
    assert (found["key"], found["key-two"]) == ("One", "Two")
    assert len(found) == 4 + 2
