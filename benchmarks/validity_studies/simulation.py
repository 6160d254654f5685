"""Made-up scores with known truth: systems that differ by a given amount, on topics of a given design."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from harness.compare.units import UnitTable

Kind = Literal["continuous", "hits"]

_DIFFICULTY = 0.3  # share of a score's variance that is the topic's, the same for both systems
_BATCH_VALUES = 1_000_000


@dataclass(frozen=True)
class Design:
    """How topics are sampled.

    ``sizes``: topics of each language; ``shared``: the languages have the same topics; ``correlation``: of the continuous
    differences of a topic between two languages (0 unless shared); ``cluster``: topics of a unit, which divides all
    sizes; ``within``: the correlation of the differences of a unit's topics.
    """

    name: str
    sizes: tuple[int, ...]
    shared: bool = False
    correlation: float = 0.0
    cluster: int = 1
    within: float = 0.0

    @property
    def topics(self) -> int:
        return sum(self.sizes)

    @property
    def units(self) -> int:
        return (self.sizes[0] if self.shared else self.topics) // self.cluster


@dataclass(frozen=True)
class Truth:
    """Scores are normal with mean 0 and ``effect`` (in standard deviations), or hits with ``rate`` and rate + effect."""

    kind: Kind
    effect: float = 0.0
    rate: float = 0.5


@dataclass(frozen=True)
class Sample:
    """Paired scores of some experiments.

    ``first`` and ``second``: for each language float64, shape (experiments, topics); differences are second - first.
    """

    design: Design
    first: list[NDArray[np.float64]]
    second: list[NDArray[np.float64]]

    @property
    def experiments(self) -> int:
        return int(self.first[0].shape[0])

    @property
    def differences(self) -> list[NDArray[np.float64]]:
        return [two - one for one, two in zip(self.first, self.second, strict=True)]

    def contributions(self, shared: bool) -> NDArray[np.float64]:
        """Units' shares of the macro average, shape (units, experiments), as ``projections.project`` takes them.

        ``shared`` false gives every language units of its own, which is wrong for shared topics.
        """
        languages = len(self.design.sizes)
        shares = [sums / (languages * size) for sums, size in zip(self._unit_sums(), self.design.sizes, strict=True)]
        if shared:
            return np.asarray(np.sum(shares, axis=0).T)
        return np.concatenate(shares, axis=1).T

    def tables(self) -> Iterator[UnitTable]:
        """The differences of each experiment, as the t test and the bootstrap take them."""
        design, all_sums = self.design, self._unit_sums()
        names = tuple(unit_names(design.units))
        languages = tuple(f"l{number}" for number in range(len(design.sizes)))
        if design.shared:
            stacked = np.stack(all_sums, axis=2)
            counts = np.full(stacked.shape[1:], design.cluster)
            yield from (UnitTable(names, languages, sums, counts) for sums in stacked)
            return
        column = np.repeat(np.arange(len(languages)), [sums.shape[1] for sums in all_sums])
        inside = column[:, None] == np.arange(len(languages))
        joined = np.concatenate(all_sums, axis=1)
        counts = inside * design.cluster
        yield from (UnitTable(names, languages, values[:, None] * inside, counts) for values in joined)

    def _unit_sums(self) -> list[NDArray[np.float64]]:
        """For each language shape (experiments, units of the language)."""
        shape = (self.experiments, -1, self.design.cluster)
        return [values.reshape(shape).sum(axis=2) for values in self.differences]


def unit_names(units: int) -> list[str]:
    """Names whose order is their number's."""
    return [f"{number:07d}" for number in range(units)]


def draw(design: Design, truth: Truth, experiments: int, generator: np.random.Generator) -> Iterator[Sample]:
    """Samples that together are ``experiments`` experiments, some at a time.

    A latent score is the sum of independent normal parts: the topic's difficulty (both systems), the system on the topic
    (all languages), the system on the unit (all languages where shared), and the rest; its variance is 1. A hit is a
    latent score above the quantile that makes its rate. Without effect the two systems are exchangeable.
    """
    size = max(1, min(experiments, _BATCH_VALUES // design.topics))
    for start in range(0, experiments, size):
        yield _sample(design, truth, min(size, experiments - start), generator)


def _sample(design: Design, truth: Truth, experiments: int, generator: np.random.Generator) -> Sample:
    free = 1 - _DIFFICULTY
    variances = (_DIFFICULTY, free * design.correlation, free * design.within)
    rest = np.sqrt(1 - sum(variances))
    shared: dict[str, NDArray[np.float64]] = {}
    first: list[NDArray[np.float64]] = []
    second: list[NDArray[np.float64]] = []
    for size in design.sizes:

        def part(name: str, variance: float, repeat: int = 1, size: int = size) -> NDArray[np.float64] | float:
            if variance == 0:
                return 0.0
            if name not in shared or not design.shared:
                values = generator.standard_normal((experiments, size // repeat)) * np.sqrt(variance)
                shared[name] = np.repeat(values, repeat, axis=1)
            return shared[name]

        difficulty = part("difficulty", variances[0])
        for number, scores in enumerate((first, second)):
            latent = difficulty + rest * generator.standard_normal((experiments, size))
            latent += part(f"topic {number}", variances[1])
            latent += part(f"unit {number}", variances[2], design.cluster)
            scores.append(_observed(latent, truth, number))
    return Sample(design, first, second)


def _observed(latent: NDArray[np.float64], truth: Truth, number: int) -> NDArray[np.float64]:
    effect = number * truth.effect
    if truth.kind == "continuous":
        return latent + effect
    return np.asarray(latent > stats.norm.isf(truth.rate + effect), dtype=np.float64)
