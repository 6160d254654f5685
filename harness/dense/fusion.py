"""Fusion of passage embeddings with embeddings of generated queries: (1 - alpha) * p + alpha * sum(q).

Source: Zhuang, Shou and Zuccon, Augmenting Passage Representations with Query Generation for Enhanced Cross-Lingual Dense
Retrieval (SIGIR 2023, arXiv 2305.03950); ielab/xQG4xDR, fuse_embeds.py. The sum is as published, without renormalisation;
mean and renormalisation are options of ours.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from harness.errors import InvalidInput
from harness.files.toml_records import Record

FUSION_VERSION = 1
"""Raised when the same vectors and settings give other fused vectors than before."""

_ROWS_AT_ONCE = 64
"""Passages whose sums stay in the processor's cache; it changes no bytes."""


class FusionSettings(Record):
    alpha: float = Field(ge=0, le=1)
    combine: Literal["sum", "mean"] = "sum"
    renormalize: bool = False
    allow_unequal: bool = False


def check_counts(fewest: int, most: int, settings: FusionSettings) -> None:
    """Raises ``InvalidInput`` when sums of so few and so many queries per passage would not be comparable."""
    if settings.combine == "sum" and not settings.allow_unequal and fewest != most:
        raise InvalidInput(
            f"passages have between {fewest} and {most} generated queries; a sum would weigh them differently: "
            'set `combine = "mean"`, or `allow_unequal = true` if that is meant'
        )


def fuse(
    passages: NDArray[np.float32], queries: NDArray[np.float32], owners: NDArray[np.int64], settings: FusionSettings
) -> NDArray[np.float32]:
    """Fused vectors, float32, shape (passages, dimensions).

    ``queries``: shape (queries, dimensions), grouped by passage; ``owners``: shape (queries,), the row of the passage
    that each belongs to, not decreasing. A passage without queries keeps its own vector. Sums are in float64, in the
    order of the rows. Raises ``InvalidInput`` when sums would weigh passages differently because they have different
    numbers of queries, unless ``allow_unequal``.
    """
    counts = np.bincount(owners, minlength=len(passages))
    if len(passages):
        check_counts(int(counts.min()), int(counts.max()), settings)
    starts = np.cumsum(counts) - counts
    fused = np.empty(passages.shape, np.float32)
    for first in range(0, len(passages), _ROWS_AT_ONCE):
        rows = slice(first, first + _ROWS_AT_ONCE)
        fused[rows] = _fused(passages[rows], queries, starts[rows], counts[rows], settings)
    return fused


def _fused(
    passages: NDArray[np.float32],
    queries: NDArray[np.float32],
    starts: NDArray[np.int64],
    counts: NDArray[np.int64],
    settings: FusionSettings,
) -> NDArray[np.float64]:
    sums = _sums(queries, starts, counts)
    if settings.combine == "mean":
        sums /= np.maximum(counts, 1)[:, None]
    sums *= settings.alpha
    sums += (1 - settings.alpha) * passages.astype(np.float64)
    sums[counts == 0] = passages[counts == 0]
    if settings.renormalize:
        norms = np.linalg.norm(sums, axis=1, keepdims=True)
        sums /= np.where(norms > 0, norms, 1)
    return sums


def _sums(queries: NDArray[np.float32], starts: NDArray[np.int64], counts: NDArray[np.int64]) -> NDArray[np.float64]:
    """Sums of the ``counts`` queries from ``starts`` on, query after query: no other passage alters a sum."""
    sums = np.zeros((len(counts), queries.shape[1]), np.float64)
    most = int(counts.max(initial=0))
    if (counts == most).all():
        own = queries[starts[0] : starts[0] + len(counts) * most].reshape(len(counts), most, queries.shape[1])
        for place in range(most):
            sums += own[:, place]
        return sums
    for place in range(most):
        rows = np.flatnonzero(counts > place)
        sums[rows] += queries[starts[rows] + place]
    return sums
