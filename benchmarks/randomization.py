"""The tests of a whole leaderboard, by the functions that `xdr compare` calls for one measure, against one test by the peers.

Ours are all tests of the table: every system against the baseline, and all pairs at once, each on every language and on the
macro average. No peer tests more than one pair at a time: the table says how small a part of the work theirs is.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats
from table import Row
from timing import shortest

from harness.compare.all_pairs import Column, all_pairs_of
from harness.compare.projections import p_values

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
    differences = np.delete(
        contributions - np.repeat(contributions[:, ::systems], systems, axis=1), np.s_[::systems], axis=1
    )
    one, two = scores[0, :, 0], scores[0, :, 1]
    macro = contributions[:, -systems:]
    # A column's units are those of its language, as where a track is compared.
    columns = [
        Column(scores[number] / queries, [f"{number}-{topic}" for topic in range(queries)])
        for number in range(languages)
    ]
    ours = shortest(
        [
            lambda: p_values(differences, units, resamples, _SEED),
            lambda: all_pairs_of([*columns, Column(macro, units)], flips, _SEED, most_times=1),
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
    pairs = systems * (systems - 1) // 2 * (languages + 1)
    return [
        Row(
            f"{resamples:,} randomizations, {sizes}: {differences.shape[1]:,} tests against the baseline, every language and "
            "the macro average",
            ours[0],
            "SciPy's `permutation_test`, 1 test of 1 language",
            theirs[0],
        ),
        Row(
            f"max-T with {flips:,} resamples, {sizes}: {pairs:,} tests, all pairs on every language and the macro "
            "average",
            ours[1],
            f"a loop over NumPy's `choice`, {flips // 10:,} resamples of the macro average's {systems * (systems - 1) // 2}",
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
