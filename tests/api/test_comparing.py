"""Comparing from Python: the line of ``xdr compare --pair``, and references of other libraries."""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
from own_measure import Found
from scipy import stats
from small_track import Terminal

import xdr_bench as xdr

ROOT = Path(__file__).parents[2]
LANGUAGES = ("ar", "bn", "fi", "ja", "ko", "ru", "te")


def scored(system: str, measures: str | list[str], languages: tuple[str, ...] = LANGUAGES) -> list[xdr.Scores]:
    return [xdr.score(ROOT / f"runs/mini/{system}/{lang}.trec.gz", f"xdr-mini/{lang}", measures) for lang in languages]


@pytest.fixture
def xdr_command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Terminal:
    """In a folder with the recorded runs of two systems, one of them the baseline."""
    for name in ("mini-xdr", "mini-zero-shot"):
        shutil.copytree(ROOT / "runs/mini" / name, tmp_path / "runs/mini" / name)
    monkeypatch.chdir(tmp_path)
    return Terminal(monkeypatch, capsys)


def test_languages_and_macro_average_are_those_of_the_command_line(xdr_command: Terminal) -> None:
    ended = xdr_command("compare", "mini", "--pair", "mini-xdr", "mini-zero-shot", "--json")
    assert ended.status == 0, ended.err
    expected = {line["column"]: line for line in json.loads(ended.out)}
    one, two = scored("mini-xdr", "R@500t"), scored("mini-zero-shot", "R@500t")
    found = xdr.compare(one, two, unit="relevant passage")
    assert sorted(found.by_part) == sorted(LANGUAGES)
    for column, line in expected.items():
        own = found if column == "macro" else found.by_part[column]
        assert own.interval is not None
        assert (own.difference, own.p, own.floor) == (line["difference"], line["own_p"], line["own_floor"])
        assert list(own.interval) == [line["interval"]["lower"], line["interval"]["upper"]]


def test_what_could_have_been_found_is_found_in_four_of_five_cases() -> None:
    one, two = (scored(name, "R@500t", ("fi", "te")) for name in ("mini-xdr", "mini-zero-shot"))
    found = xdr.compare(one, two, unit="relevant passage")
    smallest, strict = found.detectable(), found.detectable(0.05 / 20)
    assert 0 < smallest < strict
    assert smallest == found.detectable()
    # Two normal quantiles of the spread under random signs, for level and power.
    shares = np.array(list(found._shares.values()))
    assert shares.sum() == pytest.approx(found.difference)
    spread = np.sqrt((shares**2).sum())
    assert smallest == pytest.approx((stats.norm.ppf(0.975) + stats.norm.ppf(0.8)) * spread, rel=0.1)
    # Experiments of the same units, whose mean is moved by what could be found: by scipy's own test of signs.
    generator = np.random.default_rng(5)
    noise = shares - shares.mean()
    hits = [
        stats.permutation_test(
            (generator.choice(noise, len(noise)) + smallest / len(noise),),
            np.sum, permutation_type="samples", n_resamples=400, rng=generator,
        ).pvalue <= 0.05
        for _ in range(200)
    ]  # fmt: skip
    assert 0.7 < np.mean(hits) < 0.95


def test_one_language_of_independent_topics_has_mcnemars_exact_p_and_cohens_d() -> None:
    one, two = (scored(name, "Success@1", ("fi",))[0] for name in ("mini-xdr", "bm25"))
    found = xdr.compare(one, two)
    deltas = np.array(
        [one.per_query["Success@1"][q] - two.per_query["Success@1"][q] for q in one.per_query["Success@1"]]
    )
    wins, losses = int((deltas > 0).sum()), int((deltas < 0).sum())
    assert (found.wins, found.ties, found.losses) == (wins, len(deltas) - wins - losses, losses)
    assert found.difference == pytest.approx(deltas.mean())
    assert found.p == pytest.approx(stats.binomtest(wins, wins + losses).pvalue)
    assert found.effect == pytest.approx(deltas.mean() / deltas.std(ddof=1))
    assert found.interval is not None
    assert found.interval[0] < found.difference < found.interval[1]
    assert (found.units, found.unit, found.floor) == (80, "topic", None)


