"""Inner products of chosen pairs of vectors, each summed up alike."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def pair_scores(
    queries: NDArray[np.float32], documents: NDArray[np.float32], rows: NDArray[np.int64], columns: NDArray[np.int64]
) -> NDArray[np.float32]:
    """The inner product of ``queries[rows[i]]`` and ``documents[columns[i]]`` for each i, whatever else is asked for.

    One function of faiss's sums up every pair in the same order; which order, its instruction set decides.
    """
    import faiss

    scores = np.empty(len(rows), np.float32)
    # Named, so that they live as long as their memory is used.
    arrays = [np.ascontiguousarray(values) for values in (queries, rows, documents, columns)]
    pointers = [faiss.swig_ptr(values) for values in (*arrays, scores)]
    faiss.pairwise_indexed_inner_product(queries.shape[1], len(rows), *pointers)  # type: ignore[attr-defined]
    return scores
