"""What a system costs, on its page: sums of its manifest and of those of the rows that it stands on."""

from __future__ import annotations

import math
import sys
from pathlib import Path

import pytest
from lxml import html
from safetensors import safe_open
from site_pages import Pages

from harness.adapters.card import load_card
from harness.adapters.contract import SERVED
from harness.compare.records import MACRO
from harness.errors import InvalidInput
from harness.leaderboard.site import costs, render
from harness.leaderboard.site.costs import charts_of, costs_of
from harness.leaderboard.site.environment import interval
from harness.leaderboard.site.evidence import Site
from harness.leaderboard.site.settings import FILE_NAME, Settings, read_settings
from harness.numbers import duration, percent, size
from harness.runs.provenance import Execution, Stage
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


def said_in(line: html.HtmlElement) -> tuple[list[str], list[str]]:
    """What each cell of a row says, and what stands below that in small letters."""
    below = ["".join(part.text_content() for part in cell.cssselect("small")) for cell in line]
    return [cell.text_content().removesuffix(own).strip() for cell, own in zip(line, below, strict=True)], below


def test_the_page_says_every_cost_in_its_table(mini: Pages, site: Site) -> None:
    page = html.fromstring((mini.own / "cost.html").read_text("utf-8"))
    rows = page.cssselect("table.costs tbody tr")
    for line, (row, cost) in zip(rows, costs_of(site), strict=True):
        shown, below = said_in(line)
        cell = row.cells["R@500t"][MACRO]
        assert (shown[:2], below[1]) == ([row.title, percent(cell.value)], interval(cell.interval))
        assert below[0] == f"{row.provenance.execution.device}, {row.provenance.hardware.cpu.model}"
        assert below[2] == str(row.card.dimensions or "–")
        assert shown[3] == (duration(cost.seconds) if cost.seconds else "–")
        assert shown[5] == (size(cost.bytes) if cost.bytes else "–")
    by_title = {said_in(line)[0][0]: said_in(line)[0][2] for line in rows}
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


def _stage(name: str, seconds: float, **facts: object) -> Stage:
    return Stage.model_validate({"name": name, "seconds": seconds, "facts": facts})


def _execution(*stages: Stage) -> Execution:
    return Execution(device="cpu", isolation="none", stages=stages)


def test_a_million_passages_cost_their_seconds_at_the_operators_price() -> None:
    encoding = _stage("encode passages", 36, **{"passages encoded": 1000})
    cost = costs._cost([_execution(encoding, _stage("search", 5))], 10, 1000)
    assert cost.encoding == pytest.approx(36_000)
    assert costs.euros(cost, 0.2) == pytest.approx(2.0)
    assert costs.euros(cost, None) is None
    twice = costs._cost([_execution(encoding), _execution(encoding)], 10, 1000)
    assert costs.euros(twice, 0.2) == pytest.approx(4.0)


def test_a_question_costs_what_encoding_it_once_and_searching_for_it_takes() -> None:
    def costing(encoded: object) -> float | None:
        facts = {} if encoded is None else {"questions encoded": encoded}
        stages = _stage("encode queries", 8, **facts), _stage("encode queries", 2, **facts), _stage("search", 5)
        return costs._cost([_execution(*stages)], 10, 1000).question

    assert costing(2) == pytest.approx(10 / 4 + 5 / 10), "parts that share their questions encode each once"
    assert costing(None) == pytest.approx(15 / 10), "as manifests had it before"
    assert costing(0) is None, "a killed run had left them all"
    row_above = costs._cost([_execution(_stage("fuse", 1)), _execution(_stage("search", 5))], 10, 1000)
    assert row_above.question == pytest.approx(5 / 10)


@pytest.mark.parametrize("encoded", [0, None, "many", True, -1, costs.FEWEST - 1])
def test_what_encoding_costs_is_not_known_of_vectors_that_were_there_already(encoded: object) -> None:
    cost = costs._cost([_execution(_stage("encode passages", 0.1, **{"passages encoded": encoded}))], 10, 1000)
    assert cost.encoding is None
    assert costs._cost([_execution(_stage("encode passages", 0.1))], 10, 1000).encoding is None


@pytest.mark.parametrize("elsewhere", [{"engine": "ray"}, {"facts": {SERVED: "org/name"}}])
def test_what_encoding_costs_is_not_known_where_other_machines_computed(elsewhere: dict[str, object]) -> None:
    stage = _stage("encode passages", 36, **{"passages encoded": costs.FEWEST})
    here = _execution(stage)
    assert costs._cost([here], 10, 1000).encoding == pytest.approx(36 / costs.FEWEST * 1e6)
    assert costs._cost([here, here.model_copy(update=elsewhere)], 10, 1000).encoding is None


def test_joules_are_those_of_all_stages_or_none() -> None:
    known, unknown = _stage("encode passages", 1, joules=12.5), _stage("search", 1)
    assert costs._cost([_execution(known, known)], 1, 1).joules == 25
    assert costs._cost([_execution(known, unknown)], 1, 1).joules is None
    assert costs._cost([_execution()], 1, 1).joules is None


def test_the_page_shows_energy_and_euros_where_they_are_known(
    mini: Pages, site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = [(row, cost._replace(joules=7200.0, encoding=36_000.0)) for row, cost in costs_of(site)]
    row, cost = told[1]
    told[1] = (row, cost._replace(joules=None, encoding=None))
    module = sys.modules[render.__module__]  # the package has a function of its name
    monkeypatch.setattr(module, "costs_of", lambda of: told)
    read: list[Path] = []
    monkeypatch.setattr(module, "read_settings", lambda root: (read.append(root), Settings(euros_per_hour=0.2))[1])
    made = Site(site.board, site.scores, site.runs, tmp_path / site.track.name)
    module.write_pages(made, module.pools_of(site.track))
    assert len(read) == 1
    pages = [html.fromstring((folder / "cost.html").read_text("utf-8")) for folder in (made.folder, mini.own)]
    heads = [[cell.text_content() for cell in page.cssselect("table.costs thead th")] for page in pages]
    assert [name for name in heads[0] if name not in heads[1]] == ["Energy", "Euros per million passages"]
    cells = [[cell.text_content() for cell in line] for line in pages[0].cssselect("table.costs tbody tr")]
    assert [line[7:9] for line in cells[:2]] == [["7.2 kJ", "2.00"], ["–", "–"]]
    assert {len(line) for line in cells} == {len(heads[0])}
    assert "0.20 euros an hour" in pages[0].text_content()
    assert "euros" not in pages[1].text_content().lower()


@pytest.mark.parametrize("value", ["0", "-1", "1e9", '"much"'])
def test_a_price_that_is_none_is_refused(tmp_path: Path, value: str) -> None:
    (tmp_path / FILE_NAME).write_text(f"euros_per_hour = {value}\n")
    with pytest.raises(InvalidInput, match="euros_per_hour"):
        read_settings(tmp_path)
