"""Every p-value against exact enumeration and against a second implementation; corrections, families, refusals."""

from __future__ import annotations

import random
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import replace
from fractions import Fraction

import pytest
import statistics_reference as reference
from score_files import random_hits, scores_of, track_of

from harness.compare.compare import compare_systems
from harness.compare.monte_carlo import most_times
from harness.compare.records import MACRO, Comparison, Difference
from harness.errors import InvalidInput
from harness.runs.score_file import ScoreFile

Values = Mapping[str, Mapping[str, float]]


def names(count: int) -> list[str]:
    return [f"t{i}" for i in range(count)]


def found(comparison: Comparison, system: str, column: str, measure: str = "RR") -> Difference:
    (test,) = [d for d in comparison.differences if (d.system, d.column, d.measure) == (system, column, measure)]
    return test


def macro_shares(base: Values, other: Values, parts: Sequence[str], units: Mapping[str, str]) -> dict[str, Fraction]:
    shares: dict[str, Fraction] = {}
    for part in parts:
        for query_id, value in other[part].items():
            unit = units.get(query_id, query_id)
            delta = Fraction(value) - Fraction(base[part][query_id])
            shares[unit] = shares.get(unit, Fraction()) + delta / len(base[part]) / len(parts)
    return shares


def test_the_macro_statistic_is_the_mean_over_parts_of_the_mean_difference() -> None:
    rng = random.Random(7)
    sizes = {"fi": 11, "ja": 5, "te": 3}
    base, other = random_hits(rng, sizes), random_hits(rng, sizes, 0.8)
    comparison = compare_systems(track_of(*sizes), [scores_of("base", base), scores_of("other", other)])
    shares = macro_shares(base, other, list(sizes), {})
    test = found(comparison, "other", MACRO)
    assert test.difference == pytest.approx(float(sum(shares.values())), abs=1e-12)
    assert test.p == reference.resampled_p(shares, 2000, 7)
    for part in sizes:
        single = found(comparison, "other", part)
        own = macro_shares(base, other, [part], {})
        assert single.difference == pytest.approx(float(sum(own.values())), abs=1e-12)
        assert single.p == reference.resampled_p(own, 2000, 7)
        deltas = [other[part][q] - base[part][q] for q in base[part]]
        assert (single.wins, single.ties, single.losses) == (deltas.count(1), deltas.count(0), deltas.count(-1))
    assert test.wins + test.ties + test.losses == 19
    assert test.wins == sum(found(comparison, "other", part).wins for part in sizes)


def test_the_languages_of_one_topic_are_flipped_together() -> None:
    """Six topics, better by one in two languages each: 2 of 2^6 assignments, not 2 of 2^12, reach the difference."""
    topics = names(6)
    base = {part: dict.fromkeys(topics, 0.0) for part in ("fi", "ja")}
    other = {part: dict.fromkeys(topics, 1.0) for part in ("fi", "ja")}
    track = track_of("fi", "ja", families={"resamples": 50_000, "seed": 1})
    test = found(compare_systems(track, [scores_of("base", base), scores_of("other", other)]), "other", MACRO)
    together = reference.exact_p([Fraction(1, 6)] * 6)
    apart = reference.exact_p([Fraction(1, 12)] * 12)
    assert (together, apart) == (2 / 64, 2 / 4096)
    standard_error = (together * (1 - together) / 50_000) ** 0.5
    assert abs(test.p - together) <= 5 * standard_error
    assert test.p == reference.resampled_p(macro_shares(base, other, ["fi", "ja"], {}), 50_000, 1)


