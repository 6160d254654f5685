"""One question in a browser: its direction, its answers, what is relevant, and where the token budget runs out."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from site_pages import HOSTILE, HOSTILE_ID, LONG, Pages, go, opened, settled

from harness.measures.tokens import word_tokenize
from harness.runs.manifest import run_file
from harness.runs.trec import read_run


def open_question(page: Any, pages: Pages, **state: str) -> None:
    go(page, pages.own / "question.html", urlencode(state))


def ranked(pages: Pages, system: str, part: str, query_id: str) -> tuple[str, ...]:
    run, _ = read_run(run_file(pages.runs / pages.track.name / system, part))
    return run.rankings[query_id].doc_ids[:10]


def test_the_question_stands_in_its_language_and_direction_with_its_answers(browser: Any, hostile: Pages) -> None:
    with opened(browser, "about:blank") as found:
        page = found.page
        open_question(page, hostile, part="ar", a="bm25", b="dummy", q=HOSTILE_ID, measure="Success@1")
        question = page.locator(".asked bdi")
        assert (question.get_attribute("dir"), question.get_attribute("lang")) == ("rtl", "ar")
        assert HOSTILE in question.text_content()
        assert page.locator(".answers strong").all_text_contents() == ["1889", HOSTILE]
        assert page.locator(".answers code").inner_text() == HOSTILE_ID
        marks = page.locator(".tops section").first.locator("mark").all_text_contents()
        assert marks == ["1889", HOSTILE, "1889"]
        open_question(page, hostile, part="ar", a="bm25", b="dummy", q="long")
        assert page.locator(".asked bdi").text_content() == LONG
        assert found.troubles == []


def test_both_systems_first_ten_are_shown_and_what_is_relevant_is_named(browser: Any, mini: Pages) -> None:
    collection = mini.track.part("fi").collection
    query = collection.queries[3]
    relevant = (collection.qrels or {})[query.query_id]
    with opened(browser, "about:blank") as found:
        page = found.page
        open_question(page, mini, part="fi", a="mini-xdr", b="bm25", q=query.query_id, measure="RR@10")
        assert page.locator(".asked bdi").text_content() == query.text
        for place, system in enumerate(("mini-xdr", "bm25")):
            column = page.locator(".tops section").nth(place)
            items = column.locator("ol > li")
            doc_ids = ranked(mini, system, "fi", query.query_id)
            titles = [collection.docs.get(doc_id).title or doc_id for doc_id in doc_ids]
            assert items.locator("strong").all_text_contents() == titles
            named = [item.locator(".gold-word", has_text="relevant").count() == 1 for item in items.all()]
            assert named == [doc_id in relevant for doc_id in doc_ids]


def text_before_the_cut(item: Any) -> str | None:
    """Text of a passage up to the sign of the cut; None where it has none."""
    return item.evaluate(  # type: ignore[no-any-return]
        """li => {
            const sign = li.querySelector(".cut");
            if (!sign) return null;
            let text = "";
            for (let node = li.querySelector("br").nextSibling; node !== sign; node = node.nextSibling)
                text += node.textContent;
            return text;
        }"""
    )


@pytest.mark.parametrize(
    ("site", "system", "part", "measure"), [("mini", "mini-xdr", "ja", "R@500t"), ("hostile", "bm25", "ar", "R@10t")]
)
def test_the_token_budget_ends_after_exactly_so_many_tokens(
    request: pytest.FixtureRequest, browser: Any, site: str, system: str, part: str, measure: str
) -> None:
    pages: Pages = request.getfixturevalue(site)
    budget = int(measure[2:-1])
    collection = pages.track.part(part).collection
    query_id = collection.queries[0].query_id
    with opened(browser, "about:blank") as found:
        open_question(found.page, pages, part=part, a=system, b="bm25", q=query_id, measure=measure)
        items = found.page.locator(".tops section").first.locator("ol > li").all()
        tokens = 0
        for item, doc_id in zip(items, ranked(pages, system, part, query_id), strict=True):
            own = word_tokenize(collection.docs.get(doc_id).text)
            before = text_before_the_cut(item)
            if tokens < budget < tokens + len(own):
                assert before is not None
                assert word_tokenize(before) == own[: budget - tokens]
                break
            assert before is None
            tokens += len(own)
        else:
            pytest.fail("no passage holds the end of the budget")
        assert found.page.locator(".tops section").first.locator(".cut").count() == 1


def test_a_measure_without_a_budget_cuts_nothing(browser: Any, mini: Pages) -> None:
    with opened(browser, "about:blank") as found:
        open_question(found.page, mini, part="ja", a="mini-zero-shot", b="mini-xdr", measure="RR@10")
        assert found.page.locator(".tops ol li").count() == 20
        assert found.page.locator(".cut").count() == 0


def test_next_and_previous_walk_through_the_questions_by_keyboard(browser: Any, mini: Pages) -> None:
    queries = mini.track.part("ko").collection.queries
    with opened(browser, "about:blank") as found:
        page = found.page
        open_question(page, mini, part="ko", a="bm25", b="mini-xdr", q=queries[0].query_id)
        assert page.locator("#previous").get_attribute("aria-disabled") == "true"
        page.get_by_role("button", name="Next question").focus()
        for query in (queries[1], queries[2]):
            page.keyboard.press("Enter")
            settled(page)
            assert page.locator(".answers code").inner_text() == query.query_id
        page.get_by_role("button", name="Previous question").click()
        settled(page)
        assert page.locator(".answers code").inner_text() == queries[1].query_id
        assert parse_qs(urlsplit(page.url).fragment)["q"] == [queries[1].query_id]
        open_question(page, mini, part="ko", q=queries[-1].query_id)
        assert page.locator("#next").get_attribute("aria-disabled") == "true"


def test_a_system_that_does_not_serve_the_language_says_so(browser: Any, hostile: Pages) -> None:
    with opened(browser, "about:blank") as found:
        open_question(found.page, hostile, part="ar", a="partial", b="bm25", q="long")
        assert "does not serve" in found.page.locator(".tops section").first.inner_text()
        assert found.troubles == []


def test_choosing_another_system_keeps_the_question(browser: Any, mini: Pages) -> None:
    with opened(browser, "about:blank") as found:
        page = found.page
        query_id = mini.track.part("te").collection.queries[5].query_id
        open_question(page, mini, part="te", a="bm25", b="mini-xdr", q=query_id)
        page.locator("#a").focus()
        page.locator("#a").select_option("mini-xdr-xqg")
        settled(page)
        assert page.locator(".tops section:first-child h2 a[href*='mini-xdr-xqg']").count() == 1
        assert page.locator(".answers code").inner_text() == query_id
        assert page.evaluate("document.activeElement.id") == "a"


def test_what_should_be_found_is_shown_with_its_rank_in_both_systems(browser: Any, mini: Pages) -> None:
    collection = mini.track.part("te").collection
    with opened(browser, "about:blank") as found:
        for query in collection.queries[:6]:
            open_question(found.page, mini, part="te", a="bm25", b="mini-xdr-xqg", q=query.query_id)
            boxes = found.page.locator("details.should")
            relevant = sorted((collection.qrels or {})[query.query_id])
            assert boxes.locator("strong").all_text_contents() == [
                collection.docs.get(doc).title for doc in relevant[:3]
            ]
            for doc_id, words in zip(relevant, boxes.locator(".values").all_text_contents(), strict=False):
                for system, said in zip(("bm25", "mini-xdr-xqg"), words.split("; "), strict=True):
                    run, _ = read_run(run_file(mini.runs / "mini" / system, "te"))
                    ranking = run.rankings.get(query.query_id)
                    doc_ids = list(ranking.doc_ids) if ranking is not None else []
                    rank = f"rank {doc_ids.index(doc_id) + 1}" if doc_id in doc_ids else "not among its first 30"
                    assert said.endswith(f": {rank}")


def test_single_questions_are_found_or_missed(browser: Any, mini: Pages) -> None:
    score = mini.score("mini-xdr")
    with opened(browser, "about:blank") as found:
        for query in mini.track.part("fi").collection.queries[:4]:
            open_question(found.page, mini, part="fi", a="mini-xdr", b="bm25", q=query.query_id)
            words = found.page.locator(".tops section").first.locator(".values").first.inner_text().split(" · ")
            for measure in ("R@500t", "Success@1", "Success@10"):
                hit = score.values["fi", measure][query.query_id] == 1
                assert f"{measure} {'found' if hit else 'missed'}" in words


def test_next_walks_the_list_that_the_reader_came_from(browser: Any, mini: Pages) -> None:
    one, two = (mini.score(name).values["ko", "R@500t"] for name in ("mini-xdr-xqg", "bm25"))
    differing = [query_id for query_id in one if one[query_id] != two[query_id]]
    with opened(browser, mini.own / "compare.html") as found:
        page = found.page
        go(page, mini.own / "compare.html", "a=mini-xdr-xqg&b=bm25&part=ko&measure=R@500t")
        listed = page.locator("ol.questions a").evaluate_all(
            "links => links.map(a => new URLSearchParams(a.hash.slice(1)).get('q'))"
        )
        assert sorted(listed) == sorted(differing)
        page.locator("ol.questions a").first.click()
        page.wait_for_selector("#next")
        settled(page)
        seen = []
        for place in range(len(listed)):
            seen.append(page.locator(".answers code").inner_text())
            assert page.locator(".controls .shown").inner_text() == f"{place + 1} of {len(listed)} on which they differ"
            page.locator("#next").focus()
            page.keyboard.press("Enter")
            settled(page)
        assert seen == listed
        assert page.locator("#next").get_attribute("aria-disabled") == "true"
        page.locator("#next").focus()
        page.keyboard.press("Enter")
        assert page.evaluate("document.activeElement.id") == "next"
        assert found.troubles == []


def test_every_question_has_a_title_of_its_own(browser: Any, mini: Pages) -> None:
    queries = mini.track.part("ja").collection.queries
    with opened(browser, "about:blank") as found:
        for query in queries[:2]:
            open_question(found.page, mini, part="ja", a="bm25", b="mini-xdr", q=query.query_id)
            assert query.query_id in found.page.title()
            assert found.page.locator("h1").inner_text() == f"Japanese question {query.query_id}"
            assert found.page.locator("[role=status].unseen").text_content() == f"Japanese question {query.query_id}"


@pytest.mark.parametrize(
    ("state", "said"),
    [
        ({"part": "ja", "q": "ja-999"}, "no question ja-999 in Japanese"),
        ({"part": "xx"}, "no language xx"),
        ({"part": "ja", "a": "gone"}, "no system gone"),
        (
            {"part": "ja", "a": "gone", "b": "too", "q": "x"},
            "no system gone, and no system too, and no question x in Japanese",
        ),
    ],
)
def test_a_dead_link_says_so(browser: Any, mini: Pages, state: dict[str, str], said: str) -> None:
    with opened(browser, "about:blank") as found:
        open_question(found.page, mini, **state)
        assert said in found.page.locator("#question .notice").inner_text()
        assert found.page.locator(".asked").count() == 0


def test_another_language_begins_with_its_first_question(browser: Any, mini: Pages) -> None:
    with opened(browser, "about:blank") as found:
        open_question(found.page, mini, part="ja", a="bm25", b="mini-xdr", q="ja-010")
        found.page.locator("#part").select_option("te")
        settled(found.page)
        first = mini.track.part("te").collection.queries[0].query_id
        assert found.page.locator(".answers code").inner_text() == first
        assert "q=" not in found.page.url


def test_one_question_loads_its_language_only(browser: Any, mini: Pages) -> None:
    with opened(browser, "about:blank") as found:
        open_question(found.page, mini, part="ko", a="bm25", b="mini-xdr")
        asked = [
            url.rpartition("/data/")[2] for url in found.requests if "/data/scores/" in url or "/data/questions/" in url
        ]
        assert sorted(asked) == ["questions/ko.js", "scores/bm25/ko.js", "scores/mini-xdr/ko.js"]


def test_a_search_finds_answers_and_titles(browser: Any, mini: Pages) -> None:
    collection = mini.track.part("fi").collection
    query = next(query for query in collection.queries if (collection.answers or {}).get(query.query_id))
    answer = (collection.answers or {})[query.query_id][0]
    title = collection.docs.get(min((collection.qrels or {})[query.query_id])).title
    with opened(browser, "about:blank") as found:
        for wanted in (answer, title):
            go(
                found.page,
                mini.own / "compare.html",
                urlencode({"a": "bm25", "b": "mini-xdr", "part": "fi", "find": wanted}),
            )
            assert query.text in found.page.locator("ol.questions bdi").all_text_contents()
