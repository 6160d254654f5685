"""Figures of systems that may have been trained on a track's data: marked everywhere, leading nothing, no verdict alone."""

from __future__ import annotations

import csv
import functools
import io
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from boards import board_of, manifest_of, means, toy_board
from pydantic import ValidationError
from score_files import scores_of, track_of
from site_pages import Pages, make_parallel, once, opened, pages_in, settled
from typer.testing import CliRunner

from harness.adapters.card import Card, card_names, load_card
from harness.cli import app
from harness.cli.leaderboard import _best
from harness.compare.records import MACRO
from harness.leaderboard.exports import to_badges
from harness.leaderboard.exports.csv import to_csv
from harness.leaderboard.exports.json import to_json
from harness.leaderboard.exports.latex import to_latex
from harness.leaderboard.exports.markdown import to_markdown
from harness.leaderboard.exports.table import SEEN_MEANS, mark_of, table_of
from harness.leaderboard.seen import seen_by
from harness.leaderboard.table import Leaderboard, Row, best_of, leads
from harness.runs.manifest import Manifest
from harness.tracks import load_track

SEEN = ("toy: by its stage 2 (arXiv 1)",)
ONE_PART = ("toy/ja: its questions (arXiv 2)", "other: never mind")


def board(better: tuple[str, ...] = (), base: tuple[str, ...] = ()) -> Leaderboard:
    return toy_board(cards={"better": {"may_have_seen": better}, "base": {"may_have_seen": base}})


def row(found: Leaderboard, system: str) -> Row:
    return next(one for one in found.rows if one.system == system)


@pytest.mark.parametrize("entry", ["toy", "toy:no blank", ": a source", "two words: a source", "toy:  "])
def test_an_entry_without_a_collection_or_a_source_is_refused(entry: str) -> None:
    with pytest.raises(ValidationError, match="collection: source"):
        Card(schema_version=1, name="a", title="A", adapter="dummy", may_have_seen=(entry,))


def test_an_entry_speaks_of_the_data_sets_below_its_collection() -> None:
    entries = ("xquad: a", "mr-tydi-v1.1/ar: b")
    card = Card(schema_version=1, name="a", title="A", adapter="dummy", may_have_seen=entries)
    assert card.may_have_seen_of("xquad/ar") == ("xquad: a",)
    assert card.may_have_seen_of("xquad") == ("xquad: a",)
    assert card.may_have_seen_of("xquad-oracle/ar") == ()
    assert card.may_have_seen_of("mr-tydi-v1.1/ar/dev") == ("mr-tydi-v1.1/ar: b",)
    assert card.may_have_seen_of("mr-tydi-v1.1/bn/dev") == ()


def test_marked_cells_are_those_of_the_parts_and_of_the_average_over_one_of_them() -> None:
    cells = row(board(ONE_PART), "better").cells["RR"]
    assert [name for name, cell in cells.items() if cell.may_have_seen] == ["ja", MACRO]
    assert [name for name, cell in cells.items() if cell.one_sided] == ["ja", MACRO]
    outside = row(board(("toy/en: b",)), "better").cells["RR"]
    assert [name for name, cell in outside.items() if cell.may_have_seen] == ["en"], "en is no part of the average"


def test_a_row_that_stands_on_others_has_seen_what_they_have() -> None:
    seen, plain, fused, above = (
        manifest_of(scores_of(name, means(fi=0.5))) for name in ("seen", "plain", "fused", "above")
    )
    card = seen.card.model_copy(update={"may_have_seen": SEEN})
    manifests = {
        "seen": seen.model_copy(update={"method": seen.method.model_copy(update={"card": card})}),
        "plain": plain,
        "fused": standing_on(fused, "plain", "seen", "not here"),
        "above": standing_on(above, "fused", "above"),
    }
    found = {name: seen_by(name, manifests) for name in manifests}
    assert found == {"seen": SEEN, "plain": (), "fused": SEEN, "above": SEEN}


def standing_on(manifest: Manifest, *rows: str) -> Manifest:
    data = {name: part.model_copy(update={"rows": dict.fromkeys(rows, "")}) for name, part in manifest.data.items()}
    return manifest.model_copy(update={"data": data})


def test_a_dash_is_not_marked() -> None:
    found = toy_board(cards={"partial": {"may_have_seen": SEEN}})
    assert [name for name, cell in row(found, "partial").cells["RR"].items() if cell.may_have_seen] == ["fi", "en"]


