"""What 8-bit integers do to scores: ranks, and intervals by paragraph."""

from __future__ import annotations

import numpy as np
import pytest
from precision_effect import MEASURES, interval, ranks_of


def test_ranks_count_from_one_and_ties_are_lost() -> None:
    scores = np.array([[0.5, 0.9, 0.1], [0.2, 0.2, 0.2], [0.3, 0.1, 0.2]], np.float32)
    ranks = ranks_of(scores, [0, 1, 0])
    assert ranks.tolist() == [2, 3, 1]
    assert MEASURES["RR@10"](ranks) == pytest.approx([1 / 2, 1 / 3, 1])
    assert MEASURES["Success@1"](ranks).tolist() == [0, 0, 1]
    assert MEASURES["RR@10"](np.array([11])).tolist() == [0]


def test_intervals_draw_whole_paragraphs() -> None:
    same = interval(np.full(8, 0.25), [0, 0, 1, 1, 2, 2, 3, 3])
    assert same == pytest.approx((0.25, 0.25))
    # Two paragraphs of which one changes in all of its questions: what is drawn is none, one or two of it.
    assert interval(np.array([1.0] * 50 + [0.0] * 50), [0] * 50 + [1] * 50) == pytest.approx((0.0, 1.0))
