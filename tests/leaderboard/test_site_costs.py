"""What a system costs, on its page: sums of its manifest and of those of the rows that it stands on."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from lxml import html
from safetensors import safe_open
from site_pages import Pages

from harness.adapters.card import load_card
from harness.compare.records import MACRO
from harness.leaderboard.site.costs import charts_of, costs_of
from harness.leaderboard.site.evidence import Site
from harness.numbers import duration, percent, size
from harness.runs.track_runs import TrackRuns

MODELS = Path(__file__).parents[2] / "systems" / "models"


@pytest.fixture(scope="module")
def site(mini: Pages) -> Site:
    return Site(mini.board, mini.scores, TrackRuns(mini.track, mini.runs), mini.own)


def test_a_row_costs_what_its_manifest_and_those_below_say(site: Site) -> None:
    queries = sum(len(part.collection.queries) for part in site.track.parts)
    passages = len(site.track.parts[0].collection.docs)
    costs = {row.system: cost for row, cost in costs_of(site)}
    assert set(costs) == {row.system for row in site.board.rows if row.withdrawn is None}
    for system, cost in costs.items():
        names = {system, *site.runs.run(system).manifest.rows}
        stages = [stage for name in names for stage in site.runs.run(name).manifest.execution.stages]
        assert cost.seconds == pytest.approx(sum(stage.seconds for stage in stages))
        total = sum(stage.bytes or 0 for stage in stages)
        assert (cost.bytes or 0) == pytest.approx(total)
        assert (cost.passage or 0) * passages == pytest.approx(total)
        asking = [stage.seconds for stage in stages if stage.name in ("encode queries", "search", "fuse", "rerank")]
        assert (cost.question or 0) * queries <= sum(asking) + 1e-9
    assert costs["mini-xdr-bm25"].seconds > costs["mini-xdr"].seconds  # type: ignore[operator]


def test_the_page_says_every_cost_in_its_table(mini: Pages, site: Site) -> None:
    page = html.fromstring((mini.own / "cost.html").read_text("utf-8"))
    rows = page.cssselect("table.costs tbody tr")
    for line, (row, cost) in zip(rows, costs_of(site), strict=True):
        shown = [cell.text_content() for cell in line]
        assert shown[0] == row.title
        assert shown[1] == percent(row.cells["R@500t"][MACRO].value)
        assert shown[4] == str(row.card.dimensions or "–")
        assert shown[5] == (duration(cost.seconds) if cost.seconds else "–")
        assert shown[7] == (size(cost.bytes) if cost.bytes else "–")
    by_title = {line[0].text_content(): line[3].text_content() for line in rows}
    assert (by_title["mini xDR"], by_title["multilingual-e5-small, 4-bit weights"]) == ("5.1 M", "117.5 M")
    assert by_title["BM25"] == "–"


@pytest.mark.parametrize("name", ["mini-zero-shot", "mini-xdr", "mini-distilled"])
def test_cards_of_the_models_of_this_package_say_how_large_they_are(name: str) -> None:
    card = load_card(name).card
    with safe_open(MODELS / name / "model.safetensors", "np") as file:
        shapes = [file.get_slice(key).get_shape() for key in file.keys()]  # noqa: SIM118
    assert sum(math.prod(shape) for shape in shapes) == card.weights
    assert {shape[-1] for shape in shapes} == {card.dimensions}


def test_charts_name_the_systems_that_nothing_beats(site: Site) -> None:
    costs = costs_of(site)
    for name, charts in charts_of(site, costs).items():
        known = [(getattr(cost, name), row.cells["R@500t"][MACRO].value) for row, cost in costs if getattr(cost, name)]
        for chart in charts:
            assert len(chart.dots) == len(known)
            for dot, (cost, value) in zip(chart.dots, known, strict=True):
                beaten = any((c <= cost and v > value) or (c < cost and v >= value) for c, v in known)
                assert dot.is_best == (not beaten)
                assert bool(dot.text) or not dot.is_best
