"""The paper's claims as data: what they say of their sources, what is ours, and the page that is written from them."""

from __future__ import annotations

import re
from decimal import Decimal
from pathlib import Path

import pytest

from harness.errors import InvalidInput
from harness.files.toml_records import checked
from harness.leaderboard.claims import Claims, as_markdown, load_claims, ours_in_words
from harness.leaderboard.published import load_published
from harness.leaderboard.table import read_leaderboard

ROOT = Path(__file__).parents[2]


def test_verified_values_are_those_of_the_published_rows() -> None:
    by_row = {(r.row.system, r.row.measure): r.row for r in load_published(["xqg"])}
    claims = {claim.id: claim for claim in load_claims().claims}
    for measure, name in (("R@2kt", "2kt"), ("R@5kt", "5kt")):
        without, fused = by_row["mBERT", measure], by_row["mBERT + xQG", measure]
        assert claims[f"mbert-{name}"].published == f"{without.average:.2f}"
        assert claims[f"mbert-xqg-{name}"].published == f"{without.average:.2f} -> {fused.average:.2f}"
        found = dict(re.findall(r"([a-z]{2}) ([+-][0-9.]+)", claims[f"exceptions-{name}"].published))
        assert {lang: Decimal(value) for lang, value in found.items()} == {
            lang: fused.values[lang] - value for lang, value in without.values.items()
        }


def test_secondary_values_stand_in_no_table_of_published_results() -> None:
    averages = {f"{result.row.average:.1f}" for result in load_published() if result.name == "xqg"}
    secondary = [claim for claim in load_claims().claims if claim.status == "secondary"]
    assert {claim.id for claim in secondary} == {"xlmr", "zero-shot", "significance", "number-of-queries"}
    for claim in secondary:
        assert not set(re.findall(r"[0-9]+[.][0-9]+", claim.published)) & averages
    assert as_markdown(load_claims(), ROOT / "runs").count("secondary, not verified") == len(secondary)


def test_ours_are_the_cells_of_the_recorded_leaderboard(tmp_path: Path) -> None:
    claims = {claim.id: claim for claim in load_claims().claims}
    rows = {row.system: row for row in read_leaderboard(ROOT / "runs/mini").rows}
    values = [rows[name].cells["R@500t"]["macro"].value for name in ("mini-xdr", "mini-xdr-xqg")]
    said = ours_in_words(claims["mbert-xqg-2kt"], ROOT / "runs")
    assert said.startswith(" -> ".join(f"{100 * (value or 0):.1f}" for value in values))
    assert (
        ours_in_words(claims["exceptions-2kt"], ROOT / "runs").count(" +")
        + ours_in_words(claims["exceptions-2kt"], ROOT / "runs").count(" -")
        >= 7
    )
    assert ours_in_words(claims["mbert-xqg-2kt"], tmp_path) == "–"
    assert ours_in_words(claims["fusion"], ROOT / "runs") == "–"


def test_a_damaged_table_is_no_dash(tmp_path: Path) -> None:
    claims = {claim.id: claim for claim in load_claims().claims}
    (tmp_path / "mini").mkdir()
    (tmp_path / "mini/leaderboard.json").write_text("{")
    with pytest.raises(InvalidInput, match="is not a leaderboard; `xdr leaderboard` makes it"):
        ours_in_words(claims["mbert-xqg-2kt"], tmp_path)


def test_the_page_is_written_from_the_claims() -> None:
    page = (ROOT / "docs/paper-claims.md").read_text("utf-8")
    table = page.split("<!-- written by benchmarks/paper_claims.py -->\n")[1].split("<!-- end -->")[0]
    assert table == as_markdown(load_claims(), ROOT / "runs"), "write it anew: python benchmarks/paper_claims.py"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"status": "secondary"}, "checked"),
        ({"checked": ""}, "checked"),
        ({"status": "rumour"}, "status"),
        ({"ours": {"track": "mini"}}, "measure"),
    ],
)
def test_a_claim_that_is_not_in_order(change: dict[str, object], said: str) -> None:
    claim = load_claims().claims[0].model_dump(mode="json", by_alias=True, exclude_none=True)
    with pytest.raises(InvalidInput, match=said):
        checked(Claims, {"schema_version": 1, "paper": "P", "claims": [{**claim, **change}]}, "claims")
    with pytest.raises(InvalidInput, match="two claims are called mbert-2kt"):
        checked(Claims, {"schema_version": 1, "paper": "P", "claims": [claim, claim]}, "claims")
