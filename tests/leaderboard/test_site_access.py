"""For everyone: WCAG 2.2 AA by axe, by keyboard alone, on every width, on paper, without motion, without colour."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from site_pages import Pages, go, kinds, opened, settled

TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]


@pytest.fixture(params=["mini", "hostile"])
def pages(request: pytest.FixtureRequest) -> Pages:
    return request.getfixturevalue(str(request.param))  # type: ignore[no-any-return]


def violations(browser: Any, pages: Pages, names: list[str], scheme: str, width: int) -> dict[str, list[str]]:
    """What axe finds, by page. In the dark only the contrast can differ, so that alone is looked at again."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="the extra `dev` brings it").Axe()
    rules = {"type": "tag", "values": TAGS} if scheme == "light" else {"type": "rule", "values": ["color-contrast"]}
    found: dict[str, list[str]] = {}
    with opened(browser, "about:blank", width=width, color_scheme=scheme) as window:
        for name in names:
            path, _, fragment = name.partition("#")
            go(window.page, pages.folder / path, fragment)
            if "against=" in fragment:
                window.page.wait_for_selector("#notice:not([hidden])")
            response = axe.run(window.page, options={"runOnly": rules, "resultTypes": ["violations"]}).response
            for one in response["violations"]:
                found.setdefault(name, []).append(f"{one['id']}: {[node['target'] for node in one['nodes']]}")
    return found


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_on_any_kind_of_page(browser: Any, hostile: Pages, scheme: str) -> None:
    assert violations(browser, hostile, kinds(hostile), scheme, width=360) == {}


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_where_the_embedded_track_shows_more(browser: Any, mini: Pages, scheme: str) -> None:
    names = ["index.html#languages=ar&against=bm25", "ablations.html", "question.html#part=ar&measure=R@500t"]
    assert violations(browser, mini, [f"mini/{name}" for name in names], scheme, width=1280) == {}


def tab_stops(page: Any, limit: int = 400) -> list[str]:
    """What the Tab key reaches, from the top of the page until it starts again."""
    stops: list[str] = []
    for _ in range(limit):
        page.keyboard.press("Tab")
        stop = page.evaluate(
            """() => {
                const at = document.activeElement;
                if (!at || at === document.body) return null;
                const box = at.getBoundingClientRect(), style = getComputedStyle(at);
                const seen = box.width > 0 && box.height > 0 && style.outlineStyle !== "none";
                const name = at.id || at.textContent.trim().slice(0, 30) || at.className;
                return at.tagName + " " + name + (seen ? "" : " UNSEEN");
            }"""
        )
        if stop is None:
            break
        stops.append(str(stop))
    return stops


def test_the_keyboard_alone_reaches_every_control_and_shows_where_it_is(browser: Any, hostile: Pages) -> None:
    with opened(browser, hostile.own / "index.html") as window:
        page = window.page
        stops = tab_stops(page)
        assert stops[0].startswith("A Skip to the content")
        assert [stop for stop in stops if stop.endswith("UNSEEN")] == []
        for wanted in (
            "INPUT filter",
            "SELECT kind",
            "SELECT reference",
            "INPUT language-ar",
            "INPUT language-fi",
            "BUTTON Reset",
        ):
            assert wanted in stops
        count = page.locator("button.sort").count()
        assert count == 4
        # Pins of the rows, exports of the view and copies of the boxes, too.
        assert sum(stop.startswith("BUTTON") for stop in stops) == page.locator("button:visible").count() > count + 1
        scrolling = page.locator(".scroll").count()
        assert sum(stop.startswith(("DIV", "PRE")) for stop in stops) >= scrolling


def test_the_skip_link_leads_past_the_header(browser: Any, mini: Pages) -> None:
    with opened(browser, mini.own / "index.html") as window:
        page = window.page
        page.keyboard.press("Tab")
        assert page.locator(".skip").bounding_box()["x"] >= 0
        page.keyboard.press("Enter")
        assert page.evaluate("document.activeElement.id") == "main"
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.closest('main') !== null")


def test_the_skip_link_keeps_the_choice(browser: Any, mini: Pages) -> None:
    with opened(browser, "about:blank") as window:
        go(window.page, mini.own / "index.html", "languages=ar,ko")
        window.page.keyboard.press("Tab")
        window.page.keyboard.press("Enter")
        settled(window.page)
        assert window.page.locator("fieldset.languages input:checked").count() == 2
        assert window.page.evaluate("location.hash") == "#languages=ar,ko"


