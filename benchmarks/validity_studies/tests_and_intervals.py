"""Are the tests and intervals what they say? Measured on made-up scores whose truth is known, with the real functions.

Every study returns a table and whether it met what it must meet. The signs and draws come from one fixed seed, as they do
in a track; the scores of every experiment are new.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from harness.compare.intervals import Interval, resampled_means, wilson
from harness.compare.pairwise import Paired, mcnemar_exact, paired_t, wilcoxon
from harness.compare.projections import reached
from harness.compare.signed_sums import Draws
from harness.compare.stratified import macro_t
from validity_studies.paired_hits import PairedHits, newcombe, tango
from validity_studies.simulation import Design, Sample, Truth, draw, unit_names

LEVELS = (0.01, 0.05, 0.1)
XOR_RETRIEVE_SIZES = (309, 304, 314, 241, 285, 237, 238)


@dataclass(frozen=True)
class Plan:
    """``experiments`` of each line of a table, ``resamples`` of each test or interval, and the seed of everything.

    ``tolerance``: how far rates may lie from what they should be; wider where experiments are few.
    """

    experiments: int = 4000
    resamples: int = 1999
    seed: int = 20230723
    tolerance: float = 0.01

    def generator(self, *study: int) -> np.random.Generator:
        return np.random.default_rng([self.seed, *study])


@dataclass(frozen=True)
class Table:
    """``claims`` are sentences with whether the figures bear them out."""

    title: str
    text: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    claims: tuple[tuple[str, bool], ...]


def one_language_p_values(plan: Plan) -> Table:
    """Null distribution of p on one language: uniform for continuous scores, never too small for hits."""
    rows, claims = [], []
    for number, (kind, topics) in enumerate([("continuous", 50), ("continuous", 200), ("hits", 50), ("hits", 200)]):
        truth = Truth("continuous" if kind == "continuous" else "hits")
        design = Design(f"one language, {topics} topics", (topics,))
        tests: dict[str, Callable[[Sample], NDArray[np.float64]]] = {
            "randomization": lambda sample: randomization(sample, plan),
            "t": lambda sample: _each(paired_t, sample),
            "Wilcoxon": lambda sample: _each(wilcoxon, sample),
        }
        if kind == "hits":
            tests["McNemar"] = _mcnemar
        for name, test in tests.items():
            samples = draw(design, truth, plan.experiments, plan.generator(1, number))
            p = np.concatenate([test(sample) for sample in samples])
            uniform = float(stats.kstest(p, "uniform").pvalue)
            rates = [float((p <= level).mean()) for level in LEVELS]
            shown = f"{uniform:.3f}" if kind == "continuous" else "-"
            rows.append((design.name, kind, name, *(f"{100 * rate:.2f}%" for rate in rates), shown))
            if name != "randomization":
                continue
            if kind == "continuous":
                claims.append((f"{design.name}: p-values uniform (KS p > 0.001)", uniform > 0.001))
            else:
                bounds = [level + 3 * np.sqrt(level * (1 - level) / plan.experiments) for level in LEVELS]
                fine = all(rate <= bound for rate, bound in zip(rates, bounds, strict=True))
                claims.append((f"{design.name}, hits: P(p <= a) <= a + 3 standard errors", fine))
    return Table(
        "p-values without a difference, one language",
        "Share of experiments with p <= 0.01, 0.05 and 0.10, and the Kolmogorov-Smirnov test against the uniform "
        "distribution. Hits are discrete, so their rates may lie below the level.",
        ("design", "scores", "test", *(f"p <= {level}" for level in LEVELS), "KS p"),
        tuple(rows),
        tuple(claims),
    )


def macro_designs(topics: int = 200, languages: int = 7) -> list[Design]:
    sizes = (topics,) * languages
    return [
        Design("independent", sizes),
        Design("independent, sizes of XOR-Retrieve", XOR_RETRIEVE_SIZES),
        Design("parallel, correlation 0.2", sizes, shared=True, correlation=0.2),
        Design("parallel, correlation 0.5", sizes, shared=True, correlation=0.5),
        Design("clusters of 5 inside languages", sizes, cluster=5, within=0.3),
        Design("parallel clusters of 5", sizes, shared=True, correlation=0.2, cluster=5, within=0.3),
    ]


def macro_false_positives(plan: Plan) -> Table:
    """Rate of p <= 0.05 on a macro average without a difference."""
    rows, claims = [], []
    truths = (Truth("continuous"), Truth("hits"))
    for number, design in enumerate(macro_designs()):
        for truth in truths:
            wrong_design = replace(design, cluster=1, shared=False)
            found: dict[str, list[NDArray[np.float64]]] = {"right": [], "t": [], "wrong": []}
            correlations = []
            for sample in draw(design, truth, plan.experiments, plan.generator(2, number, truths.index(truth))):
                found["right"].append(randomization(sample, plan))
                found["t"].append(stratified_t(sample))
                found["wrong"].append(randomization(replace(sample, design=wrong_design), plan))
                correlations.append(_correlation(sample))
            rates = {name: float((np.concatenate(p) <= 0.05).mean()) for name, p in found.items()}
            between = f"{np.mean(correlations):.2f}" if design.shared else "-"
            shown = [f"{100 * rates[name]:.2f}%" for name in ("right", "t", "wrong")]
            rows.append((design.name, truth.kind, between, *shown))
            # Sums of hits lie on a lattice: their rates may lie below the level, which is no error.
            lower = 0.0 if truth.kind == "hits" else 0.05 - plan.tolerance
            fine = lower <= rates["right"] <= max(0.06, 0.05 + plan.tolerance)
            bound = (
                f"at most {100 * (0.05 + plan.tolerance):g}%"
                if truth.kind == "hits"
                else f"within 5% +- {100 * plan.tolerance:g}%"
            )
            claims.append((f"{design.name}, {truth.kind}: randomization {bound}", fine))
    return Table(
        "False positives of macro averages at 5%",
        "Seven languages, no difference. Randomization and stratified t with units as declared; last column: "
        "the same randomization test if every topic of every language got a sign of its own, which is wrong for parallel "
        "and clustered topics (and the same test for others). Correlation: of a topic's differences between two languages, "
        "measured. Hits are discrete, so that their rates may lie below the level.",
        ("design", "scores", "correlation", "randomization", "stratified t", "topics taken as independent"),
        tuple(rows),
        tuple(claims),
    )


def macro_coverage(
    plan: Plan, sizes: Sequence[int] = (50, 100, 200, 500), rates: Sequence[float] = (0.02, 0.05, 0.1, 0.3, 0.5, 0.9)
) -> Table:
    """Coverage of 95% intervals of macro averages of hits."""
    rows, inside = [], True
    for number, (topics, rate) in enumerate((topics, rate) for topics in sizes for rate in rates):
        cells = []
        for column, shared in enumerate((False, True)):
            design = Design("", (topics,) * 7, shared=shared, correlation=0.2 if shared else 0.0)
            effect = 0.05 if rate < 0.9 else -0.05
            samples = draw(design, Truth("hits", effect, rate), plan.experiments, plan.generator(3, number, column))
            covered: list[tuple[NDArray[np.bool_], ...]] = []
            for sample in samples:
                single = replace(sample, first=[np.zeros_like(one) for one in sample.first], second=sample.first)
                covered.append((_covers(single, rate, plan), _covers(sample, effect, plan), _t_covers(sample, effect)))
            cells += [float(np.concatenate(kind).mean()) for kind in zip(*covered, strict=True)]
        rows.append((str(topics), f"{rate:g}", *(f"{100 * cell:.1f}%" for cell in cells)))
        if topics >= 200 and 0.1 <= rate <= 0.9:
            bootstraps = [cells[0], cells[1], cells[3], cells[4]]
            inside &= all(abs(cell - 0.95) <= plan.tolerance for cell in bootstraps)
    low, high = 95 - 100 * plan.tolerance, 95 + 100 * plan.tolerance
    kinds = ("bootstrap, rate", "bootstrap, difference", "stratified t, difference")
    return Table(
        "Coverage of 95% intervals of macro averages",
        "Seven languages; hits with the given rate, and the difference to a second system 5 points better (5 points worse "
        "at rate 0.9). Topics are independent, or parallel with latent correlation 0.2.",
        ("topics per language", "rate", *(f"{kind}, {how}" for how in ("independent", "parallel") for kind in kinds)),
        tuple(rows),
        ((f"bootstrap coverage {low:g}-{high:g}% for n >= 200 and rates in [0.1, 0.9]", inside),),
    )


def one_language_coverage(plan: Plan) -> Table:
    """Coverage of the closed-form intervals for hits on one language."""
    rows = []
    for number, (topics, rate) in enumerate(
        (topics, rate) for topics in (50, 200, 500) for rate in (0.02, 0.1, 0.5, 0.9)
    ):
        effect = 0.05 if rate < 0.9 else -0.05
        tables: list[PairedHits] = []
        for sample in draw(
            Design("", (topics,)), Truth("hits", effect, rate), plan.experiments, plan.generator(4, number)
        ):
            one, two = sample.second[0] == 1, sample.first[0] == 1
            counts = np.stack(
                [(one & two).sum(1), (one & ~two).sum(1), (~one & two).sum(1), (~one & ~two).sum(1)], axis=1
            )
            tables += [PairedHits(*map(int, row)) for row in counts]
        # Many experiments have the same fourfold table; each is worked out once.
        known = {
            table: (
                _inside(wilson(table.both + table.only_second, topics), rate),
                _inside(newcombe(table), effect),
                _inside(tango(table), effect),
            )
            for table in set(tables)
        }
        shares = np.mean([known[table] for table in tables], axis=0)
        rows.append((str(topics), f"{rate:g}", *(f"{100 * share:.1f}%" for share in shares)))
    return Table(
        "Coverage of 95% intervals of hits, one language",
        "Independent topics; rate of one system (Wilson), difference to a second as in the table above (Newcombe's "
        "method 10, Tango).",
        ("topics", "rate", "Wilson, rate", "Newcombe, difference", "Tango, difference"),
        tuple(rows),
        (),
    )


def power(plan: Plan, sizes: Sequence[int] = (50, 100, 200, 500, 1000, 2000)) -> Table:
    """How often a true difference of hits is found at 5%."""
    rows = []
    experiments = max(1, plan.experiments // 5)
    for number, (effect, topics) in enumerate((effect, topics) for effect in (0.02, 0.05) for topics in sizes):
        designs = (
            (Design("", (topics,)), _mcnemar),
            (Design("", (topics,) * 7), stratified_t),
            (Design("", (topics,) * 7, shared=True, correlation=0.5), stratified_t),
        )
        shown = []
        for column, (design, other) in enumerate(designs):
            found = [0, 0]
            for sample in draw(design, Truth("hits", effect), experiments, plan.generator(5, number, column)):
                found[0] += int((randomization(sample, plan) <= 0.05).sum())
                found[1] += int((other(sample) <= 0.05).sum())
            shown += [f"{100 * count / experiments:.1f}%" for count in found]
        rows.append((f"{effect:g}", str(topics), *shown))
    return Table(
        "Power at 5%",
        f"Hit rates 0.5 and 0.5 + difference, {experiments} experiments; one language, and macro averages of seven with "
        "independent topics and with parallel ones (latent correlation 0.5).",
        (
            "difference",
            "topics per language",
            "one: randomization",
            "one: McNemar",
            "macro: randomization",
            "macro: t",
            "parallel: randomization",
            "parallel: t",
        ),
        tuple(rows),
        (),
    )


def agreement(plan: Plan) -> Table:
    """Randomization against stratified t on the same scores, with a small true difference."""
    rows, close = [], True
    careful = replace(plan, resamples=5 * plan.resamples + 4)
    experiments = max(1, plan.experiments // 5)
    for number, design in enumerate([*macro_designs(50)[::2], *macro_designs(200)]):
        samples = list(draw(design, Truth("hits", 0.02), experiments, plan.generator(6, number)))
        one = np.concatenate([randomization(sample, careful) for sample in samples])
        two = np.concatenate([stratified_t(sample) for sample in samples])
        distance = np.abs(one - two)
        same = float(((one <= 0.05) == (two <= 0.05)).mean())
        row = [f"{float(np.quantile(distance, q)):.4f}" for q in (0.5, 0.95, 1)]
        rows.append((design.name, str(design.sizes[0]), str(design.units), *row, f"{100 * same:.1f}%"))
        close &= same >= 0.95
    return Table(
        "Agreement of randomization and stratified t",
        f"Hits, difference 0.02, {experiments} experiments, {careful.resamples} resamples: distance of the two p-values "
        "(median, 95th percentile, largest) and share of equal decisions at 5%.",
        ("design", "topics per language", "units", "median", "95%", "largest", "same decision"),
        tuple(rows),
        (("the two tests decide alike in at least 95% of experiments of every design", close),),
    )


STUDIES: tuple[Callable[[Plan], Table], ...] = (
    one_language_p_values,
    macro_false_positives,
    macro_coverage,
    one_language_coverage,
    power,
    agreement,
)


def randomization(sample: Sample, plan: Plan) -> NDArray[np.float64]:
    """p-values of the randomization test, shape (experiments,), with the units that the sample's design declares."""
    contributions = sample.contributions(sample.design.shared)
    names = unit_names(len(contributions))
    counts = reached(contributions, names, Draws(plan.resamples, plan.seed), threads=1)
    return np.asarray((counts + 1) / (plan.resamples + 1))


