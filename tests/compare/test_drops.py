"""Drops against enumeration in whole fractions, against the test by signs, and through the comparison of a track."""

from __future__ import annotations

import itertools
import json
import random
from collections.abc import Mapping, Sequence
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from score_files import scores_of

from harness.cli.compare import _lines_of_drops
from harness.compare.choices import chosen, rechosen
from harness.compare.compare import compare_systems
from harness.compare.drops import smallest_detectable
from harness.compare.records import MACRO, Comparison, Drop, read_comparison, write_comparison
from harness.compare.signed_sums import Draws
from harness.errors import InvalidInput
from harness.files.toml_records import checked
from harness.numbers import percent
from harness.tracks import Track

Hits = dict[str, dict[str, float]]
LANGUAGES = ("fi", "ja")


# -- one choice of several for each unit


def enumerated(shares: Sequence[Sequence[Fraction]]) -> Fraction:
    """Share of all choices of a clean version, one for each unit, whose drop is as far from 0 as that of version 0."""
    drops = [[(own := unit[k]) - (sum(unit) - own) / (len(unit) - 1) for k in range(len(unit))] for unit in shares]
    observed = abs(sum(unit[0] for unit in drops))
    sums = [abs(sum(choice)) for choice in itertools.product(*drops)]
    return Fraction(sum(own >= observed for own in sums), len(sums))


@pytest.mark.parametrize("draws", [1, 2, 3])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_p_is_that_of_all_choices_but_for_the_error_of_drawing(draws: int, seed: int) -> None:
    rng = random.Random(seed)
    shares = [[Fraction(rng.random() < (0.7, 0.4)[bool(k)], 5) for k in range(1 + draws)] for _ in range(5)]
    exact = float(enumerated(shares))
    versions = np.array([[[float(own)] for own in unit] for unit in shares])
    found = rechosen(versions, [f"u{unit}" for unit in range(5)], Draws(40_000, 7))
    assert found.p[0] == pytest.approx(exact, abs=4 * np.sqrt(exact * (1 - exact) / 40_000) + 1 / 40_000)


def test_p_counts_the_very_choices_that_are_drawn() -> None:
    rng = random.Random(5)
    units, draws = [f"u{unit}" for unit in range(9)], Draws(500, 11)
    shares = [[Fraction(rng.randrange(4), 63) for _ in range(4)] for _ in units]
    drops = [[own - (sum(unit) - own) / 3 for own in unit] for unit in shares]
    choices = chosen(units, 4, draws)
    sums = [sum(unit[k] for unit, k in zip(drops, column, strict=True)) for column in choices.T.tolist()]
    observed = abs(sum(unit[0] for unit in drops))
    found = rechosen(np.array([[[float(own)] for own in unit] for unit in shares]), units, draws, [0])
    assert found.p[0] == (sum(abs(own) >= observed for own in sums) + 1) / 501
    assert found.resampled[0] == pytest.approx([float(own) for own in sums], abs=1e-9)


def test_choices_are_fair_and_depend_on_the_seed_and_the_unit_alone() -> None:
    one = chosen(["a", "b"], 11, Draws(22_000, 3))
    assert np.array_equal(chosen(["b", "x", "a"], 11, Draws(22_000, 3))[[2, 0]], one)
    assert np.array_equal(chosen(["a"], 11, Draws(5, 3))[0], one[0, :5])
    counts = np.bincount(one.ravel(), minlength=11)
    assert ((counts - 4000) ** 2 / 4000).sum() < 35, "chi-squared with 10 degrees of freedom"
    assert not np.array_equal(one, chosen(["a", "b"], 11, Draws(22_000, 4)))


def test_a_unit_that_occurs_twice_is_refused() -> None:
    with pytest.raises(InvalidInput, match="a unit occurs twice"):
        rechosen(np.zeros((2, 2, 1)), ["a", "a"], Draws(100, 1))


def test_the_smallest_drop_is_the_critical_value_and_what_noise_takes_away() -> None:
    normal = np.random.default_rng(1).standard_normal(200_000)
    assert smallest_detectable(normal, 0.05) == pytest.approx(1.96 + 0.84, abs=0.03)
    assert smallest_detectable(normal, 0.05 / 8) == pytest.approx(2.734 + 0.84, abs=0.05)


# -- through the comparison of a track


