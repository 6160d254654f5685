from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from harness.compare.effects import cohen_dz
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
def test_the_effect_turns_with_the_systems(values: np.ndarray) -> None:
    assert cohen_dz(-values) == pytest.approx(-cohen_dz(values))


def test_what_is_not_finite_is_refused() -> None:
    with pytest.raises(InvalidInput, match="finite"):
        cohen_dz(np.array([1.0, math.nan]))
