from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.proportion import proportion_confint

from harness.compare.effects import (
    Counts,
    cohen_dz,
    odds_ratio,
    probability_of_superiority,
    rank_biserial,
    win_tie_loss,
)
from harness.compare.hits import PairedHits
from harness.errors import InvalidInput

differences = st.lists(st.integers(-5, 5), min_size=2, max_size=30).map(lambda values: np.array(values) / 8)


def test_dz_is_the_paired_t_over_the_root_of_n() -> None:
    one, two = np.random.default_rng(0).normal(size=(2, 40))
    assert cohen_dz(one - two) == pytest.approx(stats.ttest_rel(one, two).statistic / math.sqrt(40), rel=1e-9)
    assert cohen_dz(np.zeros(3)) == 0
    assert cohen_dz(np.full(3, -1.0)) == -math.inf
    with pytest.raises(InvalidInput, match="two topics"):
        cohen_dz(np.ones(1))


@given(differences)
def test_counts_and_superiority_are_those_of_loops(values: np.ndarray) -> None:
    wins, losses = sum(value > 0 for value in values), sum(value < 0 for value in values)
    assert win_tie_loss(values) == Counts(wins, len(values) - wins - losses, losses)
    expected = sum(1.0 if value > 0 else 0.5 if value == 0 else 0.0 for value in values) / len(values)
    assert probability_of_superiority(values) == pytest.approx(expected)


@given(differences)
def test_rank_biserial_is_wilcoxons_rank_sums(values: np.ndarray) -> None:
    nonzero = values[values != 0]
    if not nonzero.size:
        assert rank_biserial(values) == 0
        return
    ranks = stats.rankdata(np.abs(nonzero))
    up, down = ranks[nonzero > 0].sum(), ranks[nonzero < 0].sum()
    assert rank_biserial(values) == pytest.approx((up - down) / (up + down))


@given(differences)
def test_effects_turn_with_the_systems(values: np.ndarray) -> None:
    assert rank_biserial(-values) == pytest.approx(-rank_biserial(values))
    assert probability_of_superiority(-values) == pytest.approx(1 - probability_of_superiority(values))
    assert cohen_dz(-values) == pytest.approx(-cohen_dz(values))


@given(st.integers(0, 60), st.integers(0, 60))
def test_the_odds_ratio_has_the_exact_binomial_interval(wins: int, losses: int) -> None:
    found = odds_ratio(PairedHits(1, wins, losses, 1))
    if not wins + losses:
        assert math.isnan(found.ratio)
        return
    low, high = proportion_confint(wins, wins + losses, method="beta")
    assert found.lower == pytest.approx(low / (1 - low) if wins else 0, rel=1e-9)
    assert found.upper == pytest.approx(high / (1 - high) if losses else math.inf, rel=1e-6)
    assert found.ratio == (pytest.approx(wins / losses) if losses else math.inf)
    assert found.lower <= found.ratio <= found.upper


def test_what_is_not_finite_is_refused() -> None:
    for effect in (win_tie_loss, cohen_dz, probability_of_superiority, rank_biserial):
        with pytest.raises(InvalidInput, match="finite"):
            effect(np.array([1.0, math.nan]))
    with pytest.raises(InvalidInput, match="one topic"):
        probability_of_superiority(np.empty(0))
