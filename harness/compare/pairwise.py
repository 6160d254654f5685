"""Tests of two systems on one language, on paired differences: paired t, Wilcoxon's signed ranks, exact McNemar.

All take one difference per topic and the name of each topic's unit. Where units hold several topics, topics of a unit are
not independent, and tests work on units: the t test on sums (so that its numerator is the mean over topics, as in the
randomization test), Wilcoxon's on means (so that a unit counts once, whatever its size), and McNemar's is refused.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from harness.compare.units import tabulate
from harness.errors import InvalidInput

Test = Literal["randomization", "t", "wilcoxon", "mcnemar"]

_NO_VARIATION = 1e-12
_NO_MACRO = {
    "wilcoxon": (
        "Wilcoxon's signed-rank test cannot test a macro average: ranks of differences pooled over languages weigh "
        "languages by their number of topics, and their sum is not the mean of the languages' means"
    ),
    "mcnemar": (
        "McNemar's test cannot test a macro average: it counts topics, so that languages weigh by their number of "
        "topics, and versions of one topic in several languages are not independent"
    ),
}


@dataclass(frozen=True)
class Paired:
    """A two-sided test of paired differences.

    ``difference``: mean over topics; ``statistic``: t, Wilcoxon's smaller rank sum, or McNemar's smaller count;
    ``units``: how many entered the test; ``method``: what was computed, in words for a table's note.
    """

    test: Test
    difference: float
    statistic: float
    p: float
    units: int
    method: str


def check_macro_test(test: Test) -> None:
    """Raise ``InvalidInput`` with the reason when a test does not apply to a macro average."""
    if test in _NO_MACRO:
        raise InvalidInput(f"{_NO_MACRO[test]}; use the randomization test or the stratified t test")


def paired_t(differences: NDArray[np.float64], units: Sequence[str]) -> Paired:
    """Student's paired t test on unit sums (SciPy's ``ttest_1samp``).

    ``differences``: float64, shape (topics,). Identical systems have p = 1. Raises ``InvalidInput`` with fewer than two
    units, or when all unit sums are equal and not 0, since there is then no error to compare with.
    """
    sums = tabulate(differences, [""] * len(differences), units).sums[:, 0]
    mean = float(differences.mean())
    method = f"paired t on {len(sums)} unit sums, {len(sums) - 1} degrees of freedom"
    if len(sums) < 2:
        raise InvalidInput("a t test needs at least two units")
    if not sums.any():
        return Paired("t", mean, 0.0, 1.0, len(sums), method)
    # What rounding leaves of no variation at all counts as none.
    if np.ptp(sums) <= _NO_VARIATION * np.abs(sums).max():
        raise InvalidInput("all units differ by the same amount, so a t test has no error; use the randomization test")
    from scipy import stats  # here and below, since it takes long to import

    found = stats.ttest_1samp(sums, 0.0)
    return Paired("t", mean, float(found.statistic), float(found.pvalue), len(sums), method)


def wilcoxon(differences: NDArray[np.float64], units: Sequence[str]) -> Paired:
    """Wilcoxon's signed-rank test on unit means (SciPy's ``wilcoxon``).

    Zero differences are dropped before ranking (Wilcoxon 1945; SciPy's ``zero_method="wilcox"``), tied magnitudes get
    their mean rank, no continuity correction. The distribution is exact up to 50 units without ties, else normal with
    the variance corrected for ties. Means are rounded to 12 digits of the largest, so that differences that are equal but
    for rounding errors are ties. ``differences``: float64, shape (topics,). Identical systems have p = 1.
    """
    table = tabulate(differences, [""] * len(differences), units)
    means = table.sums[:, 0] / table.counts[:, 0]
    largest = float(np.abs(means).max())
    rounded = np.round(means / largest, 12) if largest else means
    nonzero = rounded[rounded != 0]
    mean = float(differences.mean())
    if not nonzero.size:
        return Paired("wilcoxon", mean, 0.0, 1.0, 0, "no unit differs")
    exact = nonzero.size <= 50 and len(np.unique(np.abs(nonzero))) == nonzero.size
    from scipy import stats

    found = stats.wilcoxon(nonzero, zero_method="wilcox", correction=False, method="exact" if exact else "asymptotic")
    dropped = f"{means.size - nonzero.size} of {means.size} unit means are zero and dropped"
    method = f"Wilcoxon signed ranks, {'exact' if exact else 'normal approximation'}; {dropped}"
    return Paired("wilcoxon", mean, float(found.statistic), float(found.pvalue), int(nonzero.size), method)


def mcnemar_exact(differences: NDArray[np.float64], units: Sequence[str]) -> Paired:
    """Exact McNemar test for hit or miss: the topics that only one system hits are fair coins (McNemar 1947; binomial).

    ``differences``: float64, shape (topics,), of hits: -1, 0 or 1. Raises ``InvalidInput`` when there are other values,
    or when a unit holds several topics: its topics are not independent coins, so the binomial distribution is wrong.
    """
    if not np.isin(differences, (-1.0, 0.0, 1.0)).all():
        raise InvalidInput("McNemar's test is for hit or miss; these scores are neither, use another test")
    if len(set(units)) < len(units):
        raise InvalidInput(
            "McNemar's test needs independent topics, but a unit holds several here: its topics are hit or missed "
            "together, so that the binomial distribution is wrong; use the randomization test"
        )
    wins, losses = int((differences > 0).sum()), int((differences < 0).sum())
    from scipy import stats

    p = float(stats.binomtest(wins, wins + losses, 0.5).pvalue) if wins + losses else 1.0
    mean = float(differences.mean()) if differences.size else 0.0
    method = f"exact McNemar, {wins} topics hit by the first alone, {losses} by the second"
    return Paired("mcnemar", mean, float(min(wins, losses)), p, wins + losses, method)