def track_with(draws: int = 2, **fields: object) -> Track:
    parts = [{"name": lang, "dataset": f"xdr-mini/{lang}", "lang": lang} for lang in LANGUAGES]
    for lang, seed in itertools.product(LANGUAGES, range(1, draws + 1)):
        dataset = f"perturbed(typo-swap,seed={seed}):xdr-mini/{lang}"
        parts.append({"name": f"{lang}-{seed}", "dataset": dataset, "lang": lang, "of": lang})
    given = {
        "schema_version": 1, "name": "drops", "version": 1, "title": "Drops", "description": "", "parts": parts,
        "measures": ["RR", "P@5"], "primary": "RR", "depth": 10, "baseline": "base",
        "families": {"resamples": 2000, "all_pairs_resamples": 1000, "seed": 7}, **fields,
    }  # fmt: skip
    return checked(Track, given, "track drops")


def hits_of(rng: random.Random, clean: float, perturbed: float, sizes: Mapping[str, int]) -> Hits:
    names = dict.fromkeys(LANGUAGES, clean) | {f"{lang}-{seed}": perturbed for lang in LANGUAGES for seed in (1, 2)}
    return {part: {f"q{i}": float(rng.random() < rate) for i in range(sizes[part[:2]])} for part, rate in names.items()}


def drop_of(comparison: Comparison, system: str, column: str) -> Drop:
    (drop,) = [d for d in comparison.drops if (d.system, d.column, d.measure) == (system, column, "RR")]
    return drop


def compared() -> tuple[Comparison, dict[str, Hits]]:
    rng, sizes = random.Random(3), {"fi": 30, "ja": 20}
    hits = {"base": hits_of(rng, 0.8, 0.3, sizes), "other": hits_of(rng, 0.7, 0.7, sizes)}
    scores = [scores_of(name, own) for name, own in hits.items()]
    return compare_systems(track_with(measures=("RR",)), scores), hits


def test_a_drop_is_the_mean_over_languages_of_clean_less_the_mean_of_the_draws() -> None:
    comparison, hits = compared()
    for system, own in hits.items():
        expected = {}
        for lang in LANGUAGES:
            clean, draws = own[lang], [own[f"{lang}-{seed}"] for seed in (1, 2)]
            perturbed = {q: Fraction(int(sum(draw[q] for draw in draws)), 2) for q in clean}
            drop = sum(Fraction(int(clean[q])) - perturbed[q] for q in clean) / len(clean)
            kept = sum(perturbed[q] for q in clean if clean[q]) / Fraction(int(sum(clean.values())))
            found = drop_of(comparison, system, lang)
            assert found.drop == pytest.approx(float(drop), abs=1e-12)
            assert found.clean - found.perturbed == pytest.approx(found.drop, abs=1e-12)
            assert found.retention == pytest.approx(float(kept), abs=1e-12)
            assert (found.p_adjusted, found.significant, found.detectable) == (None, None, None)
            expected[lang] = (drop, kept)
        macro = drop_of(comparison, system, MACRO)
        assert macro.drop == pytest.approx(float(sum(drop for drop, _ in expected.values()) / 2), abs=1e-12)
        assert macro.retention == pytest.approx(float(sum(kept for _, kept in expected.values()) / 2), abs=1e-12)
        assert macro.draws == 2
        assert macro.interval is not None
        assert macro.interval.lower < macro.drop < macro.interval.upper


def test_drops_are_one_family_and_differences_of_drops_another() -> None:
    comparison, hits = compared()
    sizes = {family.name: (family.size, family.measure) for family in comparison.families}
    assert sizes["drops"] == (2, "Drop(RR)")
    assert sizes["differences of drops"] == (1, "Drop(RR)")
    one, two = sorted((drop_of(comparison, name, MACRO) for name in hits), key=lambda drop: drop.p)
    assert one.p_adjusted == pytest.approx(min(1, 2 * one.p))
    assert two.p_adjusted == pytest.approx(min(1, max(2 * one.p, two.p)))
    assert (one.system, one.significant, two.significant) == ("base", True, False)
    assert one.detectable is not None
    assert 0 < one.detectable < one.drop
    (difference,) = comparison.drop_differences
    drops = {name: drop_of(comparison, name, MACRO).drop for name in hits}
    assert (difference.system, difference.against) == ("other", "base")
    assert difference.difference == pytest.approx(drops["other"] - drops["base"], abs=1e-12)
    assert difference.significant