def test_no_mark_rests_on_one_system_alone_that_may_have_seen_the_data() -> None:
    plain = [mark_of(cell) for cell in row(board(), "better").cells["RR"].values()]
    assert set(plain) == {"better", "worse"}
    assert {mark_of(cell) for cell in row(board(SEEN), "better").cells["RR"].values()} == {""}
    assert {mark_of(cell) for cell in row(board(base=SEEN), "better").cells["RR"].values()} == {""}
    both = row(board(SEEN, SEEN), "better").cells["RR"].values()
    assert [mark_of(cell) for cell in both] == plain, "what both may have seen tells them apart as ever"


def test_the_tests_themselves_are_as_they_were() -> None:
    one, two = board(), board(SEEN)
    for column, cell in row(one, "better").cells["RR"].items():
        other = row(two, "better").cells["RR"][column]
        assert other.model_copy(update={"may_have_seen": False, "one_sided": False}) == cell
    assert one.comparison == two.comparison


def test_what_leads_a_column_has_not_seen_it() -> None:
    found = board(SEEN)
    best = best_of(found.rows, "RR")
    leaders = {
        column: [one.system for one in found.rows if leads(one, "RR", column, best)] for column in (MACRO, "fi", "en")
    }
    assert leaders == {MACRO: ["base"], "fi": ["partial"], "en": ["partial"]}
    assert [one.system for one in found.rows] == ["better", "base", "partial"], "the order is that of the values"


def test_the_last_line_of_the_command_names_the_best_that_has_not_seen_the_data() -> None:
    track = track_of("fi", "ja", "en", macro=["fi", "ja"])
    assert _best(board(), track) == "best macro RR: better"
    assert _best(board(SEEN), track) == (
        "highest macro RR: better, whose training may have held the data; best of those of which that is not so: base"
    )
    assert _best(board(SEEN, SEEN), track).endswith("not so: none")


def test_every_export_carries_it() -> None:
    found = board(SEEN)
    _, *lines = csv.reader(io.StringIO(to_csv(found)))
    marked = {(line[1], line[3]) for line in lines if line[-1] == "True"}
    assert marked == {("better", column) for column in (MACRO, "fi", "ja", "en", "micro")}
    assert {line[-1] for line in lines} == {"True", ""}
    content = json.loads(to_json(found))
    assert [one["cells"]["RR"]["fi"]["may_have_seen"] for one in content["rows"]] == [True, False, False]
    assert content["rows"][0]["card"]["may_have_seen"] == list(SEEN)
    markdown = to_markdown(found)
    assert "| 1 | better | 100.0† | 100.0† | 100.0† | 10.0† |" in markdown
    assert f"\n† {SEEN_MEANS}.\n" in markdown
    assert "\n† better: toy: by its stage 2 (arXiv 1).\n" in markdown
    latex = to_latex(found)
    assert r"1 & better & 100.0\rlap{$^{\dagger}$}" in latex
    assert r"$\dagger$ better: toy: by its stage 2 (arXiv 1)." in latex
    assert "may have been trained on the data" in to_badges(found)["better.svg"]
    assert "†" not in to_badges(found)["base.svg"]


def test_a_mark_of_two_that_have_seen_it_stands_beside_the_sign() -> None:
    found = board(SEEN, SEEN)
    assert "100.0†▲" in to_markdown(found)
    assert r"100.0\rlap{$^{\dagger\uparrow}$}" in to_latex(found)


def test_a_table_without_such_rows_says_nothing_of_it() -> None:
    for text in (to_markdown(board()), to_latex(board()), *to_badges(board()).values()):
        assert "†" not in text
        assert "dagger" not in text


def test_other_collections_mark_nothing() -> None:
    found = board(("xquad: a",))
    assert not any(line.seen for line in table_of(found).lines)
    assert not any(cell.may_have_seen for one in found.rows for cell in one.cells["RR"].values())


def test_a_withdrawn_or_missing_baseline_is_no_trouble() -> None:
    track = track_of("fi", "ja")
    scores = [scores_of("base", means(fi=0.1, ja=0.2)), scores_of("one", means(fi=0.5, ja=0.2))]
    found = board_of(track, *scores, cards={"one": {"may_have_seen": SEEN}})
    assert row(found, "one").cells["RR"]["fi"].one_sided


