"""How far a p-value of draws may lie from the exact one, and more draws where that could change a decision."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from harness.compare.corrections import Correction, levels, resamples_needed
from harness.compare.exact import exact_p
from harness.compare.projections import Block, reached_on
from harness.compare.signed_sums import Draws
from harness.compare.signs import FIRST_MULTIPLE

MOST_TIMES = 16
"""Draws are raised to this many times the declared number at most, but in large families; what is open then is reported."""

_FACTOR = 4
_ERRORS = 3


def standard_error(p: NDArray[np.float64], resamples: int | NDArray[np.int64]) -> NDArray[np.float64]:
    """Monte-Carlo standard error of p-values from ``resamples`` draws: sqrt(p (1 - p) / B)."""
    return np.asarray(np.sqrt(p * (1 - p) / resamples))


def is_open(
    p: NDArray[np.float64], level: float | NDArray[np.float64], resamples: int | NDArray[np.int64]
) -> NDArray[np.bool_]:
    """Whether p lies within three Monte-Carlo standard errors of the level that decides: other draws could decide otherwise."""
    return is_near(p, level, standard_error(p, resamples))


def is_near(
    p: NDArray[np.float64], level: float | NDArray[np.float64], errors: NDArray[np.float64]
) -> NDArray[np.bool_]:
    """As ``is_open``, by the standard errors; an exact p, of error 0, is never open."""
    return np.asarray((errors > 0) & (np.abs(p - level) <= _ERRORS * errors))


def spans(resamples: int, most_times: int = MOST_TIMES) -> Iterator[tuple[int, int]]:
    """Numbers of draws, (first, last + 1): the declared ones, then so many more that all are four times as many, and so on.

    Later spans begin at a multiple of ``FIRST_MULTIPLE``, as signs must; the few numbers left out between are never drawn.
    """
    yield 0, resamples
    total, end = resamples, resamples
    while total * _FACTOR <= resamples * most_times:
        start = -(-end // FIRST_MULTIPLE) * FIRST_MULTIPLE
        end = start + total * (_FACTOR - 1)
        total *= _FACTOR
        yield start, end


def most_times(family_size: int, resamples: int, alpha: float) -> int:
    """How many times the declared draws a family's open tests may have: ``MOST_TIMES``, or so many more as its size needs.

    The strictest of the levels that p-values are held against is alpha / size. Most tests of a large family are decided by
    the declared draws all the same.
    """
    times = MOST_TIMES
    while resamples * times < resamples_needed(family_size, alpha):
        times *= _FACTOR
    return times


class Drawn(NamedTuple):
    """p-values of a family with the draws of each, shape (tests,), and how many tests stay open (see ``is_open``).

    ``resamples`` is 0 where p is exact.
    """

    p: NDArray[np.float64]
    resamples: NDArray[np.int64]
    undecided: int


def drawn_p_values(
    blocks: Sequence[Block], draws: Draws, correction: Correction, alpha: float, missing: int = 0
) -> Drawn:
    """Two-sided p-values of a family's sums; those that lie too near to what decides them are made exact, or have more draws.

    ``blocks``: a column for each test, in the order of the results; ``missing``: tests of the family that were not made. What
    decides a test is the level that the correction holds its p-value against. With the declared draws, p depends on its own
    column alone; how many more are drawn depends on the family.
    """
    columns = [(block, column) for block in blocks for column in range(block.contributions.shape[1])]
    tests = len(columns)
    counts, resamples = np.zeros(tests, np.int64), np.zeros(tests, np.int64)
    p = np.ones(tests)
    open_tests = np.arange(tests)
    exact: dict[int, float] = {}
    for span in spans(draws.resamples, most_times(tests + missing, draws.resamples, alpha)):
        more = Draws(span[1] - span[0], draws.seed, span[0])
        counts[open_tests] += reached_on(_chosen(blocks, open_tests), more)
        resamples[open_tests] += span[1] - span[0]
        p = (counts + 1) / (resamples + 1)
        p[list(exact)] = list(exact.values())
        for test in np.flatnonzero(is_open(p, levels(p, correction, alpha, missing), resamples)).tolist():
            block, column = columns[test]
            if test not in exact and (found := exact_p(block.contributions[:, column])) is not None:
                exact[test] = p[test] = found
        still = is_open(p, levels(p, correction, alpha, missing), resamples)
        still[list(exact)] = False
        open_tests = np.flatnonzero(still)
        if not open_tests.size:
            break
    resamples[list(exact)] = 0
    return Drawn(p, resamples, len(open_tests))


def _chosen(blocks: Sequence[Block], tests: NDArray[np.int64]) -> list[Block]:
    """The blocks with these of their columns alone; ``tests``: ascending numbers, over all blocks."""
    found, first = [], 0
    for block in blocks:
        stop = first + block.contributions.shape[1]
        own = tests[(tests >= first) & (tests < stop)] - first
        if own.size == stop - first:
            found.append(block)
        elif own.size:
            found.append(Block(block.contributions[:, own], block.units))
        first = stop
    return found
