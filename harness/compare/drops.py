"""``Drop(M)``: what a perturbation costs a system, per topic the measure on the clean part less its mean over the draws.

A system with fewer clean hits can lose fewer, so a drop never ranks: beside it stand the absolute values, the retention (share
of clean hits that are kept), and, where two systems are compared, the difference on the topics that both hit cleanly, which is
conditioned on a result and tested nowhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from harness.compare.choices import rechosen
from harness.compare.corrections import check_resamples, correct, smallest_adjusted_p
from harness.compare.estimates import bootstrapped, bounds_of_interval
from harness.compare.monte_carlo import drawn_p_values, standard_error
from harness.compare.projections import Block
from harness.compare.records import MACRO, Drop, DropDifference, Family
from harness.compare.signed_sums import Draws
from harness.compare.versions import Versions, versions_of
from harness.runs.score_file import ScoreFile
from harness.tracks import Track

_POWER = 0.8


class Dropped(NamedTuple):
    """All fields are empty where the track perturbs nothing."""

    drops: tuple[Drop, ...] = ()
    differences: tuple[DropDifference, ...] = ()
    families: tuple[Family, ...] = ()


class Held(NamedTuple):
    """A system whose drops are held against those of another one."""

    system: str
    against: str


def drops_of(track: Track, scores: Sequence[ScoreFile], held: Sequence[Held] | None = None) -> Dropped:
    """Drops of all systems on every measure, column and perturbation; on macro averages of the primary measure as families.

    One family holds every system's drop under every perturbation against none, the other the drops of ``held`` against one
    another, by default every system's against the baseline's. Both count whole: what is declared, in ``held`` or as the track's
    own systems, under all perturbations, and was not run has p = 1, so that what is significant now stays so. Raises
    ``InvalidInput`` where the resamples are too few for them.
    """
    found = [own for measure in track.measures for score in scores for own in versions_of(track, score, measure)]
    planned = [place for place, own in enumerate(found) if _is_planned(track, own)]
    families = track.families
    names = {*track.systems} if held is None else {name for own in held for name in own}
    if held is None:
        tested = dict.fromkeys([*(own.system for own in scores), *track.systems])
        held = [Held(name, track.baseline) for name in tested if name != track.baseline]
    declared = {(name, kind) for name in names for kind in _perturbations(track)}
    size = len(declared | {(found[place].system, found[place].perturbation) for place in planned})
    check_resamples("drops", size, families.resamples, families.alpha)
    p, detectable = _tested(track, found, families.alpha / max(1, size))
    drops = [_drop(track, own, value) for own, value in zip(found, p, strict=True)]
    if not planned:
        return Dropped(tuple(drops))
    decided = correct(p[planned], families.correction, families.alpha, size - len(planned))
    for order, place in enumerate(planned):
        decision = {
            "p_adjusted": float(decided.p_adjusted[order]),
            "significant": bool(decided.significant[order]),
            "detectable": detectable[place],
        }
        drops[place] = drops[place].model_copy(update=decision)
    declared_of = {(*own, kind) for own in held if own.system in names for kind in _perturbations(track)}
    differences, family = _differences(track, [found[place] for place in planned], held, declared_of)
    return Dropped(tuple(drops), differences, (family_of(track, "drops", size), *family))


def _perturbations(track: Track) -> set[str]:
    """Those that all parts of the macro average have, but for what was chosen against a system."""
    return set.intersection(*(set(track.draws_of(name)) for name in track.macro_parts)) - _chosen(track)


def _chosen(track: Track) -> set[str]:
    """Perturbations that were chosen against a system; transfers.py tests them."""
    return {attack.perturbation for attack in track.attacks}


def _is_planned(track: Track, own: Versions) -> bool:
    return own.measure == track.primary and own.column == MACRO and own.perturbation not in _chosen(track)


def _tested(track: Track, found: Sequence[Versions], level: float) -> tuple[NDArray[np.float64], dict[int, float]]:
    """p of every drop, shape (drops,), and of the planned ones, by their places, what could be found at ``level``."""
    p, detectable = np.ones(len(found)), {}
    units = sorted({unit for own in found for unit in own.units})
    places = {unit: row for row, unit in enumerate(units)}
    draws = Draws(track.families.resamples, track.families.seed)
    for versions in sorted({own.scores.shape[1] for own in found}):
        members = [place for place, own in enumerate(found) if own.scores.shape[1] == versions]
        kept = [column for column, place in enumerate(members) if _is_planned(track, found[place])]
        shares = np.stack([found[place].shares(places) for place in members], axis=2)
        tested = rechosen(shares, units, draws, kept)
        p[members] = tested.p
        for column, resampled in zip(kept, tested.resampled, strict=True):
            detectable[members[column]] = smallest_detectable(resampled, level)
    return p, detectable


def smallest_detectable(resampled: NDArray[np.float64], level: float) -> float:
    """The smallest true drop that the test finds in four of five cases at ``level``; ``resampled``: drops under the choices.

    Simulated: a true drop moves the drops under random choices by itself, and is found where the sum passes their own
    critical value. The choices hold what the observed drop adds to the spread, which makes it too large; where nearly all are
    hits, which vary more after a drop, it is too small (docs/statistics.md).
    """
    critical = float(np.quantile(np.abs(resampled), 1 - level, method="higher"))
    return critical - float(np.quantile(resampled, 1 - _POWER))


def _drop(track: Track, own: Versions, p: float) -> Drop:
    is_tested = own.perturbation not in _chosen(track)
    table, is_primary = own.table(own.drops), own.measure == track.primary
    kept = own.table_of(own.hit, own.perturbed) if own.are_hits else None
    return Drop(
        system=own.system,
        perturbation=own.perturbation,
        measure=own.measure,
        column=own.column,
        draws=own.scores.shape[1] - 1,
        clean=own.table(own.scores[:, 0]).macro,
        perturbed=own.table(own.perturbed).macro,
        drop=table.macro,
        interval=bounds_of_interval(bootstrapped(track, table)) if is_primary else None,
        p=float(p) if is_tested else None,
        p_error=float(standard_error(np.array(p), track.families.resamples)) if is_tested else None,
        retention=kept.macro if kept else None,
        retention_interval=bounds_of_interval(bootstrapped(track, kept)) if kept and is_primary else None,
    )


def _differences(
    track: Track, planned: Sequence[Versions], held: Sequence[Held], declared: set[tuple[str, str, str]]
) -> tuple[tuple[DropDifference, ...], tuple[Family, ...]]:
    """Each system's drop less that of the one that it is held against, by the signs of units.

    ``declared``: both, and a perturbation, of all that the family counts, whether or not it was run.
    """
    known = {(own.system, own.perturbation): own for own in planned}
    pairs = [
        (known[system, perturbation], known[against, perturbation])
        for system, against in held
        for perturbation in dict.fromkeys(own.perturbation for own in planned)
        if (system, perturbation) in known and (against, perturbation) in known
    ]
    if not pairs:
        return (), ()
    # All systems have the same topics in the same order: `check_comparable` and `versions_of` see to it.
    tables = [own.table(own.drops - base.drops) for own, base in pairs]
    families = track.families
    size = len(declared | {(own.system, base.system, own.perturbation) for own, base in pairs})
    missing = size - len(pairs)
    check_resamples("differences of drops", size, families.resamples, families.alpha)
    columns = np.stack([table.contributions() for table in tables], axis=1)
    draws = Draws(families.resamples, families.seed)
    drawn = drawn_p_values([Block(columns, tables[0].units)], draws, families.correction, families.alpha, missing)
    decided = correct(drawn.p, families.correction, families.alpha, missing)
    found = []
    for place, ((own, base), table) in enumerate(zip(pairs, tables, strict=True)):
        hits = own.are_hits and base.are_hits
        both = own.table_of(own.hit & base.hit, own.drops - base.drops) if hits else None
        resamples = int(drawn.resamples[place])
        found.append(
            DropDifference(
                system=own.system,
                against=base.system,
                perturbation=own.perturbation,
                difference=table.macro,
                interval=bounds_of_interval(bootstrapped(track, table)),
                p=float(drawn.p[place]),
                p_error=float(standard_error(drawn.p[place], resamples)) if resamples else 0.0,
                p_adjusted=float(decided.p_adjusted[place]),
                significant=bool(decided.significant[place]),
                conditioned=both.macro if both else None,
                conditioned_interval=bounds_of_interval(bootstrapped(track, both)) if both else None,
                conditioned_topics=int(both.counts.sum()) if both else 0,
            )
        )
    return tuple(found), (family_of(track, "differences of drops", size, drawn.undecided),)


def family_of(
    track: Track, name: Literal["drops", "differences of drops", "transfers"], size: int, undecided: int = 0
) -> Family:
    resamples = track.families.resamples
    return Family(
        name=name,
        measure=f"Drop({track.primary})",
        size=size,
        correction=track.families.correction,
        smallest_adjusted_p=smallest_adjusted_p(size, resamples),
        resamples=resamples,
        undecided=undecided,
    )