def stratified_t(sample: Sample) -> NDArray[np.float64]:
    return np.array([macro_t(table).p for table in sample.tables()])


def bootstrap_limits(sample: Sample, plan: Plan) -> NDArray[np.float64]:
    """Limits as ``intervals.bootstrap`` gives them, shape (2, experiments), for topics that are units of their own."""
    design = sample.design
    per_language = []
    for number, values in enumerate(sample.differences):
        key = f"{plan.seed}" if design.shared else f"{plan.seed}\0l{number}"
        counts = np.ones((values.shape[1], 1), dtype=np.int64)
        per_language.append(resampled_means(values.T, counts, plan.resamples + 1, key))
    return np.asarray(np.quantile(np.mean(per_language, axis=0), (0.025, 0.975), axis=0))


def _mcnemar(sample: Sample) -> NDArray[np.float64]:
    return _each(mcnemar_exact, sample)


def _covers(sample: Sample, truth: float, plan: Plan) -> NDArray[np.bool_]:
    lower, upper = bootstrap_limits(sample, plan)
    return np.asarray((lower <= truth + 1e-12) & (truth - 1e-12 <= upper))


def _t_covers(sample: Sample, truth: float) -> NDArray[np.bool_]:
    limits = np.array([macro_t(table).interval for table in sample.tables()])
    return np.asarray((limits[:, 0] <= truth) & (truth <= limits[:, 1]))


def _inside(interval: Interval, truth: float) -> bool:
    return interval.lower <= truth <= interval.upper


def _each(test: Callable[[NDArray[np.float64], Sequence[str]], Paired], sample: Sample) -> NDArray[np.float64]:
    """p-values of a test of one language, shape (experiments,)."""
    names = unit_names(sample.design.units)
    return np.array([test(values, names).p for values in sample.differences[0]])


def _correlation(sample: Sample) -> float:
    """Correlation of the differences of the first two languages."""
    one, two = sample.differences[:2]
    return float(np.corrcoef(one.ravel(), two.ravel())[0, 1]) if sample.design.shared else 0.0
