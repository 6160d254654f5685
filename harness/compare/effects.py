"""How large a difference is, beside whether there is one: effect sizes on paired differences, and win/tie/loss."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from harness.compare.hits import PairedHits
from harness.errors import InvalidInput


@dataclass(frozen=True)
class Counts:
    """Topics on which the first system is better, equal, worse."""

    wins: int
    ties: int
    losses: int


@dataclass(frozen=True)
class OddsRatio:
    """``ratio`` is infinite where only the first system has hits of its own, nan where neither has."""

    ratio: float
    lower: float
    upper: float


def win_tie_loss(differences: NDArray[np.float64]) -> Counts:
    """Signs of the differences, float64, shape (topics,). Raises ``InvalidInput`` when one is not finite."""
    _checked(differences)
    return Counts(int((differences > 0).sum()), int((differences == 0).sum()), int((differences < 0).sum()))


def cohen_dz(differences: NDArray[np.float64]) -> float:
    """Mean of the differences over their standard deviation (divisor n - 1), without unit.

    Cohen 1988; named d_z by Lakens 2013; for retrieval Sakai, Laboratory Experiments in Information Retrieval, 2018. Times
    sqrt(n) it is the paired t. 0 when all differences are 0, signed infinity when all are equal and not 0. Raises
    ``InvalidInput`` for fewer than two differences.
    """
    _checked(differences)
    if differences.size < 2:
        raise InvalidInput("an effect size needs at least two topics")
    mean = float(differences.mean())
    if np.ptp(differences) == 0:
        return math.copysign(math.inf, mean) if mean else 0.0
    return mean / float(differences.std(ddof=1))


def probability_of_superiority(differences: NDArray[np.float64]) -> float:
    """P(the first system is better on a topic) + P(tie) / 2, in [0, 1]; 0.5 is no effect (Grissom and Kim 2012)."""
    counts = win_tie_loss(differences)
    if not differences.size:
        raise InvalidInput("an effect size needs at least one topic")
    return (counts.wins + counts.ties / 2) / differences.size


def rank_biserial(differences: NDArray[np.float64]) -> float:
    """Matched-pairs rank-biserial correlation, in [-1, 1]: (W+ - W-) / (W+ + W-) over Wilcoxon's ranks (Kerby 2014).

    Zero differences are dropped, as in Wilcoxon's test; 0 when nothing is left.
    """
    _checked(differences)
    nonzero = differences[differences != 0]
    if not nonzero.size:
        return 0.0
    # Equal but for rounding errors is a tie, as in pairwise.wilcoxon.
    ranks = stats.rankdata(np.round(np.abs(nonzero) / np.abs(nonzero).max(), 12))
    return float((ranks * np.sign(nonzero)).sum() / ranks.sum())


def odds_ratio(table: PairedHits, level: float = 0.95) -> OddsRatio:
    """Conditional odds ratio of McNemar's table, only first / only second, with its exact interval.

    The first system's share of the topics that only one hits is binomial; its Clopper-Pearson limits p become odds
    p / (1 - p) (Breslow and Day 1980, section 5.2).
    """
    wins, losses = table.only_first, table.only_second
    if not wins + losses:
        return OddsRatio(math.nan, 0.0, math.inf)
    exact = stats.binomtest(wins, wins + losses).proportion_ci(level, method="exact")
    return OddsRatio(wins / losses if losses else math.inf, _odds(exact.low), _odds(exact.high))


def _odds(probability: float) -> float:
    return float(probability / (1 - probability)) if probability < 1 else math.inf


def _checked(differences: NDArray[np.float64]) -> None:
    if not np.isfinite(differences).all():
        raise InvalidInput("differences of scores must be finite numbers")
