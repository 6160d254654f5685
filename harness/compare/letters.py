"""What a table shows of decisions on all pairs: groups, letters and rank intervals, from the same decisions."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from harness.errors import InvalidInput


def groups(significant: NDArray[np.bool_], order: Sequence[int]) -> list[tuple[int, ...]]:
    """Largest sets of systems of which no two differ, as many as are needed and no more.

    Parameters
    ----------
    significant
        Shape (K, K), symmetric, false on the diagonal: the two systems differ.
    order
        The K systems, best first. Groups are sorted by their best member, and members by this order.

    Returns
    -------
    list of tuples of system numbers
        Two systems are together in some group if and only if they do not differ. To no group could a system be added, and
        without any of the groups some pair would be in none.

    Raises
    ------
    InvalidInput
        When the decisions are not symmetric, or say that a system differs from itself.

    Notes
    -----
    A compact letter display (Piepho, Journal of Computational and Graphical Statistics 13(2), 2004). Groups need not be runs
    of the ranking: two systems far apart may be alike in noise while one between them is not. Of such decisions there can be
    3 ** (K / 3) largest sets (Moon and Moser 1965), so not all are listed: each pair in no group yet begins one, which takes
    in, one by one, the system that brings most such pairs (the better one where several do). The number of groups is at
    most that of pairs, the time K ** 2 for each. Fewest groups are not promised; that is NP-hard (Gramm et al., Algorithms
    for Compact Letter Displays, Computational Statistics and Data Analysis 52(2), 2007). Where decisions are a threshold
    along the ranking, groups are its runs, K at most.
    """
    if not np.array_equal(significant, significant.T) or significant.diagonal().any():
        raise InvalidInput("decisions on pairs must be symmetric, and no system differs from itself")
    # From here on systems are places in the ranking.
    alike = ~significant[np.ix_(order, order)]
    np.fill_diagonal(alike, False)
    uncovered = alike.copy()
    found: list[NDArray[np.intp]] = []
    for one, two in zip(*np.nonzero(np.triu(alike)), strict=True):
        if uncovered[one, two]:
            members = _grown(int(one), int(two), alike, uncovered)
            uncovered[np.ix_(members, members)] = False
            found.append(members)
    found += [np.array([place]) for place in np.flatnonzero(~alike.any(axis=1))]
    ranked = sorted(tuple(members.tolist()) for members in _needed(found, len(order)))
    return [tuple(order[place] for place in members) for members in ranked]


def _grown(one: int, two: int, alike: NDArray[np.bool_], uncovered: NDArray[np.bool_]) -> NDArray[np.intp]:
    """The pair's group: as long as a system is like all members, the one with the most uncovered pairs among them."""
    members = [one, two]
    fitting = alike[one] & alike[two]
    gains = uncovered[one].astype(np.int64) + uncovered[two]
    while fitting.any():
        system = int(np.argmax(np.where(fitting, gains, -1)))
        members.append(system)
        fitting &= alike[system]
        gains += uncovered[system]
    return np.sort(np.array(members))


def _needed(found: list[NDArray[np.intp]], systems: int) -> list[NDArray[np.intp]]:
    """The groups without those all of whose pairs are in others, the latest found left out first."""
    holding = np.zeros((systems, systems), dtype=np.int64)
    for members in found:
        holding[np.ix_(members, members)] += 1
    kept = []
    for members in reversed(found):
        inside = np.ix_(members, members)
        if len(members) > 1 and (holding[inside] + np.eye(len(members), dtype=np.int64) * 2 > 1).all():
            holding[inside] -= 1
        else:
            kept.append(members)
    return kept


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