def test_all_cards_of_one_model_say_the_same_of_it() -> None:
    """A fusion or a control with a model has seen what the model has."""
    by_model: dict[str, set[tuple[str, ...]]] = {}
    for name in card_names():
        card = load_card(name).card
        if model := card.parameters.get("model"):
            by_model.setdefault(model, set()).add(card.may_have_seen)
    assert len(by_model) > 3
    assert [model for model, said in by_model.items() if len(said) > 1] == []


def test_every_entry_of_a_shipped_card_speaks_of_a_track_of_this_package() -> None:
    from harness.tracks import track_names

    datasets = [part.dataset for name in track_names() for part in load_track(name).parts]
    for name in card_names():
        card = load_card(name).card
        heard = {entry for dataset in datasets for entry in card.may_have_seen_of(dataset)}
        assert set(card.may_have_seen) == heard, name


# -- Pages


@pytest.fixture(scope="module")
def site(sites: Path) -> Pages:
    """BM25, the best, may have seen the Arabic and the Finnish questions."""
    seen = ("folder(ar):data: a reason (arXiv 1)", "folder(fi):data: another")
    folder = once(sites / "seen", functools.partial(make_parallel, seen=seen))
    return pages_in(folder, load_track(str(folder / "track.toml")))


def test_pages_mark_cells_with_a_word_and_say_why(site: Pages, browser: Any) -> None:
    with opened(browser, site.own / "index.html") as found:
        cells = found.page.locator("#table tr[data-system=bm25] td:not(.rank):not([hidden])")
        texts = cells.all_text_contents()
        assert ["may have been trained" in text for text in texts] == [True, True, True, False]
        assert cells.locator("b").count() == 1, "it leads only where it has not seen the data"
        note = found.page.locator(".seen-note").inner_text()
        assert "a reason (arXiv 1)" in note
        assert "upper bound" in note
        assert found.troubles == []
    for page in ("languages/ar.html", "systems/bm25.html", "standings.html", "against/bm25.html"):
        text = (site.own / page).read_text("utf-8")
        assert "may have been trained on this data" in text, page
        assert "a reason (arXiv 1)" in text, page
    assert "may have been trained" not in (site.own / "systems/two.html").read_text("utf-8")


def test_a_reader_can_leave_them_out(site: Pages, browser: Any) -> None:
    with opened(browser, site.own / "index.html") as found:
        page = found.page
        rows = page.locator("#table tbody tr:not([hidden])")
        assert rows.count() == 4
        page.locator("#seen").select_option("no")
        settled(page)
        assert rows.count() == 3
        assert page.locator("#table tr[data-system=bm25]").is_hidden()
        page.locator("#seen").select_option("maybe")
        settled(page)
        assert rows.count() == 1


def test_a_choice_of_languages_gives_no_mark_on_what_one_alone_may_have_seen(site: Pages, browser: Any) -> None:
    with opened(browser, site.own / "index.html") as found:
        page, cell = found.page, "#table tr[data-system=bm25] td.macro"
        page.locator("#language-ja").uncheck()
        settled(page)
        assert page.locator(f"{cell} .seen").count() == 1
        assert page.locator(f"{cell} .open-up").count() == 0
        page.locator("#language-ja").check()
        for language in ("ar", "fi"):
            page.locator(f"#language-{language}").uncheck()
        settled(page)
        assert page.locator(f"{cell} .seen").count() == 0
        assert page.locator(f"{cell} .open-up").count() == 1, "Japanese it has not seen"


def test_head_to_head_gives_no_verdict(site: Pages, browser: Any) -> None:
    with opened(browser, site.own / "compare.html") as found:
        page = found.page
        page.locator("#first").select_option("bm25")
        page.locator("#second").select_option("one")
        settled(page)
        assert page.locator(".verdict").inner_text().startswith("No verdict: the training of BM25")
        page.locator("#first").select_option("two")
        settled(page)
        assert "No verdict" not in page.locator(".verdict").inner_text()


@pytest.mark.parametrize(("pair", "said"), [(("two", "bm25"), True), (("two", "one"), False)])
def test_the_command_says_that_there_is_no_verdict_on_such_a_pair(
    site: Pages, tmp_path: Path, pair: tuple[str, str], said: bool
) -> None:
    runs = tmp_path / "runs"
    shutil.copytree(site.runs, runs)
    track = str(site.folder.parent / "track.toml")
    done = CliRunner().invoke(app, ["compare", track, "--runs", str(runs), "--pair", *pair])
    assert done.exit_code == 0, done.output
    told = "no verdict on ar, fi, macro: the training of bm25 may have held this data, that of the other not"
    assert (told in done.stderr) == said
