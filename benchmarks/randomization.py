"""The randomization tests of a whole leaderboard, and the test of all pairs at once, against one test by the peers.

Ours are all tests of the table: every system against the baseline and all pairs, on every language and on the macro average.
No peer tests more than one pair at a time: the table says how small a part of the work theirs is.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats
from table import Row
from timing import shortest

from harness.compare.all_pairs import all_pairs
from harness.compare.projections import project

_SEED = 20230723


def rows(
    resamples: int = 100_000, systems: int = 20, languages: int = 7, queries: int = 2_000, flips: int = 10_000
) -> list[Row]:
    """Continuous scores (the harder case; hits need fewer digits), independent topics; ``flips``: resamples of max-T."""
    generator = np.random.default_rng(_SEED)
    quality = np.linspace(0, 0.02, systems)
    scores = generator.random((languages, queries, 1)) + 0.3 * generator.random((languages, queries, systems)) + quality
    contributions, units = _contributions(scores)
    columns = contributions.shape[1]
    pairs = [
        (start + one, start + two)
        for start in range(0, columns, systems)
        for one in range(systems)
        for two in range(one)
    ]
    one, two = scores[0, :, 0], scores[0, :, 1]
    macro = contributions[:, -systems:]
    ours = shortest(
        [
            lambda: project(contributions, units, resamples, _SEED).pair_p_values(pairs),
            lambda: all_pairs(macro, units, flips, _SEED),
        ]
    )
    # Once: they take minutes.
    theirs = shortest(
        [
            lambda: stats.permutation_test(
                (one, two),
                _mean_difference,
                permutation_type="samples",
                vectorized=True,
                batch=1_000,
                n_resamples=resamples,
                rng=_SEED,
            ),
            lambda: _max_t_by_loop(macro, flips // 10),
        ],
        rounds=1,
    )
    sizes = f"{systems} systems x {languages} languages x {queries:,} queries"
    return [
        Row(
            f"{resamples:,} randomizations, {sizes}: {len(pairs):,} tests, all pairs on every language and the macro average",
            ours[0],
            "SciPy's `permutation_test`, 1 test of 1 language",
            theirs[0],
        ),
        Row(
            f"max-T with {flips:,} resamples, {sizes}, macro average",
            ours[1],
            f"a loop over NumPy's `choice`, {flips // 10:,} resamples",
            theirs[1],
        ),
    ]


def _contributions(scores: NDArray[np.float64]) -> tuple[NDArray[np.float64], list[str]]:
    """Columns: the systems on every language, then the systems' macro averages; rows: the topics of all languages."""
    languages, queries, systems = scores.shape
    single = np.zeros((languages, queries, languages, systems))
    for number in range(languages):
        single[number, :, number] = scores[number]
    flat = single.reshape(languages * queries, languages * systems)
    macro = scores.reshape(languages * queries, systems) / (languages * queries)
    units = [f"{number}-{topic}" for number in range(languages) for topic in range(queries)]
    return np.concatenate([flat, macro], axis=1), units


def _mean_difference(one: Any, two: Any, axis: int) -> Any:
    return np.mean(one - two, axis=axis)


def _max_t_by_loop(contributions: NDArray[np.float64], resamples: int) -> list[float]:
    """As one would write it down: every pair's differences, one assignment of signs after the other."""
    generator = np.random.default_rng(_SEED)
    one, two = np.triu_indices(contributions.shape[1], 1)
    differences = contributions[:, one] - contributions[:, two]
    scales = np.sqrt((differences**2).sum(axis=0))
    signs = (generator.choice((-1.0, 1.0), len(contributions)) for _ in range(resamples))
    return [float(np.abs(flips @ differences / scales).max()) for flips in signs]
