"""What a page needs to test any choice of languages, against sums written out from the definition."""

from __future__ import annotations

import itertools
from collections.abc import Mapping

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from score_files import scores_of

from harness.compare import subsets
from harness.compare.projections import p_values
from harness.compare.subsets import forms, forms_of_all, randomization_counts, subset_statistics
from harness.runs.score_file import ScoreFile

PARTS = ("p0", "p1", "p2")
Value = st.sampled_from([0.0, 0.25, 0.5, 1.0])


@st.composite
def systems(draw: st.DrawFn, missing: bool = True) -> list[ScoreFile]:
    """Three systems on three parts; topics may stand in several parts, units may hold several topics."""
    units: dict[str, str] = {}
    for part in PARTS:
        for i in range(draw(st.integers(2, 6))):
            units[f"{part}q{i}"] = draw(st.sampled_from([f"{part}u{i}", f"u{i}", f"{part}c{i // 2}"]))
    found = []
    for k in range(3):
        served = PARTS if k != 2 or not missing else draw(st.sampled_from([PARTS, PARTS[:2]]))
        values: Mapping[str, Mapping[str, float]] = {
            part: {name: draw(Value) for name in units if name.startswith(part)} for part in served
        }
        found.append(scores_of(f"s{k}", values, units))
    return found


def residual(score: ScoreFile, part: str, unit: str) -> float:
    """sum over the unit's topics of (value - mean) / n; 0 where the system has no scores."""
    values = score.values.get((part, "RR"), {})
    mean = sum(values.values()) / len(values) if values else 0.0
    return sum((v - mean) / len(values) for q, v in values.items() if score.units[part, q][1] == unit)


@given(systems())
def test_forms_are_sums_of_products_of_differences_of_residuals(scores: list[ScoreFile]) -> None:
    statistics = subset_statistics(scores, PARTS, "RR")
    cross_products = statistics.cross_products()
    for reference, (row, (one, two)) in itertools.product(range(3), enumerate(statistics.pairs_of_parts)):
        found = forms(cross_products, reference)[row]
        for k, score in enumerate(scores):
            theirs = scores[reference]
            expected = sum(
                (residual(score, PARTS[one], unit) - residual(theirs, PARTS[one], unit))
                * (residual(score, PARTS[two], unit) - residual(theirs, PARTS[two], unit))
                for unit in statistics.units
            )
            assert found[k] == pytest.approx(expected, abs=1e-12)


@given(systems())
def test_means_topics_and_patterns_are_counted(scores: list[ScoreFile]) -> None:
    statistics = subset_statistics(scores, PARTS, "RR")
    for k, (place, part) in itertools.product(range(3), enumerate(PARTS)):
        assert statistics.means[k, place] == pytest.approx(scores[k].mean(part, "RR") or np.nan, nan_ok=True) or (
            scores[k].mean(part, "RR") == 0.0 == statistics.means[k, place]
        )
    assert statistics.topics.tolist() == [len(scores[0].values[part, "RR"]) for part in PARTS]
    parts_of: dict[str, set[int]] = {}
    for (part, _), (_, unit) in scores[0].units.items():
        parts_of.setdefault(unit, set()).add(PARTS.index(part))
    keys = [sum(1 << part for part in parts) for parts in parts_of.values()]
    assert statistics.patterns() == {key: keys.count(key) for key in set(keys)}
    assert statistics.nested == all(len(parts) == 1 for parts in parts_of.values())


@settings(max_examples=25)
@given(systems(), st.integers(0, 2))
def test_counts_are_those_of_the_randomization_test_of_each_subset(scores: list[ScoreFile], reference: int) -> None:
    statistics = subset_statistics(scores, PARTS, "RR")
    resamples, seed = 199, 5
    counts = randomization_counts(statistics, reference, resamples, seed)
    assert counts.shape == (7, 3)
    for k, subset in itertools.product(range(3), range(1, 8)):
        chosen = [part for place, part in enumerate(PARTS) if subset >> place & 1]
        served = all((part, "RR") in scores[system].values for system in (k, reference) for part in chosen)
        if not served:
            assert counts[subset - 1, k] == resamples
            continue
        shares = np.zeros((len(statistics.units), 1))
        for part in chosen:
            one, two = scores[k].values[part, "RR"], scores[reference].values[part, "RR"]
            for query_id, value in one.items():
                row = statistics.units.index(scores[k].units[part, query_id][1])
                shares[row] += (value - two[query_id]) / len(one) / len(chosen)
        (expected,) = p_values(shares, statistics.units, resamples, seed)
        assert (counts[subset - 1, k] + 1) / (resamples + 1) == pytest.approx(expected, abs=1e-12)


@given(systems(missing=False))
def test_equal_systems_have_forms_of_exactly_0(scores: list[ScoreFile]) -> None:
    twin = scores_of("twin", {part: scores[0].values[part, "RR"] for part in PARTS}, {
        query_id: unit for (_, query_id), (_, unit) in scores[0].units.items()
    })  # fmt: skip
    statistics = subset_statistics([*scores, twin], PARTS, "RR")
    found = forms(statistics.cross_products(), 0)
    assert (found[:, [0, 3]] == 0).all()


@given(systems(missing=False), st.integers(1, 2))
def test_forms_of_some_references_at_a_time_are_those_of_all(scores: list[ScoreFile], at_a_time: int) -> None:
    statistics = subset_statistics(scores, PARTS, "RR")
    whole = [forms(statistics.cross_products(), reference) for reference in range(3)]
    size = 8 * len(statistics.pairs_of_parts) * 3
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(subsets, "_MOST_PRODUCTS_BYTES", at_a_time * size)
        found = list(forms_of_all(statistics))
    np.testing.assert_allclose(found, whole, rtol=1e-12, atol=1e-12)
    np.testing.assert_array_equal(list(forms_of_all(statistics)), whole)
