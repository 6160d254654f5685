"""Every page in a real browser: complete without scripts, silent with them, and of itself alone."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urljoin, urlsplit

import pytest
from lxml import html
from site_pages import HOSTILE_CARD, PAPER, ROOT, Pages, go, kinds, opened, served

from harness.languages import language
from harness.leaderboard.published import load_published
from harness.leaderboard.site import render
from harness.leaderboard.site.environment import printed
from harness.leaderboard.table import columns_of
from harness.leaderboard.verdict import verdict_on
from harness.numbers import percent
from harness.runs.track_runs import TrackRuns

SCRIPTED = ("compare.html", "question.html")


@pytest.fixture(params=["mini", "hostile", "parallel"])
def pages(request: pytest.FixtureRequest) -> Pages:
    return request.getfixturevalue(str(request.param))  # type: ignore[no-any-return]


@pytest.mark.parametrize(
    ("site", "how", "scripts"),
    [
        ("mini", "disk", True),
        ("hostile", "disk", True),
        ("parallel", "disk", True),
        ("mini", "served", True),
        ("hostile", "disk", False),
    ],
)
def test_every_page_opens_without_errors_and_asks_no_other_host(
    request: pytest.FixtureRequest, browser: Any, site: str, how: str, scripts: bool
) -> None:
    pages: Pages = request.getfixturevalue(site)
    with served(pages.folder) as server, opened(browser, "about:blank", java_script_enabled=scripts) as found:
        start = pages.folder.as_uri() if how == "disk" else server
        for name in pages.files if how == "disk" and scripts else kinds(pages):
            go(found.page, f"{start}/{name}", scripts=scripts)
            assert found.page.title() != "owned"
        assert found.troubles == []
        asked = [url for url in found.requests if not url.endswith("/favicon.ico")]
        assert [url for url in asked if not url.startswith((start, "about:"))] == []


def test_the_policy_lets_nothing_in_but_the_sites_own_styles_and_scripts(pages: Pages) -> None:
    for name in pages.files:
        text = (pages.folder / name).read_text("utf-8")
        (policy,) = re.findall(r'http-equiv="Content-Security-Policy" content="([^"]+)"', text)
        rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
        assert rules == {
            "default-src": "'none'", "style-src": "'self'", "script-src": "'self'", "img-src": "'self'",
            "base-uri": "'none'", "form-action": "'none'",
        }, name  # fmt: skip


@pytest.fixture(scope="module")
def plain(browser: Any) -> Iterator[Any]:
    """A browser page without scripts."""
    with opened(browser, "about:blank", java_script_enabled=False) as found:
        yield found.page


def texts(plain: Any, path: Path, selector: str = "td") -> list[str]:
    go(plain, path, scripts=False)
    return [text.strip() for text in plain.locator(selector).all_text_contents()]


def without_signs(cell: str) -> str:
    return cell.removesuffix(" better").removesuffix(" worse")


def test_without_scripts_the_tables_of_all_measures_hold_every_number(plain: Any, pages: Pages) -> None:
    columns = columns_of(pages.board)
    measures = pages.track.measures
    files = {path.name for path in pages.own.glob("measure-*.html")}
    assert len(files) == len(measures) - 1
    go(plain, pages.own / "index.html", scripts=False)
    links = {link.inner_text().split()[0]: link.get_attribute("href") for link in plain.locator(".tabs a").all()}
    for measure in measures:
        shown = [
            without_signs(text) for text in texts(plain, pages.own / str(links[measure]), "#table tbody td:not(.rank)")
        ]
        expected = [percent(row.cells[measure][name].value) for row in pages.board.rows for name in columns]
        assert shown == expected


def test_without_scripts_the_index_shows_the_first_of_every_language(plain: Any, pages: Pages) -> None:
    primary = pages.track.primary
    columns = sorted(pages.board.columns, key=lambda column: language(column.lang).name)
    found = [verdict_on(pages.board, column.part).first for column in columns]
    values = [row.cells[primary][c.part].value for row, c in zip(found, columns, strict=True) if row is not None]
    assert texts(plain, pages.folder / "index.html", ".say strong") == [percent(value) for value in values]


def test_without_scripts_a_languages_page_holds_all_its_numbers(plain: Any, pages: Pages) -> None:
    for column in pages.board.columns:
        found = texts(plain, pages.own / "languages" / f"{column.part}.html")
        for row in pages.board.rows:
            for measure in pages.track.measures:
                assert percent(row.cells[measure][column.part].value) in found
            cell = row.cells[pages.track.primary][column.part]
            if cell.interval:
                assert f"{percent(cell.interval.lower)} to {percent(cell.interval.upper)}" in found


def test_without_scripts_a_systems_pages_hold_all_its_numbers(plain: Any, pages: Pages) -> None:
    columns = columns_of(pages.board)
    for row in pages.board.rows:
        found = texts(plain, pages.own / "systems" / f"{row.system}.html", "td.v")
        expected = [percent(row.cells[measure][name].value, 2) for measure in pages.track.measures for name in columns]
        assert found == expected
        if row.is_baseline:
            continue
        against = [without_signs(text) for text in texts(plain, pages.own / "against" / f"{row.system}.html")]
        for name in columns:
            difference = row.cells[pages.track.primary][name].difference
            assert percent(difference, signed=True).replace("-", "−") in against


def test_without_scripts_methods_and_published_results_are_complete(plain: Any, mini: Pages) -> None:
    (text,) = texts(plain, mini.own / "methods.html", "main")
    for word in (*mini.track.measures, f"{mini.track.families.resamples:,}", "Holm"):
        assert word in text
    shown = texts(plain, mini.folder / "published.html", "tbody td.macro")
    assert len(shown) == len(load_published())
    averages = [(result.row.average, result.source.decimals) for result in load_published()]
    assert sorted(text.rstrip("!") for text in shown) == sorted(printed(*average) for average in averages)


def test_without_scripts_pages_that_need_them_say_so_and_lead_on(plain: Any, mini: Pages) -> None:
    for name in SCRIPTED:
        (words,) = texts(plain, mini.own / name, "noscript")
        assert "needs" in words
        assert "scripts" in words


def test_links_and_fragments_lead_somewhere(pages: Pages) -> None:
    ids: dict[Path, set[str]] = {}
    links: dict[str, str] = {}
    for name in pages.files:
        path = (pages.folder / name).resolve()
        document = html.parse(path, html.HTMLParser(encoding="utf-8"))
        ids[path] = set(document.xpath("//@id"))
        links.update({urljoin(path.as_uri(), href): name for href in document.xpath("//a/@href")})
    assert len(links) >= len(ids)
    for href, name in links.items():
        split = urlsplit(href)
        if split.scheme in ("http", "https"):
            # Papers and sources, which a reader may follow; nothing of them is loaded.
            assert name.endswith("published.html") or split.hostname in ("arxiv.org", "doi.org"), f"{name} -> {href}"
            continue
        assert split.scheme == "file", f"{name} -> {href}"
        path = Path(unquote(split.path)).resolve()
        assert path.is_file(), f"{name} -> {href}"
        if split.fragment and path.name not in SCRIPTED:
            assert unquote(split.fragment) in ids[path], f"{name} -> {href}"


def test_the_same_data_give_the_same_bytes(parallel: Pages, tmp_path: Path) -> None:
    render(TrackRuns(parallel.track, parallel.runs), parallel.board, parallel.scores, tmp_path)
    one, two = (
        {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
        for folder in (parallel.folder, tmp_path)
    )
    assert one.keys() == two.keys()
    assert [name for name in one if one[name] != two[name]] == []


def test_pages_of_what_is_gone_do_not_stay(hostile: Pages, tmp_path: Path) -> None:
    render(TrackRuns(hostile.track, hostile.runs), hostile.board, hostile.scores, tmp_path)
    own = tmp_path / hostile.track.name
    for stale in ("systems/gone.html", "data/scores/gone.js", "measure-gone.html"):
        (own / stale).write_text("gone")
    render(TrackRuns(hostile.track, hostile.runs), hostile.board, hostile.scores, tmp_path)
    assert [path for path in own.rglob("*") if "gone" in path.name] == []


def test_strings_from_outside_are_text(browser: Any, hostile: Pages) -> None:
    shown = " ".join(HOSTILE_CARD.split())
    with opened(browser, "about:blank") as found:
        for name in hostile.files:
            go(found.page, hostile.folder / name)
            assert found.page.locator("img, iframe, object, style, body script").count() == 0, name
            assert found.page.locator("[href^='javascript:' i], [href^='data:' i]").count() == 0, name
        go(found.page, hostile.own / "systems" / "bm25.html")
        assert shown in " ".join(found.page.locator("h1").text_content().split())
        assert PAPER in found.page.locator("dl.card").first.text_content()
        assert found.troubles == []


def test_a_manifest_is_shipped_as_it_is(mini: Pages) -> None:
    for row in mini.board.rows:
        shipped = mini.own / "evidence" / row.system / "manifest.yaml"
        assert shipped.read_bytes() == (mini.runs / "mini" / row.system / "manifest.yaml").read_bytes()


def test_no_page_says_where_it_was_made(pages: Pages) -> None:
    places = {str(pages.folder.resolve()), str(Path.home()), str(Path.cwd())} - {"/"}
    for path in pages.folder.rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            assert not any(f"{place}/".encode() in content for place in places), path.name


def test_every_title_of_a_page_has_the_name_of_its_site() -> None:
    folder = ROOT / "harness/leaderboard/site/templates"
    titles = {
        path.name: title
        for path in folder.glob("*.html")
        for title in re.findall(r"{% block title %}(.+?){% endblock %}", path.read_text("utf-8"))
    }
    assert len(titles) > 10
    assert {name for name, title in titles.items() if "{{ settings.name }}" not in title} == set()
