"""Hits at the ends: intervals near 0 and 1, tests where few questions differ, and what a number of questions can show."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
from scipy import stats

from harness.compare.hit_intervals import hit_difference, hit_rate
from harness.compare.intervals import Interval
from harness.compare.pairwise import mcnemar_exact, paired_t
from harness.compare.projections import p_values
from validity_studies.simulation import Design, Sample, Truth, draw, unit_names
from validity_studies.tests_and_intervals import Plan, Table, bootstrap_limits

LANGUAGES = 7
RATES = (0.9, 0.95, 0.99, 0.998, 1.0)
INDEPENDENT = (20, 50, 80, 300)
SHARED = (10, 20, 40, 80)


def coverage_near_the_ends(
    plan: Plan,
    rates: Sequence[float] = RATES,
    independent: Sequence[int] = INDEPENDENT,
    shared: Sequence[int] = SHARED,
) -> Table:
    """Coverage of intervals of macro averages of hits where nearly all are hits, and of their differences."""
    rows = []
    lowest = {"with 20 units and more": 1.0, "with 10": 1.0}
    experiments = max(1, plan.experiments // 5)
    designs = [Design(f"{n} questions each", (n,) * LANGUAGES) for n in independent]
    designs += [
        Design(f"{n} parallel topics", (n,) * LANGUAGES, shared=True, correlation=correlation)
        for n in shared
        for correlation in (0.2, 0.5)
    ]
    few = replace(plan, resamples=min(plan.resamples, 999))
    for number, (design, rate) in enumerate((design, rate) for design in designs for rate in rates):
        covered = np.zeros(4)
        flat = 0
        for sample in draw(design, Truth("hits", 0.0, rate), experiments, plan.generator(9, number)):
            one, two = (_alone(sample, which) for which in ("first", "second"))
            for first, second in zip(one.tables(), two.tables(), strict=True):
                covered[0] += _holds(hit_rate(second), rate)
                covered[2] += _holds(hit_difference(second, first), 0.0)
            for column, (own, truth) in ((1, (two, rate)), (3, (sample, 0.0))):
                lower, upper = bootstrap_limits(own, few)
                covered[column] += int(((lower <= truth + 1e-12) & (truth - 1e-12 <= upper)).sum())
                flat += int((lower == upper).sum()) if column == 1 else 0
        shares = covered / experiments
        kind = "with 10" if design.units < 20 else "with 20 units and more"
        lowest[kind] = min(lowest[kind], shares[0], shares[2])
        between = f"{design.correlation:g}" if design.shared else "-"
        cells = [f"{100 * share:.1f}%" for share in shares]
        rows.append((design.name, between, f"{rate:g}", *cells, f"{100 * flat / experiments:.0f}%"))
    bounds = {"with 20 units and more": 0.91 - plan.tolerance, "with 10": 0.87 - plan.tolerance}
    return Table(
        "Coverage of 95% intervals of macro averages of hits near 1",
        f"Seven languages, {experiments} experiments (a coverage of 95% has a standard error of "
        f"{100 * np.sqrt(0.95 * 0.05 / experiments):.1f} points). Wilson's and Newcombe's with the number of independent "
        "topics that the variance leaves, as pages print them; the percentile bootstrap of units, which they printed before, "
        "and how often its interval of the rate had no width. The difference is to an equally good system. Rates near 0 are "
        "the same.",
        (
            "design",
            "correlation",
            "rate",
            "Wilson, rate",
            "bootstrap, rate",
            "Newcombe, difference",
            "bootstrap, difference",
            "bootstrap without width",
        ),
        tuple(rows),
        tuple(
            (f"Wilson's and Newcombe's cover {100 * bound:.0f}% and more {kind}", bool(lowest[kind] >= bound))
            for kind, bound in bounds.items()
        ),
    )


def _alone(sample: Sample, which: str) -> Sample:
    """One system's scores as differences from 0."""
    own = sample.first if which == "first" else sample.second
    return replace(sample, first=[np.zeros_like(values) for values in own], second=own)


def _holds(interval: Interval, truth: float) -> bool:
    return interval.lower - 1e-12 <= truth <= interval.upper + 1e-12