def test_the_command_says_who_loses_less_by_finding_less_and_marks_it_not() -> None:
    def told(found: Comparison, sided: tuple[str, ...] = ()) -> list[str]:
        return [line for line in _lines_of_drops(found, sided) if "drop less that of base" in line]

    comparison, _ = compared()
    (difference,) = comparison.drop_differences
    own, base = (drop_of(comparison, name, MACRO).clean for name in ("other", "base"))
    assert difference.significant
    assert (difference.difference < 0, own < base) == (True, True)
    (line,) = told(comparison)
    assert f"it has fewer to lose (clean {percent(own)} against {percent(base)})" in line
    assert "*" not in line
    as_good = [d.model_copy(update={"clean": 1.0}) if d.system == "other" else d for d in comparison.drops]
    (line,) = told(comparison.model_copy(update={"drops": tuple(as_good)}))
    assert "fewer to lose" not in line
    assert "*" in line
    (line,) = told(comparison.model_copy(update={"drops": tuple(as_good)}), ("other",))
    assert "*" not in line, "its training alone may have held the data"


def test_what_is_declared_and_not_run_counts_in_both_families_and_changes_no_p() -> None:
    rng, sizes = random.Random(3), {"fi": 30, "ja": 20}
    scores = [scores_of("base", hits_of(rng, 0.8, 0.3, sizes)), scores_of("other", hits_of(rng, 0.7, 0.7, sizes))]
    alone = compare_systems(track_with(measures=("RR",), systems=("base", "other")), scores)
    track = track_with(measures=("RR",), systems=("base", "other", "absent", "another"))
    whole = compare_systems(track, scores)
    sizes_of = {family.name: family.size for family in whole.families}
    assert (sizes_of["drops"], sizes_of["differences of drops"]) == (4, 3)
    own = [drop for drop in whole.drops if drop.p_adjusted is not None]
    assert [drop.p for drop in own] == [drop.p for drop in alone.drops if drop.p_adjusted is not None]
    first, last = sorted(own, key=lambda drop: drop.p)
    assert first.p_adjusted == pytest.approx(min(1, 4 * first.p))
    assert last.p_adjusted == pytest.approx(min(1, max(4 * first.p, 3 * last.p)))
    assert whole.drop_differences[0].p_adjusted == pytest.approx(min(1, 3 * whole.drop_differences[0].p))
    # One that is not declared and was run is tested, too, and makes the family larger.
    more = compare_systems(track_with(measures=("RR",), systems=("base", "absent")), scores)
    assert next(family.size for family in more.families if family.name == "drops") == 3


def test_the_conditioned_difference_is_over_the_questions_that_both_hit_cleanly() -> None:
    comparison, hits = compared()
    (difference,) = comparison.drop_differences
    means, count = [], 0
    for lang in LANGUAGES:
        both = [q for q in hits["base"][lang] if hits["base"][lang][q] and hits["other"][lang][q]]
        lost = {
            name: sum(1 - (own[f"{lang}-1"][q] + own[f"{lang}-2"][q]) / 2 for q in both) for name, own in hits.items()
        }
        means.append((lost["other"] - lost["base"]) / len(both))
        count += len(both)
    assert difference.conditioned == pytest.approx(sum(means) / 2, abs=1e-12)
    assert difference.conditioned_topics == count


def test_perturbed_parts_are_in_no_average_and_in_no_other_test() -> None:
    comparison, hits = compared()
    assert track_with().macro_parts == LANGUAGES
    columns = {test.column for test in comparison.differences} | {mean.column for mean in comparison.means}
    assert columns == {MACRO, *LANGUAGES}
    sizes = {family.name: family.size for family in comparison.families}
    assert (sizes["macro"], sizes["per language"]) == (1, 2)
    mean = next(m for m in comparison.means if (m.system, m.column) == ("base", MACRO))
    assert mean.value == pytest.approx(sum(sum(hits["base"][x].values()) / len(hits["base"][x]) for x in LANGUAGES) / 2)


def test_a_language_without_all_draws_has_no_drop_and_the_average_is_then_none() -> None:
    rng = random.Random(3)
    hits = hits_of(rng, 0.8, 0.3, {"fi": 30, "ja": 20})
    del hits["ja-2"]
    comparison = compare_systems(track_with(measures=("RR",)), [scores_of("base", hits)])
    assert {drop.column for drop in comparison.drops} == {"fi"}
    assert "drops" not in {family.name for family in comparison.families}


def test_a_comparison_with_drops_is_read_as_it_was_written(tmp_path: Path) -> None:
    comparison, _ = compared()
    write_comparison(tmp_path / "comparison.json", comparison)
    assert read_comparison(tmp_path / "comparison.json") == comparison
    plain = compare_systems(
        track_with(0, measures=("RR",)), [scores_of("base", {lang: {"q": 1.0} for lang in LANGUAGES})]
    )
    write_comparison(tmp_path / "plain.json", plain)
    assert not {"drops", "drop_differences"} & json.loads((tmp_path / "plain.json").read_text()).keys()
