"""The test of drops: does it hold its level, which tests by signs would, too, and what drop does it find?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special

from harness.compare.choices import as_if_clean, rechosen
from harness.compare.drops import smallest_detectable
from harness.compare.projections import p_values
from harness.compare.signed_sums import Draws
from validity_studies.tests_and_intervals import Plan, Table

LANGUAGES = 7
MODERATE = 0.9
"""Above this rate hits vary more after a drop than before, and the smallest drop comes out too small."""
SMALLEST_OF = 20
"""Experiments for which the smallest drop that could be found is simulated."""


@dataclass(frozen=True)
class Perturbed:
    """Hits of ``units`` topics in seven languages, clean and in R draws, by the signs of latent normal scores.

    A score is what the topic has in all languages and versions (a fifth of the variance), what it has in a language, and what
    a version adds (``own`` of the variance). ``from_clean``: the draws are the clean score with noise of their own, so that
    they lie further from each other than from it: of the same mean, and not exchangeable.
    """

    name: str
    units: int
    draws: int
    rate: float
    own: float = 0.2
    from_clean: bool = False

    def hits(self, experiments: int, drop: float, generator: np.random.Generator) -> NDArray[np.float64]:
        """Shape (experiments, units, 1 + R): a unit's hits over the languages, the clean version first."""
        shape = (experiments, self.units, LANGUAGES)
        topic = np.sqrt(0.2) * generator.standard_normal((experiments, self.units, 1))
        shared = topic + np.sqrt(0.8 - self.own) * generator.standard_normal(shape)
        versions = np.empty((experiments, self.units, 1 + self.draws))
        clean = shared + np.sqrt(self.own) * generator.standard_normal(shape)
        for version in range(1 + self.draws):
            rate = self.rate - (drop if version else 0.0)
            if version and self.from_clean:
                score = np.sqrt(1 - self.own) * clean + np.sqrt(self.own) * generator.standard_normal(shape)
            elif version:
                score = shared + np.sqrt(self.own) * generator.standard_normal(shape)
            else:
                score = clean
            versions[:, :, version] = (score < special.ndtri(rate)).sum(axis=2)
        return versions


DESIGNS = (
    *(Perturbed("exchangeable", 80, draws, 0.3) for draws in (1, 3, 10)),
    *(Perturbed("exchangeable", 240, draws, 0.75) for draws in (3, 10)),
    Perturbed("few units", 20, 10, 0.3),
    Perturbed("nearly all hits", 80, 10, 0.95),
    Perturbed("draws far from the clean text", 80, 10, 0.3, own=0.6),
    Perturbed("draws made of the clean text", 80, 10, 0.3, from_clean=True),
)
DROPS = (0.01, 0.02, 0.03, 0.05)


def drops(plan: Plan, designs: tuple[Perturbed, ...] = DESIGNS) -> Table:
    """Rates at which the test of drops finds none, and drops of one to five points, and the simulated smallest one."""
    rows, claims = [], []
    for number, design in enumerate(designs):
        generator = plan.generator(30, number)
        by_choice, by_signs, detectable = _found(plan, design, 0.0, generator)
        power = [_found(plan, design, drop, generator)[0] for drop in DROPS]
        at_smallest = _found(plan, design, detectable, generator)[0]
        rates = [by_choice, by_signs, *power]
        rows.append(
            (
                f"{design.name}, {design.units} units, rate {design.rate:g}",
                f"{design.draws}",
                *(f"{100 * rate:.1f}%" for rate in rates),
                f"{100 * detectable:.2f}",
                f"{100 * at_smallest:.1f}%",
            )
        )
        claims.append((f"{rows[-1][0]}, {design.draws} draws: at most 6%", bool(by_choice <= 0.05 + plan.tolerance)))
        if not design.from_clean and design.rate <= MODERATE:
            near = abs(at_smallest - 0.8) <= 0.05 + plan.tolerance
            claims.append(
                (f"{rows[-1][0]}, {design.draws} draws: 75 to 85% of the smallest drop named are found", near)
            )
    return Table(
        "What the test of drops finds",
        "Hits in seven languages, all versions of a topic one unit. Share of experiments in which p is at most 5%: by choosing "
        "which version of a unit is the clean one, as `Drop(M)` is tested, and by the signs of units, with no drop; by choice, "
        "with drops of 1, 2, 3 and 5 points. *Smallest*: the drop, in points, that `xdr compare` says would be found in four "
        f"of five cases, mean of {SMALLEST_OF} experiments without a drop, and how often one of that size is found. In the "
        "last line clean text and draws have equal means and are not exchangeable.",
        (
            "design",
            "draws",
            "no drop, by choice",
            "no drop, by signs",
            *(f"{100 * drop:g} points" for drop in DROPS),
            "smallest",
            "found",
        ),
        tuple(rows),
        tuple(claims),
    )


def _found(plan: Plan, design: Perturbed, drop: float, generator: np.random.Generator) -> tuple[float, float, float]:
    """Shares of experiments with p <= 5%, by choice and by signs, and the smallest drop that could be found."""
    hits = design.hits(plan.experiments, drop, generator) / (LANGUAGES * design.units)
    versions = np.moveaxis(hits, 0, 2)
    units = [f"u{unit}" for unit in range(design.units)]
    tested = rechosen(versions, units, Draws(plan.resamples, plan.seed), range(SMALLEST_OF))
    by_signs = p_values(as_if_clean(versions)[:, 0], units, plan.resamples, plan.seed)
    smallest = np.mean([smallest_detectable(resampled, 0.05) for resampled in tested.resampled])
    return float((tested.p <= 0.05).mean()), float((by_signs <= 0.05).mean()), float(smallest)