def rare_discordance(plan: Plan, topics: int = 80, discordant: Sequence[int] = range(3, 11)) -> Table:
    """False positives of tests of one language of hits, given how many questions two equal systems differ on: exact."""
    rows, fine = [], True
    for count in discordant:
        chances = stats.binom.pmf(np.arange(count + 1), count, 0.5)
        rates = np.zeros(3)
        for wins, chance in enumerate(chances):
            values = np.array([1.0] * wins + [-1.0] * (count - wins) + [0.0] * (topics - count))
            names = unit_names(topics)
            drawn = float(p_values(values[:, None], names, 9999, plan.seed)[0])
            found = (drawn, mcnemar_exact(values, names).p, paired_t(values, names).p)
            rates += [chance * (p <= 0.05) for p in found]
        fine &= bool(rates[:2].max() <= 0.05)
        rows.append((str(count), *(f"{100 * rate:.1f}%" for rate in rates)))
    return Table(
        f"False positives at 5% where two systems differ on few of {topics} questions",
        "Hits of one language, neither system better; exact over all outcomes (the randomization test has 9,999 resamples). "
        "Pages test one language of hits by McNemar's exact test.",
        ("questions that differ", "randomization", "McNemar, exact", "t"),
        tuple(rows),
        (("randomization and McNemar never above 5%", fine),),
    )


def what_questions_can_show(plan: Plan, sizes: Sequence[int] = (80, 160, 309, 1190)) -> Table:
    """The smallest true difference of two hit rates that a test finds in four of five cases; exact, one language."""
    rows = []
    for topics in sizes:
        for share in (0.1, 0.2, 0.3, 0.4):
            cells = [_smallest_difference(topics, share, level) for level in (0.05, 0.05 / 6, 0.05 / 42)]
            observed = [_smallest_observed(round(topics * share), level) / topics for level in (0.05, 0.05 / 42)]
            shown = ["-" if cell is None else f"{100 * cell:.0f}" for cell in cells]
            rows.append((str(topics), f"{share:.0%}", *shown, *(_points(cell) for cell in observed)))
    return Table(
        "What a number of questions can show",
        "One language of hits, McNemar's exact test; exact. By the share of questions on which the two systems differ at all: "
        "the smallest true difference, in points, that is found with a probability of 80% at a level of 5%, at 5% of six tests "
        "(the strictest step of Holm), and of 42; and the smallest observed difference that reaches 5%, alone and of 42. "
        "-: none, even if one system won all of them.",
        (
            "questions",
            "of them differ",
            "80% power, one test",
            "80% power, 6 tests",
            "80% power, 42 tests",
            "reaches 5%, one test",
            "reaches 5%, 42 tests",
        ),
        tuple(rows),
        (),
    )


def _points(value: float) -> str:
    return "-" if np.isnan(value) else f"{100 * value:.1f}"


def _smallest_observed(discordant: int, level: float) -> float:
    for wins in range((discordant + 1) // 2, discordant + 1):
        if stats.binomtest(wins, discordant).pvalue <= level:
            return 2.0 * wins - discordant
    return float("nan")


def _smallest_difference(topics: int, share: float, level: float) -> float | None:
    """In steps of a point; ``share`` is the probability that the two systems differ on a question."""
    for difference in _steps(share):
        if _power(topics, share, difference, level) >= 0.8:
            return difference
    return None


def _steps(share: float) -> Iterator[float]:
    yield from (points / 100 for points in range(1, round(100 * share) + 1))


def _power(topics: int, share: float, difference: float, level: float) -> float:
    """The number of questions that differ is binomial, and of these the number of wins."""
    discordant = np.arange(1, topics + 1)
    critical = np.array([_most_losses(int(count), level) for count in discordant])
    better = (share + difference) / 2 / share
    tails = stats.binom.cdf(critical, discordant, 1 - better) + stats.binom.cdf(critical, discordant, better)
    return float(stats.binom.pmf(discordant, topics, share) @ tails)


@functools.cache
def _most_losses(discordant: int, level: float) -> int:
    """Most losses with which the other side is significantly better; -1 where none are few enough."""
    critical = int(stats.binom.ppf(level / 2, discordant, 0.5))
    while critical >= 0 and 2 * stats.binom.cdf(critical, discordant, 0.5) > level:
        critical -= 1
    return critical
