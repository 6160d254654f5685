"""The front page: a verdict for every language, settings of a site, what is said of snapshots."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from lxml import html
from recorded import copy_recorded_runs
from site_pages import Pages

from harness.errors import InvalidInput
from harness.languages import language
from harness.leaderboard.site.front import by_language, cards, in_order
from harness.leaderboard.site.settings import FILE_NAME, Settings, read_settings
from harness.leaderboard.site.since import frozen
from harness.leaderboard.snapshots import freeze
from harness.leaderboard.table import Leaderboard
from harness.leaderboard.verdict import headline, verdict_on
from harness.numbers import percent


def front(pages: Pages) -> html.HtmlElement:
    return html.fromstring((pages.folder / "index.html").read_text("utf-8"))


@pytest.mark.parametrize("site", ["mini", "hostile", "parallel"])
def test_every_language_has_its_verdict(site: str, request: pytest.FixtureRequest) -> None:
    pages: Pages = request.getfixturevalue(site)
    page = front(pages)
    groups = page.cssselect("table.front tbody")
    columns = sorted(pages.board.columns, key=lambda column: language(column.lang).name)
    assert [group.get("id") for group in groups] == [f"lang-{column.lang}" for column in columns]
    chips = [chip.get("href") for chip in page.cssselect(".chips a")]
    assert chips == [f"#lang-{column.lang}" for column in columns]
    for group, column in zip(groups, columns, strict=True):
        found = verdict_on(pages.board, column.part)
        assert found.first is not None
        (said,) = group.cssselect("td.say")
        text = " ".join(said.text_content().split())
        value = percent(found.first.cells[pages.track.primary][column.part].value)
        assert text == " ".join(f"{found.first.title} {value} {found.in_words}".split())
        (link,) = group.cssselect("td.of a")
        assert (pages.folder / str(link.get("href"))).is_file()
        assert len(group.cssselect("svg.strip .best")) == 1


def test_tracks_are_told_in_a_sentence(mini: Pages) -> None:
    (card,) = cards([mini.board])
    assert card.headline == headline(mini.board)
    assert card.measure == "an answer within the first 500 tokens of what was found"
    shown = front(mini).cssselect("ul.cards > li")
    assert shown[0].cssselect(".verdict")[0].text_content() == card.headline + "."
    assert shown[0].cssselect(".badge")[0].text_content() == "demonstration"


def as_track(board: Leaderboard, name: str, purpose: str) -> Leaderboard:
    return board.model_copy(update={"track": board.track.model_copy(update={"name": name, "purpose": purpose})})


def test_benchmarks_come_before_experiments_and_demonstrations(mini: Pages) -> None:
    purposes = {"a": "demonstration", "b": "experiment", "c": "benchmark", "d": "benchmark", "e": "development"}
    boards = [as_track(mini.board, name, purpose) for name, purpose in purposes.items()]
    assert [board.track.name for board in in_order(boards)] == ["c", "d", "b", "a", "e"]
    for row in by_language(boards):
        assert [line.board.track.name for line in row.lines] == ["c", "d", "b", "a", "e"]


def test_a_strip_has_every_system_once_or_where_others_stand(mini: Pages) -> None:
    for row in by_language([mini.board]):
        (line,) = row.lines
        values = [r.cells[mini.track.primary][line.column.part].value for r in mini.board.rows]
        places = {round(100 * value) for value in values if value is not None}
        assert line.strip.first is not None
        assert places == {round(line.strip.first), *line.strip.tied, *line.strip.seen, *line.strip.lower}


def test_settings_that_are_missing_are_the_usual_ones(tmp_path: Path) -> None:
    assert read_settings(tmp_path) == Settings()


@pytest.mark.parametrize(
    "line",
    [
        'repository = "javascript:alert(1)"',
        'repository = "https://"',
        'address = "ftp://host/"',
        'address = "https://host/\\"onload=x"',
        'contact = "nobody"',
        'contact = "mailto:a b@c"',
        'name = ""',
        "name = 3",
        'nmae = "x"',
        "name =",
    ],
)
def test_settings_that_no_site_can_have_are_refused(line: str, tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).write_text(line)
    with pytest.raises(InvalidInput, match=re.escape(FILE_NAME)):
        read_settings(tmp_path)


def test_settings_stand_on_every_page(mini: Pages, tmp_path: Path) -> None:
    from harness.leaderboard.site.evidence import Site, pools_of
    from harness.leaderboard.site.render import write_pages
    from harness.runs.track_runs import TrackRuns

    copy_recorded_runs(tmp_path)
    (tmp_path / "runs" / FILE_NAME).write_text(
        'name = "Ours & theirs"\nrepository = "https://code.example/x"\naddress = "https://board.example/here/"\n'
        'contact = "mailto:people@board.example"\n'
    )
    runs = TrackRuns(mini.track, tmp_path / "runs")
    folder = tmp_path / "reports"
    write_pages(Site(mini.board, mini.scores, runs, folder / "mini"), pools_of(mini.track))
    for name in ("index.html", "about.html", "mini/index.html", "mini/systems/bm25.html"):
        page = html.fromstring((folder / name).read_text("utf-8"))
        assert page.cssselect("header .name")[0].text_content() == "Ours & theirs"
        assert page.cssselect("link[rel=canonical]")[0].get("href") == f"https://board.example/here/{name}"
        assert "https://code.example/x" in [link.get("href") for link in page.cssselect("header .end a")]
    about = html.fromstring((folder / "about.html").read_text("utf-8"))
    assert about.cssselect("#submit a")[-1].text_content() == "people@board.example"


def test_pages_without_an_address_claim_none(mini: Pages) -> None:
    page = front(mini)
    assert page.cssselect("link[rel=canonical]") == []
    assert page.cssselect('meta[property="og:image"]') == []
    assert page.cssselect('meta[name="description"]')[0].get("content")


def test_what_changed_since_a_snapshot(mini: Pages, tmp_path: Path) -> None:
    from harness.compare.records import read_comparison
    from harness.runs.track_runs import TrackRuns

    copy_recorded_runs(tmp_path)
    runs = TrackRuns(mini.track, tmp_path / "runs")
    comparison = read_comparison(mini.runs / "mini" / "comparison.json")
    keys = {score.system: str(score.context["key"]) for score in mini.scores}
    assert freeze(runs, "2026-11", mini.board, comparison, keys)
    (same,) = frozen(tmp_path / "runs", mini.board)
    assert (same.name, same.since) == ("2026-11", "the same rows and averages as today")
    fewer = mini.board.model_copy(update={"rows": mini.board.rows[1:]})
    (found,) = frozen(tmp_path / "runs", fewer)
    assert found.since == "since then 1 row gone"