def test_questions_without_a_shared_topic_are_flipped_one_by_one() -> None:
    base = {part: {f"{part}{i}": 0.0 for i in range(6)} for part in ("fi", "ja")}
    other = {part: {f"{part}{i}": 1.0 for i in range(6)} for part in ("fi", "ja")}
    track = track_of("fi", "ja", families={"resamples": 50_000, "seed": 1})
    test = found(compare_systems(track, [scores_of("base", base), scores_of("other", other)]), "other", MACRO)
    exact = reference.exact_p([Fraction(1, 12)] * 12)
    assert abs(test.p - exact) <= 5 * (exact / 50_000) ** 0.5 + 1 / 50_000


def test_questions_of_one_cluster_are_flipped_together() -> None:
    rng = random.Random(8)
    base, other = random_hits(rng, {"fi": 12, "ja": 12}), random_hits(rng, {"fi": 12, "ja": 12}, 0.9)
    units = {q: f"paragraph {int(q[2:]) // 4}" for own in base.values() for q in own}
    track = track_of("fi", "ja", unit="relevant passage")
    files = [scores_of("base", base, units), scores_of("other", other, units)]
    for column, parts in ((MACRO, ["fi", "ja"]), ("fi", ["fi"])):
        expected = reference.resampled_p(macro_shares(base, other, parts, units), 2000, 7)
        assert found(compare_systems(track, files), "other", column).p == expected


def test_a_system_that_equals_the_baseline_has_p_1() -> None:
    base = random_hits(random.Random(9), {"fi": 8, "ja": 4})
    comparison = compare_systems(track_of("fi", "ja"), [scores_of("base", base), scores_of("twin", base)])
    assert [(test.difference, test.p, test.p_adjusted, test.significant) for test in comparison.differences] == [
        (0.0, 1.0, 1.0, False)
    ] * 3


def test_no_p_value_depends_on_the_other_systems_or_their_order() -> None:
    rng = random.Random(10)
    sizes = {"fi": 9, "ja": 14}
    files = [scores_of(name, random_hits(rng, sizes)) for name in ("base", "a", "b", "c")]
    alone = compare_systems(track_of(*sizes), files[:2])
    for others in (files, files[::-1]):
        together = compare_systems(track_of(*sizes), others)
        for test in alone.differences:
            assert found(together, "a", test.column).p == test.p
    assert compare_systems(track_of(*sizes), files) == compare_systems(track_of(*sizes), files[::-1])


def test_families_are_corrected_by_holm_and_only_for_the_primary_measure() -> None:
    rng = random.Random(11)
    sizes = {"fi": 30, "ja": 25}
    files = []
    for name, chance in (("base", 0.3), ("a", 0.35), ("b", 0.7), ("c", 0.85), ("d", 0.5)):
        own = random_hits(rng, sizes, chance)
        second = scores_of(name, random_hits(rng, sizes, chance), measure="AP")
        first = scores_of(name, own, measures={"RR": "1", "AP": "1"})
        files.append(ScoreFile(name, {**first.values, **second.values}, first.units, first.langs, first.context))
    comparison = compare_systems(track_of(*sizes, measures=["AP", "RR"]), files)
    assert [(f.name, f.measure, f.size) for f in comparison.families] == [
        ("macro", "RR", 4),
        ("per language", "RR", 8),
        ("all pairs", "RR", 10),
    ]
    macro = [test for test in comparison.differences if test.measure == "RR" and test.column == MACRO]
    single = [test for test in comparison.differences if test.measure == "RR" and test.column != MACRO]
    for family, tests in zip(comparison.families[:2], (macro, single), strict=True):
        assert len(tests) == family.size
        expected = reference.holm([test.p for test in tests])
        assert [test.p_adjusted for test in tests] == pytest.approx(expected, abs=1e-12)
        assert [test.significant for test in tests] == [p <= 0.05 for p in expected]
        assert family.smallest_adjusted_p == pytest.approx(family.size / 2001)
    assert {test.significant for test in macro} == {True, False}
    exploratory = [test for test in comparison.differences if test.measure == "AP"]
    assert len(exploratory) == 12
    assert all(test.p_adjusted is None and test.significant is None for test in exploratory)


