"""Head to head of any two systems in a browser: the numbers are Python's, the lists are those of the score files."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from site_pages import Pages, go, opened, settled
from unit_tables import tables_of

from harness.compare.chosen import chosen_pair
from harness.compare.records import MACRO, read_comparison
from harness.leaderboard.site.environment import signed
from harness.numbers import percent, probability


def lines(page: Any) -> dict[str, list[str]]:
    """Cells of the table of differences, by the text of the row's header."""
    rows = page.locator("#compare table tbody tr").evaluate_all(
        "rows => rows.map(row => Array.from(row.cells, cell => cell.textContent.trim()))"
    )
    return {cells[0]: cells[1:] for cells in rows}


def listed(page: Any) -> list[tuple[str, str]]:
    """(part, query id) of the questions shown, in their order."""
    links = page.locator("ol.questions a").evaluate_all("all => all.map(link => link.hash.slice(1))")
    states = [parse_qs(link) for link in links]
    return [(state["part"][0], state["q"][0]) for state in states]


def differences(pages: Pages, one: str, two: str, measure: str, parts: list[str]) -> dict[tuple[str, str], float]:
    first, second = pages.score(one), pages.score(two)
    return {
        (part, query_id): value - second.values[part, measure][query_id]
        for part in parts
        if (part, measure) in first.values and (part, measure) in second.values
        for query_id, value in first.values[part, measure].items()
    }


def together(pages: Pages, one: str, two: str, column: str) -> str:
    """The p adjusted for all pairs, from the comparison's file."""
    pairs = read_comparison(pages.runs / pages.track.name / "comparison.json").pairs_on(column, pages.track.primary)
    assert pairs is not None
    return probability(pairs.p_adjusted(one, two), None if pairs.exact else 1 / (pairs.resamples + 1))


def planned(pages: Pages, systems: set[str], column: str) -> str:
    (other,) = systems - {pages.track.baseline} if pages.track.baseline in systems else {""}
    cells = [row.cells[pages.track.primary][column] for row in pages.board.rows if row.system == other]
    family = pages.board.comparison.families[0 if column == MACRO else 1]
    return probability(cells[0].p_adjusted if cells else None, family.smallest_adjusted_p)


@pytest.mark.parametrize(
    ("site", "one", "two", "measure"),
    [
        ("mini", "mini-zero-shot", "mini-xdr", "R@500t"),
        ("mini", "mini-xdr-xqg", "bm25", "R@500t"),
        ("mini", "mini-zero-shot", "mini-xdr", "RR@10"),
        ("parallel", "two", "three", "RR@10"),
        ("parallel", "bm25", "one", "Success@3"),
    ],
)
def test_differences_intervals_and_p_are_those_of_python(
    request: pytest.FixtureRequest, browser: Any, site: str, one: str, two: str, measure: str
) -> None:
    pages: Pages = request.getfixturevalue(site)
    parts = [part.name for part in pages.track.parts]
    with opened(browser, "about:blank") as found:
        go(found.page, pages.own / "compare.html", f"a={one}&b={two}&measure={measure}")
        rows = lines(found.page)
        names = {"Average": parts} | {name: [part] for name, part in zip(list(rows)[1:], parts, strict=True)}
        for label, chosen in names.items():
            expected = chosen_pair(*tables_of(pages, one, two, chosen, measure), hits=measure != "RR@10")
            means = [
                sum(pages.score(system).mean(part, measure) or 0 for part in chosen) / len(chosen)
                for system in (one, two)
            ]
            assert rows[label][:2] == [percent(mean) for mean in means]
            assert rows[label][2] == signed(expected.estimate)
            assert expected.interval is not None
            assert rows[label][3] == f"{signed(expected.interval[0])} to {signed(expected.interval[1])}"
            assert rows[label][5] == probability(expected.p)
            if measure != pages.track.primary:
                assert len(rows[label]) == 6
                continue
            column = MACRO if label == "Average" else chosen[0]
            assert rows[label][6:] == [planned(pages, {one, two}, column), together(pages, one, two, column)]
        assert found.troubles == []


def test_questions_come_with_the_largest_difference_first(browser: Any, parallel: Pages) -> None:
    parts = [part.name for part in parallel.track.parts]
    found_by_python = differences(parallel, "two", "one", "RR@10", parts)
    with opened(browser, "about:blank") as found:
        page = found.page
        go(page, parallel.own / "compare.html", "a=two&b=one")
        shown = listed(page)
        assert set(shown) == {key for key, value in found_by_python.items() if value}
        sizes = [abs(found_by_python[key]) for key in shown]
        assert sizes == pytest.approx(sorted(sizes, reverse=True), abs=1e-6)
        better, worse = (sum(sign * value > 0 for value in found_by_python.values()) for sign in (1, -1))
        status = page.locator("#compare [role=status]").inner_text()
        assert status == f"First better on {better}, second better on {worse}, of {len(found_by_python)} questions"
        page.locator("#part").select_option("ja")
        settled(page)
        assert listed(page)
        assert set(listed(page)) <= {key for key in found_by_python if key[0] == "ja"}


def test_swap_and_search_change_the_address_and_the_lists(browser: Any, parallel: Pages) -> None:
    with opened(browser, "about:blank") as found:
        page = found.page
        go(page, parallel.own / "compare.html", "a=two&b=one")
        first = lines(page)["Average"]
        page.get_by_role("button", name="Swap").click()
        settled(page)
        assert page.locator("#first").input_value() == "one"
        second = lines(page)["Average"]
        assert second[:2] == first[1::-1]
        assert second[5] == first[5]
        page.locator("#search").fill("ANSWER11")
        settled(page)
        assert "found" in page.locator("#compare [role=status]").inner_text()
        assert {query_id for _, query_id in listed(page)} == {"ar11", "fi11"}
        assert parse_qs(urlsplit(page.url).fragment) == {"a": ["one"], "b": ["two"], "find": ["ANSWER11"]}


def test_a_language_that_a_system_does_not_serve_is_a_dash(browser: Any, hostile: Pages) -> None:
    with opened(browser, "about:blank") as found:
        go(found.page, hostile.own / "compare.html", "a=partial&b=bm25")
        rows = lines(found.page)
        assert rows["Arabic"][0] == "–"
        assert rows["Average"][0] == rows["Average"][2] == "–"
        assert rows["Finnish"][0] == percent(hostile.score("partial").mean("fi", hostile.track.primary))
        assert found.troubles == []


def test_more_than_a_hundred_questions_come_by_the_hundred(browser: Any, mini: Pages) -> None:
    parts = [part.name for part in mini.track.parts]
    total = sum(bool(value) for value in differences(mini, "mini-xdr-xqg", "bm25", "R@500t", parts).values())
    assert total > 100
    with opened(browser, "about:blank") as found:
        go(found.page, mini.own / "compare.html", "a=mini-xdr-xqg&b=bm25&measure=R@500t")
        assert len(listed(found.page)) == 100
        found.page.get_by_role("button", name="Show more").click()
        assert len(listed(found.page)) == min(200, total)


def test_hostile_questions_are_text_in_their_own_direction(browser: Any, hostile: Pages) -> None:
    with opened(browser, "about:blank") as found:
        go(found.page, hostile.own / "compare.html", "a=dummy&b=bm25&find=q")
        question = found.page.locator("ol.questions bdi").first
        assert question.get_attribute("dir") == "rtl"
        assert question.locator("*").count() == 0
        assert found.page.title() != "owned"
        question.click()
        found.page.wait_for_selector("body[data-page=question][data-ready=yes]")
        assert found.troubles == []
