"""The results table in a browser: sorting, filters, and any choice of languages with the test that Python computes."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from site_pages import Pages, go, opened, served, settled
from unit_tables import tables_of

from harness.compare.chosen import chosen_pair
from harness.compare.projections import p_values
from harness.compare.records import MACRO
from harness.compare.units import UnitTable
from harness.languages import language
from harness.leaderboard.site.costs import costs_of, in_words
from harness.leaderboard.site.evidence import Site
from harness.numbers import percent, probability
from harness.runs.track_runs import TrackRuns


def address(page: Any) -> str:
    return str(page.evaluate("decodeURIComponent(location.hash.slice(1))"))


def order(page: Any) -> list[str]:
    settled(page)
    return list(page.locator("#table tbody tr:not([hidden])").evaluate_all("rows => rows.map(r => r.dataset.system)"))


def row_of(page: Any, system: str) -> list[str]:
    settled(page)
    cells = page.locator(f"#table tbody tr[data-system='{system}'] > *")
    return [text.strip() for text in cells.evaluate_all("all => all.filter(c => !c.hidden).map(c => c.textContent)")]


def sorted_headers(page: Any) -> dict[str, str]:
    settled(page)
    found = page.locator("#table thead th[aria-sort]").evaluate_all(
        "all => all.map(h => [h.dataset.column || 'system', h.getAttribute('aria-sort')])"
    )
    return {str(column): str(direction) for column, direction in found}


def expected_order(pages: Pages, column: str, measure: str, descending: bool) -> list[str]:
    def key(row: Any) -> tuple[bool, float]:
        value = row.cells[measure][column].value
        return value is None, (-value if descending else value) if value is not None else 0.0

    return [row.system for row in sorted(pages.board.rows, key=key)]


@pytest.mark.parametrize("site", ["mini", "hostile"])
def test_every_column_sorts_both_ways_with_dashes_last(request: pytest.FixtureRequest, browser: Any, site: str) -> None:
    pages: Pages = request.getfixturevalue(site)
    primary = pages.track.primary
    with opened(browser, pages.own / "index.html") as found:
        page = found.page
        for column in (MACRO, *(part.name for part in pages.track.parts)):
            button = page.locator(f"th[data-column='{column}'] button.sort")
            for direction in ("descending", "ascending"):
                button.click()
                assert sorted_headers(page) == {column: direction}
                assert order(page) == expected_order(pages, column, primary, direction == "descending")
        titles = {row.system: row.title for row in pages.board.rows}
        page.locator("th.system button.sort").click()
        assert sorted_headers(page) == {"system": "ascending"}
        assert [titles[name] for name in order(page)] == page.evaluate(
            "titles => titles.sort((a, b) => a.localeCompare(b, 'en'))", list(titles.values())
        )
        assert found.troubles == []


def test_a_column_sorts_by_keyboard_and_keeps_the_focus(browser: Any, mini: Pages) -> None:
    with opened(browser, mini.own / "index.html") as found:
        found.page.locator("th[data-column='ko'] button.sort").focus()
        found.page.keyboard.press("Enter")
        assert sorted_headers(found.page) == {"ko": "descending"}
        found.page.keyboard.press("Space")
        assert sorted_headers(found.page) == {"ko": "ascending"}
        focused = found.page.evaluate("document.activeElement.closest('th').dataset.column")
        assert focused == "ko"


def test_filters_hide_rows_and_say_how_many_are_left(browser: Any, mini: Pages) -> None:
    with opened(browser, mini.own / "index.html") as found:
        page = found.page
        page.locator("#filter").fill("xqg")
        assert order(page) == [row.system for row in mini.board.rows if "xqg" in row.title.lower() + row.system]
        page.locator("#kind").select_option("cross-lingual")
        wanted = [row for row in mini.board.rows if row.kind == "cross-lingual"]
        both = [row.system for row in wanted if "xqg" in row.title.lower() + row.system]
        assert order(page) == both
        assert page.locator(".shown").inner_text() == f"{len(both)} of {len(mini.board.rows)} systems"
        page.locator("#filter").fill("")
        assert order(page) == [row.system for row in wanted]
        page.locator("#filter").fill("no such system")
        assert order(page) == []


def test_a_filter_by_training_data_keeps_those_that_name_it(browser: Any, mini: Pages) -> None:
    named = sorted({name for row in mini.board.rows for name in row.card.training_data})
    assert named
    with opened(browser, mini.own / "index.html") as found:
        for name in named:
            found.page.locator("#training").select_option(name)
            assert order(found.page) == [row.system for row in mini.board.rows if name in row.card.training_data]


def table_of(pages: Pages, system: str, reference: str, parts: Sequence[str], measure: str) -> UnitTable:
    """Differences of two systems, gathered by unit and language, from the score files."""
    first, second = tables_of(pages, system, reference, parts, measure)
    return UnitTable(first.units, first.languages, first.sums - second.sums, first.counts)


def randomization_p(pages: Pages, system: str, parts: Sequence[str], measure: str) -> float:
    table = table_of(pages, system, pages.track.baseline, parts, measure)
    families = pages.track.families
    return float(p_values(table.contributions()[:, None], table.units, families.resamples, families.seed)[0])


def check_choice(page: Any, pages: Pages, parts: Sequence[str], reference: str, measure: str) -> None:
    """The macro average, its p and its marks in every row are those of Python."""
    for row in pages.board.rows:
        values = [row.cells[measure][part].value for part in parts]
        shown = row_of(page, row.system)
        if None in values:
            assert shown[2:4] == ["–", "–"]
            continue
        mean = sum(value for value in values if value is not None) / len(values)
        macro, p = shown[2].partition(" ")[0], shown[3]
        assert macro == percent(mean)
        if row.system == reference:
            assert p == "reference"
            continue
        if reference == pages.track.baseline:
            expected = randomization_p(pages, row.system, parts, measure)
        else:
            tables = tables_of(pages, row.system, reference, parts, measure)
            chosen = chosen_pair(*tables, hits=measure != "RR@10").p
            assert chosen is not None
            expected = chosen
        assert p == probability(expected), (row.system, parts, reference)
        difference = table_of(pages, row.system, reference, parts, measure).macro
        better = "better" if difference > 0 else "worse"
        sign = "" if expected > pages.track.families.alpha else f" {better}, unadjusted"
        assert shown[2] == macro + sign


CHOICES = [
    ("mini", ("ar",), "mini-zero-shot"),
    ("mini", ("fi", "ja"), "mini-zero-shot"),
    ("mini", ("bn", "ko", "ru", "te"), "mini-xdr"),
    ("mini", ("ar", "bn", "fi", "ja", "ko", "ru", "te"), "bm25"),
    ("parallel", ("ar", "ja"), "one"),
    ("parallel", ("ar", "fi"), "two"),
    ("parallel", ("ar", "fi", "ja"), "bm25"),
    ("parallel", ("ja",), "three"),
    ("hostile", ("fi",), "bm25"),
]


@pytest.mark.parametrize(("site", "parts", "reference"), CHOICES)
def test_a_choice_of_languages_shows_the_numbers_of_python(
    request: pytest.FixtureRequest, browser: Any, site: str, parts: tuple[str, ...], reference: str
) -> None:
    pages: Pages = request.getfixturevalue(site)
    all_parts = [part.name for part in pages.track.parts]
    with opened(browser, pages.own / "index.html") as found:
        page = found.page
        for part in all_parts:
            if part not in parts:
                page.locator(f"#language-{part}").uncheck()
        page.locator("#reference").select_option(reference)
        settled(page)
        if tuple(all_parts) != parts or reference != pages.track.baseline:
            assert "Exploratory and unadjusted" in page.locator("#notice").inner_text()
        check_choice(page, pages, parts, reference, pages.track.primary)
        check_foot(page, pages, parts)
        if reference != pages.track.baseline:
            adjusted = page.locator("#table tbody td:is(.up, .down) > i:not([class])")
            assert not any(mark.is_visible() for mark in adjusted.all()), "marks against another system than the chosen"
            assert page.locator(".of-baseline").is_hidden()
        elif tuple(all_parts) != parts:
            adjusted = page.locator("#table tbody .macro").locator("i:not(.open-up, .open-down, .seen)")
            assert not any(mark.is_visible() for mark in adjusted.all()), "adjusted marks of another average"
            assert page.locator(".of-baseline").is_visible()
            assert page.locator(".of-declared").is_hidden()
        assert found.troubles == []


def check_foot(page: Any, pages: Pages, parts: Sequence[str]) -> None:
    """Ceiling and random ranking, and the words below the table, are of the chosen languages."""
    columns = [column for column in pages.board.columns if column.part in parts]
    for place, kind in enumerate(("ceiling", "random")):
        values = [getattr(column, kind)[pages.track.primary] for column in columns]
        cell = page.locator(f"tr[data-bound='{place}'] td.macro")
        assert cell.inner_text() == percent(sum(values) / len(values))
    assert page.locator("#macro-over").inner_text() == ", ".join(language(column.lang).name for column in columns)


def test_a_deep_link_restores_the_state_and_another_measure_keeps_it(browser: Any, mini: Pages) -> None:
    state = "languages=ar,ko&against=mini-xdr&sort=ko&order=ascending&find=mini"
    with opened(browser, "about:blank") as found:
        page = found.page
        go(page, mini.own / "index.html", state)
        assert page.locator("#notice").is_visible()
        assert sorted_headers(page) == {"ko": "ascending"}
        assert page.locator("#filter").input_value() == "mini"
        assert page.locator("#reference").input_value() == "mini-xdr"
        assert page.locator("fieldset.languages input:checked").count() == 2
        assert len(order(page)) == sum("mini" in row.system for row in mini.board.rows)
        check_choice(page, mini, ("ar", "ko"), "mini-xdr", mini.track.primary)
        page.locator(".tabs a", has_text="RR@10").click()
        settled(page)
        assert page.locator("h1").count() == 1
        assert page.locator(".tabs a[aria-current]").inner_text() == "RR@10"
        assert page.locator("fieldset.languages input:checked").count() == 2
        check_choice(page, mini, ("ar", "ko"), "mini-xdr", "RR@10")
        page.reload()
        assert sorted_headers(page) == {"ko": "ascending"}


def shown_rows(page: Any) -> list[str]:
    return page.locator("#table tbody tr").evaluate_all("rows => rows.map(row => row.outerHTML)")


def test_reset_brings_the_declared_table_back(browser: Any, mini: Pages) -> None:
    with opened(browser, mini.own / "index.html") as found:
        page = found.page
        before = shown_rows(page)
        page.locator("#language-ar").uncheck()
        page.locator("#filter").fill("xqg")
        page.locator("th[data-column='fi'] button.sort").click()
        settled(page)
        assert page.locator("#notice").is_visible()
        assert address(page) != ""
        assert shown_rows(page) != before
        page.get_by_role("button", name="Reset").click()
        settled(page)
        assert page.locator("#notice").is_hidden()
        assert address(page) == ""
        assert shown_rows(page) == before
        assert sorted_headers(page) == {}


def test_data_that_cannot_be_loaded_is_told_and_the_next_choice_tries_again(browser: Any, mini: Pages) -> None:
    with served(mini.folder) as address, opened(browser, f"{address}/mini/index.html") as found:
        page = found.page
        page.route("**/forms/**", lambda route: route.abort())
        page.locator("#language-ar").uncheck()
        page.locator("[role=alert]").wait_for()
        assert "could not load its data (data/forms/" in page.locator("[role=alert]").inner_text()
        page.unroute("**/forms/**")
        page.locator("#language-fi").uncheck()
        settled(page)
        assert page.locator("[role=alert]").is_hidden()
        check_choice(page, mini, ("bn", "ja", "ko", "ru", "te"), mini.track.baseline, mini.track.primary)


def test_a_page_whose_data_are_damaged_says_so_until_they_are_not(browser: Any, mini: Pages) -> None:
    with served(mini.folder) as address, opened(browser, "about:blank") as found:
        page = found.page
        page.route("**/data/board.js", lambda route: route.fulfill(body="", content_type="text/javascript"))
        page.goto(f"{address}/mini/index.html")
        page.locator("[role=alert]").wait_for()
        assert "data/board.js is damaged" in page.locator("[role=alert]").inner_text()
        page.unroute("**/data/board.js")
        page.evaluate("location.hash = 'sort=ko'")
        assert sorted_headers(page) == {"ko": "descending"}
        assert page.locator("[role=alert]").is_hidden()


def test_a_state_that_names_nothing_known_is_the_declared_table(browser: Any, mini: Pages) -> None:
    with opened(browser, "about:blank") as found:
        go(found.page, mini.own / "index.html", "languages=xx,__proto__&against=nobody&sort=constructor&kind=")
        assert order(found.page) == [row.system for row in mini.board.rows]
        assert found.page.locator("#notice").is_hidden()
        assert found.troubles == []


def test_pinned_rows_stand_on_top_whatever_is_sorted_or_left_out(browser: Any, mini: Pages) -> None:
    with opened(browser, mini.own / "index.html") as found:
        page = found.page
        for name in ("bm25", "mini-xdr"):
            page.locator(f"tr[data-system='{name}'] button.pin").click()
            settled(page)
        assert set(order(page)[:2]) == {"bm25", "mini-xdr"}
        assert "pin=bm25,mini-xdr" in address(page)
        page.locator("th[data-column='ko'] button.sort").click()
        assert set(order(page)[:2]) == {"bm25", "mini-xdr"}
        page.locator("#filter").fill("xqg")
        assert set(order(page)[:2]) == {"bm25", "mini-xdr"}
        links = page.locator(".pins a").evaluate_all("all => all.map(a => a.getAttribute('href'))")
        assert [link.partition("#")[2] for link in links] == ["a=bm25&b=mini-xdr&measure=R%40500t"]
        for row in mini.board.rows[:5]:
            if row.system not in ("bm25", "mini-xdr"):
                page.locator("#filter").fill("")
                settled(page)
                page.locator(f"tr[data-system='{row.system}'] button.pin").click()
                settled(page)
        assert page.locator("button.pin[aria-pressed=true]").count() == 4
        page.get_by_role("button", name="Unpin all").click()
        settled(page)
        assert page.locator("button.pin[aria-pressed=true]").count() == 0
        assert found.troubles == []


def test_what_is_shown_can_be_taken_away(browser: Any, mini: Pages) -> None:
    with opened(browser, mini.own / "index.html", accept_downloads=True) as found:
        page = found.page
        page.locator("#filter").fill("xqg")
        shown = order(page)
        with page.expect_download() as csv_file:
            page.get_by_role("button", name="CSV of this view").click()
        rows = list(csv.reader(Path(csv_file.value.path()).read_text("utf-8").splitlines()))
        titles = {row.system: row.title for row in mini.board.rows}
        assert [row[1] for row in rows[1:]] == [titles[name] for name in shown]
        by_name = {row.system: row for row in mini.board.rows}
        columns = [MACRO, *(part.name for part in mini.track.parts)]
        for name, line in zip(shown, rows[1:], strict=True):
            assert line[2:] == [percent(by_name[name].cells["R@500t"][column].value) for column in columns]
        with page.expect_download() as tex_file:
            page.get_by_role("button", name="LaTeX of this view").click()
        text = Path(tex_file.value.path()).read_text("utf-8")
        body = text.partition("\\midrule\n")[2].partition("\\bottomrule")[0].splitlines()
        assert len(body) == len(shown)
        assert all(line.count(" & ") == len(columns) + 1 and line.endswith(" \\\\") for line in body)


def test_a_filter_that_nothing_fits_says_so(browser: Any, mini: Pages) -> None:
    with opened(browser, mini.own / "index.html") as found:
        page = found.page
        assert page.locator("#none-fits").is_hidden()
        page.locator("#filter").fill("no such system")
        settled(page)
        assert page.locator("#none-fits").is_visible()
        page.locator("#none-fits button").click()
        settled(page)
        assert len(order(page)) == len(mini.board.rows)


def test_the_last_language_of_an_average_stays(browser: Any, mini: Pages) -> None:
    with opened(browser, mini.own / "index.html") as found:
        page = found.page
        go(page, mini.own / "index.html", "languages=ko")
        page.locator("#language-ko").click()
        assert page.locator("#language-ko").is_checked()
        assert "one language at least" in page.locator(".shown").inner_text()


def test_ranks_are_those_of_the_sorted_column(browser: Any, mini: Pages) -> None:
    with opened(browser, mini.own / "index.html") as found:
        page = found.page
        page.locator("th[data-column='te'] button.sort").click()
        settled(page)
        assert page.locator("#ranks-of").inner_text() == "Telugu"
        for row in mini.board.rows:
            standing = row.standings["te"]
            expected = (
                f"{standing.best_rank}–{standing.worst_rank}"
                if standing.best_rank != standing.worst_rank
                else f"{standing.best_rank}"
            )
            assert row_of(page, row.system)[0] == expected


def test_costs_are_columns_that_a_reader_asks_for(browser: Any, mini: Pages) -> None:
    site = Site(mini.board, mini.scores, TrackRuns(mini.track, mini.runs), mini.own)
    expected = in_words(costs_of(site))
    with opened(browser, mini.own / "index.html") as found:
        page = found.page
        assert page.locator("th.cost").first.is_hidden()
        page.locator("#costs").check()
        settled(page)
        assert "costs=yes" in address(page)
        for row in mini.board.rows:
            assert tuple(row_of(page, row.system)[-5:]) == expected[row.system]
        page.locator("#costs").uncheck()
        settled(page)
        assert page.locator("td.cost").first.is_hidden()
