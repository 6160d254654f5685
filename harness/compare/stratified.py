"""The t test of a macro average, with languages as strata and units (topics or clusters of topics) as what is sampled.

The macro average of paired differences is M = (1/L) sum_l dbar_l, dbar_l the mean of the n_l differences of language l.

*Independent languages.* The means are independent, so Var(M) = (1/L^2) sum_l s_l^2 / n_l, and a linear combination of
independent variances has about the degrees of freedom (sum_l v_l)^2 / sum_l v_l^2 / (n_l - 1), v_l = s_l^2 / (L^2 n_l)
(Satterthwaite 1946). When units hold several topics of one language, s_l^2 / n_l becomes the variance of a ratio mean
over G_l clusters, G_l / (G_l - 1) sum_g r_gl^2 with r_gl = sum_{t in g} (d_t - dbar_l) / n_l (Cochran 1977, section 9;
Taylor linearisation); with one topic in each unit this is s_l^2 / n_l again.

*Units shared by languages.* M is a sum of shares of units: with r_g = sum_l sum_{t in g} (d_tl - dbar_l) / (L n_l), units
being independent of each other but not within, Var(M) is estimated by G / (G - 1) sum_g r_g^2, with G - 1 degrees of
freedom (Liang and Zeger 1986). When every topic stands in every language, r_g is z_g - zbar with z_g = sum_l d_gl / (L n)
and the formula is the variance of the unit sums; in other designs centring on each language's mean keeps differences
between languages, and between sizes of clusters, out of the error.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import special

from harness.compare.units import UnitTable
from harness.errors import InvalidInput

_NO_VARIATION = 1e-12


@dataclass(frozen=True)
class MacroT:
    """A t test of a macro average of differences, two-sided against 0, with its confidence interval.

    ``form`` says which variance was used: that of independent languages or that of shared units.
    """

    estimate: float
    standard_error: float
    degrees_of_freedom: float
    t: float
    p: float
    interval: tuple[float, float]
    form: Literal["independent languages", "shared units"]


def macro_t(table: UnitTable, level: float = 0.95) -> MacroT:
    """Stratified t test of the macro average of the differences in ``table``; the form follows from the design.

    Raises ``InvalidInput`` when a variance cannot be estimated: fewer than two units (in a language, where languages are
    independent), or no variation although the mean is not 0.
    """
    sizes = table.counts.sum(axis=0)
    residuals = (table.sums - table.counts * table.means) / (len(table.languages) * sizes)
    if table.nested:
        units = (table.counts > 0).sum(axis=0)
        _require_two(units, "language")
        variances = units / (units - 1) * (residuals**2).sum(axis=0)
        return _independent(table.macro, variances, units - 1, level)
    units_in_all = len(table.units)
    _require_two(np.array([units_in_all]), "comparison")
    variance = units_in_all / (units_in_all - 1) * float((residuals.sum(axis=1) ** 2).sum())
    return _test(table.macro, variance, units_in_all - 1, level, "shared units")


def _require_two(units: NDArray[np.int64], where: str) -> None:
    if units.min() < 2:
        raise InvalidInput(f"a t test needs at least two units in each {where}; there are {int(units.min())}")


def _independent(estimate: float, variances: NDArray[np.float64], freedoms: NDArray[np.int64], level: float) -> MacroT:
    """Satterthwaite's approximation; ``variances``: shape (L,), what each language adds to the variance of M."""
    total = float(variances.sum())
    # Without any variation the approximation is 0 / 0; the test itself then decides what can be said.
    freedom = total**2 / float((variances**2 / freedoms).sum()) if total > 0 else float(freedoms.sum())
    return _test(estimate, total, freedom, level, "independent languages")


def _test(
    estimate: float,
    variance: float,
    freedom: float,
    level: float,
    form: Literal["independent languages", "shared units"],
) -> MacroT:
    error = float(np.sqrt(variance))
    # What rounding leaves of no variation at all counts as none.
    if error <= _NO_VARIATION * abs(estimate):
        if estimate != 0:
            raise InvalidInput(
                "all units differ by the same amount, so a t test has no error to compare the mean with; "
                "use the randomization test"
            )
        return MacroT(0.0, 0.0, freedom, 0.0, 1.0, (0.0, 0.0), form)
    t = estimate / error
    half = float(special.stdtrit(freedom, (1 + level) / 2)) * error
    p = float(2 * special.stdtr(freedom, -abs(t)))
    return MacroT(estimate, error, freedom, t, p, (estimate - half, estimate + half), form)
