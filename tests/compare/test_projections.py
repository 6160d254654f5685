from __future__ import annotations

import itertools

import numpy as np
import pytest
import randomization_reference as randomization
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.compare import projections, signed_sums
from harness.compare.fixed_point import to_fixed_point
from harness.compare.projections import Block, project, reached, reached_on
from harness.compare.signed_sums import Draws
from harness.compare.signs import PAGE_DRAWS, signs
from harness.errors import InvalidInput


def names(number: int) -> list[str]:
    return [f"topic-{row}" for row in range(number)]


def scores(kind: str, units: int, systems: int, seed: int = 0) -> np.ndarray:
    generator = np.random.default_rng(seed)
    hits = (generator.random((units, systems)) < 0.6).astype(np.float64)
    if kind == "hits":
        return hits
    if kind == "macro of hits":
        # Languages of unlike sizes, some of which divide each other, so that different resamples tie.
        sizes = np.resize([3, 6, 7, 12, 97], units)
        return hits / (5 * sizes[:, None])
    if kind == "reciprocal ranks":
        return 1 / generator.integers(1, 8, size=(units, systems))
    return generator.normal(size=(units, systems))


KINDS = ["hits", "macro of hits", "reciprocal ranks", "normal"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("units", [1, 2, 7, 60, 1100])
def test_every_pair_has_the_p_value_of_the_plain_randomization_test_to_the_bit(kind: str, units: int) -> None:
    contributions = scores(kind, units, 4)
    pairs = list(itertools.permutations(range(4), 2))
    differences = np.stack([contributions[:, i] - contributions[:, j] for i, j in pairs], axis=1)
    expected = randomization.p_values(differences, names(units), 5000, 3)
    np.testing.assert_array_equal(projections.p_values(differences, names(units), 5000, 3), expected)


def test_a_column_too_wide_for_one_product_stands_beside_others() -> None:
    wide, narrow = scores("normal", 90, 2), scores("hits", 90, 3)
    together = projections.p_values(np.concatenate([wide, narrow], axis=1), names(90), 3000, 3)
    expected = randomization.p_values(np.concatenate([wide, narrow], axis=1), names(90), 3000, 3)
    np.testing.assert_array_equal(together, expected)


def test_the_projections_are_the_signed_sums() -> None:
    contributions = scores("normal", 30, 3)
    found = project(contributions, names(30), Draws(200, 5))
    flips = signs(names(30), 200, 5)
    expected = [[sum(flips[u, b] * contributions[u, k] for u in range(30)) for b in range(200)] for k in range(3)]
    scale = to_fixed_point(contributions, 47).scale_bits
    np.testing.assert_allclose(np.ldexp(found.resampled, -scale), expected, atol=1e-11)


def test_large_integers_are_exact() -> None:
    generator = np.random.default_rng(1)
    contributions = generator.integers(-(2**40), 2**40, size=(700, 2)).astype(np.float64)
    found = project(contributions, names(700), Draws(300, 2))
    expected = contributions.astype(np.int64).T @ signs(names(700), 300, 2).astype(np.int64)
    np.testing.assert_array_equal(found.resampled, expected)


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_threads_and_the_size_of_chunks_change_nothing(threads: int, monkeypatch: pytest.MonkeyPatch) -> None:
    contributions = scores("normal", 300, 3)
    draws = Draws(1000, 1)
    expected = project(contributions, names(300), draws, threads=1).resampled
    counted = reached(contributions, names(300), draws, threads=1)
    for module in (signed_sums, projections):
        monkeypatch.setattr(module, "CHUNK_DRAWS", 256)
    monkeypatch.setattr(signed_sums, "_BLOCK_UNITS", 13)
    np.testing.assert_array_equal(project(contributions, names(300), draws, threads=threads).resampled, expected)
    np.testing.assert_array_equal(reached(contributions, names(300), draws, threads=threads), counted)


def test_draws_beyond_a_page_are_those_of_the_definition(monkeypatch: pytest.MonkeyPatch) -> None:
    """Signs are drawn by the page, and as many pages at once as fit into memory; here one page, begun in its middle."""
    monkeypatch.setattr(signed_sums, "_MOST_DRAWN_BYTES", 1)
    contributions, draws = scores("hits", 5, 2), Draws(2 * PAGE_DRAWS + 77, 4, PAGE_DRAWS // 2)
    flips = signs(names(5), *draws).astype(np.int64)
    expected = contributions.astype(np.int64).T @ flips
    found = project(contributions, names(5), draws)
    np.testing.assert_array_equal(found.reduced, expected)
    observed = np.abs(contributions.sum(axis=0))[:, None]
    np.testing.assert_array_equal(reached(contributions, names(5), draws), (np.abs(expected) >= observed).sum(axis=1))


@settings(max_examples=25, deadline=None)
@given(st.permutations(range(12)), st.permutations(range(3)), st.sampled_from(KINDS))
def test_the_order_of_units_and_systems_changes_nothing(rows: list[int], columns: list[int], kind: str) -> None:
    contributions = scores(kind, 12, 3)
    plain = project(contributions, names(12), Draws(500, 9))
    units = [names(12)[row] for row in rows]
    moved = project(contributions[rows][:, columns], units, Draws(500, 9))
    np.testing.assert_array_equal(moved.resampled, plain.resampled[columns])


def test_columns_of_other_languages_may_be_empty() -> None:
    contributions = np.kron(np.eye(3), scores("hits", 200, 2))
    together = projections.p_values(contributions, names(600), 400, 4)
    alone = [
        projections.p_values(
            contributions[200 * k : 200 * k + 200, 2 * k : 2 * k + 2], names(600)[200 * k :][:200], 400, 4
        )
        for k in range(3)
    ]
    np.testing.assert_array_equal(together, np.concatenate(alone))


def test_equal_systems_have_p_1_and_p_is_never_0() -> None:
    contributions = np.stack([np.ones(40), np.ones(40), np.zeros(40)], axis=1)
    differences = contributions[:, [0]] - contributions[:, 1:]
    found = projections.p_values(differences, names(40), 999, 0)
    assert found.tolist() == [1.0, 1 / 1000]


def test_refusals() -> None:
    with pytest.raises(InvalidInput, match="a unit occurs twice"):
        project(np.ones((2, 1)), ["a", "a"], Draws(10, 0))
    with pytest.raises(InvalidInput, match="3 units"):
        project(np.ones((2, 1)), names(3), Draws(10, 0))
    with pytest.raises(InvalidInput, match="finite"):
        project(np.array([[np.nan]]), ["a"], Draws(10, 0))


@given(st.lists(st.floats(-1e300, 1e300), min_size=1, max_size=30))
def test_fixed_point_is_close_and_cannot_overflow(values: list[float]) -> None:
    column = np.array(values)[:, None]
    found = to_fixed_point(column)
    assert sum(abs(int(value)) for value in found.integers[:, 0]) < 2**62
    back = np.array(
        [int(value) * 2.0**-found.scale_bits if found.scale_bits < 1000 else 0 for value in found.integers[:, 0]]
    )
    if found.scale_bits < 1000:
        np.testing.assert_allclose(back, column[:, 0], atol=float(np.abs(column).max()) * 2.0**-50)


@given(st.lists(st.integers(-(2**45), 2**45), min_size=1, max_size=30))
def test_integers_stay_what_they_are(values: list[int]) -> None:
    assert to_fixed_point(np.array(values, dtype=np.float64)[:, None]).integers[:, 0].tolist() == values


def test_no_resamples_are_no_error_and_decide_nothing() -> None:
    assert project(scores("normal", 30, 3), names(30), Draws(0, 1)).resampled.shape == (3, 0)
    assert (projections.p_values(scores("normal", 30, 3), names(30), 0, 1) == 1).all()


@pytest.mark.parametrize("bytes_at_once", [1, 1 << 30])
def test_blocks_of_units_of_their_own_are_counted_as_columns_with_zeros(
    bytes_at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(projections, "_MOST_SHARES_BYTES", bytes_at_once)
    wide, narrow = scores("normal", 40, 3), scores("macro of hits", 25, 2)
    units, draws = names(60), Draws(700, 3)
    whole = np.zeros((60, 5))
    whole[:40, :3], whole[35:, 3:] = wide, narrow
    found = reached_on([Block(wide, units[:40]), Block(narrow, units[35:])], draws)
    np.testing.assert_array_equal(found, reached(whole, units, draws))
    assert reached_on([], draws).tolist() == []
