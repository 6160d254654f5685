"""AUC and accuracy of pairs against counting by hand; which rows are compared, and that no fold chooses its own threshold."""

from __future__ import annotations

import itertools
import random

import numpy as np
import paws_pairs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.collections.paws_x import Row

SCORES = st.lists(st.tuples(st.integers(-3, 3), st.booleans()), min_size=2, max_size=25).filter(
    lambda rows: len({label for _, label in rows}) == 2
)


@given(SCORES)
def test_the_auc_is_the_share_of_pairs_of_rows_in_order_with_ties_half(rows: list[tuple[int, bool]]) -> None:
    scores, labels = np.array([float(s) for s, _ in rows]), np.array([label for _, label in rows])
    above = [
        1.0 if one > other else 0.5 if one == other else 0.0
        for (one, label), (other, second) in itertools.product(rows, rows)
        if label and not second
    ]
    assert paws_pairs.auc(scores, labels) == pytest.approx(sum(above) / len(above), abs=1e-12)


@given(SCORES)
def test_no_threshold_gets_more_rows_right(rows: list[tuple[int, bool]]) -> None:
    scores, labels = np.array([float(s) for s, _ in rows]), np.array([label for _, label in rows])
    found = paws_pairs.threshold_of(scores, labels)
    right = {cut: sum((s >= cut) == label for s, label in rows) for cut in (found, *range(-4, 5))}
    assert right[found] == max(right.values())


def test_accuracy_counts_rows_by_the_threshold_of_the_other_folds() -> None:
    rng = random.Random(1)
    scores = np.array([rng.random() for _ in range(40)])
    labels = np.array([rng.random() < s for s in scores])
    folds = np.array([i % 4 for i in range(40)])
    right = 0
    for fold in range(4):
        others = [i for i in range(40) if i % 4 != fold]
        cut = paws_pairs.threshold_of(scores[others], labels[others])
        right += sum((scores[i] >= cut) == labels[i] for i in range(40) if i % 4 == fold)
    assert paws_pairs.accuracy(scores, labels, folds) == right / 40


def test_scores_that_say_nothing_are_no_better_than_the_majority() -> None:
    """A threshold chosen on the rows that are tested would be."""
    generator = np.random.default_rng(3)
    labels, folds = generator.random(400) < 0.5, np.arange(400) % 10
    own, best = [], []
    for _ in range(30):
        scores = generator.random(400)
        own.append(paws_pairs.accuracy(scores, labels, folds))
        best.append(((scores >= paws_pairs.threshold_of(scores, labels)) == labels).mean())
    assert np.mean(own) <= max(labels.mean(), 1 - labels.mean()) + 0.01 < np.mean(best)


def test_rows_of_one_first_sentence_are_in_one_fold_and_rows_that_lack_something_are_left_out() -> None:
    english = {str(i): Row(f"first {i // 3}", f"second {i}", str(i % 2)) for i in range(30)}
    german = {**english, "4": Row("NS", "zwei", "0"), "5": Row("eins", "zwei", "0")}
    del german["6"]
    pairs = paws_pairs.pairs_of({"en": english, "de": german})
    assert len(pairs.labels) == 27
    by_first = {first: set(pairs.folds[[own == first for own in pairs.firsts]].tolist()) for first in pairs.firsts}
    assert {len(folds) for folds in by_first.values()} == {1}
    assert len(set(pairs.folds.tolist())) > 1


def test_the_interval_holds_the_auc_and_is_wider_where_rows_are_copies() -> None:
    generator = np.random.default_rng(5)
    labels = generator.random(60) < 0.5
    scores = generator.random(60) + 0.3 * labels
    lower, upper = paws_pairs.interval(scores, labels, [str(i) for i in range(60)])
    assert lower < paws_pairs.auc(scores, labels) < upper
    copies = np.repeat(scores, 5), np.repeat(labels, 5)
    wide = paws_pairs.interval(*copies, [str(i // 5) for i in range(300)])
    assert wide[1] - wide[0] == pytest.approx(upper - lower, rel=0.1)