def test_the_hand_written_holm_is_that_of_the_library() -> None:
    from statsmodels.stats.multitest import multipletests

    rng = random.Random(15)
    for _ in range(5):
        p = [rng.choice([0.0, 1.0, rng.random(), rng.random() / 50]) for _ in range(rng.randrange(1, 12))]
        assert reference.holm(p) == pytest.approx(list(multipletests(p, method="holm")[1]), abs=1e-12)


@pytest.mark.parametrize("systems", [10, 11])
def test_a_family_too_large_for_its_resamples_draws_more_where_they_decide(systems: int) -> None:
    # Alpha 0.05: 1,000 resamples serve 10 tests, so 10 systems, with five draws beyond the strictest level.
    rng = random.Random(5)
    sizes = {"fi": 60}
    base = scores_of("base", {part: {f"{part}-{i}": rng.random() for i in range(n)} for part, n in sizes.items()})
    files = [base]
    for number in range(systems):
        shift = 1.0 if number == 0 else 0.0
        own = {part: {q: rng.random() + shift for q in base.values[part, "RR"]} for part in sizes}
        files.append(scores_of(f"s{number}", own))
    comparison = compare_systems(track_of(*sizes, families={"resamples": 1000}), files)
    family = comparison.families[0]
    assert family.size == systems
    assert family.smallest_adjusted_p == pytest.approx(systems / (1001 if systems == 10 else 16_001))
    tests = {test.system: test for test in comparison.differences if test.column == MACRO}
    assert tests["s0"].significant
    assert tests["s0"].p_adjusted == pytest.approx(systems / (tests["s0"].resamples + 1))
    assert not any(test.significant for name, test in tests.items() if name != "s0")


@pytest.mark.parametrize(("size", "expected"), [(1, 16), (1000, 16), (16_000, 16), (16_001, 64), (64_001, 256)])
def test_draws_are_raised_as_far_as_the_strictest_level_of_a_family_needs(size: int, expected: int) -> None:
    assert most_times(size, 100_000, 0.05) == expected


def test_a_system_without_one_of_the_languages_has_no_macro_test() -> None:
    rng = random.Random(12)
    sizes = {"fi": 9, "ja": 14}
    base, partial, full = (random_hits(rng, sizes) for _ in range(3))
    del partial["ja"]
    files = [scores_of("base", base), scores_of("partial", partial), scores_of("full", full)]
    comparison = compare_systems(track_of(*sizes), files)
    assert [(test.system, test.column) for test in comparison.differences if test.measure == "RR"] == [
        ("full", MACRO), ("full", "fi"), ("full", "ja"), ("partial", "fi"),
    ]  # fmt: skip
    assert [family.size for family in comparison.families] == [1, 3, 1]


def test_parts_outside_the_macro_average_are_tested_but_do_not_enter_it() -> None:
    rng = random.Random(13)
    sizes = {"fi": 9, "en": 14}
    base, other = random_hits(rng, sizes), random_hits(rng, sizes)
    files = [scores_of("base", base), scores_of("other", other)]
    comparison = compare_systems(track_of(*sizes, macro=["fi"]), files)
    assert found(comparison, "other", MACRO).p == found(comparison, "other", "fi").p
    assert found(comparison, "other", "en").wins == sum(other["en"][q] > base["en"][q] for q in base["en"])


def test_a_part_without_scored_questions_is_no_test() -> None:
    base = {"fi": {"q": 1.0}, "ja": {}}
    comparison = compare_systems(track_of("fi", "ja"), [scores_of("base", base), scores_of("other", base)])
    assert [test.column for test in comparison.differences] == ["fi"]


def test_a_lone_baseline_is_a_comparison_without_tests() -> None:
    comparison = compare_systems(track_of("fi"), [scores_of("base", {"fi": {"q": 1.0}})])
    assert comparison.differences == ()
    assert [family.size for family in comparison.families] == [0, 0, 0]


