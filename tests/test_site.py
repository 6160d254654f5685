"""The pages in a real browser: opened from the disk, with and without the hostile names of strangers."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from harness.site.queries import marked

from harness.card import LoadedCard, load_card
from harness.pipeline import build_leaderboard, compare_all, score_all
from harness.run import run_system
from harness.site import render
from harness.system import Context
from harness.tracks import load_track

HOSTILE = "<script>document.title='owned'</script>\u202e\U0001f600 & \"quotes\" '" + "x" * 120


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A site of a track whose every string from outside is hostile."""
    folder = tmp_path_factory.mktemp("site")
    data = folder / "data"
    data.mkdir()
    (data / "docs.jsonl").write_text(
        json.dumps({"doc_id": "d<1>", "title": HOSTILE, "text": f"In 1889 {HOSTILE}"}) + "\n"
    )
    queries = [{"query_id": "<q>&1", "lang": "ar", "text": f"متى {HOSTILE}؟ 1889"}]
    (data / "queries.jsonl").write_text("".join(json.dumps(q) + "\n" for q in queries))
    (data / "qrels.txt").write_text("<q>&1 0 d<1> 1\n")
    (data / "answers.jsonl").write_text(json.dumps({"query_id": "<q>&1", "answers": ["1889"]}) + "\n")
    track_file = folder / "track.toml"
    track_file.write_text(
        'schema_version = 1\nname = "hostile"\nversion = 1\ntitle = "T <script>1</script>"\ndescription = "<img src=x>"\n'
        'measures = ["Success@1", "R@10t"]\nprimary = "R@10t"\ndepth = 3\nbaseline = "bm25"\n'
        'parts = [{name = "ar", dataset = "folder:data", lang = "ar"}]\n'
    )
    track = load_track(str(track_file))
    context = Context(cache=folder / "cache", work=folder / "work")
    for name in ("bm25", "dummy"):
        loaded = load_card(name)
        card = loaded.card.model_copy(update={"title": HOSTILE, "description": HOSTILE, "authors": (HOSTILE,)})
        run_system(track, LoadedCard(card, loaded.folder), folder / "runs", context)
    scores = score_all(track, folder / "runs")
    board = build_leaderboard(track, folder / "runs", scores, compare_all(track, folder / "runs", scores))
    render(track, board, scores, folder / "runs", folder / "reports")
    return folder / "reports"


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    playwright = pytest.importorskip("playwright.sync_api", reason="the extra `dev` brings playwright")
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if chromium is None:
        pytest.skip("no Chromium on this machine; on Debian: apt-get install chromium")
    with playwright.sync_playwright() as started:
        found = started.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield found
        found.close()


@pytest.mark.parametrize("name", ["index.html", "hostile/index.html", "hostile/ar.html"])
@pytest.mark.parametrize("scripts", [True, False])
def test_every_page_opens_from_the_disk_without_errors_or_requests(
    browser: Any, pages: Path, name: str, scripts: bool
) -> None:
    context = browser.new_context(java_script_enabled=scripts)
    page = context.new_page()
    troubles: list[str] = []
    requested: list[str] = []
    page.on("console", lambda message: troubles.append(message.text))
    page.on("pageerror", lambda error: troubles.append(str(error)))
    page.on("request", lambda request: requested.append(request.url))
    page.goto((pages / name).as_uri())
    assert "owned" not in page.title()
    assert troubles == []
    assert requested == [(pages / name).as_uri()]
    context.close()


def test_strings_from_outside_are_text(browser: Any, pages: Path) -> None:
    page = browser.new_page()
    page.goto((pages / "hostile/index.html").as_uri())
    assert page.locator("script, img").count() == 0
    assert HOSTILE in page.locator("tbody th.system a").first.text_content()
    page.close()


def test_the_measure_switch_shows_one_table_at_a_time(browser: Any, pages: Path) -> None:
    page = browser.new_page()
    page.goto((pages / "hostile/index.html").as_uri())
    tables = page.locator("#results .scroll")
    assert [tables.nth(i).is_visible() for i in range(2)] == [False, True], "the primary measure comes first"
    page.keyboard.press("Tab")
    page.locator("#measure-2").focus()
    page.keyboard.press("ArrowLeft")
    assert [tables.nth(i).is_visible() for i in range(2)] == [True, False]
    page.close()


def test_a_question_opens_to_its_answers_in_its_direction(browser: Any, pages: Path) -> None:
    page = browser.new_page()
    page.goto((pages / "hostile/ar.html").as_uri())
    question = page.locator("bdi.question").first
    assert question.get_attribute("dir") == "rtl"
    page.locator("summary").first.click()
    assert page.locator("mark").first.text_content() == "1889"
    page.close()


@pytest.mark.parametrize("width", [360, 1280, 3840])
@pytest.mark.parametrize("name", ["index.html", "hostile/index.html", "hostile/ar.html"])
def test_no_page_is_wider_than_the_window(browser: Any, pages: Path, name: str, width: int) -> None:
    page = browser.new_page(viewport={"width": width, "height": 800})
    page.goto((pages / name).as_uri())
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.close()


def test_links_between_the_pages_lead_somewhere(browser: Any, pages: Path) -> None:
    for file in pages.rglob("*.html"):
        page = browser.new_page()
        page.goto(file.as_uri())
        for link in page.locator("a[href]").all():
            target = link.evaluate("a => a.href")
            path, _, fragment = target.removeprefix("file://").partition("#")
            assert Path(path).is_file(), f"{file.name} -> {target}"
            if fragment and Path(path) == file:
                assert page.locator(f"[id='{fragment}']").count() == 1, f"{file.name} -> #{fragment}"
        page.close()


def test_marked_pieces_join_to_the_text() -> None:
    text = "built in 1889, opened 1889."
    pieces = marked(text, ["1889", "88"])
    assert "".join(piece for piece, _ in pieces) == text
    assert [piece for piece, is_answer in pieces if is_answer] == ["1889", "1889"]
