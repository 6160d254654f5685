"""A chosen pair by every test that holds it, as records and on the terminal."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest
from scipy import stats
from score_files import scores_of, track_of

from harness.compare.chosen import chosen_pair
from harness.compare.compare import compare_systems
from harness.compare.estimates import table_of
from harness.compare.pair_report import pair_report
from harness.compare.records import MACRO
from harness.errors import WrongUsage


def test_every_p_is_that_of_its_own_test() -> None:
    rng = random.Random(5)
    sizes = {"fi": 30, "ja": 25}
    values = {
        name: {part: {f"{part}{i}": float(rng.random() < rate) for i in range(n)} for part, n in sizes.items()}
        for name, rate in (("base", 0.4), ("a", 0.7), ("b", 0.8))
    }
    track = track_of(*sizes)
    scores = [scores_of(name, own) for name, own in values.items()]
    comparison = compare_systems(track, scores)
    by_column = {line.column: line for line in pair_report(track, scores, comparison, ("b", "base"))}
    assert list(by_column) == [MACRO, "fi", "ja"]
    for column, line in by_column.items():
        assert (line.system, line.against) == ("b", "base")
        (test,) = [d for d in comparison.differences if (d.system, d.column, d.measure) == ("b", column, "RR")]
        assert line.difference == pytest.approx(test.difference)
        assert line.planned_p == test.p_adjusted
        assert line.interval is not None
        assert test.interval is not None
        assert (line.interval.lower, line.interval.upper) == (test.interval.lower, test.interval.upper)
        pairs = comparison.pairs_on(column, "RR")
        assert pairs is not None
        assert line.all_pairs_p == pairs.p_adjusted("base", "b")
        if column != MACRO:
            assert test.p_error is not None
            assert line.own_p == pytest.approx(stats.binomtest(test.wins, test.wins + test.losses).pvalue)
            assert line.own_floor is None
    (first, *_) = pair_report(track, scores, comparison, ("a", "b"))
    assert first.planned_p is None
    assert first.all_pairs_p is not None
    with pytest.raises(WrongUsage, match="not of a twice"):
        list(pair_report(track, scores, comparison, ("a", "a")))
    with pytest.raises(WrongUsage, match="bass"):
        list(pair_report(track, scores, comparison, ("a", "bass")))


def test_four_wins_and_no_loss_are_no_finding() -> None:
    """The t test has p 0.045; no test by the signs of four differing topics goes below 0.125."""
    base = {part: {f"{part}{i}": 0.0 for i in range(80)} for part in ("fi", "ja")}
    other = {part: {query: float(query in {"fi0", "fi1", "ja0", "ja1"}) for query in own} for part, own in base.items()}
    track = track_of("fi", "ja")
    scores = [scores_of("other", other), scores_of("base", base)]
    for column in ("fi", MACRO):
        first, second = (table_of(track, score, None, column, "RR")[0] for score in scores)
        assert first is not None
        assert second is not None
        assert chosen_pair(first, second, hits=True).p == (0.5 if column == "fi" else 0.125)
    assert (chosen_pair(first, second, hits=False).p or 1) < 0.05


def test_the_command_prints_them_together(tmp_path: Path) -> None:
    import shutil

    from command_line import xdr

    runs = tmp_path / "runs"
    for name in ("bm25", "mini-xdr", "mini-zero-shot"):
        shutil.copytree(Path(__file__).parents[2] / "runs" / "mini" / name, runs / "mini" / name)
    done = xdr("compare", "mini", "--runs", str(runs), "--pair", "mini-xdr", "mini-zero-shot", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    header, macro = done.stdout.splitlines()[1:3]
    assert header.split("  ")[-3:] == ["p alone", "p planned", "p of all pairs"]
    assert macro.split()[:2] == ["macro", "+7.0"]
    assert macro.split()[-2].startswith("0.0")
    as_json = xdr("compare", "mini", "--runs", str(runs), "--pair", "mini-xdr", "bm25", "--json", cwd=tmp_path)
    assert [line["planned_p"] for line in json.loads(as_json.stdout)] == [None] * 8
    wrong = xdr("compare", "mini", "--runs", str(runs), "--pair", "mini-xdr", "nobody", cwd=tmp_path)
    assert wrong.returncode == 2
    assert "nobody" in wrong.stderr
    both = xdr("compare", "mini", "--runs", str(runs), "--pair", "mini-xdr", "bm25", "--test", "t", cwd=tmp_path)
    assert both.returncode == 2
