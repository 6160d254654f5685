"""A track that stands beside published results: its own rows and the published ones in one table for each measure."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from site_pages import Pages, go, make, once, opened, pages_in, write_collection

from harness.adapters.card import load_card
from harness.cli import app
from harness.compare.records import MACRO
from harness.leaderboard.published import load_published
from harness.leaderboard.site.environment import printed
from harness.numbers import percent
from harness.tracks import load_track

LANGUAGES = ("ar", "bn", "fi", "ja", "ko", "ru", "te")


def make_beside_published(folder: Path) -> None:
    """Two of the seven languages, so that the others are dashes."""
    docs = [{"doc_id": f"d{i}", "title": f"T{i}", "text": f"Passage number {i} holds answer{i}."} for i in range(6)]
    asked = [(f"{lang}{i}", lang, i) for lang in ("fi", "te") for i in range(6)]
    queries = [{"query_id": name, "lang": lang, "text": f"{name} answer{i}?"} for name, lang, i in asked]
    write_collection(folder / "data", docs, queries, [], {name: [f"answer{i}"] for name, _, i in asked})
    parts = ", ".join(f'{{name = "{lang}", dataset = "folder({lang}):data", lang = "{lang}"}}' for lang in ("fi", "te"))
    (folder / "track.toml").write_text(
        'schema_version = 1\nname = "beside"\nversion = 1\ntitle = "Beside"\ndescription = "Beside published rows."\n'
        'measures = ["R@2kt", "R@5kt", "R@10t"]\nprimary = "R@2kt"\ndepth = 3\nbaseline = "bm25"\npublished = "dev"\n'
        f"parts = [{parts}]\nfamilies = {{resamples = 1000, all_pairs_resamples = 1000}}\n"
    )
    make(folder, [load_card("bm25").card, load_card("dummy").card])


@pytest.fixture(scope="module")
def beside(sites: Path) -> Pages:
    folder = once(sites / "beside", make_beside_published)
    return pages_in(folder, load_track(str(folder / "track.toml")))


def test_own_rows_stand_with_the_published_ones_of_the_same_measure(browser: Any, beside: Pages) -> None:
    with opened(browser, beside.own / "published.html", java_script_enabled=False) as found:
        sections = {
            section.locator("h2").inner_text(): section.locator("tbody tr").evaluate_all(
                "rows => rows.map(row => [row.classList.contains('own-row'), "
                "...Array.from(row.querySelectorAll('td:not(.text)'), cell => cell.textContent.trim().replace('!', ''))])"
            )
            for section in found.page.locator("section:has(tbody)").all()
        }
    for measure in ("R@2kt", "R@5kt"):
        rows = sections[f"{measure}, dev questions"]
        assert [cells for own, *cells in rows if own] == [
            [percent(row.cells[measure][MACRO].value)]
            + [percent(row.cells[measure][lang].value) if lang in ("fi", "te") else "–" for lang in LANGUAGES]
            for row in beside.board.rows
        ]
        expected = [
            [
                printed(value, result.source.decimals)
                for value in (result.row.average, *(result.row.values.get(lang) for lang in LANGUAGES))
            ]
            for result in load_published()
            if (result.row.split, result.row.measure) == ("dev", measure)
        ]
        assert sorted(cells for own, *cells in rows if not own) == sorted(expected)
    assert not any("test questions" in title or "R@10t" in title for title in sections)


def test_notes_of_published_rows_stand_under_their_table_and_in_the_list(
    browser: Any, beside: Pages, capsys: pytest.CaptureFixture[str]
) -> None:
    noted = [result for result in load_published() if result.row.notes]
    assert any("one number a measure" in result.row.notes for result in noted)
    with opened(browser, beside.folder / "published.html", java_script_enabled=False) as found:
        sections = {
            section.locator("h2").inner_text(): section.locator(".notes li").all_inner_texts()
            for section in found.page.locator("section:has(tbody)").all()
        }
    for result in noted:
        row = result.row
        assert f"{row.system}: {row.notes}" in sections[f"{row.measure}, {row.split} questions"]
    with pytest.raises(SystemExit) as ended:
        app(["list", "published"])
    assert not ended.value.code
    listed = capsys.readouterr().out
    assert all(f"({result.row.status}); {result.row.notes}" in listed for result in noted)


def test_own_rows_lead_to_their_systems_and_the_track_leads_there(browser: Any, beside: Pages) -> None:
    with opened(browser, beside.own / "index.html", java_script_enabled=False) as found:
        page = found.page
        page.locator("header a", has_text="Published results").click()
        assert page.locator("header a[aria-current]").inner_text() == "Published results"
        page.locator(".own-row a").first.click()
        assert page.locator("h1").inner_text() == beside.board.rows[0].title
        go(page, beside.folder / "published.html", scripts=False)
        assert page.locator(".own-row").count() == 0
