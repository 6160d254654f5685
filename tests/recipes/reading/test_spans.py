"""The best span of windows: held against all spans looked at one by one, and against the way of the 20 best."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.recipes.reading.spans import Span, Window, best_span


@st.composite
def windows(draw: st.DrawFn) -> Window:
    question, passage, padding = draw(st.integers(0, 3)), draw(st.integers(0, 7)), draw(st.integers(0, 2))
    count = question + passage + padding
    # Few different values, so that ties are common.
    scores = st.lists(st.sampled_from([-2.0, 0.0, 0.5, 1.0, 3.25]), min_size=count, max_size=count)
    first = draw(st.integers(0, 5))
    offsets = [(0, 0)] * question + [(first + 3 * i, first + 3 * i + 2) for i in range(passage)] + [(0, 0)] * padding
    return Window(
        np.array(draw(scores), np.float32), np.array(draw(scores), np.float32), np.array(offsets, int).reshape(count, 2)
    )


def all_spans(found: list[Window], longest: int) -> list[tuple[float, int, int, int, Span]]:
    spans = []
    for place, window in enumerate(found):
        of_passage = [i for i, (start, end) in enumerate(window.offsets) if end > start]
        for i in of_passage:
            for j in of_passage:
                if i <= j < i + longest:
                    score = float(window.starts[i]) + float(window.ends[j])
                    span = Span(score, int(window.offsets[i][0]), int(window.offsets[j][1]))
                    spans.append((-score, place, i, j, span))
    return spans


@given(st.lists(windows(), max_size=3), st.integers(1, 5))
def test_it_is_the_best_of_all(found: list[Window], longest: int) -> None:
    spans = all_spans(found, longest)
    assert best_span(found, longest) == (min(spans)[-1] if spans else None)


@given(st.lists(st.tuples(st.floats(-9, 9, width=32), st.floats(-9, 9, width=32)), min_size=1, max_size=60))
def test_it_is_never_below_the_best_of_the_twenty_best_starts_and_ends(scores: list[tuple[float, float]]) -> None:
    """How BERT's script for SQuAD and those after it look."""
    starts, ends = (np.array(side, np.float32) for side in zip(*scores, strict=True))
    offsets = np.array([(i, i + 1) for i in range(len(scores))])
    best = best_span([Window(starts, ends, offsets)], 30)
    assert best is not None
    twenty = [np.argsort(side)[::-1][:20] for side in (starts, ends)]
    kept = [float(starts[i]) + float(ends[j]) for i in twenty[0] for j in twenty[1] if i <= j < i + 30]
    assert best.score >= max(kept, default=-np.inf)
    if len(scores) <= 20:
        assert best.score == pytest.approx(max(kept))


def test_a_better_end_before_the_start_is_no_span() -> None:
    window = Window(np.array([0, 5.0, 0]), np.array([9.0, 1, 2]), np.array([(0, 3), (4, 7), (8, 9)]))
    assert best_span([window], 3) == Span(9.0, 0, 3)
    assert best_span([Window(window.starts, np.array([3.0, 1, 2]), window.offsets)], 3) == Span(7.0, 4, 9)
    assert best_span([Window(window.starts, np.array([3.0, 1, 2]), window.offsets)], 1) == Span(6.0, 4, 7)
