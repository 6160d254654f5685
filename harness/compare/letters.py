"""What a table shows of decisions on all pairs: groups, letters and rank intervals, from the same decisions."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from harness.errors import InvalidInput


def groups(significant: NDArray[np.bool_], order: Sequence[int]) -> list[tuple[int, ...]]:
    """Largest sets of systems of which no two differ, by the insert-and-absorb algorithm.

    Parameters
    ----------
    significant
        Shape (K, K), symmetric, false on the diagonal: the two systems differ.
    order
        The K systems, best first. Groups are sorted by their best member, and members by this order.

    Returns
    -------
    list of tuples of system numbers
        Two systems are together in some group if and only if they do not differ.

    Raises
    ------
    InvalidInput
        When the decisions are not symmetric, or say that a system differs from itself.

    Notes
    -----
    Piepho, Journal of Computational and Graphical Statistics 13(2), 2004: begin with one group of all; for each pair that
    differs, every group that holds both becomes two, each without one of them; groups inside others are absorbed. When
    decisions are a threshold on the difference, as those of ``all_pairs`` are, groups are runs of the ranking, K at most.
    """
    if not np.array_equal(significant, significant.T) or significant.diagonal().any():
        raise InvalidInput("decisions on pairs must be symmetric, and no system differs from itself")
    place = {system: position for position, system in enumerate(order)}
    found = [frozenset(place)]
    for one, two in zip(*np.nonzero(np.triu(significant)), strict=True):
        split = [group for group in found if one in group and two in group]
        if not split:
            continue
        halves = [group - {system} for group in split for system in (one, two)]
        kept = [group for group in found if group not in split]
        # A half can only be inside an untouched group or another half: an untouched group lacks one of the two systems.
        found = kept + [
            half
            for number, half in enumerate(halves)
            if not any(half <= other for other in kept)
            and not any(half < other or (half == other and later < number) for later, other in enumerate(halves))
        ]
    ranked = [tuple(sorted(group, key=place.__getitem__)) for group in found]
    return sorted(ranked, key=lambda group: [place[system] for system in group])


def letter(number: int) -> str:
    """Name of group ``number``, counted from 0: a to z, aa, ab, ..., az, ba, ...: they never run out."""
    name = ""
    number += 1
    while number:
        number, last = divmod(number - 1, 26)
        name = chr(ord("a") + last) + name
    return name


def letters(significant: NDArray[np.bool_], order: Sequence[int]) -> list[tuple[str, ...]]:
    """Compact letter display: for every system, in the order of its number, the names of its groups.

    Two systems share a letter if and only if they do not differ. Parameters and errors are those of ``groups``.
    """
    shown: list[list[str]] = [[] for _ in order]
    for number, group in enumerate(groups(significant, order)):
        for system in group:
            shown[system].append(letter(number))
    return [tuple(names) for names in shown]


def rank_intervals(better: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """For every system [1 + number of systems significantly better, K - number of systems significantly worse].

    ``better``: shape (K, K), the row's system is significantly better than the column's. With decisions whose
    family-wise error over all pairs (and directions) is alpha, all intervals together hold the true ranks with
    probability 1 - alpha or more (Mogstad, Romano, Shaikh and Wilhelm, Review of Economic Studies 91(1), 2024).
    """
    systems = better.shape[0]
    return [(1 + int(better[:, k].sum()), systems - int(better[k].sum())) for k in range(systems)]
