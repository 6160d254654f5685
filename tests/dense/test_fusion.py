"""Fusion equals (1 - alpha) * p + alpha * sum(q), as an independent float64 computation has it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from pydantic import ValidationError

from harness.dense.fusion import FusionSettings, check_counts, fuse
from harness.errors import InvalidInput

VALUES = st.floats(-4, 4, width=32)


def reference(passages: list, queries_of: list[list], settings: FusionSettings) -> np.ndarray:
    """One passage at a time, by lists of Python floats."""
    rows = []
    for passage, queries in zip(passages, queries_of, strict=True):
        row = [float(value) for value in passage]
        if len(queries):
            sums = [sum(float(query[i]) for query in queries) for i in range(len(row))]
            weight = settings.alpha / (len(queries) if settings.combine == "mean" else 1)
            row = [(1 - settings.alpha) * p + weight * s for p, s in zip(row, sums, strict=True)]
        length = sum(value * value for value in row) ** 0.5
        rows.append([value / length for value in row] if settings.renormalize and length > 0 else row)
    return np.array(rows, np.float64).reshape(len(passages), -1)


def fused(passages: np.ndarray, queries_of: list[np.ndarray], settings: FusionSettings) -> np.ndarray:
    owners = np.array([row for row, queries in enumerate(queries_of) for _ in queries], np.int64)
    queries = np.concatenate([*queries_of, np.empty((0, passages.shape[1]), np.float32)])
    return fuse(passages, queries, owners, settings)


@settings(deadline=None)
@given(st.data())
def test_fusion_equals_the_formula(data: st.DataObject) -> None:
    count, width = data.draw(st.integers(1, 6)), data.draw(st.integers(1, 4))
    passages = data.draw(hnp.arrays(np.float32, (count, width), elements=VALUES))
    counts = data.draw(st.lists(st.integers(0, 4), min_size=count, max_size=count))
    queries_of = [data.draw(hnp.arrays(np.float32, (n, width), elements=VALUES)) for n in counts]
    chosen = FusionSettings(
        alpha=data.draw(st.floats(0, 1)),
        combine=data.draw(st.sampled_from(["sum", "mean"])),
        renormalize=False,
        allow_unequal=True,
    )
    result = fused(passages, queries_of, chosen)
    assert result.dtype == np.float32
    np.testing.assert_allclose(result, reference(passages.tolist(), queries_of, chosen), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("combine", ["sum", "mean"])
def test_renormalised_vectors_have_length_one_and_the_same_direction(combine: str) -> None:
    random = np.random.default_rng(0)
    passages = random.normal(size=(5, 8)).astype(np.float32)
    queries_of = [random.normal(size=(3, 8)).astype(np.float32) for _ in range(5)]
    plain = FusionSettings(alpha=0.2, combine=combine)
    chosen = plain.model_copy(update={"renormalize": True})
    result = fused(passages, queries_of, chosen)
    np.testing.assert_allclose(result, reference(passages.tolist(), queries_of, chosen), atol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(result, axis=1), 1, atol=1e-6)
    assert not np.allclose(result, fused(passages, queries_of, plain))


def test_a_zero_vector_stays_zero_when_renormalised() -> None:
    chosen = FusionSettings(alpha=0.5, renormalize=True)
    zeros = np.zeros((1, 3), np.float32)
    assert fused(zeros, [zeros], chosen).tolist() == [[0, 0, 0]]


def test_unequal_numbers_of_queries_are_refused_for_a_sum() -> None:
    with pytest.raises(InvalidInput, match=r"between 1 and 3 .*allow_unequal"):
        fused(np.ones((2, 2), np.float32), [np.ones((3, 2)), np.ones((1, 2))], FusionSettings(alpha=0.1))


@pytest.mark.parametrize("allowed", [{"combine": "mean"}, {"allow_unequal": True}])
def test_unequal_numbers_are_fine_for_a_mean_or_when_allowed(allowed: dict) -> None:
    fused(np.ones((2, 2), np.float32), [np.ones((3, 2)), np.ones((1, 2))], FusionSettings(alpha=0.1, **allowed))
    check_counts(1, 3, FusionSettings(alpha=0.1, **allowed))


def test_a_passage_without_queries_keeps_its_vector() -> None:
    passages = np.array([[1, 2], [3, 4]], np.float32)
    chosen = FusionSettings(alpha=0.5, allow_unequal=True)
    result = fused(passages, [np.empty((0, 2)), np.array([[1, 1]], np.float32)], chosen)
    assert result.tolist() == [[1, 2], [2, 2.5]]


def test_no_queries_at_all_leave_all_passages_as_they_were() -> None:
    passages = np.array([[1, 2], [3, 4]], np.float32)
    assert fused(passages, [np.empty((0, 2))] * 2, FusionSettings(alpha=0.7)).tolist() == passages.tolist()


@given(hnp.arrays(np.float32, (3, 4), elements=VALUES), hnp.arrays(np.float32, (3, 2, 4), elements=VALUES))
def test_alpha_0_is_the_plain_passage_and_alpha_1_the_sum(passages: np.ndarray, queries: np.ndarray) -> None:
    assert np.array_equal(fused(passages, list(queries), FusionSettings(alpha=0)), passages)
    sums = queries.astype(np.float64).sum(1).astype(np.float32)
    assert np.array_equal(fused(passages, list(queries), FusionSettings(alpha=1)), sums)


def test_a_passage_is_fused_the_same_whatever_stands_beside_it() -> None:
    random = np.random.default_rng(1)
    passages = random.normal(size=(4, 8)).astype(np.float32)
    queries_of = [random.normal(size=(5, 8)).astype(np.float32) for _ in range(4)]
    together = fused(passages, queries_of, FusionSettings(alpha=0.1))
    for row in range(4):
        alone = fused(passages[row : row + 1], queries_of[row : row + 1], FusionSettings(alpha=0.1))
        assert alone[0].tobytes() == together[row].tobytes()


@pytest.mark.parametrize("alpha", [-0.1, 1.1, float("nan")])
def test_alpha_lies_between_0_and_1(alpha: float) -> None:
    with pytest.raises(ValidationError):
        FusionSettings(alpha=alpha)