def test_a_missing_baseline_is_named() -> None:
    with pytest.raises(InvalidInput, match="baseline base of track toy has no scores"):
        compare_systems(track_of("fi"), [scores_of("other", {"fi": {"q": 1.0}})])


# -- what may share a table

VALUES = {"fi": {"q": 1.0}}


@pytest.mark.parametrize("kind", ["docs", "queries", "qrels", "answers"])
def test_results_of_other_data_are_refused_and_the_kind_of_data_named(kind: str) -> None:
    data = {"fi": {"docs": "d", "queries": "q", "qrels": "r", "answers": "", kind: "something else"}}
    with pytest.raises(InvalidInput) as caught:
        compare_systems(track_of("fi"), [scores_of("base", VALUES), scores_of("other", VALUES, data=data)])
    (finding,) = caught.value.findings
    assert finding.where == f"other, fi: {kind}"
    assert finding.what == "something else"


@pytest.mark.parametrize(
    ("field", "changes", "where"),
    [
        ("measures", {"RR": "2"}, "measures: RR"),
        ("measures", {"R@2kt": "token recall 1, nltk 3.8"}, "measures: R@2kt"),
        ("track", {"depth": 20}, "track: depth"),
        ("track", {"unit": "relevant passage"}, "track: unit"),
        ("track", {"version": 2}, "track: version"),
    ],
)
def test_results_of_other_measure_versions_or_depths_are_refused_by_the_field(
    field: str, changes: dict[str, object], where: str
) -> None:
    base = scores_of("base", VALUES)
    other = scores_of("other", VALUES, **{field: {**base.context[field], **changes}})
    with pytest.raises(InvalidInput) as caught:
        compare_systems(track_of("fi"), [base, other])
    (finding,) = caught.value.findings
    assert finding.where == f"other, {where}"
    assert finding.what == str(next(iter(changes.values())))


def test_a_part_with_questions_in_another_language_is_refused() -> None:
    base, other = scores_of("base", VALUES), scores_of("other", VALUES)
    other = replace(other, langs=dict.fromkeys(other.langs, "et"))
    with pytest.raises(InvalidInput) as caught:
        compare_systems(track_of("fi"), [base, other])
    (finding,) = caught.value.findings
    assert (finding.where, finding.what, finding.expected) == ("other, fi: language", "et", "fi as in base")


def test_a_language_that_the_first_system_lacks_is_compared_among_the_others() -> None:
    both = {"fi": {"q": 1.0}, "ja": {"q": 1.0}}
    stale = {part: {"docs": "old", "queries": "q", "qrels": "r", "answers": ""} for part in both}
    stale["fi"]["docs"] = "d"
    files = [scores_of("base", VALUES), scores_of("one", both), scores_of("two", both, data=stale)]
    with pytest.raises(InvalidInput) as caught:
        compare_systems(track_of("fi", "ja"), files)
    assert [finding.where for finding in caught.value.findings] == ["two, ja: docs"]


def test_scores_on_different_queries_are_refused() -> None:
    with pytest.raises(InvalidInput, match="part fi: two systems are scored on different queries"):
        compare_systems(track_of("fi"), [scores_of("base", VALUES), scores_of("other", {"fi": {"r": 1.0}})])


def test_queries_are_paired_by_id_whatever_their_order() -> None:
    base = {"fi": {"a": 1.0, "b": 0.0, "c": 0.0}}
    other = {"fi": {"c": 1.0, "b": 0.0, "a": 1.0}}
    test = found(compare_systems(track_of("fi"), [scores_of("base", base), scores_of("other", other)]), "other", "fi")
    assert (test.wins, test.ties, test.losses) == (1, 2, 0)


# -- the file