def test_graded_measures_have_the_p_of_a_permutation_test() -> None:
    one, two = (scored(name, "nDCG@10", ("fi",))[0] for name in ("mini-xdr", "bm25"))
    found = xdr.compare(one, two, resamples=20_000)
    pairs = [np.array(list(scores.per_query["nDCG@10"].values())) for scores in (one, two)]
    reference = stats.permutation_test(
        pairs, lambda x, y, axis: np.mean(x - y, axis=axis), permutation_type="samples", n_resamples=20_000, rng=1
    )
    error = np.sqrt(reference.pvalue * (1 - reference.pvalue) / 20_000)
    assert found.floor == 1 / 20_001
    assert abs(found.p - reference.pvalue) < 5 * error + 1e-4


def test_the_other_way_round_all_signs_change() -> None:
    one, two = (scored(name, ["RR@10"], ("ja",))[0] for name in ("mini-xdr", "bm25"))
    there, back = xdr.compare(one, two), xdr.compare(two, one)
    assert back.difference == -there.difference
    assert back.p == there.p
    assert (back.wins, back.losses) == (there.losses, there.wins)
    assert there.effect is not None
    assert back.effect == pytest.approx(-there.effect)


def test_runs_at_hand_are_compared_on_a_collection_at_hand() -> None:
    collection = xdr.make_collection(
        {"a": "x", "b": "y"}, {f"q{n}": "?" for n in range(8)}, {f"q{n}": {"a": 1} for n in range(8)}
    )
    good = xdr.score({f"q{n}": ["a"] for n in range(8)}, collection, "RR").named("good")
    bad = xdr.score({f"q{n}": ["b"] for n in range(8)}, collection, "RR").named("bad")
    found = xdr.compare(good, bad)
    assert (found.difference, found.p, found.effect) == (1.0, 2 / 2**8, None)
    assert str(found).startswith("good less bad, RR in %: +100.0 (95% ")
    assert repr(found) == f"<{found}>"
    assert xdr.compare(good, good).p == 1.0
    [few] = found.warnings[:1] if "8 units" in found.warnings[0] else found.warnings[1:2]
    assert "8 units" in few
    assert json.dumps(asdict(found))


def test_versions_of_one_topic_are_one_unit() -> None:
    def part(lang: str) -> xdr.Collection:
        queries = [xdr.Query(f"{lang}-{n}", "?", lang, str(n)) for n in range(6)]
        return xdr.make_collection({"a": "x", "b": "y"}, queries, {query.query_id: {"a": 1} for query in queries})

    parts = {lang: part(lang) for lang in ("fi", "ja")}
    good = {lang: xdr.score({q.query_id: ["a"] for q in own.queries}, own, "RR") for lang, own in parts.items()}
    bad = {lang: xdr.score({q.query_id: ["b"] for q in own.queries}, own, "RR") for lang, own in parts.items()}
    found = xdr.compare(good, bad)
    assert (found.units, found.p) == (6, 2 / 2**6)
    assert xdr.compare(list(good.values()), list(bad.values())).p == found.p
    assert found.by_part["ja"].p == 2 / 2**6


def test_what_cannot_be_compared_is_said() -> None:
    [fi] = scored("bm25", ["RR@10", "Success@1"], ("fi",))
    [ja] = scored("bm25", ["RR@10"], ("ja",))
    with pytest.raises(xdr.WrongUsage, match=r"say which measure is compared: RR@10, Success@1"):
        xdr.compare(fi, fi)
    with pytest.raises(xdr.WrongUsage, match="did you mean 'RR@10'"):
        xdr.compare(fi, fi, "RR@1")
    with pytest.raises(xdr.WrongUsage, match="the first is scored on fi, the second on ja"):
        xdr.compare(fi, ja, "RR@10")
    with pytest.raises(xdr.WrongUsage, match="unit"):
        xdr.compare(fi, fi, "RR@10", unit="query")  # type: ignore[arg-type]
    with pytest.raises(xdr.WrongUsage, match="empty"):
        xdr.compare([], [], "RR@10")
    mini = xdr.load_collection("xdr-mini/fi")
    other = xdr.score({"fi-002": ["rivers-3"]}, mini, "RR@10", qrels={"fi-002": {"rivers-3": 1}})
    with pytest.raises(xdr.InvalidInput, match="other qrels than those of xdr-mini/fi"):
        xdr.compare(fi, other, "RR@10")


def test_scores_by_a_measure_of_ones_own_are_compared() -> None:
    collection = xdr.make_collection({"a": "x", "b": "y"}, {f"q{n}": "?" for n in range(6)})
    two, one = (xdr.score({f"q{n}": docs for n in range(6)}, collection, [Found()]) for docs in (["a", "b"], ["a"]))
    assert xdr.compare(two, one).difference == pytest.approx(0.1)
