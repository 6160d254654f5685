"""The scores of two systems, by unit and language, from the score files of a site."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from site_pages import Pages

from harness.compare.units import UnitTable, tabulate


def tables_of(
    pages: Pages, system: str, reference: str, parts: Sequence[str], measure: str
) -> tuple[UnitTable, UnitTable]:
    """The scores of two systems, gathered by unit and language, from the score files."""
    one, two = pages.score(system), pages.score(reference)
    rows = [
        (value, two.values[part, measure][query_id], part, one.units[part, query_id][1])
        for part in parts
        for query_id, value in one.values[part, measure].items()
    ]
    languages, units = [row[2] for row in rows], [row[3] for row in rows]
    first, second = (tabulate(np.array([row[k] for row in rows]), languages, units) for k in (0, 1))
    return first, second