def test_standings_and_intervals_come_with_the_primary_measure() -> None:
    values = {f"q{i}": float(i % 3 == 0) for i in range(60)}
    better = dict.fromkeys(values, 1.0)
    track = track_of("fi")
    comparison = compare_systems(
        track, [scores_of("base", {"fi": values}), scores_of("same", {"fi": values}), scores_of("good", {"fi": better})]
    )
    standings = {standing.system: standing for standing in comparison.standings if standing.column == MACRO}
    assert standings["good"].letters != standings["base"].letters == standings["same"].letters
    assert (standings["good"].best_rank, standings["good"].worst_rank) == (1, 1)
    assert (standings["base"].best_rank, standings["base"].worst_rank) == (2, 3)
    for mean in comparison.means:
        assert mean.interval is not None
        assert mean.interval.lower - 1e-9 <= mean.value <= mean.interval.upper + 1e-9
    for test in comparison.differences:
        if test.measure == track.primary:
            assert test.interval is not None
            assert test.interval.lower - 1e-9 <= test.difference <= test.interval.upper + 1e-9
        else:
            assert test.interval is None
    macro = {test.system: test for test in comparison.differences if test.column == MACRO}
    assert macro["same"].t_p == 1.0
    assert macro["good"].t_p is not None
    assert macro["good"].t_p < 1e-6


def test_the_effect_of_one_language_is_cohens_d() -> None:
    rng = random.Random(3)
    base, other = ({"fi": {f"q{i}": rng.random() for i in range(25)}} for _ in range(2))
    effect = found(compare_systems(track_of("fi"), [scores_of("base", base), scores_of("x", other)]), "x", "fi").effect
    deltas = [other["fi"][query] - base["fi"][query] for query in base["fi"]]
    assert effect == pytest.approx(statistics.mean(deltas) / statistics.stdev(deltas))


def test_the_effect_of_a_macro_average_has_its_sign_whatever_the_sizes_of_languages() -> None:
    """Six languages of 80 questions with a gain and one of 300 with a loss: over all questions there are more losses."""
    rng = random.Random(4)
    sizes = dict.fromkeys(("ar", "bn", "fi", "ja", "ko", "ru"), 80) | {"te": 300}
    base = {part: {f"{part}q{i}": 0.5 for i in range(n)} for part, n in sizes.items()}
    shift = dict.fromkeys(sizes, 0.15) | {"te": -0.367}
    other = {part: {q: 0.5 + shift[part] + rng.gauss(0, 0.3) for q in own} for part, own in base.items()}
    test = found(compare_systems(track_of(*sizes), [scores_of("base", base), scores_of("x", other)]), "x", MACRO)
    assert test.difference > 0.04
    assert test.effect is not None
    deltas = {part: [other[part][q] - 0.5 for q in own] for part, own in base.items()}
    error = sum(statistics.variance(own) / len(own) for own in deltas.values()) ** 0.5 / 7
    assert test.effect == pytest.approx(test.difference / error / 780**0.5)
    assert test.wins < test.losses, "questions are counted one by one"


def test_each_part_has_standings_of_its_own() -> None:
    same = {f"q{i}": float(i % 2) for i in range(60)}
    best = dict.fromkeys(same, 1.0)
    base = {"fi": same, "ja": {f"j{query}": value for query, value in same.items()}}
    comparison = compare_systems(
        track_of("fi", "ja"),
        [
            scores_of("base", base),
            scores_of("good in fi", {**base, "fi": best}),
            scores_of("only fi", {"fi": same}),
        ],
    )
    standings = {(found.column, found.system): found for found in comparison.standings}
    assert standings["fi", "good in fi"].best_rank == standings["fi", "good in fi"].worst_rank == 1
    assert (
        standings["fi", "only fi"].letters == standings["fi", "base"].letters != standings["fi", "good in fi"].letters
    )
    assert {system for column, system in standings if column == "ja"} == {"base", "good in fi"}
    assert {standings["ja", system].worst_rank for system in ("base", "good in fi")} == {2}
    assert ("macro", "only fi") not in standings
