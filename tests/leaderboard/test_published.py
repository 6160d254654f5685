"""Published results: every one can be what it says, and the audit finds what cannot."""

from __future__ import annotations

import doctest
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.collections.view import load
from harness.errors import InvalidInput, WrongUsage
from harness.leaderboard.published import (
    DENOMINATORS,
    PublishedResult,
    audit,
    load_published,
    read_source,
    source_names,
)
from harness.measures import Judged, parse

LANGUAGES = ("ar", "bn", "fi", "ja", "ko", "ru", "te")
HEAD = 'schema_version = 1\ntitle = "T"\npaper = "P"\nurls = ["https://example.org"]\ndecimals = 1\n'
ROW = '[[results]]\nsystem = "S"\nmeasure = "{measure}"\nsplit = "{split}"\nwhere = "Table 1"\nstatus = "verified"\n'


def values(text: str) -> str:
    return "values = { " + ", ".join(f"{k} = {v}" for k, v in zip(LANGUAGES, text.split(), strict=True)) + " }\n"


def source(folder: Path, rows: str, decimals: int = 1) -> tuple[PublishedResult, ...]:
    path = folder / "source.toml"
    path.write_text(HEAD.replace("decimals = 1", f"decimals = {decimals}") + rows)
    return read_source(path)


def row(cells: str, average: str = "", measure: str = "R@5kt", split: str = "dev") -> str:
    text = ROW.format(measure=measure, split=split) + values(cells)
    return text + (f"average = {average}\n" if average else "")


def test_the_published_results_are_in_order() -> None:
    assert audit(load_published()) == []


def test_the_guide_says_what_is_so() -> None:
    path = Path(__file__).parents[2] / "docs/published-errors.md"
    assert doctest.testfile(str(path), module_relative=False)[0] == 0
    declared = sum(len(result.row.exceptions) for result in load_published())
    assert path.read_text("utf-8").split("## Declared exceptions")[1].count("\n| ") == declared + 1


def test_all_sources_are_there() -> None:
    assert source_names() == ["class", "dr-decr", "primeqa-pictures", "swim-ir", "xor-qa", "xqg"]
    assert len(load_published()) == 61
    assert len(load_published(["xqg"])) == 4
    assert all(
        set(result.row.values) == (set() if result.row.status == "read by eye" else set(LANGUAGES))
        for result in load_published()
    )


def test_what_was_read_from_pictures_is_of_test_questions_and_macro_alone(tmp_path: Path) -> None:
    results = load_published(["primeqa-pictures"])
    assert {(result.row.split, result.row.status, len(result.row.values)) for result in results} == {
        ("test", "read by eye", 0)
    }
    by_system = {(result.row.system, result.row.measure): str(result.row.average) for result in results}
    assert by_system["Quick", "R@2kt"] == "65.6"
    assert by_system["PrimeQA (DrDecr-large with PLAID + Colbert V2)", "R@5kt"] == "74.7"
    assert ("DrDecr", "R@2kt") not in by_system
    alone = ROW.replace('"verified"', '"read by eye"').format(measure="{measure}", split="test")
    assert audit(source(tmp_path, alone.format(measure="R@5kt") + "average = 65.0\n")) == []
    less = alone.format(measure="R@2kt") + "average = 65.1\n" + alone.format(measure="R@5kt") + "average = 65.0\n"
    assert [f.what for f in audit(source(tmp_path, less))] == ["65.1 is more than the 65.0 of R@5kt"]
    with pytest.raises(InvalidInput, match="neither `values` nor an `average`"):
        source(tmp_path, alone.format(measure="R@5kt"))


def test_only_the_known_cells_are_declared() -> None:
    declared = {
        (result.name, result.row.system, result.row.measure, result.row.split, cell)
        for result in load_published()
        for cell in result.row.exceptions
    }
    assert declared == {
        ("class", "CLASS-US", "R@2kt", "dev", "ar"),
        ("class", "CLASS-US", "R@2kt", "dev", "te"),
        ("class", "CLASS-US", "R@5kt", "dev", "ar"),
        ("class", "CLASS-US", "R@5kt", "dev", "fi"),
        ("xor-qa", "Own translation + DPR", "R@5kt", "dev", "ru"),
        ("xor-qa", "Google translation + PathRetriever", "R@2kt", "test", "average"),
        ("xor-qa", "Human translation + BM25", "R@2kt", "test", "average"),
        ("xor-qa", "Human translation + BM25", "R@2kt", "test", "bn"),
    }


def test_test_cells_are_not_auditable() -> None:
    assert {result.auditable for result in load_published() if result.row.split == "test"} == {False}
    assert {result.auditable for result in load_published() if result.row.split == "dev"} == {True}


def test_the_hits_behind_a_table() -> None:
    result = next(result for result in load_published(["xqg"]) if result.row.system == "mBERT")
    assert [result.hits(lang) for lang in result.row.values] == [(127,), (149,), (164,), (90,), (137,), (79,), (115,)]


def test_the_denominators_are_those_of_the_dev_questions(imported_data: Path) -> None:
    assert imported_data.is_dir()
    for lang, count in DENOMINATORS["dev"].items():
        assert len(parse("R@2kt").scored_queries(Judged(load(f"xor-tydi/dev/{lang}")))) == count


