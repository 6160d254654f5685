"""The signs of the randomization test: fair coins that depend on the seed and the unit alone."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from statistics_reference import philox_words, unit_signs

from harness.compare.signs import signs

units = st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=8), min_size=1, max_size=6, unique=True)


def test_the_reference_generator_is_numpys_philox() -> None:
    for key in (0, 1, 2**64, 2**128 - 1, 123456789 << 50):
        assert philox_words(key, 9) == np.random.Philox(key=key).random_raw(9).tolist()


@given(units, st.integers(1, 200), st.integers(0, 2**63))
@settings(deadline=None, max_examples=50)
def test_signs_are_those_of_a_second_implementation(names: list[str], resamples: int, seed: int) -> None:
    expected = [unit_signs(name, resamples, seed) for name in names]
    assert signs(names, resamples, seed).tolist() == expected


@given(units, st.randoms(use_true_random=False))
@settings(deadline=None, max_examples=50)
def test_a_units_signs_do_not_depend_on_the_other_units_or_their_order(names: list[str], rng: object) -> None:
    shuffled = list(names)
    rng.shuffle(shuffled)  # type: ignore[attr-defined]
    together = dict(zip(shuffled, signs(shuffled, 100, 5).tolist(), strict=True))
    assert together == {name: signs([name], 100, 5)[0].tolist() for name in names}


@pytest.mark.parametrize("few", [1, 63, 64, 65, 1000])
def test_more_resamples_continue_the_same_signs(few: int) -> None:
    assert np.array_equal(signs(["a", "b"], few, 3), signs(["a", "b"], 5000, 3)[:, :few])


@pytest.mark.parametrize("first", [256, 2560, 4864])
def test_signs_from_the_middle_on_are_those_of_all(first: int) -> None:
    assert np.array_equal(signs(["a", "b"], 5000 - first, 3, first), signs(["a", "b"], 5000, 3)[:, first:])


def test_signs_begin_where_the_generator_can() -> None:
    with pytest.raises(ValueError, match="multiples of 256, not at 100"):
        signs(["a"], 10, 3, 100)


def test_every_sign_is_minus_one_or_one() -> None:
    drawn = signs(["a", "b", "ü"], 777, 3)
    assert drawn.shape == (3, 777)
    assert set(np.unique(drawn).tolist()) == {-1, 1}


def test_signs_are_fair_and_uncorrelated_between_units_and_between_resamples() -> None:
    count, resamples = 60, 20_000
    drawn = signs([f"t{i}" for i in range(count)], resamples, 20230723).astype(np.float64)
    bound = 5.5 / np.sqrt(resamples)  # of a mean of independent signs; over some 2,000 of them
    assert np.abs(drawn.mean(axis=1)).max() < bound
    between = drawn @ drawn.T / resamples - np.eye(count)
    assert np.abs(between).max() < bound
    assert max(np.abs((drawn[:, lag:] * drawn[:, :-lag]).mean(axis=1)).max() for lag in (1, 2, 8, 64)) < bound
    # In every resample, the sum over the units has the variance of independent signs.
    assert abs((drawn.sum(axis=0) ** 2).mean() / count - 1) < 5 * np.sqrt(2 / resamples)


def test_another_seed_or_another_unit_gives_other_signs() -> None:
    rows = [signs([unit], 256, seed)[0].tolist() for unit in ("a", "b", "") for seed in (0, 1)]
    assert len({tuple(row) for row in rows}) == 6


def test_seed_and_unit_are_told_apart() -> None:
    assert not np.array_equal(signs(["1\0a"], 256, 1), signs(["a"], 256, 11))
    assert not np.array_equal(signs(["1a"], 256, 1), signs(["a"], 256, 11))


def test_no_units_and_no_resamples_give_empty_tables() -> None:
    assert signs([], 10, 1).shape == (0, 10)
    assert signs(["a"], 0, 1).shape == (1, 0)
