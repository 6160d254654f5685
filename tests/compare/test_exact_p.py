"""Exact p-values against enumeration and the binomial; draws that are raised; levels of corrections."""

from __future__ import annotations

import itertools
from fractions import Fraction

import numpy as np
import pytest
import statistics_reference as reference
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from harness.compare.corrections import correct, levels
from harness.compare.exact import exact_p
from harness.compare.monte_carlo import Draws, drawn_p_values, is_open, spans, standard_error
from harness.compare.projections import Block

FRACTIONS = st.builds(Fraction, st.integers(-6, 6), st.sampled_from([1, 3, 7, 21]))


@settings(deadline=None, max_examples=60)
@given(st.lists(FRACTIONS, min_size=1, max_size=10))
def test_it_is_the_share_of_all_assignments(shares: list[Fraction]) -> None:
    found = exact_p(np.array([float(share) for share in shares]))
    assert found == pytest.approx(reference.exact_p(shares), rel=1e-12)


@pytest.mark.parametrize(("wins", "losses"), [(4, 0), (16, 1), (27, 10), (300, 241), (0, 0)])
def test_for_hits_of_one_language_it_is_mcnemars(wins: int, losses: int) -> None:
    shares = np.array([1.0] * wins + [-1.0] * losses + [0.0] * 50) / 80
    expected = stats.binomtest(wins, wins + losses).pvalue if wins + losses else 1.0
    assert exact_p(shares) == pytest.approx(expected, rel=1e-9)


def test_shares_without_a_common_measure_have_none() -> None:
    assert exact_p(np.random.default_rng(0).random(300)) is None
    sizes = (309, 304, 314, 241, 285, 237, 238)
    assert exact_p(np.repeat([1 / (7 * n) for n in sizes], 40)) is None


def test_spans_are_disjoint_and_make_four_times_as_many() -> None:
    found = list(spans(1000, 16))
    assert found[0] == (0, 1000)
    assert np.cumsum([stop - start for start, stop in found]).tolist() == [1000, 4000, 16_000]
    assert all(one[1] <= two[0] and two[0] % 256 == 0 for one, two in itertools.pairwise(found))
    assert list(spans(1000, 1)) == [(0, 1000)]


def test_a_p_near_its_level_is_made_exact_or_has_more_draws() -> None:
    """Holm's family of three: two p lie at the levels 0.0167 and 0.025, one far from 0.05."""
    generator = np.random.default_rng(3)
    hits = np.zeros((60, 2))
    hits[:22, 0], hits[22:31, 0] = 1, -1  # binomial p 0.029
    hits[:40, 1], hits[40:60, 1] = 1, -1  # binomial p 0.013
    graded = generator.normal(size=(60, 1))
    units = [f"u{i}" for i in range(60)]
    found = drawn_p_values([Block(np.concatenate([hits, graded], axis=1), units)], Draws(1000, 5), "holm", 0.05)
    assert found.resamples.tolist() == [0, 0, 1000]
    assert found.p[:2] == pytest.approx([stats.binomtest(22, 31).pvalue, stats.binomtest(40, 60).pvalue])
    assert found.undecided == 0
    level = float(drawn_p_values([Block(graded, units)], Draws(1000, 5), "bonferroni", 0.9).p[0])
    raised = drawn_p_values([Block(graded, units)], Draws(1000, 5), "bonferroni", level)
    assert raised.resamples[0] in (4000, 16_000)
    assert raised.undecided == int(is_open(raised.p, level, raised.resamples)[0])
    count = sum(
        abs(np.dot(signs, graded[:, 0])) >= abs(graded.sum()) - 1e-9
        for signs in np.array([reference.unit_signs(unit, 1024 + 3000, 5) for unit in units]).T[
            [*range(1000), *range(1024, 4024)]
        ]
    )
    if raised.resamples[0] == 4000:
        assert raised.p[0] == (count + 1) / 4001


@pytest.mark.parametrize("correction", ["holm", "bonferroni", "benjamini-hochberg"])
@given(p=st.lists(st.floats(0.0001, 1), min_size=1, max_size=8))
def test_p_values_beyond_their_levels_decide(correction: str, p: list[float]) -> None:
    """Where no p lies between levels that others fail, a decision is p <= level."""
    values = np.array(p)
    decided = correct(values, correction)  # type: ignore[arg-type]
    below = values <= levels(values, correction) * (1 + 1e-12)  # type: ignore[arg-type]
    if correction == "bonferroni":
        np.testing.assert_array_equal(decided.significant, below)
    elif correction == "holm":
        assert not (decided.significant & ~below).any()
    else:
        assert not (below & ~decided.significant).any()


def test_standard_errors_are_those_of_shares() -> None:
    draws = np.random.default_rng(1).binomial(1000, 0.05, 20_000) / 1000
    assert float(standard_error(np.array(0.05), 1000)) == pytest.approx(draws.std(), rel=0.03)