def test_permuted_languages_are_found(tmp_path: Path) -> None:
    """The model card of DR.DECR base as it is printed: not one value fits."""
    for cells in ("78.15 70.23 82.24 65.92 67.93 63.07 66.67", "82.77 75.08 86.18 72.93 71.73 69.71 70.88"):
        assert len(audit(source(tmp_path, row(cells), decimals=2))) == 7
    corrected = {
        (result.row.measure, *map(float, result.row.values.values()))
        for result in load_published(["dr-decr"])
        if result.row.status == "derived"
    }
    assert corrected == {
        ("R@2kt", 70.23, 82.24, 65.92, 63.07, 66.67, 67.93, 78.15),
        ("R@5kt", 75.08, 86.18, 72.93, 69.71, 70.88, 71.73, 82.77),
    }


def test_a_row_of_another_measure_is_found_by_its_average(tmp_path: Path) -> None:
    """SWIM-IR's row "mBERT + xQG": cells of R@2kt, average of R@5kt."""
    findings = audit(source(tmp_path, row("42.4 54.9 54.1 33.6 52.3 33.8 52.5", "53.5")))
    assert [str(finding) for finding in findings] == [
        "source, S, R@5kt, dev, average: 53.5 is not the average of the cells; expected 46.23; "
        "compare it with the source; if it is printed so, declare it in `exceptions`"
    ]
    assert not any("xQG" in result.row.system for result in load_published(["swim-ir"]))


def test_an_undeclared_misfit_and_a_needless_declaration_are_found(tmp_path: Path) -> None:
    fitting = "52.4 62.8 61.8 48.1 58.6 38.0 32.4"
    assert audit(source(tmp_path, row(fitting))) == []
    misfit = fitting.replace("38.0", "37.8")
    findings = audit(source(tmp_path, row(misfit)))
    assert [(f.where, f.what, f.expected) for f in findings] == [
        ("source, S, R@5kt, dev, ru", "37.8 is no number of hits among 237", "37.55 or 37.97")
    ]
    declaration = '[results.exceptions]\nru = "as printed"\n'
    assert audit(source(tmp_path, row(misfit) + declaration)) == []
    findings = audit(source(tmp_path, row(fitting) + declaration))
    assert [f.where for f in findings] == ["source, S, R@5kt, dev, ru"]
    assert "declared as an exception" in findings[0].what
    for split in ("dev", "test"):
        findings = audit(source(tmp_path, row(fitting, "50.6", split=split) + '[results.exceptions]\naverage = "no"\n'))
        assert [f.where for f in findings] == [f"source, S, R@5kt, {split}, average"]


def test_less_in_more_tokens_is_found(tmp_path: Path) -> None:
    small, large = row("50.0 " * 7, measure="R@2kt", split="test"), row("50.0 " * 6 + "49.9", split="test")
    findings = audit(source(tmp_path, small + large))
    assert [(f.where, f.what) for f in findings] == [
        ("source, S, R@2kt, test, te", "50.0 is more than the 49.9 of R@5kt")
    ]


def test_a_row_twice_is_found(tmp_path: Path) -> None:
    fitting = row("52.4 62.8 61.8 48.1 58.6 38.0 32.4")
    assert [f.what for f in audit(source(tmp_path, fitting + fitting))] == ["is a duplicate"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("decimals = 1", "decimals = 0"), "more than 0 decimals"),
        (("R@5kt", "R@5k tokens"), "unknown measure"),
        (('"dev"', '"train"'), "split"),
        (("ar = 52.4", "ar = 152.4"), "100"),
        (("ar = 52.4", "de = 52.4"), "de"),
        (("ar = 52.4", 'ar = "x"'), "ar"),
        (("ar = 52.4", "ar = nan"), "finite"),
        (('"verified"', '"guessed"'), "status"),
        (("where", "wher"), "did you mean 'where'"),
        (("urls = [", "urls = 3 # ["), "urls"),
    ],
)
def test_a_file_that_is_not_in_order(tmp_path: Path, change: tuple[str, str], message: str) -> None:
    text = (HEAD + row("52.4 62.8 61.8 48.1 58.6 38.0 32.4")).replace(*change)
    (tmp_path / "source.toml").write_text(text)
    with pytest.raises(InvalidInput, match=message):
        read_source(tmp_path / "source.toml")


def test_exceptions_need_a_cell(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="exceptions for cells without a value: average"):
        source(tmp_path, row("52.4 " * 7) + '[results.exceptions]\naverage = "none is printed"\n')


def test_an_unknown_source() -> None:
    with pytest.raises(WrongUsage, match="no file"):
        load_published(["nobody"])


@given(st.sampled_from(LANGUAGES), st.data(), st.integers(1, 4))
def test_what_was_rounded_is_found_again(lang: str, data: st.DataObject, decimals: int) -> None:
    count = DENOMINATORS["dev"][lang]
    hits = data.draw(st.integers(0, count))
    printed = round(Decimal(100 * hits) / count, decimals)
    base = load_published(["xqg"])[0]
    result = replace(
        base,
        source=base.source.model_copy(update={"decimals": decimals}),
        row=base.row.model_copy(update={"values": {lang: printed}}),
    )
    assert result.hits(lang) == (hits,)  # type: ignore[arg-type]