def test_a_walk_from_the_results_to_a_question_needs_no_pointer(browser: Any, mini: Pages) -> None:
    with opened(browser, mini.own / "index.html") as window:
        page = window.page
        page.locator("#language-ar").focus()
        page.keyboard.press("Space")
        settled(page)
        assert page.locator("#notice").is_visible()
        assert page.evaluate("document.activeElement.id") == "language-ar"
        page.get_by_role("link", name="Head to head").focus()
        page.keyboard.press("Enter")
        page.wait_for_selector("body[data-page=compare][data-ready=yes]")
        page.locator("ol.questions a").first.focus()
        page.keyboard.press("Enter")
        page.wait_for_selector("body[data-page=question][data-ready=yes]")
        assert page.locator(".tops section").count() == 2
        assert window.troubles == []


def test_no_page_is_wider_than_the_window(browser: Any, pages: Pages) -> None:
    """On a phone, and in windows that are made wider after the page is there."""
    wider: dict[tuple[str, int], int] = {}
    with opened(browser, "about:blank", width=360) as window:
        for name in kinds(pages):
            window.page.set_viewport_size({"width": 360, "height": 800})
            go(window.page, pages.folder / name)
            for width in (360, 800, 1280, 3840):
                window.page.set_viewport_size({"width": width, "height": 800})
                found = int(window.page.evaluate("document.documentElement.scrollWidth"))
                # A table may be wider than its box, which scrolls; what is said above it may not.
                captions = window.page.locator(".scroll caption").evaluate_all(
                    "all => all.map(one => one.clientWidth - one.closest('.scroll').clientWidth)"
                )
                if found > width or max(captions, default=0) > 0:
                    wider[name, width] = found
    assert wider == {}


def test_paper_shows_the_tables_and_no_controls(browser: Any, mini: Pages) -> None:
    with opened(browser, mini.own / "index.html") as window:
        page = window.page
        page.emulate_media(media="print")
        for gone in ("#controls", ".skip", "nav"):
            assert page.locator(gone).count() > 0
            assert not any(one.is_visible() for one in page.locator(gone).all()), gone
        assert page.locator("button.sort").first.evaluate("b => getComputedStyle(b, '::after').display") == "none"
        assert page.locator("#table").is_visible()
        assert page.locator(".scroll").first.evaluate("b => getComputedStyle(b).overflowX") == "visible"


def test_a_page_that_was_paper_is_a_screen_for_whoever_uses_it_next(browser: Any) -> None:
    with opened(browser, "about:blank") as window:
        first = window.page
        first.emulate_media(media="print")
        assert first.evaluate("matchMedia('print').matches")
    with opened(browser, "about:blank") as window:
        assert window.page == first
        assert window.page.evaluate("matchMedia('screen').matches")


def test_nothing_moves(browser: Any, mini: Pages) -> None:
    with opened(browser, mini.own / "index.html", reduced_motion="reduce") as window:
        page = window.page
        page.locator("th[data-column='fi'] button.sort").click()
        assert page.evaluate("document.getAnimations().length") == 0
        assert page.evaluate("getComputedStyle(document.documentElement).scrollBehavior") == "auto"
    style = (mini.folder / "assets" / "style.css").read_text("utf-8")
    assert not re.search(r"transition|animation|@keyframes", style)


def test_colour_is_never_the_only_sign(browser: Any, pages: Pages) -> None:
    """Marks have words, shades stand behind numbers, and what is relevant is said so."""
    with opened(browser, pages.own / "index.html") as window:
        page = window.page
        for direction, word, triangle in (("up", "better", "▲"), ("down", "worse", "▼")):
            marks = page.locator(f"tbody i.{direction}, tbody td.{direction} > i:not([class])")
            assert marks.evaluate_all("all => all.map(m => m.textContent.trim())") == [word] * marks.count()
            shown = marks.evaluate_all("all => all.map(m => getComputedStyle(m, '::before').content)")
            assert all(triangle in content for content in shown)
        shades = page.locator("#table tbody td:not(.rank, .exploratory)").all_text_contents()
        assert shades
        assert all(text.strip() for text in shades)
        current = page.locator(".tabs a[aria-current]")
        assert current.count() == 1


def test_charts_say_their_values_in_a_table(browser: Any, mini: Pages) -> None:
    for name in ("cost.html", "ablations.html"):
        with opened(browser, mini.own / name) as window:
            charts = window.page.locator(".chart svg")
            assert charts.count() > 0
            for chart in charts.all():
                assert "the values are in the table below" in chart.get_attribute("aria-label")
                assert chart.evaluate("c => c.closest('main').querySelector('table td') !== null")


def test_all_scripts_of_the_world_have_a_language_and_a_direction(mini: Pages) -> None:
    for page in sorted((mini.own / "against").glob("*.html")):
        text = Path(page).read_text("utf-8")
        for lang, direction in re.findall(r'<bdi class="question" lang="(\w+)" dir="(\w+)"', text):
            assert direction == ("rtl" if lang == "ar" else "ltr")
