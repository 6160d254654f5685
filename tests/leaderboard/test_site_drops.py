"""What perturbations cost, on a page and in the table of Markdown; and a question as its perturbed forms ask it."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
import site_pages
from site_pages import Pages, go, opened

from harness.adapters.card import load_card
from harness.leaderboard.exports.markdown import to_markdown
from harness.numbers import percent

TRACK = """
schema_version = 1
name = "drops"
version = 1
title = "Drops"
description = "Finnish and Telugu questions, and perturbed ones."
measures = ["Success@1", "RR@10"]
primary = "Success@1"
depth = 10
baseline = "bm25"
perturbations = [{ recipe = "typo-swap", draws = 2 }, { recipe = "twin" }]
parts = [{ name = "fi", dataset = "xdr-mini/fi", lang = "fi" }, { name = "te", dataset = "xdr-mini/te", lang = "te" }]
families = { resamples = 1000, all_pairs_resamples = 1000 }
"""


def make_drops(folder: Path) -> None:
    (folder / "track.toml").write_text(TRACK)
    site_pages.make(folder, [load_card(name).card for name in ("bm25", "dummy")])


@pytest.fixture(scope="module")
def drops(sites: Path) -> Pages:
    folder = site_pages.once(sites / "drops", make_drops)
    return site_pages.pages_in(folder, site_pages.load_track(str(folder / "track.toml")))


def cells(html: str) -> list[list[str]]:
    rows = re.findall(r"<tr>(.*?)</tr>", html, flags=re.DOTALL)
    found = [re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row, flags=re.DOTALL) for row in rows]
    return [[" ".join(re.sub("<[^>]+>", " ", cell).split()) for cell in row] for row in found]


def test_clean_and_perturbed_stand_side_by_side_by_kind_and_language(drops: Pages) -> None:
    rows = cells((drops.own / "drops.html").read_text("utf-8"))
    planned = [drop for drop in drops.board.comparison.drops if drop.p_adjusted is not None]
    assert len(planned) == 4
    titles = {row.system: row.title for row in drops.board.rows}
    names = {**titles, "dummy": f"{titles['dummy']} control"}
    for drop in planned:
        (own,) = [row for row in rows if row[0] == f"{names[drop.system]} {drop.perturbation}" and len(row) == 9]
        assert own[1:3] == [percent(drop.clean), percent(drop.perturbed)]
        assert own[7].startswith(percent(drop.retention))
        assert own[8] == str(drop.draws)
    for drop in drops.board.comparison.drops:
        if drop.measure == "Success@1" and drop.column != "macro":
            shown = f"{percent(drop.clean)} → {percent(drop.perturbed)}"
            assert any(row[0] == names[drop.system] and any(shown in cell for cell in row[1:]) for row in rows)
    (difference,) = [row for row in rows if row[0] == f"{names['dummy']} typo-swap" and len(row) == 6]
    expected = next(one for one in drops.board.comparison.drop_differences if one.perturbation == "typo-swap")
    assert difference[5] == f"{expected.conditioned_topics:,}"
    fewer = drops.board.comparison.fewer_to_lose(expected)
    assert fewer is not None
    assert f"it has fewer to lose (clean {percent(fewer[0])} against {percent(fewer[1])})" in difference[1]
    assert "*" not in difference[1]


def test_perturbed_parts_have_no_columns_and_no_pages(drops: Pages) -> None:
    assert [column.part for column in drops.board.columns] == ["fi", "te"]
    assert set(drops.board.rows[0].cells["RR@10"]) == {"macro", "fi", "te"}
    assert all(set(row.judged) <= {"fi", "te"} for row in drops.board.rows), "pages look their columns up"
    assert {path.stem for path in (drops.own / "languages").glob("*.html")} == {"fi", "te"}
    assert not list(drops.own.glob("data/**/*typo*"))
    assert 'href="drops.html"' in (drops.own / "index.html").read_text("utf-8")


def test_a_track_without_perturbed_parts_has_no_such_page(mini: Pages) -> None:
    assert not (mini.own / "drops.html").exists()
    assert "drops.html" not in (mini.own / "index.html").read_text("utf-8")


def test_the_markdown_table_has_the_drops_beside_the_absolute_values(drops: Pages) -> None:
    text = to_markdown(drops.board)
    lines = [line for line in text.splitlines() if "| typo-swap |" in line or "| twin |" in line]
    assert len(lines) == 4
    assert "Drop(Success@1), macro average" in text
    planned = next(drop for drop in drops.board.comparison.drops if drop.p_adjusted is not None)
    assert f"| {percent(planned.clean)} | {percent(planned.perturbed)} |" in text
    bare = drops.board.comparison.model_copy(update={"families": ()})
    assert to_markdown(drops.board.model_copy(update={"comparison": bare})).count("| typo-swap |") == 2


def test_the_table_as_data_says_which_parts_are_perturbed_forms(drops: Pages) -> None:
    content = json.loads((drops.runs / "drops/leaderboard.json").read_text("utf-8"))
    assert [part.get("of") for part in content["track"]["parts"]] == [None, None, "fi", "fi", "te", "te", "fi", "te"]
    assert len(content["comparison"]["drops"]) == 2 * 2 * 2 * 3


def test_a_question_is_shown_as_its_perturbed_forms_ask_it(browser: Any, drops: Pages) -> None:
    query = drops.track.part("fi").collection.queries[5]
    with opened(browser, "about:blank") as found:
        go(
            found.page,
            drops.own / "question.html",
            urlencode({"part": "fi", "a": "bm25", "b": "dummy", "q": query.query_id}),
        )
        shown = found.page.locator(".perturbed li bdi").all_text_contents()
        asked = [drops.track.part(f"fi-typo-swap-{seed}").collection.query(query.query_id).text for seed in (1, 2)]
        assert shown == asked
        assert query.text not in shown
        assert found.page.locator(".asked bdi").text_content() == query.text
        assert found.troubles == []
