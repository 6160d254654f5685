"""Per-topic values gathered by unit and language: what every statistic of a macro average needs, and no more."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from harness.errors import InvalidInput


@dataclass(frozen=True)
class UnitTable:
    """G units (topics, or clusters of topics) by L languages.

    ``sums``: float64, shape (G, L), sum of the values of a unit's topics in a language; ``counts``: int64, shape (G, L),
    their number. Units are sorted by name.
    """

    units: tuple[str, ...]
    languages: tuple[str, ...]
    sums: NDArray[np.float64]
    counts: NDArray[np.int64]

    @property
    def means(self) -> NDArray[np.float64]:
        """Mean over topics of each language, shape (L,)."""
        return np.asarray(self.sums.sum(axis=0) / self.counts.sum(axis=0))

    @property
    def macro(self) -> float:
        """Mean of the languages' means."""
        return float(self.means.mean())

    @property
    def nested(self) -> bool:
        """Whether no unit occurs in two languages, so that the languages are independent samples."""
        return bool(((self.counts > 0).sum(axis=1) <= 1).all())

    def contributions(self) -> NDArray[np.float64]:
        """Each unit's share of the macro average, shape (G,): sum over its topics of value / (L * n_l)."""
        weights = 1 / (len(self.languages) * self.counts.sum(axis=0))
        return np.asarray(self.sums @ weights)

    def contributions_of_ones(self) -> NDArray[np.float64]:
        """Each unit's weight in the macro average, shape (G,); they sum to 1."""
        weights = 1 / (len(self.languages) * self.counts.sum(axis=0))
        return np.asarray(self.counts @ weights)


def tabulate(values: NDArray[np.float64], languages: Sequence[str], units: Sequence[str]) -> UnitTable:
    """Gather values (float64, shape (topics,)) with the language and the unit of each.

    Raises ``InvalidInput`` when there are no values, lengths disagree, or a value is not finite.
    """
    if not len(values) == len(languages) == len(units):
        raise InvalidInput(f"{len(values)} values, {len(languages)} languages and {len(units)} units do not match")
    if not len(values):
        raise InvalidInput("there are no topics to compare")
    if not np.isfinite(values).all():
        raise InvalidInput("scores to compare must be finite numbers")
    unit_names, rows = np.unique(np.asarray(units, dtype=str), return_inverse=True)
    language_names, columns = np.unique(np.asarray(languages, dtype=str), return_inverse=True)
    shape = (len(unit_names), len(language_names))
    cells = rows * shape[1] + columns
    sums = np.bincount(cells, weights=values, minlength=shape[0] * shape[1]).astype(np.float64)
    counts = np.bincount(cells, minlength=shape[0] * shape[1]).astype(np.int64)
    return UnitTable(
        tuple(unit_names.tolist()), tuple(language_names.tolist()), sums.reshape(shape), counts.reshape(shape)
    )
